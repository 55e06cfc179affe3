package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"happening/internal/booking"
	"happening/internal/fault"
)

// Limits of the ledger.
const (
	// writeTimeout bounds one batch; its outcome is unknown beyond it.
	writeTimeout = 10 * time.Second
	// acquireTimeout bounds the wait for a connection.
	acquireTimeout = 3 * time.Second
	// rollbackTimeout bounds giving a transaction up.
	rollbackTimeout = 2 * time.Second
	// closedLasts is how long a server that refused to write is taken to refuse
	// on, unless a write passes before: nobody may be there to try.
	closedLasts = 5 * time.Second
)

// The statements of a batch, prepared on every connection of the ledger where
// that lasts, and else sent along with every batch.
// stmtCheck raises a division by zero where an event has moved on; the
// updates do where a row is not as the inventory has it.
var ledgerStatements = map[string]string{
	"check": `
		SELECT 1 / (count(*) = cardinality($1::uuid[]))::int
		FROM (SELECT id, version FROM events WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE) locked
		JOIN unnest($1::uuid[], $2::int8[]) decided(id, version) USING (id, version)`,

	"update_bookings": `
		WITH u AS (
		  UPDATE bookings b
		  SET status = n.status, seats = n.seats, waiting_number = n.waiting_number, reason = n.reason, updated_at = n.at
		  FROM unnest($1::uuid[], $2::text[], $3::int4[], $4::int8[], $5::text[], $6::timestamptz[])
		       n(id, status, seats, waiting_number, reason, at)
		  WHERE b.id = n.id
		  RETURNING 1)
		SELECT 1 / (count(*) = cardinality($1::uuid[]))::int FROM u`,

	// Each seat is found by itself, through the index of live seats: a join was
	// seen to sort all live seats there are, for each batch.
	"cancel_seats": `
		WITH u AS (
		  UPDATE booking_seats
		  SET status = 'cancelled'
		  WHERE ctid = ANY(ARRAY(
		    SELECT (SELECT s.ctid FROM booking_seats s
		            WHERE s.event_id = n.event_id AND s.seat_no = n.seat_no AND s.status = 'booked' AND s.booking_id = n.booking_id)
		    FROM unnest($1::uuid[], $2::uuid[], $3::int4[]) n(event_id, booking_id, seat_no)))
		  RETURNING 1)
		SELECT 1 / (count(*) = cardinality($1::uuid[]))::int FROM u`,

	// The rows are made in the lists of what is selected, which goes through
	// the arrays side by side; FROM unnest(…) would keep every array's elements
	// as rows of their own first, which took some 2 µs a booking.
	"write": `
		WITH b AS (
		  INSERT INTO bookings (id, org_id, event_id, user_id, seats, status, waiting_number, reason, created_at, updated_at)
		  SELECT unnest($1::uuid[]), unnest($2::uuid[]), unnest($3::uuid[]), unnest($4::uuid[]), unnest($5::int4[]), unnest($6::text[]), unnest($7::int8[]), unnest($8::text[]), unnest($9::timestamptz[]), unnest($10::timestamptz[])),
		s AS (
		  INSERT INTO booking_seats (org_id, event_id, booking_id, user_id, seat_no, status)
		  SELECT unnest($11::uuid[]), unnest($12::uuid[]), unnest($13::uuid[]), unnest($14::uuid[]), unnest($15::int4[]), 'booked'),
		h AS (
		  INSERT INTO booking_history (id, org_id, event_id, booking_id, user_id, actor_id, action, details, idempotency_key, request_hash, created_at)
		  SELECT unnest($16::uuid[]), unnest($17::uuid[]), unnest($18::uuid[]), unnest($19::uuid[]), unnest($20::uuid[]), unnest($21::uuid[]), unnest($22::text[]), unnest($23::jsonb[]), unnest($24::text[]), unnest($25::bytea[]), unnest($26::timestamptz[])),
		o AS (
		  INSERT INTO outbox (id, org_id, kind, event_id, booking_id, user_id, payload, created_at)
		  SELECT unnest($16::uuid[]), unnest($17::uuid[]), unnest($27::text[]), unnest($18::uuid[]), unnest($19::uuid[]), unnest($20::uuid[]), unnest($23::jsonb[]), unnest($26::timestamptz[])),
		d AS (
		  INSERT INTO event_changes (event_id, version, changes, created_at)
		  SELECT e, v, c, now() FROM unnest($28::uuid[], $29::int8[], $33::bytea[]) t(e, v, c))
		UPDATE events e
		SET version = n.version, available_slots = n.available, last_waiting = n.last_waiting, waiting_parties = n.waiting
		FROM unnest($28::uuid[], $29::int8[], $30::int4[], $31::int8[], $32::int4[]) n(id, version, available, last_waiting, waiting)
		WHERE e.id = n.id`,

	"booked_for": `
		WITH u AS (
		  UPDATE bookings b SET booked_by = n.by_id, booked_for = n.address
		  FROM unnest($1::uuid[], $2::uuid[], $3::text[]) n(id, by_id, address)
		  WHERE b.id = n.id
		  RETURNING 1)
		SELECT 1 / (count(*) = cardinality($1::uuid[]))::int FROM u`,

	"record": `
		INSERT INTO audit_log (id, org_id, subject_id, actor_id, action, before, after, created_at)
		SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::jsonb[], $7::jsonb[], $8::timestamptz[])`,

	"commit": `COMMIT`,
}

