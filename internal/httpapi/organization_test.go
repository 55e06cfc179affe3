package httpapi

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/org"
	"happening/internal/testkit"
)

// logo makes a PNG.
func logo(t *testing.T, width, height int) string {
	t.Helper()
	var b bytes.Buffer
	must(t, png.Encode(&b, image.NewNRGBA(image.Rect(0, 0, width, height))))
	return b.String()
}

const asPNG = "Content-Type: image/png"

func TestOrganizationSettings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin, visitor := w.someone(), caller{}
	made := w.call(admin, "POST", "/organizations", `{"name":"Mill"}`).want(201)
	if made.header.Get("ETag") != `"1"` {
		t.Errorf("tag %s", made.header.Get("ETag"))
	}
	path := "/organizations/" + read[Organization](made).ID.String()
	answer := w.call(admin, "PUT", path, `{"about":"*Flour*","contact_email":"mill@example.org","website":"https://mill.example.org","color":"#1A7F5A","time_zone":"Europe/Berlin"}`,
		`If-Match: "1"`).want(200)
	o := read[Organization](answer)
	if o.Name != "Mill" || o.About != "*Flour*" || o.ContactEmail != "mill@example.org" || o.Website != "https://mill.example.org" ||
		*o.Color != "#1a7f5a" || *o.TimeZone != "Europe/Berlin" || o.LogoURL != nil || o.Suspended || *o.MyRole != "orgAdmin" || o.Revision != 2 {
		t.Errorf("%s", answer.body)
	}
	if got := answer.header.Get("ETag"); got != `"2"` {
		t.Errorf("tag %s", got)
	}
	seen := w.call(visitor, "GET", path, nil).want(200)
	if got, want := seen.body, strings.Replace(answer.body, `"my_role":"orgAdmin"`, `"my_role":null`, 1); got != want || seen.header.Get("ETag") != `"2"` {
		t.Errorf("a visitor sees %s, want %s", got, want)
	}
	w.call(admin, "PUT", path, `{"name":"Late"}`, `If-Match: "1"`).refused(412, "stale_revision")
	w.call(admin, "PUT", path, `{"name":"Old Mill"}`, `If-Match: "9", "2"`).want(200)
	w.call(admin, "PUT", path, `{"name":"Late"}`, `If-Match: "8", "9"`).refused(412, "stale_revision")
	w.call(admin, "PUT", path, `{"name":"Older Mill"}`, `If-Match: *`).want(200)
	emptied := read[Organization](w.call(admin, "PUT", path, `{"color":null,"time_zone":"","about":null,"website":null}`).want(200))
	if emptied.Color != nil || emptied.TimeZone != nil || emptied.About != "" || emptied.Website != "" || emptied.ContactEmail == "" || emptied.Name != "Older Mill" {
		t.Errorf("%+v", emptied)
	}
	if same := read[Organization](w.call(admin, "PUT", path, `{}`).want(200)); same.Revision != emptied.Revision {
		t.Errorf("nothing was asked for, and the revision is %d after %d", same.Revision, emptied.Revision)
	}

	w.call(admin, "DELETE", path, nil).want(204)
	w.call(admin, "GET", path, nil).refused(404, "not_found")
	w.call(admin, "DELETE", path, nil).refused(404, "not_found")
}

