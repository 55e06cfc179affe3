// Package postgres keeps the truth. It holds the pools, the migrations, the
// transactions and one file of SQL per room; each file implements the Store
// port that its room declares. Every query that touches a tenant's rows takes
// the tenant, or the person, as an argument.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// The owner of the tables, as the embedded PostgreSQL calls it and as callers
// ask for its connection string; an outside one may have any login there. The
// plain roles; see migration 0001.
const (
	OwnerRole  = "happening"
	AppRole    = "happening_app"
	SystemRole = "happening_system"
)

// DB is the database seen through its two plain roles.
type DB struct {
	App    *pgxpool.Pool // requests
	System *pgxpool.Pool // allocator batches, relay, jobs, checker

	failover *failover
}

// Open connects both roles. connString gives the connection string for a
// role; a pool_max_conns in it is what one process may take as this role.
// Connections are made lazily; Ping tells whether the database answers.
func Open(ctx context.Context, connString func(role string) string) (*DB, error) {
	away := new(failover)
	app, err := open(ctx, away, connString(AppRole), appShare)
	if err != nil {
		return nil, err
	}
	system, err := open(ctx, away, connString(SystemRole), systemShare)
	if err != nil {
		app.Close()
		return nil, err
	}
	return &DB{App: app, System: system, failover: away}, nil
}

// open makes a pool; share says how many of the connections that the string
// allows are its own.
func open(ctx context.Context, away *failover, connString string, share func(bound int32) int32) (*pgxpool.Pool, error) {
	cfg, err := poolConfig(connString, "happening", share)
	if err != nil {
		return nil, err
	}
	pool, err := away.pool(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("postgres: open: %w", err)
	}
	return pool, nil
}

// Ping makes one round trip as the request role and fails, in one line, where
// the server does not answer or takes no writes.
func (db *DB) Ping(ctx context.Context) error {
	var standby, readOnly bool
	err := db.App.QueryRow(ctx, `SELECT pg_is_in_recovery(), current_setting('transaction_read_only')::bool`).Scan(&standby, &readOnly)
	switch {
	case err != nil:
		return fmt.Errorf("postgres: ping: %w", inOneLine(err))
	case standby:
		err = fmt.Errorf("postgres: ping: %w: it is a standby, or was made one; trying whether its address leads to another", errOnlyReads)
	case readOnly:
		err = fmt.Errorf("postgres: ping: %w: default_transaction_read_only is on", errOnlyReads)
	default:
		return nil
	}
	db.failover.leave()
	return err
}

// Close closes both pools after their connections came home.
func (db *DB) Close() {
	db.App.Close()
	db.System.Close()
}

// CloseWithin is a Close that is left behind when ctx ends, which is an error.
func (db *DB) CloseWithin(ctx context.Context) error {
	return closeWithin(ctx, db.App, db.System)
}

// closeWithin closes pools. With a server that is frozen, a connection that is
// in use comes home late or never, and one whose question was given up asks for
// its cancellation and listens for many seconds; a stop doesn't wait for that.
// What is left behind goes on closing until the process ends.
func closeWithin(ctx context.Context, pools ...*pgxpool.Pool) error {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		var each sync.WaitGroup
		for _, pool := range pools {
			each.Go(pool.Close)
		}
		each.Wait()
	}()
	select {
	case <-closed:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("postgres: the connections did not close in time: %w", ctx.Err())
	}
}

// inTx runs fn in one transaction of the pool and commits it. fn may run
// again after a serialization failure or a deadlock, so it must have no
// effect but through tx. Where ctx carries a fence, nothing is written once
// somebody else leads.
func inTx(ctx context.Context, pool *pgxpool.Pool, fn func(tx pgx.Tx) error) error {
	guarded := fn
	if fence, ok := fenceOf(ctx); ok {
		guarded = func(tx pgx.Tx) error {
			if err := checkFence(ctx, tx, fence); err != nil {
				return err
			}
			return fn(tx)
		}
	}
	for attempt := 1; ; attempt++ {
		err := pgx.BeginFunc(ctx, pool, guarded)
		if err == nil || attempt == maxTxAttempts || !retryable(err) {
			return err
		}
	}
}

// execFenced runs one statement of a job: by itself, or in a transaction that
// looks at the fence which ctx carries.
func execFenced(ctx context.Context, pool *pgxpool.Pool, sql string, args ...any) (tag pgconn.CommandTag, err error) {
	if _, fenced := fenceOf(ctx); !fenced {
		return pool.Exec(ctx, sql, args...)
	}
	err = inTx(ctx, pool, func(tx pgx.Tx) error {
		tag, err = tx.Exec(ctx, sql, args...)
		return err
	})
	return tag, err
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
	// Who is not let in finds nobody, whatever the server says of it: a
	// password may have been changed, or a role be taken away.
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) || errors.Is(err, errOnlyReads) {
		return true
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return refusesAll(pg) || strings.HasPrefix(pg.Code, "08") // the connection
	}
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, io.ErrUnexpectedEOF)
}

// refusesAll says whether the server refused for a reason of its own, whatever
// it was asked: class 57 is operator intervention, 53 insufficient resources,
// such as a full disk. A server that was made a standby takes no writes.
func refusesAll(err *pgconn.PgError) bool {
	return strings.HasPrefix(err.Code, "57") || strings.HasPrefix(err.Code, "53") || err.Code == codeReadOnly
}

// Empty says whether no organization was ever made here.
func (db *DB) Empty(ctx context.Context) (bool, error) {
	var empty bool
	if err := db.System.QueryRow(ctx, "SELECT NOT EXISTS (SELECT 1 FROM organizations)").Scan(&empty); err != nil {
		return false, fmt.Errorf("postgres: %w", err)
	}
	return empty, nil
}

// Installation names this database: made with its schema, kept for good, and
// carried along by a backup.
func (db *DB) Installation(ctx context.Context) (uuid.UUID, error) {
	var id uuid.UUID
	if err := db.System.QueryRow(ctx, "SELECT id FROM installation").Scan(&id); err != nil {
		return uuid.Nil, fmt.Errorf("postgres: installation: %w", err)
	}
	return id, nil
}
