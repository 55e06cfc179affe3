package notify

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"happening/internal/event"
	"happening/internal/org"
)

// The types of messages. The last three are the identity provider's own and
// never show in the bell.
const (
	TypeBookingConfirmed  = "booking_confirmed"
	TypeBookingWaitlisted = "booking_waitlisted"
	TypeBookingChanged    = "booking_changed"
	TypeBookingCancelled  = "booking_cancelled"
	TypeWaitlistPromoted  = "waitlist_promoted"
	TypeEventUpdated      = "event_updated"
	TypeEventCancelled    = "event_cancelled"
	TypeOrgInvited        = "org_invited"
	TypeConfirmAddress    = "confirm_address"
	TypeResetPassword     = "reset_password"
	TypeAlreadyRegistered = "already_registered"
)

// Channel is a way to reach a person.
type Channel string

// The channels.
const (
	App   Channel = "app"
	Email Channel = "email"
)

// EventCard is what a message says of an event.
type EventCard struct {
	ID       uuid.UUID
	Name     string
	Venue    string
	StartsAt time.Time
	EndsAt   time.Time
	TimeZone string // IANA
	OrgName  string
	// Layout is how the seats lie, which gives them their names; nil: in the
	// default rows.
	Layout *event.Layout
}

// InviteCard is what a message says of an invitation.
type InviteCard struct {
	OrgName string
	Role    string
}

// Attendee is a person with a live booking at an event.
type Attendee struct {
	BookingID uuid.UUID
	UserID    uuid.UUID
}

// Known is what the facts of a batch refer to.
type Known struct {
	Events  map[uuid.UUID]EventCard  // by event
	Invites map[uuid.UUID]InviteCard // by invitation
	// Audience is, by fact, the page of people to be told of a fact that
	// concerns every live booking.
	Audience map[uuid.UUID][]Attendee
}

// Message is one thing to tell one person, over one or both channels. The
// person is uuid.Nil where only an address is known; it is looked up when the
// mail is sent.
type Message struct {
	FactID    uuid.UUID
	OrgID     uuid.UUID
	EventID   uuid.UUID
	BookingID uuid.UUID
	UserID    uuid.UUID
	Type      string
	Title     string
	Text      string
	Link      string // a path of the client
	ToApp     bool
	ToMail    bool
}

// ID gives the message's id on a channel: always the same for the same fact,
// person and channel, and rising with the time of the fact, as a UUIDv7.
func (m *Message) ID(channel Channel) uuid.UUID {
	sum := sha256.New()
	sum.Write(m.FactID[:])
	sum.Write(m.UserID[:])
	sum.Write([]byte(channel))
	var id uuid.UUID
	copy(id[:], sum.Sum(nil))
	copy(id[:timeBytes], m.FactID[:timeBytes])
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id
}

// timeBytes is how many leading bytes of a UUIDv7 hold its time (RFC 9562,
// section 5.7).
const timeBytes = 6

// ErrUnknownKind says that nobody knows whom to tell of such a fact.
var ErrUnknownKind = errors.New("notify: unknown kind of fact")

// Messages says who is to be told of a fact, and what. It looks at nothing but
// its arguments. No message and no error: nobody needs to be told. An error:
// the fact makes no sense, and never will.
func Messages(f Fact, known Known) ([]Message, error) {
	switch f.Kind {
	case BookingConfirmed, BookingWaitlisted, BookingPromoted, BookingChanged, BookingCancelled:
		return bookingMessages(f, known)
	case event.KindUpdated:
		return eventMessages(f, known)
	case event.KindBlocked:
		return nil, nil // nobody who booked has lost anything
	case event.KindCancelled:
		// Each booking of the event has a fact of its own that tells its person.
		return nil, nil
	case org.KindInvited:
		return inviteMessages(f, known)
	case ConfirmAddress, ResetPassword, AlreadyRegistered:
		return accountMessages(f)
	}
	return nil, fmt.Errorf("%w: %q", ErrUnknownKind, f.Kind)
}

func bookingMessages(f Fact, known Known) ([]Message, error) {
	card, ok := known.Events[f.EventID]
	if !ok || f.UserID == uuid.Nil {
		return nil, fmt.Errorf("notify: %s %s is about no known event or nobody", f.Kind, f.ID)
	}
	change, err := decodeBookingChange(f)
	if err != nil {
		return nil, err
	}
	w := wordBooking(f, &change, card)
	return []Message{{
		FactID: f.ID, OrgID: f.OrgID, EventID: f.EventID, BookingID: f.BookingID, UserID: f.UserID,
		Type: w.kind, Title: w.title, Text: w.text, Link: "/bookings/" + f.BookingID.String(),
		ToApp: true, ToMail: true,
	}}, nil
}

func eventMessages(f Fact, known Known) ([]Message, error) {
	change, err := decodeEventChange(f)
	if err != nil {
		return nil, err
	}
	audience := known.Audience[f.ID]
	if len(audience) == 0 {
		return nil, nil
	}
	w := wordEventUpdate(&change)
	messages := make([]Message, 0, len(audience))
	seen := make(map[uuid.UUID]bool, len(audience))
	for _, a := range audience {
		if seen[a.UserID] {
			continue
		}
		seen[a.UserID] = true
		messages = append(messages, Message{
			FactID: f.ID, OrgID: f.OrgID, EventID: f.EventID, BookingID: a.BookingID, UserID: a.UserID,
			Type: w.kind, Title: w.title, Text: w.text, Link: "/events/" + f.EventID.String(),
			ToApp: true, ToMail: true,
		})
	}
	return messages, nil
}

func inviteMessages(f Fact, known Known) ([]Message, error) {
	id := InviteOf(f)
	if id == uuid.Nil {
		return nil, fmt.Errorf("notify: payload of %s names no invitation", f.Kind)
	}
	invite, ok := known.Invites[id]
	if !ok {
		// Its organization was deleted meanwhile: there is nothing to join.
		return nil, nil
	}
	w := wordInvite(invite.OrgName, invite.Role)
	return []Message{{
		FactID: f.ID, OrgID: f.OrgID, UserID: f.UserID,
		Type: w.kind, Title: w.title, Text: w.text, Link: "/invites",
		// Who has no account yet has no bell either.
		ToApp: f.UserID != uuid.Nil, ToMail: true,
	}}, nil
}

func accountMessages(f Fact) ([]Message, error) {
	if _, err := accountOf(f); err != nil {
		return nil, err
	}
	w := wordAccount(f.Kind)
	return []Message{{FactID: f.ID, Type: w.kind, Title: w.title, Text: w.text, ToMail: true}}, nil
}

// accountKind is the fact's kind as the identity provider calls it.
func accountKind(factKind string) string { return strings.TrimPrefix(factKind, "account.") }
