package testkit

import (
	"strings"
	"sync"
)

// Moment is one in a process's conversation with PostgreSQL, told by what goes
// over the wire.
type Moment struct {
	// Statement is a part of the text of the statement that is executed.
	Statement string
	// Commit says that the moment is the commit of the transaction in which the
	// statement was executed; else the statement is a transaction by itself.
	Commit bool
	// Written says that PostgreSQL has done it and its answer is held back; else
	// it hears nothing of it.
	Written bool
}

// Stop is a moment at which one connection stands still. What the process does
// over others goes on.
type Stop struct {
	Moment
	// Reached is closed when a connection stands there.
	Reached <-chan struct{}

	reached, over chan struct{}
	end           sync.Once
}

// StopAt lets the next connection that comes to a moment stand still there
// until Over.
func (w *Wire) StopAt(m Moment) *Stop {
	s := &Stop{Moment: m, reached: make(chan struct{}), over: make(chan struct{})}
	s.Reached = s.reached
	w.locked(func() { w.stops = append(w.stops, s) })
	return s
}

// Over ends the connection that stands still; what PostgreSQL has not heard it
// never does.
func (s *Stop) Over() { s.end.Do(func() { close(s.over) }) }

// executes notes that a line executes a statement, in a transaction or alone.
func (l *line) executes(text string) {
	l.wire.mu.Lock()
	defer l.wire.mu.Unlock()
	for _, s := range l.wire.stops {
		if strings.Contains(text, s.Statement) {
			l.near = s
		}
	}
}

// arrives says at which moment a line stands with a group of messages that
// begins with a query of some text, or with none; nil: at none. Nobody else
// comes to that moment then.
func (l *line) arrives(query string) *Stop {
	s := l.near
	if s == nil || s.Commit && query == "" {
		return nil
	}
	l.near = nil
	if s.Commit != (query == "commit") {
		return nil
	}
	l.wire.mu.Lock()
	defer l.wire.mu.Unlock()
	for i, waited := range l.wire.stops {
		if waited == s {
			l.wire.stops = append(l.wire.stops[:i:i], l.wire.stops[i+1:]...)
			return s
		}
	}
	return nil
}

// stand stands still until the moment is over, or the test.
func (l *line) stand(s *Stop) {
	close(s.reached)
	select {
	case <-s.over:
	case <-l.wire.ctx.Done():
	}
}
