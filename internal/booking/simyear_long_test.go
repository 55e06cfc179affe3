//go:build long

package booking

import (
	"testing"
	"testing/synctest"
	"time"
)

// year is how long the long simulation lasts by its own clock.
const year = 365 * 24 * time.Hour

// TestSimulatedYear lets one world go on for a year of its own time: holds,
// inventories and double submits are forgotten many times over, and hundreds
// of events begin, end and are followed by others.
func TestSimulatedYear(t *testing.T) {
	steps := 0
	synctest.Test(t, func(t *testing.T) {
		var w *simWorld
		defer func() {
			p := recover()
			if w != nil {
				w.release()
			}
			if f, ours := p.(simFailure); ours {
				t.Errorf("step %d: %s", steps, f.what)
			} else if p != nil {
				panic(p)
			}
		}()
		w = newSimWorld(1, simConditions{slow: true})
		for end := w.now().Add(year); w.now().Before(end); steps++ {
			w.step(steps)
		}
		t.Logf("%d steps, %d events: %v", steps, len(w.books), w.met)
	})
}
