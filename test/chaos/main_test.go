//go:build linux && engines

package chaos

import (
	"testing"

	"happening/internal/pgserver"
	"happening/internal/testkit"
	"happening/test/house"
)

// tests run between the start and the end of what testkit keeps for a package.
type tests struct{ *testing.M }

// Run runs them.
func (t tests) Run() int { return testkit.Main(t.M) }

func TestMain(m *testing.M) {
	// Before anything is built: the supervisor of testkit's PostgreSQL is this
	// program, started again.
	pgserver.MaybeSupervise()
	house.Main(tests{m})
}
