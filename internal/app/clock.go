package app

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"happening/internal/postgres"
)

// The clock's limits.
const (
	// clockJump is how far the offset to the database's clock may move
	// between two measurements before neither clock is believed.
	clockJump = 3 * time.Second
	// clockSettled is how many measurements in a row must agree on a new
	// offset before it counts.
	clockSettled = 3
	// clockEvery is the time between two measurements.
	clockEvery = 10 * time.Second
)

// clock is the application's: the process's clock plus its measured offset to
// the database's. Every rule is told the time by it. While a jump of either
// clock is not settled, the clock keeps its old offset and is not steady: the
// process is unready, and nothing is closed on its word.
type clock struct {
	offset   atomic.Int64
	unsteady atomic.Bool
	strange  time.Duration
	seen     int
	log      *slog.Logger
}

// Now is the time, in microseconds as the database keeps it.
func (c *clock) Now() time.Time {
	return time.Now().Add(time.Duration(c.offset.Load())).UTC().Truncate(time.Microsecond)
}

// Ticking is Now with the reading of the process's monotonic clock, for what
// measures durations.
func (c *clock) Ticking() time.Time { return time.Now().Add(time.Duration(c.offset.Load())) }

func (c *clock) steady() bool { return !c.unsteady.Load() }

// start takes the first measurement as it is.
func (c *clock) start(ctx context.Context, db *postgres.DB) error {
	offset, err := db.ClockOffset(ctx)
	if err != nil {
		return err
	}
	c.offset.Store(int64(offset))
	return nil
}

// measure takes one more measurement.
func (c *clock) measure(ctx context.Context, db *postgres.DB) error {
	offset, err := db.ClockOffset(ctx)
	if err != nil {
		return err
	}
	if off(offset, time.Duration(c.offset.Load())) {
		if c.seen > 0 && off(offset, c.strange) {
			c.seen = 0
		}
		c.strange = offset
		c.seen++
		if c.seen < clockSettled {
			c.unsteady.Store(true)
			c.log.Warn("app: the clocks of process and database have moved apart", "by", offset)
			return nil
		}
	}
	c.seen = 0
	c.offset.Store(int64(offset))
	c.unsteady.Store(false)
	return nil
}

func off(a, b time.Duration) bool { return a-b > clockJump || b-a > clockJump }
