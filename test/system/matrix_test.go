//go:build linux

package system

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/websocket"

	"happening/test/house"
)

// wire speaks centrifuge's JSON protocol, a command at a time, and shows the
// replies as they come.
type wire struct {
	t    *testing.T
	conn *websocket.Conn
	next int
}

// dial opens a connection as who; nil is a visitor.
func dial(t *testing.T, h *house.House, who *house.Person) *wire {
	t.Helper()
	var headers []string
	if who != nil {
		headers = append(headers, "Authorization: Bearer "+who.Token)
	}
	conn, res := house.DialSocket(t, h, "", headers...)
	if conn == nil {
		t.Fatalf("the websocket is refused: %s", res.Status)
	}
	w := &wire{t: t, conn: conn}
	if reply := w.ask("connect", map[string]any{}); strings.Contains(reply, `"error"`) {
		t.Fatalf("connecting is answered %s", reply)
	}
	return w
}

// ask sends a command and gives its reply without the command's number; what is
// pushed meanwhile is passed over.
func (w *wire) ask(command string, params map[string]any) string {
	w.t.Helper()
	w.next++
	if err := w.conn.WriteJSON(map[string]any{"id": w.next, command: params}); err != nil {
		w.t.Fatal(err)
	}
	number := fmt.Sprintf(`{"id":%d,`, w.next)
	for {
		if err := w.conn.SetReadDeadline(time.Now().Add(house.RequestLimit)); err != nil {
			w.t.Fatal(err)
		}
		_, text, err := w.conn.ReadMessage()
		if err != nil {
			w.t.Fatalf("%s %v: %v", command, params, err)
		}
		for line := range strings.Lines(string(text)) {
			if reply, ok := strings.CutPrefix(strings.TrimSpace(line), number); ok {
				return reply
			}
		}
	}
}

// closedInvalidToken is how centrifuge's protocol ends a connection whose
// credential is not valid.
const closedInvalidToken = 3500

// Whoever may see an event may listen to it, everybody to themselves, and nobody
// to anything else; what is hidden is answered as what is not there, to the
// byte. Nobody publishes, or reads who listens.
func TestChannelsByWhoAsks(t *testing.T) {
	t.Parallel()
	h := house.New(t)
	h.Serve()
	c := house.NewClient(h.API)
	t.Cleanup(c.Close)
	people := h.People("people", 7)
	callers := map[string]*house.Person{
		"visitor": nil, "stranger": people[0], "user": people[1], "organizer": people[2], "orgAdmin": people[3],
		"other": people[4], "former": people[5], "booker": people[6],
	}
	admin, other := callers["orgAdmin"], callers["other"]
	ourOrg, otherOrg := c.Organization(t, admin), c.Organization(t, other)
	for name, role := range map[string]string{"user": "user", "organizer": "organizer", "former": "organizer", "booker": "user"} {
		join(t, c, admin, callers[name], ourOrg, role)
	}
	members := map[string]any{"visibility": "members"}
	events := map[string]string{
		"ours": c.Event(t, admin, ourOrg, 10, nil), "hidden": c.Event(t, admin, ourOrg, 10, members),
		"foreign": c.Event(t, other, otherOrg, 10, members), "absent": uuid.NewString(),
	}
	for _, event := range []string{"ours", "hidden"} {
		c.Want(t, callers["booker"], http.StatusCreated, http.MethodPost, "/bookings", map[string]any{"event_id": events[event], "seats": 1}, nil)
	}
	for _, name := range []string{"former", "booker"} {
		c.Want(t, admin, http.StatusNoContent, http.MethodDelete, "/organizations/"+ourOrg+"/members/"+callers[name].ID, nil, nil)
	}

	all := slices.Sorted(maps.Keys(callers))
	may := map[string][]string{
		"ours": all, "hidden": {"organizer", "orgAdmin", "user"}, "foreign": {"other"}, "absent": nil,
	}
	refusals := map[string]bool{}
	for _, who := range all {
		w := dial(t, h, callers[who])
		for _, event := range slices.Sorted(maps.Keys(events)) {
			reply := w.ask("subscribe", map[string]any{"channel": "event:" + events[event]})
			if listens := !strings.Contains(reply, `"error"`); listens != slices.Contains(may[event], who) {
				t.Errorf("%s listens to the event that is %s: %v, %s", who, event, listens, reply)
			} else if !listens {
				refusals[reply] = true
			}
		}
		for name, p := range callers {
			id := uuid.NewString()
			if p != nil {
				id = p.ID
			}
			reply := w.ask("subscribe", map[string]any{"channel": "user:" + id})
			if listens := !strings.Contains(reply, `"error"`); listens != (name == who && p != nil) {
				t.Errorf("%s listens to what is for %s: %v, %s", who, name, listens, reply)
			} else if !listens {
				refusals[reply] = true
			}
		}
		for _, channel := range []string{"event:{" + events["hidden"] + "}", "events", "user:*", "$event:" + events["hidden"], "org:" + ourOrg} {
			if reply := w.ask("subscribe", map[string]any{"channel": channel}); !strings.Contains(reply, `"error"`) {
				t.Errorf("%s listens to %q: %s", who, channel, reply)
			}
		}
		for _, command := range []string{"publish", "history", "presence", "presence_stats"} {
			for _, event := range []string{"ours", "hidden"} {
				reply := w.ask(command, map[string]any{"channel": "event:" + events[event], "data": map[string]any{"seats": []int{1, 2}}})
				if !strings.Contains(reply, `"error"`) {
					t.Errorf("%s does %s to the event that is %s: %s", who, command, event, reply)
				}
			}
		}
	}
	if len(refusals) != 1 {
		t.Errorf("refusals differ: %q", slices.Sorted(maps.Keys(refusals)))
	}

	// A credential that is over opens nothing, not even what is open to all.
	token := strings.Fields(h.Must("token", "--user", people[3].Email, "--ttl", "1s"))[1]
	late := &house.Person{Token: token}
	house.Await(t, "a token of a second is over", house.SettleLimit, func() bool {
		return c.Get(t, late, "/events").Status == http.StatusUnauthorized
	})
	for name, token := range map[string]string{"expired": token, "invented": "garbage"} {
		conn, _ := house.DialSocket(t, h, "", "Authorization: Bearer "+token)
		if conn == nil {
			continue
		}
		if err := conn.WriteJSON(map[string]any{"id": 1, "connect": map[string]any{}}); err != nil {
			t.Fatal(err)
		}
		if err := conn.SetReadDeadline(time.Now().Add(house.RequestLimit)); err != nil {
			t.Fatal(err)
		}
		_, text, err := conn.ReadMessage()
		if !websocket.IsCloseError(err, closedInvalidToken) {
			t.Errorf("a connection with an %s token is answered %q, %v", name, text, err)
		}
	}
}

