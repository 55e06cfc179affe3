package postgres

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"happening/internal/notify"
)

// Facts are removed along the primary key, whose UUIDv7 rises with time, so
// that the outbox needs no index on relayed_at, which every fact would pay
// for. A fact that was told late is found once its own time is past, too.
const purgeFacts = `
DELETE FROM outbox
WHERE id IN (
  SELECT id FROM outbox
  WHERE id < $1 AND relayed_at < $2
  ORDER BY id
  LIMIT $3
  FOR UPDATE SKIP LOCKED
)`

// PurgeFacts implements notify.PurgeStore.
func (s *NotifyStore) PurgeFacts(ctx context.Context, before time.Time, limit int) (int, error) {
	tag, err := execFenced(ctx, s.db.System, purgeFacts, firstID(before), before, limit)
	if err != nil {
		return 0, fmt.Errorf("postgres: purge facts: %w", err)
	}
	return int(tag.RowsAffected()), nil
}

// firstID is below every UUIDv7 of this time or later, and above all earlier
// ones (RFC 9562, section 5.7).
func firstID(t time.Time) uuid.UUID {
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:8], uint64(t.UnixMilli())<<16)
	id[6] = 0x70
	id[8] = 0x80
	return id
}

// purgeEvents is how many events one step of PurgeChanges looks at.
const purgeEvents = 50

// Within an event, time rises with the version, so that the oldest changes
// are the first of the primary key.
const purgeChanges = `
WITH RECURSIVE event AS (
  (SELECT event_id, 1 AS n FROM event_changes WHERE event_id > $1 ORDER BY event_id LIMIT 1)
  UNION ALL
  SELECT (SELECT c.event_id FROM event_changes c WHERE c.event_id > e.event_id ORDER BY c.event_id LIMIT 1), e.n + 1
  FROM event e
  WHERE e.event_id IS NOT NULL AND e.n < $4
), old AS (
  SELECT o.event_id, o.version
  FROM event e
  CROSS JOIN LATERAL (
    SELECT event_id, version, created_at
    FROM event_changes
    WHERE event_id = e.event_id
    ORDER BY version
    LIMIT $3
  ) AS o
  WHERE o.created_at < $2
  LIMIT $3
), gone AS (
  DELETE FROM event_changes c USING old
  WHERE c.event_id = old.event_id AND c.version = old.version
  RETURNING 1
)
SELECT (SELECT count(*) FROM gone),
       coalesce((SELECT event_id FROM event WHERE n = $4), '00000000-0000-0000-0000-000000000000')`

// PurgeChanges implements notify.PurgeStore.
func (s *NotifyStore) PurgeChanges(ctx context.Context, before time.Time, after uuid.UUID, limit int) (removed int, reached uuid.UUID, err error) {
	err = inTx(ctx, s.db.System, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, purgeChanges, after, before, limit, purgeEvents).Scan(&removed, &reached)
	})
	if err != nil {
		return 0, uuid.Nil, fmt.Errorf("postgres: purge changes: %w", err)
	}
	return removed, reached, nil
}

var (
	_ notify.RelayStore = (*NotifyStore)(nil)
	_ notify.MailStore  = (*NotifyStore)(nil)
	_ notify.BellStore  = (*NotifyStore)(nil)
	_ notify.PurgeStore = (*NotifyStore)(nil)
)
