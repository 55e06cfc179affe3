//go:build linux && !long

package system

// The short lengths, for every push; long_test.go has the full ones.
const (
	killRounds      = 5 // of the server
	postmasterKills = 3
	backendKills    = 8
	wireCuts        = 40
	closingKills    = 3 // of the server that closes a cancelled event
	// waitForRefusals says whether a full disk lasts until those who wait for
	// room are told to come back, which takes eight seconds.
	waitForRefusals = false
	// startWithoutProvider takes as long as keys are not asked for again.
	startWithoutProvider = false
	// jumpBack lets the clocks move apart the other way, too.
	jumpBack = false
)
