//go:build engines

package socket_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	server "github.com/centrifugal/centrifuge"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"happening/internal/realtime"
	"happening/internal/socket"
)

// redisServer is a private Redis that a test may break.
type redisServer struct {
	t    *testing.T
	port string
	cmd  *exec.Cmd
}

func startRedis(t *testing.T) *redisServer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	r := &redisServer{t: t, port: port}
	r.start()
	t.Cleanup(func() {
		if r.cmd != nil {
			r.kill()
		}
	})
	return r
}

func (r *redisServer) addr() string { return "127.0.0.1:" + r.port }

// start starts it, with nothing in it.
func (r *redisServer) start() {
	r.t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		r.t.Fatal("this test needs redis-server: install the package redis-server")
	}
	r.cmd = exec.Command(path, "--port", r.port, "--bind", "127.0.0.1", "--save", "", "--dir", r.t.TempDir())
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.eventually("Redis to answer", func() bool { return r.ask("PING") == "+PONG" })
}

func (r *redisServer) kill() {
	r.signal(syscall.SIGKILL)
	_ = r.cmd.Wait() // says that it was killed
	r.cmd = nil
}

func (r *redisServer) signal(s os.Signal) {
	r.t.Helper()
	if err := r.cmd.Process.Signal(s); err != nil {
		r.t.Fatal(err)
	}
}

// ask sends one command and gives the first line of the answer.
func (r *redisServer) ask(command string) string {
	conn, err := net.DialTimeout("tcp", r.addr(), time.Second)
	if err != nil {
		return ""
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return ""
	}
	if _, err := fmt.Fprintf(conn, "%s\r\n", command); err != nil {
		return ""
	}
	var line string
	buf := make([]byte, 1)
	for {
		if _, err := conn.Read(buf); err != nil || buf[0] == '\r' {
			return line
		}
		line += string(buf)
	}
}

