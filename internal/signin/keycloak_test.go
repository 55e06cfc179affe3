//go:build engines

package signin_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/fault"
	"happening/internal/idp"
	"happening/internal/postgres"
	"happening/internal/signin"
	"happening/internal/testkit"
	"happening/internal/user"
)

// signalTimeout bounds the wait for what Keycloak does by itself.
const signalTimeout = 30 * time.Second

// keycloakSite is where applications stand that trust one realm of a real
// Keycloak: making a realm takes seconds, so the tests share it.
type keycloakSite struct {
	url string
	k   *testkit.Keycloak
	mux atomic.Pointer[http.ServeMux]
}

func TestKeycloak(t *testing.T) {
	site := &keycloakSite{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { site.mux.Load().ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	site.url = server.URL
	site.k = testkit.NewKeycloak(t, site.url)
	for _, test := range []struct {
		name string
		run  func(*testing.T, *keycloakSite)
	}{
		{"SignInRenewAndSignOut", signInRenewAndSignOut},
		{"EndsTheStanding", endsTheStanding},
		{"SignsOutFromItsSide", signsOutFromItsSide},
		{"TokensAtTheAPI", tokensAtTheAPI},
		{"RotatesItsKeys", rotatesItsKeys},
		{"PeopleMoveToIt", peopleMoveToIt},
		{"Probe", probeKeycloak},
		{"LosesAnAnswer", losesAnAnswer},
		{"SigningUp", signingUp},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, site) })
	}
}

