package postgres

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"happening/internal/booking"
	"happening/internal/event"
)

// writeEdit writes changed settings with their audit row and, where people
// are to be told, their fact. The figures come with the batch.
func writeEdit(ctx context.Context, conn *pgx.Conn, b *booking.Batch) error {
	ed, e := b.Edit, &b.Edit.Event
	var available int32
	for i := range b.Events {
		if b.Events[i].EventID == e.ID {
			available = b.Events[i].Available
		}
	}
	var cancelledAt *time.Time
	if !e.CancelledAt.IsZero() {
		cancelledAt = &e.CancelledAt
	}
	if _, err := conn.Exec(ctx, `
		UPDATE events
		SET name = $2, description = $3, category = $4, venue = $5, starts_at = $6, ends_at = $7, time_zone = $8,
		    total_slots = $9, available_slots = $10, max_seats_per_user = nullif($11, 0), visibility = $12,
		    waitlist_policy = $13, cancelled_at = $14::timestamptz, revision = $15, updated_at = $16,
		    waitlist_limit = $17, layout_revision = $18,
		    status = CASE WHEN $14::timestamptz IS NOT NULL THEN 'cancelled'
		                  WHEN status = 'completed' AND $7::timestamptz > $16::timestamptz THEN 'ongoing' -- it was given a later end
		                  ELSE status END
		WHERE id = $1`,
		e.ID, e.Name, e.Description, e.Category, e.Venue, e.StartsAt, e.EndsAt, e.TimeZone,
		e.TotalSlots, available, e.MaxSeatsPerUser, e.Visibility, e.WaitlistPolicy, cancelledAt, e.Revision, ed.At,
		e.WaitlistLimit.Number(), e.LayoutRevision,
	); err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, `
		INSERT INTO audit_log (id, org_id, actor_id, action, subject_id, before, after, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		ed.FactID, e.OrgID, ed.ActorID, ed.Action, e.ID, ed.Before, ed.After, ed.At); err != nil {
		return err
	}
	if ed.FactKind == "" {
		return nil
	}
	_, err := conn.Exec(ctx, `
		INSERT INTO outbox (id, org_id, kind, event_id, payload, created_at)
		VALUES ($1, $2, $3, $4, $5, $6)`,
		ed.FactID, e.OrgID, ed.FactKind, e.ID, ed.FactPayload, ed.At)
	return err
}

// writeSeats writes how the seats lie and which are off sale, as far as the
// edit changed it.
func writeSeats(ctx context.Context, conn *pgx.Conn, b *booking.Batch) error {
	e := &b.Edit.Event
	var work pgx.Batch
	if b.Edit.Arranged {
		sections, err := e.Layout.JSON()
		if err != nil {
			return err
		}
		if sections == nil {
			work.Queue(`DELETE FROM event_layouts WHERE event_id = $1`, e.ID)
		} else {
			work.Queue(`
				INSERT INTO event_layouts (event_id, sections) VALUES ($1, $2)
				ON CONFLICT (event_id) DO UPDATE SET sections = EXCLUDED.sections`, e.ID, sections)
		}
	}
	if err := queueBlocks(ctx, conn, &work, e.ID, &b.Blocks); err != nil || work.Len() == 0 {
		return err
	}
	return conn.SendBatch(ctx, &work).Close()
}

// partSeats is how many seats a row of blocks tells of, a bit each: an edit of
// any number of them writes few rows, while everybody's sales wait for it.
const partSeats = 1024

// queueBlocks queues the changed rows of the seats that are off sale. The event
// is locked, so that nobody else changes them.
func queueBlocks(ctx context.Context, conn *pgx.Conn, work *pgx.Batch, eventID uuid.UUID, blocks *booking.Blocks) error {
	if blocks.None() {
		return nil
	}
	parts := make(map[int32][]byte)
	for _, seats := range [][]int32{blocks.Unblocked, blocks.Blocked} {
		for _, n := range seats {
			parts[(n-1)/partSeats] = nil
		}
	}
	rows, err := conn.Query(ctx, `SELECT part, seats FROM event_blocks WHERE event_id = $1 AND part = ANY($2)`,
		eventID, slices.Collect(maps.Keys(parts)))
	if err != nil {
		return fmt.Errorf("postgres: blocks: %w", err)
	}
	var part int32
	var seats []byte
	if _, err := pgx.ForEachRow(rows, []any{&part, &seats}, func() error {
		parts[part] = bytes.Clone(seats)
		return nil
	}); err != nil {
		return fmt.Errorf("postgres: blocks: %w", err)
	}
	var emptied, kept []int32
	var sets [][]byte
	for part := range parts {
		if parts[part] == nil {
			parts[part] = make([]byte, partSeats/8)
		}
	}
	for _, n := range blocks.Unblocked {
		parts[(n-1)/partSeats][(n-1)%partSeats/8] &^= 1 << ((n - 1) % 8)
	}
	for _, n := range blocks.Blocked {
		parts[(n-1)/partSeats][(n-1)%partSeats/8] |= 1 << ((n - 1) % 8)
	}
	none := make([]byte, partSeats/8)
	for part, seats := range parts {
		if bytes.Equal(seats, none) {
			emptied = append(emptied, part)
		} else {
			kept, sets = append(kept, part), append(sets, seats)
		}
	}
	work.Queue(`DELETE FROM event_blocks WHERE event_id = $1 AND part = ANY($2)`, eventID, emptied)
	work.Queue(`
		INSERT INTO event_blocks (event_id, part, seats) SELECT $1, * FROM unnest($2::int4[], $3::bytea[])
		ON CONFLICT (event_id, part) DO UPDATE SET seats = EXCLUDED.seats`, eventID, kept, sets)
	return nil
}

// readSeats adds to an event how its seats lie and which are off sale.
func readSeats(ctx context.Context, conn *pgx.Conn, fe *booking.FreshEvent) error {
	if fe.Event.LayoutRevision > 0 {
		var sections []byte
		if err := conn.QueryRow(ctx, `SELECT sections FROM event_layouts WHERE event_id = $1`, fe.Event.ID).Scan(&sections); err != nil {
			return fmt.Errorf("postgres: layout: %w", err)
		}
		layout, err := event.ParseLayout(sections)
		if err != nil {
			return err
		}
		fe.Event.Layout = layout
	}
	rows, err := conn.Query(ctx, `SELECT part, seats FROM event_blocks WHERE event_id = $1 ORDER BY part`, fe.Event.ID)
	if err != nil {
		return err
	}
	var blocked []int32
	var part int32
	var seats []byte
	_, err = pgx.ForEachRow(rows, []any{&part, &seats}, func() error {
		for i, some := range seats {
			for ; some != 0; some &= some - 1 {
				blocked = append(blocked, part*partSeats+int32(i*8+bits.TrailingZeros8(some))+1)
			}
		}
		return nil
	})
	if len(blocked) > 0 {
		fe.Blocks = []booking.Blocks{{Blocked: blocked}}
	}
	return err
}
