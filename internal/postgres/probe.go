package postgres

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// What a server has to be like.
const (
	// minVersion is the oldest PostgreSQL, as server_version_num.
	minVersion = 150000
	// clockTolerance is how far the server's clock may be from ours at the
	// start. Tokens and cookies of other machines are believed within minutes.
	clockTolerance = 5 * time.Minute
	// probeTimeout bounds each connection's questions.
	probeTimeout = 5 * time.Second
)

// faults collects lines for the operator, each once.
type faults struct {
	all  []error
	seen map[string]bool
}

func (f *faults) add(format string, args ...any) {
	line := oneLine(fmt.Errorf(format, args...))
	if f.seen[line] {
		return
	}
	if f.seen == nil {
		f.seen = make(map[string]bool)
	}
	f.seen[line] = true
	f.all = append(f.all, errors.New(line))
}

// err gives the faults. Where the caller gave up, what came after says nothing
// about the server.
func (f *faults) err(ctx context.Context) error {
	if err := interrupted(ctx); err != nil {
		return fmt.Errorf("%s: %w", settingURL, err)
	}
	return errors.Join(f.all...)
}

// interruption is the end of a caller's context, told without what the driver
// made of it.
type interruption struct{ cause error }

func (interruption) Error() string   { return "interrupted" }
func (i interruption) Unwrap() error { return i.cause }

// interrupted gives an error where the caller gave up.
func interrupted(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return interruption{ctx.Err()}
}

// Probe looks an outside PostgreSQL over before anything is changed and tells
// all faults at once, each in a line that names the setting, what is wrong and
// how to mend it, never a password.
func Probe(ctx context.Context, s Settings) error {
	connString, err := Outside(s)
	if err != nil {
		return err
	}
	var f faults
	owner, ok := probeOwner(ctx, &f, s, connString(OwnerRole))
	for _, role := range []string{AppRole, SystemRole} {
		setting := s.settingOf(role)
		if setting == settingURL && !(ok && owner.acts[role]) {
			continue // told already, or about to be made
		}
		if ok && !owner.there[role] {
			f.add("%s: role %s is missing: CREATE ROLE %[2]s LOGIN PASSWORD '…'", setting, role)
			continue
		}
		probeRole(ctx, &f, s, setting, role, connString(role), false)
	}
	return f.err(ctx)
}

// ProbeRoles looks the plain roles over on a migrated database, embedded or
// outside: that the connections are theirs, that they can't side-step a
// privilege or the walls between tenants, that they have what they need, and
// that what they commit lasts.
func ProbeRoles(ctx context.Context, s Settings, connString func(role string) string) error {
	var f faults
	for _, role := range []string{AppRole, SystemRole} {
		probeRole(ctx, &f, s, s.settingOf(role), role, connString(role), true)
	}
	return f.err(ctx)
}

// dial makes a connection to be asked questions on; a failure is a fault.
func dial(ctx context.Context, f *faults, s Settings, setting, connString string) (*pgx.Conn, bool) {
	conn, err := connect(ctx, connString, s.log())
	if err != nil {
		f.add("%s: %s", setting, unreached(err))
		return nil, false
	}
	return conn, true
}

// ownerState is what the login of DATABASE_URL has to do with the plain roles.
type ownerState struct{ there, acts map[string]bool }

