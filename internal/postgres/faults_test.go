package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/booking"
	"happening/internal/event"
	"happening/internal/memory"
	"happening/internal/postgres"
	"happening/internal/testkit"
)

// faulty is a ledger whose answers get lost, that is away now and then, and
// that refuses batches with a poisonous order in them.
type faulty struct {
	booking.Ledger
	mu     sync.Mutex
	rnd    *rand.Rand
	share  float64 // how many of the writes go wrong
	poison uuid.UUID
	// late are batches that were cut off before they were written and arrive
	// later, from a connection that nobody listens to any more.
	late func(*booking.Batch)
	hit  map[string]int
	// refused are the sizes of the batches that were refused for the poison in
	// them, and committing runs before each write that is not under locks.
	refused    []int
	committing func()
}

var errPoison = errors.New("value too poisonous for type")

func (f *faulty) chance(kinds int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.rnd.Float64() >= f.share {
		return -1
	}
	return f.rnd.IntN(kinds)
}

func (f *faulty) count(kind string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hit[kind]++
}

// kinds is how many kinds of faults have happened.
func (f *faulty) kinds() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.hit)
}

func (f *faulty) poisonous(b *booking.Batch) bool {
	for i := range b.Changes {
		if b.Changes[i].UserID == f.poison {
			f.mu.Lock()
			f.refused = append(f.refused, len(b.Changes))
			f.mu.Unlock()
			return true
		}
	}
	return false
}

// Commit writes, or doesn't, and may lose the answer in either case.
func (f *faulty) Commit(ctx context.Context, b *booking.Batch) error {
	if f.committing != nil {
		f.committing()
	}
	if f.poisonous(b) {
		f.count("poison")
		return errPoison
	}
	switch f.chance(4) {
	case 0:
		f.count("written, answer lost")
		if err := f.Ledger.Commit(ctx, b); err != nil {
			return err
		}
		return fmt.Errorf("%w: connection reset", booking.ErrUnknown)
	case 1:
		f.count("not written, answer lost")
		return fmt.Errorf("%w: connection reset", booking.ErrUnknown)
	case 2:
		f.count("away")
		return fmt.Errorf("%w: connection refused", booking.ErrUnreached)
	case 3:
		f.count("not written yet, answer lost")
		f.late(b)
		return fmt.Errorf("%w: connection reset", booking.ErrUnknown)
	}
	return f.Ledger.Commit(ctx, b)
}

// Rework loses the answers of writes under the locks, too.
func (f *faulty) Rework(ctx context.Context, known []booking.Known, keys []booking.KeyOf, probe uuid.UUID, fn func(booking.Fresh) (*booking.Batch, error)) error {
	kind := f.chance(3)
	if kind == 0 {
		f.count("away under locks")
		return fmt.Errorf("%w: connection refused", booking.ErrUnreached)
	}
	cut := errors.New("cut")
	err := f.Ledger.Rework(ctx, known, keys, probe, func(fresh booking.Fresh) (*booking.Batch, error) {
		b, err := fn(fresh)
		if err == nil && b != nil && f.poisonous(b) {
			return nil, errPoison
		}
		if err == nil && kind == 1 && b != nil && len(b.Changes) > 0 {
			return nil, cut // rolled back, and the caller is not told
		}
		return b, err
	})
	switch {
	case errors.Is(err, cut):
		f.count("rolled back under locks, answer lost")
		return fmt.Errorf("%w: connection reset", booking.ErrUnknown)
	case err == nil && kind == 2:
		f.count("written under locks, answer lost")
		return fmt.Errorf("%w: connection reset", booking.ErrUnknown)
	}
	return err
}

// newFaultySeller is a replica on a faulty ledger, and what it was late with.
func newFaultySeller(t *testing.T, db *testkit.DB, share float64, poison uuid.UUID) (*seller, *faulty) {
	t.Helper()
	ledger, err := postgres.NewLedger(context.Background(), db.ConnString)
	if err != nil {
		t.Fatal(err)
	}
	other, err := postgres.NewLedger(context.Background(), db.ConnString)
	if err != nil {
		t.Fatal(err)
	}
	f := &faulty{Ledger: ledger, rnd: rand.New(rand.NewPCG(1, 2)), share: share, poison: poison, hit: map[string]int{}}
	var lateWrites sync.WaitGroup
	f.late = func(b *booking.Batch) {
		copied := *b
		lateWrites.Go(func() { _ = other.Commit(context.Background(), &copied) })
	}
	holds := memory.NewHolds(memory.HoldsOptions{Now: time.Now})
	log := slog.New(slog.DiscardHandler)
	alloc := booking.NewAllocator(f, holds, time.Now, log, func(booking.Committed) {})
	go alloc.Run()
	t.Cleanup(func() {
		if err := alloc.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		lateWrites.Wait()
		ledger.Close()
		other.Close()
	})
	return &seller{
		Service: booking.NewService(alloc, holds, postgres.NewBookingStore(db.DB), postgres.NewOrgStore(db.DB), time.Now, log),
		alloc:   alloc, ledger: ledger, holds: holds,
	}, f
}

