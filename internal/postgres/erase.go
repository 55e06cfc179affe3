package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"happening/internal/access"
	"happening/internal/audit"
	"happening/internal/fault"
	"happening/internal/idp"
	"happening/internal/user"
)

// Erasures erases people, as the system role; it is user.ErasureStore.
type Erasures struct{ db *DB }

// NewErasures makes the store.
func NewErasures(db *DB) *Erasures { return &Erasures{db: db} }

var _ user.ErasureStore = (*Erasures)(nil)

// personIsErased is the name under which PostgreSQL refuses what would be
// written about somebody who is erased.
const personIsErased = "person_is_erased"

// lateMail bounds how long before or after an erasure a mail can have been
// kept that was being sent at that moment.
const lateMail = 15 * time.Minute

// errJoined says that the person joined an organization while its lock was
// not held.
var errJoined = errors.New("the person joined another organization meanwhile")

// Erase implements user.ErasureStore.
func (s *Erasures) Erase(ctx context.Context, e user.Erasure) error {
	for attempt := 1; ; attempt++ {
		err := inTx(ctx, s.db.System, func(tx pgx.Tx) error { return erase(ctx, tx, e) })
		if !errors.Is(err, errJoined) || attempt == maxTxAttempts {
			return err
		}
	}
}

// erase takes its locks in the order of everybody who changes roles: the
// organizations' rows first, by id, then the person's.
func erase(ctx context.Context, tx pgx.Tx, e user.Erasure) error {
	before, err := membershipsOf(ctx, tx, e.UserID)
	if err != nil {
		return err
	}
	orgs := make([]uuid.UUID, len(before))
	for i, m := range before {
		orgs[i] = m.orgID
	}
	if err := lockMemberships(ctx, tx, orgs...); err != nil {
		return err
	}
	p, err := lockPerson(ctx, tx, e.UserID)
	if err != nil {
		return err
	}
	if !strings.EqualFold(strings.TrimSpace(e.Confirm), p.Email) {
		return user.ErrAddressDiffers
	}
	memberships, err := membershipsOf(ctx, tx, e.UserID)
	if err != nil {
		return err
	}
	for _, m := range memberships {
		if !slices.Contains(orgs, m.orgID) {
			return errJoined
		}
	}
	if err := refuseLastAdmin(ctx, tx, e.UserID); err != nil {
		return err
	}
	t, err := tracesOf(ctx, tx, p)
	if err != nil {
		return err
	}
	for _, step := range []func(context.Context, pgx.Tx, user.Erasure, *traces) error{
		eraseMemberships, revokeInvites, eraseInvites, eraseContacts, eraseMessages, eraseAccounts, erasePerson,
	} {
		if err := step(ctx, tx, e, t); err != nil {
			return err
		}
	}
	return nil
}

type membership struct {
	orgID uuid.UUID
	role  access.Role
}

func membershipsOf(ctx context.Context, tx pgx.Tx, userID uuid.UUID) ([]membership, error) {
	rows, err := tx.Query(ctx, `SELECT org_id, role FROM organization_users WHERE user_id = $1`, userID)
	if err != nil {
		return nil, fmt.Errorf("memberships: %w", err)
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (m membership, err error) {
		err = row.Scan(&m.orgID, &m.role)
		return m, err
	})
}

// lockPerson locks the row so that nothing that refers to it can be written
// until the commit.
func lockPerson(ctx context.Context, tx pgx.Tx, id uuid.UUID) (p user.Person, err error) {
	err = tx.QueryRow(ctx, `
		SELECT id, name, email, email_verified FROM users WHERE id = $1 AND erased_at IS NULL FOR UPDATE`, id,
	).Scan(&p.ID, &p.Name, &p.Email, &p.EmailVerified)
	if errors.Is(err, pgx.ErrNoRows) {
		return user.Person{}, fault.ErrNotFound
	}
	if err != nil {
		return user.Person{}, fmt.Errorf("lock person: %w", err)
	}
	return p, nil
}

