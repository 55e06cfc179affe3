package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"happening/internal/access"
	"happening/internal/audit"
	"happening/internal/fault"
	"happening/internal/org"
)

// EditOrg implements org.SettingsStore.
func (s *OrgStore) EditOrg(ctx context.Context, actor, id uuid.UUID, edit func(org.Organization) (org.Edit, error)) (org.Mine, error) {
	var o org.Mine
	err := s.db.write(ctx, tenant(actor, id, access.OrgWrite), func(tx pgx.Tx) error {
		var err error
		if o, err = lockOrg(ctx, tx, actor, id); err != nil {
			return err
		}
		e, err := edit(o.Organization)
		if err != nil || e.After.Revision == o.Revision {
			return err
		}
		if e.After.LogoVersion != o.LogoVersion {
			if err := writeLogo(ctx, tx, id, &e); err != nil {
				return err
			}
		}
		after := &e.After
		if _, err := tx.Exec(ctx, `
			UPDATE organizations
			SET name = $2, about = $3, contact_email = $4, website = $5, color = $6, time_zone = $7,
			    logo_version = $8, revision = $9
			WHERE id = $1`,
			id, after.Name, after.About, after.ContactEmail, after.Website, after.Color, after.TimeZone,
			after.LogoVersion, after.Revision); err != nil {
			return fmt.Errorf("postgres: edit organization: %w", err)
		}
		o.Organization = *after
		return insertAudit(ctx, tx, e.Record)
	})
	return o, err
}

// lockOrg reads an organization in its tenant's context, so that nobody
// changes or deletes it, and no event is created in it, until the commit.
func lockOrg(ctx context.Context, tx pgx.Tx, actor, id uuid.UUID) (org.Mine, error) {
	rows, err := tx.Query(ctx, `
		SELECT `+orgColumns+`
		FROM organizations o
		JOIN organization_users m ON m.org_id = o.id AND m.user_id = $2
		WHERE o.id = $1
		FOR UPDATE OF o`,
		id, actor)
	if err != nil {
		return org.Mine{}, fmt.Errorf("postgres: lock organization: %w", err)
	}
	o, err := pgx.CollectExactlyOneRow(rows, scanOrg)
	if errors.Is(err, pgx.ErrNoRows) {
		return org.Mine{}, fault.ErrNotFound
	}
	if err != nil {
		return org.Mine{}, fmt.Errorf("postgres: lock organization: %w", err)
	}
	return o, nil
}

// writeLogo puts the image in the place of the old one, or takes that away.
func writeLogo(ctx context.Context, tx pgx.Tx, id uuid.UUID, e *org.Edit) error {
	if e.After.LogoVersion == "" {
		if _, err := tx.Exec(ctx, `DELETE FROM organization_logos WHERE org_id = $1`, id); err != nil {
			return fmt.Errorf("postgres: remove logo: %w", err)
		}
		return nil
	}
	if _, err := tx.Exec(ctx, `
		INSERT INTO organization_logos (org_id, image, updated_at) VALUES ($1, $2, $3)
		ON CONFLICT (org_id) DO UPDATE SET image = excluded.image, updated_at = excluded.updated_at`,
		id, e.Logo, e.Record.At); err != nil {
		return fmt.Errorf("postgres: write logo: %w", err)
	}
	return nil
}

// FindLogo implements org.SettingsStore.
func (s *OrgStore) FindLogo(ctx context.Context, id, viewer uuid.UUID) (org.Mine, []byte, error) {
	var image []byte
	o, err := readOne(ctx, s.db, person(viewer), func(row pgx.CollectableRow) (org.Mine, error) {
		return scanOrgWith(row, &image)
	}, `
		SELECT `+orgColumns+`, l.image
		FROM organizations o
		JOIN organization_logos l ON l.org_id = o.id
		LEFT JOIN organization_users m ON m.org_id = o.id AND m.user_id = $2
		WHERE o.id = $1`,
		id, viewer)
	if errors.Is(err, pgx.ErrNoRows) {
		return org.Mine{}, nil, fault.ErrNotFound
	}
	if err != nil {
		return org.Mine{}, nil, fmt.Errorf("postgres: find logo: %w", err)
	}
	return o, image, nil
}

// DeleteOrg implements org.SettingsStore. Whoever creates an event locks the
// organization, too, so that one of the two waits for the other; the foreign
// key of events has the last word. Events are looked for in a statement of its
// own, whose snapshot shows what was created before the lock was had.
func (s *OrgStore) DeleteOrg(ctx context.Context, actor, id uuid.UUID, record audit.Entry) error {
	err := s.db.write(ctx, tenant(actor, id, access.OrgWrite), func(tx pgx.Tx) error {
		if _, err := lockOrg(ctx, tx, actor, id); err != nil {
			return err
		}
		var used bool
		if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM events WHERE org_id = $1)`, id).Scan(&used); err != nil {
			return fmt.Errorf("postgres: delete organization: %w", err)
		}
		if used {
			return org.ErrNotEmpty
		}
		if _, err := tx.Exec(ctx, `DELETE FROM organizations WHERE id = $1`, id); err != nil {
			return fmt.Errorf("postgres: delete organization: %w", err)
		}
		return insertAudit(ctx, tx, record)
	})
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == foreignKeyViolation {
		return org.ErrNotEmpty
	}
	return err
}

// foreignKeyViolation is PostgreSQL's code for a row that others refer to.
const foreignKeyViolation = "23503"
