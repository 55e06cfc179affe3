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

// OrgStore keeps organizations, members and invites; it is the org room's
// Store.
type OrgStore struct{ db *DB }

var _ org.Store = (*OrgStore)(nil)

// NewOrgStore keeps organizations in the database.
func NewOrgStore(db *DB) *OrgStore { return &OrgStore{db: db} }

// RoleOf tells a person's role as it is now; nothing is cached, so that a
// change takes effect at once.
func (s *OrgStore) RoleOf(ctx context.Context, userID, orgID uuid.UUID) (access.Role, error) {
	role, err := readOne(ctx, s.db, person(userID), pgx.RowTo[access.Role], `
		SELECT role FROM organization_users WHERE org_id = $1 AND user_id = $2`,
		orgID, userID)
	if errors.Is(err, pgx.ErrNoRows) {
		return access.NoRole, nil
	}
	if err != nil {
		return access.NoRole, fmt.Errorf("postgres: role: %w", err)
	}
	return role, nil
}

// roleForUpdate reads a role and locks the member's row.
func roleForUpdate(ctx context.Context, tx pgx.Tx, userID, orgID uuid.UUID) (role access.Role, err error) {
	err = tx.QueryRow(ctx, `
		SELECT role FROM organization_users WHERE org_id = $1 AND user_id = $2 FOR UPDATE`,
		orgID, userID).Scan(&role)
	if errors.Is(err, pgx.ErrNoRows) {
		return access.NoRole, nil
	}
	return role, err
}

// InsertOrg adds an organization with its creator as orgAdmin.
func (s *OrgStore) InsertOrg(ctx context.Context, o org.Organization, record audit.Entry) error {
	return s.db.write(ctx, person(o.CreatedBy), func(tx pgx.Tx) error {
		if err := mayFound(ctx, tx, o.CreatedBy); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, foundOrg, o.ID.String())
		if err != nil {
			return fmt.Errorf("postgres: found organization: %w", err)
		}
		_, err = tx.Exec(ctx, `
			INSERT INTO organizations (id, name, created_by, created_at) VALUES ($1, $2, $3, $4)`,
			o.ID, o.Name, o.CreatedBy, o.CreatedAt)
		if err != nil {
			return fmt.Errorf("postgres: insert organization: %w", err)
		}
		_, err = tx.Exec(ctx, `
			INSERT INTO organization_users (org_id, user_id, role, created_at) VALUES ($1, $2, $3, $4)`,
			o.ID, o.CreatedBy, string(access.OrgAdmin), o.CreatedAt)
		if err != nil {
			return fmt.Errorf("postgres: insert organization's admin: %w", err)
		}
		return insertAudit(ctx, tx, record)
	})
}

// mayFound refuses one organization too many. The lock makes the count hold
// until the commit, also when many requests come at once.
func mayFound(ctx context.Context, tx pgx.Tx, founder uuid.UUID) error {
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('founder:' || $1::uuid, 0))`, founder); err != nil {
		return fmt.Errorf("postgres: lock founder: %w", err)
	}
	var founded int
	if err := tx.QueryRow(ctx, `SELECT count(*) FROM organizations WHERE created_by = $1`, founder).Scan(&founded); err != nil {
		return fmt.Errorf("postgres: count organizations founded: %w", err)
	}
	if founded >= org.MaxFounded {
		return org.ErrTooManyOrgs
	}
	return nil
}

const orgColumns = `
	o.id, o.name, o.created_by, o.created_at, o.suspended_at,
	o.about, o.contact_email, o.website, o.color, o.time_zone, o.logo_version, o.revision,
	coalesce(m.role, '')`

// scanOrgWith reads one row of orgColumns, and what the query names after them into
// more.
func scanOrgWith(row pgx.CollectableRow, more ...any) (org.Mine, error) {
	var o org.Mine
	var suspendedAt *time.Time
	err := row.Scan(append([]any{
		&o.ID, &o.Name, &o.CreatedBy, &o.CreatedAt, &suspendedAt,
		&o.About, &o.ContactEmail, &o.Website, &o.Color, &o.TimeZone, &o.LogoVersion, &o.Revision,
		&o.Role,
	}, more...)...)
	if err != nil {
		return org.Mine{}, err
	}
	o.CreatedAt = o.CreatedAt.UTC()
	if suspendedAt != nil {
		o.SuspendedAt = suspendedAt.UTC()
	}
	return o, nil
}

func scanOrg(row pgx.CollectableRow) (org.Mine, error) { return scanOrgWith(row) }

// FindOrg reads an organization and the viewer's role in it.
func (s *OrgStore) FindOrg(ctx context.Context, id, viewer uuid.UUID) (org.Mine, error) {
	o, err := readOne(ctx, s.db, person(viewer), scanOrg, `
		SELECT `+orgColumns+`
		FROM organizations o
		LEFT JOIN organization_users m ON m.org_id = o.id AND m.user_id = $2
		WHERE o.id = $1`,
		id, viewer)
	if errors.Is(err, pgx.ErrNoRows) {
		return org.Mine{}, fault.ErrNotFound
	}
	if err != nil {
		return org.Mine{}, fmt.Errorf("postgres: find organization: %w", err)
	}
	return o, nil
}

// ListOrgsOf reads a person's organizations, the oldest first.
func (s *OrgStore) ListOrgsOf(ctx context.Context, userID, after uuid.UUID, limit int) ([]org.Mine, error) {
	orgs, err := read(ctx, s.db, person(userID), scanOrg, `
		SELECT `+orgColumns+`
		FROM organization_users m
		JOIN organizations o ON o.id = m.org_id
		WHERE m.user_id = $1 AND o.id > $2
		ORDER BY o.id
		LIMIT $3`,
		userID, after, limit)
	if err != nil {
		return nil, fmt.Errorf("postgres: list organizations: %w", err)
	}
	return orgs, nil
}
