//go:build engines

package redis_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/booking"
	"happening/internal/realtime"
	"happening/internal/redis"
	"happening/internal/testkit"
)

// stage is two processes on one Redis and one clock, and an event.
type stage struct {
	t        *testing.T
	server   *testkit.RedisServer
	now      *clock
	one, two *redis.Store
	event    uuid.UUID
}

func newStage(t *testing.T, settings ...string) *stage {
	s := &stage{t: t, server: testkit.Redis(t, settings...), now: newClock(), event: uuid.New()}
	o := redis.Options{Now: s.now.Now, RedisTime: s.now.Now}
	s.one, s.two = open(t, s.server.URL, o).Unhurried(), open(t, s.server.URL, o).Unhurried()
	return s
}

func (s *stage) version(of *redis.Store) realtime.Stand {
	s.t.Helper()
	v, err := of.Version(s.t.Context(), s.event)
	if err != nil {
		s.t.Fatal(err)
	}
	return v
}

func (s *stage) next(of *redis.Store, sale int64) realtime.Stand {
	s.t.Helper()
	v, err := of.Next(s.t.Context(), s.event, sale)
	if err != nil {
		s.t.Fatal(err)
	}
	return v
}

func (s *stage) settle(of *redis.Store, version int64) {
	s.t.Helper()
	if err := of.Settle(s.t.Context(), booking.Sale{EventID: s.event, Version: version, Taken: -1}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) sell(of *redis.Store, version int64, seats ...int32) {
	s.t.Helper()
	if err := of.Settle(s.t.Context(), booking.Sale{EventID: s.event, Version: version, Sold: seats, Taken: int32(len(seats))}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) place(of *redis.Store, seats ...int32) {
	s.t.Helper()
	if _, err := of.Place(s.t.Context(), booking.Placement{EventID: s.event, UserID: uuid.New(), Seats: seats}); err != nil {
		s.t.Fatal(err)
	}
}

// anew asserts whether both processes see an epoch that began after before.
func (s *stage) anew(before realtime.Stand, want bool) realtime.Stand {
	s.t.Helper()
	v, other := s.version(s.two), s.version(s.one)
	if v.Version != other.Version {
		s.t.Fatalf("two processes are at %v and %v", other, v)
	}
	if (v.Epoch != before.Epoch) != want {
		s.t.Fatalf("version %v after %v: a new epoch was %v", v.Version, before.Version, !want)
	}
	return v
}

// TestEpochEndsWithTheStore loses the key, and the whole store.
func TestEpochEndsWithTheStore(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	control := s.server.Client()
	first := s.next(s.one, 0)
	s.server.Do(control, "DEL", "event:{"+s.event.String()+"}:live")
	second := s.anew(first, true)
	s.next(s.one, 0)
	s.server.Do(control, "FLUSHALL")
	third := s.anew(second, true)
	s.anew(third, false)
}

// TestEpochEndsWhereTheStoreGoesBack is a failover that loses the last deltas:
// n would be given out twice.
func TestEpochEndsWhereTheStoreGoesBack(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	control := s.server.Client()
	live := "event:{" + s.event.String() + "}:live"
	for range 5 {
		s.next(s.one, 0)
	}
	before := s.version(s.two)
	s.server.Do(control, "HSET", live, "n", "3")
	after := s.anew(before, true)
	// Another server, which the process that counted is dead to tell of.
	s.server.Do(control, "HSET", live, "run", "0123456789abcdef")
	s.anew(after, true)
}

// TestEpochEndsWhenASaleIsMissing has a process commit and die before it
// settles.
func TestEpochEndsWhenASaleIsMissing(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.settle(s.one, 5)
	before := s.next(s.one, 5)
	// Out of order, and then complete: nothing was missed.
	s.settle(s.one, 7)
	s.settle(s.one, 8)
	s.now.Advance(redis.GapPatience - time.Millisecond)
	s.settle(s.two, 6)
	s.next(s.one, 8)
	s.next(s.two, 6)
	s.now.Advance(time.Minute)
	if v := s.anew(before, false); v.Sale != 8 {
		t.Fatalf("settled is %d, want 8", v.Sale)
	}
	// 9 never comes.
	s.settle(s.one, 10)
	s.next(s.one, 10)
	s.now.Advance(redis.GapPatience)
	s.anew(before, false)
	s.now.Advance(2 * time.Millisecond)
	after := s.anew(before, true)
	if after.Sale != 10 {
		t.Fatalf("settled is %d, want 10", after.Sale)
	}
	// What comes late, or next, ends no further epoch.
	s.settle(s.one, 9)
	s.settle(s.one, 11)
	s.next(s.one, 11)
	s.now.Advance(time.Minute)
	s.anew(after, false)
}

// TestASaleThatIsSeenIsKnownToAll shows what was committed and not settled yet
// over one process: the other knows of it from then on. When it is settled, no
// epoch ends; when its process has died before, one does.
func TestASaleThatIsSeenIsKnownToAll(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.settle(s.one, 5)
	before := s.next(s.one, 5)
	seen := func(sale int64) {
		t.Helper()
		if err := s.one.Seen(t.Context(), s.event, sale); err != nil {
			t.Fatal(err)
		}
		if v := s.anew(before, false); v.Sale != sale || v.N != before.N {
			t.Fatalf("after %d was seen the other process knows of %d, delta %d after %d", sale, v.Sale, v.N, before.N)
		}
	}
	seen(6)
	s.settle(s.one, 6)
	before = s.next(s.one, 6)
	s.now.Advance(time.Minute)
	s.anew(before, false)
	seen(7)
	s.now.Advance(redis.GapPatience + 2*time.Millisecond)
	s.anew(before, true)
}

// TestEpochEndsWhenPostgreSQLIsAhead learns of a lost sale from a comparison.
func TestEpochEndsWhenPostgreSQLIsAhead(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.settle(s.one, 5)
	before := s.next(s.one, 5)
	if _, err := s.two.Compare(t.Context(), []booking.Figures{{EventID: s.event, Version: 6, Available: 1}}); err != nil {
		t.Fatal(err)
	}
	if v := s.anew(before, false); v.Sale != 6 {
		t.Fatalf("settled is %d, want what the comparison knew", v.Sale)
	}
	s.now.Advance(redis.GapPatience + 2*time.Millisecond)
	s.anew(before, true)
}

// TestEpochEndsWhenAChangeIsNotTold has a process change something and die
// before it publishes, in each way of changing.
func TestEpochEndsWhenAChangeIsNotTold(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*stage){
		"place":  func(s *stage) { s.place(s.one, 1) },
		"settle": func(s *stage) { s.sell(s.one, 3, 7) },
		"sold": func(s *stage) {
			if err := s.one.Settle(s.t.Context(), booking.Sale{EventID: s.event, Version: 4, Sold: []int32{9}}); err != nil {
				s.t.Fatal(err)
			}
		},
		"end": func(s *stage) {
			s.place(s.one, 1)
			s.next(s.one, 0)
			s.now.Advance(redis.DefaultHoldTTL)
			s.one.Sweep(s.t.Context())
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			before := s.version(s.two)
			change(s)
			s.now.Advance(redis.Stale)
			s.anew(before, false)
			s.next(s.two, 0) // another's delta does not tell of it
			s.now.Advance(2 * time.Millisecond)
			after := s.anew(before, true)
			s.now.Advance(time.Minute)
			s.anew(after, false)
			// The control: a change that is told of ends nothing.
			change(s)
			s.next(s.one, 0)
			s.now.Advance(redis.DefaultHoldTTL - time.Millisecond)
			s.anew(after, false)
		})
	}
}

