package signin_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/fault"
)

const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// logoutClaims are those of a logout token as it should be.
func (o *outside) logoutClaims(more map[string]any) map[string]any {
	now := o.clock.now()
	claims := map[string]any{"iss": o.issuer(), "aud": outsideClient, "iat": now.Unix(), "exp": now.Add(2 * time.Minute).Unix(),
		"jti": uuid.NewString(), "typ": "Logout", "events": map[string]any{logoutEvent: map[string]any{}}}
	maps.Copy(claims, more)
	return claims
}

// tell brings a logout token as the provider does: without cookies, by a
// program, from wherever it stands.
func (h *house) tell(token string) (status int, header http.Header) {
	h.t.Helper()
	r, err := http.NewRequest(http.MethodPost, h.url+"/auth/backchannel-logout", strings.NewReader(url.Values{"logout_token": {token}}.Encode()))
	if err != nil {
		h.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", "https://provider.example")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode, resp.Header
}

func TestOnlyALogoutTokenSignsOut(t *testing.T) {
	h, o := openOutside(t)
	b, sid := h.came(o, "ada", "ada@example.org", true)
	now := h.clock.now()
	foreign, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	with := func(name string, value any) map[string]any {
		return o.logoutClaims(map[string]any{"sub": "ada", "sid": sid, name: value})
	}
	without := func(names ...string) map[string]any {
		claims := o.logoutClaims(map[string]any{"sub": "ada", "sid": sid})
		for _, n := range names {
			delete(claims, n)
		}
		return claims
	}
	idToken := maps.Clone(with("nonce", "n"))
	delete(idToken, "events")
	for name, token := range map[string]string{
		"nothing":             "",
		"garbage":             "x.y.z",
		"too long":            strings.Repeat("a", 9_000),
		"foreign key":         signWith(t, foreign, o.keyID, "logout+jwt", without()),
		"other issuer":        o.sign("logout+jwt", with("iss", "https://evil.example")),
		"other audience":      o.sign("logout+jwt", with("aud", "another")),
		"no audience":         o.sign("logout+jwt", without("aud")),
		"old":                 o.sign("logout+jwt", with("iat", now.Add(-6*time.Minute).Unix())),
		"from the future":     o.sign("logout+jwt", with("iat", now.Add(6*time.Minute).Unix())),
		"no time":             o.sign("logout+jwt", without("iat")),
		"over":                o.sign("logout+jwt", with("exp", now.Add(-10*time.Second).Unix())),
		"no event":            o.sign("logout+jwt", without("events")),
		"another event":       o.sign("logout+jwt", with("events", map[string]any{"http://else": map[string]any{}})),
		"event of a kind":     o.sign("logout+jwt", with("events", map[string]any{logoutEvent: "yes"})),
		"a nonce":             o.sign("logout+jwt", with("nonce", "n")),
		"a nonce that is nil": o.sign("logout+jwt", with("nonce", nil)),
		"no id":               o.sign("logout+jwt", without("jti")),
		"nobody":              o.sign("logout+jwt", without("sub", "sid")),
		"access token's type": o.sign("at+jwt", without()),
		"ID token":            o.sign("JWT", idToken),
		"access token":        o.access(map[string]any{"sub": "ada", "sid": sid, "jti": "x", "aud": outsideClient}),
	} {
		status, header := h.tell(token)
		if status != http.StatusBadRequest || header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d, %q", name, status, header.Get("Cache-Control"))
		}
		if _, err := h.auth.Session(context.Background(), h.session(b)); err != nil {
			t.Fatalf("%s signed out", name)
		}
	}
	// Nothing of what was refused stays behind.
	if n := h.count(`SELECT count(*) FROM signin_logouts`); n != 0 {
		t.Errorf("%d refused tokens were kept", n)
	}
	for name, change := range map[string]map[string]any{
		"another's session":   {"sub": "bob", "sid": sid},
		"an unknown session":  {"sub": "ada", "sid": "unknown"},
		"an unknown subject":  {"sub": "bob"},
		"audiences, ours too": {"sub": "bob", "aud": []string{"x", outsideClient}},
	} {
		if status, _ := h.tell(o.sign("logout+jwt", o.logoutClaims(change))); status != http.StatusOK {
			t.Errorf("%s: %d", name, status)
		}
	}
	if _, err := h.auth.Session(context.Background(), h.session(b)); err != nil {
		t.Fatal("signed out by what another did")
	}
	ended := make(chan string, 1)
	h.auth.OnSignOut(func(id string, _ uuid.UUID) { ended <- id })
	status, header := h.tell(o.sign("JWT", without())) // as older providers type it
	if status != http.StatusOK || header.Get("Cache-Control") != "no-store" {
		t.Errorf("as it should be: %d, %q", status, header.Get("Cache-Control"))
	}
	<-ended
	if got := b.get("/"); got.status != http.StatusUnauthorized {
		t.Errorf("after it: %d", got.status)
	}
}

