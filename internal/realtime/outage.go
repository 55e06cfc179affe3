package realtime

import (
	"log/slog"
	"sync"
	"time"
)

// calmAfter is how long nothing may have failed for an outage to be over.
const calmAfter = time.Second

// outage says once that something has begun to fail, and once that it works
// again, instead of a line for every failure.
type outage struct {
	log  *slog.Logger
	what string

	mu     sync.Mutex
	since  time.Time // zero: all is well
	last   time.Time
	failed int
}

func (o *outage) note(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	switch {
	case err != nil && o.since.IsZero():
		o.since, o.last, o.failed = now, now, 1
		o.log.Warn(o.what+" are failing", "error", err)
	case err != nil:
		o.last = now
		o.failed++
	case !o.since.IsZero() && now.Sub(o.last) >= calmAfter:
		o.log.Info(o.what+" work again", "away", now.Sub(o.since).Round(time.Millisecond), "failed", o.failed)
		o.since = time.Time{}
	}
}
