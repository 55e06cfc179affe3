package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"happening/internal/booking"
)

// The deadlines of passing states that C7 holds the product to.
const (
	relayDeadline    = 10 * time.Minute // a fact waits for the relay
	closingDeadline  = 5 * time.Minute  // overtaken bookings wait to be rewritten
	statusDeadline   = 2 * time.Minute  // the status column follows the clock
	mailDeadline     = 24 * time.Hour   // a mail is sent or given up
	standingDeadline = 5 * time.Minute  // events move on after a suspension
)

// breachQuery finds rows that break a rule: each row of its answer is one,
// told by one text. $1 is now; queries that don't ask for the time ignore it.
type breachQuery struct{ rule, what, sql string }

// lastHistory is each booking's last history row. The rules join whole tables
// instead of looking things up row by row: that stays quick in any plan.
const lastHistory = `
	SELECT DISTINCT ON (booking_id) booking_id, details FROM booking_history ORDER BY booking_id, id DESC`

// breachQueries are the checker's rules over PostgreSQL. They read tables
// only, so they hold whoever wrote the rows.
var breachQueries = []breachQuery{
	{"C1", "seats sold twice", `
		SELECT event_id || ' seat ' || seat_no FROM booking_seats
		WHERE status = 'booked' GROUP BY event_id, seat_no HAVING count(*) > 1`},
	{"C1", "sold seats that the event does not have", `
		SELECT s.event_id || ' seat ' || s.seat_no FROM booking_seats s LEFT JOIN events e ON e.id = s.event_id
		WHERE s.status = 'booked' AND (e.id IS NULL OR s.seat_no > e.total_slots)`},
	{"C1", "sold seats that are blocked", `
		SELECT s.event_id || ' seat ' || s.seat_no FROM booking_seats s
		JOIN event_blocks k ON k.event_id = s.event_id AND k.part = (s.seat_no - 1) / 1024
		WHERE s.status = 'booked' AND get_bit(k.seats, (s.seat_no - 1) % 1024) = 1`},
	{"C1", "blocked seats that the event does not have", `
		SELECT k.event_id || ' seat ' || k.part * 1024 + n + 1
		FROM event_blocks k JOIN events e ON e.id = k.event_id AND (k.part + 1) * 1024 > e.total_slots
		CROSS JOIN generate_series(0, 1023) n
		WHERE k.part * 1024 + n >= e.total_slots AND get_bit(k.seats, n) = 1`},
	{"C1", "events whose available_slots is not total − sold − blocked", `
		SELECT e.id || ': ' || e.available_slots || ' of ' || e.total_slots || ', sold ' || coalesce(s.n, 0) || ', blocked ' || coalesce(k.n, 0)
		FROM events e
		LEFT JOIN (SELECT event_id, count(*) n FROM booking_seats WHERE status = 'booked' GROUP BY 1) s ON s.event_id = e.id
		LEFT JOIN (SELECT event_id, sum(bit_count(seats)) n FROM event_blocks GROUP BY 1) k ON k.event_id = e.id
		WHERE e.available_slots <> e.total_slots - coalesce(s.n, 0) - coalesce(k.n, 0)`},
	{"C1", "events whose seats are laid out otherwise than they say", `
		SELECT e.id::text FROM events e
		LEFT JOIN LATERAL (
		  SELECT sum((r ->> 'seats')::int) AS seats
		  FROM event_layouts l, jsonb_array_elements(l.sections) s, jsonb_array_elements(s -> 'rows') r
		  WHERE l.event_id = e.id) laid ON e.layout_revision > 0
		WHERE (e.layout_revision > 0) <> EXISTS (SELECT 1 FROM event_layouts l WHERE l.event_id = e.id)
		   OR e.layout_revision > 0 AND laid.seats IS DISTINCT FROM e.total_slots`},
	{"C1", "bookings whose live seats are not what they say", `
		SELECT b.id || ' is ' || b.status || ' with ' || b.seats || ' seats, live ' || coalesce(s.n, 0)
		FROM bookings b
		LEFT JOIN (SELECT booking_id, count(*) n FROM booking_seats WHERE status = 'booked' GROUP BY 1) s ON s.booking_id = b.id
		WHERE coalesce(s.n, 0) <> CASE b.status WHEN 'confirmed' THEN b.seats ELSE 0 END`},
	{"C1", "live seats of no booking", `
		SELECT s.booking_id || ' seat ' || s.seat_no FROM booking_seats s LEFT JOIN bookings b ON b.id = s.booking_id
		WHERE b.id IS NULL`},
	{"C1", "people with more seats than the event lets one person have", `
		SELECT b.event_id || ' ' || b.user_id || ': ' || sum(b.seats) FROM bookings b JOIN events e ON e.id = b.event_id
		WHERE b.status IN ('confirmed', 'waiting') AND e.max_seats_per_user IS NOT NULL
		  -- Who turned out to be a guest, too, keeps what both had.
		  AND NOT EXISTS (SELECT 1 FROM user_audit i WHERE i.user_id = b.user_id AND i.action = 'guest.inherited')
		  AND NOT EXISTS (SELECT 1 FROM audit_log a WHERE a.subject_id = e.id
		    AND a.before ->> 'max_seats_per_user' IS DISTINCT FROM a.after ->> 'max_seats_per_user' AND a.before IS NOT NULL)
		GROUP BY b.event_id, b.user_id, e.max_seats_per_user HAVING sum(b.seats) > e.max_seats_per_user`},

	{"C3", "history without its fact", `
		SELECT h.id::text FROM booking_history h LEFT JOIN outbox o ON o.id = h.id
		WHERE o.id IS NULL AND h.created_at > $1::timestamptz - interval '6 days'`},
	{"C3", "facts of bookings without their history", `
		SELECT o.id::text FROM outbox o LEFT JOIN booking_history h ON h.id = o.id
		WHERE o.kind LIKE 'booking.%' AND h.id IS NULL`},
	{"C3", "bookings that are not what their last history row says", `
		SELECT b.id || ' is ' || b.status || ' with ' || b.seats || ', history says ' || coalesce(h.details -> 'to' ->> 'status', 'nothing')
		FROM bookings b LEFT JOIN (` + lastHistory + `) h ON h.booking_id = b.id
		WHERE h.details IS NULL OR h.details -> 'to' ->> 'status' <> b.status
		   OR (h.details -> 'to' ->> 'seats')::int <> b.seats`},
	{"C3", "history rows that do not follow from the one before", `
		SELECT id::text FROM (
		  SELECT id, details -> 'from' AS said, lag(details -> 'to') OVER (PARTITION BY booking_id ORDER BY id) AS was
		  FROM booking_history) h
		WHERE coalesce(said, 'null') IS DISTINCT FROM coalesce(was, 'null')`},
	{"C3", "live seats that are not what the last history row says", `
		SELECT b.id::text
		FROM bookings b
		JOIN (` + lastHistory + `) h ON h.booking_id = b.id
		LEFT JOIN (
		  SELECT booking_id, jsonb_agg(seat_no ORDER BY seat_no) AS numbers FROM booking_seats
		  WHERE status = 'booked' GROUP BY booking_id) s ON s.booking_id = b.id
		WHERE b.status = 'confirmed' AND h.details -> 'to' -> 'seat_numbers' IS DISTINCT FROM s.numbers`},

	{"C3", "moves to other seats that changed more than the seats, or stand in no record", `
		SELECT h.id::text FROM booking_history h LEFT JOIN audit_log a ON a.id = h.id
		WHERE h.action = 'moved' AND (a.id IS NULL
		  OR (h.details -> 'from') - 'seat_numbers' IS DISTINCT FROM (h.details -> 'to') - 'seat_numbers'
		  OR jsonb_array_length(h.details -> 'to' -> 'seat_numbers') <> (h.details -> 'to' ->> 'seats')::int)`},

	{"C3", "bookings for somebody that are not what their history says, or stand in no record", `
		SELECT b.id::text
		FROM bookings b
		JOIN (SELECT DISTINCT ON (booking_id) booking_id, id, actor_id, user_id FROM booking_history ORDER BY booking_id, id) h
		  ON h.booking_id = b.id
		LEFT JOIN audit_log a ON a.id = h.id
		WHERE b.booked_by IS DISTINCT FROM CASE WHEN h.actor_id <> h.user_id THEN h.actor_id END
		   OR b.booked_by IS NOT NULL AND (a.id IS NULL OR a.action <> 'event.booked_for')`},

	{"C4", "messages sent twice to one person over one channel", `
		SELECT fact_id || ' ' || coalesce(user_id::text, 'address') || ' ' || channel FROM notifications
		GROUP BY fact_id, user_id, recipient, channel HAVING count(*) > 1`},
	{"C4", "relayed facts of bookings of which nobody was told", `
		-- EXCEPT compares in one pass, also where PostgreSQL has no statistics
		-- yet, as after a crash, and would take the facts for a few.
		SELECT id::text FROM (
		  SELECT o.id FROM outbox o
		  WHERE o.kind LIKE 'booking.%' AND o.relayed_at IS NOT NULL
		    AND EXISTS (SELECT 1 FROM users u WHERE u.id = o.user_id AND u.erased_at IS NULL)
		  EXCEPT SELECT n.fact_id FROM notifications n) untold`},

	{"C5", "events at which joined is not waiting + promoted + left + closed", `
		SELECT e.id || ': joined ' || count(*) FILTER (WHERE h.action = 'waitlisted')
		FROM events e JOIN booking_history h ON h.event_id = e.id
		GROUP BY e.id, e.waiting_parties
		HAVING count(*) FILTER (WHERE h.action = 'waitlisted') <> e.waiting_parties
		  + count(*) FILTER (WHERE h.action = 'promoted')
		  + count(*) FILTER (WHERE h.action = 'cancelled' AND h.details -> 'from' ->> 'status' = 'waiting')`},
	{"C5", "events whose waiting_parties is not the number of waiting bookings", `
		SELECT e.id::text FROM events e
		LEFT JOIN (SELECT event_id, count(*) n FROM bookings WHERE status = 'waiting' GROUP BY 1) w ON w.event_id = e.id
		WHERE e.waiting_parties <> coalesce(w.n, 0)`},
	{"C5", "waiting numbers given twice or beyond the last one", `
		SELECT b.event_id || ' number ' || b.waiting_number FROM bookings b JOIN events e ON e.id = b.event_id
		WHERE b.waiting_number IS NOT NULL
		GROUP BY b.event_id, b.waiting_number, e.last_waiting HAVING count(*) > 1 OR b.waiting_number > e.last_waiting`},
	{"C5", "events whose waiting numbers have a gap", `
		SELECT e.id::text FROM events e
		LEFT JOIN (SELECT event_id, count(*) n FROM bookings WHERE waiting_number IS NOT NULL GROUP BY 1) w ON w.event_id = e.id
		WHERE e.last_waiting <> coalesce(w.n, 0)`},
	{"C5", "promotions by hand that nobody made, or that stand in no record", `
		SELECT h.id::text FROM booking_history h LEFT JOIN audit_log a ON a.id = h.id
		WHERE h.details ? 'by_hand' AND (h.action <> 'promoted' OR h.actor_id IS NULL OR a.id IS NULL)`},
	// A promotion by hand may overtake; a party that is served so is gone for
	// those that wait behind it all the same. One that a lowered capacity has
	// overtaken leaves the line with the first change of that transaction, and
	// its booking may be rewritten steps later.
	{"C5", "promotions under strict that overtook somebody", `
		WITH lowered AS MATERIALIZED (
		  SELECT a.subject_id AS event_id, a.created_at, (a.after ->> 'total_slots')::int AS total_slots,
		    (SELECT min(h.id::text COLLATE "C") FROM booking_history h
		     WHERE h.event_id = a.subject_id AND h.created_at >= a.created_at) AS first
		  FROM audit_log a
		  WHERE (a.after ->> 'total_slots')::int < (a.before ->> 'total_slots')::int)
		SELECT id::text FROM (
		  SELECT id, promoted, max(gone) OVER (PARTITION BY event_id ORDER BY waiting_number
		    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS last_before
		  FROM (
		    -- When each party that waited left the waitlist, by the id of the
		    -- history row; 'still' sorts behind all of them.
		    SELECT b.id, b.event_id, b.waiting_number,
		      least(coalesce(min(h.id::text COLLATE "C") FILTER (WHERE h.details -> 'to' ->> 'status' <> 'waiting'), 'still'),
		        CASE WHEN b.reason = '` + booking.ReasonCapacity + `' THEN (
		          SELECT min(l.first) FROM lowered l
		          WHERE l.event_id = b.event_id AND l.total_slots < b.seats AND l.created_at >= b.created_at) END) AS gone,
		      min(h.id::text COLLATE "C") FILTER (WHERE h.action = 'promoted' AND NOT h.details ? 'by_hand') AS promoted
		    FROM bookings b
		    JOIN events e ON e.id = b.event_id AND e.waitlist_policy = 'strict'
		    JOIN booking_history h ON h.booking_id = b.id
		    WHERE b.waiting_number IS NOT NULL
		      AND NOT EXISTS (SELECT 1 FROM audit_log a WHERE a.subject_id = e.id
		        AND a.before ->> 'waitlist_policy' <> a.after ->> 'waitlist_policy')
		    GROUP BY b.id) waited) ordered
		WHERE promoted < last_before`},
	// A capacity that is lowered cancels them in steps.
	{"C7", "waiting parties that are larger than their event", `
		SELECT b.id::text FROM bookings b JOIN events e ON e.id = b.event_id
		WHERE b.status = 'waiting' AND b.seats > e.total_slots AND e.updated_at < $1::timestamptz - interval '` + closingDeadline.String() + `'`},
	{"C5", "waiting numbers that are not those of the history, or not in the order of joining", `
		SELECT id::text FROM (
		  SELECT b.id, b.waiting_number, (h.details -> 'to' ->> 'waiting_number')::bigint AS given,
		    lag(b.waiting_number) OVER (PARTITION BY b.event_id ORDER BY h.id) AS previous
		  FROM bookings b JOIN booking_history h ON h.booking_id = b.id AND h.action = 'waitlisted') numbers
		WHERE waiting_number IS DISTINCT FROM given OR waiting_number <= previous`},

	{"C7", "facts that the relay has not taken", `
		SELECT id || ' ' || kind FROM outbox WHERE relayed_at IS NULL AND created_at < $1::timestamptz - interval '` + relayDeadline.String() + `'`},
	{"C7", "mails neither sent nor given up", `
		SELECT id::text FROM notifications WHERE status = 'pending' AND created_at < $1::timestamptz - interval '` + mailDeadline.String() + `'`},
	{"C7", "events whose status column is behind the clock", `
		SELECT id || ' is ' || status FROM events
		WHERE status = 'upcoming' AND starts_at < $1::timestamptz - interval '` + statusDeadline.String() + `'
		   OR status = 'ongoing' AND ends_at < $1::timestamptz - interval '` + statusDeadline.String() + `'`},
	{"C7", "people who wait at an event that has begun", `
		SELECT b.id::text FROM bookings b JOIN events e ON e.id = b.event_id
		WHERE b.status = 'waiting' AND e.starts_at < $1::timestamptz - interval '` + closingDeadline.String() + `'`},
	{"C7", "live bookings of a cancelled event", `
		SELECT b.id::text FROM bookings b JOIN events e ON e.id = b.event_id
		WHERE b.status <> 'cancelled' AND e.cancelled_at < $1::timestamptz - interval '` + closingDeadline.String() + `'`},

	{"C7", "bookings of people who were erased, at events to come", `
		SELECT b.id::text FROM bookings b JOIN users u ON u.id = b.user_id JOIN events e ON e.id = b.event_id
		WHERE b.status <> 'cancelled' AND e.status = 'upcoming' AND e.starts_at > $1::timestamptz
		  AND u.erased_at < $1::timestamptz - interval '` + closingDeadline.String() + `'`},
	{"C7", "organizations suspended or resumed whose events have not moved on", `
		SELECT id::text FROM organizations
		WHERE standing_changed_at IS DISTINCT FROM standing_moved_at
		  AND standing_changed_at < $1::timestamptz - interval '` + standingDeadline.String() + `'`},

	{"C8", "bookings of another organization than their event", `
		SELECT b.id::text FROM bookings b LEFT JOIN events e ON e.id = b.event_id WHERE b.org_id IS DISTINCT FROM e.org_id`},
	{"C8", "seats of another organization, event or person than their booking", `
		SELECT s.booking_id || ' seat ' || s.seat_no FROM booking_seats s JOIN bookings b ON b.id = s.booking_id
		WHERE (s.org_id, s.event_id, s.user_id) IS DISTINCT FROM (b.org_id, b.event_id, b.user_id)`},
	{"C8", "history of another organization, event or person than its booking", `
		SELECT h.id::text FROM booking_history h LEFT JOIN bookings b ON b.id = h.booking_id
		WHERE (h.org_id, h.event_id, h.user_id) IS DISTINCT FROM (b.org_id, b.event_id, b.user_id)`},
	{"C8", "facts of another organization than their event", `
		SELECT o.id::text FROM outbox o JOIN events e ON e.id = o.event_id WHERE o.org_id IS DISTINCT FROM e.org_id`},
}

