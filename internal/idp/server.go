package idp

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"happening/internal/fault"
)

// endpoints are those that are served; what is not named here doesn't exist.
var endpoints = op.Endpoints{
	Authorization: op.NewEndpoint("authorize"),
	Token:         op.NewEndpoint("oauth/token"),
	Userinfo:      op.NewEndpoint("userinfo"),
	Revocation:    op.NewEndpoint("revoke"),
	EndSession:    op.NewEndpoint("end_session"),
	JwksURI:       op.NewEndpoint("keys"),
}

var scopes = []string{oidc.ScopeOpenID, oidc.ScopeProfile, oidc.ScopeEmail, oidc.ScopeOfflineAccess}

// server answers the protocol's requests; the library routes and parses them.
// It doesn't build on the library's ready provider: that one takes requests
// without PKCE, types access tokens like ID tokens, and hands the code to
// whoever knows the request's id.
type server struct {
	op.UnimplementedServer
	p      *Provider
	client *client
}

// client is the application, the only one there is.
type client struct {
	redirectURI string
	postLogout  string
	loginURL    func(id string) string
}

func (c *client) GetID() string                       { return ClientID }
func (c *client) RedirectURIs() []string              { return []string{c.redirectURI} }
func (c *client) PostLogoutRedirectURIs() []string    { return []string{c.postLogout} }
func (c *client) ApplicationType() op.ApplicationType { return op.ApplicationTypeWeb }
func (c *client) AuthMethod() oidc.AuthMethod         { return oidc.AuthMethodBasic }
func (c *client) ResponseTypes() []oidc.ResponseType {
	return []oidc.ResponseType{oidc.ResponseTypeCode}
}
func (c *client) GrantTypes() []oidc.GrantType {
	return []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeRefreshToken}
}
func (c *client) LoginURL(id string) string           { return c.loginURL(id) }
func (c *client) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeJWT }
func (c *client) IDTokenLifetime() time.Duration      { return IDTokenLifetime }
func (c *client) DevMode() bool                       { return false }
func (c *client) RestrictAdditionalIdTokenScopes() func([]string) []string {
	return slices.Clone[[]string]
}
func (c *client) RestrictAdditionalAccessTokenScopes() func([]string) []string {
	return slices.Clone[[]string]
}
func (c *client) IsScopeAllowed(string) bool           { return false }
func (c *client) IDTokenUserinfoClaimsAssertion() bool { return true }
func (c *client) ClockSkew() time.Duration             { return 0 }

func (s *server) Health(context.Context, *op.Request[struct{}]) (*op.Response, error) {
	return op.NewResponse(op.Status{Status: "ok"}), nil
}

func (s *server) Ready(context.Context, *op.Request[struct{}]) (*op.Response, error) {
	return op.NewResponse(op.Status{Status: "ok"}), nil
}

// Discovery tells what this provider can do, and nothing that it can't.
func (s *server) Discovery(context.Context, *op.Request[struct{}]) (*op.Response, error) {
	issuer := s.p.issuer
	return op.NewResponse(&oidc.DiscoveryConfiguration{
		Issuer:                            issuer,
		AuthorizationEndpoint:             endpoints.Authorization.Absolute(issuer),
		TokenEndpoint:                     endpoints.Token.Absolute(issuer),
		UserinfoEndpoint:                  endpoints.Userinfo.Absolute(issuer),
		RevocationEndpoint:                endpoints.Revocation.Absolute(issuer),
		EndSessionEndpoint:                endpoints.EndSession.Absolute(issuer),
		JwksURI:                           endpoints.JwksURI.Absolute(issuer),
		ScopesSupported:                   scopes,
		ResponseTypesSupported:            []string{string(oidc.ResponseTypeCode)},
		ResponseModesSupported:            []string{string(oidc.ResponseModeQuery)},
		GrantTypesSupported:               s.client.GrantTypes(),
		SubjectTypesSupported:             []string{"public"},
		IDTokenSigningAlgValuesSupported:  []string{string(jose.RS256)},
		TokenEndpointAuthMethodsSupported: []oidc.AuthMethod{oidc.AuthMethodBasic, oidc.AuthMethodPost},
		CodeChallengeMethodsSupported:     []oidc.CodeChallengeMethod{oidc.CodeChallengeMethodS256},
		ClaimsSupported:                   []string{"sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "sid", "name", "email", "email_verified"},
	}), nil
}

func (s *server) Keys(context.Context, *op.Request[struct{}]) (*op.Response, error) {
	response := op.NewResponse(&jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{
		Key: &s.p.key.private.PublicKey, KeyID: s.p.key.id, Algorithm: string(jose.RS256), Use: oidc.KeyUseSignature,
	}}})
	return response, nil
}

