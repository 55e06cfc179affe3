//go:build linux

package system

import (
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"happening/internal/testkit"
	"happening/test/house"
)

// A word that occurs nowhere but in the name and the address of the person who
// is erased.
const (
	eraseMarker   = "quillermarkqx"
	erasePassword = "seven unrelated umbrellas"
)

// erasing is a house in which somebody with a marker has left traces.
type erasing struct {
	t      *testing.T
	h      *house.House
	api    *house.Client // on the client's port, as browsers come
	ops    *house.Client
	server *house.Server
	email  string
}

var linkPattern = regexp.MustCompile(`https?://\S+token=[\w-]+`)

// mails are those in the mailbox to the marked address, the newest first.
func (e *erasing) mails(matching string) (texts []string) {
	e.t.Helper()
	var page struct {
		Items []struct{ Subject, Text string }
	}
	e.ops.Want(e.t, nil, http.StatusOK, http.MethodGet, "/mailbox?format=json&limit=200&to="+url.QueryEscape(e.email), nil, &page)
	for _, m := range page.Items {
		if strings.Contains(m.Subject+"\n"+m.Text, matching) {
			texts = append(texts, m.Text)
		}
	}
	return texts
}

// signUp makes an account as people do: by the form and the mailed link.
func (e *erasing) signUp(name string) (b *house.Browser, id string) {
	e.t.Helper()
	b = e.h.Browser()
	page := b.Get(e.t, "/auth/login?return_to=/profile")
	signUp := regexp.MustCompile(`href="(/idp/sign-up[^"]*)"`).FindStringSubmatch(page)
	if signUp == nil {
		e.t.Fatalf("there is no way to sign up: %s", page)
	}
	before := len(e.mails("/idp/confirm"))
	b.Submit(e.t, b.Get(e.t, html.UnescapeString(signUp[1])), url.Values{"name": {name}, "email": {e.email}, "password": {erasePassword}})
	house.Await(e.t, "the mail that confirms the address", house.SettleLimit, func() bool { return len(e.mails("/idp/confirm")) > before })
	link, err := url.Parse(linkPattern.FindString(e.mails("/idp/confirm")[0]))
	if err != nil {
		e.t.Fatal(err)
	}
	answered := b.Submit(e.t, b.Get(e.t, link.RequestURI()), url.Values{})
	if b.Session == nil {
		e.t.Fatalf("signing up gave no session: %s", answered)
	}
	var me struct{ ID string }
	e.wantAs(b, http.StatusOK, http.MethodGet, "/users/me", nil, &me)
	return b, me.ID
}

// as asks with the browser's session.
func (e *erasing) as(b *house.Browser, method, path string, body any, headers ...string) *house.Answer {
	e.t.Helper()
	return e.api.Send(e.t, nil, method, "/api"+path, body, append(headers, b.Cookie(), "Origin: "+e.h.PublicURL())...)
}

