package signin

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"

	"happening/internal/access"
	"happening/internal/fault"
	"happening/internal/user"
)

// Audience is whom an access token must be meant for.
const Audience = "happening"

// Lifetimes and limits.
const (
	SessionIdle     = 30 * 24 * time.Hour // unused for so long, a session ends
	SessionLifetime = 90 * 24 * time.Hour // used or not, one signs in anew after it

	attemptLifetime   = 30 * time.Minute // from /auth/login to /auth/callback
	logoutLifetime    = time.Minute      // from /auth/logout to /auth/logout/continue
	touchEvery        = time.Minute      // how precisely last_seen_at is kept
	sessionCacheLived = 2 * time.Second
	tokenCacheLived   = 30 * time.Second
	cachedCredentials = 65_536
	maxTokenLength    = 8 << 10 // bytes
	providerTimeout   = 10 * time.Second
	sweepBatch        = 1_000
)

// Session is a browser that somebody signed in with.
type Session struct {
	ID         uuid.UUID
	UserID     uuid.UUID
	Issuer     string // as in the identity; see Config.IdentityKey
	Subject    string
	IDToken    string // tells the provider at sign-out which sign-in is meant
	UserAgent  string // a short label such as "Firefox on Linux"
	CreatedAt  time.Time
	LastSeenAt time.Time
	ExpiresAt  time.Time
}

// aliveAt says whether the session still counts.
func (s *Session) aliveAt(now time.Time) bool {
	return now.Before(s.ExpiresAt) && now.Before(s.LastSeenAt.Add(SessionIdle))
}

// Store keeps sessions by the hash of their token.
type Store interface {
	CreateSession(ctx context.Context, tokenHash []byte, s Session) error
	// SessionByToken answers fault.ErrNotFound for an absent one.
	SessionByToken(ctx context.Context, tokenHash []byte) (Session, error)
	TouchSession(ctx context.Context, id uuid.UUID, now time.Time) error
	// DeleteSession ends a session and gives what it was; an absent one
	// answers fault.ErrNotFound.
	DeleteSession(ctx context.Context, tokenHash []byte) (Session, error)
	// DeleteSessionsOfSubject ends all sessions of one identity.
	DeleteSessionsOfSubject(ctx context.Context, issuer, subject string) ([]Session, error)
	// DeleteSessionsOfUser ends all sessions of one person.
	DeleteSessionsOfUser(ctx context.Context, userID uuid.UUID) ([]Session, error)
	// SweepSessions drops at most limit sessions that expired or were last
	// seen before idleSince.
	SweepSessions(ctx context.Context, now, idleSince time.Time, limit int) (int, error)
}

// People is what sign-in needs of the people's room.
type People interface {
	Lookup(ctx context.Context, issuer, subject string) (uuid.UUID, error)
	Resolve(ctx context.Context, issuer, subject string, claims user.Claims) (user.Person, error)
}

// Config says which provider is trusted and where the browser finds us.
type Config struct {
	Issuer string
	// IdentityKey stands for the issuer in people's identities, so that they
	// outlive a change of its address; empty: the issuer itself.
	IdentityKey  string
	ClientID     string
	ClientSecret string
	PublicURL    string       // without a path
	HTTPClient   *http.Client // reaches the provider; nil: the usual one
	Now          func() time.Time
	Logger       *slog.Logger
}

// Authenticator signs browsers in and out and says who sends a request.
type Authenticator struct {
	cfg      Config
	store    Store
	people   People
	provider *provider
	seal     *sealer
	secure   bool // the public URL is https
	origins  *http.CrossOriginProtection

	sessions *lru.Cache[[sha256.Size]byte, rememberedSession]
	tokens   *lru.Cache[[sha256.Size]byte, rememberedToken]
	// endings counts what emptied the caches. A look-up that began before an
	// ending must not be remembered after it.
	endings atomic.Uint64
	// remembering is held shared while something is remembered and alone
	// while endings moves, so that the two never cross.
	remembering sync.RWMutex

	mu        sync.Mutex
	onSignOut []func(sessionID string, userID uuid.UUID)
}

type rememberedSession struct {
	principal access.Principal
	until     time.Time
}

type rememberedToken struct {
	principal access.Principal
	until     time.Time
}

