-- +goose Up

-- ── sessions follow the person's standing at the provider ─────────────────
-- The columns are empty for sessions from before and for those that the
-- previous binary makes: such a session has nothing to be confirmed with and
-- goes on to its own end.
ALTER TABLE sessions
  ADD COLUMN provider_session text NOT NULL DEFAULT '',
  ADD COLUMN refresh_token    bytea,
  ADD COLUMN confirmed_at     timestamptz,
  ADD COLUMN renew_at         timestamptz,
  ADD COLUMN renew_failures   int  NOT NULL DEFAULT 0 CHECK (renew_failures >= 0),
  ADD COLUMN failing_since    timestamptz,
  ADD CONSTRAINT sessions_renewal CHECK ((refresh_token IS NULL) = (renew_at IS NULL)),
  ADD CONSTRAINT sessions_failing CHECK ((renew_failures = 0) = (failing_since IS NULL));
CREATE INDEX sessions_provider ON sessions (issuer, provider_session) WHERE provider_session <> '';
COMMENT ON COLUMN sessions.provider_session IS 'The sid of the provider''s session, by which it signs out from its side.';
COMMENT ON COLUMN sessions.refresh_token IS 'Sealed with a key that comes from the client''s secret and bound to this row; each sealing differs, so it also says which renewal was the last.';
COMMENT ON COLUMN sessions.confirmed_at IS 'When the provider last said that the sign-in still stands.';
COMMENT ON COLUMN sessions.renew_at IS 'From when on a use asks the provider again; whoever asks moves it first, so that one process asks at a time.';
COMMENT ON COLUMN sessions.failing_since IS 'Since when the provider was asked and gave no answer that decides.';

-- Sign-outs that the provider told of. They are kept for minutes: one that is
-- told twice has no second effect, and one that overtakes the last step of its
-- sign-in still ends it.
CREATE TABLE signin_logouts (
  issuer           text        NOT NULL,
  token_hash       bytea       NOT NULL,
  subject          text        NOT NULL,
  provider_session text        NOT NULL,
  issued_at        timestamptz NOT NULL,
  kept_until       timestamptz NOT NULL,
  PRIMARY KEY (issuer, token_hash)
);
CREATE INDEX signin_logouts_session ON signin_logouts (issuer, provider_session) WHERE provider_session <> '';
CREATE INDEX signin_logouts_subject ON signin_logouts (issuer, subject) WHERE provider_session = '';
CREATE INDEX signin_logouts_over ON signin_logouts (kept_until);
COMMENT ON COLUMN signin_logouts.token_hash IS 'SHA-256 of the logout token''s jti.';
COMMENT ON COLUMN signin_logouts.provider_session IS 'The sid that ended; empty: all sessions of the subject that began until issued_at.';
GRANT SELECT, INSERT, UPDATE, DELETE ON signin_logouts TO happening_app, happening_system;

-- ── people who move to another provider ───────────────────────────────────
ALTER TABLE user_identities
  ADD COLUMN linked_by text CHECK (linked_by IN ('verified_email'));
CREATE UNIQUE INDEX user_identities_linked ON user_identities (issuer, user_id) WHERE linked_by IS NOT NULL;
COMMENT ON COLUMN user_identities.linked_by IS 'By which rule an existing person got this identity; null: the person was made with it. Once per person and issuer.';

CREATE TABLE user_audit (
  id         uuid PRIMARY KEY,
  user_id    uuid        NOT NULL,
  action     text        NOT NULL,
  issuer     text        NOT NULL,
  rule       text        NOT NULL,
  created_at timestamptz NOT NULL
);
CREATE INDEX user_audit_user ON user_audit (user_id, id);
COMMENT ON TABLE user_audit IS 'What was done to people themselves, outside of any organization. Append-only by privilege; holds ids, never names, addresses or a provider''s subject, which may be one.';
GRANT SELECT, INSERT ON user_audit TO happening_app, happening_system;
