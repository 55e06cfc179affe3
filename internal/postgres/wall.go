package postgres

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"happening/internal/access"
	"happening/internal/fault"
)

// asker is on whose behalf the request role reads and writes: the context by
// which row level security decides what is there at all. The zero asker is the
// public. It stands beside the application's own checks and knows nothing of
// them, so that a query without its check still finds only what the asker may
// see.
//
// A context lives as long as one transaction, also behind a pooler.
type asker struct {
	user  uuid.UUID
	org   uuid.UUID
	roles []access.Role
	alone bool // writes want the organization's row to themselves
	token []byte
}

// person is the context of one person: what is theirs, what anybody may see,
// and what their organizations share with their role. Without a person it is
// the public's, who are not signed in.
func person(id uuid.UUID) asker { return asker{user: id} }

// tenant is a person's context inside one organization, for an action. Whoever
// has no role there that may do the action stays outside, and finds nothing.
func tenant(user, org uuid.UUID, action access.Action) asker {
	return asker{user: user, org: org, roles: access.RolesFor(action), alone: slices.Contains(alone, action)}
}

// alone are the actions whose writes change the organization itself, or take
// memberships and roles away; the one write among what every member may do is
// to leave.
var alone = []access.Action{access.OrgWrite, access.MembersManage, access.MemberRemove, access.MembersRead}

// bearer is the context of whoever presents a secret, by the secret's hash:
// besides what the person may see, the one session or invite that it belongs
// to. The person may be nobody.
func bearer(user uuid.UUID, hash []byte) asker { return asker{user: user, token: hash} }

const (
	// beUser begins every context: nothing of an earlier one is left.
	beUser = `SELECT set_config('app.user', $1, true), set_config('app.org', '', true), set_config('app.token', $2, true)`
	// enterOrg goes into an organization by one's membership. It runs as the
	// person, so that a membership that is not theirs does not count.
	enterOrg = `
		SELECT set_config('app.org', $1, true)
		FROM organization_users
		WHERE org_id = $1::text::uuid AND user_id = $2 AND role = ANY($3)`
	// shareOrg holds the organization and its memberships still until the
	// commit: whoever takes a role away has its row alone, waits for all who
	// share it, and is waited for.
	shareOrg = `SELECT FROM organizations WHERE id = $1::text::uuid FOR SHARE`
	// takeOrg has the row alone from the beginning, for those who want it so in
	// the end: two who shared it would wait for each other.
	takeOrg = `SELECT FROM organizations WHERE id = $1::text::uuid FOR NO KEY UPDATE`
	// foundOrg goes into an organization that nobody has founded yet.
	foundOrg = `
		SELECT set_config('app.org', $1, true)
		WHERE NOT EXISTS (SELECT FROM organizations WHERE id = $1::text::uuid)`
	// enterByInvite goes into the organization of a pending invite to the
	// person. It runs as the person, to whom no other invite is visible.
	enterByInvite = `
		SELECT set_config('app.org', org_id::text, true)
		FROM organization_invites
		WHERE id = $1 AND status = 'pending'`
)

// queue puts the context in front of a batch, which is one transaction, and
// tells how many statements it takes.
func (a asker) queue(b *pgx.Batch) int {
	b.Queue(beUser, a.setting(), hex.EncodeToString(a.token))
	if a.org == uuid.Nil {
		return 1
	}
	b.Queue(enterOrg, a.org.String(), a.user, roleNames(a.roles))
	return 2
}

// setting is the person as the context has it; empty: nobody.
func (a asker) setting() string {
	if a.user == uuid.Nil {
		return ""
	}
	return a.user.String()
}

func roleNames(roles []access.Role) []string {
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = string(r)
	}
	return names
}

// read asks one question as the asker, in one round trip.
func read[T any](ctx context.Context, db *DB, as asker, scan pgx.RowToFunc[T], sql string, args ...any) (found []T, err error) {
	batch := &pgx.Batch{}
	before := as.queue(batch)
	batch.Queue(sql, args...)
	answers := db.App.SendBatch(ctx, batch)
	defer func() {
		if closing := answers.Close(); err == nil && closing != nil {
			err = closing
		}
	}()
	for range before {
		if _, err := answers.Exec(); err != nil {
			return nil, fmt.Errorf("as the asker: %w", err)
		}
	}
	rows, err := answers.Query()
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scan)
}

// readOne is read for a question with at most one answer; pgx.ErrNoRows where
// there is none.
func readOne[T any](ctx context.Context, db *DB, as asker, scan pgx.RowToFunc[T], sql string, args ...any) (T, error) {
	found, err := read(ctx, db, as, scan, sql, args...)
	if err == nil && len(found) == 0 {
		err = pgx.ErrNoRows
	}
	if err != nil {
		var none T
		return none, err
	}
	return found[0], nil
}

// write runs fn as the asker in one transaction of the request role; see inTx.
// Who may not enter the organization by then, because the role was taken away
// after the application looked at it, is refused before anything is done. So
// is, as nobody, who was erased meanwhile: what the asker writes about people
// is about themselves.
func (db *DB) write(ctx context.Context, as asker, fn func(tx pgx.Tx) error) error {
	err := inTx(ctx, db.App, func(tx pgx.Tx) error {
		if err := as.begin(ctx, tx); err != nil {
			return err
		}
		return fn(tx)
	})
	if violates(err, personIsErased) {
		return fault.ErrUnauthenticated
	}
	return err
}

// begin makes the context of a transaction; fault.ErrForbidden: there is an
// organization to enter, and the asker has no role there that may;
// fault.ErrNotFound: it was deleted meanwhile.
//
// The role that let the asker in stays until the commit, or later statements
// would suddenly find nothing: the organization's row is locked, which whoever
// takes a role away has alone, before the membership is looked at for good. It
// is the first row that every transaction inside an organization locks, so that
// none waits for another in a circle.
func (a asker) begin(ctx context.Context, tx pgx.Tx) error { return a.enter(ctx, tx, true) }

// enter is begin, with the lock or, for tests that show what it is for, without.
func (a asker) enter(ctx context.Context, tx pgx.Tx, locked bool) (err error) {
	batch := &pgx.Batch{}
	refusals := make([]error, a.queue(batch))
	for n := range refusals {
		refusals[n] = fault.ErrForbidden
	}
	if locked && a.org != uuid.Nil {
		lock := shareOrg
		if a.alone {
			lock = takeOrg
		}
		batch.Queue(lock, a.org.String())
		batch.Queue(enterOrg, a.org.String(), a.user, roleNames(a.roles))
		refusals = append(refusals, fault.ErrNotFound, fault.ErrForbidden)
	}
	answers := tx.SendBatch(ctx, batch)
	defer func() {
		if closing := answers.Close(); err == nil {
			err = closing
		}
	}()
	for _, refusal := range refusals {
		tag, err := answers.Exec()
		if err != nil {
			return fmt.Errorf("as the asker: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return refusal
		}
	}
	return nil
}
