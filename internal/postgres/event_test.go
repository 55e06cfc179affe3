package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"happening/internal/access"
	"happening/internal/audit"
	"happening/internal/event"
	"happening/internal/fault"
	"happening/internal/postgres"
)

func TestAnEventReadsAsItWasCreated(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	admin := k.person("admin")
	o := k.org(admin, "Mill")
	made := k.event(admin, o, "Go evening", 1, func(d *event.Draft) {
		d.Description = "Talks *and* soup\n\n<b>no</b>"
		d.MaxSeatsPerUser = event.NoLimit()
		d.StartsAt = d.StartsAt.Add(123_456_789).In(time.FixedZone("", 7200))
		d.WaitlistPolicy = event.Fit
	})
	if made.ID.Version() != 7 || made.OrgName != "Mill" || !made.CanManage || made.AvailableSlots != 40 {
		t.Errorf("created: %+v", made)
	}
	read, err := k.events.Get(t.Context(), admin, made.ID)
	if err != nil || read != made {
		t.Errorf("read:    %+v, %v\ncreated: %+v", read, err, made)
	}
	if got := k.records(o); got != "org.created event.created" {
		t.Errorf("record: %s", got)
	}
	if got := k.one(`SELECT (before IS NULL)::text || ' ' || (after->>'total_slots') || ' ' || actor_id FROM audit_log WHERE subject_id = $1`, made.ID); got != "true 40 "+admin.UserID.String() {
		t.Errorf("entry: %s", got)
	}
	if got := k.one(`SELECT after::text FROM audit_log WHERE subject_id = $1`, made.ID); strings.Contains(got, "Go evening") {
		t.Errorf("the record holds texts: %s", got)
	}
}

