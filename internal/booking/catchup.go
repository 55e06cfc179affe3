package booking

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"happening/internal/fault"
)

// Limits of catching up with other processes.
const (
	// followEvery is how often everything in memory is compared with
	// PostgreSQL. So old is the oldest thing that anybody is shown, also while
	// nothing tells of sales elsewhere.
	followEvery = 2 * time.Second
	// followPage bounds the events that one query compares.
	followPage = 256
	// missedTimeout bounds one reading of what was missed.
	missedTimeout = 10 * time.Second
	// missedTries is how often it is read again because the event was sold
	// here meanwhile; the last time reads the event whole.
	missedTries = 3
	// complainEvery bounds how often the same trouble is logged.
	complainEvery = 10 * time.Second
)

// CatchUp gives what is committed of an event at the version or later. Where
// this process is behind it reads on, without locks, once for all who ask at
// the same time. A version that PostgreSQL turns out not to have is ignored
// from then on.
func (a *Allocator) CatchUp(ctx context.Context, eventID uuid.UUID, version int64) (*Live, error) {
	e, err := a.loaded(ctx, eventID)
	if err != nil {
		return nil, err
	}
	heard := e.heard.Load()
	stands, _ := e.live.stands()
	if heard <= stands && (version <= stands || version == e.lied.Load()) {
		return &e.live, nil
	}
	if err := a.flown(ctx, e); err != nil {
		return nil, err
	}
	stands, _ = e.live.stands()
	e.disbelieve(heard, version, stands)
	return &e.live, nil
}

// Refresh is CatchUp to whatever PostgreSQL has: it reads always.
func (a *Allocator) Refresh(ctx context.Context, eventID uuid.UUID) (*Live, error) {
	e, err := a.loaded(ctx, eventID)
	if err != nil {
		return nil, err
	}
	if err := a.flown(ctx, e); err != nil {
		return nil, err
	}
	return &e.live, nil
}

// disbelieve notes which of the claims are beyond what PostgreSQL was found to
// have after they were made.
func (e *entry) disbelieve(heard, claimed, stands int64) {
	if heard > stands {
		e.heard.CompareAndSwap(heard, stands)
	}
	if claimed > stands {
		e.lied.Store(claimed)
	}
}

// Heard tells that another process has brought an event to a version; zero: to
// one that is not known, or to its end. Nothing is read until somebody asks
// for the event.
func (a *Allocator) Heard(eventID uuid.UUID, version int64) {
	a.entriesMu.RLock()
	e := a.entries[eventID]
	a.entriesMu.RUnlock()
	if e == nil {
		return
	}
	if version == 0 {
		stands, _ := e.live.stands()
		version = stands + 1
	}
	for {
		heard := e.heard.Load()
		if version <= heard || e.heard.CompareAndSwap(heard, version) {
			return
		}
	}
}

// flights lets those who ask at the same time share a reading, but never one
// that began before they asked.
type flights struct {
	mu     sync.Mutex
	next   *flight
	flying bool
}

// flight is one reading of what an event missed.
type flight struct {
	done chan struct{}
	err  error
}

// flown waits for a reading that begins after the call.
func (a *Allocator) flown(ctx context.Context, e *entry) error {
	e.flights.mu.Lock()
	f := e.flights.next
	if f == nil {
		f = &flight{done: make(chan struct{})}
		e.flights.next = f
		if !e.flights.flying {
			e.flights.flying = true
			go a.fly(e)
		}
	}
	e.flights.mu.Unlock()
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// fly reads until nobody waits.
func (a *Allocator) fly(e *entry) {
	for {
		e.flights.mu.Lock()
		f := e.flights.next
		e.flights.next = nil
		if f == nil {
			e.flights.flying = false
			e.flights.mu.Unlock()
			return
		}
		e.flights.mu.Unlock()
		f.err = a.readOn(e)
		close(f.done)
	}
}

// readOn brings an event in memory up to what PostgreSQL has now.
func (a *Allocator) readOn(e *entry) error {
	ctx, cancel := context.WithTimeout(context.Background(), missedTimeout)
	defer cancel()
	for try := 1; ; try++ {
		known := e.known()
		if try == missedTries {
			known.Version = 0
		}
		missed, err := a.ledger.Missed(ctx, []Known{known})
		if err != nil {
			return ErrAway.After(time.Second).Because(err)
		}
		fresh, moved := missed[e.id]
		if !moved {
			return nil
		}
		took, err := a.takeOver(ctx, e, known, fresh)
		if err != nil || took || try == missedTries {
			return err
		}
	}
}

// known is the version that decisions are made on, zero where there is none.
func (e *entry) known() Known {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.inv == nil {
		return Known{EventID: e.id}
	}
	return Known{EventID: e.id, Version: e.inv.Version}
}

// takeOver hands what was read to the worker, who applies it between two
// batches, never backwards; false where the event was sold here meanwhile, so
// that what was read does not follow from what is in memory.
func (a *Allocator) takeOver(ctx context.Context, e *entry, known Known, fresh FreshEvent) (took bool, err error) {
	if fresh.Event.ID == uuid.Nil {
		a.Forget(e.id)
		return true, fault.ErrNotFound
	}
	var whole *Inventory
	if fresh.Reload {
		whole = fresh.inventory()
	}
	err = a.inside(ctx, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		stands, loaded := e.live.stands()
		switch {
		case !loaded: // forgotten meanwhile
			took = true
		case e.inv == nil && whole != nil && fresh.Event.Version >= stands:
			e.replace(whole)
			took = true
		case e.inv == nil:
		case fresh.Event.Version <= e.inv.Version:
			took = true
		case whole != nil:
			e.replace(whole)
			took = true
		case e.inv.Version == known.Version:
			e.follow(&fresh)
			took = true
		}
	})
	return took, err
}

