package realtime_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"happening/internal/realtime"
)

// fellow is the stage of one process among several: the others may watch, have
// sold something newer, or be out of reach.
type fellow struct {
	*stage
	watched  bool
	newest   int64
	broken   bool // publishing fails
	hang     chan struct{}
	everyone int
}

func (s *fellow) Version(ctx context.Context, id uuid.UUID) (realtime.Stand, error) {
	v, err := s.stage.Version(ctx, id)
	s.mu.Lock()
	defer s.mu.Unlock()
	v.Watched, v.Sale = s.watched, s.newest
	return v, err
}

func (s *fellow) Next(ctx context.Context, id uuid.UUID, sale int64) (realtime.Stand, error) {
	v, err := s.stage.Next(ctx, id, sale)
	s.mu.Lock()
	defer s.mu.Unlock()
	v.Watched, v.Sale = s.watched, s.newest
	return v, err
}

func (s *fellow) Publish(channel string, data []byte) error {
	s.mu.Lock()
	broken, hang := s.broken, s.hang
	s.mu.Unlock()
	if hang != nil {
		<-hang
	}
	if broken {
		return errors.New("away")
	}
	return s.stage.Publish(channel, data)
}

func (s *fellow) Broadcast(channel string, data []byte) error {
	s.mu.Lock()
	broken := s.broken
	s.mu.Unlock()
	if broken {
		return errors.New("away")
	}
	return s.stage.Broadcast(channel, data)
}

func (s *fellow) RefreshAll() { s.with(func() { s.everyone++ }) }

func openShared(t *testing.T) *fellow {
	s := &fellow{stage: &stage{event: uuid.New(), user: uuid.New(), states: map[int32]uint8{}, start: time.Now()}}
	s.Feed = realtime.NewFeed(realtime.Options{Versions: s, Seats: s, Publisher: s, Audience: s, Shared: true})
	go s.Run(t.Context())
	return s
}

func TestWhoWatchesElsewhereIsToldToo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := openShared(t)
		tell := func() {
			s.Dirty(s.event, []int32{1})
			s.Sales(s.event, 5, realtime.Sales{AvailableSlots: 1})
			s.EventChanged(s.event, 2, "cancelled")
			time.Sleep(2 * time.Second)
		}
		tell()
		s.want(t)
		s.with(func() { s.watched, s.newest = true, 5 })
		tell()
		s.want(t,
			sent{kept: true, data: `{"event":{"revision":2,"status":"cancelled"}}`},
			delta(50*time.Millisecond, 2, "[1,0]"),
			sent{at: 50 * time.Millisecond, kept: true, data: `{"sales":{"available_slots":1,"waiting_parties":0}}`})
	})
}

// TestOlderSalesAreNotTold leaves telling to the process that knows more.
func TestOlderSalesAreNotTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := openShared(t)
		s.with(func() { s.watched, s.newest = true, 6 })
		s.Sales(s.event, 5, realtime.Sales{AvailableSlots: 2})
		time.Sleep(2 * time.Second)
		s.want(t)
		s.Sales(s.event, 6, realtime.Sales{AvailableSlots: 1})
		s.Sales(s.event, 5, realtime.Sales{AvailableSlots: 2}) // told late to the feed
		time.Sleep(2 * time.Second)
		s.want(t, sent{at: 50 * time.Millisecond, kept: true, data: `{"sales":{"available_slots":1,"waiting_parties":0}}`})
	})
}

// TestRepeatedVersionLetsDeltasArrive has a version be old when it is told, so
// that a delta which another process has just numbered is not taken for lost.
func TestRepeatedVersionLetsDeltasArrive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := openShared(t)
		s.with(func() { s.viewers, s.n = 1, 7 })
		s.Watch(s.event, true)
		time.Sleep(60 * time.Millisecond)
		s.with(func() { s.n = 8 }) // by another process
		time.Sleep(time.Second)
		s.want(t, sent{at: 50 * time.Millisecond, data: `{"viewers":1}`}, beat(300*time.Millisecond, 7))
		time.Sleep(5 * time.Second)
		s.want(t, beat(4_190*time.Millisecond, 8))
	})
}

