package pgserver

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// testLimit is for whatever a test waits for; nothing takes nearly as long.
const testLimit = 60 * time.Second

// helperEnv makes the test binary a Happening that only runs a database, so
// that tests can kill it and run it as somebody else.
const helperEnv = "PGSERVER_TEST_HELPER"

func TestMain(m *testing.M) {
	MaybeSupervise()
	if os.Getenv(helperEnv) != "" {
		if err := helperMain(); err != nil {
			fmt.Fprintln(os.Stderr, "helper:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// helperMain starts a server with the options on its standard input, says
// where it is, and stops it when it reads another line. An interrupt it
// reports, after having asked the database whether it is still there.
func helperMain() error {
	in := bufio.NewScanner(os.Stdin)
	in.Scan()
	var o Options
	if err := json.Unmarshal(in.Bytes(), &o); err != nil {
		return err
	}
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt)
	ctx := context.Background()
	s, err := Start(ctx, o)
	if err != nil {
		return err
	}
	fmt.Println(s.ConnString("happening"))
	go func() {
		<-interrupted
		conn, err := pgx.Connect(ctx, s.ConnString("happening"))
		if err == nil {
			err = conn.Ping(ctx)
		}
		fmt.Println("interrupted, database:", err)
	}()
	in.Scan()
	err = s.Stop(ctx)
	fmt.Println("stopped:", err)
	return nil
}

// helper is such a process.
type helper struct {
	t     *testing.T
	cmd   *exec.Cmd
	stdin io.WriteCloser
	out   *bufio.Scanner
	url   string
}

// startHelper runs a helper as an account, without waiting for its database.
func startHelper(t *testing.T, acc account, o Options) *helper {
	t.Helper()
	self, err := selfPath()
	if err != nil {
		t.Fatal(err)
	}
	h := &helper{t: t, cmd: exec.Command(self)}
	h.cmd.Env = append(os.Environ(), helperEnv+"=1")
	h.cmd.Dir = "/"
	h.cmd.SysProcAttr = acc.attr()
	h.cmd.Stderr = os.Stderr
	if h.stdin, err = h.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := h.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	h.out = bufio.NewScanner(out)
	if err := h.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		h.stdin.Close()
		_ = h.cmd.Process.Kill()
		_ = h.cmd.Wait()
		awaitSupervisorEnd(t, o.DataDir)
	})
	o.Log = nil
	if err := json.NewEncoder(h.stdin).Encode(o); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *helper) awaitStart() {
	h.t.Helper()
	if h.url = h.line(); h.url == "" {
		h.t.Fatal("the helper's database didn't start")
	}
}

func (h *helper) line() string {
	h.t.Helper()
	h.out.Scan()
	return h.out.Text()
}

// myself is the account of the test, which keeps it.
func myself() account { return account{uid: os.Geteuid(), gid: os.Getegid()} }

// anotherUser is whom tests run Happening as to see it without root: nobody,
// or where the tests themselves don't run as root, their own user.
func anotherUser() account {
	if os.Geteuid() != 0 {
		return myself()
	}
	const nobody = 65534
	return account{uid: nobody, gid: nobody, name: "nobody", drop: true}
}

// newDir makes a directory that any user can enter, which t.TempDir is not.
func newDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "pgserver-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), testLimit)
	t.Cleanup(cancel)
	return ctx
}

// start runs a server until the test's end.
func start(t *testing.T, o Options) *Server {
	t.Helper()
	o.DataDirSet = true
	began := time.Now()
	s, err := Start(testContext(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("PostgreSQL %s was ready after %v", s.Version(), time.Since(began).Round(time.Millisecond))
	t.Cleanup(func() { _ = s.Stop(context.Background()) })
	return s
}

func stop(t *testing.T, s *Server) {
	t.Helper()
	if err := s.Stop(testContext(t)); err != nil {
		t.Fatal(err)
	}
	if pids := serversIn(clusterDir(s.DataDir())); len(pids) > 0 {
		t.Fatalf("after Stop, processes %v still run", pids)
	}
}

func dial(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(testContext(t), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func exec1(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.Exec(testContext(t), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func query[T any](t *testing.T, conn *pgx.Conn, sql string) T {
	t.Helper()
	var v T
	if err := conn.QueryRow(testContext(t), sql).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

// keepRow commits a row that every later start must find.
func keepRow(t *testing.T, url string) {
	t.Helper()
	conn := dial(t, url)
	exec1(t, conn, "CREATE TABLE kept (n int)")
	exec1(t, conn, "INSERT INTO kept VALUES (42)")
}

func checkRow(t *testing.T, url string) {
	t.Helper()
	if n := query[int](t, dial(t, url), "SELECT n FROM kept"); n != 42 {
		t.Fatalf("the kept row reads %d, not 42", n)
	}
}

// awaitSupervisorEnd blocks on the lock that a supervisor holds while it lives.
func awaitSupervisorEnd(t *testing.T, dataDir string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(postgresDir(dataDir), "supervisor.lock"), os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		return
	}
}

// logSignal is a slog.Handler that hands every message on.
type logSignal struct {
	mu       sync.Mutex
	messages []string
	c        chan string
}

func newLogSignal() *logSignal { return &logSignal{c: make(chan string, 1000)} }

func (l *logSignal) Enabled(context.Context, slog.Level) bool { return true }
func (l *logSignal) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *logSignal) WithGroup(string) slog.Handler            { return l }
func (l *logSignal) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.messages = append(l.messages, r.Message)
	l.c <- r.Message
	return nil
}

func (l *logSignal) await(t *testing.T, message string) {
	t.Helper()
	ctx := testContext(t)
	for {
		select {
		case got := <-l.c:
			if strings.Contains(got, message) {
				return
			}
		case <-ctx.Done():
			t.Fatalf("never logged: %s", message)
		}
	}
}

func ownerOf(t *testing.T, path string) int {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return int(info.Sys().(*syscall.Stat_t).Uid)
}
