package pgserver

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// selfPath is this executable, also when its file was replaced, removed, or
// lies where the account that runs it can't go.
func selfPath() (string, error) { return "/proc/self/exe", nil }

// dieWithParent has the kernel send a signal to the child when the thread that
// started it ends. That thread must be locked to its goroutine.
func dieWithParent(attr *syscall.SysProcAttr, sig syscall.Signal) { attr.Pdeathsig = sig }

// serversIn answers the processes of PostgreSQL that work in one of the
// directories, whoever started them. PostgreSQL's processes all work in their
// data directory; a zombie works nowhere. Process ids in files prove nothing:
// after a container's restart they belong to others.
func serversIn(dirs ...string) []int {
	var infos []os.FileInfo
	for _, dir := range dirs {
		if info, err := os.Stat(dir); err == nil {
			infos = append(infos, info)
		}
	}
	if len(infos) == 0 {
		return nil
	}
	procs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil
	}
	var pids []int
	for _, proc := range procs {
		cwd, err := os.Stat(proc + "/cwd")
		if err != nil {
			continue // Ended meanwhile, or another user's.
		}
		exe, err := os.Readlink(proc + "/exe")
		if err != nil || filepath.Base(strings.TrimSuffix(exe, " (deleted)")) != "postgres" {
			continue
		}
		for _, info := range infos {
			if pid, err := strconv.Atoi(filepath.Base(proc)); err == nil && os.SameFile(info, cwd) {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// memory answers how many bytes this process may hope for: the machine's, or
// less where a container is given less.
func memory() uint64 {
	total := uint64(assumedMemory)
	var info syscall.Sysinfo_t
	if err := syscall.Sysinfo(&info); err == nil {
		total = uint64(info.Totalram) * uint64(info.Unit)
	}
	for _, path := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		// "max" doesn't parse and means no limit.
		if limit, err := strconv.ParseUint(string(bytes.TrimSpace(b)), 10, 64); err == nil {
			total = min(total, limit)
		}
	}
	return total
}

// syncFiles brings everything below dir to the disk.
func syncFiles(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.Syncfs(int(f.Fd()))
}

// socketPathMax is sockaddr_un's size without the closing zero.
const socketPathMax = 107
