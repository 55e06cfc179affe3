package postgres_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"happening/internal/booking"
	"happening/internal/event"
	"happening/internal/postgres"
	"happening/internal/testkit"
)

// TestListsAreWhatAPlainWalkFinds asks for lists of all kinds, page by page,
// and compares each with all events that fit its filter, found by the system
// without an index of texts, spans of time or stored statuses.
func TestListsAreWhatAPlainWalkFinds(t *testing.T) {
	t.Parallel()
	db := testkit.NewDB(t)
	now := time.Now().UTC().Truncate(time.Second)
	var orgs []uuid.UUID
	for range 4 {
		o, _ := db.Org(t)
		orgs = append(orgs, o)
	}
	viewer := db.Person(t)
	db.Member(t, orgs[1], viewer, "user")
	db.Member(t, orgs[3], viewer, "organizer")
	if _, err := db.System.Exec(t.Context(), `UPDATE organizations SET suspended_at = now() WHERE id = ANY ($1)`, orgs[2:]); err != nil {
		t.Fatal(err)
	}
	fillMixed(t, db, orgs, now)
	store := postgres.NewEventStore(db.DB)
	for {
		swept, err := store.SweepStatus(t.Context(), now.Add(-time.Minute), 500)
		if err != nil {
			t.Fatal(err)
		}
		if swept == 0 {
			break
		}
	}
	owner(t, db, `ANALYZE events`)

	queries := []string{
		"", "", "", "evening", "even", "evening all", "tenth", "tenth evening", "hundredth", "clustered", "far", "absent", "evening absent",
		"O'Brien", `back\slash`, "back-to-back", "www.mill.example.com/some", strings.Repeat("x", 120), "& |", "opera", "tenth opera", "été", "1970",
		"crowd", "throng evening", "crowd throng", "crowd tenth", "evening hundredth crowd", "c e t",
	}
	random := rand.New(rand.NewPCG(5, 1))
	pick := func(n int) int { return random.IntN(n) }
	seen := 0
	compare := func(who uuid.UUID, f event.Filter, after event.Cursor, limit int) {
		t.Helper()
		what := fmt.Sprintf("%+v for %v behind %v by %d", f, who != uuid.Nil, after, limit)
		want := plainWalk(t, db, who, f, now, after)
		seen += len(want)
		for pages := 0; ; pages++ {
			page, err := store.ListEvents(t.Context(), who, f, now, after, limit)
			if err != nil {
				t.Fatal(what, err)
			}
			expected := want[:min(limit, len(want))]
			if !slices.Equal(idsOf(page), expected) {
				t.Fatalf("%s: page %d has %d events, expected %d:\n%v\n%v", what, pages, len(page), len(expected), idsOf(page), expected)
			}
			if want = want[len(page):]; len(page) < limit || pages == 4 {
				break
			}
			last := page[len(page)-1]
			after = event.Cursor{StartsAt: last.StartsAt, ID: last.ID}
		}
	}
	for try := range 200 {
		f := event.Filter{
			Query:    queries[try%len(queries)],
			Status:   []event.Status{"", event.Upcoming, event.Upcoming, event.Ongoing, event.Completed, event.Cancelled}[pick(6)],
			Category: []string{"", "", "", "opera", "talk", "none"}[pick(6)],
		}
		if pick(3) == 0 {
			f.OrgID = orgs[pick(len(orgs))]
		}
		if pick(3) == 0 {
			f.From = now.Add(time.Duration(pick(200)-60) * 24 * time.Hour)
		}
		if pick(3) == 0 {
			f.To = now.Add(time.Duration(pick(300)-60) * 24 * time.Hour)
		}
		var after event.Cursor
		if pick(4) == 0 {
			after = event.Cursor{StartsAt: now.Add(time.Duration(pick(40)) * 24 * time.Hour), ID: uuid.Max}
		}
		who := []uuid.UUID{uuid.Nil, viewer}[pick(2)]
		limit := []int{3, 51, 101}[pick(3)]
		compare(who, f, after, limit)
	}
	// Behind some at the moment that many share there are more of them than
	// the list is walked for, on a day that is walked, too.
	for i := range 8 {
		compare(viewer, event.Filter{Query: "throng"}, event.Cursor{StartsAt: now.Add(crowdedAfter), ID: uuid.UUID{byte(16 * i)}}, 101)
	}
	if seen < 8_000 {
		t.Errorf("only %d events were to be found", seen)
	}
}

func idsOf(page []event.Found) (ids []uuid.UUID) {
	for i := range page {
		ids = append(ids, page[i].ID)
	}
	return ids
}

// crowdedAfter is when many events of fillMixed start at once.
const crowdedAfter = 55 * 24 * time.Hour

