//go:build engines

package redis_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/booking"
	"happening/internal/redis"
	"happening/internal/testkit"
)

// TestNoHoldOutlivesItsEnd takes away what leads to a hold, in the ways in
// which that happens, while others go on holding seats at the event: the hold
// ends nevertheless, for views, too.
func TestNoHoldOutlivesItsEnd(t *testing.T) {
	t.Parallel()
	for name, way := range map[string]struct {
		ttl   time.Duration
		spoil func(server *testkit.RedisServer, people string, now *clock)
	}{
		"the record is evicted": {spoil: func(s *testkit.RedisServer, people string, _ *clock) { s.Do(s.Client(), "DEL", people) }},
		"the record and its place in the clock's list are gone": {spoil: func(s *testkit.RedisServer, people string, _ *clock) {
			s.Do(s.Client(), "DEL", people, strings.TrimSuffix(people, "people")+"due")
		}},
		"a server takes over whose clock is behind by milliseconds": {ttl: booking.HoldMaxAge, spoil: func(_ *testkit.RedisServer, _ string, now *clock) {
			now.Advance(-2 * time.Millisecond)
		}},
		"the clock is set back by a day": {spoil: func(_ *testkit.RedisServer, _ string, now *clock) { now.Advance(-24 * time.Hour) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, now := testkit.Redis(t), newClock()
			s := open(t, server.URL, redis.Options{TTL: way.ttl, Now: now.Now, RedisTime: now.Now}).Unhurried()
			event, holder := uuid.New(), uuid.New()
			place := func(user uuid.UUID, seat int32) {
				if _, err := s.Place(t.Context(), booking.Placement{EventID: event, UserID: user, Seats: []int32{seat}, Now: now.Now()}); err != nil {
					t.Fatal(err)
				}
			}
			place(holder, 1)
			way.spoil(server, "event:{"+event.String()+"}:people", now)
			if err := s.Pin(t.Context(), event, holder); err != nil { // whatever reads the record
				t.Fatal(err)
			}
			if err := s.Unpin(t.Context(), event, holder); err != nil {
				t.Fatal(err)
			}
			for seat := range int32(20) {
				now.Advance(time.Minute)
				place(uuid.New(), 10+seat)
				s.Sweep(t.Context())
			}
			views, err := s.View(t.Context(), []uuid.UUID{event})
			if err != nil {
				t.Fatal(err)
			}
			if _, held := views[0].Holders[1]; held {
				t.Error("held after 20 minutes")
			}
		})
	}
}

// TestHoldsAfterAFlushEndOnTime: a process that remembers to have enlisted the
// event enlists it again in a Redis that has forgotten it.
func TestHoldsAfterAFlushEndOnTime(t *testing.T) {
	t.Parallel()
	server, now, h := testkit.Redis(t), newClock(), &heard{}
	s := open(t, server.URL, redis.Options{Now: now.Now, RedisTime: now.Now, Changed: h.changed, Expired: h.expired}).Unhurried()
	event := uuid.New()
	for _, user := range []uuid.UUID{uuid.New(), uuid.New()} {
		server.Do(server.Client(), "FLUSHALL")
		if _, err := s.Place(t.Context(), booking.Placement{EventID: event, UserID: user, Seats: []int32{1}, Now: now.Now()}); err != nil {
			t.Fatal(err)
		}
		now.Advance(10 * time.Second)
	}
	for range 20 {
		now.Advance(10 * time.Second)
		s.Sweep(t.Context())
	}
	if gone := h.takeExpired(); len(gone) != 1 {
		t.Errorf("%d holds were told to have ended, one should be", len(gone))
	}
}

// TestNoViewShowsAHoldThatHasEnded: also where no script ends a hold, because
// what leads to it is gone and nobody sweeps, a process that knows it from
// before leaves it out.
func TestNoViewShowsAHoldThatHasEnded(t *testing.T) {
	t.Parallel()
	server, now := testkit.Redis(t), newClock()
	s := open(t, server.URL, redis.Options{Now: now.Now, RedisTime: now.Now}).Unhurried()
	event := uuid.New()
	if _, err := s.Place(t.Context(), booking.Placement{EventID: event, UserID: uuid.New(), Seats: []int32{1}, Now: now.Now()}); err != nil {
		t.Fatal(err)
	}
	server.Do(server.Client(), "DEL", "event:{"+event.String()+"}:people", "event:{"+event.String()+"}:due")
	for _, want := range []int{1, 0} {
		views, err := s.View(t.Context(), []uuid.UUID{event})
		if err != nil || len(views[0].Holders) != want {
			t.Errorf("%d holds, want %d: %v", len(views[0].Holders), want, err)
		}
		now.Advance(redis.DefaultHoldTTL + booking.PinMax)
	}
}
