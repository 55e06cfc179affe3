//go:build engines

package redis_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/rueidis"

	"happening/internal/booking"
	"happening/internal/booking/holdtest"
	"happening/internal/redis"
	"happening/internal/testkit"
)

// pair shares the calls between two processes, as a load balancer does.
type pair struct {
	*turnstile
	one, two *redis.Store
}

type turnstile struct {
	mu     sync.Mutex
	random *rand.Rand
}

func newPair(one, two *redis.Store) *pair {
	return &pair{turnstile: &turnstile{random: rand.New(rand.NewPCG(1, 2))}, one: one, two: two}
}

func (p *pair) any() *redis.Store {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.random.IntN(2) == 0 {
		return p.one
	}
	return p.two
}

func (p *pair) View(ctx context.Context, ids []uuid.UUID) ([]booking.HoldView, error) {
	return p.any().View(ctx, ids)
}
func (p *pair) Place(ctx context.Context, a booking.Placement) (booking.Placed, error) {
	return p.any().Place(ctx, a)
}
func (p *pair) Mine(ctx context.Context, e, u uuid.UUID) (booking.Held, error) {
	return p.any().Mine(ctx, e, u)
}
func (p *pair) HeldAt(ctx context.Context, u uuid.UUID) ([]uuid.UUID, error) {
	return p.any().HeldAt(ctx, u)
}
func (p *pair) Pin(ctx context.Context, e, u uuid.UUID) error    { return p.any().Pin(ctx, e, u) }
func (p *pair) Unpin(ctx context.Context, e, u uuid.UUID) error  { return p.any().Unpin(ctx, e, u) }
func (p *pair) Settle(ctx context.Context, s booking.Sale) error { return p.any().Settle(ctx, s) }

// TestHoldsContractAcrossProcesses gives every call to one of two processes:
// the suite, with its proof that no seat has two holders, holds across them.
func TestHoldsContractAcrossProcesses(t *testing.T) {
	t.Parallel()
	server := testkit.Redis(t)
	control := server.Client()
	holdtest.Run(t, func(t *testing.T) holdtest.Bench {
		server.Do(control, "FLUSHALL")
		now, h := newClock(), &heard{}
		o := redis.Options{Now: now.Now, RedisTime: now.Now, Changed: h.changed, Expired: h.expired}
		p := newPair(open(t, server.URL, o).Unhurried(), open(t, server.URL, o).Unhurried())
		return holdtest.Bench{
			Store: p, TTL: redis.DefaultHoldTTL, Now: now.Now,
			Advance: func(d time.Duration) { now.Advance(d); p.any().Sweep(t.Context()) },
			Changed: h.takeChanges, Expired: h.takeExpired,
		}
	})
}

// TestExpiryIsToldOnce ends many holds by Redis's own clock, with three
// processes that look for them all the time.
func TestExpiryIsToldOnce(t *testing.T) {
	t.Parallel()
	const people, events = 60, 4
	server := testkit.Redis(t)
	ended := make(chan holdtest.Expiry, 2*people)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	var stores []*redis.Store
	for range 3 {
		s := open(t, server.URL, redis.Options{
			TTL:     300 * time.Millisecond,
			Expired: func(e, u uuid.UUID, seats []int32) { ended <- holdtest.Expiry{EventID: e, UserID: u, Seats: seats} },
		}).Unhurried()
		stores = append(stores, s)
		running.Go(func() { s.Run(ctx) })
	}
	defer running.Wait()
	defer stop()
	var ids []uuid.UUID
	for range events {
		ids = append(ids, uuid.New())
	}
	want := map[string]bool{}
	for i := range people {
		user, event := uuid.New(), ids[i%events]
		seats := []int32{int32(2*i + 1), int32(2*i + 2)}
		if _, err := stores[i%3].Place(ctx, booking.Placement{EventID: event, UserID: user, Seats: seats}); err != nil {
			t.Fatal(err)
		}
		want[fmt.Sprint(event, user, seats)] = true
	}
	for range people {
		e := <-ended
		key := fmt.Sprint(e.EventID, e.UserID, e.Seats)
		if !want[key] {
			t.Fatalf("told twice, or of nobody's: %v", e)
		}
		delete(want, key)
	}
	// Whoever looks again finds nothing more to tell.
	for _, s := range stores {
		s.Sweep(ctx)
		if _, err := s.View(ctx, ids); err != nil {
			t.Fatal(err)
		}
	}
	if len(ended) > 0 {
		t.Fatalf("told again: %v", <-ended)
	}
}

