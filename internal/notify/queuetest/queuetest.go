// Package queuetest is the contract of telling people of facts as tests. Both
// ways pass it: claiming facts from the outbox, and a queue between forwarders
// and tellers.
package queuetest

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/notify"
	"happening/internal/testkit"
)

// Store is all that a worker keeps.
type Store interface {
	notify.RelayStore
	notify.ForwardStore
}

// Worker is what a process under test works with.
type Worker struct {
	Store  Store
	Now    func() time.Time
	Pushed func(context.Context, []notify.AppMessage)
	Log    *slog.Logger
}

// Relay is the configuration of the worker's relay or teller.
func (w Worker) Relay() notify.RelayConfig {
	return notify.RelayConfig{Store: w.Store, Now: w.Now, Pushed: w.Pushed, Log: w.Log}
}

// Running is a worker at work. Stop lets it finish what is in hand; Kill
// takes it away with everything in hand, as far as that can be done in one
// process: nothing that it does afterwards reaches the queue. Both may be
// called from within the worker's store and don't wait; Wait does.
type Running interface {
	Wake()
	Stop()
	Kill()
	Wait()
}

// Way is a way of telling, on a queue of its own.
type Way interface {
	Start(t testing.TB, w Worker) Running
}

// Run checks a way against the contract; open makes one with nothing in it.
func Run(t *testing.T, open func(t *testing.T) Way) {
	for _, c := range []struct {
		name string
		test func(*bench)
	}{
		{"tells every fact once, in both channels", tellsOnce},
		{"tells again what lost its mark, and shows it once", showsOnce},
		{"shares among workers", shares},
		{"goes on where a worker was killed after its commit", survivesKill},
		{"finishes what is in hand when it stops", stops},
		{"puts poison aside and holds nobody up", poison},
		{"puts nonsense aside at once", nonsense},
		{"uses up no try while the database is away", patient},
		{"tells everybody of a moved event, page by page", pages},
		{"is fair to whoever is quiet", fair},
		{"drains ten thousand", drains},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.test(&bench{House: NewHouse(t), way: open(t)})
		})
	}
}

type bench struct {
	*House
	way Way
}

func (b *bench) work(store Store) Running {
	b.Helper()
	r := b.way.Start(b, Worker{Store: store, Now: b.Now, Pushed: b.Heard, Log: slog.New(slog.DiscardHandler)})
	b.Cleanup(func() {
		r.Stop()
		r.Wait()
	})
	return r
}

func tellsOnce(b *bench) {
	const each = 150
	for range 3 {
		b.Facts(each)
	}
	b.work(b.Store)
	b.WaitPushed(3 * each)
	b.Exact(3 * each)
}

// showsOnce is what a restored database, or a crash that takes back the last
// commits, looks like to a queue.
func showsOnce(b *bench) {
	b.Facts(100)
	w := b.work(b.Store)
	b.WaitPushed(100)
	b.Exec("UPDATE outbox SET relayed_at = NULL, queued_at = NULL, next_try_at = NULL")
	b.Facts(1)
	w.Wake()
	b.WaitPushed(101)
	b.waitTold(101)
	b.Exact(101)
}

// hooked is a store whose commits are heard of.
type hooked struct {
	Store
	before func(ctx context.Context) error // of every transaction that tells
	after  func(facts int)                 // after its commit, before anybody else hears of it
	failed func(id uuid.UUID, putAside bool)
}

func (s hooked) RelayFacts(ctx context.Context, now time.Time, after uuid.UUID, compose func(notify.Claimed) notify.Composed) (notify.Relayed, error) {
	if s.before != nil {
		if err := s.before(ctx); err != nil {
			return notify.Relayed{}, err
		}
	}
	relayed, err := s.Store.RelayFacts(ctx, now, after, compose)
	if err == nil && relayed.Facts > 0 && s.after != nil {
		s.after(relayed.Facts)
	}
	return relayed, err
}

func (s hooked) TellFacts(ctx context.Context, now time.Time, ids []uuid.UUID, compose func(notify.Claimed) notify.Composed) (notify.Told, error) {
	if s.before != nil {
		if err := s.before(ctx); err != nil {
			return notify.Told{}, err
		}
	}
	told, err := s.Store.TellFacts(ctx, now, ids, compose)
	if err == nil && s.after != nil {
		s.after(told.Facts)
	}
	return told, err
}

func (s hooked) FailTry(ctx context.Context, now time.Time, id uuid.UUID, reason string, retry func(int) time.Time) (bool, error) {
	aside, err := s.Store.FailTry(ctx, now, id, reason, retry)
	if err == nil && s.failed != nil {
		s.failed(id, aside)
	}
	return aside, err
}

