package signin_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"happening/internal/access"
	"happening/internal/fault"
	"happening/internal/idp"
	"happening/internal/signin"
	"happening/internal/user"
)

func linking(c *signin.Config) { c.LinkVerifiedEmail = true }

// There is a person of the provider that was used before, and the same one
// comes by the new one.
func TestMovingToAnotherProvider(t *testing.T) {
	ctx := context.Background()
	was := user.Claims{Name: "Ada", Email: "Ada@example.org", EmailVerified: true}
	for _, way := range []string{"by browser", "by token"} {
		for _, link := range []bool{false, true} {
			for _, verified := range []bool{false, true} {
				name := way + map[bool]string{true: ", linking", false: ""}[link] + map[bool]string{true: ", verified", false: ""}[verified]
				t.Run(name, func(t *testing.T) {
					h, o := openOutside(t, func(c *signin.Config) { c.LinkVerifiedEmail = link })
					owner, err := h.people.Resolve(ctx, idp.IdentityKey, "1", was, user.NoLinking)
					if err != nil {
						t.Fatal(err)
					}
					sid := o.signsIn("ada", "ada@EXAMPLE.org", verified)
					var p access.Principal
					var got page
					b := h.browser()
					if way == "by browser" {
						got = b.get("/auth/login?return_to=/events/1")
						p, err = h.auth.Session(ctx, h.session(b))
					} else {
						p, err = h.auth.Token(ctx, o.access(map[string]any{"sub": "ada", "sid": sid}))
					}
					identities := h.count(`SELECT count(*) FROM user_identities WHERE issuer = $1`, o.issuer())
					people := h.count(`SELECT count(*) FROM users`)
					owns := h.count(`SELECT count(*) FROM users WHERE id = $1 AND email_verified AND lower(email) = 'ada@example.org'`, owner.ID)
					if owns != 1 {
						t.Error("the owner has lost the address")
					}
					switch {
					case verified && link:
						if err != nil || p.UserID != owner.ID || identities != 1 || people != 1 || h.count(`SELECT count(*) FROM user_audit`) != 1 {
							t.Errorf("linked: %+v, %v, %d identities, %d people", p, err, identities, people)
						}
					case verified:
						if err == nil || identities != 0 || people != 1 || h.session(b) != "" {
							t.Errorf("refused: %+v, %v, %d identities, %d people", p, err, identities, people)
						}
						if way == "by token" && !errors.Is(err, user.ErrNotLinked) {
							t.Errorf("refused: %v", err)
						}
						if way == "by browser" && (got.status != http.StatusForbidden || !strings.Contains(got.body, "OIDC_LINK_VERIFIED_EMAIL=once") || !strings.Contains(got.body, "Nothing was changed")) {
							t.Errorf("page: %d %s", got.status, got.body)
						}
						// The operator links, and the refused one comes again.
						h.auth = h.relyingOn(o, linking)
						b := h.browser()
						b.get("/auth/login")
						if p, err := h.auth.Session(ctx, h.session(b)); err != nil || p.UserID != owner.ID {
							t.Errorf("once it is on: %+v, %v", p, err)
						}
					case link: // somebody who can't prove the address yet is the person once it is proven
						if err == nil || identities != 0 || people != 1 || h.session(b) != "" {
							t.Errorf("refused: %+v, %v, %d identities, %d people", p, err, identities, people)
						}
						if way == "by token" && !errors.Is(err, user.ErrAddressUnverified) {
							t.Errorf("refused: %v", err)
						}
						if way == "by browser" && (got.status != http.StatusForbidden || !strings.Contains(got.body, "Confirm your e-mail address")) {
							t.Errorf("page: %d %s", got.status, got.body)
						}
						b, _ := h.came(o, "ada", "ada@example.org", true)
						if p, err := h.auth.Session(ctx, h.session(b)); err != nil || p.UserID != owner.ID {
							t.Errorf("once it is proven: %+v, %v", p, err)
						}
					default: // somebody who could not prove the address gets nothing of it
						if err != nil || p.UserID == owner.ID || people != 2 || h.count(`SELECT count(*) FROM user_audit`) != 0 {
							t.Errorf("unverified: %+v, %v, %d people", p, err, people)
						}
						person, err := h.people.Get(ctx, p.UserID)
						if err != nil || person.EmailVerified {
							t.Errorf("unverified: %+v, %v", person, err)
						}
					}
				})
			}
		}
	}
}

