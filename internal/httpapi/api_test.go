package httpapi

import (
	"encoding/base64"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/realtime"
	"happening/internal/testkit"
)

// The demo flow over HTTP: a small event sells out, one waits, a seat comes
// free and is not enough, then the rest does, and all of it can be read.
func TestFromEventToPromotion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	organizer := w.someone()
	o := w.call(organizer, "POST", "/organizations", map[string]any{"name": "Theatre"}).want(201)
	org := read[Organization](o)
	if *org.MyRole != "orgAdmin" || o.header.Get("Location") != "organizations/"+org.ID.String() {
		t.Errorf("%s, at %q", o.body, o.header.Get("Location"))
	}
	starts := time.Now().Add(48 * time.Hour).Truncate(time.Second)
	made := w.call(organizer, "POST", "/events", map[string]any{
		"org_id": org.ID, "name": "Three seats", "category": "theatre", "time_zone": "Europe/Berlin", "total_slots": 3.0,
		"starts_at": starts.In(time.FixedZone("", 7200)), "ends_at": starts.Add(time.Hour), "max_seats_per_user": nil,
	}).want(201)
	e := read[Event](made)
	if e.StartsAt.Format(time.RFC3339) != starts.UTC().Format(time.RFC3339) || e.MaxSeatsPerUser != nil || !e.CanManage ||
		e.Status != "upcoming" || e.OrgName != "Theatre" || made.header.Get("ETag") != `"1"` {
		t.Fatalf("%s, tag %s", made.body, made.header.Get("ETag"))
	}
	path := "/events/" + e.ID.String()

	ann, bob, cem := w.someone(), w.someone(), w.someone()
	held := read[HoldsResult](w.call(ann, "PUT", path+"/holds", `{"seat_numbers":[2,1]}`).want(200))
	if !slices.Equal(held.Granted, []int32{1, 2}) || held.ExpiresAt == nil {
		t.Errorf("%+v", held)
	}
	if held := read[HoldsResult](w.call(bob, "PUT", path+"/holds", `{"seat_numbers":[2,3]}`).want(200)); !slices.Equal(held.Conflicts, []int32{2}) {
		t.Errorf("%+v", held)
	}
	if mine := read[Holds](w.call(ann, "GET", path+"/holds", nil).want(200)); !slices.Equal(mine.SeatNumbers, []int32{1, 2}) || mine.HoldLimit != 20 {
		t.Errorf("%+v", mine)
	}
	w.call(bob, "DELETE", path+"/holds", nil).want(204)

	first := w.book(ann, e.ID, 2, 1, 2)
	w.book(bob, e.ID, 1)
	waiting := w.book(cem, e.ID, 2)
	if first.Status != "confirmed" || waiting.Status != "waiting" || *waiting.Position != 1 || waiting.SeatNumbers == nil {
		t.Fatalf("%+v, %+v", first, waiting)
	}
	list := read[List[Booking]](w.call(organizer, "GET", path+"/waitlist", nil).want(200))
	if len(list.Items) != 1 || list.Items[0].User == nil || list.Items[0].User.ID != cem.id {
		t.Errorf("%+v", list)
	}

	w.call(ann, "POST", "/bookings/"+first.ID.String()+"/cancel-seats", `{"seat_numbers":[1]}`).want(200)
	if b := read[Booking](w.call(cem, "GET", "/bookings/"+waiting.ID.String(), nil).want(200)); b.Status != "waiting" {
		t.Errorf("a party was split: %+v", b)
	}
	w.call(ann, "POST", "/bookings/"+first.ID.String()+"/cancel", nil).want(200)
	b := read[Booking](w.call(cem, "GET", "/bookings/"+waiting.ID.String(), nil).want(200))
	if b.Status != "confirmed" || !slices.Equal(b.SeatNumbers, []int32{1, 2}) || b.Position != nil || b.Event.Name != "Three seats" {
		t.Errorf("%+v", b)
	}

	history := read[List[HistoryEntry]](w.call(ann, "GET", "/bookings/"+first.ID.String()+"/history", nil).want(200))
	var told []string
	for _, h := range history.Items {
		told = append(told, h.Action+" by "+h.Actor)
	}
	if got := strings.Join(told, ", "); got != "confirmed by you, seats_cancelled by you, cancelled by you" {
		t.Errorf("history: %s", got)
	}
	theirs := read[List[HistoryEntry]](w.call(organizer, "GET", "/bookings/"+first.ID.String()+"/history", nil).want(200))
	if theirs.Items[0].Actor != "booker" {
		t.Errorf("to the organizer: %+v", theirs.Items[0])
	}
	if h := read[List[HistoryEntry]](w.call(cem, "GET", "/bookings/"+waiting.ID.String()+"/history", nil).want(200)); h.Items[1].Action != "promoted" {
		t.Errorf("%+v", h)
	}

	cancelled := read[Event](w.call(organizer, "POST", path+"/cancel", nil).want(200))
	if cancelled.Status != "cancelled" {
		t.Errorf("%+v", cancelled)
	}
	if b := read[Booking](w.call(cem, "GET", "/bookings/"+waiting.ID.String(), nil).want(200)); b.Status != "cancelled" || *b.Reason != "event_cancelled" {
		t.Errorf("%+v", b)
	}
}

