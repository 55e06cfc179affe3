//go:build long

package booking

// simSeeds is ten thousand seeds of a thousand steps.
const simSeeds = 10_000
