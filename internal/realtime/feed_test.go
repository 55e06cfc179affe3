package realtime_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"happening/internal/realtime"
)

// stage is a feed with everything around it in memory, and a record of what it
// has sent.
type stage struct {
	*realtime.Feed
	event, user uuid.UUID

	mu        sync.Mutex
	n         int64
	sale      int64
	failNext  bool
	noStates  bool
	states    map[int32]uint8
	viewers   int
	listening bool
	sent      []sent
	start     time.Time
}

type sent struct {
	at      time.Duration
	channel string
	kept    bool
	data    string
}

func open(t *testing.T) *stage {
	s := &stage{event: uuid.New(), user: uuid.New(), states: map[int32]uint8{}, start: time.Now()}
	s.Feed = realtime.NewFeed(realtime.Options{Versions: s, Seats: s, Publisher: s, Audience: s})
	go s.Run(t.Context())
	return s
}

func (s *stage) Version(context.Context, uuid.UUID) (realtime.Stand, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return realtime.Stand{Version: realtime.Version{Epoch: "e", N: s.n}}, nil
}

func (s *stage) Next(_ context.Context, _ uuid.UUID, sale int64) (realtime.Stand, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failNext {
		s.failNext = false
		return realtime.Stand{}, errors.New("away")
	}
	s.n++
	s.sale = sale
	return realtime.Stand{Version: realtime.Version{Epoch: "e", N: s.n}}, nil
}

func (s *stage) States(_ context.Context, _ uuid.UUID, _ int64, seats []int32) ([]uint8, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	states := make([]uint8, len(seats))
	for i, seat := range seats {
		states[i] = s.states[seat]
	}
	return states, !s.noStates
}

func (s *stage) Publish(channel string, data []byte) error   { return s.record(channel, data, true) }
func (s *stage) Broadcast(channel string, data []byte) error { return s.record(channel, data, false) }

func (s *stage) Local(channel string, data []byte) error { return s.record(channel, data, false) }

func (s *stage) RefreshAll() { s.record("everybody", nil, false) }

func (s *stage) record(channel string, data []byte, kept bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent = append(s.sent, sent{at: time.Since(s.start), channel: channel, kept: kept, data: string(data)})
	return nil
}

func (s *stage) Here(uuid.UUID) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.viewers
}

func (s *stage) Viewers(context.Context, uuid.UUID) int { return s.Here(s.event) }

func (s *stage) Listening(context.Context, uuid.UUID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.listening
}

func (s *stage) with(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// join lets somebody look at the event and waits until that has been told.
func (s *stage) join() {
	s.with(func() { s.viewers++ })
	s.Watch(s.event, true)
	time.Sleep(100 * time.Millisecond)
	s.take()
}

// take returns and forgets what was sent, and restarts the record's clock.
func (s *stage) take() []sent {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() { s.sent, s.start = nil, time.Now() }()
	return s.sent
}

func (s *stage) want(t *testing.T, want ...sent) {
	t.Helper()
	got := s.take()
	for i := range want {
		if want[i].channel == "" {
			want[i].channel = realtime.EventChannel(s.event)
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("sent\n%s\nwant\n%s", lines(got), lines(want))
	}
}

func lines(all []sent) (s string) {
	for _, one := range all {
		s += fmt.Sprintf("  %v %v %s %s\n", one.at, one.kept, one.channel, one.data)
	}
	return s
}

func delta(at time.Duration, n int, seats string) sent {
	return sent{at: at, kept: true, data: fmt.Sprintf(`{"version":"e:%d","seats":[%s]}`, n, seats)}
}

func beat(at time.Duration, n int) sent {
	return sent{at: at, data: fmt.Sprintf(`{"version":"e:%d","seats":[]}`, n)}
}

func TestDirtySeatsAreGatheredIntoOneDelta(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		s.join()
		s.with(func() { s.states[3], s.states[1] = realtime.Booked, realtime.Held })
		s.Dirty(s.event, []int32{3, 1})
		time.Sleep(20 * time.Millisecond)
		s.Committed(s.event, 42, []int32{3, 2})
		time.Sleep(29 * time.Millisecond)
		// What counts is the state when the delta is made, not when it was reported.
		s.with(func() { s.states[2] = realtime.Blocked })
		time.Sleep(51 * time.Millisecond)
		s.want(t, delta(50*time.Millisecond, 1, "[1,1],[2,3],[3,2]"))
		if s.sale != 42 {
			t.Fatalf("sale version %d was noted", s.sale)
		}
		s.Dirty(s.event, []int32{1})
		time.Sleep(100 * time.Millisecond)
		s.want(t, delta(50*time.Millisecond, 2, "[1,1]"))
		s.Dirty(s.event, nil)
		time.Sleep(100 * time.Millisecond)
		s.want(t)
	})
}

