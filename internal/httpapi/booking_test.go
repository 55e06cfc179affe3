package httpapi

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"happening/internal/testkit"
)

// Who says so is refused instead of put on the waitlist, and nothing of it is
// stored; the key of such a request stands for what it said.
func TestRefusedInsteadOfWaiting(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	orgID, _ := w.db.Org(t)
	id := w.db.Event(t, orgID, 3, testkit.EventOptions{})
	ann, bob := w.someone(), w.someone()
	w.book(ann, id, 2)
	body := func(seats int, onFull string) string {
		return fmt.Sprintf(`{"event_id":%q,"seats":%d,"on_full":%q}`, id, seats, onFull)
	}
	before := w.fingerprint()
	w.call(bob, "POST", "/bookings", body(2, "refuse"), "Idempotency-Key: k").refused(409, "sold_out")
	if after := w.fingerprint(); after != before {
		t.Errorf("a refusal changed something:\n%s\nnow\n%s", before, after)
	}
	// A refusal is not stored, so the key is free for what comes next.
	waiting := read[Booking](w.call(bob, "POST", "/bookings", body(2, "wait"), "Idempotency-Key: k").want(201))
	if waiting.Status != "waiting" {
		t.Errorf("%+v", waiting)
	}
	w.call(bob, "POST", "/bookings", body(2, "refuse"), "Idempotency-Key: k").refused(422, "idempotency_key_reused")
	// Behind a strict queue there is no seat either; a seat that is named is
	// never waited for.
	w.call(w.someone(), "POST", "/bookings", body(1, "refuse")).refused(409, "sold_out")
	w.call(w.someone(), "POST", "/bookings", fmt.Sprintf(`{"event_id":%q,"seats":1,"seat_numbers":[3],"on_full":"refuse"}`, id)).refused(409, "waitlist_first")
	w.call(bob, "POST", "/bookings/"+waiting.ID.String()+"/cancel", nil).want(200)
	if b := read[Booking](w.call(bob, "POST", "/bookings", body(1, "refuse")).want(201)); !slices.Equal(b.SeatNumbers, []int32{3}) {
		t.Errorf("%+v", b)
	}
	w.call(bob, "POST", "/bookings", body(1, "maybe")).refused(422, "invalid")
	w.db.CheckClean(t)
}

// The waitlist's limit is a setting as the others are, and a full waitlist and
// one that there is not are told apart.
func TestWaitlistLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	orgID, _ := w.db.Org(t)
	organizer := w.member(orgID, "organizer")
	create := func(limit string) reply {
		starts := time.Now().Add(48 * time.Hour).UTC()
		return w.call(organizer, "POST", "/events", fmt.Sprintf(`{"org_id":%q,"name":"N","category":"meetup","starts_at":%q,"ends_at":%q,"time_zone":"UTC","total_slots":2%s}`,
			orgID, starts.Format(time.RFC3339), starts.Add(time.Hour).Format(time.RFC3339), limit))
	}
	told := func(r reply) string {
		if limit := read[Event](r).WaitlistLimit; limit != nil {
			return fmt.Sprint(*limit)
		}
		return "none"
	}
	for limit, want := range map[string]string{
		"": "20", `,"waitlist_limit":null`: "none", `,"waitlist_limit":0`: "0", `,"waitlist_limit":10000000`: "10000000",
	} {
		if got := told(create(limit).want(201)); got != want {
			t.Errorf("created with %q: %s, want %s", limit, got, want)
		}
	}
	for _, limit := range []string{"-1", "10000001", "1.5", `"many"`} {
		if p := create(`,"waitlist_limit":`+limit).refused(422, "invalid"); p.fields() != "waitlist_limit" {
			t.Errorf("%s: bad fields %s", limit, p.fields())
		}
	}

	e := read[Event](create(""))
	path := "/events/" + e.ID.String()
	set := func(limit string, tag string) reply {
		return w.call(organizer, "PUT", path, `{"waitlist_limit":`+limit+`}`, "If-Match: "+tag)
	}
	if r := set("2", `"1"`).want(200); told(r) != "2" || r.header.Get("ETag") != `"2"` {
		t.Errorf("%s, tag %s", r.body, r.header.Get("ETag"))
	}
	set("1", `"1"`).refused(412, "stale_revision")
	if r := w.call(organizer, "GET", path+"/audit", nil).want(200); !strings.Contains(r.body, `"waitlist_limit":20`) || !strings.Contains(r.body, `"waitlist_limit":2,`) {
		t.Errorf("the record: %s", r.body)
	}
	w.book(w.someone(), e.ID, 2)
	first := w.someone()
	waits := w.book(first, e.ID, 1)
	w.book(w.someone(), e.ID, 2)
	body := fmt.Sprintf(`{"event_id":%q,"seats":1}`, e.ID)
	w.call(w.someone(), "POST", "/bookings", body).refused(409, "waitlist_full")
	if r := set("1", "*").want(200); read[Event](r).WaitingParties != 2 {
		t.Errorf("who waits does not stay: %s", r.body)
	}
	w.call(first, "POST", "/bookings/"+waits.ID.String()+"/cancel", nil).want(200)
	w.call(w.someone(), "POST", "/bookings", body).refused(409, "waitlist_full")
	set("0", "*").want(200)
	w.call(w.someone(), "POST", "/bookings", body).refused(409, "sold_out")
	if r := set("null", "*").want(200); told(r) != "none" {
		t.Error(r.body)
	}
	w.book(w.someone(), e.ID, 1)
	w.db.CheckClean(t)
}

