//go:build linux && engines

package chaos

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"happening/test/house"
)

const (
	// promoterDies is how often a process that promotes is killed.
	promoterDies = time.Second
	// freedEvery is the pause between two cancellations.
	freedEvery = 80 * time.Millisecond
	// leastKills is what it takes to show anything: the cancellations keep step
	// with so many.
	leastKills = 3
)

// Everybody waits for seats that others give back, while the processes that
// promote are killed every second, or as soon as another one serves again. In the end as many were promoted as seats
// were freed, those who waited first, and nobody twice (C5).
func TestWaitlistWhilePromotersDie(t *testing.T) {
	r := house.NewReplicas(t, nil)
	r.StartMany(replicas)
	c := house.NewClient(r.House.API)
	t.Cleanup(c.Close)
	admin := r.House.People("admin", 1)[0]
	eventID := c.Event(t, admin, c.Organization(t, admin), waitlistFreed, nil)
	l := house.NewLedger()
	place := func(orders []*house.Order) {
		work := make(chan *house.Order)
		var all sync.WaitGroup
		for range clients {
			all.Go(func() {
				for o := range work {
					if l.Place(c, o); o.Unknown && !l.Insist(c, o) || o.Told == nil {
						t.Errorf("order %s: refused %q, unknown %v", o.Key, o.Refused, o.Unknown)
					}
				}
			})
		}
		for _, o := range orders {
			work <- o
		}
		close(work)
		all.Wait()
	}
	book := func(name string, n int) (orders []*house.Order) {
		for _, p := range r.House.People(name, n) {
			orders = append(orders, l.Book(p, eventID, 1))
		}
		place(orders)
		return orders
	}
	sold, waiting := book("owner", waitlistFreed), book("waiter", waitlistParty)

	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	killed, kills := killPromoters(ctx, r)
	looked := l.Watch(c, eventID)
	var cancels sync.WaitGroup
	pace := time.NewTicker(freedEvery)
	defer pace.Stop()
	rand.Shuffle(len(sold), func(i, j int) { sold[i], sold[j] = sold[j], sold[i] })
	var unsure atomic.Int64
	for i, o := range sold {
		<-pace.C
		if goal := int64(i * (leastKills + 1) / len(sold)); killed.Load() < goal {
			house.Await(t, "a kill", house.SettleLimit, func() bool { return killed.Load() >= goal })
		}
		cancel := l.Cancel(o.Who, o.Told.ID)
		cancels.Go(func() {
			if l.Place(c, cancel); cancel.Unknown {
				unsure.Add(1)
				l.Insist(c, cancel)
			}
			if cancel.Told == nil {
				t.Errorf("a cancellation was refused: %q, unknown %v", cancel.Refused, cancel.Unknown)
			}
		})
	}
	cancels.Wait()
	stop()
	looked()
	t.Logf("%d cancellations, %d of unknown outcome, over %d kills", len(sold), unsure.Load(), kills())
	if kills() < leastKills {
		t.Errorf("only %d kills: nothing is shown", kills())
	}
	db := r.House.Database()
	house.Await(t, "all freed seats are sold again", house.SettleLimit, func() bool {
		return house.Count(t, db, `SELECT count(*) FROM booking_seats WHERE event_id = $1 AND status = 'booked'`, eventID) == waitlistFreed
	})
	var first []int
	for _, o := range waiting {
		first = append(first, int(*o.Told.WaitingNumber))
	}
	slices.Sort(first)
	promoted := house.Numbers(t, db, `
		SELECT b.waiting_number FROM bookings b
		WHERE b.event_id = $1 AND b.status = 'confirmed' AND b.waiting_number IS NOT NULL ORDER BY 1`, eventID)
	if !slices.Equal(promoted, first[:waitlistFreed]) {
		t.Errorf("promoted were %v, and not the first %d of those who waited", promoted, waitlistFreed)
	}
	if twice := house.Count(t, db, `
		SELECT count(*) FROM (
			SELECT FROM booking_history h JOIN bookings b ON b.id = h.booking_id
			WHERE b.event_id = $1 AND h.action = 'promoted' GROUP BY h.booking_id HAVING count(*) > 1) twice`, eventID); twice > 0 {
		t.Errorf("%d were promoted twice", twice)
	}
	r.House.Judge(l)
	reconciled(t, r.House)
}

// killPromoters kills one replica after the other until ctx ends, each while
// another one serves, and starts it again. killed counts as it goes; the function
// waits for the last start and tells how many kills there were.
func killPromoters(ctx context.Context, r *house.Replicas) (killed *atomic.Int64, kills func() int) {
	killed = new(atomic.Int64)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(promoterDies)
		defer tick.Stop()
		for i := 0; ; {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			p := r.All[i%len(r.All)]
			serves := func(other *house.Replica) bool { return other != p && r.Balancer.Ready(other.Name) }
			if !slices.ContainsFunc(r.All, serves) {
				continue // on a slow machine nobody would ever be served
			}
			p.Kill()
			killed.Add(1)
			i++
			p.Relaunch()
		}
	}()
	return killed, func() int { <-done; return int(killed.Load()) }
}
