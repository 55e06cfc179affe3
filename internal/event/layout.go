package event

import (
	"encoding/json"
	"fmt"
	"sort"
	"strconv"
	"time"
)

// RowLength is how many seats a row has where an event has no layout.
const RowLength = 20

// The limits of a layout. Names and labels are counted in characters.
const (
	// MaxRowSeats bounds a row: whoever has longer ones parts them at an aisle,
	// so that a party is not put on both sides of one.
	MaxRowSeats      = 64
	MaxSections      = 200
	MaxRows          = 20_000
	MaxSectionName   = 60
	MaxRowLabel      = 12
	MaxFirstSeat     = 9_999
	defaultFirstSeat = 1
	// maxLayoutFaults bounds what is told of a layout at once.
	maxLayoutFaults = 50
)

// Layout says how the numbered seats lie in sections and rows: seat 1 is the
// first of the first row, and the numbers run on from row to row and from
// section to section. A nil Layout is rows A, B, … Z, AA, … of RowLength seats.
// A Layout is never changed.
type Layout struct {
	sections []Section
	starts   []int32 // of each row how many seats lie before it, and all at the end
	rows     []rowAt
}

// Section is a part of the house.
type Section struct {
	Name string `json:"name"`
	Rows []Row  `json:"rows"`
}

// Row is seats side by side.
type Row struct {
	Label string `json:"label"`
	Seats int32  `json:"seats"`
	// First is the number on the row's first seat; 0 is 1.
	First int32 `json:"first,omitempty"`
}

// rowAt is where a row stands in the sections.
type rowAt struct{ section, row int32 }

// Place is where a seat lies.
type Place struct {
	Section string // empty where there is only one, without a name
	Row     string
	Number  int32  // as it stands on the seat
	Label   string // row and number
}

// NewLayout makes a layout, or tells what is wrong with it by field.
func NewLayout(sections []Section) (*Layout, error) {
	var bad faults
	if len(sections) == 0 || len(sections) > MaxSections {
		bad.add("sections", "Name 1 to %d sections.", MaxSections)
		return nil, bad.err()
	}
	l := &Layout{sections: make([]Section, len(sections))}
	total, rows := int64(0), 0
	names := make(map[string]bool, len(sections))
	for i, s := range sections {
		at := fmt.Sprintf("sections[%d]", i)
		least := 1
		if len(sections) == 1 {
			least = 0 // a house of one part needs no name for it
		}
		name := bad.line(at+".name", s.Name, least, MaxSectionName)
		if names[name] {
			bad.add(at+".name", "Two sections have this name.")
		}
		names[name] = true
		if len(s.Rows) == 0 {
			bad.add(at+".rows", "A section has at least one row.")
		}
		if rows += len(s.Rows); rows > MaxRows {
			bad.add("sections", "These are more than %d rows.", MaxRows)
			return nil, bad.err()
		}
		l.sections[i] = Section{Name: name, Rows: make([]Row, len(s.Rows))}
		labels := make(map[string]bool, len(s.Rows))
		for j, r := range s.Rows {
			of := fmt.Sprintf("%s.rows[%d]", at, j)
			label := bad.line(of+".label", r.Label, 1, MaxRowLabel)
			if labels[label] {
				bad.add(of+".label", "Two rows of this section have this label.")
			}
			labels[label] = true
			if r.Seats < 1 || r.Seats > MaxRowSeats {
				bad.add(of+".seats", "Use a number from 1 to %d; part a longer row at an aisle.", MaxRowSeats)
			}
			if r.First == 0 {
				r.First = defaultFirstSeat
			}
			if r.First < 1 || r.First > MaxFirstSeat {
				bad.add(of+".first", "Use a number from 1 to %d.", MaxFirstSeat)
			}
			if len(bad) > maxLayoutFaults {
				return nil, bad.err()
			}
			l.sections[i].Rows[j] = Row{Label: label, Seats: r.Seats, First: r.First}
			total += int64(r.Seats)
		}
	}
	if total > MaxTotalSlots {
		bad.add("sections", "These are more than %d seats.", MaxTotalSlots)
	}
	if err := bad.err(); err != nil {
		return nil, err
	}
	l.index()
	return l, nil
}

// index notes where each row begins.
func (l *Layout) index() {
	next := int32(0)
	for i, s := range l.sections {
		for j, r := range s.Rows {
			l.starts = append(l.starts, next)
			l.rows = append(l.rows, rowAt{int32(i), int32(j)})
			next += r.Seats
		}
	}
	l.starts = append(l.starts, next)
}

// ParseLayout reads what JSON wrote; nothing and null are the default rows.
func ParseLayout(b []byte) (*Layout, error) {
	var sections []Section
	if len(b) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(b, &sections); err != nil {
		return nil, fmt.Errorf("event: layout: %w", err)
	}
	if sections == nil {
		return nil, nil
	}
	l := &Layout{sections: sections}
	l.index()
	return l, nil
}

// JSON gives the layout as it is stored.
func (l *Layout) JSON() ([]byte, error) {
	if l == nil {
		return nil, nil
	}
	return json.Marshal(l.sections)
}

// Sections gives the parts of the house, nil for the default rows. They are not
// to be changed.
func (l *Layout) Sections() []Section {
	if l == nil {
		return nil
	}
	return l.sections
}

// Seats is how many seats there are; only of a layout that is not nil.
func (l *Layout) Seats() int32 { return l.starts[len(l.starts)-1] }

// Starts gives for each row how many seats lie before it, and the number of all
// at the end; nil for the default rows. It is not to be changed.
func (l *Layout) Starts() []int32 {
	if l == nil {
		return nil
	}
	return l.starts
}

// Place tells where a seat lies. Seats begin at 1; one that the layout does not
// have lies nowhere.
func (l *Layout) Place(seat int32) Place {
	if l == nil {
		return defaultPlace(seat)
	}
	if seat < 1 || seat > l.Seats() {
		return Place{}
	}
	n := sort.Search(len(l.rows), func(i int) bool { return l.starts[i+1] >= seat })
	section := &l.sections[l.rows[n].section]
	row := &section.Rows[l.rows[n].row]
	p := Place{Section: section.Name, Row: row.Label, Number: row.First + seat - 1 - l.starts[n]}
	p.Label = p.Row + strconv.Itoa(int(p.Number))
	return p
}

// defaultPlace tells where a seat lies without a layout: the numbers run on
// from row to row, so seat 21 is B21.
func defaultPlace(seat int32) Place {
	if seat < 1 {
		return Place{}
	}
	row := rowName((seat - 1) / RowLength)
	return Place{Row: row, Number: seat, Label: row + strconv.Itoa(int(seat))}
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

// Arrange gives the event with its seats laid out anew, one revision further;
// the layout says how many there are. No layout is the default rows, of as many
// seats as there were. What is there already changes nothing. Whether the seats
// that are sold still exist is the booking room's to say.
func Arrange(e Event, l *Layout, now time.Time) (Event, error) {
	if !e.CancelledAt.IsZero() {
		return Event{}, ErrCancelled
	}
	if same(e.Layout, l) {
		return e, nil
	}
	e.Revision++
	e.Layout, e.LayoutRevision = l, 0
	if l != nil {
		e.TotalSlots, e.LayoutRevision = l.Seats(), e.Revision
	}
	e.UpdatedAt = instant(now)
	return e, nil
}

// same says whether two layouts are one.
func same(a, b *Layout) bool {
	if a == nil || b == nil {
		return a == b
	}
	x, errX := a.JSON()
	y, errY := b.JSON()
	return errX == nil && errY == nil && string(x) == string(y)
}
