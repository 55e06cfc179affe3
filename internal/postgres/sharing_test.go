package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/booking"
	"happening/internal/event"
	"happening/internal/fault"
	"happening/internal/memory"
	"happening/internal/postgres"
	"happening/internal/testkit"
)

// coordinator is the holds' store that several replicas share, as Redis is. It
// can be away, and it can lie.
type coordinator struct {
	*memory.Holds
	away atomic.Bool
	lie  atomic.Int64 // claimed of every event instead of the version settled
	// placing runs before each placement, after the caller has looked.
	placing func()
}

var errCoordinator = errors.New("coordinator is away")

func newCoordinator() *coordinator {
	return &coordinator{Holds: memory.NewHolds(memory.HoldsOptions{Now: time.Now})}
}

func (c *coordinator) View(ctx context.Context, ids []uuid.UUID) ([]booking.HoldView, error) {
	if c.away.Load() {
		return nil, errCoordinator
	}
	views, err := c.Holds.View(ctx, ids)
	for i := range views {
		views[i].SaleVersion = max(views[i].SaleVersion, c.lie.Load())
	}
	return views, err
}

func (c *coordinator) Place(ctx context.Context, p booking.Placement) (booking.Placed, error) {
	if c.placing != nil {
		c.placing()
	}
	if c.away.Load() {
		return booking.Placed{}, booking.ErrHoldsAway
	}
	if len(p.Seats) > 0 && p.SaleVersion < max(c.SaleVersion(p.EventID), c.lie.Load()) {
		return booking.Placed{}, booking.ErrBehind
	}
	return c.Holds.Place(ctx, p)
}

func (c *coordinator) Settle(ctx context.Context, s booking.Sale) error {
	if c.away.Load() {
		return errCoordinator
	}
	return c.Holds.Settle(ctx, s)
}

// newest is what the wiring asks the store of live versions.
func (c *coordinator) newest(_ context.Context, id uuid.UUID) (int64, error) {
	if c.away.Load() {
		return 0, errCoordinator
	}
	return max(c.SaleVersion(id), c.lie.Load()), nil
}

// counting counts what an allocator asks of its ledger.
type counting struct {
	booking.Ledger
	commits, reworks, reads atomic.Int64
	// committing runs before each optimistic write, after it was decided.
	committing func()
}

func (l *counting) Commit(ctx context.Context, b *booking.Batch) error {
	l.commits.Add(1)
	if l.committing != nil {
		l.committing()
	}
	return l.Ledger.Commit(ctx, b)
}

func (l *counting) Rework(ctx context.Context, known []booking.Known, keys []booking.KeyOf, probe uuid.UUID, fn func(booking.Fresh) (*booking.Batch, error)) error {
	l.reworks.Add(1)
	return l.Ledger.Rework(ctx, known, keys, probe, fn)
}

func (l *counting) Missed(ctx context.Context, known []booking.Known) (map[uuid.UUID]booking.FreshEvent, error) {
	l.reads.Add(1)
	return l.Ledger.Missed(ctx, known)
}

func (l *counting) Prove(ctx context.Context, known []booking.Known, keys []booking.KeyOf) (booking.Proof, error) {
	l.reads.Add(1)
	return l.Ledger.Prove(ctx, known, keys)
}

// replica is one process among several.
type replica struct {
	*booking.Service
	alloc  *booking.Allocator
	ledger *counting
	told   atomic.Int64 // commits of its own
}

// sharing is how a replica differs from the usual one.
type sharing struct {
	now     func() time.Time
	alone   bool // believes that it is the only process
	options []booking.ServiceOption
}

func newReplica(t testing.TB, db *testkit.DB, c *coordinator, o sharing) *replica {
	t.Helper()
	return newReplicaOn(t, db, c, o)
}

