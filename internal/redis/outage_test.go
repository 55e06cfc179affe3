//go:build engines

package redis_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/booking"
	"happening/internal/redis"
	"happening/internal/testkit"
)

// journal is a log that tests read.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) lines() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Split(strings.TrimSpace(j.text.String()), "\n")
}

// outage is one store on one server that is going to be broken.
type outage struct {
	t        *testing.T
	server   *testkit.RedisServer
	store    *redis.Store
	journal  *journal
	left     chan struct{}
	returned chan struct{}
	event    uuid.UUID
	user     uuid.UUID
}

func newOutage(t *testing.T) *outage {
	o := &outage{
		t: t, server: testkit.Redis(t), journal: &journal{}, event: uuid.New(), user: uuid.New(),
		left: make(chan struct{}, 16), returned: make(chan struct{}, 16),
	}
	o.store = open(t, o.server.URL, redis.Options{Log: slog.New(slog.NewTextHandler(o.journal, nil))})
	o.store.OnAway(func() { o.left <- struct{}{} })
	o.store.OnReturn(func() { o.returned <- struct{}{} })
	return o
}

const (
	// slack is what a machine may add to a bound that does little else.
	slack = 500 * time.Millisecond
	// attempts are how often something is timed where the machine may stand
	// still for longer: what is slow by itself is slow each time.
	attempts = 10
	// ends is for what would otherwise never end.
	ends = time.Minute
)

// soon times something until it was quick enough once.
func soon(t *testing.T, what string, within time.Duration, do func()) {
	t.Helper()
	quickest := time.Duration(math.MaxInt64)
	for range attempts {
		began := time.Now()
		do()
		if quickest = min(quickest, time.Since(began)); quickest <= within {
			return
		}
	}
	t.Errorf("%s took %v at the quickest, want %v at most", what, quickest, within)
}

// answersSoon asserts that the calls of a booking answer at once when Redis is
// known to be away: each would take its patience otherwise.
func (o *outage) answersSoon() {
	o.t.Helper()
	soon(o.t, "eight calls", slack, o.refuses)
}

// notices has the first call find out that Redis is away, which takes its
// patience.
func (o *outage) notices() {
	o.t.Helper()
	o.refuses()
	<-o.left
}

// refuses asserts how all calls of a booking are answered without Redis.
func (o *outage) refuses() {
	o.t.Helper()
	ctx := o.t.Context()
	_, viewErr := o.store.View(ctx, []uuid.UUID{o.event})
	_, placeErr := o.store.Place(ctx, booking.Placement{EventID: o.event, UserID: o.user, Seats: []int32{1}})
	_, mineErr := o.store.Mine(ctx, o.event, o.user)
	pinErr := o.store.Pin(ctx, o.event, o.user)
	settleErr := o.store.Settle(ctx, booking.Sale{EventID: o.event, Version: 9})
	_, versionErr := o.store.Version(ctx, o.event)
	_, compareErr := o.store.Compare(ctx, []booking.Figures{{EventID: o.event, Version: 9}})
	unlock, locked := o.store.Lock(ctx, o.event, o.user, 1)
	unlock()
	for i, err := range []error{viewErr, placeErr, mineErr, pinErr, settleErr, versionErr, compareErr} {
		if !errors.Is(err, booking.ErrHoldsAway) {
			o.t.Errorf("call %d: %v, want holds_unavailable", i, err)
		}
	}
	if !locked {
		o.t.Error("a lock that can't be had refused a request")
	}
}

// works asserts that all of it works.
func (o *outage) works() {
	o.t.Helper()
	ctx := o.t.Context()
	placed, err := o.store.Unhurried().Place(ctx, booking.Placement{EventID: o.event, UserID: o.user, Seats: []int32{1, 2}})
	if err != nil || len(placed.Granted) != 2 {
		o.t.Fatalf("place: %v, %v", placed, err)
	}
	views, err := o.store.View(ctx, []uuid.UUID{o.event})
	if err != nil || len(views[0].Holders) != 2 {
		o.t.Fatalf("view: %v, %v", views, err)
	}
	if err := o.store.Settle(ctx, booking.Sale{EventID: o.event, Version: 1}); err != nil {
		o.t.Fatal(err)
	}
}

