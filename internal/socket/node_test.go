package socket_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	centrifuge "github.com/centrifugal/centrifuge-go"
	"github.com/google/uuid"
	"go.uber.org/goleak"

	"happening/internal/access"
	"happening/internal/fault"
	"happening/internal/realtime"
	"happening/internal/socket"
)

// TestMain finds goroutines that are left over, except those that the two
// centrifuge libraries leave: the server's exporter of metrics is never
// closed, its unsubscribing ends a second late, and the client waits for
// answers until their timeout. One that is about to end is waited for.
func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 {
		late := time.Now().Add(patience)
		err := leftOver()
		for err != nil && time.Now().Before(late) {
			err = leftOver()
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// leftOver looks for a second or two.
func leftOver() error {
	return goleak.Find(
		goleak.IgnoreAnyFunction("github.com/FZambia/eagle.(*Eagle).aggregate"),
		goleak.IgnoreAnyFunction("github.com/centrifugal/centrifuge.(*Node).removeSubscription.func1"),
		goleak.IgnoreAnyFunction("github.com/centrifugal/centrifuge-go.(*Client).sendAsync.func1"))
}

const (
	// patience bounds every wait for something that would otherwise never
	// happen, on a machine that does other things as well.
	patience = time.Minute
)

// doorman is a gate whose answers a test can change.
type doorman struct {
	mu      sync.Mutex
	people  map[string]access.Principal // by token
	ends    map[string]time.Time
	hidden  map[uuid.UUID]map[uuid.UUID]bool // members-only event → who may see it
	failing error
	absent  bool               // only what is there is
	there   map[uuid.UUID]bool // the events
	asked   map[uuid.UUID]bool // the events that were asked about
}

// questions counts the events that were asked about.
func (d *doorman) questions() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.asked)
}

func (d *doorman) Identify(_ context.Context, r *http.Request, token string) (access.Principal, time.Time, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failing != nil {
		return access.Principal{}, time.Time{}, d.failing
	}
	if cookie, err := r.Cookie("session"); err == nil {
		token = cookie.Value
	}
	if token == "" {
		return access.Principal{}, time.Time{}, nil
	}
	p, ok := d.people[token]
	if !ok {
		return access.Principal{}, time.Time{}, fault.ErrUnauthenticated
	}
	return p, d.ends[token], nil
}

func (d *doorman) MayWatch(_ context.Context, p access.Principal, eventID uuid.UUID) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failing != nil {
		return d.failing
	}
	d.asked[eventID] = true
	if d.absent && !d.there[eventID] {
		return fault.ErrNotFound
	}
	if allowed, members := d.hidden[eventID]; members && !allowed[p.UserID] {
		return fault.ErrNotFound
	}
	return nil
}

func (d *doorman) with(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
}

// site is a running node with its gate.
type site struct {
	*socket.Node
	gate  *doorman
	url   string
	watch chan bool // joined or left
	ann   access.Principal
	bob   access.Principal
	event uuid.UUID
}

func open(t *testing.T, change ...func(*socket.Options)) *site {
	t.Helper()
	s := &site{
		ann:   access.Principal{UserID: uuid.New(), SessionID: "s1"},
		bob:   access.Principal{UserID: uuid.New()},
		event: uuid.New(), watch: make(chan bool, 100),
	}
	s.gate = &doorman{
		people: map[string]access.Principal{"ann": s.ann, "bob": s.bob},
		ends:   map[string]time.Time{}, hidden: map[uuid.UUID]map[uuid.UUID]bool{}, asked: map[uuid.UUID]bool{},
	}
	o := socket.Options{
		Gate: s.gate, PublicURL: &url.URL{Scheme: "https", Host: "happening.test"},
		Watch: func(_ uuid.UUID, joined bool) { s.watch <- joined },
		Log:   slog.New(slog.DiscardHandler),
	}
	for _, c := range change {
		c(&o)
	}
	node, err := socket.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	s.Node = node
	server := httptest.NewServer(node)
	s.url = "ws" + strings.TrimPrefix(server.URL, "http") + "/connection/websocket"
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := node.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
		if err := node.Stop(ctx); err != nil {
			t.Errorf("stop again: %v", err)
		}
		server.Close()
	})
	return s
}

