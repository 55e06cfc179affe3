package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"happening/internal/pgserver"
	"happening/internal/postgres"
	"happening/internal/testkit"
)

// guarded is a cluster that asks for passwords and waits for the disk, as an
// organization's own does.
type guarded struct {
	t    *testing.T
	host string
}

func newGuarded(t *testing.T) *guarded {
	t.Helper()
	dir, err := os.MkdirTemp("", "happening-guarded-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil { // PostgreSQL's user passes through
		t.Fatal(err)
	}
	hba := filepath.Join(dir, "hba.conf")
	if err := os.WriteFile(hba, []byte("local all happening trust\nlocal all all scram-sha-256\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	server, err := pgserver.Start(t.Context(), pgserver.Options{DataDir: filepath.Join(dir, "data"), DataDirSet: true,
		Settings: map[string]string{"hba_file": hba, "shared_buffers": "32MB"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop(context.Background()) })
	cfg, err := pgconn.ParseConfig(server.ConnString("happening"))
	if err != nil {
		t.Fatal(err)
	}
	return &guarded{t: t, host: cfg.Host}
}

// url is the address of a database for a login with its password.
func (g *guarded) url(login, password, database string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(login, password), Path: "/" + database, RawQuery: "host=" + url.QueryEscape(g.host)}
	return u.String()
}

// admin runs a statement as a superuser.
func (g *guarded) admin(database string, statements ...string) {
	g.t.Helper()
	conn, err := pgx.Connect(context.Background(), g.url("happening", "", database))
	if err != nil {
		g.t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for _, sql := range statements {
		if _, err := conn.Exec(context.Background(), sql); err != nil {
			g.t.Fatalf("%s: %v", sql, err)
		}
	}
}

// faults expects one line for each of the texts, and no other, and never a
// password.
func (g *guarded) faults(s postgres.Settings, want ...string) {
	g.t.Helper()
	lines := tell(postgres.Probe(context.Background(), s))
	if len(lines) != len(want) {
		g.t.Errorf("%d lines instead of %d:\n%s", len(lines), len(want), strings.Join(lines, "\n"))
	}
	for _, w := range want {
		if !strings.Contains(strings.Join(lines, "\n"), w) {
			g.t.Errorf("%q is not told:\n%s", w, strings.Join(lines, "\n"))
		}
	}
	if strings.Contains(strings.Join(lines, "\n"), "s3cret") {
		g.t.Errorf("a password is told:\n%s", strings.Join(lines, "\n"))
	}
}

// TestProbeTellsWhatIsWrongAndHowToMendIt follows an administrator who sets a
// cluster up with one mistake after another.
func TestProbeTellsWhatIsWrongAndHowToMendIt(t *testing.T) {
	g := newGuarded(t)
	ctx := t.Context()
	owner := postgres.Settings{URL: g.url("acme", "s3cret", "acme")}

	g.faults(postgres.Settings{URL: "postgres://acme:s3cret@127.0.0.1:1/acme"}, "DATABASE_URL: no PostgreSQL answers at 127.0.0.1:1 (")
	g.faults(postgres.Settings{URL: "postgres://acme:s3cret@no-such-host.invalid/acme"}, "DATABASE_URL: there is no host no-such-host.invalid")
	g.admin("postgres", "CREATE ROLE acme LOGIN PASSWORD 's3cret'")
	g.faults(postgres.Settings{URL: g.url("acme", "wr0ng", "acme")}, "does not accept the password of acme")
	g.faults(owner, "database acme does not exist")

	g.admin("postgres", "CREATE DATABASE acme", "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0 OWNER acme")
	g.faults(postgres.Settings{URL: g.url("acme", "s3cret", "latin")}, "encoding is LATIN1",
		"role happening_app is missing and acme may not create it; let an administrator run: CREATE ROLE \"happening_app\" LOGIN; GRANT \"happening_app\" TO \"acme\"",
		"role happening_system is missing")
	g.faults(owner, "acme may not create tables in schema public of database acme: GRANT CREATE ON SCHEMA public TO acme",
		"role happening_app is missing", "role happening_system is missing")
	if err := postgres.Migrate(ctx, owner.URL); err == nil || !strings.Contains(err.Error(), "let an administrator run: CREATE ROLE") {
		t.Errorf("migrating without roles: %v", err)
	}

	// An owner who may create roles is no superuser, and migrates.
	g.admin("postgres", "ALTER ROLE acme CREATEROLE", "ALTER DATABASE acme OWNER TO acme")
	g.faults(owner)
	connString := outside(t, owner)
	if err := postgres.EnsureSchema(ctx, connString, newTold().log()); err != nil {
		t.Fatal(err)
	}
	g.faults(owner)
	if err := postgres.ProbeRoles(ctx, owner, connString); err != nil {
		t.Error(err)
	}

	// Roles that are there, and an owner who was not put into them.
	g.admin("postgres", "ALTER ROLE acme NOCREATEROLE", "REVOKE happening_app FROM acme")
	g.faults(owner, "acme may not act as happening_app: GRANT happening_app TO acme, or set DATABASE_APP_URL")
	g.admin("postgres", "ALTER ROLE happening_app PASSWORD 's3cret'", "ALTER ROLE happening_system PASSWORD 's3cret'")
	own := owner
	own.AppURL = g.url("happening_app", "s3cret", "acme")
	g.faults(own)
	own.SystemURL = g.url("happening_app", "s3cret", "acme")
	g.faults(own, "DATABASE_SYSTEM_URL: it is a login of happening_app, and has to be one of happening_system")
	own.SystemURL = g.url("happening_system", "wr0ng", "nowhere")
	own.URL = g.url("acme", "wr0ng", "acme")
	own.AppURL = "postgres://happening_app:s3cret@127.0.0.1:1/acme"
	g.faults(own, "DATABASE_URL: ", "DATABASE_APP_URL: no PostgreSQL", "DATABASE_SYSTEM_URL: ")
	g.admin("postgres", "GRANT happening_app TO acme")
	g.faults(owner)
}

func TestProbeTellsWhatLosesOrLeaks(t *testing.T) {
	g := newGuarded(t)
	g.admin("postgres", "CREATE ROLE acme LOGIN CREATEROLE PASSWORD 's3cret'", "CREATE DATABASE acme OWNER acme")
	owner := postgres.Settings{URL: g.url("acme", "s3cret", "acme")}
	if err := postgres.EnsureSchema(t.Context(), outside(t, owner), newTold().log()); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		fault, mended string
		want          []string
	}{
		{"ALTER ROLE acme SET synchronous_commit = off", "ALTER ROLE acme RESET synchronous_commit",
			[]string{"happening_app runs with synchronous_commit=off", "happening_system runs with synchronous_commit=off"}},
		{"ALTER DATABASE acme SET synchronous_commit = off", "ALTER DATABASE acme RESET synchronous_commit",
			[]string{"happening_app runs with synchronous_commit=off", "happening_system runs with synchronous_commit=off"}},
		{"ALTER ROLE happening_app BYPASSRLS", "ALTER ROLE happening_app NOBYPASSRLS", []string{"ALTER ROLE happening_app NOSUPERUSER NOBYPASSRLS"}},
		{"REVOKE SELECT ON bookings FROM happening_app", "GRANT SELECT ON bookings TO happening_app", []string{"GRANT SELECT ON bookings TO happening_app"}},
		{"GRANT DELETE ON audit_log TO happening_system", "REVOKE DELETE ON audit_log FROM happening_system", []string{"happening_system may change table audit_log"}},
		{"REVOKE USAGE ON SCHEMA public FROM PUBLIC", "GRANT USAGE ON SCHEMA public TO PUBLIC",
			[]string{"happening_app doesn't see the tables", "happening_system doesn't see the tables"}},
		{"ALTER ROLE acme SET default_transaction_read_only = on", "ALTER ROLE acme RESET default_transaction_read_only",
			[]string{"DATABASE_URL: transactions only read here"}},
		{"ALTER ROLE acme CONNECTION LIMIT 1", "ALTER ROLE acme CONNECTION LIMIT -1", nil}, // one after another
	} {
		t.Run(tt.fault, func(t *testing.T) {
			g := &guarded{t: t, host: g.host}
			g.admin("acme", tt.fault)
			g.faults(owner, tt.want...)
			g.admin("acme", tt.mended)
			g.faults(owner)
		})
	}
}

