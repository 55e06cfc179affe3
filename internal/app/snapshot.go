package app

import (
	"context"
	"strconv"
	"sync"

	"github.com/cespare/xxhash/v2"
	"github.com/google/uuid"
	"github.com/hashicorp/golang-lru/v2/simplelru"

	"happening/internal/booking"
	"happening/internal/httpapi"
	"happening/internal/realtime"
)

// awayEpoch stands for the epoch of a map that is not live. No delta has it,
// so that whoever has such a map fetches it again.
const awayEpoch = "away"

// Snapshot implements httpapi.Seats: the version is read before the states,
// so that a client that applies later deltas misses nothing. While holds and
// versions are away it tells what is sold, and that it is not live. What was
// made of the same version, sales and holds is given again.
//
// What is committed is shown here before the store of versions has been told of
// it, or by another process that has read it. The store is told before anybody is
// shown it, so that nobody is shown a seat sold and then free in another process.
func (s *seats) Snapshot(ctx context.Context, live *booking.Live) (*httpapi.SeatSnapshot, error) {
	eventID := live.EventID()
	stand, err := s.versions.Version(ctx, eventID)
	if err == nil && live.Version() < stand.Sale {
		if live, err = s.alloc.CatchUp(ctx, eventID, stand.Sale); err != nil {
			return nil, err
		}
	}
	sale := live.Version()
	var view booking.HoldView
	if err == nil {
		err = s.showing(ctx, eventID, stand.Sale, sale)
	}
	if err == nil {
		view, err = s.view(ctx, eventID)
	}
	if err != nil {
		return s.take(live, realtime.Version{Epoch: awayEpoch, N: sale}, nil, false).SeatSnapshot, nil
	}
	if kept := s.snapshots.find(eventID, stand.Version, sale, view); kept != nil {
		return kept, nil
	}
	held := make([]int32, 0, len(view.Holders))
	for n := range view.Holders {
		held = append(held, n)
	}
	made := s.take(live, stand.Version, held, true)
	if err := s.showing(ctx, eventID, max(stand.Sale, sale), made.sale); err != nil {
		return s.take(live, realtime.Version{Epoch: awayEpoch, N: made.sale}, nil, false).SeatSnapshot, nil
	}
	made.view = view
	return s.snapshots.keep(eventID, made), nil
}

// showing makes a sale known that is newer than what every process knows of.
func (s *seats) showing(ctx context.Context, eventID uuid.UUID, known, sale int64) error {
	if s.seen == nil || sale <= known {
		return nil
	}
	return s.seen(ctx, eventID, sale)
}

// take reads the states as they are.
func (s *seats) take(live *booking.Live, version realtime.Version, held []int32, isLive bool) taken {
	total, sold, blocked, e := live.Seats()
	packed := realtime.PackSets(int(total), sold, blocked, held)
	return taken{version: version, sale: e.Version, SeatSnapshot: &httpapi.SeatSnapshot{
		Version: version.String(), Live: isLive, Total: total, Available: e.Available, Packed: packed,
		// One seat more may lie in the same byte, and moves the version only after
		// the answer that made it.
		ETag: version.String() + "." + strconv.Itoa(int(total)) + "." + strconv.FormatUint(xxhash.Sum64(packed), 36),
	}}
}

const (
	// maxSnapshots bounds the events of which a snapshot is kept, and
	// maxSnapshotSeats their seats together: each is there as it was read and
	// as it is written, about a byte a seat.
	maxSnapshots     = 1_024
	maxSnapshotSeats = 32_000_000
)

// snapshots keeps the newest snapshot of each event that is looked at, so that
// all who ask between two changes share one.
type snapshots struct {
	mu    sync.Mutex
	taken *simplelru.LRU[uuid.UUID, taken]
	seats int // of all that are kept
}

// taken is a snapshot with what it was made of.
type taken struct {
	*httpapi.SeatSnapshot
	version realtime.Version
	sale    int64
	view    booking.HoldView
}

func (t *taken) of(version realtime.Version, sale int64, view booking.HoldView) bool {
	return t.version == version && t.sale == sale && t.view.Same(view)
}

func newSnapshots() *snapshots {
	s := &snapshots{}
	kept, err := simplelru.NewLRU(maxSnapshots, func(_ uuid.UUID, t taken) { s.seats -= int(t.Total) })
	if err != nil {
		panic(err) // the size is a constant above zero
	}
	s.taken = kept
	return s
}

// find gives the event's snapshot if it was made of the same; else nil.
func (s *snapshots) find(eventID uuid.UUID, version realtime.Version, sale int64, view booking.HoldView) *httpapi.SeatSnapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t, ok := s.taken.Get(eventID); ok && t.of(version, sale, view) {
		return t.SeatSnapshot
	}
	return nil
}

// keep keeps a snapshot unless somebody else has made the same meanwhile, or
// one of a later sale, and gives the one to show.
func (s *snapshots) keep(eventID uuid.UUID, made taken) *httpapi.SeatSnapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t, ok := s.taken.Get(eventID); ok {
		switch {
		case t.sale > made.sale:
			return made.SeatSnapshot
		case t.of(made.version, made.sale, made.view):
			return t.SeatSnapshot
		}
		s.taken.Remove(eventID)
	}
	s.taken.Add(eventID, made)
	for s.seats += int(made.Total); s.seats > maxSnapshotSeats && s.taken.Len() > 1; {
		s.taken.RemoveOldest()
	}
	return made.SeatSnapshot
}
