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
)

// Sessions keeps the browsers' sessions; it is signin.Store.
type Sessions struct{ db *DB }

// NewSessions makes the store.
func NewSessions(db *DB) *Sessions { return &Sessions{db: db} }

var _ signin.Store = (*Sessions)(nil)

const sessionColumns = `id, user_id, issuer, subject, id_token, user_agent, created_at, last_seen_at, expires_at`

func scanSession(row pgx.CollectableRow) (signin.Session, error) {
	var s signin.Session
	err := row.Scan(&s.ID, &s.UserID, &s.Issuer, &s.Subject, &s.IDToken, &s.UserAgent, &s.CreatedAt, &s.LastSeenAt, &s.ExpiresAt)
	return s, err
}

// CreateSession implements signin.Store.
func (s *Sessions) CreateSession(ctx context.Context, tokenHash []byte, n signin.Session) error {
	_, err := s.db.App.Exec(ctx, `
		INSERT INTO sessions (id, token_hash, user_id, issuer, subject, id_token, user_agent, created_at, last_seen_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		n.ID, tokenHash, n.UserID, n.Issuer, n.Subject, n.IDToken, n.UserAgent, n.CreatedAt, n.LastSeenAt, n.ExpiresAt)
	if err != nil {
		return fmt.Errorf("create session: %w", err)
	}
	return nil
}

// SessionByToken implements signin.Store.
func (s *Sessions) SessionByToken(ctx context.Context, tokenHash []byte) (signin.Session, error) {
	return s.one(ctx, `SELECT `+sessionColumns+` FROM sessions WHERE token_hash = $1`, tokenHash)
}

// TouchSession implements signin.Store. The time only moves forward, so that
// processes whose clocks differ don't take turns.
func (s *Sessions) TouchSession(ctx context.Context, id uuid.UUID, now time.Time) error {
	_, err := s.db.App.Exec(ctx, `
		UPDATE sessions SET last_seen_at = $2 WHERE id = $1 AND last_seen_at < $2`, id, now)
	return err
}

// DeleteSession implements signin.Store.
func (s *Sessions) DeleteSession(ctx context.Context, tokenHash []byte) (signin.Session, error) {
	return s.one(ctx, `DELETE FROM sessions WHERE token_hash = $1 RETURNING `+sessionColumns, tokenHash)
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
	tag, err := s.db.System.Exec(ctx, `
		DELETE FROM sessions WHERE id IN (
			SELECT id FROM sessions
			WHERE expires_at <= $1 OR last_seen_at <= $2
			LIMIT $3 FOR UPDATE SKIP LOCKED)`, now, idleSince, limit)
	return int(tag.RowsAffected()), err
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
	rows, err := s.db.App.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("sessions: %w", err)
	}
	found, err := pgx.CollectRows(rows, scanSession)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return nil, fmt.Errorf("sessions: %w", err)
	}
	return found, nil
}
