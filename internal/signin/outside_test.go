package signin_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"

	"happening/internal/postgres"
	"happening/internal/signin"
	"happening/internal/testkit"
	"happening/internal/user"
)

// outside is a small OpenID provider that is not ours: it signs whoever it is
// told to in without asking, rotates refresh tokens as strictly as the
// strictest do, and misbehaves on demand.
type outside struct {
	t      testing.TB
	server *httptest.Server
	clock  *clock

	mu        sync.Mutex
	key       *rsa.PrivateKey
	keyID     string
	who       map[string]any // the claims of who signs in next
	codes     map[string]grant
	refreshes map[string]grant  // by refresh token
	used      map[string]bool   // refresh tokens that were used
	sayings   map[string]string // what discovery says otherwise
	refreshed int               // refresh requests that came in
	reuse     bool              // a used refresh token is good for one more time

	// Each may answer in the provider's place and then says so.
	onToken func(w http.ResponseWriter, r *http.Request) bool
	onKeys  func(w http.ResponseWriter, r *http.Request) bool
	onAny   func(w http.ResponseWriter, r *http.Request) bool
}

type grant struct {
	claims    map[string]any
	nonce     string
	challenge string
}

const (
	outsideClient = "tickets"
	outsideSecret = "a secret of the outside"
)

func newOutside(t testing.TB, clock *clock) *outside {
	t.Helper()
	o := &outside{t: t, clock: clock, codes: map[string]grant{}, refreshes: map[string]grant{}, used: map[string]bool{}, sayings: map[string]string{}}
	o.rotateKey()
	o.server = httptest.NewServer(o)
	t.Cleanup(o.server.Close)
	return o
}

func (o *outside) issuer() string { return o.server.URL + "/realms/outside" }

func (o *outside) rotateKey() {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		o.t.Fatal(err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.key, o.keyID = key, rand.Text()
}

// signsIn says who signs in next, in a session of their own at the provider.
func (o *outside) signsIn(subject, email string, verified bool) (sid string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	sid = uuid.NewString()
	o.who = map[string]any{"sub": subject, "email": email, "email_verified": verified, "name": "Outside " + subject, "sid": sid}
	return sid
}

func (o *outside) set(change func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change()
}

func (o *outside) refreshRequests() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.refreshed
}

// sign makes a token with the provider's key.
func (o *outside) sign(typ string, claims map[string]any) string {
	o.mu.Lock()
	key, id := o.key, o.keyID
	o.mu.Unlock()
	return signWith(o.t, key, id, typ, claims)
}

func signWith(t testing.TB, key any, id, typ string, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: &jose.JSONWebKey{Key: key, KeyID: id}},
		(&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// access is an access token as Keycloak makes them.
func (o *outside) access(claims map[string]any) string {
	now := o.clock.now()
	all := map[string]any{"iss": o.issuer(), "aud": []string{"happening", "account"}, "azp": outsideClient, "typ": "Bearer",
		"iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix()}
	maps.Copy(all, claims)
	return o.sign("JWT", all)
}

func (o *outside) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	onAny, onKeys, onToken := o.onAny, o.onKeys, o.onToken
	o.mu.Unlock()
	if onAny != nil && onAny(w, r) {
		return
	}
	switch r.URL.Path {
	case "/realms/outside/.well-known/openid-configuration":
		o.discovery(w)
	case "/keys":
		if onKeys != nil && onKeys(w, r) {
			return
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		answer(w, http.StatusOK, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &o.key.PublicKey, KeyID: o.keyID, Algorithm: "RS256", Use: "sig"}}})
	case "/authorize":
		o.authorize(w, r)
	case "/token":
		if onToken != nil && onToken(w, r) {
			return
		}
		o.token(w, r)
	case "/userinfo":
		o.mu.Lock()
		defer o.mu.Unlock()
		answer(w, http.StatusOK, o.who)
	case "/logout":
		http.Redirect(w, r, r.URL.Query().Get("post_logout_redirect_uri"), http.StatusFound)
	default:
		http.NotFound(w, r)
	}
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func (o *outside) discovery(w http.ResponseWriter) {
	o.mu.Lock()
	defer o.mu.Unlock()
	base := o.server.URL
	said := map[string]any{
		"issuer": o.issuer(), "authorization_endpoint": base + "/authorize", "token_endpoint": base + "/token", "jwks_uri": base + "/keys",
		"userinfo_endpoint": base + "/userinfo", "end_session_endpoint": base + "/logout",
		"response_types_supported": []string{"code"}, "code_challenge_methods_supported": []string{"plain", "S256"},
		"id_token_signing_alg_values_supported": []string{"RS256"}, "token_endpoint_auth_methods_supported": []string{"client_secret_basic"},
	}
	for name, text := range o.sayings {
		if said[name] = json.RawMessage(text); text == "" {
			delete(said, name)
		}
	}
	answer(w, http.StatusOK, said)
}