// Ledger writes the allocator's batches; it is the booking room's Ledger.
type Ledger struct {
	pool *pgxpool.Pool
	// unprepared are the statements of a batch where connections don't keep
	// them, behind a pooler; nil: they are prepared.
	unprepared map[string]string
	// The arrays of a batch, kept for the next one. Only the allocator's one
	// worker writes.
	arrays batchArrays
	closed atomic.Pointer[closed] // nil: the last write was not refused for all
	hurry  hurry
}

// closed is a server that answers and refuses to write, whoever asks.
type closed struct {
	at  time.Time
	why error
}

var _ booking.Ledger = (*Ledger)(nil)

// NewLedger opens the ledger's own few connections as the system role.
func NewLedger(ctx context.Context, connString func(role string) string) (*Ledger, error) {
	cfg, err := poolConfig(connString(SystemRole), "happening ledger", ledgerShare)
	if err != nil {
		return nil, err
	}
	l := &Ledger{arrays: newBatchArrays()}
	cfg.ConnConfig.DialFunc = l.hurry.dial(cfg.ConnConfig.DialFunc)
	if keepsStatements(cfg.ConnConfig) {
		cfg.AfterConnect = prepareLedger
	} else {
		l.unprepared = ledgerStatements
	}
	if l.pool, err = new(failover).pool(ctx, cfg); err != nil {
		return nil, fmt.Errorf("postgres: ledger: %w", err)
	}
	return l, nil
}

func prepareLedger(ctx context.Context, c *pgx.Conn) error {
	for name, sql := range ledgerStatements {
		if _, err := c.PgConn().Prepare(ctx, name, sql, nil); err != nil {
			return fmt.Errorf("prepare %s: %w", name, err)
		}
	}
	return nil
}

// Hurry has the answers of the database looked for while when says so, instead
// of waiting for them in line with all that comes over the network.
func (l *Ledger) Hurry(when func() bool) { l.hurry.when.Store(&when) }

// Close closes the ledger's connections.
func (l *Ledger) Close() { l.pool.Close() }

// CloseWithin is a Close that is left behind when ctx ends, which is an error.
func (l *Ledger) CloseWithin(ctx context.Context) error { return closeWithin(ctx, l.pool) }

// Closed is the error, in one line, by which the server refused to write a
// moment ago, for want of space for instance; nil where it did not. A server
// may answer every question and still sell nothing.
func (l *Ledger) Closed() error {
	c := l.closed.Load()
	if c == nil || time.Since(c.at) > closedLasts {
		return nil
	}
	return fmt.Errorf("postgres: nothing can be written: %w", inOneLine(c.why))
}

// ended notes whether a write was refused as everybody's would have been, and
// gives its outcome.
func (l *Ledger) ended(err error) error {
	var pg *pgconn.PgError
	switch {
	case err == nil:
		l.closed.Store(nil)
	case errors.As(err, &pg) && refusesAll(pg):
		l.closed.Store(&closed{time.Now(), err})
	}
	return outcome(err)
}

