package postgres

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"happening/internal/fault"
)

// identity is what a provider calls somebody.
type identity struct{ issuer, subject string }

// identities finds people by what the provider calls them; uuid.Nil: nobody.
// When a sale begins thousands come whom this process has not seen of late.
type identities struct {
	together[identity, uuid.UUID]
}

// person waits for the answer no longer than the caller likes.
func (i *identities) person(ctx context.Context, issuer, subject string) (uuid.UUID, error) {
	id, err := i.of(ctx, identity{issuer, subject})
	if err == nil && id == uuid.Nil {
		err = fault.ErrNotFound
	}
	return id, err
}

// identitiesOf asks the database, as the system: it comes before anybody is
// known.
func identitiesOf(db *DB) *identities {
	return &identities{together[identity, uuid.UUID]{ask: func(ctx context.Context, people []*wanted[identity, uuid.UUID]) error {
		issuers, subjects := make([]string, len(people)), make([]string, len(people))
		for i, w := range people {
			issuers[i], subjects[i] = w.of.issuer, w.of.subject
		}
		rows, err := db.System.Query(ctx, `
			SELECT w.place, i.user_id
			FROM unnest($1::text[], $2::text[]) WITH ORDINALITY w(issuer, subject, place)
			JOIN user_identities i ON i.issuer = w.issuer AND i.subject = w.subject`,
			issuers, subjects)
		if err != nil {
			return err
		}
		var place int64
		var id uuid.UUID
		_, err = pgx.ForEachRow(rows, []any{&place, &id}, func() error {
			people[place-1].answer = id
			return nil
		})
		return err
	}}}
}
