package org

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/fault"
)

// MaxMemberQuery bounds what one searches members by, in characters.
const MaxMemberQuery = 100

// ErrLastOrgAdmin keeps an organization from being left to nobody.
var ErrLastOrgAdmin = fault.New(fault.Conflict, "last_org_admin", "The last orgAdmin of an organization has to stay one. Make somebody else orgAdmin first.")

// Member is a person's place in one organization.
type Member struct {
	UserID    uuid.UUID
	Name      string
	Email     string // empty where the viewer may not see addresses
	Role      access.Role
	CreatedAt time.Time
}

// MemberFilter says which members a list is about. Zero fields don't filter.
type MemberFilter struct {
	Role access.Role
	// Query must begin a word of the name or, where Addresses says so, a part
	// of the address.
	Query string
	// Addresses says whether the viewer sees addresses. Who does not can't find
	// members by them either, or would learn them letter by letter.
	Addresses bool
}

// judge tells every field that is not valid.
func (f *MemberFilter) judge() error {
	var bad []fault.Field
	if f.Role != access.NoRole && !f.Role.Valid() {
		bad = append(bad, fault.Field{Name: "role", Message: "Use user, organizer or orgAdmin."})
	}
	f.Query = strings.TrimSpace(f.Query)
	switch {
	case utf8.RuneCountInString(f.Query) > MaxMemberQuery:
		bad = append(bad, fault.Field{Name: "q", Message: fmt.Sprintf("Use at most %d characters.", MaxMemberQuery)})
	case !utf8.ValidString(f.Query) || strings.ContainsFunc(f.Query, unicode.IsControl):
		bad = append(bad, fault.Field{Name: "q", Message: "Use plain text on one line."})
	}
	if len(bad) > 0 {
		return fault.InvalidFields(bad...)
	}
	return nil
}

// MemberStore keeps who belongs to an organization, and as what. What the
// methods that change something decide by is a Standing, which stays true until
// they have committed, also when many come at once.
type MemberStore interface {
	// ListMembers reads members for a member, without addresses where the
	// filter says so.
	ListMembers(ctx context.Context, viewer, orgID uuid.UUID, f MemberFilter, after uuid.UUID, limit int) ([]Member, error)
	// SetRole changes a member's role where Standing.SetRole allows it, with a
	// record; the role that they have already changes and records nothing. With
	// orgAdmin go the invites that they made and nobody has answered.
	SetRole(ctx context.Context, actor, orgID, userID uuid.UUID, role access.Role, now time.Time) (Member, error)
	// RemoveMember ends a membership where Standing.Remove allows it, with a
	// record; one's own is left. The invites that they made and nobody has
	// answered are withdrawn.
	RemoveMember(ctx context.Context, actor, orgID, userID uuid.UUID, now time.Time) error
}

// Standing is what is decided by when a membership changes: how things stand
// while nobody else changes a membership of the organization.
type Standing struct {
	Actor  access.Role
	Member access.Role // of whom it is about; NoRole: not a member
	Itself bool        // the actor is whom it is about
	Admins int         // members who are orgAdmin
}

// SetRole tells why the member can't be given the role, nil where they can.
func (s Standing) SetRole(role access.Role) error {
	switch {
	case !access.Allows(access.MembersManage, someone, s.Actor, access.Thing{}):
		return fault.ErrForbidden
	case s.Member == access.NoRole:
		return fault.ErrNotFound
	case role != access.OrgAdmin && s.isLastAdmin():
		return ErrLastOrgAdmin
	}
	return nil
}

// Remove tells why the membership can't end, nil where it can.
func (s Standing) Remove() error {
	switch {
	case !s.Itself && !access.Allows(access.MemberRemove, someone, s.Actor, access.Thing{}):
		return fault.ErrForbidden
	case s.Member == access.NoRole:
		return fault.ErrNotFound
	case s.isLastAdmin():
		return ErrLastOrgAdmin
	}
	return nil
}

func (s Standing) isLastAdmin() bool { return s.Member == access.OrgAdmin && s.Admins < 2 }

// someone is signed in and owns nothing, so that only the role counts.
var someone = access.Principal{UserID: uuid.Max}

// Members lists an organization's members to its members: names to all of
// them, addresses to those who run events or the organization.
func (s *Service) Members(ctx context.Context, p access.Principal, orgID uuid.UUID, f MemberFilter, cursor string, limit int) ([]Member, string, error) {
	o, err := s.permit(ctx, access.MembersRead, p, orgID)
	if err != nil {
		return nil, "", err
	}
	if err := f.judge(); err != nil {
		return nil, "", err
	}
	f.Addresses = o.Role.Above(access.User)
	return page(cursor, limit, func(after uuid.UUID, limit int) ([]Member, error) {
		return s.store.ListMembers(ctx, p.UserID, orgID, f, after, limit)
	}, func(m Member) uuid.UUID { return m.UserID })
}

// SetRole gives a member another role, which counts from the next request on.
// The last orgAdmin stays one: ErrLastOrgAdmin. Of who stops being orgAdmin, the
// invites that nobody has answered are withdrawn.
func (s *Service) SetRole(ctx context.Context, p access.Principal, orgID, userID uuid.UUID, role access.Role) (Member, error) {
	if _, err := s.permit(ctx, access.MembersManage, p, orgID); err != nil {
		return Member{}, err
	}
	if !role.Valid() {
		return Member{}, fault.InvalidFields(fault.Field{Name: "role", Message: "Use user, organizer or orgAdmin."})
	}
	m, err := s.store.SetRole(ctx, p.UserID, orgID, userID, role, s.now())
	if err != nil {
		return Member{}, fmt.Errorf("org: set role: %w", err)
	}
	s.changed(ctx, userID)
	return m, nil
}

// RemoveMember ends somebody's membership; anybody can leave. What the person
// has booked stays theirs; the invites that they made and nobody has answered
// are withdrawn. The last orgAdmin stays: ErrLastOrgAdmin.
func (s *Service) RemoveMember(ctx context.Context, p access.Principal, orgID, userID uuid.UUID) error {
	o, err := s.store.FindOrg(ctx, orgID, p.UserID)
	if err != nil {
		return fmt.Errorf("org: find: %w", err)
	}
	if err := access.Decide(access.MemberRemove, p, o.Role, access.Thing{OrgID: orgID, OwnerID: userID}); err != nil {
		return err
	}
	if o.Role == access.NoRole { // there is nothing to leave
		return fault.ErrNotFound
	}
	if err := s.store.RemoveMember(ctx, p.UserID, orgID, userID, s.now()); err != nil {
		return fmt.Errorf("org: remove member: %w", err)
	}
	s.changed(ctx, userID)
	return nil
}
