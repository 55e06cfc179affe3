package booking

import (
	"context"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/fault"
)

// HeldAt is what one person holds at one of the events where they hold seats.
type HeldAt struct {
	EventID uuid.UUID
	Held
}

// HeldNow tells what the caller holds anywhere, at HoldMaxEvents events at
// most. It says nothing of the events, so it asks about none of them.
func (s *Service) HeldNow(ctx context.Context, who access.Principal) ([]HeldAt, error) {
	if !who.SignedIn() {
		return nil, fault.ErrUnauthenticated
	}
	events, err := s.holds.HeldAt(ctx, who.UserID)
	if err != nil {
		return nil, err
	}
	all := make([]HeldAt, 0, len(events))
	for _, id := range events {
		held, err := s.holds.Mine(ctx, id, who.UserID)
		if err != nil {
			return nil, err
		}
		if len(held.Seats) > 0 {
			all = append(all, HeldAt{EventID: id, Held: held})
		}
	}
	return all, nil
}