func TestEventSettings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	orgID, _ := w.db.Org(t)
	organizer := w.member(orgID, "organizer")
	path := "/events/" + w.db.Event(t, orgID, 10, testkit.EventOptions{MaxSeatsPerUser: 4}).String()
	answer := w.call(organizer, "PUT", path, `{"name":"New","max_seats_per_user":null}`, `If-Match: "1"`).want(200)
	if e := read[Event](answer); e.Name != "New" || e.MaxSeatsPerUser != nil || e.Category != "meetup" || e.Revision != 2 || answer.header.Get("ETag") != `"2"` {
		t.Errorf("%s, tag %s", answer.body, answer.header.Get("ETag"))
	}
	w.call(organizer, "PUT", path, `{"name":"Late"}`, `If-Match: "1"`).refused(412, "stale_revision")
	w.call(organizer, "PUT", path, `{"name":"One of them"}`, `If-Match: "9", "2"`).want(200)
	w.call(organizer, "PUT", path, `{"name":"Any"}`, `If-Match: *`).want(200)
	// A sale doesn't move the tag.
	tag := w.call(organizer, "GET", path, nil).header.Get("ETag")
	ann := w.someone()
	w.book(ann, uuid.MustParse(strings.TrimPrefix(path, "/events/")), 1)
	if again := w.call(organizer, "GET", path, nil); again.header.Get("ETag") != tag || read[Event](again).AvailableSlots != 9 {
		t.Errorf("tag %s, was %s: %s", again.header.Get("ETag"), tag, again.body)
	}
	other := "/events/" + w.db.Event(t, orgID, 10, testkit.EventOptions{}).String()
	w.call(organizer, "DELETE", other, nil).want(204)
	w.call(organizer, "GET", other, nil).refused(404, "not_found")
}

