// Package simtest judges the booking room from outside: Model says what one
// event has to answer, and History whether what clients were told of seats can
// have happened in any order at all. Neither imports the room, so that no
// mistake is in both.
package simtest

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Numbers of the contract.
const (
	rowLength = 20
	sentTwice = 2 * time.Second
)

// Model is one event as the contract tells it: seats, who has them, who waits.
// Every method is told what the room answered, says what is wrong with it, and
// where nothing is, does the same. Where the room may choose, which is which
// seats are the best, the choice is judged by what must be true of it.
type Model struct {
	Total      int32
	PerPerson  int32 // 0: any number
	Strict     bool
	WaitAtMost int32 // parties; below zero: any number
	Starts     time.Time
	Cancelled  bool
	Suspended  bool
	Hidden     bool    // for the organization's members alone
	Rows       []int32 // how many seats each has; nil: as many of 20 as it takes
	Off        []int32 // blocked seats, rising
	AtOnce     int     // parties promoted or closed by one order

	seats   []uuid.UUID // whose booking; seat 1 at 0
	parties []Party     // live; who waits, in order of joining
	numbers int64       // waiting numbers given
	asks    []ask
}

// Party is a live booking.
type Party struct {
	ID, Person uuid.UUID
	Size       int32
	Seats      []int32 // rising; none: it waits
	Number     int64   // 0: it never waited
}

// Waits says whether the party is on the waitlist.
func (p *Party) Waits() bool { return len(p.Seats) == 0 }

// ask is a request that was granted, to know it again.
type ask struct {
	person, booking uuid.UUID
	what            uint64
	at              time.Time
}

// Hold is a seat that somebody is choosing.
type Hold struct {
	Seat   int32
	Person uuid.UUID
}

// Moment is what a decision may look at beside the event.
type Moment struct {
	Now   time.Time
	Holds []Hold
}

// Step is one change of a booking.
type Step struct {
	What   string // the action: confirmed, waitlisted, …
	Party  Party  // after it; of a cancelled one as it was, without seats
	Reason string
	ByHand bool
	Place  int32 // on the waitlist, just after
}

// Told is what the room answered to one order.
type Told struct {
	Refusal string // a stable code; empty: none
	Gone    []int32
	Steps   []Step
	More    bool
	Silent  bool // about whether there is more
}

// Clone gives a copy to try something on.
func (m *Model) Clone() *Model {
	c := *m
	c.seats, c.parties, c.asks = slices.Clone(m.seats), slices.Clone(m.parties), slices.Clone(m.asks)
	c.Off = slices.Clone(m.Off)
	return &c
}

// Live lists confirmed and waiting parties; it is not to be changed.
func (m *Model) Live() []Party { return m.parties }

// WaitingNumbers is how many were given.
func (m *Model) WaitingNumbers() int64 { return m.numbers }

// Owner gives whose booking has the seat, Nil where it is free.
func (m *Model) Owner(seat int32) uuid.UUID {
	if int(seat) > len(m.seats) {
		return uuid.Nil
	}
	return m.seats[seat-1]
}

// Taken says whether a seat is sold or blocked.
func (m *Model) Taken(seat int32) bool {
	return m.Owner(seat) != uuid.Nil || slices.Contains(m.Off, seat)
}

// Free is how many seats are neither sold nor blocked.
func (m *Model) Free() int32 {
	free := int32(0)
	for seat := int32(1); seat <= m.Total; seat++ {
		if !m.Taken(seat) {
			free++
		}
	}
	return free
}

// Of is how many seats a person has, or waits for.
func (m *Model) Of(person uuid.UUID) int32 {
	n := int32(0)
	for i := range m.parties {
		if m.parties[i].Person == person {
			n += m.parties[i].Size
		}
	}
	return n
}

// Waiting lists who waits, in order, without those who are too large for the
// event by now.
func (m *Model) Waiting() []Party { return m.queue(func(p *Party) bool { return !m.TooLarge(p) }) }

// Overtaken lists those, who are to be cancelled.
func (m *Model) Overtaken() []Party { return m.queue(m.TooLarge) }

