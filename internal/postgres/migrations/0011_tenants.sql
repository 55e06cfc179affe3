-- +goose Up

-- ── organizations: their public page and settings ─────────────────────────
ALTER TABLE organizations
  ADD COLUMN about               text        NOT NULL DEFAULT '',
  ADD COLUMN contact_email       text        NOT NULL DEFAULT '',
  ADD COLUMN website             text        NOT NULL DEFAULT '',
  ADD COLUMN color               text        NOT NULL DEFAULT '' CHECK (color = '' OR color ~ '^#[0-9a-f]{6}$'),
  ADD COLUMN time_zone           text        NOT NULL DEFAULT '',
  ADD COLUMN logo_version        text        NOT NULL DEFAULT '',
  ADD COLUMN revision            bigint      NOT NULL DEFAULT 1,
  ADD COLUMN standing_changed_at timestamptz;
CREATE INDEX organizations_suspended ON organizations (id) WHERE suspended_at IS NOT NULL;
COMMENT ON COLUMN organizations.about IS 'Markdown without HTML, on the public page.';
COMMENT ON COLUMN organizations.time_zone IS 'IANA; what a new event begins with. Empty: none chosen.';
COMMENT ON COLUMN organizations.logo_version IS 'A part of the logo''s hash, which names it in its address; empty: there is none.';
COMMENT ON COLUMN organizations.revision IS 'Moves with the settings; the ETag that clients see.';
COMMENT ON COLUMN organizations.standing_changed_at IS 'When the operator last suspended or resumed it.';

CREATE TABLE organization_logos (
  org_id     uuid        PRIMARY KEY REFERENCES organizations ON DELETE CASCADE,
  image      bytea       NOT NULL,
  updated_at timestamptz NOT NULL
);
COMMENT ON TABLE organization_logos IS 'PNG, made anew from what was uploaded.';

-- ── invites: sent again by hand ───────────────────────────────────────────
ALTER TABLE organization_invites
  ADD COLUMN sent_at timestamptz,
  ADD COLUMN sends   int NOT NULL DEFAULT 1 CHECK (sends >= 1);
COMMENT ON COLUMN organization_invites.sent_at IS 'When the mail was last asked for; null: when the invite was made.';
COMMENT ON COLUMN organization_invites.sends IS 'How often a mail was asked for.';

-- ── people: a name of one's own, what one wants to hear of, erasure ────────
ALTER TABLE users
  ADD COLUMN name_chosen boolean NOT NULL DEFAULT false,
  ADD COLUMN erased_at   timestamptz;
CREATE INDEX users_erased ON users (erased_at) WHERE erased_at IS NOT NULL;
COMMENT ON COLUMN users.name_chosen IS 'The person chose the name here; what the provider calls them no longer counts.';
COMMENT ON COLUMN users.erased_at IS 'When the person had everything about them erased. What is left is an id, to which bookings, history and audit refer.';

CREATE TABLE notification_preferences (
  user_id uuid    NOT NULL REFERENCES users ON DELETE CASCADE,
  type    text    NOT NULL,
  channel text    NOT NULL CHECK (channel IN ('app', 'email')),
  wanted  boolean NOT NULL,
  PRIMARY KEY (user_id, type, channel)
);
COMMENT ON TABLE notification_preferences IS 'Only what differs from the default, by which everything is told.';

-- ── audit: by thing, for the record of one event or member ────────────────
CREATE INDEX audit_log_subject ON audit_log (org_id, subject_id, id);

GRANT SELECT, INSERT, UPDATE, DELETE ON organization_logos, notification_preferences TO happening_app, happening_system;
