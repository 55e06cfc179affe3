package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"happening/internal/access"
	"happening/internal/fault"
	"happening/internal/user"
)

// Users keeps people and their identities; it is user.Store.
type Users struct{ db *DB }

// NewUsers makes the store.
func NewUsers(db *DB) *Users { return &Users{db: db} }

var _ user.Store = (*Users)(nil)

// PersonByIdentity implements user.Store.
func (s *Users) PersonByIdentity(ctx context.Context, issuer, subject string) (uuid.UUID, error) {
	var id uuid.UUID
	err := s.db.App.QueryRow(ctx, `
		SELECT user_id FROM user_identities WHERE issuer = $1 AND subject = $2`,
		issuer, subject).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return uuid.Nil, fault.ErrNotFound
	}
	return id, err
}

// LinkPerson implements user.Store. Two who meet over one new identity, or
// over one address, are told apart by the unique indexes: the loser's
// transaction is run again and finds what the winner left.
func (s *Users) LinkPerson(ctx context.Context, issuer, subject string, newID uuid.UUID, claims user.Claims, now time.Time) (user.Person, error) {
	for attempt := 1; ; attempt++ {
		var person user.Person
		err := inTx(ctx, s.db.App, func(tx pgx.Tx) error {
			var err error
			person, err = linkPerson(ctx, tx, issuer, subject, newID, claims, now)
			return err
		})
		if err == nil || attempt == maxTxAttempts || !(violates(err, "user_identities_pkey") || violates(err, "users_verified_email")) {
			return person, err
		}
	}
}

func linkPerson(ctx context.Context, tx pgx.Tx, issuer, subject string, newID uuid.UUID, claims user.Claims, now time.Time) (user.Person, error) {
	id, known := newID, true
	err := tx.QueryRow(ctx, `
		SELECT user_id FROM user_identities WHERE issuer = $1 AND subject = $2`,
		issuer, subject).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		known, err = false, nil
	}
	if err != nil {
		return user.Person{}, fmt.Errorf("find identity: %w", err)
	}
	var person user.Person
	const verified = `$4 AND NOT EXISTS (
		SELECT 1 FROM users other WHERE lower(other.email) = lower($3) AND other.email_verified AND other.id <> $1)`
	if known {
		err = tx.QueryRow(ctx, `
			UPDATE users SET name = $2, email = $3, email_verified = `+verified+`, updated_at = $5
			WHERE id = $1
			RETURNING id, name, email, email_verified`,
			id, claims.Name, claims.Email, claims.EmailVerified, now,
		).Scan(&person.ID, &person.Name, &person.Email, &person.EmailVerified)
		if err != nil {
			return user.Person{}, fmt.Errorf("update person: %w", err)
		}
		return person, nil
	}
	err = tx.QueryRow(ctx, `
		INSERT INTO users (id, name, email, email_verified, created_at, updated_at)
		SELECT $1::uuid, $2::text, $3::text, `+verified+`, $5::timestamptz, $5
		RETURNING id, name, email, email_verified`,
		id, claims.Name, claims.Email, claims.EmailVerified, now,
	).Scan(&person.ID, &person.Name, &person.Email, &person.EmailVerified)
	if err != nil {
		return user.Person{}, fmt.Errorf("insert person: %w", err)
	}
	if _, err := tx.Exec(ctx, `
		INSERT INTO user_identities (issuer, subject, user_id, created_at) VALUES ($1, $2, $3, $4)`,
		issuer, subject, id, now); err != nil {
		return user.Person{}, fmt.Errorf("insert identity: %w", err)
	}
	return person, nil
}

// Person implements user.Store.
func (s *Users) Person(ctx context.Context, id uuid.UUID) (user.Person, error) {
	people, err := s.People(ctx, []uuid.UUID{id})
	if err != nil {
		return user.Person{}, err
	}
	person, ok := people[id]
	if !ok {
		return user.Person{}, fault.ErrNotFound
	}
	return person, nil
}

// People implements user.Store.
func (s *Users) People(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]user.Person, error) {
	rows, err := s.db.App.Query(ctx, `
		SELECT id, name, email, email_verified FROM users WHERE id = ANY($1)`, ids)
	if err != nil {
		return nil, fmt.Errorf("people: %w", err)
	}
	people := make(map[uuid.UUID]user.Person, len(ids))
	var p user.Person
	_, err = pgx.ForEachRow(rows, []any{&p.ID, &p.Name, &p.Email, &p.EmailVerified}, func() error {
		people[p.ID] = p
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("people: %w", err)
	}
	return people, nil
}

// Memberships implements user.Store.
func (s *Users) Memberships(ctx context.Context, id uuid.UUID) ([]user.Membership, error) {
	rows, err := s.db.App.Query(ctx, `
		SELECT o.id, o.name, m.role
		FROM organization_users m
		JOIN organizations o ON o.id = m.org_id
		WHERE m.user_id = $1
		ORDER BY lower(o.name), o.id`, id)
	if err != nil {
		return nil, fmt.Errorf("memberships: %w", err)
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (user.Membership, error) {
		var m user.Membership
		var role string
		err := row.Scan(&m.OrgID, &m.OrgName, &role)
		m.Role = access.Role(role)
		return m, err
	})
}
