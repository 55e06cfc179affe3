package postgres_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"happening/internal/event"
	"happening/internal/postgres"
	"happening/internal/testkit"
)

// owner runs a statement as the owner of the tables.
func owner(t testing.TB, db *testkit.DB, sql string) {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), db.ConnString(postgres.OwnerRole))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(context.Background(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// TestASearchFindsAll looks for words of few events, of many and of all, and for
// some of which the wall hides half.
func TestASearchFindsAll(t *testing.T) {
	t.Parallel()
	db := testkit.NewDB(t)
	start := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	const events = 2500
	fillSearched(t, db, events, start)
	store := postgres.NewEventStore(db.DB)
	count := func(query string, viewer uuid.UUID) (n int) {
		var after event.Cursor
		for {
			page, err := store.ListEvents(t.Context(), viewer, event.Filter{Query: query}, start, after, 900)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				return n
			}
			for _, e := range page {
				if e.StartsAt.Before(after.StartsAt) {
					t.Fatalf("%q: not in order", query)
				}
				after = event.Cursor{StartsAt: e.StartsAt, ID: e.ID}
			}
			n += len(page)
		}
	}
	for query, want := range map[string]int{
		"evening": events, "com eve": events, "percent": events / 100, "late": events / 50, "absent": 0, "late absent": 0, "2499": 1,
		// Up to a bound all words have to be there; the ones after it are left out.
		"c c c c c c c absent":   0,
		"c c c c c c c c absent": events,
	} {
		if got := count(query, uuid.Nil); got != want {
			t.Errorf("%q: %d events instead of %d", query, got, want)
		}
	}
	if _, err := db.System.Exec(t.Context(), `UPDATE events SET visibility = 'members' WHERE name LIKE '%percent' AND starts_at > $1`, start.Add(events*time.Minute/2)); err != nil {
		t.Fatal(err)
	}
	if got := count("percent", uuid.Nil); got == 0 || got >= events/100 {
		t.Errorf("where half are for members, the public finds %d", got)
	}
}

// TestAWordOfManyPartsIsCut looks for words that PostgreSQL takes apart.
func TestAWordOfManyPartsIsCut(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	admin := k.person("admin")
	o := k.org(admin, "Mill")
	const name = "A one-two-three-four-five-six evening at www.mill.example.com/some/long/path"
	k.event(admin, o, name, 1, nil)
	for _, query := range []string{"one-two-three-four-five-six", "one-two-three-four-five", "one-two", "www.mill.example.com/some/long/pa", name} {
		views, _, err := k.events.List(t.Context(), admin, event.Filter{Query: query}, "", 9)
		if err != nil || len(views) != 1 {
			t.Errorf("%q: %d events, %v", query, len(views), err)
		}
	}
	started := strings.Repeat("a-", 99) + "a"
	if _, _, err := k.events.List(t.Context(), admin, event.Filter{Query: started}, "", 9); err != nil {
		t.Errorf("%q: %v", started, err)
	}
}