func (r *redisServer) eventually(what string, done func() bool) {
	r.t.Helper()
	eventually(r.t, what, done)
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// over lets the node of a site work over the Redis.
func (r *redisServer) over(change ...func(*socket.Options)) func(*socket.Options) {
	return func(o *socket.Options) {
		o.Engine = socket.RedisEngine(socket.RedisSettings{Addresses: []string{r.addr()}})
		for _, c := range change {
			c(o)
		}
	}
}

// pair is two processes, as far as realtime is concerned, with one gate.
func pair(t *testing.T, r *redisServer, change ...func(*socket.Options)) (a, b *site) {
	t.Helper()
	a, b = open(t, r.over(change...)), open(t, r.over(change...))
	b.event = a.event
	for token, p := range a.gate.people {
		b.gate.people[token] = p
	}
	b.ann, b.bob = a.ann, a.bob
	return a, b
}

func TestDeltasReachWatchersOfAnotherProcessInOrder(t *testing.T) {
	t.Parallel()
	a, b := pair(t, startRedis(t))
	channel := realtime.EventChannel(a.event)
	there := b.browser(t, "").listen(channel)
	await(t, "subscription", there.subscribed)
	var want []string
	for n := range 200 {
		want = append(want, delta(n+1))
		a.publish(t, channel, delta(n+1))
	}
	there.hears(want...)
	// What is local stays where it is.
	if err := a.Local(channel, []byte(`{"viewers":1}`)); err != nil {
		t.Fatal(err)
	}
	a.publish(t, channel, delta(201))
	there.hears(delta(201))
}

// TestRecoveryAtAnotherProcess cuts a client off and lets it come back to
// another process, once in time and once too late.
func TestRecoveryAtAnotherProcess(t *testing.T) {
	t.Parallel()
	a, b := pair(t, startRedis(t))
	channel := realtime.EventChannel(a.event)
	for _, c := range []struct {
		missed    int
		recovered bool
	}{{5, true}, {300, false}} {
		client := a.browser(t, "")
		l := client.listen(channel)
		await(t, "subscription", l.subscribed)
		client.cut()
		client.redirect(b.url)
		for n := range c.missed {
			a.publish(t, channel, delta(n+1))
		}
		client.restore()
		e := await(t, "resubscription", l.subscribed)
		if !e.WasRecovering || e.Recovered != c.recovered {
			t.Fatalf("missed %d: %+v", c.missed, e)
		}
		if c.recovered {
			for n := range c.missed {
				l.hears(delta(n + 1))
			}
		}
		client.Close()
	}
}

// TestAccessEndsAtAllProcesses has each end of access told at one process take
// effect at the other within a second; asking again would take longer.
func TestAccessEndsAtAllProcesses(t *testing.T) {
	t.Parallel()
	a, b := pair(t, startRedis(t))
	const soon = time.Second
	within := func(t *testing.T, what string, done <-chan struct{}) {
		t.Helper()
		select {
		case <-done:
		case <-time.After(soon):
			t.Fatalf("%s: not within %v", what, soon)
		}
	}
	ann, bob := b.browser(t, "ann"), b.browser(t, "bob")
	await(t, "connection", ann.connected)
	await(t, "connection", bob.connected)
	a.DisconnectSession("another session")
	a.DisconnectSession(a.ann.SessionID)
	within(t, "session ended", ann.connected) // it comes back
	a.DisconnectUser(a.bob.UserID)
	within(t, "user disconnected", bob.connected)
	l := ann.listen(realtime.EventChannel(a.event))
	await(t, "subscription", l.subscribed)
	a.Unsubscribe(a.ann.UserID, a.event)
	done := make(chan struct{}, 1)
	go func() { <-l.unsubscribed; done <- struct{}{} }()
	within(t, "unsubscribed", done)
}

func TestWordsReachTheOthersOnly(t *testing.T) {
	t.Parallel()
	a, b := pair(t, startRedis(t))
	here, there := make(chan string, 10), make(chan string, 10)
	a.OnTold(func(op string, data []byte) { here <- op + string(data) })
	b.OnTold(func(op string, data []byte) { there <- op + string(data) })
	a.Tell("moved", []byte("1"))
	if got := await(t, "the word", there); got != "moved1" {
		t.Fatalf("told %s", got)
	}
	b.Tell("moved", []byte("2"))
	if got := await(t, "the answer", here); got != "moved2" {
		t.Fatalf("told %s", got) // its own word would have come first
	}
}

// outages are what may become of Redis. Each returns when Redis works again.
var outages = map[string]func(*redisServer, *testing.T){
	"killed and restarted empty": func(r *redisServer, _ *testing.T) { r.kill(); r.start() },
	"away for three seconds":     func(r *redisServer, _ *testing.T) { r.kill(); pause(3 * time.Second); r.start() },
	"frozen for three seconds": func(r *redisServer, _ *testing.T) {
		r.signal(syscall.SIGSTOP)
		pause(3 * time.Second)
		r.signal(syscall.SIGCONT)
	},
	"connections of messages cut": func(r *redisServer, t *testing.T) {
		if got := r.ask("CLIENT KILL TYPE pubsub"); got == ":0" {
			t.Error("nothing was cut")
		}
	},
}

// pause is the length of an outage, no wait for anything.
func pause(d time.Duration) { <-time.After(d) }

// TestAfterAnOutageClientsSubscribeAgain breaks Redis. Whoever was connected
// stays so, hears meanwhile what its own process says, and subscribes again
// within five seconds after: one that lost anything recovers or is told. What
// is published then arrives everywhere.
func TestAfterAnOutageClientsSubscribeAgain(t *testing.T) {
	t.Parallel()
	for name, breakIt := range outages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := startRedis(t)
			changes := make(chan bool, 100)
			a, b := pair(t, r, func(o *socket.Options) { o.Interrupted = func(away bool) { changes <- away } })
			channel := realtime.UserChannel(a.ann.UserID)
			here, there := a.browser(t, "ann"), b.browser(t, "ann")
			listeners := []*listener{here.listen(channel), there.listen(channel)}
			for _, l := range listeners {
				await(t, "subscription", l.subscribed)
			}
			a.publish(t, channel, `{"n":1}`)
			for _, l := range listeners {
				l.hears(`{"n":1}`)
			}
			breakIt(r, t)
			began := time.Now()
			for _, l := range listeners {
				select {
				case e := <-l.subscribed:
					t.Logf("subscribed again after %v: recovered %v", time.Since(began), e.Recovered)
				case <-time.After(5 * time.Second):
					t.Fatal("not subscribed again")
				}
			}
			for range 4 {
				await(t, "the interruption and its end, of both", changes)
			}
			eventually(t, "publishing works", func() bool { return a.Publish(channel, []byte(`{"n":2}`)) == nil })
			for _, l := range listeners {
				l.hears(`{"n":2}`)
			}
			if len(here.connecting)+len(there.connecting) > 2 {
				t.Error("somebody was disconnected") // one each is from the start
			}
		})
	}
}