// acquire gets a connection; an error means that nothing was written.
func (l *Ledger) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, acquireTimeout)
	defer cancel()
	conn, err := l.pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", booking.ErrUnreached, err)
	}
	return conn, nil
}

// Commit implements booking.Ledger: one round trip, one implicit transaction,
// which ends at the pipeline's Sync.
func (l *Ledger) Commit(ctx context.Context, b *booking.Batch) error {
	conn, err := l.acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return l.write(ctx, conn.Conn().PgConn(), b, true)
}

// write sends a batch. An optimistic one brings its version check and commits
// by itself; the other runs in the transaction that holds the locks and ends
// it.
func (l *Ledger) write(ctx context.Context, pc *pgconn.PgConn, b *booking.Batch, optimistic bool) error {
	a := &l.arrays
	if err := a.fill(b); err != nil {
		return fmt.Errorf("postgres: batch: %w", err)
	}
	p := pc.StartPipeline(ctx)
	if optimistic {
		l.send(p, "check", a.checkIDs, a.checkVersions)
	}
	if a.updID.n > 0 {
		l.send(p, "update_bookings", a.updID, a.updStatus, a.updSeats, a.updWaiting, a.updReason, a.updAt)
	}
	if a.dropBooking.n > 0 {
		l.send(p, "cancel_seats", a.dropEvent, a.dropBooking, a.dropSeat)
	}
	l.send(p, "write", a.write()...)
	if a.fID.n > 0 {
		l.send(p, "booked_for", a.fID, a.fBy, a.fFor)
	}
	if a.rID.n > 0 {
		l.send(p, "record", a.rID, a.rOrg, a.rEvent, a.rActor, a.rAction, a.rBefore, a.rAfter, a.rAt)
	}
	if !optimistic {
		l.send(p, "commit")
	}
	if err := p.Sync(); err != nil {
		p.Close()
		return l.ended(err)
	}
	var first error
	for {
		res, err := p.GetResults()
		if err != nil {
			if first == nil {
				first = err
			}
			var pg *pgconn.PgError
			if !errors.As(err, &pg) {
				break
			}
			continue
		}
		if reader, ok := res.(*pgconn.ResultReader); ok {
			if _, err := reader.Close(); err != nil && first == nil {
				first = err
			}
			continue
		}
		break // the Sync: all results are in
	}
	if err := p.Close(); err != nil && first == nil {
		first = err
	}
	return l.ended(first)
}

// send adds a statement to the pipeline. Its parameters say their types in its
// text.
func (l *Ledger) send(p *pgconn.Pipeline, name string, params ...*array) {
	values := make([][]byte, len(params))
	formats := make([]int16, len(params))
	for i, a := range params {
		values[i], formats[i] = a.bytes(), 1
	}
	if l.unprepared != nil {
		p.SendQueryParams(l.unprepared[name], values, nil, formats, []int16{1})
		return
	}
	p.SendQueryPrepared(name, values, formats, []int16{1})
}

// outcome says what the error of a write means: only an ERROR of the database
// is certain to have written nothing.
func outcome(err error) error {
	if err == nil {
		return nil
	}
	var pg *pgconn.PgError
	switch {
	case !errors.As(err, &pg) || pg.Severity == "FATAL" || pg.Severity == "PANIC":
		return fmt.Errorf("%w: %w", booking.ErrUnknown, err)
	case pg.Code == "22012", pg.ConstraintName == "booking_seats_live", pg.ConstraintName == "event_changes_pkey",
		pg.Code == "40001", pg.Code == "40P01":
		return fmt.Errorf("%w: %w", booking.ErrStale, err)
	case pg.ConstraintName == "booking_history_key":
		return booking.ErrKeyTaken
	case refusesAll(pg): // no order is to blame, and the next try may pass
		return fmt.Errorf("%w: %w", booking.ErrUnreached, err)
	default:
		return fmt.Errorf("postgres: batch: %w", err)
	}
}

