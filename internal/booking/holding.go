package booking

import (
	"context"
	"errors"
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
	placed, err := s.place(ctx, who.UserID, eventID, seats)
	if err == nil {
		s.HoldEnded(eventID) // what was held before may be free now
	}
	return placed, err
}

// holdTries is how often holds are asked for again because seats were sold
// meanwhile.
const holdTries = 8

// place asks for holds on seats that are free. The holds' store may be another
// machine, so that it is asked while nothing is locked; seats that are sold
// meanwhile are found either by the store, which is told of every sale and
// refuses an older look at the event, or, where their sale is decided in this
// process and not yet written, by a second look. Where that finds that the
// rules refuse holds by now, what was granted is given back.
func (s *Service) place(ctx context.Context, user, eventID uuid.UUID, seats []int32) (Placed, error) {
	if len(seats) == 0 {
		return s.holds.Place(ctx, Placement{EventID: eventID, UserID: user, Now: s.now()})
	}
	lie := int64(0)
	for range holdTries {
		look, err := s.look(ctx, user, eventID, seats)
		if err != nil {
			return Placed{}, err
		}
		if look.queue {
			mine, err := s.holds.Mine(ctx, eventID, user)
			if err != nil {
				return Placed{}, err
			}
			for _, seat := range seats {
				if !contains(mine.Seats, seat) {
					return Placed{}, ErrWaitlist
				}
			}
		}
		placed, err := s.holds.Place(ctx, Placement{
			EventID: eventID, UserID: user, Seats: look.free, Now: s.now(), SaleVersion: max(look.version, lie),
		})
		if errors.Is(err, ErrBehind) {
			if lie, err = s.catchUpWithHolds(ctx, eventID); err != nil {
				return Placed{}, err
			}
			continue
		}
		if err != nil {
			return Placed{}, err
		}
		again, err := s.look(ctx, user, eventID, placed.Granted)
		if err == nil && again.queue && !look.queue {
			// Who waits since then has a right to these seats. Which of them the
			// person held before can't be told any more.
			err = ErrWaitlist
		}
		if err != nil {
			s.release(ctx, user, eventID)
			return Placed{}, err
		}
		if len(again.sold) > 0 {
			continue
		}
		placed.Conflicts = append(placed.Conflicts, look.sold...)
		slices.Sort(placed.Conflicts)
		return placed, nil
	}
	return Placed{}, ErrHoldsAway
}

// release gives back what was granted and is not to be kept, also where the
// caller has given up. What the store can't be told of ends by itself.
func (s *Service) release(ctx context.Context, user, eventID uuid.UUID) {
	_, _ = s.holds.Place(context.WithoutCancel(ctx), Placement{EventID: eventID, UserID: user, Now: s.now()})
	s.HoldEnded(eventID) // what was held before, too
}

// catchUpWithHolds brings the event to the version that the holds' store knows
// of. Where PostgreSQL has no such version, the store's is given as a lie: it
// refuses everybody until it is corrected, unless it is told what it claims.
func (s *Service) catchUpWithHolds(ctx context.Context, eventID uuid.UUID) (lie int64, err error) {
	views, err := s.holds.View(ctx, []uuid.UUID{eventID})
	if err != nil {
		return 0, err
	}
	claim := views[0].SaleVersion
	live, err := s.alloc.CatchUp(ctx, eventID, claim)
	if err != nil || live.Event().Version >= claim {
		return 0, err
	}
	return claim, nil
}

// look is what an event says to a wish for holds.
type look struct {
	free, sold []int32
	version    int64 // at which the free ones were
	queue      bool  // only seats that are held already may be held
}

// look checks the rules of holds while no decision is made about the event.
// Seats whose sale is decided but not yet written are sold.
func (s *Service) look(ctx context.Context, user, eventID uuid.UUID, seats []int32) (l look, err error) {
	now := s.now()
	err = s.alloc.With(ctx, eventID, func(inv *Inventory) error {
		if inv.StatusAt(now) != event.Upcoming {
			return ErrNotBookable
		}
		if inv.OrgSuspended {
			return event.ErrOrgSuspended
		}
		if len(seats) > HoldMaxSeats || inv.MaxSeatsPerUser > 0 && inv.SeatsOf(user)+int32(len(seats)) > inv.MaxSeatsPerUser {
			return ErrSeatLimit
		}
		l = look{version: inv.Version, queue: inv.WaitlistPolicy == event.Strict && inv.inLine() > 0}
		for _, seat := range seats {
			if seat > inv.seats.total || inv.seats.has(seat) {
				l.sold = append(l.sold, seat)
			} else {
				l.free = append(l.free, seat)
			}
		}
		return nil
	})
	return l, err
}