// What may not be known is the same as what is not there, to the byte; who is
// not signed in is asked to only where there is something to know.
func TestHiddenIsAbsent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	orgID, _ := w.db.Org(t)
	organizer, member, stranger, visitor := w.member(orgID, "organizer"), w.member(orgID, "user"), w.someone(), caller{}
	hidden := w.db.Event(t, orgID, 10, testkit.EventOptions{Visibility: "members"})
	public := w.db.Event(t, orgID, 10, testkit.EventOptions{})
	booked := w.book(member, hidden, 1)
	invite := read[Invite](w.call(w.member(orgID, "orgAdmin"), "POST", "/org-invites",
		map[string]any{"org_id": orgID, "email": "new@people.test", "role": "user"}).want(201))

	for _, c := range []struct{ method, path, body string }{
		{"GET", "/events/ID", ""},
		{"PUT", "/events/ID", `{"name":"X"}`},
		{"DELETE", "/events/ID", ""},
		{"POST", "/events/ID/cancel", ""},
		{"GET", "/events/ID/seats", ""},
		{"GET", "/events/ID/holds", ""},
		{"PUT", "/events/ID/holds", `{"seat_numbers":[1]}`},
		{"DELETE", "/events/ID/holds", ""},
		{"GET", "/events/ID/bookings", ""},
		{"GET", "/events/ID/waitlist", ""},
		{"POST", "/bookings", `{"event_id":"ID","seats":1}`},
		{"GET", "/bookings/ID", ""},
		{"GET", "/bookings/ID/history", ""},
		{"POST", "/bookings/ID/cancel", ""},
		{"POST", "/bookings/ID/cancel-seats", `{"seat_numbers":[1]}`},
		{"GET", "/bookings/user/ID", ""},
		{"POST", "/org-invites/ID/accept", ""},
		{"POST", "/org-invites/ID/reject", ""},
		{"DELETE", "/org-invites/ID", ""},
		{"POST", "/notifications/ID/read", ""},
	} {
		there := hidden
		switch {
		case strings.HasPrefix(c.path, "/bookings/user/"):
			there = member.id
		case strings.HasPrefix(c.path, "/bookings/"):
			there = booked.ID
		case strings.HasPrefix(c.path, "/org-invites/"):
			there = invite.ID
		case strings.HasPrefix(c.path, "/notifications/"):
			there = uuid.New()
		}
		for name, who := range map[string]caller{"stranger": stranger, "visitor": visitor} {
			send := func(id uuid.UUID) reply {
				var body any
				if c.body != "" {
					body = strings.ReplaceAll(c.body, "ID", id.String())
				}
				return w.call(who, c.method, strings.ReplaceAll(c.path, "ID", id.String()), body)
			}
			one, other := send(there), send(uuid.New())
			one.refused(404, "not_found")
			if one.body != other.body || one.status != other.status || one.header.Get("Content-Type") != other.header.Get("Content-Type") {
				t.Errorf("%s %s as %s: hidden %d %s, absent %d %s", c.method, c.path, name, one.status, one.body, other.status, other.body)
			}
		}
	}
	list := read[List[Event]](w.call(stranger, "GET", "/events", nil).want(200))
	if len(list.Items) != 1 || list.Items[0].ID != public {
		t.Errorf("a stranger's list: %+v", list)
	}
	if list := read[List[Event]](w.call(member, "GET", "/events", nil).want(200)); len(list.Items) != 2 {
		t.Errorf("a member's list: %+v", list)
	}

	for _, c := range []struct {
		method, path, body       string
		visitor, stranger, other int // status: not signed in, no member, organizer
	}{
		{"PUT", "/events/" + public.String(), `{"name":"X"}`, 401, 403, 200},
		{"GET", "/events/" + public.String() + "/bookings", "", 401, 403, 200},
		{"GET", "/events/" + public.String() + "/waitlist", "", 401, 403, 200},
		{"PUT", "/events/" + public.String() + "/holds", `{"seat_numbers":[]}`, 401, 200, 200},
		{"POST", "/bookings", fmt.Sprintf(`{"event_id":%q,"seats":1}`, public), 401, 201, 201},
		{"GET", "/organizations/" + orgID.String(), "", 200, 200, 200},
		{"GET", "/organizations/" + orgID.String() + "/members", "", 401, 403, 200},
		{"GET", "/org-invites?org_id=" + orgID.String(), "", 401, 403, 403},
		{"GET", "/org-invites", "", 401, 200, 200},
		{"GET", "/org-invites/by-token?token=none", "", 401, 404, 404},
		{"GET", "/org-invites/by-token", "", 401, 422, 422},
		{"GET", "/organizations", "", 401, 200, 200},
		{"POST", "/organizations", `{"name":"O"}`, 401, 201, 201},
		{"GET", "/users/me", "", 401, 200, 200},
		{"GET", "/notifications", "", 401, 200, 200},
		{"POST", "/notifications/read-all", "", 401, 204, 204},
		{"GET", "/", "", 200, 200, 200},
		{"GET", "/healthz", "", 200, 200, 200},
		{"GET", "/readyz", "", 200, 200, 200},
		{"GET", "/db-test", "", 200, 200, 200},
		{"GET", "/openapi.json", "", 200, 200, 200},
		{"GET", "/docs", "", 200, 200, 200},
	} {
		var body any
		if c.body != "" {
			body = c.body
		}
		w.call(visitor, c.method, c.path, body).want(c.visitor)
		w.call(stranger, c.method, c.path, body).want(c.stranger)
		w.call(organizer, c.method, c.path, body).want(c.other)
	}
}

// A credential that is sent and not valid is 401 before anything else, also
// where none would be needed or there is nothing.
func TestBadCredentialsComeFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range []string{"/events", "/nothing", "/healthz", "/events/1", "/users/me", "/openapi.json"} {
		for _, header := range []string{"Authorization: Bearer nonsense", "Authorization: Basic eDp5", "Cookie: happening_session=gone"} {
			r := w.call(caller{}, "GET", path, nil, header)
			r.refused(401, "unauthenticated")
			if r.header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s: no WWW-Authenticate", path)
			}
			if dropped := strings.Contains(r.header.Get("Set-Cookie"), "happening_session=;"); dropped != strings.HasPrefix(header, "Cookie") {
				t.Errorf("%s with %q: Set-Cookie %q", path, header, r.header.Get("Set-Cookie"))
			}
		}
	}
	w.call(caller{}, "POST", "/bookings", "{broken", "Authorization: Bearer nonsense").refused(401, "unauthenticated")
}

func TestIdempotencyKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	orgID, _ := w.db.Org(t)
	id := w.db.Event(t, orgID, 10, testkit.EventOptions{})
	ann, bob := w.someone(), w.someone()
	body := fmt.Sprintf(`{"event_id":%q,"seats":2}`, id)
	first := w.call(ann, "POST", "/bookings", body, "Idempotency-Key: k1").want(201)
	if first.header.Get("Location") != "bookings/"+read[Booking](first).ID.String() {
		t.Errorf("Location %q", first.header.Get("Location"))
	}
	again := w.call(ann, "POST", "/bookings", body, "Idempotency-Key: k1").want(201)
	if again.body != first.body {
		t.Errorf("answered\n%s and then\n%s", first.body, again.body)
	}
	// The client's port is the same API: the same key there is the same call.
	if under := w.send(w.client.URL, ann, "POST", "/api/bookings", body, "Idempotency-Key: k1").want(201); under.body != first.body {
		t.Errorf("under /api: %s", under.body)
	}
	w.call(ann, "POST", "/bookings", fmt.Sprintf(`{"event_id":%q,"seats":3}`, id), "Idempotency-Key: k1").refused(422, "idempotency_key_reused")
	if other := read[Booking](w.call(bob, "POST", "/bookings", body, "Idempotency-Key: k1").want(201)); other.UserID != bob.id {
		t.Errorf("another's answer: %+v", other)
	}
	p := w.call(bob, "POST", "/bookings", body).refused(409, "duplicate_request")
	if p.BookingID == uuid.Nil {
		t.Errorf("%+v names no booking", p)
	}
	cancel := "/bookings/" + read[Booking](first).ID.String() + "/cancel"
	done := w.call(ann, "POST", cancel, nil, "Idempotency-Key: k2").want(200)
	if again := w.call(ann, "POST", cancel, nil, "Idempotency-Key: k2").want(200); read[Booking](again).Status != read[Booking](done).Status {
		t.Errorf("%s and then %s", done.body, again.body)
	}
	w.db.CheckClean(t)
}

func TestSeats(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	orgID, _ := w.db.Org(t)
	id := w.db.Event(t, orgID, 20_000, testkit.EventOptions{})
	path := "/events/" + id.String() + "/seats"
	ann := w.someone()
	w.book(ann, id, 2, 1, 21)
	w.call(ann, "PUT", "/events/"+id.String()+"/holds", `{"seat_numbers":[3]}`).want(200)
	// The test's own transport takes gzip by itself and shows what was in it.
	first := w.call(caller{}, "GET", path, nil).want(200)
	s := read[SeatStates](first)
	packed, err := base64.StdEncoding.DecodeString(s.States)
	must(t, err)
	if s.TotalSlots != 20_000 || s.AvailableSlots != 19_998 || len(packed) != 5000 || packed[0] != 0b00_01_00_10 ||
		realtime.StateAt(packed, 21) != realtime.Booked || !strings.Contains(s.Version, ":") {
		t.Errorf("%d of %d, %d bytes, %08b, version %s", s.AvailableSlots, s.TotalSlots, len(packed), packed[0], s.Version)
	}
	tag := first.header.Get("ETag")
	if r := w.call(caller{}, "GET", path, nil, "If-None-Match: "+tag).want(304); r.body != "" || r.header.Get("Cache-Control") != "no-cache" {
		t.Errorf("%q, %v", r.body, r.header)
	}
	w.book(ann, id, 1, 2)
	if r := w.call(caller{}, "GET", path, nil, "If-None-Match: "+tag).want(200); r.header.Get("ETag") == tag {
		t.Errorf("the tag stayed %s", tag)
	}
	w.call(caller{}, "GET", path, nil, "Accept-Encoding: gzip") // a small map is compressed for the second who asks
	for encoding, zipped := range map[string]bool{"gzip": true, "br, gzip;q=0.5": true, "identity": false, "gzip;q=0": false} {
		r := w.call(caller{}, "GET", path, nil, "Accept-Encoding: "+encoding)
		if (r.header.Get("Content-Encoding") == "gzip") != zipped || zipped && len(r.body) > 1000 {
			t.Errorf("%s: %q, %d bytes", encoding, r.header.Get("Content-Encoding"), len(r.body))
		}
	}
	var seats []Seat
	next := "?format=list&limit=999"
	for pages := 0; next != ""; pages++ {
		page := read[List[Seat]](w.call(caller{}, "GET", path+next, nil).want(200))
		seats, next = append(seats, page.Items...), ""
		if page.NextCursor != nil {
			next = "?format=list&limit=999&cursor=" + *page.NextCursor
		}
		if pages > 30 {
			t.Fatal("no end")
		}
	}
	for _, beyond := range []int64{20_001, math.MaxInt64 - 99, math.MaxInt64} {
		page := read[List[Seat]](w.call(caller{}, "GET", path+"?format=list&cursor="+numberCursor(beyond), nil).want(200))
		if len(page.Items) != 0 || page.NextCursor != nil {
			t.Errorf("after %d: %+v", beyond, page)
		}
	}
	if len(seats) != 20_000 || seats[2] != (Seat{3, "", "A", "A3", "held"}) || seats[20] != (Seat{21, "", "B", "B21", "booked"}) || seats[21].State != "free" {
		t.Errorf("%d seats, %+v %+v %+v", len(seats), seats[2], seats[20], seats[21])
	}
}

