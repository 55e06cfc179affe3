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

// Stand is where an event's live state stands in the store of versions.
type Stand struct {
	Version
	// Sale is the newest sale version that any process has settled. States
	// are read from what is committed up to it, or further.
	Sale int64
	// Watched says that somebody looks at the event in any process, or did
	// within RecoveryWindow. Where one process is all, the feed knows by
	// itself and this may be false.
	Watched bool
}

// Versions keeps the live versions beside the holds: in the process's memory,
// or in Redis.
type Versions interface {
	// Version gives the version of the event's last delta. A snapshot reads
	// it before it reads the states.
	Version(ctx context.Context, eventID uuid.UUID) (Stand, error)
	// Next moves the version by one for a delta that is about to be
	// published, and notes the sale version that it includes (zero: none).
	Next(ctx context.Context, eventID uuid.UUID, saleVersion int64) (Stand, error)
}
