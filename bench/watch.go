package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

// What is measured of people who look on.
const (
	watchers      = 1000
	watchedSeats  = 20_000
	dialersAtOnce = 32
	pacedCallers  = 8
	// pacedPause lets the paced callers change the map a few times in each of
	// the moments that deltas are gathered for.
	pacedPause    = 60 * time.Millisecond
	watchPatience = 30 * time.Second
	settleFor     = 2 * time.Second
	idleFor       = 20 * time.Second
)

// sockets is what people who look on cost one server. Bytes are of one
// connection.
type sockets struct {
	Connections int     `json:"connections"`
	HeapEach    float64 `json:"heap_bytes_each"` // heap and stacks in use after a collection
	RSSEach     float64 `json:"rss_bytes_each"`
	RedisEach   float64 `json:"redis_bytes_each,omitempty"`
	// IdleEach is what the server spends on a connection in a second in which
	// nothing happens, IdleRedisEach what Redis does, in microseconds.
	IdleEach      float64 `json:"idle_us_each"`
	IdleRedisEach float64 `json:"idle_redis_us_each,omitempty"`
	// While the map changes: what it came to, and the server's time for one
	// message to one connection, bookings taken off.
	Bookings     float64 `json:"bookings_per_second"`
	Deltas       float64 `json:"deltas_per_second"`
	DeltaBytes   float64 `json:"delta_bytes"` // of a frame, as JSON
	DeliveryEach float64 `json:"delivery_us_each"`
	Lost         int64   `json:"connections_lost"`
	// The server's cores in both states.
	serverIdle, serverBusy float64
}

// snapshot is what a map of 20,000 seats costs that was asked for over HTTP.
type snapshot struct {
	Seats      int           `json:"seats"`
	Rate       float64       `json:"per_second"`
	P99        time.Duration `json:"p99_ns"`
	Bytes      float64       `json:"bytes"`
	ServerEach float64       `json:"server_us_each"`
}

// sockets measures the first server with people who look on.
func (r *runner) sockets(ctx context.Context) error {
	say("%d connections that look on, %s", watchers, r.world.name)
	events, err := r.world.first().makeEvents(ctx, "Watched", 1, watchedSeats)
	if err != nil {
		return err
	}
	s, busy, err := r.watched(ctx, events)
	if err != nil {
		return err
	}
	// What bookings cost at this pace while nobody looks on.
	if _, err := r.world.drained(ctx); err != nil {
		return err
	}
	calm, calmUse, err := r.paced(ctx, events)
	if err != nil {
		return err
	}
	s.Bookings = busy.rate()
	if sent := s.Deltas * float64(s.Connections); sent > 0 {
		extra := s.serverBusy - calmUse.Server*busy.rate()/calm.rate() - s.serverIdle
		s.DeliveryEach = max(extra, 0) * 1e6 / sent
	}
	r.here().Sockets = s
	if r.report.Snapshot == nil {
		r.report.Snapshot, err = r.snapshot(ctx, events[0])
	}
	return errors.Join(err, ctx.Err())
}

// watched gathers people, lets them look on while nothing happens, and then
// while the map changes.
func (r *runner) watched(ctx context.Context, events []string) (s *sockets, busy result, err error) {
	w := r.world
	heap, rss, err := w.first().memory(ctx)
	if err != nil {
		return nil, busy, err
	}
	redis := w.redisMemory(ctx)
	// What the house spends with nobody in it is not the connections'.
	empty := r.idle(ctx)
	crowd, err := gather(ctx, w.first(), r.people[:min(watchers, len(r.people))], events[0], nil)
	if err != nil {
		return nil, busy, err
	}
	defer crowd.leave()
	wait(ctx, settleFor)
	heapAfter, rssAfter, err := w.first().memory(ctx)
	if err != nil {
		return nil, busy, err
	}
	n := float64(len(crowd.conns))
	s = &sockets{Connections: len(crowd.conns), HeapEach: (heapAfter - heap) / n, RSSEach: (rssAfter - rss) / n,
		RedisEach: (w.redisMemory(ctx) - redis) / n}
	use := r.idle(ctx)
	s.serverIdle = max(use.Server-empty.Server, 0)
	s.IdleEach, s.IdleRedisEach = s.serverIdle*1e6/n, max(use.Redis-empty.Redis, 0)*1e6/n
	crowd.count.Store(0)
	crowd.bytes.Store(0)
	began := time.Now()
	busy, use, err = r.paced(ctx, events)
	if err != nil {
		return nil, busy, err
	}
	s.serverBusy = use.Server
	if count := float64(crowd.count.Load()); count > 0 {
		s.Deltas, s.DeltaBytes = count/n/time.Since(began).Seconds(), float64(crowd.bytes.Load())/count
	}
	s.Lost = crowd.lost.Load()
	return s, busy, nil
}

