package redis

import (
	"context"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// lockKept is how long a lock outlives its owner's death, and so how long a
// retry of what the dead process was at is taken for a second submit. It covers
// what a booking takes but for an outage; a submit that comes after it is
// PostgreSQL's to notice.
const lockKept = 5 * time.Second

// Lock implements booking.SubmitLock. Whatever stands in the way and is not
// the same request grants the lock without taking it: PostgreSQL decides.
func (s *Store) Lock(ctx context.Context, eventID, userID uuid.UUID, ask uint64) (unlock func(), ok bool) {
	const (
		same  = 0
		taken = 1
		base  = 16
	)
	token, hash := randomWord(), strconv.FormatUint(ask, base)
	keys := []string{"booking:{" + eventID.String() + "}:" + userID.String()}
	nothing := func() {}
	answers, err := s.run(ctx, s.patience, call{script: lockScript, keys: keys, args: []string{
		token, hash, strconv.FormatInt(lockKept.Milliseconds(), 10),
	}})
	if err != nil {
		return nothing, true
	}
	switch result, err := answers[0].AsInt64(); {
	case err != nil:
		return nothing, true
	case result == same:
		return nothing, false
	case result != taken:
		return nothing, true
	}
	return func() {
		// Left undone, the lock ends by itself.
		_, _ = s.run(context.WithoutCancel(ctx), s.patience, call{script: unlockScript, keys: keys, args: []string{token, hash}})
	}, true
}
