//go:build linux && engines

package chaos

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"happening/test/house"
)

// carried is a house with one process that takes orders and others that tell, one
// after the other, over a wire to RabbitMQ.
type carried struct {
	t       *testing.T
	r       *house.Replicas
	wire    *letterWire
	worker  *house.Replica
	c       *house.Client
	db      *pgx.Conn
	l       *house.Ledger
	eventID string
	people  []*house.Person // who have not booked yet
}

// carriedPeople is how many book, one after the other.
const carriedPeople = 10

// news is somebody's one booking, and the fact of which they are to be told.
type news struct {
	*house.Person
	id, fact string
}

func newCarried(t *testing.T) *carried {
	t.Helper()
	s := &carried{t: t, l: house.NewLedger()}
	s.r = house.NewReplicas(t, func(env map[string]string) { s.wire, env["AMQP_URL"] = newLetterWire(t, env["AMQP_URL"]) })
	s.r.Start("--only", "api,web")
	s.c = house.NewClient(s.r.House.API)
	t.Cleanup(s.c.Close)
	s.db = s.r.House.Database()
	s.people = s.r.House.People("carried", carriedPeople)
	s.eventID = s.c.Event(t, s.people[0], s.c.Organization(t, s.people[0]), carriedPeople, nil)
	s.worker = s.r.Worker()
	s.settled()
	return s
}

// book lets the next one book.
func (s *carried) book() news {
	s.t.Helper()
	who := s.people[0]
	s.people = s.people[1:]
	o := s.l.Book(who, s.eventID, 1)
	if s.l.Place(s.c, o); o.Told == nil {
		s.t.Fatalf("a booking is answered %d %s", o.Status, o.Refused)
	}
	n := news{Person: who, id: o.Told.ID}
	ctx, cancel := context.WithTimeout(context.Background(), house.CommandLimit)
	defer cancel()
	if err := s.db.QueryRow(ctx, `SELECT id::text FROM outbox WHERE booking_id = $1`, n.id).Scan(&n.fact); err != nil {
		s.t.Fatal(err)
	}
	return n
}

// reached waits until the worker stands at all of the moments.
func (s *carried) reached(what string, moments []<-chan struct{}) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), toldLimit)
	defer cancel()
	for _, m := range moments {
		select {
		case <-m:
		case <-ctx.Done():
			s.t.Fatalf("after %v still not: %s", toldLimit, what)
		}
	}
}

// kill ends the worker where it stands.
func (s *carried) kill() {
	s.t.Helper()
	s.worker.Kill()
	s.wire.goOn()
}

// stands counts the facts of a booking of which something is so.
func (s *carried) stands(of news, so string) int {
	s.t.Helper()
	return house.Count(s.t, s.db, `SELECT count(*) FROM outbox WHERE booking_id = $1 AND `+so, of.id)
}

const (
	onTheWay = `relayed_at IS NULL AND queued_at IS NOT NULL`
	isTold   = `relayed_at IS NOT NULL AND failure IS NULL`
)

// leaseEnds lets what is on its way be due again, which it is by itself after a
// minute; never puts that off for longer than the test takes.
func (s *carried) leaseEnds()      { s.lease(`clock_timestamp()`) }
func (s *carried) leaseNeverEnds() { s.lease(`clock_timestamp() + interval '1 day'`) }

func (s *carried) lease(until string) {
	s.t.Helper()
	house.Exec(s.t, s.db, `UPDATE outbox SET next_try_at = `+until+` WHERE `+onTheWay)
}

// settled waits until somebody who books now is told.
func (s *carried) settled() {
	s.t.Helper()
	last := s.book()
	house.Await(s.t, "who books last is told", toldLimit, func() bool { return s.stands(last, isTold) == 1 })
}

// wantBell wants that somebody finds so many messages in the application.
func (s *carried) wantBell(who news, n int) {
	s.t.Helper()
	if bell := house.BellOf(s.t, s.c, who.Person); bell[who.id] != n || len(bell) != 1 {
		s.t.Errorf("%s finds %v in the bell, not %d of the booking %s", who.Email, bell, n, who.id)
	}
}

