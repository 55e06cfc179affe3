package postgres_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"happening/internal/booking"
	"happening/internal/testkit"
)

// BenchmarkReplicas sells from several processes at once, 128 callers each: at
// one hot event, where they stand in each other's way, and at 200.
func BenchmarkReplicas(b *testing.B) {
	for _, events := range []int{1, 200} {
		for _, replicas := range []int{1, 2, 3} {
			b.Run(fmt.Sprintf("%d events, %d replicas", events, replicas), func(b *testing.B) { benchmarkReplicas(b, events, replicas) })
		}
	}
}

func benchmarkReplicas(b *testing.B, events, count int) {
	db := testkit.NewDB(b)
	org, _ := db.Org(b)
	ids := make([]uuid.UUID, events)
	for i := range ids {
		ids[i] = db.Event(b, org, 1_000_000, testkit.EventOptions{})
	}
	shared := newCoordinator()
	var sellers []*replica
	for range count {
		r := newReplica(b, db, shared, sharing{})
		for _, id := range ids {
			if _, err := r.alloc.Live(context.Background(), id); err != nil {
				b.Fatal(err)
			}
		}
		sellers = append(sellers, r)
	}
	people := db.People(b, 30_000)
	const callers = 128
	b.ResetTimer()
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	for i := range callers * count {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(i), 0))
			for left.Add(-1) >= 0 {
				q := booking.Request{EventID: ids[rnd.IntN(events)], Seats: 1 + rnd.Int32N(2), Key: booking.Key{Value: uuid.NewString()}}
				if _, err := sellers[i%count].Book(context.Background(), as(people[rnd.IntN(len(people))]), q); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "bookings/s")
	var commits, reworks int64
	for _, r := range sellers {
		commits, reworks = commits+r.ledger.commits.Load(), reworks+r.ledger.reworks.Load()
	}
	b.ReportMetric(float64(b.N)/float64(commits+reworks), "bookings/write")
	b.ReportMetric(float64(reworks)/float64(commits+reworks), "under_locks")
}
