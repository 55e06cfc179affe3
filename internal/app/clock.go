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
	// clockEvery is the time between two measurements: for so long a jump goes
	// unnoticed.
	clockEvery = 2 * time.Second
	// sleepLook is how soon after it wakes a machine is found to have slept: to
	// look costs a call into the system, and every request asks for the time
	// several times.
	sleepLook = time.Millisecond
	// sleepMin is what counts as sleep; two clocks can't be read at once.
	sleepMin = 10 * sleepLook
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
	wall   time.Time // at the start
	uptime func() time.Duration
	begin  time.Duration        // of uptime, at the start
	awake  func() time.Duration // since the start, without what the machine slept
	slept  atomic.Int64         // since the start, in nanoseconds
	looked atomic.Int64         // by awake, in nanoseconds: when slept was true

	offset   atomic.Int64
	unsteady atomic.Bool
	log      *slog.Logger
}

func newClock(log *slog.Logger) *clock {
	started := time.Now()
	return &clock{
		wall: started.UTC().Round(0), uptime: uptime, begin: uptime(),
		awake: func() time.Duration { return time.Since(started) }, log: log,
	}
}

// Now is the time, in microseconds as the database keeps it.
func (c *clock) Now() time.Time {
	return c.ticking().Add(time.Duration(c.offset.Load())).Truncate(time.Microsecond)
}

// ticking is the time by the clock that nobody sets.
func (c *clock) ticking() time.Time {
	awake := c.awake()
	if awake-time.Duration(c.looked.Load()) >= sleepLook {
		c.lookForSleep()
	}
	return c.wall.Add(awake + time.Duration(c.slept.Load()))
}

// lookForSleep compares the clock that stands still while the machine sleeps
// with the one that doesn't. The latter is read first, so that whatever passes
// between the two is never taken for sleep.
func (c *clock) lookForSleep() {
	up := c.uptime() - c.begin
	awake := c.awake()
	c.looked.Store(int64(awake))
	known := c.slept.Load()
	if slept := int64(up - awake); slept-known >= int64(sleepMin) {
		c.slept.CompareAndSwap(known, slept)
	}
}

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