func TestWhoMayCreateAnEvent(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	admin, organizer, user, stranger := k.person("admin"), k.person("organizer"), k.person("user"), k.person("stranger")
	o, closed := k.org(admin, "Mill"), k.org(admin, "Closed")
	k.join(o, organizer, access.Organizer)
	k.join(o, user, access.User)
	k.suspend(closed)
	for _, c := range []struct {
		name string
		who  access.Principal
		org  uuid.UUID
		want error
	}{
		{"orgAdmin", admin, o, nil},
		{"organizer", organizer, o, nil},
		{"user", user, o, fault.ErrForbidden},
		{"stranger", stranger, o, fault.ErrForbidden},
		{"visitor", access.Principal{}, o, fault.ErrUnauthenticated},
		{"absent organization", admin, uuid.Must(uuid.NewV7()), fault.ErrNotFound},
		{"no organization", admin, uuid.Nil, fault.ErrNotFound},
		{"organizer of another organization", organizer, closed, fault.ErrForbidden},
		{"suspended organization", admin, closed, event.ErrOrgSuspended},
	} {
		d := event.Draft{
			OrgID: c.org, Name: "Go evening", Category: "meetup", StartsAt: k.now.Add(time.Hour), EndsAt: k.now.Add(2 * time.Hour),
			TimeZone: "UTC", TotalSlots: 1,
		}
		if _, err := k.events.Create(t.Context(), c.who, d); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
	// A suspension that comes between the check and the insert is seen too.
	store := postgres.NewEventStore(k.db.DB)
	e := event.Event{ID: uuid.Must(uuid.NewV7()), OrgID: closed, Name: "Late"}
	if _, err := store.InsertEvent(t.Context(), e, audit.Entry{OrgID: closed, ActorID: admin.UserID}); !errors.Is(err, event.ErrOrgSuspended) {
		t.Errorf("insert into a suspended organization: %v", err)
	}
}

func TestWhoSeesWhichEvents(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	admin, organizer, user, stranger := k.person("admin"), k.person("organizer"), k.person("user"), k.person("stranger")
	mill, barn, closed := k.org(admin, "Mill"), k.org(k.person("other"), "Barn"), k.org(admin, "Closed")
	k.join(mill, organizer, access.Organizer)
	k.join(mill, user, access.User)
	k.join(closed, user, access.User)
	members := func(d *event.Draft) { d.Visibility = event.Members }
	ids := map[string]uuid.UUID{
		"mill public":   k.event(admin, mill, "mill public", 1, nil).ID,
		"mill members":  k.event(admin, mill, "mill members", 2, members).ID,
		"closed public": k.event(admin, closed, "closed public", 4, nil).ID,
	}
	barnAdmin := access.Principal{UserID: uuid.MustParse(k.one(`SELECT user_id FROM organization_users WHERE org_id = $1`, barn))}
	ids["barn members"] = k.event(barnAdmin, barn, "barn members", 3, members).ID
	k.suspend(closed)
	for _, c := range []struct {
		name   string
		who    access.Principal
		sees   []string
		manage []string
	}{
		{"visitor", access.Principal{}, []string{"mill public"}, nil},
		{"stranger", stranger, []string{"mill public"}, nil},
		{"user", user, []string{"mill public", "mill members", "closed public"}, nil},
		{"organizer", organizer, []string{"mill public", "mill members"}, []string{"mill public", "mill members"}},
		{"admin", admin, []string{"mill public", "mill members", "closed public"}, []string{"mill public", "mill members", "closed public"}},
		{"the neighbour", barnAdmin, []string{"mill public", "barn members"}, []string{"barn members"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			views, next, err := k.events.List(t.Context(), c.who, event.Filter{}, "", 100)
			if err != nil || next != "" {
				t.Fatalf("list: %v, next %q", err, next)
			}
			var sees, manage []string
			for _, v := range views {
				sees = append(sees, v.Name)
				if v.CanManage {
					manage = append(manage, v.Name)
				}
			}
			if !slices.Equal(sees, c.sees) || !slices.Equal(manage, c.manage) {
				t.Errorf("sees %q and manages %q, want %q and %q", sees, manage, c.sees, c.manage)
			}
			for name, id := range ids {
				v, err := k.events.Get(t.Context(), c.who, id)
				if slices.Contains(c.sees, name) {
					if err != nil || v.CanManage != slices.Contains(c.manage, name) {
						t.Errorf("get %s: %v, can manage %v", name, err, v.CanManage)
					}
				} else if !errors.Is(err, fault.ErrNotFound) {
					t.Errorf("get %s: got %v, want not found", name, err)
				}
			}
		})
	}
	if _, err := k.events.Get(t.Context(), admin, uuid.Must(uuid.NewV7())); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("get an absent event: %v", err)
	}
	if _, err := k.events.For(t.Context(), access.EventWrite, user, ids["mill members"]); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("write as a user: %v", err)
	}
	if _, err := k.events.For(t.Context(), access.EventWrite, stranger, ids["mill members"]); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("write what one may not know of: %v", err)
	}
	if _, err := k.events.For(t.Context(), access.EventWrite, access.Principal{}, ids["mill public"]); !errors.Is(err, fault.ErrUnauthenticated) {
		t.Errorf("write as a visitor: %v", err)
	}
}

