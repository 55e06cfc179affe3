package notify

import (
	"context"
	"math/rand/v2"
	"time"
)

// How the background work gives way and keeps going.
const (
	// PollInterval is how soon work is noticed that nobody announced, such as
	// what a killed process left.
	PollInterval = time.Second
	// BusyRest is how many times as long as it worked the background rests
	// while a sale is on, which leaves the sale its machine: an eighth of the
	// time is theirs.
	BusyRest = 7
	// minBusyRest lets facts gather while a sale is on: a transaction for a
	// handful of them costs nearly as much as one for hundreds.
	minBusyRest = 50 * time.Millisecond
	maxBusyRest = 2 * time.Second
	// gather is how long the next few wait for company where there were only a
	// few of them, aFew at most: whoever books alone, one after the other,
	// would else share the disk and the machine with as many transactions of
	// ours as there are bookings.
	gather = 50 * time.Millisecond
	aFew   = 32
	// The pause after a failure doubles from the first to the last.
	firstFailurePause = 100 * time.Millisecond
	lastFailurePause  = 10 * time.Second
)

// pace runs a piece of background work over and over: at once while there is
// much of it, a moment later where there was little, after a wake-up or
// PollInterval when there was none, with rests while busy says so, and with
// growing pauses while it fails. It returns when ctx ends.
func pace(ctx context.Context, wake <-chan struct{}, busy func() bool, work func(context.Context) (int, error)) {
	failurePause := firstFailurePause
	for ctx.Err() == nil {
		started := time.Now()
		n, err := work(ctx)
		took := time.Since(started)
		switch {
		case err != nil:
			// Half of the pause is chance, so that several processes don't
			// come back to an engine in step.
			pause(ctx, failurePause/2+rand.N(failurePause/2))
			failurePause = min(2*failurePause, lastFailurePause)
			continue
		case n == 0:
			waitFor(ctx, wake, PollInterval)
		case busy():
			pause(ctx, busyRest(took))
		case n <= aFew:
			pause(ctx, gather)
		}
		failurePause = firstFailurePause
	}
}

// busyRest is how long to leave the machine to a sale after work that took so
// long.
func busyRest(took time.Duration) time.Duration {
	return min(max(BusyRest*took, minBusyRest), maxBusyRest)
}

func pause(ctx context.Context, d time.Duration) { waitFor(ctx, nil, d) }

func waitFor(ctx context.Context, wake <-chan struct{}, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-wake:
	case <-timer.C:
	}
}

// alarm is a wake-up that is kept until it is heard; many are heard as one.
type alarm chan struct{}

func newAlarm() alarm { return make(alarm, 1) }

func (a alarm) ring() {
	select {
	case a <- struct{}{}:
	default:
	}
}