// browser is a client with what it has heard.
type browser struct {
	*centrifuge.Client
	t            *testing.T
	mu           sync.Mutex
	conn         net.Conn
	offline      bool
	address      string // where it connects to; empty: where its site is
	disconnected chan centrifuge.DisconnectedEvent
	connecting   chan centrifuge.ConnectingEvent
	connected    chan struct{}
}

func (s *site) browser(t *testing.T, token string) *browser {
	t.Helper()
	b := &browser{
		t:            t,
		disconnected: make(chan centrifuge.DisconnectedEvent, 10),
		connecting:   make(chan centrifuge.ConnectingEvent, 10),
		connected:    make(chan struct{}, 10),
	}
	b.Client = centrifuge.NewJsonClient(s.url, centrifuge.Config{
		Token: token, NetDialContext: b.dial,
		MinReconnectDelay: 10 * time.Millisecond, MaxReconnectDelay: 50 * time.Millisecond,
	})
	b.OnDisconnected(func(e centrifuge.DisconnectedEvent) { b.disconnected <- e })
	b.OnConnecting(func(e centrifuge.ConnectingEvent) { b.connecting <- e })
	b.OnConnected(func(centrifuge.ConnectedEvent) { b.connected <- struct{}{} })
	t.Cleanup(b.Close)
	if err := b.Connect(); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *browser) dial(ctx context.Context, network, address string) (net.Conn, error) {
	b.mu.Lock()
	offline := b.offline
	if b.address != "" {
		address = b.address
	}
	b.mu.Unlock()
	if offline {
		return nil, errors.New("no network")
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, address)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.conn = conn
	return conn, err
}

// cut ends the connection as a network does that goes away.
func (b *browser) cut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.offline = true
	if err := b.conn.Close(); err != nil {
		b.t.Error(err)
	}
}

func (b *browser) restore() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.offline = false
}

// listener is one subscription with what it has heard.
type listener struct {
	t            *testing.T
	heard        chan string
	subscribed   chan centrifuge.SubscribedEvent
	unsubscribed chan centrifuge.UnsubscribedEvent
	failed       chan error
}

func (b *browser) listen(channel string) *listener {
	b.t.Helper()
	sub, err := b.NewSubscription(channel)
	if err != nil {
		b.t.Fatal(err)
	}
	l := &listener{
		t: b.t, heard: make(chan string, 1000),
		subscribed:   make(chan centrifuge.SubscribedEvent, 10),
		unsubscribed: make(chan centrifuge.UnsubscribedEvent, 10),
		failed:       make(chan error, 10),
	}
	sub.OnPublication(func(e centrifuge.PublicationEvent) { l.heard <- string(e.Data) })
	sub.OnSubscribed(func(e centrifuge.SubscribedEvent) { l.subscribed <- e })
	sub.OnUnsubscribed(func(e centrifuge.UnsubscribedEvent) { l.unsubscribed <- e })
	sub.OnError(func(e centrifuge.SubscriptionErrorEvent) { l.failed <- e.Error })
	if err := sub.Subscribe(); err != nil {
		b.t.Fatal(err)
	}
	return l
}

func await[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain: %s", what)
		panic("unreachable")
	}
}

func (l *listener) hears(want ...string) {
	l.t.Helper()
	for _, w := range want {
		if got := await(l.t, "hear "+w, l.heard); got != w {
			l.t.Fatalf("heard %s, want %s", got, w)
		}
	}
}

func (l *listener) isRefused() {
	l.t.Helper()
	e := await(l.t, "a refusal", l.unsubscribed)
	if e.Code != 103 {
		l.t.Fatalf("refused with %d %s", e.Code, e.Reason)
	}
}

func (s *site) publish(t *testing.T, channel, data string) {
	t.Helper()
	if err := s.Publish(channel, []byte(data)); err != nil {
		t.Fatal(err)
	}
}