// waitTold waits for facts to be marked, woken by whatever is committed.
func (b *bench) waitTold(n int) {
	b.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	done := make(chan struct{})
	defer close(done)
	go func() {
		for {
			select {
			case <-tick.C:
				b.Notice()
			case <-done:
				return
			}
		}
	}()
	b.Wait("facts to be marked", func() bool {
		return b.Count("SELECT count(*) FROM outbox WHERE relayed_at IS NOT NULL") >= n
	})
}

// shares lets one worker hang in a transaction: the other tells the rest.
func shares(b *bench) {
	const facts = 2000
	b.Facts(facts)
	inside, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	slow, quick := 0, 0
	var mu sync.Mutex
	count := func(into *int) func(int) {
		return func(n int) { mu.Lock(); defer mu.Unlock(); *into += n }
	}
	b.work(hooked{Store: b.Store, after: count(&slow), before: func(context.Context) error {
		once.Do(func() { close(inside); <-release })
		return nil
	}})
	<-inside
	b.work(hooked{Store: b.Store, after: count(&quick)})
	b.WaitPushed(facts / 4)
	close(release)
	b.WaitPushed(facts)
	b.Exact(facts)
	mu.Lock()
	defer mu.Unlock()
	if slow == 0 || quick < facts/4 {
		b.Errorf("one worker told %d facts and the other %d", slow, quick)
	}
}

// survivesKill kills workers after a commit, before anybody hears of it: what
// they told is not told again, and the rest goes on elsewhere. Their pushes
// are lost, as pushes may be.
func survivesKill(b *bench) {
	const facts = 1000
	b.Facts(facts)
	kill := func() {
		var victim Running
		ready, killed := make(chan struct{}), make(chan struct{})
		var once sync.Once
		victim = b.way.Start(b, Worker{
			Store: hooked{Store: b.Store, after: func(n int) {
				if n > 0 {
					once.Do(func() { <-ready; victim.Kill(); close(killed) })
				}
			}},
			Now: b.Now, Pushed: func(context.Context, []notify.AppMessage) {}, Log: slog.New(slog.DiscardHandler),
		})
		close(ready)
		<-killed
		victim.Wait()
	}
	kill()
	kill()
	// What the dead had leased and not handed over is due after the lease.
	b.Pass(notify.QueueLease)
	b.work(b.Store)
	b.waitTold(facts)
	b.Exact(facts)
}

// stops stops a worker in the middle of a transaction, which ends well.
func stops(b *bench) {
	const facts = 600
	b.Facts(facts)
	inside := make(chan struct{})
	var once sync.Once
	w := b.way.Start(b, Worker{
		Store: hooked{Store: b.Store, before: func(context.Context) error {
			once.Do(func() { close(inside) })
			return nil
		}},
		Now: b.Now, Pushed: b.Heard, Log: slog.New(slog.DiscardHandler),
	})
	<-inside
	w.Stop()
	w.Wait()
	b.Pass(notify.QueueLease)
	b.work(b.Store)
	b.waitTold(facts)
	b.Exact(facts)
}

func poison(b *bench) {
	facts := b.Facts(201)
	bad := facts[100]
	b.Poison(bad)
	var mu sync.Mutex
	tries, aside := 0, false
	w := b.work(hooked{Store: b.Store, failed: func(id uuid.UUID, putAside bool) {
		mu.Lock()
		defer mu.Unlock()
		if id != bad {
			b.Errorf("the innocent %s failed", id)
		}
		tries++
		aside = putAside
		b.Notice()
	}})
	// The others are all told before the clock moves at all: none waits for a
	// second try.
	b.WaitPushed(200)
	for n := 1; ; n++ {
		b.Wait("a try", func() bool { mu.Lock(); defer mu.Unlock(); return tries >= n })
		mu.Lock()
		over := aside
		mu.Unlock()
		if over {
			break
		}
		if n == notify.MaxTries {
			b.Fatal("the poison is tried on and on")
		}
		b.Pass(notify.QueueLease)
		w.Wake()
	}
	if tries != notify.MaxTries {
		b.Errorf("%d tries, not %d", tries, notify.MaxTries)
	}
	if n := b.Count("SELECT count(*) FROM outbox WHERE id = $1 AND relayed_at IS NOT NULL AND failure LIKE '%this fact is poison%'", bad); n != 1 {
		b.Error("the poison is not put aside with its reason")
	}
	b.Exact(200)

	// Mended and sent again by hand, it is told as any other.
	b.DB.AsOwner(b, "DROP TRIGGER refuse_poison ON notifications")
	resent, err := notify.Resend(context.Background(), b.Store, b.Now(), notify.ResendWhich{})
	if err != nil || resent.Facts != 1 || resent.Mails != 0 {
		b.Fatalf("sent again: %+v, %v", resent, err)
	}
	w.Wake()
	b.WaitPushed(201)
	b.Exact(201)
}

