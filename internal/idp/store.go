package idp

import (
	"context"
	"time"

	"github.com/google/uuid"

	"happening/internal/fault"
)

// Account is somebody who can sign in here, or who signed up and has not
// confirmed the address yet.
type Account struct {
	ID            uuid.UUID
	Name          string
	Email         string
	EmailVerified bool
	PasswordHash  string // argon2id in PHC form; empty: no password
	BrowserHash   []byte // the browser that signed up
}

// AuthRequest is a sign-in under way.
type AuthRequest struct {
	ID            string
	BrowserHash   []byte // the browser that began it
	ClientID      string
	RedirectURI   string
	Scopes        []string
	State         string
	Nonce         string
	CodeChallenge string
	LoginHint     string
	AccountID     uuid.UUID // who finished it; nil: nobody yet
	AuthTime      time.Time
	ExpiresAt     time.Time // of the request, or of the code once there is one
}

// RefreshToken is one link in a chain of rotated tokens.
type RefreshToken struct {
	Family    uuid.UUID
	AccountID uuid.UUID
	ClientID  string
	Scopes    []string
	AuthTime  time.Time
	ExpiresAt time.Time
}

// Key is a secret that outlives the process.
type Key struct {
	ID      string
	Purpose string // KeySign or KeyDerive
	Secret  []byte
}

// The purposes of keys.
const (
	KeySign   = "sign"   // an RSA private key, PKCS #8
	KeyDerive = "derive" // 32 random bytes
)

// NewAccount asks for a verified account, and for a person behind it.
type NewAccount struct {
	AccountID uuid.UUID // taken if the address has none yet
	UserID    uuid.UUID // taken if the account has no person yet
	Name      string
	Email     string
}

// EnsuredAccount is what there is after that.
type EnsuredAccount struct {
	AccountID    uuid.UUID
	UserID       uuid.UUID
	PasswordHash string
}

// Kinds of mails. The outbox calls them "account." and the kind.
const (
	MailConfirmAddress    = "confirm_address"
	MailResetPassword     = "reset_password"
	MailAlreadyRegistered = "already_registered"
)

// FactPrefix stands before a mail's kind in the outbox.
const FactPrefix = "account."

// ErrTokenReused says that a refresh token was presented a second time; its
// whole family has been ended.
var ErrTokenReused = fault.New(fault.Unauthenticated, "refresh_token_reused", "Sign in again.")

// ErrAddressTaken says that somebody else confirmed the address first.
var ErrAddressTaken = fault.New(fault.Conflict, "address_taken", "There is an account with this email address already.")

// Accounts keeps who can sign in. Absent ones answer fault.ErrNotFound.
type Accounts interface {
	// AccountByEmail gives the confirmed account of an address, or else the
	// latest unconfirmed sign-up with it.
	AccountByEmail(ctx context.Context, email string) (Account, error)
	Account(ctx context.Context, id uuid.UUID) (Account, error)
	// SignUp adds an unconfirmed account with the fact that asks for its
	// confirmation. For an address that is confirmed already it writes the
	// fact that says so instead. Of more than MaxOpenSignUps for one address
	// the oldest are dropped, so that nobody can keep others from signing up;
	// the new one inherits the pause of what it replaces, so that nobody can
	// have the address flooded. The caller can't tell, nor can whoever signed
	// up.
	SignUp(ctx context.Context, a Account, now time.Time) error
	// AskMail writes the fact that asks for a mail, unless one of the kind
	// was asked for within MailPause.
	AskMail(ctx context.Context, accountID uuid.UUID, kind string, now time.Time) error
	// ConfirmAddress takes the link's token and verifies the address; other
	// sign-ups with it are dropped. ErrAddressTaken: somebody was faster.
	ConfirmAddress(ctx context.Context, tokenHash []byte, now time.Time) (Account, error)
	// ResetPassword takes the link's token, sets the password and ends the
	// account's refresh tokens and other links.
	ResetPassword(ctx context.Context, tokenHash []byte, passwordHash string, now time.Time) (Account, error)
	// ChangePassword sets the password and ends the account's refresh tokens
	// and links.
	ChangePassword(ctx context.Context, accountID uuid.UUID, passwordHash string, now time.Time) error
	// AddMailToken keeps the hash of a mailed link's secret.
	AddMailToken(ctx context.Context, tokenHash []byte, accountID uuid.UUID, kind string, now, expiresAt time.Time) error
	// AccountByMailToken looks a live link up without taking it.
	AccountByMailToken(ctx context.Context, tokenHash []byte, kind string, now time.Time) (Account, error)
	// EnsureAccounts makes what is missing of verified accounts, people and
	// the identities between them, in the order asked for. issuer is the
	// identities'; see IdentityKey.
	EnsureAccounts(ctx context.Context, issuer string, accounts []NewAccount, now time.Time) ([]EnsuredAccount, error)
}

// Requests keeps sign-ins under way. Absent, expired and other browsers'
// ones answer fault.ErrNotFound.
type Requests interface {
	CreateAuthRequest(ctx context.Context, r AuthRequest, now time.Time) error
	AuthRequest(ctx context.Context, id string, browserHash []byte, now time.Time) (AuthRequest, error)
	// LatestAuthRequest gives what a browser began last and did not finish.
	LatestAuthRequest(ctx context.Context, browserHash []byte, now time.Time) (AuthRequest, error)
	// FinishAuthRequest notes who signed in and gives the request its code;
	// a request is finished once.
	FinishAuthRequest(ctx context.Context, id string, browserHash []byte, accountID uuid.UUID, codeHash []byte, now, codeExpiresAt time.Time) (AuthRequest, error)
	// TakeAuthRequest gives the request of a code and removes it: a code is
	// good once, whatever comes of it.
	TakeAuthRequest(ctx context.Context, codeHash []byte, now time.Time) (AuthRequest, error)
}

// RefreshTokens keeps refresh tokens by their hash.
type RefreshTokens interface {
	AddRefreshToken(ctx context.Context, tokenHash []byte, t RefreshToken, now time.Time) error
	// RotateRefreshToken replaces a token by the next of its family. The last
	// one that was used may be used again while its successor was not: then the
	// answer was lost, and the successor is void. Any other reuse ends the
	// family with ErrTokenReused; fault.ErrNotFound: no such live token. Tokens
	// used before forgetBefore are dropped on the way.
	RotateRefreshToken(ctx context.Context, oldHash, newHash []byte, clientID string, now, expiresAt, forgetBefore time.Time) (RefreshToken, error)
	// RevokeRefreshToken ends a token's family; an absent one is no error.
	RevokeRefreshToken(ctx context.Context, tokenHash []byte, clientID string) error
	// RevokeRefreshFamily ends one sign-in's tokens, if they are the account's.
	RevokeRefreshFamily(ctx context.Context, accountID, family uuid.UUID) error
}

// Keys keeps the provider's secrets.
type Keys interface {
	// EnsureKey keeps the key unless its purpose has one, and gives the one
	// that counts; processes that start at once agree on it.
	EnsureKey(ctx context.Context, k Key, now time.Time) (Key, error)
}

// Store is everything that the provider keeps.
type Store interface {
	Accounts
	Requests
	RefreshTokens
	Keys
	// Sweep drops at most limit rows that are over, of each kind, and tells
	// the largest number that it dropped of one.
	Sweep(ctx context.Context, now time.Time, limit int) (int, error)
}
