package realtime_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"happening/internal/realtime"
)

func TestPackWritesSeatOneInTheLowestBits(t *testing.T) {
	t.Parallel()
	states := []uint8{realtime.Held, realtime.Booked, realtime.Blocked, realtime.Free, realtime.Booked}
	got := realtime.Pack(len(states), func(seat int32) uint8 { return states[seat-1] })
	if want := []byte{0b00_11_10_01, 0b10}; !bytes.Equal(got, want) {
		t.Fatalf("packed %08b, want %08b", got, want)
	}
	for i, want := range states {
		if s := realtime.StateAt(got, int32(i+1)); s != want {
			t.Fatalf("seat %d reads %d, want %d", i+1, s, want)
		}
	}
	if got := realtime.Pack(0, nil); len(got) != 0 {
		t.Fatalf("no seats pack to %v", got)
	}
}

func TestPackRowsWritesWhatPackWrites(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for _, total := range []int{1, 4, 19, 20, 21, 39, 40, 400, 1013} {
		rows := make([]uint32, (total+realtime.RowSeats-1)/realtime.RowSeats)
		for i := range rows {
			rows[i] = random.Uint32() // also bits beyond the row and the event
		}
		held := map[int32]bool{}
		numbers := []int32{0, -1, int32(total + 1)}
		for range total / 3 {
			seat := int32(random.IntN(total) + 1)
			held[seat] = true
			numbers = append(numbers, seat)
		}
		want := realtime.Pack(total, func(seat int32) uint8 {
			switch {
			case rows[(seat-1)/realtime.RowSeats]>>((seat-1)%realtime.RowSeats)&1 == 1:
				return realtime.Booked
			case held[seat]:
				return realtime.Held
			}
			return realtime.Free
		})
		if got := realtime.PackRows(total, rows, numbers); !bytes.Equal(got, want) {
			t.Fatalf("%d seats: rows pack to %x, want %x", total, got, want)
		}
	}
	if got := realtime.PackRows(100, nil, []int32{100}); realtime.StateAt(got, 100) != realtime.Held {
		t.Fatal("absent rows are not free")
	}
}

const million = 1_000_000

func BenchmarkPackMillion(b *testing.B) {
	for b.Loop() {
		realtime.Pack(million, func(seat int32) uint8 { return uint8(seat) & 3 })
	}
}

func BenchmarkPackRowsMillion(b *testing.B) {
	rows := make([]uint32, million/realtime.RowSeats)
	for i := range rows {
		rows[i] = uint32(i) * 2654435761
	}
	for b.Loop() {
		realtime.PackRows(million, rows, nil)
	}
}
