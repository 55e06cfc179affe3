//go:build linux

package system

import (
	"testing"

	"happening/test/house"
)

func TestMain(m *testing.M) { house.Main(m) }
