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

func scanProfile(row pgx.CollectableRow) (p user.Profile, err error) {
	err = row.Scan(&p.ID, &p.Name, &p.Email, &p.EmailVerified, &p.CreatedAt)
	p.CreatedAt = p.CreatedAt.UTC()
	return p, err
}

// Profile implements user.ProfileStore.
func (s *Users) Profile(ctx context.Context, id uuid.UUID) (user.Profile, error) {
	p, err := readOne(ctx, s.db, person(id), scanProfile, `
		SELECT id, name, email, email_verified, created_at
		FROM users
		WHERE id = $1 AND erased_at IS NULL`, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return user.Profile{}, fault.ErrNotFound
	}
	if err != nil {
		return user.Profile{}, fmt.Errorf("postgres: profile: %w", err)
	}
	return p, nil
}

// Rename implements user.ProfileStore. Who is being erased gets no name back.
func (s *Users) Rename(ctx context.Context, id uuid.UUID, name string, at time.Time) (p user.Profile, err error) {
	err = s.db.write(ctx, person(id), func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			UPDATE users
			SET name = $2, name_chosen = true, updated_at = $3
			WHERE id = $1 AND erased_at IS NULL
			RETURNING id, name, email, email_verified, created_at`, id, name, at)
		if err != nil {
			return err
		}
		p, err = pgx.CollectExactlyOneRow(rows, scanProfile)
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return user.Profile{}, fault.ErrNotFound
	}
	if err != nil {
		return user.Profile{}, fmt.Errorf("postgres: rename: %w", err)
	}
	return p, nil
}

// SessionsOf implements signin.OwnStore.
func (s *Sessions) SessionsOf(ctx context.Context, userID uuid.UUID, q signin.OwnQuery) ([]user.Session, error) {
	found, err := read(ctx, s.db, person(userID), func(row pgx.CollectableRow) (n user.Session, err error) {
		err = row.Scan(&n.ID, &n.Label, &n.CreatedAt, &n.LastSeenAt)
		n.CreatedAt, n.LastSeenAt = n.CreatedAt.UTC(), n.LastSeenAt.UTC()
		return n, err
	}, `
		SELECT id, user_agent, created_at, last_seen_at
		FROM sessions
		WHERE user_id = $1 AND issuer = $2 AND expires_at > $3 AND last_seen_at > $4
		  AND ($5::uuid IS NULL OR id < $5)
		ORDER BY id DESC
		LIMIT $6`, userID, q.Issuer, q.ExpireAfter, q.SeenAfter, orNull(q.Before), q.Limit)
	if err != nil {
		return nil, fmt.Errorf("postgres: sessions of a person: %w", err)
	}
	return found, nil
}

// DeleteOwnSession implements signin.OwnStore.
func (s *Sessions) DeleteOwnSession(ctx context.Context, userID, id uuid.UUID) (signin.Session, error) {
	ended, err := s.deleteOwn(ctx, userID, `
		DELETE FROM sessions WHERE user_id = $1 AND id = $2 RETURNING `+sessionColumns, userID, id)
	if err != nil {
		return signin.Session{}, err
	}
	if len(ended) == 0 {
		return signin.Session{}, fault.ErrNotFound
	}
	return ended[0], nil
}

// DeleteOtherSessions implements signin.OwnStore.
func (s *Sessions) DeleteOtherSessions(ctx context.Context, userID, but uuid.UUID) ([]signin.Session, error) {
	return s.deleteOwn(ctx, userID, `
		DELETE FROM sessions WHERE user_id = $1 AND id <> $2 RETURNING `+sessionColumns, userID, but)
}

func (s *Sessions) deleteOwn(ctx context.Context, userID uuid.UUID, sql string, args ...any) (ended []signin.Session, err error) {
	err = s.db.write(ctx, person(userID), func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		ended, err = pgx.CollectRows(rows, scanSession)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("postgres: end one's sessions: %w", err)
	}
	return ended, nil
}
