//go:build linux && long && !engines

package system

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"happening/test/house"
)

// The full lengths of docs/reliability.md.
const (
	peakClients = 256
	peakLasts   = 15 * time.Second
	beyond      = 4 // times the peak
	beyondLasts = 60 * time.Second
	// leastGoodput is the part of the peak that has to be served beyond it.
	leastGoodput = 0.9
	// Who finds no room among the requests on their way is not sent. The queue
	// takes in 2,048, or what is served in two seconds (booking.queueFloor,
	// queuePatience); four batches beyond it are held at the door and turned away. A port has more
	// connections than that.
	leastTaken, secondsTaken = 2_048, 2
	roomBeyond               = 2_048
	mostAtOnce               = 7_500
	hotRequests              = 350_000
	calmLimit                = 30 * time.Second
	// fullBatches are clients enough for two batches, one that is written and one
	// that waits: more of them would get no more through.
	fullBatches = 1_024
	// slowCommit is the longest by which PostgreSQL can be made to hold a commit
	// up, in microseconds: batches of 512 are at most 5,000 orders a second,
	// whatever the machine.
	slowCommit = "100000"
)

// flood is more than can be served, at an event that has room for all of it.
type flood struct {
	t      *testing.T
	l      *house.Ledger
	c      *house.Client
	people []*house.Person
	large  string
	admin  *house.Person
	org    string
	orders []*house.Order
	room   chan struct{} // made by flow
}

func newFlood(t *testing.T, h *house.House) *flood {
	t.Helper()
	f := &flood{t: t, l: house.NewLedger(), c: house.NewClient(h.API)}
	t.Cleanup(f.c.Close)
	f.admin = h.People("admin", 1)[0]
	f.org = f.c.Organization(t, f.admin)
	f.large = f.c.Event(t, f.admin, f.org, 1_000_000, nil)
	f.people = h.People("crowd", 2000)
	return f
}

// order makes the next one; one at a time.
func (f *flood) order(eventID string) *house.Order {
	o := f.l.Order(f.people[len(f.orders)%len(f.people)], "/bookings", map[string]any{"event_id": eventID, "seats": 1, "on_full": "refuse"})
	f.orders = append(f.orders, o)
	return o
}

// peak is how many orders a second a closed crowd gets through.
func (f *flood) peak(clients int) float64 {
	var mu sync.Mutex
	var crowd sync.WaitGroup
	before, end := f.l.Acks.Load(), time.Now().Add(peakLasts)
	for range clients {
		crowd.Go(func() {
			for time.Now().Before(end) {
				mu.Lock()
				o := f.order(f.large)
				mu.Unlock()
				f.l.Place(f.c, o)
			}
		})
	}
	crowd.Wait()
	return float64(f.l.Acks.Load()-before) / peakLasts.Seconds()
}

// filling is room for more than the queue takes in at such a peak.
func filling(peak float64) int {
	return min(max(leastTaken, int(secondsTaken*peak))+roomBeyond, mostAtOnce)
}

// flow offers four times the peak for a minute, as far as there is room for it,
// while look is called again and again, and says how many were turned away and
// which part of the peak was served.
func (f *flood) flow(clients int, room func(peak float64) int, look func()) (turned int64, goodput float64) {
	f.t.Helper()
	peak := f.peak(clients)
	f.room = make(chan struct{}, room(peak))
	f.l.Longest()
	before, began := f.l.Acks.Load(), time.Now()
	offered, unsent := 0, 0
	var busy atomic.Int64
	var under sync.WaitGroup
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for tick := time.NewTicker(time.Millisecond); time.Since(began) < beyondLasts; <-tick.C {
			for due := int(time.Since(began).Seconds() * peak * beyond); offered < due; offered++ {
				select {
				case f.room <- struct{}{}:
				default:
					unsent++
					continue
				}
				o := f.order(f.large)
				under.Go(func() {
					if f.l.Place(f.c, o); o.Busy() {
						busy.Add(1)
					}
					<-f.room
				})
			}
		}
	}()
	for looks, flowing := time.NewTicker(lookEvery), true; flowing; {
		select {
		case <-looks.C:
			look()
		case <-sent:
			flowing = false
		}
	}
	served := float64(f.l.Acks.Load()-before) / time.Since(began).Seconds()
	under.Wait()
	f.t.Logf("peak %.0f bookings/s with %d clients; %d offered at %d times that, %d of them found %d on their way, %d were turned away: goodput %.0f/s, %.2f of the peak, longest wait %v",
		peak, clients, offered, beyond, unsent, cap(f.room), busy.Load(), served, served/peak, f.l.Longest())
	return busy.Load(), served / peak
}

