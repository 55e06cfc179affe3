//go:build engines

package testkit

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"happening/internal/testkit/port"
)

// pooler's limits.
const (
	poolerStart = time.Minute
	poolerLook  = 20 * time.Millisecond
)

// PgBouncer starts a pooler before the test's database, which gives every
// transaction another of poolSize connections of the server, and gives the
// connection string through it for a role. more are lines for its
// configuration.
func PgBouncer(t testing.TB, db *DB, poolSize int, more ...string) (connString func(role string) string) {
	t.Helper()
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		if program, err = exec.LookPath("/usr/sbin/pgbouncer"); err != nil {
			t.Fatalf("testkit: this test needs PgBouncer: apt-get install pgbouncer (%v)", err)
		}
	}
	server, err := pgconn.ParseConfig(db.ConnString("happening"))
	if err != nil {
		t.Fatal(err)
	}
	listens := port.Of(t)
	dir, err := os.MkdirTemp("", "happening-pgbouncer-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { // its user reads it
		t.Fatal(err)
	}
	users := filepath.Join(dir, "users")
	ini := fmt.Sprintf(`[databases]
%s = host=%s port=%d dbname=%[1]s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %[4]d
unix_socket_dir =
auth_type = trust
auth_file = %[7]s
pool_mode = transaction
default_pool_size = %[5]d
max_client_conn = 1000
logfile = /dev/null
%[6]s
`, db.Name, server.Host, server.Port, listens, poolSize, strings.Join(more, "\n"), users)
	if err := os.WriteFile(users, []byte("\"happening\" \"\"\n\"happening_app\" \"\"\n\"happening_system\" \"\"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "pgbouncer.ini")
	if err := os.WriteFile(file, []byte(ini), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, file)
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: notRoot(t)}
	if err := cmd.Start(); err != nil {
		t.Fatalf("testkit: pgbouncer: %v", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // what its signals mean differs between versions
		_ = cmd.Wait()
	})
	connString = func(role string) string {
		return fmt.Sprintf("postgres://%s@127.0.0.1:%d/%s?sslmode=disable", role, listens, db.Name)
	}
	giveUp := time.Now().Add(poolerStart)
	for {
		conn, err := pgx.Connect(context.Background(), connString("happening_system"))
		if err == nil {
			_ = conn.Close(context.Background())
			return connString
		}
		if time.Now().After(giveUp) {
			t.Fatalf("testkit: pgbouncer does not answer: %v\n%s", err, said.String())
		}
		<-time.After(poolerLook)
	}
}

// notRoot is whom servers run as that refuse to be root; nil: ourselves.
func notRoot(t testing.TB) *syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			uid, _ := strconv.ParseUint(u.Uid, 10, 32)
			gid, _ := strconv.ParseUint(u.Gid, 10, 32)
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		}
	}
	t.Fatal("testkit: there is no user postgres or nobody to run PgBouncer as")
	return nil
}
