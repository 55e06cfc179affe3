package redis

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/redis/rueidis"

	"happening/internal/booking"
)

// picture is an event's holds at one revision, never changed once it is made.
type picture struct {
	generation uint64
	epoch      string
	revision   int64
	count      int64 // of the entries in Redis, of which some may not be ours
	holders    map[int32]uuid.UUID
	// ends is when each of them ends, unpinned, in Redis's milliseconds; until
	// is when the first is left out even if Redis still has it; zero: never.
	ends  map[int32]int64
	until int64
}

// View implements booking.HoldStore: one small script for each event, all of
// them in one round trip. Views are shared while nothing changes.
func (s *Store) View(ctx context.Context, eventIDs []uuid.UUID) ([]booking.HoldView, error) {
	calls := make([]call, len(eventIDs))
	base := make([]*picture, len(eventIDs))
	generation := s.generation.Load()
	for i, id := range eventIDs {
		p := s.event(id).picture.Load()
		if p == nil || p.generation != generation {
			p = &picture{generation: generation}
		}
		base[i] = p
		calls[i] = call{script: viewScript, keys: holdKeys(id), owned: ownedKeys(id), args: []string{
			p.epoch, strconv.FormatInt(p.revision, 10), strconv.FormatInt(p.count, 10),
		}}
	}
	answers, err := s.run(ctx, s.patience, calls...)
	if err != nil {
		return nil, holdsAway(err)
	}
	views := make([]booking.HoldView, len(eventIDs))
	for i, id := range eventIDs {
		r := reading(answers[i])
		now := r.clock(s)
		s.told(id, r.groups(), nil)
		views[i].SaleVersion = r.number()
		next := base[i].advance(&r, now)
		if r.bad {
			return nil, holdsAway(errAnswer)
		}
		if next != base[i] || next.epoch == "" {
			s.event(id).picture.Store(next)
		}
		views[i].Holders = next.holders
	}
	return views, nil
}

// errAnswer says that a script answered something else than it should.
var errAnswer = errors.New("redis: an answer can't be read")

// advance reads the rest of a view's answer, given at now by Redis's clock, and
// gives the picture that it makes of this one; the same where nothing has
// changed.
func (p *picture) advance(r *answer, now int64) *picture {
	const (
		same = iota
		changes
		all
	)
	next := &picture{generation: p.generation, epoch: r.text(), revision: r.number(), count: r.number()}
	switch kind := r.number(); kind {
	case same:
		if p.until == 0 || now < p.until {
			return p
		}
		next.holders, next.ends = maps.Clone(p.holders), maps.Clone(p.ends)
	case changes:
		seats, values := r.list(), r.list()
		if len(seats) != len(values) {
			r.bad = true
			return p
		}
		next.holders, next.ends = maps.Clone(p.holders), maps.Clone(p.ends)
		if next.holders == nil {
			next.holders, next.ends = map[int32]uuid.UUID{}, map[int32]int64{}
		}
		for i := range seats {
			next.set(seats[i], values[i], now)
		}
	case all:
		pairs := r.list()
		next.holders, next.ends = make(map[int32]uuid.UUID, len(pairs)/2), make(map[int32]int64, len(pairs)/2)
		for i := 0; i+1 < len(pairs); i += 2 {
			next.set(pairs[i], pairs[i+1], now)
		}
	default:
		r.bad = true
	}
	next.leaveOut(now)
	return next
}

// leaveOut takes out the holds that have ended long ago. Redis's scripts end
// holds; should one of them be forgotten there, it keeps nobody from buying.
func (p *picture) leaveOut(now int64) {
	for seat, end := range p.ends {
		switch last := end + booking.PinMax.Milliseconds(); {
		case last <= now:
			delete(p.holders, seat)
			delete(p.ends, seat)
		case p.until == 0 || last < p.until:
			p.until = last
		}
	}
}

const uuidLength = 36

