package app

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestConnectionsBeyondTheBoundAreTurnedAway opens one connection too many:
// it is told when to come back, whatever it asks, and let in once another has
// gone. A websocket does not count. With a bound that is higher by one it is let
// in at once.
func TestConnectionsBeyondTheBoundAreTurnedAway(t *testing.T) {
	t.Parallel()
	const most = 3
	for _, more := range []int{0, 1} {
		plain, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ln := newBounded(plain, most+more, most, nil)
		server := newServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/socket" {
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
				}
				t.Cleanup(func() { _ = conn.Close() })
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			}
		}), slog.New(slog.DiscardHandler))
		go func() { _ = server.Serve(ln) }()
		t.Cleanup(func() { _ = server.Close() })

		ask := func(path string) (*http.Response, net.Conn) {
			conn, err := net.Dial("tcp", plain.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close() })
			if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadAll(res.Body); err != nil {
				t.Fatal(err)
			}
			return res, conn
		}
		ask("/socket")
		_, first := ask("/")
		for range most - 1 {
			ask("/")
		}
		res, _ := ask("/")
		if more > 0 {
			if res.StatusCode != http.StatusOK {
				t.Errorf("below the bound: %s", res.Status)
			}
			continue
		}
		if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
			t.Errorf("one too many: %s, %v", res.Status, res.Header)
		}
		_ = first.Close()
		for over := time.Now().Add(patience); ; { // the server notices in a moment
			res, conn := ask("/")
			if res.StatusCode == http.StatusOK {
				break
			}
			if _ = conn.Close(); time.Now().After(over) {
				t.Fatalf("after one has gone: %s", res.Status)
			}
		}
	}
}

// TestNobodyTakesAPortFromAllOthers: an address has so many connections, with its
// whole network where it is one of IPv6, and another has room then. A trusted
// proxy and this machine bring everybody and have none of their own.
func TestNobodyTakesAPortFromAllOthers(t *testing.T) {
	t.Parallel()
	const most, ofOne = 10, 3
	for name, c := range map[string]struct {
		one, other string
		in         int // of the one
	}{
		"an address":     {"203.0.113.7", "203.0.113.8", ofOne},
		"as IPv6":        {"::ffff:203.0.113.7", "203.0.113.8", ofOne},
		"a network":      {"2001:db8::%d", "2001:db8:0:1::1", ofOne},
		"a proxy":        {"192.0.2.%d", "203.0.113.8", most},
		"this machine":   {"127.0.0.1", "203.0.113.8", most},
		"this machine 6": {"::1", "203.0.113.8", most},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newBounded(nil, most, ofOne, []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")})
			as := func(text string, n int) netip.Addr {
				ip := net.ParseIP(strings.ReplaceAll(text, "%d", strconv.Itoa(n+1)))
				return l.countedAs(&net.TCPAddr{IP: ip, Port: n})
			}
			in := 0
			for n := range most + 1 {
				if l.enter(as(c.one, n)) {
					in++
				}
			}
			if in != c.in {
				t.Errorf("%d of %s are let in, want %d", in, c.one, c.in)
			}
			if came := l.enter(as(c.other, 0)); came != (c.in < most) {
				t.Errorf("%s is let in: %v", c.other, came)
			}
			l.leave(as(c.one, 0))
			if !l.enter(as(c.one, 1)) || l.enter(as(c.one, 2)) {
				t.Errorf("%s has left once and has not room for exactly one more", c.one)
			}
		})
	}
}
