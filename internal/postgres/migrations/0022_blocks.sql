-- +goose Up

-- ── which seats are off sale, many to a row ───────────────────────────────
-- With a row for each seat, and each looked up at its event, an organizer who
-- took a large house off sale kept everybody's sales waiting for seconds.
ALTER TABLE event_blocks RENAME TO event_blocks_by_seat;
ALTER TABLE event_blocks_by_seat RENAME CONSTRAINT event_blocks_pkey TO event_blocks_by_seat_pkey;
ALTER TABLE event_blocks_by_seat RENAME CONSTRAINT event_blocks_event_id_fkey TO event_blocks_by_seat_event_id_fkey;
CREATE TABLE event_blocks (
  event_id uuid  NOT NULL REFERENCES events ON DELETE CASCADE,
  part     int   NOT NULL CHECK (part >= 0),
  seats    bytea NOT NULL CHECK (length(seats) = 128 AND bit_count(seats) > 0),
  PRIMARY KEY (event_id, part)
);
COMMENT ON TABLE event_blocks IS 'Seats that the organizer has taken off sale: seat n is bit (n − 1) mod 1024, as get_bit counts, of part (n − 1) / 1024. Only the allocator writes them, with the event''s row locked; the version check keeps them apart from sales.';
GRANT SELECT, INSERT, UPDATE, DELETE ON event_blocks TO happening_system;

INSERT INTO event_blocks (event_id, part, seats)
SELECT event_id, part, decode(string_agg(lpad(to_hex(byte), 2, '0'), '' ORDER BY at), 'hex')
FROM (
  SELECT p.event_id, p.part, at, coalesce(sum(1 << ((b.seat_no - 1) % 8)), 0)::int AS byte
  FROM (SELECT DISTINCT event_id, (seat_no - 1) / 1024 AS part FROM event_blocks_by_seat) p
  CROSS JOIN generate_series(0, 127) at
  LEFT JOIN event_blocks_by_seat b ON b.event_id = p.event_id AND (b.seat_no - 1) / 8 = p.part * 128 + at
  GROUP BY p.event_id, p.part, at) bytes
GROUP BY event_id, part;
DROP TABLE event_blocks_by_seat;
