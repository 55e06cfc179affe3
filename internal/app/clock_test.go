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
