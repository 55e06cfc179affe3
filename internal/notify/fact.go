package notify

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
)

// The kinds of facts that somebody is told about, as they stand in the outbox.
const (
	BookingConfirmed  = "booking.confirmed"
	BookingWaitlisted = "booking.waitlisted"
	BookingPromoted   = "booking.promoted"
	BookingChanged    = "booking.changed"
	BookingCancelled  = "booking.cancelled"
	EventUpdated      = "event.updated"
	EventCancelled    = "event.cancelled"
	OrgInvited        = "org.invited"
	ConfirmAddress    = "account.confirm_address"
	ResetPassword     = "account.reset_password"
	AlreadyRegistered = "account.already_registered"
)

// The reasons of a cancellation that nobody asked for.
const (
	reasonEventStarted   = "event_started"
	reasonEventCancelled = "event_cancelled"
	reasonCapacity       = "capacity"
)

// Fact is a row of the outbox. An id that the fact doesn't have is uuid.Nil.
type Fact struct {
	ID        uuid.UUID
	Kind      string
	OrgID     uuid.UUID
	EventID   uuid.UUID
	BookingID uuid.UUID
	UserID    uuid.UUID
	Payload   json.RawMessage
	CreatedAt time.Time
}

// ForEveryBooking says whether a fact concerns everybody with a live booking
// at the event, and so is told page by page.
func ForEveryBooking(f Fact) bool {
	if f.Kind != EventUpdated {
		return false
	}
	change, err := decodeEventChange(f)
	return err == nil && change.tellsAnybody()
}

// InviteOf gives the invitation that a fact is about, uuid.Nil for any other
// fact.
func InviteOf(f Fact) uuid.UUID {
	var payload struct {
		InviteID uuid.UUID `json:"invite_id"`
	}
	if f.Kind != OrgInvited || json.Unmarshal(f.Payload, &payload) != nil {
		return uuid.Nil
	}
	return payload.InviteID
}

// accountOf gives the account that one of the provider's own mails is for.
func accountOf(f Fact) (uuid.UUID, error) {
	var payload struct {
		AccountID uuid.UUID `json:"account_id"`
	}
	if err := json.Unmarshal(f.Payload, &payload); err != nil {
		return uuid.Nil, fmt.Errorf("notify: payload of %s: %w", f.Kind, err)
	}
	if payload.AccountID == uuid.Nil {
		return uuid.Nil, fmt.Errorf("notify: payload of %s names no account", f.Kind)
	}
	return payload.AccountID, nil
}

// bookingState is a booking before or after a change.
type bookingState struct {
	Status        string  `json:"status"`
	Seats         int     `json:"seats"`
	SeatNumbers   []int32 `json:"seat_numbers"`
	WaitingNumber *int64  `json:"waiting_number"`
}

// bookingChange is the payload of the booking facts.
type bookingChange struct {
	Action   string        `json:"action"`
	From     *bookingState `json:"from"`
	To       *bookingState `json:"to"`
	Actor    *uuid.UUID    `json:"actor"`
	Reason   string        `json:"reason"`
	Position int           `json:"position"`
}

func decodeBookingChange(f Fact) (bookingChange, error) {
	var c bookingChange
	if err := json.Unmarshal(f.Payload, &c); err != nil {
		return bookingChange{}, fmt.Errorf("notify: payload of %s: %w", f.Kind, err)
	}
	if c.From == nil {
		c.From = &bookingState{}
	}
	if c.To == nil {
		c.To = &bookingState{}
	}
	return c, nil
}

// by says who made the change, seen from the person whose booking it is.
func (c *bookingChange) by(person uuid.UUID) author {
	switch {
	case c.Actor == nil:
		return bySystem
	case *c.Actor == person:
		return bySelf
	default:
		return byOrganizer
	}
}

// author is who made a change.
type author int

const (
	bySystem author = iota
	bySelf
	byOrganizer
)

// released gives the seats that the booking had and has no more, added those
// that it has now and had not.
func (c *bookingChange) released() []int32 { return without(c.From.SeatNumbers, c.To.SeatNumbers) }
func (c *bookingChange) added() []int32    { return without(c.To.SeatNumbers, c.From.SeatNumbers) }

func without(all, gone []int32) []int32 {
	var rest []int32
	for _, n := range all {
		if !slices.Contains(gone, n) {
			rest = append(rest, n)
		}
	}
	return rest
}

// eventSettings is the part of an event that people are told about when it
// changes. A nil field was not in the payload.
type eventSettings struct {
	Name     *string    `json:"name"`
	StartsAt *time.Time `json:"starts_at"`
	EndsAt   *time.Time `json:"ends_at"`
	TimeZone *string    `json:"time_zone"`
	Venue    *string    `json:"venue"`
}

// eventChange is the payload of event.updated.
type eventChange struct {
	Changed []string      `json:"changed"`
	Before  eventSettings `json:"before"`
	After   eventSettings `json:"after"`
}

func decodeEventChange(f Fact) (eventChange, error) {
	var c eventChange
	if err := json.Unmarshal(f.Payload, &c); err != nil {
		return eventChange{}, fmt.Errorf("notify: payload of %s: %w", f.Kind, err)
	}
	return c, nil
}

func (c *eventChange) has(fields ...string) bool {
	return slices.ContainsFunc(c.Changed, func(f string) bool { return slices.Contains(fields, f) })
}

// apply lays the settings over the card of the event.
func (s *eventSettings) apply(card EventCard) EventCard {
	if s.Name != nil {
		card.Name = *s.Name
	}
	if s.StartsAt != nil {
		card.StartsAt = *s.StartsAt
	}
	if s.EndsAt != nil {
		card.EndsAt = *s.EndsAt
	}
	if s.TimeZone != nil {
		card.TimeZone = *s.TimeZone
	}
	if s.Venue != nil {
		card.Venue = *s.Venue
	}
	return card
}
