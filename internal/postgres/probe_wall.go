package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// walledTables are the tables that row level security has to guard: those with
// rows of tenants or people, in the schema where ours stand.
const walledTables = `
	FROM pg_class c
	WHERE c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('goose_db_version'))
	  AND c.relkind IN ('r', 'p')
	  AND (c.relname IN ('users', 'organizations') OR EXISTS (
	    SELECT FROM pg_attribute a
	    WHERE a.attrelid = c.oid AND a.attname IN ('org_id', 'user_id') AND NOT a.attisdropped))`

// probeWalls asks, on a migrated database, whether the role stands before the
// second wall: it is not the tables' owner and no other role of ours, every
// table has its wall with a door for the role, and without a context a request
// sees no booking. Whoever starts on a database where one of these fails would
// serve without it.
func probeWalls(ctx context.Context, f *faults, setting, role string, conn *pgx.Conn) {
	var owns, crosses bool
	err := conn.QueryRow(ctx, `
		SELECT EXISTS (SELECT `+walledTables+` AND pg_has_role(current_user, c.relowner, 'MEMBER')),
		       current_user = $1 AND pg_has_role(current_user, $2, 'MEMBER')`,
		AppRole, SystemRole).Scan(&owns, &crosses)
	if err != nil {
		f.add("%s: %s", setting, oneLine(err))
		return
	}
	if owns {
		f.add("%s: %s owns tables, or is a member of their owner: give them another owner, and REVOKE that role FROM %[2]s", setting, role)
	}
	if crosses {
		f.add("%s: %s is a member of %s, which sees every tenant: REVOKE %[3]s FROM %[2]s", setting, role, SystemRole)
	}
	rows, err := conn.Query(ctx, `
		SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity, EXISTS (
			SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND (to_regrole($1)::oid = ANY (p.polroles) OR 0 = ANY (p.polroles)))`+
		walledTables+`
		ORDER BY c.relname`, role)
	if err != nil {
		f.add("%s: %s", setting, oneLine(err))
		return
	}
	var table string
	var walled, door bool
	if _, err := pgx.ForEachRow(rows, []any{&table, &walled, &door}, func() error {
		if !walled {
			f.add("table %s has no row level security: ALTER TABLE %[1]s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY", table)
		}
		if !door {
			f.add("table %s has no policy for %s: a migration was left out or undone", table, role)
		}
		return nil
	}); err != nil {
		f.add("%s: %s", setting, oneLine(err))
		return
	}
	probeDefiners(ctx, f, setting, conn)
	if role != AppRole {
		return
	}
	var leaks bool
	if err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM bookings)`).Scan(&leaks); err != nil || leaks {
		f.add("%s: %s sees bookings without saying for whom: look for policies on table bookings, and for settings app.user and app.org of the role or the database", setting, role)
	}
}

// ownersFunctions are the functions of the schema that run with their owner's
// rights; extensions bring their own and are their makers' matter.
const ownersFunctions = `
	FROM pg_proc p
	WHERE p.prosecdef
	  AND p.pronamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('goose_db_version'))
	  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')`

// pathIsFixed says of one of ownersFunctions that it names its whole path, and
// temporary tables last: not named, they come first, and whoever calls it has
// the owner read their own view instead of a table.
const pathIsFixed = `EXISTS (SELECT FROM unnest(p.proconfig) c WHERE c ~ '^search_path=(.*, *)?"?pg_temp"?$' AND c !~ 'pg_temp.*,')`

// probeDefiners asks whether a function would run a caller's code as its owner.
func probeDefiners(ctx context.Context, f *faults, setting string, conn *pgx.Conn) {
	rows, err := conn.Query(ctx, `SELECT p.oid::regprocedure::text `+ownersFunctions+` AND NOT `+pathIsFixed+` ORDER BY 1`)
	if err != nil {
		f.add("%s: %s", setting, oneLine(err))
		return
	}
	open, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		f.add("%s: %s", setting, oneLine(err))
		return
	}
	for _, function := range open {
		f.add("function %s runs with its owner's rights on a path that callers can change: ALTER FUNCTION %[1]s SET search_path = the tables' schema, pg_temp", function)
	}
}
