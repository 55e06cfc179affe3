package signin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
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
	discoveryTimeout = 5 * time.Second
	discoveryPause   = 2 * time.Second
	discoveryLived   = time.Hour // then endpoints that moved are noticed
	keysTimeout      = 5 * time.Second
	keysPause        = 5 * time.Second
	keysLived        = 10 * time.Minute // then a key that was withdrawn is noticed
	maxProviderBytes = 1 << 20
	// clockLeeway is how far the provider's clock may be behind ours.
	clockLeeway = 5 * time.Second
)

// ErrProviderAway says that the provider can't be asked now.
var ErrProviderAway = fault.New(fault.Unavailable, "identity_unavailable",
	"Signing in is not possible at the moment. Try again shortly.").After(5 * time.Second)

// provider is what discovery told, learnt when it is first needed.
type provider struct {
	cfg     Config
	errands *errands

	mu       sync.Mutex
	found    *discovered
	foundAt  time.Time
	failedAt time.Time
	failure  error
	asking   chan struct{} // closed when the question under way is answered; nil: there is none
}

type discovered struct {
	issuer     string
	oidc       *oidc.Provider
	oauth      oauth2.Config
	idTokens   *oidc.IDTokenVerifier
	access     *oidc.IDTokenVerifier
	logouts    *oidc.IDTokenVerifier
	keys       *keySet
	endSession string
	revocation string // of refresh tokens; empty: the provider has none
}

func newProvider(cfg Config, e *errands) *provider { return &provider{cfg: cfg, errands: e} }

// clientContext makes the libraries use our HTTP client.
func (p *provider) clientContext(ctx context.Context) context.Context {
	return oidc.ClientContext(ctx, p.cfg.HTTPClient)
}

