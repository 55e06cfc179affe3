//go:build linux

package house

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

// The figures that the sale is held to.
const (
	SaleRequests = 2000
	SaleSeats    = 500

	stormClients   = 64
	StormEvents    = 8 // of each policy half
	StormSeats     = 40
	stormMaxParty  = 4
	stormMostOwned = 5 // bookings that one client keeps before it cancels again
	stormNamesEach = 4 // which of its bookings names a seat
)

// Rush lets 2,000 people ask for an event of 500 seats at the same moment.
func Rush(t *testing.T, h *House, c *Client, l *Ledger, eventID string) {
	people := h.People("rush", SaleRequests)
	orders := make([]*Order, len(people))
	for i, p := range people {
		orders[i] = l.Book(p, eventID, 1)
	}
	look := l.Watch(c, eventID)
	var ready, done sync.WaitGroup
	begin := make(chan struct{})
	for _, o := range orders {
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			<-begin
			l.Place(c, o)
		})
	}
	ready.Wait()
	began := time.Now()
	close(begin)
	done.Wait()
	t.Logf("%d requests were answered in %v", len(orders), time.Since(began).Round(time.Millisecond))
	look()

	var sold, numbers []int
	for _, o := range orders {
		switch {
		case o.Told == nil:
			t.Fatalf("%s was not served: refused %q, unknown %v", o.Who.Email, o.Refused, o.Unknown)
		case o.Told.Status == "confirmed":
			sold = append(sold, o.Told.SeatNumbers...)
		case o.Told.Status == "waiting" && o.Told.WaitingNumber != nil:
			numbers = append(numbers, int(*o.Told.WaitingNumber))
		default:
			t.Errorf("%s was told %+v", o.Who.Email, *o.Told)
		}
	}
	WantRow(t, "seats sold", sold, SaleSeats)
	WantRow(t, "waiting numbers", numbers, SaleRequests-SaleSeats)
	if slots, waiting := c.Available(t, eventID); slots != 0 || waiting != SaleRequests-SaleSeats {
		t.Errorf("available_slots is %d and waiting_parties %d", slots, waiting)
	}
	h.Check()
}

// WantRow wants the numbers 1…n, each once, in any order.
func WantRow(t *testing.T, what string, got []int, n int) {
	t.Helper()
	slices.Sort(got)
	want := make([]int, n)
	for i := range want {
		want[i] = i + 1
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s: %d numbers that are not 1…%d each once: %v", what, len(got), n, got)
	}
}

// Storm lets 64 clients book and give back at random, while the checker reads
// over their shoulders.
func Storm(t *testing.T, h *House, c *Client, l *Ledger, events []string, lasts time.Duration) {
	people := h.People("storm", stormClients)
	ctx, cancel := context.WithTimeout(context.Background(), lasts)
	defer cancel()
	seed := rand.Uint64()
	before := l.Acks.Load()
	defer l.Watch(c, events...)()
	var clients sync.WaitGroup
	for i, p := range people {
		clients.Go(func() { Wander(ctx, rand.New(rand.NewPCG(seed, uint64(i))), c, l, p, events) })
	}
	checks := 0
	for ; ctx.Err() == nil; checks++ {
		h.Check()
	}
	clients.Wait()
	done := l.Acks.Load() - before
	t.Logf("seed %d: %d changes (%.0f a second), checked %d times meanwhile", seed, done, float64(done)/lasts.Seconds(), checks)
	if done < stormClients {
		t.Errorf("only %d changes: nothing is shown by that", done)
	}
}

// Wander is one client of the storm: it books parties and gives them back,
// whole or in part, with no plan.
func Wander(ctx context.Context, rnd *rand.Rand, c *Client, l *Ledger, who *Person, events []string) {
	var mine []*Booking
	for ctx.Err() == nil {
		if len(mine) == 0 || len(mine) < stormMostOwned && rnd.IntN(2) == 0 {
			eventID := events[rnd.IntN(len(events))]
			o := l.Book(who, eventID, 1+rnd.IntN(stormMaxParty))
			if rnd.IntN(stormNamesEach) == 0 {
				o = l.Seats(who, eventID, 1+rnd.IntN(StormSeats))
			}
			if l.Place(c, o); o.Told != nil {
				mine = append(mine, o.Told)
			}
			continue
		}
		i := rnd.IntN(len(mine))
		b := mine[i]
		if b.Status == "confirmed" && len(b.SeatNumbers) > 1 && rnd.IntN(3) == 0 {
			o := l.GiveBack(who, b.ID, b.SeatNumbers[:1+rnd.IntN(len(b.SeatNumbers)-1)])
			if l.Place(c, o); o.Told != nil {
				mine[i] = o.Told
				continue
			}
		}
		l.Place(c, l.Cancel(who, b.ID))
		mine = slices.Delete(mine, i, i+1)
	}
}
