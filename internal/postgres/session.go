package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"happening/internal/fault"
	"happening/internal/signin"
	"happening/internal/user"
)

// Sessions keeps the browsers' sessions; it is signin.Store. Sign-in comes
// before anybody is known, so it runs as the system.
type Sessions struct{ db *DB }

// NewSessions makes the store.
func NewSessions(db *DB) *Sessions { return &Sessions{db: db} }

var _ signin.Store = (*Sessions)(nil)

const sessionColumns = `id, user_id, issuer, subject, id_token, user_agent, created_at, last_seen_at, expires_at,
	provider_session, refresh_token, coalesce(confirmed_at, created_at), coalesce(renew_at, expires_at)`

func scanSession(row pgx.CollectableRow) (signin.Session, error) {
	var s signin.Session
	err := row.Scan(&s.ID, &s.UserID, &s.Issuer, &s.Subject, &s.IDToken, &s.UserAgent, &s.CreatedAt, &s.LastSeenAt, &s.ExpiresAt,
		&s.ProviderSession, &s.RefreshToken, &s.ConfirmedAt, &s.RenewAt)
	return s, err
}

// lockSignIn keeps sign-ins and sign-outs of one session or one subject of a
// provider from crossing: each either sees the other or comes before it.
const lockSignIn = `SELECT
	pg_advisory_xact_lock(hashtextextended('signin session ' || $1 || ' ' || $2, 0)),
	pg_advisory_xact_lock(hashtextextended('signin subject ' || $1 || ' ' || $3, 0))`

// CreateSession implements signin.Store.
func (s *Sessions) CreateSession(ctx context.Context, tokenHash []byte, n signin.Session) error {
	err := inTx(ctx, s.db.System, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, lockSignIn, n.Issuer, n.ProviderSession, n.Subject); err != nil {
			return err
		}
		renewAt := &n.RenewAt
		if n.RefreshToken == nil {
			renewAt = nil
		}
		tag, err := tx.Exec(ctx, `
			INSERT INTO sessions (id, token_hash, user_id, issuer, subject, id_token, user_agent, created_at, last_seen_at, expires_at,
			                      provider_session, refresh_token, confirmed_at, renew_at)
			SELECT $1::uuid, $2::bytea, $3::uuid, $4::text, $5::text, $6::text, $7::text, $8::timestamptz, $9::timestamptz, $10::timestamptz,
			       $11::text, $12::bytea, $13::timestamptz, $14::timestamptz
			WHERE NOT EXISTS (
				SELECT 1 FROM signin_logouts
				WHERE issuer = $4 AND provider_session = $11 AND provider_session <> '')
			AND NOT EXISTS (
				SELECT 1 FROM signin_logouts
				WHERE issuer = $4 AND subject = $5 AND provider_session = '' AND issued_at >= $15::timestamptz)`,
			n.ID, tokenHash, n.UserID, n.Issuer, n.Subject, n.IDToken, n.UserAgent, n.CreatedAt, n.LastSeenAt, n.ExpiresAt,
			n.ProviderSession, n.RefreshToken, n.ConfirmedAt, renewAt, n.IssuedAt)
		if err == nil && tag.RowsAffected() == 0 {
			return signin.ErrSignedOutMeanwhile
		}
		return err
	})
	if violates(err, personIsErased) {
		return user.ErrErased
	}
	if err != nil {
		return fmt.Errorf("create session: %w", err)
	}
	return nil
}

// SessionByToken implements signin.Store. It is asked by requests, to which no
// other session than the one whose secret they bring is there.
func (s *Sessions) SessionByToken(ctx context.Context, tokenHash []byte) (signin.Session, error) {
	found, err := readOne(ctx, s.db, bearer(uuid.Nil, tokenHash), scanSession,
		`SELECT `+sessionColumns+` FROM sessions WHERE token_hash = $1`, tokenHash)
	if errors.Is(err, pgx.ErrNoRows) {
		return signin.Session{}, fault.ErrNotFound
	}
	if err != nil {
		return signin.Session{}, fmt.Errorf("session: %w", err)
	}
	return found, nil
}

// TouchSession implements signin.Store. The time only moves forward, so that
// processes whose clocks differ don't take turns.
func (s *Sessions) TouchSession(ctx context.Context, id uuid.UUID, now time.Time) error {
	_, err := s.db.System.Exec(ctx, `
		UPDATE sessions SET last_seen_at = $2 WHERE id = $1 AND last_seen_at < $2`, id, now)
	return err
}

// DeleteSession implements signin.Store.
func (s *Sessions) DeleteSession(ctx context.Context, tokenHash []byte) (signin.Session, error) {
	return s.one(ctx, `DELETE FROM sessions WHERE token_hash = $1 RETURNING `+sessionColumns, tokenHash)
}

// ClaimRenewal implements signin.Store.
func (s *Sessions) ClaimRenewal(ctx context.Context, id uuid.UUID, now, until time.Time) (signin.Session, error) {
	return s.one(ctx, `
		UPDATE sessions SET renew_at = $3
		WHERE id = $1 AND refresh_token IS NOT NULL AND renew_at <= $2
		RETURNING `+sessionColumns, id, now, until)
}

