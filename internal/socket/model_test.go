//go:build engines

package socket_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	centrifuge "github.com/centrifugal/centrifuge-go"
	"github.com/google/uuid"

	"happening/internal/realtime"
	"happening/internal/socket"
	"happening/internal/testkit"
)

// staleAfter is how long a change may wait for its delta before the store of
// versions takes its process for dead.
const staleAfter = 2 * time.Second

// roundTrip is how long states take to be read, at most: meanwhile another
// process may overtake.
const roundTrip = 40 * time.Millisecond

// hall is one event's truth and its live version, which all processes share.
type hall struct {
	event uuid.UUID

	mu      sync.Mutex
	seats   [100]uint8
	sale    int64
	epoch   int
	n       int64
	away    bool
	pending map[int]time.Time // by process: its first change without a delta
}

var errAway = errors.New("away")

// at is the hall as one process sees it.
type at struct {
	*hall
	process int
}

func (a at) Version(context.Context, uuid.UUID) (realtime.Stand, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.away {
		return realtime.Stand{}, errAway
	}
	for process, since := range a.pending {
		if time.Since(since) > staleAfter {
			delete(a.pending, process)
			a.epoch, a.n = a.epoch+1, 0
		}
	}
	return a.stand(), nil
}

func (a at) Next(context.Context, uuid.UUID, int64) (realtime.Stand, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.away {
		return realtime.Stand{}, errAway
	}
	delete(a.pending, a.process)
	a.n++
	return a.stand(), nil
}

func (h *hall) stand() realtime.Stand {
	return realtime.Stand{Version: realtime.Version{Epoch: fmt.Sprint("e", h.epoch), N: h.n}, Sale: h.sale, Watched: true}
}

func (h *hall) States(_ context.Context, _ uuid.UUID, _ int64, seats []int32) ([]uint8, bool) {
	pause(rand.N(roundTrip))
	h.mu.Lock()
	defer h.mu.Unlock()
	states := make([]uint8, len(seats))
	for i, seat := range seats {
		states[i] = h.seats[seat]
	}
	return states, true
}

func (h *hall) setAway(away, lost bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.away = away
	if lost {
		h.epoch, h.n, h.pending = h.epoch+1, 0, map[int]time.Time{}
	}
}

// change changes a seat in the truth, as a process does that may die before
// it has told anybody.
func (a at) change(seat int32, state uint8) (sale int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seats[seat] = state
	a.sale++
	if _, ok := a.pending[a.process]; !ok {
		a.pending[a.process] = time.Now()
	}
	return a.sale
}

// process is one of several, with a feed and a node.
type process struct {
	*site
	at
	feed *realtime.Feed
	stop context.CancelFunc
	done chan struct{}
}

// engine lets the node of a site work over a Redis: over or overHurried.
type engine func(*testkit.RedisServer, ...func(*socket.Options)) func(*socket.Options)

func startProcess(t *testing.T, over engine, r *testkit.RedisServer, h *hall, number int, change ...func(*socket.Options)) *process {
	t.Helper()
	p := &process{at: at{hall: h, process: number}, done: make(chan struct{})}
	p.site = open(t, over(r, func(o *socket.Options) {
		o.Watch = func(id uuid.UUID, joined bool) { p.feed.Watch(id, joined) }
		o.Interrupted = func(away bool) { p.feed.Interrupted("messages", away) }
	}), func(o *socket.Options) {
		for _, c := range change {
			c(o)
		}
	})
	p.feed = realtime.NewFeed(realtime.Options{
		Versions: p.at, Seats: h, Publisher: p.site, Audience: p.site, Shared: true, Log: p.Log,
	})
	ctx, stop := context.WithCancel(context.Background())
	p.stop = stop
	go func() { defer close(p.done); p.feed.Run(ctx) }()
	t.Cleanup(func() { stop(); <-p.done })
	return p
}

// sell changes seats at random until ctx ends.
func (p *process) sell(ctx context.Context, atMost time.Duration) {
	random := rand.New(rand.NewPCG(uint64(p.process), 1))
	tick := time.NewTimer(0)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			tick.Reset(time.Duration(random.Int64N(int64(atMost))))
			seat := int32(random.IntN(len(p.seats)))
			sale := p.change(seat, uint8(random.IntN(4)))
			p.feed.Committed(p.hall.event, sale, []int32{seat})
		}
	}
}

// onlooker is the model of a client: a snapshot, deltas on top of it, and
// another snapshot after a gap or a subscription that did not recover.
type onlooker struct {
	snapshot func() (realtime.Version, [100]uint8)
	hall     *hall // nil: the snapshots are of something else

	mu      sync.Mutex
	epoch   string
	n       int64
	seats   [100]uint8
	fetched int
	live    []bool // as told
	// naive takes no notice of versions that are repeated.
	naive bool
}

