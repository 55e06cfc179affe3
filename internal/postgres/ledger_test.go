package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/booking"
	"happening/internal/fault"
	"happening/internal/memory"
	"happening/internal/postgres"
	"happening/internal/testkit"
)

// seller is one replica: an allocator with its own ledger and holds.
type seller struct {
	*booking.Service
	alloc  *booking.Allocator
	ledger *postgres.Ledger
	holds  *memory.Holds
}

func newSeller(t testing.TB, db *testkit.DB) *seller {
	t.Helper()
	return newSellerAt(t, db, db.ConnString)
}

// newSellerAt is a replica whose ledger connects in a way of its own.
func newSellerAt(t testing.TB, db *testkit.DB, connString func(role string) string) *seller {
	t.Helper()
	ledger, err := postgres.NewLedger(context.Background(), connString)
	if err != nil {
		t.Fatal(err)
	}
	holds := memory.NewHolds(memory.HoldsOptions{Now: time.Now})
	log := slog.New(slog.DiscardHandler)
	alloc := booking.NewAllocator(ledger, holds, time.Now, log, func(booking.Committed) {})
	go alloc.Run()
	t.Cleanup(func() {
		if err := alloc.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		ledger.Close()
	})
	return &seller{
		Service: booking.NewService(alloc, holds, postgres.NewBookingStore(db.DB), postgres.NewOrgStore(db.DB), time.Now, log),
		alloc:   alloc, ledger: ledger, holds: holds,
	}
}

func as(user uuid.UUID) access.Principal { return access.Principal{UserID: user} }

// rush lets every person ask for one seat at the same time, spread over the
// sellers, and gives what each was told.
func rush(sellers []*seller, event uuid.UUID, people []uuid.UUID) (told []booking.Booking, refused int) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i, who := range people {
		wg.Go(func() {
			<-start
			b, err := sellers[i%len(sellers)].Book(context.Background(), as(who), booking.Request{EventID: event, Seats: 1})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				refused++
				return
			}
			told = append(told, b)
		})
	}
	close(start)
	wg.Wait()
	return told, refused
}

// soldOut says what is wrong with a rush of 2,000 on 500 seats.
func soldOut(told []booking.Booking, refused int) error {
	seats, numbers := map[int32]int{}, map[int64]int{}
	for _, b := range told {
		for _, s := range b.SeatNumbers {
			seats[s]++
		}
		if b.Status == booking.Waiting {
			numbers[b.WaitingNumber]++
		}
	}
	if refused > 0 || len(seats) != 500 || len(numbers) != 1500 || len(told) != 2000 {
		return fmt.Errorf("%d answers, %d refused, %d different seats, %d different waiting numbers", len(told), refused, len(seats), len(numbers))
	}
	for n := int64(1); n <= 1500; n++ {
		if numbers[n] != 1 {
			return fmt.Errorf("waiting number %d was given %d times", n, numbers[n])
		}
	}
	return nil
}

func TestTwoThousandAskForFiveHundredSeats(t *testing.T) {
	for _, replicas := range []int{1, 2} {
		t.Run(fmt.Sprintf("%d replicas", replicas), func(t *testing.T) {
			db := testkit.NewDB(t)
			org, _ := db.Org(t)
			event := db.Event(t, org, 500, testkit.EventOptions{})
			var sellers []*seller
			for range replicas {
				sellers = append(sellers, newSeller(t, db))
			}
			told, refused := rush(sellers, event, db.People(t, 2000))
			if err := soldOut(told, refused); err != nil {
				t.Error(err)
			}
			var available int
			if err := db.System.QueryRow(context.Background(), "SELECT available_slots FROM events WHERE id = $1", event).Scan(&available); err != nil || available != 0 {
				t.Errorf("available_slots is %d, %v", available, err)
			}
			db.CheckClean(t)
		})
	}
}

// TestTheVersionCheckAloneKeepsTheRushRight takes away what else would stop a
// sale from a stale inventory, the unique indexes, and shows that the version
// check alone does; and that without it the rush goes wrong, so that the test
// above proves something.
func TestTheVersionCheckAloneKeepsTheRushRight(t *testing.T) {
	for _, checked := range []bool{true, false} {
		t.Run(fmt.Sprintf("checked %t", checked), func(t *testing.T) {
			db := testkit.NewDB(t)
			db.AsOwner(t, `
				DROP INDEX booking_seats_live;
				DROP INDEX bookings_waitlist;
				ALTER TABLE event_changes DROP CONSTRAINT event_changes_pkey;`)
			org, _ := db.Org(t)
			event := db.Event(t, org, 500, testkit.EventOptions{})
			sellers := []*seller{newSeller(t, db), newSeller(t, db)}
			if !checked {
				for _, s := range sellers {
					if err := s.ledger.TakeOutVersionCheck(context.Background()); err != nil {
						t.Fatal(err)
					}
				}
			}
			told, refused := rush(sellers, event, db.People(t, 2000))
			breaches, err := db.Check(context.Background(), time.Now(), nil)
			if err != nil {
				t.Fatal(err)
			}
			switch wrong := soldOut(told, refused); {
			case checked && (wrong != nil || len(breaches) > 0):
				t.Errorf("with the check: %v, %v", wrong, breaches)
			case !checked && wrong == nil && len(breaches) == 0:
				t.Error("nothing went wrong without the check: the test proves nothing")
			}
		})
	}
}