// probeOwner asks as the login of DATABASE_URL.
func probeOwner(ctx context.Context, f *faults, s Settings, connString string) (ownerState, bool) {
	state := ownerState{there: map[string]bool{}, acts: map[string]bool{}}
	conn, ok := dial(ctx, f, s, settingURL, connString)
	if !ok {
		return state, false
	}
	defer conn.Close(context.WithoutCancel(ctx))
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	if !probeServer(ctx, f, settingURL, conn) {
		return state, false
	}
	var login, database, schema string
	var made, mine, creates bool
	err := conn.QueryRow(ctx, `
		SELECT session_user, current_database(), coalesce(current_schema(), ''),
		       coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)`).Scan(&login, &database, &schema, &creates)
	if err == nil {
		err = conn.QueryRow(ctx, schemaOwner).Scan(&made, &mine)
	}
	if err != nil {
		f.add("%s: the server does not answer as PostgreSQL does: %s", settingURL, oneLine(err))
		return state, false
	}
	migrates := !made || mine
	switch {
	case migrates && schema == "":
		f.add("%s: no schema of the search_path exists or may be used by %s: GRANT USAGE, CREATE ON SCHEMA public TO %[2]s", settingURL, login)
	case migrates && !creates:
		f.add("%s: %s may not create tables in schema %s of database %s: GRANT CREATE ON SCHEMA %[3]s TO %[2]s, or run `happening migrate` as the owner", settingURL, login, schema, database)
	}
	for _, role := range []string{AppRole, SystemRole} {
		var there, makes, acts bool
		if err := conn.QueryRow(ctx, roleState, role).Scan(&there, &makes, &acts); err != nil {
			f.add("%s: roles can't be looked up: %s", settingURL, oneLine(err))
			return state, false
		}
		state.there[role], state.acts[role] = there, acts
		switch {
		case !there && !(makes && migrates):
			f.add("%s: role %s is missing and %s may not create it; let an administrator run: %s", settingURL, role, login, makeRole(role, login))
		case there && !acts && s.settingOf(role) == settingURL && !mayGrant(ctx, conn, role):
			f.add("%s: %s may not act as %s: GRANT %[3]s TO %[2]s, or set %[4]s to a login of that role",
				settingURL, login, role, map[string]string{AppRole: settingAppURL, SystemRole: settingSystemURL}[role])
		}
	}
	if migrates {
		if pooled, _ := spread(ctx, conn, connString); pooled {
			f.add("%s goes through a pooler that gives every transaction another connection; migrations need one of their own: name the server itself here, and the pooler in %s and %s", settingURL, settingAppURL, settingSystemURL)
		}
	}
	return state, true
}

// mayGrant says whether the migration can make the login a member of the role:
// until version 15 whoever creates roles may, since 16 whoever has the role
// with its admin option.
func mayGrant(ctx context.Context, conn *pgx.Conn, role string) bool {
	var may bool
	err := conn.QueryRow(ctx, `
		SELECT r.rolsuper
		    OR r.rolcreaterole AND current_setting('server_version_num')::int < 160000
		    OR pg_has_role(session_user, to_regrole($1), 'MEMBER WITH ADMIN OPTION')
		FROM pg_roles r WHERE r.rolname = current_user`, role).Scan(&may)
	return err == nil && may
}

// probeServer asks what doesn't depend on who asks; false: not worth asking
// any more.
func probeServer(ctx context.Context, f *faults, setting string, conn *pgx.Conn) bool {
	before := time.Now()
	var number int
	var version, encoding string
	var standby, readOnly bool
	var theirs time.Time
	err := conn.QueryRow(ctx, `
		SELECT current_setting('server_version_num')::int, current_setting('server_version'),
		       current_setting('server_encoding'), pg_is_in_recovery(), current_setting('transaction_read_only')::bool, clock_timestamp()`).
		Scan(&number, &version, &encoding, &standby, &readOnly, &theirs)
	if err != nil {
		f.add("%s: the server does not answer as PostgreSQL does: %s", setting, oneLine(err))
		return false
	}
	ours := before.Add(time.Since(before) / 2)
	if number < minVersion {
		f.add("%s: this is PostgreSQL %s, and version 15 or newer is needed: upgrade the server", setting, version)
		return false
	}
	if standby {
		f.add("%s: this server is a standby, which takes no bookings: name the primary, or several hosts with target_session_attrs=read-write", setting)
		return false
	}
	if readOnly {
		f.add("%s: transactions only read here, and bookings are written: set default_transaction_read_only=off for the server, the database and the role", setting)
	}
	if encoding != "UTF8" {
		f.add("%s: the database's encoding is %s: make one with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0", setting, encoding)
	}
	if apart := theirs.Sub(ours); apart > clockTolerance || apart < -clockTolerance {
		f.add("%s: the server's clock is %s away from ours: set both by NTP", setting, apart.Round(time.Second))
	}
	return true
}

