package booking

import (
	"errors"
	"fmt"
	"testing"

	"happening/internal/booking/simtest"
)

// record notes what a client was told of seats, and nothing else that the
// world knows.
func (w *simWorld) record(q *simRequest, code string) {
	if !w.given.plain {
		return
	}
	lost := errors.Is(q.answer.Err, errSimCrashed) || code == ErrAway.Code
	switch {
	case q.gaveUp && q.since > 0:
		w.recordLost(q) // what was asked first stays unknown
	case q.gaveUp:
	case lost && q.key.Value != "": // is asked again, or noted in the end
	case lost:
		w.recordLost(q)
	default:
		w.recordTold(q, code)
	}
}

func (w *simWorld) recordTold(q *simRequest, code string) {
	seat := func(n int32) string { return fmt.Sprint(short(q.eventID), "/", n) }
	now := simtest.Span{Asked: q.asked, Told: w.clock}
	since := simtest.Span{Asked: q.began(), Told: w.clock}
	if code != "" && q.since > 0 {
		w.recordLost(q) // what was asked first may be written yet
	}
	switch o := q.order.(type) {
	case Book:
		switch code {
		case "":
			for _, n := range q.answer.Booking.SeatNumbers {
				w.history.Took(seat(n), q.answer.Booking.ID.String(), since)
			}
		case ErrSeatsUnavailable.Code:
			gone := simTold(nil, q.answer.Err, false).Gone
			for _, n := range o.SeatNumbers {
				w.history.Found(seat(n), contains(gone, n), now)
			}
		case ErrSoldOut.Code:
			for n := int32(1); o.Seats == 1 && n <= w.books[q.eventID].row.TotalSlots; n++ {
				w.history.Found(seat(n), true, now)
			}
		}
	case Cancel:
		if code == "" {
			for _, n := range w.seatsOf[o.BookingID] {
				w.history.Freed(seat(n), o.BookingID.String(), since)
			}
		}
	}
}

// recordLost notes an order of which its client has heard nothing.
func (w *simWorld) recordLost(q *simRequest) {
	w.meet("never resolved")
	seat := func(n int32) string { return fmt.Sprint(short(q.eventID), "/", n) }
	switch o := q.order.(type) {
	case Book:
		named := o.SeatNumbers
		for n := int32(1); named == nil && w.books[q.eventID] != nil && n <= w.books[q.eventID].row.TotalSlots; n++ {
			w.history.MayHaveTaken(seat(n), q.began())
		}
		for _, n := range named {
			w.history.MayHaveTaken(seat(n), q.began())
		}
	case Cancel:
		for _, n := range w.seatsOf[o.BookingID] {
			w.history.MayHaveFreed(seat(n), o.BookingID.String(), q.began())
		}
	}
}

// plainRun gives the history of a seed.
func plainRun(t *testing.T, seed uint64, given simConditions) (failed *simFailure, w *simWorld) {
	t.Helper()
	given.plain = true
	failed, w = runSim(t, seed, allSteps(simPlainLength), given, nil)
	for _, q := range w.unknown {
		w.recordLost(q)
	}
	return failed, w
}

// simPlainLength is how many steps a history has.
const simPlainLength = 600

// TestSeatsAreAnsweredAsInOneOrder takes histories of seats from clients of two
// processes that overlap, lose answers and crash, and looks for an order that
// explains each. It knows nothing of versions: what it finds is what a client
// could notice.
func TestSeatsAreAnsweredAsInOneOrder(t *testing.T) {
	operations, unknown := 0, 0
	for seed := range uint64(simPlainSeeds) {
		failed, w := plainRun(t, seed+1, simConditions{})
		if failed != nil {
			t.Fatalf("seed %d, step %d: %s", seed+1, failed.after, failed.what)
		}
		if illegal := w.history.Illegal(); len(illegal) > 0 {
			t.Errorf("seed %d: no order explains %v", seed+1, illegal)
		}
		operations, unknown = operations+w.history.Len(), unknown+w.met["never resolved"]
	}
	t.Logf("%d operations on seats, %d orders never resolved", operations, unknown)
	if operations < 100*simPlainSeeds || unknown == 0 {
		t.Errorf("%d operations on seats and %d orders never resolved show nothing", operations, unknown)
	}
}

// TestHistoriesTellOfMissingGuards takes guards away: some history must have
// no order.
func TestHistoriesTellOfMissingGuards(t *testing.T) {
	for _, name := range []string{"version check", "refusals held against the books", "early refusals held against them", "undo"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(simControlSeeds) {
				failed, w := plainRun(t, seed+1, simControls[name])
				if failed != nil { // it panics, which is noticed and tells nothing of histories
					continue
				}
				if illegal := w.history.Illegal(); len(illegal) > 0 {
					t.Logf("seed %d: no order explains %v", seed+1, illegal)
					return
				}
			}
			t.Errorf("%d seeds notice nothing", simControlSeeds)
		})
	}
}
