// Package event knows what an event is: its settings and their rules, its
// lifecycle by the clock, and how its numbered seats lie in rows.
package event

import (
	"time"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/audit"
)

// Status is where an event stands in its life.
type Status string

// The lifecycle. All but Cancelled follow from the clock.
const (
	Upcoming  Status = "upcoming"
	Ongoing   Status = "ongoing"
	Completed Status = "completed"
	Cancelled Status = "cancelled"
)

// Visibility says who may see and book an event.
type Visibility string

// Public events are seen by everybody and booked by anyone signed in;
// members-only events exist for the organization's members alone.
const (
	Public  Visibility = "public"
	Members Visibility = "members"
)

// WaitlistPolicy says whether a party may be served before one that has
// waited longer.
type WaitlistPolicy string

// Strict never overtakes; Fit serves the first in order that fits.
const (
	Strict WaitlistPolicy = "strict"
	Fit    WaitlistPolicy = "fit"
)

// WaitlistLimit bounds how many parties wait at a time; the zero value does
// not. Who waits already stays when the limit is lowered.
type WaitlistLimit struct {
	Limited bool
	Parties int32 // 0: there is no waitlist
}

// AtMost is the limit of so many parties.
func AtMost(parties int32) WaitlistLimit { return WaitlistLimit{Limited: true, Parties: parties} }

// Number gives the limit as it is stored and shown: nil for none.
func (l WaitlistLimit) Number() *int32 {
	if !l.Limited {
		return nil
	}
	return &l.Parties
}

// NoWaitlist says that nobody can wait.
func (l WaitlistLimit) NoWaitlist() bool { return l.Limited && l.Parties == 0 }

// Reached says whether no more can join where so many wait.
func (l WaitlistLimit) Reached(waiting int32) bool { return l.Limited && waiting >= l.Parties }

// Event is everything that is stored of an event. Times are UTC.
type Event struct {
	ID          uuid.UUID
	OrgID       uuid.UUID
	OrgName     string // read along with the event, never written through it
	Name        string
	Description string // Markdown without HTML
	Category    string // a short lower-case word
	Venue       string
	Settings
	AvailableSlots int32 // total − sold − blocked
	WaitingParties int32
	Version        int64 // moves with every change of seats, waitlist or settings
	Revision       int64 // moves with the settings only; the ETag
	// Layout is how; only the booking room reads it along with the event.
	Layout    *Layout
	CreatedBy uuid.UUID
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Settings is the part of an event that booking rules read.
type Settings struct {
	StartsAt        time.Time
	EndsAt          time.Time
	TimeZone        string // IANA
	TotalSlots      int32
	MaxSeatsPerUser int32 // 0: no limit
	Visibility      Visibility
	WaitlistPolicy  WaitlistPolicy
	WaitlistLimit   WaitlistLimit
	CancelledAt     time.Time // zero: not cancelled
	// LayoutRevision is the revision at which the seats were laid out; 0: they
	// lie in the default rows.
	LayoutRevision int64
	OrgSuspended   bool // the organization is suspended: readable, not bookable
}

// StatusAt gives the status by the clock; no job needs to have run.
func (s *Settings) StatusAt(now time.Time) Status {
	switch {
	case !s.CancelledAt.IsZero():
		return Cancelled
	case now.Before(s.StartsAt):
		return Upcoming
	case now.Before(s.EndsAt):
		return Ongoing
	default:
		return Completed
	}
}

// Thing gives what the access table needs to know of the event. The events of
// a suspended organization exist for its members alone.
func (e *Event) Thing() access.Thing {
	return access.Thing{OrgID: e.OrgID, MembersOnly: e.Visibility == Members || e.OrgSuspended}
}

// Audit gives the settings that the record keeps; the texts stand in the
// event itself.
func (e *Event) Audit() audit.Details {
	d := audit.Details{
		"starts_at":       e.StartsAt,
		"ends_at":         e.EndsAt,
		"time_zone":       e.TimeZone,
		"total_slots":     e.TotalSlots,
		"visibility":      e.Visibility,
		"waitlist_policy": e.WaitlistPolicy,
		"revision":        e.Revision,
	}
	if e.LayoutRevision > 0 {
		d["layout_revision"] = e.LayoutRevision
	}
	if e.MaxSeatsPerUser > 0 {
		d["max_seats_per_user"] = e.MaxSeatsPerUser
	}
	if limit := e.WaitlistLimit.Number(); limit != nil {
		d["waitlist_limit"] = *limit
	}
	if !e.CancelledAt.IsZero() {
		d["cancelled_at"] = e.CancelledAt
	}
	return d
}

// AuditSince is Audit with the names of the texts that differ from what the
// event was. The texts themselves stay out, since people are named in them and
// the record is never erased.
func (e *Event) AuditSince(was *Event) audit.Details {
	d := e.Audit()
	var changed []string
	for _, text := range []struct{ name, was, is string }{
		{"name", was.Name, e.Name}, {"description", was.Description, e.Description},
		{"category", was.Category, e.Category}, {"venue", was.Venue, e.Venue},
	} {
		if text.was != text.is {
			changed = append(changed, text.name)
		}
	}
	if changed != nil {
		d["changed"] = changed
	}
	return d
}
