package org

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"happening/internal/audit"
)

// MoveBatch bounds the events that one transaction moves on after the
// organization's standing has changed.
const MoveBatch = 500

// SuspensionStore keeps whether the operator has suspended an organization. It
// works for the operator: across all organizations, whoever asks. Each method
// is one transaction.
type SuspensionStore interface {
	// SetSuspended suspends or resumes an organization, with its record;
	// changed false where it stands so already, which writes nothing.
	SetSuspended(ctx context.Context, id uuid.UUID, suspended bool, now time.Time, record audit.Entry) (name string, changed bool, err error)
	// Unmoved lists organizations some of whose events may not have been moved
	// on since their standing changed.
	Unmoved(ctx context.Context, limit int) ([]Suspension, error)
	// MoveEvents moves the versions of at most limit of an organization's
	// events that have not ended, from after on by rising id, and gives the
	// last of them; fewer than limit are the last page.
	MoveEvents(ctx context.Context, orgID uuid.UUID, now time.Time, after uuid.UUID, limit int) (last uuid.UUID, moved int, err error)
	// Moved notes that all events have moved on since the standing changed,
	// unless it has changed again.
	Moved(ctx context.Context, s Suspension) error
	// Suspensions lists organizations whose standing has changed since, in that
	// order. No later change ever has an earlier or the same time, whatever
	// the clocks do; the zero time is before all.
	Suspensions(ctx context.Context, since time.Time, limit int) ([]Suspension, error)
}

// Suspension is whether an organization is suspended, and since when it is or is
// not. The time is the database's and orders the changes of all organizations.
type Suspension struct {
	OrgID     uuid.UUID
	Suspended bool
	ChangedAt time.Time
}

// Suspend closes an organization to everybody but its members, and them to
// new things. It gives the organization's name, and changed false where it was
// suspended already.
func (s *Service) Suspend(ctx context.Context, id uuid.UUID) (name string, changed bool, err error) {
	return s.setSuspended(ctx, id, true)
}

// Resume undoes Suspend.
func (s *Service) Resume(ctx context.Context, id uuid.UUID) (name string, changed bool, err error) {
	return s.setSuspended(ctx, id, false)
}

func (s *Service) setSuspended(ctx context.Context, id uuid.UUID, suspended bool) (name string, changed bool, err error) {
	record := audit.Entry{
		OrgID: id, Action: audit.OrgResumed, SubjectID: id, At: s.now(),
		Before: audit.Details{"suspended": !suspended}, After: audit.Details{"suspended": suspended},
	}
	if suspended {
		record.Action = audit.OrgSuspended
	}
	name, changed, err = s.store.SetSuspended(ctx, id, suspended, s.now(), record)
	if err != nil {
		return "", false, fmt.Errorf("org: change standing: %w", err)
	}
	return name, changed, s.MoveOn(ctx)
}

// MoveOn moves the events of every organization whose standing has changed to
// a new version, in steps, so that nothing can be written any more that was
// decided on the old standing. It goes on with what an earlier call has left,
// and may run anywhere, any number of times.
func (s *Service) MoveOn(ctx context.Context) error {
	for {
		unmoved, err := s.store.Unmoved(ctx, SweepBatch)
		if err != nil {
			return fmt.Errorf("org: move events on: %w", err)
		}
		for _, u := range unmoved {
			for after, n := uuid.Nil, MoveBatch; n == MoveBatch; {
				if after, n, err = s.store.MoveEvents(ctx, u.OrgID, s.now(), after, MoveBatch); err != nil {
					return fmt.Errorf("org: move events of %s on: %w", u.OrgID, err)
				}
			}
			if err := s.store.Moved(ctx, u); err != nil {
				return fmt.Errorf("org: move events on: %w", err)
			}
		}
		if len(unmoved) < SweepBatch {
			return nil
		}
	}
}

// Suspensions gives what has changed since; see SuspensionStore.
func (s *Service) Suspensions(ctx context.Context, since time.Time, limit int) ([]Suspension, error) {
	changed, err := s.store.Suspensions(ctx, since, limit)
	if err != nil {
		return nil, fmt.Errorf("org: suspensions: %w", err)
	}
	return changed, nil
}
