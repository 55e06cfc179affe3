//go:build unix && !linux

package pgserver

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

func selfPath() (string, error) { return os.Executable() }

// dieWithParent does nothing: only Linux tells a child of its parent's end.
// A PostgreSQL whose supervisor was killed is stopped by the next start.
func dieWithParent(*syscall.SysProcAttr, syscall.Signal) {}

// serversIn answers the postmasters that the directories' lock files name and
// that are a postgres indeed. Their children end by themselves.
func serversIn(dirs ...string) []int {
	var pids []int
	for _, dir := range dirs {
		post, err := readPostmaster(dir)
		if err != nil {
			continue
		}
		out, err := exec.Command("ps", "-o", "comm=", "-p", strconv.Itoa(post.pid)).Output()
		if err == nil && filepath.Base(strings.TrimSpace(string(out))) == "postgres" {
			pids = append(pids, post.pid)
		}
	}
	return pids
}

func memory() uint64 { return assumedMemory }

// syncFiles brings everything to the disk that any program has written.
func syncFiles(string) error {
	return exec.Command("sync").Run()
}

// socketPathMax is sockaddr_un's size without the closing zero.
const socketPathMax = 103
