package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"happening/internal/booking"
)

// figuresColumns are an event's counter and waitlist; one statement reads them
// at one moment.
const figuresColumns = `
	e.id, e.version, e.available_slots,
	ARRAY(SELECT b.user_id FROM bookings b WHERE b.event_id = e.id AND b.status = 'waiting' ORDER BY b.waiting_number)`

// Figures implements booking.Store.
func (s *BookingStore) Figures(ctx context.Context, since time.Time, after uuid.UUID, limit int) ([]booking.Figures, error) {
	return s.figures(ctx, `
		SELECT `+figuresColumns+` FROM events e
		WHERE e.ends_at > $1 AND e.id > $2
		ORDER BY e.id LIMIT $3`, since, after, limit)
}

// FiguresOf implements booking.Store.
func (s *BookingStore) FiguresOf(ctx context.Context, eventIDs []uuid.UUID) ([]booking.Figures, error) {
	return s.figures(ctx, `SELECT `+figuresColumns+` FROM events e WHERE e.id = ANY($1) ORDER BY e.id`, eventIDs)
}

func (s *BookingStore) figures(ctx context.Context, sql string, args ...any) ([]booking.Figures, error) {
	rows, err := s.db.System.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("postgres: figures of events: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (booking.Figures, error) {
		var f booking.Figures
		err := row.Scan(&f.EventID, &f.Version, &f.Available, &f.Waitlist)
		return f, err
	})
	if err != nil {
		return nil, fmt.Errorf("postgres: figures of events: %w", err)
	}
	return list, nil
}

// SoldOf implements booking.Store.
func (s *BookingStore) SoldOf(ctx context.Context, eventID uuid.UUID, seats []int32) ([]int32, error) {
	rows, err := s.db.System.Query(ctx, `
		SELECT seat_no FROM booking_seats
		WHERE event_id = $1 AND status = 'booked' AND seat_no = ANY($2) ORDER BY seat_no`, eventID, seats)
	if err != nil {
		return nil, fmt.Errorf("postgres: sold seats: %w", err)
	}
	sold, err := pgx.CollectRows(rows, pgx.RowTo[int32])
	if err != nil {
		return nil, fmt.Errorf("postgres: sold seats: %w", err)
	}
	return sold, nil
}
