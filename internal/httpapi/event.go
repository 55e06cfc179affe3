package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/booking"
	"happening/internal/event"
)

// eventRoutes are those of events.
func (s *Server) eventRoutes() []route {
	return []route{
		on(get, "/events", access.EventRead, about{id: "list-events", tag: tagEvents, summary: "List events",
			more: "By start, the earliest first. Members-only events show to their organization's members."}, s.listEvents),
		on(post, "/events", access.EventCreate, about{id: "create-event", tag: tagEvents, summary: "Create an event", status: created,
			errors: []int{conflict}}, s.createEvent),
		on(get, "/events/{id}", access.EventRead, about{id: "get-event", tag: tagEvents, summary: "Read an event",
			more: "The ETag is the revision of the settings; sales don't move it."}, s.getEvent),
		on(put, "/events/{id}", access.EventWrite, about{id: "update-event", tag: tagEvents, summary: "Change an event",
			more: "Changes the fields given and keeps the others.", errors: []int{conflict, stale}}, s.updateEvent),
		on(del, "/events/{id}", access.EventWrite, about{id: "delete-event", tag: tagEvents, summary: "Delete an event", status: none,
			more: "Only while nobody ever booked (`event_has_bookings`); cancel it instead.", errors: []int{conflict}}, s.deleteEvent),
		on(post, "/events/{id}/cancel", access.EventWrite, about{id: "cancel-event", tag: tagEvents, summary: "Cancel an event",
			more: "At once and for good; its bookings read as cancelled from then on, and their people are told.", errors: []int{conflict}}, s.cancelEvent),
	}
}

// Event is an event as its readers see it.
type Event struct {
	ID              uuid.UUID `json:"id" format:"uuid"`
	OrgID           uuid.UUID `json:"org_id" format:"uuid"`
	OrgName         string    `json:"org_name"`
	Name            string    `json:"name"`
	Description     string    `json:"description" doc:"Markdown without HTML."`
	Category        string    `json:"category"`
	StartsAt        time.Time `json:"starts_at"`
	EndsAt          time.Time `json:"ends_at"`
	TimeZone        string    `json:"time_zone" doc:"IANA name of the zone in which the event takes place."`
	Venue           string    `json:"venue"`
	TotalSlots      int32     `json:"total_slots" doc:"Numbered seats, 1…N."`
	AvailableSlots  int32     `json:"available_slots"`
	WaitingParties  int32     `json:"waiting_parties"`
	MaxSeatsPerUser *int32    `json:"max_seats_per_user" doc:"null: no limit."`
	Visibility      string    `json:"visibility" enum:"public,members"`
	WaitlistPolicy  string    `json:"waitlist_policy" enum:"strict,fit"`
	WaitlistLimit   *int32    `json:"waitlist_limit" doc:"How many parties may wait; 0: there is no waitlist; null: no limit."`
	Status          string    `json:"status" enum:"upcoming,ongoing,completed,cancelled"`
	LayoutRevision  int64     `json:"layout_revision" doc:"The revision at which the seats were laid out; 0: they lie in rows of 20."`
	Revision        int64     `json:"revision" doc:"Moves with the settings; also the ETag."`
	CreatedAt       time.Time `json:"created_at"`
	UpdatedAt       time.Time `json:"updated_at"`
	CanManage       bool      `json:"can_manage" doc:"Whether you may change, cancel and delete it."`
}

func (s *Server) showEvent(v event.View) Event {
	return Event{
		ID: v.ID, OrgID: v.OrgID, OrgName: v.OrgName, Name: v.Name, Description: v.Description,
		Category: v.Category, StartsAt: v.StartsAt.UTC(), EndsAt: v.EndsAt.UTC(), TimeZone: v.TimeZone, Venue: v.Venue,
		TotalSlots: v.TotalSlots, AvailableSlots: v.AvailableSlots, WaitingParties: v.WaitingParties,
		MaxSeatsPerUser: orNull(v.MaxSeatsPerUser), Visibility: string(v.Visibility), WaitlistPolicy: string(v.WaitlistPolicy),
		WaitlistLimit: v.WaitlistLimit.Number(), Status: string(v.StatusAt(s.deps.Now())), LayoutRevision: v.LayoutRevision, Revision: v.Revision,
		CreatedAt: v.CreatedAt.UTC(), UpdatedAt: v.UpdatedAt.UTC(), CanManage: v.CanManage,
	}
}

// eventAnswer is an event with the tag of its settings.
type eventAnswer struct {
	ETag     string `header:"ETag" doc:"The revision of the settings."`
	Location string `header:"Location"`
	Body     Event
}