func TestWhomALogoutTokenMeans(t *testing.T) {
	h, o := openOutside(t)
	one, sid := h.came(o, "ada", "ada@example.org", true)
	two, _ := h.came(o, "ada", "ada@example.org", true)
	bob, _ := h.came(o, "bob", "bob@example.org", true)
	check := func(what string, want ...int) {
		t.Helper()
		for i, b := range []*browser{one, two, bob} {
			if got := b.get("/"); got.status != want[i] {
				t.Errorf("%s, browser %d: %d", what, i+1, got.status)
			}
		}
	}
	check("before", 200, 200, 200)
	if status, _ := h.tell(o.sign("logout+jwt", o.logoutClaims(map[string]any{"sid": sid}))); status != http.StatusOK {
		t.Fatal(status)
	}
	check("one session", 401, 200, 200)
	all := o.sign("logout+jwt", o.logoutClaims(map[string]any{"sub": "ada"}))
	if status, _ := h.tell(all); status != http.StatusOK {
		t.Fatal(status)
	}
	check("all of the subject", 401, 401, 200)
	// Told again, it ends nothing that began since.
	h.clock.advance(2 * time.Second)
	two, _ = h.came(o, "ada", "ada@example.org", true)
	if status, _ := h.tell(all); status != http.StatusOK {
		t.Errorf("told again: %d", status)
	}
	check("told again", 401, 200, 200)
}

// The sign-out reaches us while the browser is still on its way from the
// provider with the code.
func TestASignOutOvertakesItsSignIn(t *testing.T) {
	for name, claims := range map[string]map[string]any{
		"of the session": {"sub": "ada"}, // and the sid, which is only known later
		"of the subject": {"sub": "ada", "all": true},
	} {
		t.Run(name, func(t *testing.T) {
			h, o := openOutside(t)
			sid := o.signsIn("ada", "ada@example.org", true)
			logout := o.logoutClaims(map[string]any{"sub": "ada", "sid": sid})
			if claims["all"] != nil {
				delete(logout, "sid")
				logout["iat"] = h.clock.now().Add(time.Second).Unix()
			}
			o.set(func() {
				o.onToken = func(http.ResponseWriter, *http.Request) bool {
					if status, _ := h.tell(o.sign("logout+jwt", logout)); status != http.StatusOK {
						t.Errorf("logout: %d", status)
					}
					return false
				}
			})
			b := h.browser()
			if got := b.get("/auth/login"); got.status != http.StatusConflict || !strings.Contains(got.body, "signed out while you were signing in") {
				t.Errorf("%d %s", got.status, got.body)
			}
			if h.session(b) != "" || h.count(`SELECT count(*) FROM sessions`) != 0 {
				t.Error("a session was begun")
			}
			// The next sign-in is another one.
			o.set(func() { o.onToken = nil })
			h.clock.advance(2 * time.Second)
			h.came(o, "ada", "ada@example.org", true)
			h.clock.advance(time.Hour)
			if err := h.auth.Sweep(context.Background()); err != nil || h.count(`SELECT count(*) FROM signin_logouts`) != 0 {
				t.Errorf("the sign-out is kept for ever, %v", err)
			}
		})
	}
}

// What could not be checked is not said to be wrong: the provider tells again.
func TestALogoutTokenThatCannotBeCheckedNow(t *testing.T) {
	h, o := openOutside(t)
	bad := func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(http.StatusBadGateway); return true }
	for name, away := range map[string]func(){"keys": func() { o.onKeys = bad }, "all": func() { o.onAny = bad }} {
		h.auth = h.relyingOn(o)
		o.set(away)
		status, header := h.tell(o.sign("logout+jwt", o.logoutClaims(map[string]any{"sub": "ada"})))
		if status != http.StatusServiceUnavailable || header.Get("Retry-After") == "" || header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s away: %d, %v", name, status, header)
		}
	}
}

func TestOtherProcessesForgetAtOnce(t *testing.T) {
	h, o := openOutside(t)
	ctx := context.Background()
	b, sid := h.came(o, "ada", "ada@example.org", true)
	token, other := h.session(b), h.relyingOn(o)
	other.OnSignOut(func(string, uuid.UUID) { t.Error("what another process told is told again") })
	ended := make(chan string, 1)
	h.auth.OnSignOut(func(id string, _ uuid.UUID) { ended <- id })
	if _, err := other.Session(ctx, token); err != nil {
		t.Fatal(err)
	}
	if status, _ := h.tell(o.sign("logout+jwt", o.logoutClaims(map[string]any{"sid": sid}))); status != http.StatusOK {
		t.Fatal(status)
	}
	// The control: without being told, the other one remembers.
	if _, err := other.Session(ctx, token); err != nil {
		t.Errorf("nothing was remembered: %v", err)
	}
	other.Ended(<-ended)
	if _, err := other.Session(ctx, token); !errors.Is(err, fault.ErrUnauthenticated) {
		t.Errorf("once told: %v", err)
	}
}

func FuzzLogoutToken(f *testing.F) {
	h, o := openOutside(f)
	h.came(o, "ada", "ada@example.org", true)
	f.Add("a.b.c")
	f.Add("eyJhbGciOiJub25lIiwidHlwIjoibG9nb3V0K2p3dCJ9.e30.")
	f.Fuzz(func(t *testing.T, token string) {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, h.url+"/auth/backchannel-logout", strings.NewReader(url.Values{"logout_token": {token}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		h.auth.Handler().ServeHTTP(w, r)
		if w.Code != http.StatusBadRequest || !json.Valid(w.Body.Bytes()) {
			t.Errorf("%q: %d %s", token, w.Code, w.Body)
		}
	})
}
