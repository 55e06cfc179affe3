//go:build linux && long

package system

import "time"

// The full lengths of docs/reliability.md.
const (
	killRounds           = 50
	postmasterKills      = 20
	backendKills         = 50
	wireCuts             = 1000
	waitForRefusals      = true
	startWithoutProvider = true
)

// clockJumps are how far the clocks move apart while Happening runs.
var clockJumps = []time.Duration{24 * time.Hour, -24 * time.Hour}
