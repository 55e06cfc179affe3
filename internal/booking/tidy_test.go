package booking

import (
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/event"
)

// What is in memory is bounded by the bookings there, not by events alone: the
// events that were used last stay, and of those the last one however large.
func TestMemoryIsBoundedByBookings(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		parties []int // of events, the one used last first
		want    []int
	}{
		{[]int{4, 3, 3}, []int{4, 3, 3}},
		{[]int{4, 3, 4, 1}, []int{4, 3, 1}},
		{[]int{4, 30, 3, 4}, []int{4, 3}},
		{[]int{40, 1}, []int{40}},
		{[]int{0, 0, 10, 1}, []int{0, 0, 10}},
	} {
		a := NewAllocator(nil, nil, func() time.Time { return now }, slog.New(slog.DiscardHandler), nil)
		a.partiesMax = 10
		for i, n := range c.parties {
			e := a.entry(uuid.New())
			e.used.Store(now.Add(-time.Duration(i) * time.Second).UnixNano())
			var parties []Party
			for range n {
				parties = append(parties, Party{ID: uuid.New(), UserID: uuid.New(), State: State{Status: Waiting, Seats: 1, WaitingNumber: int64(len(parties) + 1)}})
			}
			e.inv = NewInventory(event.Event{ID: e.id, Settings: event.Settings{TotalSlots: 1}}, int64(n), parties)
		}
		a.tidy()
		var left []int
		for _, e := range a.entries {
			left = append(left, e.inv.Live())
		}
		slices.Sort(left)
		slices.Sort(c.want)
		if fmt.Sprint(left) != fmt.Sprint(c.want) {
			t.Errorf("of events with %v bookings those with %v stay, want %v", c.parties, left, c.want)
		}
	}
}
