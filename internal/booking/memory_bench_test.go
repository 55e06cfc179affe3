package booking_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/google/uuid"

	"happening/internal/booking"
	"happening/internal/event"
)

// BenchmarkMemoryOfAnEvent measures what an event takes in memory whose seats
// are all sold, two to a booking, each to somebody else; and one with no
// booking.
func BenchmarkMemoryOfAnEvent(b *testing.B) {
	for _, sold := range []bool{true, false} {
		for _, slots := range []int32{1_000, 100_000, 1_000_000} {
			b.Run(fmt.Sprintf("%d seats, sold %v", slots, sold), func(b *testing.B) {
				var taken uint64
				bookings := 0
				for b.Loop() {
					var parties []booking.Party
					before := heap()
					if sold {
						parties = make([]booking.Party, 0, slots/2)
						for seat := int32(1); seat < slots; seat += 2 {
							parties = append(parties, booking.Party{ID: uuid.New(), UserID: uuid.New(), State: booking.State{
								Status: booking.Confirmed, Seats: 2, SeatNumbers: []int32{seat, seat + 1},
							}})
						}
					}
					inv := booking.NewInventory(event.Event{ID: uuid.New(), Settings: event.Settings{TotalSlots: slots}}, 0, parties)
					bookings = inv.Live()
					taken = heap() - before
					runtime.KeepAlive(inv)
				}
				b.ReportMetric(float64(taken), "B/event")
				b.ReportMetric(float64(taken)/float64(max(bookings, 1)), "B/booking")
			})
		}
	}
}

// heap gives what is in use after a collection.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
