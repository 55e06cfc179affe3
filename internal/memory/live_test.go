package memory_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"happening/internal/booking"
	"happening/internal/memory"
	"happening/internal/realtime"
)

// hall is the truth of one event in a test: what is sold, and the holds.
type hall struct {
	event uuid.UUID
	holds *memory.Holds
	feed  *realtime.Feed

	mu   sync.Mutex
	sold map[int32]bool
	sale int64
}

const hallSeats = 60

func (h *hall) States(_ context.Context, _ uuid.UUID, _ int64, seats []int32) ([]uint8, bool) {
	views, err := h.holds.View(context.Background(), []uuid.UUID{h.event})
	if err != nil {
		return nil, false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	states := make([]uint8, len(seats))
	for i, seat := range seats {
		if h.sold[seat] {
			states[i] = realtime.Booked
		} else if _, held := views[0].Holders[seat]; held {
			states[i] = realtime.Held
		}
	}
	return states, true
}

// trade sells or frees seats, as a commit does: first the truth, then the
// holds, then the report.
func (h *hall) trade(t *testing.T, seats []int32, sold bool) {
	h.mu.Lock()
	h.sale++
	sale := h.sale
	for _, seat := range seats {
		h.sold[seat] = sold
	}
	h.mu.Unlock()
	if sold {
		if err := h.holds.Settle(t.Context(), booking.Sale{EventID: h.event, Version: sale, Sold: seats}); err != nil {
			t.Error(err)
		}
	}
	h.feed.Committed(h.event, sale, seats)
}

// onlooker is a client's model: a snapshot, deltas on top of it, and another
// snapshot after a gap.
type onlooker struct {
	mu        sync.Mutex
	hall      *hall
	epoch     string
	n         int64
	states    map[int32]uint8
	snapshots int
	heedless  bool // takes no notice of gaps
}

func (o *onlooker) fetch() {
	v, err := o.hall.holds.Version(context.Background(), o.hall.event)
	if err != nil {
		panic(err)
	}
	all := make([]int32, hallSeats)
	for i := range all {
		all[i] = int32(i + 1)
	}
	states, _ := o.hall.States(context.Background(), o.hall.event, 0, all)
	o.epoch, o.n, o.states = v.Epoch, v.N, map[int32]uint8{}
	for i, seat := range all {
		o.states[seat] = states[i]
	}
	o.snapshots++
}

func (o *onlooker) receive(data []byte) {
	var d struct {
		Version string
		Seats   [][2]int32
	}
	if err := json.Unmarshal(data, &d); err != nil || d.Version == "" {
		return // viewers and the like
	}
	epoch, text, _ := strings.Cut(d.Version, ":")
	var n int64
	if _, err := fmt.Sscan(text, &n); err != nil {
		panic(err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case epoch == o.epoch && n <= o.n:
	case epoch == o.epoch && (o.heedless || n == o.n+1 && len(d.Seats) > 0):
		o.n = n
		for _, s := range d.Seats {
			o.states[s[0]] = uint8(s[1])
		}
	default:
		o.fetch()
	}
}

// lossy delivers to all onlookers, except what it loses.
type lossy struct {
	mu       sync.Mutex
	random   *rand.Rand
	loss     float64
	watchers []*onlooker
}

func (l *lossy) Publish(_ string, data []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, o := range l.watchers {
		if l.random.Float64() >= l.loss {
			o.receive(data)
		}
	}
	return nil
}
func (l *lossy) Broadcast(channel string, data []byte) error { return l.Publish(channel, data) }
func (l *lossy) Local(channel string, data []byte) error     { return l.Publish(channel, data) }
func (l *lossy) RefreshAll()                                 {}

func (l *lossy) Listening(context.Context, uuid.UUID) bool { return false }

func (l *lossy) Viewers(_ context.Context, id uuid.UUID) int { return l.Here(id) }

func (l *lossy) Here(uuid.UUID) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.watchers)
}

