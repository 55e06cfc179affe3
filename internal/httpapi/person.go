package httpapi

import (
	"context"

	"github.com/google/uuid"

	"happening/internal/access"
)

// meRoutes are those about yourself.
func (s *Server) meRoutes() []route {
	return []route{
		on(get, "/users/me", access.SignedIn, about{id: "get-me", tag: tagMe, summary: "Read who you are"}, s.getMe),
	}
}

// Me is who you are.
type Me struct {
	ID            uuid.UUID      `json:"id" format:"uuid"`
	Name          string         `json:"name"`
	Email         string         `json:"email"`
	EmailVerified bool           `json:"email_verified"`
	Organizations []MyMembership `json:"organizations"`
}

// MyMembership is your place in one organization.
type MyMembership struct {
	ID   uuid.UUID `json:"id" format:"uuid"`
	Name string    `json:"name"`
	Role string    `json:"role" enum:"user,organizer,orgAdmin"`
}

func (s *Server) getMe(ctx context.Context, _ *struct{}) (*answer[Me], error) {
	person, memberships, err := s.deps.People.Me(ctx, principal(ctx))
	if err != nil {
		return nil, err
	}
	me := Me{ID: person.ID, Name: person.Name, Email: person.Email, EmailVerified: person.EmailVerified, Organizations: []MyMembership{}}
	for _, m := range memberships {
		me.Organizations = append(me.Organizations, MyMembership{ID: m.OrgID, Name: m.OrgName, Role: string(m.Role)})
	}
	return answered(me), nil
}
