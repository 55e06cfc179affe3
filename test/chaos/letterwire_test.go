//go:build linux && engines

package chaos

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"
)

// letterMoment is one in a worker's conversation with RabbitMQ, as far as that is
// about facts; by its greetings nobody is told.
type letterMoment int

const (
	// handingOver is when a fact is on its way to the broker, which hears nothing
	// of it.
	handingOver letterMoment = iota + 1
	// confirmed is when the broker has said that it keeps a fact, and the worker
	// has not heard of it.
	confirmed
	// handed is when a fact is handed to the worker, which gets nothing of it.
	handed
	// acknowledging is when the worker has acknowledged a fact, and the broker
	// hears nothing of it.
	acknowledging
)

// letterWire is what lies between a worker and its broker. It lets a connection
// stand still at a moment, so that the worker is killed there for certain.
type letterWire struct {
	t        *testing.T
	broker   string // host:port
	listener net.Listener
	ctx      context.Context
	working  sync.WaitGroup

	mu      sync.Mutex
	open    map[net.Conn]struct{}
	stops   map[letterMoment]chan struct{} // closed when a connection stands there
	still   map[letterMoment]bool          // where connections stand from now on
	over    chan struct{}                  // closed when they go on
	acked   map[string]int                 // how often each fact was acknowledged
	changed chan struct{}                  // gets a signal with each acknowledgement
}

// The limits of a letterWire.
const (
	letterDial = 5 * time.Second
	// largestFrame is above what the broker agrees on.
	largestFrame = 1 << 20
)

// newLetterWire lays a wire to the broker of an address, and answers the address
// that goes through it.
func newLetterWire(t *testing.T, address string) (w *letterWire, through string) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal("AMQP_URL is not an address")
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	w = &letterWire{
		t: t, broker: u.Host, listener: ln, ctx: ctx, open: map[net.Conn]struct{}{},
		stops: map[letterMoment]chan struct{}{}, still: map[letterMoment]bool{}, acked: map[string]int{}, changed: make(chan struct{}, 1),
	}
	w.working.Go(w.listen)
	t.Cleanup(func() {
		cancel()
		_ = ln.Close()
		w.drop()
		w.working.Wait()
	})
	u.Host = ln.Addr().String()
	return w, u.String()
}

// stopAt lets every connection that comes to one of the moments stand still
// there, until goOn; each channel is closed when the first one does.
func (w *letterWire) stopAt(moments ...letterMoment) (reached []<-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = make(chan struct{})
	for _, m := range moments {
		stop := make(chan struct{})
		w.stops[m], w.still[m] = stop, true
		reached = append(reached, stop)
	}
	return reached
}

// goOn lets nobody stand still from now on, and ends the connections of those who
// did.
func (w *letterWire) goOn() {
	w.mu.Lock()
	clear(w.still)
	close(w.over)
	w.mu.Unlock()
	w.drop()
}

func (w *letterWire) drop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for conn := range w.open {
		_ = conn.Close()
	}
}

// awaitAcked waits until the broker was told so many times that a fact is told.
func (w *letterWire) awaitAcked(fact string, n int, limit time.Duration) {
	w.t.Helper()
	late := time.NewTimer(limit)
	defer late.Stop()
	for {
		w.mu.Lock()
		acked := w.acked[fact]
		w.mu.Unlock()
		if acked >= n {
			return
		}
		select {
		case <-w.changed:
		case <-late.C:
			w.t.Fatalf("after %v the fact %s was acknowledged %d times, not %d", limit, fact, acked, n)
		}
	}
}

// acknowledged notes that the broker is told of a fact.
func (w *letterWire) acknowledged(fact string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.acked[fact]++
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// comesTo says whether a connection that comes to a moment is to stand still.
func (w *letterWire) comesTo(m letterMoment) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.still[m] {
		return false
	}
	if w.stops[m] != nil {
		close(w.stops[m])
		w.stops[m] = nil
	}
	return true
}

func (w *letterWire) listen() {
	for {
		client, err := w.listener.Accept()
		if err != nil {
			return
		}
		w.working.Go(func() { w.connect(client) })
	}
}

// connect serves one connection to its end.
func (w *letterWire) connect(client net.Conn) {
	defer client.Close()
	server, err := net.DialTimeout("tcp", w.broker, letterDial)
	if err != nil {
		return
	}
	defer server.Close()
	keep := func(kept bool) {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, conn := range []net.Conn{client, server} {
			if kept {
				w.open[conn] = struct{}{}
			} else {
				delete(w.open, conn)
			}
		}
	}
	keep(true)
	defer keep(false)
	if w.ctx.Err() != nil {
		return
	}
	l := &letterLine{wire: w, facts: map[uint64]string{}}
	var both sync.WaitGroup
	both.Go(func() {
		defer client.Close()
		defer server.Close()
		l.ask(client, server)
	})
	both.Go(func() {
		defer client.Close()
		defer server.Close()
		l.answer(server, client)
	})
	both.Wait()
}

