package postgres

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"happening/internal/notify"
)

// NotifyStore keeps facts, messages and the development mailbox. It
// implements the ports of the rooms notify and mailbox.
type NotifyStore struct {
	db      *DB
	layouts layouts
	kept    *together[notify.KeptMail, keptMail]
}

// NewNotifyStore makes the store.
func NewNotifyStore(db *DB) *NotifyStore {
	return &NotifyStore{db: db, layouts: newLayouts(), kept: keeperOfMails(db)}
}

// RelayFacts implements notify.RelayStore.
func (s *NotifyStore) RelayFacts(ctx context.Context, now time.Time, after uuid.UUID, compose func(notify.Claimed) notify.Composed) (notify.Relayed, error) {
	var relayed notify.Relayed
	err := inTx(ctx, s.db.System, func(tx pgx.Tx) error {
		relayed = notify.Relayed{}
		tenants, next, err := tenantsWithWork(ctx, tx, pendingFactTenants, after, notify.TenantsPerBatch)
		if err != nil {
			return err
		}
		relayed.Next = next
		c := claim{pages: make(map[uuid.UUID]uuid.UUID)}
		own, each := shares(notify.RelayBatch, len(tenants))
		// The relay need not wait for the disk: what a crash takes back is made
		// again, with the same ids.
		batch := &pgx.Batch{}
		batch.Queue("SET LOCAL synchronous_commit = off")
		batch.Queue(claimOwnFacts, own, now).Query(c.scan)
		batch.Queue(claimTenantFacts, tenants, each, now).Query(c.scan)
		if err := tx.SendBatch(ctx, batch).Close(); err != nil {
			return err
		}
		_, err = s.tellClaimed(ctx, tx, now, &c, compose, &relayed)
		return err
	})
	if err != nil {
		return notify.Relayed{}, fmt.Errorf("postgres: relay facts: %w", refusal(err))
	}
	return relayed, nil
}

// tellClaimed makes and keeps the messages of claimed facts and marks the
// facts, in the transaction that claimed them.
func (s *NotifyStore) tellClaimed(ctx context.Context, tx pgx.Tx, now time.Time, c *claim, compose func(notify.Claimed) notify.Composed, relayed *notify.Relayed) (notify.Composed, error) {
	if len(c.facts) == 0 {
		return notify.Composed{}, nil
	}
	known, finished, err := s.lookUp(ctx, tx, c.facts, c.pages)
	if err != nil {
		return notify.Composed{}, err
	}
	composed := compose(notify.Claimed{Facts: c.facts, Known: known})
	relayed.Facts = len(c.facts)
	relayed.New, relayed.Mails, err = keepMessages(ctx, tx, now, composed.Messages)
	if err != nil {
		return notify.Composed{}, err
	}
	return composed, markFacts(ctx, tx, now, c.facts, finished, known.Audience, composed.Refused)
}

// tenantScan finds the organizations with work by jumping from one to the
// next in an index that starts with org_id, so that its cost is the number of
// organizations and not that of rows. $1 is the organization to start after,
// $2 the number at most.
func tenantScan(table, pending string) string {
	return fmt.Sprintf(`
WITH RECURSIVE tenant AS (
  (SELECT org_id, 1 AS n FROM %[1]s
   WHERE %[2]s AND org_id > $1 ORDER BY org_id LIMIT 1)
  UNION ALL
  SELECT (SELECT w.org_id FROM %[1]s w
          WHERE %[2]s AND w.org_id > t.org_id ORDER BY w.org_id LIMIT 1), t.n + 1
  FROM tenant t
  WHERE t.org_id IS NOT NULL AND t.n < $2
)
SELECT org_id FROM tenant WHERE org_id IS NOT NULL`, table, pending)
}

var (
	pendingFactTenants = tenantScan("outbox", "relayed_at IS NULL")
	pendingMailTenants = tenantScan("notifications", "status = 'pending'")
)

