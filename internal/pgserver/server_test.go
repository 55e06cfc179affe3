package pgserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestDataOutliveARestart(t *testing.T) {
	t.Parallel()
	data := filepath.Join(newDir(t), "data")
	s := start(t, Options{DataDir: data, Settings: map[string]string{"max_connections": "33"}})
	keepRow(t, s.ConnString("happening"))
	conn := dial(t, s.ConnString("happening"))
	for setting, want := range map[string]string{
		"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on",
		"listen_addresses": "", "unix_socket_permissions": "0700", "max_wal_size": "4GB", "wal_segment_size": "4MB",
		"jit": "off", "server_encoding": "UTF8", "TimeZone": "UTC", "max_connections": "33",
	} {
		if got := query[string](t, conn, "SHOW "+setting); got != want {
			t.Errorf("%s is %q, not %q", setting, got, want)
		}
	}
	if got := query[string](t, conn, "SELECT datcollate FROM pg_database WHERE datname = 'happening'"); !strings.HasPrefix(got, "C") {
		t.Errorf("the database sorts by %s, which an update of the system may change", got)
	}
	if got := query[string](t, conn, "SELECT lower('ÄÖ')"); got != "äö" {
		t.Errorf("lower('ÄÖ') is %s", got)
	}
	if got := query[string](t, conn, "SELECT split_part(version(), ' ', 2)"); got != s.Version() {
		t.Errorf("Version is %s, the server says %s", s.Version(), got)
	}
	stop(t, s)
	stop(t, s)
	select {
	case <-s.Done():
		t.Error("Stop closed Done")
	default:
	}

	s = start(t, Options{DataDir: data})
	checkRow(t, s.ConnString("happening"))
	log := readLog(t, data)
	if strings.Contains(log, "not properly shut down") {
		t.Errorf("the server wasn't shut down properly:\n%s", log)
	}
}

func readLog(t *testing.T, dataDir string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(postgresDir(dataDir), "log", "postgres.log"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestSecondCopyIsRefused(t *testing.T) {
	t.Parallel()
	data := filepath.Join(newDir(t), "data")
	if _, err := Attach(data); !errors.Is(err, ErrNotRunning) {
		t.Errorf("Attach before the first start: %v", err)
	}
	h := startHelper(t, myself(), Options{DataDir: data, DataDirSet: true})
	h.awaitStart()
	keepRow(t, h.url)

	_, err := Start(testContext(t), Options{DataDir: data, DataDirSet: true})
	var inUse *InUseError
	if !errors.Is(err, ErrInUse) || !errors.As(err, &inUse) || inUse.PID != h.cmd.Process.Pid {
		t.Errorf("second start: %v; want ErrInUse with process %d", err, h.cmd.Process.Pid)
	} else if !strings.Contains(err.Error(), fmt.Sprint(inUse.PID)) {
		t.Errorf("the message doesn't name the process: %v", err)
	}

	a, err := Attach(data)
	if err != nil {
		t.Fatal(err)
	}
	checkRow(t, a.ConnString("happening"))

	fmt.Fprintln(h.stdin, "stop")
	if got := h.line(); got != "stopped: <nil>" {
		t.Errorf("the helper says %q", got)
	}
	if err := h.cmd.Wait(); err != nil {
		t.Error(err)
	}
	if _, err := Attach(data); !errors.Is(err, ErrNotRunning) {
		t.Errorf("Attach after the stop: %v", err)
	}
}

// A command that looks whether a server runs takes the lock for an instant.
// That must not look like a second copy.
func TestLookingDoesNotBlockAStart(t *testing.T) {
	t.Parallel()
	data := newDir(t)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			_, _ = locked(data)
		}
	}()
	for range 200 {
		lock, err := lockDataDir(testContext(t), data)
		if err != nil {
			t.Error(err)
			break
		}
		lock.Close()
	}
	cancel()
	<-done
}

func TestKilledParentLeavesNothingRunning(t *testing.T) {
	t.Parallel()
	data := filepath.Join(newDir(t), "data")
	h := startHelper(t, myself(), Options{DataDir: data, DataDirSet: true})
	h.awaitStart()
	keepRow(t, h.url)
	if len(serversIn(clusterDir(data))) == 0 {
		t.Fatal("no server found before the kill, so that none after it proves nothing")
	}
	if err := h.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	awaitSupervisorEnd(t, data)
	if pids := serversIn(clusterDir(data)); len(pids) > 0 {
		t.Errorf("processes %v outlived the parent's kill", pids)
	}

	s := start(t, Options{DataDir: data})
	checkRow(t, s.ConnString("happening"))
	if log := readLog(t, data); strings.Contains(log, "not properly shut down") {
		t.Errorf("the kill of the parent was not an orderly shutdown:\n%s", log)
	}
}