// Rework implements booking.Ledger: lock, look, decide, write, commit.
func (l *Ledger) Rework(ctx context.Context, known []booking.Known, keys []booking.KeyOf, probe uuid.UUID, fn func(booking.Fresh) (*booking.Batch, error)) error {
	conn, err := l.acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	rollback := func() {
		// A connection that can't roll back is closed by the pool, which ends
		// the transaction too.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
		defer cancel()
		_, _ = conn.Exec(ctx, "ROLLBACK")
	}
	fresh, err := l.fresh(ctx, conn.Conn(), known, keys, probe)
	if err != nil {
		rollback()
		if o := outcome(err); errors.Is(o, booking.ErrUnknown) || errors.Is(o, booking.ErrUnreached) { // nothing was written yet
			return fmt.Errorf("%w: %w", booking.ErrUnreached, err)
		}
		return err
	}
	batch, err := fn(fresh)
	if err != nil || batch == nil || !writes(batch) {
		rollback()
		return err
	}
	if batch.Edit != nil {
		err := writeEdit(ctx, conn.Conn(), batch)
		if err == nil {
			err = writeSeats(ctx, conn.Conn(), batch)
		}
		if err != nil {
			rollback()
			return l.ended(err)
		}
	}
	if err := l.write(ctx, conn.Conn().PgConn(), batch, false); err != nil {
		rollback()
		return err
	}
	return nil
}

// writes says whether a batch changes anything.
func writes(b *booking.Batch) bool {
	for i := range b.Events {
		if b.Events[i].Moved {
			return true
		}
	}
	return false
}

// fresh begins a transaction, locks the events' rows in the order of their ids
// and reads what the caller doesn't know yet. All of it travels together:
// other processes wait for these locks. Every statement sees what was
// committed when it began, so that those after the lock see all that led to
// the versions locked; where another isolation was set up for the database,
// it is overruled.
func (l *Ledger) fresh(ctx context.Context, conn *pgx.Conn, known []booking.Known, keys []booking.KeyOf, probe uuid.UUID) (booking.Fresh, error) {
	f := booking.Fresh{Events: make(map[uuid.UUID]booking.FreshEvent, len(known))}
	ids := make([]uuid.UUID, len(known))
	for i, k := range known {
		ids[i] = k.EventID
	}
	var b pgx.Batch
	b.Queue("BEGIN ISOLATION LEVEL READ COMMITTED")
	b.Queue(`
		SELECT `+eventColumns+`, e.last_waiting
		FROM `+eventTables+`
		WHERE e.id = ANY($1)
		ORDER BY e.id
		FOR NO KEY UPDATE OF e`, ids).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var fe booking.FreshEvent
			var err error
			if fe.Event, err = scanEvent(rows, &fe.LastWaiting); err != nil {
				return err
			}
			f.Events[fe.Event.ID] = fe
		}
		return rows.Err()
	})
	missed := make(map[uuid.UUID][][]byte)
	queueDeltas(&b, known, missed)
	if probe != uuid.Nil {
		// A change has its fact in the same statement as its history, which is
		// found by the booking alone.
		b.Queue(`
			SELECT EXISTS (SELECT 1 FROM outbox WHERE id = $1)
			    OR EXISTS (SELECT 1 FROM audit_log WHERE id = $1)`, probe).QueryRow(func(row pgx.Row) error {
			return row.Scan(&f.Found)
		})
	}
	if len(keys) > 0 {
		f.Keys = make(map[booking.KeyOf]booking.Stored)
		sql, args := keysQuery(keys)
		b.Queue(sql, args...).Query(func(rows pgx.Rows) error { return scanKeys(rows, f.Keys) })
	}
	if err := conn.SendBatch(ctx, &b).Close(); err != nil {
		return f, err
	}
	for _, k := range known {
		fe, ok := f.Events[k.EventID]
		if !ok || (k.Version == fe.Event.Version) {
			continue
		}
		if err := complete(ctx, conn, k, &fe, missed[k.EventID]); err != nil {
			return f, err
		}
		f.Events[k.EventID] = fe
	}
	return f, nil
}

