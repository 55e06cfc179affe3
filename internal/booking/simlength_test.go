//go:build !long && !race

package booking

// simSeeds is how many seeds the simulation runs.
const simSeeds = 400