func delta(n int) string { return fmt.Sprintf(`{"version":"e:%d","seats":[[%d,1]]}`, n, n) }

func TestRecoveryAfterACutBringsWhatWasMissed(t *testing.T) {
	t.Parallel()
	s := open(t)
	channel := realtime.EventChannel(s.event)
	b := s.browser(t, "ann")
	l := b.listen(channel)
	await(t, "subscription", l.subscribed)
	s.publish(t, channel, delta(1))
	if err := s.Broadcast(channel, []byte(`{"viewers":1}`)); err != nil {
		t.Fatal(err)
	}
	s.publish(t, channel, delta(2))
	l.hears(delta(1), `{"viewers":1}`, delta(2))

	b.cut()
	for await(t, "the server to notice", s.watch) {
	}
	s.publish(t, channel, delta(3))
	if err := s.Broadcast(channel, []byte(`{"viewers":0}`)); err != nil {
		t.Fatal(err)
	}
	s.publish(t, channel, delta(4))
	b.restore()
	if e := await(t, "resubscription", l.subscribed); !e.WasRecovering || !e.Recovered {
		t.Fatalf("not recovered: %+v", e)
	}
	l.hears(delta(3), delta(4))
}

func TestTooLongACutIsToldAsSuch(t *testing.T) {
	t.Parallel()
	s := open(t)
	channel := realtime.EventChannel(s.event)
	b := s.browser(t, "")
	l := b.listen(channel)
	await(t, "subscription", l.subscribed)
	s.publish(t, channel, delta(1))
	l.hears(delta(1))
	b.cut()
	for await(t, "the server to notice", s.watch) {
	}
	for n := range 300 {
		s.publish(t, channel, delta(n+2))
	}
	b.restore()
	if e := await(t, "resubscription", l.subscribed); !e.WasRecovering || e.Recovered {
		t.Fatalf("recovered more than is kept: %+v", e)
	}
}

func TestVisitorsWatchPublicEventsOnly(t *testing.T) {
	t.Parallel()
	s := open(t)
	hidden := uuid.New()
	s.gate.with(func() { s.gate.hidden[hidden] = map[uuid.UUID]bool{s.ann.UserID: true} })
	visitor := s.browser(t, "")
	await(t, "subscription", visitor.listen(realtime.EventChannel(s.event)).subscribed)
	visitor.listen(realtime.EventChannel(hidden)).isRefused()
	visitor.listen(realtime.UserChannel(s.ann.UserID)).isRefused()
	visitor.listen(realtime.UserChannel(uuid.Nil)).isRefused()
	visitor.listen("event:" + strings.ToUpper(uuid.NewString())).isRefused()
	visitor.listen("event:" + strings.ReplaceAll(uuid.NewString(), "-", "")).isRefused()
	visitor.listen("anything").isRefused()
}

func TestOnesOwnChannelIsOnesOwn(t *testing.T) {
	t.Parallel()
	s := open(t)
	ann, bob := s.browser(t, "ann"), s.browser(t, "bob")
	mine := ann.listen(realtime.UserChannel(s.ann.UserID))
	await(t, "subscription", mine.subscribed)
	bob.listen(realtime.UserChannel(s.ann.UserID)).isRefused()
	s.publish(t, realtime.UserChannel(s.ann.UserID), `{"holds":{}}`)
	mine.hears(`{"holds":{}}`)
	if !s.Listening(t.Context(), s.ann.UserID) || s.Listening(t.Context(), uuid.New()) {
		t.Fatal("who listens is not known")
	}
}

func TestClientsOnlyListen(t *testing.T) {
	t.Parallel()
	s := open(t)
	b := s.browser(t, "ann")
	channel := realtime.EventChannel(s.event)
	await(t, "subscription", b.listen(channel).subscribed)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := b.Publish(ctx, channel, []byte(`{}`)); err == nil {
		t.Error("a client published")
	}
	if _, err := b.Presence(ctx, channel); err == nil {
		t.Error("a client was told who is there")
	}
	if _, err := b.PresenceStats(ctx, channel); err == nil {
		t.Error("a client was told of presence")
	}
	if _, err := b.History(ctx, channel); err == nil {
		t.Error("a client read the history")
	}
	if _, err := b.RPC(ctx, "anything", nil); err == nil {
		t.Error("a client called a procedure")
	}
}

