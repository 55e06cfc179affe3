package booking

import (
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// Limits of the queue.
const (
	// QueueMax bounds the orders that wait, whatever their wait.
	QueueMax = 20_000
	// queuePatience bounds the wait that an order may have to expect: who would
	// wait longer is told ErrBusy at once, while the answer still means
	// something to them.
	queuePatience = 2 * time.Second
	// queueFloor orders are let in however long a batch takes: so few, in four
	// batches, are no crowd, and an estimate that comes from one slow write must
	// not turn people away from an idle process.
	queueFloor = 4 * BatchMax
	// paceWeight is the weight of one batch, as a part of 1/paceWeight, in what
	// a batch is taken to last.
	paceWeight = 2
)

// pace is how fast the worker works batches off.
type pace struct {
	last  atomic.Int64 // how long a batch lasts, in nanoseconds; the newest count most
	since atomic.Int64 // when the batch under way was begun, in nanoseconds since 1970; 0: none is
}

// batch notes how long work on one takes.
func (p *pace) batch(work func()) {
	began := time.Now()
	p.since.Store(began.UnixNano())
	work()
	p.since.Store(0)
	last := p.last.Load()
	p.last.Store(last + (int64(time.Since(began))-last)/paceWeight)
}

// wait is what an order has to expect behind so many: the batches before its
// own, and as long as the one under way has taken already. A database that
// does not answer is noticed by that, while nothing ends.
func (p *pace) wait(queued int, now time.Time) time.Duration {
	wait := time.Duration(queued/BatchMax+1) * time.Duration(p.last.Load())
	if since := p.since.Load(); since != 0 {
		wait += now.Sub(time.Unix(0, since))
	}
	return wait
}

// admit says why a request can't be queued, nil where it can. It is called
// with the queue locked. What the system asks for is not turned away: it is
// little, and what stands still without it would be the waitlist. Neither are
// moments inside the worker (inside), which all that reads may need.
func (a *Allocator) admit(r *request) error {
	switch {
	case a.stopped:
		return ErrAway.After(time.Second)
	case r.inside != nil:
		return nil
	case len(a.queue)+len(a.patient) >= QueueMax:
		return ErrBusy.After(queuePatience)
	}
	return a.turnsAway(r, len(a.queue))
}

// turnsAway says that behind so many a person would wait for too long. It needs
// no lock, so that a crowd is turned away without one: thousands in line for the
// queue's lock, each woken to be told no, would keep the worker from it, and
// fewer would be sold to the more people ask.
func (a *Allocator) turnsAway(r *request, queued int) error {
	if r.actor == uuid.Nil || r.inside != nil {
		return nil
	}
	if after := a.crowded(queued); after > 0 {
		return ErrBusy.After(after)
	}
	return nil
}

// Crowded is when a person who orders now would be told to come again, before
// anything else, because they would wait for too long; zero where they would be
// let in. Whoever stands further out asks it, so that a crowd is turned away
// before it costs anything. It takes no lock.
func (a *Allocator) Crowded() time.Duration { return a.crowded(a.QueueLength()) }

func (a *Allocator) crowded(queued int) time.Duration {
	if queued < queueFloor {
		return 0
	}
	wait := a.pace.wait(queued, time.Now())
	if wait <= a.mostWait {
		return 0
	}
	return comeBack(wait)
}

// LongestBusy bounds when those who were turned away are told to come back: by
// then the queue may be empty.
const LongestBusy = 2 * longestWait

const longestWait = 10 * time.Second

// comeBack is when somebody who would have waited for so long shall try again:
// not before that, and spread over as long again, since a crowd that comes back
// at one moment is turned away once more.
func comeBack(wait time.Duration) time.Duration {
	wait = min(wait, longestWait)
	return wait + rand.N(wait)
}
