package booking

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/event"
	"happening/internal/fault"
)

// PromoteByHand serves a party that waits now, whoever waits before it. Seats
// that others hold are not taken from them.
type PromoteByHand struct{ BookingID uuid.UUID }

func (o PromoteByHand) decide(d *decision) error {
	p, err := d.runnable(o.BookingID)
	switch {
	case err != nil:
		return err
	case p.Status != Waiting:
		return ErrNotWaiting
	case p.Seats > d.inv.Available():
		return ErrTooFewSeats
	}
	held := d.holds.seenBy(p.UserID)
	seats := d.inv.seats.best(p.Seats, &held)
	if seats == nil {
		return ErrSeatsHeld.After(heldRetry)
	}
	c := d.promoted(p, seats)
	c.ByHand = true
	d.answer(c)
	d.promote() // the next in order may fit what is left
	return nil
}

// runnable finds a live booking for those who run the event. What is new to
// the booker is not decided while the organization is suspended.
func (d *decision) runnable(id uuid.UUID) (*Party, error) {
	p, err := d.changeable(id)
	if err == nil && d.inv.OrgSuspended {
		err = event.ErrOrgSuspended
	}
	return p, err
}

// Move gives a confirmed party exactly these seats instead of its own, of which
// it may keep some. Seats that the booker or whoever moves them holds are free
// to them.
type Move struct {
	BookingID   uuid.UUID
	SeatNumbers []int32 // rising, distinct
}

func (o Move) decide(d *decision) error {
	p, err := d.runnable(o.BookingID)
	switch {
	case err != nil:
		return err
	case p.Status != Confirmed:
		return ErrNotConfirmed
	case len(o.SeatNumbers) != len(p.SeatNumbers):
		return fault.InvalidFields(fault.Field{Name: "seat_numbers", Message: fmt.Sprintf("must name exactly %d, as many as the booking has", p.Seats)})
	case slices.Equal(o.SeatNumbers, p.SeatNumbers):
		return nil // it sits there already
	}
	var gone []int32
	held := d.holds.seenBy(p.UserID)
	for _, s := range o.SeatNumbers {
		switch {
		case contains(p.SeatNumbers, s):
		case s > d.inv.seats.total, d.inv.seats.has(s), held.has(s) && !contains(d.holds.byUser[d.actor], s):
			gone = append(gone, s)
		}
	}
	if len(gone) > 0 {
		return ErrSeatsUnavailable.With("seat_numbers", gone)
	}
	after := p.State
	after.SeatNumbers = o.SeatNumbers
	d.answer(Change{
		BookingID: p.ID, UserID: p.UserID, Action: ActMoved, CreatedAt: p.CreatedAt,
		Before: p.State, After: after,
	})
	d.promote() // seats that nobody could have because they were held may be free
	return nil
}

// PromoteByHand serves a party that waits, out of its turn, if those who run
// the event want it so.
func (s *Service) PromoteByHand(ctx context.Context, who access.Principal, id uuid.UUID, key Key) (Entry, error) {
	b, err := s.findToChange(ctx, who, id, access.BookingRun)
	if err != nil {
		return Entry{}, err
	}
	return s.changed(b, s.alloc.Do(ctx, b.EventID, who.UserID, key, PromoteByHand{BookingID: id}))
}

// Move puts a confirmed party on other seats, as many as it has. Where it sits
// there already nothing happens.
func (s *Service) Move(ctx context.Context, who access.Principal, id uuid.UUID, numbers []int32, key Key) (Entry, error) {
	b, err := s.findToChange(ctx, who, id, access.BookingRun)
	if err != nil {
		return Entry{}, err
	}
	rising, wrong := checkNumbers(numbers, b.Event.TotalSlots)
	if wrong != "" {
		return s.wrongNumbers(ctx, who, b, key, wrong)
	}
	answer := s.alloc.Do(ctx, b.EventID, who.UserID, key, Move{BookingID: id, SeatNumbers: rising})
	if answer.Err == nil && answer.Booking.ID == uuid.Nil {
		// Nothing changed by this; what it changed from may be older than b.
		return s.Get(ctx, who, id)
	}
	return s.changed(b, answer)
}
