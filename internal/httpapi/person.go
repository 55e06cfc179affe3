package httpapi

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/user"
)

// meRoutes are those about yourself.
func (s *Server) meRoutes() []route {
	return []route{
		on(get, "/users/me", access.SignedIn, about{id: "get-me", tag: tagMe, summary: "Read who you are"}, s.getMe),
		on(put, "/users/me", access.SignedIn, about{id: "update-me", tag: tagMe, summary: "Change your name",
			more: "The name stays, whatever the sign-in service calls you from then on."}, s.updateMe),
		on(del, "/users/me", access.SignedIn, about{id: "erase-me", tag: tagMe, summary: "Erase everything about you", more: eraseMeDoc, status: none, errors: []int{conflict}}, s.eraseMe),
		on(get, "/users/me/export", access.SignedIn, about{id: "export-me", tag: tagMe, summary: "Get everything about you",
			more: meExportDoc, errors: []int{tooMany}, describe: describeMeExport}, s.exportMe),
		on(get, "/users/me/sessions", access.SignedIn, about{id: "list-sessions", tag: tagMe, summary: "List where you are signed in",
			more: "Your browsers, the one that signed in last first."}, s.listSessions),
		on(del, "/users/me/sessions", access.SignedIn, about{id: "end-other-sessions", tag: tagMe, summary: "Sign out everywhere else",
			more: "Ends all your sessions but the one that asks.", status: none}, s.endOtherSessions),
		on(del, "/users/me/sessions/{id}", access.SignedIn, about{id: "end-session", tag: tagMe, summary: "Sign out of one browser", status: none}, s.endSession),
	}
}

// Me is who you are.
type Me struct {
	ID            uuid.UUID      `json:"id" format:"uuid"`
	Name          string         `json:"name"`
	Email         string         `json:"email"`
	EmailVerified bool           `json:"email_verified"`
	CreatedAt     time.Time      `json:"created_at"`
	Organizations []MyMembership `json:"organizations"`
}

// MyMembership is your place in one organization.
type MyMembership struct {
	ID   uuid.UUID `json:"id" format:"uuid"`
	Name string    `json:"name"`
	Role string    `json:"role" enum:"user,organizer,orgAdmin"`
}

func showMe(p user.Profile, memberships []user.Membership) Me {
	me := Me{
		ID: p.ID, Name: p.Name, Email: p.Email, EmailVerified: p.EmailVerified, CreatedAt: p.CreatedAt.UTC(), Organizations: []MyMembership{},
	}
	for _, m := range memberships {
		me.Organizations = append(me.Organizations, MyMembership{ID: m.OrgID, Name: m.OrgName, Role: string(m.Role)})
	}
	return me
}

func (s *Server) getMe(ctx context.Context, _ *struct{}) (*answer[Me], error) {
	me, memberships, err := s.deps.People.Me(ctx, principal(ctx))
	if err != nil {
		return nil, err
	}
	return answered(showMe(me, memberships)), nil
}

// MeUpdate is what you can change of yourself. The address is the sign-in
// service's.
type MeUpdate struct {
	Name string `json:"name" doc:"At most 200 characters. What can't be seen is left out."`
}

func (s *Server) updateMe(ctx context.Context, in *struct{ Body MeUpdate }) (*answer[Me], error) {
	me, memberships, err := s.deps.People.Rename(ctx, principal(ctx), in.Body.Name)
	if err != nil {
		return nil, err
	}
	return answered(showMe(me, memberships)), nil
}

// sessionKeeper is an Authenticator that keeps the browsers' sessions, too.
type sessionKeeper interface {
	Sessions(ctx context.Context, p access.Principal, cursor string, limit int) (found []user.Session, next string, err error)
	EndSession(ctx context.Context, p access.Principal, id uuid.UUID) error
	EndOtherSessions(ctx context.Context, p access.Principal) error
}

// sessions gives who keeps the sessions. An authenticator that keeps none
// recognizes people by tokens alone.
func (s *Server) sessions() (sessionKeeper, error) {
	keeper, ok := s.deps.Auth.(sessionKeeper)
	if !ok {
		return nil, errors.New("httpapi: nobody keeps sessions here")
	}
	return keeper, nil
}

// Session is a browser that you are signed in with.
type Session struct {
	ID         uuid.UUID `json:"id" format:"uuid"`
	Label      string    `json:"label" example:"Firefox on Linux"`
	CreatedAt  time.Time `json:"created_at" doc:"When you signed in."`
	LastSeenAt time.Time `json:"last_seen_at" doc:"To the minute."`
	Current    bool      `json:"current" doc:"It is the one that asks."`
}

func (s *Server) listSessions(ctx context.Context, in *Page) (*answer[List[Session]], error) {
	keeper, err := s.sessions()
	if err != nil {
		return nil, err
	}
	who := principal(ctx)
	found, next, err := keeper.Sessions(ctx, who, in.Cursor, in.Limit)
	if err != nil {
		return nil, err
	}
	return listed(found, next, func(n user.Session) Session {
		return Session{
			ID: n.ID, Label: n.Label, CreatedAt: n.CreatedAt.UTC(), LastSeenAt: n.LastSeenAt.UTC(), Current: n.ID.String() == who.SessionID,
		}
	}), nil
}

func (s *Server) endSession(ctx context.Context, in *struct {
	ID uuid.UUID `path:"id" format:"uuid"`
}) (*done, error) {
	keeper, err := s.sessions()
	if err != nil {
		return nil, err
	}
	return nil, keeper.EndSession(ctx, principal(ctx), in.ID)
}

func (s *Server) endOtherSessions(ctx context.Context, _ *struct{}) (*done, error) {
	keeper, err := s.sessions()
	if err != nil {
		return nil, err
	}
	return nil, keeper.EndOtherSessions(ctx, principal(ctx))
}
