package postgres_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"happening/internal/booking"
	"happening/internal/testkit"
)

// BenchmarkHotEvent books at one event of a million seats with 256 callers in
// process. Durable figures need a cluster that waits for the disk
// (HAPPENING_TEST_CLUSTER); the tests' own does not.
func BenchmarkHotEvent(b *testing.B) { benchmarkSale(b, 1, "") }

// BenchmarkManyEvents spreads the same over 200 events.
func BenchmarkManyEvents(b *testing.B) { benchmarkSale(b, 200, "") }

// BenchmarkHotEventUnprepared sends every statement with its text, as behind a
// pooler that forgets prepared ones.
func BenchmarkHotEventUnprepared(b *testing.B) { benchmarkSale(b, 1, unprepared) }

// BenchmarkManyEventsUnprepared does so over 200 events.
func BenchmarkManyEventsUnprepared(b *testing.B) { benchmarkSale(b, 200, unprepared) }

const unprepared = " default_query_exec_mode=cache_describe"

func benchmarkSale(b *testing.B, events int, params string) {
	db := testkit.NewDB(b)
	org, _ := db.Org(b)
	ids := make([]uuid.UUID, events)
	for i := range ids {
		ids[i] = db.Event(b, org, 1_000_000, testkit.EventOptions{})
	}
	s := newSellerAt(b, db, func(role string) string { return db.ConnString(role) + params })
	people := db.People(b, 30_000)
	for _, id := range ids {
		if _, err := s.alloc.Live(context.Background(), id); err != nil {
			b.Fatal(err)
		}
	}
	b.SetParallelism(128) // times the two cores of the machine that it is tuned on
	b.ResetTimer()
	var n atomic.Int64
	b.RunParallel(func(pb *testing.PB) {
		rnd := rand.New(rand.NewPCG(uint64(n.Add(1)), 0))
		for pb.Next() {
			seats := 1 + rnd.Int32N(2)
			q := booking.Request{EventID: ids[rnd.IntN(events)], Seats: seats, Key: booking.Key{Value: uuid.NewString()}}
			if _, err := s.Book(context.Background(), as(people[rnd.IntN(len(people))]), q); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "bookings/s")
}

// BenchmarkSoldOut asks for a seat that nobody has, with a key each and 256
// callers, in a process that is alone and in one that knows of others.
func BenchmarkSoldOut(b *testing.B) {
	for _, alone := range []bool{true, false} {
		b.Run(map[bool]string{true: "alone", false: "shared"}[alone], func(b *testing.B) {
			db := testkit.NewDB(b)
			org, _ := db.Org(b)
			id := db.Event(b, org, 1, testkit.EventOptions{})
			r := newReplica(b, db, newCoordinator(), sharing{alone: alone})
			people := db.People(b, 10_000)
			r.book(b, booking.Request{EventID: id, Seats: 1}, people[0])
			b.SetParallelism(128)
			b.ResetTimer()
			r.ledger.reads.Store(0)
			var n atomic.Int64
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					q := booking.Request{EventID: id, Seats: 1, Refuse: true, Key: booking.Key{Value: uuid.NewString()}}
					if _, err := r.Book(context.Background(), as(people[1+n.Add(1)%9_999]), q); !errors.Is(err, booking.ErrSoldOut) {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "refusals/s")
			b.ReportMetric(float64(b.N)/float64(max(r.ledger.reads.Load(), 1)), "refusals/read")
		})
	}
}
