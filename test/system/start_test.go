//go:build linux

package system

// stopLimit is how long a stop by Ctrl-C may take.
const stopLimit = 5 * 1e9