// newReplicaOn is a replica on any holds' store.
func newReplicaOn(t testing.TB, db *testkit.DB, c booking.HoldStore, o sharing) *replica {
	t.Helper()
	ledger, err := postgres.NewLedger(context.Background(), db.ConnString)
	if err != nil {
		t.Fatal(err)
	}
	if o.now == nil {
		o.now = func() time.Time { return time.Now().Truncate(time.Microsecond) }
	}
	log := slog.New(slog.DiscardHandler)
	r := &replica{ledger: &counting{Ledger: ledger}}
	options := []booking.Option{booking.Shared()}
	if o.alone {
		options = nil
	}
	r.alloc = booking.NewAllocator(r.ledger, c, o.now, log, func(booking.Committed) { r.told.Add(1) }, options...)
	go r.alloc.Run()
	t.Cleanup(func() {
		if err := r.alloc.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		ledger.Close()
	})
	r.Service = booking.NewService(r.alloc, c, postgres.NewBookingStore(db.DB), postgres.NewOrgStore(db.DB), o.now, log, o.options...)
	return r
}

func (r *replica) book(t testing.TB, q booking.Request, who uuid.UUID) booking.Booking {
	t.Helper()
	b, err := r.Book(context.Background(), as(who), q)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestARefusalNeverComesFromAnOldInventory lets one replica do something and
// asks the other at once, which has seen the event before and knows nothing of
// it. Its answer is right with the coordinator there, away and lying; the
// control shows that a replica which takes itself for the only one gives the
// wrong one.
func TestARefusalNeverComesFromAnOldInventory(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		name string
		// act does something through a; ask asks b and says what is wrong.
		run func(t *testing.T, db *testkit.DB, id, admin uuid.UUID, look func(), a, b *replica) error
	}{
		{"a seat that was freed", func(t *testing.T, db *testkit.DB, id, _ uuid.UUID, look func(), a, b *replica) error {
			mine := a.book(t, booking.Request{EventID: id, Seats: 1, SeatNumbers: []int32{2}}, db.Person(t))
			look()
			if _, err := a.Cancel(ctx, as(mine.UserID), mine.ID, booking.Key{}); err != nil {
				t.Fatal(err)
			}
			_, err := b.Book(ctx, as(db.Person(t)), booking.Request{EventID: id, Seats: 1, SeatNumbers: []int32{2}})
			return err
		}},
		{"a booking that is live", func(t *testing.T, db *testkit.DB, id, _ uuid.UUID, look func(), a, b *replica) error {
			look()
			mine := a.book(t, booking.Request{EventID: id, Seats: 1}, db.Person(t))
			_, err := b.Cancel(ctx, as(mine.UserID), mine.ID, booking.Key{})
			return err
		}},
		{"a limit that was lifted", func(t *testing.T, db *testkit.DB, id, admin uuid.UUID, look func(), a, b *replica) error {
			look()
			slots := int64(9)
			if _, err := a.EditEvent(ctx, as(admin), id, event.Patch{TotalSlots: &slots}, 0); err != nil {
				t.Fatal(err)
			}
			_, err := b.Book(ctx, as(db.Person(t)), booking.Request{EventID: id, Seats: 1, SeatNumbers: []int32{9}})
			return err
		}},
		{"a seat limit of which some was given back", func(t *testing.T, db *testkit.DB, id, _ uuid.UUID, look func(), a, b *replica) error {
			who := db.Person(t)
			mine := a.book(t, booking.Request{EventID: id, Seats: 3}, who)
			look()
			if _, err := a.Cancel(ctx, as(who), mine.ID, booking.Key{}); err != nil {
				t.Fatal(err)
			}
			_, err := b.Book(ctx, as(who), booking.Request{EventID: id, Seats: 2})
			return err
		}},
	} {
		for _, weather := range []string{"there", "away", "lying"} {
			for _, alone := range []bool{false, true} {
				if alone && weather != "away" {
					continue // what the coordinator tells is believed by everybody
				}
				t.Run(fmt.Sprintf("%s, coordinator %s, control %t", c.name, weather, alone), func(t *testing.T) {
					t.Parallel()
					db := testkit.NewDB(t)
					org, admin := db.Org(t)
					id := db.Event(t, org, 4, testkit.EventOptions{MaxSeatsPerUser: 3})
					shared := newCoordinator()
					switch weather {
					case "away":
						shared.away.Store(true)
					case "lying":
						shared.lie.Store(1_000_000)
					}
					a, b := newReplica(t, db, shared, sharing{}), newReplica(t, db, shared, sharing{alone: alone})
					look := func() {
						if _, err := b.alloc.Live(ctx, id); err != nil {
							t.Fatal(err)
						}
					}
					err := c.run(t, db, id, admin, look, a, b)
					if alone && err == nil {
						t.Error("a replica that takes itself for the only one was right by chance: the test proves nothing")
					}
					if !alone && err != nil {
						t.Errorf("refused: %v", err)
					}
					db.CheckClean(t)
				})
			}
		}
	}
}

