package booking

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"happening/internal/fault"
)

// Run works until Stop; it owns all inventories.
func (a *Allocator) Run() {
	defer close(a.done)
	defer a.refuseMeanwhile()()
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	for {
		select {
		case <-a.wake:
		case <-sweep.C:
			a.tidy()
			continue
		}
		for last := 0; ; {
			// A lone caller is served at once; where there were several, more
			// company is on its way. A whole batch needs none, and where as many
			// ask, to wake up again takes longer than to linger.
			if queued := a.QueueLength(); queued < BatchMax && (last > 1 || queued > 1) {
				time.Sleep(linger)
			}
			batch, left, stopped := a.take()
			if len(batch) > 0 {
				if len(batch) >= busyBatch {
					a.rushed.Store(time.Now().UnixNano())
				}
				a.pace.batch(func() { a.process(batch) })
			}
			if left == 0 && stopped {
				return
			}
			if left == 0 && len(batch) == 0 {
				break
			}
			last = len(batch)
			select {
			case <-sweep.C:
				a.tidy()
			default:
			}
		}
	}
}

// take removes up to BatchMax orders from the queue, without those whose
// callers gave up, and all that is to be done inside, and tells how many are
// left. One patient order is taken where there is no other, or where it has
// waited for long.
func (a *Allocator) take() (batch []*request, left int, stopped bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := min(len(a.queue), BatchMax)
	for _, r := range slices.Concat(a.insides, a.queue[:n]) {
		if r.state.CompareAndSwap(queued, taken) {
			batch = append(batch, r)
		}
	}
	a.insides = nil
	left = copy(a.queue, a.queue[n:])
	clear(a.queue[left:])
	a.queue = a.queue[:left]
	a.length.Store(int64(left))
	for len(a.patient) > 0 && (len(batch) == 0 || time.Since(a.patient[0].at) > patienceEnds) {
		r := a.patient[0]
		a.patient[0], a.patient = nil, a.patient[1:]
		if r.state.CompareAndSwap(queued, taken) {
			batch = append(batch, r)
			break
		}
	}
	return batch, left + len(a.patient), a.stopped
}

func (a *Allocator) entry(id uuid.UUID) *entry {
	a.entriesMu.RLock()
	e := a.entries[id]
	a.entriesMu.RUnlock()
	if e == nil {
		e = &entry{id: id}
		e.live.eventID = id
		a.entriesMu.Lock()
		a.entries[id] = e
		a.entriesMu.Unlock()
	}
	return e
}

// process answers a batch: the events in memory by one optimistic write, the
// others, and edits, under their locks. A batch with an event at which others
// sell right now is locked as a whole: an optimistic write of it would be in
// vain, and two writes cost more than the locks.
func (a *Allocator) process(batch []*request) {
	now := a.now()
	batch = a.runInside(batch)
	slowEvents, contended := map[uuid.UUID]bool{}, false
	for _, r := range batch {
		e := a.entry(r.eventID)
		e.used.Store(now.UnixNano())
		switch {
		case r.edit != nil || e.inv == nil:
			slowEvents[r.eventID] = true
		case e.contended > 0 || e.heard.Load() > e.inv.Version:
			contended = true
		}
	}
	if contended {
		for _, r := range batch {
			slowEvents[r.eventID] = true
		}
	}
	if len(slowEvents) == 0 {
		if len(batch) > 0 {
			a.fast(batch, now)
		}
		return
	}
	fast, slow := split(batch, slowEvents)
	if len(fast) > 0 {
		a.fast(fast, now)
	}
	// Edits are written alone, so that a batch has at most one.
	from := 0
	for i, r := range slow {
		if r.edit == nil {
			continue
		}
		if i > from {
			a.rework(slow[from:i], nil, false)
		}
		a.rework(slow[i:i+1], nil, false)
		from = i + 1
	}
	if from < len(slow) {
		a.rework(slow[from:], nil, false)
	}
}

// split parts the orders about some events from the others.
func split(batch []*request, some map[uuid.UUID]bool) (others, those []*request) {
	for _, r := range batch {
		if some[r.eventID] {
			those = append(those, r)
		} else {
			others = append(others, r)
		}
	}
	return others, those
}

// runInside runs what waits for a moment without undecided changes, and gives
// the orders.
func (a *Allocator) runInside(batch []*request) []*request {
	orders := batch[:0]
	for _, r := range batch {
		if r.inside == nil {
			orders = append(orders, r)
			continue
		}
		r.inside()
		close(r.done)
	}
	return orders
}

