//go:build linux

package system

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
)

// order is one request that changes bookings. It keeps its key however often
// it is sent.
type order struct {
	who  *person
	path string
	body any
	key  string

	// told is what was acknowledged; nil while nothing was.
	told *booking
	// refused is the code of a refusal: nothing may have changed.
	refused string
	// unknown says that no answer came, or one that leaves it open.
	unknown bool
}

// ledger is what the clients were told of their orders.
type ledger struct {
	mu     sync.Mutex
	orders []*order
	keys   atomic.Int64
	acks   atomic.Int64
	// acked gets a signal with every acknowledgement that somebody waits for.
	acked chan struct{}
}

func newLedger() *ledger { return &ledger{acked: make(chan struct{}, 1)} }

// book makes an order for a party.
func (l *ledger) book(who *person, eventID string, seats int) *order {
	return l.order(who, "/bookings", map[string]any{"event_id": eventID, "seats": seats})
}

// cancel makes an order to cancel a booking.
func (l *ledger) cancel(who *person, bookingID string) *order {
	return l.order(who, "/bookings/"+bookingID+"/cancel", nil)
}

// giveBack makes an order to cancel some seats of a booking.
func (l *ledger) giveBack(who *person, bookingID string, seats []int) *order {
	return l.order(who, "/bookings/"+bookingID+"/cancel-seats", map[string]any{"seat_numbers": seats})
}

func (l *ledger) order(who *person, path string, body any) *order {
	o := &order{who: who, path: path, body: body, key: fmt.Sprintf("order-%d", l.keys.Add(1))}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.orders = append(l.orders, o)
	return o
}

// place sends an order, once, and notes what became of it.
func (l *ledger) place(c *client, o *order) {
	a, err := c.do(context.Background(), o.who, http.MethodPost, o.path, o.body, "Idempotency-Key: "+o.key)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err != nil, a.status >= http.StatusInternalServerError:
		o.unknown = true
	case a.status == http.StatusOK, a.status == http.StatusCreated:
		var told booking
		if err := json.Unmarshal(a.body, &told); err != nil {
			o.refused = "unreadable: " + err.Error()
			return
		}
		o.told, o.unknown = &told, false
		l.acks.Add(1)
		select {
		case l.acked <- struct{}{}:
		default:
		}
	default:
		o.refused, o.unknown = a.code(), false
	}
}

// awaitAcks waits until as many more orders were acknowledged.
func (l *ledger) awaitAcks(t testing.TB, more int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), settleLimit)
	defer cancel()
	for goal := l.acks.Load() + more; l.acks.Load() < goal; {
		select {
		case <-l.acked:
		case <-ctx.Done():
			t.Fatalf("%d orders too few were acknowledged within %v", goal-l.acks.Load(), settleLimit)
		}
	}
}

// open lists the orders whose outcome is unknown.
func (l *ledger) open() []*order {
	l.mu.Lock()
	defer l.mu.Unlock()
	var open []*order
	for _, o := range l.orders {
		if o.unknown {
			open = append(open, o)
		}
	}
	return open
}

// resolve sends every order again whose outcome is unknown. Every one of them
// has to be answered now with an acknowledgement, and a third time with the
// same.
func (l *ledger) resolve(t testing.TB, c *client) {
	t.Helper()
	for _, o := range l.open() {
		l.place(c, o)
		if o.unknown || o.refused != "" {
			t.Errorf("order %s to %s, sent again with its key, is not resolved: refused %q", o.key, o.path, o.refused)
			continue
		}
		first := *o.told
		l.place(c, o)
		if o.told == nil || !same(first, *o.told) {
			t.Errorf("order %s was answered %+v and then %+v", o.key, first, o.told)
		}
	}
}

// same says whether two answers tell the same of a booking.
func same(a, b booking) bool {
	return a.ID == b.ID && a.UserID == b.UserID && a.Status == b.Status && a.Seats == b.Seats && slices.Equal(a.SeatNumbers, b.SeatNumbers)
}

// entry is one row of the history of bookings.
type entry struct {
	actor, bookingID, userID string
	to                       booking
}

// verify holds PostgreSQL to what the clients were told (C2): everything
// acknowledged is there, exactly as told and once; everything there was
// acknowledged or is of unknown outcome. It answers how many orders of unknown
// outcome had happened.
func (l *ledger) verify(t testing.TB, db *pgx.Conn) (happened int) {
	t.Helper()
	return l.hold(read(t, db), t.Errorf)
}

// hold compares the ledger with what happened, by key, and tells every breach.
func (l *ledger) hold(rows map[string][]entry, tell func(format string, args ...any)) (happened int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	known := map[string]bool{}
	for _, o := range l.orders {
		found := rows[o.key]
		known[o.key] = true
		switch {
		case len(found) > 1:
			tell("order %s happened %d times", o.key, len(found))
		case o.told != nil && len(found) == 0:
			tell("order %s was acknowledged (%+v) and is lost", o.key, *o.told)
		case o.told != nil:
			o.compare(found[0], tell)
		case o.refused != "" && len(found) > 0:
			tell("order %s was refused (%s) and happened: %+v", o.key, o.refused, found[0])
		case o.unknown:
			happened += len(found)
		}
	}
	for key, ghosts := range rows {
		if !known[key] {
			tell("nobody ordered %q: %+v", key, ghosts)
		}
	}
	return happened
}

