//go:build linux && engines

package chaos

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"happening/test/house"
)

const (
	// followed is by when another process has done the jobs of one that died.
	followed = 10 * time.Second
	// startsIn is when the event starts whose waitlist a job has to close: after
	// the leader's end and before any other process can have taken over, which
	// takes a lease's rest of 4 to 6 s. A machine that is too slow to fill the
	// event by then is given longer, and its leader may close the waitlist itself.
	startsIn = 3 * time.Second
	// waiters wait for a seat that they don't get.
	waiters = 20
	// statusLimit is for the column that a sweep brings up within a minute.
	statusLimit = time.Minute
)

// leader is the replica that runs the jobs, nil while nobody does.
func leader(t *testing.T, r *house.Replicas, db *pgx.Conn) *house.Replica {
	t.Helper()
	pids := house.Numbers(t, db, `
		SELECT r.pid FROM leases l JOIN replicas r ON r.id = l.holder
		WHERE l.name = 'jobs' AND l.expires_at > clock_timestamp()`)
	for _, p := range r.All {
		if len(pids) == 1 && p.PID() == pids[0] {
			return p
		}
	}
	return nil
}

// The process that runs the jobs is killed, and then its successor frozen: each
// time another one takes over, starts the events and closes their waitlists,
// within ten seconds, once. The frozen one wakes up, notices, and writes nothing.
func TestLeaderIsFollowed(t *testing.T) {
	r := house.NewReplicas(t, nil)
	r.StartMany(replicas)
	db := r.House.Database()
	c := house.NewClient(r.House.API)
	t.Cleanup(c.Close)
	admin := r.House.People("admin", 1)[0]
	w := &waitlist{
		r: r, c: c, db: db, admin: admin, org: c.Organization(t, admin),
		people: r.House.People("waiter", waiters+1), l: house.NewLedger(),
	}

	t.Run("killed", func(t *testing.T) {
		old := w.leads(t)
		eventID := w.startsSoon(t)
		began := time.Now()
		old.Kill()
		w.closes(t, eventID, began, old)
		old.Restart()
	})
	t.Run("frozen", func(t *testing.T) {
		old := w.leads(t)
		eventID := w.startsSoon(t)
		began := time.Now()
		old.Freeze()
		w.closes(t, eventID, began, old)
		fence := house.Count(t, db, `SELECT fence FROM leases WHERE name = 'jobs'`)
		rows := house.Count(t, db, `SELECT count(*) FROM booking_history`)
		before := len(old.Said())
		old.Thaw()
		house.Await(t, "the frozen process notices that it leads no longer", house.SettleLimit, func() bool {
			return strings.Contains(old.Said()[before:], "leads no longer")
		})
		// It serves again, and another turn of every process's jobs goes by.
		house.Await(t, "the frozen process serves again", house.SettleLimit, func() bool { return r.Balancer.Ready(old.Name) })
		w.settled(t, eventID)
		if now := house.Count(t, db, `SELECT fence FROM leases WHERE name = 'jobs'`); now != fence {
			t.Errorf("the lease was taken again: %d, then %d", fence, now)
		}
		if now := house.Count(t, db, `SELECT count(*) FROM booking_history`); now != rows {
			t.Errorf("history had %d rows and has %d", rows, now)
		}
	})
	r.House.Judge(w.l)
}

// waitlist makes events whose waitlists a job has to close.
type waitlist struct {
	r      *house.Replicas
	c      *house.Client
	db     *pgx.Conn
	admin  *house.Person
	org    string
	people []*house.Person
	l      *house.Ledger
}

// leads waits until somebody leads and says who.
func (w *waitlist) leads(t *testing.T) (p *house.Replica) {
	t.Helper()
	house.Await(t, "somebody runs the jobs", house.SettleLimit, func() bool { p = leader(t, w.r, w.db); return p != nil })
	return p
}

// startsSoon makes an event with one seat, which is sold, and people who wait.
func (w *waitlist) startsSoon(t *testing.T) string {
	t.Helper()
	for in := startsIn; in < house.SettleLimit; in *= 2 {
		begins := time.Now().Add(in)
		eventID := w.c.Event(t, w.admin, w.org, 1, map[string]any{"starts_at": begins, "ends_at": begins.Add(time.Hour)})
		var all sync.WaitGroup
		for _, p := range w.people {
			all.Go(func() { w.l.Place(w.c, w.l.Book(p, eventID, 1)) })
		}
		all.Wait()
		n := house.Count(t, w.db, `SELECT count(*) FROM bookings WHERE event_id = $1 AND status = 'waiting'`, eventID)
		if n == waiters {
			return eventID
		}
		t.Logf("%d wait, not %d: the machine was too slow to fill the event within %v, before it starts", n, waiters, in)
	}
	t.Fatal("no event is filled before it starts")
	return ""
}

// closes waits until another process than old leads and has closed the
// waitlist.
func (w *waitlist) closes(t *testing.T, eventID string, began time.Time, old *house.Replica) {
	t.Helper()
	house.Await(t, "another process leads", house.SettleLimit, func() bool { p := leader(t, w.r, w.db); return p != nil && p != old })
	took := time.Since(began)
	house.Await(t, "the waitlist is closed", house.SettleLimit, func() bool {
		return house.Count(t, w.db, `SELECT count(*) FROM bookings WHERE event_id = $1 AND status = 'waiting'`, eventID) == 0
	})
	t.Logf("another process led after %v and had closed the waitlist after %v", took.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
	if closed := time.Since(began); insist && closed > followed {
		t.Errorf("the jobs stood still for %v", closed)
	}
	w.settled(t, eventID)
}

// settled wants that the jobs were done, and once.
func (w *waitlist) settled(t *testing.T, eventID string) {
	t.Helper()
	house.Await(t, "the event's column says that it goes on", statusLimit, func() bool {
		return house.Count(t, w.db, `SELECT count(*) FROM events WHERE id = $1 AND status = 'ongoing'`, eventID) == 1
	})
	closings := house.Count(t, w.db, `
		SELECT count(*) FROM booking_history h JOIN bookings b ON b.id = h.booking_id
		WHERE b.event_id = $1 AND h.actor_id IS NULL AND b.status = 'cancelled'`, eventID)
	if closings != waiters {
		t.Errorf("%d closings for %d who waited", closings, waiters)
	}
	var seen struct{ Status string }
	w.c.Want(t, nil, http.StatusOK, http.MethodGet, "/events/"+eventID, nil, &seen)
	if seen.Status != "ongoing" {
		t.Errorf("the event is %s", seen.Status)
	}
}
