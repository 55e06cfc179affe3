package booking

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"happening/internal/audit"
	"happening/internal/event"
	"happening/internal/fault"
)

// queueOf sells an event of some seats out and lets parties wait.
func queueOf(t *testing.T, total int32, policy event.WaitlistPolicy, parties ...int32) (d *desk, sold Change, waiting []Change) {
	t.Helper()
	d = newDesk(t, total, func(s *event.Settings) { s.WaitlistPolicy = policy })
	sold = d.must(d.book(uuid.New(), total))
	for _, seats := range parties {
		c := d.must(d.book(uuid.New(), seats))
		if c.After.Status != Waiting {
			t.Fatalf("a party of %d does not wait: %+v", seats, c.After)
		}
		waiting = append(waiting, c)
	}
	return d, sold, waiting
}

func TestAWaitingPartyShrinksAndKeepsItsNumber(t *testing.T) {
	d, sold, w := queueOf(t, 4, event.Strict, 3, 2, 1)
	c := d.must(d.do(w[1].UserID, Shrink{BookingID: w[1].BookingID, Seats: 1}))
	if c.Action != ActResized || c.After.Status != Waiting || c.After.Seats != 1 || c.After.WaitingNumber != 2 || c.Position != 2 || c.Action.FactKind() != "booking.changed" {
		t.Errorf("%+v", c)
	}
	if d.inv.SeatsOf(w[1].UserID) != 1 {
		t.Errorf("the person has %d seats", d.inv.SeatsOf(w[1].UserID))
	}
	if moved := d.inv.moved([]Change{c}, false); len(moved) != 0 {
		t.Errorf("%d places in the waitlist are said to have moved", len(moved))
	}
	// Two seats become free: too few for the head, which then shrinks and fits.
	if dec := d.do(sold.UserID, CancelSeats{BookingID: sold.BookingID, SeatNumbers: []int32{1, 2}}); len(dec.Changes) != 1 {
		t.Fatalf("somebody was served: %+v", dec.Changes)
	}
	dec := d.do(w[0].UserID, Shrink{BookingID: w[0].BookingID, Seats: 1})
	if len(dec.Changes) != 2 || dec.Changes[0].Action != ActResized || dec.Changes[1].Action != ActPromoted || !slices.Equal(dec.Changes[1].After.SeatNumbers, []int32{1, 2}) {
		t.Fatalf("a head that fits now: %+v", dec.Changes)
	}
	if dec.Changes[1].Actor != uuid.Nil || dec.Result != 0 {
		t.Errorf("who promoted: %+v, answered by change %d", dec.Changes[1], dec.Result)
	}
	gone := d.must(d.do(w[2].UserID, Shrink{BookingID: w[2].BookingID, Seats: 1}))
	if gone.Action != ActCancelled || gone.After.Status != Cancelled || gone.After.Seats != 1 {
		t.Errorf("all of them: %+v", gone)
	}
}

func TestWhatCannotShrink(t *testing.T) {
	d, sold, w := queueOf(t, 2, event.Strict, 2)
	left := d.must(d.book(uuid.New(), 1))
	d.do(left.UserID, Cancel{BookingID: left.BookingID})
	for name, test := range map[string]struct {
		order Order
		want  error
	}{
		"a confirmed booking": {Shrink{BookingID: sold.BookingID, Seats: 1}, ErrNotWaiting},
		"by more than it has": {Shrink{BookingID: w[0].BookingID, Seats: 3}, ErrNotSeats},
		"a cancelled booking": {Shrink{BookingID: left.BookingID, Seats: 1}, ErrAlreadyCancelled},
		"by seats it has not": {CancelSeats{BookingID: w[0].BookingID, SeatNumbers: []int32{1}}, ErrNotSeats},
	} {
		before := d.picture()
		if dec := d.do(sold.UserID, test.order); !errors.Is(dec.Refusal, test.want) {
			t.Errorf("%s: %+v, want %v", name, dec, test.want)
		}
		if after := d.picture(); !reflect.DeepEqual(before, after) {
			t.Errorf("%s: a refusal changed something", name)
		}
	}
	d.now = d.inv.StartsAt
	if dec := d.do(w[0].UserID, Shrink{BookingID: w[0].BookingID, Seats: 1}); !errors.Is(dec.Refusal, ErrNotBookable) {
		t.Errorf("after the start: %+v", dec)
	}
}

