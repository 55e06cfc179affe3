package testkit

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"happening/internal/pgserver"
)

// Cluster is a PostgreSQL of one test's own, as durable as the product wants
// it, which stands outside of the process under test. The test's package calls
// pgserver.MaybeSupervise first in its TestMain.
type Cluster struct {
	t      testing.TB
	socket string
	direct string // past every wire, as its owner
}

// NewCluster starts a cluster with some settings changed, and ends it with the
// test.
func NewCluster(t testing.TB, settings map[string]string) *Cluster {
	t.Helper()
	dir, err := os.MkdirTemp("", "happening-cluster-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o711); err != nil { // PostgreSQL's user passes through
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	server, err := pgserver.Start(ctx, pgserver.Options{DataDir: dir, DataDirSet: true, Settings: settings})
	if err != nil {
		t.Fatalf("testkit: no PostgreSQL to test on: %v", err)
	}
	t.Cleanup(func() {
		if err := server.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	cfg, err := pgx.ParseConfig(server.ConnString("happening"))
	if err != nil {
		t.Fatal(err)
	}
	return &Cluster{t: t, socket: socketOf(cfg.Host, cfg.Port), direct: server.ConnString("happening")}
}

// Connect connects to the cluster's database as its owner, past every wire.
func (c *Cluster) Connect() *pgx.Conn {
	c.t.Helper()
	conn, err := c.TryConnect()
	if err != nil {
		c.t.Fatal(err)
	}
	return conn
}

// TryConnect is a Connect that may fail.
func (c *Cluster) TryConnect() (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, c.direct)
	if err == nil {
		c.t.Cleanup(func() { _ = conn.Close(context.Background()) })
	}
	return conn, err
}

func socketOf(host string, port uint16) string {
	return filepath.Join(host, fmt.Sprint(".s.PGSQL.", port))
}

// Wire lays a wire to the cluster.
func (c *Cluster) Wire() *Wire { return NewWire(c.t, "unix", c.socket) }

// URL is the address of the cluster's database through a wire, as its owner,
// with parameters added.
func (c *Cluster) URL(w *Wire, parameters ...string) string {
	u := url.URL{
		Scheme: "postgres", User: url.User("happening"), Host: fmt.Sprint("127.0.0.1:", w.Port()), Path: "/happening",
		RawQuery: strings.Join(append([]string{"sslmode=disable"}, parameters...), "&"),
	}
	return u.String()
}

// Wire lays a wire to the database's server and gives the connection strings
// that go through it.
func (db *DB) Wire(t testing.TB) (w *Wire, connString func(role string) string) {
	t.Helper()
	cfg, err := pgx.ParseConfig(db.ConnString("happening"))
	if err != nil {
		t.Fatal(err)
	}
	network, address := "tcp", fmt.Sprintf("%s:%d", cfg.Host, cfg.Port)
	if filepath.IsAbs(cfg.Host) {
		network, address = "unix", socketOf(cfg.Host, cfg.Port)
	}
	w = NewWire(t, network, address)
	return w, func(role string) string {
		return fmt.Sprintf("host=127.0.0.1 port=%d sslmode=disable user=%s dbname=%s", w.Port(), role, db.Name)
	}
}
