package postgres_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/google/uuid"

	"happening/internal/booking"
	"happening/internal/event"
	"happening/internal/fault"
	"happening/internal/testkit"
)

// rowsOf is a house of one part, with rows of so many seats.
func rowsOf(t *testing.T, seats ...int32) *event.Layout {
	t.Helper()
	section := event.Section{}
	for i, n := range seats {
		section.Rows = append(section.Rows, event.Row{Label: string(rune('A' + i)), Seats: n})
	}
	layout, err := event.NewLayout([]event.Section{section})
	if err != nil {
		t.Fatal(err)
	}
	return layout
}

// Seats that are off sale are so in every process, from the next decision on;
// put on sale again they go to who waits, in the same transaction.
func TestBlockedSeatsAreOffSaleEverywhere(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := testkit.NewDB(t)
	org, organizer := db.Org(t)
	id := db.Event(t, org, 6, testkit.EventOptions{})
	a, b := newSeller(t, db), newSeller(t, db)
	people := db.People(t, 4)
	book := func(s *seller, who uuid.UUID, q booking.Request) (booking.Booking, error) {
		q.EventID = id
		return s.Book(ctx, as(who), q)
	}
	first, err := book(b, people[0], booking.Request{Seats: 1, SeatNumbers: []int32{6}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Block(ctx, as(organizer), id, []int32{1, 2, 6}); !errors.Is(err, booking.ErrSeatsUnavailable) {
		t.Fatalf("a sold seat is taken off sale: %v", err)
	}
	if off, err := a.Block(ctx, as(organizer), id, []int32{2, 1, 4}); err != nil || !slices.Equal(off, []int32{1, 2, 4}) {
		t.Fatalf("off sale are %v, %v", off, err)
	}
	if _, err := book(b, people[1], booking.Request{Seats: 1, SeatNumbers: []int32{4}}); !errors.Is(err, booking.ErrSeatsUnavailable) {
		t.Errorf("a seat that another process took off sale: %v", err)
	}
	if got, err := book(b, people[1], booking.Request{Seats: 2}); err != nil || !slices.Equal(got.SeatNumbers, []int32{3, 5}) {
		t.Errorf("what is left: %+v, %v", got, err)
	}
	waits, err := book(b, people[2], booking.Request{Seats: 2})
	if err != nil || waits.Status != booking.Waiting {
		t.Fatalf("%+v, %v", waits, err)
	}
	db.CheckClean(t)

	// A process that begins reads which are off sale.
	c := newSeller(t, db)
	if off, err := c.Blocked(ctx, as(organizer), id); err != nil || !slices.Equal(off, []int32{1, 2, 4}) {
		t.Fatalf("off sale are %v, %v", off, err)
	}
	if _, err := c.Block(ctx, as(organizer), id, []int32{4}); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Get(ctx, as(people[2]), waits.ID); err != nil || !slices.Equal(got.SeatNumbers, []int32{1, 2}) {
		t.Errorf("who waited has %+v, %v", got.Booking, err)
	}

	// A house that shrinks has no blocks beyond its end.
	if _, err := a.Cancel(ctx, as(people[0]), first.ID, booking.Key{}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Block(ctx, as(organizer), id, []int32{4, 6}); err != nil {
		t.Fatal(err)
	}
	seats := int64(5)
	if e, err := b.EditEvent(ctx, as(organizer), id, event.Patch{TotalSlots: &seats}, 0); err != nil || e.AvailableSlots != 0 {
		t.Fatalf("%d are available, %v", e.AvailableSlots, err)
	}
	if off, err := newSeller(t, db).Blocked(ctx, as(organizer), id); err != nil || !slices.Equal(off, []int32{4}) {
		t.Errorf("off sale are %v, %v", off, err)
	}
	db.CheckClean(t)

	db.AsOwner(t, `DELETE FROM event_blocks`)
	if found := breaches(t, db); !slices.Contains(found, "C1 events whose available_slots is not total − sold − blocked") {
		t.Errorf("a block that was lost: %q", found)
	}
	db.AsOwner(t, `
		INSERT INTO event_blocks (event_id, part, seats)
		SELECT id, 0, set_bit(set_bit(decode(repeat('00', 128), 'hex'), 2, 1), 8, 1) FROM events`)
	found := breaches(t, db)
	for _, want := range []string{"C1 sold seats that are blocked", "C1 blocked seats that the event does not have"} {
		if !slices.Contains(found, want) {
			t.Errorf("not told: %s; told: %q", want, found)
		}
	}
}

// One request does not keep everybody waiting while a whole arena is taken off
// sale: it changes a bounded number of seats, and the next one goes on.
func TestBlocksAreChangedABoundedNumberAtATime(t *testing.T) {
	t.Parallel()
	db := testkit.NewDB(t)
	org, organizer := db.Org(t)
	s := newSeller(t, db)
	id := db.Event(t, org, booking.MaxBlocksChanged+1, testkit.EventOptions{})
	all := make([]int32, booking.MaxBlocksChanged+1)
	for i := range all {
		all[i] = int32(i) + 1
	}
	var refused *fault.Error
	if _, err := s.Block(t.Context(), as(organizer), id, all); !errors.As(err, &refused) || refused.Kind != fault.Invalid {
		t.Errorf("all at once: %v", err)
	}
	for _, part := range [][]int32{all[:10], all[:20]} {
		if off, err := s.Block(t.Context(), as(organizer), id, part); err != nil || len(off) != len(part) {
			t.Errorf("%d are off sale, %v", len(off), err)
		}
	}
	db.CheckClean(t)
}

// Any number of seats is taken off sale by few rows, since everybody's sales wait
// for them, and each process has them as they were set.
func TestManyBlocksAreFewRows(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := testkit.NewDB(t)
	org, organizer := db.Org(t)
	const seats = 19_000
	id := db.Event(t, org, seats, testkit.EventOptions{})
	var every []int32 // other seat
	for n := int32(1); n <= seats; n += 2 {
		every = append(every, n)
	}
	a := newSeller(t, db)
	for _, wanted := range [][]int32{every, {1, 8, 9, 1_023, 1_024, 1_025, 2_048, 2_049, seats}, {1_024, 2_048, 2_050}, {seats - 1}, nil} {
		if _, err := a.Block(ctx, as(organizer), id, wanted); err != nil {
			t.Fatal(err)
		}
		if off, err := newSeller(t, db).Blocked(ctx, as(organizer), id); err != nil || !slices.Equal(off, wanted) {
			t.Errorf("of %d seats %d are off sale, %v", len(wanted), len(off), err)
		}
		var rows, parts int
		if err := db.System.QueryRow(ctx, `SELECT count(*) FROM event_blocks`).Scan(&rows); err != nil {
			t.Fatal(err)
		}
		for i, n := range wanted {
			if i == 0 || (n-1)/1024 != (wanted[i-1]-1)/1024 {
				parts++
			}
		}
		if rows != parts {
			t.Errorf("%d seats are in %d rows instead of %d", len(wanted), rows, parts)
		}
		db.CheckClean(t)
	}
}

// Who books a seat and who takes it off sale, in two processes at once: one of
// them has it.
func TestASeatIsSoldOrBlocked(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := testkit.NewDB(t)
	org, organizer := db.Org(t)
	const rounds = 60
	id := db.Event(t, org, rounds, testkit.EventOptions{})
	a, b := newSeller(t, db), newSeller(t, db)
	people := db.People(t, rounds)
	var off []int32
	sold := 0
	for i := range int32(rounds) {
		seat := []int32{i + 1}
		var wg sync.WaitGroup
		var blocked, booked error
		wg.Go(func() { _, blocked = a.Block(ctx, as(organizer), id, append(slices.Clone(off), seat...)) })
		wg.Go(func() {
			_, booked = b.Book(ctx, as(people[i]), booking.Request{EventID: id, Seats: 1, SeatNumbers: seat})
		})
		wg.Wait()
		switch {
		case (blocked == nil) == (booked == nil):
			t.Fatalf("seat %d: off sale %v, booked %v", seat[0], blocked, booked)
		case blocked == nil:
			off = append(off, seat...)
		default:
			sold++
		}
	}
	t.Logf("%d sold, %d off sale", sold, len(off))
	db.CheckClean(t)
}

// The seats lie as the last layout says, in every process.
func TestLayoutsHoldEverywhere(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := testkit.NewDB(t)
	org, organizer := db.Org(t)
	id := db.Event(t, org, 12, testkit.EventOptions{})
	a, b := newSeller(t, db), newSeller(t, db)
	people := db.People(t, 5)
	book := func(s *seller, who uuid.UUID, seats int32, want ...int32) booking.Booking {
		t.Helper()
		got, err := s.Book(ctx, as(who), booking.Request{EventID: id, Seats: seats})
		if err != nil || !slices.Equal(got.SeatNumbers, want) {
			t.Fatalf("%+v, %v, want seats %v", got, err, want)
		}
		return got
	}
	book(b, people[0], 2, 1, 2)
	layout := rowsOf(t, 4, 5, 6)
	e, err := a.Arrange(ctx, as(organizer), id, layout, nil)
	if err != nil || e.TotalSlots != 15 || e.AvailableSlots != 13 || e.LayoutRevision != e.Revision {
		t.Fatalf("%+v, %v", e, err)
	}
	book(b, people[1], 3, 5, 6, 7) // together, and no orphan is left in a row of five
	book(b, people[2], 6, 10, 11, 12, 13, 14, 15)
	live, err := newSeller(t, db).alloc.Live(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	if l, e := live.Layout(); l.Place(10).Label != "C1" || e.LayoutRevision != 2 || e.TotalSlots != 15 {
		t.Errorf("a process that begins: %+v, %+v", l.Place(10), e.Settings)
	}
	seen := e.LayoutRevision - 1
	if _, err := a.Arrange(ctx, as(organizer), id, nil, &seen); !errors.Is(err, booking.ErrStaleRevision) {
		t.Errorf("on an old layout: %v", err)
	}
	if _, err := a.Arrange(ctx, as(organizer), id, rowsOf(t, 14), nil); !errors.Is(err, booking.ErrCapacity) {
		t.Errorf("without a seat that is sold: %v", err)
	}
	if again, err := b.Arrange(ctx, as(organizer), id, rowsOf(t, 4, 5, 6), nil); err != nil || again.Revision != e.Revision {
		t.Errorf("the same again: revision %d, %v", again.Revision, err)
	}
	more := int64(20)
	if _, err := a.EditEvent(ctx, as(organizer), id, event.Patch{TotalSlots: &more}, 0); err == nil {
		t.Error("a house that is laid out grew without a layout")
	}
	db.CheckClean(t)

	if _, err := b.Arrange(ctx, as(organizer), id, nil, nil); err != nil {
		t.Fatal(err)
	}
	if e, err := a.EditEvent(ctx, as(organizer), id, event.Patch{TotalSlots: &more}, 0); err != nil || e.AvailableSlots != 9 || e.LayoutRevision != 0 {
		t.Errorf("back in rows of 20: %+v, %v", e, err)
	}
	book(a, people[3], 4, 16, 17, 18, 19)
	db.CheckClean(t)
	db.AsOwner(t, `INSERT INTO event_layouts (event_id, sections) SELECT id, '[]' FROM events`)
	if found := breaches(t, db); !slices.Contains(found, "C1 events whose seats are laid out otherwise than they say") {
		t.Errorf("a layout that nobody made: %q", found)
	}
}
