package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"happening/internal/access"
	"happening/internal/booking"
)

// What is listed and searched.
const (
	fewEvents   = 10_000
	allEvents   = 1_000_000
	listOrgs    = 1_000
	listRate    = 100 // requests a second, by schedule
	listCallers = 32
	// Of people who have booked much, each so many bookings, a few at each of
	// as many events.
	bookers       = 4
	bookerEvents  = 2_000
	bookingsEach  = 5
	deepPages     = 40 // how far in a list cursors are taken
	fillPatience  = 15 * time.Minute
	listLongest   = 15 * time.Second
	listReaders   = 500
	bookAtOnce    = 64
	eventsSpread  = 365 * 24 * time.Hour
	listOrgPrefix = "House "
)

// among measures lists and searches at a server of its own, whose database is
// filled by SQL: first with 10,000 events, then with a million.
func among(ctx context.Context, o options, rep *report) (err error) {
	w := &world{name: embedded}
	defer func() { err = errors.Join(err, w.stop()) }()
	if err := w.add(ctx, o, surroundings{name: "lists"}); err != nil {
		return err
	}
	r := &runner{options: o, report: rep}
	if err := r.enter(ctx, w, "server among a million events"); err != nil {
		return err
	}
	o.people = min(o.people, listReaders+bookers)
	r.options.people = o.people
	if err := r.invite(ctx); err != nil {
		return err
	}
	readers, many := r.people[min(bookers, len(r.people)-1):], r.people[:min(bookers, len(r.people)-1)]
	if err := w.first().organize(ctx); err != nil {
		return err
	}
	if err := w.first().insertHouses(ctx, readers); err != nil {
		return err
	}
	for _, n := range []struct{ from, to int }{{1, fewEvents}, {fewEvents + 1, allEvents}} {
		say("filling up to %d events", n.to)
		began := time.Now()
		if err := w.first().insertListed(ctx, n.from, n.to); err != nil {
			return err
		}
		say("filled in %.0f s", time.Since(began).Seconds())
		if n.from == 1 {
			if err := r.bookMuch(ctx, many); err != nil {
				return err
			}
			// A minute later the autovacuum would have done so.
			if err := w.first().exec(ctx, "VACUUM ANALYZE bookings", "VACUUM ANALYZE booking_seats", "VACUUM ANALYZE booking_history"); err != nil {
				return err
			}
		}
		if err := r.calm(ctx); err != nil {
			return err
		}
		if err := r.lists(ctx, readers, many, n.to); err != nil {
			return err
		}
	}
	return r.check(ctx)
}

// exec runs statements as the owner of the tables, one after the other.
func (s *server) exec(ctx context.Context, statements ...string) error {
	ctx, cancel := context.WithTimeout(ctx, fillPatience)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.ownerURL)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for _, sql := range statements {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%w: %.200s", err, sql)
		}
	}
	return nil
}