// Whoever registered the address first, unverified, is not linked later either:
// a known identity stays whose it was.
func TestAKnownIdentityIsNeverLinked(t *testing.T) {
	h, o := openOutside(t)
	ctx := context.Background()
	owner, err := h.people.Resolve(ctx, idp.IdentityKey, "1", user.Claims{Email: "ada@example.org", EmailVerified: true}, user.NoLinking)
	if err != nil {
		t.Fatal(err)
	}
	h.came(o, "eve", "ada@example.org", false)
	h.auth = h.relyingOn(o, linking)
	for _, verified := range []bool{false, true} {
		b, _ := h.came(o, "eve", "ada@example.org", verified)
		p, err := h.auth.Session(ctx, h.session(b))
		if err != nil || p.UserID == owner.ID {
			t.Errorf("%+v, %v", p, err)
		}
		if person, err := h.people.Get(ctx, p.UserID); err != nil || person.EmailVerified {
			t.Errorf("%+v, %v", person, err)
		}
	}
}

// Whether a person with the address is here can't be told from the refusal.
func TestARefusalForAnUnverifiedAddressTellsNothing(t *testing.T) {
	h, o := openOutside(t, linking)
	if _, err := h.people.Resolve(context.Background(), idp.IdentityKey, "1", user.Claims{Email: "ada@example.org", EmailVerified: true}, user.NoLinking); err != nil {
		t.Fatal(err)
	}
	var pages [2]page
	for i, email := range []string{"ada@example.org", "nobody@example.org"} {
		o.signsIn("eve", email, false)
		pages[i] = h.browser().get("/auth/login")
	}
	if pages[0].status != http.StatusForbidden || pages[0].status != pages[1].status || pages[0].body != pages[1].body {
		t.Errorf("known: %d %s\nunknown: %d %s", pages[0].status, pages[0].body, pages[1].status, pages[1].body)
	}
	if n := h.count(`SELECT count(*) FROM users`); n != 1 {
		t.Errorf("%d people", n)
	}
}

func TestKeysRotateAtTheProvider(t *testing.T) {
	h, o := openOutside(t)
	ctx := context.Background()
	h.came(o, "ada", "ada@example.org", true)
	if _, err := h.auth.Token(ctx, o.access(map[string]any{"sub": "ada"})); err != nil {
		t.Fatal(err)
	}
	h.clock.advance(6 * time.Second) // the pause between two questions for keys
	o.rotateKey()
	if _, err := h.auth.Token(ctx, o.access(map[string]any{"sub": "ada"})); err != nil {
		t.Errorf("a token of the new key: %v", err)
	}
	h.came(o, "ada", "ada@example.org", true)
}

// A provider that hangs holds up nobody who doesn't need it.
func TestAHangingProvider(t *testing.T) {
	h, o := openOutside(t)
	ctx := context.Background()
	b, _ := h.came(o, "ada", "ada@example.org", true)
	asked, release := make(chan struct{}, 100), make(chan struct{})
	defer close(release)
	hang := func(http.ResponseWriter, *http.Request) bool { asked <- struct{}{}; <-release; return false }
	o.set(func() { o.onKeys = hang })
	h.clock.advance(6 * time.Second)
	good := o.access(map[string]any{"sub": "ada"})
	// Somebody sends a token of an invented key: its keys are asked for …
	hurry, cancel := context.WithCancel(ctx)
	unknown := make(chan error, 1)
	key := o.key
	go func() {
		_, err := h.auth.Token(hurry, signWith(t, key, "invented", "JWT", map[string]any{"iss": o.issuer(), "aud": "happening", "sub": "ada", "exp": h.clock.now().Add(time.Minute).Unix()}))
		unknown <- err
	}()
	<-asked
	// … which keeps nobody else waiting.
	if _, err := h.auth.Token(ctx, good); err != nil {
		t.Errorf("a token of a known key: %v", err)
	}
	cancel()
	if err := <-unknown; !errors.Is(err, signin.ErrProviderAway) {
		t.Errorf("a token of an unknown key: %v", err)
	}

	// A new process finds nobody there: it says so, and knows its sessions.
	o.set(func() { o.onAny = hang })
	fresh := h.relyingOn(o)
	soon, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	w := httptest.NewRecorder()
	fresh.Handler().ServeHTTP(w, httptest.NewRequestWithContext(soon, http.MethodGet, h.url+"/auth/login", nil))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "not possible at the moment") {
		t.Errorf("sign-in page: %d %s", w.Code, w.Body)
	}
	if _, err := fresh.Session(ctx, h.session(b)); err != nil {
		t.Errorf("a session: %v", err)
	}
}

