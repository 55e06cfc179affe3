package booking

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"happening/internal/booking/simtest"
	"happening/internal/event"
	"happening/internal/fault"
)

// simBook is one event as it stands in the simulated database: its row, its
// live bookings, every change and the delta of every version; and beside it
// the model of what it has to be.
type simBook struct {
	row         event.Event
	lastWaiting int64
	live        map[uuid.UUID]Party
	sold        map[int32]uuid.UUID // the unique index on live seats
	off         map[int32]bool      // blocked seats
	deltas      [][]byte            // of version i+2; nil: purged
	deltaAt     []time.Time
	newest      IDTick
	model       *simtest.Model
}

// simKey is a key in the database, and the request that used it.
type simKey struct {
	stored Stored
	by     *simRequest
}

// simLate is a transaction of which the client has heard nothing more, and
// that may still be written.
type simLate struct {
	batch *Batch
	runs  map[uuid.UUID]*simRun
}

// errSimRefused is the database refusing a batch for a reason of its own.
var errSimRefused = errors.New("simulated: refused by the database")

// simCrash is panicked with where the process ends.
type simCrash struct{}

// simLedger is the simulated database as one process sees it.
type simLedger struct {
	w *simWorld
	r *simReplica
}

var _ Ledger = (*simLedger)(nil)

// Commit implements Ledger.
func (l *simLedger) Commit(_ context.Context, b *Batch) error {
	w := l.w
	runs := l.r.runsOf(b)
	w.interleave(l.r)
	w.askEarly(l.r, b)
	if w.given.sticky {
		defer l.r.forgetChanges(b)
	}
	switch w.fault() {
	case simUnreached:
		return ErrUnreached
	case simRefused:
		return errSimRefused
	case simLostBefore:
		return w.lost(ErrUnknown)
	case simLostAfter:
		if w.apply(b, runs, true) == nil {
			return w.lost(ErrUnknown)
		}
	case simLostLate:
		w.late = append(w.late, simLate{b, runs})
		return w.lost(ErrUnknown)
	case simCrashBefore:
		panic(simCrash{})
	case simCrashAfter:
		_ = w.apply(b, runs, true)
		panic(simCrash{})
	case simCrashLate:
		w.late = append(w.late, simLate{b, runs})
		panic(simCrash{})
	}
	if err := w.apply(b, runs, true); err != nil {
		return err
	}
	w.interleave(l.r)
	return nil
}

// forgetChanges leaves nothing to be undone of a batch that was not written.
func (r *simReplica) forgetChanges(b *Batch) {
	for i := range b.Events {
		if id := b.Events[i].EventID; r.w.books[id].row.Version == b.Events[i].Version {
			r.alloc.entries[id].changed = nil
		}
	}
}

// Rework implements Ledger. Nothing is interleaved while the locks are held.
func (l *simLedger) Rework(_ context.Context, known []Known, keys []KeyOf, probe uuid.UUID, fn func(Fresh) (*Batch, error)) error {
	w := l.w
	w.interleave(l.r)
	if w.unreached() {
		return ErrUnreached
	}
	f := Fresh{Events: map[uuid.UUID]FreshEvent{}, Keys: l.keys(keys)}
	f.Found = w.written[probe] && !w.given.blind
	for _, k := range known {
		if b := w.books[k.EventID]; b != nil {
			f.Events[k.EventID] = w.fresh(b, k)
		}
	}
	batch, err := fn(f)
	if err != nil || batch == nil {
		return err
	}
	if w.given.unfenced {
		for i := range batch.Events {
			e := &batch.Events[i]
			e.Moved = e.Moved && (batch.Edit != nil || slices.Contains(batch.EventOf, e.EventID))
		}
	}
	runs := l.r.runsOf(batch)
	if !slices.ContainsFunc(batch.Events, func(e EventWrite) bool { return e.Moved }) {
		return nil
	}
	trouble := w.fault()
	if len(w.late) > 0 && w.chance(150) {
		trouble = simRefused // what is refused then must not be written late
	}
	switch trouble {
	case simRefused:
		return errSimRefused
	case simLostBefore, simLostLate:
		return w.lost(ErrUnknown)
	case simLostAfter:
		if w.apply(batch, runs, false) == nil {
			return w.lost(ErrUnknown)
		}
	case simCrashBefore, simCrashLate:
		panic(simCrash{})
	case simCrashAfter:
		_ = w.apply(batch, runs, false)
		panic(simCrash{})
	}
	if err := w.apply(batch, runs, false); err != nil {
		return err
	}
	w.interleave(l.r)
	return nil
}

