package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/booking"
	"happening/internal/booking/simtest"
	"happening/internal/testkit"
)

// answers are what clients were told of seats, by the clock of one process.
type answers struct {
	simtest.History
	began           time.Time
	sales, refusals atomic.Int64
}

func (h *answers) now() int64 { return int64(time.Since(h.began)) }

// book asks a replica for a seat and notes the answer; Nil: it was refused.
func (h *answers) book(r *replica, event, who uuid.UUID, seat int32) (uuid.UUID, error) {
	asked := h.now()
	b, err := r.Book(context.Background(), as(who), booking.Request{
		EventID: event, Seats: 1, SeatNumbers: []int32{seat}, Key: booking.Key{Value: uuid.NewString()},
	})
	at := simtest.Span{Asked: asked, Told: h.now()}
	switch {
	case errors.Is(err, booking.ErrSeatsUnavailable):
		h.refusals.Add(1)
		h.Found(fmt.Sprint(seat), true, at)
		return uuid.Nil, nil
	case err != nil:
		return uuid.Nil, fmt.Errorf("booking: %w", err)
	}
	h.sales.Add(1)
	h.Took(fmt.Sprint(seat), b.ID.String(), at)
	return b.ID, nil
}

// cancel gives a seat back and notes that.
func (h *answers) cancel(r *replica, who, id uuid.UUID, seat int32) error {
	asked := h.now()
	if _, err := r.Cancel(context.Background(), as(who), id, booking.Key{}); err != nil {
		return fmt.Errorf("cancelling: %w", err)
	}
	h.Freed(fmt.Sprint(seat), id.String(), simtest.Span{Asked: asked, Told: h.now()})
	return nil
}

const (
	// stormSales are how many sales, and how many refusals, a storm has at
	// least; stormLimit is for a machine that is too busy for that.
	stormSales = 50
	stormLimit = 2 * time.Minute
)

// storm lets clients book and cancel single seats through all replicas, each
// request through any of them, for as long as told and until there were enough.
func (h *answers) storm(t *testing.T, replicas []*replica, event uuid.UUID, people []uuid.UUID, seats int32, duration time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), duration)
	defer cancel()
	late, giveUp := context.WithTimeout(context.Background(), stormLimit)
	defer giveUp()
	goesOn := func() bool {
		few := h.sales.Load() < stormSales || h.refusals.Load() < stormSales
		return ctx.Err() == nil || few && late.Err() == nil
	}
	var wg sync.WaitGroup
	for i, who := range people {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(i), 11))
			for goesOn() {
				seat := 1 + rnd.Int32N(seats)
				id, err := h.book(replicas[rnd.IntN(len(replicas))], event, who, seat)
				if err == nil && id != uuid.Nil {
					err = h.cancel(replicas[rnd.IntN(len(replicas))], who, id, seat)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// stale makes the wrong answer that a storm makes only now and then: a seat is
// sold and freed through the first replica, and the second, which has seen it
// sold, is asked for it.
func (h *answers) stale(t *testing.T, a, b *replica, event, ann, bob uuid.UUID) {
	t.Helper()
	mine, err := h.book(a, event, ann, 1)
	if err != nil {
		t.Fatal(err)
	}
	_, seen := h.book(b, event, bob, 1)
	given := h.cancel(a, ann, mine, 1)
	_, asked := h.book(b, event, bob, 1)
	if err := errors.Join(seen, given, asked); err != nil {
		t.Fatal(err)
	}
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
			h := &answers{began: time.Now()}
			if weather == "control" {
				h.stale(t, replicas[0], replicas[1], id, people[0], people[1])
			} else {
				h.storm(t, replicas, id, people, 6, 2*time.Second)
			}
			illegal, sales, refusals := h.Illegal(), h.sales.Load(), h.refusals.Load()
			t.Logf("%d sales, %d refusals", sales, refusals)
			switch {
			case weather == "control":
				if len(illegal) == 0 {
					t.Error("nothing went wrong: the test proves nothing")
				}
			case len(illegal) > 0:
				t.Errorf("no order explains what was told of the seats %v", illegal)
			case sales < stormSales || refusals < stormSales:
				t.Errorf("only %d sales and %d refusals", sales, refusals)
			}
			db.CheckClean(t)
		})
	}
}