// fillMixed adds events of all kinds: some long ago, some at one and the same
// moment, a month so full of a word that it is looked at day by day, days so
// full that they are walked, with a moment that fills pages and words that
// never meet, and words that PostgreSQL takes apart or that are longer than the
// index keeps them.
func fillMixed(t *testing.T, db *testkit.DB, orgs []uuid.UUID, now time.Time) {
	t.Helper()
	if _, err := db.System.Exec(t.Context(), `
		INSERT INTO events (id, org_id, name, category, venue, starts_at, ends_at, time_zone, total_slots, available_slots,
		                    visibility, waitlist_policy, status, cancelled_at, created_by)
		SELECT gen_random_uuid(), ($1::uuid[])[1 + i % 4],
		       'All evening ' || i || CASE WHEN i % 10 = 3 THEN ' tenth' ELSE '' END || CASE WHEN i % 100 = 7 THEN ' hundredth' ELSE '' END
		         || CASE WHEN i BETWEEN 900 AND 1500 THEN ' clustered' ELSE '' END || CASE WHEN i > 2300 THEN ' far' ELSE '' END
		         || CASE WHEN i <= 2500 THEN '' WHEN i / 2 % 3 = 0 THEN ' throng' ELSE ' crowd' END
		         || CASE i % 60 WHEN 1 THEN ' O''Brien' WHEN 2 THEN ' back\slash' WHEN 3 THEN ' back-to-back' WHEN 4 THEN ' été ' || repeat('x', 130) ELSE '' END,
		       (ARRAY['talk', 'opera', 'talk', 'party'])[1 + i / 4 % 4], CASE WHEN i % 50 = 9 THEN 'www.mill.example.com/some/long/path' ELSE '' END,
		       s, s + CASE WHEN i % 97 = 0 THEN interval '300 days' ELSE interval '2 hours' END, 'UTC', 9, 9,
		       CASE WHEN i % 7 = 0 THEN 'members' ELSE 'public' END, 'strict',
		       CASE WHEN i % 31 = 0 THEN 'cancelled' ELSE 'upcoming' END, CASE WHEN i % 31 = 0 THEN now() END, gen_random_uuid()
		FROM (
		  SELECT i, CASE WHEN i < 5 THEN 'epoch'::timestamptz + (i - 3) * interval '20 days'
		                 WHEN i BETWEEN 1000 AND 1099 THEN $2::timestamptz + interval '3 days'
		                 WHEN i > 3500 THEN $3::timestamptz
		                 WHEN i > 2500 THEN $3::timestamptz - interval '7 hours' + (i - 2500) * interval '90 seconds'
		                 ELSE $2::timestamptz + (i - 700) * interval '70 minutes' END AS s
		  FROM generate_series(1, 5000) i) x`, orgs, now, now.Add(crowdedAfter)); err != nil {
		t.Fatal(err)
	}
}