// Load implements Ledger.
func (l *simLedger) Load(_ context.Context, eventID uuid.UUID) (FreshEvent, error) {
	if l.w.unreached() {
		return FreshEvent{}, ErrUnreached
	}
	b := l.w.books[eventID]
	if b == nil {
		return FreshEvent{}, fault.ErrNotFound
	}
	return l.w.fresh(b, Known{EventID: eventID}), nil
}

// Missed implements Ledger.
func (l *simLedger) Missed(_ context.Context, known []Known) (map[uuid.UUID]FreshEvent, error) {
	if l.w.unreached() {
		return nil, ErrUnreached
	}
	missed := map[uuid.UUID]FreshEvent{}
	for _, k := range known {
		switch b := l.w.books[k.EventID]; {
		case b == nil:
			missed[k.EventID] = FreshEvent{}
		case b.row.Version != k.Version:
			missed[k.EventID] = l.w.fresh(b, k)
		}
	}
	return missed, nil
}

// Prove implements Ledger. Whatever happens after the reading comes too late
// for the refusal that it proves.
func (l *simLedger) Prove(_ context.Context, known []Known, keys []KeyOf) (Proof, error) {
	w := l.w
	w.beside(l.r)
	if w.unreached() {
		return Proof{}, ErrUnreached
	}
	proof := Proof{Keys: l.keys(keys)}
	if l.r.refusing && w.given.keysForgotten {
		proof.Keys = nil
	}
	for _, k := range known {
		b := w.books[k.EventID]
		if b != nil && b.row.Version == k.Version || w.given.trusting || l.r.refusing && w.given.trustingEarly {
			continue
		}
		proof.Moved = append(proof.Moved, k.EventID)
		if l.r.refusing {
			w.meet("another sold before an early refusal")
		}
	}
	if l.r.refusing {
		w.beside(l.r)
	}
	return proof, nil
}

func (l *simLedger) keys(keys []KeyOf) map[KeyOf]Stored {
	found := map[KeyOf]Stored{}
	for _, k := range keys {
		if s, ok := l.w.keys[k]; ok && !l.w.given.keyless {
			found[k] = s.stored
		}
	}
	return found
}

// fresh reads an event for somebody who knows it at a version.
func (w *simWorld) fresh(b *simBook, k Known) FreshEvent {
	f := FreshEvent{Event: b.row, LastWaiting: b.lastWaiting}
	f.Event.Layout = nil // is read with the rest
	if k.Version == b.row.Version {
		return f
	}
	if k.Version > 0 && k.Version < b.row.Version && b.since(k.Version, &f) {
		if w.given.forgetful && len(f.Changes) > 0 {
			f.Changes = f.Changes[:len(f.Changes)-1]
		}
		return f
	}
	f.Reload, f.Changes, f.Event.Layout = true, nil, b.row.Layout
	f.Blocks = []Blocks{{Blocked: slices.Sorted(maps.Keys(b.off))}}
	for _, p := range b.live {
		f.Parties = append(f.Parties, p)
	}
	// As the ids rise, so that a seed means one thing.
	slices.SortFunc(f.Parties, func(x, y Party) int { return bytes.Compare(x.ID[:], y.ID[:]) })
	f.Newest = b.newest
	for i, raw := range b.deltas {
		if raw != nil && w.now().Sub(b.deltaAt[i]) < 2*DuplicateWindow {
			if d, err := DecodeDelta(raw); err == nil {
				f.Recent = append(f.Recent, d.Changes...)
			}
		}
	}
	return f
}

// since decodes what has happened after a version; false where that is not all
// there, or says that the event is to be read whole.
func (b *simBook) since(version int64, f *FreshEvent) bool {
	for _, raw := range b.deltas[version-1:] {
		d, err := DecodeDelta(raw)
		if err != nil || d.Reload {
			return false
		}
		f.Changes = append(f.Changes, d.Changes...)
		f.Blocks = append(f.Blocks, d.Blocks)
		f.Newest = max(f.Newest, d.Newest)
	}
	return true
}

