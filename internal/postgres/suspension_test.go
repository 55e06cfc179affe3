package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/audit"
	"happening/internal/booking"
	"happening/internal/event"
	"happening/internal/fault"
	"happening/internal/org"
	"happening/internal/postgres"
	"happening/internal/testkit"
)

// picture makes a PNG.
func picture(width, height int) []byte {
	p := image.NewNRGBA(image.Rect(0, 0, width, height))
	for x := range width {
		p.SetNRGBA(x, 0, color.NRGBA{R: 200, A: 255})
	}
	var b bytes.Buffer
	if err := png.Encode(&b, p); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// suspending is one process with the organizations' use cases beside it.
type suspending struct {
	*replica
	db     *testkit.DB
	orgs   *org.Service
	store  *postgres.OrgStore
	org    uuid.UUID
	member uuid.UUID
	now    func() time.Time
}

func newSuspending(t *testing.T) *suspending {
	t.Helper()
	s := &suspending{db: testkit.NewDB(t), now: func() time.Time { return time.Now().Truncate(time.Microsecond) }}
	s.org, _ = s.db.Org(t)
	s.member = s.db.Person(t)
	s.db.Member(t, s.org, s.member, "user")
	s.store = postgres.NewOrgStore(s.db.DB)
	s.orgs = org.NewService(s.store, "http://localhost:3000", s.now)
	s.replica = newReplica(t, s.db, newCoordinator(), sharing{now: s.now, alone: true})
	return s
}

func (s *suspending) suspend(t *testing.T) {
	t.Helper()
	if _, changed, err := s.orgs.Suspend(t.Context(), s.org); err != nil || !changed {
		t.Fatalf("suspend: changed %t, %v", changed, err)
	}
}

func (s *suspending) resume(t *testing.T) {
	t.Helper()
	if _, changed, err := s.orgs.Resume(t.Context(), s.org); err != nil || !changed {
		t.Fatalf("resume: changed %t, %v", changed, err)
	}
}

// A process that has an event in memory and hears of nothing can't sell there
// after the organization was suspended, and can after it was resumed. The
// control leaves the events' versions where they are.
func TestNobodySellsOnAnOldStanding(t *testing.T) {
	ctx := context.Background()
	for _, control := range []bool{false, true} {
		t.Run(fmt.Sprintf("control %t", control), func(t *testing.T) {
			t.Parallel()
			s := newSuspending(t)
			id := s.db.Event(t, s.org, 10, testkit.EventOptions{})
			s.book(t, booking.Request{EventID: id, Seats: 1}, s.db.Person(t)) // in memory from now on
			if control {
				if _, _, err := s.store.SetSuspended(ctx, s.org, true, s.now(), suspendedRecord(s.org)); err != nil {
					t.Fatal(err)
				}
				s.book(t, booking.Request{EventID: id, Seats: 1}, s.db.Person(t))
				return
			}
			s.suspend(t)
			if _, err := s.Book(ctx, as(s.db.Person(t)), booking.Request{EventID: id, Seats: 1}); !errors.Is(err, fault.ErrNotFound) {
				t.Errorf("a stranger books: %v", err)
			}
			if _, err := s.Book(ctx, as(s.member), booking.Request{EventID: id, Seats: 1}); !errors.Is(err, event.ErrOrgSuspended) {
				t.Errorf("a member books: %v", err)
			}
			if _, err := s.Hold(ctx, as(s.member), id, []int32{5}); !errors.Is(err, event.ErrOrgSuspended) {
				t.Errorf("a member holds: %v", err)
			}
			s.resume(t)
			if _, err := s.alloc.Refresh(ctx, id); err != nil {
				t.Fatal(err)
			}
			s.book(t, booking.Request{EventID: id, Seats: 1}, s.db.Person(t))
			s.db.CheckClean(t)
		})
	}
}

func suspendedRecord(orgID uuid.UUID) audit.Entry {
	return audit.Entry{OrgID: orgID, Action: audit.OrgSuspended, SubjectID: orgID, At: time.Now()}
}

// What a process has in memory follows without any read of the event, and only
// that of the organizations named.
func TestMemoryFollowsTheStanding(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := newSuspending(t)
	other, _ := s.db.Org(t)
	id, elsewhere := s.db.Event(t, s.org, 10, testkit.EventOptions{}), s.db.Event(t, other, 10, testkit.EventOptions{})
	for _, e := range []uuid.UUID{id, elsewhere} {
		s.book(t, booking.Request{EventID: e, Seats: 1}, s.db.Person(t))
	}
	reads := s.ledger.reads.Load()
	if err := s.alloc.Suspended(ctx, map[uuid.UUID]bool{s.org: true, uuid.New(): true}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Event(ctx, access.Principal{}, id, access.EventRead); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("a visitor sees the seats: %v", err)
	}
	if _, err := s.Event(ctx, as(s.member), id, access.EventRead); err != nil {
		t.Errorf("a member does not: %v", err)
	}
	if _, err := s.Book(ctx, as(s.member), booking.Request{EventID: id, Seats: 1}); !errors.Is(err, event.ErrOrgSuspended) {
		t.Errorf("a member books: %v", err)
	}
	if _, err := s.Event(ctx, access.Principal{}, elsewhere, access.EventRead); err != nil {
		t.Errorf("another organization's event: %v", err)
	}
	if err := s.alloc.Suspended(ctx, map[uuid.UUID]bool{s.org: false}); err != nil {
		t.Fatal(err)
	}
	s.book(t, booking.Request{EventID: id, Seats: 1}, s.db.Person(t))
	if got := s.ledger.reads.Load(); got != reads {
		t.Errorf("%d reads", got-reads)
	}
}

// Who has booked may give it up while the organization is suspended; who waits
// gets the seats when it is resumed, not before.
func TestTheWaitlistRestsWhileSuspended(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := newSuspending(t)
	id := s.db.Event(t, s.org, 2, testkit.EventOptions{})
	first, second, third := s.db.Person(t), s.db.Person(t), s.db.Person(t)
	mine := s.book(t, booking.Request{EventID: id, Seats: 2}, first)
	waiting := s.book(t, booking.Request{EventID: id, Seats: 1}, second)
	leaving := s.book(t, booking.Request{EventID: id, Seats: 1}, third)
	if waiting.Status != booking.Waiting || leaving.Status != booking.Waiting {
		t.Fatalf("got %+v, %+v", waiting, leaving)
	}
	s.suspend(t)
	if _, err := s.Cancel(ctx, as(first), mine.ID, booking.Key{}); err != nil {
		t.Fatalf("a stranger can't cancel: %v", err)
	}
	if _, err := s.Cancel(ctx, as(third), leaving.ID, booking.Key{}); err != nil {
		t.Fatalf("a stranger can't stop waiting: %v", err)
	}
	if err := s.Sweep(ctx); err != nil {
		t.Fatal(err)
	}
	status := func() string {
		var status string
		if err := s.db.System.QueryRow(ctx, `SELECT status FROM bookings WHERE id = $1`, waiting.ID).Scan(&status); err != nil {
			t.Fatal(err)
		}
		return status
	}
	if got := status(); got != "waiting" {
		t.Errorf("while suspended: %s", got)
	}
	s.resume(t)
	if _, err := s.alloc.Refresh(ctx, id); err != nil {
		t.Fatal(err)
	}
	if err := s.Sweep(ctx); err != nil {
		t.Fatal(err)
	}
	if got := status(); got != "confirmed" {
		t.Errorf("after resuming: %s", got)
	}
	s.db.CheckClean(t)
}

// Events move on in steps; what a killed command has left undone is done later,
// and a standing that has changed again is not taken for done.
func TestEventsMoveOnInSteps(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := newSuspending(t)
	var ids []uuid.UUID
	for range 5 {
		ids = append(ids, s.db.Event(t, s.org, 2, testkit.EventOptions{}))
	}
	over := s.db.Event(t, s.org, 2, testkit.EventOptions{StartsIn: -48 * time.Hour})
	// The newest id that was drawn for an event goes on into its new version.
	s.book(t, booking.Request{EventID: ids[0], Seats: 1}, s.db.Person(t))
	version := func(id uuid.UUID) (v int64) {
		if err := s.db.System.QueryRow(ctx, `SELECT version FROM events WHERE id = $1`, id).Scan(&v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	delta := func(id uuid.UUID) booking.Delta {
		var raw []byte
		if err := s.db.System.QueryRow(ctx, `
			SELECT c.changes FROM event_changes c JOIN events e ON e.id = c.event_id AND e.version = c.version WHERE e.id = $1`, id).Scan(&raw); err != nil {
			t.Fatal(err)
		}
		d, err := booking.DecodeDelta(raw)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	newest := delta(ids[0]).Newest
	before := map[uuid.UUID]int64{over: version(over)}
	for _, id := range ids {
		before[id] = version(id)
	}
	if _, changed, err := s.store.SetSuspended(ctx, s.org, true, s.now(), suspendedRecord(s.org)); err != nil || !changed {
		t.Fatalf("changed %t, %v", changed, err)
	}
	// The command is killed after its first step.
	last, n, err := s.store.MoveEvents(ctx, s.org, s.now(), uuid.Nil, 2)
	if err != nil || n != 2 || last != ids[1] {
		t.Fatalf("a step: %d events up to %s, %v", n, last, err)
	}
	undone, err := s.store.Unmoved(ctx, 10)
	if err != nil || len(undone) != 1 || undone[0].OrgID != s.org || !undone[0].Suspended {
		t.Fatalf("undone: %+v, %v", undone, err)
	}
	late := s.now().Add(time.Hour)
	told := func() bool {
		breaches, err := s.db.Check(ctx, late, nil)
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(breaches, func(b booking.Breach) bool { return strings.Contains(b.What, "have not moved on") })
	}
	if !told() {
		t.Error("the checker takes it for done")
	}
	if err := s.orgs.MoveOn(ctx); err != nil {
		t.Fatal(err)
	}
	if told() {
		t.Error("the checker takes it for undone")
	}
	if left, err := s.store.Unmoved(ctx, 10); err != nil || len(left) != 0 {
		t.Errorf("left undone: %+v, %v", left, err)
	}
	for _, id := range ids {
		if version(id) <= before[id] || !delta(id).Reload {
			t.Errorf("an event stands at %d after %d, %+v", version(id), before[id], delta(id))
		}
	}
	if got := delta(ids[0]).Newest; got != newest || newest == 0 {
		t.Errorf("the newest id was %v and is %v", newest, got)
	}
	if version(over) != before[over] {
		t.Error("an event that is over moved on")
	}
	s.resume(t)
	if _, _, err := s.store.SetSuspended(ctx, s.org, true, s.now(), suspendedRecord(s.org)); err != nil {
		t.Fatal(err)
	}
	if err := s.store.Moved(ctx, undone[0]); err != nil {
		t.Fatal(err)
	}
	if left, err := s.store.Unmoved(ctx, 10); err != nil || len(left) != 1 {
		t.Errorf("a later change is taken for done: %+v, %v", left, err)
	}
}

// Whoever reads on from the last standing that they saw misses none, even where
// the clock goes back.
func TestStandingsAreReadInOrder(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	admin := k.person("admin")
	mill, barn := k.org(admin, "Mill"), k.org(admin, "Barn")
	if _, _, err := k.orgs.Suspend(t.Context(), uuid.Must(uuid.NewV7())); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("absent: %v", err)
	}
	for i, c := range []struct {
		set     func(context.Context, uuid.UUID) (string, bool, error)
		changed bool
	}{{k.orgs.Resume, false}, {k.orgs.Suspend, true}, {k.orgs.Suspend, false}} {
		if name, changed, err := c.set(t.Context(), mill); err != nil || name != "Mill" || changed != c.changed {
			t.Errorf("%d: %q, changed %t, %v", i, name, changed, err)
		}
	}
	if got := k.records(mill); got != "org.created org.suspended" {
		t.Errorf("record: %s", got)
	}
	// The clock was a year ahead when that was done.
	k.exec(`UPDATE organizations SET standing_changed_at = now() + interval '1 year' WHERE id = $1`, mill)
	seen, err := k.orgs.Suspensions(t.Context(), time.Time{}, 10)
	if err != nil || len(seen) != 1 || seen[0].OrgID != mill || !seen[0].Suspended {
		t.Fatalf("got %+v, %v", seen, err)
	}
	if _, _, err := k.orgs.Suspend(t.Context(), barn); err != nil {
		t.Fatal(err)
	}
	if _, _, err := k.orgs.Resume(t.Context(), mill); err != nil {
		t.Fatal(err)
	}
	next, err := k.orgs.Suspensions(t.Context(), seen[0].ChangedAt, 10)
	if err != nil || len(next) != 2 || next[0].OrgID != barn || !next[0].Suspended || next[1].OrgID != mill || next[1].Suspended {
		t.Errorf("got %+v, %v", next, err)
	}
	if one, err := k.orgs.Suspensions(t.Context(), seen[0].ChangedAt, 1); err != nil || len(one) != 1 || one[0].OrgID != barn {
		t.Errorf("a page of one: %+v, %v", one, err)
	}
}
