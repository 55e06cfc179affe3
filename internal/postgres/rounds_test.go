//go:build !long

package postgres_test

// How often two do something at once, for every push; rounds_long_test.go has
// the full numbers.
const (
	memberRounds = 1_000 // change memberships
	erasedRounds = 64    // erase somebody meanwhile
	writeRounds  = 100   // take a role away from who is writing
	answerRounds = 300   // accept and withdraw an invite
	pairRounds   = 60    // sell in two processes what can be had once
)

// crowdSize is how many bookings an event has that is too large for one step.
const crowdSize = 2_000
