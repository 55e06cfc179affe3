package rabbitmq

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"

	"happening/internal/notify"
)

// QueueName is the queue of facts; DeadSuffix makes of it the name of the
// queue of those that were given up.
const (
	QueueName  = "notifications"
	DeadSuffix = ".dead"
)

const (
	// MaxDeliveries is how often the broker delivers a message at most, also
	// to workers that die of it.
	MaxDeliveries = notify.MaxTries
	// maxDead bounds the dead letters; the oldest go first. Their facts say
	// in the outbox, too, why they failed.
	maxDead = 100_000
	// maxBody bounds, in bytes, what is read of a message.
	maxBody = 1024
	// bodyVersion is the version of the body.
	bodyVersion = 1
)

// declare makes the queues, or finds that they are there with the same
// arguments. An error has closed the channel.
func declare(ch *amqp.Channel, queue string) error {
	if err := declareDead(ch, queue); err != nil {
		return err
	}
	return declareQueue(ch, queue)
}

func declareDead(ch *amqp.Channel, queue string) error {
	_, err := ch.QueueDeclare(queue+DeadSuffix, true, false, false, false, amqp.Table{
		amqp.QueueTypeArg:   amqp.QueueTypeQuorum,
		amqp.QueueMaxLenArg: int32(maxDead),
	})
	return err
}

func declareQueue(ch *amqp.Channel, queue string) error {
	_, err := ch.QueueDeclare(queue, true, false, false, false, amqp.Table{
		amqp.QueueTypeArg: amqp.QueueTypeQuorum,
		// The limit is on deliveries after the first.
		"x-delivery-limit":          int32(MaxDeliveries - 1),
		"x-dead-letter-exchange":    "",
		"x-dead-letter-routing-key": queue + DeadSuffix,
	})
	return err
}

// body is what a message says. Nothing of it is about a person.
type body struct {
	Fact    uuid.UUID `json:"fact"`
	Version int       `json:"v"`
}

// anybody is the sender of what names no installation.
const anybody = "happening"

func message(fact uuid.UUID, installation string) (amqp.Publishing, error) {
	text, err := json.Marshal(body{Fact: fact, Version: bodyVersion})
	if err != nil {
		return amqp.Publishing{}, err
	}
	return amqp.Publishing{
		MessageId:    fact.String(),
		AppId:        sender(installation),
		Type:         "fact",
		ContentType:  "application/json",
		DeliveryMode: amqp.Persistent,
		Body:         text,
	}, nil
}

func sender(installation string) string {
	if installation == "" {
		return anybody
	}
	return installation
}

// isForeign says whether a message is of an installation that is not this one.
func (q *Queue) isForeign(d amqp.Delivery) bool { return foreign(d, q.cfg.Installation) }

func foreign(d amqp.Delivery, installation string) bool {
	return installation != "" && d.AppId != "" && d.AppId != anybody && d.AppId != installation
}

// greetingType is the type of the message by which a publisher tries a queue.
const greetingType = "greeting"

func greeting() amqp.Publishing {
	return amqp.Publishing{AppId: anybody, Type: greetingType, DeliveryMode: amqp.Persistent}
}

func isGreeting(d amqp.Delivery) bool { return d.Type == greetingType && len(d.Body) == 0 }

// factOf reads which fact a message names.
func factOf(text []byte) (uuid.UUID, error) {
	if len(text) > maxBody {
		return uuid.Nil, fmt.Errorf("rabbitmq: a message of %d bytes", len(text))
	}
	var b body
	decoder := json.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&b); err != nil {
		return uuid.Nil, fmt.Errorf("rabbitmq: a message that is no fact: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return uuid.Nil, errors.New("rabbitmq: a message with more than a fact")
	}
	if b.Version != bodyVersion {
		return uuid.Nil, fmt.Errorf("rabbitmq: a message of version %d", b.Version)
	}
	if b.Fact == uuid.Nil {
		return uuid.Nil, errors.New("rabbitmq: a message that names no fact")
	}
	return b.Fact, nil
}
