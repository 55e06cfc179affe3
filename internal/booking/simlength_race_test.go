//go:build !long && race

package booking

// simSeeds is small under the race detector, which makes all ten times slower
// and looks for what these seeds have little of.
const simSeeds = 40

// simPlainSeeds is how many histories of seats are taken.
const simPlainSeeds = 10
