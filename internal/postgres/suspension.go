package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"happening/internal/audit"
	"happening/internal/booking"
	"happening/internal/fault"
	"happening/internal/org"
)

// SetSuspended implements org.SuspensionStore. The lock lets one standing
// change at a time, so that times rise in the order of the commits; where the
// clock has gone back, the last time is counted on.
func (s *OrgStore) SetSuspended(ctx context.Context, id uuid.UUID, suspended bool, now time.Time, record audit.Entry) (name string, changed bool, err error) {
	err = inTx(ctx, s.db.System, func(tx pgx.Tx) error {
		changed = false
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('standing', 0))`); err != nil {
			return fmt.Errorf("postgres: lock standings: %w", err)
		}
		var was bool
		err := tx.QueryRow(ctx, `
			SELECT name, suspended_at IS NOT NULL FROM organizations WHERE id = $1 FOR NO KEY UPDATE`, id).Scan(&name, &was)
		if errors.Is(err, pgx.ErrNoRows) {
			return fault.ErrNotFound
		}
		if err != nil {
			return fmt.Errorf("postgres: standing: %w", err)
		}
		if was == suspended {
			return nil
		}
		if _, err := tx.Exec(ctx, `
			UPDATE organizations
			SET suspended_at = CASE WHEN $2 THEN $3::timestamptz END,
			    standing_changed_at = greatest(clock_timestamp(),
			      (SELECT max(standing_changed_at) + interval '1 microsecond' FROM organizations))
			WHERE id = $1`, id, suspended, now); err != nil {
			return fmt.Errorf("postgres: change standing: %w", err)
		}
		changed = true
		return insertAudit(ctx, tx, record)
	})
	return name, changed, err
}

const suspensionColumns = `id, suspended_at IS NOT NULL, standing_changed_at`

func scanSuspension(row pgx.CollectableRow) (org.Suspension, error) {
	var s org.Suspension
	err := row.Scan(&s.OrgID, &s.Suspended, &s.ChangedAt)
	s.ChangedAt = s.ChangedAt.UTC()
	return s, err
}

// Unmoved implements org.SuspensionStore.
func (s *OrgStore) Unmoved(ctx context.Context, limit int) ([]org.Suspension, error) {
	return s.suspensions(ctx, `
		SELECT `+suspensionColumns+`
		FROM organizations
		WHERE standing_changed_at IS DISTINCT FROM standing_moved_at
		ORDER BY id
		LIMIT $1`, limit)
}

// Suspensions implements org.SuspensionStore.
func (s *OrgStore) Suspensions(ctx context.Context, since time.Time, limit int) ([]org.Suspension, error) {
	return s.suspensions(ctx, `
		SELECT `+suspensionColumns+`
		FROM organizations
		WHERE standing_changed_at > $2
		ORDER BY standing_changed_at
		LIMIT $1`, limit, since)
}

func (s *OrgStore) suspensions(ctx context.Context, sql string, args ...any) ([]org.Suspension, error) {
	rows, err := s.db.System.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("postgres: standings: %w", err)
	}
	found, err := pgx.CollectRows(rows, scanSuspension)
	if err != nil {
		return nil, fmt.Errorf("postgres: standings: %w", err)
	}
	return found, nil
}

// MoveEvents implements org.SuspensionStore. Events are locked in the order of
// their ids, as every batch locks them. Each new version says that the event
// is to be read anew, and which was the newest id drawn for it.
func (s *OrgStore) MoveEvents(ctx context.Context, orgID uuid.UUID, now time.Time, after uuid.UUID, limit int) (last uuid.UUID, moved int, err error) {
	err = inTx(ctx, s.db.System, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			SELECT id, version
			FROM events
			WHERE org_id = $1 AND id > $2 AND ends_at > $3
			ORDER BY id
			LIMIT $4
			FOR NO KEY UPDATE`, orgID, after, now, limit)
		if err != nil {
			return fmt.Errorf("postgres: lock events: %w", err)
		}
		var ids []uuid.UUID
		var versions []int64
		var id uuid.UUID
		var version int64
		if _, err := pgx.ForEachRow(rows, []any{&id, &version}, func() error {
			ids, versions = append(ids, id), append(versions, version)
			return nil
		}); err != nil {
			return fmt.Errorf("postgres: lock events: %w", err)
		}
		if moved = len(ids); moved == 0 {
			return nil
		}
		last = ids[moved-1]
		return moveOn(ctx, tx, ids, versions)
	})
	return last, moved, err
}

// moveOn gives locked events, which are at these versions, new ones, at which
// whoever has them in memory reads them anew.
func moveOn(ctx context.Context, tx pgx.Tx, ids []uuid.UUID, versions []int64) error {
	deltas, err := reloads(ctx, tx, ids, versions)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `
		WITH told AS (
		  INSERT INTO event_changes (event_id, version, changes, created_at)
		  SELECT id, version + 1, changes, now() FROM unnest($1::uuid[], $2::int8[], $3::bytea[]) n(id, version, changes))
		UPDATE events e
		SET version = n.version + 1
		FROM unnest($1::uuid[], $2::int8[]) n(id, version)
		WHERE e.id = n.id`, ids, versions, deltas); err != nil {
		return fmt.Errorf("postgres: move events on: %w", err)
	}
	return nil
}

// reloads makes the change of each event that says that it is to be read
// anew. The newest id is that of the change before; where that is not kept any
// more, it is older than any clock is wrong.
func reloads(ctx context.Context, tx pgx.Tx, ids []uuid.UUID, versions []int64) ([][]byte, error) {
	newest := make(map[uuid.UUID]booking.IDTick, len(ids))
	rows, err := tx.Query(ctx, `
		SELECT c.event_id, c.changes
		FROM unnest($1::uuid[], $2::int8[]) n(id, version)
		JOIN event_changes c ON c.event_id = n.id AND c.version = n.version`, ids, versions)
	if err != nil {
		return nil, fmt.Errorf("postgres: last changes: %w", err)
	}
	var id uuid.UUID
	var raw []byte
	if _, err := pgx.ForEachRow(rows, []any{&id, &raw}, func() error {
		// One that this binary doesn't know tells nothing.
		if d, err := booking.DecodeDelta(raw); err == nil {
			newest[id] = d.Newest
		}
		return nil
	}); err != nil {
		return nil, fmt.Errorf("postgres: last changes: %w", err)
	}
	deltas := make([][]byte, len(ids))
	for i, id := range ids {
		deltas[i] = booking.EncodeDelta(booking.Delta{Newest: newest[id], Reload: true})
	}
	return deltas, nil
}

// Moved implements org.SuspensionStore.
func (s *OrgStore) Moved(ctx context.Context, done org.Suspension) error {
	if _, err := execFenced(ctx, s.db.System, `
		UPDATE organizations SET standing_moved_at = standing_changed_at WHERE id = $1 AND standing_changed_at = $2`,
		done.OrgID, done.ChangedAt); err != nil {
		return fmt.Errorf("postgres: note that events have moved on: %w", err)
	}
	return nil
}