// probeRole asks as a plain role; walls, whether a schema of this binary also
// has its walls.
func probeRole(ctx context.Context, f *faults, s Settings, setting, role, connString string, walls bool) {
	conn, ok := dial(ctx, f, s, setting, connString)
	if !ok {
		return
	}
	defer conn.Close(context.WithoutCancel(ctx))
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	if !probeServer(ctx, f, setting, conn) {
		return
	}
	var user string
	var above bool
	if err := conn.QueryRow(ctx, `SELECT current_user, rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user`).
		Scan(&user, &above); err != nil {
		f.add("%s: %s", setting, oneLine(err))
		return
	}
	switch {
	case user != role && setting == settingURL:
		f.add("%s: connections asked to act as %s act as %s: something between, such as a pooler, drops startup options; set %s and %s to logins of the two roles", setting, role, user, settingAppURL, settingSystemURL)
		return
	case user != role:
		f.add("%s: it is a login of %s, and has to be one of %s", setting, user, role)
		return
	case above:
		f.add("%s: role %s is a superuser or bypasses row level security: ALTER ROLE %[2]s NOSUPERUSER NOBYPASSRLS", setting, role)
	}
	if !s.Volatile {
		probeDurable(ctx, f, setting, role, conn)
	}
	probePrivileges(ctx, f, setting, role, conn)
	if walls {
		probeWalls(ctx, f, setting, role, conn)
	}
	if cfg, err := poolConfig(connString, "happening", appShare); err == nil && keepsStatements(cfg.ConnConfig) {
		if pooled, statements := spread(ctx, conn, connString); pooled && !statements {
			f.add("%s goes through a pooler that does not keep prepared statements: add default_query_exec_mode=cache_describe to the address", setting)
		}
	}
}

// probeDurable asks whether what the role commits outlives a power cut. The
// settings are asked for as the role sees them, since a role or a database may
// have its own.
func probeDurable(ctx context.Context, f *faults, setting, role string, conn *pgx.Conn) {
	var fsync, pages, commit, standbys string
	if err := conn.QueryRow(ctx, `
		SELECT current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_commit'),
		       current_setting('synchronous_standby_names')`).Scan(&fsync, &pages, &commit, &standbys); err != nil {
		f.add("%s: %s", setting, oneLine(err))
		return
	}
	if fsync != "on" {
		f.add("the server of %s runs with fsync=%s, which loses bookings with the power: set fsync=on in postgresql.conf and restart it", setting, fsync)
	}
	if pages != "on" {
		f.add("the server of %s runs with full_page_writes=%s, which can ruin tables with the power: set full_page_writes=on and reload", setting, pages)
	}
	if commit == "off" || commit == "local" && standbys != "" {
		f.add("%s: %s runs with synchronous_commit=%s, which acknowledges bookings that can be lost: ALTER ROLE %[2]s SET synchronous_commit = on, and look at the server's, the database's and the address's own setting", setting, role, commit)
	}
}

// The privileges that are looked at on a migrated database: one of each kind
// that a grant, or a missing one, was seen to get wrong.
var (
	needed = map[string][][2]string{
		AppRole: {{"events", "SELECT"}, {"events", "UPDATE"}, {"bookings", "SELECT"}, {"sessions", "SELECT"}, {"audit_log", "INSERT"}},
		SystemRole: {{"events", "UPDATE"}, {"bookings", "INSERT"}, {"booking_seats", "UPDATE"}, {"booking_history", "INSERT"},
			{"event_changes", "DELETE"}, {"outbox", "UPDATE"}, {"leases", "UPDATE"}, {"replicas", "DELETE"}, {"installation", "SELECT"}, {"sessions", "INSERT"}},
	}
	// appendOnly may only be added to, by either role.
	appendOnly = []string{"booking_history", "audit_log"}
)

