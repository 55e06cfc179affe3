package postgres

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"happening/internal/access"
	"happening/internal/org"
)

// Leaving is a member's leaving in steps, for the test that shows what the lock
// on memberships is for.
type Leaving struct {
	tx         pgx.Tx
	org, whose uuid.UUID
}

// BeginLeaving begins the transaction; the caller ends it with Finish or
// GiveUp.
func (s *OrgStore) BeginLeaving(ctx context.Context, orgID, userID uuid.UUID) (*Leaving, error) {
	tx, err := s.db.App.Begin(ctx)
	if err != nil {
		return nil, err
	}
	return &Leaving{tx: tx, org: orgID, whose: userID}, tenant(userID, orgID, access.MembersRead).enter(ctx, tx, false)
}

// Decide tells whether they may leave, as RemoveMember decides it; without the
// lock if told so.
func (l *Leaving) Decide(ctx context.Context, locked bool) error {
	read := readStanding
	if locked {
		read = standingOf
	}
	standing, err := read(ctx, l.tx, l.whose, l.org, l.whose)
	if err != nil {
		return err
	}
	return standing.Remove()
}

// Finish removes the member and commits.
func (l *Leaving) Finish(ctx context.Context) error {
	if err := removeMember(ctx, l.tx, l.org, l.whose); err != nil {
		return err
	}
	return l.tx.Commit(ctx)
}

// GiveUp ends the transaction without a change.
func (l *Leaving) GiveUp(ctx context.Context) error { return l.tx.Rollback(ctx) }

// WriteAs runs fn as a person in an organization, entered for the action.
func (db *DB) WriteAs(ctx context.Context, userID, orgID uuid.UUID, action access.Action, fn func(tx pgx.Tx) error) error {
	return db.write(ctx, tenant(userID, orgID, action), fn)
}

// WriteUnlocked is WriteAs without the lock that keeps the role.
func (db *DB) WriteUnlocked(ctx context.Context, userID, orgID uuid.UUID, action access.Action, fn func(tx pgx.Tx) error) error {
	return inTx(ctx, db.App, func(tx pgx.Tx) error {
		if err := tenant(userID, orgID, action).enter(ctx, tx, false); err != nil {
			return err
		}
		return fn(tx)
	})
}

// AnswerLate enters an organization by an invite, waits for meanwhile, and
// tells how many invites the statement of an answer then changes: with its look
// at the status, or without.
func (s *OrgStore) AnswerLate(ctx context.Context, id, userID uuid.UUID, guarded bool, meanwhile func(), now time.Time) (changed int64, err error) {
	statement := answerInvite
	if !guarded {
		statement = strings.Replace(statement, "i.status = 'pending' AND", "", 1)
	}
	err = s.db.write(ctx, person(userID), func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, enterByInvite, id); err != nil {
			return err
		}
		meanwhile()
		tag, err := tx.Exec(ctx, statement, userID, id, string(org.Accepted), now)
		changed = tag.RowsAffected()
		return err
	})
	return changed, err
}