// TooLarge says whether a party waits in vain, since the capacity was lowered.
func (m *Model) TooLarge(p *Party) bool { return p.Waits() && p.Size > m.Total }

func (m *Model) queue(of func(*Party) bool) []Party {
	var list []Party
	for _, p := range m.parties {
		if p.Waits() && of(&p) {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b Party) int { return int(a.Number - b.Number) })
	return list
}

// waits is how many parties do.
func (m *Model) waits() int32 {
	n := int32(0)
	for i := range m.parties {
		if p := &m.parties[i]; p.Waits() && !m.TooLarge(p) {
			n++
		}
	}
	return n
}

func (m *Model) upcoming(now time.Time) bool { return !m.Cancelled && now.Before(m.Starts) }

// heldBy gives who holds a seat that is free.
func (m *Model) heldBy(seat int32, holds []Hold) uuid.UUID {
	if m.Taken(seat) {
		return uuid.Nil
	}
	for _, h := range holds {
		if h.Seat == seat {
			return h.Person
		}
	}
	return uuid.Nil
}

// own lists the free seats that a person holds, rising.
func (m *Model) own(person uuid.UUID, holds []Hold) []int32 {
	var own []int32
	for _, h := range holds {
		if h.Person == person && h.Seat <= m.Total && !m.Taken(h.Seat) {
			own = append(own, h.Seat)
		}
	}
	slices.Sort(own)
	return own
}

// open says whether a person may be given the seat.
func (m *Model) open(seat int32, person uuid.UUID, holds []Hold) bool {
	if seat < 1 || seat > m.Total || m.Taken(seat) {
		return false
	}
	holder := m.heldBy(seat, holds)
	return holder == uuid.Nil || holder == person
}

// OpenTo counts the seats that a person may be given.
func (m *Model) OpenTo(person uuid.UUID, holds []Hold) int32 {
	n := m.Free()
	for _, h := range holds {
		if h.Person != person && h.Seat <= m.Total && !m.Taken(h.Seat) {
			n--
		}
	}
	return n
}

// RowOf gives the first and the last seat of the row of a seat that there is.
func (m *Model) RowOf(seat int32) (first, last int32) {
	if m.Rows == nil {
		first = (seat-1)/rowLength*rowLength + 1
		return first, min(first+rowLength-1, m.Total)
	}
	last = 0
	for _, length := range m.Rows {
		first, last = last+1, last+length
		if seat <= last {
			break
		}
	}
	return first, last
}

// refused judges a refusal.
func (told *Told) refused(want string, gone ...int32) error {
	if told.Refusal != want {
		return fmt.Errorf("answered %s, to be refused with %s", told, want)
	}
	if !slices.Equal(told.Gone, gone) {
		return fmt.Errorf("names %v as gone, gone are %v", told.Gone, gone)
	}
	if len(told.Steps) > 0 {
		return fmt.Errorf("changed something by a refusal: %s", told)
	}
	return nil
}

func (told *Told) String() string {
	if told.Refusal != "" {
		return told.Refusal
	}
	return fmt.Sprintf("%+v", told.Steps)
}

// Forget drops what is too old to be known again, to keep the model small.
func (m *Model) Forget(now time.Time) {
	m.asks = slices.DeleteFunc(m.asks, func(a ask) bool { return now.Sub(a.at).Abs() > sentTwice })
}

func (m *Model) find(id uuid.UUID) int {
	return slices.IndexFunc(m.parties, func(p Party) bool { return p.ID == id })
}

// Put adds a party, or one that has changed in the place of what it was.
func (m *Model) Put(p Party) {
	m.Drop(p.ID)
	m.parties = append(m.parties, p)
	for len(m.seats) < int(m.Total) {
		m.seats = append(m.seats, uuid.Nil)
	}
	for _, seat := range p.Seats {
		m.seats[seat-1] = p.ID
	}
}

// Drop takes a party out.
func (m *Model) Drop(id uuid.UUID) {
	m.parties = slices.DeleteFunc(m.parties, func(p Party) bool { return p.ID == id })
	for i := range m.seats {
		if m.seats[i] == id {
			m.seats[i] = uuid.Nil
		}
	}
}
