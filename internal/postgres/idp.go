package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"happening/internal/fault"
	"happening/internal/idp"
)

// Provider keeps what the embedded OpenID provider knows; it is idp.Store.
// The tables are the system role's alone: no request of the application can
// read a password's hash.
type Provider struct{ db *DB }

// NewProvider makes the store.
func NewProvider(db *DB) *Provider { return &Provider{db: db} }

var _ idp.Store = (*Provider)(nil)

const accountColumns = `a.id, a.name, a.email, a.email_verified, a.password_hash, a.browser_hash`

func (s *Provider) account(ctx context.Context, q querier, sql string, args ...any) (idp.Account, error) {
	var a idp.Account
	err := q.QueryRow(ctx, sql, args...).Scan(&a.ID, &a.Name, &a.Email, &a.EmailVerified, &a.PasswordHash, &a.BrowserHash)
	if errors.Is(err, pgx.ErrNoRows) {
		return idp.Account{}, fault.ErrNotFound
	}
	if err != nil {
		return idp.Account{}, fmt.Errorf("account: %w", err)
	}
	return a, nil
}

// querier is what a pool and a transaction have in common here.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// AccountByEmail implements idp.Accounts.
func (s *Provider) AccountByEmail(ctx context.Context, email string) (idp.Account, error) {
	return s.account(ctx, s.db.System, `
		SELECT `+accountColumns+` FROM idp_accounts a
		WHERE lower(a.email) = lower($1)
		ORDER BY a.email_verified DESC, a.created_at DESC
		LIMIT 1`, email)
}

// Account implements idp.Accounts.
func (s *Provider) Account(ctx context.Context, id uuid.UUID) (idp.Account, error) {
	return s.account(ctx, s.db.System, `SELECT `+accountColumns+` FROM idp_accounts a WHERE a.id = $1`, id)
}

