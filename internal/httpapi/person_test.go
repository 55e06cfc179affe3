package httpapi

import (
	ziparchive "archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/idp"
	"happening/internal/notify"
	"happening/internal/postgres"
	"happening/internal/testkit"
	"happening/internal/user"
)

func TestANameOfOnesOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	orgID, _ := w.db.Org(t)
	ann, organizer := w.member(orgID, "user"), w.member(orgID, "organizer")
	eventID := w.db.Event(t, orgID, 5, testkit.EventOptions{})
	w.book(ann, eventID, 1)
	before := read[Me](w.call(ann, "GET", "/users/me", nil).want(200))
	if before.Name == "" || before.CreatedAt.IsZero() {
		t.Errorf("%+v", before)
	}
	for _, c := range []struct{ name, body, fields string }{
		{"nothing to see", `{"name":"\u200b"}`, "name"},
		{"empty", `{"name":""}`, "name"},
		{"none", `{}`, "name"},
		{"null", `{"name":null}`, "name"},
		{"a number", `{"name":7}`, "name"},
		{"too long", `{"name":"` + strings.Repeat("a", 201) + `"}`, "name"},
		{"the address, too", `{"name":"A","email":"a@b.test"}`, "email"},
		{"verified", `{"name":"A","email_verified":true}`, "email_verified"},
	} {
		if got := w.call(ann, "PUT", "/users/me", c.body).refused(422, "invalid").fields(); got != c.fields {
			t.Errorf("%s: fields %q, want %q", c.name, got, c.fields)
		}
	}
	w.call(caller{}, "PUT", "/users/me", `{"name":"A"}`).refused(401, "unauthenticated")
	if got := read[Me](w.call(ann, "GET", "/users/me", nil).want(200)); got.Name != before.Name {
		t.Errorf("a refusal changed the name to %q", got.Name)
	}

	const name = "Ann of Green Gables"
	got := read[Me](w.call(ann, "PUT", "/users/me", `{"name":" Ann\u202e of Green Gables "}`).want(200))
	if got.Name != name || got.Email != before.Email || len(got.Organizations) != 1 || !got.CreatedAt.Equal(before.CreatedAt) {
		t.Errorf("%+v", got)
	}
	for _, path := range []string{"/users/me", "/organizations/" + orgID.String() + "/members", "/events/" + eventID.String() + "/bookings"} {
		who := organizer
		if path == "/users/me" {
			who = ann
		}
		if shown := w.call(who, "GET", path, nil).want(200); !strings.Contains(shown.body, name) {
			t.Errorf("%s doesn't show it: %s", path, shown.body)
		}
	}
	// What the provider says at the next sign-in doesn't count any more, an
	// address that it verified does.
	var subject string
	must(t, w.db.System.QueryRow(t.Context(), `SELECT subject FROM user_identities WHERE user_id = $1`, ann.id).Scan(&subject))
	_, err := w.server.deps.People.Resolve(t.Context(), idp.IdentityKey, subject,
		user.Claims{Name: "Somebody Else", Email: "ann@new.test", EmailVerified: true}, user.NoLinking)
	must(t, err)
	if got := read[Me](w.call(ann, "GET", "/users/me", nil).want(200)); got.Name != name || got.Email != "ann@new.test" {
		t.Errorf("after the next sign-in: %+v", got)
	}
}

// signedIn is a browser of somebody with a session, as the database has it.
func (w *world) signedIn(who caller, label string) (cookie string, id uuid.UUID) {
	w.t.Helper()
	token := uuid.NewString()
	hash := sha256.Sum256([]byte(token))
	id = uuid.Must(uuid.NewV7())
	_, err := w.db.System.Exec(context.Background(), `
		INSERT INTO sessions (id, token_hash, user_id, issuer, subject, id_token, user_agent, created_at, last_seen_at, expires_at)
		VALUES ($1, $2, $3, $4, 'subject', 'an id token', $5, $6, $6, $6::timestamptz + interval '1 day')`,
		id, hash[:], who.id, idp.IdentityKey, label, w.server.deps.Now())
	must(w.t, err)
	return "Cookie: happening_session=" + token, id
}

func TestSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann, bob := w.someone(), w.someone()
	laptop, laptopID := w.signedIn(ann, "Firefox on Linux")
	phone, phoneID := w.signedIn(ann, "Safari on iPhone")
	desk, _ := w.signedIn(ann, "Chrome on Windows")
	theirs, theirID := w.signedIn(bob, "Firefox on Linux")

	shown := w.call(caller{}, "GET", "/users/me/sessions", nil, laptop).want(200)
	list := read[List[Session]](shown)
	if len(list.Items) != 3 || list.NextCursor != nil {
		t.Fatalf("%+v", list)
	}
	for i, want := range []string{"Chrome on Windows", "Safari on iPhone", "Firefox on Linux"} {
		if s := list.Items[i]; s.Label != want || s.Current != (s.ID == laptopID) || s.CreatedAt.IsZero() || s.LastSeenAt.IsZero() {
			t.Errorf("%d: %+v", i, s)
		}
	}
	if strings.Contains(shown.body, "token") {
		t.Errorf("a secret is shown: %s", shown.body)
	}
	for _, s := range read[List[Session]](w.call(ann, "GET", "/users/me/sessions", nil).want(200)).Items {
		if s.Current {
			t.Errorf("to a token: %+v", s)
		}
	}

	end := func(id uuid.UUID) string { return "/users/me/sessions/" + id.String() }
	w.call(caller{}, "GET", "/users/me/sessions", nil).refused(401, "unauthenticated")
	w.call(caller{}, "DELETE", "/users/me/sessions", nil).refused(401, "unauthenticated")
	w.call(caller{}, "DELETE", end(phoneID), nil).refused(404, "not_found")
	hidden := w.call(ann, "DELETE", end(theirID), nil)
	hidden.refused(404, "not_found")
	if absent := w.call(ann, "DELETE", end(uuid.New()), nil); absent.body != hidden.body {
		t.Errorf("another's %q is not as an absent one %q", hidden.body, absent.body)
	}
	w.call(ann, "DELETE", "/users/me/sessions/1", nil).refused(404, "not_found")
	w.call(caller{}, "DELETE", end(phoneID), nil, laptop, "Origin: https://evil.test").refused(403, "cross_origin")

	w.call(caller{}, "GET", "/users/me", nil, phone).want(200) // remembered from now on
	w.call(caller{}, "DELETE", end(phoneID), nil, laptop).want(204)
	w.call(caller{}, "GET", "/users/me", nil, phone).refused(401, "unauthenticated")
	w.call(caller{}, "DELETE", end(phoneID), nil, laptop).refused(404, "not_found")
	w.call(caller{}, "DELETE", "/users/me/sessions", nil, laptop).want(204)
	w.call(caller{}, "GET", "/users/me", nil, desk).refused(401, "unauthenticated")
	for name, cookie := range map[string]string{"the one that asked": laptop, "somebody else's": theirs} {
		if got := w.call(caller{}, "GET", "/users/me", nil, cookie); got.status != 200 {
			t.Errorf("%s: %d", name, got.status)
		}
	}
	w.call(caller{}, "DELETE", end(laptopID), nil, laptop).want(204)
	w.call(caller{}, "GET", "/users/me", nil, laptop).refused(401, "unauthenticated")
}

func TestPreferencesOverHTTP(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.someone()
	const path = "/notifications/preferences"
	all := read[Preferences](w.call(ann, "GET", path, nil).want(200))
	if len(all.Types) < 8 {
		t.Fatalf("%+v", all)
	}
	for _, c := range []struct{ name, body, fields string }{
		{"the bell", `{"types":[{"type":"event_updated","app":false}]}`, "types[0].app"},
		{"the invitation's link", `{"types":[{"type":"event_updated"},{"type":"org_invited","email":false}]}`, "types[1].email"},
		{"an unknown type", `{"types":[{"type":"x","email":false}]}`, "types[0].type"},
		{"a type twice", `{"types":[{"type":"event_updated"},{"type":"event_updated"}]}`, "types[1].type"},
		{"no truth", `{"types":[{"type":"event_updated","email":"no"}]}`, "types[0].email"},
		{"another channel", `{"types":[{"type":"event_updated","sms":true}]}`, "types[0].sms"},
		{"no list", `{"types":{}}`, "types"},
		{"nothing", `{}`, "types"},
		{"too many", `{"types":[` + strings.Repeat(`{"type":"x"},`, 50) + `{"type":"x"}]}`, "types"},
	} {
		if got := w.call(ann, "PUT", path, c.body).refused(422, "invalid").fields(); got != c.fields {
			t.Errorf("%s: fields %q, want %q", c.name, got, c.fields)
		}
	}
	w.call(caller{}, "GET", path, nil).refused(401, "unauthenticated")
	w.call(caller{}, "PUT", path, `{"types":[]}`).refused(401, "unauthenticated")
	if got := read[Preferences](w.call(ann, "GET", path, nil).want(200)); fmt.Sprint(got) != fmt.Sprint(all) {
		t.Errorf("a refusal changed %+v", got)
	}
	got := read[Preferences](w.call(ann, "PUT", path, `{"types":[{"type":"event_updated","app":true,"email":false}]}`).want(200))
	for i, p := range got.Types {
		if want := p.Type != "event_updated"; p.Email != want || !p.App || p.Type != all.Types[i].Type {
			t.Errorf("%+v", p)
		}
	}
	if got := read[Preferences](w.call(w.someone(), "GET", path, nil).want(200)); fmt.Sprint(got) != fmt.Sprint(all) {
		t.Errorf("somebody else's: %+v", got)
	}
}

