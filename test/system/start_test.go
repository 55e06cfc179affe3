//go:build linux && !engines

package system

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"happening/test/house"
)

// What `make run` does after the build, on four machines: with PostgreSQL and
// without, as the tests' user (root in a container) and as nobody. The demo is
// there, a later start finds it again, and Ctrl-C ends everything at once.
func TestDemoStarts(t *testing.T) {
	for _, c := range []struct {
		name         string
		nobody, bare bool
	}{
		{"with PostgreSQL", false, false},
		{"with PostgreSQL, as nobody", true, false},
		{"without PostgreSQL", false, true},
		{"without PostgreSQL, as nobody", true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.nobody || c.bare {
				t.Parallel() // The first one's times are worth reading.
			}
			h := house.New(t)
			if c.nobody {
				h.AsNobody()
			}
			if c.bare {
				h.WithoutPostgres()
			}
			demo(t, h)
		})
	}
}

// demo starts the demo twice in a house.
func demo(t *testing.T, h *house.House) {
	first := h.Serve("--demo")
	t.Logf("first start, with initdb and the demo: ready after %v", first.Took.Round(time.Millisecond))
	for _, word := range []string{"http://" + h.API, h.PublicURL(), "admin@demo.test", "organizer@demo.test", "user3@demo.test", "password"} {
		// It answers a moment before it has said so.
		if !house.Looked(house.SettleLimit, func() bool { return strings.Contains(first.Said(), word) }) {
			t.Errorf("the start doesn't tell %q:\n%s", word, first.Said())
		}
	}
	if exe := exeOf(t, h.Postmaster()); h.Hidden != strings.HasPrefix(exe, h.Dir) {
		t.Errorf("PostgreSQL's program is %s; hidden from the house: %v", exe, h.Hidden)
	}
	c := house.NewClient(h.API)
	t.Cleanup(c.Close)
	seen := c.Get(t, nil, "/events").String()
	if !strings.Contains(seen, "20000") {
		t.Errorf("the demo's events lack the arena: %s", seen)
	}
	stopped(t, h, first)

	later := h.Serve("--demo")
	t.Logf("later start: ready after %v", later.Took.Round(time.Millisecond))
	if now := c.Get(t, nil, "/events").String(); now != seen {
		t.Errorf("after a restart the events are %s\nand were %s", now, seen)
	}
	h.Check()
	stopped(t, h, later)
}

// exeOf is the program that a process runs.
func exeOf(t *testing.T, pid int) string {
	t.Helper()
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		t.Fatal(err)
	}
	return exe
}

// A second copy on the same data says so in one line, stops with status 1 and
// leaves the first one alone, whether it has ports of its own or not.
func TestSecondCopy(t *testing.T) {
	t.Parallel()
	h := house.New(t)
	server := h.Serve()
	c := house.NewClient(h.API)
	t.Cleanup(c.Close)
	admin := h.People("admin", 1)[0]
	eventID := c.Event(t, admin, c.Organization(t, admin), 10, nil)
	l := house.NewLedger()
	postmaster := h.Postmaster()

	second := *h
	second.Env = map[string]string{}
	for name, value := range h.Env {
		second.Env[name] = value
	}
	second.ChoosePorts()
	for _, other := range []*house.House{&second, h} {
		r := other.Run("serve")
		lines := r.Lines()
		if r.Status != 1 || len(lines) == 0 || !strings.Contains(lines[0], h.Data) {
			t.Errorf("a second copy: status %d, said %q", r.Status, r.Stderr)
		}
		if other == &second && len(lines) != 1 {
			t.Errorf("a second copy on ports of its own said more than a line: %q", lines)
		}
	}
	l.Place(c, l.Book(admin, eventID, 1))
	if server.Ended() || h.Postmaster() != postmaster || l.Acks.Load() != 1 {
		t.Errorf("the first copy was disturbed: ended %v, postmaster %d then %d\n%s", server.Ended(), postmaster, h.Postmaster(), server.Said())
	}
	h.Judge(l)
}

// A taken port is told in one line with the port, its setting and who has it,
// and nothing is half-started: no process, no data, no other port.
func TestTakenPort(t *testing.T) {
	t.Parallel()
	for setting, addr := range map[string]func(*house.House) string{
		"HAPPENING_CLIENT_ADDR": func(h *house.House) string { return h.Client },
		"HAPPENING_API_ADDR":    func(h *house.House) string { return h.API },
		"HAPPENING_OPS_ADDR":    func(h *house.House) string { return h.Ops },
	} {
		t.Run(setting, func(t *testing.T) {
			h := house.New(t)
			taken := addr(h)
			ln, err := net.Listen("tcp", taken)
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			r := h.Run("serve")
			_, port, _ := strings.Cut(taken, ":")
			if lines := r.Lines(); r.Status != 1 || len(lines) != 1 {
				t.Fatalf("status %d, said %q", r.Status, r.Stderr)
			}
			for _, word := range []string{port, setting, fmt.Sprint(os.Getpid())} {
				if !strings.Contains(r.Stderr, word) {
					t.Errorf("%q doesn't name %s", r.Stderr, word)
				}
			}
			if left := h.Processes(); len(left) > 0 {
				t.Errorf("half-started: %v", left)
			}
			if _, err := os.Stat(h.Data); !os.IsNotExist(err) {
				t.Errorf("half-started: there is a data directory: %v", err)
			}
			for _, other := range []string{h.Client, h.API, h.Ops} {
				if other != taken {
					free, err := net.Listen("tcp", other)
					if err != nil {
						t.Fatalf("half-started: %v", err)
					}
					free.Close()
				}
			}
		})
	}
}

// All taken ports are told at once, a line each.
func TestTakenPorts(t *testing.T) {
	t.Parallel()
	h := house.New(t)
	for _, addr := range []string{h.Client, h.API, h.Ops} {
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
	}
	if r := h.Run("serve"); r.Status != 1 || len(r.Lines()) != 3 {
		t.Errorf("status %d, said %q", r.Status, r.Stderr)
	}
}

// Ctrl-C in the middle of a start leaves nothing behind either, and the next
// start works.
func TestInterruptedStart(t *testing.T) {
	t.Parallel()
	h := house.New(t)
	for _, moment := range []struct {
		name string
		come func(*house.Server) bool
	}{
		{"at once", func(*house.Server) bool { return true }},
		{"when the data directory is made", func(*house.Server) bool { _, err := os.Stat(h.Data); return err == nil }},
		{"when PostgreSQL starts", func(*house.Server) bool { return h.Postmaster() != 0 }},
	} {
		s := h.Launch()
		house.Await(t, moment.name, house.StartLimit, func() bool { return moment.come(s) || s.Ended() })
		if _, took := s.Interrupt(); took > stopLimit {
			t.Errorf("%s: stopped only after %v", moment.name, took)
		}
		if !house.Looked(stopLimit, func() bool { return len(h.Processes()) == 0 }) {
			t.Errorf("%s: these still run: %v", moment.name, h.Processes())
		}
	}
	h.Serve()
	h.Check()
}
