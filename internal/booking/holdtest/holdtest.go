// Package holdtest is the contract of booking.HoldStore as tests. Every
// implementation passes it, in the process's memory and on Redis alike.
package holdtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/booking"
)

// Bench is a store under test with the clock that it lives by. Time moves only
// by Advance.
type Bench struct {
	Store booking.HoldStore
	// TTL is how long the store lets a hold live unrenewed.
	TTL time.Duration
	// Now reads the store's clock; Advance moves it and lets the store apply
	// what that brings before it returns.
	Now     func() time.Time
	Advance func(time.Duration)
	// Changed and Expired return and forget what the store has told since
	// the last call.
	Changed func() []Change
	Expired func() []Expiry
}

// Change is one call of the store's "holds changed".
type Change struct {
	EventID uuid.UUID
	Seats   []int32
}

// Expiry is one call of the store's "holds expired".
type Expiry struct {
	EventID, UserID uuid.UUID
	Seats           []int32
}

// Run checks a store against the contract; open makes an empty one.
func Run(t *testing.T, open func(t *testing.T) Bench) {
	for _, c := range []struct {
		name string
		test func(*testing.T, *bench)
	}{
		{"grants what is free and reports the rest", grants},
		{"replaces the person's holds in one step", replaces},
		{"ends an unrenewed hold after its TTL and tells", expires},
		{"renews by placing the same seats again", renews},
		{"caps the age, then cools down", caps},
		{"keeps the age over a release", keepsAge},
		{"forgets the age after the cooldown", forgetsAge},
		{"cools down for that person alone", coolsOnlyOne},
		{"holds at three events at most", threeEvents},
		{"tells at which events a person holds", tellsWhere},
		{"refuses more seats than anybody may hold", tooManySeats},
		{"keeps pinned holds over their end, at most PinMax", pins},
		{"counts pins", countsPins},
		{"keeps pinned seats that are given up", pinnedRelease},
		{"ends holds on sold seats", settles},
		{"hands out views that never change", views},
		{"never gives a seat two holders", neverTwo},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := &bench{Bench: open(t), t: t}
			c.test(t, b)
		})
	}
}

// bench adds to a Bench what makes the cases short.
type bench struct {
	Bench
	t *testing.T
}

func (b *bench) place(event, user uuid.UUID, seats ...int32) booking.Placed {
	b.t.Helper()
	placed, err := b.Store.Place(b.t.Context(), booking.Placement{EventID: event, UserID: user, Seats: seats, Now: b.Now()})
	if err != nil {
		b.t.Fatalf("place %v: %v", seats, err)
	}
	return placed
}

func (b *bench) granted(event, user uuid.UUID, seats ...int32) booking.Placed {
	b.t.Helper()
	placed := b.place(event, user, seats...)
	if !slices.Equal(placed.Granted, seats) || len(placed.Conflicts) > 0 {
		b.t.Fatalf("asked for %v: granted %v, conflicts %v", seats, placed.Granted, placed.Conflicts)
	}
	return placed
}

func (b *bench) refused(event, user uuid.UUID, seats ...int32) {
	b.t.Helper()
	placed := b.place(event, user, seats...)
	if !slices.Equal(placed.Conflicts, seats) || len(placed.Granted) > 0 {
		b.t.Fatalf("asked for %v: granted %v, conflicts %v, want all refused", seats, placed.Granted, placed.Conflicts)
	}
}

func (b *bench) mine(event, user uuid.UUID, want ...int32) {
	b.t.Helper()
	held, err := b.Store.Mine(b.t.Context(), event, user)
	if err != nil {
		b.t.Fatal(err)
	}
	if !slices.Equal(held.Seats, want) || held.ExpiresAt.IsZero() != (len(want) == 0) {
		b.t.Fatalf("holds %v until %v, want %v", held.Seats, held.ExpiresAt, want)
	}
}

func (b *bench) view(event uuid.UUID) map[int32]uuid.UUID {
	b.t.Helper()
	v, err := b.Store.View(b.t.Context(), []uuid.UUID{event})
	if err != nil || len(v) != 1 {
		b.t.Fatalf("view: %v %v", v, err)
	}
	return v[0].Holders
}

