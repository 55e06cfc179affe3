package booking

import (
	"slices"
	"testing"

	"github.com/google/uuid"
)

// TestAHoldOnASeatThatIsNoMoreGivesNothing lowers the capacity below a seat
// that is held by who waits: they are served with a seat that there is, or not
// at all, and what others hold there keeps nobody waiting.
func TestAHoldOnASeatThatIsNoMoreGivesNothing(t *testing.T) {
	for _, holder := range []string{"who waits", "another"} {
		d := newDesk(t, 41, nil)
		all := d.must(d.book(uuid.New(), 41))
		waits := uuid.New()
		d.must(d.book(waits, 1))
		d.holds[41] = waits
		if holder == "another" {
			d.holds[41] = uuid.New()
		}
		// While it was held by another, nobody could be served with it.
		d.inv.OrgSuspended = true
		d.must(d.do(uuid.New(), CancelSeats{BookingID: all.BookingID, SeatNumbers: []int32{40, 41}}))
		s := d.inv.Settings
		s.TotalSlots, s.OrgSuspended = 40, false
		dec := d.do(uuid.New(), Reconfigure{Settings: s})
		if len(dec.Changes) != 1 || !slices.Equal(dec.Changes[0].After.SeatNumbers, []int32{40}) {
			t.Errorf("seat 41 of 40 held by %s: %+v", holder, dec.Changes)
		}
	}
}

// TestAHoldIsThereAgainWithItsSeat raises the capacity over a seat that
// somebody still holds: it is not given to who waits.
func TestAHoldIsThereAgainWithItsSeat(t *testing.T) {
	d := newDesk(t, 40, nil)
	d.must(d.book(uuid.New(), 40))
	d.must(d.book(uuid.New(), 1))
	d.holds[41] = uuid.New()
	s := d.inv.Settings
	s.TotalSlots = 41
	if dec := d.do(uuid.New(), Reconfigure{Settings: s}); len(dec.Changes) != 0 {
		t.Errorf("seat 41, which is held, is given away: %+v", dec.Changes)
	}
	delete(d.holds, 41)
	if dec := d.do(uuid.Nil, Promote{}); len(dec.Changes) != 1 {
		t.Errorf("seat 41, which is not held any more, is not given: %+v", dec.Changes)
	}
}