// TestDeadProcessLeavesItsEventsToOthers has a process claim an event and die.
func TestDeadProcessLeavesItsEventsToOthers(t *testing.T) {
	t.Parallel()
	server := testkit.Redis(t)
	control := server.Client()
	now, h := newClock(), &heard{}
	s := open(t, server.URL, redis.Options{Now: now.Now, RedisTime: now.Now, Expired: h.expired}).Unhurried()
	event := uuid.New()
	if _, err := s.Place(t.Context(), booking.Placement{EventID: event, UserID: uuid.New(), Seats: []int32{1}}); err != nil {
		t.Fatal(err)
	}
	now.Advance(redis.DefaultHoldTTL)
	// As a claim leaves it: others look again five seconds later.
	server.Do(control, "ZADD", "holds:due", fmt.Sprint(now.Now().Add(5*time.Second).UnixMilli()), event.String())
	s.Sweep(t.Context())
	if gone := h.takeExpired(); len(gone) != 0 {
		t.Fatalf("an event that another has claimed was swept: %v", gone)
	}
	now.Advance(5 * time.Second)
	s.Sweep(t.Context())
	if gone := h.takeExpired(); len(gone) != 1 {
		t.Fatalf("told of %v", gone)
	}
}

// mirrored is what Redis has of an event, as anybody reads it.
type mirrored struct {
	slots    string
	waitlist []string
}

func readMirror(t *testing.T, c rueidis.Client, event uuid.UUID) mirrored {
	t.Helper()
	ctx := context.Background()
	m := mirrored{}
	m.slots, _ = c.Do(ctx, c.B().Get().Key("event:{"+event.String()+"}:slots").Build()).ToString()
	m.waitlist, _ = c.Do(ctx, c.B().Lrange().Key("event:{"+event.String()+"}:waitlist").Start(0).Stop(-1).Build()).AsStrSlice()
	return m
}

func (m mirrored) equals(f booking.Figures) error {
	var want []string
	for _, id := range f.Waitlist {
		want = append(want, id.String())
	}
	if m.slots != fmt.Sprint(f.Available) || !slices.Equal(m.waitlist, want) {
		const shown = 10 // the longest waitlist would be megabytes
		return fmt.Errorf("the mirror has %s and %d waiting, %v…; the truth is %d and %d waiting, %v…", m.slots,
			len(m.waitlist), m.waitlist[:min(len(m.waitlist), shown)], f.Available, len(want), want[:min(len(want), shown)])
	}
	return nil
}

// book is a model of an event that sells and queues, as PostgreSQL would.
type book struct {
	figures booking.Figures
	random  *rand.Rand
	people  []uuid.UUID
}

func newBook(seed uint64, available int32) *book {
	b := &book{random: rand.New(rand.NewPCG(seed, 7)), figures: booking.Figures{EventID: uuid.New(), Version: 1, Available: available}}
	for range 12 {
		b.people = append(b.people, uuid.New())
	}
	return b
}

func (b *book) copy() booking.Figures {
	f := b.figures
	f.Waitlist = slices.Clone(f.Waitlist)
	return f
}

// sell makes up a commit and tells of it.
func (b *book) sell() booking.Sale {
	f := &b.figures
	f.Version++
	sale := booking.Sale{EventID: f.EventID, Version: f.Version}
	for range 1 + b.random.IntN(3) {
		switch b.random.IntN(5) {
		case 4: // the event grows, which nobody has taken
			if b.random.IntN(4) == 0 {
				f.Available += 5
			}
		case 0:
			n := min(int32(b.random.IntN(4)), f.Available)
			sale.Taken += n
			f.Available -= n
		case 1:
			n := int32(b.random.IntN(3))
			sale.Taken -= n
			f.Available += n
		case 2:
			who := b.people[b.random.IntN(len(b.people))]
			sale.Joined = append(sale.Joined, who)
			f.Waitlist = append(f.Waitlist, who)
		case 3:
			if len(f.Waitlist) > 0 {
				i := b.random.IntN(len(f.Waitlist))
				if b.random.IntN(2) == 0 {
					i = 0
				}
				sale.Left = append(sale.Left, f.Waitlist[i])
				f.Waitlist = slices.Delete(f.Waitlist, i, i+1)
			}
		}
	}
	sale.Available = f.Available
	now := b.copy()
	sale.Figures = func() booking.Figures { return now }
	return sale
}

