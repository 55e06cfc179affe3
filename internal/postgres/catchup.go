package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"happening/internal/booking"
)

// recentWindow is how far back a process that reads an event whole learns what
// people have asked for. It is longer than the window of a double submit,
// because the processes' clocks may differ a little from the database's.
const recentWindow = 2 * booking.DuplicateWindow

// recentVersions bounds the versions that are looked through for it: more than
// an event is ever moved on in recentWindow.
const recentVersions = 2048

// Prove implements booking.Ledger: both questions travel together, each sees
// what was committed when it was read.
func (l *Ledger) Prove(ctx context.Context, known []booking.Known, keys []booking.KeyOf) (booking.Proof, error) {
	var proof booking.Proof
	conn, err := l.acquire(ctx)
	if err != nil {
		return proof, err
	}
	defer conn.Release()
	var b pgx.Batch
	if len(known) > 0 {
		sql, args := movedQuery(known)
		b.Queue(sql, args...).Query(func(rows pgx.Rows) error {
			behind, err := scanMoved(rows)
			for _, k := range behind {
				proof.Moved = append(proof.Moved, k.EventID)
			}
			return err
		})
	}
	if len(keys) > 0 {
		proof.Keys = make(map[booking.KeyOf]booking.Stored)
		sql, args := keysQuery(keys)
		b.Queue(sql, args...).Query(func(rows pgx.Rows) error { return scanKeys(rows, proof.Keys) })
	}
	if err := conn.SendBatch(ctx, &b).Close(); err != nil {
		return booking.Proof{}, fmt.Errorf("postgres: prove refusals: %w", err)
	}
	return proof, nil
}

