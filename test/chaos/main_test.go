//go:build linux && engines

package chaos

import (
	"testing"

	"happening/test/house"
)

func TestMain(m *testing.M) { house.Main(m) }
