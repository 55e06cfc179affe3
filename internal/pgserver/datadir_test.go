package pgserver

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func slogTo(l *logSignal) *slog.Logger { return slog.New(l) }

// startHelperProcess runs a process that waits for the test's end.
func startHelperProcess(t *testing.T, acc account) int {
	t.Helper()
	cmd := exec.Command("cat")
	cmd.Dir = "/"
	cmd.SysProcAttr = acc.attr()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		_ = cmd.Wait()
	})
	return cmd.Process.Pid
}

func TestPathsTooAwkwardForASocket(t *testing.T) {
	t.Parallel()
	for name, part := range map[string]string{
		"long":  strings.Repeat("d", 120),
		"comma": "a,b",
		"space": "it's a % directory?&",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := filepath.Join(newDir(t), part, "data")
			s := start(t, Options{DataDir: data})
			keepRow(t, s.ConnString("happening"))
			u, err := url.Parse(s.ConnString("happening"))
			if err != nil {
				t.Fatal(err)
			}
			dir := u.Query().Get("host")
			if len(filepath.Join(dir, socketName)) > socketPathMax {
				t.Errorf("%s is too long", dir)
			}
			a, err := Attach(data)
			if err != nil {
				t.Fatal(err)
			}
			checkRow(t, a.ConnString("happening"))
			stop(t, s)
			if _, err := os.Stat(filepath.Join(dir, socketName)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the socket is still there: %v", err)
			}
			if !strings.HasPrefix(dir, data) {
				if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("the short directory is still there: %v", err)
				}
			}
		})
	}
}

// PostgreSQL runs as somebody without rights, whoever starts it.
func TestRunsUnprivileged(t *testing.T) {
	t.Parallel()
	s := start(t, Options{DataDir: filepath.Join(newDir(t), "data")})
	want := os.Geteuid()
	if want == 0 {
		if want = s.account.uid; want == 0 {
			t.Fatal("root is to run PostgreSQL")
		}
	}
	post, err := readPostmaster(clusterDir(s.DataDir()))
	if err != nil {
		t.Fatal(err)
	}
	for _, pid := range []int{post.pid, parentOf(t, post.pid)} {
		if got := ownerOf(t, fmt.Sprintf("/proc/%d", pid)); got != want {
			t.Errorf("process %d runs as user %d, not %d", pid, got, want)
		}
	}
	for _, dir := range []string{postgresDir(s.DataDir()), clusterDir(s.DataDir()), filepath.Join(postgresDir(s.DataDir()), "socket")} {
		info, err := os.Stat(dir)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o700 {
			t.Errorf("%s is open to others: %v", dir, info.Mode())
		}
	}
}

