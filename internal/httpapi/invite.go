package httpapi

import (
	"context"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/org"
)

// inviteRoutes are those of invites.
func (s *Server) inviteRoutes() []route {
	return []route{
		on(post, "/org-invites", access.InvitesManage, about{id: "create-invite", tag: tagOrgs, summary: "Invite somebody", status: created,
			more: "By exact address; the answer is the same whether an account exists or not. For orgAdmins.", errors: []int{conflict}}, s.createInvite),
		on(post, "/org-invites/batch", access.InvitesManage, about{id: "create-invites", tag: tagOrgs, summary: "Invite many people at once",
			more: "Tells of each address what became of it, in their order; one that can't be invited doesn't stop the others. For orgAdmins.", errors: []int{conflict}}, s.createInvites),
		on(get, "/org-invites", access.InvitesManage, about{id: "list-invites", tag: tagOrgs, summary: "List invites",
			more: "With `org_id` those of an organization, for its orgAdmins; without, those that you can answer, by your verified address."}, s.listInvites),
		on(get, "/org-invites/by-token", access.SignedIn, about{id: "get-invite-by-token", tag: tagOrgs, summary: "Read the invite to which a mailed link leads",
			more:   "For whoever opens the link, so that an invite to another account can be explained; only the invited can answer it.",
			errors: []int{http.StatusNotFound, http.StatusUnprocessableEntity}}, s.getInviteByToken),
		on(post, "/org-invites/{id}/accept", access.SignedIn, about{id: "accept-invite", tag: tagOrgs, summary: "Accept an invite",
			more: "Not while the organization is suspended: `org_suspended`. Rejecting works all the same.", errors: []int{conflict}}, s.acceptInvite),
		on(post, "/org-invites/{id}/reject", access.SignedIn, about{id: "reject-invite", tag: tagOrgs, summary: "Reject an invite", errors: []int{conflict}}, s.rejectInvite),
		on(post, "/org-invites/{id}/resend", access.InvitesManage, about{id: "resend-invite", tag: tagOrgs, summary: "Send an invite again",
			more:   "It is good for 7 days from now on; the link of the mail before is good until the new mail goes out. Not within 60 s, and at most 5 times in all (`too_many_sends`). For orgAdmins.",
			errors: []int{conflict}}, s.resendInvite),
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
	SentAt    time.Time `json:"sent_at" doc:"When the mail was last asked for."`
	Sends     int       `json:"sends" doc:"How often it was; at most 5."`
}

func showInvite(i org.Invite) Invite {
	return Invite{
		ID: i.ID, OrgID: i.OrgID, OrgName: i.OrgName, Email: i.Email, Role: string(i.Role), Status: string(i.Status),
		ExpiresAt: i.ExpiresAt.UTC(), CreatedAt: i.CreatedAt.UTC(), SentAt: i.SentAt.UTC(), Sends: i.Sends,
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

// InviteBatch says who is invited to what, many at once.
type InviteBatch struct {
	OrgID  uuid.UUID `json:"org_id" format:"uuid"`
	Role   string    `json:"role" enum:"user,organizer,orgAdmin"`
	Emails []string  `json:"emails" minItems:"1" maxItems:"200" doc:"Exact addresses such as name@example.org."`
}

// InviteResults tells of each address what became of it, in their order.
type InviteResults struct {
	Results []InviteResult `json:"results"`
}

// InviteResult is what became of one address.
type InviteResult struct {
	Email   string  `json:"email" doc:"As you sent it."`
	Outcome string  `json:"outcome" enum:"invited,already_member,already_invited,invalid,limit,repeated" doc:"limit: too many invites wait for an answer, or were sent today. repeated: it stands further up."`
	Invite  *Invite `json:"invite" doc:"null unless invited."`
}

// TransformSchema implements huma.SchemaTransformer.
func (InviteResult) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	return nullable(s, "invite")
}

func (s *Server) createInvites(ctx context.Context, in *struct{ Body InviteBatch }) (*answer[InviteResults], error) {
	lines, err := s.deps.Orgs.InviteMany(ctx, principal(ctx), in.Body.OrgID, access.Role(in.Body.Role), in.Body.Emails)
	if err != nil {
		return nil, err
	}
	results := make([]InviteResult, len(lines))
	for n, line := range lines {
		results[n] = InviteResult{Email: line.Email, Outcome: string(line.Outcome)}
		if line.Outcome == org.OutcomeInvited {
			invite := showInvite(line.Invite)
			results[n].Invite = &invite
		}
	}
	return answered(InviteResults{Results: results}), nil
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

func (s *Server) resendInvite(ctx context.Context, in *InvitePath) (*answer[Invite], error) {
	return inviteAnswer(s.deps.Orgs.ResendInvite(ctx, principal(ctx), in.ID))
}

func (s *Server) revokeInvite(ctx context.Context, in *InvitePath) (*done, error) {
	return nil, s.deps.Orgs.RevokeInvite(ctx, principal(ctx), in.ID)
}
