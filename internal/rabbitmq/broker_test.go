//go:build engines

package rabbitmq

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"

	"happening/internal/notify"
	"happening/internal/testkit"
)

// TestABrokerThatFails breaks one broker in several ways, one after the other.
func TestABrokerThatFails(t *testing.T) {
	t.Parallel()
	b := testkit.RabbitMQ(t)
	t.Run("killed and back on its data", func(t *testing.T) {
		s := newStage(t, b.URL)
		s.noticing()
		const each = 300
		s.Facts(each)
		w := s.work(s.Store, nil)
		s.WaitPushed(each)
		// A queue is on the disk some time after it was declared; an orderly
		// stop sees to it.
		b.Stop(t)
		b.Start(t)
		for range 2 {
			s.Wait("the connections", func() bool { return w.queue.Stats().Connected })
			s.Facts(each)
			w.Wake()
			b.Kill(t)
			s.Facts(each)
			w.Wake()
			b.Start(t)
			// What was confirmed is still there; what was leased and not
			// published is due after its lease.
			s.Pass(notify.QueueLease)
			w.Wake()
		}
		s.Wait("all facts", func() bool { return s.told() == 5*each })
		s.Exact(5 * each)
		if got := w.queue.Stats().Connections; got < 6 {
			t.Errorf("%d connections were made: the broker was not away", got)
		}
	})
	t.Run("short of memory", func(t *testing.T) {
		s := newStage(t, b.URL)
		s.noticing()
		s.Facts(50)
		w := s.work(s.Store, nil)
		s.WaitPushed(50)
		b.Ctl(t, "set_vm_memory_high_watermark", "0.000001")
		s.Facts(50)
		w.Wake()
		s.Wait("the alarm to be heard", func() bool { return !w.queue.Stats().Connected })
		b.Ctl(t, "set_vm_memory_high_watermark", "0.4")
		s.Wait("the end of the alarm", func() bool { return w.queue.Stats().Connected })
		s.Pass(notify.QueueLease)
		w.Wake()
		s.Wait("all facts", func() bool { return s.told() == 100 })
		s.Exact(100)
	})
	t.Run("over TLS", func(t *testing.T) {
		s := newStage(t, b.URL)
		if _, err := probe(t.Context(), b.TLSURL, s.queue, ""); err != nil {
			t.Error(err)
		}
		untrusted, _, _ := strings.Cut(b.TLSURL, "?")
		if _, err := probe(t.Context(), untrusted, s.queue, ""); err == nil || !strings.Contains(err.Error(), "is not trusted") {
			t.Errorf("a certificate of nobody: %v", err)
		}
		s.Facts(50)
		ctx, stop := context.WithCancel(t.Context())
		queue, err := Open(Config{URL: b.TLSURL, Queue: s.queue})
		if err != nil {
			t.Fatal(err)
		}
		var running sync.WaitGroup
		w := s.worker(s.Store)
		forwarder := notify.NewForwarder(notify.ForwarderConfig{Store: s.Store, Queue: queue, Now: s.Now, Log: queue.cfg.Log})
		running.Go(func() { forwarder.Run(ctx) })
		running.Go(func() { queue.Run(ctx, notify.NewTeller(w.Relay())) })
		s.WaitPushed(50)
		stop()
		running.Wait()
		s.Exact(50)
	})
	t.Run("frozen", func(t *testing.T) {
		s := newStage(t, b.URL)
		s.noticing()
		s.Facts(100)
		w := s.work(s.Store, nil)
		s.WaitPushed(100)
		b.Pause(t)
		s.Facts(100)
		w.Wake()
		s.Wait("the heartbeats to tell", func() bool { return !w.queue.Stats().Connected })
		b.Resume(t)
		s.Pass(notify.QueueLease)
		s.Wait("all facts", func() bool { return s.told() == 200 })
		s.Exact(200)
	})
	t.Run("away, and told without it", func(t *testing.T) {
		s := newStage(t, b.URL)
		s.noticing()
		s.withRelay = true
		s.Facts(50)
		w := s.work(s.Store, nil)
		s.WaitPushed(50)
		b.Stop(t)
		s.Facts(50)
		w.Wake()
		s.WaitPushed(100)
		s.Exact(100)
		if w.Stats().Relayed == 0 {
			t.Error("nothing was told by the forwarder itself")
		}
		b.Start(t)
		s.Wait("the connections", func() bool { return w.queue.Stats().Connected })
		before := w.queue.Stats().Confirmed
		s.Facts(50)
		w.Wake()
		s.WaitPushed(150)
		s.Exact(150)
		if w.queue.Stats().Confirmed == before {
			t.Error("the broker is back and not used")
		}
	})
}

