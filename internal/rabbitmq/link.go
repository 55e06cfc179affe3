package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// errLost is why a session ends without a word of the broker.
var errLost = errors.New("the connection is lost")

// errNoBroker is why a connection ends at once whose other end speaks
// something else than AMQP, or nothing.
var errNoBroker = errors.New("no broker answers")

// link is one of the connections, and since when it is away.
type link struct {
	name string

	mu   sync.Mutex
	lost time.Time // zero: it is up
}

func (l *link) start(name string) {
	l.name = name
	l.lost = time.Now()
}

// away says for how long the link has been away; 0: it is up.
func (l *link) away() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost.IsZero() {
		return 0
	}
	return max(time.Since(l.lost), 1)
}

func (l *link) up() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost = time.Time{}
}

func (l *link) down() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost.IsZero() {
		l.lost = time.Now()
	}
}

// session is a connection with its channel, while both live.
type session struct {
	conn   *amqp.Connection
	ch     *amqp.Channel
	closed chan *amqp.Error // of the channel or its connection
	ready  func()           // says that the session works
}

// keepUp works over one connection after the other until ctx ends.
func (q *Queue) keepUp(ctx context.Context, l *link, work func(context.Context, *session) error) {
	pause := firstPause
	said := ""
	for ctx.Err() == nil {
		err := q.once(ctx, l, func(ctx context.Context, s *session) error {
			s.ready = func() {
				l.up()
				q.stats.connections.Add(1)
				if said != "" {
					q.cfg.Log.Info("RabbitMQ is back", "connection", l.name)
				}
				pause, said = firstPause, ""
			}
			return work(ctx, s)
		})
		l.down()
		if ctx.Err() != nil {
			return
		}
		// The same trouble is told once, however often it is met.
		if line := q.settings.explain(q.cfg.Queue, err); line != said {
			q.cfg.Log.Warn("RabbitMQ is away; facts wait in the outbox meanwhile", "connection", l.name, "error", line)
			said = line
		}
		rest(ctx, pause/2+rand.N(pause/2))
		pause = min(2*pause, lastPause)
	}
}

// once makes a connection, declares the queues and works over it. It returns
// when the connection has ended.
func (q *Queue) once(ctx context.Context, l *link, work func(context.Context, *session) error) error {
	conn, err := q.settings.dial(ctx, l.name, dialTimeout)
	if err != nil {
		return err
	}
	defer func() { _ = conn.CloseDeadline(time.Now().Add(closeTimeout)) }()
	s := &session{conn: conn}
	if err := s.within(ctx, func() error {
		if s.ch, err = conn.Channel(); err != nil {
			return err
		}
		s.closed = s.ch.NotifyClose(make(chan *amqp.Error, 1))
		return declare(s.ch, q.cfg.Queue)
	}); err != nil {
		return err
	}
	return work(ctx, s)
}

// within asks the broker something that the library lets nobody give up: the
// connection is closed when the broker doesn't answer in callTimeout, or when
// ctx ends.
func (s *session) within(ctx context.Context, ask func() error) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	answered := context.AfterFunc(ctx, s.drop)
	err := ask()
	if !answered() && err != nil {
		return fmt.Errorf("%w: the broker doesn't answer", errLost)
	}
	return err
}

// drop closes the connection without waiting for the broker.
func (s *session) drop() { _ = s.conn.CloseDeadline(time.Now()) }

// cause is why the session ended; nil: we closed it.
func cause(e *amqp.Error) error {
	if e == nil {
		return fmt.Errorf("%w: it was closed", errLost)
	}
	return e
}

// dial makes a connection; ctx and within bound the making only.
func (s settings) dial(parent context.Context, name string, within time.Duration) (*amqp.Connection, error) {
	ctx, cancel := context.WithTimeout(parent, within)
	defer cancel()
	properties := amqp.NewConnectionProperties()
	properties.SetClientConnectionName(name)
	dialer := net.Dialer{}
	made := func() bool { return true }
	reached := false
	conn, err := amqp.DialConfig(s.url, amqp.Config{
		Heartbeat:  heartbeat,
		Locale:     "en_US",
		Properties: properties,
		Dial: func(network, addr string) (net.Conn, error) {
			wire, err := dialer.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			// The library takes the deadline away once both sides agree.
			if err := wire.SetDeadline(time.Now().Add(within)); err != nil {
				return nil, errors.Join(err, wire.Close())
			}
			reached = true
			made = context.AfterFunc(ctx, func() { _ = wire.Close() })
			return wire, nil
		},
	})
	made()
	switch {
	case err == nil:
		return conn, nil
	case reached && parent.Err() == nil && !isWord(err):
		return nil, fmt.Errorf("connect: %w: %w", errNoBroker, err)
	}
	return nil, fmt.Errorf("connect: %w", err)
}

// isWord says whether an error while a connection is made is a broker's word,
// or one about TLS, and not about the lack of any.
func isWord(err error) bool {
	var said *amqp.Error
	if errors.As(err, &said) {
		return said.Server || said.Code == amqp.AccessRefused || said.Code == amqp.NotAllowed
	}
	var timeout net.Error
	return !errors.Is(err, io.EOF) && !(errors.As(err, &timeout) && timeout.Timeout()) && !errors.Is(err, net.ErrClosed) && !errors.Is(err, syscall.ECONNRESET)
}

func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
