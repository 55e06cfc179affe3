package socket

import (
	"testing"
	"time"
)

// TestAccessEndsInTime holds the figures to the contract's five seconds, the
// slowest gate included.
func TestAccessEndsInTime(t *testing.T) {
	t.Parallel()
	const accessEnds = 5 * time.Second
	for how, longest := range map[string]time.Duration{
		"somebody says no":      recheckAfter + recheckTick + askWithin,
		"nobody can say a word": endsUnverified + askWithin,
	} {
		if longest > accessEnds {
			t.Errorf("%s: access ends after up to %v", how, longest)
		}
	}
}
