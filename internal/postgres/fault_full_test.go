package postgres_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"happening/internal/booking"
	"happening/internal/testkit"
)

// refuseWrites lets the database refuse every booking by an error of some code,
// as often as it is asked, until it is told to let them.
func refuseWrites(t *testing.T, db *testkit.DB, code string) (again func()) {
	t.Helper()
	db.AsOwner(t, fmt.Sprintf(`
		CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
		$$BEGIN RAISE EXCEPTION 'refused by the test' USING ERRCODE = '%s'; END$$;
		CREATE TRIGGER refuse BEFORE INSERT ON bookings EXECUTE FUNCTION refuse()`, code))
	return func() { t.Helper(); db.AsOwner(t, "DROP FUNCTION refuse CASCADE") }
}

// TestAServerWithoutRoomIsWaitedFor refuses a booking as a server does whose
// disk is full: no order is to blame, so that it is served when there is room
// again, and meanwhile the ledger says that it takes none.
func TestAServerWithoutRoomIsWaitedFor(t *testing.T) {
	const diskFull = "53100"
	db := testkit.NewDB(t)
	org, _ := db.Org(t)
	event := db.Event(t, org, 10, testkit.EventOptions{})
	s := newSeller(t, db)
	if err := s.ledger.Closed(); err != nil {
		t.Errorf("before: %v", err)
	}
	again := refuseWrites(t, db, diskFull)
	answered := make(chan error, 1)
	go func() {
		_, err := s.Book(context.Background(), as(db.Person(t)), booking.Request{EventID: event, Seats: 1})
		answered <- err
	}()
	eventually(t, "the ledger is closed", func() bool { return s.ledger.Closed() != nil })
	again()
	if err := <-answered; err != nil {
		t.Errorf("with room again: %v", err)
	}
	if err := s.ledger.Closed(); err != nil {
		t.Errorf("with room again: %v", err)
	}
	db.CheckClean(t)
}

// TestAnOrderThatIsRefusedClosesNothing is its control: what is one order's
// fault is refused at once, and the ledger takes others.
func TestAnOrderThatIsRefusedClosesNothing(t *testing.T) {
	const someFault = "P0001"
	db := testkit.NewDB(t)
	org, _ := db.Org(t)
	event := db.Event(t, org, 10, testkit.EventOptions{})
	s := newSeller(t, db)
	again := refuseWrites(t, db, someFault)
	who := db.Person(t)
	if _, err := s.Book(t.Context(), as(who), booking.Request{EventID: event, Seats: 1}); err == nil {
		t.Error("an order that the database refuses was served")
	}
	if err := s.ledger.Closed(); err != nil {
		t.Errorf("one order's fault closes the ledger: %v", err)
	}
	again()
	if _, err := s.Book(t.Context(), as(who), booking.Request{EventID: event, Seats: 1}); err != nil {
		t.Error(err)
	}
	db.CheckClean(t)
}

// eventually waits for something of which there is no signal.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	limit := time.After(time.Minute)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-limit:
			t.Fatalf("still not: %s", what)
		case <-tick.C:
		}
	}
}
