package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"happening/internal/access"
	"happening/internal/booking"
	"happening/internal/fault"
)

// BookingStore reads bookings; it is the booking room's Store. Bookings are
// written by the Ledger alone.
type BookingStore struct {
	db  *DB
	own *together[ownBooking, booking.Booking]
}

var _ booking.Store = (*BookingStore)(nil)

// NewBookingStore reads bookings from the database.
func NewBookingStore(db *DB) *BookingStore {
	return &BookingStore{db: db, own: ownBookingsOf(db)}
}

// bookingRows is a query's source of bookings as they read at $1: overtaken by a
// capacity that is smaller than the party, by a cancelled event, or by the start
// of one that they still wait for.
const bookingRows = `
	FROM bookings b
	JOIN events e ON e.id = b.event_id
	CROSS JOIN LATERAL (
	  SELECT CASE WHEN b.status = 'waiting' AND b.seats > e.total_slots THEN 'capacity'
	              WHEN b.status <> 'cancelled' AND e.cancelled_at IS NOT NULL THEN 'event_cancelled'
	              WHEN b.status = 'waiting' AND e.starts_at <= $1 THEN 'event_started' END AS overtaken) o
	CROSS JOIN LATERAL (
	  SELECT CASE WHEN o.overtaken IS NULL THEN b.status ELSE 'cancelled' END AS status) t`

// bookingColumns are what scanBooking reads. The place in the waitlist counts
// bookings that the viewer may not see, so the database counts for them.
var bookingColumns = bookingColumnsAt(`
	CASE WHEN t.status = 'waiting' THEN waiting_position(b.event_id, b.waiting_number) ELSE 0 END`)

// waitlistColumns are the same for a page of a waitlist behind number $3:
// counting for each row would cost the square of the list's length.
var waitlistColumns = bookingColumnsAt(`
	row_number() OVER (ORDER BY b.waiting_number) +
	  (SELECT count(*) FROM bookings w WHERE w.event_id = $2 AND w.status = 'waiting' AND w.waiting_number <= $3 AND w.seats <= e.total_slots)`)

// seatNumbers are the seats of the confirmed booking b, as its last change left
// them. They are read from its history, which is found by the booking, while the
// rows of seats are found by their event alone: an index of those by booking
// would be one more entry to write for every seat that is sold. That both say
// the same, the checker sees to (C3).
const seatNumbers = `
	  ARRAY(
	    SELECT n::int4 FROM jsonb_array_elements_text((
	      SELECT h.details -> 'to' -> 'seat_numbers' FROM booking_history h
	      WHERE h.booking_id = b.id ORDER BY h.id DESC LIMIT 1)) numbers(n) ORDER BY 1)`

func bookingColumnsAt(position string) string {
	return `
	b.id, b.org_id, b.event_id, b.user_id, t.status, b.seats, coalesce(b.waiting_number, 0),
	coalesce(b.booked_by, '00000000-0000-0000-0000-000000000000'),
	coalesce(o.overtaken, b.reason), b.created_at, b.updated_at,
	CASE WHEN t.status = 'confirmed' THEN` + seatNumbers + `
	ELSE '{}' END,` + position + `,
	e.name, e.venue, e.visibility, e.starts_at, e.ends_at, e.time_zone, e.total_slots, e.layout_revision, e.cancelled_at`
}

func scanBooking(row pgx.Row, more ...any) (booking.Entry, error) {
	var b booking.Entry
	var cancelledAt *time.Time
	err := row.Scan(append([]any{
		&b.ID, &b.OrgID, &b.EventID, &b.UserID, &b.Status, &b.Seats, &b.WaitingNumber,
		&b.BookedBy, &b.Reason, &b.CreatedAt, &b.UpdatedAt, &b.SeatNumbers, &b.Position,
		&b.Event.Name, &b.Event.Venue, &b.Event.Visibility,
		&b.Event.StartsAt, &b.Event.EndsAt, &b.Event.TimeZone, &b.Event.TotalSlots, &b.Event.LayoutRevision, &cancelledAt,
	}, more...)...)
	if err != nil {
		return booking.Entry{}, err
	}
	b.Event.ID, b.Event.OrgID = b.EventID, b.OrgID
	if cancelledAt != nil {
		b.Event.CancelledAt = cancelledAt.UTC()
	}
	for _, t := range []*time.Time{&b.CreatedAt, &b.UpdatedAt, &b.Event.StartsAt, &b.Event.EndsAt} {
		*t = t.UTC()
	}
	return b, nil
}

func scanEntry(row pgx.CollectableRow) (booking.Entry, error) { return scanBooking(row) }

// scanEntryOfPerson reads a booking and whose it is.
func scanEntryOfPerson(row pgx.CollectableRow) (booking.Entry, error) {
	var who booking.PersonBrief
	b, err := scanBooking(row, &who.Name, &who.Email)
	who.ID, b.User = b.UserID, &who
	return b, err
}