// SignUp implements idp.Accounts. The advisory lock makes looking at the open
// sign-ups and the insert one step for each address.
func (s *Provider) SignUp(ctx context.Context, a idp.Account, now time.Time) error {
	return inTx(ctx, s.db.System, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('sign-up:' || lower($1), 0))`, a.Email); err != nil {
			return fmt.Errorf("lock address: %w", err)
		}
		var taken uuid.UUID
		err := tx.QueryRow(ctx, `
			SELECT id FROM idp_accounts WHERE lower(email) = lower($1) AND email_verified`, a.Email).Scan(&taken)
		if err == nil {
			return askMail(ctx, tx, taken, idp.MailAlreadyRegistered, now)
		}
		if !errors.Is(err, pgx.ErrNoRows) {
			return fmt.Errorf("look address up: %w", err)
		}
		asked, err := dropOldSignUps(ctx, tx, a.Email)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `
			INSERT INTO idp_accounts (id, name, email, password_hash, browser_hash, created_at, updated_at)
			VALUES ($1, $2, $3, $4, $5, $6, $6)`,
			a.ID, a.Name, a.Email, a.PasswordHash, a.BrowserHash, now); err != nil {
			return fmt.Errorf("insert account: %w", err)
		}
		if asked != nil {
			if _, err := tx.Exec(ctx, `
				INSERT INTO idp_mail_asks (account_id, kind, asked_at) VALUES ($1, $2, $3)`,
				a.ID, idp.MailConfirmAddress, *asked); err != nil {
				return fmt.Errorf("inherit pause: %w", err)
			}
		}
		return askMail(ctx, tx, a.ID, idp.MailConfirmAddress, now)
	})
}

// dropOldSignUps makes room for one more unconfirmed account of an address
// and tells when those that it dropped last asked for a mail; nil: never. One
// that is being confirmed at this moment is looked at again when its row is
// free, and stays.
func dropOldSignUps(ctx context.Context, tx pgx.Tx, email string) (*time.Time, error) {
	var asked *time.Time
	err := tx.QueryRow(ctx, `
		WITH dropped AS (
			DELETE FROM idp_accounts
			WHERE NOT email_verified AND id IN (
				SELECT id FROM idp_accounts
				WHERE lower(email) = lower($1) AND NOT email_verified
				ORDER BY created_at DESC, id DESC
				OFFSET $2)
			RETURNING id)
		SELECT max(m.asked_at)
		FROM idp_mail_asks m JOIN dropped ON dropped.id = m.account_id
		WHERE m.kind = $3`,
		email, idp.MaxOpenSignUps-1, idp.MailConfirmAddress).Scan(&asked)
	if err != nil {
		return nil, fmt.Errorf("drop old sign-ups: %w", err)
	}
	return asked, nil
}

// AskMail implements idp.Accounts.
func (s *Provider) AskMail(ctx context.Context, accountID uuid.UUID, kind string, now time.Time) error {
	return inTx(ctx, s.db.System, func(tx pgx.Tx) error { return askMail(ctx, tx, accountID, kind, now) })
}

// askMail writes the fact in the transaction of what caused it. Each kind has
// a pause of its own, else whoever signs up with somebody's address would keep
// that person from resetting the password.
func askMail(ctx context.Context, tx pgx.Tx, accountID uuid.UUID, kind string, now time.Time) error {
	tag, err := tx.Exec(ctx, `
		INSERT INTO idp_mail_asks AS asks (account_id, kind, asked_at)
		SELECT id, $2, $3 FROM idp_accounts WHERE id = $1 FOR KEY SHARE
		ON CONFLICT (account_id, kind) DO UPDATE SET asked_at = EXCLUDED.asked_at
		WHERE asks.asked_at <= $4`,
		accountID, kind, now, now.Add(-idp.MailPause))
	if err != nil {
		return fmt.Errorf("note mail: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return nil
	}
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("new id: %w", err)
	}
	payload, err := json.Marshal(map[string]uuid.UUID{"account_id": accountID})
	if err != nil {
		return fmt.Errorf("fact: %w", err)
	}
	if _, err := tx.Exec(ctx, `
		INSERT INTO outbox (id, kind, payload, created_at) VALUES ($1, $2, $3, $4)`,
		id, idp.FactPrefix+kind, payload, now); err != nil {
		return fmt.Errorf("insert fact: %w", err)
	}
	return nil
}

// AddMailToken implements idp.Accounts.
func (s *Provider) AddMailToken(ctx context.Context, tokenHash []byte, accountID uuid.UUID, kind string, now, expiresAt time.Time) error {
	_, err := s.db.System.Exec(ctx, `
		INSERT INTO idp_mail_tokens (token_hash, account_id, kind, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5)`, tokenHash, accountID, kind, now, expiresAt)
	if err != nil {
		return fmt.Errorf("add mail token: %w", err)
	}
	return nil
}

// AccountByMailToken implements idp.Accounts.
func (s *Provider) AccountByMailToken(ctx context.Context, tokenHash []byte, kind string, now time.Time) (idp.Account, error) {
	return s.account(ctx, s.db.System, `
		SELECT `+accountColumns+`
		FROM idp_mail_tokens t JOIN idp_accounts a ON a.id = t.account_id
		WHERE t.token_hash = $1 AND t.kind = $2 AND t.expires_at > $3`, tokenHash, kind, now)
}

// takeMailToken removes a live link, which is good once, and gives its
// account, locked. The other links of the kind go with it.
func (s *Provider) takeMailToken(ctx context.Context, tx pgx.Tx, tokenHash []byte, kind string, now time.Time) (idp.Account, error) {
	a, err := s.account(ctx, tx, `
		WITH taken AS (
			DELETE FROM idp_mail_tokens WHERE token_hash = $1 AND kind = $2 AND expires_at > $3
			RETURNING account_id)
		SELECT `+accountColumns+` FROM idp_accounts a JOIN taken ON taken.account_id = a.id
		FOR UPDATE OF a`, tokenHash, kind, now)
	if err != nil {
		return idp.Account{}, err
	}
	if _, err := tx.Exec(ctx, `DELETE FROM idp_mail_tokens WHERE account_id = $1`, a.ID); err != nil {
		return idp.Account{}, fmt.Errorf("drop mail tokens: %w", err)
	}
	return a, nil
}

// ConfirmAddress implements idp.Accounts.
func (s *Provider) ConfirmAddress(ctx context.Context, tokenHash []byte, now time.Time) (idp.Account, error) {
	var confirmed idp.Account
	err := inTx(ctx, s.db.System, func(tx pgx.Tx) error {
		a, err := s.takeMailToken(ctx, tx, tokenHash, idp.MailConfirmAddress, now)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `
			UPDATE idp_accounts SET email_verified = true, browser_hash = NULL, updated_at = $2
			WHERE id = $1`, a.ID, now); err != nil {
			return fmt.Errorf("confirm: %w", err)
		}
		if _, err := tx.Exec(ctx, `
			DELETE FROM idp_accounts WHERE lower(email) = lower($1) AND NOT email_verified`, a.Email); err != nil {
			return fmt.Errorf("drop other sign-ups: %w", err)
		}
		a.EmailVerified = true
		confirmed = a
		return nil
	})
	if violates(err, "idp_accounts_email") {
		return idp.Account{}, idp.ErrAddressTaken
	}
	return confirmed, err
}

// ResetPassword implements idp.Accounts.
func (s *Provider) ResetPassword(ctx context.Context, tokenHash []byte, passwordHash string, now time.Time) (idp.Account, error) {
	var account idp.Account
	err := inTx(ctx, s.db.System, func(tx pgx.Tx) error {
		var err error
		if account, err = s.takeMailToken(ctx, tx, tokenHash, idp.MailResetPassword, now); err != nil {
			return err
		}
		return setPassword(ctx, tx, account.ID, passwordHash, now)
	})
	return account, err
}

// ChangePassword implements idp.Accounts.
func (s *Provider) ChangePassword(ctx context.Context, accountID uuid.UUID, passwordHash string, now time.Time) error {
	return inTx(ctx, s.db.System, func(tx pgx.Tx) error {
		if err := setPassword(ctx, tx, accountID, passwordHash, now); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `DELETE FROM idp_mail_tokens WHERE account_id = $1`, accountID)
		return err
	})
}

// setPassword also ends what was given out under the old one.
func setPassword(ctx context.Context, tx pgx.Tx, accountID uuid.UUID, passwordHash string, now time.Time) error {
	tag, err := tx.Exec(ctx, `
		UPDATE idp_accounts SET password_hash = $2, updated_at = $3 WHERE id = $1`,
		accountID, passwordHash, now)
	if err != nil {
		return fmt.Errorf("set password: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return fault.ErrNotFound
	}
	for _, sql := range []string{
		`DELETE FROM idp_refresh_tokens WHERE account_id = $1`,
		`DELETE FROM idp_auth_requests WHERE account_id = $1`, // codes not yet exchanged
		`DELETE FROM idp_mail_asks WHERE account_id = $1`,     // whoever may set it need not wait
	} {
		if _, err := tx.Exec(ctx, sql, accountID); err != nil {
			return fmt.Errorf("end what the old password gave: %w", err)
		}
	}
	return nil
}

// EnsureAccounts implements idp.Accounts. Who makes the same accounts at the
// same time loses to a unique index and runs again.
func (s *Provider) EnsureAccounts(ctx context.Context, issuer string, accounts []idp.NewAccount, now time.Time) ([]idp.EnsuredAccount, error) {
	for attempt := 1; ; attempt++ {
		var ensured []idp.EnsuredAccount
		err := inTx(ctx, s.db.System, func(tx pgx.Tx) error {
			var err error
			ensured, err = ensureAccounts(ctx, tx, issuer, accounts, now)
			return err
		})
		if err == nil || attempt == maxTxAttempts || !(violates(err, "user_identities_pkey") || violates(err, "users_verified_email")) {
			return ensured, err
		}
	}
}

func ensureAccounts(ctx context.Context, tx pgx.Tx, issuer string, accounts []idp.NewAccount, now time.Time) ([]idp.EnsuredAccount, error) {
	n := len(accounts)
	accountIDs, userIDs := make([]uuid.UUID, n), make([]uuid.UUID, n)
	names, emails := make([]string, n), make([]string, n)
	for i, a := range accounts {
		accountIDs[i], userIDs[i], names[i], emails[i] = a.AccountID, a.UserID, a.Name, a.Email
	}
	if _, err := tx.Exec(ctx, `
		INSERT INTO idp_accounts (id, name, email, email_verified, created_at, updated_at)
		SELECT n.id, n.name, n.email, true, $4::timestamptz, $4
		FROM unnest($1::uuid[], $2::text[], $3::text[]) AS n (id, name, email)
		ON CONFLICT (lower(email)) WHERE email_verified DO NOTHING`,
		accountIDs, names, emails, now); err != nil {
		return nil, fmt.Errorf("insert accounts: %w", err)
	}
	// People for accounts that have none yet; an address that somebody else
	// holds verified stays unverified here, as at any sign-in, and a guest of
	// the address becomes the person.
	if _, err := tx.Exec(ctx, `
		WITH missing AS (
			SELECT DISTINCT ON (a.id) a.id AS account_id, n.user_id, a.name, a.email
			FROM unnest($1::uuid[], $2::text[]) AS n (user_id, email)
			JOIN idp_accounts a ON lower(a.email) = lower(n.email) AND a.email_verified
			WHERE NOT EXISTS (SELECT 1 FROM user_identities i WHERE i.issuer = $3 AND i.subject = a.id::text)
			ORDER BY a.id
		), guests AS (
			UPDATE users u
			SET guest = false, name = m.name, email = m.email, email_verified = true, created_at = $4::timestamptz, updated_at = $4
			FROM missing m
			WHERE u.guest AND lower(u.email) = lower(m.email)
			  AND NOT EXISTS (SELECT 1 FROM users o WHERE lower(o.email) = lower(m.email) AND o.email_verified)
			RETURNING u.id, m.account_id
		), people AS (
			INSERT INTO users (id, name, email, email_verified, created_at, updated_at)
			SELECT m.user_id, m.name, m.email,
			       NOT EXISTS (SELECT 1 FROM users o WHERE lower(o.email) = lower(m.email) AND o.email_verified),
			       $4::timestamptz, $4
			FROM missing m
			WHERE m.account_id NOT IN (SELECT account_id FROM guests)
			RETURNING id
		)
		INSERT INTO user_identities (issuer, subject, user_id, created_at)
		SELECT $3, m.account_id::text, m.user_id, $4 FROM missing m JOIN people p ON p.id = m.user_id
		UNION ALL
		SELECT $3, account_id::text, id, $4 FROM guests`,
		userIDs, emails, issuer, now); err != nil {
		return nil, fmt.Errorf("insert people: %w", err)
	}
	rows, err := tx.Query(ctx, `
		SELECT lower(a.email), a.id, i.user_id, a.password_hash
		FROM idp_accounts a
		JOIN user_identities i ON i.issuer = $2 AND i.subject = a.id::text
		WHERE lower(a.email) = ANY (SELECT lower(e) FROM unnest($1::text[]) AS e) AND a.email_verified`, emails, issuer)
	if err != nil {
		return nil, fmt.Errorf("read accounts: %w", err)
	}
	byEmail := make(map[string]idp.EnsuredAccount, n)
	var email string
	var e idp.EnsuredAccount
	if _, err := pgx.ForEachRow(rows, []any{&email, &e.AccountID, &e.UserID, &e.PasswordHash}, func() error {
		byEmail[email] = e
		return nil
	}); err != nil {
		return nil, fmt.Errorf("read accounts: %w", err)
	}
	ensured := make([]idp.EnsuredAccount, n)
	for i, a := range accounts {
		found, ok := byEmail[strings.ToLower(a.Email)]
		if !ok {
			return nil, fmt.Errorf("account of %d of %d was not made", i+1, n)
		}
		ensured[i] = found
	}
	return ensured, nil
}

const authRequestColumns = `id, browser_hash, client_id, redirect_uri, scopes, state, nonce, code_challenge, login_hint,
	coalesce(account_id, '00000000-0000-0000-0000-000000000000'), coalesce(auth_time, created_at), expires_at`

func (s *Provider) authRequest(ctx context.Context, sql string, args ...any) (idp.AuthRequest, error) {
	var r idp.AuthRequest
	err := s.db.System.QueryRow(ctx, sql, args...).Scan(
		&r.ID, &r.BrowserHash, &r.ClientID, &r.RedirectURI, &r.Scopes, &r.State, &r.Nonce, &r.CodeChallenge, &r.LoginHint,
		&r.AccountID, &r.AuthTime, &r.ExpiresAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return idp.AuthRequest{}, fault.ErrNotFound
	}
	if err != nil {
		return idp.AuthRequest{}, fmt.Errorf("auth request: %w", err)
	}
	return r, nil
}

// CreateAuthRequest implements idp.Requests.
func (s *Provider) CreateAuthRequest(ctx context.Context, r idp.AuthRequest, now time.Time) error {
	_, err := s.db.System.Exec(ctx, `
		INSERT INTO idp_auth_requests
			(id, browser_hash, client_id, redirect_uri, scopes, state, nonce, code_challenge, login_hint, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		r.ID, r.BrowserHash, r.ClientID, r.RedirectURI, r.Scopes, r.State, r.Nonce, r.CodeChallenge, r.LoginHint, now, r.ExpiresAt)
	if err != nil {
		return fmt.Errorf("create auth request: %w", err)
	}
	return nil
}