func TestBadOrganizationInput(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	orgID, _ := w.db.Org(t)
	other, _ := w.db.Org(t)
	admin, organizer, user := w.member(orgID, "orgAdmin"), w.member(orgID, "organizer"), w.member(orgID, "user")
	w.db.Event(t, orgID, 3, testkit.EventOptions{StartsIn: -24 * time.Hour})
	path, absent := "/organizations/"+orgID.String(), "/organizations/"+uuid.Must(uuid.NewV7()).String()
	theirs := "/organizations/" + other.String()
	good, wide := logo(t, 4, 4), logo(t, 4097, 1)
	before := w.fingerprint()
	for _, c := range []struct {
		name         string
		who          caller
		method, path string
		body         any
		header       string
		status       int
		code, fields string
	}{
		{"no name", admin, put, path, `{"name":" "}`, "", 422, "invalid", "name"},
		{"a name null", admin, put, path, `{"name":null}`, "", 422, "invalid", "name"},
		{"a name as a number", admin, put, path, `{"name":1}`, "", 422, "invalid", "name"},
		{"all of it bad", admin, put, path, `{"about":"\u0000","contact_email":"x","website":"x","color":"x","time_zone":"x"}`, "", 422, "invalid", "about contact_email website color time_zone"},
		{"a colour as a number", admin, put, path, `{"color":7}`, "", 422, "invalid", "color"},
		{"a field of its own", admin, put, path, `{"suspended":false}`, "", 422, "invalid", "suspended"},
		{"the logo by hand", admin, put, path, `{"logo_url":"https://example.org/x.png"}`, "", 422, "invalid", "logo_url"},
		{"a revision by hand", admin, put, path, `{"revision":9}`, "", 422, "invalid", "revision"},
		{"no body", admin, put, path, nil, "", 400, "malformed", ""},
		{"broken JSON", admin, put, path, `{"name":`, "", 400, "malformed", ""},
		{"a form", admin, put, path, `{}`, "Content-Type: text/plain", 415, "unsupported_media_type", ""},
		{"a tag of nothing", admin, put, path, `{"name":"X"}`, "If-Match: W/\"1\"", 412, "stale_revision", ""},
		{"a visitor", caller{}, put, path, `{"name":"X"}`, "", 401, "unauthenticated", ""},
		{"a user", user, put, path, `{"name":"X"}`, "", 403, "forbidden", ""},
		{"an organizer", organizer, put, path, `{"name":"X"}`, "", 403, "forbidden", ""},
		{"another organization", admin, put, theirs, `{"name":"X"}`, "", 403, "forbidden", ""},
		{"an absent organization", admin, put, absent, `{"name":"X"}`, "", 404, "not_found", ""},
		{"an organization with an event", admin, del, path, nil, "", 409, "organization_not_empty", ""},
		{"deleted by an organizer", organizer, del, path, nil, "", 403, "forbidden", ""},
		{"deleted by a visitor", caller{}, del, path, nil, "", 401, "unauthenticated", ""},
		{"another one deleted", admin, del, theirs, nil, "", 403, "forbidden", ""},

		{"a logo by a visitor", caller{}, put, path + "/logo", good, asPNG, 401, "unauthenticated", ""},
		{"a logo by an organizer", organizer, put, path + "/logo", good, asPNG, 403, "forbidden", ""},
		{"a logo elsewhere", admin, put, theirs + "/logo", good, asPNG, 403, "forbidden", ""},
		{"a logo of nothing", admin, put, absent + "/logo", good, asPNG, 404, "not_found", ""},
		{"a logo as JSON", admin, put, path + "/logo", `{}`, "", 415, "unsupported_media_type", ""},
		{"a logo as SVG", admin, put, path + "/logo", `<svg/>`, "Content-Type: image/svg+xml", 415, "unsupported_media_type", ""},
		{"an empty logo", admin, put, path + "/logo", nil, asPNG, 400, "malformed", ""},
		{"no picture", admin, put, path + "/logo", "hello", asPNG, 422, "invalid_image", ""},
		{"half a picture", admin, put, path + "/logo", good[:len(good)/2], asPNG, 422, "invalid_image", ""},
		{"a picture too wide", admin, put, path + "/logo", wide, asPNG, 422, "invalid_image", ""},
		{"a picture too large", admin, put, path + "/logo", strings.Repeat("x", org.MaxLogoBytes+1), asPNG, 413, "too_large", ""},
		{"settings as large as a picture", admin, put, path, `{"about":"` + strings.Repeat("x", maxBody) + `"}`, "", 413, "too_large", ""},
		{"a visitor's large picture", caller{}, put, path + "/logo", strings.Repeat("x", maxBody+1), asPNG, 401, "unauthenticated", ""},
		{"no logo yet", caller{}, get, path + "/logo", nil, "", 404, "not_found", ""},
		{"a logo of no organization", caller{}, get, absent + "/logo", nil, "", 404, "not_found", ""},
		{"a logo removed by a user", user, del, path + "/logo", nil, "", 403, "forbidden", ""},
		{"a logo removed by a visitor", caller{}, del, path + "/logo", nil, "", 401, "unauthenticated", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var headers []string
			if c.header != "" {
				headers = append(headers, c.header)
			}
			r := w.call(c.who, c.method, c.path, c.body, headers...)
			r.t = t
			if p := r.refused(c.status, c.code); p.fields() != c.fields {
				t.Errorf("bad fields %q, want %q: %s", p.fields(), c.fields, r.body)
			}
		})
	}
	if after := w.fingerprint(); after != before {
		t.Errorf("something changed:\n%s\nwas\n%s", after, before)
	}
}

