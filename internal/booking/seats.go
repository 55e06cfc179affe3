package booking

import (
	"math/bits"
	"slices"
	"sort"

	"github.com/google/uuid"

	"happening/internal/event"
)

// SeatBits is a set of seats: seat n is bit (n−1) mod 64 of word (n−1) / 64.
type SeatBits []uint64

const wordSeats = 64

func newSeatBits(total int32) SeatBits { return make(SeatBits, (total+wordSeats-1)/wordSeats) }

func (b SeatBits) has(seat int32) bool {
	return b[(seat-1)/wordSeats]>>((seat-1)%wordSeats)&1 == 1
}

func (b SeatBits) add(seats []int32) {
	for _, s := range seats {
		b[(s-1)/wordSeats] |= 1 << ((s - 1) % wordSeats)
	}
}

func (b SeatBits) remove(seats []int32) {
	for _, s := range seats {
		b[(s-1)/wordSeats] &^= 1 << ((s - 1) % wordSeats)
	}
}

// run gives n seats from the one after first on as a mask, at most a word's.
func (b SeatBits) run(first, n int32) uint64 {
	word, shift := first/wordSeats, first%wordSeats
	mask := b[word] >> shift
	if shift+n > wordSeats {
		mask |= b[word+1] << (wordSeats - shift)
	}
	return mask & ones(n)
}

// highest gives the highest seat, 0 where there is none.
func (b SeatBits) highest() int32 {
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] != 0 {
			return int32(i*wordSeats + bits.Len64(b[i]))
		}
	}
	return 0
}

// list gives the seats, rising.
func (b SeatBits) list() []int32 {
	var seats []int32
	for i, word := range b {
		for ; word != 0; word &= word - 1 {
			seats = append(seats, int32(i*wordSeats+bits.TrailingZeros64(word))+1)
		}
	}
	return seats
}

// ones is a mask of so many seats, at most a word's.
func ones(n int32) uint64 { return 1<<n - 1 }

// rowPlan is how the seats lie in rows, which begin with row 0.
type rowPlan struct {
	total  int32
	starts []int32 // how many seats lie before each row, and all at the end; nil: rows of event.RowLength
	// longest is how many seats the longest row has, where there is a layout.
	longest int32
}

func newRowPlan(total int32, layout *event.Layout) rowPlan {
	p := rowPlan{total: total, starts: layout.Starts(), longest: event.RowLength}
	if p.starts != nil {
		p.longest = 0
		for i := 1; i < len(p.starts); i++ {
			p.longest = max(p.longest, p.starts[i]-p.starts[i-1])
		}
	}
	return p
}

// rows is how many there are.
func (p *rowPlan) rows() int32 {
	if p.starts == nil {
		return (p.total + event.RowLength - 1) / event.RowLength
	}
	return int32(len(p.starts)) - 1
}

// bounds gives how many seats lie before a row and in it.
func (p *rowPlan) bounds(row int32) (first, n int32) {
	if p.starts == nil {
		first = row * event.RowLength
		return first, min(event.RowLength, p.total-first)
	}
	return p.starts[row], p.starts[row+1] - p.starts[row]
}

// place gives a seat's row and its bit in there.
func (p *rowPlan) place(seat int32) (row int32, bit uint64) {
	if p.starts == nil {
		return (seat - 1) / event.RowLength, 1 << ((seat - 1) % event.RowLength)
	}
	row = int32(sort.Search(len(p.starts)-1, func(i int) bool { return p.starts[i+1] >= seat }))
	return row, 1 << (seat - 1 - p.starts[row])
}

// seatMap knows which of the seats 1…total are sold or blocked.
type seatMap struct {
	rowPlan
	sold, blocked SeatBits
	taken         int32 // sold or blocked; no seat is both
	// from[n] is a row before which no row has n free seats side by side, so
	// that a nearly sold-out event is not searched from the front each time.
	from [event.MaxRowSeats + 1]int32
	// room[n] is the same for n free seats anywhere in a row.
	room [event.MaxRowSeats + 1]int32
}

func newSeatMap(total int32, layout *event.Layout) seatMap {
	return seatMap{rowPlan: newRowPlan(total, layout), sold: newSeatBits(total), blocked: newSeatBits(total)}
}

// arrange lays the seats out anew; seats beyond the number must be neither sold
// nor blocked.
func (m *seatMap) arrange(total int32, layout *event.Layout) {
	was := *m
	*m = newSeatMap(total, layout)
	m.taken = was.taken
	copy(m.sold, was.sold)
	copy(m.blocked, was.blocked)
}

// has says whether a seat is sold or blocked.
func (m *seatMap) has(seat int32) bool { return m.sold.has(seat) || m.blocked.has(seat) }

func (m *seatMap) take(seats []int32) {
	m.sold.add(seats)
	m.taken += int32(len(seats))
}

func (m *seatMap) free(seats []int32) {
	m.sold.remove(seats)
	m.freed(seats)
}

// block takes free seats off sale; unblock puts them on sale again.
func (m *seatMap) block(seats []int32) {
	m.blocked.add(seats)
	m.taken += int32(len(seats))
}

func (m *seatMap) unblock(seats []int32) {
	m.blocked.remove(seats)
	m.freed(seats)
}

func (m *seatMap) freed(seats []int32) {
	m.taken -= int32(len(seats))
	for _, s := range seats {
		row, _ := m.place(s)
		for n := range m.longest + 1 {
			m.from[n], m.room[n] = min(m.from[n], row), min(m.room[n], row)
		}
	}
}

