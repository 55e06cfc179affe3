//go:build linux

package house

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// The test binary runs itself again to hide the system's PostgreSQL from a
// program: that takes a mount namespace, which has to be furnished between the
// start of a process and that of the program in it. These variables tell the
// second run what to become.
const (
	hiddenEnv    = "SYSTEM_TEST_HIDDEN"     // the program
	hiddenAccEnv = "SYSTEM_TEST_HIDDEN_ACC" // uid:gid to step down to
)

// systemPlaces is where Linux distributions put PostgreSQL's programs; an empty
// PATH takes care of the rest.
var systemPlaces = []string{"/usr/lib/postgresql", "/usr/pgsql-*", "/home/linuxbrew/.linuxbrew/opt/postgresql*"}

// hide changes a command so that its program sees no PostgreSQL of the system.
// Only root may mount; others get a user namespace in which they may.
func hide(cmd *exec.Cmd, owner *syscall.Credential) {
	cmd.Env = append(cmd.Env, hiddenEnv+"="+cmd.Path, "PATH=")
	if owner != nil {
		// The helper steps down itself, after it has mounted.
		cmd.SysProcAttr.Credential = nil
		cmd.Env = append(cmd.Env, fmt.Sprintf("%s=%d:%d", hiddenAccEnv, owner.Uid, owner.Gid))
	}
	if os.Geteuid() != 0 {
		uid, gid := os.Geteuid(), os.Getegid()
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: uid, Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: gid, HostID: gid, Size: 1}}
		cmd.SysProcAttr.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN}
	}
	cmd.Path = "/proc/self/exe"
}

// hideAndRun is the second run. It returns only when it fails.
func hideAndRun() error {
	runtime.LockOSThread() // the namespace is this thread's until it becomes the program
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keep mounts private: %w", err)
	}
	for _, pattern := range systemPlaces {
		dirs, err := filepath.Glob(pattern)
		if err != nil {
			return err
		}
		for _, dir := range dirs {
			if err := unix.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
				return fmt.Errorf("hide %s: %w", dir, err)
			}
		}
	}
	if err := stepDown(os.Getenv(hiddenAccEnv)); err != nil {
		return err
	}
	program := os.Getenv(hiddenEnv)
	env := []string{}
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, hiddenEnv) {
			env = append(env, e)
		}
	}
	return fmt.Errorf("run %s: %w", program, syscall.Exec(program, append([]string{program}, os.Args[1:]...), env))
}

// stepDown gives up what was needed for mounting.
func stepDown(account string) error {
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("give up capabilities: %w", err)
	}
	if account == "" {
		return nil
	}
	first, second, _ := strings.Cut(account, ":")
	uid, errUID := strconv.Atoi(first)
	gid, errGID := strconv.Atoi(second)
	if err := errors.Join(errUID, errGID); err != nil {
		return err
	}
	err := errors.Join(syscall.Setgroups(nil), syscall.Setgid(gid), syscall.Setuid(uid))
	// Stepping down takes the parent's death off the process's mind.
	return errors.Join(err, unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0, 0, 0))
}
