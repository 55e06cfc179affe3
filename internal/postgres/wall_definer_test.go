package postgres_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"happening/internal/postgres"
	"happening/internal/testkit"
)

// ownersFunctions run with their owner's rights; who else may call them.
var ownersFunctions = map[string][]string{
	"refuse_erased()":               nil, // a trigger calls it for everybody
	"forget_keys(uuid)":             {postgres.SystemRole},
	"inherit_history(uuid)":         {postgres.SystemRole},
	"waiting_position(uuid,bigint)": {postgres.AppRole},
	"app_role()":                    {postgres.AppRole},
	"events_found(tsquery,integer)": {postgres.AppRole},
	"events_matching(text[],uuid,text,timestamp with time zone,uuid,timestamp with time zone,integer)": {postgres.AppRole},
}

// TestOwnersFunctionsAreFewAndFixed looks at the catalogue, so that whoever
// adds one says who may call it.
func TestOwnersFunctionsAreFewAndFixed(t *testing.T) {
	t.Parallel()
	db := testkit.NewDB(t)
	rows, err := db.System.Query(t.Context(), `
		SELECT p.oid::regprocedure::text, coalesce('search_path=public, pg_temp' = ANY (p.proconfig), false),
		       ARRAY(SELECT coalesce(r.rolname, 'public') FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
		             LEFT JOIN pg_roles r ON r.oid = a.grantee WHERE a.grantee <> p.proowner ORDER BY 1)::text[]
		FROM pg_proc p
		WHERE p.prosecdef AND p.pronamespace = 'public'::regnamespace`)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	var function string
	var fixed bool
	var callers []string
	if _, err := pgx.ForEachRow(rows, []any{&function, &fixed, &callers}, func() error {
		seen++
		want, listed := ownersFunctions[function]
		if !listed {
			t.Errorf("function %s runs with its owner's rights and is not in the list: who has to call it?", function)
		}
		if !fixed {
			t.Errorf("function %s: SET search_path to its schema and, last, pg_temp", function)
		}
		if !slices.Equal(callers, want) && len(callers)+len(want) > 0 {
			t.Errorf("function %s may be called by %v instead of %v", function, callers, want)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if seen != len(ownersFunctions) {
		t.Errorf("%d functions instead of %d", seen, len(ownersFunctions))
	}
}

// bait is a view that stands where a table is looked for, and a function that
// tells as whom it runs. The rows of the view are the session's own, so that
// nothing but the name of the table is needed.
var bait = []string{
	`CREATE FUNCTION pg_temp.spy() RETURNS boolean LANGUAGE plpgsql AS $$
		BEGIN PERFORM set_config('spy.ran_as', current_user::text, false); RETURN true; END $$`,
	`CREATE TEMP TABLE lured AS SELECT app_user() AS id`,
	`CREATE TEMP VIEW users AS SELECT id, $erased$::timestamptz AS erased_at FROM lured WHERE pg_temp.spy()`,
	`GRANT ALL ON lured, users TO PUBLIC`,
}

// TestNobodyBecomesTheOwner plays a role that has the owner read its own view,
// and by that run its own code.
func TestNobodyBecomesTheOwner(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ role, function, erased, attack string }{
		{postgres.AppRole, "refuse_erased()", "NULL",
			`INSERT INTO notification_preferences (user_id, type, channel, wanted) VALUES (app_user(), 'event_cancelled', 'email', false)`},
		{postgres.SystemRole, "forget_keys(uuid)", "now()", `SELECT forget_keys(app_user())`},
	} {
		t.Run(tt.function, func(t *testing.T) {
			t.Parallel()
			w := newWalled(t)
			owner, err := pgx.Connect(t.Context(), w.ConnString(postgres.OwnerRole))
			if err != nil {
				t.Fatal(err)
			}
			defer owner.Close(context.WithoutCancel(t.Context()))
			own := func(sql string) {
				if _, err := owner.Exec(t.Context(), sql); err != nil {
					t.Fatalf("%s: %v", sql, err)
				}
			}
			// As where the database isn't the owner's, and the path has to hold alone.
			own(`GRANT TEMPORARY ON DATABASE ` + pgx.Identifier{owner.Config().Database}.Sanitize() + ` TO PUBLIC`)
			own(`UPDATE booking_history SET idempotency_key = 'key' WHERE idempotency_key IS NULL`)
			attack := func() string {
				conn, err := pgx.Connect(t.Context(), w.ConnString(tt.role))
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close(context.WithoutCancel(t.Context()))
				if _, err := conn.Exec(t.Context(), `SELECT set_config('app.user', $1, false)`, idOf("A.booker").String()); err != nil {
					t.Fatal(err)
				}
				for _, sql := range append(slices.Clone(bait), tt.attack) {
					if _, err := conn.Exec(t.Context(), strings.ReplaceAll(sql, "$erased$", tt.erased)); err != nil {
						t.Fatalf("%s: %v", sql, err)
					}
				}
				ranAs, err := setting(t.Context(), conn, "spy.ran_as")
				if err != nil {
					t.Fatal(err)
				}
				return ranAs
			}
			if ranAs := attack(); ranAs != "" {
				t.Errorf("code of %s ran as %s", tt.role, ranAs)
			}
			// The control: the path as it was before.
			w.exec(`DELETE FROM notification_preferences WHERE user_id = $1`, idOf("A.booker"))
			own(`ALTER FUNCTION ` + tt.function + ` SET search_path = public`)
			if ranAs := attack(); ranAs != postgres.OwnerRole {
				t.Errorf("on the path of before, code ran as %q; the test shows nothing", ranAs)
			}
		})
	}
}

// TestNobodyMakesTemporaryTables looks at a database that was migrated and not
// copied from one, since a copy doesn't take privileges of a database along.
func TestNobodyMakesTemporaryTables(t *testing.T) {
	g := newGuarded(t)
	g.admin("postgres", "CREATE ROLE acme LOGIN CREATEROLE PASSWORD 's3cret'", "CREATE DATABASE acme OWNER acme",
		"CREATE DATABASE shared", "GRANT CREATE ON DATABASE shared TO acme")
	g.admin("shared", "GRANT CREATE ON SCHEMA public TO acme")
	for database, may := range map[string]bool{"acme": false, "shared": true} {
		owner := postgres.Settings{URL: g.url("acme", "s3cret", database)}
		connString := outside(t, owner)
		if err := postgres.EnsureSchema(t.Context(), connString, newTold().log()); err != nil {
			t.Fatal(err)
		}
		if err := postgres.ProbeRoles(t.Context(), owner, connString); err != nil {
			t.Error(err)
		}
		conn, err := pgx.Connect(t.Context(), connString(postgres.AppRole))
		if err != nil {
			t.Fatal(err)
		}
		_, err = conn.Exec(t.Context(), "CREATE TEMP TABLE bait (id int)")
		var pg *pgconn.PgError
		if refused := errors.As(err, &pg) && pg.Code == "42501"; refused == may || err != nil && !refused {
			t.Errorf("%s: a temporary table: %v", database, err)
		}
		_ = conn.Close(context.WithoutCancel(t.Context()))
	}
}
