package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// How PostgreSQL is looked at while a sale is profiled: often enough to tell
// what its backends do, and seldom enough not to be what they do.
const (
	sampleEvery = 10 * time.Millisecond
	statementAt = 110 // letters of a statement that tell it from others
	samplesMax  = 40  // lines
)

// doing is what a backend was seen at.
type doing struct{ wait, statement string }

// sampleBackends notes again and again what PostgreSQL's backends do, until the
// time is over, and keeps it as text, the most frequent first: what waits for
// what, and which statement runs.
func (s *server) sampleBackends(ctx context.Context, part string, d time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, d+setupPatience)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.ownerURL)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	seen := map[doing]int{}
	looks := 0
	for end := time.Now().Add(d); time.Now().Before(end) && ctx.Err() == nil; wait(ctx, sampleEvery) {
		rows, err := conn.Query(ctx, `
			SELECT coalesce(wait_event_type || ': ' || wait_event, 'runs'), regexp_replace(left(coalesce(nullif(query, ''), backend_type), 400), '\s+', ' ', 'g')
			FROM pg_stat_activity
			WHERE pid <> pg_backend_pid() AND (state = 'active' OR state LIKE 'idle in%' OR backend_type <> 'client backend' AND wait_event_type IS DISTINCT FROM 'Activity')`)
		if err != nil {
			return err
		}
		var what doing
		if _, err := pgx.ForEachRow(rows, []any{&what.wait, &what.statement}, func() error {
			what.statement = strings.TrimSpace(what.statement)
			what.statement = what.statement[:min(len(what.statement), statementAt)]
			seen[what]++
			return nil
		}); err != nil {
			return err
		}
		looks++
	}
	return os.WriteFile(filepath.Join(s.out, part+".backends.txt"), []byte(frequent(seen, looks)), 0o644)
}

// frequent lists what was seen; a figure is how many backends were at it on
// average.
func frequent(seen map[doing]int, looks int) string {
	order := slices.SortedFunc(maps.Keys(seen), func(a, b doing) int {
		return cmp.Or(seen[b]-seen[a], strings.Compare(a.wait, b.wait), strings.Compare(a.statement, b.statement))
	})
	var b strings.Builder
	fmt.Fprintf(&b, "%d looks; backends at it on average, what they wait for, statement\n", looks)
	for _, what := range order[:min(len(order), samplesMax)] {
		fmt.Fprintf(&b, "%7.3f  %-28s  %s\n", float64(seen[what])/float64(max(looks, 1)), what.wait, what.statement)
	}
	return b.String()
}