// Load implements booking.Ledger: one snapshot, no locks.
func (l *Ledger) Load(ctx context.Context, eventID uuid.UUID) (booking.FreshEvent, error) {
	conn, err := l.acquire(ctx)
	if err != nil {
		return booking.FreshEvent{}, err
	}
	defer conn.Release()
	fe := booking.FreshEvent{Reload: true}
	err = pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		fe.Event, err = scanEvent(tx.QueryRow(ctx, `
			SELECT `+eventColumns+`, e.last_waiting FROM `+eventTables+` WHERE e.id = $1`, eventID), &fe.LastWaiting)
		if errors.Is(err, pgx.ErrNoRows) {
			return fault.ErrNotFound
		}
		if err != nil {
			return err
		}
		return complete(ctx, tx.Conn(), booking.Known{EventID: eventID}, &fe, nil)
	})
	if err != nil && !errors.Is(err, fault.ErrNotFound) {
		err = fmt.Errorf("postgres: load event: %w", err)
	}
	return fe, err
}

// liveParties reads an event's confirmed and waiting bookings.
func liveParties(ctx context.Context, conn *pgx.Conn, eventID uuid.UUID) ([]booking.Party, error) {
	rows, err := conn.Query(ctx, `
		SELECT id, user_id, created_at, status, seats, coalesce(waiting_number, 0)
		FROM bookings
		WHERE event_id = $1 AND status IN ('confirmed', 'waiting')`, eventID)
	if err != nil {
		return nil, err
	}
	parties, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (booking.Party, error) {
		var p booking.Party
		err := row.Scan(&p.ID, &p.UserID, &p.CreatedAt, &p.Status, &p.Seats, &p.WaitingNumber)
		return p, err
	})
	if err != nil {
		return nil, err
	}
	index := make(map[uuid.UUID]int, len(parties))
	for i := range parties {
		index[parties[i].ID] = i
	}
	rows, err = conn.Query(ctx, `
		SELECT booking_id, seat_no FROM booking_seats
		WHERE event_id = $1 AND status = 'booked' ORDER BY seat_no`, eventID)
	if err != nil {
		return nil, err
	}
	var id uuid.UUID
	var seat int32
	_, err = pgx.ForEachRow(rows, []any{&id, &seat}, func() error {
		i, ok := index[id]
		if !ok {
			return fmt.Errorf("postgres: seat %d of event %s belongs to no live booking", seat, eventID)
		}
		parties[i].SeatNumbers = append(parties[i].SeatNumbers, seat)
		return nil
	})
	return parties, err
}

// keysQuery looks idempotency keys up.
func keysQuery(keys []booking.KeyOf) (sql string, args []any) {
	users, values := make([]uuid.UUID, len(keys)), make([]string, len(keys))
	for i, k := range keys {
		users[i], values[i] = k.UserID, k.Value
	}
	return `
		SELECT h.actor_id, h.idempotency_key, h.request_hash, h.org_id, h.event_id, h.booking_id, h.user_id,
		       h.details, h.created_at, b.created_at, coalesce(b.booked_by, '00000000-0000-0000-0000-000000000000')
		FROM unnest($1::uuid[], $2::text[]) k(user_id, value)
		JOIN booking_history h ON h.actor_id = k.user_id AND h.idempotency_key = k.value
		JOIN bookings b ON b.id = h.booking_id`, []any{users, values}
}

// scanKeys reads what keysQuery found.
func scanKeys(rows pgx.Rows, found map[booking.KeyOf]booking.Stored) error {
	var k booking.KeyOf
	var b booking.Booking
	var hash, details []byte
	_, err := pgx.ForEachRow(rows, []any{&k.UserID, &k.Value, &hash, &b.OrgID, &b.EventID, &b.ID, &b.UserID,
		&details, &b.UpdatedAt, &b.CreatedAt, &b.BookedBy}, func() error {
		d, err := booking.ParseDetails(details)
		if err != nil {
			return err
		}
		s := booking.Stored{Booking: b}
		s.Booking.State, s.Booking.Position = d.To.State(d.Reason), d.Position
		s.Booking.CreatedAt, s.Booking.UpdatedAt = b.CreatedAt.UTC(), b.UpdatedAt.UTC()
		copy(s.Hash[:], hash)
		found[k] = s
		return nil
	})
	return err
}