// Who is removed, or leaves, listens no longer, on a connection that is open
// already; who stays goes on.
func TestWhoIsRemovedListensNoLonger(t *testing.T) {
	t.Parallel()
	h := house.New(t)
	h.Serve()
	c := house.NewClient(h.API)
	t.Cleanup(c.Close)
	people := h.People("people", 4)
	admin, removed, leaving, staying := people[0], people[1], people[2], people[3]
	org := c.Organization(t, admin)
	for _, p := range people[1:] {
		join(t, c, admin, p, org, "organizer")
	}
	event := c.Event(t, admin, org, 10, map[string]any{"visibility": "members"})
	stays := look(t, h, staying, event)
	for who, by := range map[*house.Person]*house.Person{removed: admin, leaving: leaving} {
		goes := look(t, h, who, event)
		c.Want(t, by, http.StatusNoContent, http.MethodDelete, "/organizations/"+org+"/members/"+who.ID, nil, nil)
		since := time.Now()
		if a := c.Get(t, who, "/events/"+event); a.Status != http.StatusNotFound {
			t.Errorf("the next request is answered %s", a)
		}
		select {
		case <-goes.ended:
			t.Logf("who is no member any more listened for %s", time.Since(since).Round(time.Millisecond))
		case <-time.After(house.SettleLimit):
			t.Error("who is no member any more goes on listening")
		}
	}
	select {
	case <-stays.ended:
		t.Error("a member lost the map")
	default:
	}
}

// join makes somebody a member by an invite.
func join(t *testing.T, c *house.Client, admin, who *house.Person, org, role string) {
	t.Helper()
	var invite struct{ ID string }
	c.Want(t, admin, http.StatusCreated, http.MethodPost, "/org-invites", map[string]any{"org_id": org, "email": who.Email, "role": role}, &invite)
	c.Want(t, who, http.StatusOK, http.MethodPost, "/org-invites/"+invite.ID+"/accept", nil, nil)
}
