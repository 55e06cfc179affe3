package booking

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/event"
)

var testNow = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// desk is an inventory under test with holds that the test sets.
type desk struct {
	t     *testing.T
	inv   *Inventory
	holds map[int32]uuid.UUID
	now   time.Time
}

func newDesk(t *testing.T, total int32, change func(*event.Settings)) *desk {
	e := event.Event{ID: uuid.New(), OrgID: uuid.New(), Version: 1, Settings: event.Settings{
		StartsAt: testNow.Add(24 * time.Hour), EndsAt: testNow.Add(26 * time.Hour), TimeZone: "UTC",
		TotalSlots: total, WaitlistPolicy: event.Strict, Visibility: event.Public,
	}}
	if change != nil {
		change(&e.Settings)
	}
	return &desk{t: t, inv: NewInventory(e, 0, nil), holds: map[int32]uuid.UUID{}, now: testNow}
}

func (d *desk) do(actor uuid.UUID, order Order) Decision {
	d.t.Helper()
	d.now = d.now.Add(DuplicateWindow) // so that nothing counts as sent twice
	return d.inv.Decide(d.now, NewChoices(HoldView{Holders: d.holds}, d.inv), actor, Key{}, newID, order)
}

func (d *desk) book(user uuid.UUID, seats int32, numbers ...int32) Decision {
	d.t.Helper()
	return d.do(user, Book{UserID: user, Seats: seats, SeatNumbers: numbers, Asked: asksFor(seats, numbers, false)})
}

// must gives the one change that answers an order that was not refused.
func (d *desk) must(dec Decision) Change {
	d.t.Helper()
	if dec.Refusal != nil {
		d.t.Fatalf("refused: %v", dec.Refusal)
	}
	return dec.Changes[dec.Result]
}

func TestAPartyThatDoesNotFitWaitsAndIsServedWholeOrNotAtAll(t *testing.T) {
	d := newDesk(t, 3, nil)
	a, b, c := uuid.New(), uuid.New(), uuid.New()
	first := d.must(d.book(a, 2, 1, 2))
	d.must(d.book(b, 1, 3))
	waiting := d.must(d.book(c, 2))
	if waiting.After.Status != Waiting || waiting.After.WaitingNumber != 1 || waiting.Position != 1 {
		t.Fatalf("the third gets %+v at position %d", waiting.After, waiting.Position)
	}
	one := d.do(a, CancelSeats{BookingID: first.BookingID, SeatNumbers: []int32{1}})
	if len(one.Changes) != 1 {
		t.Fatalf("a party of two was promoted into one free seat: %+v", one.Changes)
	}
	rest := d.do(a, Cancel{BookingID: first.BookingID})
	if len(rest.Changes) != 2 || rest.Changes[1].Action != ActPromoted {
		t.Fatalf("nobody was promoted: %+v", rest.Changes)
	}
	if got := rest.Changes[1].After.SeatNumbers; !slices.Equal(got, []int32{1, 2}) {
		t.Errorf("promoted to seats %v", got)
	}
}