// The provider's public address is not the one by which we reach it: tokens
// name the one, and what we ask goes to the other.
func TestAProviderBehindAProxy(t *testing.T) {
	const public = "https://login.example.org"
	h, o := openOutside(t)
	o.set(func() {
		o.sayings["issuer"], o.sayings["authorization_endpoint"] = `"`+public+`/realms/outside"`, `"`+public+`/authorize"`
	})
	inner := o.server.Listener.Addr().String()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	asked := map[string]int{}
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, inner)
	}
	plain := roundTrip(func(r *http.Request) (*http.Response, error) {
		asked[r.URL.Host]++
		r = r.Clone(r.Context())
		r.URL.Scheme, r.URL.Host = "http", inner
		return transport.RoundTrip(r)
	})
	h.auth = h.relyingOn(o, func(c *signin.Config) {
		c.Issuer, c.HTTPClient = public+"/realms/outside", &http.Client{Transport: plain}
	})
	w := httptest.NewRecorder()
	h.auth.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, h.url+"/auth/login", nil))
	if to := w.Header().Get("Location"); !strings.HasPrefix(to, public+"/authorize?") {
		t.Errorf("the browser is sent to %q", to)
	}
	o.signsIn("ada", "ada@example.org", true)
	token := o.sign("JWT", map[string]any{"iss": public + "/realms/outside", "aud": "happening", "typ": "Bearer", "sub": "ada", "exp": h.clock.now().Add(time.Minute).Unix()})
	if _, err := h.auth.Token(context.Background(), token); err != nil {
		t.Errorf("a token by the public name: %v", err)
	}
	if _, err := h.auth.Token(context.Background(), o.access(map[string]any{"sub": "ada"})); !errors.Is(err, fault.ErrUnauthenticated) {
		t.Errorf("a token by the inner name: %v", err)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestSignOutAtBothEnds(t *testing.T) {
	h, o := openOutside(t)
	b, _ := h.came(o, "ada", "ada@example.org", true)
	h.clock.advance(stale)
	b.get("/") // renewed: the provider is shown the latest ID token
	var kept string
	if err := h.db.System.QueryRow(context.Background(), `SELECT id_token FROM sessions`).Scan(&kept); err != nil {
		t.Fatal(err)
	}
	b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	out := b.read(b.PostForm(h.url+"/auth/logout", nil))
	to, err := url.Parse(out.header.Get("Location"))
	if err != nil || to.Path != "/logout" || to.Query().Get("id_token_hint") != kept || to.Query().Get("client_id") != outsideClient ||
		to.Query().Get("post_logout_redirect_uri") != h.url+"/" {
		t.Errorf("signing out leads to %s", out.header.Get("Location"))
	}
	if n := h.count(`SELECT count(*) FROM sessions`); n != 0 {
		t.Errorf("%d sessions left", n)
	}
}

// An ID token that fits no cookie doesn't keep a script from signing out at
// the provider.
func TestSignOutWithALongIDToken(t *testing.T) {
	h, o := openOutside(t)
	o.signsIn("ada", "ada@example.org", true)
	o.set(func() { o.who["groups"] = strings.Repeat("group ", 700) })
	b := h.browser()
	b.get("/auth/login")
	b.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if r.URL.Path == "/logout" {
			return http.ErrUseLastResponse
		}
		return nil
	}
	r, _ := http.NewRequest(http.MethodPost, h.url+"/auth/logout", nil)
	r.Header.Set("Accept", "application/json")
	if out := b.read(b.Do(r)); out.body != `{"redirect":"/auth/logout/continue"}`+"\n" {
		t.Errorf("answer = %s", out.body)
	}
	to, err := url.Parse(b.get("/auth/logout/continue").header.Get("Location"))
	if err != nil || to.Path != "/logout" || to.Query().Get("client_id") != outsideClient || to.Query().Has("id_token_hint") {
		t.Errorf("leads to %s, %v", to, err)
	}
}

