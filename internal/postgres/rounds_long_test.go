//go:build long

package postgres_test

// The full numbers; see rounds_test.go.
const (
	memberRounds = 1_000
	erasedRounds = 1_000
	writeRounds  = 1_000
	answerRounds = 1_000
	pairRounds   = 1_000
)

// crowdSize is the event that the contract speaks of.
const crowdSize = 100_000
