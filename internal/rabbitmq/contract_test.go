//go:build engines

package rabbitmq

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"testing"

	"github.com/google/uuid"

	"happening/internal/notify"
	"happening/internal/notify/queuetest"
)

// TestTellingThroughRabbitMQ holds the queue to the contract of both ways.
func TestTellingThroughRabbitMQ(t *testing.T) {
	t.Parallel()
	queuetest.Run(t, func(t *testing.T) queuetest.Way { return newWay(t, shared) })
}

// way is workers over a queue of its own.
type way struct {
	broker, queue string
	installation  string
	withRelay     bool
}

func newWay(t testing.TB, broker string) *way {
	w := &way{broker: broker, queue: "test." + uuid.NewString()}
	forget(t, broker, w.queue)
	return w
}

// worker is a process's part: a forwarder and a consumer.
type worker struct {
	*notify.Forwarder
	queue *Queue
	wire  *proxy
	stop  context.CancelFunc
	done  sync.WaitGroup
}

func (w *way) Start(t testing.TB, with queuetest.Worker) queuetest.Running {
	t.Helper()
	return w.start(t, with, nil)
}

// start starts a worker; wrap may change what the forwarder publishes to.
func (w *way) start(t testing.TB, with queuetest.Worker, wrap func(notify.Publisher) notify.Publisher) *worker {
	t.Helper()
	wire := newProxy(t, w.broker)
	if with.Log == nil {
		with.Log = slog.New(slog.DiscardHandler)
	}
	queue, err := Open(Config{URL: wire.url, Queue: w.queue, Installation: w.installation, Log: with.Log})
	if err != nil {
		t.Fatal(err)
	}
	var publisher notify.Publisher = queue
	if wrap != nil {
		publisher = wrap(queue)
	}
	forwards := notify.ForwarderConfig{Store: with.Store, Queue: publisher, Now: with.Now, Log: with.Log}
	if w.withRelay {
		forwards.Relay = notify.NewRelay(with.Relay())
	}
	forwarder := notify.NewForwarder(forwards)
	tells := with.Relay()
	tells.Told = forwarder.Wake
	ctx, stop := context.WithCancel(context.Background())
	r := &worker{Forwarder: forwarder, queue: queue, wire: wire, stop: stop}
	r.done.Go(func() { forwarder.Run(ctx) })
	r.done.Go(func() { queue.Run(ctx, notify.NewTeller(tells)) })
	return r
}

func (w *worker) Stop() { w.stop() }
func (w *worker) Wait() { w.done.Wait() }
func (w *worker) Kill() {
	w.wire.Cut()
	w.stop()
}

// dead reads which facts lie in the dead letters, and takes them out.
func (w *way) dead(t testing.TB) []uuid.UUID {
	t.Helper()
	ch := channel(t, w.broker)
	var facts []uuid.UUID
	for {
		d, ok, err := ch.Get(w.queue+DeadSuffix, true)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return facts
		}
		var b body
		if json.Unmarshal(d.Body, &b) == nil {
			facts = append(facts, b.Fact)
		}
	}
}
