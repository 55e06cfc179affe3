package booking

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"

	"happening/internal/event"
)

// Limits of refusing.
const (
	// refusers bounds the batches of refusals that are proved at the same time:
	// while one is on its way the next one gathers.
	refusers = 2
	// proofTimeout bounds one proof.
	proofTimeout = 3 * time.Second
)

// refusing are the orders on their way to a refusal: early ones, that look as
// if they can only be refused and were not queued for the worker, and those
// that the worker has refused and whose keys are yet to be looked up. Many
// share one look at the database, and the worker waits for none of it.
type refusing struct {
	mu     sync.Mutex
	orders []*request
	closed bool
	wake   chan struct{}
}

func newRefusing() refusing { return refusing{wake: make(chan struct{}, 1)} }

// ask adds an early order. As many may wait here as in the queue.
func (q *refusing) ask(r *request) error {
	q.mu.Lock()
	switch {
	case q.closed:
		q.mu.Unlock()
		return ErrAway.After(time.Second)
	case len(q.orders) >= QueueMax:
		q.mu.Unlock()
		return ErrBusy.After(queuePatience)
	}
	q.orders = append(q.orders, r)
	q.mu.Unlock()
	q.signal()
	return nil
}

// add adds an order that the worker has refused. It is not bounded: each was
// counted when it was queued, and its caller waits.
func (q *refusing) add(r *request) {
	q.mu.Lock()
	q.orders = append(q.orders, r)
	q.mu.Unlock()
	q.signal()
}

func (q *refusing) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take removes up to BatchMax orders; over says that none will come any more.
func (q *refusing) take() (batch []*request, over bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(len(q.orders), BatchMax)
	batch = append(batch, q.orders[:n]...)
	left := copy(q.orders, q.orders[n:])
	clear(q.orders[left:])
	q.orders = q.orders[:left]
	return batch, q.closed && left == 0
}

// refuseMeanwhile proves and answers refusals until done is called, which the
// worker does when it refuses nothing any more, and which waits for the last
// answer.
func (a *Allocator) refuseMeanwhile() (done func()) {
	var group sync.WaitGroup
	for range refusers {
		group.Go(func() {
			for range a.refusing.wake {
				for {
					batch, over := a.refusing.take()
					if len(batch) > 0 {
						a.refuse(batch)
					}
					if over {
						a.refusing.signal() // the next one ends, too
						return
					}
					if len(batch) == 0 {
						break
					}
				}
			}
		})
	}
	return func() {
		a.refusing.mu.Lock()
		a.refusing.closed = true
		a.refusing.mu.Unlock()
		a.refusing.signal()
		group.Wait()
	}
}

// foreseeable is an order that may be known to be refused before it is
// decided: a quick guess on what is committed and on the holds as somebody saw
// them last. A wrong guess costs a detour and nothing else.
type foreseeable interface {
	hopeless(live *Live, held *HoldView) bool
}

// hopeless says whether an order looks as if it can only be refused.
func (a *Allocator) hopeless(r *request) bool {
	o, ok := r.order.(foreseeable)
	if !ok {
		return false
	}
	e := a.peek(r.eventID)
	return e != nil && o.hopeless(&e.live, e.held.Load())
}

func (o Book) hopeless(live *Live, held *HoldView) bool {
	if held == nil {
		held = &HoldView{}
	}
	if len(o.SeatNumbers) > 0 {
		sold, blocked := live.Taken(o.SeatNumbers)
		for i, seat := range o.SeatNumbers {
			holder, isHeld := held.Holders[seat]
			if sold[i] || blocked[i] || isHeld && holder != o.UserID {
				return true
			}
		}
		return false
	}
	e := live.Event()
	if e.Available >= o.Seats && (e.WaitlistPolicy != event.Strict || e.WaitingParties == 0) {
		return e.Available-int32(len(held.Holders)) < o.Seats
	}
	return o.Refuse || e.WaitlistLimit.NoWaitlist() || e.WaitlistLimit.Reached(e.WaitingParties)
}

