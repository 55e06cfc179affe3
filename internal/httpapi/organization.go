package httpapi

import (
	"context"
	"time"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/org"
)

// orgRoutes are those of organizations.
func (s *Server) orgRoutes() []route {
	return []route{
		on(post, "/organizations", access.SignedIn, about{id: "create-organization", tag: tagOrgs, summary: "Found an organization", status: created,
			more: "You become its orgAdmin."}, s.createOrg),
		on(get, "/organizations", access.SignedIn, about{id: "list-organizations", tag: tagOrgs, summary: "List your organizations"}, s.listOrgs),
		on(get, "/organizations/{id}", access.OrgRead, about{id: "get-organization", tag: tagOrgs, summary: "Read an organization"}, s.getOrg),
	}
}

// Organization is a tenant as its readers see it.
type Organization struct {
	ID        uuid.UUID `json:"id" format:"uuid"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"created_at"`
	MyRole    *string   `json:"my_role" enum:"user,organizer,orgAdmin" doc:"null: you are not a member."`
}

func showOrg(o org.Mine) Organization {
	return Organization{ID: o.ID, Name: o.Name, CreatedAt: o.CreatedAt.UTC(), MyRole: orNull(string(o.Role))}
}

// OrgPath names an organization.
type OrgPath struct {
	ID uuid.UUID `path:"id" format:"uuid"`
}

// OrganizationCreate names a new organization.
type OrganizationCreate struct {
	Name string `json:"name" doc:"At most 200 characters."`
}

type createOrgAnswer struct {
	Location string `header:"Location"`
	Body     Organization
}

func (s *Server) createOrg(ctx context.Context, in *struct{ Body OrganizationCreate }) (*createOrgAnswer, error) {
	o, err := s.deps.Orgs.Create(ctx, principal(ctx), in.Body.Name)
	if err != nil {
		return nil, err
	}
	return &createOrgAnswer{Location: "organizations/" + o.ID.String(), Body: showOrg(o)}, nil
}

func (s *Server) listOrgs(ctx context.Context, in *Page) (*answer[List[Organization]], error) {
	found, next, err := s.deps.Orgs.Mine(ctx, principal(ctx), in.Cursor, in.Limit)
	if err != nil {
		return nil, err
	}
	return listed(found, next, showOrg), nil
}

func (s *Server) getOrg(ctx context.Context, in *OrgPath) (*answer[Organization], error) {
	o, err := s.deps.Orgs.Get(ctx, principal(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	return answered(showOrg(o)), nil
}
