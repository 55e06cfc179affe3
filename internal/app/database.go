package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"happening/internal/pgserver"
	"happening/internal/postgres"
)

// findDatabase starts the embedded PostgreSQL, or reads where the one outside
// is.
func (a *App) findDatabase(ctx context.Context) error {
	if a.Engines.DatabaseURL != "" {
		return a.outsideDatabase()
	}
	if err := a.startPostgres(ctx); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(a.dataDir, publicURLFile), []byte(a.PublicURL+"\n"), 0o600)
}

// attachDatabase is findDatabase for commands: an embedded PostgreSQL that a
// server runs already is used, one that nobody runs is started.
func (a *App) attachDatabase(ctx context.Context) error {
	if a.Engines.DatabaseURL != "" {
		a.guest = true
		if err := postgres.Probe(ctx, a.databaseSettings()); err != nil {
			return err
		}
		return a.outsideDatabase()
	}
	dir, err := pgserver.ResolveDataDir(a.pgOptions())
	if err != nil {
		return err
	}
	running, err := pgserver.Attach(dir)
	switch {
	case err == nil:
		a.guest, a.dataDir, a.connString = true, dir, running.ConnString
		return nil
	case errors.Is(err, pgserver.ErrNotRunning):
		return a.startPostgres(ctx)
	default:
		return err
	}
}

// defaultDataDir is where the demo's password is kept when the database is
// outside.
const defaultDataDir = "data"

func (a *App) outsideDatabase() (err error) {
	dir := a.DataDir
	if dir == "" {
		dir = defaultDataDir
	}
	if a.dataDir, err = filepath.Abs(dir); err != nil {
		return err
	}
	a.connString, err = postgres.Outside(a.databaseSettings())
	return err
}

func (a *App) databaseSettings() postgres.Settings {
	s := a.Engines.database()
	s.Log = a.Log
	return s
}

func (a *App) startPostgres(ctx context.Context) (err error) {
	if a.pg, err = pgserver.Start(ctx, a.pgOptions()); err != nil {
		return err
	}
	a.onStop(a.pg.Stop)
	a.dataDir, a.connString = a.pg.DataDir(), a.pg.ConnString
	return nil
}

func (a *App) pgOptions() pgserver.Options {
	return pgserver.Options{DataDir: a.DataDir, DataDirSet: a.DataDirSet, BinDir: a.PostgresBin, Log: a.Log}
}

// Migrate brings the schema up to this binary's, as the owner of the tables.
// It needs no other engine.
func Migrate(ctx context.Context, o Options) error {
	a, err := New(o)
	if err != nil {
		return err
	}
	if err = a.attachDatabase(ctx); err == nil {
		err = postgres.EnsureSchema(ctx, a.connString, a.Log)
	}
	return errors.Join(err, a.Stop(context.WithoutCancel(ctx)))
}

// openDatabase brings the schema up to date where this process serves and the
// login may, and connects as the plain roles.
func (a *App) openDatabase(ctx context.Context) error {
	if !a.guest {
		if err := postgres.EnsureSchema(ctx, a.connString, a.Log); err != nil {
			return err
		}
	}
	db, err := postgres.Open(ctx, a.connString)
	if err != nil {
		return err
	}
	a.db = db
	a.onStop(db.CloseWithin)
	if err := db.Await(ctx, a.Log); err != nil {
		return err
	}
	if err := a.recentSchema(ctx); err != nil {
		return err
	}
	if a.installation, err = db.Installation(ctx); err != nil {
		return err
	}
	if err := postgres.ProbeRoles(ctx, a.databaseSettings(), a.connString); err != nil {
		return err
	}
	if a.ledger, err = postgres.NewLedger(ctx, a.connString); err != nil {
		return err
	}
	a.onStop(a.ledger.CloseWithin)
	return a.clock.start(ctx, db)
}

// recentSchema refuses a command on a schema that is older than it knows; one
// that is newer works.
func (a *App) recentSchema(ctx context.Context) error {
	if !a.guest {
		return nil
	}
	have, want, err := a.db.SchemaVersion(ctx)
	if err == nil && have < want {
		err = fmt.Errorf("%w (version %d, needs %d): run `happening migrate` as the owner of the tables, or the command of the version that serves", postgres.ErrOldSchema, have, want)
	}
	return err
}

// takePlace takes a place among the processes on this database, or says who
// stands in the way.
func (a *App) takePlace(ctx context.Context) error {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	me := postgres.Replica{ID: a.id, Coordinated: a.shared(), Host: host, PID: os.Getpid(), Version: a.Version}
	if a.shared() {
		if me.Coordinator, err = a.redis.Identity(ctx); err != nil {
			return fmt.Errorf("REDIS_URL: %w", err)
		}
	}
	place, err := a.db.Register(ctx, me, a.pg != nil, a.Log)
	if err != nil {
		return err
	}
	a.place, a.coordinator = place, me.Coordinator
	a.onStop(place.Leave)
	return nil
}

// tellCoordinator tells the other processes which Redis this one uses: one
// that was flushed has a new name. Only the repair's goroutine calls it.
func (a *App) tellCoordinator(ctx context.Context) error {
	name, err := a.redis.Identity(ctx)
	if err != nil || name == a.coordinator {
		return err
	}
	if err := a.place.Coordinate(ctx, name); err != nil {
		return err
	}
	a.coordinator = name
	return nil
}

// shared says that this process may be one of several.
func (a *App) shared() bool { return a.Engines.RedisURL != "" }
