package memory

import (
	"container/heap"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"happening/internal/booking"
)

const (
	// DefaultHoldTTL is how long a hold lives unrenewed where the operator
	// has set nothing else.
	DefaultHoldTTL = 2 * time.Minute
	// maxTouchedSeats bounds the seats of one event of which one person's
	// age is remembered. Beyond it further seats are conflicts, for
	// forgetting an age instead would let a script outrun the cooldown.
	maxTouchedSeats = 1000
	// pruneTouchedAbove says from how many remembered seats on a placement
	// looks for those that may be forgotten.
	pruneTouchedAbove = 64
	// maxSleep bounds how long Run trusts a timer, so that a jump of the
	// injected clock is noticed.
	maxSleep = 10 * time.Second
)

// HoldsOptions configures Holds.
type HoldsOptions struct {
	// Now is the clock that holds live by. Placement.Now is not read.
	Now func() time.Time
	// TTL is how long a hold lives unrenewed; zero means DefaultHoldTTL.
	TTL time.Duration
	// Changed is told of every seat whose hold began or ended, after the
	// fact and outside of all locks. May be nil.
	Changed func(eventID uuid.UUID, seats []int32)
	// Expired is told whose holds ended by the clock. May be nil.
	Expired func(eventID, userID uuid.UUID, seats []int32)
}

// Holds keeps the holds and the live versions of one process. It implements
// booking.HoldStore, and the feed's Versions. Ends of holds take effect by the
// clock on every call; Run only makes sure that somebody calls.
type Holds struct {
	*versions
	now     func() time.Time
	ttl     time.Duration
	changed func(eventID uuid.UUID, seats []int32)
	expired func(eventID, userID uuid.UUID, seats []int32)
	wake    chan struct{}

	mu     sync.Mutex
	events map[uuid.UUID]*eventHolds
	// atEvents counts the events at which a person holds seats.
	atEvents map[uuid.UUID]int
	queue    dueQueue
}

var _ booking.HoldStore = (*Holds)(nil)

// eventHolds is what is known of one event; it exists only while there is a
// holder.
type eventHolds struct {
	holders map[int32]uuid.UUID
	// shared says that a view of the map is out, so that the next change
	// works on a copy.
	shared  bool
	persons map[uuid.UUID]*holder
}

// holder is one person at one event.
type holder struct {
	eventID, userID uuid.UUID
	seats           map[int32]tenure
	past            map[int32]trace
	pins            int
	pinnedUntil     time.Time

	due   time.Time // when the clock next changes something here
	index int       // in the queue; below zero: not in it
}

// tenure is one seat's hold. The age runs from first, also over a pause.
type tenure struct{ first, end time.Time }

// trace remembers the age of a hold that has ended, until the cooldown is over.
type trace struct{ first, until time.Time }

// notice is a callback to be made once the lock is released.
type notice struct {
	eventID, userID  uuid.UUID
	changed, expired []int32
}

// NewHolds makes an empty store.
func NewHolds(o HoldsOptions) *Holds {
	if o.TTL <= 0 {
		o.TTL = DefaultHoldTTL
	}
	return &Holds{
		versions: newVersions(o.Now),
		now:      o.Now,
		ttl:      o.TTL,
		changed:  o.Changed,
		expired:  o.Expired,
		wake:     make(chan struct{}, 1),
		events:   map[uuid.UUID]*eventHolds{},
		atEvents: map[uuid.UUID]int{},
	}
}

// View gives the events' holds in the order asked. Views are shared until the
// event's holds change, so that asking again costs nothing.
func (h *Holds) View(_ context.Context, eventIDs []uuid.UUID) ([]booking.HoldView, error) {
	views := make([]booking.HoldView, len(eventIDs))
	h.mu.Lock()
	notices := h.expire(h.now())
	for i, id := range eventIDs {
		if e := h.events[id]; e != nil {
			e.shared = true
			views[i].Holders = e.holders
		}
		views[i].SaleVersion = h.SaleVersion(id)
	}
	h.mu.Unlock()
	h.settled(eventIDs, views)
	h.tell(notices)
	return views, nil
}

