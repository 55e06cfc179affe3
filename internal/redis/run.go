package redis

import (
	"context"
	"strconv"
	"time"

	"github.com/google/uuid"
)

const (
	// sweepEvery is how often a process looks for holds to end; half of it is
	// jitter.
	sweepEvery = 250 * time.Millisecond
	// claimMax bounds the events that it takes on at a time, claimKept is
	// when others do if it dies.
	claimMax  = 64
	claimKept = 5 * time.Second
	// tidyEvery is how often it forgets idle events.
	tidyEvery = time.Minute
)

// Run ends holds on time until ctx ends. Every process runs it; an event is
// claimed by one of them at a time.
func (s *Store) Run(ctx context.Context) {
	tidied := time.Now()
	for sleep(ctx, jittered(sweepEvery)) {
		s.Sweep(ctx)
		if now := time.Now(); now.Sub(tidied) > tidyEvery {
			tidied = now
			s.tidy(now)
		}
	}
}

// Sweep ends the holds that are due now, of all events, and those on seats
// that were sold during an outage.
func (s *Store) Sweep(ctx context.Context) {
	s.settleMissed(ctx)
	for ctx.Err() == nil && s.sweep(ctx) == claimMax {
	}
}

// sweep ends holds of up to claimMax events and gives of how many it did.
func (s *Store) sweep(ctx context.Context) int {
	answers, err := s.run(ctx, bulkPatience, call{script: claimScript, keys: []string{dueKey}, owned: []string{dueKey}, args: []string{
		strconv.Itoa(claimMax), strconv.FormatInt(claimKept.Milliseconds(), 10),
	}})
	if err != nil {
		return 0 // told as an outage; the events are due again by themselves
	}
	r := reading(answers[0])
	until, events := r.number(), r.people()
	if len(events) == 0 {
		return 0
	}
	calls := make([]call, len(events))
	for i, id := range events {
		calls[i] = call{script: sweepScript, keys: holdKeys(id), owned: ownedKeys(id)}
	}
	if answers, err = s.run(ctx, bulkPatience, calls...); err != nil {
		return 0
	}
	done := []string{strconv.FormatInt(until, 10)}
	for i, id := range events {
		r := reading(answers[i])
		r.clock(s)
		s.told(id, r.groups(), nil)
		due := r.number()
		done = append(done, id.String(), strconv.FormatInt(due, 10))
		s.enlisted(id, due)
	}
	_, _ = s.run(ctx, bulkPatience, call{script: sweptScript, keys: []string{dueKey}, owned: []string{dueKey}, args: done})
	return len(events)
}

// enlisted notes when an event is looked at next.
func (s *Store) enlisted(eventID uuid.UUID, due int64) { s.event(eventID).enlisted.Store(due) }