// Pages follow each other without a gap or a repeat.
func TestPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	orgID, _ := w.db.Org(t)
	organizer, ann := w.member(orgID, "organizer"), w.someone()
	event := w.db.Event(t, orgID, 3, testkit.EventOptions{})
	for range 4 {
		w.db.Event(t, orgID, 3, testkit.EventOptions{})
	}
	for range 5 {
		w.book(w.someone(), event, 1)
	}
	for i := range 3 {
		w.book(ann, w.db.Event(t, orgID, 3, testkit.EventOptions{StartsIn: time.Duration(i+1) * time.Hour}), 1)
	}
	for path, want := range map[string]int{
		"/events":                                                  8,
		"/events?org_id=" + orgID.String():                         8,
		"/events/" + event.String() + "/bookings":                  5,
		"/events/" + event.String() + "/bookings?status=confirmed": 3,
		"/events/" + event.String() + "/waitlist":                  2,
		"/bookings/user/" + ann.id.String():                        3,
		"/organizations/" + orgID.String() + "/members":            2,
	} {
		who := organizer
		seen := map[string]bool{}
		cursor := ""
		for pages := 0; ; pages++ {
			join := "?"
			if strings.Contains(path, "?") {
				join = "&"
			}
			page := read[List[map[string]any]](w.call(who, "GET", path+join+"limit=2"+cursor, nil).want(200))
			for _, item := range page.Items {
				seen[fmt.Sprint(item["id"], item["user_id"])] = true
			}
			if page.NextCursor == nil || pages > 10 {
				break
			}
			cursor = "&cursor=" + *page.NextCursor
		}
		if len(seen) != want {
			t.Errorf("%s: %d things, want %d", path, len(seen), want)
		}
	}
}

func TestInvites(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	orgID, _ := w.db.Org(t)
	admin, invited := w.member(orgID, "orgAdmin"), w.someone()
	body := map[string]any{"org_id": orgID, "email": invited.email, "role": "organizer"}
	i := read[Invite](w.call(admin, "POST", "/org-invites", body).want(201))
	w.call(admin, "POST", "/org-invites", body).refused(409, "already_invited")
	if mine := read[List[Invite]](w.call(invited, "GET", "/org-invites", nil).want(200)); len(mine.Items) != 1 || mine.Items[0].OrgName == "" {
		t.Errorf("%+v", mine)
	}
	if a := read[Invite](w.call(invited, "POST", "/org-invites/"+i.ID.String()+"/accept", nil).want(200)); a.Status != "accepted" {
		t.Errorf("%+v", a)
	}
	me := read[Me](w.call(invited, "GET", "/users/me", nil).want(200))
	if len(me.Organizations) != 1 || me.Organizations[0].Role != "organizer" || !me.EmailVerified || me.ID != invited.id {
		t.Errorf("%+v", me)
	}
	second := read[Invite](w.call(admin, "POST", "/org-invites", map[string]any{"org_id": orgID, "email": "a@b.test", "role": "user"}).want(201))
	w.call(admin, "DELETE", "/org-invites/"+second.ID.String(), nil).want(204)
	w.call(admin, "DELETE", "/org-invites/"+second.ID.String(), nil).refused(409, "invite_not_pending")
	if of := read[List[Invite]](w.call(admin, "GET", "/org-invites?org_id="+orgID.String(), nil).want(200)); len(of.Items) != 2 {
		t.Errorf("%+v", of)
	}
}

