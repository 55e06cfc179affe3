package notify

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// How long what is done with is kept, and how it is removed.
const (
	// KeepFacts is how long a told fact stays, for those who ask what was told.
	KeepFacts = 7 * 24 * time.Hour
	// KeepChanges is how long another replica can catch up by changes before
	// it has to load an event anew.
	KeepChanges = 10 * time.Minute
	// PurgeStep bounds the rows that one transaction removes.
	PurgeStep = 1000
	// purgeRest lies between two steps.
	purgeRest = 20 * time.Millisecond
)

// PurgeStore removes what is done with, in small steps.
type PurgeStore interface {
	// PurgeFacts removes at most limit facts that were told before the time
	// and says how many it removed.
	PurgeFacts(ctx context.Context, before time.Time, limit int) (int, error)
	// PurgeChanges removes at most limit changes made before the time, of the
	// events that come after the given one, and says how many it removed and
	// which event it came to; uuid.Nil: there are no more events.
	PurgeChanges(ctx context.Context, before time.Time, after uuid.UUID, limit int) (removed int, reached uuid.UUID, err error)
}

// Purge removes told facts after KeepFacts and changes of events after
// KeepChanges. It stops when nothing is left to remove or ctx ends, and may
// run at any time, also twice at once.
func Purge(ctx context.Context, store PurgeStore, now time.Time) error {
	for {
		n, err := store.PurgeFacts(ctx, now.Add(-KeepFacts), PurgeStep)
		if err != nil {
			return err
		}
		if n < PurgeStep {
			break
		}
		pause(ctx, purgeRest)
	}
	after := uuid.Nil
	for {
		n, reached, err := store.PurgeChanges(ctx, now.Add(-KeepChanges), after, PurgeStep)
		if err != nil {
			return err
		}
		if n == 0 {
			// The events up to the one reached hold nothing old any more.
			if reached == uuid.Nil {
				return nil
			}
			after = reached
		}
		pause(ctx, purgeRest)
	}
}
