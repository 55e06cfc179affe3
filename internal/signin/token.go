package signin

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/google/uuid"
	"golang.org/x/oauth2"

	"happening/internal/access"
	"happening/internal/fault"
	"happening/internal/user"
)

// Token says whose an access token is, or fault.ErrUnauthenticated. A token
// that was verified is remembered for seconds, never beyond its expiry, so
// that the signature is checked once and not with every request.
func (a *Authenticator) Token(ctx context.Context, token string) (access.Principal, error) {
	if token == "" || len(token) > maxTokenLength {
		return access.Principal{}, fault.ErrUnauthenticated
	}
	hash, now := sha256.Sum256([]byte(token)), a.cfg.Now()
	if known, ok := a.tokens.Get(hash); ok && now.Before(known.until) {
		return known.principal, nil
	}
	begun := a.endings.Load()
	found, err := a.provider.get(ctx)
	if err != nil {
		return access.Principal{}, err
	}
	verified, ok := found.quick(token, now)
	if !ok {
		verified, err = found.verifyAccess(ctx, token)
	}
	switch {
	case errors.Is(err, errKeysAway):
		return access.Principal{}, ErrProviderAway.Because(err)
	case err != nil:
		return access.Principal{}, fault.ErrUnauthenticated.Because(err)
	case len(verified.subject) > maxSubject:
		return access.Principal{}, fault.ErrUnauthenticated.Because(errors.New("signin: the subject is too long"))
	case verified.subject == "":
		return access.Principal{}, fault.ErrUnauthenticated.Because(errors.New("signin: a token without subject"))
	}
	id, err := a.personOf(ctx, found, verified.subject, token)
	if err != nil {
		return access.Principal{}, err
	}
	principal := access.Principal{UserID: id}
	until := now.Add(tokenCacheLived)
	if over := verified.expiry.Add(clockLeeway); over.Before(until) {
		until = over
	}
	a.rememberUnlessEnded(begun, func() { a.tokens.Add(hash, rememberedToken{principal, until}) })
	return principal, nil
}

// verifyAccess reads an access token by the library.
func (d *discovered) verifyAccess(ctx context.Context, token string) (accessToken, error) {
	verified, err := verify(ctx, d.access, token)
	if err != nil {
		return accessToken{}, err
	}
	if err := isAccessToken(token, verified); err != nil {
		return accessToken{}, err
	}
	return accessToken{subject: verified.Subject, expiry: verified.Expiry}, nil
}

// isAccessToken tells access tokens from ID tokens, whose audience a provider
// may be made to widen: RFC 9068 types them in the header, Keycloak by a
// claim. What says neither is refused.
func isAccessToken(token string, verified *oidc.IDToken) error {
	typ, err := tokenType(token)
	if err != nil {
		return err
	}
	if typ == "at+jwt" {
		return nil
	}
	var claims struct {
		Type string `json:"typ"`
	}
	if err := verified.Claims(&claims); err != nil {
		return fmt.Errorf("signin: token claims: %w", err)
	}
	if typ == "jwt" && claims.Type == "Bearer" {
		return nil
	}
	return fmt.Errorf("signin: a token of type %q, %q is not an access token", typ, claims.Type)
}

// personOf gives the person whose token it is. Somebody who never signed in
// with a browser is made, or linked, from what the provider's user info says,
// by the same rule as there: only an address that it calls verified counts.
func (a *Authenticator) personOf(ctx context.Context, found *discovered, subject, token string) (uuid.UUID, error) {
	id, err := a.people.Lookup(ctx, a.cfg.IdentityKey, subject)
	if err == nil || !errors.Is(err, fault.ErrNotFound) {
		return id, err
	}
	ask, cancel := context.WithTimeout(a.provider.clientContext(ctx), providerTimeout)
	defer cancel()
	info, err := found.oidc.UserInfo(ask, oauth2.StaticTokenSource(&oauth2.Token{AccessToken: token, TokenType: "Bearer"}))
	if err != nil {
		return uuid.Nil, userInfoFault(err)
	}
	if info.Subject != subject {
		return uuid.Nil, fault.ErrUnauthenticated.Because(errors.New("signin: user info is about somebody else"))
	}
	var claims profile
	if err := info.Claims(&claims); err != nil {
		return uuid.Nil, fault.ErrUnauthenticated.Because(fmt.Errorf("signin: user info: %w", err))
	}
	person, err := a.people.Resolve(ctx, a.cfg.IdentityKey, subject, claims.claims(), a.cfg.linking())
	if errors.Is(err, user.ErrErased) {
		return uuid.Nil, fault.ErrUnauthenticated.Because(err)
	}
	if err != nil {
		return uuid.Nil, err
	}
	return person.ID, nil
}

// userInfoFault tells a token that the provider refuses from a provider that
// doesn't answer.
func userInfoFault(err error) error {
	err = fmt.Errorf("signin: user info: %w", err)
	var network net.Error
	if errors.As(err, &network) || errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "user info: 5") {
		return ErrProviderAway.Because(err)
	}
	return fault.ErrUnauthenticated.Because(err)
}

// profile is what ID token and user info say of a person.
type profile struct {
	Name          string `json:"name"`
	Username      string `json:"preferred_username"`
	Email         string `json:"email"`
	EmailVerified flag   `json:"email_verified"`
}

func (p profile) claims() user.Claims {
	name := p.Name
	if name == "" {
		name = p.Username
	}
	return user.Claims{Name: name, Email: p.Email, EmailVerified: bool(p.EmailVerified)}
}

// flag reads true and "true": some providers quote it.
type flag bool

// UnmarshalJSON implements json.Unmarshaler; what is neither is no.
func (f *flag) UnmarshalJSON(text []byte) error {
	*f = string(text) == "true" || string(text) == `"true"`
	return nil
}
