package idp

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/google/uuid"
)

// Path is where the provider stands under the public URL.
const Path = "/idp"

// IdentityKey stands for this provider in people's identities. The issuer in
// its tokens is an address, which changes with the installation's; who
// somebody is must not. No other provider can have this key: theirs are URLs.
const IdentityKey = "embedded"

// ClientID is the application's name at its own provider.
const ClientID = "happening"

// Lifetimes.
const (
	AccessTokenLifetime  = 10 * time.Minute
	IDTokenLifetime      = 10 * time.Minute
	RefreshTokenLifetime = 30 * 24 * time.Hour
	ConfirmLinkLifetime  = 24 * time.Hour
	ResetLinkLifetime    = time.Hour
	UnconfirmedKept      = 48 * time.Hour // an unconfirmed sign-up
	MaxIssuedLifetime    = 7 * 24 * time.Hour

	authRequestLifetime = 2 * time.Hour // long enough to find the mail
	codeLifetime        = time.Minute
	usedTokensKept      = 24 * time.Hour // a used refresh token, by which a theft is noticed
)

// Limits.
const (
	MailPause      = time.Minute // between two mails of one kind that one account asks for
	MaxOpenSignUps = 3           // unconfirmed, per address; the newest count

	maxRequestBytes   = 64 << 10
	maxParameterBytes = 4 << 10 // one field of a form or a query; the longest is an ID token
	maxOpaqueBytes    = 1_000   // a state or a nonce, which are stored
	sweepBatch        = 1_000
)

// Config says where the provider stands and whom it tells.
type Config struct {
	PublicURL string // without a path
	Now       func() time.Time
	Logger    *slog.Logger
	// ClientAddr tells the network address that a request comes from, by
	// which attempts are throttled; nil: the connection's.
	ClientAddr func(*http.Request) string
	// PasswordChanged is told whose password was reset or changed, by
	// IdentityKey and subject, so that the application can end that person's
	// sessions; may be nil.
	PasswordChanged func(ctx context.Context, issuer, subject string) error
}

// Provider is the embedded OpenID provider.
type Provider struct {
	cfg      Config
	issuer   string
	secure   bool // the public URL is https
	store    Store
	key      *signingKey
	secret   []byte // from which form tokens and the client secret are derived
	password *hasher
	throttle *throttle
	handler  http.Handler
}

// New makes the provider; keys are read from the store, or made and kept
// there the first time.
func New(ctx context.Context, cfg Config, store Store) (*Provider, error) {
	public, err := url.Parse(cfg.PublicURL)
	if err != nil || public.Host == "" || (public.Scheme != "http" && public.Scheme != "https") {
		return nil, fmt.Errorf("idp: the public URL %q is not an http or https address", cfg.PublicURL)
	}
	cfg.PublicURL = public.Scheme + "://" + public.Host
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.ClientAddr == nil {
		cfg.ClientAddr = connectionAddr
	}
	p := &Provider{
		cfg: cfg, issuer: cfg.PublicURL + Path, secure: public.Scheme == "https", store: store,
		password: newHasher(), throttle: newThrottle(cfg.Now),
	}
	if err := p.loadKeys(ctx); err != nil {
		return nil, err
	}
	if p.handler, err = p.routes(); err != nil {
		return nil, err
	}
	return p, nil
}

func connectionAddr(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// Issuer names the provider in its tokens.
func (p *Provider) Issuer() string { return p.issuer }

// ClientSecret is the application's secret at this provider: every replica
// derives the same.
func (p *Provider) ClientSecret() string {
	return base64.RawURLEncoding.EncodeToString(p.derive("client secret", ClientID))
}

// Handler serves everything under Path; it expects the whole path.
func (p *Provider) Handler() http.Handler { return p.handler }

// Sweep drops what is over, in small steps; it is run now and then by the
// application's jobs and may run twice at once.
func (p *Provider) Sweep(ctx context.Context) error {
	for {
		n, err := p.store.Sweep(ctx, p.cfg.Now(), sweepBatch)
		if err != nil {
			return fmt.Errorf("idp: %w", err)
		}
		if n < sweepBatch {
			return nil
		}
	}
}

// signingKey is the RSA key with its id.
type signingKey struct {
	id      string
	private *rsa.PrivateKey
}

const rsaBits = 2048

func (p *Provider) loadKeys(ctx context.Context) error {
	stored, err := p.ensureKey(ctx, KeySign, func() ([]byte, error) {
		private, err := rsa.GenerateKey(rand.Reader, rsaBits)
		if err != nil {
			return nil, err
		}
		return x509.MarshalPKCS8PrivateKey(private)
	})
	if err != nil {
		return err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(stored.Secret)
	if err != nil {
		return fmt.Errorf("idp: the stored signing key can't be read: %w", err)
	}
	private, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return errors.New("idp: the stored signing key is not an RSA key")
	}
	p.key = &signingKey{id: stored.ID, private: private}
	stored, err = p.ensureKey(ctx, KeyDerive, func() ([]byte, error) { return randomBytes(), nil })
	if err != nil {
		return err
	}
	p.secret = stored.Secret
	return nil
}

// ensureKey asks first and makes a key only where there is none: making an
// RSA key takes longer than starting everything else.
func (p *Provider) ensureKey(ctx context.Context, purpose string, generate func() ([]byte, error)) (Key, error) {
	now := p.cfg.Now()
	if k, err := p.store.EnsureKey(ctx, Key{Purpose: purpose}, now); err == nil {
		return k, nil
	} else if !isNotFound(err) {
		return Key{}, fmt.Errorf("idp: key: %w", err)
	}
	secret, err := generate()
	if err != nil {
		return Key{}, fmt.Errorf("idp: make key: %w", err)
	}
	k, err := p.store.EnsureKey(ctx, Key{ID: uuid.NewString(), Purpose: purpose, Secret: secret}, now)
	if err != nil {
		return Key{}, fmt.Errorf("idp: key: %w", err)
	}
	return k, nil
}

// randomBytes gives 256 random bits.
func randomBytes() []byte {
	b := make([]byte, 32)
	rand.Read(b)
	return b
}

// newSecret gives a random text of 256 bits and the hash to keep of it.
func newSecret() (text string, hash []byte) {
	text = base64.RawURLEncoding.EncodeToString(randomBytes())
	return text, hashSecret(text)
}

// hashSecret needs no salt and no work factor: what it hashes is random.
func hashSecret(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}
