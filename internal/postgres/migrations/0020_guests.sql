-- +goose Up

-- ── guests: booked for by their address, and not signed in yet ────────────
ALTER TABLE users
  ADD COLUMN guest boolean NOT NULL DEFAULT false,
  ADD CONSTRAINT users_guest_is_nobody_yet
    CHECK (NOT guest OR (name = '' AND email <> '' AND NOT email_verified AND NOT name_chosen AND erased_at IS NULL));
CREATE UNIQUE INDEX users_guest ON users (lower(email)) WHERE guest;
COMMENT ON COLUMN users.guest IS 'Somebody booked for this address before anybody signed in with it. Whoever does, with the address verified, becomes this person.';

-- ── bookings that those who run an event made for somebody ────────────────
ALTER TABLE bookings
  ADD COLUMN booked_by uuid,
  ADD COLUMN booked_for text,
  ADD CONSTRAINT bookings_booked_for_somebody CHECK ((booked_by IS NULL) = (booked_for IS NULL));
COMMENT ON COLUMN bookings.booked_by IS 'Who booked for somebody else; null: people book for themselves.';
COMMENT ON COLUMN bookings.booked_for IS 'The address by which they did, which is all that the organization knows of the person; empty: the person is erased.';

-- An organization knows who books there. Of whom it booked for it knows what it
-- typed: the name of an account is nothing that an address gives away.
ALTER POLICY seen ON users USING (
  id = (SELECT app_user())
  OR EXISTS (SELECT FROM organization_users m WHERE m.org_id = (SELECT app_org()) AND m.user_id = users.id)
  OR EXISTS (SELECT FROM bookings b WHERE b.user_id = users.id AND b.org_id = (SELECT app_org()) AND b.booked_by IS NULL)
);

-- ── how often somebody books for others, to bound mails to strangers ──────
-- Kept for a day. Requests have no use for it.
CREATE TABLE bookings_for_others (
  id         uuid PRIMARY KEY,
  actor_id   uuid        NOT NULL,
  user_id    uuid        NOT NULL REFERENCES users ON DELETE CASCADE,
  created_at timestamptz NOT NULL
);
CREATE INDEX bookings_for_others_actor ON bookings_for_others (actor_id, created_at);
CREATE INDEX bookings_for_others_user ON bookings_for_others (user_id, created_at);
CREATE INDEX bookings_for_others_age ON bookings_for_others (created_at);
ALTER TABLE bookings_for_others ENABLE ROW LEVEL SECURITY;
ALTER TABLE bookings_for_others FORCE ROW LEVEL SECURITY;
-- +goose StatementBegin
DO $$
DECLARE
  keeper name;
BEGIN
  SELECT pg_get_userbyid(relowner) INTO STRICT keeper FROM pg_class WHERE oid = 'bookings_for_others'::regclass;
  EXECUTE format('CREATE POLICY kept ON bookings_for_others TO %I USING (true) WITH CHECK (true)', keeper);
END $$;
-- +goose StatementEnd
CREATE POLICY run ON bookings_for_others TO happening_system USING (true) WITH CHECK (true);
CREATE POLICY hidden ON bookings_for_others TO happening_app USING (false);
GRANT SELECT, INSERT, UPDATE, DELETE ON bookings_for_others TO happening_system;
COMMENT ON TABLE bookings_for_others IS 'Asked for, not made: written before the seats are decided on, and taken back by a refusal.';

-- ── what was booked for somebody who was here all along ───────────────────
-- Somebody whose address is verified only after a guest was made of it stays
-- who they are, and what the guest has goes over to them. The history stays
-- append-only by privilege: this names the heir in the guest's rows, and does
-- nothing else.
ALTER TABLE users
  ADD COLUMN heir uuid,
  ADD CONSTRAINT users_heir_of_nobody CHECK (heir IS NULL OR erased_at IS NOT NULL);
CREATE INDEX users_heir ON users (heir) WHERE heir IS NOT NULL;
COMMENT ON COLUMN users.heir IS 'Of a guest who turned out to be somebody: who that is.';
-- +goose StatementBegin
DO $$
BEGIN
  EXECUTE format($function$
    CREATE FUNCTION inherit_history(guest uuid) RETURNS void
      LANGUAGE sql SECURITY DEFINER SET search_path = %I, pg_temp
      AS $body$
        UPDATE booking_history h SET user_id = u.heir
        FROM users u
        WHERE u.id = $1 AND u.heir IS NOT NULL AND h.user_id = $1
          AND h.booking_id IN (SELECT b.id FROM bookings b WHERE b.user_id = $1)
      $body$
    $function$, current_schema());
END $$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION inherit_history(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION inherit_history(uuid) TO happening_system;