// open is an application with a database of its own.
func (s *keycloakSite) open(t *testing.T, change ...func(*signin.Config)) (*house, *testkit.Keycloak) {
	t.Helper()
	h := &house{t: t, db: testkit.NewDB(t), clock: &clock{}, url: s.url}
	h.people = user.NewService(postgres.NewUsers(h.db.DB), h.clock.now)
	h.client = &http.Client{Transport: http.DefaultTransport}
	cfg := signin.Config{
		Issuer: s.k.Issuer(), ClientID: testkit.KeycloakClientID, ClientSecret: s.k.ClientSecret, PublicURL: s.url,
		HTTPClient: h.client, Now: h.clock.now, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	for _, c := range change {
		c(&cfg)
	}
	var err error
	if h.auth, err = signin.New(cfg, postgres.NewSessions(h.db.DB), h.people); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.auth.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	var mux http.ServeMux
	mux.Handle("/auth/", h.auth.Handler())
	mux.HandleFunc("/", h.whoami)
	s.mux.Store(&mux)
	return h, s.k.In(t)
}

// someone is an address that no other test has.
func someone() string { return uuid.NewString() + "@example.org" }

// atKeycloak signs in with Keycloak's own form.
func (b *browser) atKeycloak(email string) page {
	b.h.t.Helper()
	form := b.get("/auth/login?return_to=/events/1")
	action := testkit.LoginForm(form.body)
	if action == "" {
		b.h.t.Fatalf("no form to sign in: %d %s\n%s", form.status, form.url, form.body)
	}
	return b.read(b.PostForm(action, url.Values{"username": {email}, "password": {testkit.KeycloakPassword}}))
}

func (h *house) signedInAtKeycloak(email string) *browser {
	h.t.Helper()
	b := h.browser()
	if got := b.atKeycloak(email); got.status != http.StatusOK || got.url.Path != "/events/1" {
		h.t.Fatalf("sign-in: %d %s\n%s", got.status, got.url, got.body)
	}
	return b
}

// overdue makes every session's next use ask the provider first.
func (h *house) overdue() {
	h.t.Helper()
	if _, err := h.db.System.Exec(context.Background(), `
		UPDATE sessions SET renew_at = now() - interval '1 minute', confirmed_at = now() - interval '1 hour'`); err != nil {
		h.t.Fatal(err)
	}
	h.clock.advance(3 * time.Second) // beyond what is remembered
}

func signInRenewAndSignOut(t *testing.T, site *keycloakSite) {
	h, k := site.open(t)
	email := someone()
	id := k.Person(email, true)
	b := h.signedInAtKeycloak(email)
	if got := b.get("/"); !strings.Contains(got.body, `"Name":"Ada Example","Email":"`+email+`","EmailVerified":true`) {
		t.Errorf("who it is: %s", got.body)
	}
	if n := h.count(`SELECT count(*) FROM sessions WHERE provider_session <> '' AND refresh_token IS NOT NULL`); n != 1 {
		t.Error("the session knows neither sid nor refresh token")
	}
	for i := range 3 {
		h.overdue()
		if got := b.get("/"); got.status != http.StatusOK {
			t.Fatalf("renewal %d: %d", i, got.status)
		}
		if n := h.count(`SELECT count(*) FROM sessions WHERE confirmed_at > now() - interval '1 minute'`); n != 1 {
			t.Fatalf("renewal %d did not happen", i)
		}
	}
	// A second browser is the same person.
	h.signedInAtKeycloak(email)
	if n := h.count(`SELECT count(*) FROM users`); n != 1 {
		t.Errorf("%d people", n)
	}
	out := b.read(b.PostForm(h.url+"/auth/logout", nil))
	if out.url.String() != h.url+"/" || out.status != http.StatusForbidden {
		t.Errorf("signing out leads to %s, %d", out.url, out.status)
	}
	if n := k.Sessions(id); n != 1 {
		t.Errorf("%d sessions left at Keycloak, the other browser's alone should be", n)
	}
	if n := h.count(`SELECT count(*) FROM sessions`); n != 1 {
		t.Errorf("%d sessions left here", n)
	}
	if again := b.get("/auth/login"); testkit.LoginForm(again.body) == "" {
		t.Errorf("after signing out nobody asks for the password: %s", again.url)
	}
}

func endsTheStanding(t *testing.T, site *keycloakSite) {
	h, k := site.open(t)
	for name, end := range map[string]func(id string){
		"disabled":   func(id string) { k.Change("/users/"+id, map[string]any{"enabled": false}) },
		"removed":    func(id string) { k.Admin(http.MethodDelete, "/users/"+id, nil, nil) },
		"no session": func(id string) { k.Admin(http.MethodPost, "/logout-all", nil, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			email := someone()
			id := k.Person(email, true)
			b := h.signedInAtKeycloak(email)
			end(id)
			h.overdue()
			if got := b.get("/"); got.status != http.StatusUnauthorized {
				t.Errorf("%d %s", got.status, got.body)
			}
		})
	}
}

func signsOutFromItsSide(t *testing.T, site *keycloakSite) {
	h, k := site.open(t)
	ended := make(chan struct{}, 10)
	h.auth.OnSignOut(func(string, uuid.UUID) { ended <- struct{}{} })
	email := someone()
	id := k.Person(email, true)
	other := someone()
	k.Person(other, true)
	one, two, bob := h.signedInAtKeycloak(email), h.signedInAtKeycloak(email), h.signedInAtKeycloak(other)
	await := func(n int) {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), signalTimeout)
		defer cancel()
		for range n {
			select {
			case <-ended:
			case <-ctx.Done():
				t.Fatal("Keycloak did not tell of the sign-out")
			}
		}
	}
	var sid string
	if err := h.db.System.QueryRow(context.Background(), `SELECT provider_session FROM sessions ORDER BY id LIMIT 1`).Scan(&sid); err != nil {
		t.Fatal(err)
	}
	k.Admin(http.MethodDelete, "/sessions/"+sid, nil, nil)
	await(1)
	if a, b := one.get("/"), two.get("/"); a.status != http.StatusUnauthorized || b.status != http.StatusOK {
		t.Errorf("after one session's end: %d, %d", a.status, b.status)
	}
	k.SignOut(id)
	await(1)
	if a, b := two.get("/"), bob.get("/"); a.status != http.StatusUnauthorized || b.status != http.StatusOK {
		t.Errorf("after all sessions' end: %d, and bob %d", a.status, b.status)
	}
}

