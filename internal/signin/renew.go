package signin

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/oauth2"

	"happening/internal/fault"
	"happening/internal/user"
)

// How a session follows the person's standing at the provider.
const (
	// RenewEvery is how often the provider is asked about a session in use.
	RenewEvery = 5 * time.Minute
	// ProviderGrace is how long a session goes on although the provider gives
	// no answer that decides.
	ProviderGrace = 24 * time.Hour

	// confirmWithin is how old the provider's word may be before a request
	// waits for a new one: whoever comes back after a pause.
	confirmWithin = 15 * time.Minute
	renewPatience = 2 * time.Second  // how long such a request waits
	claimLived    = 30 * time.Second // how long one process has a session's renewal to itself; longer than the question
	renewRetry    = time.Minute      // from a question without an answer to the next
	graceTries    = 5                // so many questions were in vain before the grace can end
	awayPause     = 5 * time.Second  // a provider that was found away is left alone for so long
	maxRenewals   = 16               // questions at a time, of one process
	storeTimeout  = 5 * time.Second  // for keeping what the provider answered
)

// Renewal is what the provider answered.
type Renewal struct {
	RefreshToken    []byte // sealed
	IDToken         string
	ProviderSession string
	At              time.Time
	Next            time.Time
}

// renewals are those under way in this process, one of a session at a time.
type renewals struct {
	mu          sync.Mutex
	running     map[uuid.UUID]*renewing
	pausedUntil time.Time
}

type renewing struct {
	done  chan struct{}
	ended bool // the session is over; read after done
}

// confirm asks the provider beside the request whether the person still
// stands where that is due, and before the request is answered where the last
// word is old. A provider that doesn't answer ends no session here.
func (a *Authenticator) confirm(ctx context.Context, s Session, now time.Time) error {
	if s.RefreshToken == nil {
		return nil
	}
	r := a.startRenewal(s, now)
	if r == nil || now.Sub(s.ConfirmedAt) < confirmWithin {
		return nil
	}
	patience := time.NewTimer(renewPatience)
	defer patience.Stop()
	select {
	case <-r.done:
		if r.ended {
			return fault.ErrUnauthenticated
		}
	case <-patience.C:
	case <-ctx.Done():
	}
	return nil
}

// startRenewal gives the renewal under way, or begins one that is due; nil if
// there is none.
func (a *Authenticator) startRenewal(s Session, now time.Time) *renewing {
	a.renewals.mu.Lock()
	defer a.renewals.mu.Unlock()
	if r := a.renewals.running[s.ID]; r != nil {
		return r
	}
	if now.Before(s.RenewAt) || now.Before(a.renewals.pausedUntil) || len(a.renewals.running) >= maxRenewals {
		return nil
	}
	r := &renewing{done: make(chan struct{})}
	if !a.errands.run(func(ctx context.Context) {
		ended, err := a.renew(ctx, s.ID)
		if err != nil {
			a.cfg.Logger.WarnContext(ctx, "a session could not be confirmed with the provider", "session_id", s.ID, "error", err)
		}
		a.renewals.mu.Lock()
		delete(a.renewals.running, s.ID)
		a.renewals.mu.Unlock()
		r.ended = ended
		close(r.done)
	}) {
		return nil
	}
	a.renewals.running[s.ID] = r
	return r
}

// renew takes the session's renewal to this process, asks, and keeps what the
// provider answered. What was claimed and not kept, as the process or the
// answer was lost, is asked again with the same token once the claim is over.
func (a *Authenticator) renew(ctx context.Context, id uuid.UUID) (ended bool, err error) {
	now := a.cfg.Now()
	s, err := a.store.ClaimRenewal(ctx, id, now, now.Add(claimLived))
	if errors.Is(err, fault.ErrNotFound) {
		return false, nil // another process asks, or has asked
	}
	if err != nil {
		return false, fmt.Errorf("claim: %w", err)
	}
	token, err := a.refreshSeal.openBytes(refreshPurpose(id), s.RefreshToken)
	if err != nil {
		return a.endUnrenewed(ctx, s, "the client secret is another one than when it was kept")
	}
	tokens, err := a.refresh(ctx, string(token))
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	var said *oauth2.RetrieveError
	switch {
	case err == nil:
		return a.keepRenewed(ctx, s, tokens)
	case errors.As(err, &said) && said.ErrorCode == "invalid_grant":
		return a.endUnrenewed(ctx, s, "the provider says that it is over")
	}
	return a.renewalFailed(ctx, s, err)
}

func (a *Authenticator) refresh(ctx context.Context, token string) (*oauth2.Token, error) {
	ctx, cancel := context.WithTimeout(a.provider.clientContext(ctx), providerTimeout)
	defer cancel()
	found, err := a.provider.get(ctx)
	if err != nil {
		return nil, err
	}
	return found.oauth.TokenSource(ctx, &oauth2.Token{RefreshToken: token}).Token()
}

