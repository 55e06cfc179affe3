package postgres_test

import (
	"context"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/event"
	"happening/internal/postgres"
	"happening/internal/testkit"
)

// searchedEvents is among how many events BenchmarkSearch looks, unless
// SEARCHED_EVENTS says so.
const searchedEvents = 10_000

// BenchmarkSearch looks for common, rare and absent words behind the wall, on
// the first page and deep in the list.
func BenchmarkSearch(b *testing.B) {
	n := searchedEvents
	if asked := os.Getenv("SEARCHED_EVENTS"); asked != "" {
		var err error
		if n, err = strconv.Atoi(asked); err != nil {
			b.Fatal(err)
		}
	}
	db := testkit.NewDB(b)
	start := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	fillSearched(b, db, n, start)
	store := postgres.NewEventStore(db.DB)
	for _, cursor := range []struct {
		name  string
		after event.Cursor
	}{
		{"first", event.Cursor{}},
		{"deep", event.Cursor{StartsAt: start.Add(time.Duration(n*9/10) * time.Minute), ID: uuid.Max}},
	} {
		for _, query := range []struct{ name, words string }{
			{"common", "evening"}, {"two_common", "evening common"}, {"one_percent", "percent"}, {"late", "late"}, {"rare", "rare"}, {"absent", "absent"},
			{"thirty", "evening evening evening evening evening evening evening evening evening evening evening evening evening evening evening evening evening evening evening evening evening evening"},
		} {
			b.Run(query.name+"/"+cursor.name, func(b *testing.B) {
				for b.Loop() {
					if _, err := store.ListEvents(b.Context(), uuid.Nil, event.Filter{Query: query.words}, start, cursor.after, event.DefaultPage+1); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// fillSearched adds events of one organization, a minute apart. All have the
// words "common evening"; one in a hundred "percent", one in 10,000 "rare", and
// the last 2 in a hundred "late".
func fillSearched(t testing.TB, db *testkit.DB, n int, start time.Time) {
	t.Helper()
	o, _ := db.Org(t)
	ctx := context.Background()
	if _, err := db.System.Exec(ctx, `
		INSERT INTO events (id, org_id, name, category, starts_at, ends_at, time_zone, total_slots, available_slots, visibility, waitlist_policy, created_by)
		SELECT gen_random_uuid(), $1, 'Common evening ' || i || CASE WHEN i % 100 = 7 THEN ' percent' ELSE '' END
		         || CASE WHEN i % 10000 = 77 THEN ' rare' ELSE '' END || CASE WHEN i > $2 * 0.98 THEN ' late' ELSE '' END,
		       'meetup', $3::timestamptz + i * interval '1 minute', $3::timestamptz + i * interval '1 minute' + interval '1 hour', 'UTC',
		       9, 9, 'public', 'strict', gen_random_uuid()
		FROM generate_series(1, $2::int) i`, o, n, start); err != nil {
		t.Fatal(err)
	}
	owner(t, db, `VACUUM ANALYZE events`)
}