// probePrivileges asks whether the role has what it needs and not what it must
// not have. Tables that a migration has yet to make are no fault.
func probePrivileges(ctx context.Context, f *faults, setting, role string, conn *pgx.Conn) {
	var made, usable bool
	err := conn.QueryRow(ctx, `
		SELECT EXISTS (SELECT FROM pg_class WHERE relname = 'goose_db_version'),
		       coalesce(has_schema_privilege(current_schema(), 'USAGE') AND to_regclass('goose_db_version') IS NOT NULL, false)`).Scan(&made, &usable)
	if err != nil {
		f.add("%s: %s", setting, oneLine(err))
		return
	}
	if !made {
		return
	}
	if !usable {
		f.add("%s: %s doesn't see the tables: GRANT USAGE ON SCHEMA … TO %[2]s, and let its search_path name that schema", setting, role)
		return
	}
	for _, n := range needed[role] {
		var has bool
		err := conn.QueryRow(ctx, `SELECT coalesce(has_table_privilege(to_regclass($1), $2), true)`, n[0], n[1]).Scan(&has)
		if err != nil || !has {
			f.add("%s: %s has no %s on table %s: GRANT %[3]s ON %[4]s TO %[2]s", setting, role, n[1], n[0])
		}
	}
	for _, table := range appendOnly {
		var has bool
		err := conn.QueryRow(ctx, `SELECT coalesce(has_table_privilege(to_regclass($1), 'UPDATE') OR has_table_privilege(to_regclass($1), 'DELETE'), false)`, table).Scan(&has)
		if err != nil || has {
			f.add("%s: %s may change table %s, which can only be appended to: REVOKE UPDATE, DELETE ON %[3]s FROM %[2]s, and take it out of roles that may", setting, role, table)
		}
	}
}

// spread says whether a pooler stands between that gives each transaction of
// one connection another one of the server's, and whether prepared statements
// outlive that nevertheless. A pooler is suspected where the connection's
// process isn't the server's; two connections then show how it deals: the
// second takes the server's connection that the first has just left, or the
// first moves on to another.
func spread(ctx context.Context, first *pgx.Conn, connString string) (pooled, statements bool) {
	was := backend(ctx, first)
	if was == 0 || was == first.PgConn().PID() {
		return false, true
	}
	second, err := connect(ctx, connString, slog.New(slog.DiscardHandler))
	if err != nil {
		return false, true
	}
	defer second.Close(context.WithoutCancel(ctx))
	if _, err := second.Exec(ctx, "BEGIN"); err != nil {
		return true, true // one that knows no transactions at all; the rest will tell
	}
	// While the second has the only connection of a small pooler, the first
	// must not ask.
	pooled = backend(ctx, second) == was || backend(ctx, first) != was
	_, _ = second.Exec(ctx, "ROLLBACK")
	if !pooled {
		return false, true
	}
	name := "happening_probe_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	both := []*pgx.Conn{first, second}
	for _, c := range both {
		if _, err := c.PgConn().Prepare(ctx, name, "SELECT 1", nil); stateOf(err, codeStatementHere) {
			return true, false
		}
	}
	for range spreadRounds {
		for _, c := range both {
			if stateOf(c.PgConn().ExecPrepared(ctx, name, nil, nil, nil).Read().Err, codeNoStatement) {
				return true, false
			}
		}
	}
	return true, true
}

// spreadRounds is how often prepared statements are tried on a pooler that
// deals its connections in turn.
const spreadRounds = 4

// backend gives the server's process behind a connection; 0: not to be had.
func backend(ctx context.Context, c *pgx.Conn) (pid uint32) {
	_ = c.QueryRow(ctx, "SELECT pg_backend_pid()", pgx.QueryExecModeSimpleProtocol).Scan(&pid)
	return pid
}

func stateOf(err error, code string) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == code
}

