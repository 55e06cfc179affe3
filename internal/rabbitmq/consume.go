package rabbitmq

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"
)

// arrival is a message with the fact that it names.
type arrival struct {
	amqp.Delivery
	fact uuid.UUID
}

// consumer hands the messages of one session to the handler.
type consumer struct {
	q       *Queue
	session *session
	handler Handler
	// fresh are delivered for the first time and told together; suspect were
	// delivered before and are told one by one, so that one that kills or
	// fails takes no other with it. Both have room for all that the broker
	// hands over.
	fresh, suspect chan arrival
	// foreign are of another installation.
	foreign chan amqp.Delivery
	// stopping ends when no more is to be begun.
	stopping context.Context
	// working ends when what is in hand must end, too.
	working context.Context
}

// consume takes messages until the session or ctx ends.
func (q *Queue) consume(ctx context.Context, s *session, handler Handler) error {
	tag := uuid.NewString()
	var deliveries <-chan amqp.Delivery
	err := s.within(ctx, func() (err error) {
		if err = s.ch.Qos(Prefetch, 0, false); err != nil {
			return err
		}
		deliveries, err = s.ch.Consume(q.cfg.Queue, tag, false, false, false, false, nil)
		return err
	})
	if err != nil {
		return err
	}
	s.ready()
	stopping, stop := context.WithCancel(ctx)
	defer stop()
	working, quit := context.WithCancel(context.WithoutCancel(ctx))
	defer quit()
	c := &consumer{
		q: q, session: s, handler: handler, stopping: stopping, working: working,
		fresh: make(chan arrival, Prefetch), suspect: make(chan arrival, Prefetch),
		foreign: make(chan amqp.Delivery, Prefetch),
	}
	var lanes sync.WaitGroup
	lanes.Go(c.tellFresh)
	lanes.Go(c.tellSuspects)
	lanes.Go(c.putBack)

	// When told to stop, the broker is asked for no more; what it has sent by
	// then still arrives, and goes back. A broker that doesn't answer is left.
	cancelled := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(stopGrace, func() {
			quit()
			s.drop()
		})
		context.AfterFunc(working, func() { timer.Stop() })
		_ = s.ch.Cancel(tag, false)
	})
	defer cancelled()
	for d := range deliveries {
		c.sort(d)
	}
	stop()
	close(c.fresh)
	close(c.suspect)
	close(c.foreign)
	lanes.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	select {
	case e := <-s.closed:
		return cause(e)
	default:
		return fmt.Errorf("%w: the broker cancelled the consumer, as when the queue is deleted", errLost)
	}
}

// sort puts a message on its lane.
func (c *consumer) sort(d amqp.Delivery) {
	if isGreeting(d) {
		_ = d.Ack(false)
		return
	}
	c.q.stats.delivered.Add(1)
	if d.Redelivered {
		c.q.stats.redelivered.Add(1)
	}
	if c.q.isForeign(d) {
		c.foreign <- d
		return
	}
	fact, err := factOf(d.Body)
	switch {
	case err != nil:
		c.q.cfg.Log.Error("a message is no fact and goes to the dead letters", "message", d.MessageId, "error", err)
		c.bury(d)
	case d.Redelivered, wasSuspect(d):
		c.suspect <- arrival{d, fact}
	default:
		c.fresh <- arrival{d, fact}
	}
}

func (c *consumer) tellFresh() {
	for first := range c.fresh {
		batch := gather(first, c.fresh)
		ids := make([]uuid.UUID, len(batch))
		for i, a := range batch {
			ids[i] = a.fact
		}
		c.finish(batch, func() (map[uuid.UUID]string, error) { return c.handler.Tell(c.working, ids) })
	}
}

// gather takes what has arrived already, up to TellBatch in all.
func gather[T any](first T, arrived <-chan T) []T {
	batch := append(make([]T, 0, TellBatch), first)
	for len(batch) < TellBatch {
		select {
		case next, ok := <-arrived:
			if !ok {
				return batch
			}
			batch = append(batch, next)
		default:
			return batch
		}
	}
	return batch
}

func (c *consumer) tellSuspects() {
	for a := range c.suspect {
		c.finish([]arrival{a}, func() (map[uuid.UUID]string, error) { return c.handler.TellAgain(c.working, a.fact) })
	}
}

// finish tells a batch and acknowledges it. An error says nothing about the
// facts: PostgreSQL is away, say. Then the messages stay in hand, unanswered,
// and are tried again after pauses that grow; no delivery is used up.
func (c *consumer) finish(batch []arrival, tell func() (map[uuid.UUID]string, error)) {
	pause := firstPause
	for {
		if c.stopping.Err() != nil {
			c.giveBack(batch)
			return
		}
		dead, err := tell()
		if err == nil {
			c.answer(batch, dead)
			return
		}
		if c.working.Err() != nil {
			return
		}
		c.q.cfg.Log.Warn("facts can't be told now; trying again", "facts", len(batch), "error", err)
		rest(c.stopping, pause/2+rand.N(pause/2))
		pause = min(2*pause, lastPause)
	}
}

// answer acknowledges what is told and buries what never will be. When the
// connection is gone the broker delivers it all again, and it is recognized.
func (c *consumer) answer(batch []arrival, dead map[uuid.UUID]string) {
	for _, a := range batch {
		if reason, ok := dead[a.fact]; ok {
			c.q.cfg.Log.Error("a fact goes to the dead letters", "fact", a.fact, "reason", reason)
			c.bury(a.Delivery)
			continue
		}
		if a.Ack(false) == nil {
			c.q.stats.acked.Add(1)
		}
	}
}

func (c *consumer) bury(d amqp.Delivery) {
	if d.Nack(false, false) == nil {
		c.q.stats.dead.Add(1)
	}
}

// giveBack lets somebody else have what was not begun.
func (c *consumer) giveBack(batch []arrival) {
	for _, a := range batch {
		_ = a.Nack(false, true)
	}
}
