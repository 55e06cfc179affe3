//go:build linux

package system

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"happening/test/house"
)

const (
	overloadSeats  = 200
	overloadPeople = 300
	// overloadEach is how often each of them asks: together more than are let
	// into the queue while nothing moves (booking.queueFloor), on more
	// connections than a closed crowd would open.
	overloadEach = 8
)

// A database that stands still makes any rate of requests more than can be
// served: the queue fills up to its bound, and who comes then is told at once
// when to come again. A hold is granted and pages are read meanwhile, each order
// is answered in the end, exactly the seats there are are sold, and afterwards
// everything is as before.
func TestOverload(t *testing.T) {
	h := house.New(t)
	h.Serve()
	c := house.NewClient(h.API)
	t.Cleanup(c.Close)
	ops := house.NewClient(h.Ops)
	t.Cleanup(ops.Close)
	admin := h.People("admin", 1)[0]
	org := c.Organization(t, admin)
	hot, stuck, calm := c.Event(t, admin, org, overloadSeats, nil), c.Event(t, admin, org, 10, nil), c.Event(t, admin, org, 10, nil)
	people := h.People("crowd", overloadPeople)
	l := house.NewLedger()
	for _, id := range []string{hot, calm} { // both in memory
		if a := c.Get(t, people[0], "/events/"+id+"/seats"); a.Status != http.StatusOK {
			t.Fatal(a)
		}
	}

	let := standStill(t, h, c, l, admin, stuck)
	var callers sync.WaitGroup
	var turned atomic.Int64
	var orders []*house.Order
	ask := func(who *house.Person) {
		o := l.Order(who, "/bookings", map[string]any{"event_id": hot, "seats": 1, "on_full": "refuse"})
		orders = append(orders, o)
		callers.Go(func() {
			if l.Place(c, o); o.Busy() {
				turned.Add(1)
			}
		})
	}
	for range overloadEach {
		for _, p := range people {
			ask(p)
		}
	}
	asked := 0
	if !house.Looked(house.SettleLimit, func() bool {
		ask(people[asked%len(people)])
		asked++
		return turned.Load() > 0
	}) {
		t.Fatalf("nobody is turned away; %d are queued", queued(t, ops))
	}
	if !bytes.Contains(ops.Get(t, nil, "/metrics").Body, []byte(`happening_turned_away_total{route="/bookings"}`)) {
		t.Error("nobody is turned away at the door")
	}
	if n := queued(t, ops); n < overloadPeople*overloadEach/2 {
		t.Errorf("somebody is turned away, and only %d are queued", n)
	}
	c.Want(t, people[1], http.StatusOK, http.MethodPut, "/events/"+calm+"/holds", map[string]any{"seat_numbers": []int{1, 2}}, nil)
	for _, path := range []string{"/events/" + hot, "/events/" + hot + "/seats", "/events", "/readyz"} {
		if a := c.Get(t, nil, path); a.Status != http.StatusOK {
			t.Errorf("%s meanwhile: %s", path, a)
		}
	}
	let()
	callers.Wait()

	sold, statuses := []int{}, map[string]int{}
	for _, o := range orders {
		statuses[fmt.Sprint(o.Status, " ", o.Refused)]++
		switch o.Status {
		case http.StatusCreated:
			sold = append(sold, o.Told.SeatNumbers...)
		case http.StatusConflict:
		case http.StatusTooManyRequests, http.StatusServiceUnavailable:
			if after, err := strconv.Atoi(o.RetryAfter); err != nil || after < 1 {
				t.Errorf("%d without a word when to come again: %q", o.Status, o.RetryAfter)
			}
		default:
			t.Errorf("an order is answered %d", o.Status)
		}
		o.TurnedAway()
	}
	t.Logf("%d orders: %v", len(orders), statuses)
	house.WantRow(t, "seats sold", sold, overloadSeats)

	after := l.Book(people[2], calm, 1)
	if l.Place(c, after); after.Told == nil || after.Told.Status != "confirmed" {
		t.Errorf("afterwards an order at another event is answered %d %s", after.Status, after.Refused)
	}
	l.Resolve(t, c)
	h.Judge(l)
}

// standStill keeps the allocator's worker waiting for a lock in PostgreSQL that
// the test has on an event somebody books, until let is called.
func standStill(t *testing.T, h *house.House, c *house.Client, l *house.Ledger, who *house.Person, eventID string) (let func()) {
	t.Helper()
	holder, watcher := h.Database(), h.Database()
	tx, err := holder.Begin(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(context.Background(), "SELECT FROM events WHERE id = $1 FOR UPDATE", eventID); err != nil {
		t.Fatal(err)
	}
	first := l.Book(who, eventID, 1)
	var waits sync.WaitGroup
	waits.Go(func() { l.Place(c, first) })
	if !house.Looked(house.SettleLimit, func() bool { return waiting(t, watcher) > 0 }) {
		t.Fatal("nothing waits for the lock")
	}
	return func() {
		if err := tx.Rollback(context.Background()); err != nil {
			t.Error(err)
		}
		waits.Wait()
	}
}

func waiting(t *testing.T, db *pgx.Conn) int {
	t.Helper()
	return house.Count(t, db, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
}

var queueLength = regexp.MustCompile(`(?m)^happening_booking_queue_length (\d+)`)

// queued is how many orders wait, as operators see it.
func queued(t *testing.T, ops *house.Client) int {
	t.Helper()
	found := queueLength.FindSubmatch(ops.Get(t, nil, "/metrics").Body)
	if found == nil {
		t.Fatal("the metrics have no queue")
	}
	n, err := strconv.Atoi(string(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
