package httpapi

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/org"
)

// Organization is a tenant as its readers see it.
type Organization struct {
	ID        uuid.UUID `json:"id" format:"uuid"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"created_at"`
	MyRole    *string   `json:"my_role" enum:"user,organizer,orgAdmin" doc:"null: you are not a member."`
}

// Member is a person's place in an organization.
type Member struct {
	UserID    uuid.UUID `json:"user_id" format:"uuid"`
	Name      string    `json:"name"`
	Email     string    `json:"email"`
	Role      string    `json:"role" enum:"user,organizer,orgAdmin"`
	CreatedAt time.Time `json:"created_at"`
}

// Invite offers whoever has an address a role.
type Invite struct {
	ID        uuid.UUID `json:"id" format:"uuid"`
	OrgID     uuid.UUID `json:"org_id" format:"uuid"`
	OrgName   string    `json:"org_name"`
	Email     string    `json:"email"`
	Role      string    `json:"role" enum:"user,organizer,orgAdmin"`
	Status    string    `json:"status" enum:"pending,accepted,rejected,revoked,expired"`
	ExpiresAt time.Time `json:"expires_at"`
	CreatedAt time.Time `json:"created_at"`
}

func showOrg(o org.Mine) Organization {
	return Organization{ID: o.ID, Name: o.Name, CreatedAt: o.CreatedAt.UTC(), MyRole: orNull(string(o.Role))}
}

func showMember(m org.Member) Member {
	return Member{UserID: m.UserID, Name: m.Name, Email: m.Email, Role: string(m.Role), CreatedAt: m.CreatedAt.UTC()}
}

func showInvite(i org.Invite) Invite {
	return Invite{
		ID: i.ID, OrgID: i.OrgID, OrgName: i.OrgName, Email: i.Email, Role: string(i.Role), Status: string(i.Status),
		ExpiresAt: i.ExpiresAt.UTC(), CreatedAt: i.CreatedAt.UTC(),
	}
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

// InviteCreate says who is invited to what.
type InviteCreate struct {
	OrgID uuid.UUID `json:"org_id" format:"uuid"`
	Email string    `json:"email"`
	Role  string    `json:"role" enum:"user,organizer,orgAdmin"`
}

type createInviteAnswer struct {
	Body Invite
}

func (s *Server) createInvite(ctx context.Context, in *struct{ Body InviteCreate }) (*createInviteAnswer, error) {
	i, err := s.deps.Orgs.Invite(ctx, principal(ctx), in.Body.OrgID, in.Body.Email, access.Role(in.Body.Role))
	if err != nil {
		return nil, err
	}
	return &createInviteAnswer{Body: showInvite(i)}, nil
}

func (s *Server) listInvites(ctx context.Context, in *struct {
	Page
	OrgID uuid.UUID `query:"org_id" format:"uuid" doc:"Those of this organization."`
}) (*answer[List[Invite]], error) {
	var found []org.Invite
	var next string
	var err error
	if in.OrgID != uuid.Nil {
		found, next, err = s.deps.Orgs.InvitesOf(ctx, principal(ctx), in.OrgID, in.Cursor, in.Limit)
	} else {
		found, next, err = s.deps.Orgs.InvitesToMe(ctx, principal(ctx), in.Cursor, in.Limit)
	}
	if err != nil {
		return nil, err
	}
	return listed(found, next, showInvite), nil
}

// LinkedInvite is an invite as whoever opens its mailed link sees it.
type LinkedInvite struct {
	ID        uuid.UUID `json:"id" format:"uuid"`
	OrgID     uuid.UUID `json:"org_id" format:"uuid"`
	OrgName   string    `json:"org_name"`
	Email     string    `json:"email" doc:"Masked unless the invite is to you." example:"k•••@example.org"`
	Role      string    `json:"role" enum:"user,organizer,orgAdmin"`
	Status    string    `json:"status" enum:"pending,accepted,rejected,revoked,expired"`
	ExpiresAt time.Time `json:"expires_at"`
	ToCaller  bool      `json:"to_caller" doc:"Whether it is addressed to your verified address, so that you can answer it."`
}

func (s *Server) getInviteByToken(ctx context.Context, in *struct {
	Token string `query:"token" required:"true" doc:"Of the link in the mail."`
}) (*answer[LinkedInvite], error) {
	i, err := s.deps.Orgs.InviteByToken(ctx, principal(ctx), in.Token)
	if err != nil {
		return nil, err
	}
	shown := LinkedInvite{
		ID: i.ID, OrgID: i.OrgID, OrgName: i.OrgName, Email: i.Email, Role: string(i.Role), Status: string(i.Status),
		ExpiresAt: i.ExpiresAt.UTC(), ToCaller: i.ToCaller,
	}
	if !i.ToCaller {
		shown.Email = maskedAddress(i.Email)
	}
	return answered(shown), nil
}

// maskedAddress shows enough of an address for its owner to know it, and not
// enough for others to write to it.
func maskedAddress(address string) string {
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return "•••"
	}
	_, first := utf8.DecodeRuneInString(address[:at])
	return address[:first] + "•••" + address[at:]
}

// InvitePath names an invite.
type InvitePath struct {
	ID uuid.UUID `path:"id" format:"uuid"`
}

func (s *Server) acceptInvite(ctx context.Context, in *InvitePath) (*answer[Invite], error) {
	return inviteAnswer(s.deps.Orgs.AcceptInvite(ctx, principal(ctx), in.ID))
}

func (s *Server) rejectInvite(ctx context.Context, in *InvitePath) (*answer[Invite], error) {
	return inviteAnswer(s.deps.Orgs.RejectInvite(ctx, principal(ctx), in.ID))
}

func inviteAnswer(i org.Invite, err error) (*answer[Invite], error) {
	if err != nil {
		return nil, err
	}
	return answered(showInvite(i)), nil
}

func (s *Server) revokeInvite(ctx context.Context, in *InvitePath) (*done, error) {
	return nil, s.deps.Orgs.RevokeInvite(ctx, principal(ctx), in.ID)
}
