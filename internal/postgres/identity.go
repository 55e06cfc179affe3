package postgres

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"happening/internal/fault"
)

// Limits of looking people up.
const (
	// identitiesAtOnce is how many identities one question asks for at most.
	identitiesAtOnce = 256
	// identityTimeout bounds such a question.
	identityTimeout = 5 * time.Second
)

// identities finds people by what the provider calls them. When a sale begins
// thousands come whom this process has not seen of late, so that everybody who
// comes while a question is under way is asked for together by the next. Who
// comes alone is asked for at once.
type identities struct {
	ask func(context.Context, []*wanted) error // fills their ids in

	mu      sync.Mutex
	waiting []*wanted
	asking  bool
}

// wanted is a person who is looked for.
type wanted struct {
	issuer, subject string
	id              uuid.UUID // Nil: nobody
	err             error
	done            chan struct{}
}

// person waits for the answer no longer than the caller likes.
func (i *identities) person(ctx context.Context, issuer, subject string) (uuid.UUID, error) {
	w := &wanted{issuer: issuer, subject: subject, done: make(chan struct{})}
	i.mu.Lock()
	i.waiting = append(i.waiting, w)
	if !i.asking {
		i.asking = true
		go i.answer(context.WithoutCancel(ctx)) // ends when nobody waits; each question is bounded
	}
	i.mu.Unlock()
	select {
	case <-w.done:
	case <-ctx.Done():
		return uuid.Nil, ctx.Err()
	}
	switch {
	case w.err != nil:
		return uuid.Nil, w.err
	case w.id == uuid.Nil:
		return uuid.Nil, fault.ErrNotFound
	}
	return w.id, nil
}

// answer asks until nobody waits.
func (i *identities) answer(ctx context.Context) {
	for {
		i.mu.Lock()
		n := min(len(i.waiting), identitiesAtOnce)
		if n == 0 {
			i.waiting, i.asking = nil, false
			i.mu.Unlock()
			return
		}
		together := i.waiting[:n:n]
		i.waiting = i.waiting[n:]
		i.mu.Unlock()
		var refused *pgconn.PgError
		if err := i.askFor(ctx, together); n > 1 && errors.As(err, &refused) {
			// One of them may be what the database doesn't take; the others
			// must not suffer from it.
			for k := range together {
				_ = i.askFor(ctx, together[k:k+1]) // kept with the one
			}
		}
		for _, w := range together {
			close(w.done)
		}
	}
}

func (i *identities) askFor(ctx context.Context, people []*wanted) error {
	ctx, cancel := context.WithTimeout(ctx, identityTimeout)
	defer cancel()
	err := i.ask(ctx, people)
	for _, w := range people {
		w.err = err
	}
	return err
}

// identitiesOf asks the database, as the system: it comes before anybody is
// known.
func identitiesOf(db *DB) *identities {
	return &identities{ask: func(ctx context.Context, people []*wanted) error {
		issuers, subjects := make([]string, len(people)), make([]string, len(people))
		for i, w := range people {
			issuers[i], subjects[i] = w.issuer, w.subject
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
			people[place-1].id = id
			return nil
		})
		return err
	}}
}
