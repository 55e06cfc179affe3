-- +goose Up

-- Two plain roles: requests run as happening_app, the allocator's batches,
-- the relay and the jobs as happening_system. Neither owns a table, so no
-- privilege below can be side-stepped. Roles belong to the cluster, which may
-- hold several databases of ours.
-- +goose StatementBegin
DO $$
BEGIN
  PERFORM pg_advisory_xact_lock(7227001);
  IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'happening_app') THEN
    CREATE ROLE happening_app LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
  END IF;
  IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'happening_system') THEN
    CREATE ROLE happening_system LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
  END IF;
END $$;
-- +goose StatementEnd

-- ── people ────────────────────────────────────────────────────────────────
CREATE TABLE users (
  id             uuid PRIMARY KEY,
  name           text        NOT NULL,
  email          text        NOT NULL,
  email_verified boolean     NOT NULL DEFAULT false,
  created_at     timestamptz NOT NULL DEFAULT now(),
  updated_at     timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX users_verified_email ON users (lower(email)) WHERE email_verified;
CREATE INDEX users_email ON users (lower(email));
COMMENT ON COLUMN users.email_verified IS 'An address counts for nothing until the identity provider says that it is verified.';

CREATE TABLE user_identities (
  issuer     text        NOT NULL,
  subject    text        NOT NULL,
  user_id    uuid        NOT NULL REFERENCES users ON DELETE CASCADE,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (issuer, subject)
);
CREATE INDEX user_identities_user ON user_identities (user_id);

-- ── organizations ─────────────────────────────────────────────────────────
CREATE TABLE organizations (
  id           uuid PRIMARY KEY,
  name         text        NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
  created_by   uuid        NOT NULL,
  created_at   timestamptz NOT NULL DEFAULT now(),
  suspended_at timestamptz
);

CREATE TABLE organization_users (
  org_id     uuid        NOT NULL REFERENCES organizations ON DELETE CASCADE,
  user_id    uuid        NOT NULL REFERENCES users ON DELETE CASCADE,
  role       text        NOT NULL CHECK (role IN ('orgAdmin', 'organizer', 'user')),
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (org_id, user_id)
);
CREATE INDEX organization_users_user ON organization_users (user_id);

CREATE TABLE organization_invites (
  id          uuid PRIMARY KEY,
  org_id      uuid        NOT NULL REFERENCES organizations ON DELETE CASCADE,
  email       text        NOT NULL,
  role        text        NOT NULL CHECK (role IN ('orgAdmin', 'organizer', 'user')),
  status      text        NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'accepted', 'rejected', 'revoked')),
  token_hash  bytea,
  invited_by  uuid        NOT NULL,
  created_at  timestamptz NOT NULL DEFAULT now(),
  expires_at  timestamptz NOT NULL,
  answered_at timestamptz,
  answered_by uuid
);
CREATE UNIQUE INDEX organization_invites_pending ON organization_invites (org_id, lower(email)) WHERE status = 'pending';
CREATE INDEX organization_invites_email ON organization_invites (lower(email)) WHERE status = 'pending';
CREATE UNIQUE INDEX organization_invites_token ON organization_invites (token_hash) WHERE token_hash IS NOT NULL;

