package event

import "strconv"

// RowLength is how many seats a row of the default layout has.
const RowLength = 20

// RowOf tells where a seat lies in the default layout: rows A, B, … Z, AA, …
// of RowLength seats, the numbers running on from row to row. The label is the
// row followed by the seat's number, so seat 21 is B21. Seats begin at 1; a
// number below that lies nowhere.
func RowOf(seat int32) (row, label string) {
	if seat < 1 {
		return "", ""
	}
	row = rowName((seat - 1) / RowLength)
	return row, row + strconv.Itoa(int(seat))
}

// rowName counts in letters from 0: A … Z, AA … AZ, BA …
func rowName(n int32) string {
	const letters = 26
	var name [8]byte
	at := len(name)
	for n++; n > 0; n = (n - 1) / letters {
		at--
		name[at] = byte('A' + (n-1)%letters)
	}
	return string(name[at:])
}