func TestProbe(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		name    string
		set     func(*outside)
		config  func(*signin.Config)
		warning string // what it must say, once; empty: nothing
		faults  []string
	}{
		{name: "as it should be"},
		{name: "wrong secret", config: func(c *signin.Config) { c.ClientSecret = "hunter2" }, faults: []string{"OIDC_CLIENT_SECRET: "}},
		{name: "unknown client", config: func(c *signin.Config) { c.ClientID = "nobody" },
			faults: []string{"OIDC_CLIENT_SECRET: ", `return to http`}},
		{name: "wrong issuer", set: func(o *outside) { o.sayings["issuer"] = `"https://login.example.org/x"` }, faults: []string{`says that it is "https://login.example.org/x"`}},
		{name: "wrong path", config: func(c *signin.Config) { c.Issuer += "x" }, faults: []string{"404 Not Found"}},
		{name: "no provider at all", set: func(o *outside) {
			o.onAny = func(w http.ResponseWriter, _ *http.Request) bool {
				_, _ = w.Write([]byte("<html>\nhello"))
				return true
			}
		}, faults: []string{"no OpenID provider"}},
		{name: "away", config: func(c *signin.Config) { c.Issuer = "http://127.0.0.1:1/realm" }, warning: "does not answer"},
		{name: "failing", set: func(o *outside) {
			o.onAny = func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(http.StatusBadGateway); return true }
		}, warning: "502 Bad Gateway"},
		{name: "no code flow, plain PKCE only", set: func(o *outside) {
			o.sayings["response_types_supported"], o.sayings["code_challenge_methods_supported"] = `["id_token"]`, `["plain"]`
		}, faults: []string{"response type code", "S256"}},
		{name: "no word of PKCE", set: func(o *outside) { o.sayings["code_challenge_methods_supported"] = "" }, warning: "PKCE"},
		{name: "no end of sessions", set: func(o *outside) { o.sayings["end_session_endpoint"] = "" }, warning: "end_session_endpoint"},
		{name: "no keys", set: func(o *outside) { o.sayings["jwks_uri"] = "" }, faults: []string{"jwks_uri"}},
		{name: "clock", set: func(o *outside) { o.clock.advance(time.Hour) }, warning: "apart"},
	} {
		t.Run(c.name, func(t *testing.T) {
			clock := &clock{}
			o := newOutside(t, clock)
			if c.set != nil {
				c.set(o)
			}
			cfg := signin.Config{Issuer: o.issuer(), ClientID: outsideClient, ClientSecret: outsideSecret, PublicURL: "http://localhost:3000",
				Now: clock.now, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
			if c.config != nil {
				c.config(&cfg)
			}
			auth, err := signin.New(cfg, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			warning, faults := auth.Probe(ctx)
			said := func(err error) (lines []string) {
				if err != nil {
					lines = strings.Split(err.Error(), "\n")
				}
				for _, l := range lines {
					if !strings.HasPrefix(l, "OIDC_") || strings.Contains(l, cfg.ClientSecret) {
						t.Errorf("a line that helps nobody, or too much: %s", l)
					}
				}
				return lines
			}
			if lines := said(faults); len(lines) != len(c.faults) {
				t.Errorf("faults: %q", lines)
			} else {
				for i, want := range c.faults {
					if !strings.Contains(lines[i], want) {
						t.Errorf("fault %q lacks %q", lines[i], want)
					}
				}
			}
			if lines := said(warning); len(lines) > 1 || (len(lines) == 1) != (c.warning != "") || !strings.Contains(strings.Join(lines, ""), c.warning) {
				t.Errorf("warnings: %q, not %q", lines, c.warning)
			}
		})
	}
}
