package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"

	"github.com/google/uuid"

	"happening/internal/booking"
	"happening/internal/testkit"
)

// fakeMirror is a mirror that lies as the test wants.
type fakeMirror struct {
	mu   sync.Mutex
	has  map[uuid.UUID]booking.Figures
	seen map[string]booking.Figures // by event and version: what it was compared with
	odd  []string                   // comparisons with two truths for one version

	contents string // its name, until it is flushed
	noted    booking.Progress
	compared int          // events, over all comparisons
	before   func() error // runs before each comparison, which fails with it; nil: nothing
}

func newFakeMirror() *fakeMirror {
	m := &fakeMirror{seen: map[string]booking.Figures{}}
	m.flush()
	return m
}

// flush loses all that the mirror has.
func (m *fakeMirror) flush() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.has, m.noted, m.contents = map[uuid.UUID]booking.Figures{}, booking.Progress{}, uuid.NewString()
}

func (m *fakeMirror) Progress(context.Context) (booking.Progress, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.noted.Contents != m.contents {
		return booking.Progress{Contents: m.contents}, nil
	}
	return m.noted, nil
}

func (m *fakeMirror) Note(_ context.Context, p booking.Progress) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.noted = p
	return nil
}

func (m *fakeMirror) events() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.has)
}

func same(a, b booking.Figures) bool {
	return a.Version == b.Version && a.Available == b.Available && len(a.Waitlist) == len(b.Waitlist) &&
		(len(a.Waitlist) == 0 || reflect.DeepEqual(a.Waitlist, b.Waitlist))
}