func TestInvalidCredentialIsRefused(t *testing.T) {
	t.Parallel()
	s := open(t)
	if e := await(t, "a refusal", s.browser(t, "forged").disconnected); e.Code != 3500 {
		t.Fatalf("refused with %d %s", e.Code, e.Reason)
	}
}

// TestAccessThatEndsEndsOnOpenConnections: nothing else would end it. How soon
// is TestAccessEndsInTime's, whose figures no busy machine spoils.
func TestAccessThatEndsEndsOnOpenConnections(t *testing.T) {
	t.Parallel()
	t.Run("role revoked", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		allowed := map[uuid.UUID]bool{s.ann.UserID: true, s.bob.UserID: true}
		s.gate.with(func() { s.gate.hidden[s.event] = allowed })
		ann, bob := s.browser(t, "ann"), s.browser(t, "bob")
		channel := realtime.EventChannel(s.event)
		a, b := ann.listen(channel), bob.listen(channel)
		await(t, "ann's subscription", a.subscribed)
		await(t, "bob's subscription", b.subscribed)
		s.gate.with(func() { delete(allowed, s.ann.UserID) })
		await(t, "the end of ann's access", a.unsubscribed)
		s.publish(t, channel, delta(1))
		b.hears(delta(1))
		if len(a.heard) > 0 {
			t.Fatalf("ann still heard %s", <-a.heard)
		}
	})
	t.Run("signed out", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		ann := s.browser(t, "ann")
		await(t, "connection", ann.connected)
		s.gate.with(func() { delete(s.gate.people, "ann") })
		if e := await(t, "the end", ann.disconnected); e.Code != 3500 {
			t.Fatalf("ended with %d %s", e.Code, e.Reason)
		}
	})
	t.Run("token expired", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		s.gate.with(func() { s.gate.ends["ann"] = time.Now().Add(time.Second) })
		ann := s.browser(t, "ann")
		if e := await(t, "the end", ann.disconnected); e.Code != 3500 {
			t.Fatalf("ended with %d %s", e.Code, e.Reason)
		}
	})
	t.Run("nobody can tell", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		ann := s.browser(t, "ann")
		await(t, "connecting", ann.connecting)
		l := ann.listen(realtime.EventChannel(s.event))
		await(t, "subscription", l.subscribed)
		s.gate.with(func() { s.gate.failing = errors.New("database away") })
		if e := await(t, "the end", ann.connecting); e.Code != 3004 {
			t.Fatalf("ended with %d %s", e.Code, e.Reason)
		}
		s.gate.with(func() { s.gate.failing = nil })
		await(t, "the subscription to come back", l.subscribed)
	})
}

func TestAccessEndsAtOnceWhereItIsTold(t *testing.T) {
	t.Parallel()
	s := open(t)
	ann, bob := s.browser(t, "ann"), s.browser(t, "bob")
	channel := realtime.EventChannel(s.event)
	l := ann.listen(channel)
	await(t, "subscription", l.subscribed)
	s.Unsubscribe(s.bob.UserID, s.event)
	s.Unsubscribe(s.ann.UserID, s.event)
	s.publish(t, channel, delta(1))
	await(t, "the end of the subscription", l.unsubscribed)
	if len(l.heard) > 0 {
		t.Fatalf("still heard %s", <-l.heard)
	}
	await(t, "ann's connection", ann.connected)
	await(t, "bob's connection", bob.connected)
	s.gate.with(func() { clear(s.gate.people) })
	s.DisconnectSession("")
	s.DisconnectSession(s.ann.SessionID)
	s.DisconnectUser(s.bob.UserID)
	await(t, "the end of ann's connection", ann.disconnected)
	await(t, "the end of bob's connection", bob.disconnected)
}

