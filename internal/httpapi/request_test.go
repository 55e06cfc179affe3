package httpapi

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/booking"
	"happening/internal/fault"
	"happening/internal/idp"
	"happening/internal/memory"
	"happening/internal/postgres"
	"happening/internal/signin"
	"happening/internal/testkit"
)

// browser gives a person a session and the header that carries it.
func (w *world) browser(who caller) string {
	w.t.Helper()
	token, now := uuid.NewString(), time.Now()
	hash := sha256.Sum256([]byte(token))
	must(w.t, postgres.NewSessions(w.db.DB).CreateSession(context.Background(), hash[:], signin.Session{
		ID: uuid.Must(uuid.NewV7()), UserID: who.id, Issuer: idp.IdentityKey, Subject: "s", CreatedAt: now, LastSeenAt: now, ExpiresAt: now.Add(time.Hour),
	}))
	return "Cookie: happening_session=" + token
}

// A browser's session works from the client's own origin and from no other; a
// bearer token is nothing that a foreign page could send.
func TestForeignOrigins(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.someone()
	cookie, body := w.browser(ann), `{"name":"O"}`
	post := func(headers ...string) reply {
		return w.send(w.client.URL, caller{}, "POST", "/api/organizations", body, append(headers, cookie)...)
	}
	post("Sec-Fetch-Site: same-origin", "Origin: "+publicURL).want(201)
	post("Origin: " + publicURL).want(201)
	post("Sec-Fetch-Site: cross-site", "Origin: https://evil.test").refused(403, "cross_origin")
	post("Sec-Fetch-Site: same-site", "Origin: http://localhost:4000").refused(403, "cross_origin")
	post("Origin: https://evil.test").refused(403, "cross_origin")
	if me := read[Me](w.send(w.client.URL, caller{}, "GET", "/api/users/me", nil, cookie, "Sec-Fetch-Site: cross-site").want(200)); me.ID != ann.id {
		t.Errorf("%+v", me)
	}
	w.call(ann, "POST", "/organizations", body, "Sec-Fetch-Site: cross-site", "Origin: https://evil.test").want(201)
}

func TestLimits(t *testing.T) {
	t.Parallel()
	still := time.Now()
	w := newWorld(t, func(d *Deps) {
		now := func() time.Time { return still }
		d.PersonLimit, d.AddressLimit = memory.NewLimiter[string](2, 2, now), memory.NewLimiter[string](3, 3, now)
		d.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	})
	ann, bob := w.someone(), w.someone()
	w.call(ann, "GET", "/events", nil).want(200)
	w.call(ann, "GET", "/events", nil).want(200)
	r := w.call(ann, "GET", "/events", nil)
	if p := r.refused(429, "rate_limited"); p.RetryAfter < 1 || r.header.Get("Retry-After") != fmt.Sprint(p.RetryAfter) {
		t.Errorf("%+v, Retry-After %q", p, r.header.Get("Retry-After"))
	}
	w.call(bob, "GET", "/events", nil).want(200)
	from := func(address string) int {
		return w.call(caller{}, "GET", "/events", nil, "X-Forwarded-For: "+address).status
	}
	for range 3 {
		if s := from("203.0.113.1"); s != 200 {
			t.Fatalf("status %d", s)
		}
	}
	if s := from("9.9.9.9, 203.0.113.1"); s != 429 {
		t.Errorf("a made-up hop in front gives a fresh limit: %d", s)
	}
	if s := from("203.0.113.2"); s != 200 {
		t.Errorf("another address: %d", s)
	}
	for _, last := range []string{"1", "2", "3"} {
		if s := from("2001:db8::" + last); s != 200 {
			t.Fatalf("status %d", s)
		}
	}
	if s := from("2001:db8::ffff"); s != 429 {
		t.Errorf("another address of the same network: %d", s)
	}
	// A wrong credential is counted too; health is not.
	for range 3 {
		w.call(caller{}, "GET", "/events", nil, "Authorization: Bearer x", "X-Forwarded-For: 203.0.113.9").want(401)
	}
	w.call(caller{}, "GET", "/events", nil, "Authorization: Bearer x", "X-Forwarded-For: 203.0.113.9").want(429)
	for range 5 {
		w.call(caller{}, "GET", "/healthz", nil, "X-Forwarded-For: 203.0.113.9").want(200)
		w.send(w.client.URL, caller{}, "GET", "/robots.txt", nil, "X-Forwarded-For: 203.0.113.9").want(200)
	}
}

