package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/booking"
	"happening/internal/memory"
	"happening/internal/postgres"
	"happening/internal/testkit"
)

// cutOff is a ledger whose second optimistic write is cut off before it
// arrives, and whose database refuses all bookings from then on.
type cutOff struct {
	booking.Ledger
	commits int // the worker's
	begun   chan struct{}
	release chan struct{}
	late    *booking.Batch
}

func (c *cutOff) Commit(ctx context.Context, b *booking.Batch) error {
	switch c.commits++; c.commits {
	case 1:
		close(c.begun)
		<-c.release
		return c.Ledger.Commit(ctx, b)
	default:
		late := *b
		c.late = &late
		return fmt.Errorf("%w: connection reset", booking.ErrUnknown)
	}
}

func (c *cutOff) Rework(ctx context.Context, known []booking.Known, keys []booking.KeyOf, probe uuid.UUID, fn func(booking.Fresh) (*booking.Batch, error)) error {
	return c.Ledger.Rework(ctx, known, keys, probe, func(f booking.Fresh) (*booking.Batch, error) {
		b, err := fn(f)
		if err == nil && b != nil && len(b.Changes) > 0 {
			return nil, errPoison
		}
		return b, err
	})
}

// TestAWriteThatWasCutOffArrivesInVainAfterItsOrdersWereRefused: the attempt of
// two orders is lost, then the database refuses them together and each alone.
// Once their callers are told so, the attempt must not be written any more.
func TestAWriteThatWasCutOffArrivesInVainAfterItsOrdersWereRefused(t *testing.T) {
	db := testkit.NewDB(t)
	org, _ := db.Org(t)
	id := db.Event(t, org, 10, testkit.EventOptions{})
	ledger, err := postgres.NewLedger(context.Background(), db.ConnString)
	if err != nil {
		t.Fatal(err)
	}
	c := &cutOff{Ledger: ledger, begun: make(chan struct{}), release: make(chan struct{})}
	holds := memory.NewHolds(memory.HoldsOptions{Now: time.Now})
	alloc := booking.NewAllocator(c, holds, time.Now, slog.New(slog.DiscardHandler), func(booking.Committed) {})
	go alloc.Run()
	defer ledger.Close()
	ctx := context.Background()
	if _, err := alloc.Live(ctx, id); err != nil {
		t.Fatal(err)
	}
	ask := func(who uuid.UUID) error {
		return alloc.Do(ctx, id, who, booking.Key{}, booking.Book{UserID: who, Seats: 1}).Err
	}
	people := db.People(t, 3)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := ask(people[0]); err != nil {
			t.Error(err)
		}
	})
	<-c.begun
	for _, who := range people[1:] {
		wg.Go(func() {
			if err := ask(who); !errors.Is(err, errPoison) {
				t.Errorf("told %v", err)
			}
		})
	}
	for alloc.QueueLength() < 2 {
		time.Sleep(time.Millisecond) // the queue has no signal to wait for: the worker is held
	}
	close(c.release)
	wg.Wait()
	if c.late == nil || len(c.late.Changes) != 2 {
		t.Fatalf("cut off was %+v", c.late)
	}
	if err := ledger.Commit(ctx, c.late); !errors.Is(err, booking.ErrStale) {
		t.Errorf("the late write: %v", err)
	}
	var stored int
	if err := db.System.QueryRow(ctx, "SELECT count(*) FROM bookings").Scan(&stored); err != nil || stored != 1 {
		t.Errorf("%d bookings are stored, %v", stored, err)
	}
	if err := alloc.Stop(ctx); err != nil {
		t.Error(err)
	}
	db.CheckClean(t)
}
