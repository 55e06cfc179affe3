package org

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/url"
	"time"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/audit"
	"happening/internal/fault"
	"happening/internal/user"
)

// Addressed is an invite together with what the caller is to it.
type Addressed struct {
	Invite
	CallerRole access.Role // in the inviting organization
	// ToCaller says whether the invite's address is the caller's verified one.
	ToCaller bool
}

// Made is an invite that was made, or why it was not.
type Made struct {
	Invite
	Refused error
}

// InviteStore keeps invites.
type InviteStore interface {
	// InsertInvites adds invites of one organization by one person to different
	// addresses, each with its record and its fact in the outbox, and closes
	// overdue ones. What is refused with ErrAlreadyMember, ErrAlreadyInvited,
	// ErrTooManyInvites or ErrInvitesToday, also when many requests come at
	// once, is left out and said in its place; ErrSuspended is about all, and so
	// are fault.ErrForbidden and fault.ErrNotFound, where the inviter is no
	// orgAdmin any more or the organization is gone.
	InsertInvites(ctx context.Context, invites []Invite) (made []Made, err error)
	// ResendInvite asks for the mail of one of the organization's invites once
	// more, with a record and a fact; refused as by Invite.Resend, and with
	// ErrSuspended, ErrAlreadyMember and ErrInvitesToday.
	ResendInvite(ctx context.Context, actor, orgID, id uuid.UUID, now time.Time) (Invite, error)
	// FindInvite reads an invite that the viewer may know of.
	FindInvite(ctx context.Context, id, viewer uuid.UUID) (Addressed, error)
	// FindInviteByToken is FindInvite by the hash of the mailed secret.
	FindInviteByToken(ctx context.Context, hash []byte, viewer uuid.UUID) (Addressed, error)
	ListInvitesOfOrg(ctx context.Context, viewer, orgID, after uuid.UUID, limit int) ([]Invite, error)
	// ListInvitesTo reads the pending, unexpired invites to the user's verified
	// address.
	ListInvitesTo(ctx context.Context, userID uuid.UUID, now time.Time, after uuid.UUID, limit int) ([]Invite, error)
	// AnswerInvite answers a pending, unexpired invite to the user's verified
	// address and makes who accepts a member, a higher role that is there
	// staying, with AnswerRecord in the record. ErrInviteNotPending where it is
	// not pending any more; ErrSuspended to who accepts while the organization
	// is suspended.
	AnswerInvite(ctx context.Context, id, userID uuid.UUID, a Answer, now time.Time) (Invite, error)
	// RevokeInvite withdraws a pending invite; else ErrInviteNotPending.
	RevokeInvite(ctx context.Context, id uuid.UUID, now time.Time, record audit.Entry) error
	// SetInviteToken stores the hash of the secret that is about to be mailed,
	// in the place of an earlier one; ErrInviteNotPending also where the invite
	// is gone.
	SetInviteToken(ctx context.Context, id uuid.UUID, hash []byte, now time.Time) (Invite, error)
	// ExpireInvites closes at most limit overdue invites and tells how many.
	ExpireInvites(ctx context.Context, now time.Time, limit int) (int, error)
}

// Invite offers whoever has the address a role. What it answers does not
// depend on whether anybody has an account with that address; that somebody
// is a member already is no secret to who may invite.
func (s *Service) Invite(ctx context.Context, p access.Principal, orgID uuid.UUID, email string, role access.Role) (Invite, error) {
	if _, err := s.permit(ctx, access.InvitesManage, p, orgID); err != nil {
		return Invite{}, err
	}
	invite, err := newInvite(orgID, email, role, p.UserID, s.now())
	if err != nil {
		return Invite{}, err
	}
	made, err := s.store.InsertInvites(ctx, []Invite{invite})
	if err == nil {
		err = made[0].Refused
	}
	if err != nil {
		return Invite{}, fmt.Errorf("org: invite: %w", s.explained(ctx, access.InvitesManage, p, orgID, err))
	}
	return made[0].Invite, nil
}

func newInvite(orgID uuid.UUID, email string, role access.Role, by uuid.UUID, now time.Time) (Invite, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Invite{}, fmt.Errorf("org: invite: %w", err)
	}
	return NewInvite(id, orgID, email, role, by, now)
}