func (p *process) onlooker(t *testing.T) *onlooker {
	t.Helper()
	return p.site.onlooker(t, p.hall.event, &onlooker{snapshot: p.hall.snapshot, hall: p.hall})
}

func (h *holder) onlooker(t *testing.T, event uuid.UUID) *onlooker {
	t.Helper()
	return h.site.onlooker(t, event, &onlooker{snapshot: func() (realtime.Version, [100]uint8) {
		return h.snapshot(context.Background(), event)
	}})
}

func (s *site) onlooker(t *testing.T, event uuid.UUID, o *onlooker) *onlooker {
	t.Helper()
	sub, err := s.browser(t, "").NewSubscription(realtime.EventChannel(event))
	if err != nil {
		t.Fatal(err)
	}
	subscribed := make(chan struct{}, 100)
	sub.OnSubscribed(func(e centrifuge.SubscribedEvent) {
		if !e.Recovered {
			o.mu.Lock()
			o.fetch()
			o.mu.Unlock()
		}
		subscribed <- struct{}{}
	})
	sub.OnPublication(func(e centrifuge.PublicationEvent) { o.receive(t, e.Data) })
	if err := sub.Subscribe(); err != nil {
		t.Fatal(err)
	}
	await(t, "subscription", subscribed)
	return o
}

func (o *onlooker) fetch() {
	v, seats := o.snapshot()
	o.epoch, o.n, o.seats = v.Epoch, v.N, seats
	o.fetched++
}

// snapshot is of no epoch while versions are away.
func (h *hall) snapshot() (realtime.Version, [100]uint8) {
	h.mu.Lock()
	defer h.mu.Unlock()
	v := h.stand().Version
	if h.away {
		v.Epoch = "away"
	}
	return v, h.seats
}

func (o *onlooker) receive(t *testing.T, data []byte) {
	var m struct {
		Version string
		Seats   [][2]int32
		Live    *bool
	}
	if err := json.Unmarshal(data, &m); err != nil {
		t.Errorf("%s: %v", data, err)
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if m.Live != nil {
		o.live = append(o.live, *m.Live)
	}
	if m.Version == "" || o.naive && len(m.Seats) == 0 {
		return
	}
	epoch, text, _ := strings.Cut(m.Version, ":")
	var n int64
	if _, err := fmt.Sscan(text, &n); err != nil {
		t.Errorf("%s: %v", data, err)
		return
	}
	switch {
	case epoch == o.epoch && n <= o.n:
	case epoch == o.epoch && n == o.n+1 && len(m.Seats) > 0:
		o.n = n
		for _, s := range m.Seats {
			o.seats[s[0]] = uint8(s[1])
		}
	default:
		o.fetch()
	}
}

// follows is how many deltas its epoch has had.
func (o *onlooker) follows() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.n
}

func (o *onlooker) right() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.hall.mu.Lock()
	defer o.hall.mu.Unlock()
	return o.seats == o.hall.seats
}

// allRight waits until every map is right, which takes the next repeated version
// at most; without those it would stay wrong.
func allRight(t *testing.T, all []*onlooker) {
	t.Helper()
	began := time.Now()
	eventually(t, "every map to be right", func() bool {
		for _, o := range all {
			if !o.right() {
				return false
			}
		}
		return true
	})
	t.Logf("maps were right after %v", time.Since(began))
}

func newHall() *hall { return &hall{event: uuid.New(), pending: map[int]time.Time{}} }

// TestTwoProcessesSellOneEvent has two processes change one event as fast as
// they can tell it. Every watcher of both follows by deltas: hardly anybody
// fetches the snapshot again.
func TestTwoProcessesSellOneEvent(t *testing.T) {
	t.Parallel()
	r, h := testkit.Redis(t), newHall()
	var all []*onlooker
	var selling sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	processes := []*process{startProcess(t, over, r, h, 0), startProcess(t, over, r, h, 1)}
	for _, p := range processes {
		for range 3 {
			all = append(all, p.onlooker(t))
		}
	}
	for _, p := range processes {
		selling.Go(func() { p.sell(ctx, 60*time.Millisecond) })
	}
	const enough = 80
	eventually(t, "many deltas", func() bool {
		for _, o := range all {
			if o.follows() < enough {
				return false
			}
		}
		return true
	})
	stop()
	selling.Wait()
	allRight(t, all)
	for i, o := range all {
		o.mu.Lock()
		t.Logf("watcher %d fetched %d snapshots for %d deltas", i, o.fetched, o.n)
		if o.fetched > enough/10 {
			t.Errorf("watcher %d fetched %d snapshots although nothing was lost", i, o.fetched)
		}
		o.mu.Unlock()
	}
}

