//go:build engines

package rabbitmq

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"

	"happening/internal/notify"
	"happening/internal/notify/queuetest"
)

// stage is a house with workers over a queue of its own.
type stage struct {
	*queuetest.House
	*way
}

func newStage(t testing.TB, broker string) *stage {
	t.Helper()
	return &stage{queuetest.NewHouse(t), newWay(t, broker)}
}

func (s *stage) worker(store queuetest.Store) queuetest.Worker {
	return queuetest.Worker{Store: store, Now: s.Now, Pushed: s.Heard}
}

func (s *stage) work(store queuetest.Store, wrap func(notify.Publisher) notify.Publisher) *worker {
	s.Helper()
	w := s.start(s, s.worker(store), wrap)
	s.Cleanup(func() { w.Stop(); w.Wait() })
	return w
}

// noticing lets the house look now and then, for what nobody tells it of.
func (s *stage) noticing() {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				s.Notice()
			case <-ctx.Done():
				return
			}
		}
	})
	s.Cleanup(func() { cancel(); done.Wait() })
}

func (s *stage) told() int {
	return s.Count("SELECT count(*) FROM outbox WHERE relayed_at IS NOT NULL AND failure IS NULL")
}

func TestWhatIsGivenUpLandsInTheDeadLetters(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared)
	s.noticing()
	facts := s.Facts(20)
	bad := facts[7]
	s.Poison(bad)
	w := s.work(s.Store, nil)
	s.WaitPushed(19)
	for n := 1; n < notify.MaxTries; n++ {
		s.Wait("a try", func() bool {
			return s.Count("SELECT count(*) FROM outbox WHERE id = $1 AND tries = $2 AND queued_at IS NULL", bad, n) == 1
		})
		s.Pass(notify.QueueLease)
		w.Wake()
	}
	s.Wait("the end of the poison", func() bool { return w.queue.Stats().Dead == 1 })

	// Messages that are no fact, or of none that exists.
	ch := channel(t, shared)
	gone := uuid.Must(uuid.NewV7())
	unknown, err := message(gone, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []amqp.Publishing{{Body: []byte("hello")}, {Body: []byte(`{"fact":7}`)}, {}, unknown} {
		if err := ch.PublishWithContext(t.Context(), "", s.queue, false, false, m); err != nil {
			t.Fatal(err)
		}
	}
	s.Wait("the end of the nonsense", func() bool { return w.queue.Stats().Dead == 5 })
	s.Exact(19)
	s.Wait("the dead letters", func() bool {
		found, err := ch.QueueDeclarePassive(s.queue+DeadSuffix, true, false, false, false, nil)
		return err == nil && found.Messages == 5
	})
	if dead := s.dead(t); !slices.Contains(dead, bad) || !slices.Contains(dead, gone) {
		t.Errorf("the dead letters are of %v", dead)
	}
}

// killing is a store whose worker dies whenever it is to tell a fact.
type killing struct {
	queuetest.Store
	bad  uuid.UUID
	kill func()
}

var errKilled = errors.New("killed")

func (k killing) TellFacts(ctx context.Context, now time.Time, ids []uuid.UUID, compose func(notify.Claimed) notify.Composed) (notify.Told, error) {
	if slices.Contains(ids, k.bad) {
		k.kill()
		return notify.Told{}, errKilled
	}
	return k.Store.TellFacts(ctx, now, ids, compose)
}