func TestViewersAreCountedOncePerPerson(t *testing.T) {
	t.Parallel()
	s := open(t)
	channel := realtime.EventChannel(s.event)
	for i, token := range []string{"ann", "ann", "bob", "", ""} {
		b := s.browser(t, token)
		await(t, "subscription", b.listen(channel).subscribed)
		await(t, "the count", s.watch)
		if want := []int{1, 1, 2, 3, 4}[i]; s.Viewers(t.Context(), s.event) != want {
			t.Fatalf("%d viewers after %d connections, want %d", s.Viewers(t.Context(), s.event), i+1, want)
		}
		if i == 1 || i == 4 {
			b.Close()
			if await(t, "the leave", s.watch) {
				t.Fatal("a leave was told as a join")
			}
			if want := []int{0, 1, 0, 0, 3}[i]; s.Viewers(t.Context(), s.event) != want {
				t.Fatalf("%d viewers after one left, want %d", s.Viewers(t.Context(), s.event), want)
			}
		}
	}
	if s.Viewers(t.Context(), uuid.New()) != 0 {
		t.Fatal("an event that nobody watches has viewers")
	}
}

func TestChannelsPerConnectionAreBounded(t *testing.T) {
	t.Parallel()
	s := open(t)
	b := s.browser(t, "")
	for range 32 {
		await(t, "subscription", b.listen(realtime.EventChannel(uuid.New())).subscribed)
	}
	if e := await(t, "a refusal", b.listen(realtime.EventChannel(uuid.New())).unsubscribed); e.Code != 106 {
		t.Fatalf("refused with %d %s", e.Code, e.Reason)
	}
}

func TestConnectionsPerPersonAreBounded(t *testing.T) {
	t.Parallel()
	s := open(t)
	// A connection is counted just after it was answered, and before anything
	// else that it asks.
	connect := func(who string) {
		b := s.browser(t, who)
		await(t, who+"'s connection", b.connected)
		await(t, who+"'s subscription", b.listen(realtime.EventChannel(s.event)).subscribed)
	}
	for range 32 {
		connect("ann")
	}
	if e := await(t, "a refusal", s.browser(t, "ann").disconnected); e.Code != 3504 {
		t.Fatalf("refused with %d %s", e.Code, e.Reason)
	}
	connect("bob")
	if got := s.Connections(); got != 33 {
		t.Fatalf("%d connections", got)
	}
}

// upgrade asks for a WebSocket by hand and gives the answer's status and the
// connection.
func (s *site) upgrade(t *testing.T, header http.Header) (int, net.Conn, *bufio.Reader) {
	t.Helper()
	u, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(3 * patience)); err != nil {
		t.Fatal(err)
	}
	r := &http.Request{Method: http.MethodGet, URL: u, Host: u.Host, Header: http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"},
		"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="},
	}}
	for name, values := range header {
		r.Header[name] = values
	}
	if err := r.Write(conn); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	res, err := http.ReadResponse(in, r)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, conn, in
}

