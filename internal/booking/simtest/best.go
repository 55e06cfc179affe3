package simtest

import (
	"fmt"
	"slices"

	"github.com/google/uuid"
)

// WellChosen judges a choice of seats: the right number of seats that may be
// given; the person's own holds first; nobody split who fits side by side into
// a row, or else into one row; no orphan where it can be helped.
func (m *Model) WellChosen(person uuid.UUID, size int32, holds []Hold, seats []int32) error {
	if len(seats) != int(size) {
		return fmt.Errorf("%d seats for a party of %d", len(seats), size)
	}
	for i, seat := range seats {
		if i > 0 && seats[i-1] >= seat || !m.open(seat, person, holds) {
			return fmt.Errorf("seat %d of %v is not to be had, or not in order", seat, seats)
		}
	}
	own := m.own(person, holds)
	used := 0
	for _, seat := range own {
		if slices.Contains(seats, seat) {
			used++
		}
	}
	switch {
	case used < min(len(own), len(seats)):
		return fmt.Errorf("chose %v before the own holds %v", seats, own)
	case len(own) > 0:
		return m.besideOwn(person, holds, seats, own)
	}
	beside, clean, oneRow := false, false, false
	for first := int32(1); first <= m.Total; {
		_, last := m.RowOf(first)
		room, run := int32(0), int32(0)
		for seat := first; seat <= last+1; seat++ {
			if seat <= last && m.open(seat, person, holds) {
				room, run = room+1, run+1
				continue
			}
			beside = beside || run >= size
			clean = clean || run == size || run >= size+2
			run = 0
		}
		oneRow = oneRow || room >= size
		first = last + 1
	}
	switch {
	case beside && seats[len(seats)-1]-seats[0] != size-1:
		return fmt.Errorf("%v are not side by side, and there is such a place", seats)
	case oneRow && !m.sameRow(seats[0], seats[len(seats)-1]):
		return fmt.Errorf("%v are in two rows, and one has room", seats)
	case clean && m.orphans(person, holds, seats) > 0:
		return fmt.Errorf("%v leave a single seat, and need not", seats)
	}
	return nil
}

// besideOwn judges what was added to own holds that lie in one row: where all
// can sit side by side there they do, without an orphan if there is such a
// place; where the row has room for all, all are in it.
func (m *Model) besideOwn(person uuid.UUID, holds []Hold, seats, own []int32) error {
	size := int32(len(seats))
	if int32(len(own)) >= size || !m.sameRow(own[0], own[len(own)-1]) {
		return nil
	}
	room, beside, clean := int32(0), false, false
	from, to := m.RowOf(own[0])
	for first := from; first <= to; first++ {
		if m.open(first, person, holds) {
			room++
		}
		if place := m.run(first, size, person, holds); place != nil && place[0] <= own[0] && own[len(own)-1] <= place[size-1] {
			beside = true
			clean = clean || m.orphans(person, holds, place) == 0
		}
	}
	switch {
	case beside && seats[size-1]-seats[0] != size-1:
		return fmt.Errorf("%v are not side by side with the own holds %v, and there is such a place", seats, own)
	case clean && m.orphans(person, holds, seats) > 0:
		return fmt.Errorf("%v leave a single seat beside the own holds %v, and need not", seats, own)
	case room >= size && (seats[0] < from || seats[size-1] > to):
		return fmt.Errorf("%v leave the row of the own holds %v, and it has room", seats, own)
	}
	return nil
}

// run gives so many seats side by side in one row that may be given, from
// first on; nil where they may not.
func (m *Model) run(first, size int32, person uuid.UUID, holds []Hold) []int32 {
	var seats []int32
	for seat := first; seat < first+size; seat++ {
		if !m.open(seat, person, holds) || !m.sameRow(first, seat) {
			return nil
		}
		seats = append(seats, seat)
	}
	return seats
}

// sameRow says whether two seats are in one row, the second not before the first.
func (m *Model) sameRow(a, b int32) bool {
	_, last := m.RowOf(a)
	return b <= last
}

// orphans counts the single open seats, with none beside them in their row,
// that are so because the seats are given away.
func (m *Model) orphans(person uuid.UUID, holds []Hold, seats []int32) int {
	n := 0
	for _, given := range seats {
		first, last := m.RowOf(given)
		left := func(seat int32) bool {
			return seat >= first && seat <= last && m.open(seat, person, holds) && !slices.Contains(seats, seat)
		}
		for _, seat := range [2]int32{given - 1, given + 1} {
			if left(seat) && !left(seat-1) && !left(seat+1) {
				n++
			}
		}
	}
	return n
}
