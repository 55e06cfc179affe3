package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"happening/internal/booking"
	"happening/internal/postgres"
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

// BenchmarkBatches writes batches of 256 bookings with 1.8 seats each, one after
// the other and without an allocator, and tells what the backend that writes
// them spends, by the clock of the system's scheduler, and how much log. The log
// is everybody's of the cluster, so only one of its own, which is what is
// started where none is named, tells the truth about it.
func BenchmarkBatches(b *testing.B) {
	db := testkit.NewDB(b)
	w := newBatchWriter(b, db)
	for range 20 { // pages are made and plans kept
		w.write()
	}
	cpu, log := w.spent(), w.logged()
	b.ResetTimer()
	for range b.N {
		w.write()
	}
	b.StopTimer()
	bookings := float64(b.N * batchSize)
	b.ReportMetric(float64((w.spent()-cpu).Nanoseconds())/1000/bookings, "backend-µs/booking")
	b.ReportMetric(float64(w.logged()-log)/bookings, "log-B/booking")
	b.ReportMetric(0, "ns/op")
}

const (
	batchSize  = 256
	batchHouse = 1_000_000 // seats of an event
)

// batchWriter writes batches as the allocator's worker would.
type batchWriter struct {
	b      *testing.B
	db     *testkit.DB
	ledger *postgres.Ledger
	org    uuid.UUID
	people []uuid.UUID
	rnd    *rand.Rand

	event   uuid.UUID
	version int64
	sold    int32
}

func newBatchWriter(b *testing.B, db *testkit.DB) *batchWriter {
	w := &batchWriter{b: b, db: db, people: db.People(b, 30_000), rnd: rand.New(rand.NewPCG(1, 2)), sold: batchHouse}
	w.org, _ = db.Org(b)
	ledger, err := postgres.NewLedger(b.Context(), db.ConnString)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(ledger.Close)
	w.ledger = ledger
	return w
}

func (w *batchWriter) write() {
	if w.sold+2*batchSize > batchHouse {
		w.event, w.sold = w.db.Event(w.b, w.org, batchHouse, testkit.EventOptions{}), 0
		fresh, err := w.ledger.Load(w.b.Context(), w.event)
		if err != nil {
			w.b.Fatal(err)
		}
		w.version = fresh.Event.Version
	}
	batch := &booking.Batch{}
	now := time.Now()
	for i := range batchSize {
		who := w.people[w.rnd.IntN(len(w.people))]
		seats := []int32{w.sold + 1, w.sold + 2}
		if i%5 == 0 {
			seats = seats[:1]
		}
		w.sold += int32(len(seats))
		batch.EventOf = append(batch.EventOf, w.event)
		batch.Changes = append(batch.Changes, booking.Change{
			ID: uuid.Must(uuid.NewV7()), BookingID: uuid.Must(uuid.NewV7()), UserID: who, Actor: who, Action: booking.ActConfirmed, At: now, CreatedAt: now,
			After: booking.State{Status: booking.Confirmed, Seats: int32(len(seats)), SeatNumbers: seats},
			Key:   booking.Key{Value: uuid.NewString()},
		})
	}
	batch.Events = []booking.EventWrite{{
		EventID: w.event, OrgID: w.org, Version: w.version, Moved: true, Available: batchHouse - w.sold,
		Delta: booking.EncodeDelta(booking.Delta{Changes: batch.Changes}),
	}}
	if err := w.ledger.Commit(w.b.Context(), batch); err != nil {
		w.b.Fatal(err)
	}
	w.version++
}

// spent is the processor time of the ledger's backends so far; 0 where their
// system doesn't tell, as on another machine.
func (w *batchWriter) spent() (all time.Duration) {
	rows, err := w.db.System.Query(w.b.Context(), `
		SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'happening ledger'`)
	if err != nil {
		w.b.Fatal(err)
	}
	pids, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil {
		w.b.Fatal(err)
	}
	for _, pid := range pids {
		var ran time.Duration
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", pid))
		if err != nil {
			continue
		}
		if _, err := fmt.Sscan(string(stat), &ran); err != nil {
			w.b.Fatal(err)
		}
		all += ran
	}
	return all
}

// logged is where the cluster's write-ahead log ends.
func (w *batchWriter) logged() (bytes int64) {
	if err := w.db.System.QueryRow(w.b.Context(), `SELECT (pg_current_wal_insert_lsn() - '0/0')::int8`).Scan(&bytes); err != nil {
		w.b.Fatal(err)
	}
	return bytes
}