// What somebody else does to a booking stands in the record, what its booker
// and the system do does not; it names nobody.
func TestWhatIsRecorded(t *testing.T) {
	booker, organizer := uuid.New(), uuid.New()
	state := State{Status: Confirmed, Seats: 2, SeatNumbers: []int32{1, 2}}
	for _, test := range []struct {
		action Action
		actor  uuid.UUID
		want   audit.Action
	}{
		{ActCancelled, organizer, audit.BookingCancelled}, {ActCancelled, booker, ""}, {ActCancelled, uuid.Nil, ""},
		{ActSeatsCancelled, organizer, audit.SeatsCancelled}, {ActSeatsCancelled, booker, ""},
		{ActResized, organizer, audit.PartyResized}, {ActResized, booker, ""},
		{ActMoved, organizer, audit.BookingMoved}, {ActMoved, booker, audit.BookingMoved}, // who runs the event books there, too
		{ActPromoted, organizer, audit.BookingPromoted}, {ActPromoted, booker, audit.BookingPromoted},
		{ActPromoted, uuid.Nil, ""}, {ActConfirmed, booker, ""},
	} {
		c := Change{ID: uuid.New(), BookingID: uuid.New(), UserID: booker, Actor: test.actor, Action: test.action, Before: state, After: state}
		got, ok := c.Recorded()
		if got != test.want || ok != (test.want != "") {
			t.Errorf("%s by %v: %q, %t", test.action, test.actor, got, ok)
		}
		before, after, err := c.Record()
		var said struct {
			BookingID uuid.UUID `json:"booking_id"`
			Seats     []int32   `json:"seat_numbers"`
		}
		if err != nil || json.Unmarshal(before, &said) != nil || said.BookingID != c.BookingID || len(said.Seats) != 2 || string(after) != string(before) {
			t.Errorf("%s, %s, %v", before, after, err)
		}
	}
}

func TestPromotionByHandOvertakes(t *testing.T) {
	organizer := uuid.New()
	d, sold, w := queueOf(t, 4, event.Strict, 3, 2, 1)
	d.do(sold.UserID, CancelSeats{BookingID: sold.BookingID, SeatNumbers: []int32{2, 3}})
	if d.inv.Available() != 2 {
		t.Fatalf("%d seats are free", d.inv.Available())
	}
	dec := d.do(organizer, PromoteByHand{BookingID: w[1].BookingID})
	c := d.must(dec)
	if len(dec.Changes) != 1 || c.Action != ActPromoted || !c.ByHand || c.Actor != organizer || !slices.Equal(c.After.SeatNumbers, []int32{2, 3}) ||
		c.After.WaitingNumber != 2 || c.Action.FactKind() != "booking.promoted" {
		t.Errorf("%+v", dec.Changes)
	}
	details, err := ParseDetails(AppendDetails(nil, &c))
	if err != nil || !details.ByHand || *details.Actor != organizer {
		t.Errorf("history: %+v, %v", details, err)
	}
	// The one before and the one behind wait on, and are told that they moved.
	if d.inv.WaitingParties() != 2 || len(d.inv.moved(dec.Changes, false)) != 1 {
		t.Errorf("%d wait, %d moved", d.inv.WaitingParties(), len(d.inv.moved(dec.Changes, false)))
	}
}