// The next start may come while the killed run's supervisor is at work, or
// after that was killed as well.
func TestStartRightAfterAKill(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name           string
		killSupervisor bool
		killPostmaster bool
	}{
		{name: "parent"},
		{name: "parent and supervisor", killSupervisor: true},
		{name: "all three", killSupervisor: true, killPostmaster: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			data := filepath.Join(newDir(t), "data")
			h := startHelper(t, myself(), Options{DataDir: data, DataDirSet: true})
			h.awaitStart()
			keepRow(t, h.url)
			post, err := readPostmaster(clusterDir(data))
			if err != nil {
				t.Fatal(err)
			}
			// Stopped, it can't begin to shut down before it is killed.
			supervisor := parentOf(t, post.pid)
			kill(t, h.cmd.Process.Pid, syscall.SIGKILL)
			if tt.killSupervisor {
				kill(t, supervisor, syscall.SIGKILL)
			}
			if tt.killPostmaster {
				kill(t, post.pid, syscall.SIGKILL)
			}
			if err := h.cmd.Wait(); err == nil {
				t.Error("the helper survived SIGKILL")
			}
			s := start(t, Options{DataDir: data})
			checkRow(t, s.ConnString("happening"))
		})
	}
}

func kill(t *testing.T, pid int, sig syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		t.Fatalf("signal %v to %d: %v", sig, pid, err)
	}
}

func parentOf(t *testing.T, pid int) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	// The name, in parentheses, may hold anything.
	var state string
	var parent int
	if _, err := fmt.Sscan(string(b[strings.LastIndexByte(string(b), ')')+1:]), &state, &parent); err != nil {
		t.Fatal(err)
	}
	return parent
}

// Ctrl-C goes to every process of the terminal's foreground group. The database
// must stay until the parent has finished its requests.
func TestInterruptReachesOnlyTheParent(t *testing.T) {
	t.Parallel()
	data := filepath.Join(newDir(t), "data")
	h := startHelper(t, myself(), Options{DataDir: data, DataDirSet: true})
	h.awaitStart()
	kill(t, -h.cmd.Process.Pid, syscall.SIGINT)
	if got := h.line(); got != "interrupted, database: <nil>" {
		t.Errorf("the helper says %q", got)
	}
	fmt.Fprintln(h.stdin, "stop")
	if got := h.line(); got != "stopped: <nil>" {
		t.Errorf("the helper says %q", got)
	}
	if pids := serversIn(clusterDir(data)); len(pids) > 0 {
		t.Errorf("processes %v outlived an orderly stop", pids)
	}
}

// A service manager's stop goes to every process there is.
func TestSupervisorIsDeafToOthersSignals(t *testing.T) {
	t.Parallel()
	s := start(t, Options{DataDir: filepath.Join(newDir(t), "data")})
	post, err := readPostmaster(clusterDir(s.DataDir()))
	if err != nil {
		t.Fatal(err)
	}
	conn := dial(t, s.ConnString("happening"))
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE} {
		kill(t, parentOf(t, post.pid), sig)
		if err := conn.Ping(testContext(t)); err != nil {
			t.Fatalf("after %v to the supervisor: %v", sig, err)
		}
	}
	stop(t, s)
}

func TestKilledPostgresComesBack(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		victim func(t *testing.T, postmaster int) int
		rounds int
	}{
		{"postmaster", func(t *testing.T, postmaster int) int { return postmaster }, 5},
		{"supervisor", parentOf, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			log := newLogSignal()
			o := Options{DataDir: filepath.Join(newDir(t), "data"), Log: slogTo(log)}
			s := start(t, o)
			keepRow(t, s.ConnString("happening"))
			for range tt.rounds {
				// Children of the dead are part of the case: this one works.
				conn := dial(t, s.ConnString("happening"))
				exec1(t, conn, "BEGIN")
				exec1(t, conn, "INSERT INTO kept VALUES (43)")
				post, err := readPostmaster(clusterDir(s.DataDir()))
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				kill(t, tt.victim(t, post.pid), syscall.SIGKILL)
				log.await(t, "PostgreSQL is back")
				t.Logf("back after %v", time.Since(began).Round(time.Millisecond))
				checkRow(t, s.ConnString("happening"))
				if n := query[int](t, dial(t, s.ConnString("happening")), "SELECT count(*) FROM kept"); n != 1 {
					t.Fatalf("%d rows, of which only one was committed", n)
				}
			}
			select {
			case <-s.Done():
				t.Errorf("Done was closed: %v", s.Err())
			default:
			}
			stop(t, s)
		})
	}
}