func tokensAtTheAPI(t *testing.T, site *keycloakSite) {
	h, k := site.open(t)
	ctx := context.Background()
	email := someone()
	k.Person(email, true)
	tokens := k.Tokens(email, "openid", "profile", "email")
	p, err := h.auth.Token(ctx, tokens.Access)
	if err != nil || !p.SignedIn() {
		t.Fatalf("access token: %v", err)
	}
	if got := request(t, h.url+"/", "Authorization", "Bearer "+tokens.Access); got.StatusCode != http.StatusOK {
		t.Errorf("bearer: %d", got.StatusCode)
	}
	// The same person comes by browser.
	b := h.signedInAtKeycloak(email)
	if q, err := h.auth.Session(ctx, h.session(b)); err != nil || q.UserID != p.UserID {
		t.Errorf("the browser's person is %+v, the token's %+v, %v", q, p, err)
	}
	refused := func(what, token string) {
		t.Helper()
		if token == "" {
			t.Fatalf("there is no %s", what)
		}
		if _, err := h.auth.Token(ctx, token); !errors.Is(err, fault.ErrUnauthenticated) {
			t.Errorf("%s: %v", what, err)
		}
	}
	refused("ID token", tokens.ID)
	refused("refresh token", tokens.Refresh)
	refused("offline token", k.Tokens(email, "openid", "offline_access").Refresh)
	refused("ID token of the client itself", idTokenOf(h))
	refused("another realm's token", otherRealmsToken(t, h.url, email))
	// Without the mapper, a token is not for us.
	var clients []struct {
		ID string `json:"id"`
	}
	k.Admin(http.MethodGet, "/clients?clientId=happening-tests", nil, &clients)
	path := "/clients/" + clients[0].ID + "/protocol-mappers/models"
	var mappers []map[string]any
	k.Admin(http.MethodGet, path, nil, &mappers)
	for _, m := range mappers {
		k.Admin(http.MethodDelete, path+"/"+m["id"].(string), nil, nil)
		t.Cleanup(func() { k.Admin(http.MethodPost, path, m, nil) })
	}
	refused("token for another audience", k.Tokens(email, "openid").Access)
}

func idTokenOf(h *house) (token string) {
	h.t.Helper()
	if err := h.db.System.QueryRow(context.Background(), `SELECT id_token FROM sessions LIMIT 1`).Scan(&token); err != nil {
		h.t.Fatal(err)
	}
	return token
}

func rotatesItsKeys(t *testing.T, site *keycloakSite) {
	h, k := site.open(t)
	ctx := context.Background()
	email := someone()
	k.Person(email, true)
	old := k.Tokens(email, "openid", "email").Access
	if _, err := h.auth.Token(ctx, old); err != nil {
		t.Fatal(err)
	}
	k.RotateKeys()
	h.clock.advance(6 * time.Second) // the pause between two questions for keys
	next := k.Tokens(email, "openid", "email").Access
	if strings.Split(next, ".")[0] == strings.Split(old, ".")[0] {
		t.Fatal("the key is the same")
	}
	if _, err := h.auth.Token(ctx, next); err != nil {
		t.Errorf("a token of the new key: %v", err)
	}
	h.signedInAtKeycloak(email)
}

func peopleMoveToIt(t *testing.T, site *keycloakSite) {
	ctx := context.Background()
	h, k := site.open(t, linking)
	// Whoever can't prove the address is nobody, even where the realm lets
	// people in without.
	k.Change("", map[string]any{"verifyEmail": false})
	t.Cleanup(func() { k.Change("", map[string]any{"verifyEmail": true}) })
	email := someone()
	owner, err := h.people.Resolve(ctx, idp.IdentityKey, "1", user.Claims{Name: "Ada", Email: email, EmailVerified: true}, user.NoLinking)
	if err != nil {
		t.Fatal(err)
	}
	id := k.Person(email, false)
	eve := h.browser()
	if got := eve.atKeycloak(email); got.status != http.StatusForbidden || h.session(eve) != "" || h.count(`SELECT count(*) FROM users`) != 1 {
		t.Errorf("unverified: %d %s", got.status, got.url)
	}
	k.Admin(http.MethodDelete, "/users/"+id, nil, nil)
	k.Person(email, true)
	ada := h.signedInAtKeycloak(email)
	if p, err := h.auth.Session(ctx, h.session(ada)); err != nil || p.UserID != owner.ID {
		t.Errorf("verified: %+v, %v", p, err)
	}
	if n := h.count(`SELECT count(*) FROM user_audit WHERE user_id = $1 AND issuer = $2`, owner.ID, k.Issuer()); n != 1 {
		t.Errorf("%d records of the link", n)
	}
}