func TestWhatWasSentTwiceIsNoticedByAnotherProcess(t *testing.T) {
	db := testkit.NewDB(t)
	org, _ := db.Org(t)
	id := db.Event(t, org, 10, testkit.EventOptions{})
	shared := newCoordinator()
	shared.away.Store(true)
	// On a machine that stands still for the length of the window it would be
	// two requests.
	moment := time.Now().Truncate(time.Microsecond)
	atOnce := sharing{now: func() time.Time { return moment }}
	a, b := newReplica(t, db, shared, atOnce), newReplica(t, db, shared, atOnce)
	ctx := context.Background()
	if _, err := b.alloc.Live(ctx, id); err != nil {
		t.Fatal(err)
	}
	who := db.Person(t)
	first := a.book(t, booking.Request{EventID: id, Seats: 1}, who)
	again := func(r *replica) {
		t.Helper()
		_, err := r.Book(ctx, as(who), booking.Request{EventID: id, Seats: 1})
		var f *fault.Error
		if !errors.Is(err, booking.ErrDuplicate) || !errors.As(err, &f) || f.Extra["booking_id"] != first.ID {
			t.Errorf("sent again: %v", err)
		}
	}
	again(b)
	again(newReplica(t, db, shared, atOnce)) // a process that begins
}

// TestAnOldInventoryIsNotWrittenOnInVain: what the coordinator knows of spares
// the write that would be refused.
func TestAnOldInventoryIsNotWrittenOnInVain(t *testing.T) {
	db := testkit.NewDB(t)
	org, _ := db.Org(t)
	id := db.Event(t, org, 50, testkit.EventOptions{})
	shared := newCoordinator()
	a, b := newReplica(t, db, shared, sharing{}), newReplica(t, db, shared, sharing{})
	b.book(t, booking.Request{EventID: id, Seats: 1}, db.Person(t))
	a.book(t, booking.Request{EventID: id, Seats: 1}, db.Person(t))
	b.book(t, booking.Request{EventID: id, Seats: 1}, db.Person(t))
	if commits, reworks := b.ledger.commits.Load(), b.ledger.reworks.Load(); commits != 1 || reworks != 1 {
		t.Errorf("%d optimistic writes, %d under locks", commits, reworks)
	}
}

// TestALieCostsOneLook: a version that PostgreSQL does not have sends one batch
// under the locks, not all that follow.
func TestALieCostsOneLook(t *testing.T) {
	db := testkit.NewDB(t)
	org, _ := db.Org(t)
	id := db.Event(t, org, 50, testkit.EventOptions{})
	shared := newCoordinator()
	r := newReplica(t, db, shared, sharing{options: []booking.ServiceOption{booking.WithNewest(shared.newest)}})
	r.book(t, booking.Request{EventID: id, Seats: 1}, db.Person(t))
	shared.lie.Store(1_000_000)
	for range 10 {
		r.book(t, booking.Request{EventID: id, Seats: 1}, db.Person(t))
	}
	if n := r.ledger.reworks.Load(); n != 1 {
		t.Errorf("%d batches went under the locks", n)
	}
	who := db.Person(t)
	for range 5 {
		if placed, err := r.Hold(context.Background(), as(who), id, []int32{40}); err != nil || len(placed.Granted) != 1 {
			t.Errorf("hold while the coordinator lies: %+v, %v", placed, err)
		}
	}
	if n := r.ledger.reads.Load(); n > 2 {
		t.Errorf("a lie that is known was looked up %d times", n)
	}
}