// tenantsWithWork gives organizations with work, at most limit, from the one
// after the given on and around, and where the next round starts.
func tenantsWithWork(ctx context.Context, tx pgx.Tx, scan string, after uuid.UUID, limit int) ([]uuid.UUID, uuid.UUID, error) {
	tenants, err := scanTenants(ctx, tx, scan, after, limit)
	if err != nil {
		return nil, uuid.Nil, err
	}
	if len(tenants) == limit {
		return tenants, tenants[limit-1], nil
	}
	if after == uuid.Nil {
		return tenants, uuid.Nil, nil
	}
	// The round comes to its end and starts over.
	first, err := scanTenants(ctx, tx, scan, uuid.Nil, limit-len(tenants))
	if err != nil {
		return nil, uuid.Nil, err
	}
	next := uuid.Nil
	for _, t := range first {
		if bytes.Compare(t[:], after[:]) > 0 {
			break
		}
		tenants = append(tenants, t)
		next = t
	}
	return tenants, next, nil
}

func scanTenants(ctx context.Context, tx pgx.Tx, scan string, after uuid.UUID, limit int) ([]uuid.UUID, error) {
	rows, err := tx.Query(ctx, scan, after, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
}

// shares divides a batch: a tenth for what belongs to no organization, the
// rest in equal parts among the tenants.
func shares(batch, tenants int) (own, each int) {
	own = max(batch/10, 1)
	return own, max((batch-own)/max(tenants, 1), 1)
}

const factColumns = `id, kind, org_id, event_id, booking_id, user_id, payload, created_at, told_up_to`

const claimTenantFacts = `
SELECT f.*
FROM unnest($1::uuid[]) AS t (org_id)
CROSS JOIN LATERAL (
  SELECT ` + factColumns + `
  FROM outbox
  WHERE relayed_at IS NULL AND org_id = t.org_id AND (next_try_at IS NULL OR next_try_at <= $3)
  ORDER BY id
  LIMIT $2
  FOR UPDATE SKIP LOCKED
) AS f`

const claimOwnFacts = `
SELECT ` + factColumns + `
FROM outbox
WHERE relayed_at IS NULL AND org_id IS NULL AND (next_try_at IS NULL OR next_try_at <= $2)
ORDER BY id
LIMIT $1
FOR UPDATE SKIP LOCKED`

// claim is what a transaction has locked of the outbox.
type claim struct {
	facts []notify.Fact
	// pages holds, for facts that concern every booking of an event, the
	// booking that earlier pages came to.
	pages map[uuid.UUID]uuid.UUID
	// left are such facts over notify.FanOutFacts, which stay pending.
	left []uuid.UUID
}

// scan reads facts with the columns of factColumns.
func (c *claim) scan(rows pgx.Rows) error {
	defer rows.Close()
	for rows.Next() {
		var f notify.Fact
		var org, event, booking, user, toldUpTo pgtype.UUID
		if err := rows.Scan(&f.ID, &f.Kind, &org, &event, &booking, &user, &f.Payload, &f.CreatedAt, &toldUpTo); err != nil {
			return err
		}
		f.OrgID, f.EventID, f.BookingID, f.UserID = org.Bytes, event.Bytes, booking.Bytes, user.Bytes
		if notify.ForEveryBooking(f) {
			if len(c.pages) == notify.FanOutFacts {
				c.left = append(c.left, f.ID)
				continue
			}
			c.pages[f.ID] = toldUpTo.Bytes
		}
		c.facts = append(c.facts, f)
	}
	return rows.Err()
}

const eventCards = `
SELECT e.id, e.name, e.venue, e.starts_at, e.ends_at, e.time_zone, e.layout_revision, coalesce(o.name, '')
FROM events e
LEFT JOIN organizations o ON o.id = e.org_id
WHERE e.id = ANY ($1)`

const inviteCards = `
SELECT i.id, o.name, i.role
FROM organization_invites i
JOIN organizations o ON o.id = i.org_id
WHERE i.id = ANY ($1)`

// Who booked after the fact knew what it tells.
const audiencePage = `
SELECT f.id, b.id, b.user_id
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::timestamptz[]) AS f (id, event_id, told_up_to, created_at)
CROSS JOIN LATERAL (
  SELECT id, user_id
  FROM bookings
  WHERE event_id = f.event_id AND id > f.told_up_to
    AND status IN ('confirmed', 'waiting') AND created_at <= f.created_at
  ORDER BY id
  LIMIT $5
) AS b
ORDER BY f.id, b.id`

// lookUp reads what the facts refer to, each once a batch. The second result
// are the facts of pages that hold the last of their audience.
func (s *NotifyStore) lookUp(ctx context.Context, tx pgx.Tx, facts []notify.Fact, pages map[uuid.UUID]uuid.UUID) (notify.Known, map[uuid.UUID]bool, error) {
	known := notify.Known{
		Events:   make(map[uuid.UUID]notify.EventCard),
		Invites:  make(map[uuid.UUID]notify.InviteCard),
		Audience: make(map[uuid.UUID][]notify.Attendee),
	}
	var invites []uuid.UUID
	events := make(map[uuid.UUID]bool)
	for _, f := range facts {
		if f.EventID != uuid.Nil {
			events[f.EventID] = true
		}
		if invite := notify.InviteOf(f); invite != uuid.Nil {
			invites = append(invites, invite)
		}
	}
	batch := &pgx.Batch{}
	revisions := make(map[uuid.UUID]int64, len(events))
	if len(events) > 0 {
		batch.Queue(eventCards, keys(events)).Query(func(rows pgx.Rows) error {
			var e notify.EventCard
			var revision int64
			_, err := pgx.ForEachRow(rows, []any{&e.ID, &e.Name, &e.Venue, &e.StartsAt, &e.EndsAt, &e.TimeZone, &revision, &e.OrgName}, func() error {
				known.Events[e.ID], revisions[e.ID] = e, revision
				return nil
			})
			return err
		})
	}
	if len(invites) > 0 {
		batch.Queue(inviteCards, invites).Query(func(rows pgx.Rows) error {
			var id uuid.UUID
			var i notify.InviteCard
			_, err := pgx.ForEachRow(rows, []any{&id, &i.OrgName, &i.Role}, func() error {
				known.Invites[id] = i
				return nil
			})
			return err
		})
	}
	page := notify.FanOutPage / max(len(pages), 1)
	if len(pages) > 0 {
		queueAudience(batch, facts, pages, page, known.Audience)
	}
	if batch.Len() == 0 {
		return known, nil, nil
	}
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return notify.Known{}, nil, err
	}
	if err := s.layouts.fill(ctx, tx, known.Events, revisions); err != nil {
		return notify.Known{}, nil, err
	}
	finished := make(map[uuid.UUID]bool, len(pages))
	for fact := range pages {
		finished[fact] = len(known.Audience[fact]) < page
	}
	return known, finished, nil
}

