package booking

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/google/uuid"

	"happening/internal/audit"
	"happening/internal/event"
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
	if moved := d.inv.moved([]Change{c}); len(moved) != 0 {
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
