package pgserver

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	// walSegment is the size of a file of the log, in MiB. Each is filled with
	// zeros when a rush first comes to it, and whoever commits waits for that:
	// 23 ms with PostgreSQL's own 16 MiB on the disk where it was measured.
	walSegment = 4
	// supervisorName is the child's argv[0]: it tells MaybeSupervise what this
	// process is, and a reader of `ps`, too.
	supervisorName = "happening-postgres-supervisor"

	// predecessorLimit is how long a killed run's supervisor may take to stop.
	predecessorLimit = fastLimit + immediateLimit + 5*time.Second
	// fastLimit is for the last checkpoint; after it the server is stopped
	// without one, and recovers at its next start. Nothing is lost either way.
	fastLimit      = 15 * time.Second
	immediateLimit = 5 * time.Second
	// leftoverLimit is for the children of a dead postmaster, which notice
	// their parent's death by themselves.
	leftoverLimit = 2 * time.Second
	initLimit     = 2 * time.Minute
	// readyLimit is for crash recovery, which reads up to max_wal_size.
	readyLimit = 10 * time.Minute

	// A server that ends unasked is restarted at once, then with pauses that
	// double up to restartPauseMax, until it stayed up for steadyAfter. Only
	// starts that fail for restartPatience on end are given up: a full disk
	// may be emptied.
	restartPauseMin = 50 * time.Millisecond
	restartPauseMax = time.Second
	steadyAfter     = 30 * time.Second
	restartPatience = 10 * time.Minute

	readyPoll    = 3 * time.Millisecond
	leftoverPoll = 10 * time.Millisecond
)

// errStop is the cause of a stop that the parent asked for.
var errStop = errors.New("asked to stop")

// MaybeSupervise must be the first call in main, and in TestMain of tests that
// call Start: where this process was started as a supervisor it does that work
// and exits; otherwise it returns at once.
func MaybeSupervise() {
	if len(os.Args) == 0 || os.Args[0] != supervisorName {
		return
	}
	// Pdeathsig counts the thread that started the child, so all children are
	// started from here, and this thread lives as long as the process.
	runtime.LockOSThread()
	s := &supervisor{out: json.NewEncoder(os.Stdout)}
	if err := s.run(os.Stdin); err != nil {
		s.tell(report{Kind: reportFailed, Text: err.Error()})
		os.Exit(1)
	}
	os.Exit(0)
}

// supervisor is the child process between Happening and PostgreSQL.
type supervisor struct {
	plan plan
	out  *json.Encoder
	log  *serverLog
	// quit is closed when the parent has no more time for an orderly stop.
	quit chan struct{}
}

// tell reports to the parent. That the parent is gone is noticed elsewhere.
func (s *supervisor) tell(r report) { _ = s.out.Encode(r) }

func (s *supervisor) run(stdin io.Reader) error {
	// Only the parent stops us. A terminal's or a service manager's signals,
	// sent to everyone at once, would take the database away from requests
	// that the parent still wants to finish. A gone parent must not kill us by
	// SIGPIPE either. They are caught and dropped, because what is ignored
	// stays ignored in the programs that we start.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	s.quit = make(chan struct{})
	urgent := make(chan os.Signal, 1)
	signal.Notify(urgent, syscall.SIGQUIT)
	go func() {
		<-urgent
		close(s.quit)
	}()

	in := bufio.NewReaderSize(stdin, planMax)
	var err error
	if s.plan, err = readPlan(in); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	go func() {
		_, _ = io.Copy(io.Discard, in)
		cancel(errStop)
	}()

	err = s.supervise(ctx)
	if context.Cause(ctx) == errStop && (err == nil || errors.Is(err, context.Canceled)) {
		return nil
	}
	return err
}