func TestListFilters(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	admin := k.person("admin")
	mill, barn := k.org(admin, "Mill"), k.org(admin, "Barn")
	in := func(venue, category string) func(*event.Draft) {
		return func(d *event.Draft) { d.Venue, d.Category = venue, category }
	}
	k.event(admin, mill, "Jazz at noon", 1, in("Zürich, Großer Saal", "concert"))
	k.event(admin, mill, "Rock'n'roll & soup", 5, in("Old mill", "concert"))
	k.event(admin, barn, "Node.js evening", 9, in("Back-to-back hall", "meetup"))
	gone := k.event(admin, barn, "Jazz that never was", 10, in("", "meetup"))
	k.exec(`UPDATE events SET status = 'cancelled', cancelled_at = now() WHERE id = $1`, gone.ID)
	at := func(hours float64) time.Time { return tenancyStart.Add(time.Duration(hours * float64(time.Hour))) }

	const jazz, rock, node, never = "Jazz at noon", "Rock'n'roll & soup", "Node.js evening", "Jazz that never was"
	for _, c := range []struct {
		name   string
		filter event.Filter
		at     float64 // hours since the start
		want   []string
	}{
		{"none", event.Filter{}, 0, []string{jazz, rock, node, never}},
		{"organization", event.Filter{OrgID: barn}, 0, []string{node, never}},
		{"absent organization", event.Filter{OrgID: uuid.Must(uuid.NewV7())}, 0, nil},
		{"category", event.Filter{Category: "concert"}, 0, []string{jazz, rock}},
		{"category and organization", event.Filter{Category: "concert", OrgID: barn}, 0, nil},
		{"upcoming", event.Filter{Status: event.Upcoming}, 0, []string{jazz, rock, node}},
		{"upcoming once one has started", event.Filter{Status: event.Upcoming}, 1, []string{rock, node}},
		{"ongoing", event.Filter{Status: event.Ongoing}, 1, []string{jazz}},
		{"ongoing at its last moment", event.Filter{Status: event.Ongoing}, 2.999, []string{jazz}},
		{"completed", event.Filter{Status: event.Completed}, 3, []string{jazz}},
		{"cancelled", event.Filter{Status: event.Cancelled}, 0, []string{never}},
		{"cancelled stays so", event.Filter{Status: event.Cancelled}, 99, []string{never}},
		{"completed leaves the cancelled out", event.Filter{Status: event.Completed}, 99, []string{jazz, rock, node}},
		{"from includes", event.Filter{From: at(5)}, 0, []string{rock, node, never}},
		{"to excludes", event.Filter{To: at(5)}, 0, []string{jazz}},
		{"from and to", event.Filter{From: at(1), To: at(9)}, 0, []string{jazz, rock}},
		{"word", event.Filter{Query: "jazz"}, 0, []string{jazz, never}},
		{"beginning of a word", event.Filter{Query: "eve"}, 0, []string{node}},
		{"middle of a word", event.Filter{Query: "azz"}, 0, nil},
		{"two words in any order", event.Filter{Query: "noo ja"}, 0, []string{jazz}},
		{"venue with umlauts", event.Filter{Query: "ZÜRICH groß"}, 0, []string{jazz}},
		{"category as a word", event.Filter{Query: "meet"}, 0, []string{node, never}},
		{"apostrophes", event.Filter{Query: "rock'n'r"}, 0, []string{rock}},
		{"ampersand is nothing", event.Filter{Query: "rock &"}, 0, []string{rock}},
		{"dot", event.Filter{Query: "node.js"}, 0, []string{node}},
		{"beginning of a dotted word", event.Filter{Query: "node.j"}, 0, []string{node}},
		{"hyphens", event.Filter{Query: "back-to-ba"}, 0, []string{node}},
		{"operators are text", event.Filter{Query: "jazz | rock"}, 0, nil},
		{"negation is text", event.Filter{Query: "!jazz"}, 0, []string{jazz, never}},
		{"blank", event.Filter{Query: " \t"}, 0, []string{jazz, rock, node, never}},
		{"only signs", event.Filter{Query: "&|!():*<->"}, 0, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			k.now = at(c.at)
			views, _, err := k.events.List(t.Context(), access.Principal{}, c.filter, "", 50)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, v := range views {
				names = append(names, v.Name)
			}
			if !slices.Equal(names, c.want) {
				t.Errorf("got %q, want %q", names, c.want)
			}
		})
	}
}