func (m *fakeMirror) Compare(_ context.Context, figures []booking.Figures) (found []booking.Difference, err error) {
	if m.before != nil {
		if err := m.before(); err != nil {
			return nil, err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.compared += len(figures)
	for _, f := range figures {
		at := fmt.Sprint(f.EventID, f.Version)
		if before, ok := m.seen[at]; ok && !same(before, f) {
			m.odd = append(m.odd, fmt.Sprintf("%+v and %+v", before, f))
		}
		m.seen[at] = f
		had := m.has[f.EventID]
		if same(had, f) {
			continue
		}
		d := booking.Difference{EventID: f.EventID, Version: had.Version, Ahead: had.Version > f.Version, Had: fmt.Sprint(had.Available), Figures: f}
		if !d.Ahead {
			m.has[f.EventID] = f
		}
		found = append(found, d)
	}
	return found, nil
}

func (m *fakeMirror) Correct(_ context.Context, ahead booking.Difference, truth booking.Figures) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.has[ahead.EventID].Version == ahead.Version {
		m.has[ahead.EventID] = truth
	}
	return nil
}

func (m *fakeMirror) says(id uuid.UUID, version int64, available int32, waitlist ...uuid.UUID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.has[id] = booking.Figures{EventID: id, Version: version, Available: available, Waitlist: waitlist}
}

func (m *fakeMirror) at(id uuid.UUID) booking.Figures {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.has[id]
}

// truthOf reads what the mirror should have.
func truthOf(t *testing.T, db *testkit.DB, id uuid.UUID) booking.Figures {
	t.Helper()
	var f booking.Figures
	f.EventID = id
	if err := db.System.QueryRow(context.Background(), `
		SELECT version, available_slots, ARRAY(SELECT user_id FROM bookings WHERE event_id = e.id AND status = 'waiting' ORDER BY waiting_number)
		FROM events e WHERE id = $1`, id).Scan(&f.Version, &f.Available, &f.Waitlist); err != nil {
		t.Fatal(err)
	}
	return f
}

// TestAMirrorIsRepairedWhicheverWayItLies breaks the mirror in every way that a
// store can lie and lets each of both repairs mend it.
func TestAMirrorIsRepairedWhicheverWayItLies(t *testing.T) {
	ctx := context.Background()
	for _, command := range []bool{false, true} {
		t.Run(fmt.Sprintf("reconcile %t", command), func(t *testing.T) {
			db := testkit.NewDB(t)
			org, _ := db.Org(t)
			id := db.Event(t, org, 2, testkit.EventOptions{})
			mirror := newFakeMirror()
			r := newReplica(t, db, newCoordinator(), sharing{options: []booking.ServiceOption{booking.WithMirror(mirror)}})
			r.book(t, booking.Request{EventID: id, Seats: 2}, db.Person(t))
			for range 3 {
				r.book(t, booking.Request{EventID: id, Seats: 1}, db.Person(t))
			}
			truth := truthOf(t, db, id)
			for name, lie := range map[string]func(){
				"nothing there":         func() { mirror.says(id, 0, 0) },
				"more seats than free":  func() { mirror.says(id, truth.Version, 7, truth.Waitlist...) },
				"the wrong order":       func() { mirror.says(id, truth.Version, 0, truth.Waitlist[2], truth.Waitlist[1], truth.Waitlist[0]) },
				"behind":                func() { mirror.says(id, truth.Version-1, 0, truth.Waitlist[:2]...) },
				"ahead of what is true": func() { mirror.says(id, truth.Version+1000, 2) },
			} {
				lie()
				var told []booking.Difference
				var err error
				if command {
					err = r.Reconcile(ctx, func(d booking.Difference) { told = append(told, d) })
				} else {
					err = r.Repair(ctx)
				}
				if got := mirror.at(id); err != nil || !same(got, truth) {
					t.Errorf("%s: %+v is left of %+v, %v", name, got, truth, err)
				}
				if command && (len(told) != 1 || told[0].EventID != id) {
					t.Errorf("%s: told %+v", name, told)
				}
			}
		})
	}
}

// TestAMirrorThatLostEverythingIsFilled has events in no process's memory and a
// mirror that knows none of them, in the ways in which that comes about. The
// control is the repair of what is in memory, which leaves it at that.
func TestAMirrorThatLostEverythingIsFilled(t *testing.T) {
	const events = 2*booking.FillPage + 2
	ctx := context.Background()
	db := testkit.NewDB(t)
	org, _ := db.Org(t)
	var ids []uuid.UUID
	for range events {
		ids = append(ids, db.Event(t, org, 2, testkit.EventOptions{}))
	}
	mirror, shared := newFakeMirror(), newCoordinator()
	with := sharing{options: []booking.ServiceOption{booking.WithMirror(mirror)}}
	seller := newReplica(t, db, shared, sharing{}) // tells the mirror of nothing
	sold := []uuid.UUID{ids[0], ids[booking.FillPage], ids[events-1]}
	for _, id := range sold {
		for range 3 { // one of them waits
			seller.book(t, booking.Request{EventID: id, Seats: 1}, db.Person(t))
		}
	}
	one, two := newReplica(t, db, shared, with), newReplica(t, db, shared, with)
	// Nothing of it passes the worker that decides orders, so none waits for it.
	if err := two.alloc.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	// filled wants the whole mirror, after so many comparisons.
	filled := func(comparisons int) {
		t.Helper()
		if mirror.compared != comparisons || mirror.events() != events || !mirror.noted.Whole {
			t.Errorf("%d events are there, %d were compared instead of %d, %+v is noted", mirror.events(), mirror.compared, comparisons, mirror.noted)
		}
		for _, id := range sold {
			if truth := truthOf(t, db, id); !same(mirror.at(id), truth) || len(truth.Waitlist) != 1 {
				t.Errorf("%+v is there, PostgreSQL has %+v", mirror.at(id), truth)
			}
		}
		mirror.compared = 0
	}
	fill := func(r *replica) {
		t.Helper()
		if err := r.Fill(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := one.Repair(ctx); err != nil || mirror.events() != 0 {
		t.Fatalf("the control: the repair has brought %d events, %v", mirror.events(), err)
	}
	fill(one)
	if mirror.noted.Events != events || mirror.noted.Differed != events {
		t.Errorf("%+v is noted of %d events", mirror.noted, events)
	}
	filled(events)
	for _, r := range []*replica{one, two} { // not again, whoever is called
		fill(r)
	}
	filled(0)

	// Away after the first page: another process goes on there.
	mirror.flush()
	pages, failed := 0, errors.New("the mirror is away")
	mirror.before = func() error {
		if pages++; pages == 2 {
			return failed
		}
		return nil
	}
	if err := one.Fill(ctx); !errors.Is(err, failed) || mirror.noted.Events != booking.FillPage || mirror.noted.Whole {
		t.Errorf("%+v is noted, %v", mirror.noted, err)
	}
	fill(two)
	filled(events)

	// Lost between two pages: what was compared before counts for nothing.
	mirror.flush()
	pages = 0
	mirror.before = func() error {
		if pages++; pages == 2 {
			mirror.flush()
		}
		return nil
	}
	fill(one)
	filled(2*booking.FillPage + events)
}

func TestAMirrorAheadOfOneProcessIsNotTakenForALie(t *testing.T) {
	db := testkit.NewDB(t)
	org, _ := db.Org(t)
	id := db.Event(t, org, 5, testkit.EventOptions{})
	mirror, shared := newFakeMirror(), newCoordinator()
	with := sharing{options: []booking.ServiceOption{booking.WithMirror(mirror)}}
	a, b := newReplica(t, db, shared, with), newReplica(t, db, shared, with)
	ctx := context.Background()
	if _, err := b.alloc.Live(ctx, id); err != nil {
		t.Fatal(err)
	}
	a.book(t, booking.Request{EventID: id, Seats: 2}, db.Person(t))
	truth := truthOf(t, db, id)
	mirror.says(id, truth.Version, truth.Available)
	if err := b.Repair(ctx); err != nil || !same(mirror.at(id), truth) {
		t.Errorf("the mirror has %+v, %v", mirror.at(id), err)
	}
	if v := b.alloc.Peek(id).Event().Version; v != truth.Version {
		t.Errorf("the process that was behind is at version %d", v)
	}
}

// TestTheMirrorIsComparedWithWhatIsCommitted repairs all through a rush: no
// version has two truths, so that nothing undecided is ever mirrored.
func TestTheMirrorIsComparedWithWhatIsCommitted(t *testing.T) {
	db := testkit.NewDB(t)
	org, _ := db.Org(t)
	id := db.Event(t, org, 500, testkit.EventOptions{})
	mirror, shared := newFakeMirror(), newCoordinator()
	with := sharing{options: []booking.ServiceOption{booking.WithMirror(mirror)}}
	a, b := newReplica(t, db, shared, with), newReplica(t, db, shared, with)
	ctx := context.Background()
	people := db.People(t, 1000)
	done := make(chan struct{})
	go func() {
		defer close(done)
		var wg sync.WaitGroup
		for i, who := range people {
			wg.Go(func() {
				r := []*replica{a, b}[i%2]
				if _, err := r.Book(ctx, as(who), booking.Request{EventID: id, Seats: 1}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}()
	for rushing := true; rushing; {
		select {
		case <-done:
			rushing = false
		default:
		}
		for _, r := range []*replica{a, b} {
			if err := r.Repair(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	if truth := truthOf(t, db, id); !same(mirror.at(id), truth) || len(truth.Waitlist) != 500 {
		t.Errorf("the mirror has %+v, PostgreSQL %+v", mirror.at(id), truth)
	}
	for _, odd := range mirror.odd {
		t.Errorf("two truths for one version: %s", odd)
	}
}

func TestTheCheckerFindsALyingMirrorAndAHoldOnASoldSeat(t *testing.T) {
	db := testkit.NewDB(t)
	org, _ := db.Org(t)
	id := db.Event(t, org, 5, testkit.EventOptions{})
	mirror, shared := newFakeMirror(), newCoordinator()
	r := newReplica(t, db, shared, sharing{options: []booking.ServiceOption{booking.WithMirror(mirror)}})
	ctx := context.Background()
	r.book(t, booking.Request{EventID: id, Seats: 2, SeatNumbers: []int32{1, 2}}, db.Person(t))
	truth := truthOf(t, db, id)
	check := func(want int) {
		t.Helper()
		if found, err := r.CheckMirror(ctx); err != nil || len(found) != want {
			t.Errorf("%d breaches wanted: %v, %v", want, found, err)
		}
	}
	mirror.says(id, truth.Version-1, 5) // is told of the sale right now
	check(0)
	mirror.says(id, truth.Version, 5)
	check(1)
	mirror.says(id, truth.Version+9, truth.Available)
	check(1)
	mirror.says(id, truth.Version, truth.Available)
	check(0)
	if _, err := shared.Holds.Place(ctx, booking.Placement{EventID: id, UserID: uuid.New(), Seats: []int32{2, 3}, SaleVersion: truth.Version}); err != nil {
		t.Fatal(err)
	}
	check(1)
}
