package memory

import (
	"context"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"

	"happening/internal/booking"
	"happening/internal/realtime"
)

const (
	// versionIdle is how long an event's version is kept after it was last
	// asked for. While an event is watched it is asked for every few seconds;
	// a client that comes back later meets a new epoch and fetches again.
	versionIdle = time.Hour
	// versionSweepEvery is how often idle versions are looked for.
	versionSweepEvery = 10 * time.Minute
	epochBase         = 36
)

// versions counts the changes of each event's seats. It lives and dies with
// the process, and with it the holds: a new process is a new epoch.
type versions struct {
	now func() time.Time

	mu        sync.Mutex
	events    map[uuid.UUID]*counter
	nextSweep time.Time
}

type counter struct {
	realtime.Version
	sale int64 // the last sale version seen
	used time.Time
}

func newVersions(now func() time.Time) *versions {
	return &versions{now: now, events: map[uuid.UUID]*counter{}}
}

// Version gives the event's live version: that of the last delta.
func (v *versions) Version(_ context.Context, eventID uuid.UUID) (realtime.Stand, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.counter(eventID).stand(), nil
}

// Next moves the live version by one, for a delta that is about to be
// published. The sale version is noted if it is newer than the one seen; in
// one process every commit passes here, so that it is never found to be ahead.
func (v *versions) Next(_ context.Context, eventID uuid.UUID, saleVersion int64) (realtime.Stand, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	c := v.counter(eventID)
	c.N++
	c.sale = max(c.sale, saleVersion)
	return c.stand(), nil
}

// stand gives no sale version: in one process all that is settled is in memory.
func (c *counter) stand() realtime.Stand { return realtime.Stand{Version: c.Version} }

// SaleVersion gives the newest sale version that was noted for the event, for
// the operator's page and for tests; zero where none was.
func (v *versions) SaleVersion(eventID uuid.UUID) int64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	if c := v.events[eventID]; c != nil {
		return c.sale
	}
	return 0
}

// settled writes the newest sale versions into views of the events.
func (v *versions) settled(eventIDs []uuid.UUID, views []booking.HoldView) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for i, id := range eventIDs {
		if c := v.events[id]; c != nil {
			views[i].SaleVersion = c.sale
		}
	}
}

func (v *versions) note(eventID uuid.UUID, saleVersion int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	c := v.counter(eventID)
	c.sale = max(c.sale, saleVersion)
}

func (v *versions) counter(eventID uuid.UUID) *counter {
	c := v.events[eventID]
	if c == nil {
		c = &counter{Version: realtime.Version{Epoch: strconv.FormatUint(rand.Uint64(), epochBase)}}
		v.events[eventID] = c
	}
	c.used = v.now()
	return c
}

func (v *versions) sweep() {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := v.now()
	if now.Before(v.nextSweep) {
		return
	}
	v.nextSweep = now.Add(versionSweepEvery)
	for id, c := range v.events {
		if now.Sub(c.used) > versionIdle {
			delete(v.events, id)
		}
	}
}
