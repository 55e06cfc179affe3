-- +goose Up

-- ── who leads: a row, not a session's lock, so that it works behind a pooler
--    and ends by itself ─────────────────────────────────────────────────────
CREATE TABLE leases (
  name       text        PRIMARY KEY,
  holder     uuid,
  fence      bigint      NOT NULL CHECK (fence >= 1),
  expires_at timestamptz NOT NULL,
  UNIQUE (name, fence)
);
COMMENT ON TABLE leases IS 'Who does what only one process may do; taken and renewed by the database''s clock.';
COMMENT ON COLUMN leases.holder IS 'The process that has it; null: given up.';
COMMENT ON COLUMN leases.fence IS 'Rises with every taking. A job writes only while its number stands here, so that a holder that was frozen and replaced writes nothing.';
COMMENT ON CONSTRAINT leases_name_fence_key ON leases IS 'Makes a taking change a key: it waits for the transactions of jobs, which lock the row FOR KEY SHARE, while a renewal does not.';
GRANT SELECT, INSERT, UPDATE ON leases TO happening_system;

-- ── which processes run on this database ──────────────────────────────────
CREATE TABLE replicas (
  id          uuid PRIMARY KEY,
  coordinated boolean     NOT NULL,
  host        text        NOT NULL,
  pid         int         NOT NULL,
  version     text        NOT NULL,
  started_at  timestamptz NOT NULL,
  seen_at     timestamptz NOT NULL
);
COMMENT ON TABLE replicas IS 'The processes on this database, each renewing its row while it lives.';
COMMENT ON COLUMN replicas.coordinated IS 'Holds and limits are shared with others through Redis; a process without tolerates no other.';
GRANT SELECT, INSERT, UPDATE, DELETE ON replicas TO happening_system;

-- A login that is only a member of the plain roles looks whether the schema is
-- recent enough instead of migrating.
GRANT SELECT ON goose_db_version TO happening_app, happening_system;