// get gives what discovery told, asking the provider if it never answered.
// Callers share one question and wait for it no longer than they like; one
// caller's hang-up is not the provider's failure.
func (p *provider) get(ctx context.Context) (*discovered, error) {
	found, asking, err := p.look()
	if found != nil || err != nil {
		return found, err
	}
	select {
	case <-asking:
	case <-ctx.Done():
		return nil, ErrProviderAway.Because(ctx.Err())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found == nil {
		return nil, ErrProviderAway.Because(p.failure)
	}
	return p.found, nil
}

// look gives what is known, or else the question under way. What is known for
// long is asked for again beside its use.
func (p *provider) look() (*discovered, <-chan struct{}, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.cfg.Now()
	if p.found != nil && now.Sub(p.foundAt) < discoveryLived {
		return p.found, nil, nil
	}
	paused := p.failure != nil && now.Sub(p.failedAt) < discoveryPause && !now.Before(p.failedAt)
	if p.asking == nil && !paused {
		asking := make(chan struct{})
		if p.errands.run(func(ctx context.Context) { p.ask(ctx, asking) }) {
			p.asking = asking
		}
	}
	switch {
	case p.found != nil:
		return p.found, nil, nil
	case p.asking == nil:
		return nil, nil, ErrProviderAway.Because(p.failure)
	}
	return nil, p.asking, nil
}

func (p *provider) ask(ctx context.Context, asking chan<- struct{}) {
	ctx, cancel := context.WithTimeout(p.clientContext(ctx), discoveryTimeout)
	defer cancel()
	found, err := p.discover(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.cfg.Now()
	if p.failure = err; err != nil {
		p.failedAt = now
	} else {
		if p.found != nil && p.found.keys.url == found.keys.url {
			found.keys.take(p.found.keys)
		}
		p.found, p.foundAt = found, now
	}
	p.asking = nil
	close(asking)
}

// metadata is what is read of discovery beside what the library keeps.
type metadata struct {
	JWKS            string   `json:"jwks_uri"`
	EndSession      string   `json:"end_session_endpoint"`
	Revocation      string   `json:"revocation_endpoint"`
	Algorithms      []string `json:"id_token_signing_alg_values_supported"`
	TokenAuth       []string `json:"token_endpoint_auth_methods_supported"`
	ResponseTypes   []string `json:"response_types_supported"`
	ChallengeMethod []string `json:"code_challenge_methods_supported"`
}

func (p *provider) discover(ctx context.Context) (*discovered, error) {
	op, err := oidc.NewProvider(ctx, p.cfg.Issuer)
	if err != nil {
		return nil, fmt.Errorf("signin: discovery: %w", err)
	}
	var more metadata
	if err := op.Claims(&more); err != nil {
		return nil, fmt.Errorf("signin: discovery: %w", err)
	}
	endpoint := op.Endpoint()
	endpoint.AuthStyle = more.authStyle()
	keys := &keySet{url: more.JWKS, client: p.cfg.HTTPClient, now: p.cfg.Now, errands: p.errands}
	verifier := func(audience string, skipExpiry bool) *oidc.IDTokenVerifier {
		return oidc.NewVerifier(p.cfg.Issuer, keys, &oidc.Config{
			ClientID: audience, SupportedSigningAlgs: asymmetric(more.Algorithms), SkipExpiryCheck: skipExpiry,
			Now: func() time.Time { return p.cfg.Now().Add(-clockLeeway) },
		})
	}
	return &discovered{
		issuer: p.cfg.Issuer, oidc: op,
		oauth: oauth2.Config{
			ClientID: p.cfg.ClientID, ClientSecret: p.cfg.ClientSecret,
			Endpoint:    endpoint,
			RedirectURL: p.cfg.PublicURL + "/auth/callback",
			Scopes:      []string{oidc.ScopeOpenID, "profile", "email"},
		},
		idTokens: verifier(p.cfg.ClientID, false), access: verifier(Audience, false), logouts: verifier(p.cfg.ClientID, true),
		keys: keys, endSession: more.EndSession, revocation: more.Revocation,
	}, nil
}

// authStyle is how the client proves itself. The library would find out by
// trying both ways, and so use a refresh token twice.
func (m *metadata) authStyle() oauth2.AuthStyle {
	if len(m.TokenAuth) > 0 && !slices.Contains(m.TokenAuth, "client_secret_basic") && slices.Contains(m.TokenAuth, "client_secret_post") {
		return oauth2.AuthStyleInParams
	}
	return oauth2.AuthStyleInHeader
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
// become requests to the provider. Whoever needs a key that is known never
// waits for one that isn't.
type keySet struct {
	url     string
	client  *http.Client
	now     func() time.Time
	errands *errands

	mu        sync.Mutex
	keys      []jose.JSONWebKey
	askedAt   time.Time
	fetchedAt time.Time
	failure   error
	asking    chan struct{} // closed when the question under way is answered; nil: there is none
	// headers are those of tokens that were verified; see remember.
	headers map[string]tokenHeader
}

var errKeysAway = errors.New("signin: the provider's keys can't be had")

// awayKey is where VerifySignature notes that keys can't be had.
type awayKey struct{}

// verify checks a token. The library makes a text of the key set's error, so
// that one comes by another way: a token that can't be checked now is not a
// token that is bad.
func verify(ctx context.Context, v *oidc.IDTokenVerifier, token string) (*oidc.IDToken, error) {
	var away error
	verified, err := v.Verify(context.WithValue(ctx, awayKey{}, &away), token)
	if err != nil && away != nil {
		return nil, away
	}
	return verified, err
}

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
		if away, ok := ctx.Value(awayKey{}).(*error); ok && errors.Is(err, errKeysAway) {
			*away = err
		}
		return nil, err
	}
	payload, err := jws.Verify(key)
	if err == nil {
		k.remember(token, header)
	}
	return payload, err
}

func (k *keySet) find(ctx context.Context, id, algorithm string) (*jose.JSONWebKey, error) {
	k.mu.Lock()
	key, asking := k.look(id, algorithm)
	k.mu.Unlock()
	if key != nil {
		return key, nil
	}
	if asking != nil {
		select {
		case <-asking:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", errKeysAway, ctx.Err())
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if key := k.known(id, algorithm); key != nil {
		return key, nil
	}
	if k.failure != nil {
		return nil, fmt.Errorf("%w: %w", errKeysAway, k.failure)
	}
	return nil, errors.New("signin: the token is signed by no key of the provider")
}

// look gives the key if it is known, and else the question under way, if there
// is one. Keys known for long are asked for again beside their use, and kept
// while the provider doesn't answer. The caller holds mu.
func (k *keySet) look(id, algorithm string) (*jose.JSONWebKey, <-chan struct{}) {
	now := k.now()
	key := k.known(id, algorithm)
	paused := !k.askedAt.IsZero() && now.Sub(k.askedAt) < keysPause && !now.Before(k.askedAt)
	if k.asking == nil && !paused && (key == nil || now.Sub(k.fetchedAt) >= keysLived) {
		asking := make(chan struct{})
		if k.errands.run(func(ctx context.Context) { k.ask(ctx, asking) }) {
			k.asking, k.askedAt = asking, now
		}
	}
	return key, k.asking
}

func (k *keySet) ask(ctx context.Context, asking chan<- struct{}) {
	keys, err := k.fetch(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.failure = err; err == nil {
		k.keys, k.fetchedAt = keys, k.now()
	}
	k.asking = nil
	close(asking)
}

// take begins with another set's keys.
func (k *keySet) take(other *keySet) {
	other.mu.Lock()
	defer other.mu.Unlock()
	k.keys, k.askedAt, k.fetchedAt, k.failure = other.keys, other.askedAt, other.fetchedAt, other.failure
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

func (k *keySet) fetch(ctx context.Context) ([]jose.JSONWebKey, error) {
	ctx, cancel := context.WithTimeout(ctx, keysTimeout)
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
