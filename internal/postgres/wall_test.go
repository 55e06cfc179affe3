package postgres_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"happening/internal/access"
	"happening/internal/booking"
	"happening/internal/fault"
	"happening/internal/postgres"
	"happening/internal/testkit"
)

var update = flag.Bool("update", false, "write the goldens anew")

// walledTables are the tables with rows of tenants or people, and what names a
// row in them.
var walledTables = map[string]string{
	"users":                    "id::text",
	"user_identities":          "subject",
	"user_audit":               "id::text",
	"sessions":                 "id::text",
	"notification_preferences": "user_id::text",
	"notifications":            "id::text",
	"organizations":            "id::text",
	"organization_users":       "user_id || '@' || org_id",
	"organization_invites":     "id::text",
	"organization_logos":       "org_id::text",
	"events":                   "id::text",
	"bookings":                 "id::text",
	"booking_seats":            "booking_id::text",
	"booking_history":          "id::text",
	"outbox":                   "id::text",
	"audit_log":                "id::text",
	"bookings_for_others":      "id::text",
}

// openTables have no wall, and why.
var openTables = map[string]string{
	"goose_db_version":   "the schema's version; requests only read it",
	"installation":       "the database's name; requests only read it",
	"event_changes":      "read and written by the ledger; requests have no privilege",
	"event_layouts":      "requests have no privilege",
	"event_blocks":       "requests have no privilege",
	"leases":             "requests have no privilege",
	"replicas":           "requests have no privilege",
	"signin_logouts":     "requests have no privilege",
	"mailbox_mails":      "requests have no privilege",
	"idp_accounts":       "requests have no privilege",
	"idp_keys":           "requests have no privilege",
	"idp_auth_requests":  "requests have no privilege",
	"idp_refresh_tokens": "requests have no privilege",
	"idp_mail_tokens":    "requests have no privilege",
	"idp_mail_asks":      "requests have no privilege",
}

