package notify_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/notify"
)

func TestPurgeRemovesWhatIsDoneWithAndNothingElse(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	old, fresh := start.Add(-notify.KeepFacts-time.Hour), start.Add(-notify.KeepFacts+time.Hour)
	facts := func(n int, created time.Time, relayed *time.Time) {
		ids := make([]uuid.UUID, n)
		for i := range ids {
			ids[i] = idAt(created)
		}
		h.exec(`INSERT INTO outbox (id, kind, payload, created_at, relayed_at)
		        SELECT id, 'event.cancelled', '{}', $2, $3 FROM unnest($1::uuid[]) AS x (id)`, ids, created, relayed)
	}
	facts(notify.PurgeStep+500, old, &old)
	facts(3, old, nil)    // pending for so long, but pending
	facts(4, old, &fresh) // told late
	facts(5, fresh, &fresh)

	oldChange, freshChange := start.Add(-notify.KeepChanges-time.Minute), start.Add(-notify.KeepChanges+time.Minute)
	changes := func(events, n int, first int, at time.Time, of []uuid.UUID) []uuid.UUID {
		if of == nil {
			for range events {
				of = append(of, newID())
			}
		}
		h.exec(`INSERT INTO event_changes (event_id, version, changes, created_at)
		        SELECT e, v, '', $4 FROM unnest($1::uuid[]) AS x (e), generate_series($2::int, $3::int) AS v`, of, first, first+n-1, at)
		return of
	}
	hot := changes(1, notify.PurgeStep*2+10, 1, oldChange, nil)
	changes(1, 20, notify.PurgeStep*2+11, freshChange, hot)
	many := changes(120, 3, 1, oldChange, nil)
	changes(120, 2, 4, freshChange, many)

	for range 2 {
		if err := notify.Purge(t.Context(), h.store, start); err != nil {
			t.Fatal(err)
		}
	}
	if n := h.count("SELECT count(*) FROM outbox"); n != 12 {
		t.Errorf("%d facts stay, not 12", n)
	}
	if n := h.count("SELECT count(*) FROM event_changes"); n != 20+240 {
		t.Errorf("%d changes stay, not %d", n, 20+240)
	}
	if n := h.count("SELECT count(*) FROM event_changes WHERE created_at < $1", freshChange); n != 0 {
		t.Errorf("%d old changes stay", n)
	}
}

// idAt is a UUIDv7 of that time.
func idAt(at time.Time) uuid.UUID {
	id := newID()
	ms := uint64(at.UnixMilli())
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i))
	}
	return id
}
