package socket

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/centrifugal/centrifuge"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"happening/internal/access"
	"happening/internal/realtime"
)

const (
	// maxMessageBytes bounds one message from a client; they only subscribe.
	maxMessageBytes = 16 << 10
	// maxQueueBytes bounds what waits to be written to one client. Beyond it
	// the client is too slow and disconnected; it comes back and recovers.
	// A whole history of full deltas fits in.
	maxQueueBytes = 4 << 20
	// writeTimeout bounds one write to a client.
	writeTimeout = 2 * time.Second
	// maxChannels bounds what one connection listens to.
	maxChannels = 32
	// maxPersonConnections bounds one person's windows and devices. This and
	// the next two hold for each process, not for all of them together: what
	// they guard is a process's memory.
	maxPersonConnections = 32
	// maxAddressVisitors bounds the visitors of one address, which a campus
	// may share.
	maxAddressVisitors = 2_000
	// maxConnections bounds all connections of the process.
	maxConnections = 50_000
	// maxCommandsPerSecond bounds what one connection asks.
	maxCommandsPerSecond = 64
	// connectWithin is how long a connection may stay without saying who it is.
	connectWithin = 5 * time.Second
	// askWithin bounds one question to the gate.
	askWithin = time.Second

	eventHistory = 128 // deltas kept for recovery; more than that is a new snapshot
	userHistory  = 32
	// historyMeta is how long a channel's position is remembered after its
	// last message.
	historyMeta = 10 * realtime.RecoveryWindow

	pingEvery  = 25 * time.Second
	pongWithin = 10 * time.Second
	// stopPatience is for the goodbyes of those who are connected when the
	// node stops.
	stopPatience = time.Second
)

// Gate says who somebody is and what they may see. Both are asked for every few
// seconds for everybody who is connected. Answers may be cached for a second,
// for longer only where the cache is emptied when access changes.
type Gate interface {
	// Identify reads the credential of a request: a session cookie, a bearer
	// token in the header, or the token that the client sent on connecting.
	// Without any it answers the zero principal, a visitor. A credential that
	// is sent and not valid is a fault of kind Unauthenticated or Forbidden.
	// The zero time means that the credential has no end known beforehand.
	Identify(ctx context.Context, r *http.Request, token string) (p access.Principal, expiresAt time.Time, err error)
	// MayWatch answers nil where the principal may see the event; a fault of
	// kind NotFound, Forbidden or Unauthenticated where not.
	MayWatch(ctx context.Context, p access.Principal, eventID uuid.UUID) error
}

// Engine puts the broker under the node; channels reach other processes
// through it.
type Engine func(*Node) error

// MemoryEngine keeps channels within this process.
func MemoryEngine(n *Node) error {
	broker, err := centrifuge.NewMemoryBroker(n.node, centrifuge.MemoryBrokerConfig{})
	if err != nil {
		return fmt.Errorf("make the memory broker: %w", err)
	}
	n.node.SetBroker(broker)
	return nil
}

// Options configures a Node; Gate and PublicURL are required.
type Options struct {
	Gate      Gate
	PublicURL *url.URL // whose origin browsers may come from
	// Watch is told when somebody begins or ceases to look at an event. May
	// be nil.
	Watch func(eventID uuid.UUID, joined bool)
	// Address gives the address that a request counts for; nil takes the
	// peer's. Trusted proxies are its business.
	Address func(*http.Request) string
	Engine  Engine // nil: MemoryEngine
	// Presence is who is connected to the other processes; nil: this one is
	// all.
	Presence realtime.Presence
	// Interrupted is told when the engine between the processes goes away and
	// when it is back. May be nil; must not block.
	Interrupted func(away bool)
	Metrics     centrifuge.RegistererGatherer // nil: a registry of its own
	Log         *slog.Logger                  // nil: slog.Default
}