// set takes over one entry; what is not ours is left out, and with it what
// ends later than any hold may, as in the scripts.
func (p *picture) set(seat, value rueidis.RedisMessage, now int64) {
	text, err := seat.ToString()
	if err != nil {
		return
	}
	number, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return
	}
	delete(p.holders, int32(number))
	delete(p.ends, int32(number))
	entry, err := value.ToString() // an error where the seat is free
	if err != nil || len(entry) <= uuidLength {
		return
	}
	holder, err := uuid.Parse(entry[:uuidLength])
	if err != nil {
		return
	}
	stop, _, _ := strings.Cut(entry[uuidLength+1:], " ")
	end, err := strconv.ParseInt(stop, 10, 64)
	if err != nil || end > now+(booking.HoldMaxAge+booking.PinMax).Milliseconds() {
		return
	}
	p.holders[int32(number)], p.ends[int32(number)] = holder, end
}

// Place implements booking.HoldStore. The limit of events spans slots: the
// event is reserved under a key of the person first and given back if nothing
// came of it; what a crash leaves there ends with the time to live.
func (s *Store) Place(ctx context.Context, p booking.Placement) (booking.Placed, error) {
	if len(p.Seats) > booking.HoldMaxSeats {
		return booking.Placed{}, booking.ErrSeatLimit
	}
	var reserved int64 // until when; zero: not
	fresh := false
	if len(p.Seats) > 0 {
		answers, err := s.run(ctx, s.patience, s.reservation(p)...)
		if err != nil {
			return booking.Placed{}, holdsAway(err)
		}
		r := reading(answers[0])
		allowed := r.number() == 1
		fresh, reserved = r.number() == 1, r.number()
		if !allowed {
			return booking.Placed{}, booking.ErrHoldEvents
		}
	}
	args := append(make([]string, 0, 3+len(p.Seats)),
		p.UserID.String(), strconv.FormatInt(s.o.TTL.Milliseconds(), 10), strconv.FormatInt(p.SaleVersion, 10))
	for _, seat := range p.Seats {
		args = append(args, strconv.FormatInt(int64(seat), 10))
	}
	answers, err := s.run(ctx, s.patience, call{script: placeScript, keys: holdKeys(p.EventID), owned: ownedKeys(p.EventID), args: args})
	if err != nil {
		return booking.Placed{}, holdsAway(err)
	}
	r := reading(answers[0])
	now := r.clock(s)
	ended, behind := r.groups(), r.number() == 1
	placed := booking.Placed{Granted: r.seats(), Conflicts: r.seats()}
	first, last, changed, due := r.number(), r.number(), r.seats(), r.number()
	if r.bad {
		return booking.Placed{}, holdsAway(errAnswer)
	}
	if first > 0 {
		placed.ExpiresAt = s.when(now, first)
	}
	s.told(p.EventID, ended, changed)
	if first > 0 && first < reserved { // the greatest age ends it sooner
		s.event(p.EventID).enlisted.Store(0)
	}
	s.enlist(ctx, p.EventID, due)
	if behind {
		if fresh {
			s.resettle(ctx, p.UserID, p.EventID, reserved, 0)
		}
		return booking.Placed{}, booking.ErrBehind
	}
	if reserved == 0 || last != reserved {
		s.resettle(ctx, p.UserID, p.EventID, reserved, last)
	}
	return placed, nil
}

// reservation asks for room among the person's events, and sees to it that
// somebody looks when the holds end, before there are any.
func (s *Store) reservation(p booking.Placement) []call {
	ttl := min(s.o.TTL, booking.HoldMaxAge).Milliseconds()
	calls := []call{{script: reserveScript, keys: []string{personKey(p.UserID)}, owned: []string{personKey(p.UserID)}, args: []string{
		p.EventID.String(), strconv.FormatInt(ttl, 10), strconv.Itoa(booking.HoldMaxEvents),
	}}}
	k, now := s.event(p.EventID), s.redisNow()
	if until := k.enlisted.Load(); until <= now || until > now+ttl {
		k.enlisted.Store(now + ttl)
	}
	// Always, whatever was enlisted before: the store may have forgotten it.
	return append(calls, s.enlisting(p.EventID, ttl))
}

func (s *Store) enlisting(eventID uuid.UUID, soon int64) call {
	return call{script: enlistScript, keys: []string{dueKey}, owned: []string{dueKey}, args: []string{
		eventID.String(), strconv.FormatInt(max(soon, 0), 10),
	}}
}

