//go:build linux && !engines

package system

import (
	"testing"

	"happening/test/house"
)

// inEngines has nothing to look at: what the embedded engines keep is in the
// process's memory and goes with it.
func inEngines(*testing.T, *house.House, string) []string { return nil }
