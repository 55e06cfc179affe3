-- +goose Up

-- ── the second wall: row level security ───────────────────────────────────
-- Requests run as happening_app in one of three contexts, which a transaction
-- names by settings of its own: the public's (none), a person's (app.user),
-- the same person's inside one organization (app.org). Whoever presents a
-- secret names its hash (app.token). Without a setting there is nobody.
-- Everything else runs as happening_system, which has policies of its own.
--
-- In a policy the functions stand in a SELECT, so that each is asked once a
-- statement. What a policy looks up stands under the policies of the other
-- table, and none looks at its own.
CREATE FUNCTION app_user() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
  AS $$ SELECT nullif(current_setting('app.user', true), '')::uuid $$;
CREATE FUNCTION app_org() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
  AS $$ SELECT nullif(current_setting('app.org', true), '')::uuid $$;
CREATE FUNCTION app_token() RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE
  AS $$ SELECT decode(nullif(current_setting('app.token', true), ''), 'hex') $$;
GRANT EXECUTE ON FUNCTION app_user(), app_org(), app_token() TO happening_app, happening_system;
COMMENT ON FUNCTION app_user() IS 'Who asks; null: nobody who is signed in.';
COMMENT ON FUNCTION app_org() IS 'The organization that whoever asks has entered by a role in it; null: none.';
COMMENT ON FUNCTION app_token() IS 'The hash of the secret that was presented; null: none.';

-- Every table with rows of tenants or people. FORCE, so that the owner stands
-- before the wall, too: it needs no BYPASSRLS, and migrations, psql and
-- pg_dump --enable-row-security work through a policy of its own.
-- +goose StatementBegin
DO $$
DECLARE
  walled text;
  keeper name;
BEGIN
  FOREACH walled IN ARRAY ARRAY[
    'users', 'user_identities', 'user_audit', 'sessions', 'notification_preferences',
    'organizations', 'organization_users', 'organization_invites', 'organization_logos',
    'events', 'bookings', 'booking_seats', 'booking_history',
    'outbox', 'notifications', 'audit_log'
  ] LOOP
    SELECT pg_get_userbyid(relowner) INTO STRICT keeper FROM pg_class WHERE oid = walled::regclass;
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', walled);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', walled);
    EXECUTE format('CREATE POLICY kept ON %I TO %I USING (true) WITH CHECK (true)', walled, keeper);
    EXECUTE format('CREATE POLICY run ON %I TO happening_system USING (true) WITH CHECK (true)', walled);
  END LOOP;
END $$;
-- +goose StatementEnd

-- ── people ────────────────────────────────────────────────────────────────
-- Inside an organization there are also its members and, to those who may see
-- the bookings, who booked.
CREATE POLICY seen ON users FOR SELECT TO happening_app USING (
  id = (SELECT app_user())
  OR EXISTS (SELECT FROM organization_users m WHERE m.org_id = (SELECT app_org()) AND m.user_id = users.id)
  OR EXISTS (SELECT FROM bookings b WHERE b.user_id = users.id AND b.org_id = (SELECT app_org()))
);
CREATE POLICY written ON users FOR UPDATE TO happening_app USING (id = (SELECT app_user()));
CREATE POLICY seen ON user_identities FOR SELECT TO happening_app USING (user_id = (SELECT app_user()));
CREATE POLICY seen ON user_audit FOR SELECT TO happening_app USING (user_id = (SELECT app_user()));
CREATE POLICY own ON sessions TO happening_app
  USING (user_id = (SELECT app_user()) OR token_hash = (SELECT app_token()));
CREATE POLICY own ON notification_preferences TO happening_app USING (user_id = (SELECT app_user()));
CREATE POLICY own ON notifications TO happening_app USING (user_id = (SELECT app_user()));

-- ── organizations ─────────────────────────────────────────────────────────
CREATE POLICY seen ON organizations FOR SELECT TO happening_app USING (true);
CREATE POLICY founded ON organizations FOR INSERT TO happening_app
  WITH CHECK (id = (SELECT app_org()) AND created_by = (SELECT app_user()));
CREATE POLICY written ON organizations FOR UPDATE TO happening_app USING (id = (SELECT app_org()));
CREATE POLICY deleted ON organizations FOR DELETE TO happening_app USING (id = (SELECT app_org()));

CREATE POLICY seen ON organization_logos FOR SELECT TO happening_app USING (true);
CREATE POLICY written ON organization_logos TO happening_app USING (org_id = (SELECT app_org()));

CREATE POLICY seen ON organization_users FOR SELECT TO happening_app USING (user_id = (SELECT app_user()));
CREATE POLICY written ON organization_users TO happening_app USING (org_id = (SELECT app_org()));

