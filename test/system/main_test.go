//go:build linux

package system

import (
	"testing"

	"happening/internal/pgserver"
	"happening/test/house"
)

func TestMain(m *testing.M) {
	pgserver.MaybeSupervise()
	house.Main(m)
}