// TestMapsEndRightWhateverBecomesOfRedis breaks Redis in the middle of a sale.
// Its store of versions is away or lost with it.
func TestMapsEndRightWhateverBecomesOfRedis(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lost bool
		do   func(*testkit.RedisServer, *testing.T)
	}{
		"killed, restarted empty": {true, outages["killed and restarted empty"].forAWhile},
		"away":                    {true, outages["away for a while"].forAWhile},
		"frozen":                  {false, outages["frozen for a while"].forAWhile},
		"cut":                     {false, cutMessages},
		"flushed":                 {true, func(r *testkit.RedisServer, _ *testing.T) { r.Do(r.Client(), "FLUSHALL") }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, h := testkit.Redis(t), newHall()
			processes := []*process{startProcess(t, overHurried, r, h, 0), startProcess(t, overHurried, r, h, 1)}
			var all []*onlooker
			for _, p := range processes {
				all = append(all, p.onlooker(t), p.onlooker(t))
			}
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			var selling sync.WaitGroup
			for _, p := range processes {
				selling.Go(func() { p.sell(ctx, 40*time.Millisecond) })
			}
			pause(time.Second)
			h.setAway(true, false)
			c.do(r, t)
			h.setAway(false, c.lost)
			pause(500 * time.Millisecond)
			stop()
			selling.Wait()
			allRight(t, all)
		})
	}
}

// TestDeadProcessLeavesNoWrongMap kills a process between its last change and
// the delta. Those who watch over another one see it nevertheless.
func TestDeadProcessLeavesNoWrongMap(t *testing.T) {
	t.Parallel()
	r, h := testkit.Redis(t), newHall()
	a, b := startProcess(t, overHurried, r, h, 0), startProcess(t, overHurried, r, h, 1)
	o, naive := b.onlooker(t), b.onlooker(t)
	naive.mu.Lock()
	naive.naive = true
	naive.mu.Unlock()
	sale := a.change(7, realtime.Booked)
	a.feed.Committed(h.event, sale, []int32{7})
	eventually(t, "the delta", func() bool { return o.right() && naive.right() })
	a.change(8, realtime.Booked)
	a.stop()
	eventually(t, "the map to be right", o.right)
	if naive.right() {
		t.Error("a client that takes no notice of repeated versions is right, too: the test shows nothing")
	}
}

// TestInterruptionIsToldLocally has watchers of each process learn that the
// map is not kept up to date, and that it is again.
func TestInterruptionIsToldLocally(t *testing.T) {
	t.Parallel()
	r, h := testkit.Redis(t), newHall()
	a, b := startProcess(t, overHurried, r, h, 0), startProcess(t, overHurried, r, h, 1)
	all := []*onlooker{a.onlooker(t), b.onlooker(t)}
	told := func(live bool) func() bool {
		return func() bool {
			for _, o := range all {
				o.mu.Lock()
				last := len(o.live) > 0 && o.live[len(o.live)-1] == live
				o.mu.Unlock()
				if !last {
					return false
				}
			}
			return true
		}
	}
	r.Freeze()
	h.setAway(true, false)
	eventually(t, "that the map is not live", told(false))
	late := a.onlooker(t)
	all = append(all, late)
	eventually(t, "that a newcomer is told", told(false))
	r.Thaw()
	h.setAway(false, false)
	eventually(t, "that the map is live again", told(true))
}

// TestNewsLostInAnOutageAreMadeGood has messages to a person at another
// process fail; when Redis is back, that person is told to refresh.
func TestNewsLostInAnOutageAreMadeGood(t *testing.T) {
	t.Parallel()
	r, h := testkit.Redis(t), newHall()
	shared := &together{}
	a := startProcess(t, overHurried, r, h, 0, func(o *socket.Options) { o.Presence = shared })
	b := startProcess(t, overHurried, r, h, 1)
	for token, p := range a.gate.people {
		b.gate.people[token] = p
	}
	mine := b.browser(t, "ann").listen(realtime.UserChannel(a.ann.UserID))
	await(t, "subscription", mine.subscribed)
	if err := shared.Listen(t.Context(), a.ann.UserID); err != nil {
		t.Fatal(err)
	}
	r.Freeze()
	began := time.Now()
	for range 20_000 { // more than an hour, if each of them waited
		a.feed.HoldsChanged(a.ann.UserID, h.event)
	}
	if took := time.Since(began); took > patience {
		t.Errorf("telling blocked for %v", took)
	}
	pause(time.Second)
	r.Thaw()
	for await(t, "the refresh", mine.heard) != `{"refresh":true}` {
	}
}
