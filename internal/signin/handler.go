package signin

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/google/uuid"
	"golang.org/x/oauth2"

	"happening/internal/fault"
	"happening/internal/user"
)

//go:embed page.html page.css
var pageFiles embed.FS

var pageTemplate = template.Must(template.ParseFS(pageFiles, "page.html"))

// attempt is what a browser carries, sealed, from /auth/login to
// /auth/callback.
type attempt struct {
	State    string `json:"s"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"`
	ReturnTo string `json:"r"`
}

const attemptPurpose = "attempt"

// Handler serves /auth/login, /auth/callback, /auth/logout and
// /auth/backchannel-logout.
func (a *Authenticator) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /auth/login", a.login)
	mux.HandleFunc("GET /auth/callback", a.callback)
	mux.Handle("POST /auth/logout", a.origins.Handler(http.HandlerFunc(a.logout)))
	mux.HandleFunc("GET /auth/logout/continue", a.continueLogout)
	mux.HandleFunc("POST /auth/backchannel-logout", a.backchannelLogout)
	mux.HandleFunc("GET /auth/page.css", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, pageFiles, "page.css")
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		mux.ServeHTTP(w, r)
	})
}

// login sends the browser to the provider.
func (a *Authenticator) login(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	returnTo := localPath(query.Get("return_to"))
	// Cookies belong to the public URL's host. Who came by another name of
	// this machine, such as 127.0.0.1, is brought there first; the mark keeps
	// a proxy that rewrites Host from sending people in circles.
	if public := strings.TrimPrefix(strings.TrimPrefix(a.cfg.PublicURL, "https://"), "http://"); r.Host != public && !query.Has("here") {
		query.Set("here", "1")
		http.Redirect(w, r, a.cfg.PublicURL+"/auth/login?"+query.Encode(), http.StatusSeeOther)
		return
	}
	found, err := a.provider.get(r.Context())
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable, "Signing in is not possible at the moment. Try again in a few seconds.", err)
		return
	}
	t := attempt{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), ReturnTo: returnTo}
	sealed, err := a.seal.seal(attemptPurpose, t, a.cfg.Now().Add(attemptLifetime))
	if err != nil {
		a.fail(w, r, http.StatusInternalServerError, "Something went wrong on our side.", err)
		return
	}
	a.setCookie(w, attemptCookieName(t.State), sealed, attemptLifetime)
	options := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(t.Verifier), oidc.Nonce(t.Nonce)}
	if query.Get("intent") == "signup" {
		options = append(options, oauth2.SetAuthURLParam("prompt", "create"))
	}
	http.Redirect(w, r, found.oauth.AuthCodeURL(t.State, options...), http.StatusSeeOther)
}

// attemptCookieName gives each attempt a cookie of its own, so that signing
// in in two tabs works in both.
func attemptCookieName(state string) string { return attemptCookie + state[:min(8, len(state))] }

