package redis

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"

	"happening/internal/booking"
)

// unsettled remembers seats that were sold while Redis did not answer: the
// holds on them have to end once it does. Counter and waitlist are brought up
// to date by comparison.
type unsettled struct {
	soldMu sync.Mutex
	sold   map[uuid.UUID]*missed
	seats  int
}

// missed are seats of one event, and for each when a hold ends that began with
// the sale, in Redis's milliseconds. One that ends then or later is not older:
// the seat was given back since, and it stays.
type missed struct {
	seats []int32
	ends  []int64
}

// add remembers seats; where there are too many their holds end by the clock.
func (u *unsettled) add(id uuid.UUID, m missed) {
	u.soldMu.Lock()
	defer u.soldMu.Unlock()
	if len(m.seats) == 0 || u.seats+len(m.seats) > maxUnsettled {
		return
	}
	if u.sold == nil {
		u.sold = map[uuid.UUID]*missed{}
	}
	all := u.sold[id]
	if all == nil {
		all = &missed{}
		u.sold[id] = all
	}
	all.seats, all.ends = append(all.seats, m.seats...), append(all.ends, m.ends...)
	u.seats += len(m.seats)
}

func (u *unsettled) take() map[uuid.UUID]*missed {
	u.soldMu.Lock()
	defer u.soldMu.Unlock()
	sold := u.sold
	u.sold, u.seats = nil, 0
	return sold
}

// miss remembers seats whose sale began at a moment of Redis's clock.
func (s *Store) miss(id uuid.UUID, seats []int32, at int64) {
	end := at + min(s.o.TTL, booking.HoldMaxAge).Milliseconds()
	s.add(id, missed{seats: seats, ends: slices.Repeat([]int64{end}, len(seats))})
}

// settleMissed ends the holds on seats that were sold during an outage.
func (s *Store) settleMissed(ctx context.Context) {
	if s.away.Load() {
		return
	}
	sold := s.take()
	for id, m := range sold {
		// Version 0 is older than any: it touches holds and nothing else.
		r, err := s.settle(ctx, bulkPatience, booking.Sale{EventID: id, Sold: m.seats}, m.ends...)
		if err != nil {
			s.add(id, *m)
			continue
		}
		s.told(id, r.ended, r.changed)
		s.bare(id, r)
	}
}

// settled is what the script has answered.
type settled struct {
	ended   []group
	changed []int32
	people  []uuid.UUID // who holds nothing any more
	whole   bool        // counter and waitlist have to be written whole
	due     int64
}

// settle runs the script; ends is as in missed, where the sale is not new.
func (s *Store) settle(ctx context.Context, within time.Duration, sale booking.Sale, ends ...int64) (settled, error) {
	args := make([]string, 0, 6+len(sale.Sold)+len(sale.Joined)+len(sale.Left)+len(ends))
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
	for _, end := range ends {
		args = append(args, strconv.FormatInt(end, 10))
	}
	keys := ownedKeys(sale.EventID)
	answers, err := s.run(ctx, within, call{script: settleScript, keys: keys, owned: keys, args: args})
	if err != nil {
		return settled{}, err
	}
	r := reading(answers[0])
	r.clock(s)
	done := settled{ended: r.groups(), changed: r.seats(), people: r.people(), whole: r.number() == 1, due: r.number()}
	if r.bad {
		return settled{}, errAnswer
	}
	return done, nil
}

// bare gives back the places that people had among their events, when there is
// time.
func (s *Store) bare(eventID uuid.UUID, r settled) {
	s.later(func(ctx context.Context) {
		s.enlist(ctx, eventID, r.due)
		ends := make([]call, len(r.people))
		for i, person := range r.people {
			ends[i] = resettling(person, eventID, 0, 0)
		}
		_, _ = s.run(ctx, bulkPatience, ends...) // else they end by themselves
	})
}

// Settle implements booking.HoldStore: one script ends the holds on what was
// sold, notes the version, and moves counter and waitlist on by the named
// commands. Where these can't follow step by step they are written whole, a
// long waitlist without the caller waiting for it.
func (s *Store) Settle(ctx context.Context, sale booking.Sale) error {
	at := s.redisNow()
	r, err := s.settle(ctx, s.patience, sale)
	if err != nil {
		s.miss(sale.EventID, sale.Sold, at)
		return holdsAway(err)
	}
	s.told(sale.EventID, r.ended, r.changed)
	s.bare(sale.EventID, r)
	if !r.whole || sale.Figures == nil {
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
	chore := func(ctx context.Context) {
		s.rebuildMu.Lock()
		f := s.waiting[f.EventID]
		delete(s.waiting, f.EventID)
		s.rebuildMu.Unlock()
		_ = s.write(ctx, bulkPatience, f, false, 0) // else the next comparison does
	}
	select {
	case s.chores <- chore:
	default: // nothing would ever take it from those that wait
		delete(s.waiting, f.EventID)
	}
}
