//go:build linux

package house

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Order is one request that changes bookings. It keeps its key however often
// it is sent.
type Order struct {
	Who  *Person
	Path string
	Body any
	Key  string

	// Told is what was acknowledged; nil while nothing was.
	Told *Booking
	// Refused is the code of a refusal: nothing may have changed.
	Refused string
	// Unknown says that no answer came, or one that leaves it open.
	Unknown bool
	// Status and RetryAfter are those of the last answer; 0: there was none.
	Status     int
	RetryAfter string
	code       string // the last answer's, where it was a problem

	// eventID and named are of an order for seats by number, gone which of them
	// a refusal said were not to be had.
	eventID     string
	named, gone []int
	// asked is when it was sent first, sent when last, answered when its outcome
	// was told, on the ledger's clock.
	asked, sent, answered int64
}

// Ledger is what the clients were told of their orders.
type Ledger struct {
	mu      sync.Mutex
	orders  []*Order
	keys    atomic.Int64
	Acks    atomic.Int64
	lastAck time.Time
	silence time.Duration
	longest atomic.Int64 // of all waits for an answer, in nanoseconds
	// began is when the ledger's clock began to run.
	began    time.Time
	readings []reading
	stale    int // maps that said themselves that they may be old
	// Holds says that people hold seats in this sale, so that a seat which is
	// refused need not be sold.
	Holds bool
	// acked gets a signal with every acknowledgement that somebody waits for.
	acked chan struct{}
}

// NewLedger begins an empty one.
func NewLedger() *Ledger { return &Ledger{acked: make(chan struct{}, 1), began: time.Now()} }

// Book makes an order for a party.
func (l *Ledger) Book(who *Person, eventID string, seats int) *Order {
	return l.Order(who, "/bookings", map[string]any{"event_id": eventID, "seats": seats})
}

// Seats makes an order for seats by number, in a sale where nobody blocks any:
// one that can't be had is sold, unless somebody Holds it.
func (l *Ledger) Seats(who *Person, eventID string, seats ...int) *Order {
	o := l.Order(who, "/bookings", map[string]any{"event_id": eventID, "seats": len(seats), "seat_numbers": seats})
	o.eventID, o.named = eventID, seats
	return o
}

// Cancel makes an order to cancel a booking.
func (l *Ledger) Cancel(who *Person, bookingID string) *Order {
	return l.Order(who, "/bookings/"+bookingID+"/cancel", nil)
}

// GiveBack makes an order to cancel some seats of a booking.
func (l *Ledger) GiveBack(who *Person, bookingID string, seats []int) *Order {
	return l.Order(who, "/bookings/"+bookingID+"/cancel-seats", map[string]any{"seat_numbers": seats})
}

// Order makes an order of another kind, with a key of its own.
func (l *Ledger) Order(who *Person, path string, body any) *Order {
	o := &Order{Who: who, Path: path, Body: body, Key: fmt.Sprintf("order-%d", l.keys.Add(1))}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.orders = append(l.orders, o)
	return o
}

// Place sends an order, once, and notes what became of it.
func (l *Ledger) Place(c *Client, o *Order) {
	sent := l.now()
	a, err := c.Do(context.Background(), o.Who, http.MethodPost, o.Path, o.Body, "Idempotency-Key: "+o.Key)
	told := l.now()
	l.waited(time.Duration(told - sent))
	l.mu.Lock()
	defer l.mu.Unlock()
	if o.sent = sent; o.asked == 0 {
		o.asked = sent
	}
	if o.Told == nil { // told once more is told the same, and happened before
		o.answered = told
	}
	if o.Status, o.RetryAfter, o.code = 0, "", ""; err == nil {
		o.Status, o.RetryAfter, o.code = a.Status, a.Header.Get("Retry-After"), a.Code()
	}
	switch {
	case err != nil, a.Status >= http.StatusInternalServerError:
		o.Unknown = true
	case a.Status == http.StatusOK, a.Status == http.StatusCreated:
		var told Booking
		if err := json.Unmarshal(a.Body, &told); err != nil {
			o.Refused = "unreadable: " + err.Error()
			return
		}
		o.Told, o.Unknown = &told, false
		l.heard(time.Now())
		l.Acks.Add(1)
		select {
		case l.acked <- struct{}{}:
		default:
		}
	case o.Unknown && a.Code() == inFlight:
		// Whoever had the first one in hand may be dead: still unknown.
	default:
		o.Refused, o.Unknown = a.Code(), false
		o.gone = a.gone()
	}
}

// Busy says that the order was turned away before anything could happen.
func (o *Order) Busy() bool { return o.Status == http.StatusServiceUnavailable && o.code == "busy" }

// TurnedAway takes an order that was sent once and turned away for refused: its
// outcome is no secret. Who sends it again keeps it open.
func (o *Order) TurnedAway() {
	if o.Busy() {
		o.Refused, o.Unknown = o.code, false
	}
}

// heard notes how long it was since anybody was acknowledged anything; the
// ledger is locked.
func (l *Ledger) heard(now time.Time) {
	if !l.lastAck.IsZero() {
		l.silence = max(l.silence, now.Sub(l.lastAck))
	}
	l.lastAck = now
}

// Silence is the longest time in which nobody was acknowledged anything since
// it was asked last.
func (l *Ledger) Silence() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	silence := l.silence
	l.silence = 0
	return silence
}

