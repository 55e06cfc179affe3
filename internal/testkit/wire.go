package testkit

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// Wire is what lies between Happening and its PostgreSQL, and it breaks: at the
// commits of the ledger, in each way in which a network does, and it may tell
// the server's clock wrong. It may also let a process stand still at a Moment, so
// that it is killed there for certain. Everything else passes as it is.
//
// It understands as much of the protocol as that takes. A commit is the group
// of messages, up to its Sync, that executes the ledger's statement "write":
// with an optimistic batch the transaction is committed at the Sync, under the
// locks by the statement "commit" before it.
type Wire struct {
	t        testing.TB
	network  string
	address  string
	listener net.Listener
	ctx      context.Context
	working  sync.WaitGroup

	mu      sync.Mutex
	open    map[net.Conn]struct{}
	choose  func() Cut
	ahead   time.Duration
	refused bool
	cuts    map[Cut]int
	commits int
	stops   []*Stop       // that nobody has come to yet
	passed  chan struct{} // closed and made anew with every commit that was answered
	cutting chan struct{} // gets a signal with every cut
}

// Cut is what becomes of one commit.
type Cut int

// The ways in which a commit is cut off. After each both ends of the
// connection are closed, unless it says otherwise.
const (
	// Passes cuts nothing.
	Passes Cut = iota
	// Unsent is a commit of which the server hears nothing.
	Unsent
	// HalfSent ends in the middle of what is written.
	HalfSent
	// Unsynced is sent but for its last message: an optimistic batch is not
	// committed, one under locks is.
	Unsynced
	// Unanswered is committed, and the whole answer is lost.
	Unanswered
	// HalfAnswered is committed, and the answer ends in its middle.
	HalfAnswered
	// Late reaches the server when its sender, told nothing, has committed
	// something else by another connection. Under locks, where nothing else can
	// be committed meanwhile, it is Unanswered.
	Late
	// forms is how many there are.
	forms
)

// Cuts are all forms of a cut, in turn.
var Cuts = []Cut{Unsent, HalfSent, Unsynced, Unanswered, HalfAnswered, Late}

var cutNames = [forms]string{"passes", "unsent", "half sent", "unsynced", "unanswered", "half answered", "late"}

func (c Cut) String() string { return cutNames[c] }

// The wire's limits.
const (
	wireDial    = 5 * time.Second
	wireLargest = 64 << 20 // bytes of one message
)

// NewWire listens on loopback and connects whoever comes to a PostgreSQL at a
// network's address, until the end of the test.
func NewWire(t testing.TB, network, address string) *Wire {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	w := &Wire{
		t: t, network: network, address: address, listener: ln, ctx: ctx,
		open: map[net.Conn]struct{}{}, cuts: map[Cut]int{}, passed: make(chan struct{}), cutting: make(chan struct{}, 1),
	}
	w.working.Go(w.listen)
	t.Cleanup(func() {
		cancel()
		_ = ln.Close()
		w.Drop()
		w.working.Wait()
	})
	return w
}

// Port is where the wire listens on loopback.
func (w *Wire) Port() int { return w.listener.Addr().(*net.TCPAddr).Port }

// CutBy lets choose say what becomes of each commit from now on; nil: all pass.
// It is called by one connection at a time.
func (w *Wire) CutBy(choose func() Cut) { w.locked(func() { w.choose = choose }) }

// Ahead lets the server's clock, as Happening asks for it, be ahead of what it
// is.
func (w *Wire) Ahead(by time.Duration) { w.locked(func() { w.ahead = by }) }

// Refuse closes connections as soon as they are made, or stops to do so.
func (w *Wire) Refuse(refused bool) { w.locked(func() { w.refused = refused }) }

// Drop closes all connections that there are.
func (w *Wire) Drop() {
	w.locked(func() {
		for conn := range w.open {
			_ = conn.Close()
		}
	})
}

// Counts tells how many commits came by and how many of them were cut in which
// way.
func (w *Wire) Counts() (commits int, cuts map[Cut]int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	cuts = make(map[Cut]int, len(w.cuts))
	for form, n := range w.cuts {
		cuts[form] = n
	}
	return w.commits, cuts
}

