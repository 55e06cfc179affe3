//go:build engines

package socket_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	server "github.com/centrifugal/centrifuge"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"happening/internal/realtime"
	"happening/internal/socket"
	"happening/internal/testkit"
)

// redirect lets it connect to another site from now on, as a load balancer
// does.
func (b *browser) redirect(to string) {
	u, err := url.Parse(to)
	if err != nil {
		b.t.Fatal(err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.address = u.Host
}

// hearsAtLast passes over whatever comes before.
func (l *listener) hearsAtLast(want string) {
	l.t.Helper()
	for await(l.t, "hear "+want, l.heard) != want {
	}
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
func over(r *testkit.RedisServer, change ...func(*socket.Options)) func(*socket.Options) {
	return overSettings(socket.RedisSettings{Addresses: []string{r.Address}}.Unhurried(), change...)
}

// overHurried does so with the bounds of a running system, as tests want it
// that break Redis.
func overHurried(r *testkit.RedisServer, change ...func(*socket.Options)) func(*socket.Options) {
	return overSettings(socket.RedisSettings{Addresses: []string{r.Address}}, change...)
}

func overSettings(settings socket.RedisSettings, change ...func(*socket.Options)) func(*socket.Options) {
	return func(o *socket.Options) {
		o.Engine = socket.RedisEngine(settings)
		for _, c := range change {
			c(o)
		}
	}
}

// pair is two processes, as far as realtime is concerned, with one gate.
func pair(t *testing.T, r *testkit.RedisServer, change ...func(*socket.Options)) (a, b *site) {
	t.Helper()
	return paired(open(t, over(r, change...)), open(t, over(r, change...)))
}

// hurriedPair is a pair with the bounds of a running system.
func hurriedPair(t *testing.T, r *testkit.RedisServer, change ...func(*socket.Options)) (a, b *site) {
	t.Helper()
	return paired(open(t, overHurried(r, change...)), open(t, overHurried(r, change...)))
}

// paired gives both the same event and people.
func paired(a, b *site) (*site, *site) {
	b.event = a.event
	for token, p := range a.gate.people {
		b.gate.people[token] = p
	}
	b.ann, b.bob = a.ann, a.bob
	return a, b
}

func TestDeltasReachWatchersOfAnotherProcessInOrder(t *testing.T) {
	t.Parallel()
	a, b := pair(t, testkit.Redis(t))
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
	a, b := pair(t, testkit.Redis(t))
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
// effect at the other. The gate goes on letting everybody in, so that asking
// again would end nothing.
func TestAccessEndsAtAllProcesses(t *testing.T) {
	t.Parallel()
	a, b := pair(t, testkit.Redis(t))
	ann, bob := b.browser(t, "ann"), b.browser(t, "bob")
	for _, each := range []*browser{ann, bob} {
		await(t, "connection", each.connected)
		// Counted just after it was answered, and before anything else that it asks.
		await(t, "subscription", each.listen(realtime.EventChannel(uuid.New())).subscribed)
	}
	a.DisconnectSession("another session")
	a.DisconnectSession(a.ann.SessionID)
	await(t, "the end of a session", ann.connected) // it comes back
	a.DisconnectUser(a.bob.UserID)
	await(t, "the end of a user's connections", bob.connected)
	l := ann.listen(realtime.EventChannel(a.event))
	await(t, "subscription", l.subscribed)
	a.Unsubscribe(a.ann.UserID, a.event)
	await(t, "the end of a subscription", l.unsubscribed)
}

func TestWordsReachTheOthersOnly(t *testing.T) {
	t.Parallel()
	a, b := pair(t, testkit.Redis(t))
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

// breakage is what may become of Redis.
type breakage struct {
	begin func(*testkit.RedisServer, *testing.T)
	end   func(*testkit.RedisServer) // nil: it is over when it has begun
}

// forAWhile breaks Redis and mends it three seconds later.
func (b breakage) forAWhile(r *testkit.RedisServer, t *testing.T) {
	if b.begin(r, t); b.end != nil {
		pause(3 * time.Second)
		b.end(r)
	}
}

var outages = map[string]breakage{
	"killed and restarted empty":  {begin: func(r *testkit.RedisServer, _ *testing.T) { r.Kill(); r.Start() }},
	"away for a while":            {func(r *testkit.RedisServer, _ *testing.T) { r.Kill() }, (*testkit.RedisServer).Start},
	"frozen for a while":          {func(r *testkit.RedisServer, _ *testing.T) { r.Freeze() }, (*testkit.RedisServer).Thaw},
	"connections of messages cut": {begin: cutMessages},
}

// cutMessages ends the connections over which messages come.
func cutMessages(r *testkit.RedisServer, t *testing.T) {
	if r.Do(r.Client(), "CLIENT", "KILL", "TYPE", "pubsub") == "0" {
		t.Error("nothing was cut")
	}
}

// pause is the length of an outage, no wait for anything.
func pause(d time.Duration) { <-time.After(d) }

// TestAfterAnOutageClientsSubscribeAgain breaks Redis until both processes have
// noticed. Whoever was connected stays so, hears meanwhile what its own process
// says, and subscribes again: one that lost anything recovers or is told. What
// is published then arrives everywhere.
func TestAfterAnOutageClientsSubscribeAgain(t *testing.T) {
	t.Parallel()
	for name, breaks := range outages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := testkit.Redis(t)
			changes := make(chan bool, 100)
			a, b := hurriedPair(t, r, func(o *socket.Options) { o.Interrupted = func(away bool) { changes <- away } })
			channel := realtime.UserChannel(a.ann.UserID)
			here, there := a.browser(t, "ann"), b.browser(t, "ann")
			listeners := []*listener{here.listen(channel), there.listen(channel)}
			for _, l := range listeners {
				await(t, "subscription", l.subscribed)
			}
			// One that was slow may come twice.
			tell := func(message string) {
				eventually(t, "publishing works", func() bool { return a.Publish(channel, []byte(message)) == nil })
				for _, l := range listeners {
					l.hearsAtLast(message)
				}
			}
			tell(`{"n":1}`)
			breaks.begin(r, t)
			changed := 0
			if breaks.end != nil {
				for ; changed < 2; changed++ {
					await(t, "the interruption, of both", changes)
				}
				breaks.end(r)
			}
			began := time.Now()
			for _, l := range listeners {
				e := await(t, "resubscription", l.subscribed)
				t.Logf("subscribed again after %v: recovered %v", time.Since(began), e.Recovered)
			}
			for ; changed < 4; changed++ {
				await(t, "the interruption and its end, of both", changes)
			}
			tell(`{"n":2}`)
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
	r := testkit.Redis(t)
	a, b := pair(t, r)
	channel := realtime.EventChannel(a.event)
	there := b.browser(t, "").listen(channel)
	await(t, "subscription", there.subscribed)
	a.publish(t, channel, delta(1))
	there.hears(delta(1))
	second := time.Now().Unix() // the library names epochs by the second
	eventually(t, "the next second", func() bool { return time.Now().Unix() > second })
	r.Do(r.Client(), "FLUSHALL")
	a.publish(t, channel, delta(2))
	if e := await(t, "resubscription", there.subscribed); !e.WasRecovering || e.Recovered {
		t.Fatalf("took the new stream for the old one: %+v", e)
	}
}

// TestDeadRedisBlocksNobody has calls fail within their bound, and at once
// after the first; clients come and go meanwhile.
func TestDeadRedisBlocksNobody(t *testing.T) {
	t.Parallel()
	r := testkit.Redis(t)
	a, _ := hurriedPair(t, r)
	channel := realtime.EventChannel(a.event)
	eventually(t, "publishing works", func() bool { return a.Publish(channel, []byte(delta(1))) == nil })
	r.Freeze()
	began := time.Now()
	if err := a.Publish(channel, []byte(delta(2))); err == nil {
		t.Error("published into a frozen Redis")
	}
	// Four minutes, if each of them waited.
	for range 1000 {
		if err := a.Publish(channel, []byte(delta(2))); err == nil {
			t.Error("published into a frozen Redis")
		}
	}
	if took := time.Since(began); took > patience {
		t.Errorf("1001 calls took %v", took)
	}
	l := a.browser(t, "ann").listen(channel)
	await(t, "subscription while Redis is away", l.subscribed)
	if err := a.Local(channel, []byte(`{"live":false}`)); err != nil {
		t.Fatal(err)
	}
	l.hearsAtLast(`{"live":false}`)
	r.Thaw()
	await(t, "resubscription", l.subscribed)
	eventually(t, "publishing works", func() bool { return a.Publish(channel, []byte(delta(3))) == nil })
	l.hearsAtLast(delta(3))
}

func TestStartNeedsNoRedis(t *testing.T) {
	t.Parallel()
	r := testkit.Redis(t)
	r.Kill()
	began := time.Now()
	a, b := hurriedPair(t, r)
	t.Logf("two starts without Redis took %v", time.Since(began))
	channel := realtime.EventChannel(a.event)
	there := b.browser(t, "").listen(channel)
	await(t, "subscription without Redis", there.subscribed)
	r.Start()
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
	a, b := pair(t, testkit.Redis(t), func(o *socket.Options) { o.Presence = shared })
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
	r := testkit.Redis(t)
	a, _ := pair(t, r)
	channel := realtime.UserChannel(a.ann.UserID)
	mine := a.browser(t, "ann").listen(channel)
	await(t, "subscription", mine.subscribed)
	publisher := outsider(t, r)
	cutMessages(r, t)
	if _, err := publisher.Publish(channel, []byte(`{"n":1}`), server.WithHistory(10, time.Minute)); err != nil {
		t.Fatal(err)
	}
	mine.hears(`{"n":1}`)
}

// journal is a log that tests read.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

// lines are those that an operator is shown.
func (j *journal) lines() []string {
	return slices.DeleteFunc(j.all(), func(line string) bool { return strings.Contains(line, "level=DEBUG") })
}

func (j *journal) all() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Split(strings.TrimSpace(j.text.String()), "\n")
}

func (j *journal) count(level, text string) (n int) {
	for _, line := range j.all() {
		if strings.Contains(line, level) && strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// TestOutageIsToldOnce freezes Redis for as long as the library tries several
// times to connect again, and then sends rubbish to all processes.
func TestOutageIsToldOnce(t *testing.T) {
	t.Parallel()
	r := testkit.Redis(t)
	log, changes := &journal{}, make(chan bool, 16)
	a := open(t, overHurried(r, func(o *socket.Options) {
		o.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		o.Interrupted = func(away bool) { changes <- away }
	}))
	control := r.Client()
	r.Freeze()
	await(t, "outage", changes)
	eventually(t, "attempts to connect again", func() bool { return log.count("level=DEBUG", "pub/sub subscribe error") > 2 })
	r.Thaw()
	await(t, "return", changes)
	// Who stands still for seconds, as on a busy machine, has an outage more.
	lines := log.lines()
	for i, line := range lines {
		if want := []string{"Redis is away", "Redis is back"}[i%2]; !strings.Contains(line, want) {
			t.Errorf("an outage is told as %q", lines)
		}
	}
	if len(lines) < 2 {
		t.Errorf("an outage is told as %q", lines)
	}
	rubbish := func() (n int) {
		for _, line := range log.lines() {
			if !strings.Contains(line, "Redis is ") {
				n++
			}
		}
		return n
	}
	for range 50 {
		r.Do(control, "PUBLISH", socket.DefaultPrefix+".control", "rubbish")
	}
	eventually(t, "the rubbish to be noticed", func() bool { return rubbish() > 0 })
	words := make(chan string, 1)
	a.OnTold(func(op string, _ []byte) { words <- op })
	b := open(t, over(r))
	b.Tell("after the rubbish", nil)
	await(t, "a word after the rubbish", words)
	if rubbish() > 2 {
		t.Errorf("rubbish is told as %q", log.lines())
	}
}

// outsider is a bare node of the library that publishes over the Redis, and
// knows of no outage.
func outsider(t *testing.T, r *testkit.RedisServer) *server.Node {
	t.Helper()
	node, err := server.New(server.Config{Metrics: server.MetricsConfig{RegistererGatherer: prometheus.NewRegistry()}})
	if err != nil {
		t.Fatal(err)
	}
	shard, err := server.NewRedisShard(node, server.RedisShardConfig{Address: r.Address})
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

// TestClusterCarriesMessages and the next run the same over Redis's other
// modes: messages in order, recovery at another process, words.
func TestClusterCarriesMessages(t *testing.T) {
	t.Parallel()
	c := testkit.RedisCluster(t)
	var addresses []string
	for _, n := range c.Nodes {
		addresses = append(addresses, n.Address)
	}
	settings := socket.RedisSettings{Addresses: addresses, Cluster: true}.Unhurried()
	a, b := paired(open(t, overSettings(settings)), open(t, overSettings(settings)))
	for range 5 { // several slots
		carries(t, a, b, uuid.New())
	}
}

// TestSentinelCarriesMessages also lets the master die: the clients subscribe
// again once there is another one, and messages flow.
func TestSentinelCarriesMessages(t *testing.T) {
	t.Parallel()
	s := testkit.RedisSentinel(t)
	var addresses []string
	for _, n := range s.Sentinels {
		addresses = append(addresses, n.Address)
	}
	settings := socket.RedisSettings{Addresses: addresses, MasterSet: "happening"}.Unhurried()
	a, b := paired(open(t, overSettings(settings)), open(t, overSettings(settings)))
	carries(t, a, b, uuid.New())
	channel := realtime.EventChannel(a.event)
	there := b.browser(t, "").listen(channel)
	await(t, "subscription", there.subscribed)
	s.KillMaster(t)
	testkit.Eventually(t, "master that takes messages", func() error { return a.Publish(channel, []byte(delta(1))) })
	await(t, "resubscription", there.subscribed)
	testkit.Eventually(t, "master that delivers messages", func() error {
		if err := a.Publish(channel, []byte(delta(1))); err != nil {
			return err
		}
		select {
		case <-there.heard:
			return nil
		default:
			return errors.New("nothing heard yet")
		}
	})
}

func carries(t *testing.T, a, b *site, event uuid.UUID) {
	t.Helper()
	channel := realtime.EventChannel(event)
	client := b.browser(t, "")
	there := client.listen(channel)
	await(t, "subscription", there.subscribed)
	a.publish(t, channel, delta(1))
	a.publish(t, channel, delta(2))
	there.hears(delta(1), delta(2))
	client.cut()
	a.publish(t, channel, delta(3))
	client.redirect(a.url)
	client.restore()
	if e := await(t, "resubscription", there.subscribed); !e.Recovered {
		t.Fatalf("not recovered: %+v", e)
	}
	// What was heard before the cut may come once more: between the servers of a
	// cluster a message travels at its own pace, and one that reaches the other
	// process only while the client subscribes there is handed out with what the
	// client has missed. Who looks at versions passes over it.
	for heard := ""; heard != delta(3); {
		if heard = await(t, "hear what was missed", there.heard); heard != delta(1) && heard != delta(2) && heard != delta(3) {
			t.Fatalf("heard %s", heard)
		}
	}
	told := make(chan string, 1)
	b.OnTold(func(op string, _ []byte) { told <- op })
	a.Tell("word", nil)
	await(t, "the word", told)
}