// AuthRequest implements idp.Requests.
func (s *Provider) AuthRequest(ctx context.Context, id string, browserHash []byte, now time.Time) (idp.AuthRequest, error) {
	return s.authRequest(ctx, `
		SELECT `+authRequestColumns+` FROM idp_auth_requests
		WHERE id = $1 AND browser_hash = $2 AND account_id IS NULL AND expires_at > $3`, id, browserHash, now)
}

// LatestAuthRequest implements idp.Requests.
func (s *Provider) LatestAuthRequest(ctx context.Context, browserHash []byte, now time.Time) (idp.AuthRequest, error) {
	return s.authRequest(ctx, `
		SELECT `+authRequestColumns+` FROM idp_auth_requests
		WHERE browser_hash = $1 AND account_id IS NULL AND expires_at > $2
		ORDER BY created_at DESC LIMIT 1`, browserHash, now)
}

// FinishAuthRequest implements idp.Requests.
func (s *Provider) FinishAuthRequest(ctx context.Context, id string, browserHash []byte, accountID uuid.UUID, codeHash []byte, now, codeExpiresAt time.Time) (idp.AuthRequest, error) {
	return s.authRequest(ctx, `
		UPDATE idp_auth_requests
		SET account_id = $3, code_hash = $4, auth_time = $5, expires_at = $6
		WHERE id = $1 AND browser_hash = $2 AND account_id IS NULL AND expires_at > $5
		RETURNING `+authRequestColumns, id, browserHash, accountID, codeHash, now, codeExpiresAt)
}