// insertEvents adds events as makeEvents does, in one statement: for those of
// which so many are wanted that an organizer's limit would take minutes.
func (s *server) insertEvents(ctx context.Context, name string, count, seats int) ([]string, error) {
	if err := s.organize(ctx); err != nil {
		return nil, err
	}
	conn, err := pgx.Connect(ctx, s.ownerURL)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	starts := time.Now().Add(eventAhead).UTC().Truncate(time.Second)
	rows, err := conn.Query(ctx, `
		INSERT INTO events (id, org_id, name, description, category, starts_at, ends_at, time_zone, venue, total_slots, available_slots,
		                    max_seats_per_user, visibility, waitlist_policy, created_by)
		SELECT gen_random_uuid(), $1, $2 || ' ' || i, 'Sold by the benchmark.', 'music', $3, $4, 'Europe/Berlin', 'Here', $5, $5, least($5, $6::int), 'public', 'strict', $7
		FROM generate_series(1, $8::int) i
		RETURNING id::text`, s.org, name, starts, starts.Add(eventLength), seats, seatsPerPerson, s.operator.id, count)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// insertHouses adds the organizations whose events are listed, each run by one
// of the readers.
func (s *server) insertHouses(ctx context.Context, readers []person) error {
	conn, err := pgx.Connect(ctx, s.ownerURL)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	admins := make([]string, listOrgs)
	for i := range admins {
		admins[i] = readers[i%len(readers)].id
	}
	_, err = conn.Exec(ctx, `
		WITH house AS (
		  INSERT INTO organizations (id, name, created_by)
		  SELECT gen_random_uuid(), $1 || n, a.admin FROM unnest($2::uuid[]) WITH ORDINALITY a(admin, n)
		  RETURNING id, created_by)
		INSERT INTO organization_users (org_id, user_id, role) SELECT id, created_by, 'orgAdmin' FROM house`, listOrgPrefix, admins)
	return err
}

// insertListed adds the events of these numbers, all to come within a year and
// not in the order of their numbers. All have the word "evening" and one of
// eight categories; one in a hundred "percent", one in 10,000 "rare", and those
// of the last week of the year "late". One in twenty is for members only.
func (s *server) insertListed(ctx context.Context, from, to int) error {
	// A prime to the number of events spreads them evenly over the year,
	// however many there are yet.
	const stride = 7919
	sql := fmt.Sprintf(`
		INSERT INTO events (id, org_id, name, description, category, starts_at, ends_at, time_zone, venue, total_slots, available_slots,
		                    max_seats_per_user, visibility, waitlist_policy, created_by)
		SELECT gen_random_uuid(), house.id, 'Evening ' || substr(md5((i %% 5000)::text), 1, 6) || ' ' || i
		         || CASE WHEN i %% 100 = 7 THEN ' percent' ELSE '' END || CASE WHEN i %% 10000 = 77 THEN ' rare' ELSE '' END
		         || CASE WHEN at > interval '358 days' THEN ' late' ELSE '' END,
		       'An evening that is listed and searched, with a text of about the length that people write.',
		       (ARRAY['music','theatre','sport','talk','film','fair','meetup','dance'])[1 + i %% 8],
		       begun + at, begun + at + interval '2 hours', 'Europe/Berlin', 'Hall ' || i %% 300, 200, 200, 10,
		       CASE WHEN i %% 20 = 3 THEN 'members' ELSE 'public' END, 'strict', house.created_by
		FROM generate_series(%d, %d) i,
		     LATERAL (SELECT (i::bigint * %d %% %d) * (interval '1 second' * %f) AS at) when_,
		     (SELECT date_trunc('hour', now()) + interval '3 hours' AS begun) origin,
		     (SELECT array_agg(id ORDER BY id) AS ids, array_agg(created_by ORDER BY id) AS admins FROM organizations WHERE name LIKE '%s%%') houses,
		     LATERAL (SELECT houses.ids[1 + i %% %d] AS id, houses.admins[1 + i %% %d] AS created_by) house`,
		from, to, stride, allEvents, eventsSpread.Seconds()/allEvents, listOrgPrefix, listOrgs, listOrgs)
	return s.exec(ctx, sql, "VACUUM ANALYZE events", "CHECKPOINT")
}

// bookMuch has a few people book 10,000 times each, through the use case and
// not over HTTP, where a person's limit would take minutes.
func (r *runner) bookMuch(ctx context.Context, who []person) (err error) {
	say("%d people book %d times each", len(who), bookerEvents*bookingsEach)
	s := r.world.first()
	conn, err := pgx.Connect(ctx, s.ownerURL)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	rows, err := conn.Query(ctx, "SELECT id FROM events WHERE visibility = 'public' AND name LIKE 'Evening%' ORDER BY id LIMIT $1", bookerEvents)
	if err != nil {
		return err
	}
	events, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return err
	}
	a, err := s.attach(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Stop(context.WithoutCancel(ctx))) }()
	type one struct {
		who   uuid.UUID
		event uuid.UUID
	}
	orders := make(chan one)
	faults := make([]error, bookAtOnce)
	var busy sync.WaitGroup
	for i := range faults {
		busy.Go(func() {
			for q := range orders {
				_, err := a.Bookings.Book(ctx, access.Principal{UserID: q.who}, booking.Request{EventID: q.event, Seats: 1, Key: booking.Key{Value: uuid.NewString()}})
				if err != nil && faults[i] == nil {
					faults[i] = err
				}
			}
		})
	}
	for range bookingsEach {
		for _, id := range events {
			for _, p := range who {
				orders <- one{uuid.MustParse(p.id), id}
			}
		}
	}
	close(orders)
	busy.Wait()
	return errors.Join(faults...)
}

