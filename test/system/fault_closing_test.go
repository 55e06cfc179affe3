//go:build linux && !engines

package system

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"happening/internal/booking"
	"happening/internal/testkit"
	"happening/test/house"
)

const (
	// closingAhead is how many of the bookings that are left stand before the one
	// that the next closing stops at: two steps pass, in the third it is killed.
	closingAhead = 2*booking.PromotionsPerTx + booking.PromotionsPerTx/2
	// killedEach is how many a kill takes at most out of what is left.
	killedEach = 3 * booking.PromotionsPerTx
	// closingWaits is which of the crowd only waits for a seat.
	closingWaits = 5
)

// A server is killed in the middle of the closing of a cancelled event, in the
// middle of a step's transaction, and so is the next one, while another event
// sells. The transaction under way is lost, or is written by nobody's connection
// before the next server looks or while that is at the same bookings. In the end
// each booking was closed once and told of once.
//
// A step waits for a booking that the test has locked, so that each kill is for
// certain one in its middle.
func TestClosingIsKilled(t *testing.T) {
	t.Parallel()
	h, _, cluster := newWired(t, nil)
	server := h.Serve()
	s := house.OpenShop(t, h, wireClients)
	l, c := s.Ledger, s.Client
	crowd := (closingKills + 1) * killedEach
	people := h.People("closing", crowd/closingEach+1)
	admin := people[0]
	full := c.Event(t, admin, c.Organization(t, admin), crowd-crowd/closingWaits, nil)
	var booked sync.WaitGroup
	for i, who := range people {
		booked.Go(func() {
			for range min(closingEach, crowd-i*closingEach) {
				o := l.Book(who, full, 1)
				if l.Place(c, o); o.Told == nil {
					t.Errorf("a booking is answered %d %s", o.Status, o.Refused)
				}
			}
		})
	}
	booked.Wait()

	db := cluster.Connect()
	left := func() int {
		return house.Count(t, db, `SELECT count(*) FROM bookings WHERE event_id = $1 AND status <> 'cancelled'`, full)
	}
	stop := standInTheWay(t, cluster, full)
	cancelled := false
	for i := range closingKills {
		closed := s.Open(context.Background(), house.GoHome)
		looked := l.Watch(c, full)
		if !cancelled {
			l.AwaitAcks(t, wireClients)
			c.Want(t, admin, http.StatusOK, http.MethodPost, "/events/"+full+"/cancel", nil, nil)
			cancelled = true
		}
		step := blockedBy(t, db, stop.pid)
		server.Kill()
		closed()
		looked()
		c.Close()
		before := left()
		next := standInTheWay(t, cluster, full)
		// For how long a dead process keeps its place and its lease is shown by
		// postgres.TestAKilledProcessIsWaitedFor and chaos.TestLeaderIsFollowed; here
		// nobody waits for that.
		house.Exec(t, db, `DELETE FROM replicas`)
		house.Exec(t, db, `UPDATE leases SET expires_at = clock_timestamp()`)
		switch i % 3 {
		case 0:
			stop.goAway()
			server = h.Serve()
		case 1:
			house.Count(t, db, `SELECT count(pg_terminate_backend($1))`, step)
			stop.goAway()
			server = h.Serve()
		case 2:
			server = h.Serve()
			blockedBy(t, db, step)
			stop.goAway()
		}
		t.Logf("killed with %d of %d left; ready again after %v, %d left", before, crowd, server.Took.Round(time.Millisecond), left())
		if before == 0 || before == crowd {
			t.Errorf("%d of %d were left at the kill, which shows nothing", before, crowd)
		}
		stop = next
	}
	stop.goAway()
	house.Await(t, "all are closed", house.SettleLimit, func() bool { return left() == 0 })
	for what, sql := range map[string]string{
		"bookings":        `SELECT count(*) FROM bookings WHERE event_id = $1 AND status = 'cancelled' AND reason = 'event_cancelled'`,
		"changes":         `SELECT count(*) FROM booking_history WHERE event_id = $1 AND action = 'cancelled'`,
		"changed":         `SELECT count(DISTINCT booking_id) FROM booking_history WHERE event_id = $1 AND action = 'cancelled' AND actor_id IS NULL`,
		"facts of theirs": `SELECT count(*) FROM outbox WHERE event_id = $1 AND kind = 'booking.cancelled'`,
	} {
		if n := house.Count(t, db, sql, full); n != crowd {
			t.Errorf("%s: %d of %d", what, n, crowd)
		}
	}
	house.Await(t, "everything is told", leaseLimit, func() bool {
		return house.Count(t, db, `SELECT count(*) FROM outbox WHERE event_id = $1 AND relayed_at IS NULL`, full) == 0
	})
	for _, who := range people {
		told := house.ToldOf(t, c, who, "event_cancelled")
		for _, id := range l.BookingsOf(who) {
			if told[id] != 1 {
				t.Errorf("%s is told %d times that the booking %s is cancelled", who.Email, told[id], id)
			}
		}
	}
	unknown := len(l.Open())
	l.Resolve(t, c)
	t.Logf("%d orders at the other event were of unknown outcome, all resolved; %d acknowledged in all", unknown, l.Acks.Load())
	h.Judge(l)
}

// obstacle is a booking that is locked, so that whoever changes it waits.
type obstacle struct {
	t   *testing.T
	tx  pgx.Tx
	pid int
}

// standInTheWay locks one of an event's bookings, one that its closing comes to
// in a while: those who wait come first, and then who booked last.
func standInTheWay(t *testing.T, cluster *testkit.Cluster, eventID string) *obstacle {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), house.CommandLimit)
	defer cancel()
	conn := cluster.Connect()
	tx, err := conn.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	o := &obstacle{t: t, tx: tx}
	if err := tx.QueryRow(ctx, `
		SELECT pg_backend_pid() FROM bookings
		WHERE id = (
			SELECT id FROM bookings WHERE event_id = $1 AND status <> 'cancelled'
			ORDER BY (status = 'waiting') DESC, waiting_number, id DESC OFFSET $2 LIMIT 1)
		FOR UPDATE NOWAIT`, eventID, closingAhead).Scan(&o.pid); err != nil {
		t.Fatalf("no booking to stand in the way with: %v", err)
	}
	return o
}

// goAway lets those go on who wait.
func (o *obstacle) goAway() {
	o.t.Helper()
	if err := o.tx.Rollback(context.Background()); err != nil {
		o.t.Error(err)
	}
}

// blockedBy waits until a connection of PostgreSQL's waits for another one, and
// answers its process.
func blockedBy(t *testing.T, db *pgx.Conn, pid int) (blocked int) {
	t.Helper()
	house.Await(t, "somebody waits", house.SettleLimit, func() bool {
		blocked = house.Count(t, db, `SELECT coalesce(max(pid), 0) FROM pg_stat_activity WHERE $1 = ANY(pg_blocking_pids(pid))`, pid)
		return blocked != 0
	})
	return blocked
}