func queueAudience(batch *pgx.Batch, facts []notify.Fact, pages map[uuid.UUID]uuid.UUID, page int, audience map[uuid.UUID][]notify.Attendee) {
	var ids, events, toldUpTo []uuid.UUID
	var createdAt []time.Time
	for _, f := range facts {
		if from, ok := pages[f.ID]; ok {
			ids, events = append(ids, f.ID), append(events, f.EventID)
			toldUpTo, createdAt = append(toldUpTo, from), append(createdAt, f.CreatedAt)
		}
	}
	batch.Queue(audiencePage, ids, events, toldUpTo, createdAt, page).Query(func(rows pgx.Rows) error {
		var fact uuid.UUID
		var a notify.Attendee
		_, err := pgx.ForEachRow(rows, []any{&fact, &a.BookingID, &a.UserID}, func() error {
			audience[fact] = append(audience[fact], a)
			return nil
		})
		return err
	})
}

// A message in the application is delivered by standing here; a mail is due
// at once. What is there already stays as it is. Whether a person wants a mail
// that is theirs to choose is decided here, once, and not when it is sent.
const insertMessages = `
INSERT INTO notifications
  (id, fact_id, org_id, event_id, booking_id, user_id, channel, type, title, message, link,
   status, next_try_at, created_at, sent_at)
SELECT m.id, m.fact_id, m.org_id, m.event_id, m.booking_id, m.user_id, m.channel, m.type, m.title, m.message, m.link,
       CASE m.channel WHEN 'app' THEN 'sent' ELSE 'pending' END,
       CASE m.channel WHEN 'app' THEN NULL ELSE $12::timestamptz END,
       $12,
       CASE m.channel WHEN 'app' THEN $12 END
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[],
            $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $13::bool[])
  AS m (id, fact_id, org_id, event_id, booking_id, user_id, channel, type, title, message, link, chosen)
WHERE NOT (m.chosen AND EXISTS (
  SELECT FROM notification_preferences p
  WHERE p.user_id = m.user_id AND p.type = m.type AND p.channel = m.channel AND NOT p.wanted))
-- Nobody tells somebody who is erased.
AND NOT EXISTS (SELECT FROM users u WHERE u.id = m.user_id AND u.erased_at IS NOT NULL)
ON CONFLICT DO NOTHING
RETURNING id, channel = 'app'`

