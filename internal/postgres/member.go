package postgres

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"happening/internal/access"
	"happening/internal/audit"
	"happening/internal/org"
)

func scanMember(row pgx.CollectableRow) (org.Member, error) {
	var m org.Member
	err := row.Scan(&m.UserID, &m.Name, &m.Email, &m.Role, &m.CreatedAt)
	m.CreatedAt = m.CreatedAt.UTC()
	return m, err
}

// ListMembers reads an organization's members, the oldest accounts first.
func (s *OrgStore) ListMembers(ctx context.Context, viewer, orgID uuid.UUID, f org.MemberFilter, after uuid.UUID, limit int) ([]org.Member, error) {
	members, err := read(ctx, s.db, tenant(viewer, orgID, access.MembersRead), scanMember, `
		SELECT u.id, u.name, CASE WHEN $6 THEN u.email ELSE '' END, m.role, m.created_at
		FROM organization_users m
		JOIN users u ON u.id = m.user_id
		WHERE m.org_id = $1 AND m.user_id > $2
			AND ($4 = '' OR m.role = $4)
			AND ($5::text[] IS NULL OR u.name ILIKE ANY ($5) OR $6 AND u.email ILIKE ANY ($5))
		ORDER BY m.user_id
		LIMIT $3`,
		orgID, after, limit, string(f.Role), beginsWord(f.Query), f.Addresses)
	if err != nil {
		return nil, fmt.Errorf("postgres: list members: %w", err)
	}
	return members, nil
}

// wordBreaks are what words of names and parts of addresses begin after.
const wordBreaks = " \u00a0-'’.,(/@_+"

var likeSigns = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// beginsWord gives the patterns of what has a word that begins with the text;
// nil, which is NULL, for no text.
func beginsWord(text string) []string {
	if text == "" {
		return nil
	}
	text = likeSigns.Replace(text)
	patterns := []string{text + "%"}
	for _, before := range wordBreaks {
		patterns = append(patterns, "%"+likeSigns.Replace(string(before))+text+"%")
	}
	return patterns
}

// SetRole changes a member's role.
func (s *OrgStore) SetRole(ctx context.Context, actor, orgID, userID uuid.UUID, role access.Role, now time.Time) (m org.Member, err error) {
	err = s.db.write(ctx, tenant(actor, orgID, access.MembersManage), func(tx pgx.Tx) error {
		standing, err := standingOf(ctx, tx, actor, orgID, userID)
		if err != nil {
			return err
		}
		if err := standing.SetRole(role); err != nil {
			return err
		}
		if standing.Member == access.OrgAdmin && role != access.OrgAdmin {
			if err := revokeInvitesBy(ctx, tx, orgID, userID, actor, now); err != nil {
				return err
			}
		}
		m, err = setRole(ctx, tx, orgID, userID, role)
		if err != nil || standing.Member == role {
			return err
		}
		return insertAudit(ctx, tx, audit.Entry{
			OrgID: orgID, ActorID: actor, Action: audit.RoleChanged, SubjectID: userID, At: now,
			Before: audit.Details{"role": standing.Member}, After: audit.Details{"role": role},
		})
	})
	if err != nil {
		return org.Member{}, err
	}
	return m, nil
}

func setRole(ctx context.Context, tx pgx.Tx, orgID, userID uuid.UUID, role access.Role) (org.Member, error) {
	rows, err := tx.Query(ctx, `
		UPDATE organization_users m
		SET role = $3
		FROM users u
		WHERE m.org_id = $1 AND m.user_id = $2 AND u.id = m.user_id
		RETURNING u.id, u.name, u.email, m.role, m.created_at`,
		orgID, userID, string(role))
	if err != nil {
		return org.Member{}, fmt.Errorf("postgres: set role: %w", err)
	}
	m, err := pgx.CollectExactlyOneRow(rows, scanMember)
	if err != nil {
		return org.Member{}, fmt.Errorf("postgres: set role: %w", err)
	}
	return m, nil
}

// RemoveMember ends a membership. To leave, being a member is enough.
func (s *OrgStore) RemoveMember(ctx context.Context, actor, orgID, userID uuid.UUID, now time.Time) error {
	as, done := tenant(actor, orgID, access.MemberRemove), audit.MemberRemoved
	if actor == userID {
		as, done = tenant(actor, orgID, access.MembersRead), audit.MemberLeft
	}
	return s.db.write(ctx, as, func(tx pgx.Tx) error {
		standing, err := standingOf(ctx, tx, actor, orgID, userID)
		if err != nil {
			return err
		}
		if err := standing.Remove(); err != nil {
			return err
		}
		if err := revokeInvitesBy(ctx, tx, orgID, userID, actor, now); err != nil {
			return err
		}
		if err := removeMember(ctx, tx, orgID, userID); err != nil {
			return err
		}
		return insertAudit(ctx, tx, audit.Entry{
			OrgID: orgID, ActorID: actor, Action: done, SubjectID: userID, At: now,
			Before: audit.Details{"role": standing.Member},
		})
	})
}

func removeMember(ctx context.Context, tx pgx.Tx, orgID, userID uuid.UUID) error {
	_, err := tx.Exec(ctx, `DELETE FROM organization_users WHERE org_id = $1 AND user_id = $2`, orgID, userID)
	if err != nil {
		return fmt.Errorf("postgres: remove member: %w", err)
	}
	return nil
}

// standingOf tells how a membership stands, and holds it still until the
// commit. Roles and admins are read after the lock, by a statement of its own:
// whoever held the lock before has committed by then.
func standingOf(ctx context.Context, tx pgx.Tx, actor, orgID, userID uuid.UUID) (org.Standing, error) {
	if err := lockMemberships(ctx, tx, orgID); err != nil {
		return org.Standing{}, err
	}
	return readStanding(ctx, tx, actor, orgID, userID)
}

// lockMemberships lets one transaction at a time take something away from the
// memberships of each organization: the roles of orgAdmins, a member. With
// several, they are locked in order, so that two never wait for each other.
// Becoming a member or orgAdmin can leave nobody without an orgAdmin; who
// invites or accepts shares the row, so that the invites of whoever loses the
// role are all withdrawn with it.
func lockMemberships(ctx context.Context, tx pgx.Tx, orgIDs ...uuid.UUID) error {
	rows, err := tx.Query(ctx, `SELECT id FROM organizations WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE`, orgIDs)
	if err == nil {
		rows.Close()
		err = rows.Err()
	}
	if err != nil {
		return fmt.Errorf("postgres: lock memberships: %w", err)
	}
	return nil
}

func readStanding(ctx context.Context, tx pgx.Tx, actor, orgID, userID uuid.UUID) (org.Standing, error) {
	s := org.Standing{Itself: actor == userID}
	err := tx.QueryRow(ctx, `
		SELECT
			coalesce(max(role) FILTER (WHERE user_id = $2), ''),
			coalesce(max(role) FILTER (WHERE user_id = $3), ''),
			count(*) FILTER (WHERE role = $4)
		FROM organization_users
		WHERE org_id = $1`,
		orgID, actor, userID, string(access.OrgAdmin)).Scan(&s.Actor, &s.Member, &s.Admins)
	if err != nil {
		return org.Standing{}, fmt.Errorf("postgres: how a membership stands: %w", err)
	}
	return s, nil
}
