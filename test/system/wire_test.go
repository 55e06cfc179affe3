//go:build linux

package system

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"happening/test/house"
)

// guarded are places on both public ports, answers of every kind among them:
// pages, problems, redirects, files, documents, refusals.
var guarded = map[string][]string{
	"client": {
		"GET /", "GET /events/0198c0de-0000-7000-8000-000000000000", "GET /somewhere", "GET /assets/none.js", "POST /",
		"GET /api", "GET /api/", "GET /api/events", "GET /api/none", "POST /api/bookings", "GET /api/openapi.json",
		"GET /auth/login", "GET /auth/callback", "POST /auth/logout", "GET /auth/none",
		"GET /idp/.well-known/openid-configuration", "GET /idp/sign-up", "GET /idp/sign-in", "GET /idp/none", "POST /idp/sign-in",
		"GET /connection/websocket", "GET //twice", "GET /a/../b",
	},
	"api": {
		"GET /", "GET /db-test", "GET /healthz", "GET /readyz", "GET /events", "GET /none", "DELETE /events", "POST /bookings",
		"GET /openapi.json", "GET /docs", "GET /auth/login", "GET /connection/websocket", "GET //twice",
	},
}

// Every answer on both public ports carries the headers that keep a browser
// from doing what nobody asked for.
func TestHeadersOnEveryAnswer(t *testing.T) {
	t.Parallel()
	h := house.New(t)
	h.Serve()
	for port, addr := range map[string]string{"client": h.Client, "api": h.API} {
		c := house.NewClient(addr)
		t.Cleanup(c.Close)
		for _, place := range guarded[port] {
			method, path, _ := strings.Cut(place, " ")
			a := c.Send(t, nil, method, path, nil)
			policy := a.Header.Get("Content-Security-Policy")
			switch {
			case !strings.Contains(policy, "default-src ") || !strings.Contains(policy, "frame-ancestors "):
				t.Errorf("%s %s (%d): Content-Security-Policy is %q", port, place, a.Status, policy)
			case strings.Contains(policy, "unsafe"):
				t.Errorf("%s %s (%d): Content-Security-Policy allows %q", port, place, a.Status, policy)
			}
			if got := a.Header.Get("X-Content-Type-Options"); got != "nosniff" {
				t.Errorf("%s %s (%d): X-Content-Type-Options is %q", port, place, a.Status, got)
			}
			if a.Header.Get("Referrer-Policy") == "" {
				t.Errorf("%s %s (%d): no Referrer-Policy", port, place, a.Status)
			}
			for name := range a.Header {
				if strings.HasPrefix(name, "Access-Control-") || name == "Server" || name == "X-Powered-By" {
					t.Errorf("%s %s (%d): answers with %s: %s", port, place, a.Status, name, a.Header.Get(name))
				}
			}
		}
	}
}

// The mailbox, metrics and profiles are the operators': on the public ports
// their paths are nothing special, however they are spelled.
func TestOperatorsPagesAreNotPublic(t *testing.T) {
	t.Parallel()
	h := house.New(t)
	h.Serve()
	client, api, ops := house.NewClient(h.Client), house.NewClient(h.API), house.NewClient(h.Ops)
	page := client.Get(t, nil, "/somewhere")
	nothing := api.Get(t, nil, "/somewhere")
	for _, path := range []string{"/mailbox", "/mailbox?format=json", "/metrics", "/debug/pprof/", "/debug/pprof/heap"} {
		if a := ops.Get(t, nil, path); a.Status != http.StatusOK {
			t.Errorf("operators get at %s: %s", path, a)
		}
		if a := client.Get(t, nil, path); a.Status != page.Status || string(a.Body) != string(page.Body) {
			t.Errorf("the client's port answers %s with %s", path, a)
		}
		for _, spelled := range []string{path, "/." + path, "/x/.." + path, "/%6d" + path[2:]} {
			if a := api.Get(t, nil, spelled); a.Status != nothing.Status || string(a.Body) != string(nothing.Body) {
				t.Errorf("the API's port answers %s with %s", spelled, a)
			}
		}
		if a := client.Get(t, nil, "/api"+path); a.Status != nothing.Status || string(a.Body) != string(nothing.Body) {
			t.Errorf("the client's port answers /api%s with %s", path, a)
		}
	}
}

