//go:build linux

package system

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
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
	h := newHouse(t)
	h.serve()
	for port, addr := range map[string]string{"client": h.client, "api": h.api} {
		c := newClient(addr)
		t.Cleanup(c.close)
		for _, place := range guarded[port] {
			method, path, _ := strings.Cut(place, " ")
			a := c.send(t, nil, method, path, nil)
			policy := a.header.Get("Content-Security-Policy")
			switch {
			case !strings.Contains(policy, "default-src ") || !strings.Contains(policy, "frame-ancestors "):
				t.Errorf("%s %s (%d): Content-Security-Policy is %q", port, place, a.status, policy)
			case strings.Contains(policy, "unsafe"):
				t.Errorf("%s %s (%d): Content-Security-Policy allows %q", port, place, a.status, policy)
			}
			if got := a.header.Get("X-Content-Type-Options"); got != "nosniff" {
				t.Errorf("%s %s (%d): X-Content-Type-Options is %q", port, place, a.status, got)
			}
			if a.header.Get("Referrer-Policy") == "" {
				t.Errorf("%s %s (%d): no Referrer-Policy", port, place, a.status)
			}
			for name := range a.header {
				if strings.HasPrefix(name, "Access-Control-") || name == "Server" || name == "X-Powered-By" {
					t.Errorf("%s %s (%d): answers with %s: %s", port, place, a.status, name, a.header.Get(name))
				}
			}
		}
	}
}

// The mailbox, metrics and profiles are the operators': on the public ports
// their paths are nothing special, however they are spelled.
func TestOperatorsPagesAreNotPublic(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.serve()
	client, api, ops := newClient(h.client), newClient(h.api), newClient(h.ops)
	page := client.get(t, nil, "/somewhere")
	nothing := api.get(t, nil, "/somewhere")
	for _, path := range []string{"/mailbox", "/mailbox?format=json", "/metrics", "/debug/pprof/", "/debug/pprof/heap"} {
		if a := ops.get(t, nil, path); a.status != http.StatusOK {
			t.Errorf("operators get at %s: %s", path, a)
		}
		if a := client.get(t, nil, path); a.status != page.status || string(a.body) != string(page.body) {
			t.Errorf("the client's port answers %s with %s", path, a)
		}
		for _, spelled := range []string{path, "/." + path, "/x/.." + path, "/%6d" + path[2:]} {
			if a := api.get(t, nil, spelled); a.status != nothing.status || string(a.body) != string(nothing.body) {
				t.Errorf("the API's port answers %s with %s", spelled, a)
			}
		}
		if a := client.get(t, nil, "/api"+path); a.status != nothing.status || string(a.body) != string(nothing.body) {
			t.Errorf("the client's port answers /api%s with %s", path, a)
		}
	}
}

