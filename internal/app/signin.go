package app

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"happening/internal/fault"
	"happening/internal/httpapi"
	"happening/internal/idp"
	"happening/internal/org"
	"happening/internal/postgres"
	"happening/internal/signin"
)

// sessionsEnded is told to the other processes with the id of a session.
const sessionsEnded = "sessions-ended"

// signIn makes the relying party, and the embedded provider that it trusts
// where none outside is named.
func (a *App) signIn(ctx context.Context) (err error) {
	cfg := a.outsideProvider()
	if cfg.Issuer == "" {
		if err := a.embeddedProvider(ctx, &cfg); err != nil {
			return err
		}
	}
	if a.auth, err = signin.New(cfg, postgres.NewSessions(a.db), a.people); err != nil {
		return err
	}
	a.onStop(a.auth.Close)
	return nil
}

func (a *App) embeddedProvider(ctx context.Context, cfg *signin.Config) (err error) {
	a.provider, err = idp.New(ctx, idp.Config{
		PublicURL: a.PublicURL, Now: a.clock.Now, Logger: a.Log, ClientAddr: httpapi.ClientAddress(a.proxies()),
		PasswordChanged: func(ctx context.Context, issuer, subject string) error {
			return a.auth.EndSubject(ctx, issuer, subject)
		},
	}, postgres.NewProvider(a.db))
	if err != nil {
		return err
	}
	cfg.Issuer, cfg.IdentityKey = a.provider.Issuer(), idp.IdentityKey
	cfg.ClientID, cfg.ClientSecret = idp.ClientID, a.provider.ClientSecret()
	cfg.HTTPClient = &http.Client{Transport: a.provider.Transport(nil)}
	return nil
}

// signOutEverywhere lets the other processes forget a session that ended, and
// cuts what it has open.
func (a *App) signOutEverywhere(sessionID string, _ uuid.UUID) {
	a.node.Tell(sessionsEnded, []byte(sessionID))
	a.node.DisconnectSession(sessionID)
}

var errOutsideProvider = errors.New("the people are OIDC_ISSUER_URL's: access tokens come from there")

// Tokens makes verified people for the addresses where they are missing and
// gives each an access token that lives for ttl. Only the embedded provider
// can.
func (a *App) Tokens(ctx context.Context, addresses []string, ttl time.Duration) ([]idp.Issued, error) {
	if a.provider == nil {
		return nil, errOutsideProvider
	}
	return a.provider.IssueTokens(ctx, addresses, ttl)
}

// links mints the links of mails from the rooms whose secrets they carry.
type links struct {
	provider *idp.Provider // nil: outside
	orgs     *org.Service
}

// AccountLink implements notify.Links.
func (l *links) AccountLink(ctx context.Context, kind string, accountID uuid.UUID) (address, name, link string, err error) {
	if l.provider == nil { // a mail from before the people moved
		return "", "", "", fault.ErrNotFound
	}
	return l.provider.MintLink(ctx, kind, accountID)
}

// InviteLink implements notify.Links.
func (l *links) InviteLink(ctx context.Context, inviteID uuid.UUID) (address, orgName, role, link string, err error) {
	i, err := l.orgs.MintInviteLink(ctx, inviteID)
	return i.Email, i.OrgName, string(i.Role), i.URL, err
}
