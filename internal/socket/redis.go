package socket

import (
	"context"
	"crypto/tls"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/centrifugal/centrifuge"
)

const (
	// publishWithin bounds how long a publication may take; for others the
	// engine counts as away then.
	publishWithin = 250 * time.Millisecond
	// askEngineWithin bounds subscribing and reading a channel's history, for
	// which one client waits.
	askEngineWithin = time.Second
	// restAfterFailure is how long nothing is tried after a failure.
	restAfterFailure = 500 * time.Millisecond
	// engineConnect and engineIO bound the library's own connections.
	engineConnect = time.Second
	engineIO      = time.Second
	// probeEvery is how often a node speaks to itself through the engine, and
	// deafAfter how long it may not have heard itself.
	probeEvery = time.Second
	deafAfter  = 4 * time.Second
	// engineTick is how often that is looked at, and how often an engine that
	// is away is tried.
	engineTick = 250 * time.Millisecond
	// maxCalls bounds the calls of an engine that answers slowly.
	maxCalls = 1_024
	// startPatience is how long a start waits for the engine before it goes
	// on without.
	startPatience = 2 * time.Second
)

// pubSubCut is what the library logs when the connection breaks over which
// messages of other processes come; TestBriefCutIsNoticed holds it to that.
const pubSubCut = "pub/sub connection error"

// DefaultPrefix begins every key and channel of realtime in Redis.
const DefaultPrefix = "happening"

// RedisSettings say where Redis is.
type RedisSettings struct {
	Addresses []string // host:port
	Cluster   bool     // addresses of nodes of a cluster
	MasterSet string   // addresses of Sentinels that know this master; empty: none

	User, Password                 string
	SentinelUser, SentinelPassword string
	DB                             int
	TLS                            *tls.Config // nil: plain; for Sentinels, too
	Prefix                         string      // empty: DefaultPrefix

	// patience stands for all bounds of the engine's calls, and for what a delta
	// waits for the one before it, in tests of what arrives, not of how soon;
	// zero: as the constants say.
	patience time.Duration
}

// within is how long a call may take, or a connection of the library's.
func (s *RedisSettings) within(limit time.Duration) time.Duration { return max(limit, s.patience) }

// prefix keeps installations in databases of one Redis apart, too: channels
// know no databases.
func (s *RedisSettings) prefix() string {
	prefix := s.Prefix
	if prefix == "" {
		prefix = DefaultPrefix
	}
	if s.DB != 0 {
		prefix += ".db" + strconv.Itoa(s.DB)
	}
	return prefix
}

func (s *RedisSettings) shard() centrifuge.RedisShardConfig {
	c := centrifuge.RedisShardConfig{
		DB: s.DB, User: s.User, Password: s.Password, TLSConfig: s.TLS, ClientName: "happening-socket",
		ConnectTimeout: s.within(engineConnect), IOTimeout: s.within(engineIO),
	}
	switch {
	case s.MasterSet != "":
		c.SentinelAddresses, c.SentinelMasterName = s.Addresses, s.MasterSet
		c.SentinelUser, c.SentinelPassword, c.SentinelTLSConfig = s.SentinelUser, s.SentinelPassword, s.TLS
	case s.Cluster:
		c.ClusterAddresses = s.Addresses
	default:
		c.Address = s.Addresses[0]
	}
	return c
}

// RedisEngine carries channels and words between processes through Redis, and
// keeps messages there for those whose connection was cut.
//
// While Redis is away the node goes on by itself: clients connect and
// subscribe, and hear what this process has to say. When it is back, all of
// them subscribe again, so that each recovers what it missed or is told that
// it can't. A start doesn't need Redis either.
func RedisEngine(s RedisSettings) Engine {
	return func(n *Node) error {
		if len(s.Addresses) == 0 {
			return errors.New("the realtime engine needs an address of Redis")
		}
		b := &redisBroker{
			node: n, settings: s, calls: make(chan struct{}, maxCalls), deferred: map[string]struct{}{},
			probe: "probe:" + n.node.ID(), hearing: make(chan uint64, 1), cuts: make(chan string, 1),
			mending: make(chan struct{}, 1), connected: make(chan struct{}), closing: make(chan struct{}),
		}
		b.order = newOrder(s.within(orderPatience), func(ch string, p place) {
			if err := b.events.HandlePublication(ch, p.pub, p.sp, false, nil); err != nil {
				n.Log.Debug("socket: message of another process not delivered", "error", err)
			}
		})
		n.cut = b.wasCut
		n.node.SetController(b)
		n.node.SetBroker(b)
		return nil
	}
}