// TestNoDeltaIsOwedForTheWaitlist: who joins it changes no seat, so that no
// delta follows and none is missed.
func TestNoDeltaIsOwedForTheWaitlist(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	before := s.version(s.two)
	if err := s.one.Settle(t.Context(), booking.Sale{EventID: s.event, Version: 1, Joined: []uuid.UUID{uuid.New()}}); err != nil {
		t.Fatal(err)
	}
	s.now.Advance(time.Minute)
	s.anew(before, false)
}

// TestSaleWithoutSeatsOwesNothing is somebody who joins the queue: there is no
// delta that could tell of it.
func TestSaleWithoutSeatsOwesNothing(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	before := s.version(s.two)
	if err := s.one.Settle(t.Context(), booking.Sale{EventID: s.event, Version: 4, Joined: []uuid.UUID{uuid.New()}}); err != nil {
		t.Fatal(err)
	}
	s.now.Advance(time.Minute)
	s.anew(before, false)
}

// TestWatched lasts while somebody looks on, and RecoveryWindow longer.
func TestWatched(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	ctx, here, there := t.Context(), s.one.Presence(), s.two.Presence()
	if s.version(s.one).Watched {
		t.Fatal("nobody looks on")
	}
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	viewers := func(want int) {
		t.Helper()
		for _, p := range []*redis.Presence{here, there} {
			if n, err := p.Viewers(ctx, s.event); err != nil || n != want {
				t.Fatalf("%d viewers, want %d: %v", n, want, err)
			}
		}
	}
	do(here.Join(ctx, s.event, "ann"))
	do(there.Join(ctx, s.event, "ann"))
	do(there.Join(ctx, s.event, "bob"))
	viewers(2)
	if !s.version(s.one).Watched || !s.next(s.two, 0).Watched {
		t.Fatal("somebody looks on")
	}
	do(there.Leave(ctx, s.event, "bob"))
	viewers(1)
	// One process renews and the other has died.
	for range 6 {
		s.now.Advance(redis.RenewEvery)
		do(here.Renew(ctx, map[uuid.UUID][]string{s.event: {"ann", "cid"}}, nil))
	}
	viewers(2)
	s.now.Advance(4 * redis.RenewEvery)
	viewers(0)
	if !s.version(s.one).Watched {
		t.Fatal("not watched any more so soon after the last viewer")
	}
	control := s.server.Client()
	left := s.server.Do(control, "EVAL", "return redis.call('PTTL', KEYS[1])", "1", "event:{"+s.event.String()+"}:viewers")
	if d, err := time.ParseDuration(left + "ms"); err != nil || d > realtime.RecoveryWindow+redis.RenewEvery || d < realtime.RecoveryWindow {
		t.Fatalf("the viewers' key ends in %v: %v", d, err)
	}

	ann, bob := uuid.New(), uuid.New()
	do(here.Listen(ctx, ann))
	if on, err := there.Listening(ctx, ann); err != nil || !on {
		t.Fatalf("listening: %v, %v", on, err)
	}
	do(here.Renew(ctx, nil, []uuid.UUID{bob}))
	if all, err := there.ListeningAll(ctx, []uuid.UUID{uuid.New(), bob, ann}); err != nil || all[0] || !all[1] || !all[2] {
		t.Fatalf("listening: %v, %v", all, err)
	}
}

