//go:build linux && !race

package house

// raceDetector says whether the tests run under the race detector; the binary
// is then built with it, too.
const raceDetector = false
