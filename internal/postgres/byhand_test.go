package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/booking"
	"happening/internal/testkit"
)

// breaches lists what the checker finds, by rule and words.
func breaches(t *testing.T, db *testkit.DB) (found []string) {
	t.Helper()
	all, err := db.Check(context.Background(), time.Now(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range all {
		found = append(found, b.Rule+" "+b.What)
	}
	return found
}

// overtaken sells three seats, lets a party of three and one of two wait, gives
// two seats back and promotes the second by hand, each step in the other of two
// processes.
func overtaken(t *testing.T, db *testkit.DB) (organizer uuid.UUID, sellers []*seller, head, second, sold booking.Booking) {
	t.Helper()
	ctx := context.Background()
	org, organizer := db.Org(t)
	event := db.Event(t, org, 3, testkit.EventOptions{})
	sellers = []*seller{newSeller(t, db), newSeller(t, db)}
	people := db.People(t, 3)
	var all []booking.Booking
	for i, seats := range []int32{3, 3, 2} {
		b, err := sellers[i%2].Book(ctx, as(people[i]), booking.Request{EventID: event, Seats: seats})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b)
	}
	sold, head, second = all[0], all[1], all[2]
	if _, err := sellers[1].CancelSeats(ctx, as(sold.UserID), sold.ID, []int32{1, 3}, booking.Key{}); err != nil {
		t.Fatal(err)
	}
	b, err := sellers[0].PromoteByHand(ctx, as(organizer), second.ID, booking.Key{Value: "k"})
	if err != nil || b.Status != booking.Confirmed || !slices.Equal(b.SeatNumbers, []int32{1, 3}) {
		t.Fatalf("%+v, %v", b, err)
	}
	return organizer, sellers, head, b.Booking, sold
}

// A promotion by hand overtakes, and the checker lets exactly that pass: not
// one that the policy made, not one that nobody made, and none in secret.
func TestPromotionByHandIsTheOnlyOneThatOvertakes(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := testkit.NewDB(t)
	organizer, sellers, head, second, _ := overtaken(t, db)
	if again, err := sellers[1].PromoteByHand(ctx, as(organizer), second.ID, booking.Key{Value: "k"}); err != nil || again.ID != second.ID {
		t.Errorf("the same key in the other process: %+v, %v", again, err)
	}
	if _, err := sellers[1].PromoteByHand(ctx, as(organizer), head.ID, booking.Key{}); !errors.Is(err, booking.ErrTooFewSeats) {
		t.Errorf("the head, for whom there are no seats: %v", err)
	}
	db.CheckClean(t)

	const overtook, secret = "C5 promotions under strict that overtook somebody", "C5 promotions by hand that nobody made, or that stand in no record"
	forge := func(sql string, want ...string) {
		t.Helper()
		db.AsOwner(t, sql)
		for _, w := range want {
			if found := breaches(t, db); !slices.Contains(found, w) {
				t.Errorf("%s: the checker found %v", sql, found)
			}
		}
	}
	forge(`CREATE TABLE kept AS SELECT * FROM booking_history; CREATE TABLE record AS SELECT * FROM audit_log`)
	restore := `TRUNCATE booking_history, audit_log; INSERT INTO booking_history SELECT * FROM kept; INSERT INTO audit_log SELECT * FROM record;`
	forge(`UPDATE booking_history SET details = details - 'by_hand'`, overtook)
	forge(restore+`UPDATE booking_history SET actor_id = NULL WHERE details ? 'by_hand'`, secret)
	forge(restore+`DELETE FROM audit_log WHERE action = 'event.booking_promoted'`, secret)
	forge(restore)
	db.CheckClean(t)
}

// Two processes move the same parties at once, to seats that some of them want
// and others sit on, while people book and cancel: nobody sits twice, and what
// one process did the other goes on from.
func TestMovesInTwoProcesses(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := testkit.NewDB(t)
	org, organizer := db.Org(t)
	const seats = 30
	event := db.Event(t, org, seats, testkit.EventOptions{WaitlistPolicy: "fit"})
	shared := newCoordinator()
	sellers := []*replica{newReplica(t, db, shared, sharing{}), newReplica(t, db, shared, sharing{})}
	var parties []booking.Booking
	for i, who := range db.People(t, 8) {
		b, err := sellers[i%2].Book(ctx, as(who), booking.Request{EventID: event, Seats: 2})
		if err != nil {
			t.Fatal(err)
		}
		parties = append(parties, b)
	}
	people := db.People(t, 6)
	var wg sync.WaitGroup
	var mu sync.Mutex
	moved := 0
	for i := range 12 {
		rnd := rand.New(rand.NewPCG(uint64(i), 5))
		s := sellers[i%2]
		wg.Go(func() {
			for range 25 {
				if i < 6 { // one of the buyers
					b, err := s.Book(ctx, as(people[i]), booking.Request{EventID: event, Seats: 1 + rnd.Int32N(4), Key: booking.Key{Value: uuid.NewString()}})
					if err == nil {
						_, err = s.Cancel(ctx, as(people[i]), b.ID, booking.Key{})
					}
					if err != nil && !refusal(err) {
						t.Error(err)
					}
					continue
				}
				first := 1 + rnd.Int32N(seats-1)
				b, err := s.Move(ctx, as(organizer), parties[rnd.IntN(len(parties))].ID, []int32{first, first + 1}, booking.Key{})
				switch {
				case err == nil && slices.Equal(b.SeatNumbers, []int32{first, first + 1}):
					mu.Lock()
					moved++
					mu.Unlock()
				case err == nil && len(b.SeatNumbers) != 2, err != nil && !refusal(err):
					t.Errorf("%+v, %v", b, err)
				}
			}
		})
	}
	wg.Wait()
	if moved == 0 {
		t.Error("nobody was moved")
	}
	for _, p := range parties {
		for _, s := range sellers { // each knows what the other did
			b, err := s.Get(ctx, as(p.UserID), p.ID)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Move(ctx, as(organizer), p.ID, b.SeatNumbers, booking.Key{}); err != nil {
				t.Errorf("to where it sits: %v", err)
			}
		}
	}
	db.CheckClean(t)
	db.AsOwner(t, `UPDATE booking_history SET details = jsonb_set(details, '{to,seats}', '1')
		WHERE id = (SELECT id FROM booking_history WHERE action = 'moved' ORDER BY id LIMIT 1)`)
	if found := breaches(t, db); !slices.ContainsFunc(found, func(s string) bool { return strings.HasPrefix(s, "C3 moves to other seats") }) {
		t.Errorf("a move that changed the size: %v", found)
	}
}

// A party shrinks, gives a seat back and is moved, each time in a process that
// the other has left behind, so that it is decided under the locks; the key of
// what was done counts in the other process, too.
func TestByHandBetweenTwoProcesses(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := testkit.NewDB(t)
	organizer, sellers, head, second, sold := overtaken(t, db)
	for i, step := range []func(*seller) (booking.Entry, error){
		func(s *seller) (booking.Entry, error) {
			return s.Shrink(ctx, as(head.UserID), head.ID, 1, booking.Key{Value: "shrink"})
		},
		func(s *seller) (booking.Entry, error) {
			return s.CancelSeats(ctx, as(second.UserID), second.ID, []int32{1}, booking.Key{})
		},
		func(s *seller) (booking.Entry, error) {
			return s.Move(ctx, as(organizer), sold.ID, []int32{1}, booking.Key{Value: "move"})
		},
		func(s *seller) (booking.Entry, error) {
			return s.Shrink(ctx, as(head.UserID), head.ID, 1, booking.Key{Value: "again"})
		},
	} {
		b, err := step(sellers[i%2])
		if err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		if again, err := step(sellers[(i+1)%2]); i != 1 && (err != nil || again.UpdatedAt.Sub(b.UpdatedAt).Abs() > time.Microsecond || again.Seats != b.Seats) {
			t.Errorf("step %d again in the other process: %+v, first %+v, %v", i, again, b, err)
		}
	}
	now, err := sellers[0].Get(ctx, as(head.UserID), head.ID)
	if err != nil || now.Status != booking.Confirmed || !slices.Equal(now.SeatNumbers, []int32{2}) {
		t.Errorf("the head, which is one by now, has the seat that was left: %+v, %v", now, err)
	}
	db.CheckClean(t)
}

// What organizers do over a ledger that loses every third answer happens once
// for each time that they were told so.
func TestByHandOverLostAnswers(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := testkit.NewDB(t)
	org, organizer := db.Org(t)
	event := db.Event(t, org, 20, testkit.EventOptions{})
	s, f := newFaultySeller(t, db, 0.35, uuid.Nil)
	book := func(seats int32) booking.Booking {
		t.Helper()
		who, key := db.Person(t), booking.Key{Value: "book"}
		b, err := persistently(func() (booking.Entry, error) {
			b, err := s.Book(ctx, as(who), booking.Request{EventID: event, Seats: seats, Key: key})
			return booking.Entry{Booking: b}, err
		})
		if err != nil {
			t.Fatal(err)
		}
		return b.Booking
	}
	party := book(2)
	moves := 0
	for n := range int32(40) {
		numbers := []int32{1 + n%18, 2 + n%18}
		b, err := persistently(func() (booking.Entry, error) {
			return s.Move(ctx, as(organizer), party.ID, numbers, booking.Key{Value: fmt.Sprint("move", n)})
		})
		if err != nil || !slices.Equal(b.SeatNumbers, numbers) {
			t.Fatalf("move %d: %+v, %v", n, b, err)
		}
		if n > 0 { // it sat on the first already
			moves++
		}
	}
	book(18)
	const parties = 15
	waiting := make([]booking.Booking, parties)
	for i := range waiting {
		waiting[i] = book(3)
	}
	for i, b := range waiting {
		if _, err := persistently(func() (booking.Entry, error) {
			return s.Shrink(ctx, as(organizer), b.ID, 1, booking.Key{Value: fmt.Sprint("shrink", i)})
		}); err != nil {
			t.Fatal(err)
		}
	}
	head := waiting[0]
	if _, err := persistently(func() (booking.Entry, error) {
		return s.Cancel(ctx, as(organizer), party.ID, booking.Key{Value: "cancel"})
	}); err != nil {
		t.Fatal(err)
	}
	if b, err := s.Get(ctx, as(organizer), head.ID); err != nil || b.Status != booking.Confirmed {
		t.Errorf("the head: %+v, %v", b, err)
	}
	db.CheckClean(t)
	for action, want := range map[string]int{"moved": moves, "resized": parties, "promoted": 1} {
		var got int
		if err := db.System.QueryRow(ctx, `SELECT count(*) FROM booking_history WHERE action = $1`, action).Scan(&got); err != nil || got != want {
			t.Errorf("%d times %s, %v, want %d", got, action, err, want)
		}
	}
	if len(f.hit) < 4 {
		t.Errorf("too little went wrong: %v", f.hit)
	}
}

// persistently asks again as long as it is not known what became of it, as
// whoever sends a key does.
func persistently(do func() (booking.Entry, error)) (b booking.Entry, err error) {
	const tries = 50
	for range tries {
		if b, err = do(); !errors.Is(err, booking.ErrAway) {
			break
		}
	}
	return b, err
}