// Cookies are out of scripts' reach, stay with this host and, over https, never
// leave without TLS.
func TestCookies(t *testing.T) {
	t.Parallel()
	for public, secure := range map[string]bool{"": false, "https://events.example.org": true} {
		h := house.New(t)
		if public != "" {
			h.Env["HAPPENING_PUBLIC_URL"] = public
		}
		h.Serve()
		c := house.NewClient(h.Client)
		t.Cleanup(c.Close)
		_, host, _ := strings.Cut(h.PublicURL(), "://")
		a := c.Get(t, nil, "/auth/login", "Host: "+host)
		if a.Status/100 != 3 || !strings.HasPrefix(a.Header.Get("Location"), h.PublicURL()+"/idp/") {
			t.Errorf("/auth/login: %s to %q", a, a.Header.Get("Location"))
		}
		cookies := (&http.Response{Header: a.Header}).Cookies()
		if len(cookies) == 0 {
			t.Errorf("%s: signing in begins without a cookie", h.PublicURL())
		}
		for _, cookie := range cookies {
			wantCookie(t, cookie, secure)
		}
		if hsts := a.Header.Get("Strict-Transport-Security"); (hsts != "") != secure {
			t.Errorf("%s: Strict-Transport-Security is %q", h.PublicURL(), hsts)
		}
	}
}

func wantCookie(t *testing.T, c *http.Cookie, secure bool) {
	t.Helper()
	bound := c.HttpOnly && c.Path == "/" && c.Domain == "" && (c.SameSite == http.SameSiteLaxMode || c.SameSite == http.SameSiteStrictMode)
	if !bound || c.Secure != secure || strings.HasPrefix(c.Name, "__Host-") != secure {
		t.Errorf("cookie %s (https: %v)", c, secure)
	}
}

// A websocket opens for pages of the public address and for programs, and for
// no page of another origin, with or without a session.
func TestWebsocketOrigins(t *testing.T) {
	t.Parallel()
	h := house.New(t)
	h.Serve("--demo")
	cookie := h.SignIn("user1@demo.test").Cookie()
	for _, origin := range []string{"", h.PublicURL()} {
		if conn, res := house.DialSocket(t, h, origin); conn == nil {
			t.Errorf("origin %q: %s", origin, res.Status)
		}
	}
	port := h.PublicURL()[strings.LastIndex(h.PublicURL(), ":"):]
	for _, origin := range []string{
		"https://evil.example", "http://localhost.evil.example" + port, "http://localhost", "http://localhost:1", "https://localhost" + port + "0", "null",
	} {
		for _, headers := range [][]string{nil, {cookie}} {
			if conn, res := house.DialSocket(t, h, origin, headers...); conn != nil || res.StatusCode != http.StatusForbidden {
				t.Errorf("origin %q is let in: %s", origin, res.Status)
			}
		}
	}
}

