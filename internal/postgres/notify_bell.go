package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"happening/internal/fault"
	"happening/internal/notify"
)

const bellPage = `
SELECT id, type, title, message, link, event_id, booking_id, org_id, created_at, read_at
FROM notifications
WHERE user_id = $1 AND channel = 'app'
  AND ($2::uuid IS NULL OR id < $2)
  AND (NOT $3 OR read_at IS NULL)
ORDER BY id DESC
LIMIT $4`

const bellUnread = `
SELECT count(*)
FROM (SELECT FROM notifications
      WHERE user_id = $1 AND channel = 'app' AND read_at IS NULL
      LIMIT $2) AS unread`

// Bell implements notify.BellStore.
func (s *NotifyStore) Bell(ctx context.Context, userID uuid.UUID, unreadOnly bool, before uuid.UUID, limit int) ([]notify.Item, int, error) {
	var items []notify.Item
	var unread int
	batch := &pgx.Batch{}
	person(userID).queue(batch)
	batch.Queue(bellPage, userID, nullable(before), unreadOnly, limit).Query(func(rows pgx.Rows) (err error) {
		items, err = pgx.CollectRows(rows, scanItem)
		return err
	})
	batch.Queue(bellUnread, userID, notify.MaxUnread).QueryRow(func(row pgx.Row) error {
		return row.Scan(&unread)
	})
	if err := s.db.App.SendBatch(ctx, batch).Close(); err != nil {
		return nil, 0, fmt.Errorf("postgres: bell: %w", err)
	}
	return items, unread, nil
}

func scanItem(row pgx.CollectableRow) (notify.Item, error) {
	var i notify.Item
	var event, booking, org pgtype.UUID
	var readAt pgtype.Timestamptz
	err := row.Scan(&i.ID, &i.Type, &i.Title, &i.Message, &i.Link, &event, &booking, &org, &i.CreatedAt, &readAt)
	i.EventID, i.BookingID, i.OrgID, i.ReadAt = event.Bytes, booking.Bytes, org.Bytes, readAt.Time
	return i, err
}

// MarkRead implements notify.BellStore. When it was first read stays.
func (s *NotifyStore) MarkRead(ctx context.Context, userID, id uuid.UUID, now time.Time) error {
	return s.db.write(ctx, person(userID), func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `
UPDATE notifications
SET read_at = coalesce(read_at, $3)
WHERE id = $1 AND user_id = $2 AND channel = 'app'`, id, userID, now)
		if err != nil {
			return fmt.Errorf("postgres: mark read: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return fault.ErrNotFound
		}
		return nil
	})
}

// MarkAllRead implements notify.BellStore.
func (s *NotifyStore) MarkAllRead(ctx context.Context, userID uuid.UUID, now time.Time) error {
	return s.db.write(ctx, person(userID), func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
UPDATE notifications
SET read_at = $2
WHERE user_id = $1 AND channel = 'app' AND read_at IS NULL`, userID, now)
		if err != nil {
			return fmt.Errorf("postgres: mark all read: %w", err)
		}
		return nil
	})
}
