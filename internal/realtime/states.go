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
	// RowSeats is how many seats a mask of PackRows covers. Their states
	// fill five bytes exactly.
	RowSeats = 20

	rowBytes = RowSeats / statesPerByte
	halfRow  = RowSeats / 2
	halfMask = 1<<halfRow - 1
)

// bookedHalf spreads ten bits (a set one: sold) to ten states, free or booked.
var bookedHalf = func() (t [1 << halfRow]uint32) {
	for mask := range t {
		for i := range halfRow {
			if mask>>i&1 == 1 {
				t[mask] |= uint32(Booked) << (stateBits * i)
			}
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

// PackRows writes what Pack writes, from masks of sold seats in rows of
// RowSeats (the lowest bit is the row's first seat; absent rows are free) and
// the numbers of the held seats. A held seat that is sold counts as booked.
func PackRows(total int, sold []uint32, held []int32) []byte {
	rows := (total + RowSeats - 1) / RowSeats
	packed := make([]byte, rows*rowBytes)
	for row, mask := range sold[:min(rows, len(sold))] {
		if over := (row+1)*RowSeats - total; over > 0 {
			mask &= 1<<(RowSeats-over) - 1
		}
		if mask == 0 {
			continue
		}
		states := uint64(bookedHalf[mask&halfMask]) | uint64(bookedHalf[mask>>halfRow&halfMask])<<(halfRow*stateBits)
		out := packed[row*rowBytes : row*rowBytes+rowBytes]
		out[0], out[1], out[2], out[3], out[4] = byte(states), byte(states>>8), byte(states>>16), byte(states>>24), byte(states>>32)
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

// StateAt reads one seat's state from what Pack or PackRows wrote.
func StateAt(packed []byte, seat int32) uint8 {
	i := int(seat - 1)
	return packed[i/statesPerByte] >> (i % statesPerByte * stateBits) & stateMask
}

func packedLen(total int) int { return (total + statesPerByte - 1) / statesPerByte }