func TestVersionIsRepeatedWhileWatched(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		s.with(func() { s.viewers = 1 })
		s.Watch(s.event, true)
		time.Sleep(11 * time.Second)
		s.want(t,
			sent{at: 50 * time.Millisecond, data: `{"viewers":1}`},
			beat(50*time.Millisecond, 0), beat(5*time.Second, 0), beat(10*time.Second, 0))
		s.with(func() { s.viewers = 0 })
		s.Watch(s.event, false)
		time.Sleep(time.Hour)
		s.want(t)
	})
}

func TestUnwatchedEventsMoveTheVersionOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		s.Dirty(s.event, []int32{1})
		s.Sales(s.event, 1, realtime.Sales{AvailableSlots: 1})
		s.EventChanged(s.event, 2, "cancelled")
		s.Booking(s.user, realtime.BookingNews{})
		time.Sleep(time.Minute)
		s.want(t)
		if s.n != 1 {
			t.Fatalf("version %d, want 1", s.n)
		}
		s.join()
		s.Dirty(s.event, []int32{1})
		time.Sleep(100 * time.Millisecond)
		s.want(t, delta(50*time.Millisecond, 2, "[1,0]"))
	})
}

func TestOneWhoWasCutOffFindsWhatWasMissed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		s.join()
		s.with(func() { s.viewers = 0 })
		s.Watch(s.event, false)
		time.Sleep(30 * time.Second)
		s.take()
		s.Dirty(s.event, []int32{1})
		time.Sleep(100 * time.Millisecond)
		s.want(t, delta(50*time.Millisecond, 1, "[1,0]"))
		time.Sleep(realtime.RecoveryWindow)
		s.Dirty(s.event, []int32{1})
		time.Sleep(100 * time.Millisecond)
		s.want(t)
	})
}

func TestLargeChangesComeInSlicesOrLeaveAGap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		s.join()
		seats := make([]int32, 30_000)
		for i := range seats {
			seats[i] = int32(i + 1)
		}
		s.Dirty(s.event, seats[:4_500])
		time.Sleep(100 * time.Millisecond)
		got := s.take()
		if len(got) != 3 {
			t.Fatalf("%d deltas for 4500 seats", len(got))
		}
		next := int32(1)
		for i, one := range got {
			var d struct {
				Version string
				Seats   [][2]int32
			}
			if err := json.Unmarshal([]byte(one.data), &d); err != nil || d.Version != fmt.Sprintf("e:%d", i+1) {
				t.Fatalf("delta %d has version %s: %v", i, d.Version, err)
			}
			for _, seat := range d.Seats {
				if seat[0] != next {
					t.Fatalf("seat %d where %d was due", seat[0], next)
				}
				next++
			}
		}
		if next != 4_501 {
			t.Fatalf("%d seats told", next-1)
		}
		s.Dirty(s.event, seats[:15_000])
		s.Dirty(s.event, seats[10_000:])
		time.Sleep(100 * time.Millisecond)
		s.want(t, beat(50*time.Millisecond, 4))
		s.Lost(s.event)
		time.Sleep(100 * time.Millisecond)
		s.want(t, beat(50*time.Millisecond, 5))
	})
}

