package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/booking"
	"happening/internal/event"
	"happening/internal/fault"
	"happening/internal/idp"
	"happening/internal/notify"
	"happening/internal/postgres"
	"happening/internal/testkit"
	"happening/internal/user"
)

// boxOffice is an organization whose organizers book for others.
type boxOffice struct {
	*seller
	t      *testing.T
	db     *testkit.DB
	guests *postgres.Guests
	org    uuid.UUID
	event  uuid.UUID
}

func newBoxOffice(t *testing.T, seats int) *boxOffice {
	t.Helper()
	db := testkit.NewDB(t)
	o := &boxOffice{seller: newSeller(t, db), t: t, db: db, guests: postgres.NewGuests(db.DB)}
	booking.WithGuests(o.guests)(o.Service)
	o.org, _ = db.Org(t)
	o.event = db.Event(t, o.org, seats, testkit.EventOptions{})
	return o
}

func (o *boxOffice) organizer() uuid.UUID {
	o.t.Helper()
	id := o.db.Person(o.t)
	o.db.Member(o.t, o.org, id, "organizer")
	return id
}

func (o *boxOffice) bookFor(organizer uuid.UUID, address string) (booking.Booking, error) {
	return o.BookFor(context.Background(), as(organizer), booking.RequestFor{Address: address, Request: booking.Request{EventID: o.event, Seats: 1}})
}

func (o *boxOffice) must(organizer uuid.UUID, address string) booking.Booking {
	o.t.Helper()
	b, err := o.bookFor(organizer, address)
	if err != nil {
		o.t.Fatal(err)
	}
	return b
}

// signIn is somebody seen at a provider.
func (o *boxOffice) signIn(subject, address string, verified bool) (user.Person, error) {
	return postgres.NewUsers(o.db.DB).LinkPerson(context.Background(), user.Sighting{
		Issuer: "https://issuer", Subject: subject, NewID: uuid.Must(uuid.NewV7()), At: time.Now(),
		Claims: user.Claims{Name: "Name of " + subject, Email: address, EmailVerified: verified},
	})
}

func (o *boxOffice) signedIn(subject, address string, verified bool) user.Person {
	o.t.Helper()
	p, err := o.signIn(subject, address, verified)
	if err != nil {
		o.t.Fatal(err)
	}
	return p
}

// mine are the bookings that a person sees as their own.
func (o *boxOffice) mine(person uuid.UUID) (ids []uuid.UUID) {
	o.t.Helper()
	found, err := o.ListByUser(context.Background(), as(person), booking.UserQuery{UserID: person, Limit: 100})
	if err != nil {
		o.t.Fatal(err)
	}
	for _, b := range found {
		ids = append(ids, b.ID)
	}
	return ids
}

func (o *boxOffice) count(sql string, args ...any) (n int) {
	o.t.Helper()
	if err := o.db.System.QueryRow(context.Background(), `SELECT count(*) FROM `+sql, args...).Scan(&n); err != nil {
		o.t.Fatal(err)
	}
	return n
}

func TestAGuestBecomesWhoeverSignsInVerified(t *testing.T) {
	t.Parallel()
	o := newBoxOffice(t, 20)
	organizer := o.organizer()
	first, second := o.must(organizer, " Ann@Example.org"), o.must(o.organizer(), "ann@example.org")
	if first.UserID != second.UserID || first.BookedBy != organizer {
		t.Fatalf("two bookings for one address: %+v and %+v", first, second)
	}
	// Whoever only claims the address is somebody else, and gets nothing.
	if p := o.signedIn("claims", "ann@example.org", false); p.ID == first.UserID || len(o.mine(p.ID)) != 0 {
		t.Errorf("%+v has %v", p, o.mine(p.ID))
	}
	ann := o.signedIn("ann", "ANN@example.org", true)
	if ann.ID != first.UserID || ann.Name != "Name of ann" || !ann.EmailVerified {
		t.Errorf("signed in as %+v, booked for was %s", ann, first.UserID)
	}
	if got := o.mine(ann.ID); !slices.Equal(got, []uuid.UUID{second.ID, first.ID}) {
		t.Errorf("their bookings: %v", got)
	}
	if again := o.signedIn("ann", "ann@example.org", true); again.ID != ann.ID {
		t.Errorf("the next sign-in is %s", again.ID)
	}
	if third := o.must(o.organizer(), "ann@example.org"); third.UserID != ann.ID {
		t.Errorf("booked for %s", third.UserID)
	}
	if _, err := o.Cancel(context.Background(), as(ann.ID), first.ID, booking.Key{}); err != nil {
		t.Errorf("cancelled by the person: %v", err)
	}
	o.db.CheckClean(t)
}