// Find implements booking.Store.
func (s *BookingStore) Find(ctx context.Context, id, viewer uuid.UUID, now time.Time) (booking.Entry, error) {
	b, err := readOne(ctx, s.db, person(viewer), scanEntry, `SELECT `+bookingColumns+bookingRows+` WHERE b.id = $2`, now, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return booking.Entry{}, fault.ErrNotFound
	}
	if err != nil {
		return booking.Entry{}, fmt.Errorf("postgres: booking: %w", err)
	}
	return b, nil
}

// ownBooking is a booking that is looked for as its booker's.
type ownBooking struct{ id, booker uuid.UUID }

// ownBookingsOf reads what never changes of many people's own bookings; the zero
// booking: they have none of that id. It asks as the system, since no asker is
// all of them, and its join gives to each what is theirs and nothing else.
func ownBookingsOf(db *DB) *together[ownBooking, booking.Booking] {
	return &together[ownBooking, booking.Booking]{ask: func(ctx context.Context, bookings []*wanted[ownBooking, booking.Booking]) error {
		ids, bookers := make([]uuid.UUID, len(bookings)), make([]uuid.UUID, len(bookings))
		for i, w := range bookings {
			ids[i], bookers[i] = w.of.id, w.of.booker
		}
		// Each is found by itself, through the index of ids, whatever the
		// planner takes the table for.
		rows, err := db.System.Query(ctx, `
			SELECT w.place, b.org_id, b.event_id, coalesce(b.booked_by, '00000000-0000-0000-0000-000000000000')
			FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY w(id, booker, place)
			CROSS JOIN LATERAL (
			  SELECT org_id, event_id, booked_by FROM bookings WHERE id = w.id AND user_id = w.booker LIMIT 1) b`,
			ids, bookers)
		if err != nil {
			return err
		}
		var place int64
		var b booking.Booking
		_, err = pgx.ForEachRow(rows, []any{&place, &b.OrgID, &b.EventID, &b.BookedBy}, func() error {
			w := bookings[place-1]
			b.ID, b.UserID = w.of.id, w.of.booker
			w.answer = b
			return nil
		})
		return err
	}}
}

// Whose implements booking.Store. When many cancel they are looked for together,
// as their own booking each; who looks for somebody else's asks as themselves.
func (s *BookingStore) Whose(ctx context.Context, id, viewer uuid.UUID) (booking.Booking, error) {
	if viewer != uuid.Nil {
		b, err := s.own.of(ctx, ownBooking{id, viewer})
		if err != nil {
			return booking.Booking{}, fmt.Errorf("postgres: whose a booking is: %w", err)
		}
		if b.ID != uuid.Nil {
			return b, nil
		}
	}
	b, err := readOne(ctx, s.db, person(viewer), func(row pgx.CollectableRow) (booking.Booking, error) {
		b := booking.Booking{ID: id}
		err := row.Scan(&b.OrgID, &b.EventID, &b.UserID, &b.BookedBy)
		return b, err
	}, `
		SELECT org_id, event_id, user_id, coalesce(booked_by, '00000000-0000-0000-0000-000000000000')
		FROM bookings WHERE id = $1`, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return booking.Booking{}, fault.ErrNotFound
	}
	if err != nil {
		return booking.Booking{}, fmt.Errorf("postgres: whose a booking is: %w", err)
	}
	return b, nil
}

// ListByUser implements booking.Store. The person's bookings are walked in an
// index that has all that is asked of them, and only as far as the page goes:
// without the inner list the planner, who takes them for few, would read all of
// them with their events. What is stored as confirmed or waiting may read as
// cancelled, but never the other way round.
func (s *BookingStore) ListByUser(ctx context.Context, q booking.UserQuery, now time.Time) ([]booking.Entry, error) {
	found, err := read(ctx, s.db, person(q.Viewer), scanEntry, `
		SELECT `+bookingColumns+bookingRows+`
		JOIN (
		  SELECT p.id FROM bookings p
		  WHERE p.user_id = $2
		    AND ($3::uuid = $2 OR p.org_id IN (
		      SELECT m.org_id FROM organization_users m WHERE m.user_id = $3 AND m.role IN ('organizer', 'orgAdmin')))
		    AND ($4::text IN ('', 'cancelled') OR p.status = $4)
		    AND ($5::uuid IS NULL OR p.event_id = $5)
		    AND ($6::uuid IS NULL OR p.id < $6)
		  ORDER BY p.id DESC
		) mine ON mine.id = b.id
		WHERE $4 = '' OR t.status = $4
		ORDER BY mine.id DESC
		LIMIT $7`,
		now, q.UserID, q.Viewer, q.Status, orNull(q.EventID), orNull(q.Before), q.Limit)
	if err != nil {
		return nil, fmt.Errorf("postgres: bookings of a person: %w", err)
	}
	return found, nil
}