// callback takes the code that the provider gave the browser, and makes a
// session of it.
func (a *Authenticator) callback(w http.ResponseWriter, r *http.Request) {
	ctx, query := r.Context(), r.URL.Query()
	var t attempt
	state := query.Get("state")
	cookie, err := r.Cookie(a.cookieName(attemptCookieName(state)))
	if err == nil {
		err = a.seal.open(attemptPurpose, cookie.Value, a.cfg.Now(), &t)
	}
	if err == nil && (t.State == "" || subtle.ConstantTimeCompare([]byte(t.State), []byte(state)) != 1) {
		err = errors.New("signin: the state is another one")
	}
	if err != nil {
		// Reloading a callback that succeeded is no failure.
		if p, err := a.Authenticate(r); err == nil && p.SignedIn() {
			http.Redirect(w, r, "/", http.StatusSeeOther)
			return
		}
		a.fail(w, r, http.StatusBadRequest, "This sign-in took too long or was begun in another browser.", err)
		return
	}
	a.dropCookie(w, attemptCookieName(t.State)) // one try
	if code := query.Get("error"); code != "" {
		a.fail(w, r, http.StatusBadRequest, "The sign-in was not completed.", fmt.Errorf("signin: the provider said %q", code))
		return
	}
	identity, err := a.exchange(ctx, query.Get("code"), t)
	if err == nil {
		err = a.begin(w, r, identity)
	}
	switch {
	case err == nil:
	case errors.Is(err, ErrProviderAway) || errors.Is(err, errKeysAway):
		a.fail(w, r, http.StatusServiceUnavailable, "The sign-in service does not answer. Try again in a few seconds.", err)
		return
	case errors.Is(err, errExchange):
		a.fail(w, r, http.StatusBadRequest, "The sign-in was not completed.", err)
		return
	case errors.Is(err, ErrSignedOutMeanwhile):
		a.fail(w, r, http.StatusConflict, ErrSignedOutMeanwhile.Message, err)
		return
	case errors.Is(err, user.ErrErased):
		a.fail(w, r, http.StatusUnauthorized, user.ErrErased.Message, err)
		return
	case errors.Is(err, user.ErrNotLinked):
		a.failUnlinked(w, r, err)
		return
	case errors.Is(err, user.ErrAddressUnverified):
		a.fail(w, r, http.StatusForbidden, user.ErrAddressUnverified.Message+" Then sign in again. Nothing was changed here.", err)
		return
	default:
		a.fail(w, r, http.StatusInternalServerError, "Something went wrong on our side.", err)
		return
	}
	http.Redirect(w, r, t.ReturnTo, http.StatusSeeOther)
}

// verifiedIdentity is who the provider says has signed in.
type verifiedIdentity struct {
	subject         string
	profile         profile
	idToken         string
	nonce           string
	providerSession string
	refreshToken    string
	issuedAt        time.Time
}

// errExchange says that what the provider answered is no sign-in.
var errExchange = errors.New("signin: exchange")

func (a *Authenticator) exchange(ctx context.Context, code string, t attempt) (verifiedIdentity, error) {
	found, err := a.provider.get(ctx)
	if err != nil {
		return verifiedIdentity{}, err
	}
	ask, cancel := context.WithTimeout(a.provider.clientContext(ctx), providerTimeout)
	defer cancel()
	tokens, err := found.oauth.Exchange(ask, code, oauth2.VerifierOption(t.Verifier))
	if err != nil {
		var said *oauth2.RetrieveError
		if errors.As(err, &said) && said.Response.StatusCode < http.StatusInternalServerError {
			return verifiedIdentity{}, fmt.Errorf("%w: %w", errExchange, err)
		}
		return verifiedIdentity{}, ErrProviderAway.Because(err)
	}
	raw, ok := tokens.Extra("id_token").(string)
	if !ok {
		return verifiedIdentity{}, fmt.Errorf("%w: the provider gave no ID token", errExchange)
	}
	identity, err := found.identity(ask, raw)
	if err != nil {
		return verifiedIdentity{}, fmt.Errorf("%w: %w", errExchange, err)
	}
	if subtle.ConstantTimeCompare([]byte(identity.nonce), []byte(t.Nonce)) != 1 {
		return verifiedIdentity{}, fmt.Errorf("%w: the ID token has another nonce", errExchange)
	}
	identity.refreshToken = tokens.RefreshToken
	if identity.profile.Email == "" {
		info, err := found.oidc.UserInfo(ask, oauth2.StaticTokenSource(tokens))
		if err != nil {
			return verifiedIdentity{}, fmt.Errorf("%w: user info: %w", errExchange, err)
		}
		if info.Subject != identity.subject {
			return verifiedIdentity{}, fmt.Errorf("%w: user info is about somebody else", errExchange)
		}
		if err := info.Claims(&identity.profile); err != nil {
			return verifiedIdentity{}, fmt.Errorf("%w: user info: %w", errExchange, err)
		}
	}
	return identity, nil
}

