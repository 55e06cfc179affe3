//go:build linux && !engines && !race

package system

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"happening/test/house"
)

const (
	providerClient = "tickets"
	tokenLives     = time.Hour
)

// provider is a small OpenID provider outside: it knows whoever brings a token
// that it has signed, and is away or silent on demand.
type provider struct {
	t      *testing.T
	server *httptest.Server
	signer jose.Signer
	public jose.JSONWebKey

	mu     sync.Mutex
	mode   providerMode
	change chan struct{} // closed when the mode changes
}

// providerMode is how a provider answers.
type providerMode int

const (
	providerAnswers providerMode = iota
	providerAbsent               // connections are closed at once
	providerSilent               // requests are taken, and nothing is said
)

func (m providerMode) String() string { return [...]string{"answers", "absent", "silent"}[m] }

func newProvider(t *testing.T) *provider {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	const keyID = "the key"
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: &jose.JSONWebKey{Key: key, KeyID: keyID}}, (&jose.SignerOptions{}).WithType("at+jwt"))
	if err != nil {
		t.Fatal(err)
	}
	p := &provider{t: t, signer: signer, public: jose.JSONWebKey{Key: &key.PublicKey, KeyID: keyID, Algorithm: "RS256", Use: "sig"}, change: make(chan struct{})}
	p.server = httptest.NewServer(p)
	t.Cleanup(func() { p.become(providerAbsent); p.server.Close() })
	return p
}

// become changes how the provider answers, also those that it keeps waiting.
func (p *provider) become(mode providerMode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode = mode
	close(p.change)
	p.change = make(chan struct{})
}

// token signs an access token of somebody's.
func (p *provider) token(subject string) string {
	p.t.Helper()
	now := time.Now()
	payload, err := json.Marshal(map[string]any{
		"iss": p.server.URL, "aud": "happening", "sub": subject, "jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(tokenLives).Unix(),
	})
	if err != nil {
		p.t.Fatal(err)
	}
	signed, err := p.signer.Sign(payload)
	if err != nil {
		p.t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		p.t.Fatal(err)
	}
	return text
}

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for {
		p.mu.Lock()
		mode, change := p.mode, p.change
		p.mu.Unlock()
		switch mode {
		case providerAnswers:
			p.answer(w, r)
			return
		case providerAbsent:
			panic(http.ErrAbortHandler) // closes the connection, and says nothing
		}
		select {
		case <-change:
		case <-r.Context().Done():
			return
		}
	}
}

func (p *provider) answer(w http.ResponseWriter, r *http.Request) {
	say := func(status int, body any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(body) // whoever hung up needs no answer
	}
	base := p.server.URL
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		say(http.StatusOK, map[string]any{
			"issuer": base, "authorization_endpoint": base + "/authorize", "token_endpoint": base + "/token", "jwks_uri": base + "/keys",
			"userinfo_endpoint": base + "/userinfo", "end_session_endpoint": base + "/logout", "response_types_supported": []string{"code"},
			"code_challenge_methods_supported": []string{"S256"}, "id_token_signing_alg_values_supported": []string{"RS256"},
		})
	case "/keys":
		say(http.StatusOK, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{p.public}})
	case "/authorize":
		back := r.URL.Query().Get("redirect_uri") + "?" + url.Values{"error": {"login_required"}, "state": {r.URL.Query().Get("state")}}.Encode()
		http.Redirect(w, r, back, http.StatusFound)
	case "/token":
		say(http.StatusBadRequest, map[string]string{"error": "invalid_grant"})
	case "/userinfo":
		var claims struct {
			Sub string `json:"sub"`
		}
		parts := strings.Split(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), ".")
		if text, err := base64.RawURLEncoding.DecodeString(parts[min(1, len(parts)-1)]); err != nil || json.Unmarshal(text, &claims) != nil {
			say(http.StatusUnauthorized, map[string]string{"error": "invalid_token"})
			return
		}
		say(http.StatusOK, map[string]any{"sub": claims.Sub, "name": claims.Sub, "email": strings.ReplaceAll(claims.Sub, ", ", "-") + "@people.test", "email_verified": true})
	default:
		http.NotFound(w, r)
	}
}