func (b *bench) held(event uuid.UUID, want map[int32]uuid.UUID) {
	b.t.Helper()
	got := b.view(event)
	if len(got) != len(want) {
		b.t.Fatalf("held %v, want %v", got, want)
	}
	for seat, user := range want {
		if got[seat] != user {
			b.t.Fatalf("seat %d held by %v, want %v", seat, got[seat], user)
		}
	}
}

func (b *bench) do(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// told checks which seats were reported as changed since the last call.
func (b *bench) told(event uuid.UUID, want ...int32) {
	b.t.Helper()
	var got []int32
	for _, c := range b.Changed() {
		if c.EventID == event {
			got = append(got, c.Seats...)
		}
	}
	slices.Sort(got)
	if got = slices.Compact(got); !slices.Equal(got, want) {
		b.t.Fatalf("told of %v, want %v", got, want)
	}
}

func grants(t *testing.T, b *bench) {
	event, ann, bob := uuid.New(), uuid.New(), uuid.New()
	placed := b.granted(event, ann, 1, 2)
	if want := b.Now().Add(b.TTL); !placed.ExpiresAt.Equal(want) {
		t.Fatalf("expires at %v, want %v", placed.ExpiresAt, want)
	}
	b.told(event, 1, 2)
	got := b.place(event, bob, 2, 3)
	if !slices.Equal(got.Granted, []int32{3}) || !slices.Equal(got.Conflicts, []int32{2}) {
		t.Fatalf("granted %v, conflicts %v", got.Granted, got.Conflicts)
	}
	b.told(event, 3)
	b.held(event, map[int32]uuid.UUID{1: ann, 2: ann, 3: bob})
	b.mine(event, ann, 1, 2)
	b.mine(event, bob, 3)
	b.held(uuid.New(), nil)
	b.mine(uuid.New(), ann)
}

func replaces(_ *testing.T, b *bench) {
	event, ann, bob := uuid.New(), uuid.New(), uuid.New()
	b.granted(event, ann, 1, 2)
	b.Changed()
	b.granted(event, ann, 2, 3)
	b.told(event, 1, 3)
	b.granted(event, bob, 1)
	b.Changed()
	b.place(event, ann)
	b.told(event, 2, 3)
	b.mine(event, ann)
	b.held(event, map[int32]uuid.UUID{1: bob})
	b.place(event, ann)
	b.told(event)
}

func expires(t *testing.T, b *bench) {
	event, ann, bob := uuid.New(), uuid.New(), uuid.New()
	b.granted(event, ann, 4, 5)
	b.Changed()
	b.Advance(b.TTL - time.Second)
	b.mine(event, ann, 4, 5)
	b.refused(event, bob, 4)
	b.told(event)
	b.Advance(time.Second)
	b.told(event, 4, 5)
	gone := b.Expired()
	if len(gone) != 1 || gone[0].EventID != event || gone[0].UserID != ann || !slices.Equal(gone[0].Seats, []int32{4, 5}) {
		t.Fatalf("told of expiries %v", gone)
	}
	b.mine(event, ann)
	b.held(event, nil)
	b.granted(event, bob, 4)
}

func renews(_ *testing.T, b *bench) {
	event, ann := uuid.New(), uuid.New()
	b.granted(event, ann, 7)
	b.Changed()
	for range 3 {
		b.Advance(b.TTL / 2)
		b.granted(event, ann, 7)
	}
	b.told(event)
	b.mine(event, ann, 7)
}

// renewUntil keeps the hold alive until its age is used up.
func (b *bench) renewUntil(event, user uuid.UUID, seat int32, since time.Time) {
	b.t.Helper()
	for end := since.Add(booking.HoldMaxAge); b.Now().Add(b.TTL / 2).Before(end); {
		b.Advance(b.TTL / 2)
		if placed := b.granted(event, user, seat); placed.ExpiresAt.After(end) {
			b.t.Fatalf("expires at %v, after its greatest age %v", placed.ExpiresAt, end)
		}
	}
}

func caps(t *testing.T, b *bench) {
	event, ann := uuid.New(), uuid.New()
	start := b.Now()
	b.granted(event, ann, 7)
	b.renewUntil(event, ann, 7, start)
	b.Advance(start.Add(booking.HoldMaxAge).Sub(b.Now()))
	b.mine(event, ann)
	if len(b.Expired()) != 1 {
		t.Fatal("the end of the greatest age was not told")
	}
	b.refused(event, ann, 7)
	b.granted(event, ann, 8)
	b.place(event, ann)
	b.Advance(booking.HoldCooldown - time.Second)
	b.refused(event, ann, 7)
	b.Advance(time.Second)
	b.granted(event, ann, 7)
}

func keepsAge(t *testing.T, b *bench) {
	event, ann := uuid.New(), uuid.New()
	start := b.Now()
	b.granted(event, ann, 7)
	b.renewUntil(event, ann, 7, start)
	b.place(event, ann)
	placed := b.granted(event, ann, 7)
	if want := start.Add(booking.HoldMaxAge); placed.ExpiresAt.After(want) {
		t.Fatalf("taking it again gave it until %v, want %v at most", placed.ExpiresAt, want)
	}
	b.place(event, ann)
	b.Advance(start.Add(booking.HoldMaxAge).Sub(b.Now()))
	b.refused(event, ann, 7)
}

func forgetsAge(t *testing.T, b *bench) {
	event, ann := uuid.New(), uuid.New()
	start := b.Now()
	b.granted(event, ann, 7)
	b.renewUntil(event, ann, 7, start)
	b.place(event, ann)
	b.Advance(booking.HoldCooldown)
	if placed := b.granted(event, ann, 7); !placed.ExpiresAt.Equal(b.Now().Add(b.TTL)) {
		t.Fatalf("expires at %v, want the full time to live from %v", placed.ExpiresAt, b.Now())
	}
}

func coolsOnlyOne(_ *testing.T, b *bench) {
	event, ann, bob := uuid.New(), uuid.New(), uuid.New()
	start := b.Now()
	b.granted(event, ann, 7)
	b.renewUntil(event, ann, 7, start)
	b.Advance(start.Add(booking.HoldMaxAge).Sub(b.Now()))
	b.refused(event, ann, 7)
	b.granted(event, bob, 7)
	b.granted(uuid.New(), ann, 7)
}

func threeEvents(t *testing.T, b *bench) {
	ann := uuid.New()
	events := make([]uuid.UUID, booking.HoldMaxEvents)
	for i := range events {
		events[i] = uuid.New()
		b.granted(events[i], ann, 1)
	}
	fourth := uuid.New()
	ask := booking.Placement{EventID: fourth, UserID: ann, Seats: []int32{1}, Now: b.Now()}
	if _, err := b.Store.Place(t.Context(), ask); !errors.Is(err, booking.ErrHoldEvents) {
		t.Fatalf("holding at one event too many: %v", err)
	}
	b.held(fourth, nil)
	b.granted(events[0], ann, 2)
	b.place(fourth, ann)
	b.place(events[1], ann)
	b.granted(fourth, ann, 1)
	if _, err := b.Store.Place(t.Context(), booking.Placement{EventID: events[1], UserID: ann, Seats: []int32{1}, Now: b.Now()}); !errors.Is(err, booking.ErrHoldEvents) {
		t.Fatalf("holding at one event too many again: %v", err)
	}
	b.Advance(b.TTL)
	b.granted(events[1], ann, 1)
}

func tellsWhere(t *testing.T, b *bench) {
	ann, bob := uuid.New(), uuid.New()
	var events []uuid.UUID
	for range 2 {
		events = append(events, uuid.New())
		b.granted(events[len(events)-1], ann, 1)
	}
	b.granted(events[0], bob, 2)
	at := func(user uuid.UUID, want ...uuid.UUID) {
		t.Helper()
		got, err := b.Store.HeldAt(t.Context(), user)
		b.do(err)
		order := func(x, y uuid.UUID) int { return cmp.Compare(x.String(), y.String()) }
		want = slices.SortedFunc(slices.Values(want), order)
		if slices.SortFunc(got, order); !slices.Equal(got, want) {
			t.Errorf("%s holds at %v, want %v", user, got, want)
		}
	}
	at(ann, events...)
	at(bob, events[0])
	at(uuid.New())
	b.place(events[1], ann)
	at(ann, events[0])
}

func tooManySeats(t *testing.T, b *bench) {
	event, ann := uuid.New(), uuid.New()
	b.granted(event, ann, 1)
	many := make([]int32, booking.HoldMaxSeats+1)
	for i := range many {
		many[i] = int32(i + 1)
	}
	if _, err := b.Store.Place(t.Context(), booking.Placement{EventID: event, UserID: ann, Seats: many, Now: b.Now()}); err == nil {
		t.Fatal("more seats than anybody may hold were not refused")
	}
	b.mine(event, ann, 1)
	b.granted(event, ann, many[:booking.HoldMaxSeats]...)
}

func pins(t *testing.T, b *bench) {
	event, ann := uuid.New(), uuid.New()
	b.granted(event, ann, 1)
	b.Advance(b.TTL - time.Second)
	b.do(b.Store.Pin(t.Context(), event, ann))
	b.Advance(2 * time.Second)
	b.held(event, map[int32]uuid.UUID{1: ann})
	b.Changed()
	b.do(b.Store.Unpin(t.Context(), event, ann))
	b.held(event, nil)
	b.told(event, 1)

	b.granted(event, ann, 2)
	b.do(b.Store.Pin(t.Context(), event, ann))
	b.Advance(b.TTL + booking.PinMax)
	b.held(event, nil)
	b.do(b.Store.Unpin(t.Context(), event, ann))
}

func countsPins(t *testing.T, b *bench) {
	event, ann := uuid.New(), uuid.New()
	b.granted(event, ann, 1)
	b.Advance(b.TTL - time.Second)
	b.do(b.Store.Pin(t.Context(), event, ann))
	b.do(b.Store.Pin(t.Context(), event, ann))
	b.do(b.Store.Unpin(t.Context(), event, ann))
	b.Advance(2 * time.Second)
	b.held(event, map[int32]uuid.UUID{1: ann})
	b.do(b.Store.Unpin(t.Context(), event, ann))
	b.held(event, nil)
	// One Unpin too many takes nothing from the next pin.
	b.do(b.Store.Unpin(t.Context(), event, ann))
	b.granted(event, ann, 2)
	b.Advance(b.TTL - time.Second)
	b.do(b.Store.Pin(t.Context(), event, ann))
	b.Advance(2 * time.Second)
	b.held(event, map[int32]uuid.UUID{2: ann})
}

func pinnedRelease(t *testing.T, b *bench) {
	event, ann, bob := uuid.New(), uuid.New(), uuid.New()
	b.granted(event, ann, 1, 2)
	b.do(b.Store.Pin(t.Context(), event, ann))
	b.granted(event, ann, 2)
	b.refused(event, bob, 1)
	b.do(b.Store.Unpin(t.Context(), event, ann))
	b.mine(event, ann, 2)
	b.granted(event, bob, 1)
}

func settles(t *testing.T, b *bench) {
	event, ann, bob := uuid.New(), uuid.New(), uuid.New()
	b.granted(event, ann, 1, 2)
	b.granted(event, bob, 3, 4)
	b.Changed()
	b.do(b.Store.Settle(t.Context(), booking.Sale{EventID: event, Version: 7, Sold: []int32{1, 3, 9}}))
	b.told(event, 1, 3)
	b.held(event, map[int32]uuid.UUID{2: ann, 4: bob})
	b.mine(event, ann, 2)
	b.do(b.Store.Settle(t.Context(), booking.Sale{EventID: event, Version: 8, Sold: []int32{2, 4}}))
	b.held(event, nil)
	b.do(b.Store.Settle(t.Context(), booking.Sale{EventID: uuid.New(), Version: 1}))
}

func views(t *testing.T, b *bench) {
	event, other, ann := uuid.New(), uuid.New(), uuid.New()
	b.granted(event, ann, 1)
	b.granted(other, ann, 5)
	both, err := b.Store.View(t.Context(), []uuid.UUID{other, uuid.New(), event})
	if err != nil || len(both) != 3 {
		t.Fatalf("view: %v %v", both, err)
	}
	b.granted(event, ann, 2)
	b.Advance(b.TTL)
	if both[0].Holders[5] != ann || len(both[1].Holders) != 0 || both[2].Holders[1] != ann || len(both[2].Holders) != 1 {
		t.Fatalf("an old view changed: %v", both)
	}
}

// neverTwo lets many people place, release, pin and settle at once while time
// goes on, and checks every view and every answer: whoever is granted a seat
// holds it until the clock, a sale or they themselves end it.
func neverTwo(t *testing.T, b *bench) {
	const people, seats, rounds = 16, 12, 12
	event := uuid.New()
	users := make([]uuid.UUID, people)
	for i := range users {
		users[i] = uuid.New()
	}
	claims := newClaims()
	for round := range rounds {
		var wg sync.WaitGroup
		errs := make(chan error, people)
		for i, user := range users {
			random := rand.New(rand.NewPCG(uint64(round), uint64(i)))
			wg.Go(func() {
				if err := claims.play(t.Context(), b, random, event, user, seats); err != nil {
					errs <- err
				}
			})
		}
		wg.Wait()
		close(errs)
		for err := range errs {
			t.Fatal(err)
		}
		b.Advance(time.Duration(round%3) * b.TTL / 2)
		claims.restart(b.view(event))
	}
}

const placementsPerRound = 30

// claims is what the people believe to hold. A seat is claimed after it was
// granted and disclaimed before it is given up, so that two claims at once
// are two holders at once.
type claims struct {
	mu sync.Mutex
	by map[int32]uuid.UUID
}

func newClaims() *claims { return &claims{by: map[int32]uuid.UUID{}} }

// restart takes over what is held, after the clock has ended some holds.
func (c *claims) restart(held map[int32]uuid.UUID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.by = maps.Clone(held)
	if c.by == nil {
		c.by = map[int32]uuid.UUID{}
	}
}

func (c *claims) play(ctx context.Context, b *bench, random *rand.Rand, event, user uuid.UUID, seats int) error {
	for range placementsPerRound {
		var want []int32
		for seat := range seats {
			if random.IntN(4) == 0 {
				want = append(want, int32(seat+1))
			}
		}
		c.disclaim(user, want)
		placed, err := b.Store.Place(ctx, booking.Placement{EventID: event, UserID: user, Seats: want, Now: b.Now()})
		if err != nil {
			return fmt.Errorf("place: %w", err)
		}
		if got := append(slices.Clone(placed.Granted), placed.Conflicts...); len(got) != len(want) {
			return fmt.Errorf("asked for %v: granted %v, conflicts %v", want, placed.Granted, placed.Conflicts)
		}
		if err := c.claim(user, placed.Granted); err != nil {
			return err
		}
		views, err := b.Store.View(ctx, []uuid.UUID{event})
		if err != nil {
			return fmt.Errorf("view: %w", err)
		}
		for _, seat := range placed.Granted {
			if views[0].Holders[seat] != user {
				return fmt.Errorf("seat %d granted to %v is held by %v", seat, user, views[0].Holders[seat])
			}
		}
	}
	return nil
}

func (c *claims) disclaim(user uuid.UUID, except []int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for seat, by := range c.by {
		if by == user && !slices.Contains(except, seat) {
			delete(c.by, seat)
		}
	}
}

func (c *claims) claim(user uuid.UUID, seats []int32) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, seat := range seats {
		if by, taken := c.by[seat]; taken && by != user {
			return fmt.Errorf("seat %d has two holders, %v and %v", seat, by, user)
		}
		c.by[seat] = user
	}
	return nil
}
