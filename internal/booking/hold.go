package booking

import (
	"context"
	"time"

	"github.com/google/uuid"

	"happening/internal/fault"
)

// Limits of holds, as the contract gives them.
const (
	// HoldMaxAge is how long one person may hold one seat, however often the
	// hold is renewed.
	HoldMaxAge = 10 * time.Minute
	// HoldCooldown is how long the same person may not hold that seat again
	// once HoldMaxAge is used up.
	HoldCooldown = 5 * time.Minute
	// HoldMaxSeats bounds one person's holds at one event, beside the event's
	// own limit.
	HoldMaxSeats = 20
	// HoldMaxEvents bounds the events at which one person holds seats at a time.
	HoldMaxEvents = 3
	// PinMax bounds how long holds outlive their end because a booking of
	// them is queued.
	PinMax = 30 * time.Second
)

// HoldView is what an event's holds were at one moment. It is never changed
// after it was handed out.
type HoldView struct {
	Holders map[int32]uuid.UUID // seat → who holds it
}

// Held is what one person holds at one event.
type Held struct {
	Seats     []int32   // rising
	ExpiresAt time.Time // the first to end; zero where nothing is held
}

// Placement asks to replace one person's holds at one event.
type Placement struct {
	EventID uuid.UUID
	UserID  uuid.UUID
	Seats   []int32 // rising, distinct; none: release all
	Now     time.Time
}

// Placed answers a Placement.
type Placed struct {
	Granted   []int32 // rising
	Conflicts []int32 // held by another, or cooling down for this person
	ExpiresAt time.Time
}

// HoldStore keeps the holds. A hold is never a sale: all of the store may be
// lost and nothing is sold twice. Implementations: memory.Holds in one
// process, and Redis across replicas; both pass one contract suite.
type HoldStore interface {
	// View gives the events' holds in the order asked, for the allocator.
	View(ctx context.Context, eventIDs []uuid.UUID) ([]HoldView, error)
	// Place replaces the person's holds at the event in one step: seats that
	// are not named are released, free ones granted, the rest reported as
	// conflicts. It answers ErrHoldEvents where the person already holds
	// seats at HoldMaxEvents other events; nothing has changed then.
	Place(ctx context.Context, p Placement) (Placed, error)
	// Mine tells what the person holds at the event.
	Mine(ctx context.Context, eventID, userID uuid.UUID) (Held, error)
	// Pin keeps the person's holds at the event alive while a booking of
	// them is queued, at most PinMax. Unpin ends it. Pins are counted.
	Pin(ctx context.Context, eventID, userID uuid.UUID) error
	Unpin(ctx context.Context, eventID, userID uuid.UUID) error
	// Settle tells after a commit what was sold: holds on those seats end,
	// whoever held them, and saleVersion is noted.
	Settle(ctx context.Context, eventID uuid.UUID, saleVersion int64, sold []int32) error
}

// The refusals of holds.
var (
	ErrSeatLimit  = fault.New(fault.Conflict, "seat_limit", "That is more seats than one person may have at this event.")
	ErrHoldEvents = fault.New(fault.Conflict, "seat_limit", "You are choosing seats at three other events already; finish or leave one of them first.")
	ErrWaitlist   = fault.New(fault.Conflict, "waitlist_first", "Others are waiting for seats here; join the waitlist to be served in turn.")
)
