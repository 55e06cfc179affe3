// Package audit says what must be recorded of the running of an organization:
// who did what to which thing, and how the thing stood before and after. The
// record is written in the transaction of the change itself and can only be
// appended to.
//
// An entry holds ids and settings, never a person's name, mail or network
// address: those stand in rows that can be erased, to which the ids refer.
package audit

import (
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
)

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