// refuseLastAdmin refuses somebody who is the only orgAdmin of an
// organization. The organizations' locks make it hold until the commit.
func refuseLastAdmin(ctx context.Context, tx pgx.Tx, userID uuid.UUID) error {
	rows, err := tx.Query(ctx, `
		SELECT o.id, o.name
		FROM organization_users m
		JOIN organizations o ON o.id = m.org_id
		WHERE m.user_id = $1 AND m.role = $2
		  AND NOT EXISTS (
			SELECT FROM organization_users other
			WHERE other.org_id = m.org_id AND other.role = $2 AND other.user_id <> $1)
		ORDER BY lower(o.name), o.id`, userID, string(access.OrgAdmin))
	if err != nil {
		return fmt.Errorf("last admin: %w", err)
	}
	led, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (o user.LedOrg, err error) {
		err = row.Scan(&o.ID, &o.Name)
		return o, err
	})
	if err != nil {
		return fmt.Errorf("last admin: %w", err)
	}
	if len(led) > 0 {
		return user.ErrLastOrgAdmin.With("organizations", led)
	}
	return nil
}

// traces are what leads to what is about a person and doesn't name their id.
type traces struct {
	// addresses are verified, in lower case: an address that is not verified
	// may be somebody else's.
	addresses []string
	accounts  []uuid.UUID // at the embedded provider
	invites   []uuid.UUID
}

func tracesOf(ctx context.Context, tx pgx.Tx, p user.Person) (*traces, error) {
	t := &traces{addresses: []string{}}
	err := tx.QueryRow(ctx, `
		SELECT coalesce(array_agg(a.id), '{}'), coalesce(array_agg(lower(a.email)) FILTER (WHERE a.email_verified), '{}')
		FROM user_identities i
		JOIN idp_accounts a ON a.id::text = i.subject
		WHERE i.user_id = $1 AND i.issuer = $2`, p.ID, idp.IdentityKey).Scan(&t.accounts, &t.addresses)
	if err != nil {
		return nil, fmt.Errorf("find accounts: %w", err)
	}
	if p.EmailVerified && p.Email != "" {
		t.addresses = append(t.addresses, strings.ToLower(p.Email))
	}
	// Sign-ups with the address that nobody has confirmed hold it, too.
	err = tx.QueryRow(ctx, `
		SELECT coalesce(array_agg(id), '{}') FROM idp_accounts WHERE id = ANY($1) OR lower(email) = ANY($2)`,
		t.accounts, t.addresses).Scan(&t.accounts)
	if err != nil {
		return nil, fmt.Errorf("find sign-ups: %w", err)
	}
	err = tx.QueryRow(ctx, `
		SELECT coalesce(array_agg(id), '{}') FROM organization_invites
		WHERE lower(email) = ANY($1) OR answered_by = $2 AND status IN ('accepted', 'rejected')`,
		t.addresses, p.ID).Scan(&t.invites)
	if err != nil {
		return nil, fmt.Errorf("find invites: %w", err)
	}
	return t, nil
}

// eraseMemberships leaves in each organization's record that a member went.
func eraseMemberships(ctx context.Context, tx pgx.Tx, e user.Erasure, _ *traces) error {
	rows, err := tx.Query(ctx, `DELETE FROM organization_users WHERE user_id = $1 RETURNING org_id, role`, e.UserID)
	if err != nil {
		return fmt.Errorf("erase memberships: %w", err)
	}
	left, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (m membership, err error) {
		err = row.Scan(&m.orgID, &m.role)
		return m, err
	})
	if err != nil {
		return fmt.Errorf("erase memberships: %w", err)
	}
	for _, m := range left {
		if err := insertAudit(ctx, tx, audit.Entry{
			OrgID: m.orgID, ActorID: e.UserID, Action: audit.MemberErased, SubjectID: e.UserID, At: e.At,
			Before: audit.Details{"role": m.role},
		}); err != nil {
			return err
		}
	}
	return nil
}

// revokeInvites withdraws invites by the person, as for everybody who leaves an
// organization.
func revokeInvites(ctx context.Context, tx pgx.Tx, e user.Erasure, _ *traces) error {
	return revokeInvitesBy(ctx, tx, uuid.Nil, e.UserID, e.UserID, e.At)
}

// eraseInvites removes invites to the person. Those that were not answered
// count as withdrawn by nobody in the organization's record.
func eraseInvites(ctx context.Context, tx pgx.Tx, e user.Erasure, t *traces) error {
	rows, err := tx.Query(ctx, `
		DELETE FROM organization_invites WHERE id = ANY($1) RETURNING id, org_id, role, status`, t.invites)
	if err != nil {
		return fmt.Errorf("erase invites: %w", err)
	}
	var withdrawn []audit.Entry
	var id, orgID uuid.UUID
	var role access.Role
	var status string
	if _, err := pgx.ForEachRow(rows, []any{&id, &orgID, &role, &status}, func() error {
		if status == "pending" {
			withdrawn = append(withdrawn, audit.Entry{
				OrgID: orgID, Action: audit.InviteRevoked, SubjectID: id, At: e.At, Before: audit.Details{"role": role},
			})
		}
		return nil
	}); err != nil {
		return fmt.Errorf("erase invites: %w", err)
	}
	for _, entry := range withdrawn {
		if err := insertAudit(ctx, tx, entry); err != nil {
			return err
		}
	}
	return nil
}