// idle is what is spent while nobody does anything, over a few of the rounds
// in which who looks on is told to Redis.
func (r *runner) idle(ctx context.Context) usage {
	meter := newMeter(r.world.watched())
	meter.start()
	wait(ctx, max(r.side(), idleFor))
	return meter.stop(0)
}

// paced books steadily and slowly, so that the maps change all the time and
// nothing is full.
func (r *runner) paced(ctx context.Context, events []string) (result, usage, error) {
	meter := newMeter(r.world.watched())
	addrs := r.world.addrs()[:1]
	got, err := drive(ctx, loop{
		addrs: addrs, connections: pacedCallers, warmUp: warmUp, duration: r.side(), pause: pacedPause,
		append: newMix(addrs, r.people, events, byEvent).append, onWindow: meter.start,
	})
	use := meter.stop(got.Total())
	if err == nil && got.OK == 0 {
		err = fmt.Errorf("nothing was booked: %s", got.problems())
	}
	return got, use, err
}

// snapshot measures how fast a map is given out.
func (r *runner) snapshot(ctx context.Context, event string) (*snapshot, error) {
	addrs := r.world.addrs()[:1]
	var turn atomic.Uint64
	meter := newMeter(r.world.watched())
	got, err := drive(ctx, loop{
		addrs: addrs, connections: r.connections, warmUp: warmUp, duration: r.side(), want: given, onWindow: meter.start,
		append: func(buf []byte, _ *rand.Rand) ([]byte, int) {
			buf = append(buf, "GET /events/"+event+"/seats HTTP/1.1\r\nHost: "+addrs[0]+"\r\nAuthorization: Bearer "...)
			buf = append(buf, r.people[turn.Add(1)%uint64(len(r.people))].token...)
			return append(buf, "\r\n\r\n"...), 0
		},
	})
	if err != nil {
		return nil, err
	}
	if got.OK == 0 {
		return nil, fmt.Errorf("no map was given out: %s", got.problems())
	}
	return &snapshot{Seats: watchedSeats, Rate: got.rate(), P99: got.latencies.percentile(99),
		Bytes: float64(got.Bytes) / float64(got.OK), ServerEach: meter.stop(got.Total()).ServerEach}, nil
}

// crowd are people who look on at an event.
type crowd struct {
	conns              []*websocket.Conn
	reading            sync.WaitGroup
	leaving            atomic.Bool
	count, bytes, lost atomic.Int64 // messages of the event, their bytes, connections that ended
	// saw is told of each message of the event to each of them; nil: nobody is.
	saw func(watcher int, line []byte, at time.Time)
}

// gather connects people to a server and has them listen to an event and to
// what concerns them, as the client does.
func gather(ctx context.Context, s *server, people []person, event string, saw func(watcher int, line []byte, at time.Time)) (*crowd, error) {
	c := &crowd{conns: make([]*websocket.Conn, len(people)), saw: saw}
	faults := make([]error, len(people))
	next := make(chan int)
	var dialing sync.WaitGroup
	for range dialersAtOnce {
		dialing.Go(func() {
			for i := range next {
				c.conns[i], faults[i] = look(ctx, s.apiAddr, people[i], event)
			}
		})
	}
	for i := range people {
		next <- i
	}
	close(next)
	dialing.Wait()
	if err := errors.Join(faults...); err != nil {
		c.leave()
		return nil, err
	}
	for i, conn := range c.conns {
		c.reading.Go(func() { c.read(i, conn) })
	}
	return c, nil
}

