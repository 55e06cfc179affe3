//go:build linux && engines

package chaos

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	amqp "github.com/rabbitmq/amqp091-go"

	"happening/internal/testkit"
	"happening/test/house"
)

const (
	// queue and deadQueue are the contract's names.
	queue, deadQueue = "notifications", "notifications.dead"
	// mostTries is how often a poison message may be delivered.
	mostTries = 5
	// toldLimit is by when everything has to be told after the last fault:
	// what a killed worker had taken out of the outbox and not handed over is
	// left alone for a minute.
	toldLimit = 90 * time.Second
	// drainLimit is for 10,000 facts.
	drainLimit = time.Minute
	// perPerson is how many confirmations a person gets at most, so that one
	// page of the bell shows them all.
	perPerson = 90
)

// letters is a house with one replica that takes orders, one process that
// tells, and a broker of its own between them.
type letters struct {
	r       *house.Replicas
	broker  *testkit.Broker
	worker  *house.Replica
	c       *house.Client
	db      *pgx.Conn
	l       *house.Ledger
	eventID string
	people  []*house.Person
}

func newLetters(t *testing.T, orders int) *letters {
	t.Helper()
	broker := testkit.RabbitMQ(t)
	r := house.NewReplicas(t, func(env map[string]string) { env["AMQP_URL"] = broker.URL })
	r.Start("--only", "api,web")
	c := house.NewClient(r.House.API)
	t.Cleanup(c.Close)
	admin := r.House.People("admin", 1)[0]
	eventID := c.Event(t, admin, c.Organization(t, admin), orders, nil)
	return &letters{
		r: r, broker: broker, worker: r.Worker(), c: c, db: r.House.Database(), l: house.NewLedger(), eventID: eventID,
		people: r.House.People("reader", max(clients, orders/perPerson+1)),
	}
}

// order books seats for one person after the other until as many were booked,
// at the rate given (a second; 0: as fast as it goes), or ctx ends.
func (s *letters) order(ctx context.Context, t *testing.T, orders, rate int) {
	t.Helper()
	work := make(chan *house.Person)
	var takers sync.WaitGroup
	for range clients {
		takers.Go(func() {
			for p := range work {
				o := s.l.Book(p, s.eventID, 1)
				if s.l.Place(s.c, o); o.Told == nil {
					t.Errorf("a booking was refused: %q, unknown %v", o.Refused, o.Unknown)
				}
			}
		})
	}
	var pace <-chan time.Time
	if rate > 0 {
		ticker := time.NewTicker(time.Second / time.Duration(rate))
		defer ticker.Stop()
		pace = ticker.C
	}
	for i := 0; i < orders && ctx.Err() == nil; i++ {
		if pace != nil {
			<-pace
		}
		work <- s.people[i%len(s.people)]
	}
	close(work)
	takers.Wait()
}

// untold counts the facts that wait.
func (s *letters) untold(t *testing.T) int {
	t.Helper()
	return house.Count(t, s.db, `SELECT count(*) FROM outbox WHERE relayed_at IS NULL AND failure IS NULL`)
}

// told waits until nothing is left to tell, and wants that everybody finds each
// booking once in the bell.
func (s *letters) told(t *testing.T, limit time.Duration) (took time.Duration) {
	t.Helper()
	began := time.Now()
	house.Await(t, "everything is told", limit, func() bool { return s.untold(t) == 0 })
	took = time.Since(began)
	if double := house.Count(t, s.db, `
		SELECT count(*) FROM (
			SELECT FROM notifications WHERE channel = 'app' GROUP BY fact_id, user_id HAVING count(*) > 1) double`); double > 0 {
		t.Errorf("%d messages are in the application twice", double)
	}
	for _, p := range s.people {
		bell := house.BellOf(t, s.c, p)
		for _, id := range s.l.BookingsOf(p) {
			if bell[id] != 1 {
				t.Errorf("%s finds %d notifications of the booking %s, not 1", p.Email, bell[id], id)
			}
			delete(bell, id)
		}
		if len(bell) > 0 {
			t.Errorf("%s finds notifications that belong to nothing: %v", p.Email, bell)
		}
	}
	return took
}

// RabbitMQ is killed in the middle of a sale and is away for a while, again and
// again. The sale goes on, and when it is back everything was told, once.
func TestBrokerAway(t *testing.T) {
	const rate = saleRate
	// More than are sold however long the broker takes to start.
	orders := brokerKills * breaks * int((brokerAway + toldLimit).Seconds()) * rate
	s := newLetters(t, orders)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan struct{})
	go func() { defer close(done); s.order(ctx, t, orders, rate) }()
	for range brokerKills {
		goesOn(t, func() (silence time.Duration) {
			s.l.AwaitAcks(t, rate)
			s.l.Silence()
			before := s.l.Acks.Load()
			s.broker.Kill(t)
			over := time.After(brokerAway)
			<-over
			during := s.l.Acks.Load() - before
			silence = s.l.Silence()
			if during == 0 {
				silence = brokerAway
			}
			waiting := s.untold(t)
			s.broker.Start(t)
			t.Logf("%d orders were acknowledged in the %v without RabbitMQ, the longest silence was %v; %d facts waited at its end",
				during, brokerAway, silence.Round(time.Millisecond), waiting)
			return silence
		})
	}
	cancel()
	<-done
	t.Logf("all were told %v after the sale", s.told(t, toldLimit).Round(time.Millisecond))
	s.r.House.Judge(s.l)
}

