// Package testkit gives tests what they would otherwise fake: a real
// PostgreSQL with a fresh database from a migrated template.
package testkit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"happening/internal/pgserver"
	"happening/internal/postgres"
	"happening/internal/testkit/abreast"
)

// ClusterEnv names a PostgreSQL cluster to test on, as a connection string in
// key=value form without user and database, which lets anybody in as anyone;
// without it every test process starts a cluster of its own.
const ClusterEnv = "HAPPENING_TEST_CLUSTER"

const (
	// startTimeout bounds the start of a cluster.
	startTimeout = time.Minute
	// testsAtOnce is how many tests the cluster has connections for, whatever the
	// number of processors: two processes of the product, with their pools, take
	// about 40.
	testsAtOnce    = 16
	maxConnections = "700"
)

// cluster is the test process's PostgreSQL with its template database.
var cluster struct {
	once     sync.Once
	base     string // connection string without user and database
	template string
	stop     func()
	err      error
}

// Main runs a package's tests and takes down what they started; it is the
// TestMain of every package that calls NewDB:
//
//	func TestMain(m *testing.M) { os.Exit(testkit.Main(m)) }
func Main(m *testing.M) int {
	pgserver.MaybeSupervise()
	abreast.AtMost(testsAtOnce)
	code := m.Run()
	if cluster.stop != nil {
		cluster.stop()
	}
	return code
}

// DB is a fresh database of a test.
type DB struct {
	*postgres.DB
	Name string
	base string
}

// ConnString gives the connection string for a role; "happening" owns all.
func (db *DB) ConnString(role string) string {
	return fmt.Sprintf("%s user=%s dbname=%s", db.base, role, db.Name)
}

// NewDB gives the test a database of its own, copied from a template to which
// all migrations were applied, and drops it at the end.
func NewDB(t testing.TB) *DB {
	t.Helper()
	cluster.once.Do(func() { cluster.err = prepare(context.Background()) })
	if cluster.err != nil {
		t.Fatalf("testkit: no PostgreSQL to test on: %v", cluster.err)
	}
	ctx := context.Background()
	name := "t_" + strings.ReplaceAll(uuid.NewString(), "-", "")[:20]
	if err := owner(ctx, cluster.base, "postgres", "CREATE DATABASE "+name+" TEMPLATE "+cluster.template); err != nil {
		t.Fatalf("testkit: create database: %v", err)
	}
	db := &DB{Name: name, base: cluster.base}
	pools, err := postgres.Open(ctx, db.ConnString)
	if err != nil {
		t.Fatalf("testkit: open: %v", err)
	}
	db.DB = pools
	t.Cleanup(func() {
		pools.Close()
		if err := owner(context.Background(), cluster.base, "postgres", "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("testkit: drop database: %v", err)
		}
	})
	return db
}

// AsOwner runs statements as the owner of the tables, for tests that take a
// guard away.
func (db *DB) AsOwner(t testing.TB, sql string) {
	t.Helper()
	if err := owner(context.Background(), db.base, db.Name, sql); err != nil {
		t.Fatalf("testkit: %v", err)
	}
}

// prepare finds or starts the cluster and makes the template database.
func prepare(ctx context.Context) error {
	base := os.Getenv(ClusterEnv)
	if base == "" {
		var err error
		if base, err = start(ctx); err != nil {
			return err
		}
	}
	cluster.base = base
	cluster.template = "template_" + strings.ReplaceAll(uuid.NewString(), "-", "")[:16]
	if err := owner(ctx, base, "postgres", "CREATE DATABASE "+cluster.template); err != nil {
		return err
	}
	return postgres.Migrate(ctx, base+" user=happening dbname="+cluster.template)
}

// start runs a cluster for this process alone. It need not survive a power
// cut, so it does not wait for the disk.
func start(ctx context.Context) (base string, err error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	dir, err := os.MkdirTemp("", "happening-test-")
	if err != nil {
		return "", err
	}
	if err := os.Chmod(dir, 0o711); err != nil { // PostgreSQL's user passes through
		return "", err
	}
	server, err := pgserver.Start(ctx, pgserver.Options{DataDir: dir, DataDirSet: true, Settings: map[string]string{
		"fsync": "off", "full_page_writes": "off", "shared_buffers": "128MB", "max_connections": maxConnections,
	}})
	if err != nil {
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	cluster.stop = func() {
		_ = server.Stop(context.Background())
		_ = os.RemoveAll(dir)
	}
	cfg, err := pgx.ParseConfig(server.ConnString("happening"))
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("host=%s port=%d", cfg.Host, cfg.Port), nil
}

// owner runs one statement as the cluster's superuser.
func owner(ctx context.Context, base, database, sql string) error {
	conn, err := pgx.Connect(ctx, base+" user=happening dbname="+database)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	return err
}