// told asserts the journal: the outage's beginning and end, once each.
func (o *outage) told(want ...string) {
	o.t.Helper()
	lines := o.journal.lines()
	if len(lines) != len(want) {
		o.t.Fatalf("logged %q, want %q", lines, want)
	}
	for i := range want {
		if !strings.Contains(lines[i], want[i]) {
			o.t.Errorf("logged %q, want %q", lines[i], want[i])
		}
	}
}

const (
	saidAway = "Redis is away"
	saidBack = "Redis is back"
)

// TestFrozen has Redis keep its connections and answer nothing.
func TestFrozen(t *testing.T) {
	t.Parallel()
	o := newOutage(t)
	o.works()
	o.store.Hurried()
	o.server.Freeze()
	o.notices()
	if !o.store.Away() {
		t.Fatal("not away")
	}
	o.answersSoon()
	if ok, detail := o.store.State(); ok || !strings.Contains(detail, "away") {
		t.Fatalf("state %v: %s", ok, detail)
	}
	if err := o.store.Settle(t.Context(), booking.Sale{EventID: o.event, Version: 10, Sold: []int32{2, 3}}); err == nil {
		t.Fatal("settled in a frozen Redis")
	}
	o.server.Thaw()
	<-o.returned
	held := func(want ...int32) {
		t.Helper()
		if mine, err := o.store.Unhurried().Mine(t.Context(), o.event, o.user); err != nil || !slices.Equal(mine.Seats, want) {
			t.Fatalf("holds %v, want %v: %v", mine.Seats, want, err)
		}
	}
	held(1, 2) // as before: this is what the sweep is for
	o.store.Sweep(t.Context())
	held(1)
	o.works()
	o.told(saidAway, saidBack)
}

// TestWhatAGivenUpCallChangedIsTold gives up on placing holds just after the
// script was sent, as a closed browser does. What it held is told nevertheless.
func TestWhatAGivenUpCallChangedIsTold(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	told := map[int32]bool{}
	event := uuid.New()
	store := open(t, testkit.Redis(t).URL, redis.Options{Changed: func(_ uuid.UUID, seats []int32) {
		mu.Lock()
		defer mu.Unlock()
		for _, s := range seats {
			told[s] = true
		}
	}}).Unhurried()
	const calls = 300
	place := func(ctx context.Context, seat int32) time.Duration {
		began := time.Now()
		_, _ = store.Place(ctx, booking.Placement{EventID: event, UserID: uuid.New(), Seats: []int32{seat}, Now: began})
		return time.Since(began)
	}
	place(t.Context(), 1) // Redis learns the scripts
	took := place(t.Context(), 2)
	for seat := int32(3); seat <= calls; seat++ {
		ctx, giveUp := context.WithCancel(t.Context())
		time.AfterFunc(rand.N(2*took), giveUp)
		place(ctx, seat)
		giveUp()
	}
	views, err := store.View(t.Context(), []uuid.UUID{event})
	if err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	for seat := range views[0].Holders {
		if !told[seat] {
			t.Errorf("seat %d is held and nobody was told", seat)
		}
	}
	t.Logf("%d of %d calls held their seat", len(views[0].Holders), calls)
}

// TestKilledAndStartedEmpty loses everything.
func TestKilledAndStartedEmpty(t *testing.T) {
	t.Parallel()
	o := newOutage(t)
	o.works()
	before, err := o.store.Version(t.Context(), o.event)
	if err != nil {
		t.Fatal(err)
	}
	o.store.Hurried()
	o.server.Kill()
	o.notices()
	o.answersSoon()
	o.server.Start()
	<-o.returned
	views, err := o.store.Unhurried().View(t.Context(), []uuid.UUID{o.event})
	if err != nil || len(views[0].Holders) != 0 || views[0].SaleVersion != 0 {
		t.Fatalf("an empty Redis shows %v, %v", views, err)
	}
	if v, err := o.store.Version(t.Context(), o.event); err != nil || v.Epoch == before.Epoch {
		t.Fatalf("the epoch went on: %v, %v", v, err)
	}
	o.works()
	o.told(saidAway, saidBack)
}