// Cookies are out of scripts' reach, stay with this host and, over https, never
// leave without TLS.
func TestCookies(t *testing.T) {
	t.Parallel()
	for public, secure := range map[string]bool{"": false, "https://events.example.org": true} {
		h := newHouse(t)
		if public != "" {
			h.env["HAPPENING_PUBLIC_URL"] = public
		}
		h.serve()
		c := newClient(h.client)
		t.Cleanup(c.close)
		_, host, _ := strings.Cut(h.publicURL(), "://")
		a := c.get(t, nil, "/auth/login", "Host: "+host)
		if a.status/100 != 3 || !strings.HasPrefix(a.header.Get("Location"), h.publicURL()+"/idp/") {
			t.Errorf("/auth/login: %s to %q", a, a.header.Get("Location"))
		}
		cookies := (&http.Response{Header: a.header}).Cookies()
		if len(cookies) == 0 {
			t.Errorf("%s: signing in begins without a cookie", h.publicURL())
		}
		for _, cookie := range cookies {
			wantCookie(t, cookie, secure)
		}
		if hsts := a.header.Get("Strict-Transport-Security"); (hsts != "") != secure {
			t.Errorf("%s: Strict-Transport-Security is %q", h.publicURL(), hsts)
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
	h := newHouse(t)
	h.serve("--demo")
	cookie := h.signIn("user1@demo.test").cookie()
	for _, origin := range []string{"", h.publicURL()} {
		if conn, res := dialSocket(t, h, origin); conn == nil {
			t.Errorf("origin %q: %s", origin, res.Status)
		}
	}
	port := h.publicURL()[strings.LastIndex(h.publicURL(), ":"):]
	for _, origin := range []string{
		"https://evil.example", "http://localhost.evil.example" + port, "http://localhost", "http://localhost:1", "https://localhost" + port + "0", "null",
	} {
		for _, headers := range [][]string{nil, {cookie}} {
			if conn, res := dialSocket(t, h, origin, headers...); conn != nil || res.StatusCode != http.StatusForbidden {
				t.Errorf("origin %q is let in: %s", origin, res.Status)
			}
		}
	}
}

// Another site can't act with a visitor's session, whatever it makes the browser
// send; the site itself can.
func TestForeignSitesCantUseTheSession(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.serve("--demo")
	b := h.signIn("organizer@demo.test")
	wantCookie(t, b.session, false)
	c := newClient(h.client)
	t.Cleanup(c.close)
	session := b.cookie()
	found := func(name string, headers ...string) *answer {
		return c.send(t, nil, http.MethodPost, "/api/organizations", map[string]any{"name": name}, append(headers, session)...)
	}
	for _, headers := range [][]string{
		{"Origin: https://evil.example"},
		{"Origin: https://evil.example", "Sec-Fetch-Site: cross-site"},
		{"Origin: http://localhost:1", "Sec-Fetch-Site: same-site"},
		{"Origin: null", "Sec-Fetch-Site: cross-site"},
		{"Sec-Fetch-Site: cross-site"},
		{"Origin: https://evil.example", "Content-Type: text/plain"},
	} {
		if a := found("Foreign", headers...); a.status != http.StatusForbidden || a.code() != "cross_origin" {
			t.Errorf("%v: %s", headers, a)
		}
	}
	logout := c.send(t, nil, http.MethodPost, "/auth/logout", nil, session, "Origin: https://evil.example", "Sec-Fetch-Site: cross-site")
	if logout.status != http.StatusForbidden {
		t.Errorf("another site signs out: %s", logout)
	}
	if a := found("Own", "Origin: "+h.publicURL(), "Sec-Fetch-Site: same-origin"); a.status != http.StatusCreated {
		t.Errorf("the site itself: %s", a)
	}
	mine := c.get(t, nil, "/api/organizations", session)
	if mine.status != http.StatusOK || strings.Contains(string(mine.body), "Foreign") || !strings.Contains(string(mine.body), "Own") {
		t.Errorf("the organizations afterwards: %s", mine)
	}
	preflight := c.send(t, nil, http.MethodOptions, "/api/organizations", nil, "Origin: https://evil.example", "Access-Control-Request-Method: POST")
	if allowed := preflight.header.Get("Access-Control-Allow-Origin"); allowed != "" {
		t.Errorf("a preflight is answered with Access-Control-Allow-Origin: %s", allowed)
	}
	// Signing out ends the session itself, not just the browser's memory of it.
	b.post(t, "/auth/logout", nil)
	if a := c.get(t, nil, "/api/organizations", session); a.status != http.StatusUnauthorized {
		t.Errorf("the session after signing out: %s", a)
	}
}

// A credential that is sent and not valid is refused before anything else.
func TestBadCredentials(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.serve()
	c := newClient(h.api)
	t.Cleanup(c.close)
	good := h.people("good", 1)[0]
	parts := strings.Split(good.token, ".")
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
			if a := c.send(t, nil, method, path, nil, "Authorization: "+header); a.status != http.StatusUnauthorized {
				t.Errorf("%s at %s: %s", name, place, a)
			}
		}
	}
	if a := c.get(t, nil, "/users/me", "Cookie: happening_session=nonsense"); a.status != http.StatusUnauthorized {
		t.Errorf("a session that nobody has: %s", a)
	}
	if a := c.get(t, good, "/users/me"); a.status != http.StatusOK {
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
	h := newHouse(t)
	h.serve()
	c, pages := newClient(h.api), newClient(h.client)
	t.Cleanup(c.close)
	t.Cleanup(pages.close)
	people := h.people("person", 2)
	member, stranger := people[0], people[1]
	org := c.organization(t, member)
	eventID := c.event(t, member, org, 10, map[string]any{"visibility": "members", "name": "Secret"})
	l := newLedger()
	o := l.book(member, eventID, 2)
	if l.place(c, o); o.told == nil {
		t.Fatalf("not booked: %q", o.refused)
	}
	var invite struct{ ID string }
	c.want(t, member, http.StatusCreated, http.MethodPost, "/org-invites",
		map[string]any{"org_id": org, "email": "somebody@else.test", "role": "user"}, &invite)

	type place struct{ method, path, body, id string }
	places := []place{
		{"GET", "/events/%s", "", eventID}, {"PUT", "/events/%s", `{"name":"Mine"}`, eventID}, {"DELETE", "/events/%s", "", eventID},
		{"POST", "/events/%s/cancel", "", eventID}, {"GET", "/events/%s/seats", "", eventID}, {"GET", "/events/%s/seats?format=list", "", eventID},
		{"GET", "/events/%s/holds", "", eventID}, {"PUT", "/events/%s/holds", `{"seat_numbers":[9]}`, eventID}, {"DELETE", "/events/%s/holds", "", eventID},
		{"GET", "/events/%s/bookings", "", eventID}, {"GET", "/events/%s/waitlist", "", eventID},
		{"POST", "/bookings", `{"event_id":"%s","seats":1}`, eventID}, {"POST", "/bookings", `{"event_id":"%s","seats":1,"seat_numbers":[1]}`, eventID},
		{"GET", "/bookings/%s", "", o.told.ID}, {"GET", "/bookings/%s/history", "", o.told.ID},
		{"POST", "/bookings/%s/cancel", "", o.told.ID}, {"POST", "/bookings/%s/cancel-seats", `{"seat_numbers":[1]}`, o.told.ID},
		{"GET", "/bookings/user/%s", "", member.id},
		{"POST", "/org-invites/%s/accept", "", invite.ID}, {"POST", "/org-invites/%s/reject", "", invite.ID}, {"DELETE", "/org-invites/%s", "", invite.ID},
	}
	for who, caller := range map[string]*person{"visitor": nil, "stranger": stranger} {
		for _, p := range places {
			ask := func(id string) *answer {
				var body any
				path := strings.ReplaceAll(p.path, "%s", id)
				if p.body != "" {
					body = strings.ReplaceAll(p.body, "%s", id)
				}
				return c.send(t, caller, p.method, path, body)
			}
			hidden, none := ask(p.id), ask(absent)
			if hidden.status != http.StatusNotFound || told(hidden) != told(none) {
				t.Errorf("%s, %s %s %s:\nhidden %s\nabsent %s", who, p.method, p.path, p.body, told(hidden), told(none))
			}
		}
		for _, list := range []string{"/events?org_id=", "/events?q=Secret&org_id="} {
			if hidden, none := c.get(t, caller, list+org), c.get(t, caller, list+absent); told(hidden) != told(none) {
				t.Errorf("%s, %s: hidden %s, absent %s", who, list, told(hidden), told(none))
			}
		}
	}
	if hidden, none := pages.get(t, nil, "/events/"+eventID), pages.get(t, nil, "/events/"+absent); told(hidden) != told(none) {
		t.Errorf("the page: hidden %s\nabsent %s", told(hidden), told(none))
	}
	if a := c.get(t, member, "/events/"+eventID); a.status != http.StatusOK || !strings.Contains(string(a.body), "Secret") {
		t.Errorf("the member sees %s", a)
	}
	h.judge(l)
}

// told is everything in an answer that could tell one thing from another; the
// time and the request's own number are new in each.
func told(a *answer) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d\n", a.status)
	for _, name := range slices.Sorted(maps.Keys(a.header)) {
		if name != "Date" && name != "X-Request-Id" {
			fmt.Fprintf(&b, "%s: %s\n", name, strings.Join(a.header[name], ", "))
		}
	}
	b.Write(a.body)
	return b.String()
}
