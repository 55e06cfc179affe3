//go:build linux

package system

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"happening/test/house"
)

// Whoever signs out of another browser ends its session and its open
// websocket, and stays signed in themselves.
func TestSigningOutOfAnotherBrowser(t *testing.T) {
	t.Parallel()
	h := house.New(t)
	h.Serve("--demo")
	here, there := h.SignIn("user1@demo.test"), h.SignIn("user1@demo.test")
	c := house.NewClient(h.Client)
	t.Cleanup(c.Close)
	from := "Origin: " + h.PublicURL()
	ended := house.OpenSocket(t, h.Client, h.PublicURL(), there.Cookie())
	listed := c.Get(t, nil, "/api/users/me/sessions", here.Cookie())
	var sessions struct {
		Items []struct {
			ID      string
			Current bool
		}
	}
	if err := json.Unmarshal(listed.Body, &sessions); err != nil || len(sessions.Items) != 2 {
		t.Fatalf("%v: %s", err, listed)
	}
	for _, s := range sessions.Items {
		if s.Current {
			continue
		}
		if a := c.Send(t, nil, http.MethodDelete, "/api/users/me/sessions/"+s.ID, nil, here.Cookie(), from); a.Status != http.StatusNoContent {
			t.Fatalf("ending the other: %s", a)
		}
	}
	began := time.Now()
	if a := c.Get(t, nil, "/api/users/me", there.Cookie()); a.Status != http.StatusUnauthorized {
		t.Errorf("the other one's next request: %s", a)
	}
	select {
	case <-ended:
		t.Logf("the other one's websocket was closed after %v", time.Since(began).Round(time.Millisecond))
	case <-time.After(house.SettleLimit):
		t.Errorf("the other one's websocket is still open after %v", house.SettleLimit)
	}
	if a := c.Get(t, nil, "/api/users/me", here.Cookie()); a.Status != http.StatusOK {
		t.Errorf("one's own session: %s", a)
	}
}
