package booking

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// settle makes a written batch visible and answers its callers.
func (a *Allocator) settle(batch []*request, entries []*entry, out *Batch) {
	var told []Committed
	var sales []Sale
	var sellers []*entry
	at := 0 // the events written are some of the entries, in the same order
	for i := range out.Events {
		w := &out.Events[i]
		for entries[at].id != w.EventID {
			at++
		}
		if !w.Moved {
			continue
		}
		e := entries[at]
		e.mu.Lock()
		e.inv.Version = w.Version + 1
		if e.edited {
			e.inv.describe(&out.Edit.Event)
		}
		if e.arranged {
			e.live.reset(e.inv)
		} else {
			e.live.advance(e.inv, e.changed, e.blocks)
		}
		changes := e.changed
		news := Committed{Changes: changes, Arranged: e.arranged, Blocks: e.blocks, Moved: e.inv.moved(changes, e.edited)}
		if e.edited && out.Edit.Blocks.None() {
			news.Edited = &out.Edit.Event
		}
		sales = append(sales, e.sale(w, changes, e.blocks))
		e.changed, e.edited, e.arranged, e.blocks = nil, false, false, Blocks{}
		e.mu.Unlock()
		sellers = append(sellers, e)
		told = append(told, news)
	}
	a.tellHolds(sales)
	for i, e := range sellers {
		told[i].Live = e.live.Event()
	}
	a.answerAll(batch)
	for i := range told {
		a.committed(told[i])
	}
}

// tellHolds tells the holds' store what was sold, before the buyers are told:
// who asks another process after the answer is decided on what it says. Where
// the store is another machine, several events are told of at a time.
func (a *Allocator) tellHolds(sales []Sale) {
	ctx, cancel := a.holdsContext()
	defer cancel()
	var group errgroup.Group
	group.SetLimit(settlesAtOnce)
	for _, s := range sales {
		if !a.shared || len(sales) == 1 {
			a.tellHoldsOf(ctx, s)
			continue
		}
		group.Go(func() error {
			a.tellHoldsOf(ctx, s)
			return nil
		})
	}
	_ = group.Wait() // it has no errors: each is complained of
}

func (a *Allocator) tellHoldsOf(ctx context.Context, s Sale) {
	if err := a.holds.Settle(ctx, s); err != nil {
		a.complain("booking: holds could not be told of a sale", err)
	}
}

// sale is what a written batch changed at the event, for the holds' store.
func (e *entry) sale(w *EventWrite, changes []Change, blocks Blocks) Sale {
	s := Sale{EventID: w.EventID, Version: w.Version + 1, Available: w.Available, Figures: e.figures}
	s.Sold = append(s.Sold, blocks.Blocked...) // holds on them end, too
	s.Taken = int32(len(blocks.Blocked) - len(blocks.Unblocked))
	for i := range changes {
		c := &changes[i]
		s.Sold = append(s.Sold, c.After.SeatNumbers...)
		s.Taken += int32(len(c.After.SeatNumbers) - len(c.Before.SeatNumbers))
		if c.Before.Status == Waiting && c.After.Status != Waiting {
			s.Left = append(s.Left, c.UserID)
		}
		if c.Before.Status != Waiting && c.After.Status == Waiting {
			s.Joined = append(s.Joined, c.UserID)
		}
	}
	return s
}

// figures reads counter and waitlist as they are in memory.
func (e *entry) figures() Figures {
	e.mu.Lock()
	defer e.mu.Unlock()
	f := Figures{EventID: e.id}
	if e.inv == nil {
		return f
	}
	f.Version, f.Available = e.inv.Version, e.inv.Available()
	for _, p := range e.inv.everyoneWaiting() {
		f.Waitlist = append(f.Waitlist, p.UserID)
	}
	return f
}

// answerAll sends every caller its answer. A refusal is not the last word for
// an order with a key, which may have been used before this process began: it
// is looked up beside the worker, so that nobody else waits for that.
func (a *Allocator) answerAll(batch []*request) {
	for _, r := range batch {
		if r.answer.Err != nil && r.key.Value != "" {
			a.refusing.add(r)
			continue
		}
		close(r.done)
	}
}

func (a *Allocator) fail(batch []*request, err error) {
	for _, r := range batch {
		r.answer = Answer{Err: err}
		close(r.done)
	}
}
