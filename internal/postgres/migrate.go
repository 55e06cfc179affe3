package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

const (
	// migrateKey is the session lock that lets one process migrate and the
	// others wait.
	migrateKey = 7_227_002
	// connectPatience is how long a start waits for a server that has no
	// connection free, or is starting itself.
	connectPatience = 20 * time.Second
	// connectRetry is the time between two attempts.
	connectRetry = 250 * time.Millisecond
	// roleAttempts bounds how often roles are looked at while others change them.
	roleAttempts = 5
)

// ErrOldSchema says that the schema is older than this binary and the login
// may not change it.
var ErrOldSchema = errors.New("the database's schema is older than this program")

// EnsureSchema brings the schema up to this binary's where the login may do
// that, and else looks whether it is recent enough. A newer one is fine: the
// migrations leave it usable by the binary before them.
func EnsureSchema(ctx context.Context, connString func(role string) string, log *slog.Logger) error {
	conn, err := connect(ctx, connString(OwnerRole), log)
	if err != nil {
		return fmt.Errorf("postgres: schema: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var made, mine bool
	if err := conn.QueryRow(ctx, schemaOwner).Scan(&made, &mine); err != nil {
		return fmt.Errorf("postgres: schema: %w", err)
	}
	if !made || mine {
		if err := migrate(ctx, conn, connString(OwnerRole)); err != nil {
			return err
		}
	}
	reader := conn
	if made && !mine {
		if reader, err = connect(ctx, connString(SystemRole), log); err != nil {
			return fmt.Errorf("postgres: schema: %w", err)
		}
		defer reader.Close(context.WithoutCancel(ctx))
	}
	have, want, err := schemaVersion(ctx, reader)
	switch {
	case err != nil:
		return err
	case have < want:
		return fmt.Errorf("%w (version %d, needs %d): run `happening migrate` as the owner of the tables", ErrOldSchema, have, want)
	case have > want:
		log.Info("postgres: the schema is newer than this program, which goes on working on it", "schema", have, "program", want)
	}
	return nil
}

// schemaOwner says whether there is a schema of ours, and whether the login
// may change it.
const schemaOwner = `
	SELECT count(*) > 0, coalesce(bool_and(pg_has_role(relowner, 'USAGE')), false)
	FROM pg_class WHERE oid = to_regclass('goose_db_version')`

// Migrate brings the schema up to this binary's, as the owner of the tables.
// Several processes may try at once: one does it, the others wait.
func Migrate(ctx context.Context, ownerConnString string) error {
	conn, err := connect(ctx, ownerConnString, slog.Default())
	if err != nil {
		return fmt.Errorf("postgres: migrate: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return migrate(ctx, conn, ownerConnString)
}

func migrate(ctx context.Context, conn *pgx.Conn, ownerConnString string) error {
	if err := ensureRoles(ctx, conn); err != nil {
		return err
	}
	done, err := migrated(ctx, conn)
	if err != nil || done {
		return err
	}
	cfg, err := pgxpool.ParseConfig(ownerConnString)
	if err != nil {
		return errors.New("postgres: migrate: " + unreadable(err))
	}
	prepareConn(cfg.ConnConfig, "happening migrate")
	handle := stdlib.OpenDB(*cfg.ConnConfig)
	defer handle.Close()
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("postgres: migrations: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, handle, files, goose.WithSessionLocker(oneMigrates{}))
	if err != nil {
		return fmt.Errorf("postgres: migrations: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("postgres: migrate: %w", err)
	}
	return nil
}

// oneMigrates is goose's lock. It waits in line instead of asking again and
// again, and ends with its connection, which is the owner's own.
type oneMigrates struct{}

func (oneMigrates) SessionLock(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock($1)", migrateKey)
	return err
}

func (oneMigrates) SessionUnlock(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, "SELECT pg_advisory_unlock($1)", migrateKey)
	return err
}

// migrated says whether every migration of this binary is there, which is how
// nearly every start finds it.
func migrated(ctx context.Context, conn *pgx.Conn) (bool, error) {
	files, err := migrationFiles()
	if err != nil {
		return false, err
	}
	var made bool
	if err := conn.QueryRow(ctx, `SELECT to_regclass('goose_db_version') IS NOT NULL`).Scan(&made); err != nil || !made {
		return false, err
	}
	var there int
	err = conn.QueryRow(ctx, `
		SELECT count(DISTINCT version_id) FROM goose_db_version
		WHERE is_applied AND version_id BETWEEN 1 AND $1`, int64(len(files))).Scan(&there)
	if err != nil {
		return false, fmt.Errorf("postgres: migrations: %w", err)
	}
	return there == len(files), nil
}

// migrationFiles lists the migrations, which are numbered from 1 without a gap.
func migrationFiles() ([]fs.DirEntry, error) {
	files, err := fs.ReadDir(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("postgres: migrations: %w", err)
	}
	return files, nil
}

// SchemaVersion tells the number of the newest migration that the database has
// and of the newest that this binary knows.
func (db *DB) SchemaVersion(ctx context.Context) (have, want int64, err error) {
	return schemaVersion(ctx, db.System)
}

func schemaVersion(ctx context.Context, q querier) (have, want int64, err error) {
	files, err := migrationFiles()
	if err != nil {
		return 0, 0, err
	}
	err = q.QueryRow(ctx, `SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied`).Scan(&have)
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &pg) && (pg.Code == codeNoTable || pg.Code == codeNoPrivilege):
		err = nil // before the migration that lets the plain roles look: old in any case
	case err != nil:
		err = fmt.Errorf("postgres: schema's version: %w", err)
	}
	return have, int64(len(files)), err
}

// SQLSTATEs that are answered in a way of their own.
const (
	codeNoTable       = "42P01"
	codeNoPrivilege   = "42501"
	codeReadOnly      = "25006"
	codeNoConnection  = "53300"
	codeStarting      = "57P03"
	codeRoleExists    = "42710"
	codeUnique        = "23505"
	codeInternal      = "XX000" // "tuple concurrently updated"
	codeWrongPassword = "28P01"
	codeNotLetIn      = "28000"
	codeNoDatabase    = "3D000"
	codeBadParameter  = "22023"
	codeProtocol      = "08P01"
	codeNoStatement   = "26000"
	codeStatementHere = "42P05"
)

// roleState is what the login has to do with a plain role. Until version 15
// every member of a role may act as it, since 16 that is a right of its own.
const roleState = `
	SELECT to_regrole($1) IS NOT NULL,
	       r.rolsuper OR r.rolcreaterole,
	       CASE WHEN to_regrole($1) IS NULL THEN false
	            WHEN current_setting('server_version_num')::int >= 160000 THEN pg_has_role(session_user, to_regrole($1), 'SET')
	            ELSE pg_has_role(session_user, to_regrole($1), 'MEMBER') END
	FROM pg_roles r WHERE r.rolname = current_user`

// makeRole is what a database administrator runs where the login may not
// create a role.
func makeRole(role, login string) string {
	role = pgx.Identifier{role}.Sanitize()
	return fmt.Sprintf("CREATE ROLE %s LOGIN; GRANT %[1]s TO %[2]s", role, pgx.Identifier{login}.Sanitize())
}

// ensureRoles makes the plain roles where they are missing, and the login a
// member of them where it isn't and may. Whoever creates a role without being
// a superuser may grant it, but isn't in it by that: until version 15 not at
// all, since 16 without the right to act as it.
func ensureRoles(ctx context.Context, conn *pgx.Conn) error {
	for _, role := range []string{AppRole, SystemRole} {
		for attempt := 1; ; attempt++ {
			err := ensureRole(ctx, conn, role)
			if err == nil {
				break
			}
			var pg *pgconn.PgError
			if errors.As(err, &pg) && attempt < roleAttempts &&
				(pg.Code == codeRoleExists || pg.Code == codeUnique || pg.Code == codeInternal) {
				continue // somebody else does the same
			}
			return fmt.Errorf("postgres: role %s: %w", role, err)
		}
	}
	return nil
}

func ensureRole(ctx context.Context, conn *pgx.Conn, role string) error {
	var there, creates, acts bool
	if err := conn.QueryRow(ctx, roleState, role).Scan(&there, &creates, &acts); err != nil {
		return err
	}
	name := pgx.Identifier{role}.Sanitize()
	if !there {
		if !creates {
			return fmt.Errorf("it is missing and %s may not create it; let an administrator run: %s",
				conn.Config().User, makeRole(role, conn.Config().User))
		}
		if _, err := conn.Exec(ctx, "CREATE ROLE "+name+" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS"); err != nil {
			return err
		}
	}
	if acts {
		return nil
	}
	_, err := conn.Exec(ctx, "GRANT "+name+" TO SESSION_USER")
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == codeNoPrivilege {
		return nil // it may have a login of its own; the probe tells
	}
	return err
}

// connect makes one connection that needs nothing of what a pooler would
// forget. A server that is starting, or has no connection free, is waited for,
// and the log says so.
func connect(ctx context.Context, connString string, log *slog.Logger) (*pgx.Conn, error) {
	cfg, err := poolConfig(connString, "happening", appShare)
	if err != nil {
		return nil, err
	}
	cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	var conn *pgx.Conn
	err = patiently(ctx, log, func(ctx context.Context) (err error) {
		conn, err = pgx.ConnectConfig(ctx, cfg.ConnConfig)
		return err
	})
	return conn, err
}

// patiently tries until it isn't for a lack of connections, or for a start
// under way, that it fails.
func patiently(ctx context.Context, log *slog.Logger, try func(context.Context) error) error {
	giveUp := time.Now().Add(connectPatience)
	for waiting := false; ; {
		err := try(ctx)
		var pg *pgconn.PgError
		if err != nil && ctx.Err() != nil {
			return interrupted(ctx)
		}
		if err == nil || !errors.As(err, &pg) || pg.Code != codeNoConnection && pg.Code != codeStarting || time.Now().After(giveUp) {
			return inOneLine(err)
		}
		if !waiting {
			waiting = true
			log.Warn("postgres: the server doesn't let us in yet; waiting", "why", pg.Message, "at most", connectPatience)
		}
		select {
		case <-ctx.Done():
			return interrupted(ctx)
		case <-time.After(connectRetry):
		}
	}
}

// Await waits until both roles have a connection, also while the server has
// none free.
func (db *DB) Await(ctx context.Context, log *slog.Logger) error {
	for _, pool := range []*pgxpool.Pool{db.App, db.System} {
		if err := patiently(ctx, log, pool.Ping); err != nil {
			return fmt.Errorf("postgres: %w", err)
		}
	}
	return nil
}
