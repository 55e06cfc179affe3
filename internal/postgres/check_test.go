package postgres_test

import (
	"testing"
	"time"

	"happening/internal/booking"
	"happening/internal/testkit"
)

// A fact that counts as told and of which there is no message is told by the
// checker, and one that waits is not.
func TestTheCheckerFindsFactsOfWhichNobodyWasTold(t *testing.T) {
	t.Parallel()
	db := testkit.NewDB(t)
	org, _ := db.Org(t)
	s := newSeller(t, db)
	for _, who := range db.People(t, 2) {
		if _, err := s.Book(t.Context(), as(who), booking.Request{EventID: db.Event(t, org, 3, testkit.EventOptions{}), Seats: 1}); err != nil {
			t.Fatal(err)
		}
	}
	db.CheckClean(t)
	db.AsOwner(t, `UPDATE outbox SET relayed_at = now() WHERE id = (SELECT id FROM outbox WHERE kind LIKE 'booking.%' LIMIT 1)`)
	breaches, err := db.Check(t.Context(), time.Now(), nil)
	if err != nil || len(breaches) != 1 || breaches[0].Rule != "C4" || breaches[0].Count != 1 {
		t.Errorf("%+v, %v", breaches, err)
	}
}