func TestInterruptionIsToldToWhoeverLooks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := openShared(t)
		s.join()
		time.Sleep(time.Second)
		s.take()
		s.Interrupted("holds", true)
		s.Interrupted("messages", true)
		s.want(t, sent{data: `{"live":false}`})
		s.Watch(s.event, true)
		time.Sleep(2 * time.Second)
		s.want(t, sent{at: 50 * time.Millisecond, data: `{"live":false}`})
		s.Interrupted("holds", false)
		time.Sleep(10 * time.Millisecond)
		s.want(t)
		s.Interrupted("messages", false)
		time.Sleep(300 * time.Millisecond)
		s.want(t, sent{data: `{"live":true}`}, beat(250*time.Millisecond, 0))
		// Who subscribes again just then has missed it.
		s.Watch(s.event, true)
		time.Sleep(time.Second)
		s.want(t, sent{at: 50 * time.Millisecond, data: `{"viewers":1}`}, sent{at: 50 * time.Millisecond, data: `{"live":true}`}, beat(300*time.Millisecond, 0))
		time.Sleep(realtime.RecoveryWindow + 10*time.Second)
		s.take()
		time.Sleep(5 * time.Second)
		for _, one := range s.take() {
			if strings.Contains(one.data, "live") {
				t.Fatalf("told for ever: %s", one.data)
			}
		}
	})
}

func TestWhatCannotBePublishedIsToldHereAndMadeGood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := openShared(t)
		s.with(func() { s.listening, s.broken = true, true })
		s.Positions(s.user, s.event)
		time.Sleep(3 * time.Second)
		mine := realtime.UserChannel(s.user)
		s.want(t, sent{channel: mine, data: `{"positions":{"event_id":"` + s.event.String() + `"}}`})
		s.with(func() { s.broken = false })
		time.Sleep(time.Second)
		s.want(t, sent{at: time.Second, channel: mine, kept: true, data: `{"refresh":true}`})
		time.Sleep(time.Minute)
		s.want(t)
		if s.everyone != 0 {
			t.Fatal("everybody was told for one message")
		}
	})
}

// TestNobodyWaitsForAnEngineThatHangs brings more messages than may wait.
func TestNobodyWaitsForAnEngineThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := openShared(t)
		hang := make(chan struct{})
		s.with(func() { s.listening, s.hang = true, hang })
		const persons = 100_000
		for range persons {
			s.Positions(uuid.New(), s.event)
		}
		s.with(func() { s.hang = nil })
		close(hang)
		time.Sleep(5 * time.Second)
		var told, refreshed int
		for _, one := range s.take() {
			if strings.Contains(one.data, "refresh") {
				refreshed++
			} else {
				told++
			}
		}
		if told < persons/2 || told >= persons {
			t.Fatalf("%d of %d told: either nothing was lost, or too much", told, persons)
		}
		if s.everyone == 0 && told+refreshed < persons {
			t.Fatalf("%d told and %d refreshed of %d, and the others left alone", told, refreshed, persons)
		}
	})
}

func FuzzDeltaVersion(f *testing.F) {
	for _, data := range []string{
		`{"version":"e:1","seats":[]}`, `{"version":"a:b:12","seats":[[1,2]]}`, `{"version":"e","seats":[]}`, `{"version":"`,
		`{"version":"e:x"}`, `{"viewers":1}`, `{"version":"":1}`,
	} {
		f.Add([]byte(data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, ok := realtime.DeltaVersion(data)
		if ok && !strings.HasPrefix(string(data), fmt.Sprintf(`{"version":"%s:`, v.Epoch)) {
			t.Fatalf("%q has version %v", data, v)
		}
	})
}
