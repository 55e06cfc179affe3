package pgserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// inUsePatience covers Attach, which takes the lock for an instant to see
	// whether somebody holds it.
	inUsePatience = 200 * time.Millisecond
	lockPoll      = 10 * time.Millisecond
	// lockFileMax is far more than a process id.
	lockFileMax = 64
)

var (
	// ErrInUse is wrapped by *InUseError.
	ErrInUse = errors.New("the data directory is in use")
	// ErrNotRunning says that nobody runs a PostgreSQL on a data directory.
	ErrNotRunning = errors.New("no PostgreSQL is running on the data directory")
)

// InUseError says that another process runs PostgreSQL on the data directory.
type InUseError struct {
	DataDir string
	// PID is 0 when the other one is too young to have written it.
	PID int
}

func (e *InUseError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("another Happening is using the data in %s", e.DataDir)
	}
	return fmt.Sprintf("another Happening (process %d) is using the data in %s", e.PID, e.DataDir)
}

func (e *InUseError) Unwrap() error { return ErrInUse }

func lockPath(dataDir string) string { return filepath.Join(dataDir, "postgres.lock") }

// lockDataDir makes this process the only one to run a PostgreSQL on dataDir,
// until the file is closed or the process dies.
func lockDataDir(ctx context.Context, dataDir string) (*os.File, error) {
	path := lockPath(dataDir)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock of the data directory: %w", err)
	}
	if err := takeLock(ctx, f, inUsePatience); err != nil {
		pid := readPID(f)
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, &InUseError{DataDir: dataDir, PID: pid}
		}
		return nil, fmt.Errorf("lock of the data directory: %w", err)
	}
	err = errors.Join(
		f.Truncate(0),
		writeAt(f, strconv.Itoa(os.Getpid())+"\n"),
		likeDir(path, dataDir),
	)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock of the data directory: %w", err)
	}
	return f, nil
}

func writeAt(f *os.File, s string) error {
	_, err := f.WriteAt([]byte(s), 0)
	return err
}

func readPID(f *os.File) int {
	b, err := io.ReadAll(io.NewSectionReader(f, 0, lockFileMax))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return 0
	}
	return pid
}

// takeLock waits at most patience; then the error is EWOULDBLOCK.
func takeLock(ctx context.Context, f *os.File, patience time.Duration) error {
	deadline := time.Now().Add(patience)
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil || !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return err
		}
		if time.Now().After(deadline) {
			return err
		}
		if err := pause(ctx, lockPoll); err != nil {
			return err
		}
	}
}

// locked reports whether a process runs PostgreSQL on dataDir.
func locked(dataDir string) (bool, error) {
	f, err := os.OpenFile(lockPath(dataDir), os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	// A shared lock, so that several commands that look at once don't see each
	// other.
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return true, nil
	}
	return false, err
}

// pause waits for d or for the context's end, which it answers.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