func TestOneProcessPaysNothingForOthers(t *testing.T) {
	db := testkit.NewDB(t)
	org, _ := db.Org(t)
	id := db.Event(t, org, 1, testkit.EventOptions{})
	r := newReplica(t, db, newCoordinator(), sharing{alone: true})
	r.book(t, booking.Request{EventID: id, Seats: 1, SeatNumbers: []int32{1}}, db.Person(t))
	for range 5 {
		if _, err := r.Book(context.Background(), as(db.Person(t)), booking.Request{EventID: id, Seats: 1, SeatNumbers: []int32{1}}); !errors.Is(err, booking.ErrSeatsUnavailable) {
			t.Fatal(err)
		}
	}
	if commits, reworks, reads := r.ledger.commits.Load(), r.ledger.reworks.Load(), r.ledger.reads.Load(); commits != 1 || reworks+reads != 0 {
		t.Errorf("%d commits, %d reworks, %d reads", commits, reworks, reads)
	}
}

func TestCatchingUpReadsOnceAndTellsNobody(t *testing.T) {
	db := testkit.NewDB(t)
	org, admin := db.Org(t)
	id := db.Event(t, org, 30, testkit.EventOptions{})
	shared := newCoordinator()
	a, b := newReplica(t, db, shared, sharing{}), newReplica(t, db, shared, sharing{})
	ctx := context.Background()
	if _, err := b.alloc.Live(ctx, id); err != nil {
		t.Fatal(err)
	}
	mine := a.book(t, booking.Request{EventID: id, Seats: 2, SeatNumbers: []int32{4, 5}}, db.Person(t))
	at := func(r *replica) int64 { return r.alloc.Peek(id).Event().Version }
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			live, err := b.alloc.CatchUp(ctx, id, at(a))
			sold, _ := live.Taken([]int32{3, 4, 5})
			if err != nil || !slices.Equal(sold, []bool{false, true, true}) || live.Event().Available != 28 {
				t.Errorf("caught up to %+v, %v", live.Event(), err)
			}
		})
	}
	wg.Wait()
	if n := b.ledger.reads.Load(); n > 2 {
		t.Errorf("%d reads for 50 who asked at the same time", n)
	}
	if b.told.Load() != 0 {
		t.Error("what another process sold was told again")
	}

	// Heard of, and only then read.
	if _, err := a.Cancel(ctx, as(mine.UserID), mine.ID, booking.Key{}); err != nil {
		t.Fatal(err)
	}
	b.alloc.Heard(id, at(a))
	if live, err := b.alloc.Live(ctx, id); err != nil || live.Event().Available != 30 {
		t.Errorf("after hearing of it: %v", err)
	}

	// Changed settings come by being read whole.
	slots := int64(40)
	if _, err := a.EditEvent(ctx, as(admin), id, event.Patch{TotalSlots: &slots}, 0); err != nil {
		t.Fatal(err)
	}
	if err := b.alloc.CatchUpAll(ctx); err != nil {
		t.Fatal(err)
	}
	if e := b.alloc.Peek(id).Event(); e.TotalSlots != 40 || e.Available != 40 {
		t.Errorf("after following: %+v", e)
	}

	// What follows is decided on what was caught up with, without locks.
	b.book(t, booking.Request{EventID: id, Seats: 1, SeatNumbers: []int32{40}}, db.Person(t))
	if b.ledger.reworks.Load() != 0 {
		t.Error("a sale after catching up went under the locks")
	}

	// Nothing goes backwards.
	before := at(b)
	reads := b.ledger.reads.Load()
	for range 3 {
		if live, err := b.alloc.CatchUp(ctx, id, before+100); err != nil || live.Event().Version != before {
			t.Errorf("a version that does not exist: %+v, %v", live.Event(), err)
		}
	}
	if n := b.ledger.reads.Load() - reads; n != 1 {
		t.Errorf("a version that does not exist was looked for %d times", n)
	}
	db.CheckClean(t)
}