func TestWhatCannotBeToldLeavesAGap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		s.join()
		s.with(func() { s.noStates = true })
		s.Dirty(s.event, []int32{1})
		time.Sleep(100 * time.Millisecond)
		s.want(t, beat(50*time.Millisecond, 1))
		s.with(func() { s.noStates, s.failNext = false, true })
		s.Dirty(s.event, []int32{1})
		time.Sleep(2 * time.Second)
		s.want(t, beat(1050*time.Millisecond, 2))
	})
}

func TestCountsAreToldOnceASecondAndOnlyWhenChanged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		s.join()
		time.Sleep(time.Second)
		s.take()
		for i := range 10 {
			s.Sales(s.event, 1, realtime.Sales{AvailableSlots: int32(9 - i), WaitingParties: 1})
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(time.Second)
		s.Sales(s.event, 1, realtime.Sales{AvailableSlots: 0, WaitingParties: 1})
		time.Sleep(time.Second)
		s.want(t,
			sent{at: 50 * time.Millisecond, kept: true, data: `{"sales":{"available_slots":9,"waiting_parties":1}}`},
			sent{at: 1050 * time.Millisecond, kept: true, data: `{"sales":{"available_slots":0,"waiting_parties":1}}`})

		time.Sleep(time.Second) // past a repeated version
		s.take()
		for range 5 {
			s.with(func() { s.viewers++ })
			s.Watch(s.event, true)
		}
		time.Sleep(100 * time.Millisecond)
		s.with(func() { s.viewers-- })
		s.Watch(s.event, false)
		time.Sleep(100 * time.Millisecond)
		s.want(t, sent{at: 50 * time.Millisecond, data: `{"viewers":6}`}, beat(50*time.Millisecond, 0))
		time.Sleep(time.Second)
		s.want(t, sent{at: 850 * time.Millisecond, data: `{"viewers":5}`})
		time.Sleep(time.Second)
		s.take()
		// A second window of the same person changes no count, and is told it.
		s.Watch(s.event, true)
		time.Sleep(100 * time.Millisecond)
		s.want(t, sent{at: 50 * time.Millisecond, data: `{"viewers":5}`}, beat(50*time.Millisecond, 0))
	})
}

func TestNewsGoesOutAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		s.join()
		s.with(func() { s.listening = true })
		id, waiting := uuid.MustParse("01980000-0000-7000-8000-000000000001"), int64(4)
		s.EventChanged(s.event, 3, "cancelled")
		s.want(t, sent{kept: true, data: `{"event":{"revision":3,"status":"cancelled"}}`})
		s.Booking(s.user, realtime.BookingNews{ID: id, EventID: id, Status: "waiting", WaitingNumber: &waiting})
		s.Notification(s.user, realtime.NotificationNews{ID: id, Type: "waitlist_promoted", Title: "You have seats"})
		s.HoldsChanged(s.user, id)
		s.Positions(s.user, id)
		s.RoleChanged(s.user)
		mine := realtime.UserChannel(s.user)
		s.want(t,
			sent{kept: true, channel: mine, data: `{"booking":{"id":"` + id.String() + `","event_id":"` + id.String() + `","status":"waiting","waiting_number":4,"position":null}}`},
			sent{kept: true, channel: mine, data: `{"notification":{"id":"` + id.String() + `","type":"waitlist_promoted","title":"You have seats"}}`},
			sent{kept: true, channel: mine, data: `{"holds":{"event_id":"` + id.String() + `"}}`},
			sent{kept: true, channel: mine, data: `{"positions":{"event_id":"` + id.String() + `"}}`},
			sent{kept: true, channel: mine, data: `{"refresh":true}`})
	})
}
