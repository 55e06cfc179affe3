package notify_test

import (
	"context"
	"fmt"
	"log/slog"
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

// house is a database with an organization's event, and a clock.
type house struct {
	testing.TB
	db    *testkit.DB
	store *postgres.NotifyStore
	at    atomic.Pointer[time.Time]
}

func newHouse(t testing.TB) *house {
	t.Helper()
	db := testkit.NewDB(t)
	h := &house{TB: t, db: db, store: postgres.NewNotifyStore(db.DB)}
	h.at.Store(&start)
	return h
}

func (h *house) now() time.Time { return *h.at.Load() }

func (h *house) pass(d time.Duration) {
	later := h.now().Add(d)
	h.at.Store(&later)
}

func (h *house) exec(sql string, args ...any) {
	h.Helper()
	if _, err := h.db.System.Exec(context.Background(), sql, args...); err != nil {
		h.Fatalf("%v: %s", err, sql)
	}
}

func (h *house) count(sql string, args ...any) int {
	h.Helper()
	var n int
	if err := h.db.System.QueryRow(context.Background(), sql, args...).Scan(&n); err != nil {
		h.Fatalf("%v: %s", err, sql)
	}
	return n
}

// owner runs SQL as the owner of the tables.
func (h *house) owner(sql string) {
	h.Helper()
	conn := h.connect("happening")
	if _, err := conn.Exec(context.Background(), sql); err != nil {
		h.Fatalf("%v: %s", err, sql)
	}
}

func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

// organization makes one with an event.
func (h *house) organization(name string) (org, event uuid.UUID) {
	h.Helper()
	org, event = newID(), newID()
	h.exec("INSERT INTO organizations (id, name, created_by) VALUES ($1, $2, $3)", org, name, newID())
	h.exec(`INSERT INTO events (id, org_id, name, category, venue, starts_at, ends_at, time_zone, total_slots, available_slots,
	                            visibility, waitlist_policy, created_by)
	        VALUES ($1, $2, $3, 'concert', 'Blue Hall', $4, $5, 'Europe/Vienna', 1000, 1000, 'public', 'strict', $6)`,
		event, org, "Night of "+name, start.Add(30*24*time.Hour), start.Add(30*24*time.Hour+2*time.Hour), newID())
	return org, event
}

func (h *house) person(verified bool) uuid.UUID {
	h.Helper()
	id := newID()
	h.exec("INSERT INTO users (id, name, email, email_verified) VALUES ($1, 'Ada', $2, $3)", id, addressOf(id), verified)
	return id
}

func addressOf(person uuid.UUID) string { return person.String() + "@example.org" }

// booked writes the fact of a booking.
func (h *house) booked(org, event, person uuid.UUID) (fact, booking uuid.UUID) {
	h.Helper()
	fact, booking = newID(), newID()
	h.exec(`INSERT INTO outbox (id, org_id, kind, event_id, booking_id, user_id, payload, created_at)
	        VALUES ($1, $2, 'booking.confirmed', $3, $4, $5, $6, $7)`, fact, org, event, booking, person,
		fmt.Sprintf(`{"action":"confirmed","from":null,"to":{"status":"confirmed","seats":1,"seat_numbers":[3]},"actor":%q}`, person), h.now())
	return fact, booking
}

// flood writes the facts of n bookings by n different people in one go.
func (h *house) flood(org, event uuid.UUID, n int) {
	h.Helper()
	facts, people := make([]uuid.UUID, n), make([]uuid.UUID, n)
	for i := range n {
		facts[i], people[i] = newID(), newID()
	}
	h.exec(`INSERT INTO outbox (id, org_id, kind, event_id, booking_id, user_id, payload, created_at)
	        SELECT f, $3, 'booking.confirmed', $4, f, p,
	               jsonb_build_object('action', 'confirmed', 'from', null, 'actor', p,
	                 'to', jsonb_build_object('status', 'confirmed', 'seats', 2, 'seat_numbers', jsonb_build_array(3, 4))), $5
	        FROM unnest($1::uuid[], $2::uuid[]) AS x (f, p)`, facts, people, org, event, h.now())
}

func (h *house) relay(change ...func(*notify.RelayConfig)) *notify.Relay {
	cfg := notify.RelayConfig{Store: h.store, Now: h.now, Log: slog.New(slog.DiscardHandler)}
	for _, c := range change {
		c(&cfg)
	}
	return notify.NewRelay(cfg)
}

// drain relays until nothing is left.
func (h *house) drain(r *notify.Relay) {
	h.Helper()
	for {
		n, err := r.Once(context.Background())
		if err != nil {
			h.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
}