// Whoever gets an account by the operator's command becomes the guest, too.
func TestAGuestIsFoundByTheEmbeddedProvider(t *testing.T) {
	t.Parallel()
	o := newBoxOffice(t, 5)
	made := o.must(o.organizer(), "ann@example.org")
	account := idp.NewAccount{AccountID: uuid.Must(uuid.NewV7()), UserID: uuid.Must(uuid.NewV7()), Name: "Ann", Email: "Ann@example.org"}
	other := idp.NewAccount{AccountID: uuid.Must(uuid.NewV7()), UserID: uuid.Must(uuid.NewV7()), Name: "Bob", Email: "bob@example.org"}
	ensured, err := postgres.NewProvider(o.db.DB).EnsureAccounts(t.Context(), idp.IdentityKey, []idp.NewAccount{account, other}, time.Now())
	if err != nil || ensured[0].UserID != made.UserID || ensured[1].UserID != other.UserID {
		t.Errorf("%+v, %v; booked for was %s", ensured, err, made.UserID)
	}
}

// Organizers of several organizations book for an address that nobody had, at
// the moment at which somebody signs up with it: all come to one person.
func TestOneAddressIsOnePersonWhoeverIsFirst(t *testing.T) {
	t.Parallel()
	const rounds, organizers = 15, 4
	o := newBoxOffice(t, rounds*organizers)
	var people [organizers]uuid.UUID
	for i := range people {
		people[i] = o.organizer()
	}
	for round := range rounds {
		address := fmt.Sprintf("new%d@example.org", round)
		var group sync.WaitGroup
		var made [organizers]booking.Booking
		var ann user.Person
		start := make(chan struct{})
		for i, organizer := range people {
			group.Go(func() {
				<-start
				var err error
				if made[i], err = o.bookFor(organizer, address); err != nil {
					t.Error(err)
				}
			})
		}
		group.Go(func() {
			<-start
			var err error
			if ann, err = o.signIn(address, address, true); err != nil {
				t.Error(err)
			}
		})
		close(start)
		group.Wait()
		for _, b := range made {
			if b.UserID != ann.ID {
				t.Errorf("booked for %s, signed up as %s", b.UserID, ann.ID)
			}
		}
		if n := o.count(`users WHERE lower(email) = $1`, address); n != 1 {
			t.Errorf("%d people have the address", n)
		}
		if n := len(o.mine(ann.ID)); n != organizers {
			t.Errorf("they see %d bookings", n)
		}
	}
	o.db.CheckClean(t)
}

// Without the lock of the address two find nobody at the same time; the control
// shows what then stands between them and two people.
func TestOneGuestForOneAddressByTheDatabase(t *testing.T) {
	t.Parallel()
	o := newBoxOffice(t, 1)
	insert := `INSERT INTO users (id, name, email, guest) VALUES ($1, '', $2, true)`
	for address, want := range map[string]bool{"ann@example.org": true, "ANN@example.org": false, "bob@example.org": true} {
		if address != "ANN@example.org" {
			if _, err := o.db.System.Exec(t.Context(), insert, uuid.New(), address); err != nil != !want {
				t.Errorf("%s: %v", address, err)
			}
		}
	}
	if _, err := o.db.System.Exec(t.Context(), insert, uuid.New(), "ANN@example.org"); err == nil || !strings.Contains(err.Error(), "users_guest") {
		t.Errorf("a second guest of an address: %v", err)
	}
}