// breachExamples bounds the rows that are named of one breach.
const breachExamples = 5

// Check reads one snapshot of the database and reports every breach of the
// rules C1, C3–C5, C7 and C8. progress is told each rule as it begins; it may
// be nil.
func (db *DB) Check(ctx context.Context, now time.Time, progress func(rule, what string)) ([]booking.Breach, error) {
	var found []booking.Breach
	err := pgx.BeginTxFunc(ctx, db.System, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		found = nil
		for _, q := range breachQueries {
			if progress != nil {
				progress(q.rule, q.what)
			}
			rows, err := tx.Query(ctx, `
				WITH at AS (SELECT $1::timestamptz), breach(told) AS (`+q.sql+`)
				SELECT count(*), coalesce((SELECT array_agg(s.told) FROM (SELECT told FROM breach LIMIT $2) s), '{}') FROM breach`,
				now, breachExamples)
			if err != nil {
				return fmt.Errorf("postgres: check %s, %s: %w", q.rule, q.what, err)
			}
			b := booking.Breach{Rule: q.rule, What: q.what}
			if _, err := pgx.ForEachRow(rows, []any{&b.Count, &b.Examples}, func() error { return nil }); err != nil {
				return fmt.Errorf("postgres: check %s, %s: %w", q.rule, q.what, err)
			}
			if b.Count > 0 {
				found = append(found, b)
			}
		}
		return nil
	})
	return found, err
}