// A waiting party becomes smaller and keeps its number; what it does without is
// said by a number, what a confirmed booking does without by naming the seats.
func TestShrinkingAWaitingParty(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	orgID, _ := w.db.Org(t)
	organizer := w.member(orgID, "organizer")
	id := w.db.Event(t, orgID, 3, testkit.EventOptions{})
	ann, bob, cem := w.someone(), w.someone(), w.someone()
	sold := w.book(ann, id, 2)
	head, second := w.book(bob, id, 3), w.book(cem, id, 2)
	shrink := func(who caller, b Booking, body string, headers ...string) reply {
		return w.call(who, "POST", "/bookings/"+b.ID.String()+"/cancel-seats", body, headers...)
	}
	b := read[Booking](shrink(cem, second, `{"seats":1}`, "Idempotency-Key: k").want(200))
	if b.Status != "waiting" || b.Seats != 1 || *b.WaitingNumber != 2 || *b.Position != 2 {
		t.Errorf("%+v", b)
	}
	if again := read[Booking](shrink(cem, second, `{"seats":1}`, "Idempotency-Key: k").want(200)); again.Seats != 1 {
		t.Errorf("the same key shrank it again: %+v", again)
	}
	shrink(ann, sold, `{"seats":1}`).refused(409, "booking_not_waiting")
	shrink(bob, head, `{"seat_numbers":[1]}`).refused(409, "seats_not_in_booking")
	shrink(bob, head, `{"seats":4}`).refused(409, "seats_not_in_booking")
	for body, fields := range map[string]string{
		`{"seats":0}`: "seats", `{"seats":1001}`: "seats", `{"seats":1.5}`: "seats", `{"seats":null}`: "seat_numbers",
		`{}`: "seat_numbers", `{"seats":1,"seat_numbers":[1]}`: "seats", `{"seat_numbers":[]}`: "seat_numbers",
	} {
		if p := shrink(bob, head, body).refused(422, "invalid"); p.fields() != fields {
			t.Errorf("%s: bad fields %q", body, p.fields())
		}
	}
	// By an organizer, two seats less: the head fits the seat that is free.
	if b := read[Booking](shrink(organizer, head, `{"seats":2}`).want(200)); b.Seats != 1 {
		t.Errorf("%+v", b)
	}
	if b := read[Booking](w.call(bob, "GET", "/bookings/"+head.ID.String(), nil).want(200)); b.Status != "confirmed" || !slices.Equal(b.SeatNumbers, []int32{3}) {
		t.Errorf("the head: %+v", b)
	}
	var told []string
	for _, h := range read[List[HistoryEntry]](w.call(bob, "GET", "/bookings/"+head.ID.String()+"/history", nil).want(200)).Items {
		told = append(told, fmt.Sprint(h.Action, " by ", h.Actor, ", ", h.Seats))
	}
	if got := strings.Join(told, "; "); got != "waitlisted by you, 3; resized by organizer, 1; promoted by system, 1" {
		t.Errorf("history: %s", got)
	}
	record := read[List[AuditEntry]](w.call(organizer, "GET", "/events/"+id.String()+"/audit", nil).want(200))
	if len(record.Items) != 1 || record.Items[0].Action != "event.party_resized" || record.Items[0].Actor.ID != organizer.id ||
		record.Items[0].After["seats"] != 1.0 || record.Items[0].After["booking_id"] != head.ID.String() {
		t.Errorf("the record: %+v", record.Items)
	}
	if b := read[Booking](shrink(cem, second, `{"seats":1}`).want(200)); b.Status != "cancelled" {
		t.Errorf("all of them: %+v", b)
	}
	w.db.CheckClean(t)
}