func (l *Ledger) waited(took time.Duration) {
	for {
		longest := l.longest.Load()
		if int64(took) <= longest || l.longest.CompareAndSwap(longest, int64(took)) {
			return
		}
	}
}

// Longest is the longest that anybody has waited for an answer since it was
// asked last.
func (l *Ledger) Longest() time.Duration { return time.Duration(l.longest.Swap(0)) }

// inFlight is the code of a refusal that says that the same request is being
// answered elsewhere.
const inFlight = "duplicate_request"

// seatsUnavailable is the code of a refusal that names the seats that can't be
// had.
const seatsUnavailable = "seats_unavailable"

// Insist sends an order until its outcome is known, as a good client does: the
// same with the same key. It says whether that came to an end.
func (l *Ledger) Insist(c *Client, o *Order) bool {
	return Looked(SettleLimit, func() bool { l.Place(c, o); return !o.Unknown })
}

// AwaitAcks waits until as many more orders were acknowledged.
func (l *Ledger) AwaitAcks(t testing.TB, more int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), SettleLimit)
	defer cancel()
	for goal := l.Acks.Load() + more; l.Acks.Load() < goal; {
		select {
		case <-l.acked:
		case <-ctx.Done():
			t.Fatalf("%d orders too few were acknowledged within %v", goal-l.Acks.Load(), SettleLimit)
		}
	}
}

// Open lists the orders whose outcome is unknown.
func (l *Ledger) Open() []*Order {
	l.mu.Lock()
	defer l.mu.Unlock()
	var open []*Order
	for _, o := range l.orders {
		if o.Unknown {
			open = append(open, o)
		}
	}
	return open
}

// Resolve sends every order again whose outcome is unknown. Every one of them
// has to be answered now with an acknowledgement, and a third time with the
// same, or that seats which it named are somebody else's.
func (l *Ledger) Resolve(t testing.TB, c *Client) {
	t.Helper()
	for _, o := range l.Open() {
		resolved := l.Insist(c, o)
		if resolved && o.named != nil && o.Refused == seatsUnavailable {
			continue
		}
		if !resolved || o.Refused != "" {
			t.Errorf("order %s to %s, sent again with its key, is not resolved: refused %q", o.Key, o.Path, o.Refused)
			continue
		}
		first := *o.Told
		l.Place(c, o)
		if o.Told == nil || !same(first, *o.Told) {
			t.Errorf("order %s was answered %+v and then %+v", o.Key, first, o.Told)
		}
	}
}

// same says whether two answers tell the same of a booking.
func same(a, b Booking) bool {
	return a.ID == b.ID && a.UserID == b.UserID && a.Status == b.Status && a.Seats == b.Seats && slices.Equal(a.SeatNumbers, b.SeatNumbers)
}

// entry is one row of the history of bookings.
type entry struct {
	actor, bookingID, userID string
	to                       Booking
}

// Verify holds PostgreSQL to what the clients were told (C2): everything
// acknowledged is there, exactly as told and once; everything there was
// acknowledged or is of unknown outcome. It answers how many orders of unknown
// outcome had happened.
func (l *Ledger) Verify(t testing.TB, db *pgx.Conn) (happened int) {
	t.Helper()
	return l.hold(read(t, db), t.Errorf)
}

// hold compares the ledger with what happened, by key, and tells every breach.
func (l *Ledger) hold(rows map[string][]entry, tell func(format string, args ...any)) (happened int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	known := map[string]bool{}
	for _, o := range l.orders {
		found := rows[o.Key]
		known[o.Key] = true
		switch {
		case len(found) > 1:
			tell("order %s happened %d times", o.Key, len(found))
		case o.Told != nil && len(found) == 0:
			tell("order %s was acknowledged (%+v) and is lost", o.Key, *o.Told)
		case o.Told != nil:
			o.compare(found[0], tell)
		case o.Refused != "" && len(found) > 0:
			tell("order %s was refused (%s) and happened: %+v", o.Key, o.Refused, found[0])
		case o.Unknown:
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
func (o *Order) compare(e entry, tell func(format string, args ...any)) {
	got := Booking{ID: e.bookingID, UserID: e.userID, Status: e.to.Status, Seats: e.to.Seats, SeatNumbers: e.to.SeatNumbers}
	if e.actor != o.Who.ID || !same(*o.Told, got) {
		tell("order %s of %s was told %+v; PostgreSQL has %+v by %s", o.Key, o.Who.ID, *o.Told, got, e.actor)
	}
	if n := o.Told.WaitingNumber; o.Told.Status == "waiting" && (n == nil || e.to.WaitingNumber == nil || *n != *e.to.WaitingNumber) {
		tell("order %s was told another waiting number than PostgreSQL has", o.Key)
	}
}

// read reads what somebody did, by key; what the system does by itself, such as
// promoting, has none and is the checker's to judge.
func read(t testing.TB, db *pgx.Conn) map[string][]entry {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), CommandLimit)
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
		e.to = Booking{}
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

// Judge ends every test that books.
func (h *House) Judge(l *Ledger) {
	h.t.Helper()
	if open := l.Open(); len(open) > 0 {
		h.t.Errorf("the outcome of %d orders is still unknown", len(open))
	}
	db := h.Database()
	l.Verify(h.t, db)
	l.Histories(h.t, db)
	h.Check()
}
