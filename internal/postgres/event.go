package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"happening/internal/access"
	"happening/internal/audit"
	"happening/internal/event"
	"happening/internal/fault"
)

// eventColumns are what scanEvent reads, from eventTables.
const (
	eventColumns = `
		e.id, e.org_id, o.name, e.name, e.description, e.category, e.venue,
		e.starts_at, e.ends_at, e.time_zone, e.total_slots, coalesce(e.max_seats_per_user, 0),
		e.visibility, e.waitlist_policy, e.waitlist_limit, e.cancelled_at, o.suspended_at IS NOT NULL,
		e.available_slots, e.waiting_parties, e.version, e.revision, e.layout_revision,
		e.created_by, e.created_at, e.updated_at`
	eventTables = `events e JOIN organizations o ON o.id = e.org_id`
)

// scanEvent reads one row of eventColumns, and what the query names after
// them into more.
func scanEvent(row pgx.Row, more ...any) (event.Event, error) {
	var e event.Event
	var cancelledAt *time.Time
	var waitlistLimit *int32
	err := row.Scan(append([]any{
		&e.ID, &e.OrgID, &e.OrgName, &e.Name, &e.Description, &e.Category, &e.Venue,
		&e.StartsAt, &e.EndsAt, &e.TimeZone, &e.TotalSlots, &e.MaxSeatsPerUser,
		&e.Visibility, &e.WaitlistPolicy, &waitlistLimit, &cancelledAt, &e.OrgSuspended,
		&e.AvailableSlots, &e.WaitingParties, &e.Version, &e.Revision, &e.LayoutRevision,
		&e.CreatedBy, &e.CreatedAt, &e.UpdatedAt,
	}, more...)...)
	if err != nil {
		return event.Event{}, err
	}
	if waitlistLimit != nil {
		e.WaitlistLimit = event.AtMost(*waitlistLimit)
	}
	if cancelledAt != nil {
		e.CancelledAt = cancelledAt.UTC()
	}
	for _, t := range []*time.Time{&e.StartsAt, &e.EndsAt, &e.CreatedAt, &e.UpdatedAt} {
		*t = t.UTC()
	}
	return e, nil
}

// EventStore keeps events; it is the event room's Store.
type EventStore struct{ db *DB }

var _ event.Store = (*EventStore)(nil)

// NewEventStore keeps events in the database.
func NewEventStore(db *DB) *EventStore { return &EventStore{db: db} }

// OrgOf tells whether an organization is suspended, and the viewer's role.
func (s *EventStore) OrgOf(ctx context.Context, orgID, viewer uuid.UUID) (suspended bool, role access.Role, err error) {
	type standing struct {
		suspended bool
		role      access.Role
	}
	found, err := readOne(ctx, s.db, person(viewer), func(row pgx.CollectableRow) (st standing, err error) {
		err = row.Scan(&st.suspended, &st.role)
		return st, err
	}, `
		SELECT o.suspended_at IS NOT NULL, coalesce(m.role, '')
		FROM organizations o
		LEFT JOIN organization_users m ON m.org_id = o.id AND m.user_id = $2
		WHERE o.id = $1`,
		orgID, viewer)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, access.NoRole, fault.ErrNotFound
	}
	if err != nil {
		return false, access.NoRole, fmt.Errorf("postgres: organization: %w", err)
	}
	return found.suspended, found.role, nil
}

