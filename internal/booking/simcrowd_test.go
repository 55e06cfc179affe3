package booking

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/booking/simtest"
	"happening/internal/event"
)

// crowd is an event with more bookings than one transaction changes: each of
// its seats sold to somebody, and parties that wait.
type crowd struct {
	*desk
	t     *testing.T
	model *simtest.Model
}

func newCrowd(t *testing.T, sold int32, waiting []int32, change func(*event.Settings)) *crowd {
	c := &crowd{t: t, desk: newDesk(t, sold, change)}
	e := event.Event{ID: c.inv.EventID, OrgID: c.inv.OrgID, Version: 1, Settings: c.inv.Settings}
	c.model = simModelOf(e)
	var parties []Party
	for s := int32(1); s <= sold; s++ {
		parties = append(parties, Party{ID: newID(), UserID: uuid.New(), State: State{Status: Confirmed, Seats: 1, SeatNumbers: []int32{s}}})
	}
	for i, size := range waiting {
		parties = append(parties, Party{ID: newID(), UserID: uuid.New(), State: State{Status: Waiting, Seats: size, WaitingNumber: int64(i + 1)}})
	}
	for _, p := range parties {
		c.model.Put(simtest.Party{ID: p.ID, Person: p.UserID, Size: p.Seats, Seats: p.SeatNumbers, Number: p.WaitingNumber})
	}
	c.inv = NewInventory(e, int64(len(waiting)), parties)
	return c
}

// steps repeats an order for as long as something is left, and judges each
// step.
func (c *crowd) steps(first Order, then Order, judge func(at simtest.Moment, order Order, told simtest.Told) error) (steps int) {
	c.t.Helper()
	for order := first; ; order = then {
		steps++
		dec := c.do(uuid.Nil, order)
		if err := judge(simtest.Moment{Now: c.now}, order, simTold(dec.Changes, dec.Refusal, dec.More)); err != nil {
			c.t.Fatalf("step %d: %v", steps, err)
		}
		if !dec.More {
			return steps
		}
	}
}

// TestCrowdsAreServedAndClosedInSteps raises capacities, starts and cancels
// events of more bookings than one transaction changes: every step is what the
// model says, no step is larger than is allowed, and nobody is left out.
func TestCrowdsAreServedAndClosedInSteps(t *testing.T) {
	twos := slices.Repeat([]int32{2}, 1100)
	mixed := slices.Repeat([]int32{1, 3, 2}, 400)

	for _, policy := range []event.WaitlistPolicy{event.Strict, event.Fit} {
		c := newCrowd(t, 30, mixed, func(s *event.Settings) { s.WaitlistPolicy = policy })
		s := c.inv.Settings
		s.TotalSlots = 2431
		grown := *simModelOf(event.Event{Settings: s})
		steps := c.steps(Reconfigure{Settings: s}, Promote{}, func(at simtest.Moment, order Order, told simtest.Told) error {
			if _, grows := order.(Reconfigure); grows {
				return c.model.Reconfigure(at, grown, told)
			}
			return c.model.Promote(at, told)
		})
		if steps != 12 || c.inv.WaitingParties() != 0 {
			t.Errorf("%s: %d steps, %d still wait", policy, steps, c.inv.WaitingParties())
		}
	}

	closing := func(c *crowd) int {
		return c.steps(Close{}, Close{}, func(at simtest.Moment, _ Order, told simtest.Told) error { return c.model.Close(at, told) })
	}
	started := newCrowd(t, 700, twos, nil)
	started.now = started.inv.StartsAt.Add(time.Minute)
	if steps := closing(started); steps != 11 || started.inv.Live() != 700 {
		t.Errorf("the start: %d steps, %d are left", steps, started.inv.Live())
	}
	cancelled := newCrowd(t, 700, twos, func(s *event.Settings) { s.CancelledAt = testNow })
	if steps := closing(cancelled); steps != 18 || cancelled.inv.Live() != 0 {
		t.Errorf("the cancellation: %d steps, %d are left", steps, cancelled.inv.Live())
	}
	// Lowered below each party's size, all are cancelled at once: no step of it
	// can be left to later, since the capacity holds from now on.
	lowered := newCrowd(t, 1, twos, func(s *event.Settings) { s.TotalSlots = 2 })
	s := lowered.inv.Settings
	s.TotalSlots = 1
	lowered.steps(Reconfigure{Settings: s}, Promote{}, func(at simtest.Moment, _ Order, told simtest.Told) error {
		return lowered.model.Reconfigure(at, *simModelOf(event.Event{Settings: s}), told)
	})
}
