package queuetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/notify"
	"happening/internal/postgres"
	"happening/internal/testkit"
)

// start is when the tests begin; their clock moves only when told to.
var start = time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC)

// patience bounds every wait for something to happen.
const patience = 60 * time.Second

// House is a database with facts, a clock, and what was heard of both.
type House struct {
	testing.TB
	DB    *testkit.DB
	Store *postgres.NotifyStore

	at atomic.Pointer[time.Time]

	mu      sync.Mutex
	pushed  map[uuid.UUID]int // by message
	order   []uuid.UUID       // the messages, as they were heard of first
	changed chan struct{}     // closed and renewed whenever something was heard
}

// NewHouse makes one on a database of its own.
func NewHouse(t testing.TB) *House {
	t.Helper()
	db := testkit.NewDB(t)
	h := &House{TB: t, DB: db, Store: postgres.NewNotifyStore(db.DB), pushed: make(map[uuid.UUID]int), changed: make(chan struct{})}
	h.at.Store(&start)
	return h
}

// Now is the house's clock, and Pass moves it.
func (h *House) Now() time.Time { return *h.at.Load() }

// Pass moves the clock.
func (h *House) Pass(d time.Duration) {
	later := h.Now().Add(d)
	h.at.Store(&later)
}

// Exec runs SQL as the system.
func (h *House) Exec(sql string, args ...any) {
	h.Helper()
	if _, err := h.DB.System.Exec(context.Background(), sql, args...); err != nil {
		h.Fatalf("%v: %s", err, sql)
	}
}

// Count reads a number.
func (h *House) Count(sql string, args ...any) int {
	h.Helper()
	var n int
	if err := h.DB.System.QueryRow(context.Background(), sql, args...).Scan(&n); err != nil {
		h.Fatalf("%v: %s", err, sql)
	}
	return n
}

// Facts writes the facts of n bookings of a new organization's event by n
// different people.
func (h *House) Facts(n int) []uuid.UUID {
	h.Helper()
	org, _ := h.DB.Org(h)
	return h.FactsOf(org, h.DB.Event(h, org, 1000, testkit.EventOptions{}), n)
}

// FactsOf writes the facts of n bookings of an event.
func (h *House) FactsOf(org, event uuid.UUID, n int) []uuid.UUID {
	h.Helper()
	facts, people := make([]uuid.UUID, n), make([]uuid.UUID, n)
	for i := range n {
		facts[i], people[i] = uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	}
	h.Exec(`INSERT INTO outbox (id, org_id, kind, event_id, booking_id, user_id, payload, created_at)
	        SELECT f, $3, 'booking.confirmed', $4, f, p,
	               jsonb_build_object('action', 'confirmed', 'from', null, 'actor', p,
	                 'to', jsonb_build_object('status', 'confirmed', 'seats', 2, 'seat_numbers', jsonb_build_array(3, 4))), $5
	        FROM unnest($1::uuid[], $2::uuid[]) AS x (f, p)`, facts, people, org, event, h.Now())
	return facts
}

// Poison makes the database refuse every message of a fact.
func (h *House) Poison(fact uuid.UUID) {
	h.Helper()
	h.DB.AsOwner(h, fmt.Sprintf(`
		CREATE FUNCTION refuse_poison() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN RAISE EXCEPTION 'this fact is poison'; END $$;
		CREATE TRIGGER refuse_poison BEFORE INSERT ON notifications FOR EACH ROW
		WHEN (NEW.fact_id = '%s') EXECUTE FUNCTION refuse_poison()`, fact))
}

// Heard notes pushes; it is every worker's Pushed.
func (h *House) Heard(_ context.Context, messages []notify.AppMessage) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range messages {
		if h.pushed[m.NotificationID]++; h.pushed[m.NotificationID] == 1 {
			h.order = append(h.order, m.NotificationID)
		}
	}
	h.tell()
}

// Before waits until a fact of one person is told, and says how many messages
// were pushed before its own: what is pushed until somebody looks is the
// machine's affair.
func (h *House) Before(fact uuid.UUID) (n int) {
	h.Helper()
	h.Wait("a fact to be told", func() bool {
		if h.Count("SELECT count(*) FROM notifications WHERE fact_id = $1 AND channel = 'app'", fact) == 0 {
			return false
		}
		var id uuid.UUID
		if err := h.DB.System.QueryRow(context.Background(),
			"SELECT id FROM notifications WHERE fact_id = $1 AND channel = 'app'", fact).Scan(&id); err != nil {
			h.Fatal(err)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		n = slices.Index(h.order, id)
		return n >= 0
	})
	return n
}

// Notice says that something happened that a wait may be for.
func (h *House) Notice() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tell()
}

func (h *House) tell() {
	close(h.changed)
	h.changed = make(chan struct{})
}

// Pushes says how many messages were pushed.
func (h *House) Pushes() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.pushed)
}

// Wait waits until something is so; it is looked at after every push and
// every Notice.
func (h *House) Wait(what string, so func() bool) {
	h.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		h.mu.Lock()
		changed := h.changed
		h.mu.Unlock()
		if so() {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			h.Fatalf("waited %v in vain for %s; pushed so far: %d; facts: %s", patience, what, h.Pushes(), h.states())
		}
	}
}

func (h *House) states() string {
	var text string
	err := h.DB.System.QueryRow(context.Background(), `
		SELECT format('%s told, %s failed, %s queued, %s waiting', count(*) FILTER (WHERE relayed_at IS NOT NULL AND failure IS NULL),
		  count(failure), count(*) FILTER (WHERE relayed_at IS NULL AND queued_at IS NOT NULL),
		  count(*) FILTER (WHERE relayed_at IS NULL AND queued_at IS NULL))
		FROM outbox`).Scan(&text)
	if err != nil {
		return err.Error()
	}
	return text
}

// WaitPushed waits until so many different messages were pushed.
func (h *House) WaitPushed(n int) {
	h.Helper()
	h.Wait(fmt.Sprintf("%d pushes", n), func() bool { return h.Pushes() >= n })
}

// Exact checks that so many facts were told, each to its person in both
// channels, and that nobody was told of one twice.
func (h *House) Exact(facts int) {
	h.Helper()
	if n := h.Count("SELECT count(*) FROM outbox WHERE relayed_at IS NOT NULL AND failure IS NULL"); n != facts {
		h.Errorf("%d facts are told, not %d: %s", n, facts, h.states())
	}
	for _, channel := range []string{"app", "email"} {
		if n := h.Count("SELECT count(*) FROM notifications WHERE channel = $1", channel); n != facts {
			h.Errorf("%d messages by %s of %d facts", n, channel, facts)
		}
	}
	if n := h.Count(`SELECT count(*) FROM (
		SELECT FROM notifications GROUP BY fact_id, user_id, channel HAVING count(*) > 1) AS d`); n != 0 {
		h.Errorf("%d people are told twice of one fact", n)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, n := range h.pushed {
		if n != 1 {
			h.Errorf("the message %s was pushed %d times", id, n)
		}
	}
}
