package booking

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/google/uuid"
)

// The first byte of an encoded delta. A reader that meets one that it doesn't
// know reloads the event instead, so that the binary before this one goes on
// working beside it.
const (
	// deltaPlain is what the binary before this one wrote: changes alone.
	deltaPlain = 1
	// deltaFormat has the newest id before the changes.
	deltaFormat = 2
	// deltaReload has the newest id and says that the event is to be reloaded.
	deltaReload = 3
	// deltaBlocks is deltaFormat with the seats that were blocked and unblocked
	// between the newest id and the changes.
	deltaBlocks = 4
)

// newestBytes is the length of a delta's newest id.
const newestBytes = 8

// errDelta says that bytes are not a delta of a format that is known.
var errDelta = errors.New("booking: not a delta")

// Delta is what one version of an event changed.
type Delta struct {
	// Newest is the highest id that was drawn for the event so far.
	Newest IDTick
	// Reload says that more has changed than bookings and blocks.
	Reload  bool
	Changes []Change
	Blocks  Blocks
}

// EncodeDelta packs what one version of an event changed, so that another
// replica can apply it.
func EncodeDelta(d Delta) []byte {
	b := make([]byte, 0, 1+newestBytes+len(d.Changes)*96)
	if d.Reload {
		b = append(b, deltaReload)
		return binary.BigEndian.AppendUint64(b, uint64(d.Newest))
	}
	if d.Blocks.None() {
		b = append(b, deltaFormat)
		b = binary.BigEndian.AppendUint64(b, uint64(d.Newest))
	} else {
		b = append(b, deltaBlocks)
		b = binary.BigEndian.AppendUint64(b, uint64(d.Newest))
		b = appendSeats(appendSeats(b, d.Blocks.Blocked), d.Blocks.Unblocked)
	}
	for i := range d.Changes {
		c := &d.Changes[i]
		b = append(b, c.BookingID[:]...)
		b = append(b, c.UserID[:]...)
		b = binary.AppendVarint(b, c.At.UnixMicro())
		b = binary.AppendVarint(b, c.CreatedAt.UnixMicro())
		b = binary.AppendUvarint(b, c.Asked)
		b = appendState(b, c.Before)
		b = appendState(b, c.After)
	}
	return b
}

// statusCode numbers the statuses in a delta; the empty one is a booking that
// did not exist.
var statusCode = map[Status]byte{"": 0, Confirmed: 1, Waiting: 2, Cancelled: 3}

var statusOf = [...]Status{"", Confirmed, Waiting, Cancelled}

func appendState(b []byte, s State) []byte {
	b = append(b, statusCode[s.Status])
	b = binary.AppendUvarint(b, uint64(s.Seats))
	b = binary.AppendUvarint(b, uint64(s.WaitingNumber))
	return appendSeats(b, s.SeatNumbers)
}

// appendSeats writes rising numbers as their count and the steps between them.
func appendSeats(b []byte, seats []int32) []byte {
	b = binary.AppendUvarint(b, uint64(len(seats)))
	last := int32(0)
	for _, n := range seats {
		b = binary.AppendUvarint(b, uint64(n-last))
		last = n
	}
	return b
}

// DecodeDelta unpacks what EncodeDelta packed, of this binary or of the one
// before it. It reports an error for anything else and never panics.
func DecodeDelta(b []byte) (Delta, error) {
	var d Delta
	if len(b) == 0 {
		return d, errDelta
	}
	r := deltaReader{b: b[1:]}
	switch b[0] {
	case deltaPlain:
	case deltaFormat, deltaReload, deltaBlocks:
		if head := r.take(newestBytes); head != nil {
			d.Newest = IDTick(binary.BigEndian.Uint64(head))
		}
		d.Reload = b[0] == deltaReload
		if b[0] == deltaBlocks {
			d.Blocks.Blocked, d.Blocks.Unblocked = r.seats(), r.seats()
		}
	default:
		return d, errDelta
	}
	for len(r.b) > 0 && !r.bad {
		var c Change
		copy(c.BookingID[:], r.take(len(uuid.UUID{})))
		copy(c.UserID[:], r.take(len(uuid.UUID{})))
		c.At = time.UnixMicro(r.varint()).UTC()
		c.CreatedAt = time.UnixMicro(r.varint()).UTC()
		c.Asked = r.uvarint()
		c.Before = r.state()
		c.After = r.state()
		d.Changes = append(d.Changes, c)
	}
	if r.bad {
		return Delta{}, errDelta
	}
	if b[0] == deltaPlain {
		for i := range d.Changes {
			d.Newest = max(d.Newest, tickAt(d.Changes[i].At))
		}
	}
	return d, nil
}

// deltaReader reads on until something is wrong, which it remembers.
type deltaReader struct {
	b   []byte
	bad bool
}

func (r *deltaReader) take(n int) []byte {
	if len(r.b) < n {
		r.bad, r.b = true, nil
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *deltaReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *deltaReader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *deltaReader) state() State {
	var s State
	code := r.take(1)
	if len(code) == 0 || int(code[0]) >= len(statusOf) {
		r.bad, r.b = true, nil
		return s
	}
	s.Status = statusOf[code[0]]
	s.Seats = int32(r.uvarint())
	s.WaitingNumber = int64(r.uvarint())
	s.SeatNumbers = r.seats()
	return s
}

func (r *deltaReader) seats() []int32 {
	count := r.uvarint()
	if count > uint64(len(r.b)) { // each number takes a byte at least
		r.bad, r.b = true, nil
		return nil
	}
	var seats []int32
	last := int32(0)
	for range count {
		last += int32(r.uvarint())
		seats = append(seats, last)
	}
	return seats
}