func (s *Server) eventAnswer(v event.View) *eventAnswer {
	return &eventAnswer{ETag: revisionTag(v.Revision), Body: s.showEvent(v)}
}

// EventPath names an event.
type EventPath struct {
	ID uuid.UUID `path:"id" format:"uuid"`
}

// EventCreate is what an organizer says of a new event.
type EventCreate struct {
	OrgID           uuid.UUID  `json:"org_id" format:"uuid"`
	Name            string     `json:"name" doc:"At most 200 characters."`
	Description     string     `json:"description,omitempty" doc:"Markdown without HTML, at most 20,000 characters."`
	Category        string     `json:"category" doc:"A short lower-case word. Offered: conference, concert, theatre, sport, workshop, meetup, course, festival, community, other."`
	StartsAt        time.Time  `json:"starts_at"`
	EndsAt          time.Time  `json:"ends_at"`
	TimeZone        string     `json:"time_zone" doc:"IANA name." example:"Europe/Berlin"`
	Venue           string     `json:"venue,omitempty" doc:"At most 300 characters."`
	TotalSlots      whole      `json:"total_slots" minimum:"1" maximum:"1000000"`
	MaxSeatsPerUser seatLimit  `json:"max_seats_per_user,omitempty" doc:"null: no limit. Default: 10."`
	Visibility      string     `json:"visibility,omitempty" enum:"public,members" default:"public"`
	WaitlistPolicy  string     `json:"waitlist_policy,omitempty" enum:"strict,fit" default:"strict"`
	WaitlistLimit   partyLimit `json:"waitlist_limit,omitempty" doc:"How many parties may wait; 0: there is no waitlist; null: no limit. Default: 10 × total_slots."`
}

// EventUpdate is what is to be changed; what is left out stays.
type EventUpdate struct {
	Name            *string    `json:"name,omitempty" doc:"At most 200 characters."`
	Description     *string    `json:"description,omitempty" doc:"Markdown without HTML, at most 20,000 characters."`
	Category        *string    `json:"category,omitempty"`
	StartsAt        *time.Time `json:"starts_at,omitempty"`
	EndsAt          *time.Time `json:"ends_at,omitempty"`
	TimeZone        *string    `json:"time_zone,omitempty"`
	Venue           *string    `json:"venue,omitempty"`
	TotalSlots      *whole     `json:"total_slots,omitempty" minimum:"1" maximum:"1000000" doc:"Not below a sold seat's number (capacity_below_sold)."`
	MaxSeatsPerUser seatLimit  `json:"max_seats_per_user,omitempty" doc:"null: no limit."`
	Visibility      *string    `json:"visibility,omitempty" enum:"public,members"`
	WaitlistPolicy  *string    `json:"waitlist_policy,omitempty" enum:"strict,fit"`
	WaitlistLimit   partyLimit `json:"waitlist_limit,omitempty" doc:"0: there is no waitlist; null: no limit. Who waits already stays."`
}

// limit is a number, null, or left out; the three differ.
type limit struct{ event.Limit }

// UnmarshalJSON implements json.Unmarshaler.
func (l *limit) UnmarshalJSON(data []byte) error {
	if bytes.Equal(data, []byte("null")) {
		l.Limit = event.NoLimit()
		return nil
	}
	var n whole
	if err := n.UnmarshalJSON(data); err != nil {
		return err
	}
	l.Limit = event.LimitOf(int64(n))
	return nil
}

// seatLimit is a limit of seats, partyLimit one of parties that wait.
type (
	seatLimit  struct{ limit }
	partyLimit struct{ limit }
)

// Schema implements huma.SchemaProvider.
func (seatLimit) Schema(huma.Registry) *huma.Schema { return numberOrNull(1, event.MaxTotalSlots) }

// Schema implements huma.SchemaProvider.
func (partyLimit) Schema(huma.Registry) *huma.Schema { return numberOrNull(0, event.MaxWaitlistLimit) }

func numberOrNull(least, most float64) *huma.Schema {
	return &huma.Schema{Type: huma.TypeInteger, Nullable: true, Minimum: &least, Maximum: &most}
}

func (s *Server) listEvents(ctx context.Context, in *struct {
	Page
	OrgID    uuid.UUID `query:"org_id" format:"uuid" doc:"Only this organization's."`
	Category string    `query:"category" maxLength:"200"`
	Status   string    `query:"status" enum:"upcoming,ongoing,completed,cancelled"`
	Query    string    `query:"q" maxLength:"200" doc:"Words, each of which begins a word of name, venue or category; the first eight count."`
	From     time.Time `query:"from" doc:"Only those that start then or later."`
	To       time.Time `query:"to" doc:"Only those that start before."`
}) (*answer[List[Event]], error) {
	views, next, err := s.deps.Events.List(ctx, principal(ctx), event.Filter{
		OrgID: in.OrgID, Category: in.Category, Status: event.Status(in.Status), Query: in.Query, From: in.From, To: in.To,
	}, in.Cursor, in.Limit)
	if err != nil {
		return nil, err
	}
	return listed(views, next, s.showEvent), nil
}

