package booking

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"happening/internal/fault"
)

// backgroundPatience bounds one promotion or closing that nobody waits for;
// the sweep comes back to what it left.
const backgroundPatience = time.Minute

// Promote serves an event's waitlist in the background, as far as its policy
// and the holds let.
func (s *Service) Promote(eventID uuid.UUID) { go s.repeat(eventID, Promote{}) }

// Close cancels in the background what a cancellation or the start of an
// event has overtaken.
func (s *Service) Close(eventID uuid.UUID) { go s.repeat(eventID, Close{}) }

func (s *Service) repeat(eventID uuid.UUID, order Order) {
	ctx, cancel := context.WithTimeout(context.Background(), backgroundPatience)
	defer cancel()
	for {
		answer := s.alloc.Do(ctx, eventID, uuid.Nil, Key{}, order)
		if answer.Err != nil && !errors.Is(answer.Err, fault.ErrNotFound) {
			s.log.Warn("booking: background work stopped; the sweep takes it up", "event", eventID, "error", answer.Err)
		}
		if answer.Err != nil || !answer.More {
			return
		}
	}
}

// HoldEnded promotes who waits when a hold may have ended.
func (s *Service) HoldEnded(eventID uuid.UUID) {
	if live := s.alloc.Peek(eventID); live == nil || live.Event().WaitingParties > 0 {
		s.Promote(eventID)
	}
}

// EventDeleted forgets an event that is no more.
func (s *Service) EventDeleted(eventID uuid.UUID) { s.alloc.Forget(eventID) }

// sweepPage bounds the events that one query of a sweep gives.
const sweepPage = 500

// Sweep takes up what no request triggers: it promotes wherever the policy
// would, and closes what the clock or a cancellation has overtaken. It may
// run at any time and twice.
func (s *Service) Sweep(ctx context.Context) error {
	for _, task := range []struct {
		due   func(ctx context.Context, now time.Time, after uuid.UUID, limit int) ([]uuid.UUID, error)
		order Order
	}{
		{s.store.DuePromotions, Promote{}},
		{s.store.DueClosings, Close{}},
	} {
		for after := uuid.Nil; ; {
			page, err := task.due(ctx, s.now(), after, sweepPage)
			if err != nil {
				return fmt.Errorf("booking: sweep: %w", err)
			}
			for _, id := range page {
				// One step an event: what is left has its next turn soon.
				if answer := s.alloc.Do(ctx, id, uuid.Nil, Key{}, task.order); answer.Err != nil && !errors.Is(answer.Err, fault.ErrNotFound) {
					return fmt.Errorf("booking: sweep event %s: %w", id, answer.Err)
				}
				after = id
			}
			if len(page) < sweepPage {
				break
			}
		}
	}
	return nil
}