func TestRefusals(t *testing.T) {
	me, other := uuid.New(), uuid.New()
	for name, test := range map[string]struct {
		settings func(*event.Settings)
		before   func(d *desk)
		order    func(d *desk) Decision
		want     error
	}{
		"a sold seat": {
			before: func(d *desk) { d.book(other, 1, 5) },
			order:  func(d *desk) Decision { return d.book(me, 2, 5, 6) }, want: ErrSeatsUnavailable,
		},
		"a seat that another holds": {
			before: func(d *desk) { d.holds[5] = other },
			order:  func(d *desk) Decision { return d.book(me, 1, 5) }, want: ErrSeatsUnavailable,
		},
		"no wish to wait where too few are left": {
			before: func(d *desk) { d.book(other, 9) },
			order:  func(d *desk) Decision { return d.do(me, Book{UserID: me, Seats: 2, Refuse: true}) }, want: ErrSoldOut,
		},
		"no wish to wait behind a strict queue": {
			before: func(d *desk) { d.book(other, 9); d.book(other, 5) },
			order:  func(d *desk) Decision { return d.do(me, Book{UserID: me, Seats: 1, Refuse: true}) }, want: ErrSoldOut,
		},
		"no wish to wait where others hold what is left": {
			before: func(d *desk) { d.holds[1] = other },
			order:  func(d *desk) Decision { return d.do(me, Book{UserID: me, Seats: 10, Refuse: true}) }, want: ErrSeatsHeld,
		},
		"a place on a waitlist that is full": {
			settings: func(s *event.Settings) { s.WaitlistLimit = event.AtMost(1) },
			before:   func(d *desk) { d.book(other, 9); d.book(other, 5) },
			order:    func(d *desk) Decision { return d.book(me, 2) }, want: ErrWaitlistFull,
		},
		"no wish to wait where the waitlist is full": {
			settings: func(s *event.Settings) { s.WaitlistLimit = event.AtMost(1) },
			before:   func(d *desk) { d.book(other, 9); d.book(other, 5) },
			order:    func(d *desk) Decision { return d.do(me, Book{UserID: me, Seats: 2, Refuse: true}) }, want: ErrSoldOut,
		},
		"a place on a waitlist that there is not": {
			settings: func(s *event.Settings) { s.WaitlistLimit = event.AtMost(0) },
			before:   func(d *desk) { d.book(other, 9) },
			order:    func(d *desk) Decision { return d.book(me, 2) }, want: ErrSoldOut,
		},
		"all that is left is held": {
			before: func(d *desk) {
				d.book(other, 8)
				d.holds[9], d.holds[10] = other, other
			},
			order: func(d *desk) Decision { return d.book(me, 1) }, want: ErrSeatsHeld,
		},
		"explicit seats past a strict queue": {
			before: func(d *desk) { d.book(other, 9); d.book(other, 5) },
			order:  func(d *desk) Decision { return d.book(me, 1, 10) }, want: ErrWaitlist,
		},
		"more than one person may have": {
			settings: func(s *event.Settings) { s.MaxSeatsPerUser = 3 },
			before:   func(d *desk) { d.book(me, 2) },
			order:    func(d *desk) Decision { return d.book(me, 2) }, want: ErrSeatLimit,
		},
		"more than one person may have, holds counted": {
			settings: func(s *event.Settings) { s.MaxSeatsPerUser = 3 },
			before:   func(d *desk) { d.book(me, 1); d.holds[9] = me },
			order:    func(d *desk) Decision { return d.book(me, 2, 5, 6) }, want: ErrSeatLimit,
		},
		"an event that has begun": {
			before: func(d *desk) { d.now = d.inv.StartsAt },
			order:  func(d *desk) Decision { return d.book(me, 1) }, want: ErrNotBookable,
		},
		"a cancelled event": {
			settings: func(s *event.Settings) { s.CancelledAt = testNow },
			order:    func(d *desk) Decision { return d.book(me, 1) }, want: ErrNotBookable,
		},
		"a suspended organization": {
			settings: func(s *event.Settings) { s.OrgSuspended = true },
			order:    func(d *desk) Decision { return d.book(me, 1) }, want: event.ErrOrgSuspended,
		},
		"cancelling after the start": {
			before: func(d *desk) { d.book(me, 1, 1); d.now = d.inv.StartsAt },
			order:  func(d *desk) Decision { return d.do(me, Cancel{BookingID: d.only()}) }, want: ErrNotBookable,
		},
		"cancelling twice": {
			order: func(d *desk) Decision {
				c := d.must(d.book(me, 1))
				d.do(me, Cancel{BookingID: c.BookingID})
				return d.do(me, Cancel{BookingID: c.BookingID})
			}, want: ErrAlreadyCancelled,
		},
		"giving back seats of another booking": {
			before: func(d *desk) { d.book(other, 1, 2) },
			order: func(d *desk) Decision {
				c := d.must(d.book(me, 1, 1))
				return d.do(me, CancelSeats{BookingID: c.BookingID, SeatNumbers: []int32{2}})
			}, want: ErrNotSeats,
		},
		"capacity below a sold seat": {
			before: func(d *desk) { d.book(other, 1, 7) },
			order: func(d *desk) Decision {
				s := d.inv.Settings
				s.TotalSlots = 6
				return d.do(me, Reconfigure{Settings: s})
			}, want: ErrCapacity,
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, 10, test.settings)
			if test.before != nil {
				test.before(d)
			}
			available, waiting, live := d.inv.Available(), d.inv.WaitingParties(), d.inv.Live()
			dec := test.order(d)
			if !errors.Is(dec.Refusal, test.want) {
				t.Fatalf("got %v (%+v), want %v", dec.Refusal, dec.Changes, test.want)
			}
			if name != "cancelling twice" && name != "giving back seats of another booking" &&
				(d.inv.Available() != available || d.inv.WaitingParties() != waiting || d.inv.Live() != live) {
				t.Errorf("a refusal changed something")
			}
		})
	}
}