// Renewed implements signin.Store.
func (s *Sessions) Renewed(ctx context.Context, id uuid.UUID, before []byte, r signin.Renewal) error {
	tag, err := s.db.System.Exec(ctx, `
		UPDATE sessions
		SET refresh_token = $3, id_token = $4, provider_session = $5, confirmed_at = $6, renew_at = $7,
		    renew_failures = 0, failing_since = NULL
		WHERE id = $1 AND refresh_token = $2`,
		id, before, r.RefreshToken, r.IDToken, r.ProviderSession, r.At, r.Next)
	if err == nil && tag.RowsAffected() == 0 {
		return fault.ErrNotFound
	}
	return err
}

// RenewalFailed implements signin.Store.
func (s *Sessions) RenewalFailed(ctx context.Context, id uuid.UUID, before []byte, now, next time.Time) (failures int, since time.Time, err error) {
	err = s.db.System.QueryRow(ctx, `
		UPDATE sessions
		SET renew_at = $4, renew_failures = renew_failures + 1, failing_since = coalesce(failing_since, $3)
		WHERE id = $1 AND refresh_token = $2
		RETURNING renew_failures, failing_since`, id, before, now, next).Scan(&failures, &since)
	if errors.Is(err, pgx.ErrNoRows) {
		err = fault.ErrNotFound
	}
	return failures, since, err
}

// DeleteUnrenewed implements signin.Store.
func (s *Sessions) DeleteUnrenewed(ctx context.Context, id uuid.UUID, before []byte) (signin.Session, error) {
	return s.one(ctx, `DELETE FROM sessions WHERE id = $1 AND refresh_token = $2 RETURNING `+sessionColumns, id, before)
}

// EndByProvider implements signin.Store.
func (s *Sessions) EndByProvider(ctx context.Context, l signin.Logout) ([]signin.Session, error) {
	var ended []signin.Session
	err := inTx(ctx, s.db.System, func(tx pgx.Tx) error {
		ended = nil
		if _, err := tx.Exec(ctx, lockSignIn, l.Issuer, l.ProviderSession, l.Subject); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `
			INSERT INTO signin_logouts (issuer, token_hash, subject, provider_session, issued_at, kept_until)
			VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (issuer, token_hash) DO NOTHING`,
			l.Issuer, l.TokenHash, l.Subject, l.ProviderSession, l.IssuedAt, l.KeptUntil)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		rows, err := tx.Query(ctx, `
			DELETE FROM sessions
			WHERE issuer = $1 AND ($2 = '' OR provider_session = $2) AND ($3 = '' OR subject = $3)
			RETURNING `+sessionColumns, l.Issuer, l.ProviderSession, l.Subject)
		if err != nil {
			return err
		}
		ended, err = pgx.CollectRows(rows, scanSession)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("end sessions: %w", err)
	}
	return ended, nil
}

// DeleteSessionsOfSubject implements signin.Store.
func (s *Sessions) DeleteSessionsOfSubject(ctx context.Context, issuer, subject string) ([]signin.Session, error) {
	return s.all(ctx, `DELETE FROM sessions WHERE issuer = $1 AND subject = $2 RETURNING `+sessionColumns, issuer, subject)
}

// DeleteSessionsOfUser implements signin.Store.
func (s *Sessions) DeleteSessionsOfUser(ctx context.Context, userID uuid.UUID) ([]signin.Session, error) {
	return s.all(ctx, `DELETE FROM sessions WHERE user_id = $1 RETURNING `+sessionColumns, userID)
}

// SweepSessions implements signin.Store.
func (s *Sessions) SweepSessions(ctx context.Context, now, idleSince time.Time, limit int) (int, error) {
	tag, err := execFenced(ctx, s.db.System, `
		DELETE FROM sessions WHERE id IN (
			SELECT id FROM sessions
			WHERE expires_at <= $1 OR last_seen_at <= $2
			LIMIT $3 FOR UPDATE SKIP LOCKED)`, now, idleSince, limit)
	if err != nil {
		return 0, err
	}
	logouts, err := s.db.System.Exec(ctx, `
		DELETE FROM signin_logouts WHERE (issuer, token_hash) IN (
			SELECT issuer, token_hash FROM signin_logouts
			WHERE kept_until <= $1
			LIMIT $2 FOR UPDATE SKIP LOCKED)`, now, limit)
	return int(max(tag.RowsAffected(), logouts.RowsAffected())), err
}

func (s *Sessions) one(ctx context.Context, sql string, args ...any) (signin.Session, error) {
	found, err := s.all(ctx, sql, args...)
	if err != nil {
		return signin.Session{}, err
	}
	if len(found) == 0 {
		return signin.Session{}, fault.ErrNotFound
	}
	return found[0], nil
}

func (s *Sessions) all(ctx context.Context, sql string, args ...any) ([]signin.Session, error) {
	rows, err := s.db.System.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("sessions: %w", err)
	}
	found, err := pgx.CollectRows(rows, scanSession)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return nil, fmt.Errorf("sessions: %w", err)
	}
	return found, nil
}
