package app

import (
	"context"
	"errors"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"happening/internal/org"
)

// A process reads each change once, page after page, applies it for as long as
// an event may be on its way into memory, and misses none over an outage.
func TestStandingsAreFollowed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var kept []org.Suspension // as the database has them, by time
		var away error
		var applied map[uuid.UUID]bool
		reads := 0
		s := &standings{
			read: func(_ context.Context, since time.Time, limit int) (found []org.Suspension, err error) {
				reads++
				for _, c := range kept {
					if c.ChangedAt.After(since) && len(found) < limit {
						found = append(found, c)
					}
				}
				return found, away
			},
			apply: func(_ context.Context, standing map[uuid.UUID]bool) error {
				applied = maps.Clone(standing)
				return nil
			},
		}
		start, ids := time.Now().AddDate(0, 0, -1), make([]uuid.UUID, standingPage+1)
		for i := range ids {
			ids[i] = uuid.New()
			kept = append(kept, org.Suspension{OrgID: ids[i], Suspended: true, ChangedAt: start.Add(time.Duration(i))})
		}
		turn := func() error { applied = nil; return s.turn(t.Context()) }
		if err := turn(); err != nil || len(applied) != len(ids) || !applied[ids[0]] || reads != 2 {
			t.Fatalf("%d applied in %d reads, %v", len(applied), reads, err)
		}
		time.Sleep(standingAgain)
		if err := turn(); err != nil || len(applied) != len(ids) {
			t.Errorf("%d applied again, %v", len(applied), err)
		}
		time.Sleep(time.Second)
		if err := turn(); err != nil || len(applied) != len(ids) {
			t.Errorf("the last time %d, %v", len(applied), err)
		}
		if err := turn(); err != nil || applied != nil {
			t.Errorf("applied for ever: %d, %v", len(applied), err)
		}
		away = errors.New("away")
		if err := turn(); err == nil {
			t.Error("an outage is told of nobody")
		}
		kept[0].Suspended, kept[0].ChangedAt = false, start.Add(time.Hour)
		if err := turn(); err != nil {
			t.Errorf("an outage is told twice: %v", err)
		}
		away = nil
		if err := turn(); err != nil || len(applied) != 1 || applied[ids[0]] {
			t.Errorf("after the outage %v, %v", applied, err)
		}
	})
}
