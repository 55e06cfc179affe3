//go:build linux && !engines && !long

package system

// The short lengths, for every push; length_long_test.go has the full ones.
const wireCuts = 40
