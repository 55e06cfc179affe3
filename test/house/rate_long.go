//go:build linux && long

package house

// insistOnRate says whether a sale that is too slow fails its test.
const insistOnRate = true