func probeKeycloak(t *testing.T, site *keycloakSite) {
	for name, c := range map[string]struct {
		change func(*signin.Config)
		want   []string
	}{
		"as it should be": {nil, nil},
		"wrong secret":    {func(c *signin.Config) { c.ClientSecret = "hunter2" }, []string{"OIDC_CLIENT_SECRET"}},
		"unknown client":  {func(c *signin.Config) { c.ClientID = "nobody" }, []string{"OIDC_CLIENT_SECRET", "valid redirect addresses"}},
		"other address":   {func(c *signin.Config) { c.PublicURL = "https://elsewhere.example" }, []string{"valid redirect addresses"}},
		"unknown realm":   {func(c *signin.Config) { c.Issuer += "x" }, []string{"404"}},
	} {
		t.Run(name, func(t *testing.T) {
			var change []func(*signin.Config)
			if c.change != nil {
				change = append(change, c.change)
			}
			h, _ := site.open(t, change...)
			warning, faults := h.auth.Probe(context.Background())
			if warning != nil {
				t.Errorf("warning: %v", warning)
			}
			var lines []string
			if faults != nil {
				lines = strings.Split(faults.Error(), "\n")
			}
			if len(lines) != len(c.want) {
				t.Fatalf("faults: %q", lines)
			}
			for i, want := range c.want {
				if !strings.Contains(lines[i], want) || strings.Contains(lines[i], "hunter2") {
					t.Errorf("fault %q lacks %q", lines[i], want)
				}
			}
		})
	}
}

// Where a realm lets a refresh token be used once, nobody can tell a use after
// a lost answer from a theft: the session ends. Keycloak still knows the
// browser, so that signing in again takes no password.
func losesAnAnswer(t *testing.T, site *keycloakSite) {
	for name, c := range map[string]struct{ reuse, want int }{
		"used once":  {0, http.StatusUnauthorized},
		"used twice": {1, http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			h, k := site.open(t)
			k.Change("", map[string]any{"revokeRefreshToken": true, "refreshTokenMaxReuse": c.reuse})
			email := someone()
			k.Person(email, true)
			b := h.signedInAtKeycloak(email)
			var lose atomic.Bool
			h.client.Transport = losing{h.client.Transport, "/protocol/openid-connect/token", &lose}
			lose.Store(true)
			h.overdue()
			if got := b.get("/"); got.status != http.StatusOK {
				t.Fatalf("the lost answer: %d", got.status)
			}
			lose.Store(false)
			h.clock.advance(10 * time.Second) // beyond the pause
			h.overdue()
			if got := b.get("/"); got.status != c.want {
				t.Errorf("after it: %d", got.status)
			}
			if got := b.get("/auth/login?return_to=/events/1"); got.status != http.StatusOK || got.url.Path != "/events/1" {
				t.Errorf("signing in again: %d %s", got.status, got.url)
			}
		})
	}
}

func signingUp(t *testing.T, site *keycloakSite) {
	h, _ := site.open(t)
	if got := h.browser().get("/auth/login?intent=signup"); got.status != http.StatusOK || !strings.Contains(got.body, "kc-register-form") {
		t.Errorf("%d %s", got.status, got.url)
	}
}

func otherRealmsToken(t *testing.T, publicURL, email string) string {
	t.Helper()
	k := testkit.NewKeycloak(t, publicURL)
	k.Person(email, true)
	return k.Tokens(email, "openid").Access
}
