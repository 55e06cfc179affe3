package pgserver

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const (
	// socketPort only names the socket; nothing listens on a network.
	socketPort = 5432
	socketName = ".s.PGSQL.5432"
)

// postmaster is what a running PostgreSQL writes into its data directory.
type postmaster struct {
	pid       int
	socketDir string
	// ready says that it accepts connections.
	ready bool
}

// readPostmaster reads postmaster.pid. Its lines are fixed by PostgreSQL's
// miscadmin.h: pid, data directory, start time, port, socket directory, listen
// address, shared memory key, status.
func readPostmaster(cluster string) (postmaster, error) {
	const lineSocketDir, lineStatus = 4, 7
	b, err := os.ReadFile(filepath.Join(cluster, "postmaster.pid"))
	if err != nil {
		return postmaster{}, err
	}
	lines := strings.Split(string(b), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(lines[0]))
	if err != nil || pid <= 0 {
		return postmaster{}, fmt.Errorf("postmaster.pid begins with %q", lines[0])
	}
	post := postmaster{pid: pid}
	if len(lines) > lineSocketDir {
		post.socketDir = lines[lineSocketDir]
	}
	if len(lines) > lineStatus {
		post.ready = strings.TrimSpace(lines[lineStatus]) == "ready"
	}
	return post, nil
}