// TestAStartIsRefusedWhereAWallIsMissing takes one wall after another away from
// a database on which a start was fine.
func TestAStartIsRefusedWhereAWallIsMissing(t *testing.T) {
	g := newGuarded(t)
	g.admin("postgres", "CREATE ROLE acme LOGIN CREATEROLE PASSWORD 's3cret'", "CREATE DATABASE acme OWNER acme")
	owner := postgres.Settings{URL: g.url("acme", "s3cret", "acme")}
	connString := outside(t, owner)
	if err := postgres.EnsureSchema(t.Context(), connString, newTold().log()); err != nil {
		t.Fatal(err)
	}
	booked := uuid.NewString()
	g.admin("acme", fmt.Sprintf(`
		INSERT INTO bookings (id, org_id, event_id, user_id, seats, status, created_at, updated_at)
		SELECT id, id, id, id, 1, 'cancelled', now(), now() FROM (SELECT '%s'::uuid AS id) one`, booked))
	if err := postgres.ProbeRoles(t.Context(), owner, connString); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		fault, mended string
		want          []string
	}{
		{"ALTER ROLE happening_app BYPASSRLS", "ALTER ROLE happening_app NOBYPASSRLS",
			[]string{"happening_app is a superuser or bypasses", "happening_app sees bookings without saying for whom"}},
		{"ALTER ROLE happening_system BYPASSRLS", "ALTER ROLE happening_system NOBYPASSRLS", []string{"happening_system is a superuser or bypasses"}},
		{"ALTER ROLE happening_system SUPERUSER", "ALTER ROLE happening_system NOSUPERUSER",
			[]string{"happening_system is a superuser or bypasses", "happening_system owns tables", "may change table booking_history", "may change table audit_log"}},
		{"GRANT happening_system TO happening_app", "REVOKE happening_system FROM happening_app",
			[]string{"happening_app is a member of happening_system", "happening_app sees bookings without"}},
		{"ALTER TABLE notifications OWNER TO happening_app", "ALTER TABLE notifications OWNER TO acme", []string{"happening_app owns tables"}},
		{"ALTER TABLE bookings DISABLE ROW LEVEL SECURITY", "ALTER TABLE bookings ENABLE ROW LEVEL SECURITY",
			[]string{"table bookings has no row level security", "happening_app sees bookings without"}},
		{"ALTER TABLE events NO FORCE ROW LEVEL SECURITY", "ALTER TABLE events FORCE ROW LEVEL SECURITY", []string{"table events has no row level security"}},
		{"CREATE TABLE later (id int, org_id uuid)", "DROP TABLE later",
			[]string{"table later has no row level security", "table later has no policy for happening_app", "table later has no policy for happening_system"}},
		{"ALTER FUNCTION forget_keys(uuid) SET search_path = public", "ALTER FUNCTION forget_keys(uuid) SET search_path = public, pg_temp",
			[]string{"function forget_keys(uuid) runs with its owner's rights"}},
		{"ALTER FUNCTION refuse_erased() RESET ALL", "ALTER FUNCTION refuse_erased() SET search_path = public, pg_temp",
			[]string{"function refuse_erased() runs with its owner's rights"}},
		{"ALTER FUNCTION app_role() SET search_path = pg_temp, public", "ALTER FUNCTION app_role() SET search_path = public, pg_temp",
			[]string{"function app_role() runs with its owner's rights"}},
		{"CREATE POLICY too_wide ON bookings FOR SELECT TO PUBLIC USING (true)", "DROP POLICY too_wide ON bookings", []string{"happening_app sees bookings without"}},
		{"ALTER ROLE acme SET app.\"user\" = '" + booked + "'", "ALTER ROLE acme RESET app.\"user\"", []string{"happening_app sees bookings without"}},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			g := &guarded{t: t, host: g.host}
			g.admin("acme", tt.fault)
			lines := tell(postgres.ProbeRoles(t.Context(), owner, connString))
			told := strings.Join(lines, "\n")
			if len(lines) != len(tt.want) {
				t.Errorf("%d lines instead of %d:\n%s", len(lines), len(tt.want), told)
			}
			for _, w := range tt.want {
				if !strings.Contains(told, w) {
					t.Errorf("%q is not told:\n%s", w, told)
				}
			}
			g.admin("acme", tt.mended)
			if err := postgres.ProbeRoles(t.Context(), owner, connString); err != nil {
				t.Errorf("mended: %v", err)
			}
		})
	}
}