// TakeAuthRequest implements idp.Requests.
func (s *Provider) TakeAuthRequest(ctx context.Context, codeHash []byte, now time.Time) (idp.AuthRequest, error) {
	return s.authRequest(ctx, `
		DELETE FROM idp_auth_requests WHERE code_hash = $1 AND expires_at > $2
		RETURNING `+authRequestColumns, codeHash, now)
}

// AddRefreshToken implements idp.RefreshTokens.
func (s *Provider) AddRefreshToken(ctx context.Context, tokenHash []byte, t idp.RefreshToken, now time.Time) error {
	if _, err := s.db.System.Exec(ctx, insertRefreshToken,
		tokenHash, t.Family, t.AccountID, t.ClientID, t.Scopes, t.AuthTime, now, t.ExpiresAt); err != nil {
		return fmt.Errorf("add refresh token: %w", err)
	}
	return nil
}

const insertRefreshToken = `
	INSERT INTO idp_refresh_tokens (token_hash, family, account_id, client_id, scopes, auth_time, created_at, expires_at)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`

// voided marks a refresh token whose successor's place another one took; it
// was never used and must not be.
const voided = "'-infinity'"

// RotateRefreshToken implements idp.RefreshTokens. A reuse ends the family in
// a transaction that is committed, so it is told beside the error. The lock on
// the family makes uses of its tokens follow each other: a token and its
// successor must not both be good.
func (s *Provider) RotateRefreshToken(ctx context.Context, oldHash, newHash []byte, clientID string, now, expiresAt, forgetBefore time.Time) (idp.RefreshToken, error) {
	var t idp.RefreshToken
	var reused bool
	err := inTx(ctx, s.db.System, func(tx pgx.Tx) error {
		reused = false
		var used, last bool
		if _, err := tx.Exec(ctx, `
			SELECT pg_advisory_xact_lock(hashtextextended('refresh tokens ' || family, 0))
			FROM idp_refresh_tokens WHERE token_hash = $1`, oldHash); err != nil {
			return fmt.Errorf("lock refresh tokens: %w", err)
		}
		err := tx.QueryRow(ctx, `
			SELECT t.family, t.account_id, t.client_id, t.scopes, t.auth_time, t.used_at IS NOT NULL,
			       NOT EXISTS (SELECT 1 FROM idp_refresh_tokens later
			                   WHERE later.family = t.family AND later.used_at > t.used_at)
			FROM idp_refresh_tokens t
			WHERE t.token_hash = $1 AND t.client_id = $2 AND t.expires_at > $3
			FOR UPDATE OF t`, oldHash, clientID, now,
		).Scan(&t.Family, &t.AccountID, &t.ClientID, &t.Scopes, &t.AuthTime, &used, &last)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return fault.ErrNotFound
		case err != nil:
			return fmt.Errorf("read refresh token: %w", err)
		case used && !last:
			reused = true
			_, err := tx.Exec(ctx, `DELETE FROM idp_refresh_tokens WHERE family = $1`, t.Family)
			return err
		}
		return rotate(ctx, tx, &t, oldHash, newHash, now, expiresAt, forgetBefore)
	})
	if err == nil && reused {
		return idp.RefreshToken{}, idp.ErrTokenReused
	}
	return t, err
}

