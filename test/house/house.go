//go:build linux

package house

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

	"github.com/jackc/pgx/v5"

	"happening/internal/testkit/port"
)

// House is a data directory with the settings under which servers and commands
// run on it.
type House struct {
	t *testing.T
	// Dir is entered by every user; data lies below it and does not exist
	// before the first start.
	Dir, Data string
	Env       map[string]string
	// owner is who runs everything; nil: who runs the tests.
	owner *syscall.Credential
	// Hidden hides the system's PostgreSQL.
	Hidden bool
	Binary string
	// Client, api and ops are where the server answers.
	Client, API, Ops string
}

// New makes a house. Nothing runs in it yet.
func New(t *testing.T) *House {
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
	h := &House{t: t, Dir: dir, Data: filepath.Join(dir, "data"), Binary: Binary, Env: map[string]string{}}
	h.ChoosePorts()
	// The load comes from few people and one address.
	h.Env["HAPPENING_LIMIT_PERSON"], h.Env["HAPPENING_LIMIT_ADDRESS"] = "0", "0"
	h.furnish()
	return h
}

// ChoosePorts takes three that are the test's until its end, also while a server
// of its own is away that was killed.
func (h *House) ChoosePorts() {
	h.t.Helper()
	for _, p := range []struct {
		into    *string
		setting string
	}{{&h.Client, "HAPPENING_CLIENT_ADDR"}, {&h.API, "HAPPENING_API_ADDR"}, {&h.Ops, "HAPPENING_OPS_ADDR"}} {
		*p.into = fmt.Sprint("127.0.0.1:", port.Of(h.t))
		h.Env[p.setting] = *p.into
	}
	_, number, err := net.SplitHostPort(h.Client)
	if err != nil {
		h.t.Fatal(err)
	}
	h.Env["HAPPENING_PUBLIC_URL"] = "http://localhost:" + number
}

// PublicURL is what people would type.
func (h *House) PublicURL() string { return h.Env["HAPPENING_PUBLIC_URL"] }

// Command prepares a run of the binary in the house, as whom the house belongs
// to, in an environment that holds nothing but the house's settings.
func (h *House) Command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, h.Binary, args...)
	cmd.Dir = h.Dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + h.Dir, "TMPDIR=" + os.TempDir(), "HAPPENING_DATA=" + h.Data}
	for _, name := range slices.Sorted(maps.Keys(h.Env)) {
		cmd.Env = append(cmd.Env, name+"="+h.Env[name])
	}
	// A session of its own tells its processes from all others and keeps the
	// terminal's signals away. Nothing survives a killed test.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL, Credential: h.owner}
	if h.Hidden {
		hide(cmd, h.owner)
	}
	return cmd
}

// Result is what a command said and how it ended.
type Result struct {
	Stdout, Stderr string
	Status         int
}

// Lines are the lines of what went to standard error.
func (r Result) Lines() []string {
	if strings.TrimSpace(r.Stderr) == "" {
		return nil
	}
	return strings.Split(strings.TrimSpace(r.Stderr), "\n")
}

// Faults are the lines by which a command says why it ended; what it logged
// before is none of them.
func (r Result) Faults() (faults []string) {
	for _, line := range r.Lines() {
		if strings.HasPrefix(line, "happening: ") {
			faults = append(faults, line)
		}
	}
	return faults
}

// Run runs a command to its end.
func (h *House) Run(args ...string) Result {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), CommandLimit)
	defer cancel()
	cmd := h.Command(ctx, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		h.t.Fatalf("happening %s: %v\n%s", strings.Join(args, " "), errors.Join(err, ctx.Err()), stderr.String())
	}
	return Result{Stdout: stdout.String(), Stderr: stderr.String(), Status: cmd.ProcessState.ExitCode()}
}

// Must runs a command that has to succeed and answers what it printed.
func (h *House) Must(args ...string) string {
	h.t.Helper()
	r := h.Run(args...)
	if r.Status != 0 {
		h.t.Fatalf("happening %s ended with status %d\n%s%s", strings.Join(args, " "), r.Status, r.Stdout, r.Stderr)
	}
	return r.Stdout
}

// Check holds the database to the booking rules.
func (h *House) Check() {
	h.t.Helper()
	if r := h.Run("check"); r.Status != 0 {
		h.t.Errorf("happening check ended with status %d\n%s%s", r.Status, r.Stdout, r.Stderr)
	}
}

// Database connects to the house's PostgreSQL as its owner, which takes a
// running server.
func (h *House) Database() *pgx.Conn {
	h.t.Helper()
	url := strings.TrimSpace(h.Must("db-url"))
	ctx, cancel := context.WithTimeout(context.Background(), CommandLimit)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		h.t.Fatalf("%s: %v", url, err)
	}
	h.t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// Postmaster is the process id of the house's PostgreSQL, 0 where none has
// written its own.
func (h *House) Postmaster() int {
	text, err := os.ReadFile(filepath.Join(h.Data, "postgres", "cluster", "postmaster.pid"))
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

// Processes are those that work in the house: the servers, commands and
// supervisors by their executable and data, PostgreSQL's by where they work.
func (h *House) Processes() []string {
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
		if strings.HasPrefix(cwd, h.Dir) || bytes.Contains(environ, []byte(h.Dir)) {
			line, _ := os.ReadFile(proc + "/cmdline")
			found = append(found, fmt.Sprintf("%s %q", filepath.Base(proc), strings.TrimSpace(string(bytes.ReplaceAll(line, []byte{0}, []byte(" "))))))
		}
	}
	return found
}

// Count reads one number.
func Count(t *testing.T, db *pgx.Conn, sql string, args ...any) (n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), CommandLimit)
	defer cancel()
	if err := db.QueryRow(ctx, sql, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// Numbers reads one number a row.
func Numbers(t *testing.T, db *pgx.Conn, sql string, args ...any) []int {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), CommandLimit)
	defer cancel()
	rows, err := db.Query(ctx, sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// Exec runs a statement as the owner of everything.
func Exec(t *testing.T, db *pgx.Conn, sql string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), CommandLimit)
	defer cancel()
	if _, err := db.Exec(ctx, sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}
