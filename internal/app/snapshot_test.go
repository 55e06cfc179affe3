package app

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/booking"
	"happening/internal/event"
	"happening/internal/httpapi"
	"happening/internal/memory"
	"happening/internal/realtime"
)

// desk is the least that an allocator sells from: one event, nothing written.
type desk struct {
	booking.Ledger
	event event.Event
}

func (d *desk) Load(context.Context, uuid.UUID) (booking.FreshEvent, error) {
	return booking.FreshEvent{Event: d.event, Reload: true}, nil
}

func (d *desk) Commit(context.Context, *booking.Batch) error { return nil }

// hall is an event with its seats, as the process has them in memory.
type hall struct {
	seats *seats
	holds *memory.Holds
	live  *booking.Live
	alloc *booking.Allocator
	id    uuid.UUID
}

func newHall(t testing.TB, slots int32) *hall {
	t.Helper()
	return newHallOf(t, slots, func(m *memory.Holds) booking.HoldStore { return m })
}

// newHallOf sells beside a holds' store that the caller has its hands on.
func newHallOf(t testing.TB, slots int32, over func(*memory.Holds) booking.HoldStore) *hall {
	t.Helper()
	start := time.Now().Add(time.Hour)
	d := &desk{event: event.Event{ID: uuid.New(), OrgID: uuid.New(), Version: 1, Settings: event.Settings{
		TotalSlots: slots, StartsAt: start, EndsAt: start.Add(time.Hour), TimeZone: "UTC", Visibility: event.Public, WaitlistPolicy: event.Strict,
	}}}
	holds := memory.NewHolds(memory.HoldsOptions{Now: time.Now})
	alloc := booking.NewAllocator(d, over(holds), time.Now, slog.New(slog.DiscardHandler), func(booking.Committed) {})
	go alloc.Run()
	t.Cleanup(func() {
		if err := alloc.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	live, err := alloc.Live(context.Background(), d.event.ID)
	if err != nil {
		t.Fatal(err)
	}
	return &hall{seats: &seats{alloc: alloc, holds: holds, versions: holds, snapshots: newSnapshots()}, holds: holds, live: live, alloc: alloc, id: d.event.ID}
}

func (h *hall) snapshot(t testing.TB) *httpapi.SeatSnapshot {
	t.Helper()
	snap, err := h.seats.Snapshot(context.Background(), h.live)
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

func (h *hall) sell(t testing.TB, seats ...int32) booking.Booking {
	t.Helper()
	a := h.alloc.Do(context.Background(), h.id, uuid.New(), booking.Key{}, booking.Book{UserID: uuid.New(), Seats: int32(len(seats)), SeatNumbers: seats})
	if a.Err != nil {
		t.Fatal(a.Err)
	}
	return a.Booking
}

// TestASnapshotIsSharedUntilSomethingChanges changes what a snapshot shows in
// each of the ways there are: all who ask between two changes share one, and
// nobody is given one from before a change.
func TestASnapshotIsSharedUntilSomethingChanges(t *testing.T) {
	t.Parallel()
	h := newHall(t, 100)
	me := uuid.New()
	last := h.snapshot(t)
	for i, c := range []struct {
		name  string
		do    func()
		seat  int32
		state uint8
	}{
		{"a sale", func() { h.sell(t, 3) }, 3, realtime.Booked},
		{"a hold", func() { h.hold(t, me, 5) }, 5, realtime.Held},
		{"another hold", func() { h.hold(t, me, 6) }, 5, realtime.Free},
		{"a hold's release", func() { h.hold(t, me) }, 6, realtime.Free},
		{"the first hold again", func() { h.hold(t, me, 5) }, 5, realtime.Held},
		{"a delta's version", func() {
			if _, err := h.holds.Next(context.Background(), h.id, 0); err != nil {
				t.Fatal(err)
			}
		}, 5, realtime.Held},
		{"another sale", func() { h.sell(t, 7, 8) }, 8, realtime.Booked},
	} {
		if h.snapshot(t) != last {
			t.Errorf("before %s: a snapshot was made although nothing had changed", c.name)
		}
		c.do()
		next := h.snapshot(t)
		if next == last || next.ETag == last.ETag {
			t.Errorf("%s: the snapshot from before it was shown (%d)", c.name, i)
		}
		if got := realtime.StateAt(next.Packed, c.seat); got != c.state {
			t.Errorf("%s: seat %d is in state %d instead of %d", c.name, c.seat, got, c.state)
		}
		last = next
	}
	if last.Available != 97 || last.Total != 100 {
		t.Errorf("%d of %d seats are left", last.Available, last.Total)
	}
}

func (h *hall) hold(t testing.TB, who uuid.UUID, seats ...int32) {
	t.Helper()
	_, err := h.holds.Place(context.Background(), booking.Placement{EventID: h.id, UserID: who, Seats: seats, SaleVersion: h.live.Version()})
	if err != nil {
		t.Fatal(err)
	}
}

// slow is a holds' store that is told of a sale when the test lets it be.
type slow struct {
	*memory.Holds
	asked, told chan struct{}
}

func (s *slow) Settle(ctx context.Context, sale booking.Sale) error {
	s.asked <- struct{}{}
	<-s.told
	return s.Holds.Settle(ctx, sale)
}

// everywhere is a store of versions that was told of all that is sold.
type everywhere struct {
	realtime.Versions
	live *booking.Live
}

func (e everywhere) Version(ctx context.Context, eventID uuid.UUID) (realtime.Stand, error) {
	stand, err := e.Versions.Version(ctx, eventID)
	stand.Sale = e.live.Version()
	return stand, err
}

// TestNobodyIsShownASaleBeforeAllProcessesCanKnow shows a map between a sale's
// commit and the moment at which the other processes are told of it. What the
// map shows is made known to them first, or it does not claim to be live: else
// the next map, from another process, would show the seat free again.
func TestNobodyIsShownASaleBeforeAllProcessesCanKnow(t *testing.T) {
	t.Parallel()
	held := &slow{asked: make(chan struct{}), told: make(chan struct{})}
	h := newHallOf(t, 100, func(m *memory.Holds) booking.HoldStore { held.Holds = m; return held })
	var known []int64
	var away error
	h.seats.seen = func(_ context.Context, _ uuid.UUID, sale int64) error {
		known = append(known, sale)
		return away
	}
	sold := make(chan booking.Answer)
	go func() {
		sold <- h.alloc.Do(context.Background(), h.id, uuid.New(), booking.Key{}, booking.Book{UserID: uuid.New(), Seats: 1, SeatNumbers: []int32{3}})
	}()
	<-held.asked
	shown := h.snapshot(t)
	if got := realtime.StateAt(shown.Packed, 3); got != realtime.Booked {
		t.Errorf("seat 3 is in state %d: the moment that this is about was missed", got)
	}
	if want := []int64{h.live.Version()}; !slices.Equal(known, want) || !shown.Live {
		t.Errorf("made known: %v instead of %v; live: %v", known, want, shown.Live)
	}
	away = booking.ErrAway
	if h.snapshot(t).Live {
		t.Error("a map that shows what nobody else can know claims to be live")
	}
	away = nil
	close(held.told)
	if a := <-sold; a.Err != nil {
		t.Fatal(a.Err)
	}
	known = nil
	h.seats.versions = everywhere{h.holds, h.live}
	if h.snapshot(t); len(known) > 0 {
		t.Errorf("%v made known although everybody knows", known)
	}
}

// TestSnapshotsAreBoundedByTheirSeats keeps those of large events only as long
// as there is room.
// A seat more makes another map, also where its states lie in a byte that was
// there before and no delta has moved the version yet.
func TestASeatMoreIsAnotherSnapshot(t *testing.T) {
	t.Parallel()
	version := realtime.Version{Epoch: "e", N: 7}
	tag := func(slots int32) string {
		h := newHall(t, slots)
		return h.seats.take(h.live, version, nil, true).ETag
	}
	if fewer, more := tag(21), tag(22); fewer == more {
		t.Errorf("both have the tag %s", more)
	}
}

func TestSnapshotsAreBoundedByTheirSeats(t *testing.T) {
	t.Parallel()
	s := newSnapshots()
	const large = 1_000_000
	for range 3 * maxSnapshotSeats / large {
		id := uuid.New()
		for version := range int64(2) { // the second takes the place of the first
			s.keep(id, taken{SeatSnapshot: &httpapi.SeatSnapshot{Total: large}, sale: version})
		}
	}
	if s.seats > maxSnapshotSeats || s.taken.Len() != maxSnapshotSeats/large {
		t.Errorf("%d seats of %d events are kept", s.seats, s.taken.Len())
	}
	for range 2 * maxSnapshots {
		s.keep(uuid.New(), taken{SeatSnapshot: &httpapi.SeatSnapshot{Total: 10}})
	}
	if s.taken.Len() != maxSnapshots || s.seats != 10*maxSnapshots {
		t.Errorf("%d seats of %d events are kept", s.seats, s.taken.Len())
	}
}

// BenchmarkSnapshot reads the map of 20,000 seats and of a million, while
// nothing changes and with a sale before each reading.
func BenchmarkSnapshot(b *testing.B) {
	for _, slots := range []int32{20_000, 1_000_000} {
		for _, changing := range []bool{false, true} {
			name := map[bool]string{false: "still", true: "changing"}[changing]
			b.Run(name+"/"+time.Duration(slots).String(), func(b *testing.B) {
				h := newHall(b, slots)
				seat := int32(0)
				b.ReportAllocs()
				for b.Loop() {
					if changing {
						b.StopTimer()
						seat = seat%slots + 1
						if seat == 1 && b.N > 1 {
							h = newHall(b, slots)
						}
						h.sell(b, seat)
						b.StartTimer()
					}
					h.snapshot(b)
				}
			})
		}
	}
}
