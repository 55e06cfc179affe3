package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/org"
)

// memberRoutes are those of the members of organizations.
func (s *Server) memberRoutes() []route {
	const seen = "For members. Addresses are shown to organizers and orgAdmins only, and only they can search by them."
	return []route{
		on(get, "/organizations/{id}/members", access.MembersRead, about{id: "list-members", tag: tagOrgs, summary: "List members", more: seen,
			errors: []int{http.StatusUnprocessableEntity}}, s.listMembers),
		on(get, "/users", access.MembersRead, about{id: "search-users", tag: tagOrgs, summary: "Search the people of an organization", more: seen,
			errors: []int{http.StatusNotFound, http.StatusUnprocessableEntity}}, s.searchUsers),
		on(put, "/organizations/{id}/members/{userId}", access.MembersManage, about{id: "set-role", tag: tagOrgs, summary: "Change a member's role",
			more: "Counts from the next request on. Of who stops being orgAdmin, the invites that nobody has answered are withdrawn. The last orgAdmin stays one: `last_org_admin`. For orgAdmins.", errors: []int{conflict}}, s.setRole),
		on(del, "/organizations/{id}/members/{userId}", access.MemberRemove, about{id: "remove-member", tag: tagOrgs, summary: "Remove a member, or leave", status: none,
			more: "orgAdmins remove others; everybody can leave. The last orgAdmin stays: `last_org_admin`. Bookings stay with whoever has them; invites that they made and nobody has answered are withdrawn.", errors: []int{conflict}}, s.removeMember),
	}
}

// Member is a person's place in an organization.
type Member struct {
	UserID    uuid.UUID `json:"user_id" format:"uuid"`
	Name      string    `json:"name"`
	Email     *string   `json:"email" doc:"null: your role doesn't show addresses."`
	Role      string    `json:"role" enum:"user,organizer,orgAdmin"`
	CreatedAt time.Time `json:"created_at" doc:"Since when they are a member."`
}

func showMember(m org.Member) Member {
	return Member{UserID: m.UserID, Name: m.Name, Email: orNull(m.Email), Role: string(m.Role), CreatedAt: m.CreatedAt.UTC()}
}

// MemberQuery is what lists of members take.
type MemberQuery struct {
	Page
	Query string `query:"q" doc:"Begins a word of the name, or a part of the address. At most 100 characters."`
	Role  string `query:"role" enum:"user,organizer,orgAdmin" doc:"Members with this role."`
}

func (s *Server) listMembers(ctx context.Context, in *struct {
	OrgPath
	MemberQuery
}) (*answer[List[Member]], error) {
	return s.members(ctx, in.ID, in.MemberQuery)
}

func (s *Server) searchUsers(ctx context.Context, in *struct {
	OrgID uuid.UUID `query:"org_id" required:"true" format:"uuid" doc:"An organization of yours."`
	MemberQuery
}) (*answer[List[Member]], error) {
	return s.members(ctx, in.OrgID, in.MemberQuery)
}

func (s *Server) members(ctx context.Context, orgID uuid.UUID, q MemberQuery) (*answer[List[Member]], error) {
	filter := org.MemberFilter{Role: access.Role(q.Role), Query: q.Query}
	found, next, err := s.deps.Orgs.Members(ctx, principal(ctx), orgID, filter, q.Cursor, q.Limit)
	if err != nil {
		return nil, err
	}
	return listed(found, next, showMember), nil
}

// MemberPath names a member of an organization.
type MemberPath struct {
	OrgPath
	UserID uuid.UUID `path:"userId" format:"uuid"`
}

// MemberChange is what can be changed of a member.
type MemberChange struct {
	Role string `json:"role" enum:"user,organizer,orgAdmin"`
}

func (s *Server) setRole(ctx context.Context, in *struct {
	MemberPath
	Body MemberChange
}) (*answer[Member], error) {
	m, err := s.deps.Orgs.SetRole(ctx, principal(ctx), in.ID, in.UserID, access.Role(in.Body.Role))
	if err != nil {
		return nil, err
	}
	return answered(showMember(m)), nil
}

func (s *Server) removeMember(ctx context.Context, in *MemberPath) (*done, error) {
	return nil, s.deps.Orgs.RemoveMember(ctx, principal(ctx), in.ID, in.UserID)
}