// A user without rights starts it, and then root does on the same data, and
// then the user again: neither shuts the other out.
func TestAnotherUserAndRootTakeTurns(t *testing.T) {
	t.Parallel()
	user := anotherUser()
	home := newDir(t)
	if err := os.Chown(home, user.uid, user.gid); err != nil {
		t.Fatal(err)
	}
	o := Options{DataDir: filepath.Join(home, "data"), DataDirSet: true}
	for i, acc := range []account{user, myself(), user} {
		h := startHelper(t, acc, o)
		h.awaitStart()
		if i == 0 {
			keepRow(t, h.url)
		}
		checkRow(t, h.url)
		post, err := readPostmaster(clusterDir(o.DataDir))
		if err != nil {
			t.Fatal(err)
		}
		if got := ownerOf(t, fmt.Sprintf("/proc/%d", post.pid)); got != user.uid {
			t.Errorf("round %d: PostgreSQL runs as user %d, not %d", i, got, user.uid)
		}
		fmt.Fprintln(h.stdin, "stop")
		if got := h.line(); got != "stopped: <nil>" {
			t.Fatalf("round %d: the helper says %q", i, got)
		}
		if err := h.cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
}

func TestClosedDirectories(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	closed := filepath.Join(dir, "closed")
	if err := os.MkdirAll(filepath.Join(closed, "inner"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(filepath.Join(closed, "inner"), link); err != nil {
		t.Fatal(err)
	}
	stranger := account{uid: os.Geteuid() + 54321, gid: os.Getegid() + 54321, name: "stranger", drop: true}
	member := account{uid: stranger.uid, gid: os.Getegid(), drop: true}
	for _, tt := range []struct {
		acc  account
		path string
		want string
	}{
		{stranger, dir, ""},
		{stranger, filepath.Join(dir, "absent", "data"), ""},
		{stranger, closed, closed},
		{stranger, filepath.Join(closed, "inner"), closed},
		{stranger, filepath.Join(closed, "absent", "data"), closed},
		{stranger, link, closed},
		{member, closed, closed},
		{myself(), filepath.Join(closed, "inner"), ""},
	} {
		got, err := tt.acc.closedTo(tt.path)
		if err != nil || got != tt.want {
			t.Errorf("closedTo(%s) for %v: %q, %v; want %q", tt.path, tt.acc, got, err, tt.want)
		}
	}
	if err := os.Chmod(closed, 0o710); err != nil {
		t.Fatal(err)
	}
	if got, err := member.closedTo(closed); err != nil || got != "" {
		t.Errorf("closedTo for a member of the group: %q, %v", got, err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := stranger.closedTo(filepath.Join(file)); err == nil {
		t.Error("a file passes for a data directory")
	}
}

// Root's own directory is closed to PostgreSQL's user: without a choice the
// data go elsewhere and that is said, with one it is refused. Another user's
// ./data is theirs in any case.
func TestDataDirOutOfReach(t *testing.T) {
	closed := newDir(t)
	if err := os.Chmod(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Chdir(closed)
	log := newLogSignal()
	dir, err := ResolveDataDir(Options{Log: slogTo(log)})
	if err != nil {
		t.Fatal(err)
	}
	want, lines := filepath.Join(closed, "data"), 0
	if os.Geteuid() == 0 {
		want, lines = systemDataDir, 1
	}
	if dir != want || len(log.messages) != lines {
		t.Errorf("resolved to %s, said %q; want %s and %d lines", dir, log.messages, want, lines)
	}
	if lines == 1 && (!strings.Contains(log.messages[0], systemDataDir) || !strings.Contains(log.messages[0], closed)) {
		t.Errorf("the line doesn't name both directories: %s", log.messages[0])
	}

	chosen := Options{DataDir: filepath.Join(closed, "mine"), DataDirSet: true}
	if os.Geteuid() != 0 {
		// Nothing is closed to its own user but what is closed to writing.
		if err := os.Chmod(closed, 0o500); err != nil {
			t.Fatal(err)
		}
	}
	_, err = Start(testContext(t), chosen)
	if !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), closed) || !strings.Contains(err.Error(), "--data") {
		t.Errorf("a chosen directory out of reach: %v", err)
	}
	if _, err := os.Stat(chosen.DataDir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it was made all the same: %v", err)
	}
	if os.Geteuid() != 0 {
		return
	}
	// Data that are there are never left behind.
	if err := os.MkdirAll(filepath.Join(closed, "data", "postgres", "cluster"), 0o700); err != nil {
		t.Fatal(err)
	}
	if dir, err := ResolveDataDir(Options{}); !errors.Is(err, ErrUnreachable) {
		t.Errorf("with data in ./data, resolved to %s, %v", dir, err)
	}
}

func TestLogIsBounded(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	l := &serverLog{path: filepath.Join(dir, "postgres.log")}
	defer l.close()
	r, w := io.Pipe()
	done := l.follow(r)
	line := strings.Repeat("x", logLineMax-1) + "\n"
	const files = 2 + logFilesOld // more than are kept
	for range files * logFileMax / len(line) {
		if _, err := io.WriteString(w, line); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := io.WriteString(w, "the last\n"); err != nil {
		t.Fatal(err)
	}
	w.Close()
	<-done
	if got := l.last(done); !strings.HasSuffix(got, "\nthe last") {
		t.Errorf("the tail ends otherwise")
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1+logFilesOld {
		t.Errorf("%d files are kept, not %d", len(entries), 1+logFilesOld)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > logFileMax+logLineMax {
			t.Errorf("%s has %d bytes", e.Name(), info.Size())
		}
	}
	if b, err := os.ReadFile(l.path); err != nil || !strings.HasSuffix(string(b), "the last\n") {
		t.Errorf("the newest file doesn't end with the last line: %v", err)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		memory  uint64
		buffers string
	}{
		{64 * mib, "32MB"}, {2 * gib, "256MB"}, {4 * gib, "512MB"}, {24 * gib, "2048MB"},
	} {
		if got := baseSettings(tt.memory)["shared_buffers"]; got != tt.buffers {
			t.Errorf("shared_buffers of %d bytes is %s, not %s", tt.memory, got, tt.buffers)
		}
	}
	got := arguments(map[string]string{"b": "1", "a": "1"}, map[string]string{"b": "2"})
	if want := "-c a=1 -c b=2"; strings.Join(got, " ") != want {
		t.Errorf("arguments: %v, want %s", got, want)
	}
}
