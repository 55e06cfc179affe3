package app

import (
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
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
	// maxOfOne bounds those of them that come from one address, or from one
	// network of IPv6, so that nobody takes a port from everybody else. A campus
	// shares one address. A trusted proxy brings everybody, and what comes from
	// this machine is one, or its operator.
	maxOfOne = maxConnections / 4 * 3
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
	most, ofOne int
	trusted     []netip.Prefix

	mu      sync.Mutex
	open    int
	from    map[netip.Addr]int // of open, by address
	turning atomic.Int64
}

func newBounded(ln net.Listener, most, ofOne int, trusted []netip.Prefix) *bounded {
	return &bounded{Listener: ln, most: most, ofOne: ofOne, trusted: trusted, from: map[netip.Addr]int{}}
}

// Accept implements net.Listener.
func (l *bounded) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := l.countedAs(conn.RemoteAddr())
		if l.enter(from) {
			return &counted{Conn: conn, closed: sync.OnceFunc(func() { l.leave(from) })}, nil
		}
		l.turnAway(conn)
	}
}

// addressBits6 is how much of an IPv6 address names a household; the rest
// changes at will.
const addressBits6 = 64

// countedAs is the address under which a connection is counted; the zero one
// has no bound of its own.
func (l *bounded) countedAs(remote net.Addr) netip.Addr {
	tcp, ok := remote.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	addr := tcp.AddrPort().Addr().Unmap().WithZone("")
	switch {
	case addr.IsLoopback(), slices.ContainsFunc(l.trusted, func(p netip.Prefix) bool { return p.Contains(addr) }):
		return netip.Addr{}
	case addr.Is6():
		if network, err := addr.Prefix(addressBits6); err == nil {
			return network.Addr()
		}
	}
	return addr
}

func (l *bounded) enter(from netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open >= l.most || from.IsValid() && l.from[from] >= l.ofOne {
		return false
	}
	l.open++
	l.from[from]++
	return true
}

func (l *bounded) leave(from netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
	if l.from[from]--; l.from[from] == 0 {
		delete(l.from, from)
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
