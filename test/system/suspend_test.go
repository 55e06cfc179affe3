//go:build linux

package system

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/centrifugal/centrifuge-go"

	"happening/test/house"
)

// frames is somebody who looks at an event's map.
type frames struct {
	got   atomic.Int64 // that say something
	ended chan struct{}
}

// look watches an event as who, or as a visitor (nil), until the end of the
// test or of their access.
func look(t *testing.T, h *house.House, who *house.Person, eventID string) *frames {
	t.Helper()
	f, begun := &frames{ended: make(chan struct{})}, make(chan struct{})
	config := centrifuge.Config{}
	if who != nil {
		config.Header = http.Header{"Authorization": {"Bearer " + who.Token}}
	}
	client := centrifuge.NewJsonClient("ws://"+h.API+"/connection/websocket", config)
	t.Cleanup(client.Close)
	sub, err := client.NewSubscription("event:" + eventID)
	if err != nil {
		t.Fatal(err)
	}
	sub.OnSubscribed(func(centrifuge.SubscribedEvent) { close(begun) })
	sub.OnUnsubscribed(func(centrifuge.UnsubscribedEvent) { close(f.ended) })
	sub.OnPublication(func(e centrifuge.PublicationEvent) {
		if strings.Contains(string(e.Data), `"seats"`) { // versions are repeated and say nothing new
			f.got.Add(1)
		}
	})
	if err := sub.Subscribe(); err != nil {
		t.Fatal(err)
	}
	if err := client.Connect(); err != nil {
		t.Fatal(err)
	}
	house.Await(t, "the map is watched", house.SettleLimit, func() bool {
		select {
		case <-begun:
			return true
		default:
			return false
		}
	})
	return f
}

// An organization is suspended by a second process. Who is no member loses
// sight of it, on open connections too, while its members read on; nobody books
// or is promoted. When it is resumed all of that is back, and who waited gets
// what became free.
func TestSuspension(t *testing.T) {
	t.Parallel()
	h := house.New(t)
	h.Serve()
	c := house.NewClient(h.API)
	t.Cleanup(c.Close)
	people := h.People("people", 3)
	admin, first, second := people[0], people[1], people[2]
	org := c.Organization(t, admin)
	eventID := c.Event(t, admin, org, 3, nil)
	event := "/events/" + eventID
	l := house.NewLedger()
	visitor, member := look(t, h, nil, eventID), look(t, h, admin, eventID)
	all := l.Book(first, eventID, 3)
	l.Place(c, all)
	waiting := l.Book(second, eventID, 1)
	l.Place(c, waiting)
	if all.Told == nil || waiting.Told == nil || waiting.Told.Status != "waiting" {
		t.Fatalf("%+v, %+v", all, waiting)
	}
	house.Await(t, "a visitor sees what is sold", house.SettleLimit, func() bool { return visitor.got.Load() > 0 && member.got.Load() > 0 })

	for _, args := range [][]string{{"0190a000-0000-7000-8000-000000000001"}, {"nothing"}} {
		r := h.Run(append([]string{"org", "suspend"}, args...)...)
		if r.Status != 1 || len(r.Faults()) != 1 || !strings.Contains(r.Stderr, args[0]) {
			t.Errorf("%v: status %d, said %q", args, r.Status, r.Stderr)
		}
	}
	if said := h.Must("org", "suspend", org); !strings.Contains(said, "is suspended.") {
		t.Errorf("said %q", said)
	}
	since := time.Now()
	house.Await(t, "a visitor finds no event", house.SettleLimit, func() bool {
		return c.Status(event) == http.StatusNotFound && c.Status(event+"/seats") == http.StatusNotFound
	})
	t.Logf("a visitor found nothing %s after the command", time.Since(since).Round(time.Millisecond))
	select {
	case <-visitor.ended:
		t.Logf("a visitor's connection was told %s after the command", time.Since(since).Round(time.Millisecond))
	case <-time.After(house.SettleLimit):
		t.Fatal("a visitor goes on watching")
	}
	if said := h.Must("org", "suspend", org); !strings.Contains(said, "already") {
		t.Errorf("the second time said %q", said)
	}
	c.Want(t, admin, http.StatusOK, http.MethodGet, event, nil, nil)
	c.Want(t, admin, http.StatusOK, http.MethodGet, event+"/seats", nil, nil)
	for who, want := range map[*house.Person]int{admin: http.StatusConflict, second: http.StatusNotFound} {
		a := c.Send(t, who, http.MethodPost, "/bookings", map[string]any{"event_id": eventID, "seats": 1})
		if a.Status != want || want == http.StatusConflict && a.Code() != "org_suspended" {
			t.Errorf("a booking is answered %s", a)
		}
	}

	// Who has booked gives it up. The members see it, the visitor does not, and
	// who waits waits on.
	unseen, seen := visitor.got.Load(), member.got.Load()
	l.Place(c, l.Cancel(first, all.Told.ID))
	house.Await(t, "a member sees what is free", house.SettleLimit, func() bool { return member.got.Load() > seen })
	if got := visitor.got.Load(); got != unseen {
		t.Errorf("a visitor got %d frames", got-unseen)
	}
	status := func() string {
		var b house.Booking
		c.Want(t, second, http.StatusOK, http.MethodGet, "/bookings/"+waiting.Told.ID, nil, &b)
		return b.Status
	}
	if got := status(); got != "waiting" {
		t.Errorf("promoted while suspended: %s", got)
	}

	if said := h.Must("org", "resume", org); !strings.Contains(said, "is open.") {
		t.Errorf("said %q", said)
	}
	house.Await(t, "a visitor sees the event again", house.SettleLimit, func() bool {
		return c.Status(event) == http.StatusOK && c.Status(event+"/seats") == http.StatusOK
	})
	house.Await(t, "who waited is promoted", house.SettleLimit, func() bool { return status() == "confirmed" })
	again := l.Book(first, eventID, 1)
	l.Place(c, again)
	if again.Told == nil || again.Told.Status != "confirmed" {
		t.Errorf("after resuming: %+v", again)
	}
	h.Judge(l)
}