// identity reads who an ID token is about, once it is verified.
func (d *discovered) identity(ctx context.Context, raw string) (verifiedIdentity, error) {
	verified, err := verify(ctx, d.idTokens, raw)
	if err != nil {
		return verifiedIdentity{}, fmt.Errorf("signin: ID token: %w", err)
	}
	var more struct {
		SessionID string `json:"sid"`
		Party     string `json:"azp"`
	}
	identity := verifiedIdentity{subject: verified.Subject, idToken: raw, nonce: verified.Nonce, issuedAt: verified.IssuedAt}
	if err := errors.Join(verified.Claims(&more), verified.Claims(&identity.profile)); err != nil {
		return verifiedIdentity{}, fmt.Errorf("signin: ID token: %w", err)
	}
	switch {
	case more.Party != "" && more.Party != d.oauth.ClientID:
		return verifiedIdentity{}, errors.New("signin: the ID token was made for another client")
	case identity.subject == "" || len(identity.subject) > maxSubject:
		return verifiedIdentity{}, errors.New("signin: the ID token's subject can't be kept")
	}
	if len(more.SessionID) <= maxSessionID {
		identity.providerSession = more.SessionID
	}
	return identity, nil
}

// begin makes the session. One that the browser had before ends, so that a
// session's token never outlives a sign-in.
func (a *Authenticator) begin(w http.ResponseWriter, r *http.Request, identity verifiedIdentity) error {
	ctx := r.Context()
	person, err := a.people.Resolve(ctx, a.cfg.IdentityKey, identity.subject, identity.profile.claims(), a.cfg.linking())
	if err != nil {
		return fmt.Errorf("signin: %w", err)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("signin: session id: %w", err)
	}
	secret := make([]byte, 32)
	rand.Read(secret)
	token := encodeToken(secret)
	hash, now := sha256.Sum256([]byte(token)), a.cfg.Now()
	if err := a.end(r); err != nil {
		return err
	}
	if err := a.store.CreateSession(ctx, hash[:], Session{
		ID: id, UserID: person.ID, Issuer: a.cfg.IdentityKey, Subject: identity.subject, IDToken: identity.idToken,
		UserAgent: userAgentLabel(r.UserAgent()), CreatedAt: now, LastSeenAt: now, ExpiresAt: now.Add(SessionLifetime),
		ProviderSession: identity.providerSession, RefreshToken: a.sealRefresh(id, identity.refreshToken),
		ConfirmedAt: now, RenewAt: now.Add(RenewEvery), IssuedAt: identity.issuedAt,
	}); err != nil {
		return fmt.Errorf("signin: %w", err)
	}
	a.setCookie(w, sessionCookie, token, SessionLifetime)
	return nil
}

// end ends the session of the request's cookie, if there is one.
func (a *Authenticator) end(r *http.Request) error {
	_, err := a.endAndTell(r)
	return err
}

func (a *Authenticator) endAndTell(r *http.Request) (Session, error) {
	cookie, err := r.Cookie(a.SessionCookieName())
	if err != nil {
		return Session{}, nil
	}
	hash := sha256.Sum256([]byte(cookie.Value))
	session, err := a.store.DeleteSession(r.Context(), hash[:])
	if errors.Is(err, fault.ErrNotFound) {
		return Session{}, nil
	}
	if err != nil {
		return Session{}, fmt.Errorf("signin: end session: %w", err)
	}
	a.ended(session)
	return session, nil
}

