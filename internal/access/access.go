// Package access knows who is asking and holds the one table of who may do
// what. It knows plain attributes only (organization, owner, visibility), so
// that every room can ask it.
package access

import (
	"context"
	"maps"
	"slices"

	"github.com/google/uuid"

	"happening/internal/fault"
)

// Role is a member's place in one organization.
type Role string

// The roles, from least to most.
const (
	NoRole    Role = "" // not a member
	User      Role = "user"
	Organizer Role = "organizer"
	OrgAdmin  Role = "orgAdmin"
)

// Valid says whether the role is one that a member can have.
func (r Role) Valid() bool { return r == User || r == Organizer || r == OrgAdmin }

// Above says whether the role allows more than the other one.
func (r Role) Above(other Role) bool {
	return slices.Index(order, r) > slices.Index(order, other)
}

// order is from least to most; what is no role at all is below everything.
var order = []Role{NoRole, User, Organizer, OrgAdmin}

// Principal is who asks. The zero value is a visitor who is not signed in.
type Principal struct {
	UserID uuid.UUID
	// SessionID names the browser session; empty for a bearer token.
	SessionID string
}

// SignedIn says whether anybody is known to ask.
func (p Principal) SignedIn() bool { return p.UserID != uuid.Nil }

// Roles tells a person's role in an organization as PostgreSQL has it now;
// NoRole for a stranger.
type Roles interface {
	RoleOf(ctx context.Context, userID, orgID uuid.UUID) (Role, error)
}

// Thing is what an action is about, in plain attributes.
type Thing struct {
	OrgID       uuid.UUID
	OwnerID     uuid.UUID // who booked it, whom it is addressed to
	MembersOnly bool
}

// Action is something that a route does; every route names one.
type Action string

// The actions.
const (
	Anyone         Action = "anyone"         // open to visitors
	SignedIn       Action = "signed_in"      // about oneself only
	EventCreate    Action = "event.create"   // in the named organization
	EventRead      Action = "event.read"     // public: all; members-only: members
	EventWrite     Action = "event.write"    // change, delete, cancel
	EventBook      Action = "event.book"     // book and hold
	EventBookFor   Action = "event.book_for" // for somebody else, by their address
	EventSales     Action = "event.sales"    // see bookings and waitlist
	BookingRead    Action = "booking.read"   // the booker, and who runs the event
	BookingChange  Action = "booking.change" // cancel, cancel seats
	BookingRun     Action = "booking.run"    // move to other seats, promote by hand
	OrgRead        Action = "org.read"       // name and public page
	MembersRead    Action = "members.read"
	MembersManage  Action = "members.manage" // change roles
	MemberRemove   Action = "member.remove"  // of oneself: leave
	InvitesManage  Action = "invites.manage"
	OrgWrite       Action = "org.write"   // settings, logo, delete
	AuditRead      Action = "audit.read"  // the organization's whole record
	EventAudit     Action = "event.audit" // what was done to one event
	OperatorAction Action = "operator"    // only on the operators' address
)

// rule says who may do an action. A thing that a caller may not read is
// hidden from them: the answer is 404, the same as for an absent one.
type rule struct {
	visitor  bool   // also without sign-in, unless members-only
	signedIn bool   // anyone signed in, unless members-only
	owner    bool   // the person whose thing it is
	roles    []Role // members with one of these roles
	hidden   bool   // who may not do it may not know of the thing either
}

var (
	anyMember = []Role{User, Organizer, OrgAdmin}
	runners   = []Role{Organizer, OrgAdmin}
	admins    = []Role{OrgAdmin}
)

// table is the one place that says who may do what.
var table = map[Action]rule{
	Anyone:        {visitor: true, signedIn: true},
	SignedIn:      {signedIn: true},
	EventCreate:   {roles: runners},
	EventRead:     {visitor: true, signedIn: true, roles: anyMember, hidden: true},
	EventWrite:    {roles: runners},
	EventBook:     {signedIn: true, roles: anyMember},
	EventBookFor:  {roles: runners},
	EventSales:    {roles: runners},
	BookingRead:   {owner: true, roles: runners, hidden: true},
	BookingChange: {owner: true, roles: runners, hidden: true},
	BookingRun:    {roles: runners},
	OrgRead:       {visitor: true, signedIn: true},
	MembersRead:   {roles: anyMember},
	MembersManage: {roles: admins},
	MemberRemove:  {owner: true, roles: admins},
	InvitesManage: {roles: admins},
	OrgWrite:      {roles: admins},
	AuditRead:     {roles: admins},
	EventAudit:    {roles: runners},
}

// Known says whether the action stands in the table; a route that names
// another fails the build's tests.
func Known(a Action) bool { _, ok := table[a]; return ok || a == OperatorAction }

// Actions lists what stands in the table, for tests that must cover it.
func Actions() []Action { return slices.Sorted(maps.Keys(table)) }

// RolesFor lists the roles that may do the action in their organization, for
// the second wall, which lets in nobody else.
func RolesFor(a Action) []Role { return slices.Clone(table[a].roles) }

// Allows says whether a caller with this role in the thing's organization may
// do the action. It looks at nothing but its arguments.
func Allows(a Action, p Principal, role Role, t Thing) bool {
	r, ok := table[a]
	if !ok {
		return false
	}
	for _, want := range r.roles {
		if role == want && p.SignedIn() {
			return true
		}
	}
	if r.owner && p.SignedIn() && p.UserID == t.OwnerID {
		return true
	}
	if t.MembersOnly {
		return false
	}
	return r.visitor || (r.signedIn && p.SignedIn())
}

// Check answers nil where the caller may do the action and the right fault
// where not: not found for what the caller may not know of, else 401 without
// sign-in and 403 with. Errors of the role lookup are returned as they are.
func Check(ctx context.Context, roles Roles, a Action, p Principal, t Thing) error {
	role := NoRole
	if p.SignedIn() && t.OrgID != uuid.Nil && needsRole(a, p, t) {
		var err error
		if role, err = roles.RoleOf(ctx, p.UserID, t.OrgID); err != nil {
			return err
		}
	}
	return Decide(a, p, role, t)
}

// Decide is Check for a caller whose role is known already, for instance
// because it was read together with the thing.
func Decide(a Action, p Principal, role Role, t Thing) error {
	switch {
	case Allows(a, p, role, t):
		return nil
	case table[a].hidden, t.MembersOnly && role == NoRole:
		return fault.ErrNotFound
	case !p.SignedIn():
		return fault.ErrUnauthenticated
	default:
		return fault.ErrForbidden
	}
}

// needsRole spares the lookup where the answer is yes without it, above all
// for booking at a public event.
func needsRole(a Action, p Principal, t Thing) bool {
	return !Allows(a, p, NoRole, t)
}