-- ── events ────────────────────────────────────────────────────────────────
CREATE TABLE events (
  id                 uuid PRIMARY KEY,
  org_id             uuid        NOT NULL REFERENCES organizations,
  name               text        NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
  description        text        NOT NULL DEFAULT '',
  category           text        NOT NULL,
  venue              text        NOT NULL DEFAULT '',
  starts_at          timestamptz NOT NULL,
  ends_at            timestamptz NOT NULL,
  time_zone          text        NOT NULL,
  total_slots        int         NOT NULL CHECK (total_slots BETWEEN 1 AND 1000000),
  available_slots    int         NOT NULL CHECK (available_slots BETWEEN 0 AND total_slots),
  max_seats_per_user int                  CHECK (max_seats_per_user >= 1),
  visibility         text        NOT NULL CHECK (visibility IN ('public', 'members')),
  waitlist_policy    text        NOT NULL CHECK (waitlist_policy IN ('strict', 'fit')),
  status             text        NOT NULL DEFAULT 'upcoming' CHECK (status IN ('upcoming', 'ongoing', 'completed', 'cancelled')),
  cancelled_at       timestamptz,
  version            bigint      NOT NULL DEFAULT 1,
  revision           bigint      NOT NULL DEFAULT 1,
  last_waiting       bigint      NOT NULL DEFAULT 0,
  waiting_parties    int         NOT NULL DEFAULT 0 CHECK (waiting_parties >= 0),
  created_by         uuid        NOT NULL,
  created_at         timestamptz NOT NULL DEFAULT now(),
  updated_at         timestamptz NOT NULL DEFAULT now(),
  search             tsvector    NOT NULL GENERATED ALWAYS AS (to_tsvector('simple', name || ' ' || venue || ' ' || category)) STORED,
  CHECK (ends_at > starts_at),
  CHECK ((status = 'cancelled') = (cancelled_at IS NOT NULL)),
  UNIQUE (org_id, id)
) WITH (fillfactor = 20, toast_tuple_target = 256);
CREATE INDEX events_start ON events (starts_at, id);
CREATE INDEX events_org_start ON events (org_id, starts_at, id);
CREATE INDEX events_search ON events USING gin (search);
CREATE INDEX events_waiting ON events (id) WHERE waiting_parties > 0;
CREATE INDEX events_cancelled ON events (id) WHERE cancelled_at IS NOT NULL;
COMMENT ON TABLE events IS 'The row that every sale locks and moves: kept short (long texts go to TOAST) and with room on its page, so that a sale is a HOT update.';
COMMENT ON COLUMN events.version IS 'Moves with every change of seats, waitlist or settings; a writer that saw an older one must look again.';
COMMENT ON COLUMN events.revision IS 'Moves with the settings only; the ETag that clients see.';
COMMENT ON COLUMN events.status IS 'Follows the clock within a minute, for those who read the table; every rule asks the clock.';
COMMENT ON COLUMN events.last_waiting IS 'The highest waiting number that was ever given.';

-- ── bookings: the hot tables carry org_id without foreign keys (three of
--    them cost 40 % of the speed); happening check answers for them ────────
CREATE TABLE bookings (
  id             uuid PRIMARY KEY,
  org_id         uuid        NOT NULL,
  event_id       uuid        NOT NULL,
  user_id        uuid        NOT NULL,
  seats          int         NOT NULL CHECK (seats >= 1),
  status         text        NOT NULL CHECK (status IN ('confirmed', 'waiting', 'cancelled')),
  waiting_number bigint,
  reason         text        NOT NULL DEFAULT '',
  created_at     timestamptz NOT NULL,
  updated_at     timestamptz NOT NULL,
  CHECK (status <> 'waiting' OR waiting_number IS NOT NULL)
);
CREATE INDEX bookings_user ON bookings (user_id, id);
CREATE INDEX bookings_event ON bookings (event_id, id);
CREATE UNIQUE INDEX bookings_waitlist ON bookings (event_id, waiting_number) WHERE status = 'waiting';
COMMENT ON COLUMN bookings.waiting_number IS 'Given on joining the waitlist and kept for good, also after promotion.';
COMMENT ON COLUMN bookings.reason IS 'Why it was cancelled where nobody asked for it, such as event_started.';

CREATE TABLE booking_seats (
  org_id     uuid NOT NULL,
  event_id   uuid NOT NULL,
  booking_id uuid NOT NULL,
  user_id    uuid NOT NULL,
  seat_no    int  NOT NULL CHECK (seat_no >= 1),
  status     text NOT NULL CHECK (status IN ('booked', 'cancelled'))
);
CREATE UNIQUE INDEX booking_seats_live ON booking_seats (event_id, seat_no) WHERE status = 'booked';
CREATE INDEX booking_seats_booking ON booking_seats (booking_id);
COMMENT ON INDEX booking_seats_live IS 'The last word on "nobody ever gets a seat twice".';