// Node holds the connections of this process. It implements the feed's
// Publisher and Audience.
type Node struct {
	Options
	node    *centrifuge.Node
	handler http.Handler
	stop    context.CancelFunc
	running context.Context
	done    sync.WaitGroup

	words     chan word
	wordsLost atomic.Bool
	told      atomic.Pointer[func(op string, data []byte)]
	comings   [presenceLanes]chan coming
	renew     chan struct{}
	refresh   chan struct{}
	draining  atomic.Bool
	refusals  refusals
	// cut is told that messages from other processes may have been lost.
	cut  func(why string)
	said saidOften

	mu        sync.Mutex
	conns     map[*conn]struct{}
	persons   map[uuid.UUID]*person
	addresses map[string]int // visitors
	events    map[uuid.UUID]map[string]int
}

// person is what is known of a signed-in listener.
type person struct {
	conns map[*conn]struct{}
	// leftAt is when the last connection closed; it may come back and
	// recover.
	leftAt time.Time
}

var (
	_ realtime.Publisher = (*Node)(nil)
	_ realtime.Audience  = (*Node)(nil)
)

// New makes a node; Start lets it work.
func New(o Options) (*Node, error) {
	if o.Engine == nil {
		o.Engine = MemoryEngine
	}
	if o.Metrics == nil {
		o.Metrics = prometheus.NewRegistry()
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Watch == nil {
		o.Watch = func(uuid.UUID, bool) {}
	}
	if o.Address == nil {
		o.Address = peerAddress
	}
	if o.Interrupted == nil {
		o.Interrupted = func(bool) {}
	}
	n := &Node{
		Options:   o,
		words:     make(chan word, maxTells),
		renew:     make(chan struct{}, 1),
		refresh:   make(chan struct{}, 1),
		cut:       func(string) {},
		conns:     map[*conn]struct{}{},
		persons:   map[uuid.UUID]*person{},
		addresses: map[string]int{},
		events:    map[uuid.UUID]map[string]int{},
	}
	for i := range n.comings {
		n.comings[i] = make(chan coming, maxPresenceQueue)
	}
	n.running, n.stop = context.WithCancel(context.Background())
	var err error
	n.node, err = centrifuge.New(centrifuge.Config{
		LogLevel:                    centrifuge.LogLevelWarn,
		LogHandler:                  n.log,
		ClientQueueMaxSize:          maxQueueBytes,
		ClientChannelLimit:          maxChannels,
		ClientStaleCloseDelay:       connectWithin,
		ChannelMaxLength:            len(realtime.EventPrefix) + len(uuid.Nil.String()),
		UserConnectionLimit:         maxPersonConnections,
		RecoveryMaxPublicationLimit: eventHistory,
		HistoryMetaTTL:              historyMeta,
		Metrics:                     centrifuge.MetricsConfig{MetricsNamespace: "happening_socket", RegistererGatherer: o.Metrics},
	})
	if err != nil {
		return nil, fmt.Errorf("make the socket node: %w", err)
	}
	if err := o.Engine(n); err != nil {
		n.stop()
		return nil, err
	}
	n.node.OnNotification(n.hear)
	n.node.OnConnecting(n.connecting)
	n.node.OnConnect(n.connected)
	n.node.OnCommandRead(limitCommands)
	n.handler = centrifuge.NewWebsocketHandler(n.node, centrifuge.WebsocketConfig{
		CheckOrigin:      n.originAllowed,
		MessageSizeLimit: maxMessageBytes,
		WriteTimeout:     writeTimeout,
		PingPongConfig:   centrifuge.PingPongConfig{PingInterval: pingEvery, PongTimeout: pongWithin},
	})
	return n, nil
}

// Start lets the node accept connections.
func (n *Node) Start() error {
	if err := n.node.Run(); err != nil {
		return fmt.Errorf("start the socket node: %w", err)
	}
	n.done.Go(func() { n.recheck(n.running) })
	n.done.Go(func() { n.runRefresh(n.running) })
	for range tellers {
		n.done.Go(func() { n.runTells(n.running) })
	}
	if n.Presence != nil {
		for _, comings := range n.comings {
			n.done.Go(func() { n.runPresence(n.running, comings) })
		}
		n.done.Go(func() { n.renewPresence(n.running) })
	}
	return nil
}

// Stop disconnects everybody, who will try to come back elsewhere. It waits
// stopPatience at most, since the library waits longer for those who are too
// far gone to say goodbye. It may be called again.
func (n *Node) Stop(ctx context.Context) error {
	n.draining.Store(true)
	n.stop()
	ctx, cancel := context.WithTimeout(ctx, stopPatience)
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- n.node.Shutdown(ctx) }()
	var err error
	select {
	case err = <-stopped:
	case <-ctx.Done():
	}
	n.done.Wait()
	if err != nil {
		return fmt.Errorf("stop the socket node: %w", err)
	}
	return nil
}

