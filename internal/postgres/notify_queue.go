package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"happening/internal/notify"
)

// An organization's window are its oldest facts that are on the way or due.
// Looking at no more than those keeps the number on the way within the window
// without counting it, and the cost the same whatever waits behind.
const leaseFacts = `
WITH due AS (
  SELECT f.id
  FROM unnest($1::uuid[]) AS t (org_id)
  CROSS JOIN LATERAL (
    SELECT id
    FROM outbox
    WHERE id IN (
        SELECT id FROM outbox
        WHERE relayed_at IS NULL AND org_id = t.org_id
          AND (queued_at IS NOT NULL OR next_try_at IS NULL OR next_try_at <= $2)
        ORDER BY id
        LIMIT $5)
      AND relayed_at IS NULL AND (next_try_at IS NULL OR next_try_at <= $2)
    ORDER BY id
    LIMIT $4
    FOR UPDATE SKIP LOCKED
  ) AS f
  UNION ALL
  SELECT f.id
  FROM (
    SELECT id
    FROM outbox
    WHERE id IN (
        SELECT id FROM outbox
        WHERE relayed_at IS NULL AND org_id IS NULL
          AND (queued_at IS NOT NULL OR next_try_at IS NULL OR next_try_at <= $2)
        ORDER BY id
        LIMIT $7)
      AND relayed_at IS NULL AND (next_try_at IS NULL OR next_try_at <= $2)
    ORDER BY id
    LIMIT $6
    FOR UPDATE SKIP LOCKED
  ) AS f
)
UPDATE outbox AS o
SET queued_at   = $2,
    next_try_at = $3,
    tries       = o.tries + CASE WHEN was.queued_at IS NULL THEN 1 ELSE 0 END,
    relayed_at  = CASE WHEN was.spent THEN $2::timestamptz END,
    failure     = CASE WHEN was.spent THEN $8 END
FROM due
JOIN LATERAL (
  SELECT q.queued_at, q.tries >= $9 AS spent FROM outbox q WHERE q.id = due.id
) AS was ON true
WHERE o.id = due.id
RETURNING o.id, was.queued_at IS NOT NULL, was.spent`

// LeaseFacts implements notify.ForwardStore.
func (s *NotifyStore) LeaseFacts(ctx context.Context, now, until time.Time, after uuid.UUID, limit, window int) (notify.Leased, error) {
	var leased notify.Leased
	err := inTx(ctx, s.db.System, func(tx pgx.Tx) error {
		leased = notify.Leased{}
		// A lease that a crash takes back costs a message that tells nothing new.
		if _, err := tx.Exec(ctx, "SET LOCAL synchronous_commit = off"); err != nil {
			return err
		}
		tenants, next, err := tenantsWithWork(ctx, tx, pendingFactTenants, after, min(notify.TenantsPerBatch, limit))
		if err != nil {
			return err
		}
		leased.Next = next
		own, each := shares(limit, len(tenants))
		ownWindow, window := shares(window, len(tenants))
		rows, err := tx.Query(ctx, leaseFacts, tenants, now, until, each, window, own, ownWindow, notify.Interrupted, notify.MaxTries)
		if err != nil {
			return err
		}
		var id pgtype.UUID
		var again, spent bool
		_, err = pgx.ForEachRow(rows, []any{&id, &again, &spent}, func() error {
			switch {
			case spent:
				leased.PutAside = append(leased.PutAside, id.Bytes)
				return nil
			case again:
				leased.Again++
			}
			leased.Facts = append(leased.Facts, id.Bytes)
			return nil
		})
		return err
	})
	if err != nil {
		return notify.Leased{}, fmt.Errorf("postgres: lease facts: %w", err)
	}
	return leased, nil
}

// releaseFacts gives a lease back as if it had not been taken.
const releaseFacts = `
UPDATE outbox
SET queued_at = NULL, next_try_at = NULL, tries = greatest(tries - 1, 0)
WHERE id IN (SELECT id FROM outbox WHERE id = ANY ($1) ORDER BY id FOR UPDATE)
  AND relayed_at IS NULL AND queued_at IS NOT NULL`

// ReleaseFacts implements notify.ForwardStore.
func (s *NotifyStore) ReleaseFacts(ctx context.Context, ids []uuid.UUID) error {
	if _, err := s.db.System.Exec(ctx, releaseFacts, ids); err != nil {
		return fmt.Errorf("postgres: release facts: %w", err)
	}
	return nil
}

// Whoever holds a fact is waited for: a forwarder that looked for facts while
// another leased this one holds it until its transaction ends, although it takes
// others. Passed over, the fact would wait for the end of its lease.
const claimFactsByID = `
SELECT ` + factColumns + `
FROM outbox
WHERE id = ANY ($1) AND relayed_at IS NULL
ORDER BY id
FOR UPDATE`