// archive opens what an export answered.
func archive(t *testing.T, r reply) map[string]string {
	t.Helper()
	z, err := ziparchive.NewReader(strings.NewReader(r.body), int64(len(r.body)))
	must(t, err)
	files := map[string]string{}
	for _, f := range z.File {
		file, err := f.Open()
		must(t, err)
		content, err := io.ReadAll(file)
		must(t, err)
		files[f.Name] = string(content)
	}
	return files
}

// An export has everything about a person and nothing about anybody else.
func TestExport(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	orgID, _ := w.db.Org(t)
	admin, ann, bob, cem := w.member(orgID, "orgAdmin"), w.someone(), w.someone(), w.someone()
	w.call(bob, "PUT", "/users/me", `{"name":"Bob the Marked"}`).want(200)
	w.call(admin, "PUT", "/users/me", `{"name":"Ada the Marked"}`).want(200)
	members := w.db.Event(t, orgID, 3, testkit.EventOptions{Visibility: "members"})
	open := w.db.Event(t, orgID, 2, testkit.EventOptions{})
	w.call(ann, "PUT", "/notifications/preferences", `{"types":[{"type":"booking_waitlisted","email":false}]}`).want(200)

	invite := func(who caller, org uuid.UUID, email, role string) Invite {
		return read[Invite](w.call(who, "POST", "/org-invites", map[string]any{"org_id": org, "email": email, "role": role}).want(201))
	}
	toAnn, toBob := invite(admin, orgID, ann.email, "user"), invite(admin, orgID, bob.email, "user")
	w.call(ann, "POST", "/org-invites/"+toAnn.ID.String()+"/accept", nil).want(200)
	w.call(bob, "POST", "/org-invites/"+toBob.ID.String()+"/accept", nil).want(200)
	anns := w.book(ann, members, 1)
	bobs := w.book(bob, open, 2)
	waits := w.book(ann, open, 1)
	w.call(ann, "POST", "/bookings/"+anns.ID.String()+"/cancel", nil).want(200)
	w.call(ann, "PUT", "/events/"+members.String()+"/holds", `{"seat_numbers":[2]}`).want(200)
	w.call(bob, "PUT", "/events/"+members.String()+"/holds", `{"seat_numbers":[3]}`).want(200)
	own := read[Organization](w.call(ann, "POST", "/organizations", `{"name":"Club of Ann"}`).want(201))
	toCem := invite(ann, own.ID, cem.email, "organizer")
	cookie, sessionID := w.signedIn(ann, "Firefox on Linux")
	_, theirSession := w.signedIn(bob, "Chrome on Windows")
	// Away from the organization, she has still been there.
	w.call(admin, "PUT", "/organizations/"+orgID.String()+"/members/"+ann.id.String(), `{"role":"organizer"}`).want(200)
	relay := notify.NewRelay(notify.RelayConfig{Store: postgres.NewNotifyStore(w.db.DB), Now: w.server.deps.Now, Log: slog.New(slog.DiscardHandler)})
	for n := 1; n > 0; {
		var err error
		n, err = relay.Once(t.Context())
		must(t, err)
	}

	w.call(caller{}, "GET", "/users/me/export", nil).refused(401, "unauthenticated")
	got := w.call(ann, "GET", "/users/me/export", nil).want(200)
	if kind, name := got.header.Get("Content-Type"), got.header.Get("Content-Disposition"); kind != "application/zip" ||
		!strings.HasPrefix(name, `attachment; filename="happening-`) || got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%v", got.header)
	}
	files := archive(t, got)
	for name, parts := range map[string][]string{
		"README.txt":                    {"account.json: ", "bookings.json: ", "holds.json: "},
		"account.json":                  {ann.id.String(), ann.email, `"email_verified": true`},
		"identities.json":               {idp.IdentityKey},
		"sign_in_account.json":          {ann.email, `"email_verified": true`},
		"account_log.json":              {"[]"},
		"organizations.json":            {orgID.String(), `"role": "organizer"`, "Club of Ann", `"role": "orgAdmin"`},
		"bookings.json":                 {anns.ID.String(), waits.ID.String(), `"action": "confirmed"`, `"action": "cancelled"`, `"by": "you"`, `"seat_numbers"`, `"name": "Event"`},
		"waitlist.json":                 {waits.ID.String(), `"waiting_number": 1`, `"status": "waiting"`},
		"notifications.json":            {`"booking_confirmed"`, `"booking_waitlisted"`, `"booking_cancelled"`, `"status": "pending"`, `"mail": null`},
		"notification_preferences.json": {`"booking_waitlisted"`, `"wanted": false`},
		"sessions.json":                 {sessionID.String(), "Firefox on Linux"},
		"invites_received.json":         {toAnn.ID.String(), ann.email, `"accepted"`},
		"invites_sent.json":             {toCem.ID.String(), `"organizer"`, "Club of Ann"},
		"audit.json":                    {"org.created", "invite.created", "member.joined", "member.role_changed", `"role": "organizer"`, `"by": "somebody else"`},
		"holds.json":                    {members.String(), `"seat_numbers": [`},
	} {
		for _, part := range parts {
			if !strings.Contains(files[name], part) {
				t.Errorf("%s lacks %s: %s", name, part, files[name])
			}
		}
	}
	token, _ := strings.CutPrefix(cookie, "Cookie: happening_session=")
	hash := sha256.Sum256([]byte(token))
	for name, content := range files {
		if strings.HasSuffix(name, ".json") && !json.Valid([]byte(content)) {
			t.Errorf("%s is no JSON: %s", name, content)
		}
		for what, foreign := range map[string]string{
			"bob": bob.id.String(), "bob's name": "Bob the Marked", "bob's address": bob.email, "bob's booking": bobs.ID.String(),
			"bob's invite": toBob.ID.String(), "bob's session": theirSession.String(), "the admin": admin.id.String(),
			"the admin's name": "Ada the Marked", "the admin's address": admin.email, "whom ann invited": cem.email,
			"a cookie": token, "a cookie's hash": fmt.Sprintf("%x", hash), "an ID token": "an id token", "a provider's subject": `"subject"`,
		} {
			if strings.Contains(content, foreign) {
				t.Errorf("%s holds %s: %s", name, what, content)
			}
		}
	}
	// Whoever left an organization still finds what it recorded of them.
	w.call(ann, "DELETE", "/organizations/"+orgID.String()+"/members/"+ann.id.String(), nil).want(204)
	after := archive(t, w.call(ann, "GET", "/users/me/export", nil).want(200))
	if !strings.Contains(after["audit.json"], "member.left") || !strings.Contains(after["bookings.json"], anns.ID.String()) || strings.Contains(after["organizations.json"], orgID.String()) {
		t.Errorf("after leaving: %s\n%s\n%s", after["audit.json"], after["bookings.json"], after["organizations.json"])
	}
	if head := w.call(ann, "HEAD", "/users/me/export", nil).want(200); head.body != "" || head.header.Get("Content-Type") != "application/zip" {
		t.Errorf("HEAD: %v", head.header)
	}
	w.db.CheckClean(t)
}

