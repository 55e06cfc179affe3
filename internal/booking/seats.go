package booking

import (
	"math/bits"
	"slices"

	"github.com/google/uuid"

	"happening/internal/event"
)

// rowSeats is how many seats lie in a row, so row r holds the seats
// r*rowSeats+1 … (r+1)*rowSeats.
const rowSeats = event.RowLength

// rowMask has a bit for each seat of a row.
const rowMask = 1<<rowSeats - 1

// seatMap knows which of the seats 1…total are taken: a mask per row, one bit
// a seat.
type seatMap struct {
	total int32
	taken int32
	rows  []uint32
	// from[n] is a row before which no row has n free seats side by side, so
	// that a nearly sold-out event is not searched from the front each time.
	from [rowSeats + 1]int32
	// room[n] is the same for n free seats anywhere in a row.
	room [rowSeats + 1]int32
}

func newSeatMap(total int32) seatMap {
	m := seatMap{}
	m.resize(total)
	return m
}

// resize sets the number of seats; seats beyond it must be free.
func (m *seatMap) resize(total int32) {
	rows := int((total + rowSeats - 1) / rowSeats)
	grown := make([]uint32, rows)
	copy(grown, m.rows)
	if old := len(m.rows); total > m.total && old > 0 && old <= rows {
		m.lower(int32(old - 1))
	}
	m.rows, m.total = grown, total
	m.lower(int32(rows))
}

func place(seat int32) (row int32, bit uint32) {
	return (seat - 1) / rowSeats, 1 << ((seat - 1) % rowSeats)
}

func (m *seatMap) has(seat int32) bool {
	row, bit := place(seat)
	return m.rows[row]&bit != 0
}

func (m *seatMap) take(seats []int32) {
	for _, s := range seats {
		row, bit := place(s)
		m.rows[row] |= bit
	}
	m.taken += int32(len(seats))
}

func (m *seatMap) free(seats []int32) {
	for _, s := range seats {
		row, bit := place(s)
		m.rows[row] &^= bit
		m.lower(row)
	}
	m.taken -= int32(len(seats))
}

func (m *seatMap) lower(row int32) {
	for n := range m.from {
		m.from[n], m.room[n] = min(m.from[n], row), min(m.room[n], row)
	}
}

// highest gives the highest taken seat, 0 where none is.
func (m *seatMap) highest() int32 {
	for r := len(m.rows) - 1; r >= 0; r-- {
		if m.rows[r] != 0 {
			return int32(r)*rowSeats + int32(bits.Len32(m.rows[r]))
		}
	}
	return 0
}

// freeIn gives the mask of a row's seats that exist and are not taken.
func (m *seatMap) freeIn(row int32) uint32 {
	exist := uint32(rowMask)
	if last := m.total - row*rowSeats; last < rowSeats {
		exist = 1<<last - 1
	}
	return exist &^ m.rows[row]
}

// Choices are an event's holds on seats that nobody has bought, indexed for
// decisions: whoever decides takes what is sold out of them.
type Choices struct {
	view   HoldView
	rows   map[int32]uint32 // row → held seats
	byUser map[uuid.UUID][]int32
	count  int32
}

// NewChoices indexes a view of the holds for an event.
func NewChoices(v HoldView, inv *Inventory) *Choices {
	c := &Choices{view: v}
	for seat, holder := range v.Holders {
		if seat < 1 || seat > inv.seats.total || inv.seats.has(seat) {
			continue
		}
		if c.rows == nil {
			c.rows = make(map[int32]uint32, len(v.Holders))
			c.byUser = make(map[uuid.UUID][]int32, len(v.Holders))
		}
		row, bit := place(seat)
		c.rows[row] |= bit
		c.byUser[holder] = insertSorted(c.byUser[holder], seat)
		c.count++
	}
	return c
}

// sold takes seats that were just sold out of the choices: what the person held
// who has them now, and what was held by whoever gave them.
func (c *Choices) sold(seats []int32, people ...uuid.UUID) {
	for _, seat := range seats {
		row, bit := place(seat)
		if c.rows[row]&bit == 0 {
			continue
		}
		c.rows[row] &^= bit
		c.count--
		for _, user := range people {
			own := c.byUser[user]
			if i := slices.Index(own, seat); i >= 0 {
				c.byUser[user] = append(own[:i:i], own[i+1:]...)
				break
			}
		}
	}
}

