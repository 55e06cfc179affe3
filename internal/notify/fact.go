package notify

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"happening/internal/booking"
	"happening/internal/event"
	"happening/internal/org"
)

// The kinds of facts that somebody is told about, as they stand in the outbox.
// The rooms in which they happen declare them; these here are those that no
// constant there names.
const (
	BookingConfirmed  = "booking.confirmed"
	BookingWaitlisted = "booking.waitlisted"
	BookingPromoted   = "booking.promoted"
	BookingChanged    = "booking.changed"
	BookingCancelled  = "booking.cancelled"
	ConfirmAddress    = "account.confirm_address"
	ResetPassword     = "account.reset_password"
	AlreadyRegistered = "account.already_registered"
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
	if f.Kind != event.KindUpdated {
		return false
	}
	change, err := decodeEventChange(f)
	return err == nil && len(change.Changed) > 0
}

// InviteOf gives the invitation that a fact is about, uuid.Nil for any other
// fact.
func InviteOf(f Fact) uuid.UUID {
	var payload struct {
		InviteID uuid.UUID `json:"invite_id"`
	}
	if f.Kind != org.KindInvited || json.Unmarshal(f.Payload, &payload) != nil {
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

// bookingChange is what a booking's fact tells; a side that the payload leaves
// out is empty.
type bookingChange struct {
	booking.Details
	From, To booking.DetailsState
}

func decodeBookingChange(f Fact) (bookingChange, error) {
	details, err := booking.ParseDetails(f.Payload)
	if err != nil {
		return bookingChange{}, fmt.Errorf("notify: payload of %s: %w", f.Kind, err)
	}
	c := bookingChange{Details: details}
	if details.From != nil {
		c.From = *details.From
	}
	if details.To != nil {
		c.To = *details.To
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

func decodeEventChange(f Fact) (event.Updated, error) {
	var c event.Updated
	if err := json.Unmarshal(f.Payload, &c); err != nil {
		return event.Updated{}, fmt.Errorf("notify: payload of %s: %w", f.Kind, err)
	}
	return c, nil
}
