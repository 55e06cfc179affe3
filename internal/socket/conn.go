package socket

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/centrifugal/centrifuge"
	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/fault"
	"happening/internal/realtime"
)

// requestKey finds the upgrade in a connection's context, connKey the conn.
type (
	requestKey struct{}
	connKey    struct{}
)

// upgrade is what a connection keeps of the request that opened it.
type upgrade struct {
	request *http.Request
	address string
	// second and commands count what the client asks; only the connection's
	// reader touches them.
	second   int64
	commands int
}

// conn is one connection that has said who it is.
type conn struct {
	client     *centrifuge.Client
	upgrade    *upgrade
	token      string
	principal  access.Principal
	expiresAt  time.Time
	viewer     string // the person, or this very connection of a visitor
	verifiedAt time.Time
	// watching holds the events that it listens to, and when that was last
	// allowed. The node's lock guards it.
	watching map[uuid.UUID]time.Time
}

// credential names what the connection was identified by; connections with
// the same one are asked for together.
func (c *conn) credential() credential {
	h := c.upgrade.request.Header
	return credential{
		cookie: strings.Join(h["Cookie"], "; "), bearer: h.Get("Authorization"), token: c.token,
		principal: c.principal,
	}
}

type credential struct {
	cookie, bearer, token string
	principal             access.Principal
}

// keepCredential copies of a request what identifies who sent it; the rest
// would be kept for as long as the connection lives.
func keepCredential(r *http.Request) *http.Request {
	kept := &http.Request{
		Method: r.Method, Host: r.Host, RemoteAddr: r.RemoteAddr, TLS: r.TLS, Proto: r.Proto,
		URL: &url.URL{Path: r.URL.Path}, Header: http.Header{},
	}
	for _, name := range []string{"Cookie", "Authorization"} {
		if values := r.Header.Values(name); len(values) > 0 {
			kept.Header[name] = values
		}
	}
	return kept
}

// connecting identifies a client before it is connected.
func (n *Node) connecting(ctx context.Context, e centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
	up, ok := ctx.Value(requestKey{}).(*upgrade)
	if !ok {
		return centrifuge.ConnectReply{}, centrifuge.DisconnectBadRequest
	}
	p, expiresAt, err := n.identify(ctx, up.request, e.Token)
	switch {
	case err != nil && refused(err):
		return centrifuge.ConnectReply{}, centrifuge.DisconnectInvalidToken
	case err != nil:
		n.Log.Warn("socket: cannot identify who connects", "error", err)
		return centrifuge.ConnectReply{}, centrifuge.DisconnectServerError
	case !n.hasRoom(p, up.address):
		return centrifuge.ConnectReply{}, centrifuge.DisconnectConnectionLimit
	}
	c := &conn{
		upgrade: up, token: e.Token, principal: p, expiresAt: expiresAt,
		viewer: e.ClientID, verifiedAt: time.Now(), watching: map[uuid.UUID]time.Time{},
	}
	credentials := &centrifuge.Credentials{}
	if p.SignedIn() {
		c.viewer = p.UserID.String()
		credentials.UserID = c.viewer
	}
	return centrifuge.ConnectReply{
		Context:     context.WithValue(ctx, connKey{}, c),
		Credentials: credentials,
	}, nil
}

func (n *Node) identify(ctx context.Context, r *http.Request, token string) (access.Principal, time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	p, expiresAt, err := n.Gate.Identify(ctx, r, token)
	if err == nil && !expiresAt.IsZero() && !time.Now().Before(expiresAt) {
		err = fault.ErrUnauthenticated
	}
	return p, expiresAt, err
}

func (n *Node) hasRoom(p access.Principal, address string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.conns) >= maxConnections {
		return false
	}
	return p.SignedIn() || n.addresses[address] < maxAddressVisitors
}

// connected sets what a connected client may do: listen, and nothing else.
func (n *Node) connected(client *centrifuge.Client) {
	c, ok := client.Context().Value(connKey{}).(*conn)
	if !ok {
		client.Disconnect(centrifuge.DisconnectServerError)
		return
	}
	c.client = client
	n.enter(c)
	if c.principal.SignedIn() {
		n.tellPresence(coming{userID: c.principal.UserID, viewer: c.viewer})
	}
	client.OnSubscribe(func(e centrifuge.SubscribeEvent, answer centrifuge.SubscribeCallback) {
		n.subscribe(c, e.Channel, answer)
	})
	client.OnUnsubscribe(func(e centrifuge.UnsubscribeEvent) {
		if id, ok := channelID(e.Channel, realtime.EventPrefix); ok {
			n.leaveEvent(c, id)
		}
	})
	client.OnDisconnect(func(centrifuge.DisconnectEvent) { n.leave(c) })
}

// subscribe answers every refusal alike, so that a hidden event and an absent
// one are the same.
func (n *Node) subscribe(c *conn, channel string, answer centrifuge.SubscribeCallback) {
	reply := centrifuge.SubscribeReply{Options: centrifuge.SubscribeOptions{EnableRecovery: true, EnablePositioning: true}}
	if id, ok := channelID(channel, realtime.UserPrefix); ok {
		if !c.principal.SignedIn() || id != c.principal.UserID {
			answer(centrifuge.SubscribeReply{}, centrifuge.ErrorPermissionDenied)
			return
		}
		answer(reply, nil)
		return
	}
	id, ok := channelID(channel, realtime.EventPrefix)
	if !ok {
		answer(centrifuge.SubscribeReply{}, centrifuge.ErrorPermissionDenied)
		return
	}
	guessed := n.refusals.tooMany(c.origin(), time.Now())
	if guessed && !n.isWatched(id) {
		answer(centrifuge.SubscribeReply{}, centrifuge.ErrorTooManyRequests)
		return
	}
	if err := n.mayWatch(c.client.Context(), c.principal, id); err != nil {
		switch {
		case refused(err) && guessed:
			// What is hidden and watched by others must look like what is not there.
			answer(centrifuge.SubscribeReply{}, centrifuge.ErrorTooManyRequests)
			return
		case refused(err):
			n.refusals.add(c.origin(), time.Now())
			answer(centrifuge.SubscribeReply{}, centrifuge.ErrorPermissionDenied)
			return
		}
		n.Log.Warn("socket: cannot tell who may watch", "event", id, "error", err)
		answer(centrifuge.SubscribeReply{}, centrifuge.ErrorInternal)
		return
	}
	asked := time.Now()
	answer(reply, nil)
	n.joinEvent(c, id, asked)
}