// compare holds an order's effect to what was told of it.
func (o *order) compare(e entry, tell func(format string, args ...any)) {
	got := booking{ID: e.bookingID, UserID: e.userID, Status: e.to.Status, Seats: e.to.Seats, SeatNumbers: e.to.SeatNumbers}
	if e.actor != o.who.id || !same(*o.told, got) {
		tell("order %s of %s was told %+v; PostgreSQL has %+v by %s", o.key, o.who.id, *o.told, got, e.actor)
	}
	if n := o.told.WaitingNumber; o.told.Status == "waiting" && (n == nil || e.to.WaitingNumber == nil || *n != *e.to.WaitingNumber) {
		tell("order %s was told another waiting number than PostgreSQL has", o.key)
	}
}

// read reads what somebody did, by key; what the system does by itself, such as
// promoting, has none and is the checker's to judge.
func read(t testing.TB, db *pgx.Conn) map[string][]entry {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandLimit)
	defer cancel()
	found, err := db.Query(ctx, `
		SELECT coalesce(h.idempotency_key, 'without a key'), h.actor_id::text, h.booking_id::text, b.user_id::text, h.details -> 'to'
		FROM booking_history h JOIN bookings b ON b.id = h.booking_id
		WHERE h.actor_id IS NOT NULL`)
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]entry{}
	var key string
	var e entry
	var to []byte
	if _, err := pgx.ForEachRow(found, []any{&key, &e.actor, &e.bookingID, &e.userID, &to}, func() error {
		e.to = booking{}
		if err := json.Unmarshal(to, &e.to); err != nil {
			return err
		}
		rows[key] = append(rows[key], e)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return rows
}

// judge ends every test that books.
func (h *house) judge(l *ledger) {
	h.t.Helper()
	if open := l.open(); len(open) > 0 {
		h.t.Errorf("the outcome of %d orders is still unknown", len(open))
	}
	l.verify(h.t, h.database())
	h.check()
}

// A judge that finds nothing proves nothing: every way in which a sale can go
// wrong, forged, is told, and the truth is not.
func TestLedgerFindsForgeries(t *testing.T) {
	t.Parallel()
	seven := int64(7)
	truth := func() (*ledger, map[string][]entry) {
		l, who := newLedger(), &person{id: "ada"}
		sold := l.book(who, "event", 2)
		sold.told = &booking{ID: "b1", UserID: "ada", Status: "confirmed", Seats: 2, SeatNumbers: []int{3, 4}}
		waits := l.book(who, "event", 1)
		waits.told = &booking{ID: "b2", UserID: "ada", Status: "waiting", Seats: 1, WaitingNumber: &seven}
		l.book(who, "event", 1).refused = "sold_out"
		l.book(who, "event", 1).unknown = true
		return l, map[string][]entry{
			sold.key:  {{actor: "ada", bookingID: "b1", userID: "ada", to: *sold.told}},
			waits.key: {{actor: "ada", bookingID: "b2", userID: "ada", to: *waits.told}},
		}
	}
	const sold, waits, refused, unknown = "order-1", "order-2", "order-3", "order-4"
	for name, c := range map[string]struct {
		forge func(rows map[string][]entry)
		found int
	}{
		"the truth":              {func(map[string][]entry) {}, 0},
		"an unknown one is done": {func(rows map[string][]entry) { rows[unknown] = []entry{{actor: "ada"}} }, 0},
		"lost":                   {func(rows map[string][]entry) { delete(rows, sold) }, 1},
		"done twice":             {func(rows map[string][]entry) { rows[sold] = append(rows[sold], rows[sold][0]) }, 1},
		"done though refused":    {func(rows map[string][]entry) { rows[refused] = []entry{{actor: "ada"}} }, 1},
		"a ghost":                {func(rows map[string][]entry) { rows["order-9"] = rows[sold] }, 1},
		"other seats":            {func(rows map[string][]entry) { rows[sold][0].to.SeatNumbers = []int{3, 5} }, 1},
		"another booking":        {func(rows map[string][]entry) { rows[sold][0].bookingID = "b9" }, 1},
		"another's doing":        {func(rows map[string][]entry) { rows[sold][0].actor = "bob" }, 1},
		"another number":         {func(rows map[string][]entry) { rows[waits][0].to.WaitingNumber = new(int64) }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			l, rows := truth()
			c.forge(rows)
			found := 0
			l.hold(rows, func(string, ...any) { found++ })
			if found != c.found {
				t.Errorf("%d findings, want %d", found, c.found)
			}
		})
	}
}