func TestListPages(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	admin := k.person("admin")
	o := k.org(admin, "Mill")
	// Many start at the same moment, so that the id must decide.
	for i := range 11 {
		k.event(admin, o, fmt.Sprint(i), 1+i/5, nil)
	}
	for _, limit := range []int{1, 2, 5, 10, 11, 12} {
		var got []string
		for cursor, pages := "", 0; ; pages++ {
			views, next, err := k.events.List(t.Context(), access.Principal{}, event.Filter{}, cursor, limit)
			if err != nil || pages > 11 {
				t.Fatalf("limit %d, page %d: %v", limit, pages, err)
			}
			for _, v := range views {
				got = append(got, v.Name)
			}
			if cursor = next; cursor == "" {
				break
			}
			if len(views) != limit {
				t.Errorf("limit %d: a page of %d before the last", limit, len(views))
			}
		}
		if want := "0 1 2 3 4 5 6 7 8 9 10"; strings.Join(got, " ") != want {
			t.Errorf("limit %d: got %q, want %s", limit, got, want)
		}
	}
}

func TestListRefusesBadRequestsByField(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	_, _, err := k.events.List(t.Context(), access.Principal{}, event.Filter{
		Status: "sold", Category: "?", Query: strings.Repeat("a", 201), From: tenancyStart, To: tenancyStart.Add(-1),
	}, "x", 101)
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != fault.Invalid {
		t.Fatalf("got %v", err)
	}
	var names []string
	for _, field := range f.Fields {
		names = append(names, field.Name)
	}
	if want := []string{"status", "category", "q", "to", "limit", "cursor"}; !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
}