// eraseContacts takes the person's address off the public pages of
// organizations.
func eraseContacts(ctx context.Context, tx pgx.Tx, e user.Erasure, t *traces) error {
	rows, err := tx.Query(ctx, `
		UPDATE organizations SET contact_email = '', revision = revision + 1
		WHERE contact_email <> '' AND lower(contact_email) = ANY($1)
		RETURNING id`, t.addresses)
	if err != nil {
		return fmt.Errorf("erase contacts: %w", err)
	}
	orgs, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return fmt.Errorf("erase contacts: %w", err)
	}
	for _, id := range orgs {
		if err := insertAudit(ctx, tx, audit.Entry{
			OrgID: id, Action: audit.OrgUpdated, SubjectID: id, At: e.At,
			Before: audit.Details{}, After: audit.Details{"changed": []string{"contact_email"}},
		}); err != nil {
			return err
		}
	}
	return nil
}

// forgetMessages removes what a person was told over any channel, and the
// mails of it that the development mailbox kept. A mail has the same fact as
// the message in the application, by which it is found.
const forgetMessages = `
WITH bell AS (
  DELETE FROM notifications WHERE user_id = $1 AND channel = 'app' RETURNING id, fact_id
), mails AS (
  DELETE FROM notifications n USING bell
  WHERE n.fact_id = bell.fact_id AND n.user_id = $1 AND n.channel = 'email'
  RETURNING n.id
)
SELECT coalesce(array_agg(id::text), '{}') FROM (SELECT id FROM bell UNION ALL SELECT id FROM mails) gone`

// eraseMessages removes what was told to the person or their addresses. The
// messages go before the mails in the mailbox: a mail that is kept after that
// has no message, by which the sweep knows it.
func eraseMessages(ctx context.Context, tx pgx.Tx, e user.Erasure, t *traces) error {
	var told []string
	if err := tx.QueryRow(ctx, forgetMessages, e.UserID).Scan(&told); err != nil {
		return fmt.Errorf("erase messages: %w", err)
	}
	// What went to an address alone, which no user stands for; what a server
	// said of a mail may name the address.
	if _, err := tx.Exec(ctx, `
		DELETE FROM notifications n
		WHERE n.user_id IS NULL AND (
		  lower(n.recipient) = ANY($1)
		  OR EXISTS (SELECT FROM unnest($1::text[]) address WHERE position(address IN lower(n.last_error)) > 0)
		  OR EXISTS (
		    SELECT FROM outbox f
		    WHERE f.id = n.fact_id AND (f.payload ->> 'invite_id' = ANY($2) OR f.payload ->> 'account_id' = ANY($3))))`,
		t.addresses, texts(t.invites), texts(t.accounts)); err != nil {
		return fmt.Errorf("erase messages to the address: %w", err)
	}
	if _, err := tx.Exec(ctx, `
		DELETE FROM mailbox_mails WHERE id = ANY($1) OR lower(recipient) = ANY($2)`, told, t.addresses); err != nil {
		return fmt.Errorf("erase mails: %w", err)
	}
	return nil
}

func texts(ids []uuid.UUID) []string {
	all := make([]string, len(ids))
	for i, id := range ids {
		all[i] = id.String()
	}
	return all
}

// eraseAccounts removes by what the person could sign in, here and at the
// embedded provider. Its tokens and links go with the account.
func eraseAccounts(ctx context.Context, tx pgx.Tx, e user.Erasure, t *traces) error {
	batch := &pgx.Batch{}
	batch.Queue(`DELETE FROM idp_auth_requests WHERE account_id = ANY($1) OR lower(login_hint) = ANY($2)`, t.accounts, t.addresses)
	batch.Queue(`DELETE FROM idp_accounts WHERE id = ANY($1)`, t.accounts)
	batch.Queue(`DELETE FROM sessions WHERE user_id = $1`, e.UserID)
	batch.Queue(`
		DELETE FROM signin_logouts l USING user_identities i
		WHERE i.user_id = $1 AND l.issuer = i.issuer AND l.subject = i.subject`, e.UserID)
	batch.Queue(`DELETE FROM user_identities WHERE user_id = $1`, e.UserID)
	batch.Queue(`DELETE FROM notification_preferences WHERE user_id = $1`, e.UserID)
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("erase accounts: %w", err)
	}
	return nil
}

