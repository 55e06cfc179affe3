//go:build linux && !engines && !race

package system

import (
	"net/http"
	"testing"
	"time"

	"happening/test/house"
)

// day is how far clocks are apart.
const day = 24 * time.Hour

// heldSeat is none of those that are chosen for somebody.
const heldSeat = 50

// The clocks of process and database move a day apart, one way and the other,
// while Happening runs, and stand so when it starts. A jump makes it unready and
// is believed by nobody: no event begins by it, no waitlist is closed, no hold
// ends early or stays for ever. What stands at the start is believed, and the
// database's clock is the one that counts.
func TestClocksApart(t *testing.T) {
	t.Parallel()
	h, wire, _ := newWired(t, nil)
	h.Env["HAPPENING_HOLD_TTL"] = "30m" // longer than the slowest machine takes
	server := h.Serve()
	c := house.NewClient(h.API)
	t.Cleanup(c.Close)
	// Tokens are the clock's, too: who starts anew signs in anew.
	var admin, sitting, waiting, holder, other *house.Person
	signIn := func() {
		people := h.People("clock", 5)
		admin, sitting, waiting, holder, other = people[0], people[1], people[2], people[3], people[4]
	}
	signIn()
	org := c.Organization(t, admin)
	soon := time.Now().Add(day / 2)
	tonight := c.Event(t, admin, org, 1, map[string]any{"starts_at": soon, "ends_at": soon.Add(time.Hour)})
	sale := c.Event(t, admin, org, 100, map[string]any{"starts_at": soon.Add(100 * day), "ends_at": soon.Add(101 * day)})
	l := house.NewLedger()
	first, queued := l.Book(sitting, tonight, 1), l.Book(waiting, tonight, 1)
	l.Place(c, first)
	if l.Place(c, queued); queued.Told == nil || queued.Told.Status != "waiting" {
		t.Fatalf("the second of one seat: %+v", queued.Told)
	}
	hold := func(seat int) {
		t.Helper()
		var got struct{ Granted []int }
		c.Want(t, holder, http.StatusOK, http.MethodPut, "/events/"+sale+"/holds", map[string]any{"seat_numbers": []int{seat}}, &got)
		if len(got.Granted) != 1 {
			t.Fatalf("seat %d is not held", seat)
		}
	}
	take := func(seat int) *house.Order {
		o := l.Order(other, "/bookings", map[string]any{"event_id": sale, "seats": 1, "seat_numbers": []int{seat}})
		l.Place(c, o)
		return o
	}
	statusOf := func(who *house.Person, bookingID string) string {
		t.Helper()
		var b struct{ Status string }
		c.Want(t, who, http.StatusOK, http.MethodGet, "/bookings/"+bookingID, nil, &b)
		return b.Status
	}
	eventStatus := func(eventID string) string {
		t.Helper()
		var e struct{ Status string }
		c.Want(t, nil, http.StatusOK, http.MethodGet, "/events/"+eventID, nil, &e)
		return e.Status
	}
	restart := func(ahead time.Duration) {
		t.Helper()
		server.Interrupt()
		c.Close()
		wire.Ahead(ahead)
		server = h.Serve()
		signIn()
	}

	hold(heldSeat)
	jumps := []time.Duration{day}
	if jumpBack {
		jumps = append(jumps, -day)
	}
	for _, jump := range jumps {
		t.Run("a jump of "+jump.String(), func(t *testing.T) {
			wire.Ahead(jump)
			wantUnready(t, h)
			if got := eventStatus(tonight); got != "upcoming" {
				t.Errorf("the event of tonight is %s", got)
			}
			if got := statusOf(waiting, queued.Told.ID); got != "waiting" {
				t.Errorf("who waits is %s", got)
			}
			if o := take(heldSeat); o.Refused != "seats_unavailable" {
				t.Errorf("a seat that is held for half an hour, a moment later: refused %q", o.Refused)
			}
			// Who is here already is served, by the clock as it was.
			o := l.Book(sitting, sale, 1)
			if l.Place(c, o); o.Told == nil {
				t.Errorf("a booking meanwhile: refused %q, unknown %t", o.Refused, o.Unknown)
			}
			wire.Ahead(0)
			wantReady(t, h, server)
		})
	}
	t.Run("started a day behind", func(t *testing.T) {
		h.Env["HAPPENING_HOLD_TTL"] = "1s"
		restart(-day)
		hold(heldSeat)
		house.Await(t, "the hold has ended", house.SettleLimit, func() bool { return take(heldSeat).Told != nil })
		// Begins before this machine's now, and after the database's.
		yesterday := time.Now().Add(-day / 2)
		matinee := c.Event(t, admin, org, 10, map[string]any{"starts_at": yesterday, "ends_at": yesterday.Add(time.Hour)})
		o := l.Book(sitting, matinee, 1)
		if l.Place(c, o); o.Told == nil {
			t.Errorf("an event that begins by the database's clock: refused %q", o.Refused)
		}
		h.Check()
	})
	// The control: the same day, believed, closes the waitlist.
	t.Run("started a day ahead", func(t *testing.T) {
		restart(day)
		if got := eventStatus(tonight); got != "completed" {
			t.Errorf("the event of tonight, tomorrow: %s", got)
		}
		if a := c.Send(t, other, http.MethodPost, "/bookings", map[string]any{"event_id": tonight, "seats": 1}); a.Code() != "event_not_bookable" {
			t.Errorf("booking it: %s", a)
		}
		house.Await(t, "the waitlist is closed", house.SettleLimit, func() bool { return statusOf(waiting, queued.Told.ID) == "cancelled" })
	})
	h.Judge(l)
}