// Once the party that blocked is served by hand, those behind it have their turn.
func TestAfterAPromotionByHandThePolicyGoesOn(t *testing.T) {
	d, sold, w := queueOf(t, 4, event.Strict, 4, 1)
	d.do(sold.UserID, CancelSeats{BookingID: sold.BookingID, SeatNumbers: []int32{1, 2, 3}})
	s := d.inv.Settings
	s.TotalSlots = 6
	d.inv.Settings = s
	d.inv.arrange(s.TotalSlots, nil) // five seats are free, and nobody has been served from them yet
	dec := d.do(uuid.New(), PromoteByHand{BookingID: w[0].BookingID})
	if len(dec.Changes) != 2 || dec.Result != 0 || dec.Changes[1].UserID != w[1].UserID || dec.Changes[1].ByHand || dec.Changes[1].Actor != uuid.Nil {
		t.Errorf("the next in order: %+v", dec.Changes)
	}
}

func TestWhatCannotBePromotedByHand(t *testing.T) {
	organizer, other := uuid.New(), uuid.New()
	d, sold, w := queueOf(t, 4, event.Strict, 4, 2)
	for name, test := range map[string]struct {
		before func()
		id     uuid.UUID
		want   error
	}{
		"too few are unsold":     {func() { d.do(sold.UserID, CancelSeats{BookingID: sold.BookingID, SeatNumbers: []int32{1}}) }, w[1].BookingID, ErrTooFewSeats},
		"a confirmed booking":    {nil, sold.BookingID, ErrNotWaiting},
		"no booking that lives":  {nil, uuid.New(), ErrAlreadyCancelled},
		"suspended organization": {func() { d.inv.OrgSuspended = true }, w[1].BookingID, event.ErrOrgSuspended},
	} {
		t.Run(name, func(t *testing.T) {
			if test.before != nil {
				test.before()
			}
			before := d.picture()
			if dec := d.do(organizer, PromoteByHand{BookingID: test.id}); !errors.Is(dec.Refusal, test.want) {
				t.Errorf("%+v, want %v", dec, test.want)
			}
			if after := d.picture(); !reflect.DeepEqual(before, after) {
				t.Error("a refusal changed something")
			}
			d.inv.OrgSuspended = false
		})
	}
	d, sold, w = queueOf(t, 4, event.Strict, 4, 2)
	d.do(sold.UserID, CancelSeats{BookingID: sold.BookingID, SeatNumbers: []int32{1, 2, 3}})
	d.holds[1], d.holds[2], d.holds[3] = other, w[1].UserID, organizer
	if dec := d.do(organizer, PromoteByHand{BookingID: w[1].BookingID}); !errors.Is(dec.Refusal, ErrSeatsHeld) {
		t.Errorf("others hold what is left: %+v", dec)
	}
	d.holds[3] = w[1].UserID
	if c := d.must(d.do(organizer, PromoteByHand{BookingID: w[1].BookingID})); !slices.Equal(c.After.SeatNumbers, []int32{2, 3}) {
		t.Errorf("the party's own holds: %+v", c)
	}
	d.now = d.inv.StartsAt
	if dec := d.do(organizer, PromoteByHand{BookingID: w[0].BookingID}); !errors.Is(dec.Refusal, ErrNotBookable) {
		t.Errorf("after the start: %+v", dec)
	}
}