// InviteMany offers whoever has the addresses the same role, as Invite does
// one by one, and tells of each address what became of it, in their order. One
// that can't be invited doesn't stop the others.
func (s *Service) InviteMany(ctx context.Context, p access.Principal, orgID uuid.UUID, role access.Role, emails []string) ([]Line, error) {
	if _, err := s.permit(ctx, access.InvitesManage, p, orgID); err != nil {
		return nil, err
	}
	var bad []fault.Field
	if !role.Valid() {
		bad = append(bad, fault.Field{Name: "role", Message: "Use user, organizer or orgAdmin."})
	}
	if n := len(emails); n < 1 || n > MaxInviteLines {
		bad = append(bad, fault.Field{Name: "emails", Message: fmt.Sprintf("Use 1 to %d addresses.", MaxInviteLines)})
	}
	if len(bad) > 0 {
		return nil, fault.InvalidFields(bad...)
	}
	lines, places := readLines(emails)
	if len(places) == 0 {
		return lines, nil
	}
	invites, now := make([]Invite, len(places)), s.now()
	for k, place := range places {
		var err error
		if invites[k], err = newInvite(orgID, emails[place], role, p.UserID, now); err != nil {
			return nil, err
		}
	}
	made, err := s.store.InsertInvites(ctx, invites)
	if err != nil {
		return nil, fmt.Errorf("org: invite many: %w", s.explained(ctx, access.InvitesManage, p, orgID, err))
	}
	for k, m := range made {
		outcome, ok := outcomeOf(m.Refused)
		if !ok {
			return nil, fmt.Errorf("org: invite many: %w", m.Refused)
		}
		line := &lines[places[k]]
		line.Outcome = outcome
		if outcome == OutcomeInvited {
			line.Invite = m.Invite
		}
	}
	return lines, nil
}

// readLines tells the lines that are no address or repeat one, and the places
// of the others.
func readLines(emails []string) (lines []Line, places []int) {
	lines = make([]Line, len(emails))
	seen := map[string]bool{}
	for n, email := range emails {
		lines[n] = Line{Email: email, Outcome: OutcomeInvalid}
		address, ok := NormalAddress(email)
		switch {
		case !ok:
		case seen[address]:
			lines[n].Outcome = OutcomeRepeated
		default:
			seen[address] = true
			places = append(places, n)
		}
	}
	return lines, places
}

// InvitesOf lists an organization's invites of any status to its admins, the
// newest first.
func (s *Service) InvitesOf(ctx context.Context, p access.Principal, orgID uuid.UUID, cursor string, limit int) ([]Invite, string, error) {
	if _, err := s.permit(ctx, access.InvitesManage, p, orgID); err != nil {
		return nil, "", err
	}
	now := s.now()
	invites, next, err := page(cursor, limit, func(after uuid.UUID, limit int) ([]Invite, error) {
		return s.store.ListInvitesOfOrg(ctx, p.UserID, orgID, after, limit)
	}, inviteID)
	for i := range invites {
		invites[i].Status = invites[i].StatusAt(now)
	}
	return invites, next, err
}

// InvitesToMe lists what the caller can still answer.
func (s *Service) InvitesToMe(ctx context.Context, p access.Principal, cursor string, limit int) ([]Invite, string, error) {
	if !p.SignedIn() {
		return nil, "", fault.ErrUnauthenticated
	}
	return page(cursor, limit, func(after uuid.UUID, limit int) ([]Invite, error) {
		return s.store.ListInvitesTo(ctx, p.UserID, s.now(), after, limit)
	}, inviteID)
}

func inviteID(i Invite) uuid.UUID { return i.ID }

// AcceptInvite makes the caller a member, if the invite is addressed to the
// caller's verified address; to everybody else it does not exist. Of many at
// once one succeeds, the others get ErrInviteNotPending. While the organization
// is suspended nobody joins it: ErrSuspended.
func (s *Service) AcceptInvite(ctx context.Context, p access.Principal, id uuid.UUID) (Invite, error) {
	return s.answer(ctx, p, id, Accept)
}

// RejectInvite declines, also while the organization is suspended; otherwise it
// is like AcceptInvite.
func (s *Service) RejectInvite(ctx context.Context, p access.Principal, id uuid.UUID) (Invite, error) {
	return s.answer(ctx, p, id, Reject)
}