func TestADeletedEventIsGoneInEveryProcess(t *testing.T) {
	db := testkit.NewDB(t)
	org, _ := db.Org(t)
	ctx := context.Background()
	shared := newCoordinator()
	r := newReplica(t, db, shared, sharing{})
	for _, notice := range []func(id uuid.UUID) error{
		func(uuid.UUID) error { return r.alloc.CatchUpAll(ctx) },
		func(id uuid.UUID) error { r.alloc.Heard(id, 0); return nil },
		func(id uuid.UUID) error { // somebody tries to book it
			_, err := r.Book(ctx, as(db.Person(t)), booking.Request{EventID: id, Seats: 1})
			if !errors.Is(err, fault.ErrNotFound) {
				t.Errorf("booking: %v", err)
			}
			return nil
		},
	} {
		id := db.Event(t, org, 5, testkit.EventOptions{})
		if _, err := r.alloc.Live(ctx, id); err != nil {
			t.Fatal(err)
		}
		db.AsOwner(t, fmt.Sprintf(`DELETE FROM events WHERE id = '%s'`, id))
		if err := notice(id); err != nil {
			t.Fatal(err)
		}
		if live, err := r.alloc.Live(ctx, id); !errors.Is(err, fault.ErrNotFound) {
			t.Errorf("still there: %v, %v", live, err)
		}
	}
}

// TestAChangeOfVisibilityHoldsForTheNextRequestAnywhere hides an event through
// one replica and asks the other as a stranger.
func TestAChangeOfVisibilityHoldsForTheNextRequestAnywhere(t *testing.T) {
	for _, away := range []bool{false, true} {
		t.Run(fmt.Sprintf("coordinator away %t", away), func(t *testing.T) {
			db := testkit.NewDB(t)
			org, admin := db.Org(t)
			id := db.Event(t, org, 30, testkit.EventOptions{})
			shared := newCoordinator()
			shared.away.Store(away)
			known := sharing{options: []booking.ServiceOption{booking.WithNewest(shared.newest)}}
			a, b := newReplica(t, db, shared, known), newReplica(t, db, shared, known)
			ctx := context.Background()
			stranger := as(db.Person(t))
			read := func(v event.Visibility) {
				t.Helper()
				_, err := b.Event(ctx, stranger, id, access.EventRead)
				if hidden := v == event.Members; hidden != errors.Is(err, fault.ErrNotFound) {
					t.Errorf("reading while it is for %s: %v", v, err)
				}
			}
			book := func(v event.Visibility) {
				t.Helper()
				_, err := b.Book(ctx, stranger, booking.Request{EventID: id, Seats: 1, Key: booking.Key{Value: uuid.NewString()}})
				if hidden := v == event.Members; hidden != errors.Is(err, fault.ErrNotFound) || !hidden && err != nil {
					t.Errorf("booking while it is for %s: %v", v, err)
				}
			}
			// Neither may rest on what the other found out.
			for i, v := range []event.Visibility{event.Members, event.Public, event.Members, event.Public, event.Members} {
				if _, err := b.Event(ctx, as(admin), id, access.EventRead); err != nil {
					t.Fatal(err)
				}
				if _, err := a.EditEvent(ctx, as(admin), id, event.Patch{Visibility: &v}, 0); err != nil {
					t.Fatal(err)
				}
				if i < 3 {
					book(v)
					read(v)
				} else {
					read(v)
					book(v)
				}
			}
			db.CheckClean(t)
		})
	}
}

func TestReadingSeesWhatAnotherProcessHasAnswered(t *testing.T) {
	db := testkit.NewDB(t)
	org, _ := db.Org(t)
	id := db.Event(t, org, 30, testkit.EventOptions{})
	shared := newCoordinator()
	known := sharing{options: []booking.ServiceOption{booking.WithNewest(shared.newest)}}
	a, b := newReplica(t, db, shared, known), newReplica(t, db, shared, known)
	for n := range int32(10) {
		who := db.Person(t)
		a.book(t, booking.Request{EventID: id, Seats: 1}, who)
		live, err := b.Event(context.Background(), as(who), id, access.EventRead)
		if err != nil || live.Event().Available != 29-n {
			t.Fatalf("after %d sales elsewhere: %d available, %v", n+1, live.Event().Available, err)
		}
	}
}