// plainWalk reads all that a list has.
func plainWalk(t *testing.T, db *testkit.DB, viewer uuid.UUID, f event.Filter, now time.Time, after event.Cursor) []uuid.UUID {
	t.Helper()
	rows, err := db.System.Query(t.Context(), `
		SELECT e.id
		FROM events e JOIN organizations o ON o.id = e.org_id
		WHERE (e.visibility = 'public' AND o.suspended_at IS NULL
		       OR EXISTS (SELECT FROM organization_users m WHERE m.org_id = e.org_id AND m.user_id = $1))
		  AND ($2::uuid IS NULL OR e.org_id = $2) AND ($3 = '' OR e.category = $3)
		  AND CASE $4
		        WHEN 'cancelled' THEN e.cancelled_at IS NOT NULL
		        WHEN 'upcoming' THEN e.cancelled_at IS NULL AND e.starts_at > $5
		        WHEN 'ongoing' THEN e.cancelled_at IS NULL AND e.starts_at <= $5 AND e.ends_at > $5
		        WHEN 'completed' THEN e.cancelled_at IS NULL AND e.ends_at <= $5
		        ELSE true END
		  AND ($6::timestamptz IS NULL OR e.starts_at >= $6) AND ($7::timestamptz IS NULL OR e.starts_at < $7)
		  AND (e.starts_at, e.id) > ($8, $9)
		  AND ($10 = '' OR (e.search @@ to_tsquery('simple', $10)) IS TRUE)
		ORDER BY e.starts_at, e.id`,
		viewer, orNobody(f.OrgID), f.Category, string(f.Status), now, orNoTime(f.From), orNoTime(f.To), after.StartsAt, after.ID,
		postgres.PrefixQuery(f.Query))
	if err != nil {
		t.Fatal(err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func orNobody(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}

func orNoTime(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return &at
}

// TestAnEventGivenALaterEndIsOngoing has one that is over, and was swept, go on:
// it is in the list of what is ongoing before the next sweep.
func TestAnEventGivenALaterEndIsOngoing(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	admin := k.person("admin")
	o := k.org(admin, "Mill")
	id := k.event(admin, o, "Long night", 1, nil).ID
	if _, err := k.db.System.Exec(t.Context(), `
		UPDATE events SET starts_at = $2::timestamptz - interval '2 hours', ends_at = $2::timestamptz - interval '1 hour', status = 'completed' WHERE id = $1`, id, k.now); err != nil {
		t.Fatal(err)
	}
	a := newReplica(t, k.db, newCoordinator(), sharing{now: func() time.Time { return k.now }})
	end := k.now.Add(time.Hour)
	if _, err := a.EditEvent(t.Context(), as(admin.UserID), id, event.Patch{EndsAt: &end}, 0); err != nil {
		t.Fatal(err)
	}
	views, _, err := k.events.List(t.Context(), admin, event.Filter{Status: event.Ongoing}, "", 9)
	if err != nil || len(views) != 1 {
		t.Errorf("%d events are ongoing, %v", len(views), err)
	}
}

// TestAPersonsBookingsOfEachStatus compares pages of a person's bookings of each
// status with what all of them read as: bookings whose event was cancelled or
// has started since are cancelled, whatever is stored.
func TestAPersonsBookingsOfEachStatus(t *testing.T) {
	t.Parallel()
	db := testkit.NewDB(t)
	org, _ := db.Org(t)
	who, runs := db.Person(t), db.Person(t)
	db.Member(t, org, runs, "organizer")
	if _, err := db.System.Exec(t.Context(), `
		WITH made AS (
		  INSERT INTO events (id, org_id, name, category, starts_at, ends_at, time_zone, total_slots, available_slots, visibility, waitlist_policy, status, cancelled_at, created_by)
		  SELECT gen_random_uuid(), $1, 'E' || i, 'talk', now() + (i - 30) * interval '1 hour', now() + (i + 300) * interval '1 hour', 'UTC', 9, 9, 'members', 'strict',
		         CASE WHEN i % 5 = 0 THEN 'cancelled' ELSE 'upcoming' END, CASE WHEN i % 5 = 0 THEN now() END, $2
		  FROM generate_series(1, 60) i RETURNING id)
		INSERT INTO bookings (id, org_id, event_id, user_id, seats, status, waiting_number, created_at, updated_at)
		SELECT gen_random_uuid(), $1, id, $2, 1, s, CASE s WHEN 'waiting' THEN 1 END, now(), now()
		FROM made, unnest(ARRAY['confirmed', 'waiting', 'cancelled']) s`, org, who); err != nil {
		t.Fatal(err)
	}
	store := postgres.NewBookingStore(db.DB)
	now := time.Now()
	list := func(viewer uuid.UUID, status booking.Status, limit int) (all []booking.Entry) {
		q := booking.UserQuery{UserID: who, Viewer: viewer, Status: status, Limit: limit}
		for {
			page, err := store.ListByUser(t.Context(), q, now)
			if err != nil {
				t.Fatal(err)
			}
			if all = append(all, page...); len(page) < limit {
				return all
			}
			q.Before = page[len(page)-1].ID
		}
	}
	for _, viewer := range []uuid.UUID{who, runs} {
		every := list(viewer, "", 1000)
		if len(every) != 180 {
			t.Fatalf("%d bookings", len(every))
		}
		for _, status := range []booking.Status{booking.Confirmed, booking.Waiting, booking.Cancelled} {
			var want []uuid.UUID
			for _, b := range every {
				if b.Status == status {
					want = append(want, b.ID)
				}
			}
			var got []uuid.UUID
			for _, b := range list(viewer, status, 7) {
				got = append(got, b.ID)
			}
			if !slices.Equal(got, want) || len(want) == 0 {
				t.Errorf("%s: %d bookings instead of %d", status, len(got), len(want))
			}
		}
	}
	if found := list(db.Person(t), "", 9); len(found) > 0 {
		t.Errorf("somebody else reads %d bookings", len(found))
	}
}

// Whoever reads a booking finds its seats by it, also behind the wall, and not
// among those of its event, which may have a million. The control is a history
// that can't be found by booking.
func TestABookingsSeatsAreFoundByTheBooking(t *testing.T) {
	t.Parallel()
	db := testkit.NewDB(t)
	// A small table would be read whole. Now it is only where no index would do.
	db.AsOwner(t, `ALTER DATABASE `+db.Name+` SET enable_seqscan = off`)
	pools, err := postgres.Open(t.Context(), db.ConnString)
	if err != nil {
		t.Fatal(err)
	}
	defer pools.Close()
	for _, found := range []bool{true, false} {
		if !found {
			db.AsOwner(t, `ALTER TABLE booking_history DROP CONSTRAINT booking_history_pkey`)
		}
		plan, err := postgres.TextsAs(t.Context(), pools, postgres.Asker{User: uuid.New()}, `EXPLAIN `+postgres.BookingQuery, time.Now(), uuid.New())
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Join(plan, "\n")
		if strings.Contains(text, "Index Cond: (booking_id = b.id)") != found || strings.Contains(text, "booking_seats") {
			t.Errorf("found by the booking: %t, planned as\n%s", found, text)
		}
	}
}