// Another site can't act with a visitor's session, whatever it makes the browser
// send; the site itself can.
func TestForeignSitesCantUseTheSession(t *testing.T) {
	t.Parallel()
	h := house.New(t)
	h.Serve("--demo")
	b := h.SignIn("organizer@demo.test")
	wantCookie(t, b.Session, false)
	c := house.NewClient(h.Client)
	t.Cleanup(c.Close)
	session := b.Cookie()
	found := func(name string, headers ...string) *house.Answer {
		return c.Send(t, nil, http.MethodPost, "/api/organizations", map[string]any{"name": name}, append(headers, session)...)
	}
	for _, headers := range [][]string{
		{"Origin: https://evil.example"},
		{"Origin: https://evil.example", "Sec-Fetch-Site: cross-site"},
		{"Origin: http://localhost:1", "Sec-Fetch-Site: same-site"},
		{"Origin: null", "Sec-Fetch-Site: cross-site"},
		{"Sec-Fetch-Site: cross-site"},
		{"Origin: https://evil.example", "Content-Type: text/plain"},
	} {
		if a := found("Foreign", headers...); a.Status != http.StatusForbidden || a.Code() != "cross_origin" {
			t.Errorf("%v: %s", headers, a)
		}
	}
	logout := c.Send(t, nil, http.MethodPost, "/auth/logout", nil, session, "Origin: https://evil.example", "Sec-Fetch-Site: cross-site")
	if logout.Status != http.StatusForbidden {
		t.Errorf("another site signs out: %s", logout)
	}
	if a := found("Own", "Origin: "+h.PublicURL(), "Sec-Fetch-Site: same-origin"); a.Status != http.StatusCreated {
		t.Errorf("the site itself: %s", a)
	}
	mine := c.Get(t, nil, "/api/organizations", session)
	if mine.Status != http.StatusOK || strings.Contains(string(mine.Body), "Foreign") || !strings.Contains(string(mine.Body), "Own") {
		t.Errorf("the organizations afterwards: %s", mine)
	}
	preflight := c.Send(t, nil, http.MethodOptions, "/api/organizations", nil, "Origin: https://evil.example", "Access-Control-Request-Method: POST")
	if allowed := preflight.Header.Get("Access-Control-Allow-Origin"); allowed != "" {
		t.Errorf("a preflight is answered with Access-Control-Allow-Origin: %s", allowed)
	}
	// Signing out ends the session itself, not just the browser's memory of it.
	b.Post(t, "/auth/logout", nil)
	if a := c.Get(t, nil, "/api/organizations", session); a.Status != http.StatusUnauthorized {
		t.Errorf("the session after signing out: %s", a)
	}
}

// A credential that is sent and not valid is refused before anything else.
func TestBadCredentials(t *testing.T) {
	t.Parallel()
	h := house.New(t)
	h.Serve()
	c := house.NewClient(h.API)
	t.Cleanup(c.Close)
	good := h.People("good", 1)[0]
	parts := strings.Split(good.Token, ".")
	if len(parts) != 3 {
		t.Fatalf("the token has %d parts", len(parts))
	}
	// {"alg":"none"} with the same claims, and the claims under a wrong signature.
	unsigned := "eyJhbGciOiJub25lIn0." + parts[1] + "."
	forged := parts[0] + "." + parts[1] + "." + strings.Repeat("A", len(parts[2]))
	for name, header := range map[string]string{
		"nonsense": "Bearer nonsense", "unsigned": "Bearer " + unsigned, "forged": "Bearer " + forged, "empty": "Bearer ", "another scheme": "Basic dTpw",
	} {
		for _, place := range []string{"GET /events", "GET /users/me", "POST /bookings", "GET /events/0198c0de-0000-7000-8000-000000000000", "GET /none"} {
			method, path, _ := strings.Cut(place, " ")
			if a := c.Send(t, nil, method, path, nil, "Authorization: "+header); a.Status != http.StatusUnauthorized {
				t.Errorf("%s at %s: %s", name, place, a)
			}
		}
	}
	if a := c.Get(t, nil, "/users/me", "Cookie: happening_session=nonsense"); a.Status != http.StatusUnauthorized {
		t.Errorf("a session that nobody has: %s", a)
	}
	if a := c.Get(t, good, "/users/me"); a.Status != http.StatusOK {
		t.Errorf("the good token: %s", a)
	}
}

// absent is an id that nothing has; it is as old as those that exist.
const absent = "0198c0de-0000-7000-8000-00000000abcd"

