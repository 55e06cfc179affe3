//go:build linux

package house

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// DialSocket opens a websocket as a page of an origin does; empty: as a program
// that sends none. A refusal has no connection but an answer.
func DialSocket(t *testing.T, h *House, origin string, headers ...string) (*websocket.Conn, *http.Response) {
	t.Helper()
	return dialAt(t, strings.TrimPrefix(h.PublicURL(), "http://"), origin, headers...)
}

// OpenSocket opens a websocket at one server, which has to let it in, and says
// when it has ended.
func OpenSocket(t *testing.T, addr, origin string, headers ...string) (ended <-chan struct{}) {
	t.Helper()
	conn, res := dialAt(t, addr, origin, headers...)
	if conn == nil {
		t.Fatalf("the websocket is refused: %s", res.Status)
	}
	if err := conn.WriteJSON(map[string]any{"id": 1, "connect": map[string]any{}}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := conn.ReadMessage(); err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		for {
			if _, _, err := conn.ReadMessage(); err != nil {
				return
			}
		}
	}()
	return over
}

func dialAt(t *testing.T, addr, origin string, headers ...string) (*websocket.Conn, *http.Response) {
	t.Helper()
	header := http.Header{}
	if origin != "" {
		header.Set("Origin", origin)
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		header.Set(name, value)
	}
	dialer := websocket.Dialer{HandshakeTimeout: RequestLimit}
	conn, res, err := dialer.Dial("ws://"+addr+"/connection/websocket", header)
	if res == nil {
		t.Fatal(err)
	}
	if err != nil {
		return nil, res
	}
	t.Cleanup(func() { conn.Close() })
	return conn, res
}

// Listen subscribes to a channel in centrifuge's JSON protocol and reads on, as
// a browser does, until the connection ends.
func Listen(t *testing.T, conn *websocket.Conn, channel string) {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(RequestLimit)); err != nil {
		t.Fatal(err)
	}
	for i, command := range []map[string]any{{"connect": map[string]any{}}, {"subscribe": map[string]any{"channel": channel}}} {
		command["id"] = i + 1
		if err := conn.WriteJSON(command); err != nil {
			t.Fatal(err)
		}
		_, text, err := conn.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		var reply struct {
			ID    int
			Error json.RawMessage
		}
		first, _, _ := strings.Cut(string(text), "\n")
		if err := json.Unmarshal([]byte(first), &reply); err != nil || reply.ID != i+1 || reply.Error != nil {
			t.Fatalf("%v was answered %s", command, text)
		}
	}
	if err := conn.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			if _, _, err := conn.ReadMessage(); err != nil {
				return
			}
		}
	}()
}