// enlist has somebody look at the event when it is due, where that is earlier
// than somebody does anyway.
func (s *Store) enlist(ctx context.Context, eventID uuid.UUID, due int64) {
	k, now := s.event(eventID), s.redisNow()
	if until := k.enlisted.Load(); due == 0 || until > now && until <= due {
		return
	}
	k.enlisted.Store(due)
	// Left undone, holds end when the event is next asked for.
	_, _ = s.run(ctx, s.patience, s.enlisting(eventID, due-now))
}

// resettle says until when the person holds seats at the event; zero: none.
// set is the end that this call has reserved. It is a bound for courtesy:
// where it can't be told the reservation ends by itself.
func (s *Store) resettle(ctx context.Context, userID, eventID uuid.UUID, set, end int64) {
	_, _ = s.run(ctx, s.patience, resettling(userID, eventID, set, end))
}

func resettling(userID, eventID uuid.UUID, set, end int64) call {
	return call{script: resettleScript, keys: []string{personKey(userID)}, owned: []string{personKey(userID)}, args: []string{
		eventID.String(), strconv.FormatInt(set, 10), strconv.FormatInt(end, 10),
	}}
}

// Mine implements booking.HoldStore.
func (s *Store) Mine(ctx context.Context, eventID, userID uuid.UUID) (booking.Held, error) {
	answers, err := s.run(ctx, s.patience, call{
		script: mineScript, keys: holdKeys(eventID), owned: ownedKeys(eventID), args: []string{userID.String()},
	})
	if err != nil {
		return booking.Held{}, holdsAway(err)
	}
	r := reading(answers[0])
	now := r.clock(s)
	ended, first := r.groups(), r.number()
	held := booking.Held{Seats: r.seats()}
	if r.bad {
		return booking.Held{}, holdsAway(errAnswer)
	}
	slices.Sort(held.Seats)
	if first > 0 {
		held.ExpiresAt = s.when(now, first)
	}
	s.told(eventID, ended, nil)
	return held, nil
}

// HeldAt implements booking.HoldStore. It reads the events that are reserved
// for the person; one whose reservation was lost with Redis is missing, and so
// are its holds.
func (s *Store) HeldAt(ctx context.Context, userID uuid.UUID) ([]uuid.UUID, error) {
	var at []uuid.UUID
	err := s.plainly(ctx, s.patience, 1, func(c rueidis.Client, _ int) rueidis.Completed {
		return c.B().Zrange().Key(personKey(userID)).Min("0").Max("-1").Build()
	}, func(_ int, m rueidis.RedisMessage) {
		members, err := m.AsStrSlice()
		if err != nil {
			return // not ours; the next reservation makes it anew
		}
		for _, member := range members {
			if id, err := uuid.Parse(member); err == nil {
				at = append(at, id)
			}
		}
	})
	if err != nil {
		return nil, holdsAway(err)
	}
	return at, nil
}

// Pin implements booking.HoldStore.
func (s *Store) Pin(ctx context.Context, eventID, userID uuid.UUID) error {
	return s.pin(ctx, eventID, userID, "1")
}

// Unpin implements booking.HoldStore.
func (s *Store) Unpin(ctx context.Context, eventID, userID uuid.UUID) error {
	return s.pin(ctx, eventID, userID, "-1")
}

func (s *Store) pin(ctx context.Context, eventID, userID uuid.UUID, by string) error {
	answers, err := s.run(ctx, s.patience, call{
		script: pinScript, keys: holdKeys(eventID), owned: ownedKeys(eventID), args: []string{userID.String(), by},
	})
	if err != nil {
		return holdsAway(err)
	}
	r := reading(answers[0])
	r.clock(s)
	s.told(eventID, r.groups(), nil)
	return nil
}

// told calls back for what a script has ended and changed.
func (s *Store) told(eventID uuid.UUID, ended []group, changed []int32) {
	for _, g := range ended {
		if s.o.Changed != nil {
			s.o.Changed(eventID, g.seats)
		}
		if s.o.Expired != nil {
			s.o.Expired(eventID, g.userID, g.seats)
		}
	}
	if s.o.Changed != nil && len(changed) > 0 {
		s.o.Changed(eventID, changed)
	}
}

// when tells a moment of Redis's clock in the caller's, which may differ.
func (s *Store) when(now, at int64) time.Time {
	return s.o.Now().Add(time.Duration(at-now) * time.Millisecond)
}

func holdsAway(err error) error { return booking.ErrHoldsAway.Because(err) }