// apply writes a batch, all or nothing, and lets the models follow. An
// optimistic one is written on condition that the versions are those decided
// on; one under locks must have them.
func (w *simWorld) apply(b *Batch, runs map[uuid.UUID]*simRun, optimistic bool) error {
	unchecked := optimistic && w.given.unversioned
	for i := range b.Events {
		e := &b.Events[i]
		book := w.books[e.EventID]
		switch {
		case book == nil || book.row.Version != e.Version && !unchecked:
			if !optimistic {
				w.failf("a version that is locked is not the one written on")
			}
			return ErrStale
		}
	}
	for i := range b.Changes {
		c := &b.Changes[i]
		if c.Key.Value != "" {
			if _, used := w.keys[KeyOf{c.Actor, c.Key.Value}]; used && !w.given.keyless {
				return ErrKeyTaken
			}
		}
		if w.poison[c.UserID] {
			return errSimRefused
		}
	}
	for _, run := range runs {
		if run.committed {
			w.failf("an attempt is written twice")
		}
		run.committed = true
	}
	for i := range b.Events {
		w.applyEvent(b, &b.Events[i], runs[b.Events[i].EventID])
	}
	if b.Edit != nil {
		w.written[b.Edit.FactID] = true
	}
	return nil
}

func (w *simWorld) applyEvent(b *Batch, e *EventWrite, run *simRun) {
	book := w.books[e.EventID]
	if !e.Moved {
		return
	}
	if b.Edit != nil && b.Edit.Event.ID == e.EventID {
		version := book.row.Version
		book.row = b.Edit.Event
		book.row.Version = version
		for _, s := range b.Blocks.Unblocked {
			if !book.off[s] {
				w.failf("seat %d is put on sale and was not off", s)
			}
			delete(book.off, s)
		}
		for _, s := range b.Blocks.Blocked {
			if book.off[s] || book.sold[s] != uuid.Nil {
				w.failf("seat %d is taken off sale and is off, or sold", s)
			}
			book.off[s] = true
		}
	}
	for i := range b.Changes {
		if b.EventOf[i] == e.EventID {
			w.applyChange(book, run, &b.Changes[i])
		}
	}
	if w.given.plain {
		run = nil
	} else if run != nil {
		book.model = run.model
		for _, a := range run.attempts {
			if len(a.changes) > 0 || a.edit {
				if a.request.effects++; a.request.effects > 1 || a.request.refused {
					w.failf("%s is written %d times, refused %v", a.request, a.request.effects, a.request.refused)
				}
			}
		}
	} else if slices.Contains(b.EventOf, e.EventID) || b.Edit != nil {
		w.failf("something was written that nobody decided")
	}
	book.row.Version, book.lastWaiting = e.Version+1, e.LastWaiting
	book.row.AvailableSlots, book.row.WaitingParties = e.Available, e.Waiting
	book.deltas, book.deltaAt = append(book.deltas, e.Delta), append(book.deltaAt, w.now())
	if d, err := DecodeDelta(e.Delta); err != nil || d.Newest < book.newest {
		w.failf("a delta that can't be read, or whose ids go back: %v", err)
	} else {
		book.newest = d.Newest
	}
	w.check(book)
}

// applyChange writes a row of the history and what follows from it. What the
// database would refuse is a failure: the version check lets nothing through
// that could be.
func (w *simWorld) applyChange(book *simBook, run *simRun, c *Change) {
	if w.written[c.ID] {
		w.failf("a change is written twice")
	}
	w.written[c.ID] = true
	was, live := book.live[c.BookingID]
	if (c.Before.Status == "") == live || live && !sameState(was.State, c.Before) {
		w.failf("the history of a booking has a gap: it was %+v, the change is %+v", was, c)
	}
	for _, s := range was.SeatNumbers {
		delete(book.sold, s)
	}
	delete(book.live, c.BookingID)
	if c.Before.Status == "" {
		w.seatsOf[c.BookingID] = c.After.SeatNumbers
	}
	if c.After.Status != Cancelled {
		for _, s := range c.After.SeatNumbers {
			if book.sold[s] != uuid.Nil || book.off[s] {
				w.failf("seat %d is sold twice, or off sale", s)
			}
			book.sold[s] = c.BookingID
		}
		book.live[c.BookingID] = Party{ID: c.BookingID, UserID: c.UserID, CreatedAt: c.CreatedAt, State: c.After}
	}
	if c.Key.Value != "" {
		if _, used := w.keys[KeyOf{c.Actor, c.Key.Value}]; used {
			w.failf("a key has two effects")
		}
		stored := Stored{Hash: c.Key.Hash, Booking: Booking{
			ID: c.BookingID, OrgID: book.row.OrgID, EventID: book.row.ID, UserID: c.UserID,
			State: c.After, Position: c.Position, CreatedAt: c.CreatedAt, UpdatedAt: c.At,
		}}
		w.keys[KeyOf{c.Actor, c.Key.Value}] = simKey{stored: stored, by: run.requestOf(c)}
	}
}