func (o *outside) authorize(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	query := r.URL.Query()
	to, err := url.Parse(query.Get("redirect_uri"))
	if err != nil || to.Path != "/auth/callback" || query.Get("client_id") != outsideClient {
		http.Error(w, "Invalid parameter: redirect_uri", http.StatusBadRequest)
		return
	}
	back := url.Values{"state": {query.Get("state")}}
	if query.Get("prompt") == "none" {
		back.Set("error", "login_required")
	} else {
		code := rand.Text()
		o.codes[code] = grant{o.who, query.Get("nonce"), query.Get("code_challenge")}
		back.Set("code", code)
	}
	to.RawQuery = back.Encode()
	http.Redirect(w, r, to.String(), http.StatusFound)
}

func (o *outside) token(w http.ResponseWriter, r *http.Request) {
	refuse := func(status int, code string) { answer(w, status, map[string]string{"error": code}) }
	if id, secret, _ := r.BasicAuth(); id != outsideClient || secret != url.QueryEscape(outsideSecret) {
		refuse(http.StatusUnauthorized, "invalid_client")
		return
	}
	o.mu.Lock()
	var g grant
	var ok bool
	switch r.FormValue("grant_type") {
	case "authorization_code":
		g, ok = o.codes[r.FormValue("code")]
		delete(o.codes, r.FormValue("code"))
		sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
		ok = ok && base64.RawURLEncoding.EncodeToString(sum[:]) == g.challenge
	case "refresh_token":
		o.refreshed++
		token := r.FormValue("refresh_token")
		g, ok = o.refreshes[token]
		ok = ok && (!o.used[token] || o.reuse)
		o.used[token] = true
	}
	if !ok {
		o.mu.Unlock()
		refuse(http.StatusBadRequest, "invalid_grant")
		return
	}
	next := rand.Text()
	o.refreshes[next] = grant{claims: g.claims}
	o.mu.Unlock()
	now := o.clock.now()
	id := maps.Clone(g.claims)
	maps.Copy(id, map[string]any{"iss": o.issuer(), "aud": outsideClient, "azp": outsideClient, "typ": "ID", "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix()})
	if g.nonce != "" {
		id["nonce"] = g.nonce
	}
	answer(w, http.StatusOK, map[string]any{
		"access_token": o.access(map[string]any{"sub": g.claims["sub"]}), "token_type": "Bearer", "expires_in": 300,
		"refresh_token": next, "id_token": o.sign("JWT", id),
	})
}

// endGrants makes every refresh token bad, as when somebody is disabled.
func (o *outside) endGrants() {
	o.set(func() { o.refreshes = map[string]grant{} })
}

// openOutside is an application that trusts an outside provider.
func openOutside(t testing.TB, change ...func(*signin.Config)) (*house, *outside) {
	t.Helper()
	h := &house{t: t, db: testkit.NewDB(t), clock: &clock{}}
	o := newOutside(t, h.clock)
	h.people = user.NewService(postgres.NewUsers(h.db.DB), h.clock.now)
	var mux http.ServeMux
	server := httptest.NewServer(&mux)
	t.Cleanup(server.Close)
	h.url = server.URL
	h.auth = h.relyingOn(o, change...)
	mux.HandleFunc("/auth/", func(w http.ResponseWriter, r *http.Request) { h.auth.Handler().ServeHTTP(w, r) })
	mux.HandleFunc("/", h.whoami)
	return h, o
}

// relyingOn is one more replica of the application.
func (h *house) relyingOn(o *outside, change ...func(*signin.Config)) *signin.Authenticator {
	h.t.Helper()
	cfg := signin.Config{
		Issuer: o.issuer(), ClientID: outsideClient, ClientSecret: outsideSecret, PublicURL: h.url, Now: h.clock.now,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	for _, c := range change {
		c(&cfg)
	}
	auth, err := signin.New(cfg, postgres.NewSessions(h.db.DB), user.NewService(postgres.NewUsers(h.db.DB), h.clock.now))
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		if err := auth.Close(context.Background()); err != nil {
			h.t.Error(err)
		}
	})
	return auth
}

// settle waits for what goes on beside the requests, and goes on with a new
// process in the old one's place.
func (h *house) settle(o *outside) {
	h.t.Helper()
	if err := h.auth.Close(context.Background()); err != nil {
		h.t.Fatal(err)
	}
	h.auth = h.relyingOn(o)
}

// came is a browser that signed in at the provider.
func (h *house) came(o *outside, subject, email string, verified bool) (*browser, string) {
	h.t.Helper()
	sid := o.signsIn(subject, email, verified)
	b := h.browser()
	if got := b.get("/auth/login?return_to=/events/1"); got.status != http.StatusOK || got.url.Path != "/events/1" {
		h.t.Fatalf("sign-in: %d %s %s", got.status, got.url, got.body)
	}
	return b, sid
}

// session is the token in the browser's cookie.
func (h *house) session(b *browser) string {
	u, _ := url.Parse(h.url)
	for _, c := range b.Jar.Cookies(u) {
		if c.Name == h.auth.SessionCookieName() {
			return c.Value
		}
	}
	return ""
}

func (h *house) count(sql string, args ...any) (n int) {
	h.t.Helper()
	if err := h.db.System.QueryRow(context.Background(), sql, args...).Scan(&n); err != nil {
		h.t.Fatal(err)
	}
	return n
}
