//go:build engines

package httpapi

import (
	"log/slog"
	"testing"
	"time"

	"happening/internal/booking"
	"happening/internal/redis"
	"happening/internal/testkit"
)

// coordinate is a Redis of the test's own, and the process is one of several.
func coordinate(t *testing.T, now func() time.Time, log *slog.Logger) coordination {
	t.Helper()
	settings, err := redis.ParseURL(testkit.Redis(t).URL)
	must(t, err)
	store, err := redis.Open(t.Context(), settings, redis.Options{Now: now, Log: log})
	must(t, err)
	t.Cleanup(store.Close)
	return coordination{
		holds: store, allocator: []booking.Option{booking.Shared()},
		service: []booking.ServiceOption{
			booking.WithSubmitLock(store), booking.WithMirror(store),
			booking.WithNewest(store.Newest),
		},
	}
}