// Somebody who was here before, and whose address is verified only now, keeps
// who they are and what they have, and gets what the guest has: also while it
// is being booked for the guest.
func TestSomebodyKnownInheritsWhatAGuestHas(t *testing.T) {
	t.Parallel()
	const rounds = 10
	o := newBoxOffice(t, 9*rounds)
	organizer := o.organizer()
	for round := range rounds {
		subject, address := fmt.Sprint("person", round), fmt.Sprintf("later%d@example.org", round)
		ann := o.signedIn(subject, "", false)
		own, err := o.Book(t.Context(), as(ann.ID), booking.Request{EventID: o.event, Seats: 1})
		if err != nil {
			t.Fatal(err)
		}
		guests := o.must(organizer, address)
		if guests.UserID == ann.ID {
			t.Fatal("there is no guest")
		}
		party, err := o.BookFor(t.Context(), as(organizer), booking.RequestFor{Address: address, Request: booking.Request{EventID: o.event, Seats: 3}})
		if err != nil {
			t.Fatal(err)
		}
		left, err := o.CancelSeats(t.Context(), as(organizer), party.ID, party.SeatNumbers[1:2], booking.Key{})
		if err != nil {
			t.Fatal(err)
		}
		var group sync.WaitGroup
		var late booking.Booking
		start := make(chan struct{})
		group.Go(func() {
			<-start
			var err error
			late, err = o.BookFor(context.Background(), as(organizer), booking.RequestFor{Address: address, Request: booking.Request{EventID: o.event, Seats: 2}})
			if err != nil {
				t.Error(err)
			}
		})
		group.Go(func() {
			<-start
			if again, err := o.signIn(subject, address, true); err != nil || again.ID != ann.ID || !again.EmailVerified {
				t.Errorf("signed in as %+v, %v", again, err)
			}
		})
		close(start)
		group.Wait()
		if mine := o.mine(ann.ID); len(mine) != 4 || !slices.Contains(mine, own.ID) || !slices.Contains(mine, guests.ID) || !slices.Contains(mine, party.ID) || !slices.Contains(mine, late.ID) {
			t.Fatalf("their bookings: %v; booked was %s, for the guest %s, %s and %s", mine, own.ID, guests.ID, party.ID, late.ID)
		}
		if now, err := o.Get(t.Context(), as(ann.ID), party.ID); err != nil || len(left.SeatNumbers) != 2 || !slices.Equal(now.SeatNumbers, left.SeatNumbers) {
			t.Errorf("who gave a seat up sits at %v, %v; they were left with %v", now.SeatNumbers, err, left.SeatNumbers)
		}
		// What is in memory is behind by what went over, and catches up.
		if _, err := o.Cancel(t.Context(), as(ann.ID), guests.ID, booking.Key{}); err != nil {
			t.Fatal(err)
		}
		if history, err := o.History(t.Context(), as(ann.ID), guests.ID); err != nil || len(history) != 2 || history[0].Actor != organizer || history[1].Actor != ann.ID {
			t.Errorf("its history: %+v, %v", history, err)
		}
	}
	if n := o.count(`users WHERE guest`); n != 0 {
		t.Errorf("%d guests are left", n)
	}
	o.db.CheckClean(t)
}

