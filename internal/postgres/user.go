package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"happening/internal/fault"
	"happening/internal/idp"
	"happening/internal/user"
)

// Users keeps people and their identities; it is user.Store. What sign-in asks
// comes before anybody is known and runs as the system.
type Users struct {
	db         *DB
	identities *identities
}

// NewUsers makes the store.
func NewUsers(db *DB) *Users { return &Users{db: db, identities: identitiesOf(db)} }

var _ user.Store = (*Users)(nil)

// PersonByIdentity implements user.Store.
func (s *Users) PersonByIdentity(ctx context.Context, issuer, subject string) (uuid.UUID, error) {
	return s.identities.person(ctx, issuer, subject)
}

// LinkPerson implements user.Store. Two who meet over one new identity, over
// one address or over one person to be linked are told apart by the unique
// indexes: the loser's transaction is run again and finds what the winner
// left.
func (s *Users) LinkPerson(ctx context.Context, sight user.Sighting) (user.Person, error) {
	for attempt := 1; ; attempt++ {
		var person user.Person
		err := inTx(ctx, s.db.System, func(tx pgx.Tx) error {
			var err error
			person, err = linkPerson(ctx, tx, sight)
			return err
		})
		lost := violates(err, "user_identities_pkey") || violates(err, "users_verified_email") || violates(err, "user_identities_linked")
		if err == nil || attempt == maxTxAttempts || !lost {
			return person, err
		}
	}
}

func linkPerson(ctx context.Context, tx pgx.Tx, s user.Sighting) (user.Person, error) {
	if s.Claims.EmailVerified {
		if err := lockAddress(ctx, tx, s.Claims.Email); err != nil {
			return user.Person{}, err
		}
	}
	var id uuid.UUID
	err := tx.QueryRow(ctx, `
		SELECT user_id FROM user_identities WHERE issuer = $1 AND subject = $2`,
		s.Issuer, s.Subject).Scan(&id)
	if err == nil {
		return followClaims(ctx, tx, id, s)
	}
	if !errors.Is(err, pgx.ErrNoRows) {
		return user.Person{}, fmt.Errorf("find identity: %w", err)
	}
	if s.Linking == user.OnlyKnown {
		return user.Person{}, fault.ErrNotFound
	}
	if s.Issuer == idp.IdentityKey {
		if err := accountStands(ctx, tx, s.Subject); err != nil {
			return user.Person{}, err
		}
	}
	if s.Linking == user.LinkVerifiedEmail && !s.Claims.EmailVerified {
		return user.Person{}, user.ErrAddressUnverified
	}
	id, err = holderToLink(ctx, tx, s)
	switch {
	case errors.Is(err, fault.ErrNotFound):
		return insertPerson(ctx, tx, s)
	case err != nil:
		return user.Person{}, err
	case s.Linking != user.LinkVerifiedEmail:
		return user.Person{}, user.ErrNotLinked
	}
	if err := linkIdentity(ctx, tx, id, s); err != nil {
		return user.Person{}, err
	}
	return followClaims(ctx, tx, id, s)
}