// A fault that goes away, such as a full disk, needs nobody; one that stays is
// told in the end.
func TestRestartsAreRepeatedAndBounded(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		patience time.Duration
		repaired bool
	}{
		{"fault goes away", testLimit, true},
		{"fault stays", time.Nanosecond, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			log := newLogSignal()
			s := start(t, Options{DataDir: filepath.Join(newDir(t), "data"), Log: slogTo(log), restartPatience: tt.patience})
			keepRow(t, s.ConnString("happening"))
			post, err := readPostmaster(clusterDir(s.DataDir()))
			if err != nil {
				t.Fatal(err)
			}
			control := filepath.Join(clusterDir(s.DataDir()), "global", "pg_control")
			if err := os.Rename(control, control+".away"); err != nil {
				t.Fatal(err)
			}
			kill(t, post.pid, syscall.SIGKILL)
			for range 2 {
				log.await(t, "ended unasked")
			}
			if tt.repaired {
				if err := os.Rename(control+".away", control); err != nil {
					t.Fatal(err)
				}
				log.await(t, "PostgreSQL is back")
				checkRow(t, s.ConnString("happening"))
				return
			}
			select {
			case <-s.Done():
			case <-testContext(t).Done():
				t.Fatal("Done was never closed")
			}
			if err := s.Err(); err == nil || !strings.Contains(err.Error(), "pg_control") {
				t.Errorf("the error doesn't say why: %v", err)
			}
		})
	}
}

func TestFirstStartFailsWithTheServersOwnWords(t *testing.T) {
	t.Parallel()
	_, err := Start(testContext(t), Options{
		DataDir: filepath.Join(newDir(t), "data"), DataDirSet: true,
		Settings: map[string]string{"no_such_setting": "1"},
	})
	if err == nil || !strings.Contains(err.Error(), "no_such_setting") {
		t.Errorf("the error doesn't say why: %v", err)
	}
}

func TestStopInAHurry(t *testing.T) {
	t.Parallel()
	data := filepath.Join(newDir(t), "data")
	s := start(t, Options{DataDir: data})
	keepRow(t, s.ConnString("happening"))
	conn := dial(t, s.ConnString("happening"))
	exec1(t, conn, "BEGIN")
	exec1(t, conn, "INSERT INTO kept VALUES (43)")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	began := time.Now()
	if err := s.Stop(ctx); err != nil {
		t.Logf("Stop said: %v", err)
	}
	// Unhurried it would let the open transaction have fastLimit, and then some.
	if took := time.Since(began); took > killGrace+fastLimit {
		t.Errorf("a hurried stop took %v", took)
	}
	if pids := serversIn(clusterDir(data)); len(pids) > 0 {
		t.Errorf("processes %v outlived it", pids)
	}
	checkRow(t, start(t, Options{DataDir: data}).ConnString("happening"))
}

func TestAbandonedStartLeavesNothing(t *testing.T) {
	t.Parallel()
	data := filepath.Join(newDir(t), "data")
	// The start is given up while initdb is at work.
	ctx, cancel := context.WithTimeout(context.Background(), testLimit)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer cancel()
		for ctx.Err() == nil {
			if _, err := os.Stat(filepath.Join(postgresDir(data), "cluster.new", "base")); err == nil {
				return
			}
		}
	}()
	if _, err := Start(ctx, Options{DataDir: data, DataDirSet: true}); !errors.Is(err, context.Canceled) {
		t.Errorf("Start with an ended context: %v", err)
	}
	<-done
	if hasCluster(data) {
		t.Error("a cluster was completed after the start was abandoned")
	}
	if pids := serversIn(clusterDir(data), clusterDir(data)+".new"); len(pids) > 0 {
		t.Errorf("processes %v outlived it", pids)
	}
	// What a cut-off initdb leaves must not be taken for data.
	junk := filepath.Join(postgresDir(data), "cluster.new", "PG_VERSION")
	if err := os.MkdirAll(filepath.Dir(junk), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(junk, []byte("9\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		uid := ownerOf(t, postgresDir(data))
		for _, path := range []string{junk, filepath.Dir(junk)} {
			if err := os.Chown(path, uid, -1); err != nil {
				t.Fatal(err)
			}
		}
	}
	s := start(t, Options{DataDir: data})
	stop(t, s)
	if _, err := os.Stat(filepath.Dir(junk)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the incomplete cluster is still there: %v", err)
	}
}

// After a container's restart the process id in postmaster.pid is often
// another's. PostgreSQL alone would refuse to start for ever.
func TestStaleProcessID(t *testing.T) {
	t.Parallel()
	data := filepath.Join(newDir(t), "data")
	s := start(t, Options{DataDir: data})
	keepRow(t, s.ConnString("happening"))
	stop(t, s)

	// A living process of PostgreSQL's user that has nothing to do with it.
	acc := s.account
	stranger := startHelperProcess(t, acc)
	stale := fmt.Sprintf("%d\n%s\n1\n5432\n/tmp\n\n1 1\nready   \n", stranger, clusterDir(data))
	path := filepath.Join(clusterDir(data), "postmaster.pid")
	if err := os.WriteFile(path, []byte(stale), 0o600); err != nil {
		t.Fatal(err)
	}
	if acc.drop {
		if err := os.Chown(path, acc.uid, acc.gid); err != nil {
			t.Fatal(err)
		}
	}
	checkRow(t, start(t, Options{DataDir: data}).ConnString("happening"))
	if err := syscall.Kill(stranger, 0); err != nil {
		t.Errorf("the stranger was killed: %v", err)
	}
}
