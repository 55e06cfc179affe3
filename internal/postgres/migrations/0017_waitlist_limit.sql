-- +goose NO TRANSACTION
-- +goose Up

-- Each statement may run again, and none holds up the sales of the binary before
-- this one for long.
ALTER TABLE events
  ADD COLUMN IF NOT EXISTS waitlist_limit int,
  DROP CONSTRAINT IF EXISTS events_waitlist_limit_check,
  ADD CONSTRAINT events_waitlist_limit_check CHECK (waitlist_limit >= 0) NOT VALID;
ALTER TABLE events VALIDATE CONSTRAINT events_waitlist_limit_check;
COMMENT ON COLUMN events.waitlist_limit IS 'How many parties may wait at a time; 0: there is no waitlist; null: no limit. Lowered, it keeps who waits.';

-- The events that are there get the default. Those that the binary before this
-- one adds later have no limit, since it knows of none. Rows are locked in the
-- order in which sales lock them.
-- +goose StatementBegin
DO $$
DECLARE
  last uuid := '00000000-0000-0000-0000-000000000000';
BEGIN
  LOOP
    WITH page AS (
      SELECT id FROM events WHERE id > last ORDER BY id LIMIT 1000 FOR NO KEY UPDATE
    ), given AS (
      UPDATE events e SET waitlist_limit = 10 * e.total_slots
      FROM page WHERE e.id = page.id AND e.waitlist_limit IS NULL
    )
    SELECT id INTO last FROM page ORDER BY id DESC LIMIT 1;
    EXIT WHEN last IS NULL;
    COMMIT;
  END LOOP;
END $$;
-- +goose StatementEnd