func (e *erasing) wantAs(b *house.Browser, status int, method, path string, body, into any) {
	e.t.Helper()
	a := e.as(b, method, path, body)
	if a.Status != status {
		e.t.Fatalf("%s %s: %s, want %d", method, path, a, status)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(a.Body, into); err != nil {
		e.t.Fatalf("%s %s: %v in %s", method, path, err, a)
	}
}

// elsewhere lists where the marker stands outside of PostgreSQL's tables.
func (e *erasing) elsewhere() (found []string) {
	e.t.Helper()
	if testkit.Mentions([]byte(e.server.Said()), eraseMarker) {
		found = append(found, "the server's log")
	}
	logs, err := filepath.Glob(filepath.Join(e.h.Data, "*.log"))
	if err != nil {
		e.t.Fatal(err)
	}
	for _, name := range logs {
		text, err := os.ReadFile(name)
		if err != nil {
			e.t.Fatal(err)
		}
		if testkit.Mentions(text, eraseMarker) {
			found = append(found, name)
		}
	}
	return append(found, inEngines(e.t, e.h, eraseMarker)...)
}

// Somebody with a marker in name and address signs up, founds, is invited,
// books, waits, holds, gets mails and changes names; then they have it all
// erased. The marker is in no table, no log, no mail, no answer and in no
// engine; their sessions, tokens and connections are at an end, who waited has
// their seats, and the address is free.
func TestErasure(t *testing.T) {
	t.Parallel()
	e := &erasing{t: t, h: house.New(t), email: eraseMarker + "@people.test"}
	e.server = e.h.Serve()
	for into, addr := range map[**house.Client]string{&e.api: e.h.Client, &e.ops: e.h.Ops} {
		*into = house.NewClient(addr)
		t.Cleanup((*into).Close)
	}
	c := house.NewClient(e.h.API)
	t.Cleanup(c.Close)
	db := e.h.Database()
	people := e.h.People("person", 3)
	admin, first, second := people[0], people[1], people[2]
	browser, annID := e.signUp("Ann " + eraseMarker)
	e.wantAs(browser, http.StatusOK, http.MethodPut, "/users/me", map[string]string{"name": "Annette " + strings.ToUpper(eraseMarker)}, nil)

	// Organizations: one that she is invited to and joins, one that she founds
	// and shares, and one whose invite she leaves open.
	joined, open := c.Organization(t, admin), c.Organization(t, admin)
	var founded struct{ ID string }
	e.wantAs(browser, http.StatusCreated, http.MethodPost, "/organizations", map[string]string{"name": "Founded"}, &founded)
	invite := func(org, role string) (id string) {
		var made struct{ ID string }
		c.Want(t, admin, http.StatusCreated, http.MethodPost, "/org-invites", map[string]string{"org_id": org, "email": e.email, "role": role}, &made)
		return made.ID
	}
	e.wantAs(browser, http.StatusOK, http.MethodPost, "/org-invites/"+invite(joined, "organizer")+"/accept", nil, nil)
	openInvite := invite(open, "user")
	var toAdmin struct{ ID string }
	e.wantAs(browser, http.StatusCreated, http.MethodPost, "/org-invites", map[string]string{"org_id": founded.ID, "email": admin.Email, "role": "orgAdmin"}, &toAdmin)

	// Seats: all of one event, for which another one waits; a place in a
	// waitlist; a hold; a booking with a key of her own wording.
	full, busy, free := c.Event(t, admin, joined, 2, nil), c.Event(t, admin, joined, 2, nil), c.Event(t, admin, open, 50, nil)
	l := house.NewLedger()
	e.wantAs(browser, http.StatusCreated, http.MethodPost, "/bookings", map[string]any{"event_id": full, "seats": 2}, nil)
	waits := l.Book(first, full, 2)
	l.Place(c, waits)
	l.Place(c, l.Book(second, busy, 2))
	e.wantAs(browser, http.StatusCreated, http.MethodPost, "/bookings", map[string]any{"event_id": busy, "seats": 1}, nil)
	if a := e.as(browser, http.MethodPost, "/bookings", map[string]any{"event_id": free, "seats": 1}, "Idempotency-Key: "+eraseMarker); a.Status != http.StatusCreated {
		t.Fatal(a)
	}
	e.wantAs(browser, http.StatusOK, http.MethodPut, "/events/"+free+"/holds", map[string]any{"seat_numbers": []int{40}}, nil)
	line := strings.Fields(e.h.Must("token", "--user", e.email))
	if len(line) != 2 || line[0] != annID {
		t.Fatalf("token printed %q, the person is %s", line, annID)
	}
	ann := &house.Person{ID: annID, Email: e.email, Token: line[1]}
	bySession := house.OpenSocket(t, e.h.Client, e.h.PublicURL(), browser.Cookie())
	byToken := house.OpenSocket(t, e.h.API, "", "Authorization: Bearer "+ann.Token)
	quiet := func() bool {
		return house.Count(t, db, `SELECT count(*) FROM outbox WHERE relayed_at IS NULL`) == 0 &&
			house.Count(t, db, `SELECT count(*) FROM notifications WHERE status = 'pending'`) == 0
	}
	house.Await(t, "everything is told", house.SettleLimit, quiet)

	// She can't leave alone who would have nobody left.
	confirm := map[string]string{"email": e.email}
	if a := e.as(browser, http.MethodDelete, "/users/me", confirm); a.Status != http.StatusConflict || a.Code() != "last_org_admin" || !strings.Contains(string(a.Body), founded.ID) {
		t.Fatalf("the last orgAdmin: %s", a)
	}
	c.Want(t, admin, http.StatusOK, http.MethodPost, "/org-invites/"+toAdmin.ID+"/accept", nil, nil)

	// The control: all of what is asked afterwards finds her now, but for the
	// logs and the engines, which must never.
	seen := strings.Join(testkit.Traces(t, db, eraseMarker), " ")
	for _, column := range []string{
		"users.name", "users.email", "idp_accounts.email", "sessions.id_token", "organization_invites.email",
		"mailbox_mails.recipient", "mailbox_mails.text_body", "booking_history.idempotency_key",
	} {
		if !strings.Contains(seen, column+" ") {
			t.Errorf("before the erasure the marker is not in %s, so that its absence shows nothing", column)
		}
	}
	answers := map[string]string{
		"members": "/organizations/" + joined + "/members", "invites": "/org-invites?org_id=" + joined, "bookings": "/events/" + full + "/bookings",
		"waitlist": "/events/" + busy + "/waitlist", "record": "/organizations/" + joined + "/audit",
		"record as CSV": "/organizations/" + joined + "/audit/export?format=csv", "record as JSON": "/organizations/" + joined + "/audit/export?format=json",
		"record of her own organization": "/organizations/" + founded.ID + "/audit", "search": "/users?org_id=" + joined + "&q=" + eraseMarker,
	}
	naming := func() (named []string) {
		for what, path := range answers {
			if a := c.Get(t, admin, path); a.Status != http.StatusOK {
				t.Fatalf("%s: %s", path, a)
			} else if testkit.Mentions(a.Body, eraseMarker) {
				named = append(named, what)
			}
		}
		slices.Sort(named)
		return named
	}
	if named := naming(); len(named) != len(answers) {
		t.Errorf("before the erasure only these name her: %v", named)
	}
	if found := e.elsewhere(); len(found) > 0 {
		t.Errorf("before the erasure the marker is in %v", found)
	}

	if a := e.as(browser, http.MethodDelete, "/users/me", map[string]string{"email": admin.Email}); a.Status != http.StatusUnprocessableEntity {
		t.Fatalf("confirmed by another address: %s", a)
	}
	gone := e.as(browser, http.MethodDelete, "/users/me", confirm)
	if gone.Status != http.StatusNoContent || !strings.Contains(gone.Header.Get("Set-Cookie"), "happening_session=;") {
		t.Fatalf("%s, %v", gone, gone.Header)
	}
	if a := c.Get(t, ann, "/users/me"); a.Status != http.StatusUnauthorized {
		t.Errorf("her token: %s", a)
	}
	if a := e.as(browser, http.MethodGet, "/users/me", nil); a.Status != http.StatusUnauthorized {
		t.Errorf("her session: %s", a)
	}
	<-bySession
	<-byToken
	house.Await(t, "who waited has the seats", house.SettleLimit, func() bool {
		return house.Count(t, db, `SELECT count(*) FROM bookings WHERE id = $1 AND status = 'confirmed'`, waits.Told.ID) == 1
	})
	house.Await(t, "everything is told", house.SettleLimit, quiet)
	house.Await(t, "no trace is left in PostgreSQL", house.SettleLimit, func() bool { return len(testkit.Traces(t, db, eraseMarker)) == 0 })
	if found := e.elsewhere(); len(found) > 0 {
		t.Errorf("the marker is in %v", found)
	}
	if named := naming(); len(named) > 0 {
		t.Errorf("these still name her: %v", named)
	}
	if a := e.ops.Get(t, nil, "/mailbox?format=json&limit=200"); testkit.Mentions(a.Body, eraseMarker) {
		t.Errorf("the mailbox: %s", a)
	}
	for what, want := range map[string]int{
		`SELECT count(*) FROM bookings WHERE user_id = $1 AND status <> 'cancelled'`:                               0,
		`SELECT count(*) FROM booking_history WHERE user_id = $1 AND details ->> 'reason' = 'person_erased'`:       3,
		`SELECT count(*) FROM notifications WHERE user_id = $1`:                                                    0,
		`SELECT count(*) FROM audit_log WHERE subject_id = $1 AND action = 'member.erased'`:                        2,
		`SELECT count(*) FROM users WHERE id = $1 AND erased_at IS NOT NULL`:                                       1,
		`SELECT count(*) FROM outbox WHERE user_id = $1 AND kind = 'booking.cancelled' AND relayed_at IS NOT NULL`: 3,
	} {
		if n := house.Count(t, db, what, uuid.MustParse(annID)); n != want {
			t.Errorf("%s: %d, want %d", what, n, want)
		}
	}
	if n := house.Count(t, db, `SELECT count(*) FROM organization_invites WHERE id = $1`, uuid.MustParse(openInvite)); n != 0 {
		t.Error("an open invite to her is left")
	}
	// Signing up again with the address makes somebody else.
	if _, id := e.signUp("Ann"); id == annID {
		t.Error("the erased person is back")
	}
	e.h.Check()
}