// lookEvery is how often pages and holds are tried in a flood.
const lookEvery = 500 * time.Millisecond

// calm wants that an order at another event is served soon, and each order to
// have been answered with one of the statuses that a flood may have. It answers
// the seats sold to those from the first on.
func (f *flood) calm(first int) (sold []int) {
	f.t.Helper()
	began := time.Now()
	after := f.l.Book(f.people[0], f.c.Event(f.t, f.admin, f.org, 10, nil), 1)
	if !f.l.Insist(f.c, after) || after.Told == nil || time.Since(began) > calmLimit {
		f.t.Errorf("after %v an order at another event is answered %d %s", time.Since(began), after.Status, after.Refused)
	}
	f.t.Logf("calm again after %v", time.Since(began).Round(time.Millisecond))
	statuses := map[int]int{}
	for i, o := range f.orders {
		statuses[o.Status]++
		switch {
		case o.Status == http.StatusCreated && i >= first:
			sold = append(sold, o.Told.SeatNumbers...)
		case o.Status == http.StatusTooManyRequests || o.Status == http.StatusServiceUnavailable:
			if o.RetryAfter == "" {
				f.t.Errorf("%d without a word when to come again", o.Status)
			}
		case o.Status != http.StatusCreated && o.Status != http.StatusConflict:
			f.t.Errorf("an order is answered %d", o.Status)
		}
		o.TurnedAway()
	}
	f.t.Logf("answers: %v", statuses)
	return sold
}

// First as many orders as a closed crowd gets through, then four times as many
// a second from an open one that has as many on their way as the queue takes in
// whatever it costs, then 350,000 for 200 seats.
func TestOverloadInFull(t *testing.T) {
	h := house.New(t)
	h.Serve()
	f := newFlood(t, h)
	if _, goodput := f.flow(peakClients, func(float64) int { return leastTaken }, func() {}); goodput < leastGoodput {
		t.Errorf("the goodput is %.2f of the peak", goodput)
	}

	hot := f.c.Event(t, f.admin, f.org, overloadSeats, nil)
	began, first := time.Now(), len(f.orders)
	var under sync.WaitGroup
	for range hotRequests {
		f.room <- struct{}{}
		o := f.order(hot)
		under.Go(func() { f.l.Place(f.c, o); <-f.room })
	}
	under.Wait()
	t.Logf("%d requests for %d seats in %v, longest wait %v", hotRequests, overloadSeats, time.Since(began).Round(time.Second), f.l.Longest())
	house.WantRow(t, "seats sold", f.calm(first), overloadSeats)
	f.l.Resolve(t, f.c)
	h.Judge(f.l)
}

// The same where PostgreSQL's commits take a tenth of a second: what is offered
// fills the queue up to its bound in time, on a fast machine and on a busy one.
// Holds and pages live on meanwhile. It wants cores to spare, since who is
// turned away takes the same ones as the load itself.
func TestOverloadFillsTheQueue(t *testing.T) {
	h := house.New(t)
	h.Serve()
	// Not behind a wire, which would be a part of the load's process.
	db := h.Database()
	for _, setting := range []string{"commit_delay = " + slowCommit, "commit_siblings = 0"} {
		house.Exec(t, db, "ALTER SYSTEM SET "+setting)
	}
	house.Exec(t, db, "SELECT pg_reload_conf()")
	f := newFlood(t, h)
	ops := house.NewClient(h.Ops)
	t.Cleanup(ops.Close)
	held := f.c.Event(t, f.admin, f.org, 10, nil)
	most, looks := 0, 0
	turned, goodput := f.flow(fullBatches, filling, func() {
		looks++
		most = max(most, queued(t, ops))
		for _, path := range []string{"/events/" + f.large, "/events/" + held + "/seats", "/readyz"} {
			if a := f.c.Get(t, nil, path); a.Status != http.StatusOK {
				t.Errorf("%s meanwhile: %s", path, a)
			}
		}
		f.c.Want(t, f.people[0], http.StatusOK, http.MethodPut, "/events/"+held+"/holds", map[string]any{"seat_numbers": []int{1, 2}}, nil)
	})
	t.Logf("%d orders in the queue at most; looked %d times meanwhile", most, looks)
	if goodput < leastGoodput {
		t.Errorf("the goodput is %.2f of the peak", goodput)
	}
	if turned == 0 {
		t.Errorf("nobody was turned away: the queue was not full, with %d in it at most", most)
	}
	f.calm(len(f.orders))
	f.l.Resolve(t, f.c)
	h.Judge(f.l)
}
