package booking

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"happening/internal/audit"
	"happening/internal/event"
)

// Ledger is where the allocator's decisions become true. It runs as the
// system role, because a batch holds several tenants' events, and takes the
// organization from the locked event row, never from a request.
type Ledger interface {
	// Commit writes a batch in one round trip and one transaction, provided
	// that every event still has the version that the batch was decided on.
	// ErrStale: one has not, nothing was written. ErrKeyTaken: a key was used
	// before, nothing was written. ErrUnknown: the connection ended before
	// the answer came. ErrUnreached: the database was not reached, nothing was
	// written. Anything else: the database refused, nothing was written.
	Commit(ctx context.Context, b *Batch) error

	// Rework locks the events, tells fn what is fresh about them and writes
	// the batch that fn returns, in one transaction. An event that no longer
	// exists is missing from what fn is told. A probe that is not Nil is the
	// id of a change, or of an edit's record, whose outcome is unknown; found says whether it was
	// written after all. The errors are those of Commit, without ErrStale.
	Rework(ctx context.Context, known []Known, keys []KeyOf, probe uuid.UUID, fn func(Fresh) (*Batch, error)) error

	// Load reads an event with all its live bookings as they are at one
	// moment, without locking; fault.ErrNotFound where there is none.
	Load(ctx context.Context, eventID uuid.UUID) (FreshEvent, error)

	// Missed reads, without locking and at one moment, what has happened to
	// events that are in memory since the versions known: one entry for every
	// event that has moved on, none for those that have not. An event that no
	// longer exists has an entry whose Event is zero.
	Missed(ctx context.Context, known []Known) (map[uuid.UUID]FreshEvent, error)

	// Prove reads what a refusal is held against, in one round trip and without
	// locks: which of the events have another version than the one known, or
	// are no more, and what the keys stand for.
	Prove(ctx context.Context, known []Known, keys []KeyOf) (Proof, error)
}

// The outcomes of a write that are not simply refusals of the database.
var (
	ErrStale     = errors.New("booking: an event has moved on")
	ErrKeyTaken  = errors.New("booking: an idempotency key was used before")
	ErrUnknown   = errors.New("booking: the outcome of a write is unknown")
	ErrUnreached = errors.New("booking: the database was not reached")
)

// Known is an event with the version that the caller has in memory; 0: none.
type Known struct {
	EventID uuid.UUID
	Version int64
}

// Proof is what Prove read.
type Proof struct {
	Moved []uuid.UUID
	Keys  map[KeyOf]Stored
}

// Fresh is what Rework learns under the lock.
type Fresh struct {
	Found  bool // the probe was written
	Keys   map[KeyOf]Stored
	Events map[uuid.UUID]FreshEvent
}

// FreshEvent is one locked event. Where the caller's version is current or
// can be caught up with, Changes are what it missed; else Reload is set and
// Parties are all live bookings.
type FreshEvent struct {
	Event       event.Event
	LastWaiting int64
	Reload      bool
	Parties     []Party
	Changes     []Change
	// Blocks are the changes of blocks that the caller missed, in order; where
	// Reload is set, all that is blocked.
	Blocks []Blocks
	// Recent are changes of the last seconds, for what people have asked for
	// meanwhile; only where Reload is set.
	Recent []Change
	// Newest is the highest id drawn for the event that is still known.
	Newest IDTick
}

// KeyOf is an idempotency key in its scope.
type KeyOf struct {
	UserID uuid.UUID
	Value  string
}

// Stored is what a key stands for: the hash of the request that used it first
// and what that was answered.
type Stored struct {
	Hash    [16]byte
	Booking Booking
}

// Batch is what one transaction writes.
type Batch struct {
	Events  []EventWrite
	Changes []Change    // in the order in which they happened
	EventOf []uuid.UUID // the event of each change
	Edit    *Edit       // what is changed of the one event of the batch
	Blocks  Blocks      // of that event
}

// probe is the id of something that is written if the batch is, Nil where
// the batch writes nothing.
func (b *Batch) probe() uuid.UUID {
	switch {
	case len(b.Changes) > 0:
		return b.Changes[0].ID
	case b.Edit != nil:
		return b.Edit.FactID
	default:
		return uuid.Nil
	}
}

// EventWrite moves one event forward.
type EventWrite struct {
	EventID     uuid.UUID
	OrgID       uuid.UUID
	Version     int64 // the one decided on; the write makes it Version+1 where Moved
	Moved       bool  // false: only locked and checked
	Available   int32
	LastWaiting int64
	Waiting     int32 // parties
	Delta       []byte
}

// Edit is the part of a change of the event that is not a booking's.
type Edit struct {
	Event event.Event
	// Arranged says that the layout is another one.
	Arranged bool
	// Blocks are seats to be taken off sale, and put on sale again; then the
	// settings stay.
	Blocks        Blocks
	ActorID       uuid.UUID
	Action        audit.Action
	Before, After []byte // JSON for the audit, ids and settings only
	FactKind      string // told to the outbox; empty: nothing that people are told of
	FactPayload   []byte
	FactID        uuid.UUID
	At            time.Time
}