// TestAwayFromTheStart opens a store before there is a Redis.
func TestAwayFromTheStart(t *testing.T) {
	t.Parallel()
	o := newOutage(t)
	o.server.Kill()
	o.journal = &journal{}
	o.store = open(t, o.server.URL, redis.Options{Log: slog.New(slog.NewTextHandler(o.journal, nil))})
	o.store.OnReturn(func() { o.returned <- struct{}{} })
	o.answersSoon()
	o.server.Start()
	<-o.returned
	o.works()
	o.told(saidAway, saidBack)
}

// TestReadOnly makes the server a replica of nobody, which answers reads only.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	o := newOutage(t)
	o.works()
	control := o.server.Client()
	o.server.Do(control, "REPLICAOF", "127.0.0.1", "1")
	// A view of an event at which nothing is due reads only.
	if err := o.store.Pin(t.Context(), o.event, o.user); !errors.Is(err, booking.ErrHoldsAway) {
		t.Fatalf("a replica took a write: %v", err)
	}
	<-o.left
	o.store.Hurried()
	o.answersSoon()
	o.server.Do(control, "REPLICAOF", "NO", "ONE")
	<-o.returned
	o.works()
}

// TestScriptsAreLost is a restart, or somebody's SCRIPT FLUSH.
func TestScriptsAreLost(t *testing.T) {
	t.Parallel()
	o := newOutage(t)
	control := o.server.Client()
	for range 3 {
		o.works()
		o.server.Do(control, "SCRIPT", "FLUSH")
	}
	if o.store.Away() || o.journal.lines()[0] != "" {
		t.Fatalf("a lost script is no outage: %q", o.journal.lines())
	}
}

// TestForeignValues puts somebody else's values under every key of an event;
// other events and this one go on.
func TestForeignValues(t *testing.T) {
	t.Parallel()
	o := newOutage(t)
	control := o.server.Client()
	other := uuid.New()
	if _, err := o.store.Unhurried().Place(t.Context(), booking.Placement{EventID: other, UserID: o.user, Seats: []int32{5}}); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"holds", "people", "due", "touched", "live", "slots", "waitlist"} {
		o.works()
		key := "event:{" + o.event.String() + "}:" + part
		o.server.Do(control, "DEL", key)
		o.server.Do(control, "SETRANGE", key, "3", "mine")
		o.works()
	}
	for field, value := range map[string]string{"rev": "x", "n": "x", "sale": "x", "seq": "-", "gap": "x", "kept": "x", "floor": "x"} {
		o.works()
		o.server.Do(control, "HSET", "event:{"+o.event.String()+"}:live", field, value)
		o.works()
		if _, err := o.store.Next(t.Context(), o.event, 0); err != nil {
			t.Fatalf("%s: %v", field, err)
		}
	}
	o.server.Do(control, "SET", "holding:"+o.user.String(), "x")
	o.works()
	o.server.Do(control, "SET", "holds:due", "x")
	o.store.Sweep(t.Context())
	o.works()
	if held, err := o.store.Mine(t.Context(), other, o.user); err != nil || len(held.Seats) != 1 {
		t.Fatalf("another event has suffered: %v, %v", held, err)
	}
	if o.store.Away() {
		t.Fatal("a foreign value is no outage")
	}
	told := map[string]int{}
	for _, line := range o.journal.lines() {
		_, key, _ := strings.Cut(line, "key=")
		if told[key]++; told[key] > 1 {
			t.Errorf("told more than once a minute: %s", line)
		}
	}
	if len(told) != 3 { // the event's, the person's, and the list of events
		t.Errorf("told of %v", told)
	}
}

