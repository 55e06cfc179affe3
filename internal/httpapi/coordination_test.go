//go:build !engines

package httpapi

import (
	"log/slog"
	"testing"
	"time"

	"happening/internal/memory"
)

// coordinate is the process's memory; with the tag engines it is a Redis, so
// that the API passes the same tests on both.
func coordinate(_ *testing.T, now func() time.Time, _ *slog.Logger) coordination {
	return coordination{holds: memory.NewHolds(memory.HoldsOptions{Now: now})}
}