// keepMessages gives the ids of the new messages in the application and the
// number of new mails.
func keepMessages(ctx context.Context, tx pgx.Tx, now time.Time, messages []notify.Message) (map[uuid.UUID]bool, int, error) {
	if len(messages) == 0 {
		return nil, 0, nil
	}
	var c messageColumns
	for i := range messages {
		if messages[i].ToApp {
			c.add(&messages[i], notify.App)
		}
		if messages[i].ToMail {
			c.add(&messages[i], notify.Email)
		}
	}
	rows, err := tx.Query(ctx, insertMessages, c.id, c.fact, c.org, c.event, c.booking, c.user,
		c.channel, c.kind, c.title, c.text, c.link, now, c.chosen)
	if err != nil {
		return nil, 0, err
	}
	fresh := make(map[uuid.UUID]bool, len(messages))
	mails := 0
	var id pgtype.UUID
	var inApp bool
	_, err = pgx.ForEachRow(rows, []any{&id, &inApp}, func() error {
		if inApp {
			fresh[id.Bytes] = true
		} else {
			mails++
		}
		return nil
	})
	return fresh, mails, err
}

// messageColumns are the rows to insert, column by column.
type messageColumns struct {
	id, fact, org, event, booking, user []pgtype.UUID
	channel, kind, title, text, link    []string
	chosen                              []bool // by the person, whether it is told at all
}

func (c *messageColumns) add(m *notify.Message, channel notify.Channel) {
	c.id = append(c.id, nullable(m.ID(channel)))
	c.fact = append(c.fact, nullable(m.FactID))
	c.org = append(c.org, nullable(m.OrgID))
	c.event = append(c.event, nullable(m.EventID))
	c.booking = append(c.booking, nullable(m.BookingID))
	c.user = append(c.user, nullable(m.UserID))
	c.channel = append(c.channel, string(channel))
	c.kind = append(c.kind, m.Type)
	c.title = append(c.title, m.Title)
	c.text = append(c.text, m.Text)
	c.link = append(c.link, m.Link)
	c.chosen = append(c.chosen, channel == notify.Email && notify.MailIsChosen(m.Type))
}

// nullable makes NULL of uuid.Nil.
func nullable(id uuid.UUID) pgtype.UUID { return pgtype.UUID{Bytes: id, Valid: id != uuid.Nil} }

// markFacts marks what is told, keeps the place of what is told in part, and
// puts aside what makes no sense.
func markFacts(ctx context.Context, tx pgx.Tx, now time.Time, facts []notify.Fact, finished map[uuid.UUID]bool, audience map[uuid.UUID][]notify.Attendee, refused map[uuid.UUID]string) error {
	batch := &pgx.Batch{}
	told := make([]pgtype.UUID, 0, len(facts))
	for _, f := range facts {
		if reason, ok := refused[f.ID]; ok {
			batch.Queue("UPDATE outbox SET relayed_at = $2, failure = $3 WHERE id = $1", f.ID, now, reason)
			continue
		}
		if done, paged := finished[f.ID]; paged && !done {
			page := audience[f.ID]
			batch.Queue(`
				UPDATE outbox SET told_up_to = $2, tries = 0, queued_at = NULL, next_try_at = NULL WHERE id = $1`,
				f.ID, page[len(page)-1].BookingID)
			continue
		}
		told = append(told, nullable(f.ID))
	}
	if len(told) > 0 {
		batch.Queue("UPDATE outbox SET relayed_at = $2 WHERE id = ANY ($1)", told, now)
	}
	return tx.SendBatch(ctx, batch).Close()
}

func keys(set map[uuid.UUID]bool) []uuid.UUID {
	out := make([]uuid.UUID, 0, len(set))
	for id := range set {
		out = append(out, id)
	}
	return out
}
