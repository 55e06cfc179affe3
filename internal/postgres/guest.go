package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"happening/internal/user"
)

// Guests keeps guests, as the system role; it is user.GuestStore.
type Guests struct{ db *DB }

// NewGuests makes the store.
func NewGuests(db *DB) *Guests { return &Guests{db: db} }

var _ user.GuestStore = (*Guests)(nil)

// forOthersPurge bounds the counted bookings that are forgotten in one go, when
// another one is counted.
const forOthersPurge = 100

// lockAddress lets one transaction at a time say whose an address is: who signs
// in with it, and who books for it. It is taken before any row.
func lockAddress(ctx context.Context, tx pgx.Tx, address string) error {
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('address:' || lower($1), 0))`, address); err != nil {
		return fmt.Errorf("lock address: %w", err)
	}
	return nil
}

// Expect implements user.GuestStore. Whoever books for others takes their own
// lock first, then the address's, so that two never wait for each other.
func (s *Guests) Expect(ctx context.Context, e user.Expectation) (person uuid.UUID, err error) {
	err = inTx(ctx, s.db.System, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('books for others:' || $1::uuid, 0))`, e.By); err != nil {
			return fmt.Errorf("lock count: %w", err)
		}
		if err := lockAddress(ctx, tx, e.Address); err != nil {
			return err
		}
		if person, err = personOrGuest(ctx, tx, e); err != nil {
			return err
		}
		return countForOthers(ctx, tx, e, person)
	})
	if err != nil {
		return uuid.Nil, fmt.Errorf("postgres: expect somebody: %w", err)
	}
	return person, nil
}