func TestALoweredWaitlistLimitKeepsWhoWaits(t *testing.T) {
	d := newDesk(t, 2, func(s *event.Settings) { s.WaitlistLimit = event.AtMost(3) })
	sold := d.must(d.book(uuid.New(), 2))
	var waiting []Change
	for range 3 {
		waiting = append(waiting, d.must(d.book(uuid.New(), 1)))
	}
	s := d.inv.Settings
	s.WaitlistLimit = event.AtMost(1)
	if dec := d.do(uuid.New(), Reconfigure{Settings: s}); len(dec.Changes) != 0 || d.inv.WaitingParties() != 3 {
		t.Fatalf("somebody was sent away: %+v", dec.Changes)
	}
	d.do(waiting[0].UserID, Cancel{BookingID: waiting[0].BookingID})
	if dec := d.book(uuid.New(), 1); !errors.Is(dec.Refusal, ErrWaitlistFull) {
		t.Errorf("two wait where one may, and a third joins: %+v", dec)
	}
	if dec := d.do(sold.UserID, Cancel{BookingID: sold.BookingID}); len(dec.Changes) != 3 {
		t.Errorf("who waits is not served: %+v", dec.Changes)
	}
	d.must(d.book(uuid.New(), 1)) // waits: no seat is left, and nobody waits
	s.WaitlistLimit = event.WaitlistLimit{}
	d.do(uuid.New(), Reconfigure{Settings: s})
	for range 20 {
		d.must(d.book(uuid.New(), 1))
	}
}

// only gives the only live booking.
func (d *desk) only() uuid.UUID {
	for id := range d.inv.live {
		return id
	}
	return uuid.Nil
}

func TestAHolderBooksItsOwnSeatsPastAStrictQueue(t *testing.T) {
	d := newDesk(t, 10, nil)
	me, other := uuid.New(), uuid.New()
	d.book(other, 8)
	d.holds[10] = me
	d.must(d.book(other, 5)) // waits: only 2 available
	c := d.must(d.book(me, 1, 10))
	if c.After.Status != Confirmed {
		t.Fatalf("got %+v", c.After)
	}
}

func TestWhoHoldsEnoughIsServedAndHoldsOfThoseWhoWaitCount(t *testing.T) {
	d := newDesk(t, 10, func(s *event.Settings) { s.MaxSeatsPerUser = 3 })
	for range 3 {
		d.must(d.book(uuid.New(), 3))
	}
	me := uuid.New()
	d.holds[10] = me
	d.must(d.book(uuid.New(), 2)) // waits: one seat is left
	if c := d.must(d.book(me, 1)); c.After.Status != Confirmed || c.After.SeatNumbers[0] != 10 {
		t.Fatalf("got %+v for the seat that I held", c.After)
	}
	other := uuid.New()
	d.do(me, Cancel{BookingID: d.of(me)})
	d.holds = map[int32]uuid.UUID{10: other}
	if dec := d.book(other, 3); !errors.Is(dec.Refusal, ErrSeatLimit) {
		t.Errorf("3 waiting and 1 held of 3: %+v, %v", dec.Changes, dec.Refusal)
	}
}

// of gives a person's booking.
func (d *desk) of(user uuid.UUID) uuid.UUID {
	for id, p := range d.inv.live {
		if p.UserID == user {
			return id
		}
	}
	return uuid.Nil
}

func TestAHoldNeverMakesAnyoneWait(t *testing.T) {
	d := newDesk(t, 2, nil)
	d.holds[1], d.holds[2] = uuid.New(), uuid.New()
	if dec := d.book(uuid.New(), 1); !errors.Is(dec.Refusal, ErrSeatsHeld) {
		t.Fatalf("got %+v, want %v", dec, ErrSeatsHeld)
	}
	if d.inv.WaitingParties() != 0 {
		t.Error("somebody waits")
	}
}

func TestTheEndOfAHoldPromotes(t *testing.T) {
	d := newDesk(t, 3, nil)
	a, b, c := uuid.New(), uuid.New(), uuid.New()
	first := d.must(d.book(a, 2))
	d.holds[3] = c
	d.must(d.book(b, 2))
	if dec := d.do(a, CancelSeats{BookingID: first.BookingID, SeatNumbers: []int32{1}}); len(dec.Changes) != 1 {
		t.Fatalf("promoted onto a held seat: %+v", dec.Changes)
	}
	delete(d.holds, 3)
	if dec := d.do(uuid.Nil, Promote{}); len(dec.Changes) != 1 || !slices.Equal(dec.Changes[0].After.SeatNumbers, []int32{1, 3}) {
		t.Fatalf("got %+v", dec.Changes)
	}
}

