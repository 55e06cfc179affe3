package memory_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"happening/internal/booking"
	"happening/internal/booking/holdtest"
	"happening/internal/memory"
)

// clock stands still until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 29, 0, 59, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func TestHoldsContract(t *testing.T) {
	t.Parallel()
	holdtest.Run(t, bench)
}

func TestVersionsContract(t *testing.T) {
	t.Parallel()
	holdtest.RunVersions(t, bench)
}

func TestSubmitLockContract(t *testing.T) {
	t.Parallel()
	holdtest.RunSubmitLock(t, func(*testing.T) booking.SubmitLock { return memory.NewSubmitLock() })
}

func TestLimiterContract(t *testing.T) {
	t.Parallel()
	holdtest.RunLimiter(t, func(*testing.T) holdtest.LimitBench {
		now := newClock()
		return holdtest.LimitBench{
			Open: func(_ string, rate, burst int) holdtest.Limiter {
				return memory.NewLimiter[string](rate, burst, now.Now)
			},
			Advance: now.Advance,
		}
	})
}

// bench puts an empty store on a clock of its own.
func bench(*testing.T) holdtest.Bench {
	var (
		mu      sync.Mutex
		changes []holdtest.Change
		gone    []holdtest.Expiry
		now     = newClock()
	)
	holds := memory.NewHolds(memory.HoldsOptions{
		Now: now.Now,
		Changed: func(eventID uuid.UUID, seats []int32) {
			mu.Lock()
			defer mu.Unlock()
			changes = append(changes, holdtest.Change{EventID: eventID, Seats: seats})
		},
		Expired: func(eventID, userID uuid.UUID, seats []int32) {
			mu.Lock()
			defer mu.Unlock()
			gone = append(gone, holdtest.Expiry{EventID: eventID, UserID: userID, Seats: seats})
		},
	})
	return holdtest.Bench{
		Store: holds, TTL: memory.DefaultHoldTTL, Now: now.Now,
		Advance: func(d time.Duration) { now.Advance(d); holds.Sweep() },
		Changed: func() []holdtest.Change {
			mu.Lock()
			defer mu.Unlock()
			defer func() { changes = nil }()
			return changes
		},
		Expired: func() []holdtest.Expiry {
			mu.Lock()
			defer mu.Unlock()
			defer func() { gone = nil }()
			return gone
		},
	}
}

func TestRunEndsHoldsOnTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan time.Time, 1)
		holds := memory.NewHolds(memory.HoldsOptions{
			Now: time.Now, TTL: time.Minute,
			Expired: func(uuid.UUID, uuid.UUID, []int32) { ended <- time.Now() },
		})
		go holds.Run(t.Context())
		synctest.Wait()
		start := time.Now()
		if _, err := holds.Place(t.Context(), booking.Placement{EventID: uuid.New(), UserID: uuid.New(), Seats: []int32{3}}); err != nil {
			t.Fatal(err)
		}
		if took := (<-ended).Sub(start); took != time.Minute {
			t.Fatalf("ended after %v", took)
		}
	})
}

func TestVersionsCountAndStartAnew(t *testing.T) {
	t.Parallel()
	now := newClock()
	holds := memory.NewHolds(memory.HoldsOptions{Now: now.Now})
	event := uuid.New()
	first, err := holds.Version(t.Context(), event)
	if err != nil || first.N != 0 || first.Epoch == "" {
		t.Fatalf("first version %v: %v", first, err)
	}
	for want := int64(1); want <= 3; want++ {
		v, err := holds.Next(t.Context(), event, 10+want)
		if err != nil || v.N != want || v.Epoch != first.Epoch {
			t.Fatalf("next version %v: %v", v, err)
		}
	}
	if err := holds.Settle(t.Context(), booking.Sale{EventID: event, Version: 12}); err != nil || holds.SaleVersion(event) != 13 {
		t.Fatalf("sale version %d: %v", holds.SaleVersion(event), err)
	}
	now.Advance(time.Hour)
	holds.Sweep()
	if v, _ := holds.Version(t.Context(), event); v.N != 3 || v.Epoch != first.Epoch {
		t.Fatalf("version after an hour: %v", v)
	}
	now.Advance(2 * time.Hour)
	holds.Sweep()
	if v, _ := holds.Version(t.Context(), event); v.N != 0 || v.Epoch == first.Epoch {
		t.Fatalf("an idle event came back as %v, which an old snapshot could be mistaken for", v)
	}
	if other, _ := memory.NewHolds(memory.HoldsOptions{Now: now.Now}).Version(t.Context(), event); other.Epoch == first.Epoch {
		t.Fatal("another process has the same epoch")
	}
}

func BenchmarkViewUnchanged(b *testing.B) {
	holds := memory.NewHolds(memory.HoldsOptions{Now: time.Now})
	events := make([]uuid.UUID, 200)
	for i := range events {
		events[i] = uuid.New()
		if _, err := holds.Place(b.Context(), booking.Placement{EventID: events[i], UserID: uuid.New(), Seats: []int32{1}}); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if _, err := holds.View(b.Context(), events); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPlaceAmongManyHolds(b *testing.B) {
	holds := memory.NewHolds(memory.HoldsOptions{Now: time.Now})
	event := uuid.New()
	for seat := range int32(20_000) {
		if _, err := holds.Place(b.Context(), booking.Placement{EventID: event, UserID: uuid.New(), Seats: []int32{seat + 1}}); err != nil {
			b.Fatal(err)
		}
	}
	user, i := uuid.New(), int32(0)
	for b.Loop() {
		i = 20_001 + (i+1)%500
		if _, err := holds.Place(b.Context(), booking.Placement{EventID: event, UserID: user, Seats: []int32{i}}); err != nil {
			b.Fatal(err)
		}
		if _, err := holds.View(b.Context(), []uuid.UUID{event}); err != nil {
			b.Fatal(err)
		}
	}
}