// personOrGuest finds whose the address is, or makes them a guest.
func personOrGuest(ctx context.Context, tx pgx.Tx, e user.Expectation) (id uuid.UUID, err error) {
	err = tx.QueryRow(ctx, `
		SELECT id FROM users
		WHERE lower(email) = lower($1) AND (email_verified OR guest)
		ORDER BY email_verified DESC
		LIMIT 1`, e.Address).Scan(&id)
	if !errors.Is(err, pgx.ErrNoRows) {
		return id, err
	}
	if id, err = guestID(ctx, tx, e.At); err != nil {
		return uuid.Nil, err
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO users (id, name, email, guest, created_at, updated_at) VALUES ($1, '', $2, true, $3, $3)`, id, e.Address, e.At)
	if err != nil {
		return uuid.Nil, fmt.Errorf("insert guest: %w", err)
	}
	return id, nil
}

// guestID is an id from some moment since the first person came here. The id of
// who was booked for is shown to who booked, and an id tells its time: one from
// just now would say that nobody had an account with the address.
func guestID(ctx context.Context, tx pgx.Tx, now time.Time) (uuid.UUID, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return uuid.Nil, fmt.Errorf("guest's id: %w", err)
	}
	first := id
	err = tx.QueryRow(ctx, `SELECT id FROM users ORDER BY id LIMIT 1`).Scan(&first)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return uuid.Nil, fmt.Errorf("guest's id: %w", err)
	}
	const millis = 6 // the bytes of a UUIDv7 that hold its time, RFC 9562
	at, since := now.UnixMilli(), int64(binary.BigEndian.Uint64(append([]byte{0, 0}, first[:millis]...)))
	if since < at {
		at = since + rand.Int64N(at-since)
	}
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(at))
	copy(id[:millis], b[8-millis:])
	return id, nil
}

// countForOthers refuses what is too much of a day, or counts it.
func countForOthers(ctx context.Context, tx pgx.Tx, e user.Expectation, person uuid.UUID) error {
	since := e.At.Add(-user.ForOthersWindow)
	newest := func(column string, id uuid.UUID, most int) ([]time.Time, error) {
		rows, err := tx.Query(ctx, `
			SELECT created_at FROM bookings_for_others
			WHERE `+column+` = $1 AND created_at > $2
			ORDER BY created_at DESC LIMIT $3`, id, since, most)
		if err != nil {
			return nil, err
		}
		return pgx.CollectRows(rows, pgx.RowTo[time.Time])
	}
	by, err := newest("actor_id", e.By, user.MaxForOthersBy)
	if err != nil {
		return fmt.Errorf("count bookings for others: %w", err)
	}
	to, err := newest("user_id", person, user.MaxForOthersTo)
	if err != nil {
		return fmt.Errorf("count bookings for others: %w", err)
	}
	if err := user.CountForOthers(by, to, e.At); err != nil {
		return err
	}
	batch := &pgx.Batch{}
	batch.Queue(`INSERT INTO bookings_for_others (id, actor_id, user_id, created_at) VALUES ($1, $2, $3, $4)`, e.ID, e.By, person, e.At)
	batch.Queue(`
		DELETE FROM bookings_for_others WHERE id IN (
			SELECT id FROM bookings_for_others WHERE created_at <= $1 ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED)`,
		since, forOthersPurge)
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("count a booking for others: %w", err)
	}
	return nil
}

// Dismiss implements user.GuestStore. A guest stays whom somebody else expects
// at the same time.
func (s *Guests) Dismiss(ctx context.Context, id uuid.UUID) error {
	err := inTx(ctx, s.db.System, func(tx pgx.Tx) error {
		var person uuid.UUID
		var address string
		err := tx.QueryRow(ctx, `
			SELECT u.id, u.email FROM bookings_for_others f JOIN users u ON u.id = f.user_id WHERE f.id = $1`, id).Scan(&person, &address)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil // done already, or the person is no more
		}
		if err != nil {
			return err
		}
		if err := lockAddress(ctx, tx, address); err != nil {
			return err
		}
		batch := &pgx.Batch{}
		batch.Queue(`DELETE FROM bookings_for_others WHERE id = $1`, id)
		batch.Queue(`
			DELETE FROM users u
			WHERE u.id = $1 AND u.guest
			  AND NOT EXISTS (SELECT FROM bookings b WHERE b.user_id = u.id)
			  AND NOT EXISTS (SELECT FROM bookings_for_others f WHERE f.user_id = u.id)`, person)
		return tx.SendBatch(ctx, batch).Close()
	})
	if err != nil {
		return fmt.Errorf("postgres: dismiss a guest: %w", err)
	}
	return nil
}

// Arrive implements user.GuestStore. The lock on the guest's row waits for
// whoever is about to become their heir, who looks for bookings after that.
func (s *Guests) Arrive(ctx context.Context, userID uuid.UUID) error {
	err := inTx(ctx, s.db.System, func(tx pgx.Tx) error {
		var heir *uuid.UUID
		if err := tx.QueryRow(ctx, `SELECT heir FROM users WHERE id = $1 FOR SHARE`, userID).Scan(&heir); err != nil || heir == nil {
			return err
		}
		return inherit(ctx, tx, userID, *heir)
	})
	if err != nil {
		return fmt.Errorf("postgres: a guest's heir: %w", err)
	}
	return nil
}

// becomeGuest makes whoever signs in for the first time, with a verified address
// that nobody holds, the guest of it; pgx.ErrNoRows: there is none.
func becomeGuest(ctx context.Context, tx pgx.Tx, s user.Sighting) (p user.Person, err error) {
	err = tx.QueryRow(ctx, `
		UPDATE users u
		SET guest = false, name = $1, email = $2, email_verified = true, created_at = $3, updated_at = $3
		WHERE u.guest AND lower(u.email) = lower($2)
		  AND NOT EXISTS (SELECT FROM users other WHERE lower(other.email) = lower($2) AND other.email_verified)
		RETURNING id, name, email, email_verified`, s.Claims.Name, s.Claims.Email, s.At,
	).Scan(&p.ID, &p.Name, &p.Email, &p.EmailVerified)
	if err != nil {
		return p, err
	}
	return p, recordPerson(ctx, tx, p.ID, "guest.signed_in", s)
}

// inheritFromGuests gives somebody whose address counts what was booked for a
// guest of it, who is nobody from then on, and what came late to one before.
func inheritFromGuests(ctx context.Context, tx pgx.Tx, heir user.Person, s user.Sighting) error {
	rows, err := tx.Query(ctx, `
		UPDATE users SET guest = false, email = '', heir = $1, erased_at = $3, updated_at = $3
		WHERE guest AND lower(email) = lower($2)
		RETURNING id`, heir.ID, heir.Email, s.At)
	if err != nil {
		return fmt.Errorf("find guest: %w", err)
	}
	guests, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return fmt.Errorf("find guest: %w", err)
	}
	if len(guests) > 0 {
		if err := recordPerson(ctx, tx, heir.ID, "guest.inherited", s); err != nil {
			return err
		}
	}
	rows, err = tx.Query(ctx, `
		SELECT id FROM users u WHERE heir = $1 AND EXISTS (SELECT FROM bookings b WHERE b.user_id = u.id) ORDER BY id`, heir.ID)
	if err != nil {
		return fmt.Errorf("find guests: %w", err)
	}
	if guests, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID]); err != nil {
		return fmt.Errorf("find guests: %w", err)
	}
	for _, guest := range guests {
		if err := inherit(ctx, tx, guest, heir.ID); err != nil {
			return err
		}
	}
	return nil
}

// errBookedMeanwhile says that a guest was booked for at another event while the
// locks of theirs were waited for.
var errBookedMeanwhile = errors.New("a guest was booked for at another event meanwhile")

// inherit makes all bookings of a guest those of the heir, and what was told of
// them. Nothing about their seats changes, so that it needs no decision: the
// events are locked and move on, and whoever has them in memory reads them anew.
// It is one transaction inside another, begun again where a booking came at an
// event that it has not locked: who sells there would go on to take it for the
// guest's.
func inherit(ctx context.Context, tx pgx.Tx, guest, heir uuid.UUID) error {
	for attempt := 1; ; attempt++ {
		err := pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error { return inheritLocked(ctx, tx, guest, heir) })
		if !errors.Is(err, errBookedMeanwhile) || attempt == maxTxAttempts {
			return err
		}
	}
}

func inheritLocked(ctx context.Context, tx pgx.Tx, guest, heir uuid.UUID) error {
	rows, err := tx.Query(ctx, `
		SELECT id, version, org_id FROM events
		WHERE id IN (SELECT event_id FROM bookings WHERE user_id = $1)
		ORDER BY id
		FOR NO KEY UPDATE`, guest)
	if err != nil {
		return fmt.Errorf("lock events: %w", err)
	}
	events, orgs := []uuid.UUID{}, []uuid.UUID{}
	var versions []int64
	var event, org uuid.UUID
	var version int64
	if _, err := pgx.ForEachRow(rows, []any{&event, &version, &org}, func() error {
		events, versions = append(events, event), append(versions, version)
		if !slices.Contains(orgs, org) {
			orgs = append(orgs, org)
		}
		return nil
	}); err != nil {
		return fmt.Errorf("lock events: %w", err)
	}
	batch := &pgx.Batch{}
	// A fact that is being told is waited for, so that its message is found.
	batch.Queue(`UPDATE outbox SET user_id = $2 WHERE relayed_at IS NULL AND org_id = ANY($3) AND user_id = $1`, guest, heir, orgs)
	// Of what both were told, a change of an event at which both have a booking,
	// the heir keeps what they were told themselves.
	batch.Queue(`
		WITH twice AS (
		  SELECT n.fact_id FROM notifications n
		  WHERE n.user_id = $1 AND n.channel = 'app'
		    AND EXISTS (SELECT FROM notifications h WHERE h.fact_id = n.fact_id AND h.user_id = $2))
		DELETE FROM notifications n
		USING twice
		WHERE n.fact_id = twice.fact_id AND n.user_id = $1`, guest, heir)
	batch.Queue(`
		WITH bell AS (
		  UPDATE notifications SET user_id = $2 WHERE user_id = $1 AND channel = 'app' RETURNING fact_id)
		UPDATE notifications n SET user_id = $2
		FROM bell
		WHERE n.fact_id = bell.fact_id AND n.user_id = $1 AND n.channel = 'email'`, guest, heir)
	batch.Queue(`SELECT inherit_history($1)`, guest)
	// Seats that were given up are found by their booking, those that are sold
	// each by itself at its event.
	batch.Queue(`
		UPDATE booking_seats SET user_id = $2
		WHERE status = 'cancelled' AND booking_id IN (SELECT id FROM bookings WHERE user_id = $1)`, guest, heir)
	batch.Queue(`
		UPDATE booking_seats SET user_id = $2
		WHERE ctid = ANY(ARRAY(
		  SELECT (SELECT s.ctid FROM booking_seats s
		          WHERE s.event_id = b.event_id AND s.seat_no = sold.seat_no AND s.status = 'booked' AND s.booking_id = b.id)
		  FROM bookings b CROSS JOIN LATERAL unnest(`+seatNumbers+`) sold(seat_no)
		  WHERE b.user_id = $1 AND b.status = 'confirmed'))`, guest, heir)
	// Who booked for an address that turns out to be their own did so themselves.
	unlocked := 0
	batch.Queue(`
		WITH theirs AS (
		  UPDATE bookings
		  SET user_id = $2, booked_by = nullif(booked_by, $2), booked_for = CASE WHEN booked_by <> $2 THEN booked_for END
		  WHERE user_id = $1
		  RETURNING event_id)
		SELECT count(*) FROM theirs WHERE event_id <> ALL($3)`, guest, heir, events).QueryRow(func(row pgx.Row) error {
		return row.Scan(&unlocked)
	})
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("inherit bookings: %w", err)
	}
	if unlocked > 0 {
		return errBookedMeanwhile
	}
	if len(events) == 0 {
		return nil
	}
	return moveOn(ctx, tx, events, versions)
}

// recordPerson tells of a person what was done to them.
func recordPerson(ctx context.Context, tx pgx.Tx, id uuid.UUID, action string, s user.Sighting) error {
	entry, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	if _, err := tx.Exec(ctx, `
		INSERT INTO user_audit (id, user_id, action, issuer, rule, created_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		entry, id, action, s.Issuer, verifiedEmailRule, s.At); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}