var (
	errEngineAway = errors.New("the realtime engine is away")
	errEngineSlow = errors.New("the realtime engine does not answer in time")
)

// redisBroker stands between the node and the library's broker for Redis. It
// bounds every call, tells whether the engine works, and lets the node live
// without it.
type redisBroker struct {
	node     *Node
	settings RedisSettings
	events   centrifuge.BrokerEventHandler
	control  centrifuge.ControlEventHandler
	order    *order

	inner     atomic.Pointer[redisLink] // nil until connected
	away      atomic.Bool
	restUntil atomic.Int64 // unix nanoseconds
	unknown   atomic.Uint64
	calls     chan struct{}

	probe     string // the channel on which the node hears itself
	hearing   chan uint64
	cuts      chan string
	mending   chan struct{}
	mendAll   atomic.Bool
	connected chan struct{}
	closing   chan struct{}
	closed    sync.Once
	done      sync.WaitGroup

	mu sync.Mutex
	// deferred are channels that could not be subscribed to when clients did.
	deferred map[string]struct{}
}

// redisLink is the library's broker, with the connections that it would leave
// open.
type redisLink struct {
	broker *centrifuge.RedisBroker
	shard  *centrifuge.RedisShard
}

func (l *redisLink) close() {
	_ = l.broker.Close(context.Background()) // has nothing to report
	l.shard.Close()
}

// RegisterControlEventHandler implements centrifuge.Controller.
func (b *redisBroker) RegisterControlEventHandler(h centrifuge.ControlEventHandler) error {
	b.control = h
	return nil
}

// RegisterBrokerEventHandler implements centrifuge.Broker; the node is about
// to start.
func (b *redisBroker) RegisterBrokerEventHandler(h centrifuge.BrokerEventHandler) error {
	b.events = h
	b.away.Store(true) // until it has heard itself
	b.done.Go(b.run)
	b.done.Go(b.mend)
	select {
	case <-b.connected:
	case <-time.After(startPatience):
	}
	return nil
}

// Close implements centrifuge.Closer.
func (b *redisBroker) Close(context.Context) error {
	b.closed.Do(func() { close(b.closing) })
	b.done.Wait()
	return nil
}