// TestMapsConvergeToTheTruth lets people hold, buy and give back seats at
// random, while messages are lost and onlookers come late, with their snapshot
// taken before or after they begin to listen. After the storm, and no later
// than the version is repeated, every map equals the truth.
func TestMapsConvergeToTheTruth(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if err := converge(t, seed, float64(seed%4)*0.15, false); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestMapsOfTheHeedlessEndWrong is the control: onlookers who take no notice of
// what is missing end with a map that is wrong.
func TestMapsOfTheHeedlessEndWrong(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		synctest.Test(t, func(t *testing.T) {
			if converge(t, seed, 0.45, true) == nil {
				t.Errorf("seed %d: every map is right: nothing is shown", seed)
			}
		})
	}
}

// converge says which map is wrong in the end.
func converge(t *testing.T, seed uint64, loss float64, heedless bool) error {
	random := rand.New(rand.NewPCG(seed, 1))
	net := &lossy{random: rand.New(rand.NewPCG(seed, 2)), loss: loss}
	h := &hall{event: uuid.New(), sold: map[int32]bool{}}
	h.holds = memory.NewHolds(memory.HoldsOptions{Now: time.Now, TTL: 4 * time.Second, Changed: func(id uuid.UUID, seats []int32) { h.feed.Dirty(id, seats) }})
	h.feed = realtime.NewFeed(realtime.Options{Versions: h.holds, Seats: h, Publisher: net, Audience: net})
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { h.feed.Run(ctx) })
	running.Go(func() { h.holds.Run(ctx) })
	defer running.Wait()
	defer stop()

	var people sync.WaitGroup
	for i := range 8 {
		mine := rand.New(rand.NewPCG(seed, uint64(10+i)))
		people.Go(func() { h.act(t, mine, uuid.New()) })
	}
	var all []*onlooker
	for range 6 {
		time.Sleep(time.Duration(random.IntN(2500)) * time.Millisecond)
		o := &onlooker{hall: h, heedless: heedless}
		early := random.IntN(2) == 0
		if early {
			o.fetch()
			time.Sleep(time.Duration(random.IntN(200)) * time.Millisecond)
		}
		net.mu.Lock()
		net.watchers = append(net.watchers, o)
		net.mu.Unlock()
		h.feed.Watch(h.event, true)
		if !early {
			o.mu.Lock()
			o.fetch()
			o.mu.Unlock()
		}
		all = append(all, o)
	}
	people.Wait()
	// The last holds end, then a version arrives that is not lost.
	time.Sleep(5 * time.Second)
	net.mu.Lock()
	net.loss = 0
	net.mu.Unlock()
	time.Sleep(6 * time.Second)
	synctest.Wait()

	truth := &onlooker{hall: h}
	truth.fetch()
	for i, o := range all {
		if loss == 0 && o.snapshots > 3 {
			t.Errorf("onlooker %d fetched %d snapshots although nothing was lost", i, o.snapshots)
		}
		for seat, want := range truth.states {
			if o.states[seat] != want {
				return fmt.Errorf("onlooker %d at %d shows %d for seat %d, the truth at %d is %d", i, o.n, o.states[seat], seat, truth.n, want)
			}
		}
	}
	return nil
}

func (h *hall) act(t *testing.T, random *rand.Rand, user uuid.UUID) {
	for range 60 {
		time.Sleep(time.Duration(random.IntN(400)) * time.Millisecond)
		var seats []int32
		for seat := int32(random.IntN(10)); seat <= hallSeats; seat += int32(1 + random.IntN(20)) {
			if seat > 0 {
				seats = append(seats, seat)
			}
		}
		switch random.IntN(4) {
		case 0:
			h.trade(t, seats, true)
		case 1:
			h.trade(t, seats, false)
		default:
			if _, err := h.holds.Place(t.Context(), booking.Placement{EventID: h.event, UserID: user, Seats: seats}); err != nil {
				t.Error(err)
			}
		}
	}
}
