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

const resendFacts = `
UPDATE outbox
SET relayed_at = NULL, failure = NULL, tries = 0, queued_at = NULL, next_try_at = NULL
WHERE id IN (
  SELECT id FROM outbox
  WHERE failure IS NOT NULL AND id > $1
    AND ($2::uuid IS NULL OR org_id = $2) AND created_at >= $3
  ORDER BY id
  LIMIT $4
  FOR UPDATE
)
RETURNING id`

// ResendFacts implements notify.ResendStore.
func (s *NotifyStore) ResendFacts(ctx context.Context, which notify.ResendWhich, after uuid.UUID, limit int) (int, uuid.UUID, error) {
	return s.putBack(ctx, limit, resendFacts, after, nullable(which.OrgID), which.Since, limit)
}

const resendMails = `
UPDATE notifications
SET status = 'pending', attempts = 0, last_error = '', next_try_at = $5
WHERE id IN (
  SELECT id FROM notifications
  WHERE status = 'failed' AND id > $1
    AND ($2::uuid IS NULL OR org_id = $2) AND created_at >= $3
  ORDER BY id
  LIMIT $4
  FOR UPDATE
)
RETURNING id`

// ResendMails implements notify.ResendStore.
func (s *NotifyStore) ResendMails(ctx context.Context, now time.Time, which notify.ResendWhich, after uuid.UUID, limit int) (int, uuid.UUID, error) {
	return s.putBack(ctx, limit, resendMails, after, nullable(which.OrgID), which.Since, limit, now)
}

func (s *NotifyStore) putBack(ctx context.Context, limit int, sql string, args ...any) (int, uuid.UUID, error) {
	rows, err := s.db.System.Query(ctx, sql, args...)
	if err != nil {
		return 0, uuid.Nil, fmt.Errorf("postgres: resend: %w", err)
	}
	var last uuid.UUID
	n := 0
	var id pgtype.UUID
	_, err = pgx.ForEachRow(rows, []any{&id}, func() error {
		n++
		if later := uuid.UUID(id.Bytes); later.String() > last.String() {
			last = later
		}
		return nil
	})
	if err != nil {
		return 0, uuid.Nil, fmt.Errorf("postgres: resend: %w", err)
	}
	if n < limit {
		last = uuid.Nil
	}
	return n, last, nil
}

var (
	_ notify.ForwardStore = (*NotifyStore)(nil)
	_ notify.ResendStore  = (*NotifyStore)(nil)
)