// look makes one connection that listens.
func look(ctx context.Context, addr string, who person, event string) (*websocket.Conn, error) {
	dialer := websocket.Dialer{HandshakeTimeout: watchPatience}
	conn, answer, err := dialer.DialContext(ctx, "ws://"+addr+"/connection/websocket", http.Header{"Authorization": {"Bearer " + who.token}})
	if err != nil {
		if answer != nil {
			err = fmt.Errorf("%w: %s", err, answer.Status)
		}
		return nil, err
	}
	commands := []string{
		`{"id":1,"connect":{}}`,
		`{"id":2,"subscribe":{"channel":"event:` + event + `"}}`, `{"id":3,"subscribe":{"channel":"user:` + who.id + `"}}`,
	}
	err = conn.SetReadDeadline(time.Now().Add(watchPatience))
	for i := 0; i < len(commands) && err == nil; i++ {
		if err = conn.WriteMessage(websocket.TextMessage, []byte(commands[i])); err == nil {
			err = replied(conn, i+1)
		}
	}
	if err == nil {
		err = conn.SetReadDeadline(time.Time{})
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// replied reads until the command of that number is answered.
func replied(conn *websocket.Conn, id int) error {
	for {
		_, text, err := conn.ReadMessage()
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(text)) {
			var reply struct {
				ID    int
				Error json.RawMessage
			}
			if err := json.Unmarshal([]byte(line), &reply); err != nil {
				return err
			}
			if reply.ID == id {
				if reply.Error != nil {
					return fmt.Errorf("a listener is told %s", reply.Error)
				}
				return nil
			}
		}
	}
}

var (
	isPing     = []byte("{}")
	isPush     = []byte(`"push"`)
	isOfEvents = []byte(`"channel":"event:`)
)

// read counts what comes and answers pings until the connection ends.
func (c *crowd) read(i int, conn *websocket.Conn) {
	for {
		_, text, err := conn.ReadMessage()
		if err != nil {
			if !c.leaving.Load() {
				c.lost.Add(1)
			}
			return
		}
		at := time.Now()
		for line := range bytes.Lines(text) {
			switch line = bytes.TrimSpace(line); {
			case bytes.Equal(line, isPing):
				// A failure shows at the next reading.
				_ = conn.WriteMessage(websocket.TextMessage, isPing)
			case bytes.Contains(line, isPush) && bytes.Contains(line, isOfEvents):
				c.count.Add(1)
				c.bytes.Add(int64(len(line)))
				if c.saw != nil {
					c.saw(i, line, at)
				}
			}
		}
	}
}

// leave ends all connections.
func (c *crowd) leave() {
	c.leaving.Store(true)
	for _, conn := range c.conns {
		if conn != nil {
			_ = conn.Close() // nothing is lost with it
		}
	}
	c.reading.Wait()
}

// memory is what the server uses after a collection, in bytes: heap and
// stacks, and what the system counts.
func (s *server) memory(ctx context.Context) (heap, rss float64, err error) {
	text, err := s.get(ctx, s.heapURL())
	if err != nil {
		return 0, 0, err
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid()))
	if err != nil {
		return 0, 0, err
	}
	heap = memoryStat(string(text), "HeapInuse") + memoryStat(string(text), "Stack")
	if heap == 0 {
		return 0, 0, errNoHeap
	}
	return heap, residentOf(string(status)), nil
}

var errNoHeap = errors.New("the server's heap profile doesn't tell how large the heap is")

// heapURL is where a server tells of its memory, after a collection.
func (s *server) heapURL() string { return "http://" + s.opsAddr + "/debug/pprof/heap?gc=1&debug=1" }

// memoryStat reads one figure of those at the end of a heap profile as text,
// such as "# Stack = 1048576 / 1048576"; 0 where it is missing.
func memoryStat(text, name string) float64 {
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 3 && f[0] == "#" && f[1] == name && f[2] == "=" {
			figure, _ := strconv.ParseFloat(f[3], 64)
			return figure
		}
	}
	return 0
}

// residentOf reads a process's memory, in bytes, from its status.
func residentOf(status string) float64 {
	for line := range strings.Lines(status) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "VmRSS:" {
			kilobytes, _ := strconv.ParseFloat(f[1], 64)
			return kilobytes * 1024
		}
	}
	return 0
}

// wait lets time pass.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