// TestLiesAboutHolds writes and deletes behind the store's back: nobody loses
// a seat for ever, and nobody holds one for ever.
func TestLiesAboutHolds(t *testing.T) {
	t.Parallel()
	server := testkit.Redis(t)
	control := server.Client()
	now := newClock()
	o := redis.Options{Now: now.Now, RedisTime: now.Now}
	s, watcher := open(t, server.URL, o).Unhurried(), open(t, server.URL, o).Unhurried()
	event, ann, bob := uuid.New(), uuid.New(), uuid.New()
	key := func(part string) string { return "event:{" + event.String() + "}:" + part }
	grant := func(user uuid.UUID, seats ...int32) {
		t.Helper()
		placed, err := s.Place(t.Context(), booking.Placement{EventID: event, UserID: user, Seats: seats})
		if err != nil || len(placed.Granted) != len(seats) {
			t.Fatalf("placed %v, %v", placed, err)
		}
	}
	held := func(want int) {
		t.Helper()
		views, err := watcher.View(t.Context(), []uuid.UUID{event})
		if err != nil || len(views[0].Holders) != want {
			t.Fatalf("view %v, want %d holds: %v", views, want, err)
		}
	}
	far := fmt.Sprint(now.Now().Add(24 * time.Hour).UnixMilli())
	stamp := fmt.Sprint(now.Now().UnixMilli())

	grant(ann, 1, 2)
	held(2)
	server.Do(control, "DEL", key("holds"))
	held(0)
	grant(bob, 1)
	if mine, err := s.Mine(t.Context(), event, ann); err != nil || len(mine.Seats) != 0 {
		t.Fatalf("ann holds %v, %v", mine, err)
	}
	held(1)

	// Garbage, and a hold that would never end.
	server.Do(control, "HSET", key("holds"), "7", "nonsense", "x", "y", "8", uuid.NewString()+" "+far+" "+stamp)
	grant(ann, 7, 8)
	grant(ann)

	// Holds to which no record leads end all the same.
	server.Do(control, "DEL", key("people"), key("due"))
	now.Advance(redis.DefaultHoldTTL)
	s.Sweep(t.Context())
	if n := server.Do(control, "HLEN", key("holds")); n != "0" {
		t.Fatalf("%s holds are left: %s", n, server.Do(control, "EVAL", "return table.concat(redis.call('HGETALL', KEYS[1]), ' ')", "1", key("holds")))
	}
	grant(ann, 1)
	server.Do(control, "DEL", key("live"), key("touched"))
	grant(bob, 3)
	held(2)
	server.Do(control, "DEL", key("touched"))
	grant(bob, 3, 4)
	held(3)
}

// TestForeignLocks meets locks that are not ours.
func TestForeignLocks(t *testing.T) {
	t.Parallel()
	server := testkit.Redis(t)
	control := server.Client()
	s := open(t, server.URL, redis.Options{}).Unhurried()
	event, ann := uuid.New(), uuid.New()
	key := "booking:{" + event.String() + "}:" + ann.String()
	for _, lie := range [][]string{{"SET", key, "for ever"}, {"SADD", key, "x"}, {"SET", key, "x", "PX", "99999999"}} {
		server.Do(control, "DEL", key)
		server.Do(control, lie...)
		unlock, ok := s.Lock(t.Context(), event, ann, 1)
		if !ok {
			t.Fatalf("%v locks the person out", lie)
		}
		unlock()
		if server.Do(control, "EXISTS", key) != "1" {
			t.Fatalf("%v was released by another than its owner", lie)
		}
		if left := server.Do(control, "PTTL", key); left == "-1" || len(left) > len("15000") {
			t.Fatalf("%v stays for %s ms", lie, left)
		}
	}
	// A lock that has ended under its owner is not released by it.
	server.Do(control, "DEL", key)
	unlock, _ := s.Lock(t.Context(), event, ann, 1)
	server.Do(control, "DEL", key)
	second, ok := s.Lock(t.Context(), event, ann, 1)
	if !ok {
		t.Fatal("refused although the first has ended")
	}
	unlock()
	if _, ok := s.Lock(t.Context(), event, ann, 1); ok {
		t.Fatal("the first owner has released the second's lock")
	}
	second()
}