// install takes over an event that a caller has read, unless it is in memory
// by now. What was read may be old by a version or two: the first write on it
// finds out and catches up.
func (a *Allocator) install(eventID uuid.UUID, inv *Inventory) {
	e := a.entry(eventID)
	e.used.Store(a.now().UnixNano())
	e.mu.Lock()
	defer e.mu.Unlock()
	if stands, loaded := e.live.stands(); e.inv != nil || loaded && stands > inv.Version {
		return
	}
	e.replace(inv)
}

// entriesOf lists a batch's events in the order of their ids, the order in
// which rows and entries are locked.
func (a *Allocator) entriesOf(batch []*request) []*entry {
	seen := make(map[uuid.UUID]struct{}, 8)
	var list []*entry
	for _, r := range batch {
		if _, ok := seen[r.eventID]; !ok {
			seen[r.eventID] = struct{}{}
			list = append(list, a.entry(r.eventID))
		}
	}
	slices.SortFunc(list, func(x, y *entry) int { return bytes.Compare(x.id[:], y.id[:]) })
	return list
}

// fast decides on the inventories in memory and writes on condition that
// PostgreSQL has the same versions. A write that passes proves the refusals
// of its batch, too; a batch that writes nothing is held against PostgreSQL
// where others sell at the same events.
func (a *Allocator) fast(batch []*request, now time.Time) {
	entries := a.entriesOf(batch)
	out, behind := a.decide(batch, entries, now, nil, false, true)
	if behind != nil {
		a.partly(batch, behind, now)
		return
	}
	if len(out.Changes) == 0 {
		if a.shared {
			behind = a.movedOn(entries)
		}
		if behind != nil {
			a.partly(batch, behind, now)
			return
		}
		a.answerAll(batch)
		return
	}
	err := a.ledger.Commit(context.Background(), out)
	if err == nil {
		a.settle(batch, entries, out)
		return
	}
	if errors.Is(err, ErrUnknown) {
		a.rework(batch, out, false)
		return
	}
	a.undo(entries)
	if !errors.Is(err, ErrStale) && !errors.Is(err, ErrKeyTaken) && !errors.Is(err, ErrUnreached) {
		a.log.Warn("booking: a batch was refused and is redone under locks", "orders", len(batch), "error", err)
	}
	a.rework(batch, nil, false)
}

// partly answers a batch of which nothing is decided yet: under the locks
// where the inventories are behind, else as before.
func (a *Allocator) partly(batch []*request, behind map[uuid.UUID]bool, now time.Time) {
	current, late := split(batch, behind)
	if len(current) > 0 {
		a.fast(current, now)
	}
	a.rework(late, nil, false)
}

// movedOn asks PostgreSQL which events are at another version than in memory:
// one read for a whole batch. Where it can't be asked all are taken to be, and
// the locks wait for it.
func (a *Allocator) movedOn(entries []*entry) map[uuid.UUID]bool {
	ctx, cancel := context.WithTimeout(context.Background(), missedTimeout)
	defer cancel()
	proof, err := a.ledger.Prove(ctx, knownOf(entries), nil)
	moved := proof.Moved
	if err != nil {
		moved = nil
		for _, e := range entries {
			moved = append(moved, e.id)
		}
	}
	if len(moved) == 0 {
		return nil
	}
	behind := make(map[uuid.UUID]bool, len(moved))
	for _, id := range moved {
		behind[id] = true
	}
	return behind
}

