package postgres_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"happening/internal/booking"
	"happening/internal/testkit"
)

// What was there before the limit gets the default, what has one keeps it, and
// a migration that was cut off goes on where it was.
func TestEventsThatAreThereGetTheDefaultWaitlistLimit(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	file, err := os.ReadFile("migrations/0017_waitlist_limit.sql")
	if err != nil {
		t.Fatal(err)
	}
	columns, rows, found := strings.Cut(string(file), "-- +goose StatementBegin")
	if !found {
		t.Fatal("the migration has not the two parts that it had")
	}
	db := testkit.NewDB(t)
	org, _ := db.Org(t)
	small, large, has := db.Event(t, org, 3, testkit.EventOptions{}), db.Event(t, org, 1_000_000, testkit.EventOptions{}), db.Event(t, org, 5, testkit.EventOptions{})
	// As the binary before this one writes them.
	if _, err := db.System.Exec(ctx, `
		INSERT INTO events (id, org_id, name, category, starts_at, ends_at, time_zone, total_slots, available_slots, visibility, waitlist_policy, created_by)
		SELECT gen_random_uuid(), $1, 'Event', 'meetup', now() + interval '1 day', now() + interval '2 days', 'UTC', 7, 7, 'public', 'fit', $1
		FROM generate_series(1, 2500)`, org); err != nil {
		t.Fatal(err)
	}
	if _, err := db.System.Exec(ctx, `UPDATE events SET waitlist_limit = 1 WHERE id = $1`, has); err != nil {
		t.Fatal(err)
	}
	for _, dropped := range []bool{false, true} {
		if dropped {
			db.AsOwner(t, `ALTER TABLE events DROP COLUMN waitlist_limit`)
		}
		db.AsOwner(t, columns)
		db.AsOwner(t, rows)
		want := map[uuid.UUID]int{small: 30, large: 10_000_000, has: 1}
		if dropped {
			want[has] = 50
		}
		for id, limit := range want {
			var got int
			if err := db.System.QueryRow(ctx, `SELECT waitlist_limit FROM events WHERE id = $1`, id).Scan(&got); err != nil || got != limit {
				t.Errorf("dropped %t: limit %d, %v, want %d", dropped, got, err, limit)
			}
		}
		var rest int
		if err := db.System.QueryRow(ctx, `SELECT count(*) FROM events WHERE total_slots = 7 AND waitlist_limit = 70`).Scan(&rest); err != nil || rest != 2500 {
			t.Errorf("dropped %t: %d of 2500, %v", dropped, rest, err)
		}
	}
}

// However many ask at once in several processes, so many wait and no more.
func TestNoMoreWaitThanTheLimitLets(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := testkit.NewDB(t)
	org, _ := db.Org(t)
	event := db.Event(t, org, 5, testkit.EventOptions{})
	if _, err := db.System.Exec(ctx, `UPDATE events SET waitlist_limit = 10 WHERE id = $1`, event); err != nil {
		t.Fatal(err)
	}
	sellers := []*seller{newSeller(t, db), newSeller(t, db)}
	var confirmed, waiting, full atomic.Int32
	var wg sync.WaitGroup
	for i, who := range db.People(t, 200) {
		wg.Go(func() {
			b, err := sellers[i%2].Book(ctx, as(who), booking.Request{EventID: event, Seats: 1})
			switch {
			case errors.Is(err, booking.ErrWaitlistFull):
				full.Add(1)
			case err != nil:
				t.Error(err)
			case b.Status == booking.Waiting:
				waiting.Add(1)
			default:
				confirmed.Add(1)
			}
		})
	}
	wg.Wait()
	if confirmed.Load() != 5 || waiting.Load() != 10 || full.Load() != 185 {
		t.Errorf("%d confirmed, %d waiting, %d refused", confirmed.Load(), waiting.Load(), full.Load())
	}
	db.CheckClean(t)
}
