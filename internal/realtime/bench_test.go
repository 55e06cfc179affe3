package realtime_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"happening/internal/realtime"
)

// still is everything around a feed, of no cost of its own.
type still struct {
	n         atomic.Int64
	published atomic.Int64
}

func (s *still) Version(context.Context, uuid.UUID) (realtime.Stand, error) {
	return realtime.Stand{Version: realtime.Version{Epoch: "e", N: s.n.Load()}}, nil
}

func (s *still) Next(context.Context, uuid.UUID, int64) (realtime.Stand, error) {
	return realtime.Stand{Version: realtime.Version{Epoch: "e", N: s.n.Add(1)}}, nil
}

func (s *still) States(_ context.Context, _ uuid.UUID, _ int64, seats []int32) ([]uint8, bool) {
	return make([]uint8, len(seats)), true
}

func (s *still) Publish(string, []byte) error              { s.published.Add(1); return nil }
func (s *still) Broadcast(string, []byte) error            { return nil }
func (s *still) Local(string, []byte) error                { return nil }
func (s *still) RefreshAll()                               {}
func (s *still) Here(uuid.UUID) int                        { return 1 }
func (s *still) Viewers(context.Context, uuid.UUID) int    { return 1 }
func (s *still) Listening(context.Context, uuid.UUID) bool { return true }

// BenchmarkFeed reports what one booking costs the allocator's worker: its
// seats, and a message to the booker that is published.
func BenchmarkFeed(b *testing.B) {
	s := &still{}
	feed := realtime.NewFeed(realtime.Options{Versions: s, Seats: s, Publisher: s, Audience: s})
	ctx, stop := context.WithCancel(b.Context())
	done := make(chan struct{})
	go func() { defer close(done); feed.Run(ctx) }()
	events, people := make([]uuid.UUID, 64), make([]uuid.UUID, 1024)
	for i := range events {
		events[i] = uuid.New()
		feed.Watch(events[i], true)
	}
	for i := range people {
		people[i] = uuid.New()
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		feed.Booking(people[i%len(people)], realtime.BookingNews{Status: "confirmed"})
		feed.Committed(events[i%len(events)], int64(i), []int32{int32(i % 5000)})
		i++
	}
	b.ReportMetric(float64(s.published.Load())/float64(i), "published/op")
	stop()
	<-done
}
