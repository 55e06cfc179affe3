package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"happening/internal/event"
	"happening/internal/testkit"
)

func TestClientFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	get := func(path string, headers ...string) reply {
		return w.send(w.client.URL, caller{}, "GET", path, nil, headers...)
	}
	script := get("/assets/app-1a2b.js", "Accept-Encoding: gzip").want(200)
	if script.header.Get("Cache-Control") != cacheAsset || script.header.Get("Content-Encoding") != "gzip" || len(script.body) > 500 ||
		!strings.HasPrefix(script.header.Get("Content-Type"), "text/javascript") {
		t.Errorf("%v, %d bytes", script.header, len(script.body))
	}
	if plain := get("/assets/app-1a2b.js", "Accept-Encoding: identity"); len(plain.body) != 5500 || plain.header.Get("Content-Encoding") != "" {
		t.Errorf("%d bytes, %v", len(plain.body), plain.header)
	}
	get("/assets/app-1a2b.js", "If-None-Match: "+script.header.Get("ETag")).want(304)
	get("/assets/app-0000.js").want(404)
	get("/favicon.ico").want(404)
	get("/.env").want(404)
	if robots := get("/robots.txt").want(200); robots.header.Get("Cache-Control") != cacheFile {
		t.Errorf("%v", robots.header)
	}
	for _, path := range []string{"/", "/bookings", "/organizer/events/new", "/events/1", "/index.html"} {
		page := get(path).want(200)
		policy := page.header.Get("Content-Security-Policy")
		if page.body != testPage || page.header.Get("Cache-Control") != cachePage {
			t.Errorf("%s: %s, %v", path, page.body, page.header)
		}
		if strings.Contains(policy, "unsafe") || !strings.Contains(policy, "connect-src 'self' ws://localhost:3000") {
			t.Errorf("%s: %s", path, policy)
		}
	}
	w.send(w.client.URL, caller{}, "POST", "/bookings", "{}").want(405)
	// The API under /api, sign-in and the provider are there too.
	get("/api/events").want(200)
	get("/api/").want(200)
	get("/api/nothing").refused(404, "not_found")
	get("/api/docs").want(200)
	get("/api/docs/style.css").want(200)
	get("/idp/.well-known/openid-configuration").want(200)
	if login := get("/auth/login?return_to=/bookings").want(303); !strings.HasPrefix(login.header.Get("Location"), publicURL) {
		t.Errorf("sign-in leads to %s", login.header.Get("Location"))
	}
	// Who comes with a session that is over can still sign in.
	get("/auth/login", "Cookie: happening_session=gone").want(303)
	get("/", "Cookie: happening_session=gone").want(200)
}

// The head of a public event is written by the server; what visitors may not
// see has the plain one.
func TestPublicHeads(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	orgID, _ := w.db.Org(t)
	organizer := w.member(orgID, "organizer")
	id := w.db.Event(t, orgID, 20, testkit.EventOptions{})
	hidden := w.db.Event(t, orgID, 20, testkit.EventOptions{Visibility: "members"})
	w.call(organizer, "PUT", "/events/"+id.String(), map[string]any{
		"name": `Jazz </title></script><script>alert("1")</script> & more`, "venue": "Blue Room",
		"description": "## Tonight\n\n**Trio** at [the club](https://example.test) <b>loud</b>", "time_zone": "Europe/Berlin",
	}).want(200)
	page := w.send(w.client.URL, caller{}, "GET", "/events/"+id.String(), nil).want(200).body
	for _, want := range []string{
		`<title>Jazz &lt;/title&gt;&lt;/script&gt;&lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt; &amp; more · Happening</title>`,
		`<meta property="og:title" content="Jazz &lt;/title&gt;`, `<link rel="canonical" href="` + publicURL + "/events/" + id.String() + `">`,
		`<meta name="description" content="`, `Blue Room · Tonight Trio at the club loud">`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%s is missing in\n%s", want, page)
		}
	}
	if n := strings.Count(page, "<script"); n != 1 || strings.Count(page, "<title>") != 1 || strings.Count(page, `name="description"`) != 1 {
		t.Errorf("%d scripts in\n%s", n, page)
	}
	_, data, _ := strings.Cut(page, `<script type="application/ld+json">`)
	data, _, _ = strings.Cut(data, "</script>")
	var about map[string]any
	if err := json.Unmarshal([]byte(data), &about); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
	if about["@type"] != "Event" || about["eventStatus"] != "https://schema.org/EventScheduled" || about["remainingAttendeeCapacity"] != 20.0 ||
		!strings.Contains(fmt.Sprint(about["startDate"]), "+0") || about["offers"] != nil {
		t.Errorf("%s", data)
	}
	for _, path := range []string{"/events/" + hidden.String(), "/events/" + orgID.String()} {
		// Also to a member: what is cached on the way must be everybody's.
		if page := w.send(w.client.URL, organizer, "GET", path, nil).want(200).body; page != testPage {
			t.Errorf("%s: %s", path, page)
		}
	}
}

func TestMissingClientIsSaid(t *testing.T) {
	s := bare(t, Deps{Client: fstest.MapFS{".gitkeep": {}}})
	w := httptest.NewRecorder()
	s.Client().ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != 503 || !strings.Contains(w.Body.String(), "make build") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestSummary(t *testing.T) {
	e := &event.Event{Description: strings.Repeat("long ", 100), Venue: "Hall"}
	e.TimeZone, e.StartsAt = "America/New_York", time.Date(2031, 5, 1, 23, 0, 0, 0, time.UTC)
	got := eventSummary(e)
	if !strings.HasPrefix(got, "Thursday, 1 May 2031, 19:00 · Hall · long") || !strings.HasSuffix(got, "long…") || len([]rune(got)) > maxSummary {
		t.Errorf("%q", got)
	}
}

// Nothing that an organizer writes breaks out of the head.
func FuzzEventHead(f *testing.F) {
	f.Add("Name", "**text** <script>", "Hall")
	f.Add("</title>", "</script>", `"><img>`)
	f.Fuzz(func(t *testing.T, name, description, venue string) {
		e := &event.Event{Name: name, Description: description, Venue: venue}
		e.TimeZone = "UTC"
		head, summary, err := eventHead(e, publicURL, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		page := string(newShell([]byte(testPage)).with(name, summary, head).plain)
		for element, want := range map[string]int{"<script": 1, "</script": 1, "<title": 1, "</title": 1, "<img": 0} {
			if n := strings.Count(strings.ToLower(page), element); n != want {
				t.Errorf("%d times %s in\n%s", n, element, page)
			}
		}
	})
}