func TestFitServesWhoFitsAndStrictOvertakesNobody(t *testing.T) {
	for _, test := range []struct {
		policy          event.WaitlistPolicy
		newcomer        Status
		servedAfterFree int
	}{
		{event.Strict, Waiting, 0},
		{event.Fit, Confirmed, 1},
	} {
		d := newDesk(t, 4, func(s *event.Settings) { s.WaitlistPolicy = test.policy })
		holder := d.must(d.book(uuid.New(), 3, 1, 2, 3))
		d.must(d.book(uuid.New(), 4)) // waits at the head
		newcomer := d.must(d.book(uuid.New(), 1))
		if newcomer.After.Status != test.newcomer {
			t.Errorf("%s: a newcomer who fits gets %s", test.policy, newcomer.After.Status)
		}
		small := d.must(d.book(uuid.New(), 2))
		if small.After.Status != Waiting {
			t.Fatalf("%s: a party of 2 gets %s", test.policy, small.After.Status)
		}
		dec := d.do(uuid.New(), CancelSeats{BookingID: holder.BookingID, SeatNumbers: []int32{1, 2}})
		if got := len(dec.Changes) - 1; got != test.servedAfterFree {
			t.Errorf("%s: two freed seats served %d parties, want %d", test.policy, got, test.servedAfterFree)
		}
	}
}

func TestTheSameRequestWithinTwoSecondsIsADoubleSubmit(t *testing.T) {
	d := newDesk(t, 10, nil)
	me := uuid.New()
	order := Book{UserID: me, Seats: 1, Asked: asksFor(1, nil, false)}
	decide := func(after time.Duration) Decision {
		return d.inv.Decide(testNow.Add(after), NewChoices(HoldView{}, d.inv), me, Key{}, newID, order)
	}
	decide(0)
	second := decide(DuplicateWindow - 1)
	if !errors.Is(second.Refusal, ErrDuplicate) {
		t.Fatalf("got %+v", second)
	}
	if third := decide(DuplicateWindow); third.Refusal != nil {
		t.Fatalf("refused after the window: %v", third.Refusal)
	}
	if back := decide(-time.Hour); back.Refusal != nil {
		t.Fatalf("refused an hour before, by a clock that was set back: %v", back.Refusal)
	}
}

// Whoever asks twice, once to wait and once not to, has asked for two things;
// and what the binary before this one could be asked for has the same hash in
// both, as both may be asked it within a moment.
func TestWhatWasAskedForIsToldApart(t *testing.T) {
	if asksFor(2, []int32{3, 4}, false) == asksFor(2, []int32{3, 4}, true) {
		t.Error("to wait and to be refused are the same")
	}
	h := fnv.New64a()
	fmt.Fprint(h, int32(2), []int32{3, 4})
	if got, want := asksFor(2, []int32{3, 4}, false), h.Sum64()|1; got != want {
		t.Errorf("the hash is %d, and was %d", got, want)
	}
}

func TestClosingFollowsTheClockAndTheCancellation(t *testing.T) {
	d := newDesk(t, 2, nil)
	d.must(d.book(uuid.New(), 2))
	d.must(d.book(uuid.New(), 1))
	if dec := d.do(uuid.Nil, Close{}); len(dec.Changes) != 0 {
		t.Fatalf("closed before the start: %+v", dec.Changes)
	}
	d.now = d.inv.StartsAt
	dec := d.do(uuid.Nil, Close{})
	if len(dec.Changes) != 1 || dec.Changes[0].After.Reason != ReasonEventStarted {
		t.Fatalf("got %+v", dec.Changes)
	}
	d.inv.CancelledAt = d.now
	if dec := d.do(uuid.Nil, Close{}); len(dec.Changes) != 1 || dec.Changes[0].After.Reason != ReasonEventCancelled {
		t.Fatalf("got %+v", dec.Changes)
	}
}

