package realtime

// The states of a seat as they travel: two bits each.
const (
	Free    uint8 = 0
	Held    uint8 = 1
	Booked  uint8 = 2
	Blocked uint8 = 3
)

const (
	stateBits     = 2
	stateMask     = 1<<stateBits - 1
	statesPerByte = 8 / stateBits
	wordSeats     = 64
	// chunk is how many seats are spread at once: a byte of the set, two of the
	// states.
	chunk = 8
)

// spread gives each of eight bits the room of a state.
var spread = func() (t [1 << chunk]uint16) {
	for mask := range t {
		for i := range chunk {
			t[mask] |= uint16(mask>>i&1) << (stateBits * i)
		}
	}
	return t
}()

// Pack writes the states of seats 1…total, two bits a seat, seat 1 in the
// lowest bits of the first byte. state is asked by seat number.
func Pack(total int, state func(seat int32) uint8) []byte {
	packed := make([]byte, packedLen(total))
	for i := range total {
		packed[i/statesPerByte] |= state(int32(i+1)) & stateMask << (i % statesPerByte * stateBits)
	}
	return packed
}

// PackSets writes what Pack writes, from the sets of sold and of blocked seats
// (seat n is bit (n−1) mod 64 of word (n−1) / 64; no seat is in both) and the
// numbers of the held ones. A held seat that is sold or blocked counts as that.
func PackSets(total int, sold, blocked []uint64, held []int32) []byte {
	words := (total + wordSeats - 1) / wordSeats
	packed := make([]byte, words*wordSeats/statesPerByte)
	for w := range words {
		if sold[w]|blocked[w] == 0 {
			continue
		}
		out := packed[w*wordSeats/statesPerByte:]
		for i := range wordSeats / chunk {
			states := spread[byte(sold[w]>>(i*chunk))]*uint16(Booked) | spread[byte(blocked[w]>>(i*chunk))]*uint16(Blocked)
			out[2*i], out[2*i+1] = byte(states), byte(states>>chunk)
		}
	}
	for _, seat := range held {
		if seat < 1 || int(seat) > total {
			continue
		}
		at, shift := int(seat-1)/statesPerByte, int(seat-1)%statesPerByte*stateBits
		if packed[at]>>shift&stateMask == Free {
			packed[at] |= Held << shift
		}
	}
	return packed[:packedLen(total)]
}

// StateAt reads one seat's state from what Pack or PackSets wrote.
func StateAt(packed []byte, seat int32) uint8 {
	i := int(seat - 1)
	return packed[i/statesPerByte] >> (i % statesPerByte * stateBits) & stateMask
}

func packedLen(total int) int { return (total + statesPerByte - 1) / statesPerByte }
