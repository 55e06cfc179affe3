-- +goose Up

-- ── where seats lie, and which are off sale ───────────────────────────────
ALTER TABLE events ADD COLUMN layout_revision bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN events.layout_revision IS 'The revision at which the seats were laid out; 0: they lie in the default rows.';

CREATE TABLE event_layouts (
  event_id uuid  PRIMARY KEY REFERENCES events ON DELETE CASCADE,
  sections jsonb NOT NULL
);
COMMENT ON TABLE event_layouts IS 'How the seats lie in sections and rows, for events that say so. Apart from the events, whose rows every sale moves.';

CREATE TABLE event_blocks (
  event_id uuid NOT NULL REFERENCES events ON DELETE CASCADE,
  seat_no  int  NOT NULL CHECK (seat_no >= 1),
  PRIMARY KEY (event_id, seat_no)
);
COMMENT ON TABLE event_blocks IS 'Seats that the organizer has taken off sale. Only the allocator writes them, with the event''s row locked; the version check keeps them apart from sales.';

-- Requests have no privilege: they are shown both from the allocator's memory.
GRANT SELECT, INSERT, UPDATE, DELETE ON event_layouts, event_blocks TO happening_system;