func TestForeignOriginIsRefused(t *testing.T) {
	t.Parallel()
	s := open(t)
	here := strings.TrimSuffix(strings.Replace(s.url, "ws://", "http://", 1), "/connection/websocket")
	for _, c := range []struct {
		origin []string
		want   int
	}{
		{nil, http.StatusSwitchingProtocols},
		{[]string{here}, http.StatusSwitchingProtocols},
		{[]string{"https://happening.test"}, http.StatusSwitchingProtocols},
		{[]string{"https://HAPPENING.test"}, http.StatusSwitchingProtocols},
		{[]string{"http://happening.test"}, http.StatusForbidden},
		{[]string{"https://happening.test.evil.example"}, http.StatusForbidden},
		{[]string{"https://evil.example"}, http.StatusForbidden},
		{[]string{"https://happening.test:8443"}, http.StatusForbidden},
		{[]string{"null"}, http.StatusForbidden},
		{[]string{""}, http.StatusForbidden},
		{[]string{"https://happening.test", "https://evil.example"}, http.StatusForbidden},
	} {
		header := http.Header{}
		if c.origin != nil {
			header["Origin"] = c.origin
		}
		if got, conn, _ := s.upgrade(t, header); got != c.want {
			t.Errorf("origin %q: %d, want %d", c.origin, got, c.want)
		} else if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
	if got, _, _ := s.upgrade(t, http.Header{"Sec-Websocket-Protocol": {"centrifuge-protobuf"}}); got != http.StatusBadRequest {
		t.Errorf("another protocol: %d", got)
	}
}

func writeFrame(t *testing.T, w io.Writer, text string) {
	t.Helper()
	if _, err := w.Write(maskedFrame(text)); err != nil {
		t.Fatal(err)
	}
}

// maskedFrame is one text frame as a client sends it; the mask of zeros
// changes nothing.
func maskedFrame(text string) []byte {
	frame := []byte{0x81, 0x80 | 126}
	frame = binary.BigEndian.AppendUint16(frame, uint16(len(text)))
	frame = append(frame, 0, 0, 0, 0)
	return append(frame, text...)
}

func TestSlowReaderIsDisconnected(t *testing.T) {
	t.Parallel()
	s := open(t)
	channel := realtime.EventChannel(s.event)
	_, conn, _ := s.upgrade(t, http.Header{"Cookie": {"session=ann"}})
	writeFrame(t, conn, `{"id":1,"connect":{}}`)
	writeFrame(t, conn, fmt.Sprintf(`{"id":2,"subscribe":{"channel":%q}}`, channel))
	await(t, "the slow one to join", s.watch)
	fast := s.browser(t, "bob").listen(channel)
	await(t, "subscription", fast.subscribed)
	await(t, "the fast one to join", s.watch)

	large := `{"seats":"` + strings.Repeat("x", 50_000) + `"}`
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		for joined := range s.watch {
			if !joined {
				return
			}
		}
	}()
	for sent := 0; ; sent++ {
		s.publish(t, channel, large)
		fast.hears(large)
		select {
		case <-gone:
			if s.Viewers(t.Context(), s.event) != 1 {
				t.Fatalf("%d viewers are left", s.Viewers(t.Context(), s.event))
			}
			return
		default:
			if sent > 2000 {
				t.Fatal("100 MB wait for a client that does not read")
			}
		}
	}
}

func TestHostileFramesDoNoHarm(t *testing.T) {
	t.Parallel()
	s := open(t)
	for _, frame := range []string{
		"", "{", "[]", "null", `{"id":1}`, `{"id":1,"connect":{"token":7}}`, `{"id":1,"subscribe":{"channel":"event:x"}}`,
		`{"id":-1,"connect":{}}`, strings.Repeat("[", 10_000), "\x00\xff\xfe", strings.Repeat("a", 30_000),
	} {
		_, conn, in := s.upgrade(t, nil)
		// In one write: the server may hang up on the first frame.
		if _, err := conn.Write(append(maskedFrame(frame), maskedFrame(`{"id":2,"connect":{}}`)...)); err != nil {
			t.Fatal(err)
		}
		if _, err := in.ReadByte(); err != nil && !errors.Is(err, io.EOF) && !isReset(err) {
			t.Errorf("frame %.20q: %v", frame, err)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
	await(t, "a connection after all that", s.browser(t, "ann").connected)
}

func isReset(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && !op.Timeout()
}

func TestWhoAsksWithoutPauseIsDisconnected(t *testing.T) {
	t.Parallel()
	s := open(t)
	_, conn, in := s.upgrade(t, nil)
	writeFrame(t, conn, `{"id":1,"connect":{}}`)
	var commands strings.Builder
	for i := range 200 {
		fmt.Fprintf(&commands, `{"id":%d,"subscribe":{"channel":"user:x"}}`+"\n", i+2)
	}
	writeFrame(t, conn, commands.String())
	all, err := io.ReadAll(in)
	if err != nil && !isReset(err) {
		t.Fatal(err)
	}
	if !strings.Contains(string(all), "too many requests") {
		t.Fatalf("ended without a reason: %.300q", all)
	}
}
