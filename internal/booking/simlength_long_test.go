//go:build long

package booking

// simSeeds is ten thousand seeds of a thousand steps.
const simSeeds = 10_000

// simPlainSeeds is how many histories of seats are taken.
const simPlainSeeds = 1000
