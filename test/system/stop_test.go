//go:build linux

package system

import (
	"net"
	"net/http"
	"testing"
	"time"

	"happening/test/house"
)

// stopLimit bounds a stop, clients that dawdle included: 3 s for requests in
// flight, 1 s for sockets and up to 25 s that PostgreSQL is given, on a machine
// that may be busy and under the race detector.
const stopLimit = 45 * time.Second

// stopped stops a server by Ctrl-C and wants that nothing of it is left.
func stopped(t *testing.T, h *house.House, s *house.Server) {
	t.Helper()
	status, took := s.Interrupt()
	if left := h.Processes(); len(left) > 0 {
		t.Errorf("after Ctrl-C these still run: %v", left)
	}
	if status != 0 || took > stopLimit {
		t.Errorf("Ctrl-C: status %d after %v\n%s", status, took, s.Said())
	}
}

// Ctrl-C ends everything within the limit also while browsers listen and hold
// connections open.
func TestInterruptWhileClientsAreThere(t *testing.T) {
	t.Parallel()
	h := house.New(t)
	s := h.Serve()
	c := house.NewClient(h.Client)
	t.Cleanup(c.Close)
	// Kept alive by the client's pool after its answer.
	if a := c.Get(t, nil, "/api/events"); a.Status != http.StatusOK {
		t.Fatalf("/api/events: %s", a)
	}
	admin := h.People("admin", 1)[0]
	api := house.NewClient(h.API)
	t.Cleanup(api.Close)
	eventID := api.Event(t, admin, api.Organization(t, admin), 10, nil)
	socket, res := house.DialSocket(t, h, h.PublicURL())
	if socket == nil {
		t.Fatalf("the websocket is refused: %s", res.Status)
	}
	house.Listen(t, socket, "event:"+eventID)
	stopped(t, h, s)
}

// Ctrl-C ends everything within the limit also while clients dawdle: one opened
// a connection ahead, one stopped in the middle of a request, and one listens
// but is too far gone to say goodbye.
func TestInterruptWhileClientsDawdle(t *testing.T) {
	t.Parallel()
	h := house.New(t)
	s := h.Serve()
	for _, addr := range []string{h.Client, h.API} {
		ahead, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { ahead.Close() })
		half, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { half.Close() })
		// The server asks for the body when it has begun to read it.
		head := "POST /api/bookings HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
		if _, err := half.Write([]byte(head)); err != nil {
			t.Fatal(err)
		}
		if _, err := half.Read(make([]byte, len("HTTP/1.1 100"))); err != nil {
			t.Fatal(err)
		}
	}
	socket, res := house.DialSocket(t, h, h.PublicURL())
	if socket == nil {
		t.Fatalf("the websocket is refused: %s", res.Status)
	}
	if err := socket.WriteJSON(map[string]any{"id": 1, "connect": map[string]any{}}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := socket.ReadMessage(); err != nil {
		t.Fatal(err)
	}
	stopped(t, h, s)
}
