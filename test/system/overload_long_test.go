//go:build linux && long

package system

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"happening/test/house"
)

// The full lengths of docs/reliability.md.
const (
	peakClients  = 256
	peakLasts    = 15 * time.Second
	beyond       = 4 // times the peak
	beyondLasts  = 60 * time.Second
	beyondAtOnce = 2048 // requests on their way; who finds no room is not sent
	hotRequests  = 350_000
	calmLimit    = 30 * time.Second
)

// First as many orders as a closed crowd gets through, then four times as many
// a second from an open one, then 350,000 for 200 seats.
func TestOverloadInFull(t *testing.T) {
	h := house.New(t)
	h.Serve()
	c := house.NewClient(h.API)
	t.Cleanup(c.Close)
	admin := h.People("admin", 1)[0]
	org := c.Organization(t, admin)
	large := c.Event(t, admin, org, 1_000_000, nil)
	hot, calm := c.Event(t, admin, org, overloadSeats, nil), c.Event(t, admin, org, 10, nil)
	people := h.People("crowd", 2000)
	l := house.NewLedger()
	var orders []*house.Order
	order := func(eventID string) *house.Order {
		o := l.Order(people[len(orders)%len(people)], "/bookings", map[string]any{"event_id": eventID, "seats": 1, "on_full": "refuse"})
		orders = append(orders, o)
		return o
	}

	peak := func() float64 {
		var mu sync.Mutex
		var clients sync.WaitGroup
		before, end := l.Acks.Load(), time.Now().Add(peakLasts)
		for range peakClients {
			clients.Go(func() {
				for time.Now().Before(end) {
					mu.Lock()
					o := order(large)
					mu.Unlock()
					l.Place(c, o)
				}
			})
		}
		clients.Wait()
		return float64(l.Acks.Load()-before) / peakLasts.Seconds()
	}()

	var under sync.WaitGroup
	room := make(chan struct{}, beyondAtOnce)
	offered, unsent := 0, 0
	before, began := l.Acks.Load(), time.Now()
	for tick := time.NewTicker(time.Millisecond); time.Since(began) < beyondLasts; <-tick.C {
		for due := int(time.Since(began).Seconds() * peak * beyond); offered < due; offered++ {
			select {
			case room <- struct{}{}:
			default:
				unsent++
				continue
			}
			o := order(large)
			under.Go(func() { l.Place(c, o); <-room })
		}
	}
	goodput := float64(l.Acks.Load()-before) / time.Since(began).Seconds()
	under.Wait()
	t.Logf("peak %.0f bookings/s with %d clients; %d offered at %d times that, %d of them found %d on their way: goodput %.0f/s, %.2f of the peak, longest wait %v",
		peak, peakClients, offered, beyond, unsent, beyondAtOnce, goodput, goodput/peak, l.Longest())
	if goodput < 0.9*peak {
		t.Errorf("the goodput is %.2f of the peak", goodput/peak)
	}

	began = time.Now()
	first := len(orders)
	for range hotRequests {
		room <- struct{}{}
		o := order(hot)
		under.Go(func() { l.Place(c, o); <-room })
	}
	under.Wait()
	t.Logf("%d requests for %d seats in %v, longest wait %v", hotRequests, overloadSeats, time.Since(began).Round(time.Second), l.Longest())

	began = time.Now()
	after := l.Book(people[0], calm, 1)
	if !l.Insist(c, after) || after.Told == nil || time.Since(began) > calmLimit {
		t.Errorf("after %v an order at another event is answered %d %s", time.Since(began), after.Status, after.Refused)
	}
	statuses, sold := map[int]int{}, []int{}
	for i, o := range orders {
		statuses[o.Status]++
		switch {
		case o.Status == http.StatusCreated && i >= first:
			sold = append(sold, o.Told.SeatNumbers...)
		case o.Status == http.StatusTooManyRequests || o.Status == http.StatusServiceUnavailable:
			if o.RetryAfter == "" {
				t.Errorf("%d without a word when to come again", o.Status)
			}
		case o.Status != http.StatusCreated && o.Status != http.StatusConflict:
			t.Errorf("an order is answered %d", o.Status)
		}
		o.TurnedAway()
	}
	t.Logf("answers: %v", statuses)
	house.WantRow(t, "seats sold", sold, overloadSeats)
	l.Resolve(t, c)
	h.Judge(l)
}
