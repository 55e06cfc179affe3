package signin

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/oauth2"

	"happening/internal/access"
	"happening/internal/fault"
	"happening/internal/user"
)

// Limits of a page of one's sessions.
const (
	DefaultPage = 20
	MaxPage     = 100
)

// OwnQuery asks for a page of a person's sessions.
type OwnQuery struct {
	Issuer      string    // whose sessions count
	ExpireAfter time.Time // which are not over
	SeenAfter   time.Time // which are in use
	Before      uuid.UUID // the last one of the page before; uuid.Nil: the first page
	Limit       int
}

// OwnStore keeps a person's sessions for that person. Every method touches
// theirs only.
type OwnStore interface {
	// SessionsOf lists sessions, those that began last first.
	SessionsOf(ctx context.Context, userID uuid.UUID, q OwnQuery) ([]user.Session, error)
	// DeleteOwnSession ends a session and gives what it was; fault.ErrNotFound
	// where it is not there or not this person's.
	DeleteOwnSession(ctx context.Context, userID, id uuid.UUID) (Session, error)
	// DeleteOtherSessions ends all of a person's sessions but one.
	DeleteOtherSessions(ctx context.Context, userID, but uuid.UUID) ([]Session, error)
}

// Sessions lists the browsers that the caller is signed in with, those that
// signed in last first. A limit of 0 means DefaultPage.
func (a *Authenticator) Sessions(ctx context.Context, p access.Principal, cursor string, limit int) (found []user.Session, next string, err error) {
	if !p.SignedIn() {
		return nil, "", fault.ErrUnauthenticated
	}
	if limit == 0 {
		limit = DefaultPage
	}
	if limit < 1 || limit > MaxPage {
		return nil, "", fault.InvalidFields(fault.Field{Name: "limit", Message: fmt.Sprintf("must be between 1 and %d", MaxPage)})
	}
	before, err := parseCursor(cursor)
	if err != nil {
		return nil, "", err
	}
	now := a.cfg.Now()
	// One more than asked for tells whether there are more.
	found, err = a.store.SessionsOf(ctx, p.UserID, OwnQuery{
		Issuer: a.cfg.IdentityKey, ExpireAfter: now, SeenAfter: now.Add(-SessionIdle), Before: before, Limit: limit + 1,
	})
	if err != nil {
		return nil, "", fmt.Errorf("signin: sessions: %w", err)
	}
	if len(found) > limit {
		found = found[:limit]
		id := found[limit-1].ID
		next = base64.RawURLEncoding.EncodeToString(id[:])
	}
	return found, next, nil
}

// EndSession signs the caller out of one of their browsers, which may be the
// one that asks. It is refused in every process from its next request on.
func (a *Authenticator) EndSession(ctx context.Context, p access.Principal, id uuid.UUID) error {
	if !p.SignedIn() {
		return fault.ErrUnauthenticated
	}
	session, err := a.store.DeleteOwnSession(ctx, p.UserID, id)
	if err != nil {
		return fmt.Errorf("signin: end session: %w", err)
	}
	a.ended(session)
	a.revoke(session)
	return nil
}

// EndOtherSessions signs the caller out of all browsers but the one that
// asks. To whoever asks by a token, all are others.
func (a *Authenticator) EndOtherSessions(ctx context.Context, p access.Principal) error {
	if !p.SignedIn() {
		return fault.ErrUnauthenticated
	}
	this := uuid.Nil
	if p.SessionID != "" {
		var err error
		if this, err = uuid.Parse(p.SessionID); err != nil {
			return fmt.Errorf("signin: this session: %w", err)
		}
	}
	sessions, err := a.store.DeleteOtherSessions(ctx, p.UserID, this)
	if err != nil {
		return fmt.Errorf("signin: end sessions: %w", err)
	}
	a.ended(sessions...)
	a.revoke(sessions...)
	return nil
}

// revoke asks the provider, beside the request, to forget the refresh tokens
// of sessions that ended here (RFC 7009). It is a courtesy: they stand nowhere
// any more, and a provider that doesn't answer lets them end by themselves.
func (a *Authenticator) revoke(sessions ...Session) {
	var tokens []string
	for _, s := range sessions {
		if s.RefreshToken == nil || a.refreshSeal == nil || s.Issuer != a.cfg.IdentityKey {
			continue
		}
		if token, err := a.refreshSeal.openBytes(refreshPurpose(s.ID), s.RefreshToken); err == nil {
			tokens = append(tokens, string(token))
		}
	}
	if len(tokens) == 0 {
		return
	}
	a.errands.run(func(ctx context.Context) {
		for _, token := range tokens {
			if err := a.revokeToken(ctx, token); err != nil {
				a.cfg.Logger.InfoContext(ctx, "a refresh token could not be revoked; it ends by itself", "error", err)
				return
			}
		}
	})
}

func (a *Authenticator) revokeToken(ctx context.Context, token string) error {
	ctx, cancel := context.WithTimeout(ctx, providerTimeout)
	defer cancel()
	found, err := a.provider.get(ctx)
	if err != nil || found.revocation == "" {
		return err
	}
	form := url.Values{"token": {token}, "token_type_hint": {"refresh_token"}}
	inHeader := found.oauth.Endpoint.AuthStyle == oauth2.AuthStyleInHeader
	if !inHeader {
		form.Set("client_id", a.cfg.ClientID)
		form.Set("client_secret", a.cfg.ClientSecret)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, found.revocation, strings.NewReader(form.Encode()))
	if err != nil {
		return fmt.Errorf("signin: revoke: %w", err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if inHeader {
		r.SetBasicAuth(url.QueryEscape(a.cfg.ClientID), url.QueryEscape(a.cfg.ClientSecret))
	}
	answer, err := a.cfg.HTTPClient.Do(r)
	if err != nil {
		// The address in the error is the endpoint's; the token is in the body.
		return fmt.Errorf("signin: revoke: %w", err)
	}
	if err := answer.Body.Close(); err != nil {
		return fmt.Errorf("signin: revoke: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		return errors.New("signin: revoke: the provider answers " + answer.Status)
	}
	return nil
}

var errCursor = fault.InvalidFields(fault.Field{Name: "cursor", Message: "is not a cursor of this list"})

func parseCursor(cursor string) (uuid.UUID, error) {
	if cursor == "" {
		return uuid.Nil, nil
	}
	// The decoder skips line breaks, and two cursors would be one.
	if len(cursor) != base64.RawURLEncoding.EncodedLen(len(uuid.UUID{})) {
		return uuid.Nil, errCursor
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil {
		return uuid.Nil, errCursor
	}
	id, err := uuid.FromBytes(raw)
	if err != nil || id == uuid.Nil {
		return uuid.Nil, errCursor
	}
	return id, nil
}