// forgetAddresses removes by which addresses others booked for somebody.
const forgetAddresses = `UPDATE bookings SET booked_for = '' WHERE user_id = $1 AND booked_for <> ''`

// erasePerson leaves the id.
func erasePerson(ctx context.Context, tx pgx.Tx, e user.Erasure, _ *traces) error {
	entry, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("erase person: %w", err)
	}
	batch := &pgx.Batch{}
	batch.Queue(`
		UPDATE users
		SET name = '', email = '', email_verified = false, name_chosen = false,
		    erased_at = $2, erasing = true, updated_at = $2
		WHERE id = $1`, e.UserID, e.At)
	batch.Queue(`
		INSERT INTO user_audit (id, user_id, action, issuer, rule, created_at) VALUES ($1, $2, 'person.erased', '', '', $3)`,
		entry, e.UserID, e.At)
	batch.Queue(`SELECT forget_keys($1)`, e.UserID)
	batch.Queue(forgetAddresses, e.UserID)
	batch.Queue(`DELETE FROM bookings_for_others WHERE $1 IN (actor_id, user_id)`, e.UserID)
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("erase person: %w", err)
	}
	return nil
}

// LiveAt implements user.ErasureStore.
func (s *Erasures) LiveAt(ctx context.Context, userID uuid.UUID, now time.Time, after uuid.UUID, limit int) ([]uuid.UUID, error) {
	rows, err := s.db.System.Query(ctx, `
		SELECT DISTINCT b.event_id
		FROM bookings b
		JOIN events e ON e.id = b.event_id
		WHERE b.user_id = $1 AND b.status IN ('confirmed', 'waiting') AND b.event_id > $3
		  AND e.starts_at > $2 AND e.cancelled_at IS NULL
		ORDER BY b.event_id
		LIMIT $4`, userID, now, after, limit)
	if err != nil {
		return nil, fmt.Errorf("postgres: live bookings: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
}

// Clear implements user.ErasureStore. A mail that the mailbox kept without a
// message, around the moment of the erasure, is one that was being sent when
// its message was removed; other mails outlive their messages and stay.
func (s *Erasures) Clear(ctx context.Context, userID uuid.UUID) error {
	err := inTx(ctx, s.db.System, func(tx pgx.Tx) error {
		batch := &pgx.Batch{}
		batch.Queue(forgetMessages, userID)
		batch.Queue(`SELECT forget_keys($1)`, userID)
		batch.Queue(forgetAddresses, userID)
		batch.Queue(`
			DELETE FROM mailbox_mails m
			USING users u
			WHERE u.id = $1 AND m.created_at BETWEEN u.erased_at - $2::interval AND u.erased_at + $2::interval
			  AND CASE WHEN m.id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
			  THEN NOT EXISTS (SELECT FROM notifications n WHERE n.id = m.id::uuid) END`, userID, lateMail)
		return tx.SendBatch(ctx, batch).Close()
	})
	if err != nil {
		return fmt.Errorf("postgres: clear after an erasure: %w", err)
	}
	return nil
}

// Unfinished implements user.ErasureStore.
func (s *Erasures) Unfinished(ctx context.Context, after uuid.UUID, limit int) ([]user.Unfinished, error) {
	rows, err := s.db.System.Query(ctx, `
		SELECT id, erased_at FROM users WHERE erasing AND id > $1 ORDER BY id LIMIT $2`, after, limit)
	if err != nil {
		return nil, fmt.Errorf("postgres: unfinished erasures: %w", err)
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (u user.Unfinished, err error) {
		err = row.Scan(&u.UserID, &u.ErasedAt)
		return u, err
	})
}

// Finish implements user.ErasureStore.
func (s *Erasures) Finish(ctx context.Context, userID uuid.UUID, now time.Time) error {
	_, err := execFenced(ctx, s.db.System, `
		UPDATE users SET erasing = false
		WHERE id = $1 AND erasing AND NOT EXISTS (
			SELECT FROM bookings b
			JOIN events e ON e.id = b.event_id
			WHERE b.user_id = $1 AND b.status IN ('confirmed', 'waiting') AND e.starts_at > $2 AND e.cancelled_at IS NULL)`,
		userID, now)
	if err != nil {
		return fmt.Errorf("postgres: finish erasure: %w", err)
	}
	return nil
}