// accountStands refuses to make a person of an account of the embedded
// provider that is gone: it was erased while its last sign-in was under way.
// One that stands does so until the commit.
func accountStands(ctx context.Context, tx pgx.Tx, subject string) error {
	id, err := uuid.Parse(subject)
	if err != nil {
		return nil // no account of ours was ever called that
	}
	tag, err := tx.Exec(ctx, `SELECT FROM idp_accounts WHERE id = $1 FOR KEY SHARE`, id)
	if err != nil {
		return fmt.Errorf("find account: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return user.ErrErased
	}
	return nil
}

// verifiedAddress says whether the claims' address counts: nobody else holds
// it. Its arguments are the person, the address and what the provider says.
const verifiedAddress = `$4 AND NOT EXISTS (
	SELECT 1 FROM users other WHERE lower(other.email) = lower($3) AND other.email_verified AND other.id <> $1)`

// followClaims brings a known person up to what the provider says. A name that
// they chose here is not the provider's to change.
func followClaims(ctx context.Context, tx pgx.Tx, id uuid.UUID, s user.Sighting) (p user.Person, err error) {
	err = tx.QueryRow(ctx, `
		UPDATE users SET name = CASE WHEN name_chosen THEN name ELSE $2 END, email = $3, email_verified = `+verifiedAddress+`, updated_at = $5
		WHERE id = $1 AND erased_at IS NULL
		RETURNING id, name, email, email_verified`,
		id, s.Claims.Name, s.Claims.Email, s.Claims.EmailVerified, s.At,
	).Scan(&p.ID, &p.Name, &p.Email, &p.EmailVerified)
	if errors.Is(err, pgx.ErrNoRows) {
		return user.Person{}, user.ErrErased
	}
	if err != nil {
		return user.Person{}, fmt.Errorf("update person: %w", err)
	}
	if p.EmailVerified {
		err = inheritFromGuests(ctx, tx, p, s)
	}
	return p, err
}

// insertPerson makes somebody of an identity that was never seen, of a guest
// where there is one of their verified address.
func insertPerson(ctx context.Context, tx pgx.Tx, s user.Sighting) (p user.Person, err error) {
	err = pgx.ErrNoRows
	if s.Claims.EmailVerified {
		p, err = becomeGuest(ctx, tx, s)
	}
	if errors.Is(err, pgx.ErrNoRows) {
		p, err = newPerson(ctx, tx, s)
	}
	if err != nil {
		return user.Person{}, fmt.Errorf("insert person: %w", err)
	}
	if _, err := tx.Exec(ctx, `
		INSERT INTO user_identities (issuer, subject, user_id, created_at) VALUES ($1, $2, $3, $4)`,
		s.Issuer, s.Subject, p.ID, s.At); err != nil {
		return user.Person{}, fmt.Errorf("insert identity: %w", err)
	}
	return p, nil
}

func newPerson(ctx context.Context, tx pgx.Tx, s user.Sighting) (p user.Person, err error) {
	err = tx.QueryRow(ctx, `
		INSERT INTO users (id, name, email, email_verified, created_at, updated_at)
		SELECT $1::uuid, $2::text, $3::text, `+verifiedAddress+`, $5::timestamptz, $5
		RETURNING id, name, email, email_verified`,
		s.NewID, s.Claims.Name, s.Claims.Email, s.Claims.EmailVerified, s.At,
	).Scan(&p.ID, &p.Name, &p.Email, &p.EmailVerified)
	return p, err
}

// holderToLink finds who holds the claims' verified address and was brought by
// other providers only; fault.ErrNotFound: nobody. The person's row stays
// locked, so that of two subjects with one address the second sees the
// identity that the first got: it is asked for in a statement of its own.
func holderToLink(ctx context.Context, tx pgx.Tx, s user.Sighting) (uuid.UUID, error) {
	if !s.Claims.EmailVerified {
		return uuid.Nil, fault.ErrNotFound
	}
	var id uuid.UUID
	err := tx.QueryRow(ctx, `
		SELECT id FROM users WHERE lower(email) = lower($1) AND email_verified FOR UPDATE`,
		s.Claims.Email).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return uuid.Nil, fault.ErrNotFound
	}
	if err != nil {
		return uuid.Nil, fmt.Errorf("find holder: %w", err)
	}
	var known bool
	if err := tx.QueryRow(ctx, `
		SELECT EXISTS (SELECT 1 FROM user_identities WHERE user_id = $1 AND issuer = $2)`,
		id, s.Issuer).Scan(&known); err != nil {
		return uuid.Nil, fmt.Errorf("find holder's identity: %w", err)
	}
	if known {
		return uuid.Nil, fault.ErrNotFound
	}
	return id, nil
}

// verifiedEmailRule is by what two were found to be one.
const verifiedEmailRule = "verified_email"

// linkIdentity gives a person one more identity and records by which rule.
func linkIdentity(ctx context.Context, tx pgx.Tx, id uuid.UUID, s user.Sighting) error {
	if _, err := tx.Exec(ctx, `
		INSERT INTO user_identities (issuer, subject, user_id, created_at, linked_by) VALUES ($1, $2, $3, $4, $5)`,
		s.Issuer, s.Subject, id, s.At, verifiedEmailRule); err != nil {
		return fmt.Errorf("link identity: %w", err)
	}
	return recordPerson(ctx, tx, id, "identity.linked", s)
}

// Person implements user.Store.
func (s *Users) Person(ctx context.Context, id uuid.UUID) (user.Person, error) {
	found, err := readOne(ctx, s.db, person(id), scanPerson, `
		SELECT id, name, email, email_verified FROM users WHERE id = $1`, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return user.Person{}, fault.ErrNotFound
	}
	if err != nil {
		return user.Person{}, fmt.Errorf("person: %w", err)
	}
	return found, nil
}

func scanPerson(row pgx.CollectableRow) (p user.Person, err error) {
	err = row.Scan(&p.ID, &p.Name, &p.Email, &p.EmailVerified)
	return p, err
}

// Memberships implements user.Store.
func (s *Users) Memberships(ctx context.Context, id uuid.UUID) ([]user.Membership, error) {
	found, err := read(ctx, s.db, person(id), func(row pgx.CollectableRow) (m user.Membership, err error) {
		err = row.Scan(&m.OrgID, &m.OrgName, &m.Role)
		return m, err
	}, `
		SELECT o.id, o.name, m.role
		FROM organization_users m
		JOIN organizations o ON o.id = m.org_id
		WHERE m.user_id = $1
		ORDER BY lower(o.name), o.id`, id)
	if err != nil {
		return nil, fmt.Errorf("memberships: %w", err)
	}
	return found, nil
}