// TestAHoldNeverLandsOnASeatThatAnotherProcessSold: the store refuses the old
// look, and the replica looks again.
func TestAHoldNeverLandsOnASeatThatAnotherProcessSold(t *testing.T) {
	db := testkit.NewDB(t)
	org, _ := db.Org(t)
	id := db.Event(t, org, 30, testkit.EventOptions{})
	shared := newCoordinator()
	a, b := newReplica(t, db, shared, sharing{}), newReplica(t, db, shared, sharing{})
	ctx := context.Background()
	if _, err := b.alloc.Live(ctx, id); err != nil {
		t.Fatal(err)
	}
	a.book(t, booking.Request{EventID: id, Seats: 1, SeatNumbers: []int32{7}}, db.Person(t))
	placed, err := b.Hold(ctx, as(db.Person(t)), id, []int32{7, 8})
	if err != nil || !slices.Equal(placed.Granted, []int32{8}) || !slices.Equal(placed.Conflicts, []int32{7}) {
		t.Errorf("%+v, %v", placed, err)
	}

	// Sold between the look and the placement, by this process and by the
	// other, which is the harder one: its sale is decided and not yet told.
	for seller, name := range map[*replica]string{a: "another", b: "this"} {
		seat := int32(20)
		if name == "this" {
			seat = 25
		}
		var once sync.Once
		shared.placing = func() {
			once.Do(func() {
				seller.book(t, booking.Request{EventID: id, Seats: 1, SeatNumbers: []int32{seat}}, db.Person(t))
			})
		}
		placed, err := b.Hold(ctx, as(db.Person(t)), id, []int32{seat, seat + 1})
		if err != nil || !slices.Equal(placed.Granted, []int32{seat + 1}) || !slices.Equal(placed.Conflicts, []int32{seat}) {
			t.Errorf("sold by %s process: %+v, %v", name, placed, err)
		}
		shared.placing = nil
	}
	// Decided by this process before the placement, and written after it.
	sold := make(chan error, 1)
	decided, written := make(chan struct{}), make(chan struct{})
	b.ledger.committing = func() { close(decided); <-written; b.ledger.committing = nil }
	var once sync.Once
	shared.placing = func() {
		once.Do(func() {
			go func() {
				_, err := b.Book(ctx, as(db.Person(t)), booking.Request{EventID: id, Seats: 1, SeatNumbers: []int32{15}})
				sold <- err
			}()
			<-decided
		})
	}
	placed, err = b.Hold(ctx, as(db.Person(t)), id, []int32{15, 16})
	close(written)
	if err != nil || !slices.Equal(placed.Granted, []int32{16}) || !slices.Equal(placed.Conflicts, []int32{15}) {
		t.Errorf("sold by a batch that is being written: %+v, %v", placed, err)
	}
	if err := <-sold; err != nil {
		t.Error(err)
	}
	shared.placing = nil

	shared.away.Store(true)
	if _, err := b.Hold(ctx, as(db.Person(t)), id, []int32{28}); !errors.Is(err, booking.ErrHoldsAway) {
		t.Errorf("without the coordinator: %v", err)
	}
	b.book(t, booking.Request{EventID: id, Seats: 1, SeatNumbers: []int32{28}}, db.Person(t))
	db.CheckClean(t)
}

// oneLock is a submit lock that the test holds.
type oneLock struct {
	mu    sync.Mutex
	taken map[uint64]bool
}

func (l *oneLock) Lock(_ context.Context, _, _ uuid.UUID, ask uint64) (func(), bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.taken[ask] {
		return func() {}, false
	}
	l.taken[ask] = true
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.taken, ask)
	}, true
}