func (s *Service) answer(ctx context.Context, p access.Principal, id uuid.UUID, a Answer) (Invite, error) {
	if !p.SignedIn() {
		return Invite{}, fault.ErrUnauthenticated
	}
	invite, err := s.store.AnswerInvite(ctx, id, p.UserID, a, s.now())
	if err != nil {
		return Invite{}, fmt.Errorf("org: %s invite: %w", a, err)
	}
	return invite, nil
}

// RevokeInvite withdraws a pending invite.
func (s *Service) RevokeInvite(ctx context.Context, p access.Principal, id uuid.UUID) error {
	invite, err := s.managed(ctx, p, id)
	if err != nil {
		return fmt.Errorf("org: revoke invite: %w", err)
	}
	now := s.now()
	record := audit.Entry{OrgID: invite.OrgID, ActorID: p.UserID, Action: audit.InviteRevoked, SubjectID: id, At: now, Before: audit.Details{"role": invite.Role}}
	if err := s.store.RevokeInvite(ctx, id, now, record); err != nil {
		return fmt.Errorf("org: revoke invite: %w", err)
	}
	return nil
}

// ResendInvite asks for the mail of a pending invite once more, and gives the
// invite a whole life from now on. It is refused where that was done a moment
// ago or too often, where the person has become a member, and where the
// address or the inviter had their share of the day.
func (s *Service) ResendInvite(ctx context.Context, p access.Principal, id uuid.UUID) (Invite, error) {
	invite, err := s.managed(ctx, p, id)
	if err != nil {
		return Invite{}, fmt.Errorf("org: resend invite: %w", err)
	}
	sent, err := s.store.ResendInvite(ctx, p.UserID, invite.OrgID, id, s.now())
	if err != nil {
		return Invite{}, fmt.Errorf("org: resend invite: %w", err)
	}
	return sent, nil
}

// managed gives an invite that the caller may send again or withdraw. Only the
// organization's admins and the invited know that it exists.
func (s *Service) managed(ctx context.Context, p access.Principal, id uuid.UUID) (Addressed, error) {
	invite, err := s.store.FindInvite(ctx, id, p.UserID)
	if err != nil {
		return Addressed{}, err
	}
	if !access.Allows(access.InvitesManage, p, invite.CallerRole, access.Thing{OrgID: invite.OrgID}) {
		if invite.ToCaller {
			return Addressed{}, fault.ErrForbidden
		}
		return Addressed{}, fault.ErrNotFound
	}
	return invite, nil
}

// InviteByToken gives the invite to which a mailed link leads, whoever opens
// it; ToCaller tells whether the caller's account is the one that can answer.
// The link of an earlier mail of the same invite leads nowhere.
func (s *Service) InviteByToken(ctx context.Context, p access.Principal, token string) (Addressed, error) {
	if len(token) != base64.RawURLEncoding.EncodedLen(tokenBytes) {
		return Addressed{}, fault.ErrNotFound
	}
	invite, err := s.store.FindInviteByToken(ctx, hashToken(token), p.UserID)
	if err != nil {
		return Addressed{}, fmt.Errorf("org: invite by token: %w", err)
	}
	invite.Status = invite.StatusAt(s.now())
	return invite, nil
}

// InviteLink is what the mail to an invited person is made of.
type InviteLink struct {
	Email   string
	OrgName string // without what a mail program would make a link of
	Role    access.Role
	URL     string
}

// MintInviteLink makes the secret of an invite's link at the moment when the
// mail is sent. It may run again for the same invite; only the newest link
// counts. ErrInviteNotPending means that there is nothing to send any more.
func (s *Service) MintInviteLink(ctx context.Context, id uuid.UUID) (InviteLink, error) {
	token, hash := newToken()
	invite, err := s.store.SetInviteToken(ctx, id, hash, s.now())
	if err != nil {
		return InviteLink{}, fmt.Errorf("org: mint invite link: %w", err)
	}
	return InviteLink{
		Email: invite.Email, OrgName: user.WithoutLinks(invite.OrgName), Role: invite.Role,
		URL: s.publicURL + "/invites?" + url.Values{"token": {token}}.Encode(),
	}, nil
}

// Sweep closes overdue invites and tells how many. It may run anywhere, any
// number of times.
func (s *Service) Sweep(ctx context.Context) (int, error) {
	for total := 0; ; {
		n, err := s.store.ExpireInvites(ctx, s.now(), SweepBatch)
		if err != nil {
			return total, fmt.Errorf("org: sweep: %w", err)
		}
		total += n
		if n < SweepBatch {
			return total, nil
		}
	}
}
