package signin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	jose "github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"

	"happening/internal/fault"
)

// How the provider is asked. A provider that is away is asked again after a
// pause, so that a rush of requests doesn't become a rush upon it.
const (
	discoveryPause   = 2 * time.Second
	keysPause        = 5 * time.Second
	keysLived        = 10 * time.Minute // then a key that was withdrawn is noticed
	renewPause       = time.Minute
	renewTimeout     = 2 * time.Second
	maxProviderBytes = 1 << 20
)

// ErrProviderAway says that the provider can't be asked now.
var ErrProviderAway = fault.New(fault.Unavailable, "identity_unavailable",
	"Signing in is not possible at the moment. Try again shortly.").After(5 * time.Second)

// provider is what discovery told, learnt when it is first needed.
type provider struct {
	cfg Config

	mu       sync.Mutex
	found    *discovered
	failedAt time.Time
	failure  error
}

type discovered struct {
	oidc       *oidc.Provider
	oauth      oauth2.Config
	idTokens   *oidc.IDTokenVerifier
	access     *oidc.IDTokenVerifier
	endSession string
}

func newProvider(cfg Config) *provider { return &provider{cfg: cfg} }

// clientContext makes the libraries use our HTTP client.
func (p *provider) clientContext(ctx context.Context) context.Context {
	return oidc.ClientContext(ctx, p.cfg.HTTPClient)
}

// get gives what discovery told, asking the provider if it never answered.
// Callers wait for one another: there is nothing that they could do meanwhile.
func (p *provider) get(ctx context.Context) (*discovered, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found != nil {
		return p.found, nil
	}
	now := p.cfg.Now()
	if p.failure != nil && now.Sub(p.failedAt) < discoveryPause && !now.Before(p.failedAt) {
		return nil, ErrProviderAway.Because(p.failure)
	}
	// One caller's hang-up must not be remembered as the provider's failure.
	ask, cancel := context.WithTimeout(p.clientContext(context.WithoutCancel(ctx)), providerTimeout)
	defer cancel()
	found, err := p.discover(ask)
	if err != nil {
		p.failure, p.failedAt = err, now
		return nil, ErrProviderAway.Because(err)
	}
	p.found, p.failure = found, nil
	return found, nil
}

func (p *provider) discover(ctx context.Context) (*discovered, error) {
	op, err := oidc.NewProvider(ctx, p.cfg.Issuer)
	if err != nil {
		return nil, fmt.Errorf("signin: discovery: %w", err)
	}
	var more struct {
		JWKS       string   `json:"jwks_uri"`
		EndSession string   `json:"end_session_endpoint"`
		Algorithms []string `json:"id_token_signing_alg_values_supported"`
	}
	if err := op.Claims(&more); err != nil {
		return nil, fmt.Errorf("signin: discovery: %w", err)
	}
	keys := &keySet{url: more.JWKS, client: p.cfg.HTTPClient, now: p.cfg.Now}
	algorithms := asymmetric(more.Algorithms)
	return &discovered{
		oidc: op,
		oauth: oauth2.Config{
			ClientID: p.cfg.ClientID, ClientSecret: p.cfg.ClientSecret,
			Endpoint:    op.Endpoint(),
			RedirectURL: p.cfg.PublicURL + "/auth/callback",
			Scopes:      []string{oidc.ScopeOpenID, "profile", "email"},
		},
		idTokens: oidc.NewVerifier(p.cfg.Issuer, keys, &oidc.Config{
			ClientID: p.cfg.ClientID, SupportedSigningAlgs: algorithms, Now: p.cfg.Now}),
		access: oidc.NewVerifier(p.cfg.Issuer, keys, &oidc.Config{
			ClientID: Audience, SupportedSigningAlgs: algorithms, Now: p.cfg.Now}),
		endSession: more.EndSession,
	}, nil
}

// asymmetric keeps the algorithms by which nobody but the provider can sign.
func asymmetric(offered []string) []string {
	known := map[string]bool{
		oidc.RS256: true, oidc.RS384: true, oidc.RS512: true, oidc.PS256: true, oidc.PS384: true,
		oidc.PS512: true, oidc.ES256: true, oidc.ES384: true, oidc.ES512: true, oidc.EdDSA: true,
	}
	var kept []string
	for _, a := range offered {
		if known[a] {
			kept = append(kept, a)
		}
	}
	if len(kept) == 0 {
		kept = []string{oidc.RS256}
	}
	return kept
}

// keySet keeps the provider's public keys. An unknown key id makes it ask
// again, but at most once per keysPause: tokens of invented keys must not
// become requests to the provider.
type keySet struct {
	url    string
	client *http.Client
	now    func() time.Time

	mu        sync.Mutex
	keys      []jose.JSONWebKey
	askedAt   time.Time
	fetchedAt time.Time
	failure   error
}

var errKeysAway = errors.New("signin: the provider's keys can't be had")

// VerifySignature implements oidc.KeySet.
func (k *keySet) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	jws, err := jose.ParseSigned(token, []jose.SignatureAlgorithm{
		jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512,
		jose.ES256, jose.ES384, jose.ES512, jose.EdDSA})
	if err != nil || len(jws.Signatures) != 1 {
		return nil, errors.New("signin: not a signed token")
	}
	header := jws.Signatures[0].Header
	key, err := k.find(ctx, header.KeyID, header.Algorithm)
	if err != nil {
		return nil, err
	}
	return jws.Verify(key)
}

func (k *keySet) find(ctx context.Context, id, algorithm string) (*jose.JSONWebKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	if k.known(id, algorithm) == nil {
		if k.askedAt.IsZero() || now.Sub(k.askedAt) >= keysPause || now.Before(k.askedAt) {
			k.ask(ctx, now, providerTimeout)
		}
	} else if now.Sub(k.fetchedAt) >= keysLived && now.Sub(k.askedAt) >= renewPause {
		// A provider that doesn't answer now keeps the keys that it had.
		k.ask(ctx, now, renewTimeout)
	}
	if key := k.known(id, algorithm); key != nil {
		return key, nil
	}
	if k.failure != nil {
		return nil, fmt.Errorf("%w: %w", errKeysAway, k.failure)
	}
	return nil, errors.New("signin: the token is signed by no key of the provider")
}

func (k *keySet) ask(ctx context.Context, now time.Time, timeout time.Duration) {
	k.askedAt = now
	keys, err := k.fetch(ctx, timeout)
	if k.failure = err; err == nil {
		k.keys, k.fetchedAt = keys, now
	}
}

func (k *keySet) known(id, algorithm string) *jose.JSONWebKey {
	for i := range k.keys {
		key := &k.keys[i]
		if (id == "" || key.KeyID == id) && (key.Use == "" || key.Use == "sig") &&
			(key.Algorithm == "" || key.Algorithm == algorithm) {
			return key
		}
	}
	return nil
}

func (k *keySet) fetch(ctx context.Context, timeout time.Duration) ([]jose.JSONWebKey, error) {
	// One caller's hang-up must not cost the others the keys.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, k.url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := k.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("keys: status %d", resp.StatusCode)
	}
	var raw struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxProviderBytes)).Decode(&raw); err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	var keys []jose.JSONWebKey
	for _, text := range raw.Keys {
		var key jose.JSONWebKey
		// Keys of kinds that we don't know are other people's business.
		if json.Unmarshal(text, &key) == nil && key.IsPublic() && key.Valid() {
			keys = append(keys, key)
		}
	}
	return keys, nil
}
