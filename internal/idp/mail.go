package idp

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/google/uuid"

	"happening/internal/fault"
)

// MintLink is called when a mail of this provider is about to be sent: it
// makes the secret of the mail's link, keeps its hash, and gives whom to send
// what. kind is a mail's kind, with or without the outbox's prefix. It may be
// called again for the same mail; every link works until one is used.
// fault.ErrNotFound says that the mail has become pointless (the account is
// gone, or confirmed already) and is to be dropped.
func (p *Provider) MintLink(ctx context.Context, kind string, accountID uuid.UUID) (email, name, link string, err error) {
	kind = strings.TrimPrefix(kind, FactPrefix)
	a, err := p.store.Account(ctx, accountID)
	if err != nil {
		return "", "", "", fmt.Errorf("idp: mint link: %w", err)
	}
	now := p.cfg.Now()
	page, until := "", now
	switch kind {
	case MailAlreadyRegistered:
		return a.Email, a.Name, p.issuer + "/forgot", nil
	case MailConfirmAddress:
		page, until = "/confirm", now.Add(ConfirmLinkLifetime)
	case MailResetPassword:
		page, until = "/reset", now.Add(ResetLinkLifetime)
	default:
		return "", "", "", fmt.Errorf("idp: no mail is called %q", kind)
	}
	if a.EmailVerified != (kind == MailResetPassword) {
		return "", "", "", fmt.Errorf("idp: mint link: %w", fault.ErrNotFound)
	}
	text, hash := newSecret()
	if err := p.store.AddMailToken(ctx, hash, accountID, kind, now, until); err != nil {
		return "", "", "", fmt.Errorf("idp: mint link: %w", err)
	}
	return a.Email, a.Name, p.issuer + page + "?" + url.Values{"token": {text}}.Encode(), nil
}

// passwordChanged tells the application, which ends the person's sessions.
func (p *Provider) passwordChanged(ctx context.Context, accountID uuid.UUID) error {
	if p.cfg.PasswordChanged == nil {
		return nil
	}
	if err := p.cfg.PasswordChanged(ctx, IdentityKey, accountID.String()); err != nil {
		return fmt.Errorf("idp: end sessions: %w", err)
	}
	return nil
}

// faultOf gives the fault that an error is, if it is one.
func faultOf(err error) (*fault.Error, bool) {
	var f *fault.Error
	ok := errors.As(err, &f)
	return f, ok
}
