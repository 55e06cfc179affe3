package booking

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/event"
	"happening/internal/fault"
)

// Holds tells what the caller holds at an event.
func (s *Service) Holds(ctx context.Context, who access.Principal, eventID uuid.UUID) (Held, error) {
	if _, err := s.Event(ctx, who, eventID, access.EventBook); err != nil {
		return Held{}, err
	}
	return s.holds.Mine(ctx, eventID, who.UserID)
}

// Hold replaces the caller's holds at an event; no seats release all. Over a
// limit, or past a queue, nothing changes.
func (s *Service) Hold(ctx context.Context, who access.Principal, eventID uuid.UUID, numbers []int32) (Placed, error) {
	live, err := s.Event(ctx, who, eventID, access.EventBook)
	if err != nil {
		return Placed{}, err
	}
	seats, wrong := checkNumbers(numbers, live.Event().TotalSlots)
	if wrong != "" {
		return Placed{}, fault.InvalidFields(fault.Field{Name: "seat_numbers", Message: wrong})
	}
	var placed Placed
	err = s.alloc.With(ctx, eventID, func(inv *Inventory) error {
		placed, err = s.place(ctx, who.UserID, inv, seats)
		return err
	})
	if err == nil {
		s.HoldEnded(eventID) // what was held before may be free now
	}
	return placed, err
}

// place checks the rules of holds while no decision is made about the event.
func (s *Service) place(ctx context.Context, user uuid.UUID, inv *Inventory, seats []int32) (Placed, error) {
	now := s.now()
	if len(seats) == 0 {
		return s.holds.Place(ctx, Placement{EventID: inv.EventID, UserID: user, Now: now})
	}
	if inv.StatusAt(now) != event.Upcoming || inv.OrgSuspended {
		return Placed{}, ErrNotBookable
	}
	if len(seats) > HoldMaxSeats || inv.MaxSeatsPerUser > 0 && inv.SeatsOf(user)+int32(len(seats)) > inv.MaxSeatsPerUser {
		return Placed{}, ErrSeatLimit
	}
	if inv.WaitlistPolicy == event.Strict && inv.WaitingParties() > 0 {
		mine, err := s.holds.Mine(ctx, inv.EventID, user)
		if err != nil {
			return Placed{}, err
		}
		for _, seat := range seats {
			if !contains(mine.Seats, seat) {
				return Placed{}, ErrWaitlist
			}
		}
	}
	var free, sold []int32
	for _, seat := range seats {
		if seat > inv.seats.total || inv.seats.has(seat) {
			sold = append(sold, seat)
		} else {
			free = append(free, seat)
		}
	}
	placed, err := s.holds.Place(ctx, Placement{EventID: inv.EventID, UserID: user, Seats: free, Now: now})
	if err != nil {
		return Placed{}, err
	}
	placed.Conflicts = append(placed.Conflicts, sold...)
	slices.Sort(placed.Conflicts)
	return placed, nil
}