// handsOverTwice has a fact handed over by two workers, each of which is killed
// when the broker keeps it and has said so, and before it has heard of that.
func (s *carried) handsOverTwice() (fact news) {
	s.t.Helper()
	for n := range 2 {
		stand := s.wire.stopAt(confirmed, handed)
		if n == 0 {
			fact = s.book()
		} else {
			s.leaseEnds()
			s.worker.Relaunch()
		}
		s.reached("the broker has confirmed a fact, and handed it out", stand)
		s.kill()
		if s.stands(fact, onTheWay) != 1 {
			s.t.Error("the kill did not come while the fact was on its way")
		}
	}
	return fact
}

// The worker is killed at the moments between two engines, each for certain: what
// goes over the wire tells when it stands there. Whatever the broker has twice, or
// hands out twice, is told once in the application, and what it never got is handed
// over again.
func TestWorkersKilledBetweenEngines(t *testing.T) {
	t.Parallel()
	s := newCarried(t)

	// Leased and not handed over: only the end of the lease brings it back.
	stand := s.wire.stopAt(handingOver)
	fact := s.book()
	s.reached("a fact is on its way to the broker", stand)
	s.kill()
	s.leaseNeverEnds()
	s.worker.Relaunch()
	s.settled()
	if s.stands(fact, onTheWay) != 1 {
		t.Error("the fact is told before the end of its lease: the broker had it")
	}
	s.leaseEnds()
	house.Await(t, "it is told", toldLimit, func() bool { return s.stands(fact, isTold) == 1 })
	s.wantBell(fact, 1)

	// Confirmed, and the worker not told, twice: the broker has it twice.
	fact = s.handsOverTwice()
	s.worker.Relaunch()
	s.wire.awaitAcked(fact.fact, 2, toldLimit)
	s.wantBell(fact, 1)

	// Told and not acknowledged: the broker hands it out again.
	stand = s.wire.stopAt(acknowledging)
	fact = s.book()
	s.reached("a fact is told, and its acknowledgement on the way", stand)
	s.kill()
	if s.stands(fact, isTold) != 1 {
		t.Error("the kill did not come after the fact was told")
	}
	s.wantBell(fact, 1)
	s.worker.Relaunch()
	s.wire.awaitAcked(fact.fact, 1, toldLimit)
	s.wantBell(fact, 1)
	s.settled()
	s.r.House.Judge(s.l)

	s.withoutGuards()
}

// withoutGuards is the control: the same without the mark on what is told and
// without the index that stands behind it. What comes twice is shown twice.
func (s *carried) withoutGuards() {
	s.t.Helper()
	house.Exec(s.t, s.db, `
		CREATE FUNCTION forget_the_mark() RETURNS trigger LANGUAGE plpgsql AS
			'BEGIN NEW.relayed_at := NULL; RETURN NEW; END';
		CREATE TRIGGER forget_the_mark BEFORE UPDATE ON outbox
			FOR EACH ROW WHEN (OLD.relayed_at IS NULL) EXECUTE FUNCTION forget_the_mark();
		DROP INDEX notifications_once;
		ALTER TABLE notifications DROP CONSTRAINT notifications_pkey`)
	fact := s.handsOverTwice()
	s.leaseNeverEnds()
	s.worker.Relaunch()
	s.wire.awaitAcked(fact.fact, 2, toldLimit)
	s.wantBell(fact, 2)

	stand := s.wire.stopAt(acknowledging)
	fact = s.book()
	s.reached("a fact is told, and its acknowledgement on the way", stand)
	s.kill()
	s.leaseNeverEnds()
	s.wantBell(fact, 1)
	s.worker.Relaunch()
	s.wire.awaitAcked(fact.fact, 1, toldLimit)
	s.wantBell(fact, 2)
}