// TestFlushedRedisIsNoticedByTheNextMessage: nothing is cut by a flush, so
// that the next message tells of it.
func TestFlushedRedisIsNoticedByTheNextMessage(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a, b := pair(t, r)
	channel := realtime.EventChannel(a.event)
	there := b.browser(t, "").listen(channel)
	await(t, "subscription", there.subscribed)
	a.publish(t, channel, delta(1))
	there.hears(delta(1))
	second := time.Now().Unix() // the library names epochs by the second
	eventually(t, "the next second", func() bool { return time.Now().Unix() > second })
	if got := r.ask("FLUSHALL"); got != "+OK" {
		t.Fatal(got)
	}
	a.publish(t, channel, delta(2))
	if e := await(t, "resubscription", there.subscribed); !e.WasRecovering || e.Recovered {
		t.Fatalf("took the new stream for the old one: %+v", e)
	}
}

// TestDeadRedisBlocksNobody has calls fail within their bound, and at once
// after the first; clients come and go meanwhile.
func TestDeadRedisBlocksNobody(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a, _ := pair(t, r)
	channel := realtime.EventChannel(a.event)
	a.publish(t, channel, delta(1))
	r.signal(syscall.SIGSTOP)
	began := time.Now()
	if err := a.Publish(channel, []byte(delta(2))); err == nil {
		t.Error("published into a frozen Redis")
	}
	if took := time.Since(began); took > 500*time.Millisecond {
		t.Errorf("the first call took %v", took)
	}
	began = time.Now()
	for range 1000 {
		if err := a.Publish(channel, []byte(delta(2))); err == nil {
			t.Error("published into a frozen Redis")
		}
	}
	if took := time.Since(began); took > 500*time.Millisecond {
		t.Errorf("1000 calls took %v", took)
	}
	l := a.browser(t, "ann").listen(channel)
	await(t, "subscription while Redis is away", l.subscribed)
	if err := a.Local(channel, []byte(`{"live":false}`)); err != nil {
		t.Fatal(err)
	}
	l.hears(`{"live":false}`)
	r.signal(syscall.SIGCONT)
	await(t, "resubscription", l.subscribed)
	eventually(t, "publishing works", func() bool { return a.Publish(channel, []byte(delta(3))) == nil })
	for {
		if got := await(t, "the delta", l.heard); got == delta(3) {
			return
		}
	}
}

func TestStartNeedsNoRedis(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	r.kill()
	began := time.Now()
	a, b := pair(t, r)
	if took := time.Since(began); took > 6*time.Second {
		t.Errorf("two starts without Redis took %v", took)
	}
	channel := realtime.EventChannel(a.event)
	there := b.browser(t, "").listen(channel)
	await(t, "subscription without Redis", there.subscribed)
	r.start()
	await(t, "resubscription", there.subscribed)
	eventually(t, "publishing works", func() bool { return a.Publish(channel, []byte(delta(1))) == nil })
	there.hears(delta(1))
}

// together is a presence that several processes share.
type together struct {
	mu        sync.Mutex
	viewers   map[uuid.UUID]map[string]bool
	listeners map[uuid.UUID]bool
	failing   bool
}

func (p *together) do(change func()) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failing {
		return context.DeadlineExceeded
	}
	change()
	return nil
}

func (p *together) join(eventID uuid.UUID, viewer string) {
	if p.viewers == nil {
		p.viewers, p.listeners = map[uuid.UUID]map[string]bool{}, map[uuid.UUID]bool{}
	}
	if p.viewers[eventID] == nil {
		p.viewers[eventID] = map[string]bool{}
	}
	p.viewers[eventID][viewer] = true
}

func (p *together) Join(_ context.Context, eventID uuid.UUID, viewer string) error {
	return p.do(func() { p.join(eventID, viewer) })
}

