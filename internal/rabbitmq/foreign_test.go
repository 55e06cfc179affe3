//go:build engines

package rabbitmq

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"happening/internal/notify"
	"happening/internal/notify/queuetest"
)

// said is a log that tests read.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) lines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Split(strings.TrimSpace(s.text.String()), "\n")
}

// TestTwoInstallationsOnOneQueue lets two PostgreSQLs share what should be of
// one: each gets its own facts all the same, also those that were published
// while its workers were away, and nothing is given up.
func TestTwoInstallationsOnOneQueue(t *testing.T) {
	t.Parallel()
	const each = 400
	one, two := newStage(t, shared), newStage(t, shared)
	two.queue = one.queue
	one.installation, two.installation = "one", "two"
	one.noticing()
	two.noticing()
	log := &said{}
	start := func(s *stage) *worker {
		return s.start(s, queuetest.Worker{Store: s.Store, Now: s.Now, Pushed: s.Heard, Log: slog.New(slog.NewTextHandler(log, nil))}, nil)
	}

	one.Facts(each)
	first := start(one)
	one.Wait("the first to be told", func() bool { return one.told() == each })
	// The second publishes while only the first takes messages: they come
	// round and round.
	two.Facts(each)
	publishOnly(two, each)
	two.Wait("messages to be put back", func() bool { return first.queue.Stats().Foreign > each })
	one.Facts(each)
	first.Wake()
	one.Wait("our facts among the others", func() bool { return one.told() == 2*each })

	second := start(two)
	two.Wait("all facts of the second", func() bool { return two.told() == each })
	one.Wait("an empty queue", func() bool {
		found, err := channel(t, shared).QueueDeclarePassive(one.queue, true, false, false, false, nil)
		return err == nil && found.Messages == 0
	})
	for _, w := range []*worker{first, second} {
		w.Stop()
		w.Wait()
		if dead := w.queue.Stats().Dead; dead != 0 {
			t.Errorf("%d facts were given up", dead)
		}
	}
	one.Exact(2 * each)
	two.Exact(each)
	if dead := one.dead(t); len(dead) != 0 {
		t.Errorf("dead letters: %v", dead)
	}
	told := 0
	for _, line := range log.lines() {
		if strings.Contains(line, "another installation uses this vhost") {
			told++
		}
		if strings.Contains(line, "level=ERROR") {
			t.Error(line)
		}
	}
	if told == 0 || told > 2 {
		t.Errorf("the mistake was told %d times by two processes in a minute", told)
	}
}

// TestPoisonOfAnotherInstallationStaysSuspect gives a message back and back
// that was delivered before: its owner tells it by itself.
func TestPoisonOfAnotherInstallationStaysSuspect(t *testing.T) {
	t.Parallel()
	s := newStage(t, shared)
	s.noticing()
	s.installation = "ours"
	w := s.work(s.Store, nil)
	s.Wait("the connections", func() bool { return w.queue.Stats().Connected })
	w.Stop()
	w.Wait()
	ch := channel(t, shared)
	theirs, err := message(s.Facts(1)[0], "theirs")
	if err != nil {
		t.Fatal(err)
	}
	if err := ch.PublishWithContext(t.Context(), "", s.queue, true, false, theirs); err != nil {
		t.Fatal(err)
	}
	get := func() (d amqp.Delivery) {
		s.Wait("the message", func() bool {
			var ok bool
			if d, ok, err = ch.Get(s.queue, false); err != nil {
				t.Fatal(err)
			}
			return ok
		})
		return d
	}
	if d := get(); d.Redelivered || d.Nack(false, true) != nil {
		t.Fatal("a new message was delivered before")
	}
	w = s.work(s.Store, nil)
	s.Wait("it to be put back", func() bool { return w.queue.Stats().Foreign > 3 })
	w.Stop()
	w.Wait()
	d := get()
	if !wasSuspect(d) || d.AppId != "theirs" || hops(d) < 3 || w.queue.Stats().Dead != 0 {
		t.Errorf("put back as %+v", d)
	}
	_ = d.Ack(false)
}

// publishOnly hands the stage's facts over as a process does that tells none,
// and waits until the broker has them.
func publishOnly(s *stage, facts int) {
	queue, err := Open(Config{URL: s.broker, Queue: s.queue, Installation: s.installation})
	if err != nil {
		s.Fatal(err)
	}
	forwarder := notify.NewForwarder(notify.ForwarderConfig{Store: s.Store, Queue: queue, Now: s.Now, Log: queue.cfg.Log})
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { forwarder.Run(ctx) })
	running.Go(func() { queue.Run(ctx, nil) })
	defer running.Wait()
	defer stop()
	s.Wait("the facts to be published", func() bool { return queue.Stats().Confirmed == int64(facts) })
}