// TestARequestSentAgainWhileItsFirstIsInFlight stands in the first's way at the
// locks, and sends it again to another process.
func TestARequestSentAgainWhileItsFirstIsInFlight(t *testing.T) {
	db := testkit.NewDB(t)
	org, _ := db.Org(t)
	id := db.Event(t, org, 30, testkit.EventOptions{})
	shared := newCoordinator()
	lock := &oneLock{taken: map[uint64]bool{}}
	with := sharing{options: []booking.ServiceOption{booking.WithSubmitLock(lock)}}
	a, b := newReplica(t, db, shared, with), newReplica(t, db, shared, with)
	ctx := context.Background()
	who := db.Person(t)
	q := booking.Request{EventID: id, Seats: 1, Key: booking.Key{Value: "k"}}

	tx, err := db.System.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(ctx, `SELECT 1 FROM events WHERE id = $1 FOR UPDATE`, id); err != nil {
		t.Fatal(err)
	}
	first := make(chan booking.Booking)
	go func() {
		got, err := a.Book(ctx, as(who), q)
		if err != nil {
			t.Error(err)
		}
		first <- got
	}()
	for taken := false; !taken; {
		lock.mu.Lock()
		taken = len(lock.taken) > 0
		lock.mu.Unlock()
	}
	if _, err := b.Book(ctx, as(who), q); !errors.Is(err, booking.ErrDuplicate) {
		t.Errorf("sent again in flight: %v", err)
	}
	other := q
	other.Seats = 2
	other.Key = booking.Key{Value: "another"}
	if err := tx.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	got := <-first
	if _, err := b.Book(ctx, as(who), other); err != nil {
		t.Errorf("another request: %v", err)
	}
	// The lock may be lost with its owner; the answer is there nevertheless.
	if again, err := b.Book(ctx, as(who), q); err != nil || again.ID != got.ID {
		t.Errorf("sent again afterwards: %+v, %v", again, err)
	}
	lock.mu.Lock()
	left := len(lock.taken)
	lock.mu.Unlock()
	if left != 0 {
		t.Errorf("%d locks are left", left)
	}
	db.CheckClean(t)
}

// TestHistoryIsInOrderOverClocksThatDiffer lets two replicas whose clocks
// differ by five seconds, either way, change one booking in turn. The checker
// reads histories in the order of their ids.
func TestHistoryIsInOrderOverClocksThatDiffer(t *testing.T) {
	for _, ahead := range []time.Duration{5 * time.Second, -5 * time.Second} {
		t.Run(ahead.String(), func(t *testing.T) {
			db := testkit.NewDB(t)
			org, _ := db.Org(t)
			id := db.Event(t, org, 3, testkit.EventOptions{WaitlistPolicy: "fit"})
			shared := newCoordinator()
			a := newReplica(t, db, shared, sharing{now: func() time.Time { return time.Now().Add(ahead) }})
			b := newReplica(t, db, shared, sharing{})
			ctx := context.Background()
			first := a.book(t, booking.Request{EventID: id, Seats: 3}, db.Person(t))
			var waiting []booking.Booking
			for i, r := range []*replica{a, b, a, b} {
				w := r.book(t, booking.Request{EventID: id, Seats: 1 + int32(i%2)}, db.Person(t))
				if w.Status != booking.Waiting {
					t.Fatalf("%+v", w)
				}
				waiting = append(waiting, w)
			}
			if _, err := b.CancelSeats(ctx, as(first.UserID), first.ID, []int32{1}, booking.Key{}); err != nil {
				t.Fatal(err)
			}
			if _, err := a.Cancel(ctx, as(first.UserID), first.ID, booking.Key{}); err != nil {
				t.Fatal(err)
			}
			// A process that begins knows the newest id, too.
			fresh := newReplica(t, db, shared, sharing{now: func() time.Time { return time.Now().Add(-5 * time.Second) }})
			if _, err := fresh.Cancel(ctx, as(waiting[0].UserID), waiting[0].ID, booking.Key{}); err != nil {
				t.Fatal(err)
			}
			entries, err := b.History(ctx, as(first.UserID), first.ID)
			if err != nil || len(entries) != 3 || entries[2].Action != booking.ActCancelled {
				t.Errorf("history %+v, %v", entries, err)
			}
			var unordered int
			if err := db.System.QueryRow(ctx, `
				SELECT count(*) FROM (
				  SELECT h.id, lag(h.id) OVER (ORDER BY c.version, h.id) AS before
				  FROM booking_history h JOIN LATERAL (SELECT xmin::text::bigint AS version) c ON true) o
				WHERE id < before`).Scan(&unordered); err != nil || unordered > 0 {
				t.Errorf("%d changes have an id below that of an earlier one, %v", unordered, err)
			}
			db.CheckClean(t)
		})
	}
}