func TestCapacity(t *testing.T) {
	d := newDesk(t, 5, nil)
	d.must(d.book(uuid.New(), 2))
	leaves := d.must(d.book(uuid.New(), 3))
	d.must(d.book(uuid.New(), 4))
	d.must(d.book(uuid.New(), 1))
	d.do(uuid.New(), Cancel{BookingID: leaves.BookingID})
	s := d.inv.Settings
	s.TotalSlots = 3
	dec := d.do(uuid.New(), Reconfigure{Settings: s})
	if len(dec.Changes) != 2 || dec.Changes[0].After.Reason != ReasonCapacity || dec.Changes[1].Action != ActPromoted {
		t.Fatalf("a party of 4 can never fit 3 seats, and then a party of 1 is served: %+v", dec.Changes)
	}
	if dec := d.book(uuid.New(), 4); dec.Refusal == nil {
		t.Errorf("a party of 4 waits for 3 seats: %+v", dec.Changes)
	}
	s.TotalSlots = 45
	d.do(uuid.New(), Reconfigure{Settings: s})
	if got := d.inv.Available(); got != 42 {
		t.Errorf("available %d, want 42", got)
	}
	if c := d.must(d.book(uuid.New(), 20)); !slices.Equal(c.After.SeatNumbers[:1], []int32{21}) {
		t.Errorf("a party of 20 sits at %v", c.After.SeatNumbers)
	}
}

// TestRevertLeavesNoTrace applies random orders and reverts them: the
// inventory must be what it was, best seats included.
func TestRevertLeavesNoTrace(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		d := newDesk(t, 1+rnd.Int32N(90), func(s *event.Settings) {
			if rnd.IntN(2) == 0 {
				s.WaitlistPolicy = event.Fit
			}
			s.MaxSeatsPerUser = 30
		})
		people := make([]uuid.UUID, 12)
		for i := range people {
			people[i] = uuid.New()
		}
		for range 60 {
			d.random(rnd, people)
		}
		before := d.picture()
		var undo []Change
		for range 20 {
			undo = append(undo, d.random(rnd, people).Changes...)
		}
		d.inv.Revert(undo)
		if after := d.picture(); !reflect.DeepEqual(before, after) {
			t.Fatalf("seed %d: before\n%+v\nafter\n%+v", seed, before, after)
		}
	}
}