// rotate uses the token and puts the next one in the place of a successor that
// never reached anybody.
func rotate(ctx context.Context, tx pgx.Tx, t *idp.RefreshToken, oldHash, newHash []byte, now, expiresAt, forgetBefore time.Time) error {
	if _, err := tx.Exec(ctx, `
		UPDATE idp_refresh_tokens SET used_at = `+voided+`
		WHERE family = $1 AND used_at IS NULL AND token_hash <> $2`, t.Family, oldHash); err != nil {
		return fmt.Errorf("void successor: %w", err)
	}
	if _, err := tx.Exec(ctx, `UPDATE idp_refresh_tokens SET used_at = $2 WHERE token_hash = $1`, oldHash, now); err != nil {
		return fmt.Errorf("use refresh token: %w", err)
	}
	if _, err := tx.Exec(ctx, `
		DELETE FROM idp_refresh_tokens
		WHERE family = $1 AND token_hash <> $2
		  AND (used_at < $3 AND used_at > `+voided+` OR used_at = `+voided+` AND created_at < $3)`,
		t.Family, oldHash, forgetBefore); err != nil {
		return fmt.Errorf("forget refresh tokens: %w", err)
	}
	t.ExpiresAt = expiresAt
	_, err := tx.Exec(ctx, insertRefreshToken, newHash, t.Family, t.AccountID, t.ClientID, t.Scopes, t.AuthTime, now, expiresAt)
	return err
}

