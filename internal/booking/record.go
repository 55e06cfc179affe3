package booking

import (
	"encoding/json"

	"github.com/google/uuid"

	"happening/internal/audit"
)

// recorded are the actions that an organization's record knows where somebody
// else than the booker does them; running are those that only who runs the
// event does, also to a booking of their own.
var (
	recorded = map[Action]audit.Action{
		ActConfirmed:      audit.BookedFor,
		ActWaitlisted:     audit.BookedFor,
		ActCancelled:      audit.BookingCancelled,
		ActSeatsCancelled: audit.SeatsCancelled,
		ActResized:        audit.PartyResized,
	}
	running = map[Action]audit.Action{
		ActMoved:    audit.BookingMoved,
		ActPromoted: audit.BookingPromoted, // by hand, since it has an actor
	}
)

// Recorded gives the action under which a change stands in the organization's
// record, under the id that it has in the history, too; false for what people
// do to their own bookings and for what the system does.
func (c *Change) Recorded() (audit.Action, bool) {
	if c.Actor == uuid.Nil {
		return "", false
	}
	if action, ok := running[c.Action]; ok {
		return action, true
	}
	if c.Actor == c.UserID {
		return "", false
	}
	action, ok := recorded[c.Action]
	return action, ok
}

// Record gives how the booking stood before the change, nil for a new one, and
// stands after it, as JSON for the record.
func (c *Change) Record() (before, after []byte, err error) {
	side := func(s *State) ([]byte, error) {
		d := audit.Details{"booking_id": c.BookingID, "status": s.Status, "seats": s.Seats}
		if len(s.SeatNumbers) > 0 {
			d["seat_numbers"] = s.SeatNumbers
		}
		return json.Marshal(d)
	}
	if c.Before.Status != "" {
		if before, err = side(&c.Before); err != nil {
			return nil, nil, err
		}
	}
	after, err = side(&c.After)
	return before, after, err
}