// TestEveryAnswerIsTrueOverLostAnswers books through a ledger that loses every
// third answer: whoever is told of a booking has it, whoever is told nothing
// is told by the key, and nothing else is there.
func TestEveryAnswerIsTrueOverLostAnswers(t *testing.T) {
	db := testkit.NewDB(t)
	org, _ := db.Org(t)
	event := db.Event(t, org, 300, testkit.EventOptions{})
	s, f := newFaultySeller(t, db, 0.35, uuid.Nil)
	ctx := context.Background()
	var mu sync.Mutex
	told := map[uuid.UUID]booking.Booking{}
	people := db.People(t, 40)
	asked := 0
	// order books for somebody under their nth key, and may cancel it again.
	order := func(rnd *rand.Rand, who uuid.UUID, n int) bool {
		q := booking.Request{EventID: event, Seats: 1 + rnd.Int32N(3), Key: booking.Key{Value: fmt.Sprint(n)}}
		b, err := s.Book(ctx, as(who), q)
		for tries := 0; errors.Is(err, booking.ErrAway) && tries < 50; tries++ {
			b, err = s.Book(ctx, as(who), q)
		}
		if err != nil {
			t.Errorf("booking: %v", err)
			return false
		}
		if rnd.IntN(3) == 0 {
			if e, err := s.Cancel(ctx, as(who), b.ID, booking.Key{Value: fmt.Sprint("c", n)}); err == nil {
				b = e.Booking
			} else if !errors.Is(err, booking.ErrAway) {
				t.Errorf("cancel: %v", err)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		asked++
		told[b.ID] = b
		return true
	}
	var wg sync.WaitGroup
	for i, who := range people {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(i), 3))
			for n := range 25 {
				if !order(rnd, who, n) {
					return
				}
			}
		})
	}
	wg.Wait()
	// How many writes that took is the machine's affair: as many as all but one of
	// the faults need to happen are made.
	const most, kinds = 2_000, 6
	late := rand.New(rand.NewPCG(40, 3))
	for n := 25; n < most && f.kinds() < kinds && order(late, people[0], n); n++ {
	}
	rows, err := db.System.Query(ctx, "SELECT id FROM bookings")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	stored := 0
	for rows.Next() {
		var id uuid.UUID
		if err := rows.Scan(&id); err != nil {
			t.Fatal(err)
		}
		stored++
		if _, ok := told[id]; !ok {
			t.Errorf("booking %s is stored and nobody was told", id)
		}
	}
	if stored != len(told) || stored != asked || asked < len(people)*25 {
		t.Errorf("%d stored, %d told, %d asked for", stored, len(told), asked)
	}
	for kind, n := range f.hit {
		t.Logf("%s: %d×", kind, n)
	}
	if len(f.hit) < kinds {
		t.Errorf("only these faults happened: %v", f.hit)
	}
	db.CheckClean(t)
}

// TestAPoisonousOrderHarmsNobodyElse has a hundred orders in one batch for
// certain, since the worker is held up by one before them. The database refuses
// all of it, at first and once more under the locks: who did not halve it would
// serve none of them.
func TestAPoisonousOrderHarmsNobodyElse(t *testing.T) {
	db := testkit.NewDB(t)
	org, _ := db.Org(t)
	event := db.Event(t, org, 300, testkit.EventOptions{})
	people := db.People(t, 102)
	known, first, people := people[0], people[1], people[2:]
	s, f := newFaultySeller(t, db, 0, people[37])
	book := func(who uuid.UUID) {
		if _, err := s.Book(context.Background(), as(who), booking.Request{EventID: event, Seats: 1}); err != nil {
			t.Error(err)
		}
	}
	book(known) // what is in memory is written without locks
	begun, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	f.committing = func() { once.Do(func() { close(begun); <-release }) }
	var before sync.WaitGroup
	before.Go(func() { book(first) })
	<-begun
	before.Go(func() {
		defer close(release)
		for s.alloc.QueueLength() < len(people) {
			time.Sleep(time.Millisecond) // the queue has no signal to wait for
		}
	})
	told, refused := rush([]*seller{s}, event, people)
	before.Wait()
	if len(told) != 99 || refused != 1 {
		t.Errorf("%d served, %d refused", len(told), refused)
	}
	if len(f.refused) < 3 || f.refused[0] != 100 || f.refused[1] != 100 || f.refused[len(f.refused)-1] != 1 {
		t.Errorf("batches of %v orders were refused, not all hundred, twice, and so on to the one: nothing is shown", f.refused)
	}
	db.CheckClean(t)
}

