package httpapi

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"happening/internal/realtime"
	"happening/internal/testkit"
)

// How seats lie is read by whoever sees the event, and changed by those who run
// it; what is wrong is told by field and changes nothing.
func TestLayouts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	orgID, _ := w.db.Org(t)
	organizer := w.member(orgID, "organizer")
	id := w.db.Event(t, orgID, 40, testkit.EventOptions{})
	event := "/events/" + id.String()
	ann := w.someone()
	w.book(ann, id, 1, 30)

	none := w.call(caller{}, "GET", event+"/layout", nil).want(200)
	if l := read[Layout](none); l.Sections != nil || l.TotalSlots != 40 || l.LayoutRevision != 0 || none.header.Get("ETag") != `"0"` {
		t.Errorf("no layout: %s %s", none.body, none.header.Get("ETag"))
	}
	const house = `{"sections":[{"name":"Stalls","rows":[{"label":"A","seats":20},{"label":"B","seats":9}]},{"name":"Box","rows":[{"label":"1","seats":4,"first":7}]}]}`
	laid := w.call(organizer, "PUT", event+"/layout", house, `If-Match: "0"`).want(200)
	l := read[Layout](laid)
	if l.TotalSlots != 33 || l.LayoutRevision != 2 || laid.header.Get("ETag") != `"2"` || l.Sections[1].Rows[0].First != 7 || l.Sections[0].Rows[1].First != 1 {
		t.Errorf("laid out: %s", laid.body)
	}
	if e := read[Event](w.call(caller{}, "GET", event, nil).want(200)); e.TotalSlots != 33 || e.LayoutRevision != 2 || e.AvailableSlots != 32 {
		t.Errorf("%+v", e)
	}
	seats := read[List[Seat]](w.call(caller{}, "GET", event+"/seats?format=list&limit=10&cursor="+numberCursor(28), nil).want(200)).Items
	if len(seats) != 5 || seats[0] != (Seat{29, "Stalls", "B", "B9", "free"}) || seats[1] != (Seat{30, "Box", "1", "17", "booked"}) {
		t.Errorf("%+v", seats)
	}
	if b := read[List[Booking]](w.call(ann, "GET", "/bookings/user/"+ann.id.String(), nil).want(200)).Items; b[0].Event.LayoutRevision != 2 {
		t.Errorf("my booking says revision %d", b[0].Event.LayoutRevision)
	}
	before := w.fingerprint()
	w.call(organizer, "PUT", event+"/layout", house, `If-Match: "0"`).refused(412, "stale_revision")
	w.call(organizer, "PUT", event+"/layout", `{"sections":[{"name":"","rows":[{"label":"A","seats":20}]}]}`).refused(409, "capacity_below_sold")
	w.call(organizer, "PUT", event, `{"total_slots":50}`).refused(422, "invalid")
	w.call(organizer, "PUT", event+"/layout", house).want(200) // as it lies already
	for body, field := range map[string]string{
		`{}`:              "sections",
		`{"sections":[]}`: "sections",
		`{"sections":[{"name":"A","rows":[{"label":"1","seats":65}]}]}`:    "sections[0].rows[0].seats",
		`{"sections":[{"name":"A","rows":[{"label":"","seats":5}]}]}`:      "sections[0].rows[0].label",
		`{"sections":[{"name":"A","rows":[]}]}`:                            "sections[0].rows",
		`{"sections":[{"name":"A","rows":[{"label":"1","seats":"two"}]}]}`: "sections[0].rows[0].seats",
	} {
		if p := w.call(organizer, "PUT", event+"/layout", body).refused(422, "invalid"); p.fields() != field {
			t.Errorf("%s: told of %q, want %q", body, p.fields(), field)
		}
	}
	w.call(organizer, "PUT", event+"/layout", strings.Repeat(" ", maxHouse+1)).refused(413, "too_large")
	w.call(ann, "PUT", event+"/layout", house).refused(403, "forbidden")
	if after := w.fingerprint(); after != before {
		t.Errorf("a refusal changed\n%s\nto\n%s", before, after)
	}
	if l := read[Layout](w.call(organizer, "PUT", event+"/layout", `{"sections":null}`).want(200)); l.Sections != nil || l.TotalSlots != 33 || l.LayoutRevision != 0 {
		t.Errorf("back in rows of 20: %+v", l)
	}
	w.db.CheckClean(t)
}