// RevokeRefreshToken implements idp.RefreshTokens.
func (s *Provider) RevokeRefreshToken(ctx context.Context, tokenHash []byte, clientID string) error {
	_, err := s.db.System.Exec(ctx, `
		DELETE FROM idp_refresh_tokens WHERE family =
			(SELECT family FROM idp_refresh_tokens WHERE token_hash = $1 AND client_id = $2)`, tokenHash, clientID)
	return err
}

// RevokeRefreshFamily implements idp.RefreshTokens.
func (s *Provider) RevokeRefreshFamily(ctx context.Context, accountID, family uuid.UUID) error {
	_, err := s.db.System.Exec(ctx, `
		DELETE FROM idp_refresh_tokens WHERE account_id = $1 AND family = $2`, accountID, family)
	return err
}

// EnsureKey implements idp.Keys.
func (s *Provider) EnsureKey(ctx context.Context, k idp.Key, now time.Time) (idp.Key, error) {
	if len(k.Secret) > 0 {
		if _, err := s.db.System.Exec(ctx, `
			INSERT INTO idp_keys (id, purpose, secret, created_at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (purpose) WHERE retired_at IS NULL DO NOTHING`, k.ID, k.Purpose, k.Secret, now); err != nil {
			return idp.Key{}, fmt.Errorf("insert key: %w", err)
		}
	}
	found := idp.Key{Purpose: k.Purpose}
	err := s.db.System.QueryRow(ctx, `
		SELECT id, secret FROM idp_keys WHERE purpose = $1 AND retired_at IS NULL`, k.Purpose).Scan(&found.ID, &found.Secret)
	if errors.Is(err, pgx.ErrNoRows) {
		return idp.Key{}, fault.ErrNotFound
	}
	if err != nil {
		return idp.Key{}, fmt.Errorf("read key: %w", err)
	}
	return found, nil
}

// Sweep implements idp.Store.
func (s *Provider) Sweep(ctx context.Context, now time.Time, limit int) (int, error) {
	most := 0
	for _, sweep := range []struct {
		sql   string
		until time.Time
	}{
		{`DELETE FROM idp_auth_requests WHERE id IN (
			SELECT id FROM idp_auth_requests WHERE expires_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED)`, now},
		{`DELETE FROM idp_refresh_tokens WHERE token_hash IN (
			SELECT token_hash FROM idp_refresh_tokens WHERE expires_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED)`, now},
		{`DELETE FROM idp_mail_tokens WHERE token_hash IN (
			SELECT token_hash FROM idp_mail_tokens WHERE expires_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED)`, now},
		{`DELETE FROM idp_accounts WHERE id IN (
			SELECT id FROM idp_accounts WHERE NOT email_verified AND created_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED)`,
			now.Add(-idp.UnconfirmedKept)},
	} {
		tag, err := execFenced(ctx, s.db.System, sweep.sql, sweep.until, limit)
		if err != nil {
			return most, fmt.Errorf("sweep: %w", err)
		}
		most = max(most, int(tag.RowsAffected()))
	}
	return most, nil
}
