//go:build linux && !long

package system

// The short lengths, for every push; long_test.go has the full ones.
const (
	killRounds      = 5 // of the server
	postmasterKills = 3
	backendKills    = 8
)
