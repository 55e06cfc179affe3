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
	c.model.AtOnce = PromotionsPerTx
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
	twos := slices.Repeat([]int32{2}, 350)
	mixed := slices.Repeat([]int32{1, 3, 2}, 150)

	for _, policy := range []event.WaitlistPolicy{event.Strict, event.Fit} {
		c := newCrowd(t, 30, mixed, func(s *event.Settings) { s.WaitlistPolicy = policy })
		s := c.inv.Settings
		s.TotalSlots = 931
		grown := *simModelOf(event.Event{Settings: s})
		steps := c.steps(Reconfigure{Settings: s}, Promote{}, func(at simtest.Moment, order Order, told simtest.Told) error {
			if _, grows := order.(Reconfigure); grows {
				return c.model.Reconfigure(at, grown, told)
			}
			return c.model.Promote(at, told)
		})
		if steps != 5 || c.inv.WaitingParties() != 0 {
			t.Errorf("%s: %d steps, %d still wait", policy, steps, c.inv.WaitingParties())
		}
	}

	closing := func(c *crowd) int {
		return c.steps(Close{}, Close{}, func(at simtest.Moment, _ Order, told simtest.Told) error { return c.model.Close(at, told) })
	}
	started := newCrowd(t, 700, twos, nil)
	started.now = started.inv.StartsAt.Add(time.Minute)
	if steps := closing(started); steps != 4 || started.inv.Live() != 700 {
		t.Errorf("the start: %d steps, %d are left", steps, started.inv.Live())
	}
	cancelled := newCrowd(t, 700, twos, func(s *event.Settings) { s.CancelledAt = testNow })
	if steps := closing(cancelled); steps != 11 || cancelled.inv.Live() != 0 {
		t.Errorf("the cancellation: %d steps, %d are left", steps, cancelled.inv.Live())
	}
	lowersInSteps(t, twos)
}

// TestStepsOfACrowdGoneWrongAreNoticed is the control: the model refuses a step
// that leaves somebody out, serves one before another, or says that it was the
// last.
func TestStepsOfACrowdGoneWrongAreNoticed(t *testing.T) {
	c := newCrowd(t, 30, slices.Repeat([]int32{2}, 350), nil)
	s := c.inv.Settings
	s.TotalSlots = 731
	grown := *simModelOf(event.Event{Settings: s})
	dec := c.do(uuid.Nil, Reconfigure{Settings: s})
	told := simTold(dec.Changes, dec.Refusal, dec.More)
	for what, wrong := range map[string]func(*simtest.Told){
		"leaves out the last": func(told *simtest.Told) { told.Steps = told.Steps[:len(told.Steps)-1] },
		"serves another first": func(told *simtest.Told) {
			told.Steps[0], told.Steps[1] = told.Steps[1], told.Steps[0]
		},
		"says that it was the last": func(told *simtest.Told) { told.More = false },
		"":                          func(*simtest.Told) {},
	} {
		forged := told
		forged.Steps = slices.Clone(told.Steps)
		wrong(&forged)
		if err := c.model.Clone().Reconfigure(simtest.Moment{Now: c.now}, grown, forged); (err == nil) != (what == "") {
			t.Errorf("a step that %s: %v", what, err)
		}
	}
}

// lowersInSteps lowers a capacity below a crowd's size. Those whom the first step
// leaves wait in vain: they are in nobody's way, nobody can serve or keep one of
// them, and the capacity can't be raised past them.
func lowersInSteps(t *testing.T, twos []int32) {
	c := newCrowd(t, 1, twos, func(s *event.Settings) { s.TotalSlots = 2 })
	s := c.inv.Settings
	raised := s
	s.TotalSlots = 1
	judge := func(order Order) Decision {
		t.Helper()
		dec := c.do(uuid.Nil, order)
		at, told := simtest.Moment{Now: c.now}, simTold(dec.Changes, dec.Refusal, dec.More)
		var err error
		switch o := order.(type) {
		case Reconfigure:
			err = c.model.Reconfigure(at, *simModelOf(event.Event{Settings: o.Settings}), told)
		case Close:
			err = c.model.Close(at, told)
		case Cancel:
			err = c.model.Cancel(at, o.BookingID, told)
		case PromoteByHand:
			err = c.model.PromoteByHand(at, o.BookingID, told)
		case Book:
			err = c.model.Book(at, simtest.Wish{Person: o.UserID, Size: o.Seats, Refuse: o.Refuse, What: o.Asked}, told)
		}
		if err != nil {
			t.Fatalf("%T: %v", order, err)
		}
		return dec
	}
	seat := c.inv.parties[0].ID
	if dec := judge(Reconfigure{Settings: s}); !dec.More || len(dec.Changes) != PromotionsPerTx || c.inv.inLine() != 0 {
		t.Errorf("lowered: %d are cancelled at once, more %v, %d in line", len(dec.Changes), dec.More, c.inv.inLine())
	}
	left := c.inv.overtaken[0].ID
	for _, o := range []Order{Cancel{BookingID: left}, PromoteByHand{BookingID: left}, Reconfigure{Settings: raised}} {
		if dec := judge(o); dec.Refusal == nil {
			t.Errorf("%T is not refused: %+v", o, dec.Changes)
		}
	}
	judge(Cancel{BookingID: seat})
	if dec := judge(Book{UserID: uuid.New(), Seats: 1, Asked: 1}); dec.Refusal != nil || dec.Changes[0].After.Status != Confirmed {
		t.Errorf("who comes now waits behind those that wait in vain: %+v", dec)
	}
	// A process that begins now knows them from the others.
	var parties []Party
	for _, p := range c.inv.parties {
		parties = append(parties, *p)
	}
	c.inv = NewInventory(event.Event{ID: c.inv.EventID, OrgID: c.inv.OrgID, Version: 2, Settings: c.inv.Settings}, c.inv.LastWaiting, parties)
	steps := 1
	for judge(Close{}).More {
		steps++
	}
	if steps != 3 || c.inv.WaitingParties() != 0 || c.inv.Live() != 1 {
		t.Errorf("%d steps, %d wait still", steps, c.inv.WaitingParties())
	}
	if dec := judge(Reconfigure{Settings: raised}); dec.Refusal != nil {
		t.Errorf("raised: %v", dec.Refusal)
	}
}