// TestLimiterNeverOpens has the process's own limiter take over, and soon.
func TestLimiterNeverOpens(t *testing.T) {
	t.Parallel()
	o := newOutage(t)
	l := o.store.Limiter("address", 10, 20, closed{})
	if ok, _ := o.store.Limiter("address", 10, 20, closed{}).Unhurried().Allow("ann"); !ok {
		t.Fatal("a first call was refused")
	}
	o.server.Freeze()
	refused := func() {
		if ok, _ := l.Allow("ann"); ok {
			t.Fatal("open while Redis is away")
		}
	}
	for range 3 {
		refused()
	}
	<-o.left // calls of a limiter alone find the outage
	soon(t, "a limiter", 50*time.Millisecond+slack, refused)
	o.server.Thaw()
	<-o.returned
	if ok, _ := l.Unhurried().Allow("ann"); !ok {
		t.Fatal("still the fallback although Redis is back")
	}
}

// TestFlushedInMidSale flushes again and again while two processes hold, sell
// and look, with a Redis that is killed in the end: no call may fail while it
// answers, and afterwards everything is as PostgreSQL says.
func TestFlushedInMidSale(t *testing.T) {
	t.Parallel()
	server := testkit.Redis(t)
	control := server.Client()
	one, two := open(t, server.URL, redis.Options{TTL: time.Second}).Unhurried(), open(t, server.URL, redis.Options{TTL: time.Second}).Unhurried()
	ctx, stop := context.WithCancel(t.Context())
	var running, people sync.WaitGroup
	running.Go(func() { one.Run(ctx) })
	running.Go(func() { two.Run(ctx) })
	b := newBook(3, 1000)
	event := b.figures.EventID
	for i := range 8 {
		random := rand.New(rand.NewPCG(9, uint64(i)))
		s := []*redis.Store{one, two}[i%2]
		people.Go(func() {
			user := uuid.New()
			for range 60 {
				if _, err := s.Place(ctx, booking.Placement{EventID: event, UserID: user, Seats: []int32{int32(random.IntN(30)) + 1, 40}}); err != nil {
					t.Error(err)
				}
				if _, err := s.View(ctx, []uuid.UUID{event}); err != nil {
					t.Error(err)
				}
				if _, err := s.Next(ctx, event, 0); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range 100 {
		if err := []*redis.Store{one, two}[i%2].Settle(ctx, b.sell()); err != nil {
			t.Error(err)
		}
		if i%20 == 10 {
			server.Do(control, "FLUSHALL")
		}
	}
	people.Wait()
	if err := readMirror(t, control, event).equals(b.figures); err != nil {
		t.Error(err)
	}
	stop() // a sweep between the two looks would end holds
	running.Wait()
	for _, s := range []*redis.Store{one, two} {
		views, err := s.View(t.Context(), []uuid.UUID{event})
		if err != nil {
			t.Fatal(err)
		}
		all, err := control.Do(t.Context(), control.B().Hgetall().Key("event:{"+event.String()+"}:holds").Build()).AsStrMap()
		if err != nil || len(all) != len(views[0].Holders) {
			t.Errorf("a view has %d holds, Redis %d: %v", len(views[0].Holders), len(all), err)
		}
	}
}

// TestSentinelFailover kills the master; the replica takes over.
func TestSentinelFailover(t *testing.T) {
	t.Parallel()
	nodes := testkit.RedisSentinel(t)
	returned := make(chan struct{}, 16)
	s := open(t, nodes.URL, redis.Options{}).Unhurried()
	s.OnReturn(func() { returned <- struct{}{} })
	event, ann := uuid.New(), uuid.New()
	if _, err := s.Place(t.Context(), booking.Placement{EventID: event, UserID: ann, Seats: []int32{1}}); err != nil {
		t.Fatal(err)
	}
	before, err := s.Next(t.Context(), event, 0)
	if err != nil {
		t.Fatal(err)
	}
	// The hold is on the replica when what the same server was told after it is.
	nodes.Nodes[0].Do(nodes.Control[0], "SET", "after the hold", "1")
	testkit.Eventually(t, "replica that has the hold", func() error {
		if n := nodes.Nodes[0].Do(nodes.Control[0], "WAIT", "1", "5000"); n != "1" {
			return errors.New(n + " replicas have it")
		}
		return nil
	})
	nodes.KillMaster(t)
	s.Hurried()
	if _, err := s.View(t.Context(), []uuid.UUID{event}); !errors.Is(err, booking.ErrHoldsAway) {
		t.Fatalf("a view of a dead master: %v", err)
	}
	<-returned
	s.Unhurried()
	views, err := s.View(t.Context(), []uuid.UUID{event})
	if err != nil || views[0].Holders[1] != ann {
		t.Fatalf("after the failover: %v, %v", views, err)
	}
	if v, err := s.Version(t.Context(), event); err != nil || v.Epoch == before.Epoch {
		t.Fatalf("another server goes on counting: %v, %v", v, err)
	}
}

// TestClusterNodeFrozen has one master of three not answer: away, and back.
func TestClusterNodeFrozen(t *testing.T) {
	t.Parallel()
	nodes := testkit.RedisCluster(t)
	returned := make(chan struct{}, 16)
	s := open(t, nodes.URL, redis.Options{})
	s.OnReturn(func() {
		select {
		case returned <- struct{}{}:
		default:
		}
	})
	events := make([]uuid.UUID, 32) // some on every master
	for i := range events {
		events[i] = uuid.New()
	}
	if _, err := s.Unhurried().View(t.Context(), events); err != nil {
		t.Fatal(err)
	}
	s.Hurried()
	nodes.Nodes[1].Freeze()
	if _, err := s.View(t.Context(), events); !errors.Is(err, booking.ErrHoldsAway) {
		t.Fatal(err)
	}
	soon(t, "a view", slack, func() {
		if _, err := s.View(t.Context(), events); !errors.Is(err, booking.ErrHoldsAway) {
			t.Fatal(err)
		}
	})
	nodes.Nodes[1].Thaw()
	testkit.Eventually(t, "whole cluster", func() error {
		_, err := s.View(t.Context(), events)
		return err
	})
}

// TestNothingIsTrustedOverAConnection is a failover to a replica that has seen
// other last changes than its master: the same revision, other holds.
func TestNothingIsTrustedOverAConnection(t *testing.T) {
	t.Parallel()
	o := newOutage(t)
	o.works()
	live, holds := "event:{"+o.event.String()+"}:live", "event:{"+o.event.String()+"}:holds"
	control := o.server.Client()
	epoch, revision := o.server.Do(control, "HGET", live, "epoch"), o.server.Do(control, "HGET", live, "rev")
	o.server.Kill()
	o.store.Hurried()
	o.notices()
	o.server.Start()
	bob, end := uuid.New(), fmt.Sprint(time.Now().Add(time.Minute).UnixMilli())
	again := o.server.Client()
	o.server.Do(again, "HSET", live, "epoch", epoch, "rev", revision)
	o.server.Do(again, "HSET", holds, "7", bob.String()+" "+end+" "+end, "8", bob.String()+" "+end+" "+end)
	<-o.returned
	views, err := o.store.Unhurried().View(t.Context(), []uuid.UUID{o.event})
	if err != nil || len(views[0].Holders) != 2 || views[0].Holders[7] != bob {
		t.Fatalf("view %v, %v", views, err)
	}
}

// TestCloseIsBounded closes while Redis does not answer, twice.
func TestCloseIsBounded(t *testing.T) {
	t.Parallel()
	o := newOutage(t)
	o.works()
	o.server.Freeze()
	o.store.Hurried()
	_, _ = o.store.View(t.Context(), []uuid.UUID{o.event})
	begin := time.Now()
	o.store.Close()
	o.store.Close()
	if took := time.Since(begin); took > ends {
		t.Fatalf("closing took %v", took)
	}
	o.answersSoon()
}
