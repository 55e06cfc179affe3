//go:build linux

package house

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"happening/internal/booking/simtest"
)

// readEvery is how often the map is read in a sale.
const readEvery = 20 * time.Millisecond

// reading is what somebody was shown of an event's seats.
type reading struct {
	eventID string
	at      simtest.Span
	sold    []uint64 // a bit a seat; seat 1 is the lowest of the first
}

func (r *reading) shows(seat int) bool {
	at := seat - 1
	return at/64 < len(r.sold) && r.sold[at/64]>>(at%64)&1 == 1
}

// change is one row of the history of bookings: which seats a booking had
// before and after it.
type change struct {
	eventID, bookingID, key string
	before, after           []int
}

// now is the moment on the clock of everything that the ledger notes: it runs
// in this process alone and is never set.
func (l *Ledger) now() int64 { return int64(time.Since(l.began)) }

// Look reads the map of an event's seats as a visitor and notes what it shows;
// false: there was none. One that says that it is not live is counted and no
// more: it promises nothing about what another process has sold.
func (l *Ledger) Look(c *Client, eventID string) bool {
	r := reading{eventID: eventID, at: simtest.Span{Asked: l.now()}}
	a, err := c.Do(context.Background(), nil, http.MethodGet, "/events/"+eventID+"/seats", nil)
	r.at.Told = l.now()
	if err != nil || a.Status != http.StatusOK {
		return false
	}
	m, err := ReadMap(a)
	if err != nil {
		return false
	}
	if !m.Live { // it says itself that it may be old
		l.mu.Lock()
		defer l.mu.Unlock()
		l.stale++
		return true
	}
	r.sold = make([]uint64, (len(m.Seats)+63)/64)
	for i, state := range m.Seats {
		if state == SeatBooked {
			r.sold[i/64] |= 1 << (i % 64)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.readings = append(l.readings, r)
	return true
}

// Watch reads the maps of events in turn until it is told to end, whether
// anybody answers or not.
func (l *Ledger) Watch(c *Client, events ...string) (end func()) {
	over := make(chan struct{})
	var reader sync.WaitGroup
	reader.Go(func() {
		tick := time.NewTicker(readEvery)
		defer tick.Stop()
		for n := 0; ; n++ {
			l.Look(c, events[n%len(events)])
			select {
			case <-over:
				return
			case <-tick.C:
			}
		}
	})
	return func() { close(over); reader.Wait() }
}

// history is what everybody was told of every seat. Which seats a change took
// and gave is the record's word, which Verify has held to what was told; when
// it happened is not: an order has happened between question and answer, one
// that was sent again between its first question and its last answer. What
// nobody was told of, such as a promotion, happened at some time between what
// happened to the booking before and after it, and may be under way until the
// end.
func (l *Ledger) history(record []change) *simtest.History {
	l.mu.Lock()
	defer l.mu.Unlock()
	orders := make(map[string]*Order, len(l.orders))
	for _, o := range l.orders {
		orders[o.Key] = o
	}
	spans := spansOf(record, orders)
	h, changed := &simtest.History{}, map[string][]simtest.Span{}
	for i, c := range record {
		for _, seat := range c.after {
			if !slices.Contains(c.before, seat) {
				name := seatName(c.eventID, seat)
				h.Took(name, c.bookingID, spans[i])
				changed[name] = append(changed[name], spans[i])
			}
		}
		for _, seat := range c.before {
			if !slices.Contains(c.after, seat) {
				name := seatName(c.eventID, seat)
				h.Freed(name, c.bookingID, spans[i])
				changed[name] = append(changed[name], spans[i])
			}
		}
	}
	for _, o := range l.orders {
		if o.Refused != seatsUnavailable {
			continue
		}
		for _, seat := range o.named {
			if gone := slices.Contains(o.gone, seat); !gone || !l.Holds {
				h.Found(seatName(o.eventID, seat), gone, simtest.Span{Asked: o.sent, Told: o.answered})
			}
		}
	}
	l.noteReadings(h, changed)
	return h
}

func seatName(eventID string, seat int) string { return fmt.Sprint(eventID, "/", seat) }

// spansOf says when each change of a record happened, as far as the clients
// know. The changes of a booking follow each other in the record.
func spansOf(record []change, orders map[string]*Order) []simtest.Span {
	spans := make([]simtest.Span, len(record))
	for i, c := range record {
		spans[i] = simtest.Lost(0)
		if o := orders[c.key]; o != nil {
			spans[i] = simtest.Lost(o.asked)
			if o.Told != nil {
				spans[i].Told = o.answered
			}
		}
		if i > 0 && record[i-1].bookingID == c.bookingID {
			spans[i].Asked = max(spans[i].Asked, spans[i-1].Asked)
		}
	}
	for i := len(record) - 2; i >= 0; i-- {
		if record[i].bookingID == record[i+1].bookingID {
			spans[i].Told = min(spans[i].Told, spans[i+1].Told)
		}
	}
	return spans
}

// noteReadings adds what maps showed. A reading that shows of a seat what the
// one before it showed, with no change of the seat between the first's question
// and the second's answer, adds nothing and is left out; so is a seat that
// nobody ever had and that is shown free.
func (l *Ledger) noteReadings(h *simtest.History, changed map[string][]simtest.Span) {
	byEvent := map[string][]reading{}
	for _, r := range l.readings {
		byEvent[r.eventID] = append(byEvent[r.eventID], r)
	}
	for eventID, readings := range byEvent {
		slices.SortFunc(readings, func(a, b reading) int { return cmp.Compare(a.at.Told, b.at.Told) })
		seats := 0
		for _, r := range readings {
			seats = max(seats, 64*len(r.sold))
		}
		for seat := 1; seat <= seats; seat++ {
			name := seatName(eventID, seat)
			spans := changed[name]
			var last *reading
			for i := range readings {
				r := &readings[i]
				sold := r.shows(seat)
				if spans == nil && !sold || last != nil && last.shows(seat) == sold && !anyBetween(spans, last.at.Asked, r.at.Told) {
					continue
				}
				h.Found(name, sold, r.at)
				last = r
			}
		}
	}
}

// anyBetween says whether one of the spans touches the time between two moments.
func anyBetween(spans []simtest.Span, from, to int64) bool {
	return slices.ContainsFunc(spans, func(s simtest.Span) bool { return s.Asked <= to && from <= s.Told })
}

// Histories wants an order of all that was asked of each seat that explains what
// everybody was told.
func (l *Ledger) Histories(t testing.TB, db *pgx.Conn) {
	t.Helper()
	began := time.Now()
	h := l.history(readChanges(t, db))
	illegal := h.Illegal()
	l.mu.Lock()
	maps, stale := len(l.readings), l.stale
	l.mu.Unlock()
	t.Logf("%d operations on seats, %d maps read, %d more said that they were not live: ordered in %v", h.Len(), maps, stale, time.Since(began).Round(time.Millisecond))
	if len(illegal) > 0 {
		t.Errorf("no order explains what was told of %d seats: %v", len(illegal), illegal[:min(len(illegal), 10)])
	}
}

// WantForgeryNoticed is the control of Histories, on the history of a real
// sale: of each event at which anything was sold, the first map is shown once
// more at the end.
func (l *Ledger) WantForgeryNoticed(t testing.TB, db *pgx.Conn) {
	t.Helper()
	l.mu.Lock()
	truth := l.readings
	forged, seen := slices.Clone(truth), map[string]bool{}
	for _, r := range truth {
		if !seen[r.eventID] {
			seen[r.eventID] = true
			r.at = simtest.Span{Asked: math.MaxInt64 - 1, Told: math.MaxInt64}
			forged = append(forged, r)
		}
	}
	l.readings = forged
	l.mu.Unlock()
	if len(l.history(readChanges(t, db)).Illegal()) == 0 {
		t.Error("an old map that is shown in the end is not noticed: the histories show nothing")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.readings = truth
}

// readChanges reads the record, each booking's changes one after the other.
func readChanges(t testing.TB, db *pgx.Conn) []change {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), CommandLimit)
	defer cancel()
	rows, err := db.Query(ctx, `
		SELECT event_id::text, booking_id::text, coalesce(idempotency_key, ''),
		       ARRAY(SELECT n::int FROM jsonb_array_elements_text(coalesce(nullif(details -> 'from', 'null') -> 'seat_numbers', '[]')) n),
		       ARRAY(SELECT n::int FROM jsonb_array_elements_text(coalesce(nullif(details -> 'to', 'null') -> 'seat_numbers', '[]')) n)
		FROM booking_history
		ORDER BY booking_id, id`)
	if err != nil {
		t.Fatal(err)
	}
	record, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c change, err error) {
		err = row.Scan(&c.eventID, &c.bookingID, &c.key, &c.before, &c.after)
		return c, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return record
}