// AwaitCuts waits until as many commits were cut.
func (w *Wire) AwaitCuts(n int, limit time.Duration) {
	w.t.Helper()
	late := time.NewTimer(limit)
	defer late.Stop()
	for {
		commits, cuts := w.Counts()
		sum := 0
		for _, of := range cuts {
			sum += of
		}
		if sum >= n {
			return
		}
		select {
		case <-w.cutting:
		case <-late.C:
			w.t.Fatalf("testkit: after %v only %d of %d commits were cut, %d wanted", limit, sum, commits, n)
		}
	}
}

func (w *Wire) locked(do func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	do()
}

func (w *Wire) listen() {
	for {
		client, err := w.listener.Accept()
		if err != nil {
			return
		}
		w.working.Go(func() { w.connect(client) })
	}
}

// connect serves one connection to its end.
func (w *Wire) connect(client net.Conn) {
	defer client.Close()
	w.mu.Lock()
	refused := w.refused
	w.mu.Unlock()
	if refused || w.ctx.Err() != nil {
		return
	}
	server, err := net.DialTimeout(w.network, w.address, wireDial)
	if err != nil {
		return
	}
	defer server.Close()
	w.locked(func() { w.open[client], w.open[server] = struct{}{}, struct{}{} })
	defer w.locked(func() { delete(w.open, client); delete(w.open, server) })
	if w.ctx.Err() != nil {
		return
	}
	l := &line{wire: w, client: client, server: server, texts: map[string]string{}}
	var answers sync.WaitGroup
	answers.Go(l.answer)
	l.ask()
	// What is late is still read to its end.
	if !l.isLate() {
		_ = client.Close()
		_ = server.Close()
	}
	answers.Wait()
}

// line is one connection through the wire.
type line struct {
	wire           *Wire
	client, server net.Conn

	mu     sync.Mutex
	cut    Cut   // of the commit that the server is answering
	commit bool  // a commit is being answered
	clock  bool  // the next row is the time
	stop   *Stop // at which the answer that comes next is held back

	// Of the client's side alone.
	texts map[string]string // of the statements, by their names
	near  *Stop             // whose statement was executed
}

// message is one message as it travels.
type message struct {
	kind byte
	raw  []byte
}

func (m message) body() []byte { return m.raw[5:] }

// text is the nth of the texts with which a message begins.
func (m message) text(n int) string {
	rest := m.body()
	for range n {
		_, rest, _ = bytes.Cut(rest, []byte{0})
	}
	text, _, _ := bytes.Cut(rest, []byte{0})
	return string(text)
}

var errWireLength = errors.New("testkit: a message of an impossible length")

// next reads one message.
func next(from *bufio.Reader) (message, error) {
	head, err := from.Peek(5)
	if err != nil {
		return message{}, err
	}
	length := int(binary.BigEndian.Uint32(head[1:])) + 1
	if length < 5 || length > wireLargest {
		return message{}, errWireLength
	}
	raw := make([]byte, length)
	if _, err := io.ReadFull(from, raw); err != nil {
		return message{}, err
	}
	return message{raw[0], raw}, nil
}

// The kinds of messages that matter.
const (
	kindParse = 'P'
	kindBind  = 'B'
	kindQuery = 'Q'
	kindRow   = 'D'
	kindReady = 'Z'
	// goesOn are the kinds that a client sends before the one that ends a
	// group: Parse, Bind, Describe, Execute and Close.
	goesOn = "PBDEC"
)

