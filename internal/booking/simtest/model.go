// Package simtest judges the booking room from outside: Model says what one
// event has to answer, and History whether what clients were told of seats can
// have happened in any order at all. Neither imports the room, so that no
// mistake is in both.
package simtest

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Numbers of the contract.
const (
	rowLength   = 20
	sentTwice   = 2 * time.Second
	stepsAtOnce = 500
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
	Hidden     bool // for the organization's members alone

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
}

// Clone gives a copy to try something on.
func (m *Model) Clone() *Model {
	c := *m
	c.seats, c.parties, c.asks = slices.Clone(m.seats), slices.Clone(m.parties), slices.Clone(m.asks)
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

// Free is how many seats are not sold.
func (m *Model) Free() int32 {
	free := int32(0)
	for seat := int32(1); seat <= m.Total; seat++ {
		if m.Owner(seat) == uuid.Nil {
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

// Waiting lists who waits, in order.
func (m *Model) Waiting() []Party {
	var list []Party
	for _, p := range m.parties {
		if p.Waits() {
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
		if m.parties[i].Waits() {
			n++
		}
	}
	return n
}

func (m *Model) upcoming(now time.Time) bool { return !m.Cancelled && now.Before(m.Starts) }

// heldBy gives who holds a seat that is free.
func (m *Model) heldBy(seat int32, holds []Hold) uuid.UUID {
	if m.Owner(seat) != uuid.Nil {
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
		if h.Person == person && h.Seat <= m.Total && m.Owner(h.Seat) == uuid.Nil {
			own = append(own, h.Seat)
		}
	}
	slices.Sort(own)
	return own
}

// open says whether a person may be given the seat.
func (m *Model) open(seat int32, person uuid.UUID, holds []Hold) bool {
	if seat < 1 || seat > m.Total || m.Owner(seat) != uuid.Nil {
		return false
	}
	holder := m.heldBy(seat, holds)
	return holder == uuid.Nil || holder == person
}

// OpenTo counts the seats that a person may be given.
func (m *Model) OpenTo(person uuid.UUID, holds []Hold) int32 {
	n := m.Free()
	for _, h := range holds {
		if h.Person != person && h.Seat <= m.Total && m.Owner(h.Seat) == uuid.Nil {
			n--
		}
	}
	return n
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

// Wish is an order of seats.
type Wish struct {
	Person uuid.UUID
	Size   int32
	Named  []int32
	Refuse bool // rather than wait
	What   uint64
	Keyed  bool
	Public bool // let in because everybody was
}

// Book judges the answer to a wish.
func (m *Model) Book(at Moment, w Wish, told Told) error {
	own := m.own(w.Person, at.Holds)
	queue := m.Strict && m.waits() > 0
	waits := len(w.Named) == 0 && (m.Free() < w.Size || queue && len(own) < int(w.Size))
	switch {
	case w.Public && (m.Hidden || m.Suspended):
		return told.refused("access")
	case !m.upcoming(at.Now):
		return told.refused("event_not_bookable")
	case m.Suspended:
		return told.refused("org_suspended")
	case !w.Keyed && m.askedJustNow(at.Now, w):
		return told.refused("duplicate_request")
	case w.Size > m.Total:
		return told.refused("invalid")
	case m.PerPerson > 0 && m.Of(w.Person)+w.Size+m.holdsBeside(w, own, waits) > m.PerPerson:
		return told.refused("seat_limit")
	}
	if len(w.Named) > 0 {
		var gone []int32
		mine := true
		for _, seat := range w.Named {
			if !m.open(seat, w.Person, at.Holds) {
				gone = append(gone, seat)
			}
			mine = mine && slices.Contains(own, seat)
		}
		if gone != nil {
			return told.refused("seats_unavailable", gone...)
		}
		if queue && !mine {
			return told.refused("waitlist_first")
		}
	}
	switch {
	case waits && (w.Refuse || m.WaitAtMost == 0):
		return told.refused("sold_out")
	case waits && m.WaitAtMost > 0 && m.waits() >= m.WaitAtMost:
		return told.refused("waitlist_full")
	case !waits && m.OpenTo(w.Person, at.Holds) < w.Size:
		return told.refused("seats_held")
	case told.Refusal != "":
		return fmt.Errorf("refused with %s for no reason", told.Refusal)
	case len(told.Steps) != 1:
		return fmt.Errorf("a booking made %d changes", len(told.Steps))
	}
	s := told.Steps[0]
	switch {
	case m.find(s.Party.ID) >= 0:
		return fmt.Errorf("the new booking has the id of another")
	case s.Party.Person != w.Person || s.Party.Size != w.Size:
		return fmt.Errorf("%d seats were asked for, booked was %+v", w.Size, s)
	case waits && (s.What != "waitlisted" || !s.Party.Waits() || s.Party.Number != m.numbers+1 || s.Place != m.waits()+1):
		return fmt.Errorf("has to wait with number %d at place %d, got %+v", m.numbers+1, m.waits()+1, s)
	case !waits && (s.What != "confirmed" || s.Party.Number != 0 || s.Place != 0):
		return fmt.Errorf("has to be confirmed, got %+v", s)
	case len(w.Named) > 0 && !slices.Equal(s.Party.Seats, w.Named):
		return fmt.Errorf("named were seats %v, booked were %v", w.Named, s.Party.Seats)
	case !waits && len(w.Named) == 0:
		if err := m.WellChosen(w.Person, w.Size, at.Holds, s.Party.Seats); err != nil {
			return err
		}
	}
	if waits {
		m.numbers++
	}
	m.asks = append(m.asks, ask{person: w.Person, booking: s.Party.ID, what: w.What, at: at.Now})
	m.put(s.Party)
	return nil
}

// holdsBeside counts a person's holds that the wish would not use.
func (m *Model) holdsBeside(w Wish, own []int32, waits bool) int32 {
	beside := int32(0)
	for _, seat := range own {
		if !slices.Contains(w.Named, seat) {
			beside++
		}
	}
	if !waits && len(w.Named) == 0 {
		beside = max(0, beside-w.Size)
	}
	return beside
}

// askedJustNow says whether the same was granted to the person within two
// seconds and is still there.
func (m *Model) askedJustNow(now time.Time, w Wish) bool {
	for _, a := range m.asks {
		if a.person == w.Person && a.what == w.What && now.Sub(a.at) < sentTwice && m.find(a.booking) >= 0 {
			return true
		}
	}
	return false
}

// Forget drops what is too old to be known again, to keep the model small.
func (m *Model) Forget(now time.Time) {
	m.asks = slices.DeleteFunc(m.asks, func(a ask) bool { return now.Sub(a.at) > sentTwice })
}

func (m *Model) find(id uuid.UUID) int {
	return slices.IndexFunc(m.parties, func(p Party) bool { return p.ID == id })
}

// Put adds a party that is there from the beginning.
func (m *Model) Put(p Party) { m.put(p) }

// put adds a party, or one that has changed in the place of what it was.
func (m *Model) put(p Party) {
	m.drop(p.ID)
	m.parties = append(m.parties, p)
	for len(m.seats) < int(m.Total) {
		m.seats = append(m.seats, uuid.Nil)
	}
	for _, seat := range p.Seats {
		m.seats[seat-1] = p.ID
	}
}

// Drop takes a party out.
func (m *Model) Drop(id uuid.UUID) { m.drop(id) }

func (m *Model) drop(id uuid.UUID) {
	m.parties = slices.DeleteFunc(m.parties, func(p Party) bool { return p.ID == id })
	for i := range m.seats {
		if m.seats[i] == id {
			m.seats[i] = uuid.Nil
		}
	}
}

// changeable judges what stands before a change of a booking: done where the
// answer was to be a refusal.
func (m *Model) changeable(at Moment, id uuid.UUID, told Told) (p Party, done bool, err error) {
	i := m.find(id)
	switch {
	case m.Cancelled:
		return p, true, told.refused("booking_cancelled")
	case !m.upcoming(at.Now):
		return p, true, told.refused("event_not_bookable")
	case i < 0:
		return p, true, told.refused("booking_cancelled")
	}
	return m.parties[i], false, nil
}

// Cancel judges giving a booking up.
func (m *Model) Cancel(at Moment, id uuid.UUID, told Told) error {
	p, done, err := m.changeable(at, id, told)
	if done || err != nil {
		return err
	}
	if err := m.ends(p, "", &told); err != nil {
		return err
	}
	return m.promotes(at, told)
}

// CancelSeats judges giving some seats of a booking back.
func (m *Model) CancelSeats(at Moment, id uuid.UUID, seats []int32, told Told) error {
	p, done, err := m.changeable(at, id, told)
	if done || err != nil {
		return err
	}
	var kept []int32
	for _, seat := range p.Seats {
		if !slices.Contains(seats, seat) {
			kept = append(kept, seat)
		}
	}
	if p.Waits() || len(kept)+len(seats) != len(p.Seats) {
		return told.refused("seats_not_in_booking")
	}
	if len(kept) == 0 {
		err = m.ends(p, "", &told)
	} else {
		p.Seats, p.Size = kept, int32(len(kept))
		err = m.becomes("seats_cancelled", p, &told)
	}
	if err != nil {
		return err
	}
	return m.promotes(at, told)
}

// Shrink judges that a party that waits becomes smaller by so many seats.
func (m *Model) Shrink(at Moment, id uuid.UUID, by int32, told Told) error {
	p, done, err := m.changeable(at, id, told)
	switch {
	case done || err != nil:
		return err
	case !p.Waits():
		return told.refused("booking_not_waiting")
	case by > p.Size:
		return told.refused("seats_not_in_booking")
	case by == p.Size:
		err = m.ends(p, "", &told)
	default:
		p.Size -= by
		err = m.becomes("resized", p, &told)
	}
	if err != nil {
		return err
	}
	return m.promotes(at, told)
}

// PromoteByHand judges that one who waits is served now, whoever waits before.
func (m *Model) PromoteByHand(at Moment, id uuid.UUID, told Told) error {
	p, done, err := m.changeable(at, id, told)
	switch {
	case done || err != nil:
		return err
	case m.Suspended:
		return told.refused("org_suspended")
	case !p.Waits():
		return told.refused("booking_not_waiting")
	case p.Size > m.Free():
		return told.refused("seats_unavailable")
	case p.Size > m.OpenTo(p.Person, at.Holds):
		return told.refused("seats_held")
	}
	s, err := told.next()
	if err != nil {
		return err
	}
	if err := m.WellChosen(p.Person, p.Size, at.Holds, s.Party.Seats); err != nil {
		return err
	}
	p.Seats = s.Party.Seats
	if s.What != "promoted" || !s.ByHand || !s.Party.is(p) {
		return fmt.Errorf("to be served by hand was %+v, told was %+v", p, s)
	}
	m.put(p)
	return m.promotes(at, told)
}

// Move judges that a party changes seats. What its booker holds, or who moves
// it, is free to them.
func (m *Model) Move(at Moment, mover, id uuid.UUID, seats []int32, told Told) error {
	p, done, err := m.changeable(at, id, told)
	switch {
	case done || err != nil:
		return err
	case m.Suspended:
		return told.refused("org_suspended")
	case p.Waits():
		return told.refused("booking_not_confirmed")
	case len(seats) != len(p.Seats):
		return told.refused("invalid")
	case slices.Equal(seats, p.Seats):
		return told.nothing()
	}
	var gone []int32
	for _, seat := range seats {
		if m.Owner(seat) != id && !m.open(seat, p.Person, at.Holds) && !m.open(seat, mover, at.Holds) {
			gone = append(gone, seat)
		}
	}
	if gone != nil {
		return told.refused("seats_unavailable", gone...)
	}
	p.Seats = seats
	if err := m.becomes("moved", p, &told); err != nil {
		return err
	}
	return m.promotes(at, told)
}

// ends takes a cancellation off what was told and does it.
func (m *Model) ends(p Party, reason string, told *Told) error {
	gone := p
	gone.Seats = nil
	s, err := told.next()
	if err != nil || s.What != "cancelled" || s.Reason != reason || !s.Party.is(gone) {
		return fmt.Errorf("to be cancelled with reason %q was %+v, told was %+v (%v)", reason, p, s, err)
	}
	m.drop(p.ID)
	return nil
}

// becomes takes a change of a booking off what was told and does it.
func (m *Model) becomes(what string, p Party, told *Told) error {
	s, err := told.next()
	if err != nil || s.What != what || s.ByHand || !s.Party.is(p) {
		return fmt.Errorf("%s was to be %+v, told was %+v (%v)", what, p, s, err)
	}
	m.put(p)
	return nil
}

func (p Party) is(other Party) bool {
	return p.ID == other.ID && p.Person == other.Person && p.Size == other.Size && p.Number == other.Number && slices.Equal(p.Seats, other.Seats)
}

// next takes a step off what was told.
func (told *Told) next() (Step, error) {
	if len(told.Steps) == 0 {
		return Step{}, fmt.Errorf("told was %s and no more", told)
	}
	s := told.Steps[0]
	told.Steps = told.Steps[1:]
	return s, nil
}

// Promote judges serving the waitlist.
func (m *Model) Promote(at Moment, told Told) error {
	if told.Refusal != "" {
		return fmt.Errorf("a promotion was refused with %s", told.Refusal)
	}
	return m.promotes(at, told)
}

// promotes judges that the rest of what was told serves who is to be served,
// one after the other, and nobody else.
func (m *Model) promotes(at Moment, told Told) error {
	for served := 0; ; served++ {
		p := m.turn(at)
		if p == nil || served == stepsAtOnce {
			if len(told.Steps) > 0 {
				return fmt.Errorf("nobody is to be served, told was %s", &told)
			}
			if p != nil && !told.More || told.More && served < stepsAtOnce {
				return fmt.Errorf("%d were served and more is %v", served, told.More)
			}
			return nil
		}
		s, err := told.next()
		if err != nil {
			return fmt.Errorf("to be served is %+v: %w", *p, err)
		}
		if err := m.WellChosen(p.Person, p.Size, at.Holds, s.Party.Seats); err != nil {
			return fmt.Errorf("served from the waitlist: %w", err)
		}
		p.Seats = s.Party.Seats
		if s.What != "promoted" || s.ByHand || !s.Party.is(*p) {
			return fmt.Errorf("to be served is %+v, told was %+v", *p, s)
		}
		m.put(*p)
	}
}

// turn gives whose turn on the waitlist it is, nil for nobody's.
func (m *Model) turn(at Moment) *Party {
	if !m.upcoming(at.Now) || m.Suspended {
		return nil
	}
	for _, p := range m.Waiting() {
		if m.OpenTo(p.Person, at.Holds) >= p.Size {
			return &p
		}
		if m.Strict {
			return nil
		}
	}
	return nil
}

// GiveUp judges the cancellation of everything that a person has.
func (m *Model) GiveUp(at Moment, person uuid.UUID, told Told) error {
	if told.Refusal != "" {
		return fmt.Errorf("was refused with %s", told.Refusal)
	}
	if m.Of(person) == 0 || !m.upcoming(at.Now) {
		return told.nothing()
	}
	var theirs []Party
	for _, p := range m.parties {
		if p.Person == person {
			theirs = append(theirs, p)
		}
	}
	slices.SortFunc(theirs, func(a, b Party) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	for _, p := range theirs {
		if err := m.ends(p, "person_erased", &told); err != nil {
			return err
		}
	}
	return m.promotes(at, told)
}

func (told *Told) nothing() error {
	if len(told.Steps) > 0 || told.More || told.Refusal != "" {
		return fmt.Errorf("nothing was to be done, told was %s", told)
	}
	return nil
}

// Close judges the end of what a cancellation or the start has overtaken.
func (m *Model) Close(at Moment, told Told) error {
	if told.Refusal != "" {
		return fmt.Errorf("was refused with %s", told.Refusal)
	}
	if m.upcoming(at.Now) {
		return told.nothing()
	}
	reason, over := "event_started", m.Waiting()
	if m.Cancelled {
		reason, over = "event_cancelled", slices.Clone(m.parties)
		slices.SortFunc(over, func(a, b Party) int {
			if a.Number != b.Number {
				return int(a.Number - b.Number)
			}
			return bytes.Compare(a.ID[:], b.ID[:])
		})
	}
	if told.More != (len(over) > stepsAtOnce) {
		return fmt.Errorf("%d were to be closed and more is %v", len(over), told.More)
	}
	for _, p := range over[:min(len(over), stepsAtOnce)] {
		if err := m.ends(p, reason, &told); err != nil {
			return err
		}
	}
	told.More = false
	return told.nothing()
}

// Reconfigure judges changed settings; those of next count, its bookings don't.
func (m *Model) Reconfigure(at Moment, next Model, told Told) error {
	for seat := next.Total + 1; seat <= int32(len(m.seats)); seat++ {
		if m.Owner(seat) != uuid.Nil {
			return told.refused("capacity_below_sold")
		}
	}
	if told.Refusal != "" {
		return fmt.Errorf("refused with %s for no reason", told.Refusal)
	}
	next.seats, next.parties, next.numbers, next.asks = m.seats, m.parties, m.numbers, m.asks
	*m = next
	for _, p := range m.Waiting() {
		if p.Size > m.Total {
			if err := m.ends(p, "capacity", &told); err != nil {
				return err
			}
		}
	}
	return m.promotes(at, told)
}

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
