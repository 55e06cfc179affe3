-- +goose Up

-- ── which installation this is ────────────────────────────────────────────
CREATE TABLE installation (
  id       uuid    PRIMARY KEY,
  only_one boolean NOT NULL UNIQUE DEFAULT true CHECK (only_one)
);
INSERT INTO installation (id) VALUES (gen_random_uuid());
COMMENT ON TABLE installation IS 'The one name of this database, by which other engines tell whose they are; made once and kept.';
COMMENT ON COLUMN installation.only_one IS 'Lets no second row stand.';
GRANT SELECT ON installation TO happening_app, happening_system;

-- ── which Redis the processes share ───────────────────────────────────────
-- The previous binary leaves it empty, which goes together with any.
ALTER TABLE replicas ADD COLUMN coordinator text NOT NULL DEFAULT '';
COMMENT ON COLUMN replicas.coordinator IS 'The name that is kept in the Redis which the process shares with others; empty: not told.';