// within calls the engine, at once not if it is away or has just failed, and
// waits no longer than the limit; the call itself ends when the library gives
// it up.
func within[T any](b *redisBroker, limit time.Duration, call func(*centrifuge.RedisBroker) (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	var none T
	link := b.inner.Load()
	if link == nil || b.away.Load() || time.Now().UnixNano() < b.restUntil.Load() {
		return none, errEngineAway
	}
	select {
	case b.calls <- struct{}{}:
	default:
		return none, errEngineSlow
	}
	answers := make(chan answer, 1)
	go func() {
		defer func() { <-b.calls }()
		value, err := call(link.broker)
		answers <- answer{value, err}
	}()
	timer := time.NewTimer(b.settings.within(limit))
	defer timer.Stop()
	select {
	case a := <-answers:
		if a.err != nil {
			b.rest()
		}
		return a.value, a.err
	case <-timer.C:
		b.rest()
		return none, errEngineSlow
	}
}

func (b *redisBroker) rest() { b.restUntil.Store(time.Now().Add(restAfterFailure).UnixNano()) }

// Publish implements centrifuge.Broker.
func (b *redisBroker) Publish(ch string, data []byte, o centrifuge.PublishOptions) (centrifuge.StreamPosition, bool, error) {
	sp, err := within(b, publishWithin, func(r *centrifuge.RedisBroker) (centrifuge.StreamPosition, error) {
		sp, _, err := r.Publish(ch, data, o)
		return sp, err
	})
	return sp, false, err
}

// PublishControl implements centrifuge.Controller. What can't be told is lost,
// as everything may be that goes this way.
func (b *redisBroker) PublishControl(data []byte, nodeID, key string) error {
	_, err := within(b, publishWithin, func(r *centrifuge.RedisBroker) (struct{}, error) {
		return struct{}{}, r.PublishControl(data, nodeID, key)
	})
	if err != nil {
		b.node.Log.Debug("socket: not told to the other processes", "error", err)
	}
	return nil
}

// Subscribe implements centrifuge.Broker. A client need not wait for the
// engine to be back: its channel is subscribed to then.
func (b *redisBroker) Subscribe(ch string) error {
	b.subscribe(ch)
	return nil
}

func (b *redisBroker) subscribe(ch string) bool {
	_, err := within(b, askEngineWithin, func(r *centrifuge.RedisBroker) (struct{}, error) {
		return struct{}{}, r.Subscribe(ch)
	})
	if err != nil {
		b.mu.Lock()
		b.deferred[ch] = struct{}{}
		b.mu.Unlock()
	}
	return err == nil
}

// Unsubscribe implements centrifuge.Broker; the node tries again after an
// error, unless somebody has subscribed meanwhile.
func (b *redisBroker) Unsubscribe(ch string) error {
	b.order.forget(ch)
	b.mu.Lock()
	delete(b.deferred, ch)
	b.mu.Unlock()
	_, err := within(b, askEngineWithin, func(r *centrifuge.RedisBroker) (struct{}, error) {
		return struct{}{}, r.Unsubscribe(ch)
	})
	return err
}

type pastMessages struct {
	pubs []*centrifuge.Publication
	sp   centrifuge.StreamPosition
}

// History implements centrifuge.Broker. While it can't be read, a client gets
// a position that no stream has: it can't recover from it, and the first
// message that is kept again makes it subscribe anew.
func (b *redisBroker) History(ch string, o centrifuge.HistoryOptions) ([]*centrifuge.Publication, centrifuge.StreamPosition, error) {
	past, err := within(b, askEngineWithin, func(r *centrifuge.RedisBroker) (past pastMessages, err error) {
		past.pubs, past.sp, err = r.History(ch, o)
		return past, err
	})
	if err != nil {
		return nil, centrifuge.StreamPosition{Epoch: "away" + strconv.FormatUint(b.unknown.Add(1), 10)}, nil
	}
	return past.pubs, past.sp, nil
}

// RemoveHistory implements centrifuge.Broker.
func (b *redisBroker) RemoveHistory(ch string) error {
	_, err := within(b, askEngineWithin, func(r *centrifuge.RedisBroker) (struct{}, error) {
		return struct{}{}, r.RemoveHistory(ch)
	})
	return err
}

// PublishJoin implements centrifuge.Broker; nobody is told who else listens.
func (b *redisBroker) PublishJoin(string, *centrifuge.ClientInfo) error { return nil }

// PublishLeave implements centrifuge.Broker.
func (b *redisBroker) PublishLeave(string, *centrifuge.ClientInfo) error { return nil }

// HandlePublication takes a message that came from Redis.
func (b *redisBroker) HandlePublication(ch string, pub *centrifuge.Publication, sp centrifuge.StreamPosition, _ bool, _ *centrifuge.Publication) error {
	switch {
	case ch == b.probe:
		b.heard(pub.Data)
	case b.node.node.Hub().NumSubscribers(ch) > 0:
		b.order.take(ch, pub, sp)
	}
	return nil
}

// HandleJoin and HandleLeave are part of what the library's broker calls.
func (b *redisBroker) HandleJoin(string, *centrifuge.ClientInfo) error  { return nil }
func (b *redisBroker) HandleLeave(string, *centrifuge.ClientInfo) error { return nil }