// unreached says why a connection could not be made, and how to mend it.
func unreached(err error) string {
	var connect *pgconn.ConnectError
	where, login, database := "the server", "the login", "the database"
	if errors.As(err, &connect) {
		c := connect.Config
		where = net.JoinHostPort(c.Host, fmt.Sprint(c.Port))
		login, database = c.User, c.Database
		if database == "" {
			database = c.User
		}
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return refused(pg, where, login, database)
	}
	var (
		unknownCA x509.UnknownAuthorityError
		hostname  x509.HostnameError
		invalid   x509.CertificateInvalidError
		verify    *tls.CertificateVerificationError
		dns       *net.DNSError
	)
	switch {
	case errors.As(err, &unknownCA):
		return fmt.Sprintf("the certificate of %s is not signed by a trusted authority: name the server's CA in sslrootcert", where)
	case errors.As(err, &hostname):
		return fmt.Sprintf("the certificate of %s is not for that name: name the server as its certificate does, or use sslmode=verify-ca", where)
	case errors.As(err, &invalid), errors.As(err, &verify):
		return fmt.Sprintf("the certificate of %s is not valid (%s)", where, oneLine(err))
	case strings.Contains(err.Error(), "server refused TLS"):
		return fmt.Sprintf("%s speaks no TLS: turn ssl on at the server, or set sslmode=disable on a network that is safe", where)
	case errors.As(err, &dns):
		return fmt.Sprintf("there is no host %s: mend the name or the DNS", dns.Name)
	case errors.Is(err, context.DeadlineExceeded), pgconn.Timeout(err):
		return fmt.Sprintf("%s did not answer in time: mend host and port, or let the firewall pass it", where)
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return fmt.Sprintf("no PostgreSQL answers at %s (%s): start it, or mend host and port", where, op.Err)
	}
	return fmt.Sprintf("no connection to %s: %s", where, oneLine(err))
}

// refused says what a server means that lets nobody in.
func refused(pg *pgconn.PgError, where, login, database string) string {
	switch {
	case pg.Code == codeWrongPassword:
		return fmt.Sprintf("%s does not accept the password of %s: mend it (special characters %%-escaped), or ALTER ROLE %[2]s PASSWORD '…'", where, login)
	case pg.Code == codeNotLetIn:
		return fmt.Sprintf("%s does not let %s in (%s): add a line to pg_hba.conf, or mend user and sslmode", where, login, pg.Message)
	case pg.Code == codeNoDatabase:
		return fmt.Sprintf("database %s does not exist at %s: CREATE DATABASE %[1]s ENCODING 'UTF8' TEMPLATE template0 OWNER %[3]s", database, where, login)
	case pg.Code == codeNoConnection:
		return fmt.Sprintf("%s has no connection free (%s): raise max_connections, or bound ours with pool_max_conns", where, pg.Message)
	case pg.Code == codeStarting:
		return fmt.Sprintf("%s is still starting (%s): try again", where, pg.Message)
	case strings.Contains(pg.Message, "startup parameter"):
		return fmt.Sprintf("%s is a pooler that takes no startup options (%s): set %s and %s to logins of %s and %s", where, pg.Message, settingAppURL, settingSystemURL, AppRole, SystemRole)
	case (pg.Code == codeNoPrivilege || pg.Code == codeBadParameter) && strings.Contains(pg.Message, "role"):
		return fmt.Sprintf("%s may not act as a plain role (%s): GRANT %s, %s TO %[1]s", login, pg.Message, AppRole, SystemRole)
	default:
		return fmt.Sprintf("%s refuses %s: %s (SQLSTATE %s)", where, login, oneLine(errors.New(pg.Message)), pg.Code)
	}
}

// oneLine is an error's text without line breaks.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// flat is an error that is told in one line, whatever the driver made of it.
type flat struct{ error }

func (f flat) Error() string { return oneLine(f.error) }
func (f flat) Unwrap() error { return f.error }

// inOneLine gives the same error with a text of one line.
func inOneLine(err error) error {
	if err == nil {
		return nil
	}
	return flat{err}
}
