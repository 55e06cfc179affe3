//go:build linux && engines && !long

package chaos

import "time"

// The short lengths, for every push; long_test.go has the full ones.
const (
	stormLasts    = 10 * time.Second
	killRounds    = 4
	redisFrozen   = 5 * time.Second
	redisRounds   = 1
	brokerAway    = 5 * time.Second
	brokerKills   = 1
	workerKills   = 3
	factsWaiting  = 2_000
	factsDrained  = 2_000
	waitlistParty = 300
	waitlistFreed = 100
	// insist says whether a figure of docs/reliability.md that is not reached
	// fails its test. With the short lengths it is told: they run on machines of
	// any speed that have other things to do.
	insist = false
)