// What one may not know of answers byte for byte as what does not exist, to a
// visitor as to a stranger, on every route that names a thing, in paths and in
// bodies, on the API as on the client's pages.
func TestHiddenIsAbsent(t *testing.T) {
	t.Parallel()
	h := house.New(t)
	h.Serve()
	c, pages := house.NewClient(h.API), house.NewClient(h.Client)
	t.Cleanup(c.Close)
	t.Cleanup(pages.Close)
	people := h.People("person", 2)
	member, stranger := people[0], people[1]
	org := c.Organization(t, member)
	eventID := c.Event(t, member, org, 10, map[string]any{"visibility": "members", "name": "Secret"})
	l := house.NewLedger()
	o := l.Book(member, eventID, 2)
	if l.Place(c, o); o.Told == nil {
		t.Fatalf("not booked: %q", o.Refused)
	}
	var invite struct{ ID string }
	c.Want(t, member, http.StatusCreated, http.MethodPost, "/org-invites",
		map[string]any{"org_id": org, "email": "somebody@else.test", "role": "user"}, &invite)

	type place struct{ method, path, body, id string }
	places := []place{
		{"GET", "/events/%s", "", eventID}, {"PUT", "/events/%s", `{"name":"Mine"}`, eventID}, {"DELETE", "/events/%s", "", eventID},
		{"POST", "/events/%s/cancel", "", eventID}, {"GET", "/events/%s/seats", "", eventID}, {"GET", "/events/%s/seats?format=list", "", eventID},
		{"GET", "/events/%s/holds", "", eventID}, {"PUT", "/events/%s/holds", `{"seat_numbers":[9]}`, eventID}, {"DELETE", "/events/%s/holds", "", eventID},
		{"GET", "/events/%s/bookings", "", eventID}, {"GET", "/events/%s/waitlist", "", eventID},
		{"POST", "/bookings", `{"event_id":"%s","seats":1}`, eventID}, {"POST", "/bookings", `{"event_id":"%s","seats":1,"seat_numbers":[1]}`, eventID},
		{"GET", "/bookings/%s", "", o.Told.ID}, {"GET", "/bookings/%s/history", "", o.Told.ID},
		{"POST", "/bookings/%s/cancel", "", o.Told.ID}, {"POST", "/bookings/%s/cancel-seats", `{"seat_numbers":[1]}`, o.Told.ID},
		{"GET", "/bookings/user/%s", "", member.ID},
		{"POST", "/org-invites/%s/accept", "", invite.ID}, {"POST", "/org-invites/%s/reject", "", invite.ID}, {"DELETE", "/org-invites/%s", "", invite.ID},
	}
	for who, caller := range map[string]*house.Person{"visitor": nil, "stranger": stranger} {
		for _, p := range places {
			ask := func(id string) *house.Answer {
				var body any
				path := strings.ReplaceAll(p.path, "%s", id)
				if p.body != "" {
					body = strings.ReplaceAll(p.body, "%s", id)
				}
				return c.Send(t, caller, p.method, path, body)
			}
			hidden, none := ask(p.id), ask(absent)
			if hidden.Status != http.StatusNotFound || told(hidden) != told(none) {
				t.Errorf("%s, %s %s %s:\nhidden %s\nabsent %s", who, p.method, p.path, p.body, told(hidden), told(none))
			}
		}
		for _, list := range []string{"/events?org_id=", "/events?q=Secret&org_id="} {
			if hidden, none := c.Get(t, caller, list+org), c.Get(t, caller, list+absent); told(hidden) != told(none) {
				t.Errorf("%s, %s: hidden %s, absent %s", who, list, told(hidden), told(none))
			}
		}
	}
	if hidden, none := pages.Get(t, nil, "/events/"+eventID), pages.Get(t, nil, "/events/"+absent); told(hidden) != told(none) {
		t.Errorf("the page: hidden %s\nabsent %s", told(hidden), told(none))
	}
	if a := c.Get(t, member, "/events/"+eventID); a.Status != http.StatusOK || !strings.Contains(string(a.Body), "Secret") {
		t.Errorf("the member sees %s", a)
	}
	h.Judge(l)
}

// told is everything in an answer that could tell one thing from another; the
// time and the request's own number are new in each.
func told(a *house.Answer) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d\n", a.Status)
	for _, name := range slices.Sorted(maps.Keys(a.Header)) {
		if name != "Date" && name != "X-Request-Id" {
			fmt.Fprintf(&b, "%s: %s\n", name, strings.Join(a.Header[name], ", "))
		}
	}
	b.Write(a.Body)
	return b.String()
}
