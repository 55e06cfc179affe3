package redis

import (
	"context"
	"strconv"
	"sync"

	"github.com/google/uuid"

	"happening/internal/booking"
)

// unsettled remembers the events whose settling failed.
type unsettled struct {
	failedMu sync.Mutex
	failed   map[uuid.UUID]struct{}
	more     bool
}

func (u *unsettled) note(id uuid.UUID) {
	u.failedMu.Lock()
	defer u.failedMu.Unlock()
	if u.failed == nil {
		u.failed = map[uuid.UUID]struct{}{}
	}
	if _, known := u.failed[id]; !known && len(u.failed) >= maxUnsettled {
		u.more = true
		return
	}
	u.failed[id] = struct{}{}
}

// Unsettled gives and forgets the events of which a sale could not be settled,
// for the mirror to be compared; more says that there were others.
func (s *Store) Unsettled() (events []uuid.UUID, more bool) {
	s.failedMu.Lock()
	defer s.failedMu.Unlock()
	for id := range s.failed {
		events = append(events, id)
	}
	more = s.more
	s.failed, s.more = nil, false
	return events, more
}

// Settle implements booking.HoldStore: one script ends the holds on what was
// sold, notes the version, and moves counter and waitlist on by the named
// commands. Where these can't follow step by step they are written whole, a
// long waitlist without the caller waiting for it.
func (s *Store) Settle(ctx context.Context, sale booking.Sale) error {
	args := make([]string, 0, 6+len(sale.Sold)+len(sale.Joined)+len(sale.Left))
	args = append(args, strconv.FormatInt(sale.Version, 10), strconv.FormatInt(int64(sale.Taken), 10),
		strconv.FormatInt(int64(sale.Available), 10),
		strconv.Itoa(len(sale.Sold)), strconv.Itoa(len(sale.Joined)), strconv.Itoa(len(sale.Left)))
	for _, seat := range sale.Sold {
		args = append(args, strconv.FormatInt(int64(seat), 10))
	}
	for _, id := range sale.Joined {
		args = append(args, id.String())
	}
	for _, id := range sale.Left {
		args = append(args, id.String())
	}
	keys := ownedKeys(sale.EventID)
	answers, err := s.run(ctx, s.patience, call{script: settleScript, keys: keys, owned: keys, args: args})
	if err != nil {
		s.note(sale.EventID)
		return holdsAway(err)
	}
	r := reading(answers[0])
	now := r.clock(s)
	ended, changed, bare, whole := r.groups(), r.seats(), r.people(), r.number() == 1
	due := r.number()
	if r.bad {
		s.note(sale.EventID)
		return holdsAway(errAnswer)
	}
	s.told(sale.EventID, now, ended, changed)
	s.later(func(ctx context.Context) {
		s.enlist(ctx, sale.EventID, due)
		ends := make([]call, len(bare))
		for i, person := range bare {
			ends[i] = resettling(person, sale.EventID, 0, 0)
		}
		_, _ = s.run(ctx, bulkPatience, ends...) // else they end by themselves
	})
	if !whole || sale.Figures == nil {
		return nil
	}
	figures := sale.Figures()
	if figures.Version == 0 {
		return nil // not in memory any more; the next comparison sees to it
	}
	if len(figures.Waitlist) > maxInline {
		s.rebuild(figures)
		return nil
	}
	if err := s.write(ctx, s.patience, figures, false, 0); err != nil {
		s.note(sale.EventID)
		return holdsAway(err)
	}
	return nil
}

// rebuilding are the long waitlists that are about to be written, the newest
// of each event.
type rebuilding struct {
	rebuildMu sync.Mutex
	waiting   map[uuid.UUID]booking.Figures
}

// rebuild writes a long waitlist when there is time; one that comes meanwhile
// for the same event replaces it.
func (s *Store) rebuild(f booking.Figures) {
	s.rebuildMu.Lock()
	defer s.rebuildMu.Unlock()
	if s.waiting == nil {
		s.waiting = map[uuid.UUID]booking.Figures{}
	}
	_, queued := s.waiting[f.EventID]
	s.waiting[f.EventID] = f
	if queued {
		return
	}
	s.later(func(ctx context.Context) {
		s.rebuildMu.Lock()
		f := s.waiting[f.EventID]
		delete(s.waiting, f.EventID)
		s.rebuildMu.Unlock()
		if err := s.write(ctx, bulkPatience, f, false, 0); err != nil {
			s.note(f.EventID)
		}
	})
}
