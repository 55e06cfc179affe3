//go:build linux && !engines && !long

package system

// The short lengths, for every push; length_long_test.go has the full ones.
const (
	wireCuts = 40
	// waitForRefusals says whether a full disk lasts until those who wait for
	// room are told to come back, which takes eight seconds.
	waitForRefusals = false
)
