package signin

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	jose "github.com/go-jose/go-jose/v4"
)

const quickIssuer = "https://id.example.test"

// signer is a provider of which nothing but the key is there.
type signer struct {
	key   *rsa.PrivateKey
	found *discovered
	now   time.Time
}

func newSigner(t testing.TB) *signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	s := &signer{key: key, now: time.Date(2026, 5, 1, 18, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return s.now }
	keys := &keySet{now: clock, errands: newErrands(), fetchedAt: s.now, askedAt: s.now}
	keys.keys = []jose.JSONWebKey{{Key: &key.PublicKey, KeyID: "one", Algorithm: oidc.RS256, Use: "sig"}}
	s.found = &discovered{issuer: quickIssuer, keys: keys, access: oidc.NewVerifier(quickIssuer, keys, &oidc.Config{
		ClientID: Audience, SupportedSigningAlgs: asymmetric(nil), Now: func() time.Time { return clock().Add(-clockLeeway) },
	})}
	return s
}

// sign signs whatever stands in header and payload.
func (s *signer) sign(t testing.TB, header, payload string) string {
	t.Helper()
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(nil, s.key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// claims are good ones with something changed.
func (s *signer) claims(t testing.TB, change map[string]any) string {
	t.Helper()
	all := map[string]any{
		"iss": quickIssuer, "sub": "somebody", "aud": Audience, "client_id": "happening", "jti": "7c9f8d52", "typ": "Bearer",
		"iat": s.now.Unix(), "exp": s.now.Add(time.Minute).Unix(), "scope": "openid",
	}
	maps.Copy(all, change)
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

const (
	ownHeader      = `{"alg":"RS256","kid":"one","typ":"at+jwt"}` // as the embedded provider writes it
	keycloakHeader = `{"alg":"RS256","typ" : "JWT","kid" : "one"}`
)

// What the quick way takes, the library takes, and reads the same in it.
// Neither a payload nor a header that was signed by the provider nor a token
// that somebody changed afterwards may differ.
func FuzzQuickToken(f *testing.F) {
	s := newSigner(f)
	good := s.claims(f, nil)
	for _, header := range []string{
		ownHeader, keycloakHeader, `{"alg":"RS256","kid":"one","typ":"application/AT+JWT"}`, `{"alg":"RS256","typ":"at+jwt"}`,
		`{"alg":"RS256","kid":"one"}`, `{"alg":"RS256","kid":"one","typ":7}`, `{"alg":"RS256","kid":"two","typ":"at+jwt"}`,
		`{"alg":"none","kid":"one","typ":"at+jwt"}`, `{"alg":"HS256","kid":"one","typ":"at+jwt"}`, `{"alg":"PS256","kid":"one","typ":"at+jwt"}`,
		`{"alg":"RS256","kid":"one","typ":"at+jwt","b64":false,"crit":["b64"]}`, `{"alg":"RS256","kid":"one","typ":"at+jwt","b64":false}`,
		`{"alg":"RS256","kid":"one","typ":"at+jwt","crit":["exp"]}`, `{"alg":"RS256","kid":"one","typ":"at+jwt","x5t":"abc"}`,
		`{"alg":"RS256","kid":"one","typ":"at+jwt","typ":"ID"}`, `{"ALG":"RS256","kid":"one","typ":"at+jwt"}`, `{"alg":"RS256","kid":"one","typ":"ID"}`,
		`{}`, `null`, `[]`, ``, "\xff",
	} {
		f.Add(header, good, uint(0), byte(0))
	}
	for _, change := range []map[string]any{
		{"aud": []string{"other", Audience}}, {"aud": "other"}, {"aud": []string{}}, {"aud": nil}, {"aud": 7}, {"aud": []any{nil, Audience}},
		{"iss": "https://evil.example.test"}, {"iss": nil}, {"sub": ""}, {"sub": nil}, {"sub": 7}, {"sub": "\u2028<"},
		{"exp": s.now.Add(-3 * time.Second).Unix()}, {"exp": s.now.Add(-6 * time.Second).Unix()}, {"exp": 0}, {"exp": nil}, {"exp": -1},
		{"exp": "99999999999"}, {"exp": 1e30}, {"exp": 99999999999.5}, {"exp": 999999999999},
		{"nbf": s.now.Unix()}, {"nbf": s.now.Add(time.Minute).Unix()}, {"nbf": s.now.Add(time.Hour).Unix()}, {"nbf": nil}, {"nbf": "x"},
		{"iat": "x"}, {"iat": nil}, {"iat": 1.5}, {"nonce": 7}, {"at_hash": 7}, {"typ": "ID"}, {"typ": 7}, {"typ": nil},
		{"_claim_names": map[string]string{"a": "b"}}, {"_claim_names": map[string]string{}}, {"_claim_sources": "x"},
	} {
		f.Add(ownHeader, s.claims(f, change), uint(0), byte(0))
		f.Add(keycloakHeader, s.claims(f, change), uint(0), byte(0))
	}
	f.Add(ownHeader, `{"iss":"`+quickIssuer+`","SUB":"a","sub":"b","Sub":"c","aud":"`+Audience+`","exp":99999999999,"EXP":1}`, uint(0), byte(0))
	f.Add(ownHeader, good+"x", uint(0), byte(0))
	f.Add(ownHeader, "\xff", uint(0), byte(0))
	for i := range uint(8) {
		f.Add(ownHeader, good, i*97, byte(1)) // changed in header, payload and signature
		f.Add(ownHeader, good, i*97, byte('.'))
	}
	known := s.sign(f, ownHeader, good)
	f.Fuzz(func(t *testing.T, header, payload string, at uint, change byte) {
		s.found.keys.headers = nil
		if _, err := s.found.verifyAccess(t.Context(), known); err != nil {
			t.Fatal(err)
		}
		token := []byte(s.sign(t, header, payload))
		token[at%uint(len(token))] ^= change
		for range 2 { // the second time the header is remembered, if it may be
			quick, ok := s.found.quick(string(token), s.now)
			read, err := s.found.verifyAccess(t.Context(), string(token))
			if ok && (err != nil || read != quick) {
				t.Fatalf("%s\n%s\n%s\nquick %+v, the library %+v, %v", header, payload, token, quick, read, err)
			}
		}
	})
}

// What providers sign goes the quick way from the second token on, or it would
// not be one.
func TestQuickTakesWhatProvidersSign(t *testing.T) {
	for header, change := range map[string]map[string]any{
		ownHeader:      nil,
		keycloakHeader: {"aud": []string{Audience, "account"}, "azp": "tickets", "nbf": 0, "realm_access": map[string]any{"roles": []string{"a"}}},
	} {
		s := newSigner(t)
		first, second := s.sign(t, header, s.claims(t, change)), s.sign(t, header, s.claims(t, map[string]any{"sub": "somebody else", "aud": []string{Audience}}))
		if _, ok := s.found.quick(first, s.now); ok {
			t.Errorf("%s: a header that nobody looked at was taken", header)
		}
		if _, err := s.found.verifyAccess(t.Context(), first); err != nil {
			t.Fatal(err)
		}
		if got, ok := s.found.quick(second, s.now); !ok || got.subject != "somebody else" || !got.expiry.Equal(s.now.Add(time.Minute)) {
			t.Errorf("%s: %+v, %v", header, got, ok)
		}
	}
}

// A header that is remembered is worth nothing without its key.
func TestQuickForgetsAKeyWithTheProvider(t *testing.T) {
	s := newSigner(t)
	token := s.sign(t, ownHeader, s.claims(t, nil))
	if _, err := s.found.verifyAccess(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.found.quick(token, s.now); !ok {
		t.Fatal("not taken")
	}
	next := newSigner(t)
	s.found.keys.keys = next.found.keys.keys // another key of the same id
	if _, ok := s.found.quick(token, s.now); ok {
		t.Error("signed by a key that is no longer the provider's")
	}
	s.found.keys.keys = nil
	if _, ok := s.found.quick(token, s.now); ok {
		t.Error("the provider has no keys")
	}
}

// Whoever makes headers up doesn't have them remembered, and a provider that
// signs with ever new ones doesn't fill the memory.
func TestHeadersAreBounded(t *testing.T) {
	s := newSigner(t)
	bad := s.sign(t, keycloakHeader, s.claims(t, nil))
	if _, err := s.found.verifyAccess(t.Context(), bad[:len(bad)-8]+"AAAAAAAA"); err == nil {
		t.Fatal("a changed signature was taken")
	}
	if n := len(s.found.keys.headers); n != 0 {
		t.Errorf("%d headers of tokens that were refused", n)
	}
	for i := range 3 * maxHeaders {
		header := `{"alg":"RS256","kid":"one","typ":"at+jwt"` + strings.Repeat(" ", i) + `}`
		if _, err := s.found.verifyAccess(t.Context(), s.sign(t, header, s.claims(t, nil))); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(s.found.keys.headers); n < 1 || n > maxHeaders {
		t.Errorf("%d headers are remembered", n)
	}
}

func BenchmarkUnseenToken(b *testing.B) {
	s := newSigner(b)
	token := s.sign(b, ownHeader, s.claims(b, nil))
	b.Run("library", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.found.verifyAccess(context.Background(), token); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("quick", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, ok := s.found.quick(token, s.now); !ok {
				b.Fatal("refused")
			}
		}
	})
	b.Run("signature alone", func(b *testing.B) {
		sum := sha256.Sum256([]byte(token))
		signature, err := rsa.SignPKCS1v15(nil, s.key, crypto.SHA256, sum[:])
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if err := rsa.VerifyPKCS1v15(&s.key.PublicKey, crypto.SHA256, sum[:], signature); err != nil {
				b.Fatal(err)
			}
		}
	})
}
