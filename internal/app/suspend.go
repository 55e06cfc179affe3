package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"happening/internal/fault"
	"happening/internal/org"
)

const (
	// standingEvery is how often a process asks which organizations were
	// suspended or resumed. With what open connections are asked again after,
	// it stays below the five seconds within which access ends.
	standingEvery = time.Second
	// standingPage bounds what is asked for at once.
	standingPage = 500
	// standingAgain is for how long a change is applied again: longer than an
	// event takes to be read into memory, which may have begun before.
	standingAgain = 2 * time.Minute
	// moveOnEvery is how often what a suspension has left undone is done.
	moveOnEvery = 15 * time.Second
)

// Suspend closes an organization to everybody but its members, and them to new
// things. It gives its name, and changed false where it was suspended already.
func (a *App) Suspend(ctx context.Context, orgID string) (name string, changed bool, err error) {
	return a.setStanding(ctx, orgID, a.Orgs.Suspend)
}

// Resume undoes Suspend.
func (a *App) Resume(ctx context.Context, orgID string) (name string, changed bool, err error) {
	return a.setStanding(ctx, orgID, a.Orgs.Resume)
}

func (a *App) setStanding(ctx context.Context, orgID string, set func(context.Context, uuid.UUID) (string, bool, error)) (name string, changed bool, err error) {
	id, err := uuid.Parse(orgID)
	if err != nil {
		return "", false, fmt.Errorf("%q is not the id of an organization", orgID)
	}
	name, changed, err = set(ctx, id)
	if errors.Is(err, fault.ErrNotFound) {
		return "", false, fmt.Errorf("there is no organization %s", id)
	}
	return name, changed, err
}

// standings keeps what a process holds in memory up with the operator's
// suspensions. What it reads is ordered by the database, and what it writes
// into memory is only what the database says at that moment; versions, which
// move with every suspension, keep a process that has not read it yet from
// selling.
type standings struct {
	read  func(ctx context.Context, since time.Time, limit int) ([]org.Suspension, error)
	apply func(ctx context.Context, standing map[uuid.UUID]bool) error

	since  time.Time // of the last change that was read
	recent map[uuid.UUID]recentStanding
	failed bool
}

// recentStanding is a change that is applied again for a while.
type recentStanding struct {
	suspended bool
	until     time.Time
}

// turn reads what has changed and applies it. Of an outage the first failure
// is told.
func (s *standings) turn(ctx context.Context) error {
	err := s.follow(ctx)
	told := s.failed
	if s.failed = err != nil; told {
		return nil
	}
	return err
}

func (s *standings) follow(ctx context.Context) error {
	if s.recent == nil {
		s.recent = map[uuid.UUID]recentStanding{}
	}
	now := time.Now()
	for more := true; more; {
		changed, err := s.read(ctx, s.since, standingPage)
		if err != nil {
			return err
		}
		for _, c := range changed {
			s.recent[c.OrgID] = recentStanding{suspended: c.Suspended, until: now.Add(standingAgain)}
			s.since = c.ChangedAt
		}
		more = len(changed) == standingPage
	}
	if len(s.recent) == 0 {
		return nil
	}
	standing := make(map[uuid.UUID]bool, len(s.recent))
	for id, r := range s.recent {
		standing[id] = r.suspended
	}
	if err := s.apply(ctx, standing); err != nil {
		return err
	}
	for id, r := range s.recent {
		if now.After(r.until) {
			delete(s.recent, id)
		}
	}
	return nil
}