// Missed implements booking.Ledger: one snapshot, no locks. Where nothing has
// moved on, which is the rule, it is one round trip.
func (l *Ledger) Missed(ctx context.Context, known []booking.Known) (map[uuid.UUID]booking.FreshEvent, error) {
	conn, err := l.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Release()
	behind, err := movedOn(ctx, conn.Conn(), known)
	if err != nil {
		return nil, fmt.Errorf("postgres: catch up: %w", err)
	}
	missed := make(map[uuid.UUID]booking.FreshEvent, len(behind))
	if len(behind) == 0 {
		return missed, nil
	}
	err = pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		ids := make([]uuid.UUID, len(behind))
		for i, k := range behind {
			ids[i] = k.EventID
			missed[k.EventID] = booking.FreshEvent{}
		}
		deltas := make(map[uuid.UUID][][]byte)
		var b pgx.Batch
		b.Queue(`
			SELECT `+eventColumns+`, e.last_waiting FROM `+eventTables+` WHERE e.id = ANY($1)`, ids).Query(func(rows pgx.Rows) error {
			for rows.Next() {
				var fe booking.FreshEvent
				var err error
				if fe.Event, err = scanEvent(rows, &fe.LastWaiting); err != nil {
					return err
				}
				missed[fe.Event.ID] = fe
			}
			return rows.Err()
		})
		queueDeltas(&b, behind, deltas)
		if err := tx.SendBatch(ctx, &b).Close(); err != nil {
			return err
		}
		for _, k := range behind {
			fe := missed[k.EventID]
			if fe.Event.ID == uuid.Nil {
				continue
			}
			if err := complete(ctx, tx.Conn(), k, &fe, deltas[k.EventID]); err != nil {
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
func movedOn(ctx context.Context, conn *pgx.Conn, known []booking.Known) ([]booking.Known, error) {
	sql, args := movedQuery(known)
	rows, err := conn.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return scanMoved(rows)
}

// movedQuery is the question of movedOn.
func movedQuery(known []booking.Known) (sql string, args []any) {
	ids, versions := make([]uuid.UUID, len(known)), make([]int64, len(known))
	for i, k := range known {
		ids[i], versions[i] = k.EventID, k.Version
	}
	return `
		SELECT k.id, k.version
		FROM unnest($1::uuid[], $2::int8[]) k(id, version)
		LEFT JOIN events e ON e.id = k.id
		WHERE e.version IS DISTINCT FROM k.version`, []any{ids, versions}
}

// scanMoved reads what movedQuery found.
func scanMoved(rows pgx.Rows) ([]booking.Known, error) {
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (booking.Known, error) {
		var k booking.Known
		err := row.Scan(&k.EventID, &k.Version)
		return k, err
	})
}

// queueDeltas adds to a pipeline the reading of what each event has been
// through since the version known, in order. Events that are not known at all
// are read whole later.
func queueDeltas(b *pgx.Batch, known []booking.Known, into map[uuid.UUID][][]byte) {
	var ids []uuid.UUID
	var versions []int64
	for _, k := range known {
		if k.Version != 0 {
			ids, versions = append(ids, k.EventID), append(versions, k.Version)
		}
	}
	if len(ids) == 0 {
		return
	}
	b.Queue(`
		SELECT c.event_id, c.changes
		FROM unnest($1::uuid[], $2::int8[]) k(id, version)
		JOIN event_changes c ON c.event_id = k.id AND c.version > k.version
		ORDER BY c.event_id, c.version`, ids, versions).Query(func(rows pgx.Rows) error {
		var id uuid.UUID
		var delta []byte
		_, err := pgx.ForEachRow(rows, []any{&id, &delta}, func() error {
			into[id] = append(into[id], append([]byte(nil), delta...))
			return nil
		})
		return err
	})
}

// complete adds to an event what the caller misses: the changes since the
// version known, or, where they can't all be had or applied, all live
// bookings.
func complete(ctx context.Context, conn *pgx.Conn, k booking.Known, fe *booking.FreshEvent, deltas [][]byte) (err error) {
	if applicable(k, fe, deltas) {
		return nil
	}
	fe.Reload, fe.Changes, fe.Blocks = true, nil, nil
	if err = readSeats(ctx, conn, fe); err != nil {
		return err
	}
	if fe.Parties, err = liveParties(ctx, conn, k.EventID); err != nil {
		return err
	}
	return recent(ctx, conn, fe)
}

// applicable decodes the deltas into the event's changes; false where one is
// missing or says that the event is to be read whole.
func applicable(k booking.Known, fe *booking.FreshEvent, deltas [][]byte) bool {
	if k.Version == 0 || k.Version > fe.Event.Version || int64(len(deltas)) != fe.Event.Version-k.Version {
		return false
	}
	for _, raw := range deltas {
		d, err := booking.DecodeDelta(raw)
		if err != nil || d.Reload {
			return false
		}
		fe.Changes = append(fe.Changes, d.Changes...)
		fe.Blocks = append(fe.Blocks, d.Blocks)
		fe.Newest = max(fe.Newest, d.Newest)
	}
	return true
}

// recent reads the changes of the last seconds and the newest id.
func recent(ctx context.Context, conn *pgx.Conn, fe *booking.FreshEvent) error {
	rows, err := conn.Query(ctx, `
		SELECT changes FROM (
		  SELECT version, changes, created_at FROM event_changes
		  WHERE event_id = $1 AND version > $2::int8 - $3 ORDER BY version) c
		WHERE created_at > now() - make_interval(secs => $4) OR version = $2`,
		fe.Event.ID, fe.Event.Version, recentVersions, recentWindow.Seconds())
	if err != nil {
		return err
	}
	var raw []byte
	_, err = pgx.ForEachRow(rows, []any{&raw}, func() error {
		// A delta that this binary doesn't know tells nothing, which loses no
		// more than the notice of a double submit.
		if d, err := booking.DecodeDelta(raw); err == nil {
			fe.Newest = max(fe.Newest, d.Newest)
			fe.Recent = append(fe.Recent, d.Changes...)
		}
		return nil
	})
	return err
}
