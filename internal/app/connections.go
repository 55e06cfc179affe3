package app

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Limits of connections.
const (
	// maxConnections bounds the open connections of each public port, and with
	// them the requests in flight and what they take of the memory. Websockets
	// have a bound of their own.
	maxConnections = 8192
	// maxHeader bounds the headers of one request, in bytes: tokens and cookies
	// take a few thousand.
	maxHeader = 32 << 10
	// turnedAway bounds the connections beyond that which are told so; more are
	// closed without a word.
	turnedAway = 64
	// turnPatience is how long one of them may take to be told.
	turnPatience = time.Second
)

// crowded is what a connection too many is told, whatever it asks.
var crowded = strings.ReplaceAll(`HTTP/1.1 503 Service Unavailable
Content-Type: application/problem+json
Retry-After: 2
Connection: close
Content-Length: 130

{"status":503,"title":"Service Unavailable","detail":"Too many connections; try again in a moment.","code":"busy","retry_after":2}`, "\n", "\r\n")

// bounded is a listener with a number of connections at a time. Those beyond
// it are told to come back, instead of waiting where nobody sees them.
type bounded struct {
	net.Listener
	most    int64
	open    atomic.Int64
	turning atomic.Int64
}

// Accept implements net.Listener.
func (l *bounded) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.open.Add(1) <= l.most {
			return &counted{Conn: conn, closed: sync.OnceFunc(func() { l.open.Add(-1) })}, nil
		}
		l.open.Add(-1)
		l.turnAway(conn)
	}
}

// turnAway tells a connection that it is one too many. What it has sent is read
// before it is closed: unread, it would make the kernel throw the answer away.
func (l *bounded) turnAway(conn net.Conn) {
	if l.turning.Add(1) > turnedAway {
		l.turning.Add(-1)
		_ = conn.Close()
		return
	}
	go func() {
		defer l.turning.Add(-1)
		defer conn.Close()
		if conn.SetDeadline(time.Now().Add(turnPatience)) != nil {
			return
		}
		if _, err := io.WriteString(conn, crowded); err != nil {
			return
		}
		if half, ok := conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
			_, _ = io.Copy(io.Discard, io.LimitReader(conn, maxHeader))
		}
	}()
}

// counted is a connection that is counted until it is closed, or is no longer
// HTTP's.
type counted struct {
	net.Conn
	closed func()
}

// Close implements net.Conn.
func (c *counted) Close() error {
	defer c.closed()
	return c.Conn.Close()
}

// left stops counting connections that have become something else.
func left(conn net.Conn, now http.ConnState) {
	if c, ok := conn.(*counted); ok && now == http.StateHijacked {
		c.closed()
	}
}
