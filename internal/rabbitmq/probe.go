package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"
)

// probeTimeout bounds reaching a broker that is tried out.
const probeTimeout = 5 * time.Second

// Probe is ProbeFor where the installation is not known.
func Probe(ctx context.Context, url string) error {
	_, err := ProbeFor(ctx, url, "")
	return err
}

// ProbeFor tries a broker out before anything relies on it, and tells all that
// is wrong, each in one line without a password. It declares the queues, as
// the first start would, and leaves nothing else behind. The warning tells of
// another installation whose message is the first in the queue; it is no
// fault, since a broker must not keep a process from starting by what happens
// to lie in it.
func ProbeFor(ctx context.Context, url, installation string) (warning, err error) {
	return probe(ctx, url, QueueName, installation)
}

func probe(ctx context.Context, url, queue, installation string) (warning, err error) {
	s, err := parse(url)
	if err != nil {
		return nil, err
	}
	conn, err := s.dial(ctx, "happening probe", probeTimeout)
	if err != nil {
		return nil, errors.New(s.explain(queue, err))
	}
	defer func() { _ = conn.CloseDeadline(time.Now().Add(closeTimeout)) }()
	whole := &session{conn: conn}
	var faults []error
	if product, _ := conn.Properties["product"].(string); product != "RabbitMQ" {
		faults = append(faults, fmt.Errorf("%s: %s is %q, not RabbitMQ; the queues need RabbitMQ %d.%d or newer", setting, s.addr(), product, minMajor, minMinor))
	} else if version, _ := conn.Properties["version"].(string); tooOld(version) {
		faults = append(faults, fmt.Errorf("%s: %s is RabbitMQ %s; upgrade it to %d.%d or newer", setting, s.addr(), version, minMajor, minMinor))
	}
	said := map[string]bool{}
	// A refusal closes the channel: each trial has its own.
	for _, try := range []func(*amqp.Channel) error{
		func(ch *amqp.Channel) error { return declareDead(ch, queue) },
		func(ch *amqp.Channel) error { return declareQueue(ch, queue) },
		func(ch *amqp.Channel) error { return mayPublish(ctx, ch) },
		func(ch *amqp.Channel) error {
			first, err := mayRead(ch, queue)
			if err == nil && foreign(first, installation) {
				warning = fmt.Errorf("%s: another installation (%q) uses the vhost %q; give each a vhost of its own, or rabbitmqctl purge_queue -p %s %s if the other is no more",
					setting, first.AppId, s.vhost, s.vhost, queue)
			}
			return err
		},
	} {
		err := whole.within(ctx, func() error {
			ch, err := conn.Channel()
			if err != nil {
				return err
			}
			defer ch.Close()
			return try(ch)
		})
		if err == nil {
			continue
		}
		if line := s.explain(queue, err); !said[line] {
			said[line] = true
			faults = append(faults, errors.New(line))
		}
		if conn.IsClosed() {
			break
		}
	}
	return warning, errors.Join(faults...)
}

// mayPublish sends a message to no queue: it is refused, or comes back.
func mayPublish(ctx context.Context, ch *amqp.Channel) error {
	closed := ch.NotifyClose(make(chan *amqp.Error, 1))
	returned := ch.NotifyReturn(make(chan amqp.Return, 1))
	nowhere := "happening.probe." + uuid.NewString()
	if err := ch.PublishWithContext(ctx, "", nowhere, true, false, amqp.Publishing{}); err != nil {
		return err
	}
	timer := time.NewTimer(callTimeout)
	defer timer.Stop()
	select {
	case <-returned:
		return nil
	case e := <-closed:
		return cause(e)
	case <-timer.C:
		return fmt.Errorf("%w: no answer to a message", errLost)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// mayRead takes the first message, if there is one, and puts it back; that
// counts as a delivery of it. That the queue is not there was told when it
// could not be made.
func mayRead(ch *amqp.Channel, queue string) (first amqp.Delivery, err error) {
	first, ok, err := ch.Get(queue, false)
	var broker *amqp.Error
	if errors.As(err, &broker) && broker.Code == amqp.NotFound {
		return amqp.Delivery{}, nil
	}
	if err != nil || !ok {
		return amqp.Delivery{}, err
	}
	return first, first.Nack(false, true)
}
