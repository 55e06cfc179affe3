package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/booking"
	"happening/internal/event"
	"happening/internal/fault"
	"happening/internal/memory"
	"happening/internal/postgres"
	"happening/internal/testkit"
)

// brink is where two who act at once in two processes meet: each has decided,
// and neither has written.
type brink struct {
	decided, over [2]chan struct{}
	once          [2]sync.Once
}

// arrive waits for the other one to decide, too, or to be answered without.
func (m *brink) arrive(side int) {
	m.once[side].Do(func() { close(m.decided[side]) })
	select {
	case <-m.decided[1-side]:
	case <-m.over[1-side]:
	}
}

// processes are two that sell the same events.
type processes struct {
	db         *testkit.DB
	org, admin uuid.UUID
	holds      *pinning
	each       [2]*replica
	brink      atomic.Pointer[brink]
}

// pinning is a coordinator whose pins can be taken out, and that is told when
// somebody's booking is queued.
type pinning struct {
	*coordinator
	without bool
	ahead   atomic.Int64 // of the clock, by which holds end
	queued  atomic.Pointer[func(who uuid.UUID)]
}

func (p *pinning) Pin(ctx context.Context, eventID, who uuid.UUID) error {
	if p.without {
		p.tell(who)
		return nil
	}
	err := p.coordinator.Pin(ctx, eventID, who)
	p.tell(who)
	return err
}

func (p *pinning) tell(who uuid.UUID) {
	if fn := p.queued.Load(); fn != nil {
		(*fn)(who)
	}
}

// guard is what keeps a pair right.
type guard int

const (
	complete guard = iota
	withoutVersionCheck
	withoutPin
	withoutKeyIndex
)

