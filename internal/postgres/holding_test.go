package postgres_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"happening/internal/booking"
	"happening/internal/testkit"
)

// TestAHoldIsGivenBackWhereTheRulesRefuseItMeanwhile decides, between the look
// and the placement, what the rules of holds ask about, and writes it only after
// the answer, so that the store can't know (but of a cancellation, which is
// written first): the answer is the refusal, and nothing stays held.
func TestAHoldIsGivenBackWhereTheRulesRefuseItMeanwhile(t *testing.T) {
	ctx := context.Background()
	for name, c := range map[string]struct {
		meanwhile func(t *testing.T, b *replica, id, admin, who, other uuid.UUID)
		want      error
	}{
		"the person has all seats that one may have": {func(t *testing.T, b *replica, id, _, who, _ uuid.UUID) {
			if _, err := b.Book(ctx, as(who), booking.Request{EventID: id, Seats: 2, SeatNumbers: []int32{3, 4}}); err != nil {
				t.Error(err)
			}
		}, booking.ErrSeatLimit},
		"the event is cancelled": {func(t *testing.T, b *replica, id, admin, _, _ uuid.UUID) {
			if _, err := b.CancelEvent(ctx, as(admin), id); err != nil {
				t.Error(err)
			}
		}, booking.ErrNotBookable},
		"somebody waits": {func(t *testing.T, b *replica, id, _, _, other uuid.UUID) {
			if got, err := b.Book(ctx, as(other), booking.Request{EventID: id, Seats: 2}); err != nil || got.Status != booking.Waiting {
				t.Errorf("%+v does not wait, %v", got, err)
			}
		}, booking.ErrWaitlist},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := testkit.NewDB(t)
			org, admin := db.Org(t)
			id := db.Event(t, org, 8, testkit.EventOptions{MaxSeatsPerUser: 2})
			shared := newCoordinator()
			b := newReplica(t, db, shared, sharing{})
			for _, seats := range [][]int32{{5, 6}, {7, 8}, {2}} {
				b.book(t, booking.Request{EventID: id, Seats: int32(len(seats)), SeatNumbers: seats}, db.Person(t))
			}
			who, other := db.Person(t), db.Person(t)
			if c.want == booking.ErrWaitlist {
				b.book(t, booking.Request{EventID: id, Seats: 2, SeatNumbers: []int32{3, 4}}, db.Person(t))
			}
			decided, written, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
			var committing, placing sync.Once
			b.ledger.committing = func() { committing.Do(func() { close(decided); <-written }) }
			shared.placing = func() {
				placing.Do(func() {
					go func() {
						defer close(done)
						c.meanwhile(t, b, id, admin, who, other)
					}()
					<-decided
				})
			}
			placed, err := b.Hold(ctx, as(who), id, []int32{1})
			if !errors.Is(err, c.want) {
				t.Errorf("held %v, %v; wanted is %v", placed.Granted, err, c.want)
			}
			close(written)
			<-done // until then a booking in flight pins what its person holds
			held, err := shared.Mine(ctx, id, who)
			if err != nil || len(held.Seats) != 0 {
				t.Errorf("%v are held still, %v", held.Seats, err)
			}
			db.CheckClean(t)
		})
	}
}

// TestHoldsThatOutliveTheirSaleAreEnded has a process die between a commit and
// its telling: the holds on what was sold end all the same, and no others do.
func TestHoldsThatOutliveTheirSaleAreEnded(t *testing.T) {
	ctx := context.Background()
	for name, command := range map[string]bool{"by the repair": false, "by the command": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := testkit.NewDB(t)
			org, _ := db.Org(t)
			id := db.Event(t, org, 9, testkit.EventOptions{})
			mirror, shared := newFakeMirror(), newCoordinator()
			r := newReplica(t, db, shared, sharing{options: []booking.ServiceOption{booking.WithMirror(mirror)}})
			who := db.Person(t)
			if placed, err := r.Hold(ctx, as(who), id, []int32{4, 5, 6}); err != nil || len(placed.Granted) != 3 {
				t.Fatal(placed, err)
			}
			shared.away.Store(true)
			r.book(t, booking.Request{EventID: id, Seats: 2, SeatNumbers: []int32{4, 5}}, who)
			shared.away.Store(false)
			truth := truthOf(t, db, id)
			mirror.says(id, truth.Version, truth.Available)
			if found, err := r.CheckMirror(ctx); err != nil || len(found) != 1 {
				t.Fatalf("the control: %v, %v", found, err)
			}
			var told []booking.Difference
			var err error
			if command {
				err = r.Reconcile(ctx, func(d booking.Difference) { told = append(told, d) })
			} else {
				err = r.Repair(ctx)
			}
			if err != nil || command && (len(told) != 1 || told[0].EventID != id || !strings.HasSuffix(told[0].Had, "4 5")) {
				t.Errorf("told %+v, %v", told, err)
			}
			if found, err := r.CheckMirror(ctx); err != nil || len(found) != 0 {
				t.Errorf("found %v, %v", found, err)
			}
			if held, err := shared.Mine(ctx, id, who); err != nil || len(held.Seats) != 1 || held.Seats[0] != 6 {
				t.Errorf("held are %v, %v", held.Seats, err)
			}
			db.CheckClean(t)
		})
	}
}
