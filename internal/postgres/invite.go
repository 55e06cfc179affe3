package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"happening/internal/access"
	"happening/internal/audit"
	"happening/internal/fault"
	"happening/internal/org"
)

const (
	inviteColumns = `i.id, i.org_id, o.name, i.email, i.role, i.status, i.invited_by, i.created_at, i.expires_at, coalesce(i.sent_at, i.created_at), i.sends`
	inviteTables  = `organization_invites i JOIN organizations o ON o.id = i.org_id`
	// addressedTo joins the user $1 where the invite is to their verified
	// address.
	addressedTo = `users u ON u.id = $1 AND u.email_verified AND lower(u.email) = lower(i.email)`
)

func scanInvite(row pgx.Row, more ...any) (org.Invite, error) {
	var i org.Invite
	err := row.Scan(append([]any{
		&i.ID, &i.OrgID, &i.OrgName, &i.Email, &i.Role, &i.Status, &i.InvitedBy, &i.CreatedAt, &i.ExpiresAt, &i.SentAt, &i.Sends,
	}, more...)...)
	i.CreatedAt, i.ExpiresAt, i.SentAt = i.CreatedAt.UTC(), i.ExpiresAt.UTC(), i.SentAt.UTC()
	return i, err
}

// InsertInvites adds invites, their records and their facts, as the inviter.
func (s *OrgStore) InsertInvites(ctx context.Context, invites []org.Invite) (made []org.Made, err error) {
	first := invites[0]
	addresses := make([]string, len(invites))
	for n, i := range invites {
		addresses[n] = i.Email
	}
	err = s.db.write(ctx, tenant(first.InvitedBy, first.OrgID, access.InvitesManage), func(tx pgx.Tx) error {
		if err := lockInviteCounts(ctx, tx, first.InvitedBy, addresses); err != nil {
			return err
		}
		if err := closeOverdue(ctx, tx, first.OrgID, first.CreatedAt); err != nil {
			return err
		}
		may, err := s.mayInvite(ctx, tx, first.OrgID, first.InvitedBy, addresses, first.CreatedAt)
		if err != nil {
			return err
		}
		made = make([]org.Made, len(invites))
		for n, i := range invites {
			i.OrgName = may.orgName
			made[n] = org.Made{Invite: i, Refused: may.add(i.Email, i.CreatedAt)}
			if made[n].Refused != nil {
				continue
			}
			if err := insertInvite(ctx, tx, i, may.people[i.Email]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return made, nil
}

// orgStands reads whether an organization is suspended, and holds that, its
// roles and itself still until the commit: who takes a role away, suspends or
// deletes waits, or is waited for. fault.ErrNotFound: it is gone.
func orgStands(ctx context.Context, tx pgx.Tx, id uuid.UUID) (suspended bool, err error) {
	err = tx.QueryRow(ctx, `SELECT suspended_at IS NOT NULL FROM organizations WHERE id = $1 FOR SHARE`, id).Scan(&suspended)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, fault.ErrNotFound
	}
	if err != nil {
		return false, fmt.Errorf("postgres: does the organization stand: %w", err)
	}
	return suspended, nil
}

func insertInvite(ctx context.Context, tx pgx.Tx, i org.Invite, invited uuid.UUID) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO organization_invites (id, org_id, email, role, status, invited_by, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		i.ID, i.OrgID, i.Email, string(i.Role), string(i.Status), i.InvitedBy, i.CreatedAt, i.ExpiresAt)
	if err != nil {
		return fmt.Errorf("postgres: insert invite: %w", err)
	}
	if err := insertInvited(ctx, tx, i, invited); err != nil {
		return err
	}
	return insertAudit(ctx, tx, org.InviteRecord(i))
}

// insertInvited puts the fact of an invite, by which its mail is sent, into the
// outbox. invited is whoever has the address; uuid.Nil: nobody.
func insertInvited(ctx context.Context, tx pgx.Tx, i org.Invite, invited uuid.UUID) error {
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("postgres: fact of invite: %w", err)
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO outbox (id, org_id, kind, user_id, payload, created_at)
		VALUES ($1, $2, $3, $4, $5, $6)`,
		id, i.OrgID, org.KindInvited, nilIfZero(invited), org.Invited{InviteID: i.ID}, i.SentAt)
	if err != nil {
		return fmt.Errorf("postgres: fact of invite: %w", err)
	}
	return nil
}

// ResendInvite asks for an invite's mail once more.
func (s *OrgStore) ResendInvite(ctx context.Context, actor, orgID, id uuid.UUID, now time.Time) (sent org.Invite, err error) {
	err = s.db.write(ctx, tenant(actor, orgID, access.InvitesManage), func(tx pgx.Tx) error {
		read := func(lock string) (org.Invite, error) {
			i, err := scanInvite(tx.QueryRow(ctx, `
				SELECT `+inviteColumns+`
				FROM `+inviteTables+`
				WHERE i.id = $1 AND i.org_id = $2 `+lock,
				id, orgID))
			if errors.Is(err, pgx.ErrNoRows) {
				return org.Invite{}, fault.ErrNotFound
			}
			if err != nil {
				return org.Invite{}, fmt.Errorf("postgres: resend invite: %w", err)
			}
			return i, nil
		}
		// Whose locks it takes never changes; what it is decided by does.
		i, err := read("")
		if err != nil {
			return err
		}
		if err := lockInviteCounts(ctx, tx, i.InvitedBy, []string{i.Email}); err != nil {
			return err
		}
		if i, err = read("FOR UPDATE OF i"); err != nil {
			return err
		}
		if sent, err = i.Resend(now); err != nil {
			return err
		}
		may, err := s.mayInvite(ctx, tx, orgID, i.InvitedBy, []string{i.Email}, now)
		if err != nil {
			return err
		}
		if err := may.send(i.Email, now); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `
			UPDATE organization_invites
			SET sends = $3, sent_at = $4, expires_at = $5
			WHERE id = $1 AND org_id = $2`,
			id, orgID, sent.Sends, sent.SentAt, sent.ExpiresAt)
		if err != nil {
			return fmt.Errorf("postgres: resend invite: %w", err)
		}
		if err := insertInvited(ctx, tx, sent, may.people[i.Email]); err != nil {
			return err
		}
		return insertAudit(ctx, tx, org.ResendRecord(sent, actor))
	})
	if err != nil {
		return org.Invite{}, err
	}
	return sent, nil
}

// closeOverdue closes what is overdue of the organization's invites.
func closeOverdue(ctx context.Context, tx pgx.Tx, orgID uuid.UUID, now time.Time) error {
	_, err := tx.Exec(ctx, `
		UPDATE organization_invites
		SET status = 'expired'
		WHERE org_id = $1 AND status = 'pending' AND expires_at <= $2`,
		orgID, now)
	if err != nil {
		return fmt.Errorf("postgres: close overdue invites: %w", err)
	}
	return nil
}

const findInvite = `
	SELECT ` + inviteColumns + `, coalesce(m.role, ''), u.id IS NOT NULL
	FROM ` + inviteTables + `
	LEFT JOIN organization_users m ON m.org_id = i.org_id AND m.user_id = $1
	LEFT JOIN ` + addressedTo

func scanAddressed(row pgx.CollectableRow) (a org.Addressed, err error) {
	a.Invite, err = scanInvite(row, &a.CallerRole, &a.ToCaller)
	return a, err
}

func foundInvite(a org.Addressed, err error) (org.Addressed, error) {
	if errors.Is(err, pgx.ErrNoRows) {
		return org.Addressed{}, fault.ErrNotFound
	}
	if err != nil {
		return org.Addressed{}, fmt.Errorf("postgres: find invite: %w", err)
	}
	return a, nil
}

// FindInvite reads an invite and what the viewer is to it. Invites of others to
// others are not there for the viewer.
func (s *OrgStore) FindInvite(ctx context.Context, id, viewer uuid.UUID) (org.Addressed, error) {
	return foundInvite(readOne(ctx, s.db, person(viewer), scanAddressed, findInvite+` WHERE i.id = $2`, viewer, id))
}

// FindInviteByToken reads the invite to which a mailed secret leads. Whoever
// has the secret may know of it, whether it is theirs or not.
func (s *OrgStore) FindInviteByToken(ctx context.Context, hash []byte, viewer uuid.UUID) (org.Addressed, error) {
	return foundInvite(readOne(ctx, s.db, bearer(viewer, hash), scanAddressed, findInvite+` WHERE i.token_hash = $2`, viewer, hash))
}

// ListInvitesOfOrg reads an organization's invites, the newest first.
func (s *OrgStore) ListInvitesOfOrg(ctx context.Context, viewer, orgID, after uuid.UUID, limit int) ([]org.Invite, error) {
	return s.listInvites(ctx, tenant(viewer, orgID, access.InvitesManage), `
		SELECT `+inviteColumns+`
		FROM `+inviteTables+`
		WHERE i.org_id = $1 AND ($2::uuid IS NULL OR i.id < $2)
		ORDER BY i.id DESC
		LIMIT $3`,
		orgID, nilIfZero(after), limit)
}

// ListInvitesTo reads what a person can still answer, the newest first.
func (s *OrgStore) ListInvitesTo(ctx context.Context, userID uuid.UUID, now time.Time, after uuid.UUID, limit int) ([]org.Invite, error) {
	return s.listInvites(ctx, person(userID), `
		SELECT `+inviteColumns+`
		FROM `+inviteTables+`
		JOIN `+addressedTo+`
		WHERE i.status = 'pending' AND i.expires_at > $2 AND ($3::uuid IS NULL OR i.id < $3)
		ORDER BY i.id DESC
		LIMIT $4`,
		userID, now, nilIfZero(after), limit)
}

func (s *OrgStore) listInvites(ctx context.Context, as asker, sql string, args ...any) ([]org.Invite, error) {
	invites, err := read(ctx, s.db, as, func(row pgx.CollectableRow) (org.Invite, error) { return scanInvite(row) }, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("postgres: list invites: %w", err)
	}
	return invites, nil
}

const answerInvite = `
	UPDATE organization_invites i
	SET status = $3, answered_at = $4, answered_by = $1
	FROM organizations o, users u
	WHERE i.id = $2 AND i.status = 'pending' AND i.expires_at > $4
		AND o.id = i.org_id
		AND u.id = $1 AND u.email_verified AND lower(u.email) = lower(i.email)
	RETURNING ` + inviteColumns

// AnswerInvite answers an invite. That it is pending and addressed to the
// person is part of the statement that changes it, so of many answers at once
// one counts. A pending invite is also what lets the person into the
// organization, to become a member and be recorded there.
func (s *OrgStore) AnswerInvite(ctx context.Context, id, userID uuid.UUID, a org.Answer, now time.Time) (org.Invite, error) {
	var invite org.Invite
	err := s.db.write(ctx, person(userID), func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, enterByInvite, id)
		if err != nil {
			return fmt.Errorf("postgres: enter by invite: %w", err)
		}
		suspended, err := enteredStands(ctx, tx)
		if err != nil {
			return err
		}
		invite, err = scanInvite(tx.QueryRow(ctx, answerInvite, userID, id, string(a.Status()), now))
		if errors.Is(err, pgx.ErrNoRows) {
			return notAnswerable(ctx, tx, id, userID)
		}
		if err != nil {
			return fmt.Errorf("postgres: answer invite: %w", err)
		}
		before, after := access.NoRole, access.NoRole
		if a == org.Accept {
			// Said to the invited alone, to whom the invite is there.
			if suspended {
				return org.ErrSuspended
			}
			if before, after, err = join(ctx, tx, invite, userID, now); err != nil {
				return err
			}
		}
		return insertAudit(ctx, tx, org.AnswerRecord(invite, userID, a, before, after, now))
	})
	if err != nil {
		return org.Invite{}, err
	}
	return invite, nil
}

// enteredStands is orgStands of the organization that the asker has entered.
// Where they entered none, there is nothing to hold.
func enteredStands(ctx context.Context, tx pgx.Tx) (suspended bool, err error) {
	var id *uuid.UUID
	if err := tx.QueryRow(ctx, `SELECT app_org()`).Scan(&id); err != nil {
		return false, fmt.Errorf("postgres: organization entered: %w", err)
	}
	if id == nil {
		return false, nil
	}
	return orgStands(ctx, tx, *id)
}

// notAnswerable tells why an answer found nothing to change: to anybody else
// than the invited, an invite does not exist.
func notAnswerable(ctx context.Context, tx pgx.Tx, id, userID uuid.UUID) error {
	var mine bool
	err := tx.QueryRow(ctx, `
		SELECT EXISTS (SELECT FROM organization_invites i JOIN `+addressedTo+` WHERE i.id = $2)`,
		userID, id).Scan(&mine)
	switch {
	case err != nil:
		return fmt.Errorf("postgres: answer invite: %w", err)
	case mine:
		return org.ErrInviteNotPending
	default:
		return fault.ErrNotFound
	}
}

// join makes a person a member with the invite's role, unless they have a
// higher one already.
func join(ctx context.Context, tx pgx.Tx, i org.Invite, userID uuid.UUID, now time.Time) (before, after access.Role, err error) {
	if before, err = roleForUpdate(ctx, tx, userID, i.OrgID); err != nil {
		return "", "", fmt.Errorf("postgres: join: %w", err)
	}
	// Somebody who became a member since then is found by the conflict; the
	// roles are compared there, in SQL, from least to most.
	err = tx.QueryRow(ctx, `
		INSERT INTO organization_users AS m (org_id, user_id, role, created_at)
		VALUES ($1, $2, $3, $4)
		ON CONFLICT (org_id, user_id) DO UPDATE
		SET role = CASE
			WHEN array_position($5::text[], EXCLUDED.role) > array_position($5::text[], m.role) THEN EXCLUDED.role
			ELSE m.role
		END
		RETURNING role`,
		i.OrgID, userID, string(i.Role), now,
		[]string{string(access.User), string(access.Organizer), string(access.OrgAdmin)}).Scan(&after)
	if err != nil {
		return "", "", fmt.Errorf("postgres: join: %w", err)
	}
	return before, after, nil
}

// RevokeInvite withdraws an invite while nobody has answered it.
func (s *OrgStore) RevokeInvite(ctx context.Context, id uuid.UUID, now time.Time, record audit.Entry) error {
	return s.db.write(ctx, tenant(record.ActorID, record.OrgID, access.InvitesManage), func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `
			UPDATE organization_invites
			SET status = 'revoked', answered_at = $3, answered_by = $4
			WHERE id = $1 AND org_id = $2 AND status = 'pending' AND expires_at > $3`,
			id, record.OrgID, now, nilIfZero(record.ActorID))
		if err != nil {
			return fmt.Errorf("postgres: revoke invite: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return org.ErrInviteNotPending
		}
		return insertAudit(ctx, tx, record)
	})
}

// revokeInvitesBy withdraws what somebody who is no orgAdmin any more has
// invited others to and nobody has answered: in one organization, or in all
// where orgID is uuid.Nil. Else they could let themselves in again by another
// address. The organizations' locks keep another invite from being made
// meanwhile. In a request it comes before the role is gone, without which the
// invites can't be seen.
func revokeInvitesBy(ctx context.Context, tx pgx.Tx, orgID, inviter, actor uuid.UUID, now time.Time) error {
	rows, err := tx.Query(ctx, `
		UPDATE organization_invites
		SET status = 'revoked', answered_at = $3, answered_by = $4
		WHERE invited_by = $1 AND ($2::uuid IS NULL OR org_id = $2) AND status = 'pending'
		RETURNING id, org_id, role`,
		inviter, nilIfZero(orgID), now, nilIfZero(actor))
	if err != nil {
		return fmt.Errorf("postgres: revoke somebody's invites: %w", err)
	}
	records, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (audit.Entry, error) {
		e := audit.Entry{ActorID: actor, Action: audit.InviteRevoked, At: now}
		var role access.Role
		err := row.Scan(&e.SubjectID, &e.OrgID, &role)
		e.Before = audit.Details{"role": role}
		return e, err
	})
	if err != nil {
		return fmt.Errorf("postgres: revoke somebody's invites: %w", err)
	}
	for _, record := range records {
		if err := insertAudit(ctx, tx, record); err != nil {
			return err
		}
	}
	return nil
}

// SetInviteToken stores the hash of a link's secret. It runs as the system,
// which sends the mail.
func (s *OrgStore) SetInviteToken(ctx context.Context, id uuid.UUID, hash []byte, now time.Time) (org.Invite, error) {
	invite, err := scanInvite(s.db.System.QueryRow(ctx, `
		UPDATE organization_invites i
		SET token_hash = $2
		FROM organizations o
		WHERE i.id = $1 AND i.status = 'pending' AND i.expires_at > $3 AND o.id = i.org_id
		RETURNING `+inviteColumns,
		id, hash, now))
	if errors.Is(err, pgx.ErrNoRows) {
		return org.Invite{}, org.ErrInviteNotPending
	}
	if err != nil {
		return org.Invite{}, fmt.Errorf("postgres: set invite's token: %w", err)
	}
	return invite, nil
}

// ExpireInvites closes overdue invites.
func (s *OrgStore) ExpireInvites(ctx context.Context, now time.Time, limit int) (int, error) {
	tag, err := execFenced(ctx, s.db.System, `
		UPDATE organization_invites i
		SET status = 'expired'
		FROM (
			SELECT id FROM organization_invites
			WHERE status = 'pending' AND expires_at <= $1
			ORDER BY id
			LIMIT $2
			FOR UPDATE SKIP LOCKED
		) due
		WHERE i.id = due.id`,
		now, limit)
	if err != nil {
		return 0, fmt.Errorf("postgres: expire invites: %w", err)
	}
	return int(tag.RowsAffected()), nil
}