// TestAFactThatKillsItsWorkerIsGivenUp lets every worker die that touches the
// fact, as one would that takes all memory.
func TestAFactThatKillsItsWorkerIsGivenUp(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared)
	s.noticing()
	const others = 200
	facts := s.Facts(others + 1)
	bad := facts[others/2]
	for range MaxDeliveries {
		var w *worker
		ready, died := make(chan struct{}), make(chan struct{})
		var once sync.Once
		w = s.start(s, s.worker(killing{s.Store, bad, func() {
			<-ready
			once.Do(func() { w.Kill(); close(died) })
		}}), nil)
		close(ready)
		s.Wait("a death", func() bool {
			select {
			case <-died:
				return true
			default:
				return false
			}
		})
		w.Wait()
	}
	ch := channel(t, shared)
	s.Wait("the dead letter", func() bool {
		found, err := ch.QueueDeclarePassive(s.queue+DeadSuffix, true, false, false, false, nil)
		return err == nil && found.Messages > 0
	})
	if dead := s.dead(t); !slices.Contains(dead, bad) {
		t.Errorf("the killer is not among the %d dead letters", len(dead))
	}
	if n := s.Count("SELECT count(*) FROM outbox WHERE id = $1 AND tries = $2", bad, notify.MaxTries); n != 1 {
		t.Errorf("tries of the killer: %d", s.Count("SELECT tries FROM outbox WHERE id = $1", bad))
	}
	// Whoever looks after it is put aside when its lease ends, and the rest is
	// told.
	s.Pass(notify.QueueLease)
	w := s.work(s.Store, nil)
	s.Wait("the others", func() bool { return s.told() == others })
	s.Wait("the killer to be put aside", func() bool {
		return s.Count("SELECT count(*) FROM outbox WHERE id = $1 AND failure = 'every try was interrupted'", bad) == 1
	})
	if w.Stats().PutAside != 1 {
		t.Errorf("%+v", w.Stats())
	}
}

// confirmsLost is a queue whose answer to the first batch is lost on the way.
type confirmsLost struct {
	notify.Publisher
	once *sync.Once
}

func (c confirmsLost) Publish(ctx context.Context, ids []uuid.UUID) ([]uuid.UUID, error) {
	unconfirmed, err := c.Publisher.Publish(ctx, ids)
	c.once.Do(func() { unconfirmed, err = ids, errKilled })
	return unconfirmed, err
}

// TestAForwarderKilledAfterTheConfirmDoublesNothing publishes a batch twice.
func TestAForwarderKilledAfterTheConfirmDoublesNothing(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared)
	const facts = 300
	s.Facts(facts)
	w := s.work(s.Store, func(p notify.Publisher) notify.Publisher { return confirmsLost{p, new(sync.Once)} })
	s.WaitPushed(facts)
	s.Exact(facts)
	if got := w.Stats().Released; got == 0 {
		t.Error("nothing was taken back: the fault did not happen")
	}
}

// swallows is a queue that loses the first batch and, as one without
// confirmations would, says that it has it.
type swallows struct {
	notify.Publisher
	first sync.Once
	lost  chan int
}

func (s *swallows) Publish(ctx context.Context, ids []uuid.UUID) (unconfirmed []uuid.UUID, err error) {
	lost := false
	s.first.Do(func() { lost = true; s.lost <- len(ids) })
	if lost {
		return nil, nil
	}
	return s.Publisher.Publish(ctx, ids)
}

// TestWhatIsLostOnTheWayIsHandedOverAgain is at the same time the control of
// the confirmations: without them a lost batch is late by a lease. A forwarder
// that is killed between lease and publishing leaves the same behind.
func TestWhatIsLostOnTheWayIsHandedOverAgain(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared)
	const facts = 50
	s.Facts(facts)
	loses := &swallows{lost: make(chan int, 1)}
	w := s.work(s.Store, func(p notify.Publisher) notify.Publisher { loses.Publisher = p; return loses })
	lost := <-loses.lost
	late := s.Facts(10)
	w.Wake()
	s.WaitPushed(len(late) + facts - lost)
	if got := s.Pushes(); got != len(late)+facts-lost {
		t.Errorf("%d facts were told of which %d were lost", got, lost)
	}
	s.Pass(notify.QueueLease)
	w.Wake()
	s.WaitPushed(facts + len(late))
	s.Exact(facts + len(late))
	if got := w.Stats().Again; got != int64(lost) {
		t.Errorf("%d facts were handed over again, %d were lost", got, lost)
	}
}

