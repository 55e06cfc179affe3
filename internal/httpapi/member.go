package httpapi

import (
	"context"
	"time"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/org"
)

// memberRoutes are those of the members of organizations.
func (s *Server) memberRoutes() []route {
	return []route{
		on(get, "/organizations/{id}/members", access.MembersRead, about{id: "list-members", tag: tagOrgs, summary: "List members", more: "For members."}, s.listMembers),
	}
}

// Member is a person's place in an organization.
type Member struct {
	UserID    uuid.UUID `json:"user_id" format:"uuid"`
	Name      string    `json:"name"`
	Email     string    `json:"email"`
	Role      string    `json:"role" enum:"user,organizer,orgAdmin"`
	CreatedAt time.Time `json:"created_at"`
}

func showMember(m org.Member) Member {
	return Member{UserID: m.UserID, Name: m.Name, Email: m.Email, Role: string(m.Role), CreatedAt: m.CreatedAt.UTC()}
}

func (s *Server) listMembers(ctx context.Context, in *struct {
	OrgPath
	Page
}) (*answer[List[Member]], error) {
	found, next, err := s.deps.Orgs.Members(ctx, principal(ctx), in.ID, in.Cursor, in.Limit)
	if err != nil {
		return nil, err
	}
	return listed(found, next, showMember), nil
}