func TestLogoOverHTTP(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin, visitor := w.someone(), caller{}
	o := read[Organization](w.call(admin, "POST", "/organizations", `{"name":"Mill"}`).want(201))
	path := "/organizations/" + o.ID.String()
	set := w.send(w.client.URL+"/api", admin, "PUT", path+"/logo", logo(t, 900, 300), "Content-Type: image/png; charset=binary").want(200)
	first := read[Organization](set)
	if first.LogoURL == nil || first.Revision != 2 || set.header.Get("ETag") != `"2"` {
		t.Fatalf("%s", set.body)
	}
	got := w.call(visitor, "GET", "/"+*first.LogoURL, nil).want(200)
	picture, err := png.DecodeConfig(strings.NewReader(got.body))
	if err != nil || picture.Width != 512 || picture.Height != 170 {
		t.Errorf("%+v, %v", picture, err)
	}
	tag := got.header.Get("ETag")
	for name, want := range map[string]string{
		"Content-Type": "image/png", "Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff",
	} {
		if got := got.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if policy := got.header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'") {
		t.Errorf("policy %q", policy)
	}
	if plain := w.call(visitor, "GET", path+"/logo", nil).want(200); plain.header.Get("Cache-Control") != "no-cache" || plain.header.Get("ETag") != tag {
		t.Errorf("%v", plain.header)
	}
	if same := w.call(visitor, "GET", path+"/logo", nil, "If-None-Match: "+tag).want(http.StatusNotModified); same.body != "" {
		t.Errorf("%d bytes come with 304", len(same.body))
	}
	second := read[Organization](w.call(admin, "PUT", path+"/logo", logo(t, 5, 5), asPNG).want(200))
	if *second.LogoURL == *first.LogoURL {
		t.Error("another picture has the same address")
	}
	if old := w.call(visitor, "GET", "/"+*first.LogoURL, nil).want(200); old.header.Get("Cache-Control") != "no-cache" || old.header.Get("ETag") == tag {
		t.Errorf("the old address: %v", old.header)
	}
	w.call(admin, "DELETE", path+"/logo", nil).want(204)
	w.call(visitor, "GET", path+"/logo", nil).refused(404, "not_found")
	if gone := read[Organization](w.call(visitor, "GET", path, nil).want(200)); gone.LogoURL != nil || gone.Revision != 4 {
		t.Errorf("%+v", gone)
	}
}

// An organization is often called after who founded it; the record, which is
// never erased, says that its texts changed and not to what.
func TestTheRecordKeepsNoTextOfAnOrganization(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin := w.someone()
	path := "/organizations/" + read[Organization](w.call(admin, "POST", "/organizations", `{"name":"Quillfeather & Sons"}`).want(201)).ID.String()
	w.call(admin, "PUT", path, `{"name":"Quillfeather","about":"By Quillfeather","contact_email":"quillfeather@people.test","website":"https://quillfeather.test","color":"#1a7f5a"}`).want(200)
	type entry struct {
		Action        string
		Before, After map[string]any
	}
	updated := read[List[entry]](w.call(admin, "GET", path+"/audit?action=org.updated", nil).want(200)).Items
	if len(updated) != 1 || fmt.Sprint(updated[0].Before) != "map[color:]" ||
		fmt.Sprint(updated[0].After) != "map[changed:[name about contact_email website] color:#1a7f5a]" {
		t.Errorf("%+v", updated)
	}
	w.call(admin, "DELETE", path, nil).want(204)
	var lines, naming int
	must(t, w.db.System.QueryRow(context.Background(),
		`SELECT count(*), count(*) FILTER (WHERE a::text ILIKE '%quillfeather%') FROM audit_log a WHERE actor_id = $1`, admin.id).Scan(&lines, &naming))
	if lines != 3 || naming != 0 {
		t.Errorf("%d of %d lines name it", naming, lines)
	}
}

