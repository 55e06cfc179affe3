//go:build engines

package redis_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/booking"
	"happening/internal/redis"
	"happening/internal/testkit"
)

// TestWhatWasMissedEndsNoLaterHold: one process could not tell of a sale, the
// sale was given back, and somebody else holds the seat by now.
func TestWhatWasMissedEndsNoLaterHold(t *testing.T) {
	t.Parallel()
	server, now := testkit.Redis(t), newClock()
	o := redis.Options{Now: now.Now, RedisTime: now.Now}
	cutOff, other := open(t, server.URL, o).Unhurried(), open(t, server.URL, o).Unhurried()
	event, holder := uuid.New(), uuid.New()
	late, cancel := context.WithCancel(t.Context())
	cancel()
	if err := cutOff.Settle(late, booking.Sale{EventID: event, Version: 1, Sold: []int32{5}, Taken: 1}); err == nil {
		t.Fatal("settled")
	}
	// The other process cancels that booking, which is version 2.
	if err := other.Settle(t.Context(), booking.Sale{EventID: event, Version: 2, Taken: -1, Available: 10}); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Place(t.Context(), booking.Placement{EventID: event, UserID: holder, Seats: []int32{5}, SaleVersion: 2, Now: now.Now()}); err != nil {
		t.Fatal(err)
	}
	cutOff.Sweep(t.Context())
	mine, err := other.Mine(t.Context(), event, holder)
	if err != nil || !slices.Equal(mine.Seats, []int32{5}) {
		t.Errorf("holds %v, %v", mine.Seats, err)
	}
}

// TestWhatWasMissedEndsHoldsFromBefore is the control: a hold that is older
// than the sale ends, renewed or not, and a later one beside it does not.
func TestWhatWasMissedEndsHoldsFromBefore(t *testing.T) {
	t.Parallel()
	server, now := testkit.Redis(t), newClock()
	o := redis.Options{Now: now.Now, RedisTime: now.Now}
	cutOff, other := open(t, server.URL, o).Unhurried(), open(t, server.URL, o).Unhurried()
	event, holder := uuid.New(), uuid.New()
	place := func(seats ...int32) {
		t.Helper()
		if _, err := other.Place(t.Context(), booking.Placement{EventID: event, UserID: holder, Seats: seats, SaleVersion: 9, Now: now.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	place(5)
	now.Advance(time.Minute)
	place(5)
	now.Advance(time.Millisecond)
	late, cancel := context.WithCancel(t.Context())
	cancel()
	if err := cutOff.Settle(late, booking.Sale{EventID: event, Version: 1, Sold: []int32{5, 6}, Taken: 2}); err == nil {
		t.Fatal("settled")
	}
	now.Advance(time.Second)
	if _, err := other.Place(t.Context(), booking.Placement{EventID: event, UserID: uuid.New(), Seats: []int32{6}, SaleVersion: 9, Now: now.Now()}); err != nil {
		t.Fatal(err)
	}
	cutOff.Sweep(t.Context())
	views, err := other.View(t.Context(), []uuid.UUID{event})
	if err != nil {
		t.Fatal(err)
	}
	if _, held := views[0].Holders[5]; held || len(views[0].Holders) != 1 {
		t.Errorf("held are %v, seat 6 should be", views[0].Holders)
	}
}
