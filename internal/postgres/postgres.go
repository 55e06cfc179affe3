// Package postgres keeps the truth. It holds the pools, the migrations, the
// transactions and one file of SQL per room; each file implements the Store
// port that its room declares. Every query that touches a tenant's rows takes
// the tenant, or the person, as an argument.
package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// The plain roles; see migration 0001.
const (
	AppRole    = "happening_app"
	SystemRole = "happening_system"
)

// PoolSize bounds the connections of each of the two pools.
const PoolSize = 12

// DB is the database seen through its two plain roles.
type DB struct {
	App    *pgxpool.Pool // requests
	System *pgxpool.Pool // allocator batches, relay, jobs, checker
}

// Open connects both roles. connString gives the connection string for a
// role. Connections are made lazily; Ping tells whether the database answers.
func Open(ctx context.Context, connString func(role string) string) (*DB, error) {
	app, err := open(ctx, connString(AppRole))
	if err != nil {
		return nil, err
	}
	system, err := open(ctx, connString(SystemRole))
	if err != nil {
		app.Close()
		return nil, err
	}
	return &DB{App: app, System: system}, nil
}

func open(ctx context.Context, connString string) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(connString)
	if err != nil {
		return nil, fmt.Errorf("postgres: connection string: %w", err)
	}
	cfg.MaxConns = PoolSize
	cfg.MaxConnIdleTime = 5 * time.Minute
	cfg.ConnConfig.RuntimeParams["timezone"] = "UTC"
	cfg.ConnConfig.RuntimeParams["application_name"] = "happening"
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("postgres: open: %w", err)
	}
	return pool, nil
}

// Ping makes one round trip as the request role.
func (db *DB) Ping(ctx context.Context) error {
	var one int
	if err := db.App.QueryRow(ctx, "SELECT 1").Scan(&one); err != nil {
		return fmt.Errorf("postgres: ping: %w", err)
	}
	return nil
}

// Close closes both pools after their connections came home.
func (db *DB) Close() {
	db.App.Close()
	db.System.Close()
}

// Migrate brings the schema up to this binary's, as the owner of the tables.
func Migrate(ctx context.Context, ownerConnString string) error {
	cfg, err := pgx.ParseConfig(ownerConnString)
	if err != nil {
		return fmt.Errorf("postgres: owner's connection string: %w", err)
	}
	handle := stdlib.OpenDB(*cfg)
	defer handle.Close()
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("postgres: migrations: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, handle, files)
	if err != nil {
		return fmt.Errorf("postgres: migrations: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("postgres: migrate: %w", err)
	}
	return nil
}

// inTx runs fn in one transaction of the pool and commits it. fn may run
// again after a serialization failure or a deadlock, so it must have no
// effect but through tx.
func inTx(ctx context.Context, pool *pgxpool.Pool, fn func(tx pgx.Tx) error) error {
	for attempt := 1; ; attempt++ {
		err := pgx.BeginFunc(ctx, pool, fn)
		if err == nil || attempt == maxTxAttempts || !retryable(err) {
			return err
		}
	}
}

// maxTxAttempts bounds how often a transaction is run again.
const maxTxAttempts = 4

func retryable(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01")
}

// violates says whether err is the breach of the named constraint or index.
func violates(err error, constraint string) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.ConstraintName == constraint
}

// Time reads the database's clock.
func (db *DB) Time(ctx context.Context) (time.Time, error) {
	var now time.Time
	if err := db.System.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&now); err != nil {
		return time.Time{}, fmt.Errorf("postgres: clock: %w", err)
	}
	return now.UTC(), nil
}

// Away says whether an error means that the database can't be reached or
// doesn't serve now, which is not a defect of ours.
func Away(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		// Class 57 is operator intervention, 53 insufficient resources, 08 the
		// connection.
		return strings.HasPrefix(pg.Code, "57") || strings.HasPrefix(pg.Code, "53") || strings.HasPrefix(pg.Code, "08")
	}
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || errors.Is(err, io.ErrUnexpectedEOF)
}

// Empty says whether no organization was ever made here.
func (db *DB) Empty(ctx context.Context) (bool, error) {
	var empty bool
	if err := db.System.QueryRow(ctx, "SELECT NOT EXISTS (SELECT 1 FROM organizations)").Scan(&empty); err != nil {
		return false, fmt.Errorf("postgres: %w", err)
	}
	return empty, nil
}
