package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"happening/internal/fault"
	"happening/internal/org"
)

// lockInviteCounts makes the counts of an inviter's and of addresses' invites
// hold until the commit, and lets one transaction at a time invite an address.
// Everybody takes the inviter's lock first, then the addresses' in one order,
// then rows, so that two never wait for each other.
func lockInviteCounts(ctx context.Context, tx pgx.Tx, by uuid.UUID, addresses []string) error {
	_, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('inviter:' || $1::uuid, 0))`, by)
	if err == nil {
		_, err = tx.Exec(ctx, `
			SELECT pg_advisory_xact_lock(address)
			FROM (
				SELECT DISTINCT hashtextextended('invited:' || lower(email), 0) AS address
				FROM unnest($1::text[]) email
				ORDER BY address
			) locks`,
			addresses)
	}
	if err != nil {
		return fmt.Errorf("postgres: lock invites' counts: %w", err)
	}
	return nil
}

// invitability is what decides whether addresses can be invited. It is read
// after the locks were taken, and kept up with what is decided.
type invitability struct {
	orgName string
	pending int             // invites of the organization
	members map[string]bool // addresses of members
	invited map[string]bool // addresses with a pending invite
	people  map[string]uuid.UUID
	by      org.Sendings            // of the inviter
	to      map[string]org.Sendings // by address
}

// inviteSendings is every mail about an invite that was asked for after $1. How
// often one was sent is known, but only of the last time when: the times before
// count as that one, which lies later. $2 is before which no invite was made
// that can have been sent again since.
const inviteSendings = `
	SELECT invited_by, lower(email) AS email, created_at AS at
	FROM organization_invites
	WHERE created_at > $1
	UNION ALL
	SELECT invited_by, lower(email), sent_at
	FROM organization_invites, generate_series(2, sends)
	WHERE created_at > $2 AND sent_at > $1`

// mayInvite reads what decides whether one organization can invite addresses.
// How often somebody invites, how often an address is invited, and whose it is,
// lie beyond the organization: these are asked as the system, and nothing of
// them but the limit is told. Addresses count, so an account makes no
// difference, and answered or withdrawn invites count, because their mails were
// sent.
func (s *OrgStore) mayInvite(ctx context.Context, tx pgx.Tx, orgID, by uuid.UUID, addresses []string, now time.Time) (*invitability, error) {
	m := &invitability{people: map[string]uuid.UUID{}, to: map[string]org.Sendings{}}
	var suspended bool
	var members, invited []string
	err := tx.QueryRow(ctx, `
		SELECT
			o.name,
			o.suspended_at IS NOT NULL,
			(SELECT count(*) FROM organization_invites p WHERE p.org_id = o.id AND p.status = 'pending'),
			ARRAY (
				SELECT lower(u.email)
				FROM organization_users m JOIN users u ON u.id = m.user_id
				WHERE m.org_id = o.id AND u.email_verified AND lower(u.email) = ANY ($2)
			),
			ARRAY (
				SELECT lower(p.email) FROM organization_invites p
				WHERE p.org_id = o.id AND p.status = 'pending' AND lower(p.email) = ANY ($2)
			)
		FROM organizations o
		WHERE o.id = $1`,
		orgID, addresses).Scan(&m.orgName, &suspended, &m.pending, &members, &invited)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, fault.ErrNotFound
	case err != nil:
		return nil, fmt.Errorf("postgres: may invite: %w", err)
	case suspended:
		return nil, org.ErrSuspended
	}
	m.members, m.invited = setOf(members), setOf(invited)
	if err := m.readBeyond(ctx, s.db, by, addresses, now); err != nil {
		return nil, fmt.Errorf("postgres: may invite: %w", err)
	}
	return m, nil
}

func setOf(texts []string) map[string]bool {
	set := make(map[string]bool, len(texts))
	for _, t := range texts {
		set[t] = true
	}
	return set
}

// readBeyond reads what lies beyond the organization.
func (m *invitability) readBeyond(ctx context.Context, db *DB, by uuid.UUID, addresses []string, now time.Time) error {
	since := now.Add(-org.InviteWindow)
	oldest := since.Add(-org.MaxSends * org.InviteLife)
	var address string
	var id uuid.UUID
	var at time.Time
	batch := &pgx.Batch{}
	batch.Queue(`SELECT lower(email), id FROM users WHERE email_verified AND lower(email) = ANY ($1)`, addresses).
		Query(func(rows pgx.Rows) error {
			_, err := pgx.ForEachRow(rows, []any{&address, &id}, func() error { m.people[address] = id; return nil })
			return err
		})
	batch.Queue(`SELECT at FROM (`+inviteSendings+`) sent WHERE invited_by = $3 ORDER BY at DESC LIMIT $4`, since, oldest, by, org.MaxInvitesBy).
		Query(func(rows pgx.Rows) error {
			_, err := pgx.ForEachRow(rows, []any{&at}, func() error { m.by = append(m.by, at); return nil })
			return err
		})
	batch.Queue(`SELECT email, at FROM (`+inviteSendings+`) sent WHERE email = ANY ($3) ORDER BY at DESC`, since, oldest, addresses).
		Query(func(rows pgx.Rows) error {
			_, err := pgx.ForEachRow(rows, []any{&address, &at}, func() error { m.to[address] = append(m.to[address], at); return nil })
			return err
		})
	return db.System.SendBatch(ctx, batch).Close()
}

// add tells why the address can't be invited, or counts it.
func (m *invitability) add(address string, now time.Time) error {
	switch {
	case m.members[address]:
		return org.ErrAlreadyMember
	case m.invited[address]:
		return org.ErrAlreadyInvited
	case m.pending >= org.MaxPendingInvites:
		return org.ErrTooManyInvites
	}
	if err := m.send(address, now); err != nil {
		return err
	}
	m.pending++
	m.invited[address] = true
	return nil
}

// send tells why no mail can be sent to the address, or counts it.
func (m *invitability) send(address string, now time.Time) error {
	if m.members[address] {
		return org.ErrAlreadyMember
	}
	to := m.to[address]
	if err := org.CountSending(&m.by, &to, now); err != nil {
		return err
	}
	m.to[address] = to
	return nil
}
