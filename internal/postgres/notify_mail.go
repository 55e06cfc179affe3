package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"happening/internal/notify"
)

const leaseMails = `
WITH due AS (
  SELECT n.id
  FROM unnest($1::uuid[]) AS t (org_id)
  CROSS JOIN LATERAL (
    SELECT id
    FROM notifications
    WHERE status = 'pending' AND org_id = t.org_id AND next_try_at <= $3
    ORDER BY next_try_at, id
    LIMIT $2
    FOR UPDATE SKIP LOCKED
  ) AS n
  UNION ALL
  SELECT n.id
  FROM (
    SELECT id
    FROM notifications
    WHERE status = 'pending' AND org_id IS NULL AND next_try_at <= $3
    ORDER BY next_try_at, id
    LIMIT $5
    FOR UPDATE SKIP LOCKED
  ) AS n
)
UPDATE notifications AS n
SET attempts = n.attempts + 1, next_try_at = $4
FROM due
WHERE n.id = due.id
RETURNING n.id`

// What a mail says of person and event is read when it is sent: an address
// may be verified, an event moved, between the fact and the mail. Of what is
// told of bookings that others made, the messages of the day before it are
// counted; those in the application have an index by person, and rise with time.
const readMails = `
SELECT n.id, n.attempts, n.booking_id, n.user_id, n.type, n.title, n.message, n.link, n.org_id,
       coalesce(o.name, ''),
       f.id, coalesce(f.kind, ''), coalesce(f.payload, '{}'), f.created_at,
       e.id, coalesce(e.name, ''), coalesce(e.venue, ''), e.starts_at, e.ends_at, coalesce(e.time_zone, ''), coalesce(e.layout_revision, 0),
       coalesce(u.name, ''), coalesce(CASE WHEN u.email_verified OR u.guest THEN u.email END, ''),
       coalesce(u.guest, false), b.id IS NOT NULL,
       CASE WHEN b.id IS NULL THEN 0 ELSE (
         SELECT count(*) FROM (
           SELECT FROM notifications told
           JOIN bookings made ON made.id = told.booking_id AND made.booked_by IS NOT NULL
           WHERE told.user_id = n.user_id AND told.channel = 'app' AND told.fact_id < n.fact_id
             AND told.created_at > n.created_at - $2::interval
           ORDER BY told.id DESC LIMIT $3) earlier) END
FROM notifications n
LEFT JOIN outbox f ON f.id = n.fact_id
LEFT JOIN organizations o ON o.id = n.org_id
LEFT JOIN events e ON e.id = n.event_id
LEFT JOIN users u ON u.id = n.user_id
LEFT JOIN bookings b ON b.id = n.booking_id AND b.booked_by IS NOT NULL
WHERE n.id = ANY ($1)`

// ClaimMails implements notify.MailStore.
func (s *NotifyStore) ClaimMails(ctx context.Context, now time.Time, lease time.Duration, after uuid.UUID, limit int) ([]notify.Delivery, uuid.UUID, error) {
	var due []notify.Delivery
	var next uuid.UUID
	err := inTx(ctx, s.db.System, func(tx pgx.Tx) error {
		due = nil
		// Losing a lease in a crash costs no more than the crash itself does: a
		// mail that is sent again, with the same id.
		if _, err := tx.Exec(ctx, "SET LOCAL synchronous_commit = off"); err != nil {
			return err
		}
		tenants, reached, err := tenantsWithWork(ctx, tx, pendingMailTenants, after, min(notify.TenantsPerBatch, limit))
		if err != nil {
			return err
		}
		next = reached
		own, each := shares(limit, len(tenants))
		rows, err := tx.Query(ctx, leaseMails, tenants, each, now, now.Add(lease), own)
		if err != nil {
			return err
		}
		ids, err := pgx.CollectRows(rows, pgx.RowTo[pgtype.UUID])
		if err != nil || len(ids) == 0 {
			return err
		}
		rows, err = tx.Query(ctx, readMails, ids, notify.OnBehalfWindow, notify.MaxOnBehalfMails)
		if err != nil {
			return err
		}
		cards, revisions := make(map[uuid.UUID]notify.EventCard), make(map[uuid.UUID]int64)
		due, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (notify.Delivery, error) {
			d, revision, err := scanDelivery(row)
			if revision > 0 {
				cards[d.Event.ID], revisions[d.Event.ID] = d.Event, revision
			}
			return d, err
		})
		if err != nil || len(cards) == 0 {
			return err
		}
		if err := s.layouts.fill(ctx, tx, cards, revisions); err != nil {
			return err
		}
		for i := range due {
			due[i].Event.Layout = cards[due[i].Event.ID].Layout
		}
		return nil
	})
	if err != nil {
		return nil, uuid.Nil, fmt.Errorf("postgres: claim mails: %w", err)
	}
	return due, next, nil
}

