//go:build linux

package system

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"happening/test/house"
)

const (
	closingPeople = 25
	closingEach   = 40
)

// An event of a thousand bookings is cancelled while another sells: who asks is
// told at once that a booking is cancelled, nobody at the other event is refused,
// and in the end each booking was told of once.
func TestACrowdIsToldWhileOthersBook(t *testing.T) {
	t.Parallel()
	h := house.New(t)
	h.Serve()
	c := house.NewClient(h.API)
	t.Cleanup(c.Close)
	people := h.People("person", closingPeople)
	admin := people[0]
	org := c.Organization(t, admin)
	full := c.Event(t, admin, org, closingPeople*closingEach, nil)
	other := c.Event(t, admin, org, 1_000_000, nil)
	var requests atomic.Int64
	book := func(who *house.Person, event string) (id string) {
		a, err := c.Do(context.Background(), who, http.MethodPost, "/bookings", map[string]any{"event_id": event, "seats": 1},
			fmt.Sprintf("Idempotency-Key: closing-%d", requests.Add(1)))
		var b struct{ ID string }
		if err != nil || a.Status != http.StatusCreated || json.Unmarshal(a.Body, &b) != nil {
			t.Errorf("a booking is answered %v, %v", a, err)
		}
		return b.ID
	}
	last := make([]string, closingPeople)
	var booking sync.WaitGroup
	for i, who := range people {
		booking.Go(func() {
			for range closingEach {
				last[i] = book(who, full)
			}
		})
	}
	booking.Wait()
	w := house.Watch(t, h.API, nil, full)
	db := h.Database()

	stop := make(chan struct{})
	var sold atomic.Int64
	for _, who := range people[:4] {
		booking.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					book(who, other)
					sold.Add(1)
				}
			}
		})
	}
	end := sync.OnceFunc(func() { close(stop); booking.Wait() })
	defer end()
	house.Await(t, "the other event sells", house.SettleLimit, func() bool { return sold.Load() > 0 })
	c.Want(t, admin, http.StatusOK, http.MethodPost, "/events/"+full+"/cancel", nil, nil)
	for i, who := range people {
		var b struct {
			Status string `json:"status"`
			Reason string `json:"reason"`
			Seats  []int  `json:"seat_numbers"`
		}
		c.Want(t, who, http.StatusOK, http.MethodGet, "/bookings/"+last[i], nil, &b)
		if b.Status != "cancelled" || b.Reason != "event_cancelled" || len(b.Seats) > 0 {
			t.Errorf("after the cancellation a booking reads as %+v", b)
		}
	}
	house.Await(t, "all are closed", house.SettleLimit, func() bool {
		slots, _ := c.Available(t, full)
		return slots == closingPeople*closingEach
	})
	end()
	t.Logf("%d were sold at the other event", sold.Load())
	house.Await(t, "the watcher sees nothing that is sold", house.SettleLimit, func() bool { return w.Sees(house.Sold(t, db, full)) })
	for _, who := range people {
		house.Await(t, who.Email+" is told of each", house.SettleLimit, func() bool {
			return house.BellOf(t, c, who)["of type event_cancelled"] >= closingEach
		})
		if n := house.BellOf(t, c, who)["of type event_cancelled"]; n != closingEach {
			t.Errorf("%s is told %d times of %d", who.Email, n, closingEach)
		}
	}
	h.Check()
}
