package rabbitmq

import (
	"context"
	"time"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"
)

// Two installations on one vhost are a mistake that costs nobody a message.
// The broker counts what is given back to it as a delivery, and drops what was
// delivered too often. So what belongs to another installation is published
// again, and acknowledged once that is confirmed; its owner gets it sooner or
// later. What had been delivered before stays under suspicion.

const (
	// The pause before messages are put back doubles with how often they were
	// already: while their owner is away they come round again and again, and
	// must not keep the broker busy.
	firstForeignPause = 50 * time.Millisecond
	lastForeignPause  = time.Second
	// maxHops bounds the count of how often a message was put back.
	maxHops = 100
	// foreignEvery is how often the mistake is told.
	foreignEvery = time.Minute

	hopsHeader    = "happening-hops"
	suspectHeader = "happening-suspect"
)

// putBack is the lane of messages that are of another installation.
func (c *consumer) putBack() {
	for first := range c.foreign {
		c.q.tellOfForeign(first.AppId)
		rest(c.stopping, foreignPause(hops(first)))
		c.passOn(gather(first, c.foreign))
	}
}

// passOn publishes messages again, until all of them are confirmed or no more
// is to be begun. A crash between confirmation and acknowledgement doubles a
// message, which its owner recognizes.
func (c *consumer) passOn(batch []amqp.Delivery) {
	for len(batch) > 0 {
		if c.stopping.Err() != nil {
			for _, d := range batch {
				_ = d.Nack(false, true)
			}
			return
		}
		kept := c.publishAgain(batch)
		var left []amqp.Delivery
		for i, d := range batch {
			switch {
			case !kept[i]:
				left = append(left, d)
			case d.Ack(false) == nil:
				c.q.stats.foreign.Add(1)
			}
		}
		if batch = left; len(batch) > 0 {
			rest(c.stopping, lastForeignPause)
		}
	}
}

func (c *consumer) publishAgain(batch []amqp.Delivery) []bool {
	ctx, cancel := context.WithTimeout(c.working, callTimeout)
	defer cancel()
	messages := make([]amqp.Publishing, len(batch))
	for i, d := range batch {
		messages[i] = again(d)
	}
	// What went wrong is told by the loop that keeps the connection up.
	confirmed, _ := c.q.send(ctx, messages)
	kept := make([]bool, len(batch))
	for i, m := range messages {
		kept[i] = confirmed[m.MessageId]
	}
	return kept
}

// again is the message as its owner published it, with what happened since.
func again(d amqp.Delivery) amqp.Publishing {
	m := amqp.Publishing{
		AppId: d.AppId, MessageId: d.MessageId, Type: d.Type, ContentType: d.ContentType,
		DeliveryMode: amqp.Persistent, Body: d.Body,
		Headers: amqp.Table{hopsHeader: int32(min(hops(d)+1, maxHops)), suspectHeader: d.Redelivered || wasSuspect(d)},
	}
	if m.MessageId == "" { // confirmations are told apart by it
		m.MessageId = uuid.NewString()
	}
	return m
}

// hops is how often a message was put back.
func hops(d amqp.Delivery) int {
	n, _ := d.Headers[hopsHeader].(int32)
	return int(min(max(n, 0), maxHops))
}

// wasSuspect says that a message had been delivered before it was put back.
func wasSuspect(d amqp.Delivery) bool {
	yes, _ := d.Headers[suspectHeader].(bool)
	return yes
}

func foreignPause(hops int) time.Duration {
	pause := firstForeignPause
	for ; hops > 0 && pause < lastForeignPause; hops-- {
		pause *= 2
	}
	return min(pause, lastForeignPause)
}

// tellOfForeign tells of the mistake now and then.
func (q *Queue) tellOfForeign(installation string) {
	now := time.Now().UnixNano()
	said := q.saidForeign.Load()
	if said != 0 && now-said < int64(foreignEvery) || !q.saidForeign.CompareAndSwap(said, now) {
		return
	}
	q.cfg.Log.Warn("another installation uses this vhost: give each a vhost of its own, or purge the queue if the other is no more",
		"vhost", q.settings.vhost, "queue", q.cfg.Queue, "installation", installation, "ours", q.cfg.Installation)
}
