package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"happening/internal/booking"
)

// Missed implements booking.Ledger: one snapshot, no locks.
func (l *Ledger) Missed(ctx context.Context, known []booking.Known) (map[uuid.UUID]booking.FreshEvent, error) {
	conn, err := l.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Release()
	missed := make(map[uuid.UUID]booking.FreshEvent)
	err = pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		behind, err := movedOn(ctx, tx, known)
		if err != nil {
			return err
		}
		for _, k := range behind {
			fe, err := missedOf(ctx, tx, k)
			if err != nil {
				return err
			}
			missed[k.EventID] = fe
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("postgres: catch up: %w", err)
	}
	return missed, nil
}

// movedOn lists the events that have another version than is known, or are no
// more.
func movedOn(ctx context.Context, tx pgx.Tx, known []booking.Known) ([]booking.Known, error) {
	ids, versions := make([]uuid.UUID, len(known)), make([]int64, len(known))
	for i, k := range known {
		ids[i], versions[i] = k.EventID, k.Version
	}
	rows, err := tx.Query(ctx, `
		SELECT k.id, k.version
		FROM unnest($1::uuid[], $2::int8[]) k(id, version)
		LEFT JOIN events e ON e.id = k.id
		WHERE e.version IS DISTINCT FROM k.version`, ids, versions)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (booking.Known, error) {
		var k booking.Known
		err := row.Scan(&k.EventID, &k.Version)
		return k, err
	})
}

// missedOf reads what happened to an event since the known version; the zero
// Event where there is none any more.
func missedOf(ctx context.Context, tx pgx.Tx, k booking.Known) (fe booking.FreshEvent, err error) {
	rows, err := tx.Query(ctx, `
		SELECT `+eventColumns+`, e.last_waiting FROM `+eventTables+` WHERE e.id = $1`, k.EventID)
	if err != nil {
		return fe, err
	}
	for rows.Next() {
		if fe.Event, err = scanEvent(rows, &fe.LastWaiting); err != nil {
			rows.Close()
			return fe, err
		}
	}
	if err := rows.Err(); err != nil || fe.Event.ID == uuid.Nil {
		return fe, err
	}
	if k.Version != 0 && k.Version < fe.Event.Version {
		if fe.Changes, err = missedChanges(ctx, tx.Conn(), k, fe.Event.Version); err != nil {
			return fe, err
		}
	}
	if fe.Changes == nil {
		fe.Reload = true
		fe.Parties, err = liveParties(ctx, tx.Conn(), k.EventID)
	}
	return fe, err
}
