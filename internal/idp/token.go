package idp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/mail"
	"runtime"
	"strings"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"golang.org/x/sync/errgroup"

	"happening/internal/fault"
	"happening/internal/user"
)

// Audience is whom access tokens are meant for: the application's API.
const Audience = "happening"

// The types of tokens in their headers; RFC 9068 keeps access tokens and ID
// tokens from being taken for one another.
const (
	typeAccess = "at+jwt"
	typeID     = "JWT"
)

func (p *Provider) sign(typ jose.ContentType, claims map[string]any) (string, error) {
	signer, err := jose.NewSigner(jose.SigningKey{
		Algorithm: jose.RS256,
		Key:       &jose.JSONWebKey{Key: p.key.private, KeyID: p.key.id},
	}, (&jose.SignerOptions{}).WithType(typ))
	if err != nil {
		return "", fmt.Errorf("idp: signer: %w", err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("idp: claims: %w", err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("idp: sign: %w", err)
	}
	return signed.CompactSerialize()
}

// accessToken carries no name and no address: it travels with every request.
func (p *Provider) accessToken(subject, clientID string, scopes []string, now time.Time, lifetime time.Duration) (string, error) {
	return p.sign(typeAccess, map[string]any{
		"iss": p.issuer, "sub": subject, "aud": Audience, "client_id": clientID, "jti": uuid.NewString(),
		"iat": now.Unix(), "exp": now.Add(lifetime).Unix(), "scope": strings.Join(scopes, " "),
	})
}

func (p *Provider) idToken(a Account, t RefreshToken, nonce, accessToken string, now time.Time) (string, error) {
	hash, err := oidc.ClaimHash(accessToken, jose.RS256)
	if err != nil {
		return "", fmt.Errorf("idp: at_hash: %w", err)
	}
	claims := map[string]any{
		"iss": p.issuer, "sub": a.ID.String(), "aud": t.ClientID, "azp": t.ClientID, "sid": t.Family.String(),
		"iat": now.Unix(), "exp": now.Add(IDTokenLifetime).Unix(), "auth_time": t.AuthTime.Unix(), "amr": []string{"pwd"},
		"at_hash": hash, "name": a.Name, "email": a.Email, "email_verified": a.EmailVerified,
	}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	return p.sign(typeID, claims)
}

var errInvalidToken = errors.New("idp: not a valid token of this provider")

// signedClaims is what is read of one of our own tokens.
type signedClaims struct {
	Issuer   string    `json:"iss"`
	Subject  uuid.UUID `json:"sub"`
	Audience string    `json:"aud"`
	Expiry   int64     `json:"exp"`
	Session  uuid.UUID `json:"sid"`
}

// signed reads a token that was signed here as one of the type; whether it
// still counts, and where, is for the caller to say.
func (p *Provider) signed(token, typ string) (signedClaims, error) {
	jws, err := jose.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil || len(jws.Signatures) != 1 {
		return signedClaims{}, errInvalidToken
	}
	if got, _ := jws.Signatures[0].Header.ExtraHeaders[jose.HeaderType].(string); got != typ {
		return signedClaims{}, errInvalidToken
	}
	payload, err := jws.Verify(&p.key.private.PublicKey)
	if err != nil {
		return signedClaims{}, errInvalidToken
	}
	var claims signedClaims
	if err := json.Unmarshal(payload, &claims); err != nil {
		return signedClaims{}, errInvalidToken
	}
	return claims, nil
}

// verifyAccessToken gives the account that one of our access tokens is about.
func (p *Provider) verifyAccessToken(token string) (uuid.UUID, error) {
	claims, err := p.signed(token, typeAccess)
	if err != nil {
		return uuid.Nil, err
	}
	if claims.Issuer != p.issuer || claims.Audience != Audience || p.cfg.Now().Unix() >= claims.Expiry {
		return uuid.Nil, errInvalidToken
	}
	return claims.Subject, nil
}

// verifyHint gives account and sign-in of an ID token that is shown at sign-out;
// ID tokens of earlier versions tell no sign-in, and none has refresh tokens. It
// may be over, as sessions outlive it, and may name the issuer by an address
// that the installation had before: the signature alone says that it is ours.
func (p *Provider) verifyHint(token string) (account, family uuid.UUID, err error) {
	claims, err := p.signed(token, typeID)
	if err != nil {
		return uuid.Nil, uuid.Nil, err
	}
	if claims.Audience != ClientID {
		return uuid.Nil, uuid.Nil, errInvalidToken
	}
	return claims.Subject, claims.Session, nil
}

// Issued is a person with a token to act as them.
type Issued struct {
	UserID      uuid.UUID
	AccessToken string
}

// issueBatch is how many accounts are made in one transaction.
const issueBatch = 1_000

// IssueTokens makes verified accounts and people for the addresses where they
// are missing, without a password and members of nothing, and gives each an
// access token that lives for ttl; the answer has the order of the addresses.
// It is for scripts and load tests, on the operator's machine.
func (p *Provider) IssueTokens(ctx context.Context, emails []string, ttl time.Duration) ([]Issued, error) {
	if ttl <= 0 || ttl > MaxIssuedLifetime {
		return nil, fmt.Errorf("idp: a token lives for more than 0 and at most %s", MaxIssuedLifetime)
	}
	issued := make([]Issued, len(emails))
	now := p.cfg.Now()
	for start := 0; start < len(emails); start += issueBatch {
		end := min(start+issueBatch, len(emails))
		accounts, err := newAccounts(emails[start:end])
		if err != nil {
			return nil, err
		}
		ensured, err := p.store.EnsureAccounts(ctx, IdentityKey, accounts, now)
		if err != nil {
			return nil, fmt.Errorf("idp: make accounts: %w", err)
		}
		// A signature takes about a millisecond of one core.
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(runtime.GOMAXPROCS(0))
		for i, e := range ensured {
			group.Go(func() error {
				if err := ctx.Err(); err != nil {
					return err
				}
				token, err := p.accessToken(e.AccountID.String(), ClientID, []string{oidc.ScopeOpenID}, now, ttl)
				issued[start+i] = Issued{UserID: e.UserID, AccessToken: token}
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return nil, err
		}
	}
	return issued, nil
}

// EnsureAccount makes a verified account with this name and password and
// gives the person behind it, for the demo; an account that exists keeps its
// name and gets the password.
func (p *Provider) EnsureAccount(ctx context.Context, email, name, password string) (uuid.UUID, error) {
	if text := passwordFault(password, email, name); text != "" {
		return uuid.Nil, fault.InvalidFields(fault.Field{Name: "password", Message: text})
	}
	accounts, err := newAccounts([]string{email})
	if err != nil {
		return uuid.Nil, err
	}
	accounts[0].Name = name
	now := p.cfg.Now()
	ensured, err := p.store.EnsureAccounts(ctx, IdentityKey, accounts, now)
	if err != nil {
		return uuid.Nil, fmt.Errorf("idp: make account: %w", err)
	}
	e := ensured[0]
	if e.PasswordHash != "" {
		if same, err := p.password.verify(ctx, e.PasswordHash, password); err != nil || same {
			return e.UserID, err
		}
	}
	hash, err := p.password.hash(ctx, password)
	if err != nil {
		return uuid.Nil, err
	}
	if err := p.store.ChangePassword(ctx, e.AccountID, hash, now); err != nil {
		return uuid.Nil, fmt.Errorf("idp: set password: %w", err)
	}
	return e.UserID, p.passwordChanged(ctx, e.AccountID)
}

func newAccounts(emails []string) ([]NewAccount, error) {
	accounts := make([]NewAccount, len(emails))
	for i, text := range emails {
		email, err := parseEmail(text)
		if err != nil {
			return nil, err
		}
		accountID, err := uuid.NewV7()
		if err != nil {
			return nil, fmt.Errorf("idp: new id: %w", err)
		}
		userID, err := uuid.NewV7()
		if err != nil {
			return nil, fmt.Errorf("idp: new id: %w", err)
		}
		name, _, _ := strings.Cut(email, "@")
		accounts[i] = NewAccount{AccountID: accountID, UserID: userID, Name: name, Email: email}
	}
	return accounts, nil
}

const maxEmailLength = 254 // RFC 5321

// parseEmail takes one bare address that can't be taken for another one.
// Letters keep their case; addresses are compared without it.
func parseEmail(text string) (string, error) {
	text = strings.TrimSpace(text)
	bad := fault.InvalidFields(fault.Field{Name: "email", Message: "Enter an email address such as name@example.org."})
	parsed, err := mail.ParseAddress(text)
	if err != nil || parsed.Address != text || parsed.Name != "" || len(text) > maxEmailLength || !user.ClearAddress(text) {
		return "", bad
	}
	local, domain, _ := strings.Cut(text, "@")
	if local == "" || domain == "" || strings.ContainsAny(text, " \"<>(),:;\\[]\x00\r\n\t") || strings.Contains(domain, "..") {
		return "", bad
	}
	return text, nil
}

func isNotFound(err error) bool { return errors.Is(err, fault.ErrNotFound) }