// VerifyAuthRequest refuses before anything else what this provider insists
// on; nothing is sent to an address that was not compared byte by byte.
func (s *server) VerifyAuthRequest(_ context.Context, r *op.Request[oidc.AuthRequest]) (*op.ClientRequest[oidc.AuthRequest], error) {
	a := r.Data
	switch {
	case a.RequestParam != "":
		return nil, oidc.ErrRequestNotSupported()
	case a.ClientID != ClientID:
		return nil, oidc.ErrInvalidRequest().WithDescription("This application is not known here.")
	case !slices.Contains(s.client.RedirectURIs(), a.RedirectURI):
		return nil, oidc.ErrInvalidRequestRedirectURI().WithDescription("The address to return to is not known here.")
	case a.ResponseType != oidc.ResponseTypeCode:
		return nil, oidc.ErrInvalidRequest().WithDescription("Only the authorization code flow is supported.")
	case a.ResponseMode != "" && a.ResponseMode != oidc.ResponseModeQuery:
		return nil, oidc.ErrInvalidRequest().WithDescription("Only the response mode query is supported.")
	case a.CodeChallengeMethod != oidc.CodeChallengeMethodS256 || !isSHA256(a.CodeChallenge):
		return nil, oidc.ErrInvalidRequest().WithDescription("PKCE with S256 is required.")
	case !slices.Contains(a.Scopes, oidc.ScopeOpenID):
		return nil, oidc.ErrInvalidScope().WithDescription("The scope openid is required.")
	case len(a.State) > maxOpaqueBytes || len(a.Nonce) > maxOpaqueBytes || len(a.LoginHint) > maxEmailLength:
		return nil, oidc.ErrInvalidRequest().WithDescription("A parameter is too long.")
	}
	return &op.ClientRequest[oidc.AuthRequest]{Request: r, Client: s.client}, nil
}

// isSHA256 says whether text is the base64 of a SHA-256 sum, in the one
// spelling that RFC 7636 has for it.
func isSHA256(text string) bool {
	sum, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return err == nil && len(sum) == sha256.Size && len(text) == base64.RawURLEncoding.EncodedLen(sha256.Size)
}

// knownScopes keeps each scope that is known here once; others are passed
// over, as OpenID Connect asks.
func knownScopes(asked []string) []string {
	var known []string
	for _, scope := range scopes {
		if slices.Contains(asked, scope) {
			known = append(known, scope)
		}
	}
	return known
}

// Authorize notes the request, bound to the browser, and sends it to the page
// to sign in or, with prompt=create, to sign up.
func (s *server) Authorize(ctx context.Context, r *op.ClientRequest[oidc.AuthRequest]) (*op.Redirect, error) {
	now := s.p.cfg.Now()
	if slices.Contains(r.Data.Prompt, oidc.PromptNone) {
		// There is no session here that could answer without asking.
		return s.refuse(r.Data, "login_required")
	}
	request := AuthRequest{
		ID: rand.Text(), BrowserHash: browserFrom(ctx), ClientID: r.Client.GetID(), RedirectURI: r.Data.RedirectURI,
		Scopes: knownScopes(r.Data.Scopes), State: r.Data.State, Nonce: r.Data.Nonce, CodeChallenge: r.Data.CodeChallenge,
		LoginHint: r.Data.LoginHint, ExpiresAt: now.Add(authRequestLifetime),
	}
	if len(request.BrowserHash) == 0 {
		return nil, oidc.ErrServerError().WithParent(errors.New("idp: an auth request without a browser"))
	}
	if err := s.p.store.CreateAuthRequest(ctx, request, now); err != nil {
		return nil, oidc.ErrServerError().WithParent(err)
	}
	if slices.Contains(r.Data.Prompt, "create") {
		return op.NewRedirect(s.p.pageURL("/sign-up", request.ID)), nil
	}
	return op.NewRedirect(r.Client.LoginURL(request.ID)), nil
}

