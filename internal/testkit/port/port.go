//go:build unix

// Package port gives tests ports that stay theirs. A port that a test has looked
// up and let go of, so that a server of its own can take it, may be another's by
// then: the system hands the ports of its ephemeral range out to whoever asks
// for any, and the more so the longer a server is away that was killed and is
// started again. The ports given here lie below that range, and no other test of
// this user's is given one of them, in this process or in another, until it is
// let go of or its process has ended.
package port

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// The ports that are given, from lowest on and below end: below those that Linux
// (from 32768 on) and others (from 49152 on) hand out by themselves.
const (
	lowest = 20_000
	end    = 32_000
)

// errNone says that all ports are taken.
var errNone = errors.New("no port is free")

// taken are this process's. The file has a lock at the place of each: the system
// forgets them with the process, however that ends.
var taken struct {
	mu   sync.Mutex
	file *os.File
	mine map[int]bool
}

// Of gives a port of the loopback address on which nobody listens and that is
// the test's until its end.
func Of(t testing.TB) int {
	t.Helper()
	n, err := Take()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { Release(n) })
	return n
}

// Take gives a port of the loopback address on which nobody listens; it is the
// caller's until Release.
func Take() (int, error) {
	taken.mu.Lock()
	defer taken.mu.Unlock()
	if taken.file == nil {
		file, err := os.OpenFile(filepath.Join(os.TempDir(), fmt.Sprintf("happening-ports-%d", os.Getuid())), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return 0, fmt.Errorf("the list of taken ports: %w", err)
		}
		taken.file, taken.mine = file, map[int]bool{}
	}
	first := rand.IntN(end - lowest)
	for i := range end - lowest {
		n := lowest + (first+i)%(end-lowest)
		// A process is not kept out by its own locks.
		if taken.mine[n] || lock(n, unix.F_WRLCK) != nil {
			continue
		}
		ln, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", n))
		if err != nil {
			_ = lock(n, unix.F_UNLCK) // nobody's is left as it is
			continue
		}
		if err := ln.Close(); err != nil {
			return 0, err
		}
		taken.mine[n] = true
		return n, nil
	}
	return 0, errNone
}

// Release lets go of a port.
func Release(n int) {
	taken.mu.Lock()
	defer taken.mu.Unlock()
	delete(taken.mine, n)
	_ = lock(n, unix.F_UNLCK) // ends with the process at the latest
}

func lock(n int, kind int16) error {
	return unix.FcntlFlock(taken.file.Fd(), unix.F_SETLK, &unix.Flock_t{Type: kind, Start: int64(n), Len: 1})
}