// A provider signs many people out from one address; none of its words is lost
// to a limit.
func TestTheProvidersWordsAreNotLimited(t *testing.T) {
	room := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "") })
	s := bare(t, Deps{
		SignIn: room, Auth: byToken{},
		AddressLimit: memory.NewLimiter[string](1, 1, func() time.Time { return time.Unix(0, 0) }),
	})
	for i := range 5 {
		w := httptest.NewRecorder()
		s.Client().ServeHTTP(w, httptest.NewRequest("POST", backChannelPath, nil))
		if w.Code != http.StatusOK {
			t.Fatalf("word %d: %d", i+1, w.Code)
		}
	}
}

// Sign-in, the provider's pages and the websocket cost work too, and are
// counted as the API is: by person, and by address without sign-in.
func TestLimitsBesideTheRoutes(t *testing.T) {
	still := func() time.Time { return time.Unix(0, 0) }
	room := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "") })
	for _, path := range []string{"/auth/login", "/idp/sign-in", socketPath} {
		s := bare(t, Deps{
			SignIn: room, IDP: room, Socket: room, Auth: byToken{},
			PersonLimit: memory.NewLimiter[string](2, 2, still), AddressLimit: memory.NewLimiter[string](1, 1, still),
		})
		get := func(path, credential string) *httptest.ResponseRecorder {
			r := httptest.NewRequest("GET", path, nil)
			if credential != "" {
				r.Header.Set("Authorization", credential)
			}
			w := httptest.NewRecorder()
			s.Client().ServeHTTP(w, r)
			return w
		}
		for i, c := range []struct {
			credential string
			status     int
		}{
			{"", 200}, {"", 429},
			{"Bearer over", 429}, // not valid, so a visitor's
			{"Bearer ann", 200}, {"Bearer ann", 200}, {"Bearer ann", 429}, {"Bearer bob", 200},
		} {
			w := get(path, c.credential)
			if w.Code != c.status || (w.Header().Get("Retry-After") != "") != (c.status == 429) {
				t.Errorf("%s, request %d: %d, Retry-After %q", path, i, w.Code, w.Header().Get("Retry-After"))
			}
		}
		for _, style := range []string{"/auth/page.css", "/idp/style.css"} {
			if w := get(style, ""); w.Code != 200 {
				t.Errorf("%s: %d", style, w.Code)
			}
		}
	}
}

// byToken takes every name save "over" for a valid token.
type byToken struct{}

func (byToken) Authenticate(r *http.Request) (access.Principal, error) {
	switch name := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "); name {
	case "":
		return access.Principal{}, nil
	case "over":
		return access.Principal{}, fault.ErrUnauthenticated
	default:
		return access.Principal{UserID: uuid.NewSHA1(uuid.Nil, []byte(name))}, nil
	}
}

func (byToken) Credential(r *http.Request) string { return r.Header.Get("Authorization") }

func (byToken) DropSessionCookie(http.ResponseWriter) {}