// TestProbeTellsOfAServerThatForgets looks at the tests' own cluster, which
// usually does not wait for the disk.
func TestProbeTellsOfAServerThatForgets(t *testing.T) {
	db := testkit.NewDB(t)
	var fsync, pages string
	if err := db.System.QueryRow(t.Context(), "SELECT current_setting('fsync'), current_setting('full_page_writes')").Scan(&fsync, &pages); err != nil {
		t.Fatal(err)
	}
	s := postgres.Settings{URL: db.ConnString("happening")}
	err := postgres.Probe(t.Context(), s)
	for name, value := range map[string]string{"fsync": fsync, "full_page_writes": pages} {
		if line := fmt.Sprintf("runs with %s=off", name); (value == "off") != (err != nil && strings.Contains(err.Error(), line)) {
			t.Errorf("%s is %s, told: %v", name, value, err)
		}
	}
	s.Volatile = true
	if err := postgres.Probe(t.Context(), s); err != nil {
		t.Errorf("for tests it is good enough: %v", err)
	}
}

// TestAProbeThatIsInterruptedBlamesNobody looks at a server that would answer,
// and at one that wouldn't.
func TestAProbeThatIsInterruptedBlamesNobody(t *testing.T) {
	db := testkit.NewDB(t)
	given, cancel := context.WithCancel(t.Context())
	cancel()
	for name, told := range map[string]error{
		"a server":  postgres.Probe(given, postgres.Settings{URL: db.ConnString("happening")}),
		"no server": postgres.Probe(given, postgres.Settings{URL: "postgres://own:s3cret@127.0.0.1:1/d"}),
		"the roles": postgres.ProbeRoles(given, postgres.Settings{Volatile: true}, db.ConnString),
		"a start":   postgres.EnsureSchema(given, db.ConnString, newTold().log()),
		"a wait":    db.Await(given, newTold().log()),
	} {
		if told == nil || !errors.Is(told, context.Canceled) || !strings.HasSuffix(told.Error(), ": interrupted") || strings.Contains(told.Error(), "127.0.0.1") {
			t.Errorf("%s: %v", name, told)
		}
	}
}
