//go:build engines

package redis_test

import (
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/rueidis"

	"happening/internal/booking"
	"happening/internal/booking/holdtest"
	"happening/internal/redis"
	"happening/internal/testkit"
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

// heard gathers what stores tell.
type heard struct {
	mu      sync.Mutex
	changes []holdtest.Change
	gone    []holdtest.Expiry
}

func (h *heard) changed(eventID uuid.UUID, seats []int32) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.changes = append(h.changes, holdtest.Change{EventID: eventID, Seats: seats})
}

func (h *heard) expired(eventID, userID uuid.UUID, seats []int32) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.gone = append(h.gone, holdtest.Expiry{EventID: eventID, UserID: userID, Seats: seats})
}

func (h *heard) takeChanges() []holdtest.Change {
	h.mu.Lock()
	defer h.mu.Unlock()
	defer func() { h.changes = nil }()
	return h.changes
}

func (h *heard) takeExpired() []holdtest.Expiry {
	h.mu.Lock()
	defer h.mu.Unlock()
	defer func() { h.gone = nil }()
	return h.gone
}

// open makes a store of a process of its own.
func open(t testing.TB, url string, o redis.Options) *redis.Store {
	t.Helper()
	settings, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s, err := redis.Open(t.Context(), settings, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// bench puts a store on the clock of the test.
func bench(t *testing.T, url string) holdtest.Bench {
	now, h := newClock(), &heard{}
	store := open(t, url, redis.Options{Now: now.Now, RedisTime: now.Now, Changed: h.changed, Expired: h.expired}).Unhurried()
	return holdtest.Bench{
		Store: store, TTL: redis.DefaultHoldTTL, Now: now.Now,
		Advance: func(d time.Duration) { now.Advance(d); store.Sweep(t.Context()) },
		Changed: h.takeChanges, Expired: h.takeExpired,
	}
}

// engine is a Redis of one kind.
type engine struct {
	url   string
	nodes []*testkit.RedisServer
	ctl   []rueidis.Client
}

// empty flushes the engine.
func (e *engine) empty() {
	for i, n := range e.nodes {
		n.Do(e.ctl[i], "FLUSHALL")
	}
}

// engines starts a Redis of each kind.
func engines(t *testing.T) map[string]*engine {
	single, cluster, sentinel := testkit.Redis(t), testkit.RedisCluster(t), testkit.RedisSentinel(t)
	return map[string]*engine{
		"single":   {url: single.URL, nodes: []*testkit.RedisServer{single}, ctl: []rueidis.Client{single.Client()}},
		"cluster":  {url: cluster.URL, nodes: cluster.Nodes, ctl: cluster.Control},
		"sentinel": {url: sentinel.URL, nodes: sentinel.Nodes[:1], ctl: sentinel.Control[:1]},
	}
}

// TestContracts runs every suite that memory passes as well, on a Redis of each
// kind.
func TestContracts(t *testing.T) {
	t.Parallel()
	for name, e := range engines(t) {
		t.Run(name, func(t *testing.T) {
			empty := func(t *testing.T) holdtest.Bench {
				e.empty()
				return bench(t, e.url)
			}
			t.Run("holds", func(t *testing.T) { holdtest.Run(t, empty) })
			t.Run("versions", func(t *testing.T) { holdtest.RunVersions(t, empty) })
			t.Run("submit lock", func(t *testing.T) {
				holdtest.RunSubmitLock(t, func(t *testing.T) booking.SubmitLock { return open(t, e.url, redis.Options{}).Unhurried() })
			})
			t.Run("limiter", func(t *testing.T) {
				holdtest.RunLimiter(t, func(t *testing.T) holdtest.LimitBench {
					e.empty()
					return limitBench(t, e.url)
				})
			})
		})
	}
}

// limitBench has two processes take turns, so that the buckets are shared.
func limitBench(t *testing.T, url string) holdtest.LimitBench {
	now := newClock()
	one, two := open(t, url, redis.Options{RedisTime: now.Now}), open(t, url, redis.Options{RedisTime: now.Now})
	return holdtest.LimitBench{
		Open: func(name string, rate, burst int) holdtest.Limiter {
			return &turns{all: []holdtest.Limiter{
				one.Limiter(name, rate, burst, closed{}).Unhurried(), two.Limiter(name, rate, burst, closed{}).Unhurried(),
			}}
		},
		Advance: now.Advance,
	}
}

// turns asks several limiters in turn.
type turns struct {
	next atomic.Uint32
	all  []holdtest.Limiter
}

func (l *turns) Allow(key string) (bool, time.Duration) {
	return l.all[int(l.next.Add(1))%len(l.all)].Allow(key)
}

// closed is a fallback that shows itself by refusing all.
type closed struct{}

func (closed) Allow(string) (bool, time.Duration) { return false, time.Hour }

// errNotYet has testkit.Eventually ask again.
var errNotYet = errors.New("not yet")