// TestNothingStaysForEver goes through all that writes and looks for keys
// without an end.
func TestNothingStaysForEver(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	ctx := t.Context()
	s.place(s.one, 1, 2)
	user := uuid.New()
	if err := s.one.Pin(ctx, uuid.New(), user); err != nil {
		t.Fatal(err)
	}
	long := make([]uuid.UUID, 1500)
	for i := range long {
		long[i] = uuid.New()
	}
	for i, waiting := range [][]uuid.UUID{nil, {user}, long} {
		f := booking.Figures{EventID: uuid.New(), Version: 3, Available: 4, Waitlist: waiting}
		if _, err := s.one.Compare(ctx, []booking.Figures{f}); err != nil {
			t.Fatal(err)
		}
		sale := booking.Sale{EventID: f.EventID, Version: int64(4 + 3*i), Sold: []int32{1}, Joined: []uuid.UUID{user}, Figures: func() booking.Figures { return f }}
		if err := s.one.Settle(ctx, sale); err != nil {
			t.Fatal(err)
		}
	}
	// A process that compares and dies before it writes, and one that only asks.
	if err := s.one.AskMirror(ctx, booking.Figures{EventID: uuid.New(), Version: 3, Available: 4}); err != nil {
		t.Fatal(err)
	}
	absent := uuid.New()
	if newest, err := s.one.Newest(ctx, absent); err != nil || newest != 0 {
		t.Fatalf("newest of nothing is %d, %v", newest, err)
	}
	if there := s.server.Do(s.server.Client(), "EXISTS", "event:{"+absent.String()+"}:live"); there != "0" {
		t.Fatal("asking for the newest version left a key")
	}
	s.next(s.one, 5)
	s.version(s.two)
	s.one.Lock(ctx, s.event, user, 1)
	s.one.Limiter("x", 5, 5, closed{}).Allow("k")
	p := s.one.Presence()
	if err := p.Join(ctx, s.event, "v"); err != nil {
		t.Fatal(err)
	}
	if err := p.Renew(ctx, map[uuid.UUID][]string{uuid.New(): {"w"}}, []uuid.UUID{user}); err != nil {
		t.Fatal(err)
	}
	s.one.Sweep(ctx)
	control := s.server.Client()
	eternal, err := control.Do(ctx, control.B().Eval().Script(`
		local eternal = {}
		for _, key in ipairs(redis.call('KEYS', '*')) do
			if redis.call('PTTL', key) == -1 then eternal[#eternal + 1] = key end
		end
		return eternal`).Numkeys(0).Build()).AsStrSlice()
	if err != nil || len(eternal) > 0 {
		t.Fatalf("keys without an end: %v, %v", eternal, err)
	}
	if n := s.server.Do(control, "DBSIZE"); n < "15" || len(n) != 2 {
		t.Fatalf("%s keys: the test looks at less than it thinks", n)
	}
}
