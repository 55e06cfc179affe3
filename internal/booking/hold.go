package booking

import (
	"context"
	"errors"
	"reflect"
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
	// SaleVersion is the newest version of the event that any process has
	// settled; zero where the store knows of none.
	SaleVersion int64
}

// Same says that the two are one view: a store hands the same out until the
// event's holds change, so that this looks at no hold. It may miss that two
// views are equal.
func (v HoldView) Same(other HoldView) bool {
	return reflect.ValueOf(v.Holders).Pointer() == reflect.ValueOf(other.Holders).Pointer()
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
	// SaleVersion is the event's version at which Seats were found unsold;
	// zero where nothing is asked for.
	SaleVersion int64
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
	// seats at HoldMaxEvents other events, and ErrBehind where a sale newer
	// than p.SaleVersion was settled; nothing has changed then.
	Place(ctx context.Context, p Placement) (Placed, error)
	// Mine tells what the person holds at the event.
	Mine(ctx context.Context, eventID, userID uuid.UUID) (Held, error)
	// HeldAt lists events at which the person may hold seats, in no order: all
	// at which they do, and for a moment some at which they did.
	HeldAt(ctx context.Context, userID uuid.UUID) ([]uuid.UUID, error)
	// Pin keeps the person's holds at the event alive while a booking of
	// them is queued, at most PinMax. Unpin ends it. Pins are counted.
	Pin(ctx context.Context, eventID, userID uuid.UUID) error
	Unpin(ctx context.Context, eventID, userID uuid.UUID) error
	// Settle tells after a commit what was sold: holds on those seats end,
	// whoever held them, and the version is noted, beside the counter and the
	// mirror of the waitlist where the store keeps them. It comes before the
	// commit's callers are answered.
	Settle(ctx context.Context, s Sale) error
}

// Sale is what a commit changed at one event, as far as holds, counter and
// the mirror of the waitlist are concerned.
type Sale struct {
	EventID uuid.UUID
	Version int64   // the event's, after the commit
	Sold    []int32 // seats that were booked
	// Taken is by how much the available seats went down; below zero they
	// went up; Available is how many were left by the commit. They disagree
	// where the event itself grew or shrank.
	Taken, Available int32
	// Joined and Left are who began to wait and whose wait ended, each in
	// order; a person with several parties is named for each.
	Joined, Left []uuid.UUID
	// Figures gives the event as it is now, at Version or later, for a store
	// that can't follow step by step. It may be called until Settle returns.
	Figures func() Figures
}

// Figures are an event's remaining capacity and its waitlist at one version.
type Figures struct {
	EventID   uuid.UUID
	Version   int64
	Available int32
	Waitlist  []uuid.UUID // whose parties wait, in order
}

// Mirror keeps counter and waitlist of events where others read them. It
// never decides anything.
type Mirror interface {
	// Compare tells of which events the mirror differs from the figures, and
	// brings those to them that are not ahead.
	Compare(ctx context.Context, figures []Figures) ([]Difference, error)
	// Correct brings an event that was found ahead to figures that were read
	// from PostgreSQL after it was, unless it has moved since.
	Correct(ctx context.Context, ahead Difference, truth Figures) error
	// Progress tells how far all events were compared with what the mirror holds
	// now: not at all, where it is another one, has lost its contents, went back
	// in time, or was compared too long ago.
	Progress(ctx context.Context) (Progress, error)
	// Note keeps how far they were, where it is lost with what it tells of.
	Note(ctx context.Context, p Progress) error
}

// Progress is how far all events were compared with a mirror, by rising id.
type Progress struct {
	Contents string    // names what was compared with
	After    uuid.UUID // all up to this one were; Nil: none
	Whole    bool      // all were
	// Events were compared until now, and Differed of them were not equal.
	Events, Differed int
}

// Difference is what a mirror had instead of the figures.
type Difference struct {
	EventID uuid.UUID
	Version int64 // that the mirror claims; zero: it knew nothing of the event
	// Ahead says that Version is newer than the figures, so that nothing was
	// changed: either the figures are old, or the mirror lies.
	Ahead   bool
	Had     string // for people: "available 3, waiting 2"
	Figures Figures
}

// SubmitLock notices, across processes, a request that is sent again while
// its first is in flight. It is a courtesy: PostgreSQL decides.
type SubmitLock interface {
	// Lock answers false while the same request, known by its hash, of the
	// person at the event is in flight. unlock is never nil and releases only
	// what this call took; a lock that can't be had, because the engine is
	// away or another request has it, is answered with true.
	Lock(ctx context.Context, eventID, userID uuid.UUID, ask uint64) (unlock func(), ok bool)
}

// ErrBehind says that another process has sold since the caller looked.
var ErrBehind = errors.New("booking: another process has sold since")

// The refusals of holds.
var (
	ErrSeatLimit  = fault.New(fault.Conflict, "seat_limit", "That is more seats than one person may have at this event.")
	ErrHoldEvents = fault.New(fault.Conflict, "seat_limit", "You are choosing seats at three other events already; finish or leave one of them first.")
	ErrHoldsAway  = fault.New(fault.Unavailable, "holds_unavailable", "Choosing seats on the map is interrupted; booking still works.").After(2 * time.Second)
	ErrWaitlist   = fault.New(fault.Conflict, "waitlist_first", "Others are waiting for seats here; join the waitlist to be served in turn.")
)
