//go:build linux

package system

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
	saleRequests = 2000
	saleSeats    = 500

	stormClients   = 64
	stormEvents    = 8 // of each policy half
	stormSeats     = 40
	stormMaxParty  = 4
	stormDuration  = 20 * time.Second
	stormShort     = 5 * time.Second
	stormMostOwned = 5 // bookings that one client keeps before it cancels again
)

// 2,000 people ask for 500 seats at the same moment: 500 get one each, nobody
// gets another's, the others wait in a row without gap. Then 64 clients book and
// cancel at random at events of both policies, while the checker reads over their
// shoulders.
func TestSale(t *testing.T) {
	h := newHouse(t)
	h.serve()
	c := newClient(h.api)
	t.Cleanup(c.close)
	admin := h.people("admin", 1)[0]
	org := c.organization(t, admin)
	l := newLedger()
	t.Run("2000 for 500 at once", func(t *testing.T) { rush(t, h, c, l, c.event(t, admin, org, saleSeats, nil)) })
	t.Run("random booking and cancelling", func(t *testing.T) {
		var events []string
		for i := range stormEvents {
			policy := []string{"strict", "fit"}[i%2]
			events = append(events, c.event(t, admin, org, stormSeats, map[string]any{"waitlist_policy": policy}))
		}
		storm(t, h, c, l, events)
	})
	h.judge(l)
}

func rush(t *testing.T, h *house, c *client, l *ledger, eventID string) {
	people := h.people("rush", saleRequests)
	orders := make([]*order, len(people))
	for i, p := range people {
		orders[i] = l.book(p, eventID, 1)
	}
	var ready, done sync.WaitGroup
	begin := make(chan struct{})
	for _, o := range orders {
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			<-begin
			l.place(c, o)
		})
	}
	ready.Wait()
	began := time.Now()
	close(begin)
	done.Wait()
	t.Logf("%d requests were answered in %v", len(orders), time.Since(began).Round(time.Millisecond))

	var sold, numbers []int
	for _, o := range orders {
		switch {
		case o.told == nil:
			t.Fatalf("%s was not served: refused %q, unknown %v", o.who.email, o.refused, o.unknown)
		case o.told.Status == "confirmed":
			sold = append(sold, o.told.SeatNumbers...)
		case o.told.Status == "waiting" && o.told.WaitingNumber != nil:
			numbers = append(numbers, int(*o.told.WaitingNumber))
		default:
			t.Errorf("%s was told %+v", o.who.email, *o.told)
		}
	}
	wantRow(t, "seats sold", sold, saleSeats)
	wantRow(t, "waiting numbers", numbers, saleRequests-saleSeats)
	if slots, waiting := c.available(t, eventID); slots != 0 || waiting != saleRequests-saleSeats {
		t.Errorf("available_slots is %d and waiting_parties %d", slots, waiting)
	}
	h.check()
}

// wantRow wants the numbers 1…n, each once, in any order.
func wantRow(t *testing.T, what string, got []int, n int) {
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

func storm(t *testing.T, h *house, c *client, l *ledger, events []string) {
	lasts := stormDuration
	if testing.Short() {
		lasts = stormShort
	}
	people := h.people("storm", stormClients)
	ctx, cancel := context.WithTimeout(context.Background(), lasts)
	defer cancel()
	seed := rand.Uint64()
	before := l.acks.Load()
	var clients sync.WaitGroup
	for i, p := range people {
		clients.Go(func() { wander(ctx, rand.New(rand.NewPCG(seed, uint64(i))), c, l, p, events) })
	}
	checks := 0
	for ; ctx.Err() == nil; checks++ {
		h.check()
	}
	clients.Wait()
	done := l.acks.Load() - before
	t.Logf("seed %d: %d changes (%.0f a second), checked %d times meanwhile", seed, done, float64(done)/lasts.Seconds(), checks)
	if done < stormClients {
		t.Errorf("only %d changes: nothing is shown by that", done)
	}
}

// wander is one client of the storm: it books parties and gives them back,
// whole or in part, with no plan.
func wander(ctx context.Context, rnd *rand.Rand, c *client, l *ledger, who *person, events []string) {
	var mine []*booking
	for ctx.Err() == nil {
		if len(mine) == 0 || len(mine) < stormMostOwned && rnd.IntN(2) == 0 {
			o := l.book(who, events[rnd.IntN(len(events))], 1+rnd.IntN(stormMaxParty))
			if l.place(c, o); o.told != nil {
				mine = append(mine, o.told)
			}
			continue
		}
		i := rnd.IntN(len(mine))
		b := mine[i]
		if b.Status == "confirmed" && len(b.SeatNumbers) > 1 && rnd.IntN(3) == 0 {
			o := l.giveBack(who, b.ID, b.SeatNumbers[:1+rnd.IntN(len(b.SeatNumbers)-1)])
			if l.place(c, o); o.told != nil {
				mine[i] = o.told
				continue
			}
		}
		l.place(c, l.cancel(who, b.ID))
		mine = slices.Delete(mine, i, i+1)
	}
}
