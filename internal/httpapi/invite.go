package httpapi

import (
	"context"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/org"
)

// inviteRoutes are those of invites.
func (s *Server) inviteRoutes() []route {
	return []route{
		on(post, "/org-invites", access.InvitesManage, about{id: "create-invite", tag: tagOrgs, summary: "Invite somebody", status: created,
			more: "By exact address; the answer is the same whether an account exists or not. For orgAdmins.", errors: []int{conflict}}, s.createInvite),
		on(get, "/org-invites", access.InvitesManage, about{id: "list-invites", tag: tagOrgs, summary: "List invites",
			more: "With `org_id` those of an organization, for its orgAdmins; without, those that you can answer, by your verified address."}, s.listInvites),
		on(get, "/org-invites/by-token", access.SignedIn, about{id: "get-invite-by-token", tag: tagOrgs, summary: "Read the invite to which a mailed link leads",
			more:   "For whoever opens the link, so that an invite to another account can be explained; only the invited can answer it.",
			errors: []int{http.StatusNotFound, http.StatusUnprocessableEntity}}, s.getInviteByToken),
		on(post, "/org-invites/{id}/accept", access.SignedIn, about{id: "accept-invite", tag: tagOrgs, summary: "Accept an invite", errors: []int{conflict}}, s.acceptInvite),
		on(post, "/org-invites/{id}/reject", access.SignedIn, about{id: "reject-invite", tag: tagOrgs, summary: "Reject an invite", errors: []int{conflict}}, s.rejectInvite),
		on(del, "/org-invites/{id}", access.InvitesManage, about{id: "revoke-invite", tag: tagOrgs, summary: "Withdraw an invite", status: none, errors: []int{conflict}}, s.revokeInvite),
	}
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

func showInvite(i org.Invite) Invite {
	return Invite{
		ID: i.ID, OrgID: i.OrgID, OrgName: i.OrgName, Email: i.Email, Role: string(i.Role), Status: string(i.Status),
		ExpiresAt: i.ExpiresAt.UTC(), CreatedAt: i.CreatedAt.UTC(),
	}
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
