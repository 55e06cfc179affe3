package org

import (
	"context"

	"github.com/google/uuid"
)

// MemberStore keeps who belongs to an organization, and as what.
type MemberStore interface {
	ListMembers(ctx context.Context, viewer, orgID, after uuid.UUID, limit int) ([]Member, error)
}