// random does something.
func (d *desk) random(rnd *rand.Rand, people []uuid.UUID) Decision {
	who := people[rnd.IntN(len(people))]
	var ids []uuid.UUID
	for id := range d.inv.live {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	switch n := rnd.IntN(13); {
	case n == 10 && len(ids) > 0:
		return d.do(who, Shrink{BookingID: ids[rnd.IntN(len(ids))], Seats: 1})
	case n == 11 && len(ids) > 0:
		return d.do(who, PromoteByHand{BookingID: ids[rnd.IntN(len(ids))]})
	case n == 12 && len(ids) > 0:
		p := d.inv.live[ids[rnd.IntN(len(ids))]]
		first := 1 + rnd.Int32N(d.inv.seats.total)
		return d.do(who, Move{BookingID: p.ID, SeatNumbers: seq(first, first+p.Seats-1)})
	case n < 5 || len(ids) == 0:
		return d.book(who, 1+rnd.Int32N(4))
	case n < 6:
		return d.book(who, 1, 1+rnd.Int32N(d.inv.seats.total))
	case n < 8:
		return d.do(who, Cancel{BookingID: ids[rnd.IntN(len(ids))]})
	default:
		p := d.inv.live[ids[rnd.IntN(len(ids))]]
		return d.do(who, CancelSeats{BookingID: p.ID, SeatNumbers: p.SeatNumbers[:min(1, len(p.SeatNumbers))]})
	}
}

type picture struct {
	Sold     SeatBits
	Blocked  SeatBits
	Taken    int32
	Persons  map[uuid.UUID]int32
	Live     map[uuid.UUID]Party
	Waitlist []int64
	Last     int64
}

func (d *desk) picture() picture {
	p := picture{Sold: slices.Clone(d.inv.seats.sold), Blocked: slices.Clone(d.inv.seats.blocked), Taken: d.inv.seats.taken, Persons: map[uuid.UUID]int32{}, Live: map[uuid.UUID]Party{}, Last: d.inv.LastWaiting}
	for k, v := range d.inv.persons {
		p.Persons[k] = v
	}
	for k, v := range d.inv.live {
		p.Live[k] = *v
		if d.inv.parties[v.at] != v {
			d.t.Fatalf("%s does not stand where it says", k)
		}
		v := p.Live[k]
		v.at = 0 // the order of closing may be another
		p.Live[k] = v
	}
	for _, w := range d.inv.waitlist {
		p.Waitlist = append(p.Waitlist, w.WaitingNumber)
	}
	return p
}

func TestBestSeats(t *testing.T) {
	me, other := uuid.New(), uuid.New()
	for name, test := range map[string]struct {
		total int32
		sold  []int32
		holds map[int32]uuid.UUID
		n     int32
		want  []int32
	}{
		"from the front":                 {total: 40, n: 3, want: []int32{1, 2, 3}},
		"leaves no orphan beside":        {total: 40, sold: []int32{4}, n: 2, want: []int32{5, 6}},
		"an orphan if nothing else":      {total: 3, n: 2, want: []int32{1, 2}},
		"together in the next row":       {total: 40, sold: []int32{2, 4, 6, 8, 10, 12, 14, 16, 18, 20}, n: 2, want: []int32{21, 22}},
		"the own holds first":            {total: 40, holds: map[int32]uuid.UUID{30: me, 31: me}, n: 2, want: []int32{30, 31}},
		"beside the own holds":           {total: 40, holds: map[int32]uuid.UUID{30: me}, n: 3, want: []int32{29, 30, 31}},
		"not what others hold":           {total: 40, holds: map[int32]uuid.UUID{2: other}, n: 2, want: []int32{3, 4}},
		"split only if no row fits":      {total: 5, sold: []int32{2, 4}, n: 3, want: []int32{1, 3, 5}},
		"a party larger than a row":      {total: 60, n: 22, want: seq(1, 22)},
		"none where too few":             {total: 5, sold: []int32{1, 2}, n: 4, want: nil},
		"the last seat of a partial row": {total: 21, sold: seq(1, 20), n: 1, want: []int32{21}},
	} {
		t.Run(name, func(t *testing.T) {
			inv := newDesk(t, test.total, nil).inv
			inv.seats.take(test.sold)
			held := NewChoices(HoldView{Holders: test.holds}, inv).seenBy(me)
			if got := inv.seats.best(test.n, &held); !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func seq(from, to int32) (s []int32) {
	for ; from <= to; from++ {
		s = append(s, from)
	}
	return s
}

func TestDeltaRoundTrip(t *testing.T) {
	changes := []Change{
		{BookingID: uuid.New(), UserID: uuid.New(), At: testNow, CreatedAt: testNow, Asked: 7,
			After: State{Status: Confirmed, Seats: 2, SeatNumbers: []int32{3, 900_000}}},
		{BookingID: uuid.New(), UserID: uuid.New(), At: testNow, CreatedAt: testNow,
			Before: State{Status: Waiting, Seats: 1, WaitingNumber: 12}, After: State{Status: Cancelled, Seats: 1, WaitingNumber: 12}},
		{BookingID: uuid.New(), UserID: uuid.New(), At: testNow, CreatedAt: testNow, // moved
			Before: State{Status: Confirmed, Seats: 2, SeatNumbers: []int32{1, 2}}, After: State{Status: Confirmed, Seats: 2, SeatNumbers: []int32{2, 7}}},
		{BookingID: uuid.New(), UserID: uuid.New(), At: testNow, CreatedAt: testNow, // shrunk
			Before: State{Status: Waiting, Seats: 4, WaitingNumber: 13}, After: State{Status: Waiting, Seats: 1, WaitingNumber: 13}},
	}
	want := Delta{Newest: tickAt(testNow) + 3, Changes: changes}
	if got, err := DecodeDelta(EncodeDelta(want)); err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v, %v", got, err)
	}
	want = Delta{Newest: 7, Reload: true}
	if got, err := DecodeDelta(EncodeDelta(want)); err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v, %v", got, err)
	}
	// The binary before this one wrote the changes alone.
	plain := append([]byte{deltaPlain}, EncodeDelta(Delta{Changes: changes})[1+newestBytes:]...)
	if got, err := DecodeDelta(plain); err != nil || got.Newest != tickAt(testNow) || !reflect.DeepEqual(got.Changes, changes) {
		t.Fatalf("got %+v, %v", got, err)
	}
}

func FuzzDecodeDelta(f *testing.F) {
	f.Add(EncodeDelta(Delta{Changes: []Change{{BookingID: uuid.New(), After: State{Status: Confirmed, Seats: 1, SeatNumbers: []int32{1}}}}}))
	f.Add([]byte{deltaPlain})
	f.Add([]byte{deltaFormat})
	f.Fuzz(func(_ *testing.T, b []byte) { _, _ = DecodeDelta(b) })
}