CREATE TABLE booking_history (
  id              uuid PRIMARY KEY,
  org_id          uuid        NOT NULL,
  event_id        uuid        NOT NULL,
  booking_id      uuid        NOT NULL,
  user_id         uuid        NOT NULL,
  actor_id        uuid,
  action          text        NOT NULL,
  details         jsonb       NOT NULL,
  idempotency_key text,
  request_hash    bytea,
  created_at      timestamptz NOT NULL
);
CREATE INDEX booking_history_booking ON booking_history (booking_id, id);
CREATE UNIQUE INDEX booking_history_key ON booking_history (actor_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
COMMENT ON TABLE booking_history IS 'Append-only by privilege. An idempotency key stands with the change that it caused.';
COMMENT ON COLUMN booking_history.actor_id IS 'Who did it; null: the system did.';

CREATE TABLE event_changes (
  event_id   uuid        NOT NULL,
  version    bigint      NOT NULL,
  changes    bytea       NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (event_id, version)
);
COMMENT ON TABLE event_changes IS 'What each version changed, so that another replica catches up without reloading the event; kept for minutes.';

-- ── facts and messages ────────────────────────────────────────────────────
CREATE TABLE outbox (
  id         uuid PRIMARY KEY,
  org_id     uuid,
  kind       text        NOT NULL,
  event_id   uuid,
  booking_id uuid,
  user_id    uuid,
  payload    jsonb       NOT NULL,
  created_at timestamptz NOT NULL,
  relayed_at timestamptz
);
CREATE INDEX outbox_pending ON outbox (org_id, id) WHERE relayed_at IS NULL;
COMMENT ON TABLE outbox IS 'Facts, written in the transaction of the change that they tell of; claimed with SKIP LOCKED, never read by id > last. A booking''s fact has the id of its history row.';

CREATE TABLE notifications (
  id           uuid PRIMARY KEY,
  fact_id      uuid        NOT NULL,
  org_id       uuid,
  event_id     uuid,
  booking_id   uuid,
  user_id      uuid,
  channel      text        NOT NULL CHECK (channel IN ('app', 'email')),
  type         text        NOT NULL,
  title        text        NOT NULL,
  message      text        NOT NULL,
  link         text        NOT NULL DEFAULT '',
  recipient    text        NOT NULL DEFAULT '',
  details      jsonb       NOT NULL DEFAULT '{}',
  status       text        NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'sent', 'failed')),
  attempts     int         NOT NULL DEFAULT 0,
  last_error   text        NOT NULL DEFAULT '',
  next_try_at  timestamptz,
  created_at   timestamptz NOT NULL DEFAULT now(),
  sent_at      timestamptz,
  read_at      timestamptz
);
CREATE UNIQUE INDEX notifications_once ON notifications (fact_id, user_id, channel) WHERE user_id IS NOT NULL;
CREATE UNIQUE INDEX notifications_once_address ON notifications (fact_id, recipient, channel) WHERE user_id IS NULL;
CREATE INDEX notifications_bell ON notifications (user_id, id) WHERE channel = 'app';
CREATE INDEX notifications_unread ON notifications (user_id) WHERE channel = 'app' AND read_at IS NULL;
CREATE INDEX notifications_due ON notifications (next_try_at) WHERE status = 'pending';
COMMENT ON COLUMN notifications.recipient IS 'The address, only where there is no user yet (an invitation); else it is looked up when the mail is sent.';

-- ── audit ─────────────────────────────────────────────────────────────────
CREATE TABLE audit_log (
  id         uuid PRIMARY KEY,
  org_id     uuid        NOT NULL,
  actor_id   uuid,
  action     text        NOT NULL,
  subject_id uuid        NOT NULL,
  before     jsonb,
  after      jsonb,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX audit_log_org ON audit_log (org_id, id);
COMMENT ON TABLE audit_log IS 'Append-only by privilege; holds ids, never names or addresses.';

-- ── privileges: history and audit can only be appended to ────────────────
GRANT SELECT, INSERT, UPDATE, DELETE ON
  users, user_identities, organizations, organization_users, organization_invites,
  events, outbox, notifications
  TO happening_app, happening_system;
GRANT SELECT ON bookings, booking_seats, event_changes TO happening_app;
GRANT SELECT, INSERT, UPDATE ON bookings, booking_seats TO happening_system;
GRANT SELECT, INSERT, DELETE ON event_changes TO happening_system;
GRANT SELECT ON booking_history TO happening_app;
GRANT SELECT, INSERT ON booking_history TO happening_system;
GRANT SELECT, INSERT ON audit_log TO happening_app, happening_system;
