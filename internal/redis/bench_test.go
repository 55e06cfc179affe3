//go:build engines

package redis_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/booking"
	"happening/internal/redis"
	"happening/internal/testkit"
)

// crowd has one person each hold the seats from first on, two by two.
func crowd(b *testing.B, s *redis.Store, event uuid.UUID, first, people int32) {
	b.Helper()
	for i := range people {
		seat := first + 2*i
		if _, err := s.Place(b.Context(), booking.Placement{EventID: event, UserID: uuid.New(), Seats: []int32{seat, seat + 1}}); err != nil {
			b.Fatal(err)
		}
	}
}

// costs reports how long a script keeps Redis busy, which bounds all processes
// together and does not depend on what else this machine does.
func costs(b *testing.B, server *testkit.RedisServer) {
	b.Helper()
	control := server.Client()
	server.Do(control, "CONFIG", "RESETSTAT")
	b.Cleanup(func() {
		for line := range strings.Lines(server.Do(control, "INFO", "commandstats")) {
			_, stats, ours := strings.Cut(line, "cmdstat_evalsha:")
			if _, each, ok := strings.Cut(stats, "usec_per_call="); ours && ok {
				var us float64
				if _, err := fmt.Sscanf(each, "%f", &us); err == nil {
					b.ReportMetric(us, "redis-µs/script")
				}
			}
		}
	})
}

func view(b *testing.B, s *redis.Store, events []uuid.UUID) {
	b.Helper()
	if _, err := s.View(b.Context(), events); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkViewUnchanged(b *testing.B) {
	server := testkit.Redis(b)
	for _, n := range []int{1, 200} {
		b.Run(fmt.Sprint(n, " events"), func(b *testing.B) {
			s := open(b, server.URL, redis.Options{TTL: 10 * time.Minute}).Unhurried()
			events := make([]uuid.UUID, n)
			for i := range events {
				events[i] = uuid.New()
				crowd(b, s, events[i], 1, 1)
			}
			view(b, s, events)
			costs(b, server)
			for b.Loop() {
				view(b, s, events)
			}
		})
	}
}

// BenchmarkViewOfManyHolds has two of 5,000 holds change before each view.
func BenchmarkViewOfManyHolds(b *testing.B) {
	server := testkit.Redis(b)
	s := open(b, server.URL, redis.Options{TTL: 10 * time.Minute}).Unhurried()
	event, user := uuid.New(), uuid.New()
	crowd(b, s, event, 1, 2500)
	view(b, s, []uuid.UUID{event})
	costs(b, server)
	i := int32(0)
	for b.Loop() {
		b.StopTimer()
		i = (i + 1) % 40
		if _, err := s.Place(b.Context(), booking.Placement{EventID: event, UserID: user, Seats: []int32{6000 + i}}); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		view(b, s, []uuid.UUID{event})
	}
}

func BenchmarkPlace(b *testing.B) {
	server := testkit.Redis(b)
	s := open(b, server.URL, redis.Options{TTL: 10 * time.Minute}).Unhurried()
	event := uuid.New()
	crowd(b, s, event, 1, 1000)
	costs(b, server)
	i := int32(0)
	for b.Loop() {
		i = (i + 1) % 40_000
		if _, err := s.Place(b.Context(), booking.Placement{EventID: event, UserID: uuid.New(), Seats: []int32{6000 + i}}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSettleStep sells two held seats.
func BenchmarkSettleStep(b *testing.B) {
	server := testkit.Redis(b)
	s := open(b, server.URL, redis.Options{TTL: 10 * time.Minute}).Unhurried()
	f := booking.Figures{EventID: uuid.New(), Version: 1, Available: 1_000_000}
	if _, err := s.Compare(b.Context(), []booking.Figures{f}); err != nil {
		b.Fatal(err)
	}
	costs(b, server)
	i := int32(0)
	for b.Loop() {
		i++
		seats := []int32{2*i - 1, 2 * i}
		b.StopTimer()
		crowd(b, s, f.EventID, seats[0], 1)
		b.StartTimer()
		if err := s.Settle(b.Context(), booking.Sale{EventID: f.EventID, Version: 1 + int64(i), Sold: seats, Taken: 2, Available: 1_000_000 - 2*i}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCompare looks at 4,096 events, as the repair does.
func BenchmarkCompare(b *testing.B) {
	server := testkit.Redis(b)
	s := open(b, server.URL, redis.Options{}).Unhurried()
	figures := make([]booking.Figures, 4096)
	for i := range figures {
		figures[i] = booking.Figures{EventID: uuid.New(), Version: 1, Available: 7, Waitlist: []uuid.UUID{uuid.New(), uuid.New()}}
	}
	if _, err := s.Compare(b.Context(), figures); err != nil {
		b.Fatal(err)
	}
	costs(b, server)
	for b.Loop() {
		if found, err := s.Compare(b.Context(), figures); err != nil || len(found) > 0 {
			b.Fatal(found, err)
		}
	}
}

func BenchmarkLimiter(b *testing.B) {
	server := testkit.Redis(b)
	costs(b, server)
	l := open(b, server.URL, redis.Options{}).Limiter("bench", 50, 100, closed{}).Unhurried()
	b.RunParallel(func(pb *testing.PB) {
		for key := 0; pb.Next(); key++ {
			l.Allow(fmt.Sprint(key % 1000))
		}
	})
}

func BenchmarkVersion(b *testing.B) {
	server := testkit.Redis(b)
	s := open(b, server.URL, redis.Options{}).Unhurried()
	event := uuid.New()
	costs(b, server)
	for b.Loop() {
		if _, err := s.Version(b.Context(), event); err != nil {
			b.Fatal(err)
		}
	}
}
