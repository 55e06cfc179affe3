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

func TestPackSetsWritesWhatPackWrites(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for _, total := range []int{1, 4, 19, 20, 63, 64, 65, 127, 128, 400, 1013} {
		sold, blocked := make([]uint64, (total+63)/64), make([]uint64, (total+63)/64)
		has := func(set []uint64, seat int32) bool { return set[(seat-1)/64]>>((seat-1)%64)&1 == 1 }
		for i := range sold {
			sold[i] = random.Uint64() // also bits beyond the event
			blocked[i] = random.Uint64() &^ sold[i]
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
			case has(sold, seat):
				return realtime.Booked
			case has(blocked, seat):
				return realtime.Blocked
			case held[seat]:
				return realtime.Held
			}
			return realtime.Free
		})
		got := realtime.PackSets(total, sold, blocked, numbers)
		for seat := int32(1); int(seat) <= total; seat++ {
			if realtime.StateAt(got, seat) != realtime.StateAt(want, seat) {
				t.Fatalf("%d seats: seat %d packs to %d, want %d", total, seat, realtime.StateAt(got, seat), realtime.StateAt(want, seat))
			}
		}
		if len(got) != len(want) {
			t.Fatalf("%d seats pack to %d bytes, want %d", total, len(got), len(want))
		}
	}
}

const million = 1_000_000

func BenchmarkPackMillion(b *testing.B) {
	for b.Loop() {
		realtime.Pack(million, func(seat int32) uint8 { return uint8(seat) & 3 })
	}
}

func BenchmarkPackSetsMillion(b *testing.B) {
	sold := make([]uint64, million/64)
	for i := range sold {
		sold[i] = uint64(i) * 0x9e3779b97f4a7c15
	}
	blocked := make([]uint64, len(sold))
	for b.Loop() {
		realtime.PackSets(million, sold, blocked, nil)
	}
}