func TestProbeTellsAllFaults(t *testing.T) {
	t.Parallel()
	b := testkit.RabbitMQ(t,
		testkit.BrokerUser{Name: "nobody", Password: "sesam", NoVhost: true},
		testkit.BrokerUser{Name: "reader", Password: "sesam", Read: ".*"},
		testkit.BrokerUser{Name: "writer", Password: "sesam", Configure: ".*", Write: ".*"})
	at := func(user, path string) string {
		return strings.Replace(b.URL, "happening:happening", user, 1) + path
	}
	if warning, err := probe(t.Context(), b.URL, "probed", "ours"); err != nil || warning != nil {
		t.Fatalf("a good broker: %v, %v", warning, err)
	}
	if warning, err := probe(t.Context(), b.URL, "probed", "ours"); err != nil || warning != nil {
		t.Fatalf("a good broker, the second time: %v, %v", warning, err)
	}
	ch := channel(t, b.URL)
	if _, err := ch.QueueDeclare("classic", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := ch.QueueDeclare("classic"+DeadSuffix, true, false, false, false, amqp.Table{amqp.QueueTypeArg: amqp.QueueTypeQuorum}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, url, queue string
		want             []string // a line each
	}{
		{"wrong password", at("happening:sesam", ""), "probed", []string{"user or password is wrong"}},
		{"no such user", at("stranger:sesam", ""), "probed", []string{"user or password is wrong"}},
		{"no such vhost", at("happening:happening", "missing"), "probed", []string{`no vhost "missing"`}},
		{"no way into the vhost", at("nobody:sesam", ""), "probed", []string{"may not enter"}},
		{"other arguments", b.URL, "classic", []string{`"classic.dead" exists`, `"classic" exists`}},
		{"may only read", at("reader:sesam", ""), "probed", []string{"'probed.dead'", "'probed'", "amq.default"}},
		{"may not read", at("writer:sesam", ""), "probed", []string{"lacks a permission"}},
		{"TLS at a plain port", strings.Replace(b.URL, "amqp:", "amqps:", 1), "probed", []string{"doesn't speak TLS"}},
	} {
		_, err := probe(t.Context(), c.url, c.queue, "")
		if err == nil {
			t.Errorf("%s: no fault", c.name)
			continue
		}
		lines := strings.Split(err.Error(), "\n")
		t.Logf("%s:\n%v", c.name, err)
		if len(lines) != len(c.want) {
			t.Errorf("%s: %d lines, not %d", c.name, len(lines), len(c.want))
			continue
		}
		for i, line := range lines {
			if !strings.HasPrefix(line, setting+": ") || !strings.Contains(line, c.want[i]) {
				t.Errorf("%s: %s", c.name, line)
			}
			if strings.Contains(line, "sesam") {
				t.Errorf("%s: a password is told", c.name)
			}
		}
	}
	theirs, err := message(uuid.Must(uuid.NewV7()), "theirs")
	if err != nil {
		t.Fatal(err)
	}
	if err := channel(t, b.URL).PublishWithContext(t.Context(), "", "probed", true, false, theirs); err != nil {
		t.Fatal(err)
	}
	for installation, want := range map[string]bool{"ours": true, "theirs": false, "": false} {
		// The queue has the message a moment after it was sent, or put back.
		testkit.Eventually(t, fmt.Sprintf("what is said to %q", installation), func() error {
			warning, err := probe(t.Context(), b.URL, "probed", installation)
			if err != nil || (warning != nil) != want || warning != nil && !strings.Contains(warning.Error(), `another installation ("theirs")`) {
				return fmt.Errorf("warned by %v, %w", warning, err)
			}
			return nil
		})
	}
	b.Stop(t)
	began := time.Now()
	if err := Probe(t.Context(), b.URL); err == nil || !strings.Contains(err.Error(), "can't be reached") {
		t.Errorf("a broker that is down: %v", err)
	}
	if took := time.Since(began); took > dialTimeout {
		t.Errorf("a broker that is down takes %v to notice", took)
	}
}