// Place replaces the person's holds at the event. A seat that is given up
// while a booking is queued stays held until that booking is decided.
func (h *Holds) Place(_ context.Context, p booking.Placement) (booking.Placed, error) {
	if len(p.Seats) > booking.HoldMaxSeats {
		return booking.Placed{}, booking.ErrSeatLimit
	}
	h.mu.Lock()
	now := h.now()
	notices := h.expire(now)
	if len(p.Seats) > 0 && p.SaleVersion > 0 && p.SaleVersion < h.SaleVersion(p.EventID) {
		h.mu.Unlock()
		h.tell(notices)
		return booking.Placed{}, booking.ErrBehind
	}
	placed, changed, err := h.place(p, now)
	h.mu.Unlock()
	if len(changed) > 0 {
		notices = append(notices, notice{eventID: p.EventID, changed: changed})
	}
	h.tell(notices)
	return placed, err
}

func (h *Holds) place(p booking.Placement, now time.Time) (placed booking.Placed, changed []int32, err error) {
	e, g := h.find(p.EventID, p.UserID)
	if g == nil {
		if len(p.Seats) == 0 {
			return placed, nil, nil
		}
		e, g = h.admit(p.EventID, p.UserID)
	}
	defer h.settleDue(e, g, now)
	if len(p.Seats) > 0 && len(g.seats) == 0 && h.atEvents[p.UserID] >= booking.HoldMaxEvents {
		return placed, nil, booking.ErrHoldEvents
	}
	if len(g.past) > pruneTouchedAbove {
		g.forget(now)
	}
	for seat, t := range g.seats {
		if _, named := slices.BinarySearch(p.Seats, seat); named {
			continue
		}
		if g.pinned(now) {
			if t.end.After(now) {
				g.seats[seat] = tenure{first: t.first, end: now}
			}
			continue
		}
		h.drop(e, g, seat, now)
		changed = append(changed, seat)
	}
	for _, seat := range p.Seats {
		first, fresh, ok := g.mayHold(e, seat, now)
		if !ok {
			placed.Conflicts = append(placed.Conflicts, seat)
			continue
		}
		end := earlier(now.Add(h.ttl), first.Add(booking.HoldMaxAge))
		if fresh {
			h.take(e, g, seat)
			changed = append(changed, seat)
		}
		g.seats[seat] = tenure{first: first, end: end}
		placed.Granted = append(placed.Granted, seat)
		if placed.ExpiresAt.IsZero() || end.Before(placed.ExpiresAt) {
			placed.ExpiresAt = end
		}
	}
	return placed, changed, nil
}

// mayHold says whether the person may hold the seat now, since when its age
// counts, and whether the hold would be a new one.
func (g *holder) mayHold(e *eventHolds, seat int32, now time.Time) (first time.Time, fresh, ok bool) {
	first = now
	switch owner, held := e.holders[seat]; {
	case held && owner != g.userID:
		return first, false, false
	case held:
		first = g.seats[seat].first
	default:
		fresh = true
		if t, known := g.past[seat]; known && now.Before(t.until) {
			first = t.first
		} else if len(g.past)+len(g.seats) >= maxTouchedSeats {
			return first, false, false
		}
	}
	return first, fresh, now.Before(first.Add(booking.HoldMaxAge))
}

// Mine tells what the person holds at the event.
func (h *Holds) Mine(_ context.Context, eventID, userID uuid.UUID) (booking.Held, error) {
	var held booking.Held
	h.mu.Lock()
	notices := h.expire(h.now())
	if _, g := h.find(eventID, userID); g != nil {
		for seat, t := range g.seats {
			held.Seats = append(held.Seats, seat)
			if held.ExpiresAt.IsZero() || t.end.Before(held.ExpiresAt) {
				held.ExpiresAt = t.end
			}
		}
		slices.Sort(held.Seats)
	}
	h.mu.Unlock()
	h.tell(notices)
	return held, nil
}

// HeldAt lists where the person holds seats. It looks at every event with
// holds, since it is asked for erasure alone.
func (h *Holds) HeldAt(_ context.Context, userID uuid.UUID) ([]uuid.UUID, error) {
	var at []uuid.UUID
	h.mu.Lock()
	notices := h.expire(h.now())
	for id, e := range h.events {
		if g := e.persons[userID]; g != nil && len(g.seats) > 0 {
			at = append(at, id)
		}
	}
	h.mu.Unlock()
	h.tell(notices)
	return at, nil
}

