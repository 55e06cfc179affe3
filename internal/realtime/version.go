package realtime

import (
	"context"
	"strconv"

	"github.com/google/uuid"
)

// Version is the live version of an event's seats: N counts the deltas of one
// epoch. Versions of different epochs cannot be compared.
type Version struct {
	Epoch string
	N     int64
}

// String gives the version as clients see it, "epoch:n".
func (v Version) String() string { return v.Epoch + ":" + strconv.FormatInt(v.N, 10) }

// MarshalText makes JSON show the version as String does.
func (v Version) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// Versions keeps the live versions beside the holds: in the process's memory,
// or in Redis.
type Versions interface {
	// Version gives the version of the event's last delta. A snapshot reads
	// it before it reads the states.
	Version(ctx context.Context, eventID uuid.UUID) (Version, error)
	// Next moves the version by one for a delta that is about to be
	// published, and notes the sale version that it includes (zero: none).
	Next(ctx context.Context, eventID uuid.UUID, saleVersion int64) (Version, error)
}
