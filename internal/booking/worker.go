package booking

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"happening/internal/fault"
)

// Run works until Stop; it owns all inventories.
func (a *Allocator) Run() {
	defer close(a.done)
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
			// company is on its way.
			if last > 1 || a.QueueLength() > 1 {
				time.Sleep(linger)
			}
			batch, left, stopped := a.take()
			if len(batch) > 0 {
				if len(batch) >= busyBatch {
					a.rushed.Store(time.Now().UnixNano())
				}
				a.process(batch)
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
// callers gave up, and tells how many are left.
func (a *Allocator) take() (batch []*request, left int, stopped bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := min(len(a.queue), BatchMax)
	for _, r := range a.queue[:n] {
		if r.state.CompareAndSwap(queued, taken) {
			batch = append(batch, r)
		}
	}
	left = copy(a.queue, a.queue[n:])
	clear(a.queue[left:])
	a.queue = a.queue[:left]
	return batch, left, a.stopped
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
		a.answerRefusals(batch)
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
	moved, err := a.ledger.Moved(ctx, knownOf(entries))
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

// undo reverts what a batch decided on inventories that are still there.
func (a *Allocator) undo(entries []*entry) {
	for _, e := range entries {
		e.mu.Lock()
		if e.inv != nil {
			e.inv.Revert(e.changed)
		}
		e.changed = nil
		e.mu.Unlock()
	}
}

// drop forgets inventories whose truth is not certain.
func (a *Allocator) drop(entries []*entry) {
	for _, e := range entries {
		e.mu.Lock()
		e.inv, e.changed = nil, nil
		e.mu.Unlock()
	}
}

func knownOf(entries []*entry) []Known {
	known := make([]Known, len(entries))
	for i, e := range entries {
		known[i].EventID = e.id
		if e.inv != nil {
			known[i].Version = e.inv.Version
		}
	}
	return known
}

// rework answers a batch under the locks of its events' rows. lost is an
// attempt whose outcome is unknown and whose changes the inventories still
// have: the locks wait for a transaction that is under way, and show whether
// it was written. Where it was not, it is undone and decided anew, and every
// event's version moves on, so that the lost attempt can't be written later.
// fence says that such an attempt of a batch that this one is a part of may
// still be on its way.
func (a *Allocator) rework(batch []*request, lost *Batch, fence bool) {
	entries := a.entriesOf(batch)
	keys := keysOf(batch)
	deadline := time.Now().Add(awayPatience)
	again := 0
	for {
		var out *Batch
		found := false
		probe := uuid.Nil
		if lost != nil {
			probe = lost.probe()
		}
		err := a.ledger.Rework(context.Background(), knownOf(entries), keys, probe, func(f Fresh) (*Batch, error) {
			if lost != nil {
				if f.Found {
					found = true
					return nil, nil
				}
				a.undo(entries)
				lost, fence = nil, true
			}
			a.refresh(entries, f)
			out, _ = a.decide(batch, entries, a.now(), f.Keys, fence, false)
			return out, nil
		})
		switch {
		case err == nil && found:
			a.settle(batch, entries, lost)
			return
		case err == nil:
			a.settle(batch, entries, out)
			return
		case errors.Is(err, ErrUnknown) && out != nil && out.probe() != uuid.Nil:
			lost = out
		case lost == nil:
			a.drop(entries)
		}
		away := errors.Is(err, ErrUnreached) || errors.Is(err, ErrUnknown) || lost != nil
		switch {
		case away && time.Now().Before(deadline):
			time.Sleep(awayPause)
		case away:
			a.log.Error("booking: the database stays away", "orders", len(batch), "outcome_unknown", lost != nil, "error", err)
			a.drop(entries)
			a.fail(batch, ErrAway.After(time.Second).Because(err))
			return
		case (errors.Is(err, ErrStale) || errors.Is(err, ErrKeyTaken)) && again < reworkTries:
			// The inventories were wrong, and are read anew; or a key was used
			// at another event just now, and is found next time.
			again++
		case len(batch) > 1:
			// One order is poison to all: halve until it stands alone.
			a.rework(batch[:len(batch)/2], nil, fence)
			a.rework(batch[len(batch)/2:], nil, fence)
			return
		case fence:
			// The order is refused only when no earlier attempt of it can be
			// written any more.
			poison := err
			if fence = !a.moveOn(entries); fence {
				poison = ErrAway.After(time.Second).Because(err)
			}
			a.log.Error("booking: an order was refused by the database", "event", batch[0].eventID, "outcome_unknown", fence, "error", err)
			a.fail(batch, poison)
			return
		default:
			a.log.Error("booking: an order was refused by the database", "event", batch[0].eventID, "error", err)
			a.fail(batch, err)
			return
		}
	}
}

// moveOn moves the versions of events and nothing else, so that no attempt
// that was decided on an earlier one can be written; false where that could
// not be had within awayPatience.
func (a *Allocator) moveOn(entries []*entry) bool {
	for deadline := time.Now().Add(awayPatience); ; {
		var out *Batch
		err := a.ledger.Rework(context.Background(), knownOf(entries), nil, uuid.Nil, func(f Fresh) (*Batch, error) {
			a.refresh(entries, f)
			out, _ = a.decide(nil, entries, a.now(), nil, true, false)
			return out, nil
		})
		if err == nil {
			a.settle(nil, entries, out)
			return true
		}
		a.drop(entries)
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(awayPause)
	}
}

func keysOf(batch []*request) []KeyOf {
	var keys []KeyOf
	for _, r := range batch {
		if r.key.Value != "" {
			keys = append(keys, r.keyOf)
		}
	}
	return keys
}

// refresh brings inventories up to what the locked rows say.
func (a *Allocator) refresh(entries []*entry, f Fresh) {
	for _, e := range entries {
		e.mu.Lock()
		fresh, ok := f.Events[e.id]
		switch {
		case !ok:
			e.inv = nil
			e.live.forget()
		case e.inv == nil:
			e.replace(fresh.inventory())
		case fresh.Event.Version == e.inv.Version:
			// Whether the organization is suspended moves no version.
			e.inv.configure(fresh.Event.Settings)
			e.live.advance(e.inv, nil)
			e.contended = max(0, e.contended-1)
		default:
			e.contended = contendedRounds
			if fresh.Reload {
				e.replace(fresh.inventory())
			} else {
				e.follow(&fresh)
			}
		}
		if ok {
			current := fresh.Event
			e.inv.row = &current
			// Under the lock nothing newer can be there.
			if heard := e.heard.Load(); heard > e.inv.Version {
				e.heard.CompareAndSwap(heard, e.inv.Version)
			}
		}
		e.mu.Unlock()
	}
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
		e.changed, e.edited = e.changed[:0:0], false
		e.mu.Lock()
	}
	defer func() {
		for _, e := range entries {
			e.mu.Unlock()
		}
	}()
	views := a.view(ids)
	for i, e := range entries {
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
			changed, edit, err := r.edit(*e.inv.row, now)
			if err != nil {
				r.answer.Err = err
				continue
			}
			r.answer.Event = changed
			if edit == nil { // nothing differs
				continue
			}
			edit.Event = changed
			order, out.Edit, e.edited = Reconfigure{Settings: changed.Settings}, edit, true
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
			w.Delta = EncodeDelta(Delta{Newest: e.inv.newest, Reload: e.edited, Changes: e.changed})
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
	return Booking{
		ID: c.BookingID, OrgID: inv.OrgID, EventID: inv.EventID, UserID: c.UserID,
		State: c.After, Position: c.Position, CreatedAt: c.CreatedAt, UpdatedAt: c.At,
	}
}

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
			e.live.reset(e.inv)
		} else {
			e.live.advance(e.inv, e.changed)
		}
		changes := e.changed
		e.changed = nil
		news := Committed{Changes: changes, Moved: e.inv.moved(changes)}
		e.mu.Unlock()
		if e.edited {
			news.Edited = &out.Edit.Event
		}
		sales = append(sales, e.sale(w, changes))
		sellers = append(sellers, e)
		told = append(told, news)
	}
	a.tellHolds(sales)
	for i, e := range sellers {
		told[i].Live = e.live.Event()
	}
	a.answerRefusals(batch)
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
func (e *entry) sale(w *EventWrite, changes []Change) Sale {
	s := Sale{EventID: w.EventID, Version: w.Version + 1, Available: w.Available, Figures: e.figures}
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
	for _, p := range e.inv.waitlist {
		f.Waitlist = append(f.Waitlist, p.UserID)
	}
	return f
}

// answerRefusals sends every caller its answer. A refusal is not the last
// word for an order with a key: the key may have been used before this
// process began.
func (a *Allocator) answerRefusals(batch []*request) {
	var refused []KeyOf
	for _, r := range batch {
		if r.answer.Err != nil && r.key.Value != "" {
			refused = append(refused, r.keyOf)
		}
	}
	if len(refused) > 0 {
		ctx, cancel := context.WithTimeout(context.Background(), keysTimeout)
		found, err := a.ledger.FindKeys(ctx, refused)
		cancel()
		for _, r := range batch {
			if r.answer.Err == nil || r.key.Value == "" {
				continue
			}
			if err != nil {
				r.answer = Answer{Err: ErrAway.After(time.Second).Because(err)}
			} else if stored, ok := found[r.keyOf]; ok {
				r.answer = replay(stored, r.key)
			}
		}
	}
	for _, r := range batch {
		close(r.done)
	}
}

func (a *Allocator) fail(batch []*request, err error) {
	for _, r := range batch {
		r.answer = Answer{Err: err}
		close(r.done)
	}
}

// tidy forgets double submits that are over and inventories that nobody used
// for long, the longest unused first where there are too many.
func (a *Allocator) tidy() {
	now := a.now()
	a.entriesMu.Lock()
	defer a.entriesMu.Unlock()
	list := make([]*entry, 0, len(a.entries))
	for _, e := range a.entries {
		list = append(list, e)
	}
	slices.SortFunc(list, func(x, y *entry) int { return cmp.Compare(x.used.Load(), y.used.Load()) })
	for i, e := range list {
		e.mu.Lock()
		unused := e.inv == nil || now.Sub(time.Unix(0, e.used.Load())) > idleAfter || len(list)-i > entriesMax
		if unused {
			delete(a.entries, e.id)
			e.inv = nil
		} else {
			e.inv.forgetAsked(now)
		}
		e.mu.Unlock()
	}
}