func TestMovingAParty(t *testing.T) {
	organizer, booker, other := uuid.New(), uuid.New(), uuid.New()
	d := newDesk(t, 6, nil)
	b := d.must(d.book(booker, 2, 1, 2))
	sold := d.must(d.book(other, 1, 4))
	move := func(numbers ...int32) Decision {
		return d.do(organizer, Move{BookingID: b.BookingID, SeatNumbers: numbers})
	}

	c := d.must(move(2, 3)) // overlaps with its own
	if c.Action != ActMoved || c.Actor != organizer || c.UserID != booker || !slices.Equal(c.Before.SeatNumbers, []int32{1, 2}) ||
		!slices.Equal(c.After.SeatNumbers, []int32{2, 3}) || c.After.Seats != 2 || c.Action.FactKind() != "booking.changed" {
		t.Errorf("%+v", c)
	}
	if d.inv.Available() != 3 || d.inv.SeatsOf(booker) != 2 || d.inv.seats.has(1) || !d.inv.seats.has(3) {
		t.Errorf("%d available, %d of the person's", d.inv.Available(), d.inv.SeatsOf(booker))
	}
	if dec := move(2, 3); dec.Refusal != nil || len(dec.Changes) != 0 || dec.Result != -1 {
		t.Errorf("to the same seats: %+v", dec)
	}
	d.holds[5], d.holds[6], d.holds[1] = booker, organizer, uuid.New()
	before := d.picture()
	for _, gone := range [][]int32{{3, 4}, {1, 3}, {3, 7}} { // sold, held by another, not there
		dec := move(gone...)
		var f *fault.Error
		if !errors.As(dec.Refusal, &f) || !errors.Is(f, ErrSeatsUnavailable) || !slices.Contains(gone, f.Extra["seat_numbers"].([]int32)[0]) || len(f.Extra["seat_numbers"].([]int32)) != 1 {
			t.Errorf("to %v: %+v", gone, dec)
		}
	}
	if dec := move(5); dec.Refusal == nil || !strings.Contains(dec.Refusal.Error(), "not valid") {
		t.Errorf("to fewer seats: %+v", dec)
	}
	d.inv.OrgSuspended = true
	if dec := move(5, 6); !errors.Is(dec.Refusal, event.ErrOrgSuspended) {
		t.Errorf("in a suspended organization: %+v", dec)
	}
	d.inv.OrgSuspended = false
	if after := d.picture(); !reflect.DeepEqual(before, after) {
		t.Error("a refusal changed something")
	}
	// What the booker and the organizer hold is theirs to sit on, and held no
	// more by either for the next order of the same batch.
	holds := NewChoices(HoldView{Holders: d.holds}, d.inv)
	dec := d.inv.Decide(d.now, holds, organizer, Key{}, newID, Move{BookingID: b.BookingID, SeatNumbers: []int32{5, 6}})
	if dec.Refusal != nil || len(holds.byUser[booker]) != 0 || len(holds.byUser[organizer]) != 0 || holds.count != 1 {
		t.Errorf("%+v, still held: %+v", dec, holds.byUser)
	}
	d.inv.Revert(dec.Changes)
	if after := d.picture(); !reflect.DeepEqual(before, after) {
		t.Error("it can't be undone")
	}

	d.now = d.now.Add(DuplicateWindow)
	waits := d.must(d.book(uuid.New(), 6))
	if dec := d.do(organizer, Move{BookingID: waits.BookingID, SeatNumbers: []int32{1, 2, 3, 4, 5, 6}}); !errors.Is(dec.Refusal, ErrNotConfirmed) {
		t.Errorf("a waiting party: %+v", dec)
	}
	d.do(other, Cancel{BookingID: sold.BookingID})
	if dec := d.do(organizer, Move{BookingID: sold.BookingID, SeatNumbers: []int32{6}}); !errors.Is(dec.Refusal, ErrAlreadyCancelled) {
		t.Errorf("a cancelled booking: %+v", dec)
	}
	d.now = d.inv.StartsAt
	if dec := move(5, 6); !errors.Is(dec.Refusal, ErrNotBookable) {
		t.Errorf("after the start: %+v", dec)
	}
}

// A seat that only the booker could have, because they hold it, takes them; the
// one that they leave goes to who waits for it.
func TestAMovePromotes(t *testing.T) {
	booker, waits := uuid.New(), uuid.New()
	d := newDesk(t, 3, nil)
	d.must(d.book(booker, 1, 1))
	other := d.must(d.book(uuid.New(), 1, 2))
	d.must(d.book(waits, 2))
	d.holds[3] = booker
	if dec := d.do(other.UserID, Cancel{BookingID: other.BookingID}); len(dec.Changes) != 1 {
		t.Fatalf("a held seat was given away: %+v", dec.Changes)
	}
	dec := d.do(uuid.New(), Move{BookingID: d.of(booker), SeatNumbers: []int32{3}})
	if len(dec.Changes) != 2 || dec.Changes[1].Action != ActPromoted || !slices.Equal(dec.Changes[1].After.SeatNumbers, []int32{1, 2}) || dec.Changes[1].Actor != uuid.Nil {
		t.Errorf("%+v", dec.Changes)
	}
}
