// Package audit says what must be recorded of the running of an organization:
// who did what to which thing, and how the thing stood before and after. The
// record is written in the transaction of the change itself and can only be
// appended to.
//
// An entry holds ids and settings, never a person's name, mail or network
// address: those stand in rows that can be erased, to which the ids refer.
package audit

import (
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Action is what was done; it is stored as it stands here and never renamed.
type Action string

// The actions that are recorded.
const (
	OrgCreated     Action = "org.created"
	OrgUpdated     Action = "org.updated"
	OrgDeleted     Action = "org.deleted"
	OrgSuspended   Action = "org.suspended" // by the operator
	OrgResumed     Action = "org.resumed"
	InviteCreated  Action = "invite.created"
	InviteResent   Action = "invite.resent"
	InviteRevoked  Action = "invite.revoked"
	InviteRejected Action = "invite.rejected"
	MemberJoined   Action = "member.joined" // by accepting an invite
	RoleChanged    Action = "member.role_changed"
	MemberRemoved  Action = "member.removed"
	MemberLeft     Action = "member.left"
	MemberErased   Action = "member.erased" // had everything about them erased
	EventCreated   Action = "event.created"
	EventUpdated   Action = "event.updated"
	EventCancelled Action = "event.cancelled"
	EventDeleted   Action = "event.deleted"
	LayoutChanged  Action = "event.layout_changed"
	BlocksChanged  Action = "event.blocks_changed" // seats taken off sale, or put on sale again

	// What those who run an event did to a booking there. The subject is the
	// event; the booking is named by its id.
	BookedFor        Action = "event.booked_for" // for somebody, by their address
	BookingCancelled Action = "event.booking_cancelled"
	SeatsCancelled   Action = "event.seats_cancelled"
	PartyResized     Action = "event.party_resized"
	BookingMoved     Action = "event.booking_moved"
	BookingPromoted  Action = "event.booking_promoted"
)

// actions are all of them, in the order in which they are offered.
var actions = []Action{
	OrgCreated, OrgUpdated, OrgDeleted, OrgSuspended, OrgResumed,
	InviteCreated, InviteResent, InviteRevoked, InviteRejected,
	MemberJoined, RoleChanged, MemberRemoved, MemberLeft, MemberErased,
	EventCreated, EventUpdated, EventCancelled, EventDeleted, LayoutChanged, BlocksChanged,
	BookedFor, BookingCancelled, SeatsCancelled, PartyResized, BookingMoved, BookingPromoted,
}

// Actions lists what is recorded.
func Actions() []Action { return slices.Clone(actions) }

// Kind is what sort of thing an action was done to.
type Kind string

// The kinds.
const (
	Organization Kind = "organization"
	Invite       Kind = "invite"
	Member       Kind = "member" // by the id of the person
	Event        Kind = "event"
)

// Kind tells of what sort the action's subject is.
func (a Action) Kind() Kind {
	switch sort, _, _ := strings.Cut(string(a), "."); sort {
	case "invite":
		return Invite
	case "member":
		return Member
	case "event":
		return Event
	default:
		return Organization
	}
}

// DeletedAccount stands where the name of a person stood who is no more.
const DeletedAccount = "Deleted account"

// Entry is one line of an organization's record.
type Entry struct {
	OrgID uuid.UUID
	// ActorID is who did it; uuid.Nil where the system did.
	ActorID uuid.UUID
	Action  Action
	// SubjectID is what it was done to: an event, an invite, a member.
	SubjectID uuid.UUID
	At        time.Time
	Before    Details // nil for a thing that was not there
	After     Details // nil for a thing that is gone
}

// Details are the plain attributes of a thing at one moment.
type Details map[string]any