func scanDelivery(row pgx.CollectableRow) (d notify.Delivery, layoutRevision int64, err error) {
	var booking, user, org, fact, event pgtype.UUID
	var factAt, startsAt, endsAt pgtype.Timestamptz
	err = row.Scan(&d.ID, &d.Attempt, &booking, &user, &d.Type, &d.Title, &d.Text, &d.Link, &org,
		&d.OrgName,
		&fact, &d.Fact.Kind, &d.Fact.Payload, &factAt,
		&event, &d.Event.Name, &d.Event.Venue, &startsAt, &endsAt, &d.Event.TimeZone, &layoutRevision,
		&d.Name, &d.Address,
		&d.Guest, &d.OnBehalf, &d.OnBehalfBefore)
	if err != nil {
		return notify.Delivery{}, 0, err
	}
	d.BookingID, d.UserID, d.Event.OrgName = booking.Bytes, user.Bytes, d.OrgName
	d.Event.ID, d.Event.StartsAt, d.Event.EndsAt = event.Bytes, startsAt.Time, endsAt.Time
	d.Fact.ID, d.Fact.OrgID, d.Fact.CreatedAt = fact.Bytes, org.Bytes, factAt.Time
	d.Fact.EventID, d.Fact.BookingID, d.Fact.UserID = event.Bytes, booking.Bytes, user.Bytes
	return d, layoutRevision, nil
}

// Only the attempt that is still the current one may say anything but "sent",
// which is true whoever says it.
const finishMails = `
UPDATE notifications AS n
SET status      = CASE r.outcome WHEN 'sent' THEN 'sent' WHEN 'failed' THEN 'failed' ELSE 'pending' END,
    attempts    = n.attempts - CASE r.outcome WHEN 'untried' THEN 1 ELSE 0 END,
    last_error  = CASE r.outcome WHEN 'untried' THEN n.last_error ELSE r.error END,
    next_try_at = CASE WHEN r.outcome IN ('retry', 'untried') THEN r.next_try_at END,
    sent_at     = CASE r.outcome WHEN 'sent' THEN $6::timestamptz END
FROM unnest($1::uuid[], $2::int[], $3::text[], $4::text[], $5::timestamptz[])
  AS r (id, attempt, outcome, error, next_try_at)
WHERE n.id = r.id AND n.status = 'pending' AND (r.outcome = 'sent' OR n.attempts = r.attempt)`

// FinishMails implements notify.MailStore.
func (s *NotifyStore) FinishMails(ctx context.Context, now time.Time, results []notify.Result) error {
	var ids []pgtype.UUID
	var attempts []int32
	var outcomes, errs []string
	var nextTries []pgtype.Timestamptz
	for _, r := range results {
		ids = append(ids, nullable(r.ID))
		attempts = append(attempts, int32(r.Attempt))
		outcomes = append(outcomes, string(r.Outcome))
		errs = append(errs, r.Error)
		nextTries = append(nextTries, pgtype.Timestamptz{Time: r.NextTry, Valid: !r.NextTry.IsZero()})
	}
	if _, err := s.db.System.Exec(ctx, finishMails, ids, attempts, outcomes, errs, nextTries, now); err != nil {
		return fmt.Errorf("postgres: finish mails: %w", err)
	}
	return nil
}
