package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"
)

// The clock's limits.
const (
	// clockJump is how far the database's clock may be from ours before
	// neither is believed.
	clockJump = 3 * time.Second
	// clockEvery is the time between two measurements.
	clockEvery = 10 * time.Second
)

// timeSource is the database's clock.
type timeSource interface {
	Time(ctx context.Context) (time.Time, error)
}

// clock is the application's, by which every rule is told the time: the
// database's clock as it was measured at the start, and the time that has
// passed since by a clock that nobody sets. A step of the machine's clock does
// not move it; a small drift against the database is followed. When the
// database's clock jumps, this one goes on as it was and is not steady until
// they agree again: the process says that it is unready, and nothing is closed.
// Starting the process anew accepts the database's clock as it is.
type clock struct {
	begin    time.Duration // of the clock that nobody sets
	wall     time.Time
	offset   atomic.Int64
	unsteady atomic.Bool
	log      *slog.Logger
}

func newClock(log *slog.Logger) *clock {
	return &clock{begin: uptime(), wall: time.Now().UTC().Round(0), log: log}
}

// Now is the time, in microseconds as the database keeps it.
func (c *clock) Now() time.Time {
	return c.ticking().Add(time.Duration(c.offset.Load())).Truncate(time.Microsecond)
}

func (c *clock) ticking() time.Time { return c.wall.Add(uptime() - c.begin) }

func (c *clock) steady() bool { return !c.unsteady.Load() }

// start takes the first measurement as it is.
func (c *clock) start(ctx context.Context, db timeSource) error {
	ahead, err := c.ahead(ctx, db)
	if err == nil {
		c.offset.Store(int64(ahead))
	}
	return err
}

// ahead measures how far the database's clock is ahead of ours, to within half
// a round trip.
func (c *clock) ahead(ctx context.Context, db timeSource) (time.Duration, error) {
	before := c.ticking()
	theirs, err := db.Time(ctx)
	if err != nil {
		return 0, err
	}
	after := c.ticking()
	return theirs.Sub(before.Add(after.Sub(before) / 2)), nil
}

// measure follows the database's clock, or stops believing.
func (c *clock) measure(ctx context.Context, db timeSource) error {
	ahead, err := c.ahead(ctx, db)
	if err != nil {
		return err
	}
	jump := ahead - time.Duration(c.offset.Load())
	if jump > clockJump || jump < -clockJump {
		c.unsteady.Store(true)
		return fmt.Errorf("the database's clock has moved by %s: %w", jump.Round(time.Millisecond), errClockJumped)
	}
	c.offset.Store(int64(ahead))
	c.unsteady.Store(false)
	return nil
}

var errClockJumped = errors.New("nothing is closed until the clocks agree again or Happening is restarted")