// ask carries what the client sends, group by group.
func (l *line) ask() {
	from := bufio.NewReader(l.client)
	// The first message has no kind. One that cancels ends the connection.
	head, err := from.Peek(4)
	if err != nil {
		return
	}
	length := int(binary.BigEndian.Uint32(head))
	if length < 4 || length > wireLargest {
		return
	}
	first := make([]byte, length)
	if _, err := io.ReadFull(from, first); err != nil {
		return
	}
	if _, err := l.server.Write(first); err != nil {
		return
	}
	var group []byte
	last, commit, locked := 0, false, false // where its last message begins
	for {
		m, err := next(from)
		if err != nil {
			return
		}
		last = len(group)
		group = append(group, m.raw...)
		switch m.kind {
		case kindParse:
			l.texts[m.text(0)] = m.text(1)
		case kindBind:
			switch name := m.text(1); name {
			case "write":
				commit = true
			case "commit":
				locked = true
			default:
				l.bound(name)
			}
		}
		if strings.IndexByte(goesOn, m.kind) >= 0 {
			continue
		}
		query := ""
		if m.kind == kindQuery {
			query = m.text(0)
		}
		stop := l.arrives(query)
		if stop != nil && !stop.Written {
			l.stand(stop)
			return
		}
		if stop != nil {
			l.mu.Lock()
			l.stop = stop
			l.mu.Unlock()
		}
		if commit {
			if !l.send(group, last, locked) {
				return
			}
		} else if _, err := l.server.Write(group); err != nil {
			return
		}
		group, commit, locked = nil, false, false
	}
}

// send carries a commit, or cuts it; false ends the connection.
func (l *line) send(group []byte, last int, locked bool) bool {
	form := l.wire.form(locked)
	switch form {
	case Unsent:
		return false
	case HalfSent, Unsynced:
		if form == HalfSent {
			last = len(group) / 2
		}
		_, _ = l.server.Write(group[:last]) // the connection ends either way
		return false
	case Late:
		l.mu.Lock()
		l.cut = Late
		l.mu.Unlock()
		passed := l.wire.nextPassed()
		_ = l.client.Close()
		select {
		case <-passed:
		case <-l.wire.ctx.Done():
		}
	default:
		l.mu.Lock()
		l.cut, l.commit = form, true
		l.mu.Unlock()
	}
	_, err := l.server.Write(group)
	return err == nil && form != Late
}

// form says what becomes of a commit, and counts it.
func (w *Wire) form(locked bool) Cut {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.commits++
	if w.choose == nil {
		return Passes
	}
	form := w.choose()
	if form == Late && locked {
		form = Unanswered
	}
	if form != Passes {
		w.cuts[form]++
		select {
		case w.cutting <- struct{}{}:
		default:
		}
	}
	return form
}

// nextPassed is closed when the next commit is answered.
func (w *Wire) nextPassed() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.passed
}

func (l *line) isLate() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cut == Late
}

// bound notes what the statement is that is executed next.
func (l *line) bound(name string) {
	text := l.texts[name]
	l.mu.Lock()
	l.clock = text == "SELECT clock_timestamp()"
	l.mu.Unlock()
	l.executes(text)
}

// answer carries what the server sends.
func (l *line) answer() {
	defer l.client.Close()
	from := bufio.NewReader(l.server)
	var kept []byte // of the answer that is cut
	for {
		m, err := next(from)
		if err != nil {
			return
		}
		l.mu.Lock()
		cut, commit, stop := l.cut, l.commit, l.stop
		if m.kind == kindRow && l.clock {
			l.clock = false
			l.wire.tellTime(m.body())
		}
		if m.kind == kindReady {
			l.commit = false
		}
		l.mu.Unlock()
		switch {
		case stop != nil:
			if m.kind == kindReady {
				l.stand(stop)
				return
			}
		case cut == Passes:
			if _, err := l.client.Write(m.raw); err != nil {
				return
			}
			if commit && m.kind == kindReady {
				l.wire.locked(func() { close(l.wire.passed); l.wire.passed = make(chan struct{}) })
			}
		case m.kind != kindReady:
			kept = append(kept, m.raw...)
		default:
			if cut == HalfAnswered {
				_, _ = l.client.Write(kept[:len(kept)/2]) // the connection ends either way
			}
			_ = l.server.Close()
			return
		}
	}
}

// tellTime moves the time in a row that is nothing else: a count of columns,
// a length and microseconds.
func (w *Wire) tellTime(row []byte) {
	const columns, length = 2, 4
	if len(row) != columns+length+8 {
		return
	}
	w.mu.Lock()
	ahead := w.ahead
	w.mu.Unlock()
	at := row[columns+length:]
	binary.BigEndian.PutUint64(at, binary.BigEndian.Uint64(at)+uint64(ahead.Microseconds()))
}
