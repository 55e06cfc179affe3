package booking

import (
	"time"

	"github.com/google/uuid"

	"happening/internal/fault"
)

// Status is where a booking stands.
type Status string

// The statuses; Cancelled is final.
const (
	Confirmed Status = "confirmed"
	Waiting   Status = "waiting"
	Cancelled Status = "cancelled"
)

// Action is what happened to a booking: the word in its history.
type Action string

// The actions.
const (
	ActConfirmed      Action = "confirmed"       // booked at once
	ActWaitlisted     Action = "waitlisted"      // joined the waitlist
	ActPromoted       Action = "promoted"        // served from the waitlist
	ActSeatsCancelled Action = "seats_cancelled" // gave some seats back
	ActResized        Action = "resized"         // became a smaller party on the waitlist
	ActMoved          Action = "moved"           // to other seats
	ActCancelled      Action = "cancelled"
)

// FactKind gives the kind under which a change is told to the outbox.
func (a Action) FactKind() string {
	switch a {
	case ActConfirmed:
		return "booking.confirmed"
	case ActWaitlisted:
		return "booking.waitlisted"
	case ActPromoted:
		return "booking.promoted"
	case ActCancelled:
		return "booking.cancelled"
	default:
		return "booking.changed"
	}
}

// Reasons for a cancellation that nobody asked for.
const (
	ReasonEventStarted   = "event_started"
	ReasonEventCancelled = "event_cancelled"
	ReasonCapacity       = "capacity"
)

// MaxSeats bounds the seats of one booking where the event sets no limit.
const MaxSeats = 1000

// State is what a booking is at one moment.
type State struct {
	Status        Status
	Seats         int32   // the party's size
	SeatNumbers   []int32 // rising; empty unless confirmed; never changed in place
	WaitingNumber int64   // 0: never waited; kept after promotion
	Reason        string
}

// Booking is a party of one or more seats of one person at one event.
type Booking struct {
	ID      uuid.UUID
	OrgID   uuid.UUID
	EventID uuid.UUID
	UserID  uuid.UUID
	State
	Position  int32     // place in the waitlist from 1; 0 unless waiting
	BookedBy  uuid.UUID // who booked for the person; Nil: they did themselves
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Change says that one booking went from one state to another. It is the
// only way in which a booking ever changes: the inventory applies and reverts
// it, the ledger writes it, and history and outbox tell it under its ID.
type Change struct {
	ID        uuid.UUID // of the history row and of the fact
	BookingID uuid.UUID
	UserID    uuid.UUID
	Actor     uuid.UUID // Nil: the system
	Action    Action
	At        time.Time
	CreatedAt time.Time // of the booking
	Before    State     // Status "": the booking is new
	After     State
	Position  int32 // place in the waitlist just after, 0 unless waiting
	Key       Key   // the request that caused it, if it named a key
	// ByHand says that a promotion was an organizer's and not the policy's, so
	// that it may have overtaken others.
	ByHand bool
	// Asked tells identical requests apart: what was asked for, not what was
	// given.
	Asked uint64
	// BookedFor is the address by which Actor books for somebody else. It
	// stands with the booking alone: history and facts hold ids.
	BookedFor string
}

// ForSomebody says whether the change is a booking that somebody made for
// another person.
func (c *Change) ForSomebody() bool {
	return c.Before.Status == "" && c.Actor != uuid.Nil && c.Actor != c.UserID
}

// Blocks is a change of which seats are off sale. A seat that is off sale is
// neither sold nor held nor given to who waits; one that is sold is never taken
// off.
type Blocks struct {
	Blocked   []int32 // rising; taken off sale
	Unblocked []int32 // rising; on sale again
}

// None says that nothing changes.
func (b *Blocks) None() bool { return len(b.Blocked) == 0 && len(b.Unblocked) == 0 }

// Key is an idempotency key with the hash of the request that used it.
// Its scope is the person who sends it.
type Key struct {
	Value string // empty: none
	Hash  [16]byte
}

// The refusals of bookings.
var (
	ErrSeatsUnavailable = fault.New(fault.Conflict, "seats_unavailable", "Some of these seats are no longer available.")
	ErrSoldOut          = fault.New(fault.Conflict, "sold_out", "There are not enough seats left.")
	ErrWaitlistFull     = fault.New(fault.Conflict, "waitlist_full", "The waitlist is full; come back when others have left it.")
	ErrSeatsHeld        = fault.New(fault.Conflict, "seats_held", "The last seats are being chosen by others right now; try again in a moment.")
	ErrDuplicate        = fault.New(fault.Conflict, "duplicate_request", "The same request was made a moment ago.")
	ErrAlreadyCancelled = fault.New(fault.Conflict, "booking_cancelled", "This booking is cancelled already.")
	ErrNotBookable      = fault.New(fault.Conflict, "event_not_bookable", "This event can't be booked or changed any more.")
	ErrNotSeats         = fault.New(fault.Conflict, "seats_not_in_booking", "Some of these seats are not part of the booking.")
	ErrNotConfirmed     = fault.New(fault.Conflict, "booking_not_confirmed", "This booking has no seats yet.")
	ErrTooFewSeats      = fault.New(fault.Conflict, "seats_unavailable", "There are not enough free seats for this party.")
	ErrNotWaiting       = fault.New(fault.Conflict, "booking_not_waiting", "This booking is not on the waitlist.")
	ErrCapacity         = fault.New(fault.Conflict, "capacity_below_sold", "A seat with a higher number is sold already.")
	ErrKeyReused        = fault.New(fault.Invalid, "idempotency_key_reused", "This Idempotency-Key was used for another request.")
	ErrBusy             = fault.New(fault.Unavailable, "busy", "Too many bookings are queued; try again in a moment.")
	ErrAway             = fault.New(fault.Unavailable, "unavailable", "Bookings can't be written right now; try again with the same Idempotency-Key.")
)

// DuplicateWindow is how long the identical request without a key of the same
// person counts as sent twice by mistake.
const DuplicateWindow = 2 * time.Second

// PromotionsPerTx bounds the parties promoted or closed in one transaction. All
// events' orders wait while one is written, so that it is far less than the
// contract allows.
const PromotionsPerTx = 100