// brokenExport is a store whose export breaks off in the middle.
type brokenExport struct{ user.Store }

func (brokenExport) ExportRows(_ context.Context, id uuid.UUID, part user.ExportPart, after uuid.UUID, limit int) ([]user.ExportRow, error) {
	if part == user.ExportAudit {
		return nil, io.ErrUnexpectedEOF
	}
	rows := make([]user.ExportRow, 0, limit)
	for i := range limit {
		if after != uuid.Nil || part == user.ExportAccount && i > 0 {
			break
		}
		key := uuid.Must(uuid.NewRandom()) // so that it compresses badly, and some of it is sent before it breaks off
		rows = append(rows, user.ExportRow{Key: key, JSON: fmt.Appendf(nil, `{"id":%q}`, key)})
	}
	return rows, nil
}

// Half an export is a connection that is cut, not a file that seems whole; and
// what fails before it began is a problem as everywhere.
func TestAnExportThatBreaksOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(d *Deps) { d.People = user.NewService(brokenExport{}, time.Now) })
	ann := w.someone()
	r, err := http.NewRequestWithContext(t.Context(), "GET", w.api.URL+"/users/me/export", nil)
	must(t, err)
	r.Header.Set("Authorization", "Bearer "+ann.token)
	answer, err := http.DefaultTransport.RoundTrip(r)
	must(t, err)
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err == nil {
		t.Errorf("%d bytes are answered as if they were all", len(content))
	}
	if _, err := ziparchive.NewReader(bytes.NewReader(content), int64(len(content))); err == nil {
		t.Error("half an export can be opened")
	}
	gone := newWorld(t)
	bob := gone.someone()
	gone.db.AsOwner(t, `REVOKE SELECT ON users FROM happening_app`)
	gone.call(bob, "GET", "/users/me/export", nil).refused(500, "internal")
}
