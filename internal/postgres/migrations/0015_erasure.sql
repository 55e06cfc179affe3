-- +goose Up

-- ── an erased person is nobody, and stays nobody ──────────────────────────
ALTER TABLE users
  ADD COLUMN erasing boolean NOT NULL DEFAULT false,
  ADD CONSTRAINT users_erased_is_nobody
    CHECK (erased_at IS NULL OR (name = '' AND email = '' AND NOT email_verified AND NOT name_chosen)),
  ADD CONSTRAINT users_erasing_is_erased CHECK (NOT erasing OR erased_at IS NOT NULL);
CREATE INDEX users_erasing ON users (id) WHERE erasing;
COMMENT ON COLUMN users.erasing IS 'Bookings of the erased person are still to be cancelled, or something could still be on its way that was begun before; a job looks after it.';

-- Whoever was signed in a moment ago may still be in the middle of something.
-- An erasure locks the person's row FOR UPDATE: what comes before it is found
-- and removed by it, what comes after it waits and is refused here. Bookings
-- are not held up by this; those that come late are cancelled by the job.
-- +goose StatementBegin
CREATE FUNCTION refuse_erased() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
AS $$
BEGIN
  PERFORM FROM users WHERE id = NEW.user_id AND erased_at IS NULL FOR KEY SHARE;
  IF NOT FOUND THEN
    RAISE foreign_key_violation USING CONSTRAINT = 'person_is_erased', MESSAGE = 'there is no such person, or they are erased';
  END IF;
  RETURN NEW;
END $$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION refuse_erased() FROM PUBLIC;
CREATE TRIGGER refuse_erased BEFORE INSERT OR UPDATE OF user_id ON sessions FOR EACH ROW EXECUTE FUNCTION refuse_erased();
CREATE TRIGGER refuse_erased BEFORE INSERT OR UPDATE OF user_id ON user_identities FOR EACH ROW EXECUTE FUNCTION refuse_erased();
CREATE TRIGGER refuse_erased BEFORE INSERT OR UPDATE OF user_id ON organization_users FOR EACH ROW EXECUTE FUNCTION refuse_erased();
CREATE TRIGGER refuse_erased BEFORE INSERT OR UPDATE OF user_id ON notification_preferences FOR EACH ROW EXECUTE FUNCTION refuse_erased();

-- ── idempotency keys are the one free text of the history ─────────────────
-- Whoever sends one chooses it. The history stays append-only by privilege:
-- this takes away the keys of somebody who is erased, and nothing else.
-- +goose StatementBegin
CREATE FUNCTION forget_keys(person uuid) RETURNS void
  LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT
AS $$
  UPDATE booking_history SET idempotency_key = NULL, request_hash = NULL
  WHERE actor_id = person AND idempotency_key IS NOT NULL
    AND EXISTS (SELECT FROM users WHERE id = person AND erased_at IS NOT NULL)
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION forget_keys(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION forget_keys(uuid) TO happening_system;

-- What was answered under an address that the person has no longer.
CREATE INDEX organization_invites_answered ON organization_invites (answered_by) WHERE status IN ('accepted', 'rejected');
