package booking

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"happening/internal/fault"
)

// backgroundPatience bounds one step of promotions or closings that nobody
// waits for; the sweep comes back to what it left.
const backgroundPatience = time.Minute

// chore is work on one event that nobody waits for.
type chore struct {
	eventID uuid.UUID
	order   Order // Promote or Close
}

// chores are those under way; one that was asked for again meanwhile says so,
// and is done once more.
type chores struct {
	mu    sync.Mutex
	again map[chore]bool
}

// begin says whether the chore is to be begun: it is not under way yet.
func (c *chores) begin(what chore) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, underWay := c.again[what]
	if c.again == nil {
		c.again = map[chore]bool{}
	}
	c.again[what] = underWay
	return !underWay
}

// end says whether the chore is done: nobody has asked for it again.
func (c *chores) end(what chore) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.again[what] {
		c.again[what] = false
		return false
	}
	delete(c.again, what)
	return true
}

// Promote serves an event's waitlist in the background, as far as its policy
// and the holds let.
func (s *Service) Promote(eventID uuid.UUID) { s.begin(chore{eventID, Promote{}}) }

// Close cancels in the background what a cancellation or the start of an
// event has overtaken.
func (s *Service) Close(eventID uuid.UUID) { s.begin(chore{eventID, Close{}}) }

func (s *Service) begin(c chore) {
	if !s.chores.begin(c) {
		return
	}
	go func() {
		for done := false; !done; done = s.chores.end(c) {
			s.finish(c)
		}
	}()
}

// finish does a chore step by step, as far as it can be done now. The first
// promotions may be what somebody hopes for this moment; all else lets others go
// first.
func (s *Service) finish(c chore) {
	_, urgent := c.order.(Promote)
	for {
		ctx, cancel := context.WithTimeout(context.Background(), backgroundPatience)
		left, err := s.choreStep(ctx, c, urgent)
		cancel()
		if err != nil {
			s.log.Warn("booking: background work stopped; the sweep takes it up", "event", c.eventID, "error", err)
		}
		if err != nil || !left {
			return
		}
		urgent = false
	}
}

// closeNow closes what an event's state has overtaken, for somebody who waits
// for it.
func (s *Service) closeNow(ctx context.Context, eventID uuid.UUID) error {
	for left := true; left; {
		var err error
		if left, err = s.choreStep(ctx, chore{eventID, Close{}}, true); err != nil {
			return fmt.Errorf("booking: close what is overtaken: %w", err)
		}
	}
	return nil
}

// choreStep does one transaction of a chore and says whether more is left.
func (s *Service) choreStep(ctx context.Context, c chore, urgent bool) (left bool, err error) {
	var answer Answer
	if answer.Err = s.alloc.ready(ctx, c.eventID); answer.Err == nil {
		if urgent {
			answer = s.alloc.Do(ctx, c.eventID, uuid.Nil, Key{}, c.order)
		} else {
			answer = s.alloc.DoPatiently(ctx, c.eventID, c.order)
		}
	}
	if errors.Is(answer.Err, fault.ErrNotFound) {
		return false, nil
	}
	return answer.More, answer.Err
}

// HoldEnded promotes who waits when a hold may have ended.
func (s *Service) HoldEnded(eventID uuid.UUID) {
	if live := s.alloc.Peek(eventID); live == nil || live.Event().WaitingParties > 0 {
		s.Promote(eventID)
	}
}

// EventDeleted forgets an event that is no more.
func (s *Service) EventDeleted(eventID uuid.UUID) { s.alloc.Forget(eventID) }

// lookWideEvery is how often a sweep looks through the waitlists of small events
// for what a crash has left there of a capacity that was lowered: it costs more
// than the rest, and is needed seldom.
const lookWideEvery = time.Minute

// sweepPage bounds the events that one query of a sweep gives.
const sweepPage = 500

// Sweep takes up what no request triggers: it promotes wherever the policy
// would, and closes what the clock or a cancellation has overtaken. It may
// run at any time and twice. An event that can't be read or written keeps
// nobody else from being served.
func (s *Service) Sweep(ctx context.Context) error {
	var failed error
	type task struct {
		due   func(ctx context.Context, now time.Time, after uuid.UUID, limit int) ([]uuid.UUID, error)
		order Order
	}
	tasks := []task{{s.store.DuePromotions, Promote{}}, {s.store.DueClosings, Close{}}}
	if last := s.lookedWide.Load(); s.now().UnixNano()-last >= int64(lookWideEvery) && s.lookedWide.CompareAndSwap(last, s.now().UnixNano()) {
		tasks = append(tasks, task{s.store.DueTooLarge, Close{}})
	}
	for _, task := range tasks {
		for after := uuid.Nil; ; {
			page, err := task.due(ctx, s.now(), after, sweepPage)
			if err != nil {
				return errors.Join(failed, fmt.Errorf("booking: sweep: %w", err))
			}
			for _, id := range page {
				// One step an event: what is left of a large one goes on beside
				// the sweep, so that it holds none of the others up.
				c := chore{id, task.order}
				after = id
				left, err := s.choreStep(ctx, c, false)
				switch {
				case err != nil && (everybodys(err) || ctx.Err() != nil):
					return errors.Join(failed, fmt.Errorf("booking: sweep event %s: %w", id, err))
				case err != nil:
					failed = errors.Join(failed, fmt.Errorf("booking: sweep event %s: %w", id, err))
				case left:
					s.begin(c)
				}
			}
			if len(page) < sweepPage {
				break
			}
		}
	}
	return failed
}

// everybodys says whether an error at one event is one that all others would
// meet, too.
func everybodys(err error) bool {
	return errors.Is(err, ErrAway) || errors.Is(err, ErrUnreached) || errors.Is(err, context.DeadlineExceeded)
}