// logout ends the session and sends the browser on to the provider, so that
// the sign-in there ends too. A script that asks for JSON learns where to go;
// the way leads through a page of ours, as the address at the provider
// carries the ID token, which is not for scripts.
func (a *Authenticator) logout(w http.ResponseWriter, r *http.Request) {
	session, err := a.endAndTell(r)
	if err != nil {
		a.fail(w, r, http.StatusInternalServerError, "You could not be signed out. Try again.", err)
		return
	}
	a.dropCookie(w, sessionCookie)
	next := a.endSessionURL(r.Context(), session)
	if next == "" {
		next = "/"
	}
	if !strings.Contains(r.Header.Get("Accept"), "application/json") {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	if next != "/" {
		next = a.continueBy(w, next)
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(map[string]string{"redirect": next}); err != nil {
		a.cfg.Logger.DebugContext(r.Context(), "sign-out: answer not taken", "error", err)
	}
}

// continueBy puts the address at the provider into a cookie, for the page of
// ours that leads there. An ID token that is too long for one is left out: then
// the provider asks the person whether to sign out.
func (a *Authenticator) continueBy(w http.ResponseWriter, address string) string {
	const maxCookie = 3_500 // bytes; browsers take 4,096 with the name
	for _, without := range []string{"", "id_token_hint"} {
		if u, err := url.Parse(address); err == nil && without != "" {
			query := u.Query()
			query.Del(without)
			u.RawQuery = query.Encode()
			address = u.String()
		}
		sealed, err := a.seal.seal(logoutCookie, address, a.cfg.Now().Add(logoutLifetime))
		if err == nil && len(sealed) < maxCookie {
			a.setCookie(w, logoutCookie, sealed, logoutLifetime)
			return "/auth/logout/continue"
		}
	}
	return "/" // signed out here, at least
}

// endSessionURL is where the provider ends its part; empty where it has none
// or can't be asked: signing out here doesn't wait for it.
func (a *Authenticator) endSessionURL(ctx context.Context, session Session) string {
	if session.ID == uuid.Nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, logoutPatience)
	defer cancel()
	found, err := a.provider.get(ctx)
	if err != nil || found.endSession == "" {
		return ""
	}
	address, err := url.Parse(found.endSession)
	if err != nil {
		return ""
	}
	query := address.Query()
	query.Set("id_token_hint", session.IDToken)
	query.Set("client_id", a.cfg.ClientID)
	query.Set("post_logout_redirect_uri", a.cfg.PublicURL+"/")
	address.RawQuery = query.Encode()
	return address.String()
}

func (a *Authenticator) continueLogout(w http.ResponseWriter, r *http.Request) {
	var address string
	cookie, err := r.Cookie(a.cookieName(logoutCookie))
	if err != nil || a.seal.open(logoutCookie, cookie.Value, a.cfg.Now(), &address) != nil {
		address = "/"
	}
	a.dropCookie(w, logoutCookie)
	http.Redirect(w, r, address, http.StatusSeeOther)
}

// localPath keeps a path of this very site and makes "/" of everything else,
// so that nobody can send people away through us, nor into the middle of
// another sign-in.
func localPath(text string) string {
	const fallback, maxLength = "/", 2_000
	if len(text) > maxLength || !strings.HasPrefix(text, "/") || strings.HasPrefix(text, "//") || strings.ContainsAny(text, "\\\r\n\t\x00") {
		return fallback
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || strings.HasPrefix(u.Path, "//") {
		return fallback
	}
	// Where it leads counts: dots are followed on the way, also escaped ones.
	to := path.Clean(u.Path)
	for _, room := range []string{"/auth", "/idp"} {
		if to == room || strings.HasPrefix(to, room+"/") {
			return fallback
		}
	}
	return text
}

// page is what page.html shows.
type page struct {
	Message string
	// Operator tells whoever runs the installation what to do; empty: nothing.
	Operator string
}

// failUnlinked tells somebody whom another provider brought before how the two
// are put together. Nothing was changed, so a later sign-in can still do it.
func (a *Authenticator) failUnlinked(w http.ResponseWriter, r *http.Request, cause error) {
	a.cfg.Logger.WarnContext(r.Context(), "sign-in refused: the address is held by a person of another provider; OIDC_LINK_VERIFIED_EMAIL=once connects them",
		"issuer", a.cfg.Issuer, "error", cause)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusForbidden)
	if err := pageTemplate.Execute(w, page{
		Message: user.ErrNotLinked.Message + " Nothing was changed: your bookings and memberships are all there. " +
			"Ask whoever runs this installation to connect the two, then sign in again.",
		Operator: "set OIDC_LINK_VERIFIED_EMAIL=once and restart; the next sign-in with the verified address connects the accounts, once for each person, and is recorded.",
	}); err != nil {
		a.cfg.Logger.DebugContext(r.Context(), "sign-in: page not taken", "error", err)
	}
}

// fail shows a page that says what happened and offers to try again.
func (a *Authenticator) fail(w http.ResponseWriter, r *http.Request, status int, message string, cause error) {
	level := a.cfg.Logger.InfoContext
	if status >= http.StatusInternalServerError {
		level = a.cfg.Logger.ErrorContext
	}
	level(r.Context(), "sign-in failed", "path", r.URL.Path, "error", cause)
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if err := pageTemplate.Execute(w, page{Message: message}); err != nil {
		a.cfg.Logger.DebugContext(r.Context(), "sign-in: page not taken", "error", err)
	}
}