// refuse answers orders that are refused. What the worker has refused waits
// for its keys alone. An early order is decided here, on an inventory that is
// what is committed, and where others sell at the same events the refusal is
// held against PostgreSQL's versions, which are read after it: an event that
// has not moved by then was at that version when it was decided. Whatever is
// in doubt goes to the worker.
func (a *Allocator) refuse(batch []*request) {
	batch, known := a.foresee(batch)
	var keys []KeyOf
	for _, r := range batch {
		if r.key.Value != "" {
			keys = append(keys, r.keyOf)
		}
	}
	var proof Proof
	if len(keys) > 0 || len(known) > 0 {
		ctx, cancel := context.WithTimeout(context.Background(), proofTimeout)
		defer cancel()
		var err error
		if proof, err = a.ledger.Prove(ctx, known, keys); err != nil {
			for _, r := range batch {
				r.finish(Answer{Err: ErrAway.After(time.Second).Because(err)})
			}
			return
		}
	}
	moved := make(map[uuid.UUID]bool, len(proof.Moved))
	for _, id := range proof.Moved {
		moved[id] = true
	}
	for _, r := range batch {
		if stored, used := proof.Keys[r.keyOf]; used && r.key.Value != "" {
			r.finish(replay(stored, r.key))
		} else if r.early && moved[r.eventID] {
			a.passOn(r)
		} else {
			r.finish(r.answer)
		}
	}
}

// finish answers an order. An early one is not taken before, so that its caller
// may give it up until now.
func (r *request) finish(answer Answer) {
	if r.early && !r.state.CompareAndSwap(queued, taken) {
		return
	}
	r.answer = answer
	close(r.done)
}

// passOn leaves an early order to the worker.
func (a *Allocator) passOn(r *request) {
	r.early = false
	if err := a.enqueue(r); err != nil {
		r.early = true
		r.finish(Answer{Err: err})
	}
}

// foresee decides the early orders of a batch, passes on those that are not
// certain to be refused, and gives what is left of the batch. known are the
// versions that the refusals hold at, where they are to be proved.
func (a *Allocator) foresee(batch []*request) (refused []*request, known []Known) {
	early := make(map[uuid.UUID][]*request)
	var entries []*entry
	var ids []uuid.UUID
	for _, r := range batch {
		if !r.early {
			refused = append(refused, r)
			continue
		}
		if _, met := early[r.eventID]; !met {
			if e := a.peek(r.eventID); e != nil {
				entries, ids = append(entries, e), append(ids, r.eventID)
			}
		}
		early[r.eventID] = append(early[r.eventID], r)
	}
	if len(early) == 0 {
		return refused, nil
	}
	// The holds may be another machine's and are asked for while nothing is
	// locked. Where an event stands as it did before, it did so when they were
	// looked at.
	before := make([]int64, len(entries))
	for i, e := range entries {
		e.mu.Lock()
		before[i] = e.settled()
		e.mu.Unlock()
	}
	ctx, cancel := a.holdsContext()
	defer cancel()
	views, err := a.holds.View(ctx, ids)
	if err == nil && len(views) == len(ids) {
		for i, e := range entries {
			n := a.refuseAt(e, before[i], &views[i], early[e.id])
			if n > 0 && a.shared {
				known = append(known, Known{EventID: e.id, Version: before[i]})
			}
			refused = append(refused, early[e.id][:n]...)
			early[e.id] = early[e.id][n:]
		}
	}
	for _, orders := range early {
		for _, r := range orders {
			a.passOn(r)
		}
	}
	return refused, known
}

// settled is the version of an inventory on which nothing is decided that is
// not written, and newer than which nothing was told of; zero where there is
// none. It is called under the lock.
func (e *entry) settled() int64 {
	if e.inv == nil || e.edited || len(e.changed) > 0 || e.heard.Load() > e.inv.Version {
		return 0
	}
	return e.inv.Version
}

// refuseAt decides orders at an event and tells how many of the first are
// refused. The first that would be served is taken back, and it and those
// behind it are the worker's.
func (a *Allocator) refuseAt(e *entry, version int64, view *HoldView, orders []*request) int {
	now := a.now()
	e.mu.Lock()
	defer e.mu.Unlock()
	if version == 0 || e.settled() != version || view.SaleVersion > version && view.SaleVersion != e.lied.Load() {
		return 0
	}
	e.held.Store(view)
	holds := NewChoices(*view, e.inv)
	for i, r := range orders {
		d := e.inv.Decide(now, holds, r.actor, r.key, func() uuid.UUID { return e.inv.nextID(now) }, r.order)
		if d.Refusal == nil {
			e.inv.Revert(d.Changes)
			return i
		}
		r.answer = Answer{Err: d.Refusal}
	}
	return len(orders)
}