// isWatched says whether somebody looks at the event over this process, so
// that it is in memory and asking about it costs next to nothing.
func (n *Node) isWatched(eventID uuid.UUID) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.events[eventID]) > 0
}

// origin is whose guesses a connection's count as: the person's, and an
// address's without sign-in, as everywhere.
func (c *conn) origin() string {
	if c.principal.SignedIn() {
		return c.principal.UserID.String()
	}
	return c.upgrade.address
}

// Whoever asks for event after event that is not there makes the gate read the
// database for each. These bound the refusals of one person, or of an address
// without sign-in; beyond them events that nobody watches are not asked about,
// which the client tries again later.
const (
	maxRefusals    = 100
	refusalsWithin = 10 * time.Second
	// maxRefused bounds whose refusals are remembered; beyond it counting begins
	// anew.
	maxRefused = 65_536
)

// refusals counts refused subscriptions by their origin. The zero value is
// ready.
type refusals struct {
	mu    sync.Mutex
	since time.Time
	count map[string]int
}

// tooMany says whether the origin is to wait.
func (r *refusals) tooMany(origin string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return now.Sub(r.since) < refusalsWithin && r.count[origin] >= maxRefusals
}

func (r *refusals) add(origin string, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.count == nil || now.Sub(r.since) >= refusalsWithin || len(r.count) >= maxRefused {
		r.since, r.count = now, map[string]int{}
	}
	r.count[origin]++
}

func (n *Node) mayWatch(ctx context.Context, p access.Principal, eventID uuid.UUID) error {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	return n.Gate.MayWatch(ctx, p, eventID)
}

// refused tells a no from a failure to answer.
func refused(err error) bool {
	var f *fault.Error
	if !errors.As(err, &f) {
		return false
	}
	return f.Kind == fault.Unauthenticated || f.Kind == fault.Forbidden || f.Kind == fault.NotFound
}

func (n *Node) enter(c *conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.conns[c] = struct{}{}
	if !c.principal.SignedIn() {
		n.addresses[c.upgrade.address]++
		return
	}
	p := n.persons[c.principal.UserID]
	if p == nil {
		p = &person{conns: map[*conn]struct{}{}}
		n.persons[c.principal.UserID] = p
	}
	p.conns[c] = struct{}{}
}

func (n *Node) leave(c *conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, ok := n.conns[c]; !ok {
		return
	}
	delete(n.conns, c)
	if c.principal.SignedIn() {
		p := n.persons[c.principal.UserID]
		delete(p.conns, c)
		p.leftAt = time.Now()
		return
	}
	if n.addresses[c.upgrade.address]--; n.addresses[c.upgrade.address] == 0 {
		delete(n.addresses, c.upgrade.address)
	}
}

// joinEvent counts the connection among those who look, unless it has gone
// again meanwhile: centrifuge forgets the subscription before it calls back,
// and both happen under or before this lock.
func (n *Node) joinEvent(c *conn, eventID uuid.UUID, allowedAt time.Time) {
	n.mu.Lock()
	joined := c.client.IsSubscribed(realtime.EventChannel(eventID))
	if joined {
		c.watching[eventID] = allowedAt
		viewers := n.events[eventID]
		if viewers == nil {
			viewers = map[string]int{}
			n.events[eventID] = viewers
		}
		viewers[c.viewer]++
	}
	n.mu.Unlock()
	if joined {
		n.tellPresence(coming{eventID: eventID, viewer: c.viewer, joined: true})
	}
}

func (n *Node) leaveEvent(c *conn, eventID uuid.UUID) {
	n.mu.Lock()
	_, left := c.watching[eventID]
	if left {
		delete(c.watching, eventID)
		viewers := n.events[eventID]
		if viewers[c.viewer]--; viewers[c.viewer] == 0 {
			delete(viewers, c.viewer)
		}
		if len(viewers) == 0 {
			delete(n.events, eventID)
		}
	}
	n.mu.Unlock()
	if left {
		n.tellPresence(coming{eventID: eventID, viewer: c.viewer})
	}
}

// channelID reads the id in a channel's name; only the one canonical spelling
// names a channel.
func channelID(channel, prefix string) (uuid.UUID, bool) {
	text, ok := strings.CutPrefix(channel, prefix)
	if !ok {
		return uuid.Nil, false
	}
	id, err := uuid.Parse(text)
	return id, err == nil && id.String() == text && id != uuid.Nil
}

// limitCommands disconnects a client that asks without pause.
func limitCommands(client *centrifuge.Client, _ centrifuge.CommandReadEvent) error {
	up, ok := client.Context().Value(requestKey{}).(*upgrade)
	if !ok {
		return nil
	}
	if now := time.Now().Unix(); now != up.second {
		up.second, up.commands = now, 0
	}
	if up.commands++; up.commands > maxCommandsPerSecond {
		return centrifuge.DisconnectTooManyRequests
	}
	return nil
}

func peerAddress(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