// TestMirrorFollowsEverySale sells at random, people with several parties in
// the queue included, through two processes; after each commit the named keys
// equal the truth.
func TestMirrorFollowsEverySale(t *testing.T) {
	t.Parallel()
	server := testkit.Redis(t)
	control := server.Client()
	one, two := open(t, server.URL, redis.Options{}).Unhurried(), open(t, server.URL, redis.Options{}).Unhurried()
	p := newPair(one, two)
	for seed := range uint64(4) {
		b := newBook(seed, 500)
		for step := range 250 {
			if err := p.Settle(t.Context(), b.sell()); err != nil {
				t.Fatal(err)
			}
			if err := readMirror(t, control, b.figures.EventID).equals(b.figures); err != nil {
				t.Fatalf("seed %d, step %d: %v", seed, step, err)
			}
		}
	}
}

// TestMirrorOfOutOfOrderSales has two processes settle in any order.
func TestMirrorOfOutOfOrderSales(t *testing.T) {
	t.Parallel()
	server := testkit.Redis(t)
	control := server.Client()
	p := newPair(open(t, server.URL, redis.Options{}).Unhurried(), open(t, server.URL, redis.Options{}).Unhurried())
	for seed := range uint64(8) {
		b := newBook(seed, 300)
		for range 25 {
			var batch []booking.Sale
			for range 1 + b.random.IntN(5) {
				batch = append(batch, b.sell())
			}
			b.random.Shuffle(len(batch), func(i, j int) { batch[i], batch[j] = batch[j], batch[i] })
			var wg sync.WaitGroup
			for _, sale := range batch {
				wg.Go(func() {
					if err := p.Settle(t.Context(), sale); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if err := readMirror(t, control, b.figures.EventID).equals(b.figures); err != nil {
				t.Fatalf("seed %d at version %d: %v", seed, b.figures.Version, err)
			}
		}
	}
}

// TestMirrorIsRepaired lies to every reader of the mirror in each way that we
// could think of; one comparison finds it, and only it.
func TestMirrorIsRepaired(t *testing.T) {
	t.Parallel()
	server := testkit.Redis(t)
	control := server.Client()
	s := open(t, server.URL, redis.Options{}).Unhurried()
	ann, bob := uuid.New(), uuid.New()
	key := func(f booking.Figures, part string) string { return "event:{" + f.EventID.String() + "}:" + part }
	for name, lie := range map[string]func(booking.Figures){
		"too many":   func(f booking.Figures) { server.Do(control, "SET", key(f, "slots"), "900") },
		"too few":    func(f booking.Figures) { server.Do(control, "SET", key(f, "slots"), "0") },
		"below zero": func(f booking.Figures) { server.Do(control, "SET", key(f, "slots"), "-3") },
		"no number":  func(f booking.Figures) { server.Do(control, "SET", key(f, "slots"), "many") },
		"another type": func(f booking.Figures) {
			server.Do(control, "DEL", key(f, "slots"))
			server.Do(control, "SADD", key(f, "slots"), "x")
		},
		"no counter":       func(f booking.Figures) { server.Do(control, "DEL", key(f, "slots")) },
		"no waitlist":      func(f booking.Figures) { server.Do(control, "DEL", key(f, "waitlist")) },
		"waitlist as text": func(f booking.Figures) { server.Do(control, "SET", key(f, "waitlist"), "x") },
		"one popped":       func(f booking.Figures) { server.Do(control, "LPOP", key(f, "waitlist")) },
		"a stranger":       func(f booking.Figures) { server.Do(control, "RPUSH", key(f, "waitlist"), uuid.NewString()) },
		"another order": func(f booking.Figures) {
			server.Do(control, "LMOVE", key(f, "waitlist"), key(f, "waitlist"), "LEFT", "RIGHT")
		},
		"live as text":       func(f booking.Figures) { server.Do(control, "SET", key(f, "live"), "x") },
		"live is gone":       func(f booking.Figures) { server.Do(control, "DEL", key(f, "live"), key(f, "slots")) },
		"everything is gone": func(booking.Figures) { server.Do(control, "FLUSHALL") },
	} {
		t.Run(name, func(t *testing.T) {
			truth := booking.Figures{EventID: uuid.New(), Version: 7, Available: 12, Waitlist: []uuid.UUID{ann, bob, ann}}
			other := booking.Figures{EventID: uuid.New(), Version: 3, Available: 1}
			both := []booking.Figures{truth, other}
			if _, err := s.Compare(t.Context(), both); err != nil {
				t.Fatal(err)
			}
			if found, err := s.Compare(t.Context(), both); err != nil || len(found) != 0 {
				t.Fatalf("what was brought to the figures differs: %v, %v", found, err)
			}
			lie(truth)
			if readMirror(t, control, truth.EventID).equals(truth) == nil && !strings.HasPrefix(name, "live") {
				t.Fatal("the lie changed nothing")
			}
			found, err := s.Compare(t.Context(), both[:1])
			if err != nil || len(found) > 1 || len(found) == 1 && (found[0].EventID != truth.EventID || found[0].Ahead) {
				t.Fatalf("found %v, %v", found, err)
			}
			if err := readMirror(t, control, truth.EventID).equals(truth); err != nil {
				t.Fatal(err)
			}
			if err := s.Settle(t.Context(), booking.Sale{
				EventID: truth.EventID, Version: 8, Taken: 2, Available: 10, Left: []uuid.UUID{bob}, Figures: func() booking.Figures { return booking.Figures{} },
			}); err != nil {
				t.Fatal(err)
			}
			truth.Version, truth.Available, truth.Waitlist = 8, 10, []uuid.UUID{ann, ann}
			if err := readMirror(t, control, truth.EventID).equals(truth); err != nil {
				t.Fatalf("a step after the repair: %v", err)
			}
		})
	}
}

// TestMirrorAhead tells old figures from a mirror that lies about its version.
func TestMirrorAhead(t *testing.T) {
	t.Parallel()
	server := testkit.Redis(t)
	control := server.Client()
	s := open(t, server.URL, redis.Options{}).Unhurried()
	b := newBook(1, 50)
	old := b.copy()
	for range 5 {
		if err := s.Settle(t.Context(), b.sell()); err != nil {
			t.Fatal(err)
		}
	}
	found, err := s.Compare(t.Context(), []booking.Figures{old})
	if err != nil || len(found) != 1 || !found[0].Ahead || found[0].Version != b.figures.Version {
		t.Fatalf("old figures: %v, %v", found, err)
	}
	if err := readMirror(t, control, b.figures.EventID).equals(b.figures); err != nil {
		t.Fatalf("old figures were taken over: %v", err)
	}
	// Read anew they are the truth.
	if err := s.Correct(t.Context(), found[0], b.figures); err != nil {
		t.Fatal(err)
	}
	if err := readMirror(t, control, b.figures.EventID).equals(b.figures); err != nil {
		t.Fatal(err)
	}
	// A correction that comes after the next sale changes nothing.
	stale := b.copy()
	if err := s.Settle(t.Context(), b.sell()); err != nil {
		t.Fatal(err)
	}
	if err := s.Correct(t.Context(), found[0], stale); err != nil {
		t.Fatal(err)
	}
	if err := readMirror(t, control, b.figures.EventID).equals(b.figures); err != nil {
		t.Fatalf("a late correction: %v", err)
	}

	// A store that claims sales that never were: nobody could hold anything.
	live := "event:{" + b.figures.EventID.String() + "}:live"
	server.Do(control, "HSET", live, "sale", "900", "kept", "1000")
	ask := booking.Placement{EventID: b.figures.EventID, UserID: uuid.New(), Seats: []int32{1}, SaleVersion: b.figures.Version}
	if _, err := s.Place(t.Context(), ask); !errors.Is(err, booking.ErrBehind) {
		t.Fatalf("the control: %v", err)
	}
	before, err := s.Version(t.Context(), b.figures.EventID)
	if err != nil {
		t.Fatal(err)
	}
	found, err = s.Compare(t.Context(), []booking.Figures{b.figures})
	if err != nil || len(found) != 1 || !found[0].Ahead || found[0].Version != 1000 {
		t.Fatalf("a lying mirror: %v, %v", found, err)
	}
	if err := s.Correct(t.Context(), found[0], b.copy()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Place(t.Context(), ask); err != nil {
		t.Fatal(err)
	}
	if v, err := s.Version(t.Context(), b.figures.EventID); err != nil || v.Epoch == before.Epoch || v.Sale != b.figures.Version {
		t.Fatalf("after the correction: %+v, %v", v, err)
	}
	if found, err = s.Compare(t.Context(), []booking.Figures{b.figures}); err != nil || len(found) != 0 {
		t.Fatalf("after the correction: %v, %v", found, err)
	}
}

// TestLongWaitlist follows a waitlist that no single script could carry.
func TestLongWaitlist(t *testing.T) {
	t.Parallel()
	const waiting = 45_000
	server := testkit.Redis(t)
	control := server.Client()
	s := open(t, server.URL, redis.Options{}).Unhurried()
	f := booking.Figures{EventID: uuid.New(), Version: 5, Waitlist: make([]uuid.UUID, waiting)}
	for i := range f.Waitlist {
		f.Waitlist[i] = uuid.New()
	}
	if err := s.Settle(t.Context(), booking.Sale{EventID: f.EventID, Version: 5, Figures: func() booking.Figures { return f }}); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "long waitlist", func() error { return readMirror(t, control, f.EventID).equals(f) })
	if found, err := s.Compare(t.Context(), []booking.Figures{f}); err != nil || len(found) != 0 {
		t.Fatalf("found %v, %v", found, err)
	}
	left := f.Waitlist[0]
	f.Version, f.Waitlist = 6, f.Waitlist[1:]
	if err := s.Settle(t.Context(), booking.Sale{EventID: f.EventID, Version: 6, Left: []uuid.UUID{left}}); err != nil {
		t.Fatal(err)
	}
	if err := readMirror(t, control, f.EventID).equals(f); err != nil {
		t.Fatal(err)
	}
	// Two swapped at the far end are found once the window gets there.
	key := "event:{" + f.EventID.String() + "}:waitlist"
	server.Do(control, "LSET", key, "-1", f.Waitlist[0].String())
	// The turns of the window are all stores' of the process: other tests take
	// some of them, so that three comparisons may miss one of three parts.
	testkit.Eventually(t, "repaired waitlist", func() error {
		if _, err := s.Compare(t.Context(), []booking.Figures{f}); err != nil {
			return err
		}
		return readMirror(t, control, f.EventID).equals(f)
	})
	if keys := server.Do(control, "EVAL", "return #redis.call('KEYS', '*waitlist:*')", "0"); keys != "0" {
		t.Fatalf("%s lists are left that were built", keys)
	}
}

// TestALongWaitlistIsWrittenAfterOneWasDropped: a store that had too much to
// do for one waitlist does the event's next.
func TestALongWaitlistIsWrittenAfterOneWasDropped(t *testing.T) {
	t.Parallel()
	server := testkit.Redis(t)
	control := server.Client()
	s := open(t, server.URL, redis.Options{}).Unhurried()
	f := booking.Figures{EventID: uuid.New(), Version: 5, Waitlist: make([]uuid.UUID, 1500)}
	for i := range f.Waitlist {
		f.Waitlist[i] = uuid.New()
	}
	until := make(chan struct{})
	s.Occupy(until)
	s.Rebuild(f)
	close(until)
	testkit.Eventually(t, "the waitlist is written", func() error {
		s.Rebuild(f)
		return readMirror(t, control, f.EventID).equals(f)
	})
}
