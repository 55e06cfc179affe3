package pgserver

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"time"
)

const (
	// attachLimit is for a server that is just starting or being restarted.
	attachLimit = 10 * time.Second
	attachPoll  = 20 * time.Millisecond
)

// Attached is a PostgreSQL that another process runs.
type Attached struct {
	socketDir string
}

// Attach finds the PostgreSQL that another process runs on a data directory,
// which ResolveDataDir answers. It waits for one that is just starting. The
// error wraps ErrNotRunning when there is none, and the caller may Start one.
func Attach(dataDir string) (*Attached, error) {
	dir, err := filepath.Abs(dataDir)
	if err != nil {
		return nil, err
	}
	deadline := time.Now().Add(attachLimit)
	for {
		running, err := locked(dir)
		if err != nil {
			return nil, fmt.Errorf("lock of the data directory: %w", err)
		}
		if !running {
			return nil, fmt.Errorf("%w %s", ErrNotRunning, dir)
		}
		post, err := readPostmaster(clusterDir(dir))
		if errors.Is(err, fs.ErrPermission) {
			return nil, fmt.Errorf("%w: the PostgreSQL in %s runs as another user; run this as that user or as root", ErrUnreachable, dir)
		}
		if err == nil && post.ready {
			var conn net.Conn
			if conn, err = net.DialTimeout("unix", filepath.Join(post.socketDir, socketName), connectLimit); err == nil {
				conn.Close()
				return &Attached{socketDir: post.socketDir}, nil
			}
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("the PostgreSQL in %s isn't ready after %v", dir, attachLimit)
		}
		time.Sleep(attachPoll)
	}
}

// ConnString is like Server.ConnString.
func (a *Attached) ConnString(role string) string {
	return socketURL(a.socketDir, role, databaseName)
}
