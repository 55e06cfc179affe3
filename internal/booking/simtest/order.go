package simtest

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Wish is an order of seats.
type Wish struct {
	Person uuid.UUID
	By     uuid.UUID // who asks; what they hold is free to the wish, too
	Size   int32
	Named  []int32
	Refuse bool // rather than wait
	What   uint64
	Keyed  bool
	Public bool // let in because everybody was
}

// Book judges the answer to a wish.
func (m *Model) Book(at Moment, w Wish, told Told) error {
	own, holds := m.own(w.Person, at.Holds), w.sees(at.Holds)
	both := m.own(w.Person, holds)
	queue := m.Strict && m.waits() > 0
	waits := len(w.Named) == 0 && (m.Free() < w.Size || queue && len(both) < int(w.Size))
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
	case m.PerPerson > 0 && m.Of(w.Person)+w.Size+m.holdsBeside(w, own, both, waits) > m.PerPerson:
		return told.refused("seat_limit")
	}
	if len(w.Named) > 0 {
		var gone []int32
		mine := true
		for _, seat := range w.Named {
			if !m.open(seat, w.Person, holds) {
				gone = append(gone, seat)
			}
			mine = mine && slices.Contains(both, seat)
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
	case !waits && m.OpenTo(w.Person, holds) < w.Size:
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
		if err := m.WellChosen(w.Person, w.Size, holds, s.Party.Seats); err != nil {
			return err
		}
	}
	if waits {
		m.numbers++
	}
	m.asks = append(m.asks, ask{person: w.Person, booking: s.Party.ID, what: w.What, at: at.Now})
	m.Put(s.Party)
	return nil
}

// sees gives the holds as they are for the wish: what its asker holds is the
// person's.
func (w *Wish) sees(holds []Hold) []Hold {
	seen := slices.Clone(holds)
	for i := range seen {
		if seen[i].Person == w.By {
			seen[i].Person = w.Person
		}
	}
	return seen
}

// holdsBeside counts a person's holds that the wish would not use. Of what they
// and the asker hold, both, the frontmost are used where none are named.
func (m *Model) holdsBeside(w Wish, own, both []int32, waits bool) int32 {
	used := w.Named
	if !waits && len(used) == 0 {
		used = both[:min(len(both), int(w.Size))]
	}
	beside := int32(0)
	for _, seat := range own {
		if !slices.Contains(used, seat) {
			beside++
		}
	}
	return beside
}

// askedJustNow says whether the same was granted to the person within two
// seconds and is still there.
func (m *Model) askedJustNow(now time.Time, w Wish) bool {
	for _, a := range m.asks {
		if a.person == w.Person && a.what == w.What && now.Sub(a.at).Abs() < sentTwice && m.find(a.booking) >= 0 {
			return true
		}
	}
	return false
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
	case i < 0 || m.TooLarge(&m.parties[i]):
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
	m.Put(p)
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
	m.Drop(p.ID)
	return nil
}

// becomes takes a change of a booking off what was told and does it.
func (m *Model) becomes(what string, p Party, told *Told) error {
	s, err := told.next()
	if err != nil || s.What != what || s.ByHand || !s.Party.is(p) {
		return fmt.Errorf("%s was to be %+v, told was %+v (%v)", what, p, s, err)
	}
	m.Put(p)
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
		if p == nil || served == m.AtOnce {
			if len(told.Steps) > 0 {
				return fmt.Errorf("nobody is to be served, told was %s", &told)
			}
			if !told.Silent && (p != nil && !told.More || told.More && served < m.AtOnce) {
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
		m.Put(*p)
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

// Close judges the end of what the event's state has overtaken: of parties that
// are too large, then of those that wait, in order, and of a cancelled event then
// all others, in any.
func (m *Model) Close(at Moment, told Told) error {
	if told.Refusal != "" {
		return fmt.Errorf("was refused with %s", told.Refusal)
	}
	tooLarge := m.Overtaken()
	over, reason := len(tooLarge), ""
	var waiting []Party
	switch {
	case m.Cancelled:
		waiting, over, reason = m.Waiting(), len(m.parties), "event_cancelled"
	case !m.upcoming(at.Now):
		waiting, reason = m.Waiting(), "event_started"
		over += len(waiting)
	}
	if told.More != (over > m.AtOnce) {
		return fmt.Errorf("%d were to be closed and more is %v", over, told.More)
	}
	for i := range min(over, m.AtOnce) {
		p, why := Party{}, reason
		switch {
		case i < len(tooLarge):
			p, why = tooLarge[i], "capacity"
		case i < len(tooLarge)+len(waiting):
			p = waiting[i-len(tooLarge)]
		case len(told.Steps) > 0:
			if next := m.find(told.Steps[0].Party.ID); next >= 0 {
				p = m.parties[next]
			}
		}
		if err := m.ends(p, why, &told); err != nil {
			return err
		}
	}
	told.More = false
	return told.nothing()
}

// Reconfigure judges changed settings, rows and blocks; those of next count, its
// bookings don't.
func (m *Model) Reconfigure(at Moment, next Model, told Told) error {
	for seat := next.Total + 1; seat <= int32(len(m.seats)); seat++ {
		if m.Owner(seat) != uuid.Nil {
			return told.refused("capacity_below_sold")
		}
	}
	if next.Total > m.Total && len(m.Overtaken()) > 0 {
		return told.refused("too_large_left")
	}
	var sold []int32
	for _, seat := range next.Off {
		if m.Owner(seat) != uuid.Nil {
			sold = append(sold, seat)
		}
	}
	if sold != nil {
		return told.refused("seats_unavailable", sold...)
	}
	if told.Refusal != "" {
		return fmt.Errorf("refused with %s for no reason", told.Refusal)
	}
	next.seats, next.parties, next.numbers, next.asks, next.AtOnce = m.seats, m.parties, m.numbers, m.asks, m.AtOnce
	*m = next
	m.Off = slices.DeleteFunc(m.Off, func(seat int32) bool { return seat > m.Total })
	tooLarge := m.Overtaken()
	for _, p := range tooLarge[:min(len(tooLarge), m.AtOnce)] {
		if err := m.ends(p, "capacity", &told); err != nil {
			return err
		}
	}
	if len(tooLarge) > m.AtOnce {
		if !told.Silent && !told.More {
			return fmt.Errorf("%d are too large and more is %v", len(tooLarge), told.More)
		}
		told.Silent = true // more may be left for either reason
	}
	return m.promotes(at, told)
}