func TestWhoGivesUpInTheQueueIsNotServed(t *testing.T) {
	db := testkit.NewDB(t)
	org, _ := db.Org(t)
	event := db.Event(t, org, 10, testkit.EventOptions{})
	s := newSeller(t, db)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Event(context.Background(), as(db.Person(t)), event, "event.read"); err != nil {
		t.Fatal(err)
	}
	for range 50 {
		if _, err := s.Book(ctx, as(db.Person(t)), booking.Request{EventID: event, Seats: 1}); err == nil {
			continue // it was taken before the caller gave up: served and told
		} else if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if _, err := s.Book(context.Background(), as(db.Person(t)), booking.Request{EventID: event, Seats: 1}); err != nil {
		t.Fatal(err)
	}
	db.CheckClean(t)
}

func TestAStoppedAllocatorFinishesItsQueueAndRefusesMore(t *testing.T) {
	db := testkit.NewDB(t)
	org, _ := db.Org(t)
	event := db.Event(t, org, 1000, testkit.EventOptions{})
	s := newSeller(t, db)
	people := db.People(t, 300)
	var told []booking.Booking
	done := make(chan struct{})
	go func() { told, _ = rush([]*seller{s}, event, people); close(done) }()
	if _, err := s.Event(context.Background(), as(people[0]), event, "event.read"); err != nil {
		t.Fatal(err)
	}
	if err := s.alloc.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	<-done
	var stored int
	if err := db.System.QueryRow(context.Background(), "SELECT count(*) FROM bookings").Scan(&stored); err != nil || stored != len(told) {
		t.Errorf("%d stored, %d told, %v", stored, len(told), err)
	}
	if _, err := s.Book(context.Background(), as(people[0]), booking.Request{EventID: event, Seats: 1}); !errors.Is(err, booking.ErrAway) {
		t.Errorf("after the stop: %v", err)
	}
	db.CheckClean(t)
}

// TestNobodyWaitsBehindThoseWhoGaveUp fills the queue with orders whose callers
// are gone and puts one behind them whose caller waits.
func TestNobodyWaitsBehindThoseWhoGaveUp(t *testing.T) {
	db := testkit.NewDB(t)
	org, _ := db.Org(t)
	event := db.Event(t, org, 10, testkit.EventOptions{})
	ledger, err := postgres.NewLedger(context.Background(), db.ConnString)
	if err != nil {
		t.Fatal(err)
	}
	defer ledger.Close()
	holds := memory.NewHolds(memory.HoldsOptions{Now: time.Now})
	log := slog.New(slog.DiscardHandler)
	alloc := booking.NewAllocator(ledger, holds, time.Now, log, func(booking.Committed) {})
	gone, giveUp := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for range 2*booking.BatchMax + 100 {
		wg.Go(func() { alloc.Do(gone, event, uuid.Nil, booking.Key{}, booking.Promote{}) })
	}
	for alloc.QueueLength() < 2*booking.BatchMax+100 {
		time.Sleep(time.Millisecond) // the queue has no signal to wait for: nobody works yet
	}
	giveUp()
	wg.Wait()
	patient := make(chan booking.Answer)
	who := db.Person(t)
	go func() {
		patient <- alloc.Do(context.Background(), event, who, booking.Key{}, booking.Book{UserID: who, Seats: 1})
	}()
	for alloc.QueueLength() < 2*booking.BatchMax+101 {
		time.Sleep(time.Millisecond)
	}
	go alloc.Run()
	select {
	case answer := <-patient:
		if answer.Err != nil {
			t.Error(answer.Err)
		}
	case <-time.After(time.Minute):
		t.Error("the patient caller is not served")
	}
	if err := alloc.Stop(context.Background()); err != nil {
		t.Error(err)
	}
}

// TestAnEditWhoseAnswerWasLostIsAnsweredOnce changes settings through a ledger
// that loses answers: what was written counts, once.
func TestAnEditWhoseAnswerWasLostIsAnsweredOnce(t *testing.T) {
	db := testkit.NewDB(t)
	org, admin := db.Org(t)
	s, f := newFaultySeller(t, db, 0.5, uuid.Nil)
	for i := range 12 {
		id := db.Event(t, org, 10, testkit.EventOptions{})
		name := fmt.Sprintf("New name %d", i)
		e, err := s.EditEvent(context.Background(), as(admin), id, event.Patch{Name: &name}, 1)
		if err != nil || e.Name != name || e.Revision != 2 {
			t.Errorf("edit: %q revision %d, %v", e.Name, e.Revision, err)
		}
		if _, err := s.CancelEvent(context.Background(), as(admin), id); err != nil {
			t.Errorf("cancel: %v", err)
		}
	}
	if f.hit["written under locks, answer lost"] == 0 {
		t.Errorf("no answer was lost: %v", f.hit)
	}
	db.CheckClean(t)
}

// TestASweepReachesEverybody has more blocked waitlists than a page of the
// sweep, and one that can be served.
func TestASweepReachesEverybody(t *testing.T) {
	db := testkit.NewDB(t)
	org, _ := db.Org(t)
	s := newSeller(t, db)
	ctx := context.Background()
	who := db.Person(t)
	if _, err := db.System.Exec(ctx, `
		INSERT INTO events (id, org_id, name, category, starts_at, ends_at, time_zone, total_slots, available_slots, waiting_parties, last_waiting,
		                    visibility, waitlist_policy, created_by)
		SELECT gen_random_uuid(), $1, 'Blocked', 'meetup', now() + interval '1 day', now() + interval '2 days', 'UTC', 5, 5, 1, 1, 'public', 'strict', $2
		FROM generate_series(1, 620)`, org, who); err != nil {
		t.Fatal(err)
	}
	// What they wait for is as little there as the bookings: only the figures say so.
	id := db.Event(t, org, 2, testkit.EventOptions{})
	first, err := s.Book(ctx, as(db.Person(t)), booking.Request{EventID: id, Seats: 2})
	if err != nil {
		t.Fatal(err)
	}
	waiting, err := s.Book(ctx, as(who), booking.Request{EventID: id, Seats: 1})
	if err != nil || waiting.Status != booking.Waiting {
		t.Fatalf("%+v, %v", waiting, err)
	}
	// A hold on each freed seat keeps the promotion back, and is lost with the
	// process that kept it.
	if _, err := s.holds.Place(ctx, booking.Placement{EventID: id, UserID: uuid.New(), Seats: []int32{1, 2}, Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Cancel(ctx, as(first.UserID), first.ID, booking.Key{}); err != nil {
		t.Fatal(err)
	}
	again := newSeller(t, db)
	if err := again.Sweep(ctx); err != nil {
		t.Fatal(err)
	}
	if b, err := again.Get(ctx, as(who), waiting.ID); err != nil || b.Status != booking.Confirmed {
		t.Errorf("after a sweep: %+v, %v", b.State, err)
	}
}

// TestAnInventoryThatIsWrongIsReadAnew changes the books behind the
// allocator's back, on the same version: the order is decided on what is true.
func TestAnInventoryThatIsWrongIsReadAnew(t *testing.T) {
	db := testkit.NewDB(t)
	org, _ := db.Org(t)
	id := db.Event(t, org, 10, testkit.EventOptions{})
	s := newSeller(t, db)
	ctx := context.Background()
	who := db.Person(t)
	b, err := s.Book(ctx, as(who), booking.Request{EventID: id, Seats: 2})
	if err != nil {
		t.Fatal(err)
	}
	db.AsOwner(t, fmt.Sprintf(`
		UPDATE booking_seats SET seat_no = seat_no + 5 WHERE booking_id = '%s';
		UPDATE booking_history SET details = jsonb_set(details, '{to,seat_numbers}', '[6, 7]') WHERE booking_id = '%s'`, b.ID, b.ID))
	if _, err := s.Cancel(ctx, as(who), b.ID, booking.Key{}); err != nil {
		t.Errorf("cancel: %v", err)
	}
	db.CheckClean(t)
}
