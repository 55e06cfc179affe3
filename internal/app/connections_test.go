package app

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"net/http"
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
	for _, more := range []int64{0, 1} {
		plain, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ln := &bounded{Listener: plain, most: most + more}
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
