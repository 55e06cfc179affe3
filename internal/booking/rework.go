package booking

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
)

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
		e.inv, e.changed, e.edited = nil, nil, false
		e.mu.Unlock()
	}
}

func knownOf(entries []*entry) []Known {
	known := make([]Known, len(entries))
	for i, e := range entries {
		known[i].EventID = e.id
		// An edit whose outcome is unknown can't be undone: the event is read
		// whole.
		if e.inv != nil && !e.edited {
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
	deadline := oldest(batch).Add(awayPatience)
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

// oldest is since when the longest waiting of a batch has waited: who queued
// behind an outage does not wait it out twice.
func oldest(batch []*request) time.Time {
	since := time.Now()
	for _, r := range batch {
		if r.at.Before(since) {
			since = r.at
		}
	}
	return since
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
		case e.inv == nil || e.edited:
			e.replace(fresh.inventory())
		case fresh.Event.Version == e.inv.Version:
			// Whether the organization is suspended moves no version.
			e.inv.describe(&fresh.Event)
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
			current.Layout = e.inv.layout
			e.inv.row = &current
			// Under the lock nothing newer can be there.
			if heard := e.heard.Load(); heard > e.inv.Version {
				e.heard.CompareAndSwap(heard, e.inv.Version)
			}
		}
		e.mu.Unlock()
	}
}