// New makes the authenticator. It doesn't talk to the provider, which may be
// away now.
func New(cfg Config, store Store, people People) (*Authenticator, error) {
	public, err := url.Parse(cfg.PublicURL)
	if err != nil || public.Host == "" || (public.Scheme != "http" && public.Scheme != "https") {
		return nil, fmt.Errorf("signin: the public URL %q is not an http or https address", cfg.PublicURL)
	}
	if cfg.Issuer == "" || cfg.ClientID == "" {
		return nil, errors.New("signin: issuer and client id are needed")
	}
	cfg.PublicURL = public.Scheme + "://" + public.Host
	if cfg.IdentityKey == "" {
		cfg.IdentityKey = cfg.Issuer
	}
	if cfg.HTTPClient == nil {
		cfg.HTTPClient = &http.Client{Timeout: providerTimeout}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	// All replicas share the client secret, so a sign-in begun at one ends
	// at any. A public client has none and its sign-ins stay with a process.
	key := make([]byte, 32)
	rand.Read(key)
	if cfg.ClientSecret != "" {
		if key, err = hkdf.Key(sha256.New, []byte(cfg.ClientSecret), nil, "happening sign-in cookies", 32); err != nil {
			return nil, fmt.Errorf("signin: derive key: %w", err)
		}
	}
	seal, err := newSealer(key)
	if err != nil {
		return nil, err
	}
	a := &Authenticator{
		cfg: cfg, store: store, people: people, seal: seal,
		provider: newProvider(cfg),
		secure:   public.Scheme == "https",
		origins:  http.NewCrossOriginProtection(),
	}
	if err := a.origins.AddTrustedOrigin(cfg.PublicURL); err != nil {
		return nil, fmt.Errorf("signin: public URL: %w", err)
	}
	if a.sessions, err = lru.New[[sha256.Size]byte, rememberedSession](cachedCredentials); err != nil {
		return nil, err
	}
	if a.tokens, err = lru.New[[sha256.Size]byte, rememberedToken](cachedCredentials); err != nil {
		return nil, err
	}
	return a, nil
}

// OnSignOut calls fn after a session ended by hand, so that open connections
// can be cut. fn must not block.
func (a *Authenticator) OnSignOut(fn func(sessionID string, userID uuid.UUID)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.onSignOut = append(a.onSignOut, fn)
}

// Authenticate says who sends the request: the zero principal for a visitor,
// and fault.ErrUnauthenticated for a credential that is sent and not valid.
func (a *Authenticator) Authenticate(r *http.Request) (access.Principal, error) {
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, token, _ := strings.Cut(header, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return access.Principal{}, fault.ErrUnauthenticated
		}
		return a.Token(r.Context(), strings.TrimSpace(token))
	}
	cookie, err := r.Cookie(a.SessionCookieName())
	if err != nil {
		return access.Principal{}, nil
	}
	return a.Session(r.Context(), cookie.Value)
}

// Session says whose the session token in a cookie is, or
// fault.ErrUnauthenticated.
func (a *Authenticator) Session(ctx context.Context, token string) (access.Principal, error) {
	if token == "" || len(token) > maxTokenLength {
		return access.Principal{}, fault.ErrUnauthenticated
	}
	hash, now := sha256.Sum256([]byte(token)), a.cfg.Now()
	if known, ok := a.sessions.Get(hash); ok && now.Before(known.until) {
		return known.principal, nil
	}
	begun := a.endings.Load()
	session, err := a.store.SessionByToken(ctx, hash[:])
	if errors.Is(err, fault.ErrNotFound) || (err == nil && !session.aliveAt(now)) {
		return access.Principal{}, fault.ErrUnauthenticated
	}
	if err != nil {
		return access.Principal{}, fmt.Errorf("signin: session: %w", err)
	}
	if now.Sub(session.LastSeenAt) >= touchEvery {
		if err := a.store.TouchSession(ctx, session.ID, now); err != nil {
			return access.Principal{}, fmt.Errorf("signin: touch session: %w", err)
		}
	}
	principal := access.Principal{UserID: session.UserID, SessionID: session.ID.String()}
	until := now.Add(sessionCacheLived)
	if session.ExpiresAt.Before(until) {
		until = session.ExpiresAt
	}
	a.rememberUnlessEnded(begun, func() { a.sessions.Add(hash, rememberedSession{principal, until}) })
	return principal, nil
}

// rememberUnlessEnded runs add unless something ended since begun was read.
func (a *Authenticator) rememberUnlessEnded(begun uint64, add func()) {
	a.remembering.RLock()
	defer a.remembering.RUnlock()
	if a.endings.Load() == begun {
		add()
	}
}

// ended runs forget, which empties what is remembered of the sessions, so that
// no look-up under way puts it back, and tells who listens.
func (a *Authenticator) ended(forget func(), sessions ...Session) {
	a.remembering.Lock()
	a.endings.Add(1)
	forget()
	a.remembering.Unlock()
	a.mu.Lock()
	listeners := a.onSignOut
	a.mu.Unlock()
	for _, s := range sessions {
		for _, fn := range listeners {
			fn(s.ID.String(), s.UserID)
		}
	}
}

// EndSubject ends all sessions of one identity, for a password that was reset
// at the embedded provider. issuer is the identity's; see Config.IdentityKey.
func (a *Authenticator) EndSubject(ctx context.Context, issuer, subject string) error {
	sessions, err := a.store.DeleteSessionsOfSubject(ctx, issuer, subject)
	if err != nil {
		return fmt.Errorf("signin: end sessions: %w", err)
	}
	a.ended(a.sessions.Purge, sessions...)
	return nil
}

// EndUser ends all sessions of one person and forgets their verified tokens,
// for erasure.
func (a *Authenticator) EndUser(ctx context.Context, userID uuid.UUID) error {
	sessions, err := a.store.DeleteSessionsOfUser(ctx, userID)
	if err != nil {
		return fmt.Errorf("signin: end sessions: %w", err)
	}
	a.ended(func() {
		a.sessions.Purge()
		a.tokens.Purge()
	}, sessions...)
	return nil
}

// Sweep drops sessions that are over, in small steps; it is run now and then
// by the application's jobs and may run twice at once.
func (a *Authenticator) Sweep(ctx context.Context) error {
	for {
		now := a.cfg.Now()
		n, err := a.store.SweepSessions(ctx, now, now.Add(-SessionIdle), sweepBatch)
		if err != nil {
			return fmt.Errorf("signin: sweep: %w", err)
		}
		if n < sweepBatch {
			return nil
		}
	}
}

type principalKey struct{}

// WithPrincipal gives a context that knows who asks.
func WithPrincipal(ctx context.Context, p access.Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// PrincipalFrom tells who asks; the zero principal is a visitor.
func PrincipalFrom(ctx context.Context) access.Principal {
	p, _ := ctx.Value(principalKey{}).(access.Principal)
	return p
}