// FuzzEventSearch lets anything be searched for: the database must answer.
func FuzzEventSearch(f *testing.F) {
	for _, q := range []string{"jazz", `\`, `'`, `\'`, `a\`, `''':*`, "a:*", "<->", "e-mail foo_bar http://x.test/a?b=c", "ǅ\u200d👩", "\n"} {
		f.Add(q)
	}
	k := newTenancy(f)
	f.Fuzz(func(t *testing.T, q string) {
		_, _, err := k.events.List(context.Background(), access.Principal{}, event.Filter{Query: q}, "", 1)
		var bad *fault.Error
		if err != nil && !errors.As(err, &bad) {
			t.Errorf("%q: %v", q, err)
		}
	})
}

func TestDelete(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	admin, user, stranger := k.person("admin"), k.person("user"), k.person("stranger")
	o := k.org(admin, "Mill")
	k.join(o, user, access.User)
	e := k.event(admin, o, "Go evening", 1, nil)
	for name, c := range map[string]struct {
		who  access.Principal
		want error
	}{
		"user": {user, fault.ErrForbidden}, "stranger": {stranger, fault.ErrForbidden}, "visitor": {access.Principal{}, fault.ErrUnauthenticated},
	} {
		if err := k.events.Delete(t.Context(), c.who, e.ID); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	for _, status := range []string{"confirmed", "waiting", "cancelled"} {
		booked := k.event(admin, o, "Booked", 1, nil)
		k.book(o, booked.ID, user, status)
		if err := k.events.Delete(t.Context(), admin, booked.ID); !errors.Is(err, event.ErrHasBookings) {
			t.Errorf("with a %s booking: got %v", status, err)
		}
	}
	if err := k.events.Delete(t.Context(), admin, e.ID); err != nil {
		t.Fatal(err)
	}
	if err := k.events.Delete(t.Context(), admin, e.ID); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("twice: got %v", err)
	}
	if got := k.one(`SELECT action || ' ' || (after IS NULL) FROM audit_log WHERE subject_id = $1 ORDER BY id DESC LIMIT 1`, e.ID); got != "event.deleted true" {
		t.Errorf("record: %s", got)
	}
}

// A sale that holds the event's row when the delete comes must be seen by it.
// The test fails when the look for bookings moves into the statement that
// takes the lock, or before it.
func TestADeleteThatWaitsForASaleSeesIt(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	admin := k.person("admin")
	o := k.org(admin, "Mill")
	e := k.event(admin, o, "Go evening", 1, nil)

	sale, err := k.db.System.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer sale.Rollback(context.Background())
	if _, err := sale.Exec(t.Context(), `SELECT FROM events WHERE id = $1 FOR UPDATE`, e.ID); err != nil {
		t.Fatal(err)
	}
	deleted := make(chan error, 1)
	go func() { deleted <- k.events.Delete(t.Context(), admin, e.ID) }()
	k.untilBlocked()
	_, err = sale.Exec(t.Context(), `
		INSERT INTO bookings (id, org_id, event_id, user_id, seats, status, created_at, updated_at)
		VALUES ($1, $2, $3, $4, 1, 'confirmed', now(), now())`,
		uuid.Must(uuid.NewV7()), o, e.ID, admin.UserID)
	if err != nil {
		t.Fatal(err)
	}
	if err := sale.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-deleted; !errors.Is(err, event.ErrHasBookings) {
		t.Errorf("got %v, want the bookings to be seen", err)
	}
	if _, err := k.events.Get(t.Context(), admin, e.ID); err != nil {
		t.Errorf("the event is gone: %v", err)
	}
}

// A sale that finds the row locked by a delete finds no event afterwards.
func TestASaleThatWaitsForADeleteFindsNothing(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	admin := k.person("admin")
	e := k.event(admin, k.org(admin, "Mill"), "Go evening", 1, nil)
	del, err := k.db.System.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer del.Rollback(context.Background())
	if _, err := del.Exec(t.Context(), `DELETE FROM events WHERE id = $1`, e.ID); err != nil {
		t.Fatal(err)
	}
	sold := make(chan error, 1)
	go func() {
		var one int
		sold <- k.db.System.QueryRow(t.Context(), `SELECT 1 FROM events WHERE id = $1 FOR UPDATE`, e.ID).Scan(&one)
	}()
	k.untilBlocked()
	if err := del.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-sold; !errors.Is(err, pgx.ErrNoRows) {
		t.Errorf("got %v", err)
	}
}

func TestTheSweepBringsStatusesUpToTheClock(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	admin := k.person("admin")
	o := k.org(admin, "Mill")
	ids := map[string]uuid.UUID{}
	for name, hours := range map[string]int{"over": 1, "running": 5, "coming": 9, "cancelled": 1} {
		ids[name] = k.event(admin, o, name, hours, nil).ID
	}
	k.exec(`UPDATE events SET status = 'cancelled', cancelled_at = now() WHERE id = $1`, ids["cancelled"])
	for _, c := range []struct {
		hours time.Duration
		moved int
		want  string
	}{
		{0, 0, "cancelled:cancelled coming:upcoming over:upcoming running:upcoming"},
		{1, 1, "cancelled:cancelled coming:upcoming over:ongoing running:upcoming"},
		{5, 2, "cancelled:cancelled coming:upcoming over:completed running:ongoing"},
		{5, 0, "cancelled:cancelled coming:upcoming over:completed running:ongoing"},
		{99, 2, "cancelled:cancelled coming:completed over:completed running:completed"},
	} {
		k.now = tenancyStart.Add(c.hours * time.Hour)
		moved, err := k.events.Sweep(t.Context())
		if err != nil || moved != c.moved {
			t.Errorf("after %d h: moved %d, %v, want %d", c.hours, moved, err, c.moved)
		}
		if got := k.one(`SELECT string_agg(name || ':' || status, ' ' ORDER BY name) FROM events`); got != c.want {
			t.Errorf("after %d h: got %s, want %s", c.hours, got, c.want)
		}
	}
	k.exec(`UPDATE events SET ends_at = $2 WHERE id = $1`, ids["over"], k.now.Add(time.Hour))
	if moved, err := k.events.Sweep(t.Context()); err != nil || moved != 1 {
		t.Errorf("a later end: moved %d, %v", moved, err)
	}
	if got := k.one(`SELECT status FROM events WHERE id = $1`, ids["over"]); got != "ongoing" {
		t.Errorf("a later end: %s", got)
	}
	if got := k.one(`SELECT string_agg(DISTINCT version || ' ' || revision, ',') FROM events`); got != "1 1" {
		t.Errorf("the sweep moved versions: %s", got)
	}
}