// again indexes the same view for an event whose capacity has changed.
func (c *Choices) again(inv *Inventory) { *c = *NewChoices(c.view, inv) }

// heldSeats is Choices as one person sees them: own is what the person holds,
// free how many seats others hold, has and other tell which.
type heldSeats struct {
	all  *Choices
	own  []int32 // rising
	free int32
}

// seenBy gives the choices as one person sees them.
func (c *Choices) seenBy(user uuid.UUID) heldSeats {
	own := c.byUser[user]
	return heldSeats{all: c, own: own, free: c.count - int32(len(own))}
}

// other gives the mask of a row's seats that others hold.
func (h *heldSeats) other(row int32) uint32 {
	mask := h.all.rows[row]
	if mask == 0 {
		return 0
	}
	for _, s := range h.own {
		if r, bit := place(s); r == row {
			mask &^= bit
		}
	}
	return mask
}

// has says whether another person holds the seat.
func (h *heldSeats) has(seat int32) bool {
	row, bit := place(seat)
	return h.other(row)&bit != 0
}

// candidateRows bounds how many rows with room are compared for one that
// leaves no orphan before the frontmost is taken.
const candidateRows = 64

// best chooses n seats for a person: the own holds first, then side by side,
// leaving no orphan seat (a single free one between taken ones) if that can be
// helped, else in one row, else from the front. It answers nil where fewer than n
// seats are neither taken nor held by others. The seats are rising.
func (m *seatMap) best(n int32, held *heldSeats) []int32 {
	if m.total-m.taken-held.free < n {
		return nil
	}
	if len(held.own) >= int(n) {
		return append([]int32(nil), held.own[:n]...)
	}
	var seats []int32
	switch {
	case n > rowSeats:
	case len(held.own) > 0:
		seats = m.beside(n, held)
	default:
		if seats = m.together(n, held); seats == nil {
			seats = m.inOneRow(n, held)
		}
	}
	if seats == nil {
		seats = m.around(n, held)
	}
	return seats
}

// together finds n free seats side by side in one row, nil where no row has
// them.
func (m *seatMap) together(n int32, held *heldSeats) []int32 {
	candidates := 0
	first, firstOffset := int32(-1), 0
	rows := int32(len(m.rows))
	unsold := true // so far no row from from[n] on has room, holds aside
	for row := m.from[n]; row < rows; row++ {
		free := m.freeIn(row)
		if longest(free) < int(n) {
			if unsold {
				m.from[n] = row + 1
			}
			continue
		}
		unsold = false
		offset, clean := fitIn(free&^held.other(row), int(n))
		if offset < 0 {
			continue
		}
		if clean {
			return seatsAt(row, offset, n)
		}
		if first < 0 {
			first, firstOffset = row, offset
		}
		if candidates++; candidates == candidateRows {
			break
		}
	}
	if first < 0 {
		return nil
	}
	return seatsAt(first, firstOffset, n)
}

// inOneRow finds the n free seats that lie closest in the frontmost row that
// has so many, nil where none has.
func (m *seatMap) inOneRow(n int32, held *heldSeats) []int32 {
	unsold := true // so far no row from room[n] on has room, holds aside
	for row := m.room[n]; row < int32(len(m.rows)); row++ {
		free := m.freeIn(row)
		if bits.OnesCount32(free) < int(n) {
			if unsold {
				m.room[n] = row + 1
			}
			continue
		}
		unsold = false
		if free &^= held.other(row); bits.OnesCount32(free) >= int(n) {
			return closest(row, free, n)
		}
	}
	return nil
}

// closest gives the first n of a row's free seats that span the least.
func closest(row int32, free uint32, n int32) []int32 {
	var seats []int32
	for ; free != 0; free &= free - 1 {
		seats = append(seats, row*rowSeats+int32(bits.TrailingZeros32(free))+1)
	}
	best := seats[:n]
	for i := 1; i+int(n) <= len(seats); i++ {
		if group := seats[i : i+int(n)]; group[n-1]-group[0] < best[n-1]-best[0] {
			best = group
		}
	}
	return best
}

