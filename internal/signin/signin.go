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
	logoutPatience    = 2 * time.Second  // for learning where the provider signs out
	touchEvery        = time.Minute      // how precisely last_seen_at is kept
	sessionCacheLived = 2 * time.Second
	tokenCacheLived   = 30 * time.Second
	cachedCredentials = 65_536
	maxTokenLength    = 8 << 10 // bytes
	maxSubject        = 255     // characters; OpenID Connect Core, section 2
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

	ProviderSession string    // the provider's sid, by which it signs out; empty: it has none
	RefreshToken    []byte    // sealed; nil: the session can't be confirmed with the provider
	ConfirmedAt     time.Time // when the provider last said that the sign-in stands
	RenewAt         time.Time // from when on a use asks it again
	// IssuedAt is when the provider says that this sign-in was; it is not
	// kept.
	IssuedAt time.Time
}

// aliveAt says whether the session still counts.
func (s *Session) aliveAt(now time.Time) bool {
	return now.Before(s.ExpiresAt) && now.Before(s.LastSeenAt.Add(SessionIdle))
}

// Store keeps sessions by the hash of their token.
type Store interface {
	OwnStore
	// CreateSession answers ErrSignedOutMeanwhile for a sign-in that the
	// provider has ended already.
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
	// EndByProvider ends what the provider signed out and remembers it until
	// KeptUntil. A logout that is known already ends nothing.
	EndByProvider(ctx context.Context, l Logout) ([]Session, error)
	// ClaimRenewal gives the session to the one caller that may ask the
	// provider now, until the claim is over; fault.ErrNotFound: it is not due,
	// claimed, or gone.
	ClaimRenewal(ctx context.Context, id uuid.UUID, now, until time.Time) (Session, error)
	// Renewed keeps what the provider answered, if the session still has the
	// refresh token from before; else fault.ErrNotFound.
	Renewed(ctx context.Context, id uuid.UUID, before []byte, r Renewal) error
	// RenewalFailed counts a question without an answer, by the same
	// condition, and tells how many there were in a row since when.
	RenewalFailed(ctx context.Context, id uuid.UUID, before []byte, now, next time.Time) (failures int, since time.Time, err error)
	// DeleteUnrenewed ends the session, by the same condition.
	DeleteUnrenewed(ctx context.Context, id uuid.UUID, before []byte) (Session, error)
	// SweepSessions drops at most limit sessions that expired or were last
	// seen before idleSince.
	SweepSessions(ctx context.Context, now, idleSince time.Time, limit int) (int, error)
}

// ErrSignedOutMeanwhile says that the provider ended a sign-in before its last
// step was done.
var ErrSignedOutMeanwhile = fault.New(fault.Conflict, "signed_out_meanwhile", "You were signed out while you were signing in. Try again.")

// People is what sign-in needs of the people's room.
type People interface {
	Lookup(ctx context.Context, issuer, subject string) (uuid.UUID, error)
	Resolve(ctx context.Context, issuer, subject string, claims user.Claims, linking user.Linking) (user.Person, error)
}

// Config says which provider is trusted and where the browser finds us.
type Config struct {
	Issuer string
	// IdentityKey stands for the issuer in people's identities, so that they
	// outlive a change of its address; empty: the issuer itself.
	IdentityKey  string
	ClientID     string
	ClientSecret string
	// LinkVerifiedEmail makes an unknown identity with a verified address one
	// of the person who holds that address and was brought by another provider,
	// and lets none in without; see user.LinkVerifiedEmail.
	LinkVerifiedEmail bool
	PublicURL         string       // without a path
	HTTPClient        *http.Client // reaches the provider; nil: the usual one
	Now               func() time.Time
	Logger            *slog.Logger
}

func (c *Config) linking() user.Linking {
	if c.LinkVerifiedEmail {
		return user.LinkVerifiedEmail
	}
	return user.NoLinking
}