// What a claim left out is told, put aside, or not there.
const factsPutAside = `
SELECT x.id, o.id IS NULL, coalesce(o.failure, '')
FROM unnest($1::uuid[]) AS x (id)
LEFT JOIN outbox o ON o.id = x.id
WHERE o.id IS NULL OR o.failure IS NOT NULL`

// TellFacts implements notify.TellStore.
func (s *NotifyStore) TellFacts(ctx context.Context, now time.Time, ids []uuid.UUID, compose func(notify.Claimed) notify.Composed) (notify.Told, error) {
	var told notify.Told
	err := inTx(ctx, s.db.System, func(tx pgx.Tx) error {
		told = notify.Told{Dead: make(map[uuid.UUID]string)}
		c := claim{pages: make(map[uuid.UUID]uuid.UUID)}
		batch := &pgx.Batch{}
		batch.Queue("SET LOCAL synchronous_commit = off")
		batch.Queue(fmt.Sprintf("SET LOCAL lock_timeout = %d", holderPatience.Milliseconds()))
		batch.Queue(claimFactsByID, ids).Query(c.scan)
		if err := tx.SendBatch(ctx, batch).Close(); err != nil {
			return err
		}
		composed, err := s.tellClaimed(ctx, tx, now, &c, compose, &told.Relayed)
		if err != nil {
			return err
		}
		for id, reason := range composed.Refused {
			told.Dead[id] = reason
		}
		if len(c.left) > 0 {
			if _, err := tx.Exec(ctx, releaseFacts, c.left); err != nil {
				return err
			}
		}
		if len(c.facts)+len(c.left) == len(ids) {
			return nil
		}
		rows, err := tx.Query(ctx, factsPutAside, ids)
		if err != nil {
			return err
		}
		var id pgtype.UUID
		var gone bool
		var failure string
		_, err = pgx.ForEachRow(rows, []any{&id, &gone, &failure}, func() error {
			if gone {
				failure = "there is no such fact"
			}
			told.Dead[id.Bytes] = failure
			return nil
		})
		return err
	})
	if err != nil {
		return notify.Told{}, fmt.Errorf("postgres: tell facts: %w", refusal(err))
	}
	return told, nil
}

// holderPatience bounds the wait for whoever holds a fact, such as the
// connection of a worker that was killed a moment ago.
const holderPatience = 2 * time.Second

// BeginTry implements notify.TellStore. Its commit is durable, because what
// it counts may be what kills us.
func (s *NotifyStore) BeginTry(ctx context.Context, id uuid.UUID) (tries int, err error) {
	err = inTx(ctx, s.db.System, func(tx pgx.Tx) error {
		tries = 0
		if _, err := tx.Exec(ctx, fmt.Sprintf("SET LOCAL lock_timeout = %d", holderPatience.Milliseconds())); err != nil {
			return err
		}
		err := tx.QueryRow(ctx, `
			UPDATE outbox SET tries = tries + 1 WHERE id = $1 AND relayed_at IS NULL RETURNING tries`, id).Scan(&tries)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("postgres: begin a try: %w", err)
	}
	return tries, nil
}

// FailTry implements notify.TellStore.
func (s *NotifyStore) FailTry(ctx context.Context, now time.Time, id uuid.UUID, reason string, retry func(tries int) time.Time) (putAside bool, err error) {
	err = inTx(ctx, s.db.System, func(tx pgx.Tx) error {
		putAside = false
		var tries int
		err := tx.QueryRow(ctx, `SELECT tries FROM outbox WHERE id = $1 AND relayed_at IS NULL FOR UPDATE`, id).Scan(&tries)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		next := retry(tries)
		if putAside = next.IsZero(); putAside {
			_, err = tx.Exec(ctx, `UPDATE outbox SET relayed_at = $2, failure = $3 WHERE id = $1`, id, now, reason)
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE outbox SET queued_at = NULL, next_try_at = $2 WHERE id = $1`, id, next)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("postgres: fail a try: %w", err)
	}
	return putAside, nil
}

// refusal marks an error by which the database refuses what is to be written,
// in contrast to not serving now or not knowing us.
func refusal(err error) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || len(pg.Code) < 2 {
		return err
	}
	switch pg.Code[:2] {
	// Data exception, integrity constraint violation, limit exceeded, raised
	// by a function, internal error.
	case "22", "23", "54", "P0", "XX":
		return fmt.Errorf("%w: %w", notify.ErrRefused, err)
	}
	return err
}
