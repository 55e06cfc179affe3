-- +goose Up

-- ── what a booking writes once, it is found by once ───────────────────────
-- One backend writes one batch of sales after the other, and half of its work
-- is entries of indexes. See docs/adr/0024-fewer-entries.md.
--
-- Which seats a booking has stands in the last row of its history, which is
-- found by the booking; seats are found by their event. So a seat that is sold
-- has one entry, its guard. Those that were given up are found by their booking
-- for whoever turns out to be the guest that they were booked for.
CREATE INDEX booking_seats_cancelled ON booking_seats (booking_id) WHERE status = 'cancelled';
DROP INDEX booking_seats_booking;

-- History is read by booking. That no id is given to changes of two bookings,
-- the primary key of the outbox sees to, where each change has its fact under
-- the same id in the same statement.
ALTER TABLE booking_history
  DROP CONSTRAINT booking_history_pkey,
  ADD PRIMARY KEY (booking_id, id);
DROP INDEX booking_history_booking;
COMMENT ON TABLE booking_history IS 'Append-only by privilege. An idempotency key stands with the change that it caused. The last row of a booking, by id, says which seats it has.';