// beside finds n free seats side by side that all own holds are among: leaving
// no orphan if that can be helped, then with the own holds in the middle. It
// answers nil where there are none.
func (m *seatMap) beside(n int32, held *heldSeats) []int32 {
	row, _ := place(held.own[0])
	own := uint32(0)
	for _, s := range held.own {
		r, bit := place(s)
		if r != row {
			return nil
		}
		own |= bit
	}
	open := m.freeIn(row) &^ held.other(row)
	low, high := int32(bits.TrailingZeros32(own)), int32(bits.Len32(own))-1
	best, bestOrphan, bestOff := int32(-1), false, int32(0)
	for start := max(0, high-n+1); start <= min(low, rowSeats-n); start++ {
		window := uint32(1<<n-1) << start
		if open&window != window {
			continue
		}
		left := open &^ window
		orphan := left&^(left<<1|left>>1)&(window<<1|window>>1) != 0
		off := max(2*start+n-1-low-high, low+high-2*start-n+1)
		if best < 0 || bestOrphan && !orphan || bestOrphan == orphan && off <= bestOff {
			best, bestOrphan, bestOff = start, orphan, off
		}
	}
	if best < 0 {
		return nil
	}
	return seatsAt(row, int(best), n)
}

// around takes the own holds and the nearest free seats from the front: rows
// with own holds first, then row by row.
func (m *seatMap) around(n int32, held *heldSeats) []int32 {
	seats := append(make([]int32, 0, n), held.own...)
	// Beside the own holds, nearest first, so that the party sits together.
	for _, own := range held.own {
		row, _ := place(own)
		for distance := int32(1); distance < rowSeats && int32(len(seats)) < n; distance++ {
			for _, seat := range [2]int32{own + distance, own - distance} {
				if seat < 1 || seat > m.total || int32(len(seats)) == n {
					continue
				}
				if r, _ := place(seat); r == row && !m.has(seat) && !held.has(seat) && !contains(seats, seat) {
					seats = insertSorted(seats, seat)
				}
			}
		}
	}
	for row := m.from[1]; row < int32(len(m.rows)) && int32(len(seats)) < n; row++ {
		free := m.freeIn(row) &^ held.other(row)
		for ; free != 0 && int32(len(seats)) < n; free &= free - 1 {
			if seat := row*rowSeats + int32(bits.TrailingZeros32(free)) + 1; !contains(seats, seat) {
				seats = insertSorted(seats, seat)
			}
		}
	}
	if int32(len(seats)) < n {
		return nil
	}
	return seats
}

// longest gives the length of the longest run of ones.
func longest(free uint32) int {
	n := 0
	for free != 0 {
		free &= free << 1
		n++
	}
	return n
}

// fitIn finds where n ones in a row start in the mask: clean where no single
// one is left beside them. offset is -1 where there is no run of n.
func fitIn(free uint32, n int) (offset int, clean bool) {
	offset = -1
	for rest := free; rest != 0; {
		start := bits.TrailingZeros32(rest)
		length := bits.TrailingZeros32(^(rest >> start))
		rest &^= (1<<length - 1) << start
		if length < n {
			continue
		}
		if length-n != 1 {
			return start, true
		}
		if offset < 0 {
			offset = start
		}
	}
	return offset, false
}

func seatsAt(row int32, offset int, n int32) []int32 {
	seats := make([]int32, n)
	for i := range seats {
		seats[i] = row*rowSeats + int32(offset) + int32(i) + 1
	}
	return seats
}

func contains(seats []int32, seat int32) bool {
	for _, s := range seats {
		if s == seat {
			return true
		}
	}
	return false
}

// insertSorted puts the seat into a rising slice.
func insertSorted(seats []int32, seat int32) []int32 {
	at := len(seats)
	for at > 0 && seats[at-1] > seat {
		at--
	}
	seats = append(seats, 0)
	copy(seats[at+1:], seats[at:])
	seats[at] = seat
	return seats
}