func (p *together) Leave(_ context.Context, eventID uuid.UUID, viewer string) error {
	return p.do(func() { delete(p.viewers[eventID], viewer) })
}

func (p *together) Renew(_ context.Context, viewers map[uuid.UUID][]string, _ []uuid.UUID) error {
	return p.do(func() {
		for eventID, all := range viewers {
			for _, viewer := range all {
				p.join(eventID, viewer)
			}
		}
	})
}

func (p *together) Viewers(_ context.Context, eventID uuid.UUID) (n int, err error) {
	err = p.do(func() { n = len(p.viewers[eventID]) })
	return n, err
}

func (p *together) Listen(_ context.Context, userID uuid.UUID) error {
	return p.do(func() {
		if p.listeners == nil {
			p.viewers, p.listeners = map[uuid.UUID]map[string]bool{}, map[uuid.UUID]bool{}
		}
		p.listeners[userID] = true
	})
}

func (p *together) Listening(_ context.Context, userID uuid.UUID) (listening bool, err error) {
	err = p.do(func() { listening = p.listeners[userID] })
	return listening, err
}

func TestViewersAreCountedOverAllProcesses(t *testing.T) {
	t.Parallel()
	shared := &together{}
	a, b := pair(t, startRedis(t), func(o *socket.Options) { o.Presence = shared })
	channel := realtime.EventChannel(a.event)
	for _, c := range []struct {
		at    *site
		token string
	}{{a, "ann"}, {b, "ann"}, {b, "bob"}, {a, ""}, {b, ""}} {
		await(t, "subscription", c.at.browser(t, c.token).listen(channel).subscribed)
		await(t, "the feed to be told", c.at.watch)
	}
	if here, there := a.Viewers(t.Context(), a.event), b.Viewers(t.Context(), a.event); here != 4 || there != 4 {
		t.Fatalf("%d and %d viewers, want 4", here, there)
	}
	if a.Here(a.event) != 2 || b.Here(a.event) != 3 {
		t.Fatalf("%d here and %d there", a.Here(a.event), b.Here(a.event))
	}
	eventually(t, "ann and bob listen", func() bool {
		return a.Listening(t.Context(), a.bob.UserID) && b.Listening(t.Context(), a.ann.UserID)
	})
	if a.Listening(t.Context(), uuid.New()) {
		t.Fatal("a stranger listens")
	}
	shared.mu.Lock()
	shared.failing = true
	shared.mu.Unlock()
	if a.Viewers(t.Context(), a.event) != 2 || !a.Listening(t.Context(), uuid.New()) {
		t.Fatal("without an answer, the process's own viewers count and everybody may listen")
	}
}

// TestBriefCutIsNoticed breaks the connections over which messages come, and
// publishes while nobody can hear it. No probe falls into so short a cut, and
// on a person's channel no later message tells of it: without the library's
// word for the cut, on which the node relies, the message would be lost.
func TestBriefCutIsNoticed(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a, _ := pair(t, r)
	channel := realtime.UserChannel(a.ann.UserID)
	mine := a.browser(t, "ann").listen(channel)
	await(t, "subscription", mine.subscribed)
	publisher := outsider(t, r)
	r.ask("CLIENT KILL TYPE pubsub")
	if _, err := publisher.Publish(channel, []byte(`{"n":1}`), server.WithHistory(10, time.Minute)); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	mine.hears(`{"n":1}`)
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("recovered only after %v", took)
	}
}

// outsider is a bare node of the library that publishes over the Redis, and
// knows of no outage.
func outsider(t *testing.T, r *redisServer) *server.Node {
	t.Helper()
	node, err := server.New(server.Config{Metrics: server.MetricsConfig{RegistererGatherer: prometheus.NewRegistry()}})
	if err != nil {
		t.Fatal(err)
	}
	shard, err := server.NewRedisShard(node, server.RedisShardConfig{Address: r.addr()})
	if err != nil {
		t.Fatal(err)
	}
	broker, err := server.NewRedisBroker(node, server.RedisBrokerConfig{
		Prefix: socket.DefaultPrefix, Shards: []*server.RedisShard{shard},
	})
	if err != nil {
		t.Fatal(err)
	}
	node.SetBroker(broker)
	t.Cleanup(shard.Close)
	return node
}