// Who runs the event serves a party out of its turn and moves one to other
// seats. Both are told as what they are, to whom they concern and in the record.
func TestRunningAnEventByHand(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	orgID, _ := w.db.Org(t)
	organizer := w.member(orgID, "organizer")
	id := w.db.Event(t, orgID, 5, testkit.EventOptions{})
	ann, bob, cem := w.someone(), w.someone(), w.someone()
	sold, other := w.book(ann, id, 2, 1, 2), w.book(w.someone(), id, 1, 5)
	head, second := w.book(bob, id, 4), w.book(cem, id, 2)
	at := func(b Booking, what string) string { return "/bookings/" + b.ID.String() + what }

	w.call(cem, "POST", at(second, "/promote"), nil).refused(403, "forbidden")
	w.call(cem, "POST", at(sold, "/promote"), nil).refused(404, "not_found")
	w.call(organizer, "POST", at(sold, "/promote"), nil).refused(409, "booking_not_waiting")
	w.call(organizer, "POST", at(head, "/promote"), nil).refused(409, "seats_unavailable")
	w.call(ann, "POST", at(sold, "/move"), `{"seat_numbers":[3,4]}`).refused(403, "forbidden")
	move := func(body string, headers ...string) reply {
		return w.call(organizer, "POST", at(sold, "/move"), body, headers...)
	}
	if p := move(`{"seat_numbers":[3,5]}`).refused(409, "seats_unavailable"); !slices.Equal(p.SeatNumbers, []int32{5}) {
		t.Errorf("%+v", p)
	}
	w.call(organizer, "POST", at(head, "/move"), `{"seat_numbers":[1,2,3,4]}`).refused(409, "booking_not_confirmed")
	for _, numbers := range []string{`[3]`, `[3,3]`, `[3,6]`, `[2,3,4]`} {
		if p := move(`{"seat_numbers":`+numbers+`}`).refused(422, "invalid"); p.fields() != "seat_numbers" {
			t.Errorf("%s: bad fields %q", numbers, p.fields())
		}
	}
	moved := read[Booking](move(`{"seat_numbers":[3,2]}`, "Idempotency-Key: k").want(200))
	if !slices.Equal(moved.SeatNumbers, []int32{2, 3}) || moved.Seats != 2 || moved.UserID != ann.id {
		t.Errorf("%+v", moved)
	}
	if again := read[Booking](move(`{"seat_numbers":[3,2]}`, "Idempotency-Key: k").want(200)); !slices.Equal(again.SeatNumbers, []int32{2, 3}) {
		t.Errorf("again with the key: %+v", again)
	}
	before := w.fingerprint()
	if again := read[Booking](move(`{"seat_numbers":[2,3]}`, "Idempotency-Key: other").want(200)); !slices.Equal(again.SeatNumbers, []int32{2, 3}) {
		t.Errorf("to the same seats: %+v", again)
	}
	if after := w.fingerprint(); after != before {
		t.Errorf("moving to the same seats changed something:\n%s\nnow\n%s", before, after)
	}

	// Seats 1 and 4 are free, and held by nobody else.
	w.call(w.someone(), "PUT", "/events/"+id.String()+"/holds", `{"seat_numbers":[1]}`).refused(409, "waitlist_first")
	promoted := read[Booking](w.call(organizer, "POST", at(second, "/promote"), nil).want(200))
	if promoted.Status != "confirmed" || !slices.Equal(promoted.SeatNumbers, []int32{1, 4}) || promoted.Position != nil {
		t.Errorf("%+v", promoted)
	}
	w.call(organizer, "POST", at(second, "/promote"), nil).refused(409, "booking_not_waiting")
	if b := read[Booking](w.call(bob, "GET", at(head, ""), nil).want(200)); b.Status != "waiting" || *b.Position != 1 {
		t.Errorf("the head: %+v", b)
	}

	told := func(who caller, b Booking) string {
		var told []string
		for _, h := range read[List[HistoryEntry]](w.call(who, "GET", at(b, "/history"), nil).want(200)).Items {
			told = append(told, fmt.Sprint(h.Action, " by ", h.Actor, " ", h.Details.ByHand, " ", h.Details.SeatNumbersBefore, h.SeatNumbers))
		}
		return strings.Join(told, "; ")
	}
	if got := told(ann, sold); got != "confirmed by you false [] [1 2]; moved by organizer false [1 2] [2 3]" {
		t.Errorf("history: %s", got)
	}
	if got := told(cem, second); got != "waitlisted by you false [] []; promoted by organizer true [] [1 4]" {
		t.Errorf("history: %s", got)
	}
	record := read[List[AuditEntry]](w.call(organizer, "GET", "/events/"+id.String()+"/audit", nil).want(200)).Items
	if len(record) != 2 || record[0].Action != "event.booking_promoted" || record[1].Action != "event.booking_moved" ||
		fmt.Sprint(record[1].Before["seat_numbers"], record[1].After["seat_numbers"]) != "[1 2] [2 3]" || record[1].Subject.Label != "Event" {
		t.Errorf("the record: %+v", record)
	}
	// The seats that the booking left can be booked by others, save that one waits.
	w.call(bob, "POST", at(head, "/cancel"), nil).want(200)
	w.call(organizer, "POST", at(other, "/cancel"), nil).want(200)
	w.book(bob, id, 1, 5)
	w.db.CheckClean(t)
}
