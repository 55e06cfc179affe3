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
	case size > rowLength:
		return nil
	}
	beside, clean, oneRow := false, false, false
	for first := int32(1); first <= m.Total; first += rowLength {
		last := min(first+rowLength-1, m.Total)
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
	}
	switch {
	case beside && seats[len(seats)-1]-seats[0] != size-1:
		return fmt.Errorf("%v are not side by side, and there is such a place", seats)
	case oneRow && rowOf(seats[0]) != rowOf(seats[len(seats)-1]):
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
	row, size := rowOf(own[0]), int32(len(seats))
	if int32(len(own)) >= size || rowOf(own[len(own)-1]) != row {
		return nil
	}
	room, beside, clean := int32(0), false, false
	for first := row*rowLength + 1; first <= min((row+1)*rowLength, m.Total); first++ {
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
	case room >= size && (rowOf(seats[0]) != row || rowOf(seats[size-1]) != row):
		return fmt.Errorf("%v leave the row of the own holds %v, and it has room", seats, own)
	}
	return nil
}

// run gives so many seats side by side in one row that may be given, from
// first on; nil where they may not.
func (m *Model) run(first, size int32, person uuid.UUID, holds []Hold) []int32 {
	var seats []int32
	for seat := first; seat < first+size; seat++ {
		if rowOf(seat) != rowOf(first) || !m.open(seat, person, holds) {
			return nil
		}
		seats = append(seats, seat)
	}
	return seats
}

func rowOf(seat int32) int32 { return (seat - 1) / rowLength }

// orphans counts the single open seats, with none beside them in their row,
// that are so because the seats are given away.
func (m *Model) orphans(person uuid.UUID, holds []Hold, seats []int32) int {
	open := func(seat, row int32) bool {
		return seat >= 1 && rowOf(seat) == row && m.open(seat, person, holds)
	}
	left := func(seat, row int32) bool { return open(seat, row) && !slices.Contains(seats, seat) }
	n := 0
	for _, given := range seats {
		row := rowOf(given)
		for _, seat := range [2]int32{given - 1, given + 1} {
			if left(seat, row) && !left(seat-1, row) && !left(seat+1, row) {
				n++
			}
		}
	}
	return n
}
