package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"happening/internal/event"
)

const (
	// nearby is how many events, in the order of the list, are looked at for a
	// text before the index of texts is asked: what is common fills a page here.
	nearby = 250
	// candidatesFirst and candidatesMost bound how many events that match are
	// taken from the index at once, besides those that a page wants. Each time
	// they are twice as many, in case few of them are to be in the list.
	candidatesFirst = 16
	candidatesMost  = 4096
)

// candidate is an event that matches a text, as far as the index can tell,
// before anybody has looked whether the viewer may see it.
type candidate struct {
	id       uuid.UUID
	startsAt time.Time
}

func (c *candidate) cursor() event.Cursor {
	return event.Cursor{StartsAt: c.startsAt, ID: c.id}
}

// search reads a page of what ListEvents would list without the text and whose
// words match. It walks the list a little, which fills the page with what is
// common, and goes on by the index of words and times, which is asked behind
// the wall for ids alone (migrations 21 and 24). Whatever way a candidate was
// found, it is read under the wall and under all conditions, the text's
// included.
func (s *EventStore) search(ctx context.Context, viewer uuid.UUID, f event.Filter, now time.Time, after event.Cursor, limit int) ([]event.Found, error) {
	where, args := eventConditions(viewer, f, now, after)
	args = append(args, prefixQuery(f.Query))
	// In a SELECT the query is made once, and not for every event.
	matches := "e.search @@ (SELECT to_tsquery('simple', $" + strconv.Itoa(len(args)) + "))"
	args = append(args, nil)
	byID := where + " AND " + matches + " AND e.id = ANY ($" + strconv.Itoa(len(args)) + ")"
	// few reads those of the ids that are to be in the list.
	few := func(ids []uuid.UUID, limit int) ([]event.Found, error) {
		if len(ids) == 0 {
			return nil, nil
		}
		args[1], args[len(args)-1] = limit, ids
		return s.readPage(ctx, viewer, byID, args)
	}
	walked, last, err := s.walk(ctx, viewer, where, matches, args[:len(args)-1])
	if err != nil {
		return nil, err
	}
	ids := walked[:min(len(walked), limit)]
	if last == nil || len(ids) == limit {
		return few(ids, limit)
	}
	var found []event.Found
	for most := limit - len(ids) + candidatesFirst; ; most = min(2*most, candidatesMost) {
		candidates, err := s.candidates(ctx, viewer, f, now, last.cursor(), most)
		if err != nil {
			return nil, err
		}
		for i := range candidates {
			ids = append(ids, candidates[i].id)
		}
		more, err := few(ids, limit-len(found))
		if err != nil {
			return nil, err
		}
		if found = append(found, more...); len(found) >= limit || len(candidates) < most {
			return found, nil
		}
		last, ids = &candidates[len(candidates)-1], nil
	}
}

// walk looks at the next events of the list, as the viewer has it, and gives
// the ids of those that match and the last one it looked at; nil: the list ends
// before that.
func (s *EventStore) walk(ctx context.Context, viewer uuid.UUID, where, matches string, args []any) (ids []uuid.UUID, last *candidate, err error) {
	type step struct {
		candidate
		matches bool
	}
	args[1] = nearby
	steps, err := read(ctx, s.db, person(viewer), func(row pgx.CollectableRow) (st step, err error) {
		err = row.Scan(&st.id, &st.startsAt, &st.matches)
		return st, err
	}, `
		SELECT e.id, e.starts_at, `+matches+`
		FROM `+listTables+`
		WHERE `+where+`
		ORDER BY e.starts_at, e.id
		LIMIT $2`,
		args...)
	if err != nil {
		return nil, nil, fmt.Errorf("postgres: search events nearby: %w", err)
	}
	for i := range steps {
		if steps[i].matches {
			ids = append(ids, steps[i].id)
		}
	}
	if len(steps) == nearby {
		last = &steps[nearby-1].candidate
	}
	return ids, last, nil
}

// candidates gives, in the order of lists, the next events that may match the
// filter's text, category and organization, whoever may see them; fewer than
// most where there are no others.
func (s *EventStore) candidates(ctx context.Context, viewer uuid.UUID, f event.Filter, now time.Time, after event.Cursor, most int) ([]candidate, error) {
	var category *string
	if f.Category != "" {
		category = &f.Category
	}
	found, err := read(ctx, s.db, person(viewer), func(row pgx.CollectableRow) (c candidate, err error) {
		err = row.Scan(&c.id, &c.startsAt)
		return c, err
	}, `
		SELECT id, starts_at FROM events_matching($1, $2, $3, $4, $5, $6, $7)`,
		searchWords(f.Query), orNull(f.OrgID), category, after.StartsAt, after.ID, startsBefore(f, now), most)
	if err != nil {
		return nil, fmt.Errorf("postgres: search events: %w", err)
	}
	return found, nil
}

// startsBefore says before when everything starts that the filter lets pass;
// nil: whenever.
func startsBefore(f event.Filter, now time.Time) *time.Time {
	before := f.To
	if f.Status == event.Ongoing || f.Status == event.Completed {
		// At now itself something may start.
		if begun := now.Add(time.Microsecond); before.IsZero() || begun.Before(before) {
			before = begun
		}
	}
	if before.IsZero() {
		return nil
	}
	return &before
}

// What of a typed text is searched for. A search costs by its words, and by
// what PostgreSQL takes a word like "back-to-back" apart into. The rest is left
// out, which finds more and loses nothing: who pastes a whole title still finds
// the event.
const (
	maxSearchWords = 8
	maxSearchParts = 4 // of each word
)

// prefixQuery makes a text search of what a person typed: every word must
// begin a word that is there. Each is quoted, so that none of its characters
// is an operator and PostgreSQL takes it apart as it did the stored text.
func prefixQuery(typed string) string {
	words := searchWords(typed)
	for i, w := range words {
		w = strings.ReplaceAll(w, `\`, `\\`)
		words[i] = "'" + strings.ReplaceAll(w, `'`, `''`) + "':*"
	}
	return strings.Join(words, " & ")
}

// searchWords are the words that count.
func searchWords(typed string) []string {
	words := strings.Fields(typed)
	words = words[:min(len(words), maxSearchWords)]
	for i, w := range words {
		words[i] = firstParts(w)
	}
	return words
}

// firstParts cuts a word where its parts, of letters and digits, are too many.
func firstParts(word string) string {
	parts, inside := 0, false
	for at, r := range word {
		is := unicode.IsLetter(r) || unicode.IsDigit(r)
		if is && !inside {
			if parts == maxSearchParts {
				return word[:at]
			}
			parts++
		}
		inside = is
	}
	return word
}