func (s *server) refuse(a *oidc.AuthRequest, code string) (*op.Redirect, error) {
	return op.NewRedirect(withQuery(a.RedirectURI, url.Values{"error": {code}, "state": {a.State}, "iss": {s.p.issuer}})), nil
}

// VerifyClient checks the application's secret.
func (s *server) VerifyClient(_ context.Context, r *op.Request[op.ClientCredentials]) (op.Client, error) {
	known := subtle.ConstantTimeCompare([]byte(r.Data.ClientID), []byte(ClientID))
	right := subtle.ConstantTimeCompare([]byte(r.Data.ClientSecret), []byte(s.p.ClientSecret()))
	if r.Data.ClientAssertion != "" || known&right != 1 {
		return nil, op.NewStatusError(oidc.ErrInvalidClient(), http.StatusUnauthorized)
	}
	return s.client, nil
}

// CodeExchange takes the code, which is gone after it whatever comes of it.
func (s *server) CodeExchange(ctx context.Context, r *op.ClientRequest[oidc.AccessTokenRequest]) (*op.Response, error) {
	now := s.p.cfg.Now()
	request, err := s.p.store.TakeAuthRequest(ctx, hashSecret(r.Data.Code), now)
	if err != nil {
		return nil, grantError(err)
	}
	challenge := &oidc.CodeChallenge{Challenge: request.CodeChallenge, Method: oidc.CodeChallengeMethodS256}
	if request.ClientID != r.Client.GetID() || request.RedirectURI != r.Data.RedirectURI ||
		r.Data.CodeVerifier == "" || !oidc.VerifyCodeChallenge(challenge, r.Data.CodeVerifier) {
		return nil, oidc.ErrInvalidGrant()
	}
	// The family is this sign-in, and its sid: what ends it ends no other.
	family, err := uuid.NewV7()
	if err != nil {
		return nil, oidc.ErrServerError().WithParent(err)
	}
	refresh, hash := newSecret()
	token := RefreshToken{
		Family: family, AccountID: request.AccountID, ClientID: request.ClientID, Scopes: request.Scopes,
		AuthTime: request.AuthTime, ExpiresAt: now.Add(RefreshTokenLifetime),
	}
	if err := s.p.store.AddRefreshToken(ctx, hash, token, now); err != nil {
		return nil, oidc.ErrServerError().WithParent(err)
	}
	return s.tokens(ctx, token, request.Nonce, refresh, request.Scopes, now)
}

// RefreshToken gives new tokens for a refresh token and replaces it.
func (s *server) RefreshToken(ctx context.Context, r *op.ClientRequest[oidc.RefreshTokenRequest]) (*op.Response, error) {
	now := s.p.cfg.Now()
	next, hash := newSecret()
	token, err := s.p.store.RotateRefreshToken(ctx, hashSecret(r.Data.RefreshToken), hash, r.Client.GetID(), now, now.Add(RefreshTokenLifetime), now.Add(-usedTokensKept))
	if errors.Is(err, ErrTokenReused) {
		s.p.cfg.Logger.WarnContext(ctx, "a refresh token was used twice; its family is ended")
	}
	if err != nil {
		return nil, grantError(err)
	}
	granted := token.Scopes
	if len(r.Data.Scopes) > 0 {
		granted = r.Data.Scopes
		for _, scope := range granted {
			if !slices.Contains(token.Scopes, scope) {
				return nil, oidc.ErrInvalidScope()
			}
		}
	}
	return s.tokens(ctx, token, "", next, granted, now)
}

