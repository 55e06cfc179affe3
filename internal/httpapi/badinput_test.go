package httpapi

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/testkit"
)

// Each bad input has a clear answer and changes nothing.
func TestBadInput(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	orgID, _ := w.db.Org(t)
	organizer, ann, bob := w.member(orgID, "organizer"), w.someone(), w.someone()
	big := w.db.Event(t, orgID, 30, testkit.EventOptions{MaxSeatsPerUser: 4})
	small := w.db.Event(t, orgID, 3, testkit.EventOptions{})
	past := w.db.Event(t, orgID, 10, testkit.EventOptions{StartsIn: -24 * time.Hour})
	ongoing := w.db.Event(t, orgID, 10, testkit.EventOptions{StartsIn: -time.Hour})
	cancelled := w.db.Event(t, orgID, 10, testkit.EventOptions{})
	w.call(organizer, "POST", "/events/"+cancelled.String()+"/cancel", nil).want(200)
	bobs := w.book(bob, big, 2, 19, 20)
	gone := w.book(bob, small, 1)
	w.call(bob, "POST", "/bookings/"+gone.ID.String()+"/cancel", nil).want(200)

	book := func(event uuid.UUID, rest string) string { return fmt.Sprintf(`{"event_id":%q,%s}`, event, rest) }
	create := func(change, with string) string {
		plain := fmt.Sprintf(`{"org_id":%q,"name":"N","category":"meetup","starts_at":"2099-01-01T10:00:00Z","ends_at":"2099-01-01T12:00:00Z","time_zone":"Europe/Berlin","total_slots":5}`, orgID)
		plain = strings.ReplaceAll(plain, "2099", fmt.Sprint(time.Now().Year()+2))
		if !strings.Contains(plain, change) {
			t.Fatalf("%s is not in the plain body", change)
		}
		return strings.Replace(plain, change, with, 1)
	}
	at := func(id uuid.UUID, what string) string { return "/bookings/" + id.String() + what }
	event := func(id uuid.UUID, what string) string { return "/events/" + id.String() + what }
	const post, put, get = http.MethodPost, http.MethodPut, http.MethodGet

	for _, c := range []struct {
		name         string
		who          caller
		method, path string
		body         any
		header       string
		status       int
		code, fields string
	}{
		{"no seats", ann, post, "/bookings", book(big, `"seats":0`), "", 422, "invalid", "seats"},
		{"negative seats", ann, post, "/bookings", book(big, `"seats":-1`), "", 422, "invalid", "seats"},
		{"a fraction of seats", ann, post, "/bookings", book(big, `"seats":1.5`), "", 422, "invalid", "seats"},
		{"seats as a text", ann, post, "/bookings", book(big, `"seats":"2"`), "", 422, "invalid", "seats"},
		{"seats null", ann, post, "/bookings", book(big, `"seats":null`), "", 422, "invalid", "seats"},
		{"seats beyond 32 bits", ann, post, "/bookings", book(big, `"seats":2147483648`), "", 422, "invalid", "seats"},
		{"seats beyond any number", ann, post, "/bookings", book(big, `"seats":1e999`), "", 422, "invalid", "seats"},
		{"seats above the person's limit", ann, post, "/bookings", book(big, `"seats":5`), "", 422, "invalid", "seats"},
		{"seats above the event's size", ann, post, "/bookings", book(small, `"seats":4`), "", 422, "invalid", "seats"},
		{"no seats named at all", ann, post, "/bookings", fmt.Sprintf(`{"event_id":%q}`, big), "", 422, "invalid", "seats"},
		{"a seat beyond the event", ann, post, "/bookings", book(big, `"seats":1,"seat_numbers":[31]`), "", 422, "invalid", "seat_numbers"},
		{"a seat zero", ann, post, "/bookings", book(big, `"seats":1,"seat_numbers":[0]`), "", 422, "invalid", "seat_numbers[0]"},
		{"a seat as a text", ann, post, "/bookings", book(big, `"seats":2,"seat_numbers":[1,"2"]`), "", 422, "invalid", "seat_numbers[1]"},
		{"a seat twice", ann, post, "/bookings", book(big, `"seats":2,"seat_numbers":[5,5]`), "", 422, "invalid", "seat_numbers"},
		{"more seats named", ann, post, "/bookings", book(big, `"seats":1,"seat_numbers":[1,2]`), "", 422, "invalid", "seat_numbers"},
		{"fewer seats named", ann, post, "/bookings", book(big, `"seats":3,"seat_numbers":[1,2]`), "", 422, "invalid", "seat_numbers"},
		{"a seat that is sold", ann, post, "/bookings", book(big, `"seats":1,"seat_numbers":[19]`), "", 409, "seats_unavailable", ""},
		{"an unknown event", ann, post, "/bookings", book(uuid.New(), `"seats":1`), "", 404, "not_found", ""},
		{"an event that is no id", ann, post, "/bookings", `{"event_id":"1","seats":1}`, "", 422, "invalid", "event_id"},
		{"a past event", ann, post, "/bookings", book(past, `"seats":1`), "", 409, "event_not_bookable", ""},
		{"an ongoing event", ann, post, "/bookings", book(ongoing, `"seats":1`), "", 409, "event_not_bookable", ""},
		{"a cancelled event", ann, post, "/bookings", book(cancelled, `"seats":1`), "", 409, "event_not_bookable", ""},
		{"for somebody else", ann, post, "/bookings", book(big, `"seats":1,"user_id":"`+bob.id.String()+`"`), "", 422, "invalid", "user_id"},
		{"for another organization", ann, post, "/bookings", book(big, `"seats":1,"org_id":"`+orgID.String()+`"`), "", 422, "invalid", "org_id"},
		{"a field in another case", ann, post, "/bookings", book(big, `"Seats":1`), "", 422, "invalid", "Seats seats"},
		{"everything wrong", ann, post, "/bookings", `{"event_id":7,"seats":"x","seat_numbers":{},"y":1}`, "", 422, "invalid", "event_id seat_numbers seats y"},
		{"a list", ann, post, "/bookings", `[]`, "", 422, "invalid", "body"},
		{"broken JSON", ann, post, "/bookings", `{"event_id":`, "", 400, "malformed", ""},
		{"more than one value", ann, post, "/bookings", book(big, `"seats":1`) + `{}`, "", 400, "malformed", ""},
		{"a field twice", ann, post, "/bookings", book(big, `"seats":1,"seats":2`), "", 400, "malformed", ""},
		{"bytes that are no text", organizer, put, event(big, ""), "{\"name\":\"a\xffb\"}", "", 400, "malformed", ""},
		{"half a character", organizer, put, event(big, ""), `{"name":"a\ud83d"}`, "", 400, "malformed", ""},
		{"a name that can't be seen", organizer, put, event(big, ""), `{"name":"\u200b"}`, "", 422, "invalid", "name"},
		{"a name that turns round", organizer, put, event(big, ""), `{"name":"a\u202eb"}`, "", 422, "invalid", "name"},
		{"an organization's name that can't be seen", ann, post, "/organizations", `{"name":"\u3164"}`, "", 422, "invalid", "name"},
		{"no body", ann, post, "/bookings", nil, "", 400, "malformed", ""},
		{"another content type", ann, post, "/bookings", book(big, `"seats":1`), "Content-Type: text/plain", 415, "unsupported_media_type", ""},
		{"a form", ann, post, "/bookings", "seats=1", "Content-Type: application/x-www-form-urlencoded", 415, "unsupported_media_type", ""},
		{"a key with a space", ann, post, "/bookings", book(big, `"seats":1`), "Idempotency-Key: a b", 422, "invalid", "Idempotency-Key"},
		{"a key that is too long", ann, post, "/bookings", book(big, `"seats":1`), "Idempotency-Key: " + strings.Repeat("k", 201), 422, "invalid", "Idempotency-Key"},

		{"another person's booking, read", ann, get, at(bobs.ID, ""), nil, "", 404, "not_found", ""},
		{"another person's history", ann, get, at(bobs.ID, "/history"), nil, "", 404, "not_found", ""},
		{"another person's bookings", ann, get, "/bookings/user/" + bob.id.String(), nil, "", 404, "not_found", ""},
		{"another person's booking, cancel", ann, post, at(bobs.ID, "/cancel"), nil, "", 404, "not_found", ""},
		{"another person's booking, cancel seats", ann, post, at(bobs.ID, "/cancel-seats"), `{"seat_numbers":[19]}`, "", 404, "not_found", ""},
		{"cancel twice", bob, post, at(gone.ID, "/cancel"), nil, "", 409, "booking_cancelled", ""},
		{"cancel seats that are not in it", bob, post, at(bobs.ID, "/cancel-seats"), `{"seat_numbers":[1]}`, "", 409, "seats_not_in_booking", ""},
		{"cancel no seats", bob, post, at(bobs.ID, "/cancel-seats"), `{"seat_numbers":[]}`, "", 422, "invalid", "seat_numbers"},
		{"cancel a seat twice", bob, post, at(bobs.ID, "/cancel-seats"), `{"seat_numbers":[19,19]}`, "", 422, "invalid", "seat_numbers"},
		{"cancel a seat beyond the event", bob, post, at(bobs.ID, "/cancel-seats"), `{"seat_numbers":[99]}`, "", 422, "invalid", "seat_numbers"},
		{"a booking that is no id", bob, get, "/bookings/1", nil, "", 404, "not_found", ""},

		{"fewer seats than sold", organizer, put, event(big, ""), `{"total_slots":19}`, "", 409, "capacity_below_sold", ""},
		{"ends before it starts", organizer, put, event(big, ""), `{"ends_at":"2020-01-01T00:00:00Z"}`, "", 422, "invalid", "ends_at"},
		{"an unknown zone", organizer, put, event(big, ""), `{"time_zone":"Mars/Olympus"}`, "", 422, "invalid", "time_zone"},
		{"no zone", organizer, put, event(big, ""), `{"time_zone":""}`, "", 422, "invalid", "time_zone"},
		{"another organization's event", organizer, put, event(big, ""), `{"org_id":"` + orgID.String() + `"}`, "", 422, "invalid", "org_id"},
		{"a name that is null", organizer, put, event(big, ""), `{"name":null}`, "", 422, "invalid", "name"},
		{"a limit of zero", organizer, put, event(big, ""), `{"max_seats_per_user":0}`, "", 422, "invalid", "max_seats_per_user"},
		{"an unknown policy", organizer, put, event(big, ""), `{"waitlist_policy":"fair"}`, "", 422, "invalid", "waitlist_policy"},
		{"a stale revision", organizer, put, event(big, ""), `{"name":"X"}`, `If-Match: "7"`, 412, "stale_revision", ""},
		{"a weak revision", organizer, put, event(big, ""), `{"name":"X"}`, `If-Match: W/"1"`, 412, "stale_revision", ""},
		{"1 MB of description", organizer, put, event(big, ""), `{"description":"` + strings.Repeat("x", 1<<20) + `"}`, "", 413, "too_large", ""},
		{"a long description", organizer, put, event(big, ""), `{"description":"` + strings.Repeat("x", 20_001) + `"}`, "", 422, "invalid", "description"},
		{"an event of no seats", organizer, post, "/events", create(`"total_slots":5`, `"total_slots":0`), "", 422, "invalid", "total_slots"},
		{"an event of too many seats", organizer, post, "/events", create(`"total_slots":5`, `"total_slots":1000001`), "", 422, "invalid", "total_slots"},
		{"an event that ends before it starts", organizer, post, "/events", create("T12:00:00Z", "T09:00:00Z"), "", 422, "invalid", "ends_at"},
		{"an event in an unknown zone", organizer, post, "/events", create("Europe/Berlin", "Local"), "", 422, "invalid", "time_zone"},
		{"an event at no time", organizer, post, "/events", create("T10:00:00Z", ""), "", 422, "invalid", "starts_at"},
		{"an event in an unknown organization", organizer, post, "/events", create(orgID.String(), uuid.NewString()), "", 404, "not_found", ""},
		{"an event by who may not", ann, post, "/events", create("N", "N"), "", 403, "forbidden", ""},
		{"an event with a status", organizer, post, "/events", create(`"name":"N"`, `"name":"N","status":"ongoing","available_slots":9`), "", 422, "invalid", "available_slots status"},
		{"a change by who may not", ann, put, event(big, ""), `{"name":"X"}`, "", 403, "forbidden", ""},
		{"a delete with bookings", organizer, "DELETE", event(big, ""), nil, "", 409, "event_has_bookings", ""},
		{"a second cancel of an event", organizer, post, event(cancelled, "/cancel"), nil, "", 409, "event_cancelled", ""},

		{"holds that are no list", ann, put, event(big, "/holds"), `{"seat_numbers":3}`, "", 422, "invalid", "seat_numbers"},
		{"holds of nothing said", ann, put, event(big, "/holds"), `{}`, "", 422, "invalid", "seat_numbers"},
		{"a hold beyond the event", ann, put, event(big, "/holds"), `{"seat_numbers":[31]}`, "", 422, "invalid", "seat_numbers"},
		{"too many holds", ann, put, event(big, "/holds"), `{"seat_numbers":[1,2,3,4,5]}`, "", 409, "seat_limit", ""},

		{"a page of zero", ann, get, "/events?limit=0", nil, "", 422, "invalid", "limit"},
		{"a page too long", ann, get, "/events?limit=101", nil, "", 422, "invalid", "limit"},
		{"a page of words", ann, get, "/events?limit=ten", nil, "", 422, "invalid", "limit"},
		{"no cursor of ours", ann, get, "/events?cursor=abc", nil, "", 422, "invalid", "cursor"},
		{"another list's cursor", bob, get, "/bookings/user/" + bob.id.String() + "?cursor=!!", nil, "", 422, "invalid", "cursor"},
		{"a status that is none", ann, get, "/events?status=open", nil, "", 422, "invalid", "status"},
		{"a time that is none", ann, get, "/events?from=tomorrow", nil, "", 422, "invalid", "from"},
		{"an organization that is no id", ann, get, "/events?org_id=1", nil, "", 422, "invalid", "org_id"},
		{"a role that is none", organizer, post, "/org-invites", `{"org_id":"` + orgID.String() + `","email":"a@b.test","role":"king"}`, "", 422, "invalid", "role"},
		{"an organization without a name", ann, post, "/organizations", `{"name":"  "}`, "", 422, "invalid", "name"},

		{"a path that isn't there", ann, get, "/nothing", nil, "", 404, "not_found", ""},
		{"a path with a slash too many", ann, get, "/events/", nil, "", 404, "not_found", ""},
		{"a method that isn't there", ann, "DELETE", "/bookings", nil, "", 405, "method_not_allowed", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := w.fingerprint()
			var headers []string
			if c.header != "" {
				headers = append(headers, c.header)
			}
			p := w.call(c.who, c.method, c.path, c.body, headers...).refused(c.status, c.code)
			if p.fields() != c.fields {
				t.Errorf("bad fields %q, want %q: %+v", p.fields(), c.fields, p)
			}
			for _, f := range p.Errors {
				if f.Message == "" {
					t.Errorf("%s has no message", f.Field)
				}
			}
			if after := w.fingerprint(); after != before {
				t.Errorf("something changed:\n%s\nnow\n%s", before, after)
			}
		})
	}

	t.Run("all seats of a booking cancel it", func(t *testing.T) {
		b := read[Booking](w.call(bob, post, at(bobs.ID, "/cancel-seats"), `{"seat_numbers":[20,19]}`).want(200))
		if b.Status != "cancelled" || len(b.SeatNumbers) != 0 {
			t.Errorf("%+v", b)
		}
	})
	// The events that this test made in the past are behind the clock until
	// the sweep was there.
	if _, err := w.server.deps.Events.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.db.CheckClean(t)
}
