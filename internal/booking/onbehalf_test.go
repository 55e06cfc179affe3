package booking

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"happening/internal/audit"
	"happening/internal/event"
)

// bookFor lets an organizer book for a person.
func (d *desk) bookFor(organizer, person uuid.UUID, seats int32, numbers ...int32) Decision {
	d.t.Helper()
	return d.do(organizer, Book{
		UserID: person, Seats: seats, SeatNumbers: numbers, For: "ann@people.test",
		Asked: asksForOther(asksFor(seats, numbers, false), organizer),
	})
}

// Whose holds are free to a booking, and whose limit counts.
func TestBookedForSomebodyByTheRulesOfThePerson(t *testing.T) {
	organizer, ann, bob := uuid.New(), uuid.New(), uuid.New()
	for name, tt := range map[string]struct {
		policy  event.WaitlistPolicy
		limit   int32
		holds   map[int32]uuid.UUID
		has     int32 // seats that ann has already
		waits   bool  // somebody does, for all seats
		seats   int32
		numbers []int32
		refused error
		given   []int32 // nil: waits
	}{
		"what the organizer chose on the map": {holds: map[int32]uuid.UUID{4: organizer, 5: organizer}, seats: 2, numbers: []int32{4, 5}, given: []int32{4, 5}},
		"without numbers, too":                {holds: map[int32]uuid.UUID{4: organizer, 5: organizer}, seats: 2, given: []int32{4, 5}},
		"what the person chose":               {holds: map[int32]uuid.UUID{4: ann, 5: organizer}, seats: 2, numbers: []int32{4, 5}, given: []int32{4, 5}},
		"what somebody else chose":            {holds: map[int32]uuid.UUID{4: bob}, seats: 1, numbers: []int32{4}, refused: ErrSeatsUnavailable},
		"the person's seats count":            {limit: 3, has: 2, seats: 2, refused: ErrSeatLimit},
		"the organizer's holds don't":         {limit: 2, holds: map[int32]uuid.UUID{8: organizer, 9: organizer}, seats: 2, numbers: []int32{8, 9}, given: []int32{8, 9}},
		"nor those that are not booked":       {limit: 2, holds: map[int32]uuid.UUID{8: organizer, 9: organizer}, seats: 2, numbers: []int32{5, 6}, given: []int32{5, 6}},
		"the person's holds count once":       {limit: 2, holds: map[int32]uuid.UUID{8: ann, 9: ann}, seats: 2, numbers: []int32{8, 9}, given: []int32{8, 9}},
		"and count beside":                    {limit: 2, holds: map[int32]uuid.UUID{8: ann}, seats: 2, numbers: []int32{5, 6}, refused: ErrSeatLimit},
		"of both, the frontmost are used":     {limit: 2, holds: map[int32]uuid.UUID{5: organizer, 6: organizer, 9: ann}, seats: 2, refused: ErrSeatLimit},
		"behind a strict queue":               {policy: event.Strict, waits: true, seats: 1, numbers: []int32{4}, refused: ErrWaitlist},
		"chosen before the queue formed":      {policy: event.Strict, waits: true, holds: map[int32]uuid.UUID{4: organizer}, seats: 1, given: []int32{4}},
		"waits as everybody":                  {policy: event.Strict, waits: true, seats: 1},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, 10, func(s *event.Settings) { s.WaitlistPolicy, s.MaxSeatsPerUser = tt.policy, tt.limit })
			if tt.has > 0 {
				d.must(d.book(ann, tt.has))
			}
			if tt.waits {
				d.must(d.book(bob, 1, 10))
				d.must(d.book(uuid.New(), 10))
			}
			d.holds = tt.holds
			dec := d.bookFor(organizer, ann, tt.seats, tt.numbers...)
			if tt.refused != nil {
				if !errors.Is(dec.Refusal, tt.refused) || len(dec.Changes) > 0 {
					t.Fatalf("refused with %v, want %v", dec.Refusal, tt.refused)
				}
				return
			}
			c := d.must(dec)
			if c.UserID != ann || c.Actor != organizer || c.BookedFor != "ann@people.test" || !c.ForSomebody() || !slices.Equal(c.After.SeatNumbers, tt.given) {
				t.Errorf("%+v", c)
			}
			if b := c.booking(d.inv); b.BookedBy != organizer || b.UserID != ann {
				t.Errorf("%+v", b)
			}
		})
	}
}

// The same request of the same organizer for the same person is one that was
// sent twice; those of others are not, nor the person's own.
func TestSentTwiceForSomebody(t *testing.T) {
	organizer, other, ann, bob := uuid.New(), uuid.New(), uuid.New(), uuid.New()
	d := newDesk(t, 10, nil)
	order := func(actor, person uuid.UUID) (uuid.UUID, Order) {
		return actor, Book{UserID: person, Seats: 1, For: "x", Asked: asksForOther(asksFor(1, nil, false), actor)}
	}
	at := func(actor uuid.UUID, o Order) error {
		return d.inv.Decide(testNow, NewChoices(HoldView{}, d.inv), actor, Key{}, newID, o).Refusal
	}
	if err := at(order(organizer, ann)); err != nil {
		t.Fatal(err)
	}
	if err := at(order(organizer, ann)); !errors.Is(err, ErrDuplicate) {
		t.Errorf("sent twice: %v", err)
	}
	for name, err := range map[string]error{
		"another person":      at(order(organizer, bob)),
		"another organizer":   at(order(other, ann)),
		"the person themself": at(ann, Book{UserID: ann, Seats: 1, Asked: asksFor(1, nil, false)}),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The organization's record has who booked for somebody, and neither address
// nor a state before it; the history and the fact have no address either.
func TestBookedForSomebodyIsRecorded(t *testing.T) {
	organizer, ann := uuid.New(), uuid.New()
	d := newDesk(t, 3, nil)
	for _, seats := range []int32{2, 2} { // confirmed, then waiting
		c := d.must(d.bookFor(organizer, ann, seats))
		action, ok := c.Recorded()
		before, after, err := c.Record()
		if err != nil || !ok || action != audit.BookedFor || before != nil || !json.Valid(after) {
			t.Errorf("%s, %v, %s, %s, %v", action, ok, before, after, err)
		}
		if told := string(after) + string(AppendDetails(nil, &c)); strings.Contains(told, "people.test") {
			t.Errorf("an address is told: %s", told)
		}
	}
	if own := d.must(d.bookFor(organizer, organizer, 1)); own.ForSomebody() {
		t.Errorf("booking for oneself by one's address is one's own booking: %+v", own)
	} else if _, ok := own.Recorded(); ok || own.booking(d.inv).BookedBy != uuid.Nil {
		t.Error("an own booking is recorded as for somebody")
	}
}
