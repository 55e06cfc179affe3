package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"

	"happening/internal/notify"
)

var _ notify.Publisher = (*Queue)(nil)

var errAway = errors.New("rabbitmq: the broker is away")

// publisher is the session that publishes, while there is one.
type publisher struct {
	mu       sync.Mutex // held while the channel is in use
	session  *session
	returned chan amqp.Return
}

// publish lets others publish over the session until it ends.
func (q *Queue) publish(ctx context.Context, s *session) error {
	blocked := s.conn.NotifyBlocked(make(chan amqp.Blocking, 1))
	// Returns are read between confirmations, so there must be room for those
	// of a whole batch.
	returned := s.ch.NotifyReturn(make(chan amqp.Return, notify.ForwardBatch))
	if err := s.within(ctx, func() error { return q.greet(ctx, s) }); err != nil {
		return err
	}
	p := &q.sink
	p.mu.Lock()
	p.session, p.returned = s, returned
	p.mu.Unlock()
	s.ready()
	defer func() {
		// Whoever publishes now fails at once when the connection closes, and
		// must not be waited for before.
		s.drop()
		p.mu.Lock()
		p.session = nil
		p.mu.Unlock()
	}()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e := <-s.closed:
			return cause(e)
		case b, ok := <-blocked:
			if !ok {
				return cause(<-s.closed)
			}
			q.setBlocked(b)
		}
	}
}

// greet sends a message that names no fact and waits until the queue has it.
// A broker may take connections and have a queue that takes nothing, as one
// whose leader did not come back; then the session is as good as none.
func (q *Queue) greet(ctx context.Context, s *session) error {
	if err := s.ch.Confirm(false); err != nil {
		return err
	}
	confirm, err := s.ch.PublishWithDeferredConfirmWithContext(ctx, "", q.cfg.Queue, true, false, greeting())
	if err != nil {
		return err
	}
	if kept, err := confirm.WaitContext(ctx); err != nil || !kept {
		return fmt.Errorf("%w: the queue %q confirms no message", errLost, q.cfg.Queue)
	}
	return nil
}

// setBlocked notes that the broker is short of memory or disk, or no more.
func (q *Queue) setBlocked(b amqp.Blocking) {
	if b.Active {
		q.cfg.Log.Warn("RabbitMQ takes no messages; facts wait in the outbox meanwhile", "reason", b.Reason)
		q.publisher.down()
	} else {
		q.cfg.Log.Info("RabbitMQ takes messages again")
		q.publisher.up()
	}
}

// Depth implements notify.Publisher.
func (q *Queue) Depth(ctx context.Context) (waiting int, away time.Duration, err error) {
	if away := q.publisher.away(); away > 0 {
		return 0, away, nil
	}
	p := &q.sink
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.session == nil {
		return 0, max(q.publisher.away(), 1), nil
	}
	var found amqp.Queue
	err = p.session.within(ctx, func() (err error) {
		found, err = p.session.ch.QueueDeclarePassive(q.cfg.Queue, true, false, false, false, nil)
		return err
	})
	if err != nil {
		// The session ends over it, and its loop tells why.
		return 0, 1, nil
	}
	q.stats.depth.Store(int64(found.Messages))
	return found.Messages, 0, nil
}

// Publish implements notify.Publisher.
func (q *Queue) Publish(ctx context.Context, ids []uuid.UUID) (unconfirmed []uuid.UUID, err error) {
	messages := make([]amqp.Publishing, len(ids))
	for i, id := range ids {
		if messages[i], err = message(id, q.cfg.Installation); err != nil {
			return ids, err
		}
	}
	kept, err := q.send(ctx, messages)
	for _, id := range ids {
		if kept[id.String()] {
			q.stats.confirmed.Add(1)
			continue
		}
		unconfirmed = append(unconfirmed, id)
	}
	if len(unconfirmed) > 0 && err == nil {
		err = fmt.Errorf("rabbitmq: %d of %d facts were not confirmed", len(unconfirmed), len(ids))
	}
	return unconfirmed, err
}

// send publishes messages with ids of their own and says which of them the
// broker keeps. There may be at most notify.ForwardBatch.
func (q *Queue) send(ctx context.Context, messages []amqp.Publishing) (kept map[string]bool, err error) {
	p := &q.sink
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.session == nil {
		return nil, errAway
	}
	session := p.session
	// A write to a broker that has stopped reading blocks beyond any context,
	// unless its connection is closed; and what is not confirmed in time may
	// never be.
	stop := context.AfterFunc(ctx, session.drop)
	defer stop()
	confirms := make([]*amqp.DeferredConfirmation, 0, len(messages))
	for _, m := range messages {
		// Mandatory: a message that no queue takes comes back.
		confirm, err := session.ch.PublishWithDeferredConfirmWithContext(ctx, "", q.cfg.Queue, true, false, m)
		if err != nil {
			return nil, fmt.Errorf("rabbitmq: publish: %w", err)
		}
		q.stats.published.Add(1)
		confirms = append(confirms, confirm)
	}
	kept = make(map[string]bool, len(messages))
	for i, confirm := range confirms {
		acked, waited := confirm.WaitContext(ctx)
		if waited != nil {
			err = fmt.Errorf("rabbitmq: no confirmation: %w", waited)
			break
		}
		kept[messages[i].MessageId] = acked
	}
	for {
		select {
		case r, ok := <-p.returned:
			if !ok {
				return kept, err
			}
			// A message without a queue is confirmed nonetheless, after it
			// came back.
			delete(kept, r.MessageId)
			q.stats.returned.Add(1)
		default:
			return kept, err
		}
	}
}