func newProcesses(t *testing.T, g guard) *processes {
	t.Helper()
	p := &processes{db: testkit.NewDB(t)}
	p.org, p.admin = p.db.Org(t)
	p.holds = &pinning{without: g == withoutPin}
	now := func() time.Time { return time.Now().Add(time.Duration(p.holds.ahead.Load())) }
	p.holds.coordinator = &coordinator{Holds: memory.NewHolds(memory.HoldsOptions{Now: now, TTL: pairHold})}
	if g == withoutVersionCheck {
		// The indexes would stop a stale sale, too.
		p.db.AsOwner(t, `
			DROP INDEX booking_seats_live;
			DROP INDEX bookings_waitlist;
			ALTER TABLE event_changes DROP CONSTRAINT event_changes_pkey;`)
	}
	if g == withoutKeyIndex {
		p.db.AsOwner(t, `DROP INDEX booking_history_key`)
	}
	for side := range p.each {
		r := newReplicaOn(t, p.db, p.holds, sharing{})
		r.ledger.committing = func() {
			if m := p.brink.Load(); m != nil {
				m.arrive(side)
			}
		}
		if g == withoutVersionCheck {
			if err := r.ledger.Ledger.(*postgres.Ledger).TakeOutVersionCheck(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		p.each[side] = r
	}
	return p
}

// atOnce lets one do something in each process, at the brink or as it comes.
func (p *processes) atOnce(atBrink bool, acts [2]func(r *replica) error) (errs [2]error) {
	m := &brink{}
	for side := range acts {
		m.decided[side], m.over[side] = make(chan struct{}), make(chan struct{})
	}
	if atBrink {
		p.brink.Store(m)
		defer p.brink.Store(nil)
	}
	var both sync.WaitGroup
	for side, act := range acts {
		both.Go(func() {
			defer close(m.over[side])
			errs[side] = act(p.each[side])
		})
	}
	both.Wait()
	return errs
}

// event makes one that both processes have in memory once the seats that are
// asked for in turn are sold in the first.
func (p *processes) event(t *testing.T, seats int, asked ...uuid.UUID) (id uuid.UUID, made []booking.Booking) {
	t.Helper()
	return p.eventAs(t, seats, "", asked...)
}

// eventAs is an event with columns set otherwise.
func (p *processes) eventAs(t *testing.T, seats int, set string, asked ...uuid.UUID) (id uuid.UUID, made []booking.Booking) {
	t.Helper()
	id = p.db.Event(t, p.org, seats, testkit.EventOptions{})
	if set != "" {
		if _, err := p.db.System.Exec(t.Context(), `UPDATE events SET `+set+` WHERE id = $1`, id); err != nil {
			t.Fatal(err)
		}
	}
	for _, who := range asked {
		made = append(made, p.each[0].book(t, booking.Request{EventID: id, Seats: 1}, who))
	}
	for _, r := range p.each {
		if _, err := r.alloc.Live(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	return id, made
}

const (
	// pairHold is how long a hold lives here: it ends while a booking of it is
	// pinned.
	pairHold = booking.PinMax / 3
	// lostRounds is how often a pair is shown to lose without its guard.
	lostRounds = 5
)

// booksSeat gives an act that books one seat.
func booksSeat(id, who uuid.UUID, seat int32) func(r *replica) error {
	return func(r *replica) error {
		_, err := r.Book(context.Background(), as(who), booking.Request{EventID: id, Seats: 1, SeatNumbers: []int32{seat}})
		return err
	}
}

// oneWon says what is wrong with two answers of which one is to be a refusal.
func oneWon(errs [2]error) error {
	for side, err := range errs {
		var refused *fault.Error
		if err == nil && errors.As(errs[1-side], &refused) && (errors.Is(refused, booking.ErrSeatsUnavailable) || refused.Kind == fault.Invalid || errors.Is(refused, booking.ErrCapacity)) {
			return nil
		}
	}
	return fmt.Errorf("answered %v and %v", errs[0], errs[1])
}

// racePairs are what two people do at once to one event, and without which
// guard it goes wrong; each round says what is wrong with how it ended.
var racePairs = map[string]struct {
	guard guard
	round func(t *testing.T, p *processes, people []uuid.UUID, atBrink bool) error
}{
	"book, book": {withoutVersionCheck, func(t *testing.T, p *processes, people []uuid.UUID, atBrink bool) error {
		id, _ := p.event(t, 1)
		return oneWon(p.atOnce(atBrink, [2]func(*replica) error{booksSeat(id, people[0], 1), booksSeat(id, people[1], 1)}))
	}},
	// The hold ends, and somebody else asks for the seat, while its holder's
	// booking of it is queued.
	"book, expire": {withoutPin, func(t *testing.T, p *processes, people []uuid.UUID, _ bool) error {
		id, _ := p.event(t, 1)
		ann, bob := people[0], people[1]
		if placed, err := p.each[0].Hold(t.Context(), as(ann), id, []int32{1}); err != nil || len(placed.Granted) != 1 {
			t.Fatal(placed, err)
		}
		var bobs error
		queued := func(who uuid.UUID) {
			if who == ann {
				p.holds.ahead.Add(int64(pairHold))
				bobs = booksSeat(id, bob, 1)(p.each[1])
			}
		}
		p.holds.queued.Store(&queued)
		defer p.holds.queued.Store(nil)
		if anns := booksSeat(id, ann, 1)(p.each[0]); anns != nil || !errors.Is(bobs, booking.ErrSeatsUnavailable) {
			return fmt.Errorf("the holder was answered %v, the other one %v", anns, bobs)
		}
		return nil
	}},
	// The seat that is given back goes to whom waits first, who gives that up:
	// the next one has it, whichever comes first.
	"cancel, promote": {withoutVersionCheck, func(t *testing.T, p *processes, people []uuid.UUID, atBrink bool) error {
		_, made := p.event(t, 1, people[0], people[1], people[2])
		cancels := func(b booking.Booking) func(r *replica) error {
			return func(r *replica) error {
				_, err := r.Cancel(context.Background(), as(b.UserID), b.ID, booking.Key{})
				return err
			}
		}
		errs := p.atOnce(atBrink, [2]func(*replica) error{cancels(made[0]), cancels(made[1])})
		var ends [3]string
		for i, b := range made {
			if err := p.db.System.QueryRow(t.Context(), `SELECT status FROM bookings WHERE id = $1`, b.ID).Scan(&ends[i]); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(errs[:]...); err != nil || ends != [3]string{"cancelled", "cancelled", "confirmed"} {
			return fmt.Errorf("they ended as %v: %w", ends, err)
		}
		return nil
	}},
	"shrink, book": {withoutVersionCheck, func(t *testing.T, p *processes, people []uuid.UUID, atBrink bool) error {
		id, _ := p.event(t, 2)
		fewer := int64(1)
		return oneWon(p.atOnce(atBrink, [2]func(*replica) error{
			func(r *replica) error {
				// An edit is decided under the lock: it comes between the other's
				// decision and write.
				if m := p.brink.Load(); m != nil {
					select {
					case <-m.decided[1]:
					case <-m.over[1]:
					}
				}
				_, err := r.EditEvent(context.Background(), as(p.admin), id, event.Patch{TotalSlots: &fewer}, 0)
				return err
			},
			booksSeat(id, people[0], 2),
		}))
	}},
	// The last place on a waitlist.
	"wait, wait": {withoutVersionCheck, func(t *testing.T, p *processes, people []uuid.UUID, atBrink bool) error {
		id, _ := p.eventAs(t, 1, `waitlist_limit = 1`, people[2])
		waits := func(who uuid.UUID) func(r *replica) error {
			return func(r *replica) error {
				_, err := r.Book(context.Background(), as(who), booking.Request{EventID: id, Seats: 1})
				return err
			}
		}
		errs := p.atOnce(atBrink, [2]func(*replica) error{waits(people[0]), waits(people[1])})
		if errs[0] != nil {
			errs[0], errs[1] = errs[1], errs[0]
		}
		if errs[0] != nil || !errors.Is(errs[1], booking.ErrWaitlistFull) {
			return fmt.Errorf("answered %v and %v", errs[0], errs[1])
		}
		return nil
	}},
	// One key for two orders at two events, of which neither knows the other's
	// version.
	"key, key": {withoutKeyIndex, func(t *testing.T, p *processes, people []uuid.UUID, atBrink bool) error {
		key := uuid.NewString()
		var acts [2]func(r *replica) error
		for side := range acts {
			id, _ := p.event(t, 2, people[2])
			acts[side] = func(r *replica) error {
				_, err := r.Book(context.Background(), as(people[0]), booking.Request{EventID: id, Seats: 1, Key: booking.Key{Value: key, Hash: [16]byte{byte(side)}}})
				return err
			}
		}
		errs := p.atOnce(atBrink, acts)
		if errs[0] != nil {
			errs[0], errs[1] = errs[1], errs[0]
		}
		if errs[0] != nil || !errors.Is(errs[1], booking.ErrKeyReused) {
			return fmt.Errorf("answered %v and %v", errs[0], errs[1])
		}
		return nil
	}},
}

// TestPairsHaveOneWinner lets two people do to one event, in two processes at
// once, what can't both be had: every time one of them has it. In every second
// round both are held where each has decided and neither has written. Without
// the guard, which is the version check, of holds the pin, and of keys the index,
// it goes wrong every time.
func TestPairsHaveOneWinner(t *testing.T) {
	for name, pair := range racePairs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProcesses(t, complete)
			people := p.db.People(t, 3)
			for n := range pairRounds {
				if err := pair.round(t, p, people, n%2 == 0); err != nil {
					t.Fatalf("round %d: %v", n, err)
				}
			}
			p.db.CheckClean(t)
		})
		t.Run(name+", without the guard", func(t *testing.T) {
			t.Parallel()
			p := newProcesses(t, pair.guard)
			people := p.db.People(t, 3)
			for n := range lostRounds {
				if pair.round(t, p, people, true) == nil {
					t.Errorf("round %d: nothing went wrong: the test proves nothing", n)
				}
			}
		})
	}
}
