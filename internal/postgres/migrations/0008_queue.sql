-- +goose Up

-- ── facts on their way through a queue, and facts that fail ───────────────
-- All of these are null or zero for a fact that the relay claims and tells;
-- no index has them, so that setting them stays a cheap update in place. The
-- previous binary ignores them: it tells a fact that stands in a queue, too,
-- and whoever comes second finds it told.
ALTER TABLE outbox
  ADD COLUMN queued_at   timestamptz,
  ADD COLUMN next_try_at timestamptz,
  ADD COLUMN tries       int NOT NULL DEFAULT 0,
  ADD CONSTRAINT outbox_queued_is_leased CHECK (queued_at IS NULL OR next_try_at IS NOT NULL);
COMMENT ON COLUMN outbox.queued_at IS 'When the fact was last handed to the queue; null: it waits here.';
COMMENT ON COLUMN outbox.next_try_at IS 'From when on the fact may be taken (again): the end of the lease of one that is in the queue, the end of the pause of one that failed; null: at once.';
COMMENT ON COLUMN outbox.tries IS 'Begun tries that did not end well or have not ended yet; a fact is put aside after a few.';

-- ── what was given up, for sending it again by hand; both are small ───────
CREATE INDEX outbox_failed ON outbox (id) WHERE failure IS NOT NULL;
CREATE INDEX notifications_failed ON notifications (id) WHERE status = 'failed';
