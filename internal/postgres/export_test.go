package postgres

import (
	"context"
	"io/fs"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"happening/internal/access"
)

// PrefixQuery is how a typed text is searched for.
var PrefixQuery = prefixQuery

// BookingQuery reads booking $2 at the time of $1.
var BookingQuery = `SELECT ` + bookingColumns + bookingRows + ` WHERE b.id = $2`

// MigrateTo brings the schema up to a version, for tests of what the next
// migration makes of what stands in it.
func MigrateTo(ctx context.Context, ownerConnString string, version int64) error {
	cfg, err := pgx.ParseConfig(ownerConnString)
	if err != nil {
		return err
	}
	handle := stdlib.OpenDB(*cfg)
	defer handle.Close()
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, handle, files)
	if err != nil {
		return err
	}
	_, err = provider.UpTo(ctx, version)
	return err
}

// QuickLease is a lease with times of its own.
func QuickLease(db *DB, name string, holder uuid.UUID, log *slog.Logger, ttl, every time.Duration) *Lease {
	l := NewLease(db, name, holder, log)
	l.ttl, l.every = ttl, every
	return l
}

// CheckFence is what every transaction of a leader's job begins with.
var CheckFence = checkFence

// RegisterQuickly registers with times of its own.
func (db *DB) RegisterQuickly(ctx context.Context, me Replica, log *slog.Logger, every, patience time.Duration) (*Presence, error) {
	return db.register(ctx, me, false, log, every, patience)
}

// MaxConns is how many connections the ledger makes at most.
func (l *Ledger) MaxConns() int32 { return l.pool.Config().MaxConns }

// TakeOutVersionCheck makes a ledger write whatever was decided, on whatever
// version: the control of the tests that show what the check is for.
func (l *Ledger) TakeOutVersionCheck(ctx context.Context) error {
	for range ledgerConns {
		conn, err := l.pool.Acquire(ctx)
		if err != nil {
			return err
		}
		defer conn.Release()
		if err := conn.Conn().DeallocateAll(ctx); err != nil {
			return err
		}
		for name, sql := range ledgerStatements {
			if name == "check" {
				sql = `SELECT 1 FROM events WHERE id = ANY($1::uuid[]) AND cardinality($2::int8[]) > 0 ORDER BY id FOR NO KEY UPDATE`
			}
			if _, err := conn.Conn().PgConn().Prepare(ctx, name, sql, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// Asker is a context of row level security, for tests that read in it without
// any condition of their own.
type Asker struct {
	User, Org uuid.UUID
	Action    access.Action
	Token     []byte
}

func (a Asker) asker() asker {
	if a.Org != uuid.Nil {
		return tenant(a.User, a.Org, a.Action)
	}
	return bearer(a.User, a.Token)
}

// TextsAs reads a column of texts as an asker.
func TextsAs(ctx context.Context, db *DB, as Asker, sql string, args ...any) ([]string, error) {
	return read(ctx, db, as.asker(), pgx.RowTo[string], sql, args...)
}

// WriteAs runs a transaction as an asker.
func WriteAs(ctx context.Context, db *DB, as Asker, fn func(tx pgx.Tx) error) error {
	return db.write(ctx, as.asker(), fn)
}
