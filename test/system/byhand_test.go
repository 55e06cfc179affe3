//go:build linux

package system

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"happening/test/house"
)

// A party that is moved to other seats leaves its old ones and takes the new
// ones in one delta, so that nobody's map ever shows it on both or on none; and
// the people to whom organizers do something by hand are told.
func TestByHand(t *testing.T) {
	t.Parallel()
	h := house.New(t)
	h.Serve()
	c := house.NewClient(h.API)
	t.Cleanup(c.Close)
	people := h.People("person", 4)
	admin, ann, bob, cem := people[0], people[1], people[2], people[3]
	event := c.Event(t, admin, c.Organization(t, admin), 6, nil)
	book := func(who *house.Person, body string) string {
		var b struct{ ID string }
		c.Want(t, who, http.StatusCreated, http.MethodPost, "/bookings", json.RawMessage(fmt.Sprintf(`{"event_id":%q,%s}`, event, body)), &b)
		return b.ID
	}
	anns := book(ann, `"seats":2,"seat_numbers":[1,2]`)
	book(admin, `"seats":1,"seat_numbers":[6]`)
	book(bob, `"seats":6`)
	cems := book(cem, `"seats":3`)

	db := h.Database()
	w := house.Watch(t, h.API, nil, event)
	settled := func() {
		t.Helper()
		sold := house.Sold(t, db, event)
		house.Await(t, "the watcher sees what is sold", house.SettleLimit, func() bool { return w.Sees(sold) })
	}
	settled()
	atOnce := 0
	const moves = 6
	for n := range moves {
		fetched, deltas := w.Fetched(), w.Deltas()
		c.Want(t, admin, http.StatusOK, http.MethodPost, "/bookings/"+anns+"/move", map[string]any{"seat_numbers": []int{2 + n%4, 1 + n%4}}, nil)
		settled()
		// A map that was fetched again meanwhile says nothing of deltas.
		if same := w.Fetched() == fetched; same && w.Deltas() == deltas+1 {
			atOnce++
		} else if same && w.Deltas() > deltas+1 {
			t.Errorf("move %d came in %d deltas", n, w.Deltas()-deltas)
		}
	}
	if atOnce == 0 {
		t.Error("no move came as a delta")
	}
	c.Want(t, admin, http.StatusOK, http.MethodPost, "/bookings/"+cems+"/promote", nil, nil)
	settled()
	for who, want := range map[*house.Person]string{ann: "of type booking_changed", cem: "of type waitlist_promoted"} {
		house.Await(t, who.Email+" is told: "+want, house.SettleLimit, func() bool { return house.BellOf(t, c, who)[want] > 0 })
	}
	h.Check()
}