// A mailed link explains the invite to whoever opens it, and gives its address
// away to nobody but its owner.
func TestInviteByItsLink(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	orgID, _ := w.db.Org(t)
	admin, invited, other := w.member(orgID, "orgAdmin"), w.someone(), w.someone()
	i := read[Invite](w.call(admin, "POST", "/org-invites", map[string]any{"org_id": orgID, "email": invited.email, "role": "organizer"}).want(201))
	link, err := w.server.deps.Orgs.MintInviteLink(t.Context(), i.ID)
	must(t, err)
	_, query, _ := strings.Cut(link.URL, "?")
	path := "/org-invites/by-token?" + query
	mine := read[LinkedInvite](w.call(invited, "GET", path, nil).want(200))
	want := LinkedInvite{ID: i.ID, OrgID: orgID, OrgName: i.OrgName, Email: invited.email, Role: "organizer", Status: "pending", ExpiresAt: i.ExpiresAt, ToCaller: true}
	if mine != want {
		t.Errorf("to the invited: %+v, want %+v", mine, want)
	}
	shown := w.call(other, "GET", path, nil).want(200)
	want.Email, want.ToCaller = "p•••@people.test", false
	if theirs := read[LinkedInvite](shown); theirs != want || strings.Contains(shown.body, invited.email) {
		t.Errorf("to another: %s", shown.body)
	}
	w.call(caller{}, "GET", path, nil).refused(401, "unauthenticated")
	for _, wrong := range []string{"x", strings.Repeat("x", 43), strings.Repeat("x", 5000)} {
		w.call(invited, "GET", "/org-invites/by-token?token="+wrong, nil).refused(404, "not_found")
	}
	w.call(invited, "POST", "/org-invites/"+i.ID.String()+"/accept", nil).want(200)
	if after := read[LinkedInvite](w.call(other, "GET", path, nil).want(200)); after.Status != "accepted" {
		t.Errorf("%+v", after)
	}
}

func TestMaskedAddress(t *testing.T) {
	for address, want := range map[string]string{
		"kim@example.org": "k•••@example.org", "k@example.org": "k•••@example.org", "ünal@example.org": "ü•••@example.org", "": "•••",
	} {
		if got := maskedAddress(address); got != want {
			t.Errorf("%q: %q, want %q", address, got, want)
		}
	}
}

func TestNotifications(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.someone()
	id := uuid.Must(uuid.NewV7())
	_, err := w.db.System.Exec(t.Context(), `INSERT INTO notifications (id, fact_id, user_id, type, channel, title, message, status)
		VALUES ($1, $2, $3, 'booking_confirmed', 'app', 'Booked', 'You are in.', 'sent')`, id, uuid.New(), ann.id)
	must(t, err)
	list := read[NotificationList](w.call(ann, "GET", "/notifications?unread=true", nil).want(200))
	if list.UnreadCount != 1 || len(list.Items) != 1 || list.Items[0].ID != id || list.Items[0].ReadAt != nil || list.Items[0].EventID != nil {
		t.Fatalf("%+v", list)
	}
	w.call(w.someone(), "POST", "/notifications/"+id.String()+"/read", nil).refused(404, "not_found")
	w.call(ann, "POST", "/notifications/"+id.String()+"/read", nil).want(204)
	if list := read[NotificationList](w.call(ann, "GET", "/notifications", nil).want(200)); list.UnreadCount != 0 || list.Items[0].ReadAt == nil {
		t.Errorf("%+v", list)
	}
	w.call(ann, "POST", "/notifications/read-all", nil).want(204)
}

func TestHeadAnswersAsGet(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if r := w.call(caller{}, http.MethodHead, "/events", nil).want(200); r.body != "" {
		t.Errorf("a body: %q", r.body)
	}
	r := w.call(caller{}, "PATCH", "/events", nil)
	r.refused(405, "method_not_allowed")
	if r.header.Get("Allow") != "GET, HEAD, POST" {
		t.Errorf("Allow: %s", r.header.Get("Allow"))
	}
}