// ServeHTTP upgrades a request to a WebSocket that speaks centrifuge's JSON
// protocol. A foreign Origin is refused with 403.
func (n *Node) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.Contains(r.Header.Get("Sec-WebSocket-Protocol"), "protobuf") {
		http.Error(w, "only the JSON protocol is spoken here", http.StatusBadRequest)
		return
	}
	if n.draining.Load() {
		w.Header().Set("Connection", "close")
		http.Error(w, "this server is stopping; try again", http.StatusServiceUnavailable)
		return
	}
	up := r.WithContext(context.WithValue(r.Context(), requestKey{}, &upgrade{
		request: keepCredential(r), address: n.Address(r),
	}))
	// Parameters would choose another protocol than the one that is tested.
	up.URL = &url.URL{Path: r.URL.Path}
	n.handler.ServeHTTP(w, up)
}

// originAllowed lets in browsers that show the public origin or this very
// host, and whatever is no browser and sends none.
func (n *Node) originAllowed(r *http.Request) bool {
	origins := r.Header.Values("Origin")
	if len(origins) == 0 {
		return true
	}
	u, err := url.Parse(origins[0])
	if err != nil || len(origins) > 1 || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return false
	}
	if strings.EqualFold(u.Host, r.Host) {
		return true
	}
	return n.PublicURL != nil && u.Scheme == n.PublicURL.Scheme && strings.EqualFold(u.Host, n.PublicURL.Host)
}

// Publish sends to whoever listens on the channel and keeps the message for
// those who come back within realtime.RecoveryWindow.
func (n *Node) Publish(channel string, data []byte) error {
	size := userHistory
	if strings.HasPrefix(channel, realtime.EventPrefix) {
		size = eventHistory
	}
	_, err := n.node.Publish(channel, data, centrifuge.WithHistory(size, realtime.RecoveryWindow))
	return err
}

// Broadcast sends to whoever listens on the channel now.
func (n *Node) Broadcast(channel string, data []byte) error {
	_, err := n.node.Publish(channel, data)
	return err
}

// Local sends to whoever listens on the channel over this process now.
func (n *Node) Local(channel string, data []byte) error {
	return n.node.Hub().BroadcastPublication(channel, &centrifuge.Publication{Data: data, Channel: channel}, centrifuge.StreamPosition{})
}

func (n *Node) endUser(userID uuid.UUID) {
	n.disconnectWhere(func(c *conn) bool { return c.principal.UserID == userID })
}

func (n *Node) endSession(sessionID string) {
	n.disconnectWhere(func(c *conn) bool { return sessionID != "" && c.principal.SessionID == sessionID })
}

func (n *Node) disconnectWhere(match func(*conn) bool) {
	for _, c := range n.connections() {
		if match(c) {
			c.client.Disconnect(centrifuge.DisconnectExpired)
		}
	}
}

func (n *Node) unsubscribe(userID, eventID uuid.UUID) {
	channel := realtime.EventChannel(eventID)
	for _, c := range n.connections() {
		if c.principal.UserID == userID {
			c.client.Unsubscribe(channel)
		}
	}
}

// Connections counts the connections of this process, for the operator.
func (n *Node) Connections() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.conns)
}

func (n *Node) connections() []*conn {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := make([]*conn, 0, len(n.conns))
	for c := range n.conns {
		all = append(all, c)
	}
	return all
}
