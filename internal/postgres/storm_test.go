package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/booking"
	"happening/internal/testkit"
)

// span is the time between a request and its answer.
type span struct{ asked, told time.Time }

// sale is one seat's sale as its buyer saw it, and its end, if there was one.
type sale struct {
	booked    span
	cancelled span // zero: never
}

// refusal of one seat.
type refused struct {
	span
	who string
}

// seatHistory is everything that anybody was told about one seat.
type seatHistory struct {
	sales    []sale
	refusals []refused
	denied   int // cancellations of live bookings that were told to be over
}

// surely is when the seat was certainly sold: from the buyer's answer to the
// cancellation's request; possibly is when it may have been: from the request
// to the cancellation's answer.
func (s *sale) surely() (from, to time.Time)   { return s.booked.told, s.cancelled.asked }
func (s *sale) possibly() (from, to time.Time) { return s.booked.asked, s.cancelled.told }

// illegal lists what no order of the operations, each at one moment between its
// request and its answer, explains: two sales that overlap for certain, and
// refusals of a seat that was certainly free all the while.
func (h *seatHistory) illegal() (found []string) {
	for range h.denied {
		found = append(found, "told to be cancelled while it was live")
	}
	for i := range h.sales {
		from, to := h.sales[i].surely()
		for j := range h.sales {
			if i == j {
				continue
			}
			if other, _ := h.sales[j].surely(); !other.Before(from) && (to.IsZero() || other.Before(to)) && h.sales[j].booked.asked.After(from) {
				found = append(found, "sold while it was sold")
			}
		}
	}
	for _, r := range h.refusals {
		explained := false
		for i := range h.sales {
			from, to := h.sales[i].possibly()
			explained = explained || !from.After(r.told) && (to.IsZero() || !to.Before(r.asked))
		}
		if !explained {
			found = append(found, "refused while it was free, by "+r.who)
		}
	}
	return found
}

// storm lets clients book and cancel single seats through all replicas, each
// request through any of them, and gives every seat's history.
func storm(t *testing.T, replicas []*replica, event uuid.UUID, people []uuid.UUID, seats int32, duration time.Duration) []seatHistory {
	t.Helper()
	var mu sync.Mutex
	histories := make([]seatHistory, seats+1)
	ctx, cancel := context.WithTimeout(context.Background(), duration)
	defer cancel()
	var wg sync.WaitGroup
	for i, who := range people {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(i), 11))
			for ctx.Err() == nil {
				seat := 1 + rnd.Int32N(seats)
				at := rnd.IntN(len(replicas))
				s := sale{booked: span{asked: time.Now()}}
				b, err := replicas[at].Book(context.Background(), as(who), booking.Request{
					EventID: event, Seats: 1, SeatNumbers: []int32{seat}, Key: booking.Key{Value: uuid.NewString()},
				})
				s.booked.told = time.Now()
				if err != nil {
					if !errors.Is(err, booking.ErrSeatsUnavailable) {
						t.Errorf("booking: %v", err)
						return
					}
					mu.Lock()
					histories[seat].refusals = append(histories[seat].refusals, refused{s.booked, fmt.Sprint("replica ", at)})
					mu.Unlock()
					continue
				}
				s.cancelled.asked = time.Now()
				if _, err := replicas[rnd.IntN(len(replicas))].Cancel(context.Background(), as(who), b.ID, booking.Key{}); err != nil {
					if !errors.Is(err, booking.ErrAlreadyCancelled) {
						t.Errorf("cancelling: %v", err)
						return
					}
					mu.Lock()
					histories[seat].denied++
					histories[seat].sales = append(histories[seat].sales, sale{booked: s.booked})
					mu.Unlock()
					continue
				}
				s.cancelled.told = time.Now()
				mu.Lock()
				histories[seat].sales = append(histories[seat].sales, s)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return histories
}

// stale makes the wrong answer that a storm makes only now and then: a seat is
// sold and freed through the first replica, and the second, which has seen it
// sold, is asked for it.
func stale(t *testing.T, a, b *replica, event, ann, bob uuid.UUID) seatHistory {
	t.Helper()
	var h seatHistory
	try := func(r *replica, who uuid.UUID, name string) (booking.Booking, span) {
		s := span{asked: time.Now()}
		got, err := r.Book(t.Context(), as(who), booking.Request{EventID: event, Seats: 1, SeatNumbers: []int32{1}, Key: booking.Key{Value: uuid.NewString()}})
		s.told = time.Now()
		switch {
		case errors.Is(err, booking.ErrSeatsUnavailable):
			h.refusals = append(h.refusals, refused{s, name})
		case err != nil:
			t.Fatal(err)
		}
		return got, s
	}
	mine, booked := try(a, ann, "a")
	try(b, bob, "b")
	over := span{asked: time.Now()}
	if _, err := a.Cancel(t.Context(), as(ann), mine.ID, booking.Key{}); err != nil {
		t.Fatal(err)
	}
	over.told = time.Now()
	h.sales = append(h.sales, sale{booked, over})
	try(b, bob, "b")
	return h
}

// TestAStormOverReplicasIsAnsweredAsByOne runs a storm on two replicas with the
// coordinator there, away, and lying, and looks for answers that no order of
// the requests explains. The control are replicas that each take themselves for
// the only one: their storm is right most of the time, so the moment in which
// it is wrong is made.
func TestAStormOverReplicasIsAnsweredAsByOne(t *testing.T) {
	for _, weather := range []string{"there", "away", "lying", "changing", "control"} {
		t.Run(weather, func(t *testing.T) {
			t.Parallel()
			db := testkit.NewDB(t)
			org, _ := db.Org(t)
			id := db.Event(t, org, 6, testkit.EventOptions{})
			shared := newCoordinator()
			switch weather {
			case "away", "control":
				shared.away.Store(true)
			case "lying":
				shared.lie.Store(1 << 40)
			case "changing":
				stop := make(chan struct{})
				var changing sync.WaitGroup
				changing.Go(func() {
					for n := int64(0); ; n++ {
						select {
						case <-stop:
							return
						case <-time.After(20 * time.Millisecond):
							shared.away.Store(n%3 == 0)
							shared.lie.Store(n % 4 * n * 10)
						}
					}
				})
				defer changing.Wait()
				defer close(stop)
			}
			how := sharing{alone: weather == "control"}
			replicas := []*replica{newReplica(t, db, shared, how), newReplica(t, db, shared, how)}
			people := db.People(t, 16)
			illegal, sales, refusals := map[string]int{}, 0, 0
			var histories []seatHistory
			if weather == "control" {
				histories = append(histories, stale(t, replicas[0], replicas[1], id, people[0], people[1]))
			} else {
				histories = storm(t, replicas, id, people, 6, 2*time.Second)
			}
			for i := range histories {
				sales, refusals = sales+len(histories[i].sales), refusals+len(histories[i].refusals)
				for _, what := range histories[i].illegal() {
					illegal[what]++
				}
			}
			t.Logf("%d sales, %d refusals", sales, refusals)
			switch {
			case weather == "control":
				if len(illegal) == 0 {
					t.Error("nothing went wrong: the test proves nothing")
				}
			case len(illegal) > 0:
				t.Errorf("no order explains: %v", illegal)
			case sales < 50 || refusals < 50:
				t.Errorf("only %d sales and %d refusals", sales, refusals)
			}
			db.CheckClean(t)
		})
	}
}
