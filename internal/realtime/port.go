package realtime

import (
	"context"

	"github.com/google/uuid"
)

// Seats reads the states of an event's seats as they are now, holds included.
// It answers false where they are not at hand; clients fetch the snapshot then.
type Seats interface {
	// What is committed is read at saleVersion or later.
	States(ctx context.Context, eventID uuid.UUID, saleVersion int64, seats []int32) (states []uint8, ok bool)
}

// Publisher sends to whoever listens on a channel. No call takes longer than
// a moment, whatever has become of the engine beneath.
type Publisher interface {
	// Publish reaches all processes, and keeps the message for
	// RecoveryWindow for those whose connection was cut.
	Publish(channel string, data []byte) error
	// Broadcast reaches those who are connected now, in all processes.
	Broadcast(channel string, data []byte) error
	// Local reaches those who are connected to this process now, also while
	// the engine between the processes is away.
	Local(channel string, data []byte) error
	// RefreshAll sends RefreshMessage to everybody who is signed in and
	// connected to any process, over a few seconds. It does not block.
	RefreshAll()
}

// Audience knows who is connected. Where several processes share an engine,
// all but Here may ask it; they are called from the feed's own goroutines.
type Audience interface {
	// Here counts the people who look at the event over this process.
	Here(eventID uuid.UUID) int
	// Viewers counts the people who look at the event, over all processes.
	Viewers(ctx context.Context, eventID uuid.UUID) int
	// Listening says whether the person is connected to any process, or was
	// within RecoveryWindow. Where that can't be told, it is true.
	Listening(ctx context.Context, userID uuid.UUID) bool
}

// Presence tells every process who is connected to the others. Entries end by
// themselves unless they are renewed, so that those of a process that died go,
// too.
type Presence interface {
	Join(ctx context.Context, eventID uuid.UUID, viewer string) error
	Leave(ctx context.Context, eventID uuid.UUID, viewer string) error
	// Renew says again who looks at which event, and who listens.
	Renew(ctx context.Context, viewers map[uuid.UUID][]string, listeners []uuid.UUID) error
	Viewers(ctx context.Context, eventID uuid.UUID) (int, error)
	Listen(ctx context.Context, userID uuid.UUID) error
	Listening(ctx context.Context, userID uuid.UUID) (bool, error)
}
