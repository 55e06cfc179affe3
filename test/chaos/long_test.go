//go:build linux && engines && long

package chaos

import "time"

// The full lengths of docs/reliability.md.
const (
	stormLasts    = time.Minute
	killRounds    = 50
	redisFrozen   = 30 * time.Second
	redisRounds   = 20
	brokerAway    = time.Minute
	brokerKills   = 5
	workerKills   = 50
	factsWaiting  = 10_000
	factsDrained  = 10_000
	waitlistParty = 1_000
	waitlistFreed = 300
	// insist says whether a figure of docs/reliability.md that is not reached
	// fails its test.
	insist = true
)