// Pin keeps the person's holds at the event over their end. It is counted
// also where nothing is held yet, so that its Unpin never ends another's pin.
func (h *Holds) Pin(_ context.Context, eventID, userID uuid.UUID) error {
	h.mu.Lock()
	now := h.now()
	notices := h.expire(now)
	e, g := h.admit(eventID, userID)
	g.pins++
	g.pinnedUntil = now.Add(booking.PinMax)
	h.settleDue(e, g, now)
	h.mu.Unlock()
	h.tell(notices)
	return nil
}

// Unpin ends one Pin; holds whose time was over end with the last one.
func (h *Holds) Unpin(_ context.Context, eventID, userID uuid.UUID) error {
	h.mu.Lock()
	now := h.now()
	notices := h.expire(now)
	if e, g := h.find(eventID, userID); g != nil && g.pins > 0 {
		g.pins--
		h.settleDue(e, g, now)
		notices = append(notices, h.expire(now)...)
	}
	h.mu.Unlock()
	h.tell(notices)
	return nil
}

// Settle ends the holds on what was sold, whoever held it, and notes the
// version of the sale. Counter and waitlist are the process's own inventory.
func (h *Holds) Settle(_ context.Context, sale booking.Sale) error {
	h.note(sale.EventID, sale.Version)
	h.mu.Lock()
	now := h.now()
	notices := h.expire(now)
	if e := h.events[sale.EventID]; e != nil {
		var ended []int32
		touched := map[*holder]struct{}{}
		for _, seat := range sale.Sold {
			owner, held := e.holders[seat]
			if !held {
				continue
			}
			g := e.persons[owner]
			h.drop(e, g, seat, now)
			// Who has bought the seat did not just sit on it.
			delete(g.past, seat)
			touched[g] = struct{}{}
			ended = append(ended, seat)
		}
		for g := range touched {
			h.settleDue(e, g, now)
		}
		if len(ended) > 0 {
			notices = append(notices, notice{eventID: sale.EventID, changed: ended})
		}
	}
	h.mu.Unlock()
	h.tell(notices)
	return nil
}

// Sweep applies what the clock has brought since the last call.
func (h *Holds) Sweep() {
	h.mu.Lock()
	notices := h.expire(h.now())
	h.mu.Unlock()
	h.tell(notices)
	h.versions.sweep()
}

// Run ends holds on time, until ctx ends. It sleeps until the earliest end.
func (h *Holds) Run(ctx context.Context) {
	timer := time.NewTimer(maxSleep)
	defer timer.Stop()
	for {
		h.Sweep()
		timer.Reset(h.untilNext())
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-h.wake:
		}
	}
}

func (h *Holds) untilNext() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.queue) == 0 {
		return maxSleep
	}
	return max(0, min(maxSleep, h.queue[0].due.Sub(h.now())))
}

func (h *Holds) find(eventID, userID uuid.UUID) (*eventHolds, *holder) {
	e := h.events[eventID]
	if e == nil {
		return nil, nil
	}
	return e, e.persons[userID]
}

func (h *Holds) admit(eventID, userID uuid.UUID) (*eventHolds, *holder) {
	e, g := h.find(eventID, userID)
	if e == nil {
		e = &eventHolds{holders: map[int32]uuid.UUID{}, persons: map[uuid.UUID]*holder{}}
		h.events[eventID] = e
	}
	if g == nil {
		g = &holder{
			eventID: eventID, userID: userID, index: notQueued,
			seats: map[int32]tenure{}, past: map[int32]trace{},
		}
		e.persons[userID] = g
	}
	return e, g
}

// take writes the person into the seat; the caller sets the tenure.
func (h *Holds) take(e *eventHolds, g *holder, seat int32) {
	if len(g.seats) == 0 {
		h.atEvents[g.userID]++
	}
	delete(g.past, seat)
	e.own()[seat] = g.userID
}

