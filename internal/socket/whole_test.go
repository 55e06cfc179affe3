//go:build engines

package socket_test

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/booking"
	"happening/internal/realtime"
	"happening/internal/redis"
	"happening/internal/socket"
	"happening/internal/testkit"
)

// holder is one process whose holds, versions and presence are in Redis, too:
// nothing here is a stand-in but the seats that are sold, of which there are
// none.
type holder struct {
	*site
	store *redis.Store
	feed  *realtime.Feed
	stop  func()
}

func startHolder(t *testing.T, over engine, r *testkit.RedisServer, ttl time.Duration) *holder {
	t.Helper()
	h := &holder{}
	var err error
	h.store, err = redis.Open(t.Context(), redis.Settings{Addresses: []string{r.Address}}, redis.Options{
		Now: time.Now, Log: slog.New(slog.DiscardHandler), TTL: ttl,
		Changed: func(eventID uuid.UUID, seats []int32) { h.feed.Dirty(eventID, seats) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.store.Close)
	h.site = open(t, over(r, func(o *socket.Options) {
		o.Presence = h.store.Presence()
		o.Watch = func(id uuid.UUID, joined bool) { h.feed.Watch(id, joined) }
		o.Interrupted = func(away bool) { h.feed.Interrupted("messages", away) }
	}))
	h.feed = realtime.NewFeed(realtime.Options{
		Versions: h.store, Seats: h, Publisher: h.site, Audience: h.site, Shared: true, Log: h.Log,
	})
	h.store.OnAway(func() { h.feed.Interrupted("holds", true) })
	h.store.OnReturn(func() { h.feed.Interrupted("holds", false) })
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { h.feed.Run(ctx) })
	running.Go(func() { h.store.Run(ctx) })
	h.stop = func() { stop(); running.Wait() }
	t.Cleanup(h.stop)
	return h
}

// States implements realtime.Seats.
func (h *holder) States(ctx context.Context, eventID uuid.UUID, _ int64, seats []int32) ([]uint8, bool) {
	views, err := h.store.View(ctx, []uuid.UUID{eventID})
	if err != nil {
		return nil, false
	}
	states := make([]uint8, len(seats))
	for i, seat := range seats {
		if _, held := views[0].Holders[seat]; held {
			states[i] = realtime.Held
		}
	}
	return states, true
}

const (
	holderSeats = 50
	briefHold   = 3 * time.Second
	// followed is how many deltas are followed one after the other where nothing
	// is broken.
	followed = 20
)

// snapshot is what a client is answered that fetches.
func (h *holder) snapshot(ctx context.Context, eventID uuid.UUID) (v realtime.Version, seats [100]uint8) {
	stand, err := h.store.Version(ctx, eventID)
	if err != nil {
		stand.Version = realtime.Version{Epoch: "away"}
	}
	all := make([]int32, holderSeats)
	for i := range all {
		all[i] = int32(i + 1)
	}
	states, _ := h.States(ctx, eventID, 0, all)
	for i, state := range states {
		seats[all[i]] = state
	}
	return stand.Version, seats
}

// grab holds seats for people until ctx ends; many holds end by the clock.
func (h *holder) grab(ctx context.Context, eventID uuid.UUID, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 1))
	people := []uuid.UUID{uuid.New(), uuid.New(), uuid.New()}
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			seat := int32(1 + random.IntN(holderSeats-1))
			// It fails while Redis is away, which is what is asked for here.
			_, _ = h.store.Place(ctx, booking.Placement{
				EventID: eventID, UserID: people[random.IntN(len(people))], Seats: []int32{seat, seat + 1}, Now: time.Now(),
			})
		}
	}
}

// TestHoldsOfTwoProcessesOnOneMap has two processes place and end holds in one
// Redis, which is broken meanwhile. When all is calm every map shows what is
// held, over whichever process it is followed.
func TestHoldsOfTwoProcessesOnOneMap(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]func(*testkit.RedisServer, *testing.T){
		"left alone":              func(*testkit.RedisServer, *testing.T) {},
		"killed, restarted empty": outages["killed and restarted empty"].forAWhile,
		"frozen":                  outages["frozen for a while"].forAWhile,
		"cut":                     cutMessages,
		"flushed":                 func(r *testkit.RedisServer, _ *testing.T) { r.Do(r.Client(), "FLUSHALL") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, event := testkit.Redis(t), uuid.New()
			engine := overHurried
			if name == "left alone" {
				engine = over
			}
			a, b := startHolder(t, engine, r, briefHold), startHolder(t, engine, r, briefHold)
			var all []*onlooker
			for _, h := range []*holder{a, a, b, b} {
				all = append(all, h.onlooker(t, event))
			}
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			var grabbing sync.WaitGroup
			grabbing.Go(func() { a.grab(ctx, event, 1) })
			grabbing.Go(func() { b.grab(ctx, event, 2) })
			pause(time.Second)
			c(r, t)
			pause(time.Second)
			if name == "left alone" {
				eventually(t, "many deltas", func() bool { return all[0].follows() >= followed && all[2].follows() >= followed })
			}
			stop()
			grabbing.Wait()
			eventually(t, "every map to show what is held", func() bool {
				_, truth := b.snapshot(t.Context(), event)
				for _, o := range all {
					o.mu.Lock()
					right := o.seats == truth
					o.mu.Unlock()
					if !right {
						return false
					}
				}
				return true
			})
			for i, o := range all {
				o.mu.Lock()
				t.Logf("onlooker %d: %d snapshots, version %s:%d", i, o.fetched, o.epoch, o.n)
				if name == "left alone" && o.fetched > followed/4 {
					t.Errorf("onlooker %d fetched %d snapshots for %d deltas", i, o.fetched, o.n)
				}
				o.mu.Unlock()
			}
		})
	}
}

// TestHoldOfADeadProcessShows ends a process's feed before its last hold is
// told.
func TestHoldOfADeadProcessShows(t *testing.T) {
	t.Parallel()
	r, event := testkit.Redis(t), uuid.New()
	a, b := startHolder(t, overHurried, r, time.Minute), startHolder(t, overHurried, r, time.Minute)
	o := b.onlooker(t, event)
	a.stop()
	if _, err := a.store.Place(t.Context(), booking.Placement{EventID: event, UserID: uuid.New(), Seats: []int32{9}, Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the hold to show", func() bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		return o.seats[9] == realtime.Held
	})
}