// decide answers every order of the batch in memory and gathers what is to be
// written. Holds are seen as they are at this moment; while they can't be
// read, booking goes on without them. Where wary is set and the holds' store
// knows of newer sales, nothing is decided and those events are told.
func (a *Allocator) decide(batch []*request, entries []*entry, now time.Time, keys map[KeyOf]Stored, fence, wary bool) (out *Batch, behind map[uuid.UUID]bool) {
	ids := make([]uuid.UUID, len(entries))
	byID := make(map[uuid.UUID]int, len(entries))
	for i, e := range entries {
		ids[i], byID[e.id] = e.id, i
		e.mu.Lock()
		e.changed, e.edited, e.arranged, e.blocks = e.changed[:0:0], false, false, Blocks{}
	}
	defer func() {
		for _, e := range entries {
			e.mu.Unlock()
		}
	}()
	views := a.view(ids)
	for i, e := range entries {
		e.held.Store(&views[i])
		claim := views[i].SaleVersion
		if e.inv == nil || claim <= e.inv.Version || claim == e.lied.Load() {
			continue
		}
		if !wary {
			e.lied.Store(claim) // under the lock nothing newer can be there
			continue
		}
		if behind == nil {
			behind = map[uuid.UUID]bool{}
		}
		behind[e.id] = true
	}
	if behind != nil {
		return nil, behind
	}
	holds := make([]*Choices, len(ids))
	out = &Batch{Changes: make([]Change, 0, len(batch)), EventOf: make([]uuid.UUID, 0, len(batch))}
	for _, r := range batch {
		i := byID[r.eventID]
		e := entries[i]
		r.answer = Answer{}
		if e.inv == nil {
			r.answer.Err = fault.ErrNotFound
			continue
		}
		if stored, ok := keys[r.keyOf]; ok && r.key.Value != "" {
			r.answer = replay(stored, r.key)
			continue
		}
		order := r.order
		if r.edit != nil {
			changed, edit, err := r.edit(*e.inv.row, e.inv.seats.blocked, now)
			if err != nil {
				r.answer.Err = err
				continue
			}
			r.answer.Event = &changed
			if edit == nil { // nothing differs
				continue
			}
			edit.Event = changed
			order = Reconfigure{Settings: changed.Settings, Layout: changed.Layout, Blocks: edit.Blocks}
			out.Edit, e.edited = edit, true
		}
		if holds[i] == nil {
			holds[i] = NewChoices(views[i], e.inv)
		}
		d := e.inv.Decide(now, holds[i], r.actor, r.key, func() uuid.UUID { return e.inv.nextID(now) }, order)
		if d.Refusal != nil {
			r.answer.Err = d.Refusal
			if r.edit != nil {
				out.Edit, e.edited = nil, false
			}
			continue
		}
		r.answer.More, r.answer.Changed = d.More, len(d.Changes)
		if r.edit != nil {
			e.arranged, e.blocks, out.Blocks = d.Arranged, d.Blocks, d.Blocks
		}
		if d.Result >= 0 {
			r.answer.Booking = d.Changes[d.Result].booking(e.inv)
		}
		e.changed = append(e.changed, d.Changes...)
		out.Changes = append(out.Changes, d.Changes...)
		for range d.Changes {
			out.EventOf = append(out.EventOf, e.id)
		}
	}
	for _, e := range entries {
		if e.inv == nil {
			continue
		}
		w := EventWrite{
			EventID: e.id, OrgID: e.inv.OrgID, Version: e.inv.Version,
			Moved:     fence || e.edited || len(e.changed) > 0,
			Available: e.inv.Available(), LastWaiting: e.inv.LastWaiting, Waiting: e.inv.WaitingParties(),
		}
		if w.Moved {
			w.Delta = EncodeDelta(Delta{Newest: e.inv.newest, Reload: e.arranged, Changes: e.changed, Blocks: e.blocks})
		}
		out.Events = append(out.Events, w)
	}
	return out, nil
}

// view reads the events' holds; while they can't be read there are none.
func (a *Allocator) view(ids []uuid.UUID) []HoldView {
	ctx, cancel := a.holdsContext()
	defer cancel()
	views, err := a.holds.View(ctx, ids)
	if err != nil || len(views) != len(ids) {
		return make([]HoldView, len(ids))
	}
	return views
}

// holdsContext bounds a word with the holds' store where that is another
// machine; in the process's own memory nothing needs a bound.
func (a *Allocator) holdsContext() (context.Context, context.CancelFunc) {
	if !a.shared {
		return context.Background(), func() {}
	}
	return context.WithTimeout(context.Background(), holdsPatience)
}

// booking is what a caller is told after a change.
func (c *Change) booking(inv *Inventory) Booking {
	b := Booking{
		ID: c.BookingID, OrgID: inv.OrgID, EventID: inv.EventID, UserID: c.UserID,
		State: c.After, Position: c.Position, CreatedAt: c.CreatedAt, UpdatedAt: c.At,
	}
	if c.ForSomebody() {
		b.BookedBy = c.Actor
	}
	return b
}

// tidy forgets double submits that are over and inventories that nobody used
// for long, the longest unused first where there are too many. One that there is
// no room for takes none of the smaller ones along.
func (a *Allocator) tidy() {
	now := a.now()
	a.entriesMu.Lock()
	defer a.entriesMu.Unlock()
	list := make([]*entry, 0, len(a.entries))
	for _, e := range a.entries {
		list = append(list, e)
	}
	slices.SortFunc(list, func(x, y *entry) int { return cmp.Compare(y.used.Load(), x.used.Load()) })
	kept, parties := 0, 0
	for _, e := range list {
		e.mu.Lock()
		unused := e.inv == nil || now.Sub(time.Unix(0, e.used.Load())) > idleAfter
		if !unused {
			// The one that was used last is kept, however large.
			unused = kept >= entriesMax || kept > 0 && parties+e.inv.Live() > a.partiesMax
		}
		if unused {
			delete(a.entries, e.id)
			e.inv = nil
		} else {
			kept, parties = kept+1, parties+e.inv.Live()
			e.inv.forgetAsked(now)
		}
		e.mu.Unlock()
	}
}