func TestForwardedAddressesCountFromProxiesOnly(t *testing.T) {
	s := bare(t, Deps{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	for _, c := range []struct{ peer, forwarded, want string }{
		{"203.0.113.5:1", "1.1.1.1", "203.0.113.5"},
		{"10.0.0.1:1", "", "10.0.0.1"},
		{"10.0.0.1:1", "1.1.1.1", "1.1.1.1"},
		{"10.0.0.1:1", "6.6.6.6, 1.1.1.1, 10.0.0.2", "1.1.1.1"},
		{"10.0.0.1:1", "nonsense", "10.0.0.1"},
		{"10.0.0.1:1", "1.1.1.1, nonsense", "10.0.0.1"},
		{"[::ffff:10.0.0.1]:1", "1.1.1.1", "1.1.1.1"},
		{"[2001:db8:1:2:3::4]:1", "", "2001:db8:1:2::"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		if r.RemoteAddr = c.peer; c.forwarded != "" {
			r.Header.Set("X-Forwarded-For", c.forwarded)
		}
		if got := s.address(r); got != c.want {
			t.Errorf("%s for %q: %s, want %s", c.peer, c.forwarded, got, c.want)
		}
	}
}

func serve(s *Server, method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.API().ServeHTTP(w, r)
	return w
}

// What went wrong inside is never shown, whatever it was.
func TestFailuresShowNothing(t *testing.T) {
	secret := errors.New("password=hunter2")
	var fail func() error
	s := bare(t, Deps{Auth: person{access.Principal{UserID: uuid.New()}}, Away: func(err error) bool { return strings.Contains(err.Error(), "refused") }})
	s.book = func(context.Context, access.Principal, booking.Request) (booking.Booking, error) {
		return booking.Booking{}, fail()
	}
	for _, c := range []struct {
		name   string
		fail   func() error
		status int
		code   string
		retry  bool
	}{
		{"an unknown error", func() error { return secret }, 500, "internal", false},
		{"a panic", func() error { panic(secret) }, 500, "internal", false},
		{"an engine away", func() error { return fmt.Errorf("connection refused: %w", secret) }, 503, "unavailable", true},
		{"a timeout", func() error { return fmt.Errorf("%w: %w", context.DeadlineExceeded, secret) }, 503, "unavailable", true},
		{"a fault with a cause", func() error { return booking.ErrBusy.Because(secret) }, 503, "busy", true},
		{"an internal fault", func() error { return fault.New(fault.Internal, "odd", "hunter2") }, 500, "internal", false},
	} {
		fail = c.fail
		w := serve(s, "POST", "/bookings", fmt.Sprintf(`{"event_id":%q,"seats":1}`, uuid.New()))
		var p problemBody
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if w.Code != c.status || p.Code != c.code || (w.Header().Get("Retry-After") != "") != c.retry {
			t.Errorf("%s: %d %s, Retry-After %q", c.name, w.Code, w.Body, w.Header().Get("Retry-After"))
		}
		if strings.Contains(w.Body.String(), "hunter2") {
			t.Errorf("%s: %s", c.name, w.Body)
		}
		if w.Header().Get("X-Request-Id") == "" {
			t.Errorf("%s: no request id", c.name)
		}
	}
}

// Whatever a fault carries is shown beside code and message, in an order that
// is always the same.
func TestProblemShowsExtras(t *testing.T) {
	f := booking.ErrSeatsUnavailable.With("seat_numbers", []int32{3, 5}).With("also", "b").After(1500 * time.Millisecond)
	raw, err := json.Marshal(problemOf(t.Context(), fmt.Errorf("wrapped: %w", f)))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"title":"Conflict","status":409,"detail":"Some of these seats are no longer available.","code":"seats_unavailable","retry_after":2,"also":"b","seat_numbers":[3,5]}`
	if string(raw) != want {
		t.Errorf("%s\nwant\n%s", raw, want)
	}
}

func TestHeaders(t *testing.T) {
	for scheme, tls := range map[string]bool{"http": false, "https": true} {
		s := bare(t, Deps{PublicURL: scheme + "://example.test", Auth: person{}})
		for _, path := range []string{"/healthz", "/nothing", "/docs", "/openapi.json"} {
			h := serve(s, "GET", path, "").Header()
			wanted := map[string]string{
				"Content-Security-Policy": "frame-ancestors 'none'", "X-Content-Type-Options": "nosniff",
				"Referrer-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-",
			}
			if path == "/docs" {
				wanted["Permissions-Policy"], wanted["Cross-Origin-Opener-Policy"] = "camera=()", "same-origin"
			}
			for name, want := range wanted {
				if !strings.Contains(h.Get(name), want) || strings.Contains(h.Get(name), "unsafe") {
					t.Errorf("%s: %s is %q", path, name, h.Get(name))
				}
			}
			if (h.Get("Strict-Transport-Security") != "") != tls {
				t.Errorf("%s over %s: HSTS %q", path, scheme, h.Get("Strict-Transport-Security"))
			}
		}
	}
}

// An answer to a booking has as many headers as Go's maps take without growing.
func TestABookingsAnswerHasFewHeaders(t *testing.T) {
	const most = 8
	s := bare(t, Deps{PublicURL: "https://example.test", Auth: person{access.Principal{UserID: uuid.New()}}})
	s.book = func(_ context.Context, _ access.Principal, q booking.Request) (booking.Booking, error) {
		return bookingOf(q)
	}
	w := serve(s, "POST", "/bookings", fmt.Sprintf(`{"event_id":%q,"seats":2}`, uuid.New()))
	if w.Code != 201 || len(w.Header()) > most {
		t.Errorf("%d with %d headers: %v", w.Code, len(w.Header()), w.Header())
	}
}

// What the client's router answers by itself has the headers as well.
func TestHeadersOnTheClientsPort(t *testing.T) {
	room := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "") })
	s := bare(t, Deps{
		PublicURL: "https://example.test", Auth: person{}, SignIn: room, IDP: room, Socket: room,
		Ready: func() (bool, string) { return true, "" },
	})
	for _, path := range []string{"/", "//", "/api", "/api/", "/auth", "/auth/login", "/idp", "/idp/", "/idp/../x", "/nothing.js", "/events/../api", socketPath} {
		r := httptest.NewRequest("GET", "/", nil)
		r.URL.Path = path
		w := httptest.NewRecorder()
		s.Client().ServeHTTP(w, r)
		for name, want := range map[string]string{
			"Content-Security-Policy": "frame-ancestors 'none'", "X-Content-Type-Options": "nosniff",
			"Referrer-Policy": "same-origin", "Strict-Transport-Security": "max-age",
		} {
			if !strings.Contains(w.Header().Get(name), want) {
				t.Errorf("%s (%d): %s is %q", path, w.Code, name, w.Header().Get(name))
			}
		}
	}
}

func TestServiceTellsHowItIs(t *testing.T) {
	pings, broken := 0, false
	s := bare(t, Deps{
		Auth: person{}, Version: "7.1", Ready: func() (bool, string) { return !broken, "the database is on fire" },
		Ping: func(context.Context) error {
			if pings++; broken {
				return errors.New("no route to db.internal")
			}
			return nil
		},
	})
	at := time.Now()
	s.ping.now = func() time.Time { return at }
	if w := serve(s, "GET", "/", ""); !strings.Contains(w.Body.String(), `"name":"Happening","version":"7.1","status":"ok"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	serve(s, "GET", "/db-test", "")
	if w := serve(s, "GET", "/db-test", ""); w.Code != 200 || pings != 1 || !strings.Contains(w.Body.String(), `"latency_ms"`) {
		t.Errorf("%d %s after %d round trips", w.Code, w.Body, pings)
	}
	broken, at = true, at.Add(time.Second)
	for path, want := range map[string]int{"/db-test": 503, "/readyz": 503, "/healthz": 200, "/": 200} {
		w := serve(s, "GET", path, "")
		if w.Code != want || strings.Contains(w.Body.String(), "db.internal") || strings.Contains(w.Body.String(), "fire") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
		if (w.Header().Get("Retry-After") != "") != (want == 503) {
			t.Errorf("%s: Retry-After %q", path, w.Header().Get("Retry-After"))
		}
	}
	ops := httptest.NewRecorder()
	s.Ops().ServeHTTP(ops, httptest.NewRequest("GET", "http://localhost/readyz", nil))
	if ops.Code != 503 || !strings.Contains(ops.Body.String(), "on fire") {
		t.Errorf("operators are told %d %s", ops.Code, ops.Body)
	}
}

// A body without a length is bounded as well, and a body that never comes
// ends.
func TestBodies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.someone()
	chunked, err := http.NewRequestWithContext(t.Context(), "POST", w.api.URL+"/organizations", http.NoBody)
	must(t, err)
	chunked.Body, chunked.ContentLength = readCloser{strings.NewReader(`{"name":"` + strings.Repeat("x", 1<<20) + `"}`)}, -1
	chunked.Header.Set("Content-Type", "application/json")
	chunked.Header.Set("Authorization", "Bearer "+ann.token)
	answer, err := http.DefaultTransport.RoundTrip(chunked)
	must(t, err)
	defer answer.Body.Close()
	if answer.StatusCode != 413 {
		t.Errorf("status %d", answer.StatusCode)
	}
	w.call(ann, "POST", "/organizations", `{"name":"x"}`, "Content-Type: application/json; charset=utf-8").want(201)
	w.call(ann, "POST", "/organizations", `{"name":"x","name":"y"}`).refused(400, "malformed")
	w.call(ann, "POST", "/organizations", strings.Repeat("[", 20_000)).refused(400, "malformed")
}

// Who stops sending in the middle of a body is told, and then cut off: the
// server doesn't wait for the rest of it.
func TestBodyThatNeverComes(t *testing.T) {
	t.Parallel()
	s := bare(t, Deps{Auth: person{access.Principal{UserID: uuid.New()}}})
	s.bodyPatience = 20 * time.Millisecond
	server := httptest.NewServer(s.API())
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	must(t, err)
	defer conn.Close()
	must(t, conn.SetDeadline(time.Now().Add(time.Minute)))
	_, err = io.WriteString(conn, "POST /bookings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
	must(t, err)
	all, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(all), "HTTP/1.1 408 ") || !strings.Contains(string(all), "body_timeout") {
		t.Errorf("%v after %s", err, all)
	}
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

func TestMetrics(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	orgID, _ := w.db.Org(t)
	id := w.db.Event(t, orgID, 2, testkit.EventOptions{})
	ann := w.someone()
	w.book(ann, id, 1)
	w.call(ann, "POST", "/bookings", fmt.Sprintf(`{"event_id":%q,"seats":1,"seat_numbers":[1]}`, id)).refused(409, "seats_unavailable")
	w.call(ann, "GET", "/made-up/"+uuid.NewString(), nil).want(404)
	ops := httptest.NewServer(w.server.Ops())
	defer ops.Close()
	text := w.send(ops.URL, caller{}, "GET", "/metrics", nil).want(200).body
	for _, want := range []string{
		`happening_bookings_total{outcome="confirmed"} 1`, `happening_bookings_total{outcome="seats_unavailable"} 1`,
		`happening_http_request_duration_seconds_count{route="POST /bookings",status="201"} 1`,
		`happening_http_request_duration_seconds_count{route="none",status="404"} 1`,
		`happening_booking_queue_length 0`, `go_goroutines`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing", want)
		}
	}
	w.send(ops.URL, caller{}, "GET", "/debug/pprof/cmdline", nil).want(200)
	w.send(ops.URL, caller{}, "GET", "/", nil).want(200)
	w.call(ann, "GET", "/metrics", nil).refused(404, "not_found")
	w.send(w.client.URL, ann, "GET", "/api/debug/pprof/", nil).refused(404, "not_found")
}

func TestRouter(t *testing.T) {
	rt := &router{}
	for _, pattern := range []string{"GET /", "GET /a", "POST /a", "GET /a/{id}", "GET /a/user/{userId}", "GET /a/{id}/history", "PUT /a/{id}/history"} {
		rt.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, r.Pattern, " ", r.PathValue("id"), r.PathValue("userId"))
		})
	}
	for call, want := range map[string]string{
		"GET /":                            "GET / ",
		"GET /a":                           "GET /a ",
		"HEAD /a":                          "HEAD /a ",
		"GET /a/7":                         "GET /a/{id} 7",
		"GET /a/user":                      "GET /a/{id} user",
		"GET /a/user/8":                    "GET /a/user/{userId} 8",
		"GET /a/user/history":              "GET /a/user/{userId} history",
		"GET /a/9/history":                 "GET /a/{id}/history 9",
		"GET /a/":                          "404",
		"GET //a":                          "404",
		"GET /a/7/":                        "404",
		"GET /a//history":                  "404",
		"GET /a/7/other":                   "404",
		"GET /a/../a":                      "404",
		"DELETE /a":                        "405 GET, HEAD, POST",
		"DELETE /a/1/history":              "405 GET, HEAD, PUT",
		"GET /" + strings.Repeat("x/", 50): "404",
	} {
		method, path, _ := strings.Cut(call, " ")
		r := httptest.NewRequest(method, "/", nil)
		r.URL.Path = path
		w := httptest.NewRecorder()
		rt.ServeHTTP(w, r)
		got := w.Body.String()
		if w.Code != 200 {
			got = strings.TrimSpace(fmt.Sprint(w.Code, " ", w.Header().Get("Allow")))
		}
		if got != want {
			t.Errorf("%s: %s, want %s", call, got, want)
		}
	}
}