func (s *server) tokens(ctx context.Context, token RefreshToken, nonce, refresh string, scopes []string, now time.Time) (*op.Response, error) {
	account, err := s.p.store.Account(ctx, token.AccountID)
	if err != nil {
		return nil, grantError(err)
	}
	access, err := s.p.accessToken(token.AccountID.String(), token.ClientID, scopes, now, AccessTokenLifetime)
	if err != nil {
		return nil, oidc.ErrServerError().WithParent(err)
	}
	id, err := s.p.idToken(account, token, nonce, access, now)
	if err != nil {
		return nil, oidc.ErrServerError().WithParent(err)
	}
	return op.NewResponse(&oidc.AccessTokenResponse{
		AccessToken: access, TokenType: oidc.BearerToken, RefreshToken: refresh, IDToken: id,
		ExpiresIn: uint64(AccessTokenLifetime / time.Second), Scope: scopes,
	}), nil
}

// grantError makes the protocol's answer of what the store said.
func grantError(err error) error {
	if errors.Is(err, fault.ErrNotFound) || errors.Is(err, ErrTokenReused) {
		return oidc.ErrInvalidGrant()
	}
	return oidc.ErrServerError().WithParent(err)
}

// UserInfo tells about the person of an access token.
func (s *server) UserInfo(ctx context.Context, r *op.Request[oidc.UserInfoRequest]) (*op.Response, error) {
	denied := op.NewStatusError(oidc.ErrAccessDenied().WithDescription("access token invalid"), http.StatusUnauthorized)
	id, err := s.p.verifyAccessToken(r.Data.AccessToken)
	if err != nil {
		return nil, denied
	}
	account, err := s.p.store.Account(ctx, id)
	if isNotFound(err) {
		return nil, denied
	}
	if err != nil {
		return nil, op.NewStatusError(oidc.ErrServerError().WithParent(err), http.StatusInternalServerError)
	}
	return op.NewResponse(map[string]any{
		"sub": account.ID.String(), "name": account.Name, "email": account.Email, "email_verified": account.EmailVerified,
	}), nil
}

// Revocation ends a refresh token and its family. Access tokens end by
// themselves within minutes.
func (s *server) Revocation(ctx context.Context, r *op.ClientRequest[oidc.RevocationRequest]) (*op.Response, error) {
	if err := s.p.store.RevokeRefreshToken(ctx, hashSecret(r.Data.Token), r.Client.GetID()); err != nil {
		return nil, oidc.ErrServerError().WithParent(err)
	}
	return op.NewResponse(nil), nil
}

// EndSession ends the sign-in's refresh tokens, if the request proves by an ID
// token which it was, and leads back to the application or to the page that
// says that one is signed out. It leads nowhere else.
func (s *server) EndSession(ctx context.Context, r *op.Request[oidc.EndSessionRequest]) (*op.Redirect, error) {
	if hint := r.Data.IdTokenHint; hint != "" {
		account, family, err := s.p.verifyHint(hint)
		if err != nil {
			return nil, oidc.ErrInvalidRequest().WithDescription("This sign-in is not known here.").WithParent(err)
		}
		if err := s.p.store.RevokeRefreshFamily(ctx, account, family); err != nil {
			return nil, oidc.ErrServerError().WithParent(err)
		}
	}
	back := r.Data.PostLogoutRedirectURI
	if back == "" {
		return op.NewRedirect(s.p.issuer + "/signed-out"), nil
	}
	if !slices.Contains(s.client.PostLogoutRedirectURIs(), back) {
		return nil, oidc.ErrInvalidRequest().WithDescription("The address to return to is not known here.")
	}
	if r.Data.State != "" {
		back = withQuery(back, url.Values{"state": {r.Data.State}})
	}
	return op.NewRedirect(back), nil
}

func withQuery(address string, values url.Values) string {
	separator := "?"
	if strings.Contains(address, "?") {
		separator = "&"
	}
	return address + separator + values.Encode()
}