// randomSale books and cancels at random until the context ends.
func randomSale(ctx context.Context, s *seller, event, who uuid.UUID, rnd *rand.Rand) error {
	var mine []booking.Booking
	for ctx.Err() == nil {
		switch n := rnd.IntN(10); {
		case n < 6 || len(mine) == 0:
			q := booking.Request{EventID: event, Seats: 1 + rnd.Int32N(4), Key: booking.Key{Value: uuid.NewString()}}
			b, err := s.Book(context.Background(), as(who), q)
			if err == nil {
				mine = append(mine, b)
			} else if !refusal(err) {
				return err
			}
		case n < 8:
			at := rnd.IntN(len(mine))
			if _, err := s.Cancel(context.Background(), as(who), mine[at].ID, booking.Key{}); err != nil && !refusal(err) {
				return err
			}
			mine = slices.Delete(mine, at, at+1)
		default:
			b := mine[rnd.IntN(len(mine))]
			now, err := s.Get(context.Background(), as(who), b.ID)
			if err != nil {
				return err
			}
			if len(now.SeatNumbers) > 0 {
				if _, err := s.CancelSeats(context.Background(), as(who), b.ID, now.SeatNumbers[:1], booking.Key{}); err != nil && !refusal(err) {
					return err
				}
			}
		}
	}
	return nil
}

