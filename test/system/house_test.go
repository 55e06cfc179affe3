//go:build linux

package system

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// house is a data directory with the settings under which servers and commands
// run on it.
type house struct {
	t *testing.T
	// dir is entered by every user; data lies below it and does not exist
	// before the first start.
	dir, data string
	env       map[string]string
	// owner is who runs everything; nil: who runs the tests.
	owner *syscall.Credential
	// hidden hides the system's PostgreSQL.
	hidden bool
	binary string
	// client, api and ops are where the server answers.
	client, api, ops string
}

func newHouse(t *testing.T) *house {
	t.Helper()
	dir, err := os.MkdirTemp("", "happening-system-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	// PostgreSQL's user, whom root steps down to, passes through.
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, dir: dir, data: filepath.Join(dir, "data"), binary: binary, env: map[string]string{}}
	h.choosePorts()
	// The load comes from few people and one address.
	h.env["HAPPENING_LIMIT_PERSON"], h.env["HAPPENING_LIMIT_ADDRESS"] = "0", "0"
	return h
}

// choosePorts takes three that are free right now.
func (h *house) choosePorts() {
	h.t.Helper()
	for _, p := range []struct {
		into    *string
		setting string
	}{{&h.client, "HAPPENING_CLIENT_ADDR"}, {&h.api, "HAPPENING_API_ADDR"}, {&h.ops, "HAPPENING_OPS_ADDR"}} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			h.t.Fatal(err)
		}
		// Closed only at the end, so that the three are different ones.
		defer ln.Close()
		*p.into = ln.Addr().String()
		h.env[p.setting] = *p.into
	}
	_, port, err := net.SplitHostPort(h.client)
	if err != nil {
		h.t.Fatal(err)
	}
	h.env["HAPPENING_PUBLIC_URL"] = "http://localhost:" + port
}

// publicURL is what people would type.
func (h *house) publicURL() string { return h.env["HAPPENING_PUBLIC_URL"] }

// command prepares a run of the binary in the house, as whom the house belongs
// to, in an environment that holds nothing but the house's settings.
func (h *house) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, h.binary, args...)
	cmd.Dir = h.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + h.dir, "TMPDIR=" + os.TempDir(), "HAPPENING_DATA=" + h.data}
	for _, name := range slices.Sorted(maps.Keys(h.env)) {
		cmd.Env = append(cmd.Env, name+"="+h.env[name])
	}
	// A session of its own tells its processes from all others and keeps the
	// terminal's signals away. Nothing survives a killed test.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL, Credential: h.owner}
	if h.hidden {
		hide(cmd, h.owner)
	}
	return cmd
}

// result is what a command said and how it ended.
type result struct {
	stdout, stderr string
	status         int
}

// lines are the lines of what went to standard error.
func (r result) lines() []string {
	if strings.TrimSpace(r.stderr) == "" {
		return nil
	}
	return strings.Split(strings.TrimSpace(r.stderr), "\n")
}

// run runs a command to its end.
func (h *house) run(args ...string) result {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandLimit)
	defer cancel()
	cmd := h.command(ctx, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		h.t.Fatalf("happening %s: %v\n%s", strings.Join(args, " "), errors.Join(err, ctx.Err()), stderr.String())
	}
	return result{stdout: stdout.String(), stderr: stderr.String(), status: cmd.ProcessState.ExitCode()}
}

// must runs a command that has to succeed and answers what it printed.
func (h *house) must(args ...string) string {
	h.t.Helper()
	r := h.run(args...)
	if r.status != 0 {
		h.t.Fatalf("happening %s ended with status %d\n%s%s", strings.Join(args, " "), r.status, r.stdout, r.stderr)
	}
	return r.stdout
}

// check holds the database to the booking rules.
func (h *house) check() {
	h.t.Helper()
	if r := h.run("check"); r.status != 0 {
		h.t.Errorf("happening check ended with status %d\n%s%s", r.status, r.stdout, r.stderr)
	}
}

// database connects to the house's PostgreSQL as its owner, which takes a
// running server.
func (h *house) database() *pgx.Conn {
	h.t.Helper()
	url := strings.TrimSpace(h.must("db-url"))
	ctx, cancel := context.WithTimeout(context.Background(), commandLimit)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		h.t.Fatalf("%s: %v", url, err)
	}
	h.t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// postmaster is the process id of the house's PostgreSQL, 0 where none has
// written its own.
func (h *house) postmaster() int {
	text, err := os.ReadFile(filepath.Join(h.data, "postgres", "cluster", "postmaster.pid"))
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		return 0
	}
	return pid
}