// The process that tells is killed in the middle of thousands of facts, several
// times. Then it is given as many again in peace.
func TestKilledWorkers(t *testing.T) {
	s := newLetters(t, factsWaiting+factsDrained)
	s.worker.Kill()
	s.order(context.Background(), t, factsWaiting, 0)
	inHand := 0
	for range workerKills {
		left := s.untold(t)
		s.worker.Relaunch()
		step := left / (workerKills + 1)
		house.Await(t, "some more are told", toldLimit, func() bool { return left-s.untold(t) >= step })
		s.worker.Kill()
		inHand += s.inHand(t)
	}
	t.Logf("%d kills; %d facts were in the queue or in the killed workers' hands, %d still untold", workerKills, inHand, s.untold(t))
	if inHand == 0 {
		t.Error("no worker had anything in hand when it was killed: nothing is shown")
	}
	s.worker.Relaunch()
	t.Logf("all were told %v after the last kill", s.told(t, toldLimit).Round(time.Millisecond))

	t.Run("drained", func(t *testing.T) {
		s.worker.Kill()
		s.order(context.Background(), t, factsDrained, 0)
		if left := s.untold(t); left < factsDrained {
			t.Fatalf("%d facts wait, not %d: the control fails, somebody tells without a worker", left, factsDrained)
		}
		s.worker.Relaunch()
		began := time.Now()
		house.Await(t, "everything is told", drainLimit, func() bool { return s.untold(t) == 0 })
		took := time.Since(began)
		t.Logf("%d facts were told %v after the worker's start", factsDrained, took.Round(time.Millisecond))
		s.told(t, toldLimit)
	})
	s.r.House.Judge(s.l)
}

// inHand counts the facts that were handed over and are not told.
func (s *letters) inHand(t *testing.T) int {
	t.Helper()
	return house.Count(t, s.db, `SELECT count(*) FROM outbox WHERE relayed_at IS NULL AND queued_at IS NOT NULL`)
}

// Poison, published by hand and found in the outbox, ends in the dead letters
// after a few tries, while others are told as ever.
func TestPoison(t *testing.T) {
	t.Parallel()
	const orders = 400
	s := newLetters(t, orders+1)
	// A fact that the database refuses to tell.
	house.Exec(t, s.db, `
		CREATE FUNCTION refuse_poison() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN RAISE EXCEPTION 'this fact is poison'; END $$`)
	victim := s.r.House.People("victim", 1)[0]
	house.Exec(t, s.db, fmt.Sprintf(`
		CREATE TRIGGER refuse_poison BEFORE INSERT ON notifications FOR EACH ROW
		WHEN (NEW.user_id = '%s') EXECUTE FUNCTION refuse_poison()`, victim.ID))
	refused := s.l.Book(victim, s.eventID, 1)
	s.l.Place(s.c, refused)
	conn, err := amqp.Dial(s.broker.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	// Messages that nobody can read.
	garbage := []string{"", "no fact", `{"fact": 7}`, `{"fact":"00000000-0000-0000-0000-000000000000","v":1}`, string(make([]byte, 1<<20))}
	house.Await(t, "there is a queue", house.SettleLimit, func() bool {
		if ch.IsClosed() {
			if ch, err = conn.Channel(); err != nil {
				t.Fatal(err)
			}
		}
		_, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
		return err == nil
	})
	for _, body := range garbage {
		if err := ch.PublishWithContext(context.Background(), "", queue, true, false, amqp.Publishing{Body: []byte(body)}); err != nil {
			t.Fatal(err)
		}
	}
	// Others meanwhile.
	flowing := time.Now()
	s.order(context.Background(), t, orders, 0)
	house.Await(t, "all but the poison is told", house.SettleLimit, func() bool { return s.untold(t) <= 1 })
	t.Logf("%d others were booked and told within %v", orders, time.Since(flowing).Round(time.Millisecond))

	dead := 0
	house.Await(t, "the poison is in the dead letters", toldLimit, func() bool {
		d, ok, err := ch.Get(deadQueue, true)
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			dead++
			wantTries(t, d)
		}
		return dead == len(garbage)+1
	})
	if tries := house.Count(t, s.db, `SELECT tries FROM outbox WHERE failure IS NOT NULL`); tries > mostTries {
		t.Errorf("the fact was tried %d times", tries)
	} else {
		t.Logf("the fact was put aside after %d tries", tries)
	}
	if left := house.Count(t, s.db, `SELECT count(*) FROM outbox WHERE failure IS NOT NULL`); left != 1 {
		t.Errorf("%d facts are failed, not the one", left)
	}
	// Mended and sent again by hand, it is told.
	house.Exec(t, s.db, `DROP TRIGGER refuse_poison ON notifications`)
	s.r.House.Must("resend")
	s.people = append(s.people, victim)
	s.told(t, toldLimit)
	if a := s.c.Get(t, victim, "/notifications"); a.Status != http.StatusOK {
		t.Errorf("the victim's bell: %s", a)
	}
	s.r.House.Judge(s.l)
}

// wantTries wants that a dead letter was not delivered more often than allowed.
func wantTries(t *testing.T, d amqp.Delivery) {
	t.Helper()
	if n, ok := d.Headers["x-delivery-count"].(int64); ok && n >= mostTries {
		t.Errorf("a dead letter was delivered %d times", n+1)
	}
}
