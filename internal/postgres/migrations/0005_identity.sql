-- +goose Up

-- ── identities of the embedded provider stand under one constant key ──────
-- The address of the installation was a part of the key, so a changed address
-- made strangers of everybody. The old rows are copied and not moved: the
-- previous binary still finds its people by them. Where a changed address has
-- made a second person of one account, the first one is meant.
INSERT INTO user_identities (issuer, subject, user_id, created_at)
SELECT DISTINCT ON (i.subject) 'embedded', i.subject, i.user_id, i.created_at
FROM user_identities i
JOIN idp_accounts a ON a.id::text = i.subject
WHERE i.issuer LIKE '%/idp'
ORDER BY i.subject, i.created_at, i.user_id;

UPDATE sessions s
SET issuer = 'embedded'
FROM idp_accounts a
WHERE a.id::text = s.subject AND s.issuer LIKE '%/idp';

COMMENT ON COLUMN user_identities.issuer IS 'The issuer''s address; of the embedded provider "embedded", whatever address it is reached by.';
COMMENT ON COLUMN sessions.issuer IS 'As in user_identities.';

-- ── mails pause by account and kind ───────────────────────────────────────
CREATE TABLE idp_mail_asks (
  account_id uuid        NOT NULL REFERENCES idp_accounts ON DELETE CASCADE,
  kind       text        NOT NULL CHECK (kind IN ('confirm_address', 'reset_password', 'already_registered')),
  asked_at   timestamptz NOT NULL,
  PRIMARY KEY (account_id, kind)
);
COMMENT ON TABLE idp_mail_asks IS 'When a mail of a kind was last asked for, so that nobody can have an address flooded; by kind, so that nobody can hold one kind up by asking for another.';
COMMENT ON COLUMN idp_accounts.mailed_at IS 'Only the previous binary reads and writes it; see idp_mail_asks.';
GRANT SELECT, INSERT, UPDATE, DELETE ON idp_mail_asks TO happening_system;
