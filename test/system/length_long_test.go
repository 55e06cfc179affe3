//go:build linux && !engines && long

package system

import "time"

// The full lengths of docs/reliability.md.
const (
	wireCuts             = 1000
	waitForRefusals      = true
	startWithoutProvider = true
)

// clockJumps are how far the clocks move apart while Happening runs.
var clockJumps = []time.Duration{day, -day}

// day is how far clocks are apart.
const day = 24 * time.Hour