// A layout of as many rows as there may be is taken.
func TestLargeLayouts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	orgID, _ := w.db.Org(t)
	organizer := w.member(orgID, "organizer")
	id := w.db.Event(t, orgID, 40, testkit.EventOptions{})
	event := "/events/" + id.String()
	var rows []string
	for i := range 20_000 {
		rows = append(rows, fmt.Sprintf(`{"label":"%d","seats":50}`, i+1))
	}
	body := `{"sections":[{"name":"","rows":[` + strings.Join(rows, ",") + `]}]}`
	if l := read[Layout](w.call(organizer, "PUT", event+"/layout", body).want(200)); l.TotalSlots != 1_000_000 || len(l.Sections[0].Rows) != 20_000 {
		t.Errorf("%d seats", l.TotalSlots)
	}
	if b := w.book(w.someone(), id, 10); b.SeatNumbers[0] != 1 || len(b.SeatNumbers) != 10 {
		t.Errorf("%+v", b)
	}
	w.db.CheckClean(t)
}

// Seats that are off sale show so to everybody and can't be booked; blocks can't
// take what is sold.
func TestBlocks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	orgID, _ := w.db.Org(t)
	organizer := w.member(orgID, "organizer")
	id := w.db.Event(t, orgID, 5, testkit.EventOptions{})
	event := "/events/" + id.String()
	ann, bob := w.someone(), w.someone()
	w.book(ann, id, 1, 5)
	w.call(bob, "PUT", event+"/holds", `{"seat_numbers":[2]}`).want(200)

	if b := read[Blocks](w.call(organizer, "PUT", event+"/blocks", `{"seat_numbers":[2,1]}`).want(200)); len(b.SeatNumbers) != 2 || b.SeatNumbers[0] != 1 {
		t.Errorf("%+v", b)
	}
	s := read[SeatStates](w.call(caller{}, "GET", event+"/seats", nil).want(200))
	packed, err := base64.StdEncoding.DecodeString(s.States)
	must(t, err)
	if s.AvailableSlots != 2 || realtime.StateAt(packed, 1) != realtime.Blocked || realtime.StateAt(packed, 2) != realtime.Blocked ||
		realtime.StateAt(packed, 3) != realtime.Free || realtime.StateAt(packed, 5) != realtime.Booked {
		t.Errorf("%d available, %08b", s.AvailableSlots, packed)
	}
	if h := read[Holds](w.call(bob, "GET", event+"/holds", nil).want(200)); len(h.SeatNumbers) != 0 {
		t.Errorf("a hold on a seat that is off sale: %+v", h)
	}
	before := w.fingerprint()
	if p := w.call(organizer, "PUT", event+"/blocks", `{"seat_numbers":[1,4,5]}`).refused(409, "seats_unavailable"); len(p.SeatNumbers) != 1 || p.SeatNumbers[0] != 5 {
		t.Errorf("%+v", p)
	}
	if p := w.call(organizer, "PUT", event+"/blocks", `{"seat_numbers":[1,6]}`).refused(422, "invalid"); p.fields() != "seat_numbers" {
		t.Errorf("%+v", p)
	}
	w.call(bob, "POST", "/bookings", fmt.Sprintf(`{"event_id":%q,"seats":1,"seat_numbers":[1]}`, id)).refused(409, "seats_unavailable")
	w.call(bob, "POST", "/bookings", fmt.Sprintf(`{"event_id":%q,"seats":3,"on_full":"refuse"}`, id)).refused(409, "sold_out")
	w.call(bob, "PUT", event+"/blocks", `{"seat_numbers":[]}`).refused(403, "forbidden")
	w.call(bob, "GET", event+"/blocks", nil).refused(403, "forbidden")
	w.call(organizer, "PUT", event+"/blocks", `{"seat_numbers":[2,1]}`).want(200) // as it is already
	if after := w.fingerprint(); after != before {
		t.Errorf("a refusal changed\n%s\nto\n%s", before, after)
	}
	waits := read[Booking](w.call(bob, "POST", "/bookings", fmt.Sprintf(`{"event_id":%q,"seats":3}`, id)).want(201))
	w.call(organizer, "PUT", event+"/blocks", `{"seat_numbers":[]}`).want(200)
	if b := read[Booking](w.call(bob, "GET", "/bookings/"+waits.ID.String(), nil).want(200)); b.Status != "confirmed" {
		t.Errorf("who waited is %s", b.Status)
	}
	w.call(organizer, "POST", event+"/cancel", nil).want(200)
	w.call(organizer, "PUT", event+"/blocks", `{"seat_numbers":[4]}`).refused(409, "event_not_bookable")
	w.db.CheckClean(t)
}
