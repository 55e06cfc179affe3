package event

import (
	"time"

	"github.com/google/uuid"
)

// The kinds of facts that happen to events, as the outbox stores them.
const (
	KindUpdated   = "event.updated"
	KindCancelled = "event.cancelled"
	// KindBlocked is of seats taken off sale, or put on sale again; nobody who
	// booked needs to be told.
	KindBlocked = "event.blocks_changed"
)

// Notable is the part of an event of which people who booked are told when it
// changes.
type Notable struct {
	Name     string    `json:"name"`
	StartsAt time.Time `json:"starts_at"`
	EndsAt   time.Time `json:"ends_at"`
	TimeZone string    `json:"time_zone"`
	Venue    string    `json:"venue"`
	// Layout is the revision at which the seats were laid out, 0 for the
	// default rows: seats have other names where it differs.
	Layout int64 `json:"layout,omitempty"`
}

// Updated is the fact that an event's settings changed; it carries both
// states so that a message can say what the change was, also when the event
// has changed again since. Nobody needs to be told where Changed is empty.
type Updated struct {
	EventID  uuid.UUID `json:"event_id"`
	OrgID    uuid.UUID `json:"org_id"`
	ActorID  uuid.UUID `json:"actor_id"`
	Revision int64     `json:"revision"`
	// Changed names the fields of Notable that differ, in their order there.
	Changed []string `json:"changed"`
	Before  Notable  `json:"before"`
	After   Notable  `json:"after"`
}

// CancelledFact is the fact that an event was cancelled by hand.
type CancelledFact struct {
	EventID uuid.UUID `json:"event_id"`
	OrgID   uuid.UUID `json:"org_id"`
	ActorID uuid.UUID `json:"actor_id"`
	Event   Notable   `json:"event"`
}

// Notable gives the part of the event that messages are made of.
func (e *Event) Notable() Notable {
	return Notable{Name: e.Name, StartsAt: e.StartsAt, EndsAt: e.EndsAt, TimeZone: e.TimeZone, Venue: e.Venue, Layout: e.LayoutRevision}
}

// UpdatedFrom tells what Apply made of an event.
func UpdatedFrom(before, after *Event, actorID uuid.UUID) Updated {
	b, a := before.Notable(), after.Notable()
	return Updated{
		EventID: after.ID, OrgID: after.OrgID, ActorID: actorID, Revision: after.Revision,
		Changed: differences(b, a), Before: b, After: a,
	}
}

// Blocked is the fact that seats were taken off sale or put on sale again. The
// seats are ranges: "1-20, 25".
type Blocked struct {
	EventID   uuid.UUID `json:"event_id"`
	OrgID     uuid.UUID `json:"org_id"`
	ActorID   uuid.UUID `json:"actor_id"`
	Blocked   string    `json:"blocked"`
	Unblocked string    `json:"unblocked"`
}

// CancelledBy tells that the event was cancelled.
func CancelledBy(e *Event, actorID uuid.UUID) CancelledFact {
	return CancelledFact{EventID: e.ID, OrgID: e.OrgID, ActorID: actorID, Event: e.Notable()}
}

func differences(b, a Notable) []string {
	changed := []string{}
	for _, field := range []struct {
		name   string
		differ bool
	}{
		{"name", b.Name != a.Name},
		{"starts_at", !b.StartsAt.Equal(a.StartsAt)},
		{"ends_at", !b.EndsAt.Equal(a.EndsAt)},
		{"time_zone", b.TimeZone != a.TimeZone},
		{"venue", b.Venue != a.Venue},
		{"layout", b.Layout != a.Layout},
	} {
		if field.differ {
			changed = append(changed, field.name)
		}
	}
	return changed
}