func (s *supervisor) supervise(ctx context.Context) error {
	syscall.Umask(0o077)
	for _, name := range []string{"socket", "log"} {
		if err := os.Mkdir(filepath.Join(s.plan.Dir, name), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	lock, err := os.OpenFile(filepath.Join(s.plan.Dir, "supervisor.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	// The supervisor of a run that was killed may still be stopping its
	// PostgreSQL, as it should.
	if err := takeLock(ctx, lock, predecessorLimit); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return fmt.Errorf("an earlier run's PostgreSQL didn't stop within %v", predecessorLimit)
		}
		return fmt.Errorf("lock of the supervisor: %w", err)
	}
	if err := s.clearLeftovers(ctx); err != nil {
		return err
	}
	if err := s.initialize(ctx); err != nil {
		return err
	}
	s.log = &serverLog{path: filepath.Join(s.plan.Dir, "log", "postgres.log")}
	defer s.log.close()

	args := append([]string{"-D", s.cluster(), "-k", s.plan.SocketDir},
		arguments(baseSettings(memory()), s.walCompression(ctx), s.plan.Settings)...)
	return s.keepRunning(ctx, args)
}

func (s *supervisor) cluster() string { return filepath.Join(s.plan.Dir, "cluster") }

// keepRunning starts the server again and again until it is told to stop. It
// answers an error when the first start fails, which a person waits for, or
// restarts fail for too long.
func (s *supervisor) keepRunning(ctx context.Context, args []string) error {
	var pauseNext time.Duration
	var failingSince time.Time // zero while the last start succeeded
	for first := !s.plan.Resume; ; first = false {
		readyAt, err := s.runOnce(ctx, args)
		if ctx.Err() != nil {
			return err
		}
		switch now := time.Now(); {
		case readyAt.IsZero() && first:
			return err
		case readyAt.IsZero() && failingSince.IsZero():
			failingSince = now
		case readyAt.IsZero() && now.Sub(failingSince) > s.plan.Patience:
			return fmt.Errorf("PostgreSQL can't be restarted: %w", err)
		case !readyAt.IsZero():
			failingSince = time.Time{}
			if now.Sub(readyAt) >= steadyAfter {
				pauseNext = 0
			}
		}
		s.tell(report{Kind: reportDown, Text: err.Error()})
		if pause(ctx, pauseNext) != nil {
			return nil
		}
		pauseNext = min(max(2*pauseNext, restartPauseMin), restartPauseMax)
		// The children of a dead server still use its memory, and a new one
		// refuses to start beside them.
		if err := s.clearLeftovers(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			s.tell(report{Kind: reportNote, Text: err.Error()})
		}
	}
}

// runOnce runs one server to its end. readyAt is zero if it never accepted
// connections. After a stop that was asked for, the error is nil if the server
// stopped in an orderly way.
func (s *supervisor) runOnce(ctx context.Context, args []string) (readyAt time.Time, err error) {
	pipe, stderr, err := os.Pipe()
	if err != nil {
		return time.Time{}, err
	}
	s.log.forget()
	logged := s.log.follow(pipe)
	cmd := exec.Command(filepath.Join(s.plan.Bin, "postgres"), args...)
	cmd.Dir = s.cluster()
	cmd.Env = childEnv()
	cmd.Stdout, cmd.Stderr = stderr, stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// If this supervisor is killed, the server shuts down in order.
	dieWithParent(cmd.SysProcAttr, syscall.SIGINT)
	err = cmd.Start()
	stderr.Close()
	if err != nil {
		return time.Time{}, fmt.Errorf("starting PostgreSQL: %w", err)
	}
	exited := make(chan struct{})
	var state *os.ProcessState
	go func() {
		defer close(exited)
		state, _ = cmd.Process.Wait() // The state tells all; a child is waited for once.
	}()
	describe := func() error {
		if tail := s.log.last(logged); tail != "" {
			return fmt.Errorf("PostgreSQL ended (%v); its last words:\n%s", state, tail)
		}
		return fmt.Errorf("PostgreSQL ended (%v)", state)
	}

	poll := time.NewTicker(readyPoll)
	defer poll.Stop()
	late := time.NewTimer(readyLimit)
	defer late.Stop()
	for {
		select {
		case <-exited:
			return readyAt, describe()
		case <-ctx.Done():
			return readyAt, s.stop(cmd.Process, exited)
		case <-late.C:
			err := s.stop(cmd.Process, exited)
			return readyAt, errors.Join(fmt.Errorf("PostgreSQL isn't ready after %v", readyLimit), err)
		case <-poll.C:
			if post, err := readPostmaster(s.cluster()); err == nil && post.ready && post.pid == cmd.Process.Pid {
				readyAt = time.Now()
				poll.Stop()
				late.Stop()
				s.tell(report{Kind: reportReady, PID: post.pid})
			}
		}
	}
}

// stop ends the server: in order, then at once, then by force.
func (s *supervisor) stop(server *os.Process, exited <-chan struct{}) error {
	steps := []struct {
		signal syscall.Signal
		limit  time.Duration
		hurry  <-chan struct{}
	}{
		{syscall.SIGINT, fastLimit, s.quit},
		{syscall.SIGQUIT, immediateLimit, nil},
	}
	for i, step := range steps {
		_ = server.Signal(step.signal) // Fails only when it has ended, which is awaited next.
		t := time.NewTimer(step.limit)
		select {
		case <-exited:
			t.Stop()
			if i == 0 {
				return nil
			}
			return fmt.Errorf("PostgreSQL had to be stopped without its last checkpoint; the next start recovers")
		case <-step.hurry:
		case <-t.C:
		}
		t.Stop()
	}
	for _, pid := range serversIn(s.cluster()) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	_ = server.Kill()
	<-exited
	return fmt.Errorf("PostgreSQL had to be killed after %v; the next start recovers", fastLimit+immediateLimit)
}

// clearLeftovers ends what a killed run left behind. The caller holds the
// supervisor's lock, so whatever works in the directory has no owner.
func (s *supervisor) clearLeftovers(ctx context.Context) error {
	temp := s.cluster() + ".new"
	dirs := []string{s.cluster(), temp}
	begin := time.Now()
	var sent syscall.Signal
	for {
		pids := serversIn(dirs...)
		if len(pids) == 0 {
			break
		}
		post, err := readPostmaster(s.cluster())
		orderly := err == nil && slices.Contains(pids, post.pid)
		sig, limit := syscall.SIGQUIT, leftoverLimit
		if orderly {
			sig, limit = syscall.SIGINT, fastLimit
			if waited := time.Since(begin); waited > limit {
				sig, limit = syscall.SIGQUIT, fastLimit+immediateLimit
			}
		}
		switch waited := time.Since(begin); {
		case waited > fastLimit+2*immediateLimit:
			return fmt.Errorf("processes %v of an earlier run still use %s", pids, s.cluster())
		case waited > limit:
			sig = syscall.SIGKILL
		}
		if sig != sent {
			if sent == 0 {
				s.tell(report{Kind: reportNote, Text: fmt.Sprintf("stopping what an earlier PostgreSQL left running: processes %v", pids)})
			}
			sent = sig
			for _, pid := range pids {
				// In order only the postmaster is told, and it tells the others.
				if sig != syscall.SIGINT || pid == post.pid {
					_ = syscall.Kill(pid, sig) // It may have ended meanwhile.
				}
			}
		}
		if err := pause(ctx, leftoverPoll); err != nil {
			return err
		}
	}
	// Nobody works here, so the process id in this file is dead or, after a
	// container's restart, somebody else's: PostgreSQL would take that for a
	// second server and refuse to start.
	if runtime.GOOS == "linux" {
		if err := os.Remove(filepath.Join(s.cluster(), "postmaster.pid")); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := os.Remove(filepath.Join(s.plan.SocketDir, socketName+".lock")); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	// A cluster of this name was never complete, and never held anything.
	return os.RemoveAll(temp)
}

// locales are tried in turn. All sort by code point, so that an operating
// system's update never breaks an index; they differ in what is a letter.
var locales = [][]string{
	{"--locale=C.UTF-8"},
	{"--locale=en_US.UTF-8", "--lc-collate=C"}, // older macOS lacks C.UTF-8
}

// initialize makes the cluster if there is none. It appears under its name
// only when it is complete and on the disk.
func (s *supervisor) initialize(ctx context.Context) error {
	if _, err := os.Lstat(s.cluster()); !errors.Is(err, fs.ErrNotExist) {
		return err // The parent has looked at what is there.
	}
	ctx, cancel := context.WithTimeout(ctx, initLimit)
	defer cancel()
	temp := s.cluster() + ".new"
	for i, locale := range locales {
		// The owner is a superuser and has no password: the socket's directory
		// is closed to everyone but PostgreSQL's user.
		args := append([]string{"-D", temp, "-U", ownerRole, "-A", "trust", "-E", "UTF8", "--no-instructions", "--no-sync",
			fmt.Sprintf("--wal-segsize=%d", walSegment)}, locale...)
		cmd := exec.CommandContext(ctx, filepath.Join(s.plan.Bin, "initdb"), args...)
		cmd.Dir = s.plan.Dir
		cmd.Env = childEnv()
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		dieWithParent(cmd.SysProcAttr, syscall.SIGKILL)
		cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
		cmd.WaitDelay = immediateLimit
		out, err := cmd.CombinedOutput()
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return fmt.Errorf("initdb: %w", ctx.Err())
		}
		if i == len(locales)-1 || !strings.Contains(string(out), "invalid locale") {
			return fmt.Errorf("initdb: %w\n%s", err, strings.TrimSpace(string(out)))
		}
		if err := os.RemoveAll(temp); err != nil {
			return err
		}
	}
	// Once for all, where initdb would wait for the disk a thousand times.
	if err := syncFiles(temp); err != nil {
		return err
	}
	if err := os.Rename(temp, s.cluster()); err != nil {
		return err
	}
	return syncDir(s.plan.Dir)
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// walCompression chooses how page images in the log are compressed: lz4 costs
// a fraction of PostgreSQL's own method, but not every build has it. A build
// is asked, as it refuses to start with a method that it lacks.
func (s *supervisor) walCompression(ctx context.Context) map[string]string {
	ctx, cancel := context.WithTimeout(ctx, versionLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(s.plan.Bin, "postgres"),
		"-D", s.cluster(), "-c", "wal_compression=lz4", "-C", "wal_compression")
	cmd.Dir = s.plan.Dir
	cmd.Env = childEnv()
	method := "on"
	if err := cmd.Run(); err == nil {
		method = "lz4"
	}
	return map[string]string{"wal_compression": method}
}
