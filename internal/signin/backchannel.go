package signin

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Limits of a logout token; see OpenID Connect Back-Channel Logout 1.0.
const (
	logoutTokenFresh = 5 * time.Minute // from iat; also how far the clocks may be apart
	logoutKept       = 3 * logoutTokenFresh
	maxLogoutBody    = 64 << 10 // bytes
	maxSessionID     = 255      // characters of a sid or jti
	logoutEvent      = "http://schemas.openid.net/event/backchannel-logout"
)

// Logout is a sign-out that the provider told of.
type Logout struct {
	Issuer          string // as in the sessions; see Config.IdentityKey
	TokenHash       []byte // of the token's jti
	Subject         string // empty: whoever the session is of
	ProviderSession string // empty: all of the subject
	IssuedAt        time.Time
	KeptUntil       time.Time
}

// backchannelLogout ends the sessions that the provider names. It is called by
// the provider and not by a browser: neither cookies nor an origin say
// anything here, the token's signature does.
func (a *Authenticator) backchannelLogout(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	r.Body = http.MaxBytesReader(w, r.Body, maxLogoutBody)
	refuse := func(status int, code string, cause error) {
		a.cfg.Logger.WarnContext(r.Context(), "a back-channel sign-out was refused", "error", cause)
		if status == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", "5")
		}
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"error":%q}`+"\n", code)
	}
	if err := r.ParseForm(); err != nil {
		refuse(http.StatusBadRequest, "invalid_request", err)
		return
	}
	logout, err := a.verifyLogout(r.Context(), r.PostForm.Get("logout_token"))
	switch {
	case errors.Is(err, errKeysAway) || errors.Is(err, ErrProviderAway):
		refuse(http.StatusServiceUnavailable, "temporarily_unavailable", err)
		return
	case err != nil:
		refuse(http.StatusBadRequest, "invalid_request", err)
		return
	}
	ended, err := a.store.EndByProvider(r.Context(), logout)
	if err != nil {
		refuse(http.StatusServiceUnavailable, "temporarily_unavailable", err)
		return
	}
	a.ended(ended...)
	w.WriteHeader(http.StatusOK)
}

// verifyLogout reads a logout token and checks all that the specification
// asks for.
func (a *Authenticator) verifyLogout(ctx context.Context, token string) (Logout, error) {
	if token == "" || len(token) > maxTokenLength {
		return Logout{}, errors.New("signin: no logout token")
	}
	found, err := a.provider.get(ctx)
	if err != nil {
		return Logout{}, err
	}
	verified, err := verify(ctx, found.logouts, token) // signature, issuer, audience
	if err != nil {
		return Logout{}, fmt.Errorf("signin: logout token: %w", err)
	}
	var claims struct {
		ID        string                     `json:"jti"`
		SessionID string                     `json:"sid"`
		Nonce     json.RawMessage            `json:"nonce"`
		Events    map[string]json.RawMessage `json:"events"`
	}
	if err := verified.Claims(&claims); err != nil {
		return Logout{}, fmt.Errorf("signin: logout token: %w", err)
	}
	typ, err := tokenType(token)
	if err != nil {
		return Logout{}, err
	}
	now := a.cfg.Now()
	age := now.Sub(verified.IssuedAt)
	var event map[string]json.RawMessage
	switch {
	// Older providers type it like any other token.
	case typ != "" && typ != "jwt" && typ != "logout+jwt":
		return Logout{}, fmt.Errorf("signin: a token of type %q is not a logout token", typ)
	case json.Unmarshal(claims.Events[logoutEvent], &event) != nil || event == nil:
		return Logout{}, errors.New("signin: the token tells of no sign-out")
	case len(claims.Nonce) > 0:
		return Logout{}, errors.New("signin: a logout token has no nonce")
	case verified.IssuedAt.IsZero() || age > logoutTokenFresh || age < -logoutTokenFresh:
		return Logout{}, errors.New("signin: the logout token is not fresh")
	case verified.Expiry.Unix() > 0 && !now.Add(-clockLeeway).Before(verified.Expiry):
		return Logout{}, errors.New("signin: the logout token is over")
	case claims.ID == "" || len(claims.ID) > maxSessionID || len(claims.SessionID) > maxSessionID:
		return Logout{}, errors.New("signin: the logout token has no usable jti or sid")
	case claims.SessionID == "" && verified.Subject == "":
		return Logout{}, errors.New("signin: the logout token names neither session nor subject")
	}
	hash := sha256.Sum256([]byte(claims.ID))
	return Logout{
		Issuer: a.cfg.IdentityKey, TokenHash: hash[:], Subject: verified.Subject, ProviderSession: claims.SessionID,
		IssuedAt: verified.IssuedAt, KeptUntil: now.Add(logoutKept),
	}, nil
}

// tokenType reads the type in a token's header, as plainType gives it.
func tokenType(token string) (string, error) {
	first, _, _ := strings.Cut(token, ".")
	text, err := base64.RawURLEncoding.DecodeString(first)
	if err != nil {
		return "", fmt.Errorf("signin: token header: %w", err)
	}
	var header struct {
		Type string `json:"typ"`
	}
	if err := json.Unmarshal(text, &header); err != nil {
		return "", fmt.Errorf("signin: token header: %w", err)
	}
	return plainType(header.Type), nil
}

// plainType gives a token's type in lower case and without the part that media
// types may leave out.
func plainType(typ string) string {
	return strings.TrimPrefix(strings.ToLower(typ), "application/")
}