// InsertEvent adds an event to an organization that is not suspended, as the
// actor of the record.
func (s *EventStore) InsertEvent(ctx context.Context, e event.Event, record audit.Entry) (orgName string, err error) {
	err = s.db.write(ctx, tenant(record.ActorID, e.OrgID, access.EventCreate), func(tx pgx.Tx) error {
		var suspended bool
		err := tx.QueryRow(ctx, `
			SELECT name, suspended_at IS NOT NULL FROM organizations WHERE id = $1 FOR SHARE`,
			e.OrgID).Scan(&orgName, &suspended)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return fault.ErrNotFound
		case err != nil:
			return fmt.Errorf("postgres: insert event: %w", err)
		case suspended:
			return event.ErrOrgSuspended
		}
		_, err = tx.Exec(ctx, `
			INSERT INTO events (
				id, org_id, name, description, category, venue,
				starts_at, ends_at, time_zone, total_slots, available_slots, max_seats_per_user,
				visibility, waitlist_policy, waitlist_limit, version, revision, created_by, created_at, updated_at
			) VALUES (
				$1, $2, $3, $4, $5, $6,
				$7, $8, $9, $10, $11, nullif($12::int, 0),
				$13, $14, $15, $16, $17, $18, $19, $20
			)`,
			e.ID, e.OrgID, e.Name, e.Description, e.Category, e.Venue,
			e.StartsAt, e.EndsAt, e.TimeZone, e.TotalSlots, e.AvailableSlots, e.MaxSeatsPerUser,
			string(e.Visibility), string(e.WaitlistPolicy), e.WaitlistLimit.Number(), e.Version, e.Revision, e.CreatedBy, e.CreatedAt, e.UpdatedAt)
		if err != nil {
			return fmt.Errorf("postgres: insert event: %w", err)
		}
		return insertAudit(ctx, tx, record)
	})
	return orgName, err
}

// FindEvent reads an event and the viewer's role in its organization.
func (s *EventStore) FindEvent(ctx context.Context, id, viewer uuid.UUID) (event.Found, error) {
	found, err := readOne(ctx, s.db, person(viewer), scanFound, `
		SELECT `+eventColumns+`, coalesce(m.role, '')
		FROM `+eventTables+`
		LEFT JOIN organization_users m ON m.org_id = e.org_id AND m.user_id = $2
		WHERE e.id = $1`,
		id, viewer)
	if errors.Is(err, pgx.ErrNoRows) {
		return event.Found{}, fault.ErrNotFound
	}
	if err != nil {
		return event.Found{}, fmt.Errorf("postgres: find event: %w", err)
	}
	return found, nil
}

// scanFound reads eventColumns and the viewer's role.
func scanFound(row pgx.CollectableRow) (e event.Found, err error) {
	e.Event, err = scanEvent(row, &e.Role)
	return e, err
}

// ListEvents reads events by start, only those that the viewer may see: the
// public ones of organizations that are not suspended, and all of the
// viewer's own organizations.
func (s *EventStore) ListEvents(ctx context.Context, viewer uuid.UUID, f event.Filter, now time.Time, after event.Cursor, limit int) ([]event.Found, error) {
	where, args := eventConditions(viewer, f, now, after)
	args[1] = limit
	if prefixQuery(f.Query) == "" {
		return s.readPage(ctx, viewer, where, args)
	}
	return s.search(ctx, viewer, f, now, after, limit)
}

// readPage reads events in order; $1 of the conditions is the viewer, $2 the limit.
func (s *EventStore) readPage(ctx context.Context, viewer uuid.UUID, where string, args []any) ([]event.Found, error) {
	found, err := read(ctx, s.db, person(viewer), scanFound, `
		SELECT `+eventColumns+`, coalesce(m.role, '')
		FROM `+listTables+`
		WHERE `+where+`
		ORDER BY e.starts_at, e.id
		LIMIT $2`,
		args...)
	if err != nil {
		return nil, fmt.Errorf("postgres: list events: %w", err)
	}
	return found, nil
}

// listTables has the viewer's role beside each event; $1 is the viewer.
const listTables = eventTables + ` LEFT JOIN organization_users m ON m.org_id = e.org_id AND m.user_id = $1`