// processes are those that work in the house: the servers, commands and
// supervisors by their executable and data, PostgreSQL's by where they work.
func (h *house) processes() []string {
	found := []string{}
	procs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		h.t.Fatal(err)
	}
	for _, proc := range procs {
		cwd, err := os.Readlink(proc + "/cwd")
		if err != nil {
			continue // ended meanwhile, or a zombie
		}
		environ, _ := os.ReadFile(proc + "/environ") // a child of PostgreSQL's has overwritten its own
		if strings.HasPrefix(cwd, h.dir) || bytes.Contains(environ, []byte(h.dir)) {
			line, _ := os.ReadFile(proc + "/cmdline")
			found = append(found, fmt.Sprintf("%s %q", filepath.Base(proc), strings.TrimSpace(string(bytes.ReplaceAll(line, []byte{0}, []byte(" "))))))
		}
	}
	return found
}

// server is a running `happening serve`.
type server struct {
	house *house
	cmd   *exec.Cmd
	log   string // the file that takes its output
	// took is from the start of the process to the first "ready".
	took   time.Duration
	exited chan struct{} // closed when the process has ended
}

// said is everything that the server has written so far.
func (s *server) said() string {
	text, err := os.ReadFile(s.log)
	if err != nil {
		s.house.t.Errorf("the server's output: %v", err)
	}
	return string(text)
}

// serve starts a server and waits until bookings are possible.
func (h *house) serve(args ...string) *server {
	h.t.Helper()
	began := time.Now()
	s := h.launch(args...)
	c := newClient(h.api)
	defer c.close()
	ready := looked(startLimit, func() bool {
		select {
		case <-s.exited:
			return true
		default:
			return c.status("/readyz") == 200
		}
	})
	s.took = time.Since(began)
	if !ready || s.ended() {
		h.t.Fatalf("the server is not ready after %v:\n%s", s.took, s.said())
	}
	return s
}

// launch starts a server and does not wait for it.
func (h *house) launch(args ...string) *server {
	h.t.Helper()
	s := &server{house: h, cmd: h.command(context.Background(), append([]string{"serve"}, args...)...), exited: make(chan struct{})}
	// A file, because a pipe would make Wait wait for PostgreSQL, too, which
	// inherits it and outlives a killed server by a moment.
	out, err := os.CreateTemp(h.t.TempDir(), "server-*.log")
	if err != nil {
		h.t.Fatal(err)
	}
	defer out.Close()
	s.log = out.Name()
	s.cmd.Stdout, s.cmd.Stderr = out, out
	if err := s.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	go func() {
		_ = s.cmd.Wait() // told by ProcessState
		close(s.exited)
	}()
	h.t.Cleanup(s.bury)
	return s
}

// bury ends what a test left running, and reads its last words: no server may
// ever have panicked or raced.
func (s *server) bury() {
	if !s.ended() {
		s.signal(syscall.SIGINT)
		select {
		case <-s.exited:
		case <-time.After(settleLimit):
			s.house.t.Errorf("the server doesn't stop:\n%s", s.said())
			s.signal(syscall.SIGKILL)
			<-s.exited
		}
	}
	said := s.said()
	for _, word := range []string{"panic", "DATA RACE", "fatal error"} {
		if strings.Contains(said, word) {
			s.house.t.Errorf("the server's output has %q:\n%s", word, said)
		}
	}
	if s.house.t.Failed() {
		s.house.t.Logf("the server's output:\n%s", said)
	}
	if !looked(settleLimit, func() bool { return len(s.house.processes()) == 0 }) {
		s.house.t.Errorf("after the server's end these still run: %v", s.house.processes())
	}
}

func (s *server) ended() bool {
	select {
	case <-s.exited:
		return true
	default:
		return false
	}
}

// signal signals the server's process group, as a terminal does.
func (s *server) signal(sig syscall.Signal) {
	if err := syscall.Kill(-s.cmd.Process.Pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		s.house.t.Errorf("signal %v: %v", sig, err)
	}
}

// kill ends the server as a lost machine would: nothing of it runs on.
func (s *server) kill() {
	s.house.t.Helper()
	if err := s.cmd.Process.Kill(); err != nil {
		s.house.t.Fatal(err)
	}
	<-s.exited
}

// interrupt stops the server as Ctrl-C does and answers its exit status and
// how long the stop took.
func (s *server) interrupt() (status int, took time.Duration) {
	s.house.t.Helper()
	began := time.Now()
	s.signal(syscall.SIGINT)
	select {
	case <-s.exited:
	case <-time.After(settleLimit):
		s.house.t.Fatalf("the server doesn't stop:\n%s", s.said())
	}
	return s.cmd.ProcessState.ExitCode(), time.Since(began)
}

// count reads one number.
func count(t *testing.T, db *pgx.Conn, sql string, args ...any) (n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandLimit)
	defer cancel()
	if err := db.QueryRow(ctx, sql, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// run runs a statement as the owner of everything.
func run(t *testing.T, db *pgx.Conn, sql string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandLimit)
	defer cancel()
	if _, err := db.Exec(ctx, sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}
