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
