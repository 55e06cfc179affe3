package booking

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/event"
	"happening/internal/fault"
)

// ReasonErased is why bookings of somebody were cancelled who had everything
// about them erased.
const ReasonErased = "person_erased"

// GiveUp cancels everything that a person has at an event that is still to
// come, at most PromotionsPerTx bookings at a time, and serves the waitlist
// with what becomes free. Where there is nothing, or the event has begun, it
// changes nothing.
type GiveUp struct{ UserID uuid.UUID }

func (o GiveUp) decide(d *decision) error {
	inv := d.inv
	if inv.persons[o.UserID] == 0 || inv.StatusAt(d.now) != event.Upcoming {
		return nil
	}
	var theirs []*Party
	for _, p := range inv.live {
		if p.UserID == o.UserID {
			theirs = append(theirs, p)
		}
	}
	// A map has no order, and the same calls must give the same answers.
	slices.SortFunc(theirs, func(a, b *Party) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	left := len(theirs) > PromotionsPerTx
	for _, p := range theirs[:min(len(theirs), PromotionsPerTx)] {
		d.change(d.cancelled(p, ReasonErased))
	}
	if left {
		// Nobody is served before the last of them is gone, or a party of
		// theirs that waits could be.
		d.more = true
		return nil
	}
	d.promote()
	return nil
}

// GiveUp cancels a person's bookings at an event, as the system: the person is
// nobody by now. What is done already is left alone, so that it may run again.
func (s *Service) GiveUp(ctx context.Context, eventID, userID uuid.UUID) error {
	for {
		answer := s.alloc.Do(ctx, eventID, uuid.Nil, Key{}, GiveUp{UserID: userID})
		switch {
		case errors.Is(answer.Err, fault.ErrNotFound):
			return nil
		case answer.Err != nil:
			return fmt.Errorf("booking: give up event %s: %w", eventID, answer.Err)
		case !answer.More:
			return nil
		}
	}
}

// ReleaseHolds gives back the seats that a person holds at any event.
func (s *Service) ReleaseHolds(ctx context.Context, userID uuid.UUID) error {
	return s.giveBack(ctx, userID, func(uuid.UUID) (bool, error) { return true, nil })
}

// ReleaseHidden gives back the seats that a person holds at events that they
// may not see any more, since they couldn't do it themselves.
func (s *Service) ReleaseHidden(ctx context.Context, userID uuid.UUID) error {
	return s.giveBack(ctx, userID, func(eventID uuid.UUID) (bool, error) {
		_, err := s.Event(ctx, access.Principal{UserID: userID}, eventID, access.EventRead)
		if errors.Is(err, fault.ErrNotFound) {
			return true, nil
		}
		return false, err
	})
}

// giveBack gives back what a person holds at the events which it is asked of.
// What fails does not keep the rest from being done.
func (s *Service) giveBack(ctx context.Context, userID uuid.UUID, at func(eventID uuid.UUID) (bool, error)) error {
	events, err := s.holds.HeldAt(ctx, userID)
	for _, eventID := range events {
		theirs, failed := at(eventID)
		if theirs {
			_, failed = s.holds.Place(ctx, Placement{EventID: eventID, UserID: userID, Now: s.now()})
			s.HoldEnded(eventID)
		}
		err = errors.Join(err, failed)
	}
	if err != nil {
		return fmt.Errorf("booking: release holds: %w", err)
	}
	return nil
}
