package signin_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"maps"
	"strconv"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"happening/internal/fault"
)

// TestOnlyOurAccessTokensCount signs with the provider's own key, so that
// each case fails for the one thing that is wrong with it.
func TestOnlyOurAccessTokensCount(t *testing.T) {
	h := open(t)
	ctx := context.Background()
	var keyID string
	var secret []byte
	if err := h.db.System.QueryRow(ctx, `SELECT id, secret FROM idp_keys WHERE purpose = 'sign'`).Scan(&keyID, &secret); err != nil {
		t.Fatal(err)
	}
	key, err := x509.ParsePKCS8PrivateKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.provider.IssueTokens(ctx, []string{"subject@example.org"}, time.Hour); err != nil {
		t.Fatal(err)
	}
	var subject string
	if err := h.db.System.QueryRow(ctx, `SELECT id::text FROM idp_accounts`).Scan(&subject); err != nil {
		t.Fatal(err)
	}
	now := h.clock.now()
	good := map[string]any{"iss": h.provider.Issuer(), "sub": subject, "aud": "happening", "exp": now.Add(time.Minute).Unix()}
	with := func(name string, value any) map[string]any {
		c := maps.Clone(good)
		c[name] = value
		return c
	}
	foreign, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		key    any
		id     string
		typ    string
		claims map[string]any
		ok     bool
	}{
		{"as it should be", key, keyID, "at+jwt", good, true},
		{"several audiences", key, keyID, "at+jwt", with("aud", []string{"other", "happening"}), true},
		{"full media type", key, keyID, "application/at+jwt", good, true},
		{"typed by claim", key, keyID, "JWT", with("typ", "Bearer"), true},
		{"typed as ID token by claim", key, keyID, "JWT", with("typ", "ID"), false},
		{"untyped", key, keyID, "JWT", good, false},
		{"logout token", key, keyID, "logout+jwt", with("typ", "Logout"), false},
		{"bound to a key that we don't see", key, keyID, "JWT", with("typ", "DPoP"), false},
		{"refresh token", key, keyID, "JWT", with("typ", "Refresh"), false},
		{"other audience", key, keyID, "at+jwt", with("aud", "other"), false},
		{"no audience", key, keyID, "at+jwt", with("aud", nil), false},
		{"other issuer", key, keyID, "at+jwt", with("iss", "https://evil.example"), false},
		{"over within the leeway", key, keyID, "at+jwt", with("exp", now.Add(-3*time.Second).Unix()), true},
		{"over", key, keyID, "at+jwt", with("exp", now.Add(-7*time.Second).Unix()), false},
		{"no expiry", key, keyID, "at+jwt", with("exp", 0), false},
		{"not yet", key, keyID, "at+jwt", with("nbf", now.Add(time.Hour).Unix()), false},
		{"no subject", key, keyID, "at+jwt", with("sub", ""), false},
		{"unknown subject", key, keyID, "at+jwt", with("sub", "0193c0de-0000-7000-8000-000000000000"), false},
		{"foreign key under our id", foreign, keyID, "at+jwt", good, false},
		{"foreign key", foreign, "other", "at+jwt", good, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: &jose.JSONWebKey{Key: c.key, KeyID: c.id}},
				(&jose.SignerOptions{}).WithType(jose.ContentType(c.typ)))
			if err != nil {
				t.Fatal(err)
			}
			payload, err := json.Marshal(c.claims)
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
			p, err := h.auth.Token(ctx, token)
			if c.ok && (err != nil || !p.SignedIn()) {
				t.Errorf("refused: %v", err)
			}
			if !c.ok && !errors.Is(err, fault.ErrUnauthenticated) {
				t.Errorf("taken: %+v, %v", p, err)
			}
		})
	}
}

func BenchmarkRememberedToken(b *testing.B) {
	h := open(b)
	ctx := context.Background()
	issued, err := h.provider.IssueTokens(ctx, []string{"bench@example.org"}, time.Hour)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.auth.Token(ctx, issued[0].AccessToken); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkIssueTokens(b *testing.B) {
	h := open(b)
	ctx := context.Background()
	n := 0
	for b.Loop() {
		emails := make([]string, 1_000)
		for i := range emails {
			n++
			emails[i] = "load" + strconv.Itoa(n) + "@example.org"
		}
		if _, err := h.provider.IssueTokens(ctx, emails, time.Hour); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "tokens/s")
}