// eventConditions spells only the conditions that filter, so that each kind of
// list gets a plan of its own, but for the text; $1 is the viewer, and $2 is
// left for the list's limit. Some say what follows from others or, as the stored
// status, what is true besides: by those an index finds where to look.
func eventConditions(viewer uuid.UUID, f event.Filter, now time.Time, after event.Cursor) (where string, args []any) {
	args = []any{viewer, nil}
	conditions := []string{"(m.role IS NOT NULL OR e.visibility = 'public' AND o.suspended_at IS NULL)"}
	add := func(condition string, values ...any) {
		for _, v := range values {
			args = append(args, v)
			condition = strings.Replace(condition, "?", "$"+strconv.Itoa(len(args)), 1)
		}
		conditions = append(conditions, condition)
	}
	org, category := "e.org_id = ?", "e.category = ?"
	if f.Status == event.Ongoing {
		// Few are, and they are found by that. The planner takes them for a good
		// part of all and would walk the past of an organization or category, so
		// it is kept from their indexes.
		org, category = "e.org_id::text = ?::uuid::text", "e.category || '' = ?"
	}
	if f.OrgID != uuid.Nil {
		add(org, f.OrgID)
	}
	if f.Category != "" {
		add(category, f.Category)
	}
	switch f.Status {
	case event.Upcoming:
		add("e.cancelled_at IS NULL AND e.starts_at > ?", now)
	case event.Ongoing:
		// The sweep calls nothing over that isn't.
		add("e.status IN ('upcoming', 'ongoing') AND e.cancelled_at IS NULL AND e.starts_at <= ? AND e.ends_at > ?", now, now)
	case event.Completed:
		add("e.cancelled_at IS NULL AND e.ends_at <= ? AND e.starts_at < ?", now, now)
	case event.Cancelled:
		add("e.cancelled_at IS NOT NULL")
	}
	if !f.From.IsZero() {
		add("e.starts_at >= ?", f.From)
	}
	if !f.To.IsZero() {
		add("e.starts_at < ?", f.To)
	}
	if after != (event.Cursor{}) {
		add("(e.starts_at, e.id) > (?, ?)", after.StartsAt, after.ID)
	}
	return strings.Join(conditions, " AND "), args
}

// DeleteEvent removes an event while nobody ever booked, as the actor of the
// record. The row is locked
// first, as every sale does, and bookings are looked for in a statement of
// their own, whose snapshot then shows every sale that came before; one
// statement for both would miss a sale that it waited for.
func (s *EventStore) DeleteEvent(ctx context.Context, id uuid.UUID, record audit.Entry) error {
	return s.db.write(ctx, tenant(record.ActorID, record.OrgID, access.EventWrite), func(tx pgx.Tx) error {
		var locked uuid.UUID
		err := tx.QueryRow(ctx, `
			SELECT id FROM events WHERE id = $1 AND org_id = $2 FOR UPDATE`,
			id, record.OrgID).Scan(&locked)
		if errors.Is(err, pgx.ErrNoRows) {
			return fault.ErrNotFound
		}
		if err != nil {
			return fmt.Errorf("postgres: delete event: %w", err)
		}
		var booked bool
		err = tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM bookings WHERE event_id = $1)`, id).Scan(&booked)
		if err != nil {
			return fmt.Errorf("postgres: delete event: %w", err)
		}
		if booked {
			return event.ErrHasBookings
		}
		if _, err := tx.Exec(ctx, `DELETE FROM events WHERE id = $1 AND org_id = $2`, id, record.OrgID); err != nil {
			return fmt.Errorf("postgres: delete event: %w", err)
		}
		return insertAudit(ctx, tx, record)
	})
}

// SweepStatus brings stored statuses up to the clock, also of an event that
// was over and was given a later end; each kind is looked up by an index. Rows
// that a sale has locked are left for the next time. Version and revision stay,
// since no rule reads the column.
func (s *EventStore) SweepStatus(ctx context.Context, now time.Time, limit int) (int, error) {
	tag, err := execFenced(ctx, s.db.System, `
		WITH late AS (
			(SELECT id FROM events WHERE status = 'upcoming' AND starts_at <= $1 LIMIT $2)
			UNION ALL
			(SELECT id FROM events WHERE status = 'ongoing' AND starts_at <= $1 AND ends_at <= $1 LIMIT $2)
			UNION ALL
			(SELECT id FROM events WHERE status = 'completed' AND ends_at > $1 LIMIT $2)
		), due AS (
			SELECT id
			FROM events
			WHERE id = ANY (ARRAY(SELECT id FROM late LIMIT $2)) AND status <> 'cancelled'
			ORDER BY id
			FOR UPDATE SKIP LOCKED
		)
		UPDATE events e
		SET status = CASE
			WHEN e.starts_at > $1 THEN 'upcoming'
			WHEN e.ends_at > $1 THEN 'ongoing'
			ELSE 'completed'
		END
		FROM due
		WHERE e.id = due.id`,
		now, limit)
	if err != nil {
		return 0, fmt.Errorf("postgres: sweep status: %w", err)
	}
	return int(tag.RowsAffected()), nil
}