// replace puts an inventory that was read whole in the place of the one in
// memory.
func (e *entry) replace(whole *Inventory) {
	if e.inv != nil {
		whole.newest = max(whole.newest, e.inv.newest)
	}
	e.inv = whole
	e.live.reset(whole)
}

// follow applies what another process has changed.
func (e *entry) follow(fresh *FreshEvent) {
	e.inv.catchUp(fresh)
	e.live.advance(e.inv, fresh.Changes, fresh.Blocks...)
}

// inside lets the worker run fn between two batches, while every inventory is
// what is committed, and waits for it.
func (a *Allocator) inside(ctx context.Context, fn func()) error {
	return a.submit(ctx, &request{inside: fn}).Err
}

// Follow keeps everything in memory up with other processes until ctx ends, so
// that what anybody is shown is at most seconds old, whatever else is away.
func (a *Allocator) Follow(ctx context.Context) {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := a.CatchUpAll(ctx); err != nil && ctx.Err() == nil {
				a.complain("booking: what other processes sold could not be read", err)
			}
		}
	}
}

// CatchUpAll brings everything in memory up to PostgreSQL, and forgets events
// that are no more.
func (a *Allocator) CatchUpAll(ctx context.Context) error {
	for page := range slices.Chunk(a.inMemory(), followPage) {
		byID := make(map[uuid.UUID]int, len(page))
		known := make([]Known, len(page))
		for i, e := range page {
			known[i] = e.known()
			if known[i].Version == 0 { // readers are shown it nevertheless
				known[i].Version, _ = e.live.stands()
			}
			byID[e.id] = i
		}
		reading, cancel := context.WithTimeout(ctx, missedTimeout)
		missed, err := a.ledger.Missed(reading, known)
		cancel()
		if err != nil {
			return fmt.Errorf("booking: follow: %w", err)
		}
		for id, fresh := range missed {
			i := byID[id]
			took, err := a.takeOver(ctx, page[i], known[i], fresh)
			if err == nil && !took {
				err = a.flown(ctx, page[i])
			}
			if err != nil && fresh.Event.ID != uuid.Nil {
				return fmt.Errorf("booking: follow: %w", err)
			}
		}
	}
	return nil
}

// Suspended tells which organizations are suspended and which are not any
// more, for what is in memory. Nothing is decided or shown on the old standing
// after it returns, save about events that are being read right now: it is to
// be called again until those are in memory, too.
func (a *Allocator) Suspended(ctx context.Context, standing map[uuid.UUID]bool) error {
	entries := a.inMemory()
	return a.inside(ctx, func() {
		for _, e := range entries {
			e.stand(standing)
		}
	})
}

// stand takes over the standing of the event's organization.
func (e *entry) stand(standing map[uuid.UUID]bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.live.mu.Lock()
	defer e.live.mu.Unlock()
	suspended, told := standing[e.live.orgID]
	if !told {
		return
	}
	e.live.settings.OrgSuspended = suspended
	if e.inv != nil {
		e.inv.OrgSuspended = suspended
	}
}

// inMemory lists the events whose Live readers may be shown.
func (a *Allocator) inMemory() []*entry {
	a.entriesMu.RLock()
	defer a.entriesMu.RUnlock()
	list := make([]*entry, 0, len(a.entries))
	for _, e := range a.entries {
		if _, loaded := e.live.stands(); loaded {
			list = append(list, e)
		}
	}
	return list
}

// sparse lets one complaint in complainEvery pass.
type sparse struct{ last atomic.Int64 }

// complain logs trouble that may come with every request, but not each time.
func (a *Allocator) complain(what string, err error) {
	now, last := time.Now().UnixNano(), a.complaint.last.Load()
	if now-last < int64(complainEvery) || !a.complaint.last.CompareAndSwap(last, now) {
		return
	}
	a.log.Warn(what, "error", err)
}