func nonsense(b *bench) {
	org, _ := b.DB.Org(b)
	event := b.DB.Event(b, org, 10, testkit.EventOptions{})
	bad := uuid.Must(uuid.NewV7())
	b.Exec(`INSERT INTO outbox (id, org_id, kind, event_id, payload, created_at) VALUES ($1, $2, 'booking.exploded', $3, '{}', $4)`,
		bad, org, event, b.Now())
	b.FactsOf(org, event, 20)
	b.work(b.Store)
	b.waitTold(21)
	b.Exact(20)
	if n := b.Count("SELECT count(*) FROM outbox WHERE id = $1 AND failure LIKE '%unknown kind%'", bad); n != 1 {
		b.Error("nonsense is not put aside with its reason")
	}
}

var errAway = errors.New("the database is away")

// patient lets the database fail more often than a fact may.
func patient(b *bench) {
	b.Facts(50)
	var mu sync.Mutex
	failures := 0
	b.work(hooked{Store: b.Store, before: func(context.Context) error {
		mu.Lock()
		defer mu.Unlock()
		if failures < notify.MaxTries+1 {
			failures++
			return errAway
		}
		return nil
	}})
	b.WaitPushed(50)
	b.Exact(50)
	if n := b.Count("SELECT count(*) FROM outbox WHERE tries > 1 OR failure IS NOT NULL"); n != 0 {
		b.Errorf("%d facts used up tries", n)
	}
}

func pages(b *bench) {
	org, _ := b.DB.Org(b)
	event := b.DB.Event(b, org, 10, testkit.EventOptions{})
	const bookings = 2*notify.FanOutPage + 100
	b.Exec(`INSERT INTO bookings (id, org_id, event_id, user_id, seats, status, created_at, updated_at)
	        SELECT gen_random_uuid(), $1, $2, gen_random_uuid(), 1, 'confirmed', $3, $3 FROM generate_series(1, $4)`,
		org, event, b.Now(), bookings)
	const changes = notify.FanOutFacts + 2
	for range changes {
		b.Exec(`INSERT INTO outbox (id, org_id, kind, event_id, payload, created_at) VALUES ($1, $2, 'event.updated', $3, $4, $5)`,
			uuid.Must(uuid.NewV7()), org, event, `{"changed":["venue"],"before":{"venue":"Old"},"after":{"venue":"New"}}`, b.Now())
	}
	b.FactsOf(org, event, 10)
	b.work(b.Store)
	b.WaitPushed(changes*bookings + 10)
	b.waitTold(changes + 10)
	if n := b.Count("SELECT count(*) FROM notifications WHERE channel = 'app'"); n != changes*bookings+10 {
		b.Errorf("%d messages, not %d", n, changes*bookings+10)
	}
	if n := b.Count("SELECT count(*) FROM outbox WHERE failure IS NOT NULL"); n != 0 {
		b.Errorf("%d facts failed for being long", n)
	}
}

// fair floods on behalf of one organization and lets another have one fact,
// before and during the flood.
func fair(b *bench) {
	loud, _ := b.DB.Org(b)
	event := b.DB.Event(b, loud, 1000, testkit.EventOptions{})
	const flood = 10_000
	b.FactsOf(loud, event, flood)
	early := b.Facts(1)[0]
	b.work(b.Store)
	before := b.Before(early)
	if before > 2*notify.RelayBatch {
		b.Errorf("%d of others were told before the quiet organization's first", before)
	}
	late := b.Facts(1)[0]
	pushed := b.Pushes()
	if between := b.Before(late) - pushed; between > notify.MaxQueued+4*notify.RelayBatch {
		b.Errorf("%d of others were told between", between)
	} else {
		b.Logf("quiet facts were told after %d and %d of %d loud ones", before, between, flood)
	}
}

// drains reports how long it takes; the figure is not asserted, since it is
// the machine's as well.
func drains(b *bench) {
	const facts = 10_000
	for range 4 {
		b.Facts(facts / 4)
	}
	began := time.Now()
	b.work(b.Store)
	b.WaitPushed(facts)
	b.waitTold(facts)
	b.Logf("%d facts in %v", facts, time.Since(began).Round(time.Millisecond))
	b.Exact(facts)
}