// person is somebody of the provider's, as Happening knows them.
func (p *provider) person(c *house.Client, subject string) *house.Person {
	p.t.Helper()
	who := &house.Person{Token: p.token(subject)}
	var me struct{ ID, Email string }
	c.Want(p.t, who, http.StatusOK, http.MethodGet, "/users/me", nil, &me)
	who.ID, who.Email = me.ID, me.Email
	return who
}

// The provider is away, and then takes questions and answers none: who is known
// goes on booking, with the token that was seen before and with a new one; who
// is not known is told to come back; what is open to all is. With the full
// lengths also: a start without the provider works, and knows people when it
// answers.
func TestProviderAway(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	h := house.New(t)
	h.Env["OIDC_ISSUER_URL"], h.Env["OIDC_CLIENT_ID"], h.Env["OIDC_CLIENT_SECRET"] = p.server.URL, providerClient, "a secret"
	server := h.Serve()
	c := house.NewClient(h.API)
	t.Cleanup(c.Close)
	admin := p.person(c, "admin")
	known := p.person(c, "known")
	eventID := c.Event(t, admin, c.Organization(t, admin), 100, nil)
	l := house.NewLedger()

	for _, mode := range []providerMode{providerAbsent, providerSilent} {
		t.Run(mode.String(), func(t *testing.T) {
			p.become(mode)
			stranger := &house.Person{Token: p.token("stranger, " + mode.String())}
			asked := make(chan *house.Answer, 1)
			go func() {
				a, err := c.Do(context.Background(), stranger, http.MethodGet, "/users/me", nil)
				if err != nil {
					t.Error(err)
				}
				asked <- a
			}()
			// With the token that is remembered, and with one that was never seen.
			anew := *known
			anew.Token = p.token("known")
			for _, who := range []*house.Person{known, &anew} {
				l.Place(c, l.Book(who, eventID, 1))
			}
			if open := l.Open(); len(open) > 0 {
				t.Errorf("%d orders of people who are known were not answered", len(open))
			}
			for _, path := range []string{"/readyz", "/events", "/events/" + eventID + "/seats"} {
				if a := c.Get(t, nil, path); a.Status != http.StatusOK {
					t.Errorf("%s: %s", path, a)
				}
			}
			forged := *known
			forged.Token = known.Token[:len(known.Token)-8] + "AAAAAAAA"
			if a := c.Get(t, &forged, "/users/me"); a.Status != http.StatusUnauthorized {
				t.Errorf("a forged token: %s", a)
			}
			if mode == providerSilent {
				// It was kept waiting, and nobody with it; now it is let go.
				p.become(providerAbsent)
			}
			if a := <-asked; a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" || a.Code() != "identity_unavailable" {
				t.Errorf("somebody who is not known: %s, Retry-After %q", a, a.Header.Get("Retry-After"))
			}
			p.become(providerAnswers)
			p.person(c, "stranger, "+mode.String())
		})
	}
	if startWithoutProvider {
		t.Run("absent at the start", func(t *testing.T) { absentAtTheStart(t, p, h, server, known, l.Book(known, eventID, 1), l) })
	}
	h.Judge(l)
}

// absentAtTheStart starts anew without the provider, which is then asked for its
// keys at most every five seconds.
func absentAtTheStart(t *testing.T, p *provider, h *house.House, server *house.Server, known *house.Person, o *house.Order, l *house.Ledger) {
	server.Interrupt()
	p.become(providerAbsent)
	h.Serve()
	c := house.NewClient(h.API)
	defer c.Close()
	if a := c.Get(t, nil, "/events"); a.Status != http.StatusOK {
		t.Errorf("/events: %s", a)
	}
	if a := c.Get(t, known, "/users/me"); a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
		t.Errorf("somebody whose key is not known: %s, Retry-After %q", a, a.Header.Get("Retry-After"))
	}
	p.become(providerAnswers)
	house.Await(t, "people are known again", house.SettleLimit, func() bool { return c.Get(t, known, "/users/me").Status == http.StatusOK })
	if l.Place(c, o); o.Told == nil {
		t.Errorf("a booking after it: refused %q", o.Refused)
	}
}