// keepRenewed keeps the next refresh token, unless the session was renewed or
// ended meanwhile.
func (a *Authenticator) keepRenewed(ctx context.Context, s Session, tokens *oauth2.Token) (ended bool, err error) {
	now := a.cfg.Now()
	next := Renewal{IDToken: s.IDToken, ProviderSession: s.ProviderSession, At: now, Next: now.Add(RenewEvery)}
	if raw, ok := tokens.Extra("id_token").(string); ok {
		identity, err := a.renewedIdentity(ctx, raw)
		switch {
		case err != nil:
			// The provider itself said yes; its ID token only serves sign-out.
			a.cfg.Logger.WarnContext(ctx, "the ID token of a renewal is not valid", "session_id", s.ID, "error", err)
		case identity.subject != s.Subject:
			return a.endUnrenewed(ctx, s, "the provider answered for somebody else")
		default:
			next.IDToken = raw
			if identity.providerSession != "" {
				next.ProviderSession = identity.providerSession
			}
			a.followProfile(ctx, s, identity)
		}
	}
	next.RefreshToken = a.refreshSeal.sealBytes(refreshPurpose(s.ID), []byte(tokens.RefreshToken))
	err = a.store.Renewed(ctx, s.ID, s.RefreshToken, next)
	if errors.Is(err, fault.ErrNotFound) {
		return false, nil
	}
	return false, err
}

func (a *Authenticator) renewedIdentity(ctx context.Context, raw string) (verifiedIdentity, error) {
	found, err := a.provider.get(ctx)
	if err != nil {
		return verifiedIdentity{}, err
	}
	return found.identity(ctx, raw)
}

// followProfile brings the person up to what the provider says, where that is
// something else than before: an address that is no longer verified there
// counts no longer here.
func (a *Authenticator) followProfile(ctx context.Context, s Session, identity verifiedIdentity) {
	if identity.profile == keptProfile(s.IDToken) || identity.profile.Email == "" {
		return
	}
	_, err := a.people.Resolve(ctx, s.Issuer, s.Subject, identity.profile.claims(), user.OnlyKnown)
	if err != nil && !errors.Is(err, fault.ErrNotFound) {
		a.cfg.Logger.WarnContext(ctx, "a person could not be brought up to the provider's word", "user_id", s.UserID, "error", err)
	}
}

// keptProfile reads what an ID token said that was verified when it came.
func keptProfile(idToken string) (p profile) {
	parts := strings.Split(idToken, ".")
	if len(parts) != 3 {
		return profile{}
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(text, &p) != nil {
		return profile{}
	}
	return p
}

// endUnrenewed ends the session, unless another process renewed it meanwhile
// and so knows better.
func (a *Authenticator) endUnrenewed(ctx context.Context, s Session, why string) (ended bool, err error) {
	gone, err := a.store.DeleteUnrenewed(ctx, s.ID, s.RefreshToken)
	if errors.Is(err, fault.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return true, fmt.Errorf("end: %w", err)
	}
	a.cfg.Logger.InfoContext(ctx, "a session ended", "session_id", s.ID, "user_id", s.UserID, "why", why)
	a.ended(gone)
	return true, nil
}

// renewalFailed notes that the provider gave no answer that decides, and ends
// the session only when that has gone on for too long.
func (a *Authenticator) renewalFailed(ctx context.Context, s Session, cause error) (ended bool, err error) {
	now := a.cfg.Now()
	a.renewals.mu.Lock()
	a.renewals.pausedUntil = now.Add(awayPause)
	a.renewals.mu.Unlock()
	failures, since, err := a.store.RenewalFailed(ctx, s.ID, s.RefreshToken, now, now.Add(renewRetry))
	switch {
	case errors.Is(err, fault.ErrNotFound):
		return false, cause
	case err != nil:
		return false, errors.Join(cause, err)
	case failures >= graceTries && now.Sub(since) >= ProviderGrace:
		return a.endUnrenewed(ctx, s, "the provider has not confirmed it for "+ProviderGrace.String())
	}
	return false, cause
}

// sealRefresh makes what is kept of a refresh token; nil: nothing, as there is
// none or no secret to seal it with.
func (a *Authenticator) sealRefresh(id uuid.UUID, token string) []byte {
	if token == "" || a.refreshSeal == nil || len(token) > maxTokenLength {
		return nil
	}
	return a.refreshSeal.sealBytes(refreshPurpose(id), []byte(token))
}

// refreshPurpose binds a sealed token to its session's row.
func refreshPurpose(id uuid.UUID) string { return "refresh token of " + id.String() }