// ListByEvent implements booking.Store. Of whom the organization booked for it
// is told the address that it typed; their name is not there for it, unless they
// are a member or booked there themselves.
func (s *BookingStore) ListByEvent(ctx context.Context, q booking.EventQuery, now time.Time) ([]booking.Entry, error) {
	page := `
		  AND ($3::text = '' OR t.status = $3)
		  AND ($4::uuid IS NULL OR b.id < $4)
		ORDER BY b.id DESC
		LIMIT $5`
	args, columns := []any{now, q.EventID, q.Status, orNull(q.Before), q.Limit}, bookingColumns
	if q.Waitlist {
		page = `
		  AND b.status = 'waiting' AND t.status = 'waiting' AND b.waiting_number > $3
		ORDER BY b.waiting_number
		LIMIT $4`
		args, columns = []any{now, q.EventID, q.After, q.Limit}, waitlistColumns
	}
	found, err := read(ctx, s.db, tenant(q.Viewer, q.OrgID, access.EventSales), scanEntryOfPerson, `
		SELECT `+columns+`, coalesce(u.name, ''), coalesce(b.booked_for, u.email, '')`+bookingRows+`
		LEFT JOIN users u ON u.id = b.user_id
		WHERE b.event_id = $2`+page, args...)
	if err != nil {
		return nil, fmt.Errorf("postgres: bookings of an event: %w", err)
	}
	return found, nil
}

// History implements booking.Store.
func (s *BookingStore) History(ctx context.Context, id, viewer uuid.UUID) ([]booking.HistoryEntry, error) {
	found, err := read(ctx, s.db, person(viewer), scanHistory, `
		SELECT id, coalesce(actor_id, '00000000-0000-0000-0000-000000000000'), action, details, created_at
		FROM booking_history WHERE booking_id = $1 ORDER BY id`, id)
	if err != nil {
		return nil, fmt.Errorf("postgres: history: %w", err)
	}
	return found, nil
}

func scanHistory(row pgx.CollectableRow) (h booking.HistoryEntry, err error) {
	var details []byte
	if err := row.Scan(&h.ID, &h.Actor, &h.Action, &details, &h.CreatedAt); err != nil {
		return h, err
	}
	h.CreatedAt = h.CreatedAt.UTC()
	h.Details, err = booking.ParseDetails(details)
	return h, err
}

// Runs implements booking.Store.
func (s *BookingStore) Runs(ctx context.Context, userID uuid.UUID) (bool, error) {
	runs, err := readOne(ctx, s.db, person(userID), pgx.RowTo[bool], `
		SELECT EXISTS (SELECT 1 FROM organization_users WHERE user_id = $1 AND role IN ('organizer', 'orgAdmin'))`, userID)
	if err != nil {
		return false, fmt.Errorf("postgres: roles of a person: %w", err)
	}
	return runs, nil
}

// DueClosings implements booking.Store. Seats that are off sale are no bookings:
// a cancelled event without any is done.
func (s *BookingStore) DueClosings(ctx context.Context, now time.Time, after uuid.UUID, limit int) ([]uuid.UUID, error) {
	return s.due(ctx, `
		SELECT id FROM (
		  SELECT e.id FROM events e
		  WHERE e.waiting_parties > 0 AND (e.starts_at <= $1 OR e.cancelled_at IS NOT NULL)
		  UNION
		  SELECT e.id FROM events e
		  WHERE e.cancelled_at IS NOT NULL
		    AND EXISTS (SELECT FROM booking_seats s WHERE s.event_id = e.id AND s.status = 'booked')) due
		WHERE id > $2 ORDER BY id LIMIT $3`, now, after, limit)
}

// DueTooLarge implements booking.Store. Only an event that was edited and has
// fewer seats than a party may have can have any.
func (s *BookingStore) DueTooLarge(ctx context.Context, now time.Time, after uuid.UUID, limit int) ([]uuid.UUID, error) {
	return s.due(ctx, `
		SELECT e.id FROM events e
		WHERE e.waiting_parties > 0 AND e.starts_at > $1 AND e.revision > 1 AND e.total_slots < `+strconv.Itoa(booking.MaxSeats)+` AND e.id > $2
		  AND EXISTS (SELECT FROM bookings b WHERE b.event_id = e.id AND b.status = 'waiting' AND b.seats > e.total_slots)
		ORDER BY e.id LIMIT $3`, now, after, limit)
}

// DuePromotions implements booking.Store. Who waits at a suspended
// organization's event waits on.
func (s *BookingStore) DuePromotions(ctx context.Context, now time.Time, after uuid.UUID, limit int) ([]uuid.UUID, error) {
	return s.due(ctx, `
		SELECT e.id FROM events e
		WHERE e.waiting_parties > 0 AND e.available_slots > 0 AND e.starts_at > $1 AND e.cancelled_at IS NULL
		  AND e.org_id NOT IN (SELECT o.id FROM organizations o WHERE o.suspended_at IS NOT NULL)
		  AND e.id > $2
		ORDER BY e.id LIMIT $3`, now, after, limit)
}

func (s *BookingStore) due(ctx context.Context, sql string, now time.Time, after uuid.UUID, limit int) ([]uuid.UUID, error) {
	rows, err := s.db.System.Query(ctx, sql, now, after, limit)
	if err != nil {
		return nil, fmt.Errorf("postgres: events that are due: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, fmt.Errorf("postgres: events that are due: %w", err)
	}
	return ids, nil
}

// orNull gives nil for Nil, so that SQL sees a null.
func orNull(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}
