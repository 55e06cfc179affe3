//go:build linux && !engines

package system

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"happening/test/house"
)

// ledgerBackends are the connections through which sales are written.
const ledgerBackends = `FROM pg_stat_activity WHERE application_name = 'happening ledger' AND datname = current_database()`

// gate is the advisory lock at which commits wait while the test has it.
const gate = 7

// backends is a sale of which single connections to PostgreSQL are ended.
type backends struct {
	*house.Shop
	t  *testing.T
	db *pgx.Conn
	// written counts the commits that were cut off after they were written,
	// undone those before.
	written, undone int
}

// row runs a query for one row; false: there was none.
func (b *backends) row(sql string, args []any, into ...any) bool {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), house.CommandLimit)
	defer cancel()
	err := b.db.QueryRow(ctx, sql, args...).Scan(into...)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		b.t.Fatalf("%s: %v", sql, err)
	}
	return err == nil
}

// waiting waits until a connection of the ledger's waits for something, and
// gives its process and its transaction.
func (b *backends) waiting(event string) (pid int, xid string) {
	b.t.Helper()
	house.Await(b.t, "a commit waits: "+event, house.SettleLimit, func() bool {
		return b.row(`SELECT pid, backend_xid::text `+ledgerBackends+` AND wait_event = $1 AND backend_xid IS NOT NULL LIMIT 1`, []any{event}, &pid, &xid)
	})
	return pid, xid
}

// terminate ends a connection and waits until it is gone.
func (b *backends) terminate(pid int) {
	b.t.Helper()
	var ended bool
	b.row(`SELECT pg_terminate_backend($1)`, []any{pid}, &ended)
	house.Await(b.t, "the connection is gone", house.SettleLimit, func() bool {
		return !b.row(`SELECT 1 FROM pg_stat_activity WHERE pid = $1`, []any{pid}, new(int))
	})
}

// became says what became of a transaction.
func (b *backends) became(xid string) (status string) {
	b.t.Helper()
	b.row(`SELECT pg_xact_status($1::text::xid8)`, []any{xid}, &status)
	return status
}

// any gives the process of one of the connections, whatever it is doing.
func (b *backends) any() (pid int) {
	b.t.Helper()
	house.Await(b.t, "the ledger has a connection", house.SettleLimit, func() bool {
		return b.row(`SELECT pid `+ledgerBackends+` ORDER BY random() LIMIT 1`, nil, &pid)
	})
	return pid
}

// atAnyMoment ends one of the connections, whatever it is doing.
func (b *backends) atAnyMoment() { b.terminate(b.any()) }

// beforeTheCommit ends a connection that has written everything and is about
// to commit: the triggers that wait for that moment hold it up.
func (b *backends) beforeTheCommit() {
	house.Exec(b.t, b.db, fmt.Sprintf(`SELECT pg_advisory_lock(%d)`, gate))
	pid, xid := b.waiting("advisory")
	b.terminate(pid)
	if status := b.became(xid); status != "aborted" {
		b.t.Errorf("what was cut off before its commit is %s", status)
	}
	b.undone++
	house.Exec(b.t, b.db, fmt.Sprintf(`SELECT pg_advisory_unlock(%d)`, gate))
}

// afterTheCommit ends a connection that has committed and not said so: it waits
// for a standby that isn't there.
func (b *backends) afterTheCommit() {
	house.Exec(b.t, b.db, `ALTER SYSTEM SET synchronous_standby_names = 'nobody'`)
	house.Exec(b.t, b.db, `SELECT pg_reload_conf()`)
	pid, xid := b.waiting("SyncRep")
	b.terminate(pid)
	if status := b.became(xid); status != "committed" {
		b.t.Errorf("what was cut off after its commit is %s", status)
	}
	b.written++
	house.Exec(b.t, b.db, `ALTER SYSTEM RESET synchronous_standby_names`)
	house.Exec(b.t, b.db, `SELECT pg_reload_conf()`)
}

// crash kills a connection's process, at which PostgreSQL ends all others, too,
// and recovers.
func (b *backends) crash() {
	if err := syscall.Kill(b.any(), syscall.SIGKILL); err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), house.SettleLimit)
	defer cancel()
	house.Await(b.t, "PostgreSQL has noticed", house.SettleLimit, func() bool { return b.db.Ping(ctx) != nil })
	house.Await(b.t, "PostgreSQL is back", house.SettleLimit, func() bool { return b.Client.Status("/readyz") == 200 })
	b.db = b.House.Database()
}

// Connections of the ledger's are ended in the middle of a sale: at any moment,
// right before a commit, right after it and before it is answered, and by the
// crash of their process, at which PostgreSQL recovers. Nothing is lost, nothing
// happens twice, and everybody is answered in the end.
func TestKilledBackends(t *testing.T) {
	s, server := house.NewShop(t)
	b := &backends{Shop: s, t: t, db: s.House.Database()}
	house.Exec(t, b.db, fmt.Sprintf(`
		CREATE FUNCTION pass_the_gate() RETURNS trigger LANGUAGE plpgsql AS
			'BEGIN PERFORM pg_advisory_xact_lock_shared(%d); RETURN NULL; END';
		CREATE CONSTRAINT TRIGGER gate AFTER INSERT ON event_changes DEFERRABLE INITIALLY DEFERRED
			FOR EACH ROW EXECUTE FUNCTION pass_the_gate();`, gate))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var unsure atomic.Int64
	closed := s.Open(ctx, func(o *house.Order) bool {
		unsure.Add(1)
		return s.Ledger.Insist(s.Client, o)
	})
	ways := []func(){b.atAnyMoment, b.beforeTheCommit, b.afterTheCommit, b.crash}
	for n := range backendKills {
		s.Busy(t)
		ways[n%len(ways)]()
	}
	s.Busy(t)
	cancel()
	closed()
	t.Logf("%d connections ended: %d after a commit that was not answered, %d before one; %d orders were answered with an unknown outcome and sent again; %d were acknowledged",
		backendKills, b.written, b.undone, unsure.Load(), s.Ledger.Acks.Load())
	if b.written == 0 || b.undone == 0 {
		t.Error("no commit was cut off: nothing is shown")
	}
	if server.Ended() {
		t.Fatalf("the server ended:\n%s", server.Said())
	}
	s.House.Judge(s.Ledger)
}
