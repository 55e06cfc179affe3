-- +goose Up

-- ── the embedded OpenID provider: read and written by the system role only ─
CREATE TABLE idp_accounts (
  id             uuid PRIMARY KEY,
  name           text        NOT NULL,
  email          text        NOT NULL,
  email_verified boolean     NOT NULL DEFAULT false,
  password_hash  text        NOT NULL DEFAULT '',
  browser_hash   bytea,
  mailed_at      timestamptz,
  created_at     timestamptz NOT NULL,
  updated_at     timestamptz NOT NULL
);
CREATE UNIQUE INDEX idp_accounts_email ON idp_accounts (lower(email)) WHERE email_verified;
CREATE INDEX idp_accounts_pending ON idp_accounts (lower(email), created_at) WHERE NOT email_verified;
CREATE INDEX idp_accounts_unconfirmed ON idp_accounts (created_at) WHERE NOT email_verified;
COMMENT ON TABLE idp_accounts IS 'Several unconfirmed sign-ups may name one address, each with its own password; whoever confirms first has it, and nobody can leave a password behind on an address that somebody else confirms.';
COMMENT ON COLUMN idp_accounts.password_hash IS 'argon2id in PHC form; empty: no password, so no sign-in until one was set through a mailed link.';
COMMENT ON COLUMN idp_accounts.browser_hash IS 'The browser that signed up; in it, the mailed link alone confirms, elsewhere the password is asked as well.';
COMMENT ON COLUMN idp_accounts.mailed_at IS 'When the last mail was asked for, so that nobody can have an address flooded.';

CREATE TABLE idp_keys (
  id         text        PRIMARY KEY,
  purpose    text        NOT NULL CHECK (purpose IN ('sign', 'derive')),
  secret     bytea       NOT NULL,
  created_at timestamptz NOT NULL,
  retired_at timestamptz
);
CREATE UNIQUE INDEX idp_keys_current ON idp_keys (purpose) WHERE retired_at IS NULL;
COMMENT ON TABLE idp_keys IS 'The RSA key that signs tokens (PKCS #8) and the secret from which form tokens and the client secret are derived.';

CREATE TABLE idp_auth_requests (
  id             text        PRIMARY KEY,
  browser_hash   bytea       NOT NULL,
  client_id      text        NOT NULL,
  redirect_uri   text        NOT NULL,
  scopes         text[]      NOT NULL,
  state          text        NOT NULL,
  nonce          text        NOT NULL,
  code_challenge text        NOT NULL CHECK (code_challenge <> ''),
  login_hint     text        NOT NULL DEFAULT '',
  account_id     uuid        REFERENCES idp_accounts ON DELETE CASCADE,
  auth_time      timestamptz,
  code_hash      bytea,
  created_at     timestamptz NOT NULL,
  expires_at     timestamptz NOT NULL,
  CHECK ((account_id IS NULL) = (code_hash IS NULL))
);
CREATE UNIQUE INDEX idp_auth_requests_code ON idp_auth_requests (code_hash) WHERE code_hash IS NOT NULL;
CREATE INDEX idp_auth_requests_browser ON idp_auth_requests (browser_hash, created_at);
CREATE INDEX idp_auth_requests_expiry ON idp_auth_requests (expires_at);
COMMENT ON COLUMN idp_auth_requests.browser_hash IS 'The browser that began; nobody finishes a sign-in that another browser began.';

CREATE TABLE idp_refresh_tokens (
  token_hash bytea       PRIMARY KEY,
  family     uuid        NOT NULL,
  account_id uuid        NOT NULL REFERENCES idp_accounts ON DELETE CASCADE,
  client_id  text        NOT NULL,
  scopes     text[]      NOT NULL,
  auth_time  timestamptz NOT NULL,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  used_at    timestamptz
);
CREATE INDEX idp_refresh_tokens_family ON idp_refresh_tokens (family);
CREATE INDEX idp_refresh_tokens_account ON idp_refresh_tokens (account_id);
CREATE INDEX idp_refresh_tokens_expiry ON idp_refresh_tokens (expires_at);
COMMENT ON COLUMN idp_refresh_tokens.used_at IS 'A used token is kept: presented again, it gives away a theft and ends its family.';

CREATE TABLE idp_mail_tokens (
  token_hash bytea       PRIMARY KEY,
  account_id uuid        NOT NULL REFERENCES idp_accounts ON DELETE CASCADE,
  kind       text        NOT NULL CHECK (kind IN ('confirm_address', 'reset_password')),
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL
);
CREATE INDEX idp_mail_tokens_account ON idp_mail_tokens (account_id, kind);
CREATE INDEX idp_mail_tokens_expiry ON idp_mail_tokens (expires_at);
COMMENT ON TABLE idp_mail_tokens IS 'Hashes of the secrets in mailed links, minted when the mail is sent.';

-- ── sessions of browsers at the application itself ────────────────────────
CREATE TABLE sessions (
  id           uuid PRIMARY KEY,
  token_hash   bytea       NOT NULL,
  user_id      uuid        NOT NULL REFERENCES users ON DELETE CASCADE,
  issuer       text        NOT NULL,
  subject      text        NOT NULL,
  id_token     text        NOT NULL,
  user_agent   text        NOT NULL DEFAULT '',
  created_at   timestamptz NOT NULL,
  last_seen_at timestamptz NOT NULL,
  expires_at   timestamptz NOT NULL
);
CREATE UNIQUE INDEX sessions_token ON sessions (token_hash);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_subject ON sessions (issuer, subject);
CREATE INDEX sessions_expiry ON sessions (expires_at);
CREATE INDEX sessions_idle ON sessions (last_seen_at);
COMMENT ON COLUMN sessions.token_hash IS 'SHA-256 of the 256 random bits in the cookie; the table gives no session away.';
COMMENT ON COLUMN sessions.id_token IS 'Tells the provider at sign-out which sign-in is meant; expired long before.';
COMMENT ON COLUMN sessions.last_seen_at IS 'Moves at most once a minute.';

GRANT SELECT, INSERT, UPDATE, DELETE ON sessions TO happening_app, happening_system;
GRANT SELECT, INSERT, UPDATE, DELETE ON
  idp_accounts, idp_keys, idp_auth_requests, idp_refresh_tokens, idp_mail_tokens
  TO happening_system;