// refusal says whether an error is an answer of the rules.
func refusal(err error) bool {
	for _, e := range []error{booking.ErrSeatsUnavailable, booking.ErrSeatsHeld, booking.ErrDuplicate, booking.ErrAlreadyCancelled,
		booking.ErrNotSeats, booking.ErrSeatLimit, booking.ErrWaitlist} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func TestRandomSalesByManyClientsLeaveTheBooksClean(t *testing.T) {
	duration := 3 * time.Second
	for _, policy := range []string{"strict", "fit"} {
		for _, replicas := range []int{1, 2} {
			t.Run(fmt.Sprintf("%s, %d replicas", policy, replicas), func(t *testing.T) {
				t.Parallel()
				db := testkit.NewDB(t)
				org, _ := db.Org(t)
				event := db.Event(t, org, 120, testkit.EventOptions{WaitlistPolicy: policy, MaxSeatsPerUser: 12})
				var sellers []*seller
				for range replicas {
					sellers = append(sellers, newSeller(t, db))
				}
				ctx, cancel := context.WithTimeout(context.Background(), duration)
				defer cancel()
				var wg sync.WaitGroup
				for i, who := range db.People(t, 64) {
					wg.Go(func() {
						if err := randomSale(ctx, sellers[i%replicas], event, who, rand.New(rand.NewPCG(uint64(i), 7))); err != nil {
							t.Error(err)
						}
					})
				}
				wg.Wait()
				db.CheckClean(t)
			})
		}
	}
}

func TestOneKeyHasOneEffect(t *testing.T) {
	db := testkit.NewDB(t)
	org, _ := db.Org(t)
	event := db.Event(t, org, 100, testkit.EventOptions{})
	who := db.Person(t)
	key := booking.Key{Value: "key", Hash: [16]byte{1}}
	sellers := []*seller{newSeller(t, db), newSeller(t, db)} // two replicas share nothing but the database
	var wg sync.WaitGroup
	var ids sync.Map
	var answered atomic.Int32
	for i := range 100 {
		wg.Go(func() {
			b, err := sellers[i%2].Book(context.Background(), as(who), booking.Request{EventID: event, Seats: 2, Key: key})
			switch {
			case err == nil:
				ids.Store(b.ID, true)
				answered.Add(1)
			case !errors.Is(err, booking.ErrDuplicate):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	effects := 0
	ids.Range(func(any, any) bool { effects++; return true })
	if effects != 1 || answered.Load() == 0 {
		t.Errorf("%d effects, %d answers", effects, answered.Load())
	}
	fresh := newSeller(t, db) // after a restart
	again, err := fresh.Book(context.Background(), as(who), booking.Request{EventID: event, Seats: 2, Key: key})
	if err != nil || again.Seats != 2 || len(again.SeatNumbers) != 2 {
		t.Errorf("after a restart: %+v, %v", again, err)
	}
	other := key
	other.Hash = [16]byte{2}
	if _, err := fresh.Book(context.Background(), as(who), booking.Request{EventID: event, Seats: 1, Key: other}); !errors.Is(err, booking.ErrKeyReused) {
		t.Errorf("another body with the same key: %v", err)
	}
	if b, err := fresh.Book(context.Background(), as(db.Person(t)), booking.Request{EventID: event, Seats: 1, Key: key}); err != nil || b.ID == again.ID {
		t.Errorf("another person with the same key: %+v, %v", b, err)
	}
	db.CheckClean(t)
}

func TestAKeyIsAnsweredBeforeAnyRuleRefuses(t *testing.T) {
	db := testkit.NewDB(t)
	org, _ := db.Org(t)
	event := db.Event(t, org, 2, testkit.EventOptions{MaxSeatsPerUser: 2})
	who := db.Person(t)
	q := booking.Request{EventID: event, Seats: 2, SeatNumbers: []int32{2, 1}, Key: booking.Key{Value: "k"}}
	first, err := newSeller(t, db).Book(context.Background(), as(who), q)
	if err != nil {
		t.Fatal(err)
	}
	again, err := newSeller(t, db).Book(context.Background(), as(who), q)
	if err != nil || again.ID != first.ID || !slices.Equal(again.SeatNumbers, []int32{1, 2}) || !again.CreatedAt.Equal(first.CreatedAt.Truncate(time.Microsecond)) {
		t.Fatalf("first %+v, again %+v, %v", first, again, err)
	}
	db.CheckClean(t)
}

func TestAHoldKeepsASeatFromOthersAndEndsWithItsSale(t *testing.T) {
	db := testkit.NewDB(t)
	org, _ := db.Org(t)
	event := db.Event(t, org, 3, testkit.EventOptions{})
	s := newSeller(t, db)
	ctx := context.Background()
	a, b := db.Person(t), db.Person(t)
	placed, err := s.Hold(ctx, as(a), event, []int32{2, 1})
	if err != nil || !slices.Equal(placed.Granted, []int32{1, 2}) {
		t.Fatalf("%+v, %v", placed, err)
	}
	if placed, err = s.Hold(ctx, as(b), event, []int32{2, 3}); err != nil || !slices.Equal(placed.Conflicts, []int32{2}) || !slices.Equal(placed.Granted, []int32{3}) {
		t.Fatalf("%+v, %v", placed, err)
	}
	if _, err := s.Book(ctx, as(b), booking.Request{EventID: event, Seats: 1, SeatNumbers: []int32{1}}); !errors.Is(err, booking.ErrSeatsUnavailable) {
		t.Fatalf("a held seat was sold: %v", err)
	}
	if got, err := s.Book(ctx, as(a), booking.Request{EventID: event, Seats: 2}); err != nil || !slices.Equal(got.SeatNumbers, []int32{1, 2}) {
		t.Fatalf("%+v, %v", got, err)
	}
	held, err := s.Holds(ctx, as(a), event)
	if err != nil || len(held.Seats) != 0 {
		t.Errorf("still held after the sale: %+v, %v", held, err)
	}
	if placed, err = s.Hold(ctx, as(b), event, []int32{1}); err != nil || !slices.Equal(placed.Conflicts, []int32{1}) {
		t.Errorf("a sold seat was held: %+v, %v", placed, err)
	}
	db.CheckClean(t)
}

// TestWhoseAreManyBookings asks for many people's bookings at the same time:
// whoever is asked for together is told what is theirs and nothing else.
func TestWhoseAreManyBookings(t *testing.T) {
	t.Parallel()
	db := testkit.NewDB(t)
	org, admin := db.Org(t)
	s := newSeller(t, db)
	people := db.People(t, 40)
	event := db.Event(t, org, len(people), testkit.EventOptions{})
	store := postgres.NewBookingStore(db.DB)
	ids := make([]uuid.UUID, len(people))
	for i, p := range people {
		b, err := s.Book(t.Context(), as(p), booking.Request{EventID: event, Seats: 1})
		if err != nil {
			t.Fatal(err)
		}
		ids[i] = b.ID
	}
	var all sync.WaitGroup
	for i, p := range people {
		all.Go(func() {
			b, err := store.Whose(t.Context(), ids[i], p)
			if want := (booking.Booking{ID: ids[i], OrgID: org, EventID: event, UserID: p}); err != nil || !reflect.DeepEqual(b, want) {
				t.Errorf("one's own: %+v, %v", b, err)
			}
		})
		all.Go(func() {
			if _, err := store.Whose(t.Context(), ids[(i+1)%len(ids)], p); !errors.Is(err, fault.ErrNotFound) {
				t.Errorf("somebody else's: %v", err)
			}
		})
		all.Go(func() {
			if b, err := store.Whose(t.Context(), ids[i], admin); err != nil || b.UserID != p {
				t.Errorf("for who runs the event: %+v, %v", b, err)
			}
		})
	}
	all.Wait()
	if _, err := store.Whose(t.Context(), ids[0], uuid.Nil); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("for visitors: %v", err)
	}
	db.CheckClean(t)
}