// requestOf finds the order that a change answers.
func (run *simRun) requestOf(c *Change) *simRequest {
	if run == nil {
		return nil
	}
	for _, a := range run.attempts {
		if slices.ContainsFunc(a.changes, func(other Change) bool { return other.ID == c.ID }) {
			return a.request
		}
	}
	return nil
}

func sameState(a, b State) bool {
	return a.Status == b.Status && a.Seats == b.Seats && a.WaitingNumber == b.WaitingNumber && slices.Equal(a.SeatNumbers, b.SeatNumbers)
}

// check holds what is written against the model: C1 and C5 of the checker.
func (w *simWorld) check(book *simBook) {
	if w.given.plain {
		return
	}
	m, row := book.model, &book.row
	if row.AvailableSlots != row.TotalSlots-int32(len(book.sold))-int32(len(book.off)) || row.AvailableSlots != m.Free() {
		w.failf("available are %d, sold %d of %d, the model has %d free", row.AvailableSlots, len(book.sold), row.TotalSlots, m.Free())
	}
	if len(book.live) != len(m.Live()) || book.lastWaiting != m.WaitingNumbers() {
		w.failf("live are %d bookings with %d numbers given, the model has %d with %d",
			len(book.live), book.lastWaiting, len(m.Live()), m.WaitingNumbers())
	}
	waiting := int32(0)
	for _, p := range m.Live() {
		if p.Waits() {
			waiting++
		}
		is := book.live[p.ID]
		if is.UserID != p.Person || is.Seats != p.Size || is.WaitingNumber != p.Number || !slices.Equal(is.SeatNumbers, p.Seats) {
			w.failf("a booking is %+v, the model has %+v", is, p)
		}
	}
	if waiting != row.WaitingParties {
		w.failf("%d parties wait, written are %d", waiting, row.WaitingParties)
	}
}

// simHolds are the holds of all processes; simHoldsOf is how one asks them.
type simHolds struct {
	held    map[uuid.UUID][]simHold
	settled map[uuid.UUID]int64
	away    bool
	lie     int64 // added to what is said of versions
}

type simHold struct {
	simtest.Hold
	until time.Time
}

type simHoldsOf struct {
	HoldStore // what the allocator does not ask
	w         *simWorld
	r         *simReplica
}

// View implements HoldStore and notes what the coming decision looks at.
func (h *simHoldsOf) View(_ context.Context, ids []uuid.UUID) ([]HoldView, error) {
	views := make([]HoldView, len(ids))
	for i, id := range ids {
		look := &simRun{event: id, early: h.r.refusing}
		h.r.runs[id] = look
		if h.w.holds.away {
			continue
		}
		views[i].Holders = map[int32]uuid.UUID{}
		views[i].SaleVersion = h.w.holds.settled[id]
		if views[i].SaleVersion > 0 {
			views[i].SaleVersion += h.w.holds.lie
		}
		for _, hold := range h.w.holds.held[id] {
			if hold.until.After(h.w.now()) {
				views[i].Holders[hold.Seat] = hold.Person
				look.holds = append(look.holds, hold.Hold)
			}
		}
	}
	if h.w.holds.away {
		return nil, ErrHoldsAway
	}
	return views, nil
}

// Settle implements HoldStore.
func (h *simHoldsOf) Settle(_ context.Context, s Sale) error {
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	if h.w.holds.away {
		return ErrHoldsAway
	}
	h.w.holds.settled[s.EventID] = max(h.w.holds.settled[s.EventID], s.Version)
	h.w.holds.held[s.EventID] = slices.DeleteFunc(h.w.holds.held[s.EventID], func(hold simHold) bool {
		return slices.Contains(s.Sold, hold.Seat)
	})
	return nil
}
