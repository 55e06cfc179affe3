//go:build !long && !race

package booking

// simSeeds is how many seeds the simulation runs.
const simSeeds = 300

// simPlainSeeds is how many histories of seats are taken.
const simPlainSeeds = 60
