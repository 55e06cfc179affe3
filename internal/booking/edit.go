package booking

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/audit"
	"happening/internal/event"
	"happening/internal/fault"
)

// EditEvent changes the settings that the patch gives and keeps the others.
// revision is the one that the caller saw, 0 where it doesn't matter; a stale
// one is event.ErrStaleRevision.
func (s *Service) EditEvent(ctx context.Context, who access.Principal, eventID uuid.UUID, patch event.Patch, revision int64) (event.Event, error) {
	if _, err := s.Event(ctx, who, eventID, access.EventWrite); err != nil {
		return event.Event{}, err
	}
	return s.edit(ctx, eventID, who, func(current event.Event, _ SeatBits, now time.Time) (event.Event, *Edit, error) {
		if revision != 0 && revision != current.Revision {
			return event.Event{}, nil, ErrStaleRevision
		}
		changed, err := event.Apply(current, patch, now)
		if err != nil {
			return event.Event{}, nil, err
		}
		if changed.Revision == current.Revision {
			return current, nil, nil
		}
		edit := &Edit{Action: audit.EventUpdated}
		if fact := event.UpdatedFrom(&current, &changed, who.UserID); len(fact.Changed) > 0 {
			edit.FactKind = event.KindUpdated
			edit.FactPayload, err = json.Marshal(fact)
		}
		return changed, edit, err
	})
}

// ErrStaleRevision says that the settings were changed by another meanwhile.
var ErrStaleRevision = fault.New(fault.Stale, "stale_revision", "Somebody changed this event meanwhile; look at it again.")

// CancelEvent cancels an event at once and for good. Its bookings read as
// cancelled from then on; they are rewritten and their people told in steps.
func (s *Service) CancelEvent(ctx context.Context, who access.Principal, eventID uuid.UUID) (event.Event, error) {
	if _, err := s.Event(ctx, who, eventID, access.EventWrite); err != nil {
		return event.Event{}, err
	}
	e, err := s.edit(ctx, eventID, who, func(current event.Event, _ SeatBits, now time.Time) (event.Event, *Edit, error) {
		changed, err := event.Cancel(current, now)
		if err != nil {
			return event.Event{}, nil, err
		}
		payload, err := json.Marshal(event.CancelledBy(&changed, who.UserID))
		return changed, &Edit{Action: audit.EventCancelled, FactKind: event.KindCancelled, FactPayload: payload}, err
	})
	if err == nil {
		s.Close(eventID)
	}
	return e, err
}

// editTries is how often an edit is tried for which parties have to be closed
// first: another may lower the capacity in between.
const editTries = 3

func (s *Service) edit(ctx context.Context, eventID uuid.UUID, who access.Principal, change EditFunc) (event.Event, error) {
	id := newID()
	decide := func(current event.Event, blocked SeatBits, now time.Time) (event.Event, *Edit, error) {
		changed, edit, err := change(current, blocked, now)
		if err != nil || edit == nil {
			return changed, nil, err
		}
		edit.ActorID, edit.FactID, edit.At = who.UserID, id, now
		edit.Before, edit.After, err = recordOf(edit, &current, &changed)
		return changed, edit, err
	}
	answer := s.alloc.Edit(ctx, eventID, who.UserID, decide)
	for tries := 1; errors.Is(answer.Err, errTooLargeLeft) && tries < editTries; tries++ {
		if err := s.closeNow(ctx, eventID); err != nil {
			return event.Event{}, err
		}
		answer = s.alloc.Edit(ctx, eventID, who.UserID, decide)
	}
	if errors.Is(answer.Err, errTooLargeLeft) {
		answer.Err = ErrBusy.After(time.Second)
	}
	if answer.Err != nil {
		return event.Event{}, answer.Err
	}
	if answer.More {
		s.Close(eventID)
		s.Promote(eventID)
	}
	e := *answer.Event
	if live, err := s.alloc.Live(ctx, eventID); err == nil {
		now := live.Event()
		e.AvailableSlots, e.WaitingParties, e.Version = now.Available, now.WaitingParties, now.Version
	}
	return e, nil
}

// recordOf gives both sides of an edit as JSON for the record.
func recordOf(edit *Edit, current, changed *event.Event) (before, after []byte, err error) {
	was, is := current.Audit(), changed.AuditSince(current)
	if !edit.Blocks.None() {
		was = audit.Details{}
		is = audit.Details{"blocked": spans(edit.Blocks.Blocked), "unblocked": spans(edit.Blocks.Unblocked)}
	}
	if before, err = json.Marshal(was); err != nil {
		return nil, nil, err
	}
	after, err = json.Marshal(is)
	return before, after, err
}