// Authenticator signs browsers in and out and says who sends a request.
type Authenticator struct {
	cfg      Config
	store    Store
	people   People
	provider *provider
	errands  *errands
	seal     *sealer
	// refreshSeal seals refresh tokens; nil without a client secret.
	refreshSeal *sealer
	renewals    renewals
	secure      bool // the public URL is https
	origins     *http.CrossOriginProtection

	sessions *lru.Cache[[sha256.Size]byte, rememberedSession]
	tokens   *lru.Cache[[sha256.Size]byte, rememberedToken]
	// over holds sessions that ended, by id, for as long as they could be
	// remembered.
	over *lru.Cache[string, struct{}]
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
	a := &Authenticator{
		cfg: cfg, store: store, people: people, errands: newErrands(),
		renewals: renewals{running: map[uuid.UUID]*renewing{}},
		secure:   public.Scheme == "https",
		origins:  http.NewCrossOriginProtection(),
	}
	a.provider = newProvider(cfg, a.errands)
	if err := a.deriveKeys(); err != nil {
		return nil, err
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
	if a.over, err = lru.New[string, struct{}](cachedCredentials); err != nil {
		return nil, err
	}
	return a, nil
}

// deriveKeys makes the keys that seal. All replicas share the client secret,
// so a sign-in begun at one ends at any and a session is renewed by any. A
// public client has none: its sign-ins stay with a process, and its sessions
// have no refresh token.
func (a *Authenticator) deriveKeys() (err error) {
	const length = 32 // bytes, AES-256
	key := make([]byte, length)
	rand.Read(key)
	if secret := []byte(a.cfg.ClientSecret); len(secret) > 0 {
		if key, err = hkdf.Key(sha256.New, secret, nil, "happening sign-in cookies", length); err != nil {
			return fmt.Errorf("signin: derive key: %w", err)
		}
		tokens, err := hkdf.Key(sha256.New, secret, nil, "happening refresh tokens", length)
		if err != nil {
			return fmt.Errorf("signin: derive key: %w", err)
		}
		if a.refreshSeal, err = newSealer(tokens); err != nil {
			return err
		}
	}
	a.seal, err = newSealer(key)
	return err
}

// Close waits for the questions to the provider that are under way and cuts
// them off when ctx ends. Nothing new is asked after it.
func (a *Authenticator) Close(ctx context.Context) error { return a.errands.stop(ctx) }

// OnSignOut calls fn after a session ended before its time, in this process:
// by hand, or as the provider said so. It is for cutting open connections and
// for telling other processes; see Ended. fn must not block.
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

// Credential gives what Authenticate would recognize the sender by, unchecked;
// empty for a visitor.
func (a *Authenticator) Credential(r *http.Request) string {
	if header := r.Header.Get("Authorization"); header != "" {
		return header
	}
	cookie, err := r.Cookie(a.SessionCookieName())
	if err != nil {
		return ""
	}
	return cookie.Value
}

// Session says whose the session token in a cookie is, or
// fault.ErrUnauthenticated.
func (a *Authenticator) Session(ctx context.Context, token string) (access.Principal, error) {
	if token == "" || len(token) > maxTokenLength {
		return access.Principal{}, fault.ErrUnauthenticated
	}
	hash, now := sha256.Sum256([]byte(token)), a.cfg.Now()
	if known, ok := a.sessions.Get(hash); ok && now.Before(known.until) && !a.over.Contains(known.principal.SessionID) {
		return known.principal, nil
	}
	begun := a.endings.Load()
	session, err := a.store.SessionByToken(ctx, hash[:])
	if errors.Is(err, fault.ErrNotFound) || (err == nil && !a.counts(session, now)) {
		return access.Principal{}, fault.ErrUnauthenticated
	}
	if err != nil {
		return access.Principal{}, fmt.Errorf("signin: session: %w", err)
	}
	if err := a.confirm(ctx, session, now); err != nil {
		return access.Principal{}, err
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

// counts says whether a session is good here and now. One that another
// provider began doesn't: nobody is left who could say that it still stands.
func (a *Authenticator) counts(s Session, now time.Time) bool {
	return s.aliveAt(now) && s.Issuer == a.cfg.IdentityKey
}

// rememberUnlessEnded runs add unless something ended since begun was read.
func (a *Authenticator) rememberUnlessEnded(begun uint64, add func()) {
	a.remembering.RLock()
	defer a.remembering.RUnlock()
	if a.endings.Load() == begun {
		add()
	}
}

// ended forgets what is remembered of the sessions, so that no look-up under
// way puts it back, and tells who listens.
func (a *Authenticator) ended(sessions ...Session) {
	ids := make([]string, len(sessions))
	for i := range sessions {
		ids[i] = sessions[i].ID.String()
	}
	a.Ended(ids...)
	a.mu.Lock()
	listeners := a.onSignOut
	a.mu.Unlock()
	for _, s := range sessions {
		for _, fn := range listeners {
			fn(s.ID.String(), s.UserID)
		}
	}
}

// Ended tells this process that sessions ended in another one, so that it
// forgets them at once. It doesn't call who listens to OnSignOut, as that one
// told the other process; whoever calls Ended cuts the connections here.
func (a *Authenticator) Ended(sessionIDs ...string) {
	a.forget(func() {
		for _, id := range sessionIDs {
			a.over.Add(id, struct{}{})
		}
	})
}

// forget runs drop while nothing is remembered.
func (a *Authenticator) forget(drop func()) {
	a.remembering.Lock()
	defer a.remembering.Unlock()
	a.endings.Add(1)
	drop()
}

// EndSubject ends all sessions of one identity, for a password that was reset
// at the embedded provider. issuer is the identity's; see Config.IdentityKey.
func (a *Authenticator) EndSubject(ctx context.Context, issuer, subject string) error {
	sessions, err := a.store.DeleteSessionsOfSubject(ctx, issuer, subject)
	if err != nil {
		return fmt.Errorf("signin: end sessions: %w", err)
	}
	a.ended(sessions...)
	return nil
}

// EndUser ends all sessions of one person and forgets them in this process, for
// erasure. The others are told of the person; see ForgetUser.
func (a *Authenticator) EndUser(ctx context.Context, userID uuid.UUID) error {
	// Forgotten first and whatever the database says: the person is erased.
	a.ForgetUser(userID)
	sessions, err := a.store.DeleteSessionsOfUser(ctx, userID)
	if err != nil {
		return fmt.Errorf("signin: end sessions: %w", err)
	}
	a.ended(sessions...)
	return nil
}

// ForgetUser forgets everything that this process remembers of a person who is
// no more, so that their sessions and tokens are asked about again. A look-up
// under way puts nothing back.
func (a *Authenticator) ForgetUser(userID uuid.UUID) {
	a.forget(func() {
		for _, key := range a.sessions.Keys() {
			if known, ok := a.sessions.Peek(key); ok && known.principal.UserID == userID {
				a.sessions.Remove(key)
			}
		}
		for _, key := range a.tokens.Keys() {
			if known, ok := a.tokens.Peek(key); ok && known.principal.UserID == userID {
				a.tokens.Remove(key)
			}
		}
	})
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
