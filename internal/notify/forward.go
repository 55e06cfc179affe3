package notify

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// Limits of what is on its way through a queue.
const (
	// MaxQueued is how many facts stand in the queue at most, give or take a
	// batch for each process. A flood waits in the outbox, where everybody has
	// their turn, and not in the queue, where it would stand before others.
	MaxQueued = 1000
	// ForwardBatch is how many facts are handed over at a time.
	ForwardBatch = 250
	// QueueLease is how long a fact is left to the queue. One that is not told
	// by then is handed over again: its message was lost, or its forwarder
	// died before it handed it over.
	QueueLease = time.Minute
	// AwayPatience is how long a queue may be away before a forwarder tells
	// the facts itself.
	AwayPatience = 5 * time.Second
	// PublishTimeout bounds handing over one batch.
	PublishTimeout = 15 * time.Second
)

// Publisher hands facts to a queue, whose other end calls a Teller.
type Publisher interface {
	// Depth says how many facts wait in the queue, and for how long it has
	// been away; 0: it is there.
	Depth(ctx context.Context) (waiting int, away time.Duration, err error)
	// Publish hands facts over and returns when the queue has confirmed that
	// it keeps them. It answers with those that it has not confirmed, with the
	// reason as error; the queue may have them all the same.
	Publish(ctx context.Context, ids []uuid.UUID) (unconfirmed []uuid.UUID, err error)
}

// Leased is what a forwarder took out of the outbox.
type Leased struct {
	Facts []uuid.UUID
	// Again is how many of them were handed over before and not told in time.
	Again int
	// PutAside are facts that had their tries and are failed now.
	PutAside []uuid.UUID
	// Next is where the next batch starts its round of the organizations.
	Next uuid.UUID
}

// ForwardStore lets facts out of the outbox and takes them back.
type ForwardStore interface {
	// LeaseFacts takes pending facts that are due, at most limit, going around
	// the organizations from after, an equal part to each; no organization has
	// more than its equal part of window on the way at a time. They are
	// nobody's to take before until, and count a try more, unless it is an
	// unfinished lease that is taken over. Facts whose last try was
	// interrupted are put aside.
	LeaseFacts(ctx context.Context, now, until time.Time, after uuid.UUID, limit, window int) (Leased, error)
	// ReleaseFacts takes leased facts back: they are due at once, and their
	// try did not count.
	ReleaseFacts(ctx context.Context, ids []uuid.UUID) error
}

// ForwarderConfig is what a forwarder works with.
type ForwarderConfig struct {
	Store ForwardStore
	Queue Publisher
	// Relay tells facts while the queue is away for longer than AwayPatience;
	// it must not run beside the forwarder. Nil: they wait.
	Relay *Relay
	Now   func() time.Time
	// Busy says that a sale is on and the forwarder should give way; may be
	// nil.
	Busy func() bool
	Log  *slog.Logger
}

// Forwarder hands facts from the outbox to a queue. Any number of forwarders,
// in any number of processes, may run at once.
type Forwarder struct {
	cfg   ForwarderConfig
	wake  alarm
	after uuid.UUID // where the next batch starts its round; Run's goroutine only
	stats struct{ forwarded, again, released, relayed, putAside atomic.Int64 }
}

// ForwardStats counts since the start.
type ForwardStats struct {
	Forwarded int64 // handed over and confirmed
	Again     int64 // of those leased, taken over because they were not told in time
	Released  int64 // not confirmed and taken back
	Relayed   int64 // told by the forwarder itself while the queue was away
	PutAside  int64 // given up because every try was interrupted
}

// NewForwarder makes a forwarder.
func NewForwarder(cfg ForwarderConfig) *Forwarder {
	if cfg.Busy == nil {
		cfg.Busy = func() bool { return false }
	}
	return &Forwarder{cfg: cfg, wake: newAlarm()}
}

// Wake says that facts were committed, or that the queue has room again. It
// never blocks, and many calls cost as much as one.
func (f *Forwarder) Wake() { f.wake.ring() }

// Stats counts what the forwarder did since its start.
func (f *Forwarder) Stats() ForwardStats {
	return ForwardStats{
		Forwarded: f.stats.forwarded.Load(), Again: f.stats.again.Load(), Released: f.stats.released.Load(),
		Relayed: f.stats.relayed.Load(), PutAside: f.stats.putAside.Load(),
	}
}

// Run forwards until ctx ends.
func (f *Forwarder) Run(ctx context.Context) {
	pace(ctx, f.wake, f.cfg.Busy, func(ctx context.Context) (int, error) {
		n, err := f.Once(ctx)
		if err != nil && ctx.Err() == nil {
			f.cfg.Log.Error("forwarding facts failed; trying again", "error", err)
		}
		return n, err
	})
}

// Once forwards one batch and says how many facts it went on with. It is not
// to be called beside Run.
//
// The lease is committed before the queue hears of a fact. So no transaction
// stays open while another engine takes its time, a worker that is quicker
// than we are finds the fact free, and there is one answer to everything that
// can go wrong in between: the lease ends, and the fact is handed over again.
func (f *Forwarder) Once(ctx context.Context) (int, error) {
	waiting, away, err := f.cfg.Queue.Depth(ctx)
	if err != nil {
		return 0, err
	}
	if away > 0 {
		if f.cfg.Relay == nil || away < AwayPatience {
			return 0, nil
		}
		n, err := f.cfg.Relay.Once(ctx)
		f.stats.relayed.Add(int64(n))
		return n, err
	}
	if waiting >= MaxQueued {
		return 0, nil
	}
	now := f.cfg.Now()
	limit := min(ForwardBatch, MaxQueued-waiting)
	leased, err := f.cfg.Store.LeaseFacts(ctx, now, now.Add(QueueLease), f.after, limit, MaxQueued)
	if err != nil {
		return 0, err
	}
	f.after = leased.Next
	f.stats.again.Add(int64(leased.Again))
	f.stats.putAside.Add(int64(len(leased.PutAside)))
	for _, id := range leased.PutAside {
		f.cfg.Log.Error("a fact could not be told and was put aside", "fact", id, "reason", Interrupted)
	}
	if len(leased.Facts) == 0 {
		return 0, nil
	}
	return len(leased.Facts), f.publish(ctx, leased.Facts)
}

func (f *Forwarder) publish(ctx context.Context, ids []uuid.UUID) error {
	publishing, cancel := context.WithTimeout(ctx, PublishTimeout)
	defer cancel()
	unconfirmed, err := f.cfg.Queue.Publish(publishing, ids)
	f.stats.forwarded.Add(int64(len(ids) - len(unconfirmed)))
	if len(unconfirmed) == 0 {
		return nil
	}
	f.stats.released.Add(int64(len(unconfirmed)))
	// Taking them back spares them the rest of the lease; without it they
	// would only be later.
	releasing, done := context.WithTimeout(context.WithoutCancel(ctx), markTimeout)
	defer done()
	if failed := f.cfg.Store.ReleaseFacts(releasing, unconfirmed); failed != nil {
		return fmt.Errorf("%w; taking %d facts back failed, too: %w", err, len(unconfirmed), failed)
	}
	return err
}