// letterLine is one connection through the wire. It has one channel.
type letterLine struct {
	wire *letterWire

	mu        sync.Mutex
	published bool              // a fact was handed over
	facts     map[uint64]string // that were handed to the worker, by their tags
}

// A frame is a kind, a channel, the length of what follows, that, and an end.
const (
	frameHead   = 7
	frameMethod = 1
	frameHeader = 2
	frameBody   = 3
	protocol    = "AMQP\x00\x00\x09\x01" // what a client says first
)

// The methods of a channel that matter, by class and number.
const (
	basicPublish = 60<<16 | 40
	basicDeliver = 60<<16 | 60
	basicAck     = 60<<16 | 80
)

var errFrame = errors.New("a frame of an impossible length")

// nextFrame reads one frame.
func nextFrame(from *bufio.Reader) ([]byte, error) {
	head, err := from.Peek(frameHead)
	if err != nil {
		return nil, err
	}
	length := int(binary.BigEndian.Uint32(head[3:]))
	if length > largestFrame {
		return nil, errFrame
	}
	frame := make([]byte, frameHead+length+1)
	_, err = io.ReadFull(from, frame)
	return frame, err
}

// method is what a frame calls, and with what; 0: it calls nothing.
func method(frame []byte) (name uint32, arguments []byte) {
	if frame[0] != frameMethod || len(frame) < frameHead+5 {
		return 0, nil
	}
	return binary.BigEndian.Uint32(frame[frameHead:]), frame[frameHead+4:]
}

// hasBody says whether what a message's header announces is more than nothing,
// which is what a greeting says.
func hasBody(header []byte) bool {
	const class, weight = 2, 2
	at := frameHead + class + weight
	return len(header) >= at+8 && binary.BigEndian.Uint64(header[at:]) > 0
}

// ask carries what the worker sends.
func (l *letterLine) ask(client, server net.Conn) {
	from := bufio.NewReader(client)
	first := make([]byte, len(protocol))
	if _, err := io.ReadFull(from, first); err != nil {
		return
	}
	if _, err := server.Write(first); err != nil {
		return
	}
	var kept []byte // a publishing whose header has not come yet
	for {
		frame, err := nextFrame(from)
		if err != nil {
			return
		}
		switch name, arguments := method(frame); {
		case name == basicPublish:
			kept = frame
			continue
		case kept != nil && frame[0] == frameHeader:
			if hasBody(frame) {
				if l.wire.comesTo(handingOver) {
					l.stand()
					return
				}
				l.mu.Lock()
				l.published = true
				l.mu.Unlock()
			}
			frame, kept = append(kept, frame...), nil
		case name == basicAck:
			if fact := l.factOf(arguments); fact != "" {
				if l.wire.comesTo(acknowledging) {
					l.stand()
					return
				}
				l.wire.acknowledged(fact)
			}
		}
		if _, err := server.Write(frame); err != nil {
			return
		}
	}
}

// factOf is which fact an acknowledgement, a tag first, is of; empty: none.
func (l *letterLine) factOf(arguments []byte) string {
	if len(arguments) < 8 {
		return ""
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.facts[binary.BigEndian.Uint64(arguments)]
}

// answer carries what the broker sends.
func (l *letterLine) answer(server, client net.Conn) {
	from := bufio.NewReader(server)
	var kept []byte // a delivery that has not come whole yet
	var tag uint64  // its tag
	for {
		frame, err := nextFrame(from)
		if err != nil {
			return
		}
		switch name, arguments := method(frame); {
		case name == basicDeliver:
			kept, tag = frame, tagOf(arguments)
			continue
		case kept != nil && frame[0] == frameHeader && hasBody(frame):
			kept = append(kept, frame...)
			continue
		case kept != nil && frame[0] == frameHeader:
			frame, kept = append(kept, frame...), nil
		case kept != nil && frame[0] == frameBody:
			if l.wire.comesTo(handed) {
				l.stand()
				return
			}
			l.delivered(tag, frame[frameHead:len(frame)-1])
			frame, kept = append(kept, frame...), nil
		case name == basicAck && l.hasPublished():
			if l.wire.comesTo(confirmed) {
				l.stand()
				return
			}
		}
		if _, err := client.Write(frame); err != nil {
			return
		}
	}
}

// tagOf is a delivery's tag; the consumer's name, a short text, stands before it.
func tagOf(arguments []byte) uint64 {
	if len(arguments) < 1 || len(arguments) < 1+int(arguments[0])+8 {
		return 0
	}
	return binary.BigEndian.Uint64(arguments[1+int(arguments[0]):])
}

// delivered notes the tag under which a fact is handed to the worker.
func (l *letterLine) delivered(tag uint64, body []byte) {
	var named struct{ Fact string }
	if json.Unmarshal(body, &named) != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.facts[tag] = named.Fact
}

func (l *letterLine) hasPublished() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.published
}

// stand stands still until the wire lets everybody go on, or the test is over.
func (l *letterLine) stand() {
	l.wire.mu.Lock()
	over := l.wire.over
	l.wire.mu.Unlock()
	select {
	case <-over:
	case <-l.wire.ctx.Done():
	}
}