// A suspended organization: who is no member sees that there is one, and
// nothing of it; members read, and nothing new happens.
func TestSuspendedOrganization(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin := w.someone()
	o := read[Organization](w.call(admin, "POST", "/organizations", `{"name":"Mill"}`).want(201))
	path := "/organizations/" + o.ID.String()
	w.call(admin, "PUT", path, `{"about":"Marker","contact_email":"mill@example.org","color":"#000000"}`).want(200)
	w.call(admin, "PUT", path+"/logo", logo(t, 5, 5), asPNG).want(200)
	member, stranger, visitor := w.member(o.ID, "user"), w.someone(), caller{}
	id := w.db.Event(t, o.ID, 5, testkit.EventOptions{})
	event := "/events/" + id.String()
	mine := w.book(stranger, id, 2)
	orgs := w.server.deps.Orgs
	_, changed, err := orgs.Suspend(context.Background(), o.ID)
	if must(t, err); !changed {
		t.Fatal("not suspended")
	}
	// As the process's watcher does it.
	must(t, w.alloc.Suspended(t.Context(), map[uuid.UUID]bool{o.ID: true}))

	for name, who := range map[string]caller{"visitor": visitor, "stranger": stranger} {
		seen := w.call(who, "GET", path, nil).want(200)
		want := fmt.Sprintf(`{"id":%q,"name":"Mill","about":"","contact_email":"","website":"","color":null,"time_zone":null,"logo_url":null,"suspended":true,"created_at":null,"my_role":null,"revision":0}`, o.ID)
		if tag := seen.header.Values("ETag"); strings.TrimSpace(seen.body) != want || tag != nil {
			t.Errorf("%s sees %s, tag %q", name, seen.body, tag)
		}
		w.call(who, "GET", path+"/logo", nil).refused(404, "not_found")
		for _, p := range []string{event, event + "/seats", event + "/holds"} {
			w.call(who, "GET", p, nil).refused(404, "not_found")
		}
		if list := read[List[Event]](w.call(who, "GET", "/events?org_id="+o.ID.String(), nil).want(200)); len(list.Items) != 0 {
			t.Errorf("%s finds %d events", name, len(list.Items))
		}
	}
	w.call(stranger, "POST", "/bookings", map[string]any{"event_id": id, "seats": 1}).refused(404, "not_found")

	if seen := read[Organization](w.call(member, "GET", path, nil).want(200)); !seen.Suspended || seen.About != "Marker" || seen.LogoURL == nil || seen.CreatedAt == nil || seen.Revision != 3 {
		t.Errorf("a member sees %+v", seen)
	}
	if got := w.call(member, "GET", path+"/logo", nil).want(200).header.Get("Cache-Control"); got != "private, no-cache" {
		t.Errorf("a member may keep the logo: %s", got)
	}
	w.call(member, "GET", event, nil).want(200)
	w.call(member, "GET", event+"/seats", nil).want(200)
	if list := read[List[Event]](w.call(member, "GET", "/events?org_id="+o.ID.String(), nil).want(200)); len(list.Items) != 1 {
		t.Errorf("a member finds %d events", len(list.Items))
	}
	w.call(member, "POST", "/bookings", map[string]any{"event_id": id, "seats": 1}).refused(409, "org_suspended")
	w.call(member, "PUT", event+"/holds", `{"seat_numbers":[5]}`).refused(409, "org_suspended")
	w.call(admin, "POST", "/org-invites", map[string]any{"org_id": o.ID, "email": "late@people.test", "role": "user"}).refused(409, "org_suspended")
	w.call(admin, "POST", "/events", map[string]any{
		"org_id": o.ID, "name": "Late", "category": "meetup", "starts_at": "2090-01-01T10:00:00Z", "ends_at": "2090-01-01T12:00:00Z", "time_zone": "UTC", "total_slots": 1,
	}).refused(409, "org_suspended")

	// What one has booked one may give up.
	w.call(stranger, "GET", "/bookings/"+mine.ID.String(), nil).want(200)
	w.call(stranger, "POST", "/bookings/"+mine.ID.String()+"/cancel", nil).want(200)

	_, _, err = orgs.Resume(context.Background(), o.ID)
	must(t, err)
	must(t, w.alloc.Suspended(t.Context(), map[uuid.UUID]bool{o.ID: false}))
	w.book(stranger, id, 1)
	w.db.CheckClean(t)
}

// The page of an organization carries what search engines and chats show of it,
// as long as anybody may see it.
func TestOrganizationPageHead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin := w.someone()
	o := read[Organization](w.call(admin, "POST", "/organizations", `{"name":"Mill </title><b>"}`).want(201))
	path := "/organizations/" + o.ID.String()
	page := func() string { return w.send(w.client.URL, caller{}, "GET", path, nil).want(200).body }
	if got := page(); !strings.Contains(got, "<title>Mill &lt;/title&gt;&lt;b&gt; · Happening</title>") || !strings.Contains(got, "Upcoming events of Mill") || strings.Contains(got, "og:image") {
		t.Errorf("%s", got)
	}
	w.call(admin, "PUT", path, `{"about":"We **mill** flour.</script><script>alert(1)</script>","website":"https://mill.example.org/?a=1&b=2"}`).want(200)
	withLogo := read[Organization](w.call(admin, "PUT", path+"/logo", logo(t, 5, 5), asPNG).want(200))
	got := page()
	for _, part := range []string{
		`<meta name="description" content="We mill flour.`, `<meta property="og:image" content="` + publicURL + "/api/" + *withLogo.LogoURL + `">`,
		`<link rel="canonical" href="` + publicURL + path + `">`, `"sameAs":"https://mill.example.org/?a=1\u0026b=2"`, `"@type":"Organization"`,
	} {
		if !strings.Contains(got, part) {
			t.Errorf("the page lacks %s:\n%s", part, got)
		}
	}
	if strings.Contains(got, "<script>alert") {
		t.Errorf("a script in the page:\n%s", got)
	}
	if _, _, err := w.server.deps.Orgs.Suspend(t.Context(), o.ID); err != nil {
		t.Fatal(err)
	}
	for _, other := range []string{page(), w.send(w.client.URL, caller{}, "GET", "/organizations/"+uuid.NewString(), nil).want(200).body} {
		if strings.Contains(other, "mill") || !strings.Contains(other, "<title>Happening</title>") {
			t.Errorf("what is closed or absent has a head:\n%s", other)
		}
	}
}
