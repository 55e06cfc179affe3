package booking

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/event"
)

func TestGivingUpCancelsEverythingOfOnePersonAndServesWhoWaits(t *testing.T) {
	d := newDesk(t, 4, nil)
	ann, bob, cem := uuid.New(), uuid.New(), uuid.New()
	d.must(d.book(ann, 2))
	d.must(d.book(ann, 1))
	d.must(d.book(bob, 1))
	d.must(d.book(ann, 1)) // waits first
	waits := d.must(d.book(cem, 3))
	dec := d.do(uuid.Nil, GiveUp{UserID: ann})
	if dec.Refusal != nil || dec.More || len(dec.Changes) != 4 {
		t.Fatalf("%+v", dec)
	}
	for _, c := range dec.Changes[:3] {
		if c.UserID != ann || c.After.Status != Cancelled || c.After.Reason != ReasonErased || c.Actor != uuid.Nil {
			t.Errorf("not given up: %+v", c)
		}
	}
	last := dec.Changes[3]
	if last.BookingID != waits.BookingID || last.Action != ActPromoted || !slices.Equal(last.After.SeatNumbers, []int32{1, 2, 3}) {
		t.Errorf("who waits is not served: %+v", last)
	}
	if d.inv.SeatsOf(ann) != 0 || d.inv.SeatsOf(bob) != 1 || d.inv.Available() != 0 || d.inv.WaitingParties() != 0 {
		t.Errorf("ann %d, bob %d, free %d, waiting %d", d.inv.SeatsOf(ann), d.inv.SeatsOf(bob), d.inv.Available(), d.inv.WaitingParties())
	}
	if again := d.do(uuid.Nil, GiveUp{UserID: ann}); again.Refusal != nil || len(again.Changes) != 0 {
		t.Errorf("the second time changes something: %+v", again)
	}
}

// Whoever gives up many bookings is served none of the seats that the first
// step freed.
func TestGivingUpInStepsServesNobodyBeforeTheLast(t *testing.T) {
	d := newDesk(t, PromotionsPerTx, func(s *event.Settings) { s.WaitlistPolicy = event.Fit })
	ann := uuid.New()
	for range PromotionsPerTx + 10 {
		d.must(d.book(ann, 1))
	}
	first := d.do(uuid.Nil, GiveUp{UserID: ann})
	if first.Refusal != nil || !first.More || len(first.Changes) != PromotionsPerTx {
		t.Fatalf("refused %v, more %v, %d changes", first.Refusal, first.More, len(first.Changes))
	}
	rest := d.do(uuid.Nil, GiveUp{UserID: ann})
	if rest.Refusal != nil || rest.More || len(rest.Changes) != 10 || d.inv.Live() != 0 {
		t.Fatalf("refused %v, more %v, %d changes, %d live", rest.Refusal, rest.More, len(rest.Changes), d.inv.Live())
	}
}

func TestWhatHasBegunIsNotGivenUp(t *testing.T) {
	d := newDesk(t, 4, nil)
	ann := uuid.New()
	d.must(d.book(ann, 2))
	d.now = testNow.Add(25 * time.Hour)
	if dec := d.do(uuid.Nil, GiveUp{UserID: ann}); dec.Refusal != nil || len(dec.Changes) != 0 || d.inv.SeatsOf(ann) != 2 {
		t.Errorf("%+v", dec)
	}
}