// lists measures reading at a steady rate.
func (r *runner) lists(ctx context.Context, readers, bookers []person, events int) error {
	addr := r.world.first().apiAddr
	pages, err := r.cursors(ctx, readers[0], "/events?limit=50")
	if err != nil {
		return err
	}
	var listed []string
	for _, cursor := range pages {
		listed = append(listed, "/events?limit=50&cursor="+cursor)
	}
	from := time.Now().Add(eventsSpread * 2 / 3).UTC().Format(time.RFC3339)
	kinds := []string{"/events", "/events?limit=50", "/events?category=film", "/events?status=upcoming", "/events?from=" + from, "/events?category=talk&from=" + from}
	for i := range 2 * len(kinds) {
		kinds = append(kinds, listed[i*7%len(listed)])
	}
	searched := []string{"/events?q=evening", "/events?q=film", "/events?q=evening+film", "/events?q=percent", "/events?q=late", "/events?q=rare", "/events?q=absent",
		"/events?q=hall+77", "/events?q=c4c", "/events?q=even+perc+hall"}
	var mine []string
	if pages, err = r.cursors(ctx, bookers[0], "/bookings/user/"+bookers[0].id+"?limit=50"); err != nil {
		return err
	}
	own := []string{}
	for i := range deepPages {
		mine = append(mine, []string{"?limit=50", "?limit=50&status=confirmed", "?limit=50&cursor=" + pages[i%len(pages)]}[i%3])
		own = append(own, "/bookings/user/"+bookers[0].id+mine[i])
	}
	for _, c := range []struct {
		kind  string
		who   person
		paths []string // each asked alone, too
		asks  *reads
	}{
		{kind: "listed", who: readers[0], paths: kinds, asks: &reads{people: readers, host: addr, path: func(buf []byte, turn uint64, _ *person) []byte {
			return append(buf, kinds[turn%uint64(len(kinds))]...)
		}}},
		{kind: "searched", who: readers[0], paths: searched, asks: &reads{people: readers, host: addr, path: func(buf []byte, turn uint64, _ *person) []byte {
			return append(buf, searched[turn%uint64(len(searched))]...)
		}}},
		{kind: "a person's 10,000 bookings", who: bookers[0], paths: own, asks: &reads{people: bookers, host: addr, path: func(buf []byte, turn uint64, who *person) []byte {
			buf = append(append(buf, "/bookings/user/"...), who.id...)
			return append(buf, mine[turn/uint64(len(bookers))%uint64(len(mine))]...)
		}}},
	} {
		d := min(r.side(), listLongest)
		say("%s among %d events, %d a second by schedule, %v", c.kind, events, listRate, d)
		w, err := r.sale(ctx, sale{part: partLists, name: fmt.Sprintf("%s, among %d events", c.kind, events), connections: listCallers, duration: d, rate: listRate, warmUp: shortWarmUp * 2,
			asks: func([]string) func([]byte, *rand.Rand) ([]byte, int) { return c.asks.append }, want: given, unkept: true})
		if err != nil {
			return err
		}
		w.Kind, w.Among = c.kind, events
		if w.Slowest, w.SlowestTook, err = r.slowest(ctx, c.who, c.paths); err != nil {
			return err
		}
		r.report.Rows = append(r.report.Rows, w)
	}
	return nil
}

// slowest asks for each of the pages alone, a few times, and gives the one that
// takes longest, by the median.
func (r *runner) slowest(ctx context.Context, who person, paths []string) (slowest string, took time.Duration, err error) {
	const times = 3
	seen := map[string]bool{}
	for _, path := range paths {
		if seen[path] {
			continue
		}
		seen[path] = true
		var all latencies
		for range times {
			_, alone, err := r.page(ctx, who, path)
			if err != nil {
				return "", 0, err
			}
			all = append(all, alone)
		}
		if median := all.sorted().percentile(50); median > took {
			slowest, took = path, median
		}
	}
	return slowest, took, nil
}

// page reads a page as one person, who comes again when told to, and says how
// long the answer took.
func (r *runner) page(ctx context.Context, who person, path string) (text []byte, took time.Duration, err error) {
	for range retriesMax {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.world.first().apiAddr+path, nil)
		if err != nil {
			return nil, 0, err
		}
		request.Header.Set("Authorization", "Bearer "+who.token)
		began := time.Now()
		status, _, text, err := fetch(request)
		switch {
		case err != nil:
			return nil, 0, err
		case status == http.StatusOK:
			return text, time.Since(began), nil
		case status != http.StatusTooManyRequests:
			return nil, 0, fmt.Errorf("GET %s: %d %.200s", path, status, text)
		}
		wait(ctx, time.Second)
	}
	return nil, 0, fmt.Errorf("GET %s: always told to come later", path)
}

// cursors walks a list and gives where each page ends.
func (r *runner) cursors(ctx context.Context, who person, path string) (cursors []string, err error) {
	for next := ""; len(cursors) < deepPages; {
		address := path
		if next != "" {
			address += "&cursor=" + url.QueryEscape(next)
		}
		text, _, err := r.page(ctx, who, address)
		if err != nil {
			return nil, err
		}
		var page struct {
			Next *string `json:"next_cursor"`
		}
		if err := json.Unmarshal(text, &page); err != nil {
			return nil, err
		}
		if page.Next == nil {
			break
		}
		next = *page.Next
		cursors = append(cursors, url.QueryEscape(next))
	}
	if len(cursors) == 0 {
		return nil, fmt.Errorf("GET %s has a single page", path)
	}
	return cursors, nil
}