// freeIn gives the mask of a row's seats that are neither sold nor blocked.
func (m *seatMap) freeIn(row int32) uint64 {
	first, n := m.bounds(row)
	return ones(n) &^ (m.sold.run(first, n) | m.blocked.run(first, n))
}

// Choices are an event's holds on seats that nobody has bought, indexed for
// decisions: whoever decides takes what is sold out of them.
type Choices struct {
	view   HoldView
	plan   *rowPlan
	rows   map[int32]uint64 // row → held seats
	byUser map[uuid.UUID][]int32
	count  int32
}

// NewChoices indexes a view of the holds for an event.
func NewChoices(v HoldView, inv *Inventory) *Choices {
	c := &Choices{view: v, plan: &inv.seats.rowPlan}
	for seat, holder := range v.Holders {
		if seat < 1 || seat > inv.seats.total || inv.seats.has(seat) {
			continue
		}
		if c.rows == nil {
			c.rows = make(map[int32]uint64, len(v.Holders))
			c.byUser = make(map[uuid.UUID][]int32, len(v.Holders))
		}
		row, bit := c.plan.place(seat)
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
		row, bit := c.plan.place(seat)
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

// again indexes the same view for an event whose seats are others.
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

// seenByBoth gives the choices as somebody sees them who books for another
// person: what either of them holds is their own.
func (c *Choices) seenByBoth(user, actor uuid.UUID) heldSeats {
	held := c.seenBy(user)
	if theirs := c.byUser[actor]; actor != user && len(theirs) > 0 {
		held.own = slices.Concat(held.own, theirs)
		slices.Sort(held.own)
		held.free -= int32(len(theirs))
	}
	return held
}

// other gives the mask of a row's seats that others hold.
func (h *heldSeats) other(row int32) uint64 {
	mask := h.all.rows[row]
	if mask == 0 {
		return 0
	}
	for _, s := range h.own {
		if r, bit := h.all.plan.place(s); r == row {
			mask &^= bit
		}
	}
	return mask
}

// has says whether another person holds the seat.
func (h *heldSeats) has(seat int32) bool {
	row, bit := h.all.plan.place(seat)
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
	case n > m.longest:
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
	rows := m.rows()
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
			return m.seatsAt(row, offset, n)
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
	return m.seatsAt(first, firstOffset, n)
}

// inOneRow finds the n free seats that lie closest in the frontmost row that
// has so many, nil where none has.
func (m *seatMap) inOneRow(n int32, held *heldSeats) []int32 {
	unsold := true // so far no row from room[n] on has room, holds aside
	for row := m.room[n]; row < m.rows(); row++ {
		free := m.freeIn(row)
		if bits.OnesCount64(free) < int(n) {
			if unsold {
				m.room[n] = row + 1
			}
			continue
		}
		unsold = false
		if free &^= held.other(row); bits.OnesCount64(free) >= int(n) {
			return m.closest(row, free, n)
		}
	}
	return nil
}

// closest gives the first n of a row's free seats that span the least.
func (m *seatMap) closest(row int32, free uint64, n int32) []int32 {
	var seats []int32
	first, _ := m.bounds(row)
	for ; free != 0; free &= free - 1 {
		seats = append(seats, first+int32(bits.TrailingZeros64(free))+1)
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
	row, _ := m.place(held.own[0])
	own := uint64(0)
	for _, s := range held.own {
		r, bit := m.place(s)
		if r != row {
			return nil
		}
		own |= bit
	}
	open := m.freeIn(row) &^ held.other(row)
	_, length := m.bounds(row)
	low, high := int32(bits.TrailingZeros64(own)), int32(bits.Len64(own))-1
	best, bestOrphan, bestOff := int32(-1), false, int32(0)
	for start := max(0, high-n+1); start <= min(low, length-n); start++ {
		window := ones(n) << start
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
	return m.seatsAt(row, int(best), n)
}

// around takes the own holds and the nearest free seats from the front: rows
// with own holds first, then row by row.
func (m *seatMap) around(n int32, held *heldSeats) []int32 {
	seats := append(make([]int32, 0, n), held.own...)
	// Beside the own holds, nearest first, so that the party sits together.
	for _, own := range held.own {
		row, _ := m.place(own)
		for distance := int32(1); distance < m.longest && int32(len(seats)) < n; distance++ {
			for _, seat := range [2]int32{own + distance, own - distance} {
				if seat < 1 || seat > m.total || int32(len(seats)) == n {
					continue
				}
				if r, _ := m.place(seat); r == row && !m.has(seat) && !held.has(seat) && !contains(seats, seat) {
					seats = insertSorted(seats, seat)
				}
			}
		}
	}
	for row := m.from[1]; row < m.rows() && int32(len(seats)) < n; row++ {
		first, _ := m.bounds(row)
		free := m.freeIn(row) &^ held.other(row)
		for ; free != 0 && int32(len(seats)) < n; free &= free - 1 {
			if seat := first + int32(bits.TrailingZeros64(free)) + 1; !contains(seats, seat) {
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
func longest(free uint64) int {
	n := 0
	for free != 0 {
		free &= free << 1
		n++
	}
	return n
}

// fitIn finds where n ones in a row start in the mask: clean where no single
// one is left beside them. offset is -1 where there is no run of n.
func fitIn(free uint64, n int) (offset int, clean bool) {
	offset = -1
	for rest := free; rest != 0; {
		start := bits.TrailingZeros64(rest)
		length := bits.TrailingZeros64(^(rest >> start))
		rest &^= ones(int32(length)) << start
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

func (m *seatMap) seatsAt(row int32, offset int, n int32) []int32 {
	seats := make([]int32, n)
	first, _ := m.bounds(row)
	for i := range seats {
		seats[i] = first + int32(offset) + int32(i) + 1
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