// TestAPurgedQueueLosesNothing empties the queue and then deletes it under a
// consumer.
func TestAPurgedQueueLosesNothing(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared)
	s.noticing()
	const facts = 100
	s.Facts(facts)
	// A worker that only publishes.
	queue, err := Open(Config{URL: shared, Queue: s.queue})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { queue.Run(ctx, nil) })
	forwarder := notify.NewForwarder(notify.ForwarderConfig{Store: s.Store, Queue: queue, Now: s.Now, Log: queue.cfg.Log})
	running.Go(func() { forwarder.Run(ctx) })
	s.Wait("everything to be queued", func() bool { return queue.Stats().Confirmed == facts })
	stop()
	running.Wait()
	ch := channel(t, shared)
	if n, err := ch.QueuePurge(s.queue, false); err != nil || n < facts {
		t.Fatalf("purged %d, %v", n, err)
	}
	w := s.work(s.Store, nil)
	s.Wait("the consumer", func() bool { return w.queue.Stats().Connected })
	if _, err := ch.QueueDelete(s.queue, false, false, false); err != nil {
		t.Fatal(err)
	}
	s.Pass(notify.QueueLease)
	w.Wake()
	s.WaitPushed(facts)
	s.Exact(facts)
}

// TestAFloodPastTheForwarderHoldsUpOthers is the control of fairness: what
// stands in the queue stands before whoever comes later.
func TestAFloodPastTheForwarderHoldsUpOthers(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared)
	const flood = 5 * notify.MaxQueued
	loud := s.Facts(flood)
	w := s.start(s, s.worker(holding{s.Store}), nil)
	s.Cleanup(func() { w.Stop(); w.Wait() })
	s.noticing()
	s.Wait("the publisher", func() bool { return w.queue.publisher.away() == 0 })
	for part := range slices.Chunk(loud, notify.ForwardBatch) {
		if _, err := w.queue.Publish(t.Context(), part); err != nil {
			t.Fatal(err)
		}
	}
	w.Stop()
	w.Wait()
	quiet := s.Facts(1)
	s.work(s.Store, nil)
	s.Wait("the quiet fact", func() bool {
		return s.Count("SELECT count(*) FROM outbox WHERE id = $1 AND relayed_at IS NOT NULL", quiet[0]) == 1
	})
	if before := s.told(); before < 2*notify.MaxQueued {
		t.Errorf("only %d of %d were told before: the control does not see the flood", before, flood)
	}
}

// holding is a store that lets nothing out and tells nothing.
type holding struct {
	queuetest.Store
}

func (h holding) LeaseFacts(context.Context, time.Time, time.Time, uuid.UUID, int, int) (notify.Leased, error) {
	return notify.Leased{}, nil
}

func (h holding) TellFacts(ctx context.Context, _ time.Time, _ []uuid.UUID, _ func(notify.Claimed) notify.Composed) (notify.Told, error) {
	<-ctx.Done()
	return notify.Told{}, ctx.Err()
}

// TestACutConnectionLosesNothing cuts a worker off in mid-work, twice.
func TestACutConnectionLosesNothing(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared)
	s.noticing()
	const each = 500
	s.Facts(each)
	w := s.work(s.Store, nil)
	for n := 1; n <= 2; n++ {
		s.WaitPushed(n*each - each/2)
		w.wire.Cut()
		s.Facts(each)
		s.Wait("the loss to be noticed", func() bool { return !w.queue.Stats().Connected })
		w.wire.Mend()
		s.Wait("the connections", func() bool { return w.queue.Stats().Connected })
		s.Pass(notify.QueueLease)
		w.Wake()
	}
	s.Wait("all facts", func() bool { return s.told() == 3*each })
	s.Exact(3 * each)
}

// lines is a log that keeps its records' errors.
type lines chan string

func (l lines) Write(text []byte) (int, error) {
	select {
	case l <- string(text):
	default:
	}
	return len(text), nil
}

// TestAQueueOfThatNameWithOtherArgumentsIsToldOnce runs into a queue that
// somebody else made, until it is gone.
func TestAQueueOfThatNameWithOtherArgumentsIsToldOnce(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared)
	s.noticing()
	ch := channel(t, shared)
	if _, err := ch.QueueDeclare(s.queue, true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	log := make(lines, 100)
	queue, err := Open(Config{URL: shared, Queue: s.queue, Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { queue.Run(ctx, nil) })
	first := <-log
	if !strings.Contains(first, "with other arguments") || !strings.Contains(first, s.queue) || strings.Count(first, "\n") != 1 {
		t.Errorf("told as %s", first)
	}
	if _, err := ch.QueueDelete(s.queue, false, false, false); err != nil {
		t.Fatal(err)
	}
	second := <-log
	if !strings.Contains(second, "RabbitMQ is back") {
		t.Errorf("told then: %s", second)
	}
	stop()
	running.Wait()
}
