package rabbitmq

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// Limits of a connection.
const (
	// Prefetch is how many messages a consumer is handed before it has
	// acknowledged one.
	Prefetch = 250
	// TellBatch is how many facts are told in one transaction at most.
	TellBatch = 125
	// heartbeat is how often the ends of a connection prove that they live;
	// a broker that is frozen is given up after two of them.
	heartbeat = 5 * time.Second
	// dialTimeout bounds reaching the broker and agreeing on a connection.
	dialTimeout = 10 * time.Second
	// callTimeout bounds a question to the broker.
	callTimeout = 10 * time.Second
	// closeTimeout bounds taking leave of the broker.
	closeTimeout = time.Second
	// The pause before the next connection doubles from the first to the last,
	// half of it by chance, so that a broker that comes back is not met by all
	// processes in step.
	firstPause = 200 * time.Millisecond
	lastPause  = 5 * time.Second
	// stopGrace is how long what is in flight may go on when the process
	// stops.
	stopGrace = 5 * time.Second
)

// Handler is the end of the queue: a notify.Teller. See there for what it
// answers.
type Handler interface {
	Tell(ctx context.Context, ids []uuid.UUID) (dead map[uuid.UUID]string, err error)
	TellAgain(ctx context.Context, id uuid.UUID) (dead map[uuid.UUID]string, err error)
}

// Config is what a queue works with.
type Config struct {
	// URL is amqp:// or amqps://, with the parameters that the broker's makers
	// define for its URLs (cacertfile, certfile, keyfile,
	// server_name_indication, …).
	URL string
	// Queue is the queue's name; empty: QueueName.
	Queue string
	// Installation names those who share one PostgreSQL, and so their facts.
	// What another installation has put into the queue is put back for it.
	// Empty: whatever arrives is taken for ours.
	Installation string
	Log          *slog.Logger
}

// Queue is this process's end of the queue. Its methods may be called at any
// time from any goroutine.
type Queue struct {
	cfg       Config
	settings  settings
	publisher link
	consumer  link
	sink      publisher
	stats     counters
	// saidForeign is when another installation was last told of, in Unix
	// nanoseconds.
	saidForeign atomic.Int64
}

type counters struct {
	published, confirmed, returned, delivered, redelivered, acked, dead, connections atomic.Int64
	depth, foreign                                                                   atomic.Int64
}

// Stats counts since the start.
type Stats struct {
	Published   int64 // messages handed to the broker
	Confirmed   int64 // of them, those that it said it keeps
	Returned    int64 // of them, those that found no queue
	Delivered   int64
	Redelivered int64 // of Delivered, those that had been delivered before
	Acked       int64
	Dead        int64 // sent to the dead letters by us; the broker's own doing is not in it
	Foreign     int64 // put back for another installation
	Connections int64 // made, the first two included
	Depth       int64 // waiting in the queue when it was last looked at
	Connected   bool  // both connections are up
}

// Open prepares a queue. It makes no connection: Run does, and keeps it up.
func Open(cfg Config) (*Queue, error) {
	s, err := parse(cfg.URL)
	if err != nil {
		return nil, err
	}
	if cfg.Queue == "" {
		cfg.Queue = QueueName
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	q := &Queue{cfg: cfg, settings: s}
	q.publisher.start("happening publisher")
	q.consumer.start("happening consumer")
	return q, nil
}

// Stats counts what went through this end of the queue since its start.
func (q *Queue) Stats() Stats {
	return Stats{
		Published: q.stats.published.Load(), Confirmed: q.stats.confirmed.Load(), Returned: q.stats.returned.Load(),
		Delivered: q.stats.delivered.Load(), Redelivered: q.stats.redelivered.Load(), Acked: q.stats.acked.Load(),
		Dead: q.stats.dead.Load(), Foreign: q.stats.foreign.Load(), Connections: q.stats.connections.Load(), Depth: q.stats.depth.Load(),
		Connected: q.publisher.away() == 0 && q.consumer.away() == 0,
	}
}

// Run keeps the connections up, lets facts be published, and hands those that
// arrive to the handler; nil: this process publishes only. When ctx ends it
// takes no more, finishes and acknowledges what is in hand, gives the rest
// back to the broker, and returns.
func (q *Queue) Run(ctx context.Context, handler Handler) {
	var links sync.WaitGroup
	links.Go(func() { q.keepUp(ctx, &q.publisher, q.publish) })
	if handler != nil {
		links.Go(func() {
			q.keepUp(ctx, &q.consumer, func(ctx context.Context, s *session) error { return q.consume(ctx, s, handler) })
		})
	}
	links.Wait()
}
