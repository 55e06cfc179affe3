package app

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"
)

// database is a clock that is ahead of this machine's.
type database struct{ ahead time.Duration }

func (d *database) Time(context.Context) (time.Time, error) {
	return time.Now().Add(d.ahead).UTC(), nil
}

func TestTheClockFollowsDriftAndBelievesNoJump(t *testing.T) {
	db := &database{ahead: time.Hour}
	c := newClock(slog.New(slog.DiscardHandler))
	if err := c.start(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	off := func() time.Duration { return time.Until(c.Now()).Round(100 * time.Millisecond) }
	if got := off(); got != time.Hour {
		t.Errorf("at the start: %s ahead, want 1h as the database", got)
	}
	db.ahead += 2 * time.Second
	if err := c.measure(t.Context(), db); err != nil || off() != db.ahead || !c.steady() {
		t.Errorf("after a drift of 2 s: %s ahead, steady %t, %v", off(), c.steady(), err)
	}
	for _, jump := range []time.Duration{24 * time.Hour, -24 * time.Hour} {
		before := off()
		db.ahead += jump
		for range 5 {
			if err := c.measure(t.Context(), db); !errors.Is(err, errClockJumped) {
				t.Fatalf("a jump of %s: %v", jump, err)
			}
		}
		if got := off(); got != before || c.steady() {
			t.Errorf("after a jump of %s: %s ahead, steady %t", jump, got, c.steady())
		}
		db.ahead -= jump
		if err := c.measure(t.Context(), db); err != nil || !c.steady() {
			t.Errorf("after the jump was taken back: steady %t, %v", c.steady(), err)
		}
	}
}

// The time asked for often is not looked up in the system each time, and a
// machine that slept is found out all the same.
func TestTheClockGoesOnWhileTheMachineSleeps(t *testing.T) {
	c := newClock(slog.New(slog.DiscardHandler))
	var awake, slept, between time.Duration
	looks := 0
	c.begin = time.Hour
	c.awake = func() time.Duration { return awake }
	c.uptime = func() time.Duration {
		looks++
		up := c.begin + awake + slept
		awake += between // as if somebody else ran between the two readings
		return up
	}
	passed := func() time.Duration { return c.Now().Sub(c.wall.Truncate(time.Microsecond)).Truncate(time.Millisecond) }
	for awake = time.Second; awake < 2*time.Second; awake += sleepLook / 100 {
		c.Now()
	}
	if looks > 1001 {
		t.Errorf("looked %d times in a second", looks)
	}
	slept = 8 * time.Hour
	awake += sleepLook
	if got := passed(); got < slept+2*time.Second || got > slept+2*time.Second+10*time.Millisecond {
		t.Errorf("after a second awake and 8 h of sleep %v have passed", got)
	}
	between = time.Minute
	for range 3 {
		awake += sleepLook
		c.Now()
	}
	between = 0
	awake += sleepLook
	if got := c.Now().Sub(c.wall) - awake; got < slept-time.Millisecond || got > slept+time.Millisecond {
		t.Errorf("readings far apart were believed: %v of sleep", got)
	}
}

// TestNothingIsClosedByAClockThatIsNotBelieved runs a job that closes things
// by the clock while it is steady, and only then.
func TestNothingIsClosedByAClockThatIsNotBelieved(t *testing.T) {
	a := &App{clock: newClock(slog.New(slog.DiscardHandler))}
	ran := 0
	job := a.whenSteady(func(context.Context) error { ran++; return nil })
	for _, c := range []struct {
		unsteady bool
		want     int
	}{{false, 1}, {true, 1}, {false, 2}} {
		a.clock.unsteady.Store(c.unsteady)
		if err := job(t.Context()); err != nil || ran != c.want {
			t.Errorf("unsteady %t: ran %d times, want %d, %v", c.unsteady, ran, c.want, err)
		}
	}
}
