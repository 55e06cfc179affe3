package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"happening/internal/access"
	"happening/internal/org"
)

func scanMember(row pgx.CollectableRow) (org.Member, error) {
	var m org.Member
	err := row.Scan(&m.UserID, &m.Name, &m.Email, &m.Role, &m.CreatedAt)
	m.CreatedAt = m.CreatedAt.UTC()
	return m, err
}

// ListMembers reads an organization's members, the oldest accounts first.
func (s *OrgStore) ListMembers(ctx context.Context, viewer, orgID, after uuid.UUID, limit int) ([]org.Member, error) {
	members, err := read(ctx, s.db, tenant(viewer, orgID, access.MembersRead), scanMember, `
		SELECT u.id, u.name, u.email, m.role, m.created_at
		FROM organization_users m
		JOIN users u ON u.id = m.user_id
		WHERE m.org_id = $1 AND m.user_id > $2
		ORDER BY m.user_id
		LIMIT $3`,
		orgID, after, limit)
	if err != nil {
		return nil, fmt.Errorf("postgres: list members: %w", err)
	}
	return members, nil
}