// drop ends the hold as of the moment given and remembers its age.
func (h *Holds) drop(e *eventHolds, g *holder, seat int32, ended time.Time) {
	g.past[seat] = trace{first: g.seats[seat].first, until: ended.Add(booking.HoldCooldown)}
	delete(g.seats, seat)
	delete(e.own(), seat)
	if len(g.seats) > 0 {
		return
	}
	if h.atEvents[g.userID]--; h.atEvents[g.userID] == 0 {
		delete(h.atEvents, g.userID)
	}
}

// own gives the map for writing, a copy of it if a view is out.
func (e *eventHolds) own() map[int32]uuid.UUID {
	if e.shared {
		e.holders, e.shared = maps.Clone(e.holders), false
	}
	return e.holders
}

func (g *holder) pinned(now time.Time) bool { return g.pins > 0 && now.Before(g.pinnedUntil) }

// endOf is when the hold ends if nothing happens: a pin carries it over its
// end, but never for longer than PinMax.
func (g *holder) endOf(t tenure) time.Time {
	if g.pins == 0 {
		return t.end
	}
	if pinned := earlier(g.pinnedUntil, t.end.Add(booking.PinMax)); pinned.After(t.end) {
		return pinned
	}
	return t.end
}

func (g *holder) forget(now time.Time) {
	for seat, t := range g.past {
		if !now.Before(t.until) {
			delete(g.past, seat)
		}
	}
}

// expire applies the clock to every holder that is due.
func (h *Holds) expire(now time.Time) (notices []notice) {
	for len(h.queue) > 0 && !now.Before(h.queue[0].due) {
		g := h.queue[0]
		e := h.events[g.eventID]
		var ended []int32
		for seat, t := range g.seats {
			if end := g.endOf(t); !now.Before(end) {
				h.drop(e, g, seat, end)
				ended = append(ended, seat)
			}
		}
		if g.pins > 0 && !now.Before(g.pinnedUntil) {
			g.pins = 0 // the Unpin was lost
		}
		g.forget(now)
		h.settleDue(e, g, now)
		if len(ended) > 0 {
			slices.Sort(ended)
			notices = append(notices, notice{eventID: g.eventID, userID: g.userID, changed: ended, expired: ended})
		}
	}
	return notices
}

// settleDue puts the holder where it belongs in the queue and lets go of
// whatever is empty. Remembered ages alone are swept when the last is over.
func (h *Holds) settleDue(e *eventHolds, g *holder, now time.Time) {
	var due time.Time
	for _, t := range g.seats {
		if end := g.endOf(t); due.IsZero() || end.Before(due) {
			due = end
		}
	}
	if g.pins > 0 && (due.IsZero() || g.pinnedUntil.Before(due)) {
		due = g.pinnedUntil
	}
	if due.IsZero() {
		for _, t := range g.past {
			if t.until.After(due) {
				due = t.until
			}
		}
	}
	switch {
	case due.IsZero():
		if g.index != notQueued {
			heap.Remove(&h.queue, g.index)
		}
		delete(e.persons, g.userID)
		if len(e.persons) == 0 {
			delete(h.events, g.eventID)
		}
		return
	case g.index == notQueued:
		g.due = due
		heap.Push(&h.queue, g)
	default:
		g.due = due
		heap.Fix(&h.queue, g.index)
	}
	if g.index == 0 {
		select {
		case h.wake <- struct{}{}:
		default:
		}
	}
}

func (h *Holds) tell(notices []notice) {
	for _, n := range notices {
		if h.changed != nil && len(n.changed) > 0 {
			h.changed(n.eventID, n.changed)
		}
		if h.expired != nil && len(n.expired) > 0 {
			h.expired(n.eventID, n.userID, n.expired)
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// notQueued marks a holder that waits for nothing.
const notQueued = -1

// dueQueue is a heap of holders, the one that is due first on top.
type dueQueue []*holder

func (q dueQueue) Len() int           { return len(q) }
func (q dueQueue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }
func (q dueQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

func (q *dueQueue) Push(x any) {
	g := x.(*holder)
	g.index = len(*q)
	*q = append(*q, g)
}

func (q *dueQueue) Pop() any {
	old := *q
	g := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	g.index = notQueued
	return g
}
