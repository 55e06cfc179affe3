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

// guessing is a ledger without the guard: it takes a commit whose answer was
// lost for one that did not happen.
type guessing struct{ booking.Ledger }

func (g guessing) Commit(ctx context.Context, b *booking.Batch) error {
	return guess(g.Ledger.Commit(ctx, b))
}

func (g guessing) Rework(ctx context.Context, known []booking.Known, keys []booking.KeyOf, probe uuid.UUID, fn func(booking.Fresh) (*booking.Batch, error)) error {
	return guess(g.Ledger.Rework(ctx, known, keys, probe, fn))
}

func guess(err error) error {
	if errors.Is(err, booking.ErrUnknown) {
		return fmt.Errorf("%w: %w", booking.ErrUnreached, errors.New("the answer was lost"))
	}
	return err
}

// cutOffSale sells one seat each to people over a wire that cuts every other
// commit, in each form in turn, and tells how many were told that they have it
// and how many have it, some without being told, some twice.
func cutOffSale(t *testing.T, guard bool) (told, stored, wrong int, cuts map[testkit.Cut]int) {
	t.Helper()
	const buyers = 120
	db := testkit.NewDB(t)
	org, _ := db.Org(t)
	event := db.Event(t, org, 2*buyers, testkit.EventOptions{})
	people := db.People(t, buyers)
	wire, connString := db.Wire(t)
	behind, err := postgres.NewLedger(t.Context(), connString)
	if err != nil {
		t.Fatal(err)
	}
	var ledger booking.Ledger = behind
	if !guard {
		ledger = guessing{behind}
	}
	holds := memory.NewHolds(memory.HoldsOptions{Now: time.Now})
	log := slog.New(slog.DiscardHandler)
	alloc := booking.NewAllocator(ledger, holds, time.Now, log, func(booking.Committed) {})
	go alloc.Run()
	t.Cleanup(func() {
		if err := alloc.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		behind.Close()
	})
	s := booking.NewService(alloc, holds, postgres.NewBookingStore(db.DB), postgres.NewOrgStore(db.DB), time.Now, log)
	n := 0
	wire.CutBy(func() testkit.Cut {
		if n++; n%2 == 0 {
			return testkit.Passes
		}
		return testkit.Cuts[n/2%len(testkit.Cuts)]
	})
	// Few at a time, so that there are many commits.
	const clients = 6
	owned := make(map[uuid.UUID]int, buyers)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			for i := c; i < buyers; i += clients {
				if b, err := s.Book(context.Background(), as(people[i]), booking.Request{EventID: event, Seats: 1}); err == nil {
					mu.Lock()
					owned[b.UserID]++
					mu.Unlock()
				} else if guard {
					t.Errorf("booking: %v", err)
				}
			}
		})
	}
	wg.Wait()
	wire.CutBy(nil)
	_, cuts = wire.Counts()
	has := map[uuid.UUID]int{}
	rows, err := db.System.Query(t.Context(), "SELECT user_id FROM booking_seats WHERE event_id = $1 AND status = 'booked'", event)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var who uuid.UUID
		if err := rows.Scan(&who); err != nil {
			t.Fatal(err)
		}
		has[who]++
		stored++
	}
	for _, who := range people {
		told += owned[who]
		if has[who] != owned[who] {
			wrong++
		}
	}
	if guard {
		db.CheckClean(t)
	}
	return told, stored, wrong, cuts
}

// TestCommitsCutOffOnTheWire sells without idempotency keys while every other
// commit is cut off: what became of each is found out, never guessed.
func TestCommitsCutOffOnTheWire(t *testing.T) {
	told, stored, wrong, cuts := cutOffSale(t, true)
	t.Logf("%d told, %d stored; cut: %v", told, stored, cuts)
	if wrong > 0 || told != stored {
		t.Errorf("%d told and %d stored, wrong for %d people", told, stored, wrong)
	}
	for _, form := range testkit.Cuts {
		if cuts[form] == 0 {
			t.Errorf("no commit was cut off %s", form)
		}
	}
}

// TestGuessingLosesOnTheWire is its control: who takes a lost answer for a
// commit that did not happen leaves people with seats that they were not told
// of.
func TestGuessingLosesOnTheWire(t *testing.T) {
	told, stored, wrong, cuts := cutOffSale(t, false)
	t.Logf("%d told, %d stored, wrong for %d people; cut: %v", told, stored, wrong, cuts)
	if wrong == 0 {
		t.Error("a ledger that guesses went unnoticed: the test shows nothing")
	}
}