// TestEveryTableHasItsWall looks at the catalogue, so that whoever adds a table
// says which it is.
func TestEveryTableHasItsWall(t *testing.T) {
	t.Parallel()
	db := testkit.NewDB(t)
	rows, err := db.System.Query(t.Context(), `
		SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity,
		       ARRAY(SELECT DISTINCT coalesce(r.rolname, 'public') FROM pg_policy p, unnest(p.polroles) o
		             LEFT JOIN pg_roles r ON r.oid = o WHERE p.polrelid = c.oid ORDER BY 1)::text[],
		       ARRAY(SELECT privilege FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) privilege
		             WHERE has_table_privilege($1, c.oid, privilege))::text[]
		FROM pg_class c
		WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')`, postgres.AppRole)
	if err != nil {
		t.Fatal(err)
	}
	var table string
	var walled bool
	var doors, privileges []string
	seen := map[string]bool{}
	_, err = pgx.ForEachRow(rows, []any{&table, &walled, &doors, &privileges}, func() error {
		seen[table] = true
		_, wants := walledTables[table]
		why, open := openTables[table]
		switch {
		case wants == open:
			t.Errorf("table %s is in neither list or in both: does it have rows of tenants or people?", table)
		case wants && !walled:
			t.Errorf("table %s has no wall: ENABLE and FORCE ROW LEVEL SECURITY", table)
		case wants && !slices.Equal(doors, []string{"happening", postgres.AppRole, postgres.SystemRole}):
			t.Errorf("table %s has policies for %v: each needs those for its owner, %s and %s", table, doors, postgres.AppRole, postgres.SystemRole)
		case open && strings.Contains(why, "no privilege") && len(privileges) > 0,
			open && strings.Contains(why, "only read") && !slices.Equal(privileges, []string{"SELECT"}):
			t.Errorf("table %s has no wall (%s), and requests have %v", table, why, privileges)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range []map[string]string{walledTables, openTables} {
		for table := range list {
			if !seen[table] {
				t.Errorf("there is no table %s", table)
			}
		}
	}
}

// TestContextsShowOnlyWhatIsTheirs reads every table whole in each context; the
// golden says which rows each sees.
func TestContextsShowOnlyWhatIsTheirs(t *testing.T) {
	t.Parallel()
	w := newWalled(t)
	names := w.names()
	var told strings.Builder
	told.WriteString("# What SELECT * shows in each context; everything else is not there. See newWalled.\n")
	for _, c := range []struct {
		name string
		who  postgres.Asker
	}{
		{"the public", postgres.Asker{}},
		{"a stranger", postgres.Asker{User: idOf("stranger")}},
		{"nobody who exists", postgres.Asker{User: uuid.New()}},
		{"A's orgAdmin", postgres.Asker{User: idOf("A.admin")}},
		{"A's organizer", postgres.Asker{User: idOf("A.organizer")}},
		{"A's user", postgres.Asker{User: idOf("A.user")}},
		{"who booked at A", postgres.Asker{User: idOf("A.booker")}},
		{"who booked at A as a member and is none any more", postgres.Asker{User: idOf("A.left")}},
		{"C's user", postgres.Asker{User: idOf("C.user")}},
		{"who booked at C before it was suspended", postgres.Asker{User: idOf("C.booker")}},
		{"a user of A who is orgAdmin of B", postgres.Asker{User: idOf("twice")}},
		{"who is invited", postgres.Asker{User: idOf("guest")}},
		{"who claims an invited address", postgres.Asker{User: idOf("unverified")}},
		{"who has a session's secret", postgres.Asker{Token: tokenOf("B.session")}},
		{"who has an invite's secret", postgres.Asker{Token: tokenOf("B.invite")}},
		{"who has a wrong secret", postgres.Asker{Token: []byte("guessed")}},
		{"A's orgAdmin inside A", inside("A", "A.admin", access.OrgWrite)},
		{"A's organizer inside A", inside("A", "A.organizer", access.EventSales)},
		{"A's user inside A", inside("A", "A.user", access.MembersRead)},
		{"A's user inside A, by a role that they don't have", inside("A", "A.user", access.OrgWrite)},
		{"A's orgAdmin inside B", inside("B", "A.admin", access.OrgWrite)},
		{"a user of A who is orgAdmin of B, inside A", inside("A", "twice", access.MembersRead)},
		{"the public inside A", inside("A", "nobody", access.MembersRead)},
	} {
		fmt.Fprintf(&told, "\n%s\n", c.name)
		for _, table := range slices.Sorted(mapKeys(walledTables)) {
			rows, err := w.as(c.who, "SELECT "+walledTables[table]+" FROM "+table)
			var pg *pgconn.PgError
			switch {
			case errors.As(err, &pg) && pg.Code == "42501":
				rows = []string{"refused"}
			case err != nil:
				t.Fatalf("%s: %s: %v", c.name, table, err)
			}
			for i := range rows {
				rows[i] = names.Replace(rows[i])
			}
			slices.Sort(rows)
			if len(rows) > 0 {
				fmt.Fprintf(&told, "  %s: %s\n", table, strings.Join(rows, " "))
			}
		}
	}
	golden := filepath.Join("testdata", "walls.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(told.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || string(want) != told.String() {
		t.Errorf("contexts show something else than %s, %v; look at it well before writing it anew with -update:\n%s", golden, err, told.String())
	}
}

func mapKeys[V any](m map[string]V) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// TestNobodyWritesThroughTheWall tries to change another tenant's rows, without
// a condition and with rows that claim to be the tenant's own.
func TestNobodyWritesThroughTheWall(t *testing.T) {
	t.Parallel()
	w := newWalled(t)
	before := w.rowsOf("B")
	askers := map[string]postgres.Asker{
		"the public":            {},
		"A's orgAdmin":          {User: idOf("A.admin")},
		"A's orgAdmin inside A": inside("A", "A.admin", access.OrgWrite),
		"B's secret":            {Token: tokenOf("B.invite")},
		"B's user":              {User: idOf("B.user")},
	}
	for name, who := range askers {
		for _, sql := range []string{
			"UPDATE organizations SET name = 'taken' WHERE id = $1",
			"DELETE FROM organizations WHERE id = $1",
			"UPDATE organization_users SET role = 'user' WHERE org_id = $1",
			"DELETE FROM organization_users WHERE org_id = $1",
			"INSERT INTO organization_users (org_id, user_id, role) VALUES ($1, '" + idOf("A.booker").String() + "', 'orgAdmin')",
			"UPDATE organization_users SET org_id = $1",
			"UPDATE organization_invites SET status = 'accepted' WHERE org_id = $1",
			"INSERT INTO organization_invites (id, org_id, email, role, invited_by, expires_at) VALUES (gen_random_uuid(), $1, 'x', 'user', $1, now())",
			"DELETE FROM organization_logos WHERE org_id = $1",
			"UPDATE organization_logos SET org_id = $1",
			"UPDATE events SET name = 'taken' WHERE org_id = $1",
			"UPDATE events SET org_id = $1",
			"DELETE FROM events WHERE org_id = $1",
			"INSERT INTO outbox (id, org_id, kind, payload, created_at) VALUES (gen_random_uuid(), $1, 'x', '{}', now())",
			"INSERT INTO audit_log (id, org_id, action, subject_id) VALUES (gen_random_uuid(), $1, 'x', $1)",
			"UPDATE bookings SET status = 'cancelled' WHERE org_id = $1",
			"UPDATE notifications SET read_at = now() WHERE org_id = $1",
			"DELETE FROM sessions WHERE user_id <> coalesce(app_user(), $1)",
			"UPDATE users SET name = 'taken' WHERE id <> coalesce(app_user(), $1)",
			"UPDATE users SET email_verified = true WHERE id <> $1",
			"DELETE FROM notification_preferences WHERE user_id <> coalesce(app_user(), $1)",
			"INSERT INTO notification_preferences (user_id, type, channel, wanted) SELECT '" + idOf("B.organizer").String() + "', 'x', 'app', true WHERE $1::uuid IS NOT NULL",
			"INSERT INTO user_audit (id, user_id, action, issuer, rule, created_at) VALUES ($1, $1, '', '', '', now())",
		} {
			var touched int64
			err := postgres.WriteAs(t.Context(), w.DB.DB, who, func(tx pgx.Tx) error {
				tag, err := tx.Exec(t.Context(), sql, idOf("B.org"))
				touched = tag.RowsAffected()
				return err
			})
			var pg *pgconn.PgError
			if err == nil && touched > 0 || err != nil && !(errors.As(err, &pg) && pg.Code == "42501") {
				t.Errorf("%s: %s: %d rows, %v", name, sql, touched, err)
			}
		}
	}
	if w.rowsOf("B") != before {
		t.Error("rows of B have changed")
	}
	// The same from inside is no matter of walls.
	if err := postgres.WriteAs(t.Context(), w.DB.DB, inside("B", "B.admin", access.OrgWrite), func(tx pgx.Tx) error {
		tag, err := tx.Exec(t.Context(), "UPDATE organizations SET name = 'ours' WHERE id = $1", idOf("B.org"))
		if err == nil && tag.RowsAffected() != 1 {
			return errors.New("nothing was changed")
		}
		return err
	}); err != nil || w.rowsOf("B") == before {
		t.Errorf("B's orgAdmin changes B: %v", err)
	}
}

// TestWhoLostTheirRoleWritesNothing takes a role away between the
// application's check and the write.
func TestWhoLostTheirRoleWritesNothing(t *testing.T) {
	t.Parallel()
	w := newWalled(t)
	who := inside("A", "A.admin", access.OrgWrite)
	ran := false
	write := func() error {
		return postgres.WriteAs(t.Context(), w.DB.DB, who, func(pgx.Tx) error { ran = true; return nil })
	}
	if err := write(); err != nil || !ran {
		t.Fatal(err)
	}
	w.exec(`UPDATE organization_users SET role = 'organizer' WHERE user_id = $1`, idOf("A.admin"))
	ran = false
	if err := write(); !errors.Is(err, fault.ErrForbidden) || ran {
		t.Errorf("a demoted admin: %v, ran: %v", err, ran)
	}
}

// busyRequests is how many requests two connections answer, and busyPeople how
// many people ask at once.
const (
	busyRequests = 10_000
	busyPeople   = 8
)

// TestTenantsTakeTurnsOnTwoConnections lets people of two tenants and visitors
// ask by turns over two connections. Each reads without a condition whose
// bookings there are, so that a context that was left behind would show.
func TestTenantsTakeTurnsOnTwoConnections(t *testing.T) {
	t.Parallel()
	w := newWalled(t)
	db := w.connections(2)
	w.takeTurns(db, busyRequests)
	if held := db.App.Stat().TotalConns(); held > 2 {
		t.Errorf("%d connections", held)
	}
}

// takeTurns lets people ask, by turns, and looks at every answer.
func (w *walled) takeTurns(db *postgres.DB, requests int) {
	t := w.t
	bookings := postgres.NewBookingStore(db)
	turns := []struct {
		who  postgres.Asker
		want string
	}{
		{postgres.Asker{User: idOf("A.booker")}, "A.booked"},
		{postgres.Asker{User: idOf("B.waiter")}, "B.waits"},
		{postgres.Asker{}, ""},
		{inside("A", "A.organizer", access.EventSales), "A.booked A.made A.once A.waits"},
		{postgres.Asker{Token: tokenOf("B.session")}, ""},
		{inside("B", "A.organizer", access.EventSales), "A.booked A.made A.once A.waits"},
		{inside("B", "B.admin", access.OrgWrite), "B.booked B.made B.once B.waits"},
		{postgres.Asker{User: idOf("stranger")}, ""},
	}
	names := w.names()
	var people sync.WaitGroup
	for first := range busyPeople {
		people.Go(func() {
			for i := first; i < requests; i += busyPeople {
				turn := turns[(i+i/busyPeople)%len(turns)]
				if i%5 == 0 { // a method of the application among them
					found, err := bookings.ListByUser(t.Context(), booking.UserQuery{UserID: idOf("B.booker"), Viewer: turn.who.User, Limit: 9}, time.Now())
					runsB := turn.who.User == idOf("B.admin")
					if err != nil || (len(found) > 0) != runsB {
						t.Errorf("request %d: %d bookings at B for %s, %v", i, len(found), names.Replace(turn.who.User.String()), err)
					}
					continue
				}
				rows, err := postgres.TextsAs(t.Context(), db, turn.who, "SELECT id::text FROM bookings ORDER BY created_at, id")
				for n := range rows {
					rows[n] = names.Replace(rows[n])
				}
				slices.Sort(rows)
				if got := strings.Join(rows, " "); err != nil || got != turn.want {
					t.Errorf("request %d: %q instead of %q, %v", i, got, turn.want, err)
				}
			}
		})
	}
	people.Wait()
}

// TestASettingOfTheSessionWouldLeak is the control of the tests above: where
// the context lives as long as the connection, the next one to use it sees what
// is not theirs.
func TestASettingOfTheSessionWouldLeak(t *testing.T) {
	t.Parallel()
	w := newWalled(t)
	db := w.connections(1)
	seen := func() (n int) {
		if err := db.App.QueryRow(t.Context(), `SELECT count(*) FROM bookings`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := seen(); n != 0 {
		t.Fatalf("without a context there are %d bookings", n)
	}
	if _, err := db.App.Exec(t.Context(), `SELECT set_config('app.user', $1, false)`, idOf("A.booker").String()); err != nil {
		t.Fatal(err)
	}
	if n := seen(); n != 1 {
		t.Errorf("a setting of the session shows the next one %d bookings", n)
	}
	// Even then a request that comes the ordinary way begins with nothing.
	if rows, err := postgres.TextsAs(t.Context(), db, postgres.Asker{}, `SELECT id::text FROM bookings`); err != nil || len(rows) != 0 {
		t.Errorf("the public sees %v, %v", rows, err)
	}
}

// TestNoContextIsLeftBehind ends transactions in every way there is and looks
// at what the next one on the connection finds.
func TestNoContextIsLeftBehind(t *testing.T) {
	t.Parallel()
	w := newWalled(t)
	db := w.connections(1)
	who := inside("A", "A.admin", access.OrgWrite)
	given := errors.New("given up")
	for _, tt := range []struct {
		name string
		run  func() error
		want func(error) bool
	}{
		{"read", func() error {
			_, err := postgres.TextsAs(t.Context(), db, who, "SELECT current_setting('app.org')")
			return err
		}, func(err error) bool { return err == nil }},
		{"a read that fails", func() error {
			_, err := postgres.TextsAs(t.Context(), db, who, "SELECT (1/0)::text")
			return err
		}, func(err error) bool { return err != nil }},
		{"a read of an answer of another kind", func() error {
			_, err := postgres.TextsAs(t.Context(), db, who, "SELECT 1, 2 FROM organizations")
			return err
		}, func(err error) bool { return err != nil }},
		{"a read that is given up", func() error {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, err := postgres.TextsAs(ctx, db, who, "SELECT ''")
			return err
		}, func(err error) bool { return errors.Is(err, context.Canceled) }},
		{"a read that is cut off", func() error {
			// The lock is held until the deadline cuts the question off.
			lock, err := w.System.Begin(t.Context())
			if err != nil {
				return err
			}
			defer lock.Rollback(context.WithoutCancel(t.Context()))
			if _, err := lock.Exec(t.Context(), "SELECT pg_advisory_xact_lock(12)"); err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err = postgres.TextsAs(ctx, db, who, "SELECT '' FROM pg_advisory_xact_lock(12)")
			return err
		}, func(err error) bool { return errors.Is(err, context.DeadlineExceeded) }},
		{"a write", func() error {
			return postgres.WriteAs(t.Context(), db, who, func(pgx.Tx) error { return nil })
		}, func(err error) bool { return err == nil }},
		{"a write that gives up", func() error {
			return postgres.WriteAs(t.Context(), db, who, func(pgx.Tx) error { return given })
		}, func(err error) bool { return errors.Is(err, given) }},
		{"a write that fails", func() error {
			return postgres.WriteAs(t.Context(), db, who, func(tx pgx.Tx) error {
				_, err := tx.Exec(t.Context(), "SELECT 1/0")
				return err
			})
		}, func(err error) bool { return err != nil }},
		{"a write that is cut off", func() error {
			ctx, cancel := context.WithCancel(t.Context())
			return postgres.WriteAs(ctx, db, who, func(tx pgx.Tx) error {
				cancel()
				_, err := tx.Exec(ctx, "SELECT 1")
				return err
			})
		}, func(err error) bool { return errors.Is(err, context.Canceled) }},
	} {
		if err := tt.run(); !tt.want(err) {
			t.Errorf("%s: %v", tt.name, err)
		}
		for _, name := range []string{"app.user", "app.org", "app.token"} {
			if value, err := setting(t.Context(), db.App, name); err != nil || value != "" {
				t.Errorf("after %s, %s is %q, %v", tt.name, name, value, err)
			}
		}
		var n int
		if err := db.App.QueryRow(t.Context(), `SELECT count(*) FROM bookings`).Scan(&n); err != nil || n != 0 {
			t.Errorf("after %s, there are %d bookings, %v", tt.name, n, err)
		}
	}
}