// Who is told of the same change twice, as themselves and as the guest of their
// address, signs in all the same, and is told once.
func TestSomebodyInheritsWhatTheyWereToldThemselves(t *testing.T) {
	t.Parallel()
	o := newBoxOffice(t, 20)
	organizer := o.organizer()
	ann := o.signedIn("ann", "", false)
	if _, err := o.Book(t.Context(), as(ann.ID), booking.Request{EventID: o.event, Seats: 1}); err != nil {
		t.Fatal(err)
	}
	o.must(organizer, "ann@example.org")
	venue := "Another hall"
	if _, err := o.EditEvent(t.Context(), as(organizer), o.event, event.Patch{Venue: &venue}, 0); err != nil {
		t.Fatal(err)
	}
	relay := notify.NewRelay(notify.RelayConfig{Store: postgres.NewNotifyStore(o.db.DB), Now: time.Now})
	for {
		n, err := relay.Once(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
	}
	o.signedIn("ann", "ann@example.org", true)
	if len(o.mine(ann.ID)) != 2 {
		t.Errorf("their bookings: %v", o.mine(ann.ID))
	}
	for _, channel := range []string{"app", "email"} {
		if n := o.count(`notifications WHERE user_id = $1 AND channel = $2`, ann.ID, channel); n != 3 {
			t.Errorf("%d messages by %s", n, channel)
		}
	}
	if n := o.count(`notifications n JOIN users u ON u.id = n.user_id WHERE u.heir IS NOT NULL`); n != 0 {
		t.Errorf("%d messages to the guest", n)
	}
	o.db.CheckClean(t)
}

// While somebody waits for the lock of an event to inherit what a guest has
// there, the guest is booked for at another event: that one moves on, too, so
// that who sells there knows whose the booking is.
func TestWhatIsBookedWhileSomebodyInheritsIsTheirs(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	o := newBoxOffice(t, 5)
	organizer, other := o.organizer(), o.db.Event(t, o.org, 5, testkit.EventOptions{})
	ann, guests := o.signedIn("ann", "", false), o.must(organizer, "ann@example.org")
	tx, err := o.db.System.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // only where the test has failed
	if _, err := tx.Exec(ctx, `SELECT FROM events WHERE id = $1 FOR NO KEY UPDATE`, o.event); err != nil {
		t.Fatal(err)
	}
	inherited := make(chan error, 1)
	go func() {
		_, err := o.signIn("ann", "ann@example.org", true)
		inherited <- err
	}()
	eventually(t, "somebody waits for the event", func() bool {
		return o.count(`pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) > 0
	})
	// The address's lock is taken, so that this order was let in before.
	late := o.alloc.Do(ctx, other, organizer, booking.Key{}, booking.Book{UserID: guests.UserID, Seats: 2, For: "ann@example.org", Asked: 1})
	if late.Err != nil {
		t.Fatal(late.Err)
	}
	if err := tx.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-inherited; err != nil {
		t.Fatal(err)
	}
	if err := o.guests.Arrive(ctx, guests.UserID); err != nil {
		t.Fatal(err)
	}
	if b, err := o.CancelSeats(ctx, as(ann.ID), late.Booking.ID, []int32{1}, booking.Key{}); err != nil || b.UserID != ann.ID {
		t.Errorf("changed by who has it now: %+v, %v", b.Booking, err)
	}
	o.db.CheckClean(t)
}

// A refusal leaves nothing of whom the booking was for, and counts for nothing.
func TestARefusedBookingLeavesNoGuest(t *testing.T) {
	t.Parallel()
	o := newBoxOffice(t, 1)
	organizer := o.organizer()
	refuse := func(address string) {
		t.Helper()
		_, err := o.BookFor(t.Context(), as(organizer), booking.RequestFor{Address: address, Request: booking.Request{EventID: o.event, Seats: 1, SeatNumbers: []int32{1}}})
		if !errors.Is(err, booking.ErrSeatsUnavailable) {
			t.Fatalf("refused with %v", err)
		}
	}
	sold := o.must(organizer, "first@example.org")
	for range user.MaxForOthersTo + 1 {
		refuse("second@example.org")
	}
	refuse("first@example.org")
	if n := o.count(`users WHERE guest`); n != 1 {
		t.Errorf("%d guests", n)
	}
	if n := o.count(`bookings_for_others`); n != 1 {
		t.Errorf("%d count", n)
	}
	if _, err := o.Cancel(t.Context(), as(organizer), sold.ID, booking.Key{}); err != nil {
		t.Fatal(err)
	}
	o.db.CheckClean(t)
}

// What one organizer books for others in a day, and what is booked for one
// address, is bounded, whatever organization it is for; accounts make no
// difference.
func TestHowOftenSomebodyIsBookedFor(t *testing.T) {
	t.Parallel()
	o := newBoxOffice(t, 100)
	ann := o.signedIn("ann", "ann@example.org", true)
	first := o.organizer()
	for _, address := range []string{"ann@example.org", "nobody@example.org"} {
		for n := range user.MaxForOthersTo {
			if _, err := o.guests.Expect(t.Context(), expectation(t, o.organizer(), address, time.Now().Add(time.Duration(n)*time.Second))); err != nil {
				t.Fatal(err)
			}
		}
		_, err := o.bookFor(first, address)
		var f *fault.Error
		if !errors.As(err, &f) || f.Code != "too_many_for_others" || f.RetryAfter < 23*time.Hour || f.RetryAfter > 25*time.Hour {
			t.Errorf("%s: %+v", address, err)
		}
		tomorrow := time.Now().Add(user.ForOthersWindow + time.Minute)
		if _, err := o.guests.Expect(t.Context(), expectation(t, first, address, tomorrow)); err != nil {
			t.Errorf("%s, a day later: %v", address, err)
		}
	}
	busy := o.organizer()
	if _, err := o.db.System.Exec(t.Context(), `
		INSERT INTO bookings_for_others (id, actor_id, user_id, created_at)
		SELECT gen_random_uuid(), $1, $2, now() - interval '1 hour' FROM generate_series(1, $3)`, busy, ann.ID, user.MaxForOthersBy); err != nil {
		t.Fatal(err)
	}
	if _, err := o.bookFor(busy, "third@example.org"); !errors.Is(err, user.ErrForOthersToday) {
		t.Errorf("one more of a busy organizer: %v", err)
	}
	if n := o.count(`users WHERE lower(email) = 'third@example.org'`); n != 0 {
		t.Error("the refusal left a guest")
	}
}

func expectation(t *testing.T, by uuid.UUID, address string, at time.Time) user.Expectation {
	t.Helper()
	e, err := user.NewExpectation(by, address, at)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// The id of a guest does not say that it was made just now.
func TestAGuestsIDTellsNothing(t *testing.T) {
	t.Parallel()
	o := newBoxOffice(t, 40)
	year := time.Now().AddDate(-1, 0, 0)
	oldest := uuid.Must(uuid.NewV7())
	ms := year.UnixMilli()
	for i := range 6 {
		oldest[i] = byte(ms >> (8 * (5 - i)))
	}
	if _, err := o.db.System.Exec(t.Context(), `INSERT INTO users (id, name, email) VALUES ($1, 'Oldest', '')`, oldest); err != nil {
		t.Fatal(err)
	}
	organizer := o.organizer()
	var times []int64
	for n := range 20 {
		id := o.must(organizer, fmt.Sprintf("guest%d@example.org", n)).UserID
		sec, _ := id.Time().UnixTime()
		times = append(times, sec)
		if id.Version() != 7 || time.Unix(sec, 0).Before(year.Add(-time.Minute)) || time.Unix(sec, 0).After(time.Now()) {
			t.Errorf("%s is of %s", id, time.Unix(sec, 0))
		}
	}
	// That all of twenty fall into the last month of a year is one chance in
	// more than 10^20.
	if time.Unix(slices.Min(times), 0).After(time.Now().AddDate(0, -1, 0)) {
		t.Errorf("the ids are of %v", times)
	}
}

// An organization sees whom it booked for as it typed them, and their name once
// they are a member or booked there themselves.
func TestWhatAnOrganizationSeesOfWhomItBookedFor(t *testing.T) {
	t.Parallel()
	o := newBoxOffice(t, 20)
	organizer := o.organizer()
	seen := func() (names []string) {
		t.Helper()
		found, err := o.ListByEvent(t.Context(), as(organizer), booking.EventQuery{EventID: o.event, Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range found {
			names = append(names, b.User.Name+"|"+b.User.Email)
		}
		slices.Sort(names)
		return names
	}
	ann := o.signedIn("ann", "ann@example.org", true)
	o.must(organizer, "Ann@example.org")
	o.must(organizer, "nobody@example.org")
	if got := seen(); !slices.Equal(got, []string{"|ann@example.org", "|nobody@example.org"}) {
		t.Errorf("an account and none: %q", got)
	}
	// A change of the address is nothing that the organization learns of.
	o.signedIn("ann", "ann@elsewhere.example", true)
	o.signedIn("nobody", "nobody@example.org", true)
	if got := seen(); !slices.Equal(got, []string{"|ann@example.org", "|nobody@example.org"}) {
		t.Errorf("after sign-in: %q", got)
	}
	o.db.Member(t, o.org, ann.ID, "user")
	if got := seen(); !slices.Equal(got, []string{"Name of ann|ann@example.org", "|nobody@example.org"}) {
		t.Errorf("a member: %q", got)
	}
	if _, err := o.db.System.Exec(t.Context(), `DELETE FROM organization_users WHERE user_id = $1`, ann.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Book(t.Context(), as(ann.ID), booking.Request{EventID: o.event, Seats: 1}); err != nil {
		t.Fatal(err)
	}
	if got := seen(); !slices.Equal(got, []string{"Name of ann|ann@elsewhere.example", "Name of ann|ann@example.org", "|nobody@example.org"}) {
		t.Errorf("who booked themselves: %q", got)
	}
}

// Whoever was booked for and is erased leaves no address; the same address is
// somebody new then.
func TestAnErasedGuestIsSomebodyNew(t *testing.T) {
	t.Parallel()
	o := newBoxOffice(t, 5)
	organizer := o.organizer()
	made := o.must(organizer, "ann@example.org")
	ann := o.signedIn("ann", "ann@example.org", true)
	if err := postgres.NewErasures(o.db.DB).Erase(t.Context(), user.Erasure{UserID: ann.ID, Confirm: "ann@example.org", At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if n := o.count(`bookings WHERE booked_for ILIKE '%ann@%'`) + o.count(`users WHERE email ILIKE '%ann@%'`); n != 0 {
		t.Errorf("the address is left in %d places", n)
	}
	again := o.must(organizer, "ann@example.org")
	if again.UserID == made.UserID {
		t.Error("booked for somebody who is erased")
	}
	if p := o.signedIn("ann again", "ann@example.org", true); p.ID != again.UserID {
		t.Errorf("signed up as %s", p.ID)
	}
}