func (s *Server) createEvent(ctx context.Context, in *struct{ Body EventCreate }) (*eventAnswer, error) {
	b := &in.Body
	v, err := s.deps.Events.Create(ctx, principal(ctx), event.Draft{
		OrgID: b.OrgID, Name: b.Name, Description: b.Description, Category: b.Category, Venue: b.Venue,
		StartsAt: b.StartsAt, EndsAt: b.EndsAt, TimeZone: b.TimeZone, TotalSlots: int64(b.TotalSlots),
		MaxSeatsPerUser: b.MaxSeatsPerUser.Limit, WaitlistLimit: b.WaitlistLimit.Limit,
		Visibility: event.Visibility(b.Visibility), WaitlistPolicy: event.WaitlistPolicy(b.WaitlistPolicy),
	})
	if err != nil {
		return nil, err
	}
	out := s.eventAnswer(v)
	out.Location = "events/" + v.ID.String()
	return out, nil
}

func (s *Server) getEvent(ctx context.Context, in *EventPath) (*eventAnswer, error) {
	v, err := s.deps.Events.Get(ctx, principal(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	return s.eventAnswer(v), nil
}

// updateEventInput refuses null for what can't be null: left out and null would
// otherwise be the same to the decoder.
type updateEventInput struct {
	EventPath
	IfMatch string `header:"If-Match" doc:"The ETag that you saw; a stale one is 412."`
	Body    EventUpdate
}

// Resolve implements huma.Resolver.
func (*updateEventInput) Resolve(ctx huma.Context) (bad []error) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(callFrom(ctx.Context()).body, &fields) != nil {
		return nil // told elsewhere
	}
	for name, value := range fields {
		if name != "max_seats_per_user" && name != "waitlist_limit" && string(value) == "null" {
			bad = append(bad, &huma.ErrorDetail{Location: "body." + name, Message: "must not be null"})
		}
	}
	return bad
}

func (s *Server) updateEvent(ctx context.Context, in *updateEventInput) (*eventAnswer, error) {
	who := principal(ctx)
	revision, err := s.wantedRevision(ctx, in)
	if err != nil {
		return nil, err
	}
	b := &in.Body
	patch := event.Patch{
		Name: b.Name, Description: b.Description, Category: b.Category, Venue: b.Venue,
		StartsAt: b.StartsAt, EndsAt: b.EndsAt, TimeZone: b.TimeZone, TotalSlots: (*int64)(b.TotalSlots),
		MaxSeatsPerUser: b.MaxSeatsPerUser.Limit, WaitlistLimit: b.WaitlistLimit.Limit,
		Visibility: (*event.Visibility)(b.Visibility), WaitlistPolicy: (*event.WaitlistPolicy)(b.WaitlistPolicy),
	}
	if _, err := s.deps.Bookings.EditEvent(ctx, who, in.ID, patch, revision); err != nil {
		return nil, err
	}
	return s.getEvent(ctx, &in.EventPath)
}

// wantedRevision is the revision that the caller saw, 0 where it doesn't say.
// Of several tags the one that is current counts.
func (s *Server) wantedRevision(ctx context.Context, in *updateEventInput) (int64, error) {
	match := parseIfMatch(in.IfMatch)
	if !match.given || match.any {
		return 0, nil
	}
	if len(match.revisions) == 1 && match.revisions[0] > 0 {
		return match.revisions[0], nil
	}
	v, err := s.deps.Events.For(ctx, access.EventWrite, principal(ctx), in.ID)
	if err != nil {
		return 0, err
	}
	if !slices.Contains(match.revisions, v.Revision) {
		return 0, booking.ErrStaleRevision
	}
	return v.Revision, nil
}

func (s *Server) deleteEvent(ctx context.Context, in *EventPath) (*done, error) {
	return nil, s.deps.Events.Delete(ctx, principal(ctx), in.ID)
}

func (s *Server) cancelEvent(ctx context.Context, in *EventPath) (*eventAnswer, error) {
	if _, err := s.deps.Bookings.CancelEvent(ctx, principal(ctx), in.ID); err != nil {
		return nil, err
	}
	return s.getEvent(ctx, in)
}