-- Invites name addresses, so of those in an organization only its orgAdmins
-- know, although others enter it, too.
CREATE POLICY seen ON organization_invites FOR SELECT TO happening_app USING (
  lower(email) = (SELECT lower(u.email) FROM users u WHERE u.id = (SELECT app_user()) AND u.email_verified)
  OR org_id = ANY (ARRAY(
    SELECT m.org_id FROM organization_users m WHERE m.user_id = (SELECT app_user()) AND m.role = 'orgAdmin'))
  OR token_hash = (SELECT app_token())
);
CREATE POLICY made ON organization_invites FOR INSERT TO happening_app WITH CHECK (org_id = (SELECT app_org()));
CREATE POLICY written ON organization_invites FOR UPDATE TO happening_app USING (org_id = (SELECT app_org()));

-- ── events ────────────────────────────────────────────────────────────────
-- What most rows and most callers need stands first: the rest is looked up
-- only where a row asks for it.
CREATE POLICY seen ON events FOR SELECT TO happening_app USING (
  visibility = 'public' AND org_id NOT IN (SELECT o.id FROM organizations o WHERE o.suspended_at IS NOT NULL)
  OR org_id = ANY (ARRAY(SELECT m.org_id FROM organization_users m WHERE m.user_id = (SELECT app_user())))
  OR id IN (SELECT b.event_id FROM bookings b WHERE b.user_id = (SELECT app_user()))
);
CREATE POLICY written ON events TO happening_app USING (org_id = (SELECT app_org()));

-- ── bookings: the booker's, and of those who run the event ────────────────
-- A role is looked up and having entered is not enough, since plain members
-- enter, too.
-- +goose StatementBegin
DO $$
DECLARE
  walled text;
BEGIN
  FOREACH walled IN ARRAY ARRAY['bookings', 'booking_seats', 'booking_history'] LOOP
    EXECUTE format($policy$
      CREATE POLICY seen ON %I FOR SELECT TO happening_app USING (
        user_id = (SELECT app_user())
        OR org_id = ANY (ARRAY(
          SELECT m.org_id FROM organization_users m
          WHERE m.user_id = (SELECT app_user()) AND m.role IN ('organizer', 'orgAdmin')))
      )$policy$, walled);
  END LOOP;
END $$;
-- +goose StatementEnd

-- ── what is only written, and what is read by those who run things ────────
CREATE POLICY told ON outbox FOR INSERT TO happening_app WITH CHECK (org_id = (SELECT app_org()));
CREATE POLICY seen ON audit_log FOR SELECT TO happening_app USING (
  org_id = (SELECT app_org())
  AND org_id = ANY (ARRAY(
    SELECT m.org_id FROM organization_users m
    WHERE m.user_id = (SELECT app_user()) AND m.role IN ('organizer', 'orgAdmin')))
);
CREATE POLICY added ON audit_log FOR INSERT TO happening_app WITH CHECK (org_id = (SELECT app_org()));

-- ── privileges: what requests have no use for, they may not do ────────────
REVOKE INSERT, UPDATE, DELETE ON users FROM happening_app;
GRANT UPDATE (name, name_chosen, updated_at) ON users TO happening_app;
REVOKE INSERT, UPDATE, DELETE ON user_identities FROM happening_app;
REVOKE INSERT ON user_audit FROM happening_app;
REVOKE INSERT, UPDATE ON sessions FROM happening_app;
REVOKE INSERT, UPDATE, DELETE ON notifications FROM happening_app;
GRANT UPDATE (read_at) ON notifications TO happening_app;
REVOKE UPDATE ON organizations FROM happening_app;
GRANT UPDATE (name, about, contact_email, website, color, time_zone, logo_version, revision) ON organizations TO happening_app;
REVOKE DELETE ON organization_invites FROM happening_app;
REVOKE SELECT, UPDATE, DELETE ON outbox FROM happening_app;
REVOKE ALL ON event_changes, signin_logouts FROM happening_app;

-- ── what a request may know of rows that it may not see ───────────────────
-- +goose StatementBegin
DO $$
BEGIN
  EXECUTE format($function$
    CREATE FUNCTION waiting_position(event uuid, number bigint) RETURNS bigint
      LANGUAGE sql STABLE SECURITY DEFINER SET search_path = %I, pg_temp
      AS $body$
        SELECT count(*) FROM bookings
        WHERE event_id = event AND status = 'waiting' AND waiting_number <= number
      $body$
    $function$, current_schema());
END $$;
-- +goose StatementEnd
COMMENT ON FUNCTION waiting_position(uuid, bigint) IS 'The place in an event''s waitlist of who has the number; tells nothing of the others but how many there are.';
REVOKE ALL ON FUNCTION waiting_position(uuid, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION waiting_position(uuid, bigint) TO happening_app;
