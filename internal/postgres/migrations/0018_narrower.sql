-- +goose Up

-- ── functions with the owner's rights ─────────────────────────────────────
-- Where pg_temp is not named, it is searched first, and whoever may make a
-- temporary view of the name of a table has the owner run what they like. So
-- every such function names its path to the end.
-- +goose StatementBegin
DO $$
BEGIN
  EXECUTE format('ALTER FUNCTION refuse_erased() SET search_path = %I, pg_temp', current_schema());
  EXECUTE format('ALTER FUNCTION forget_keys(uuid) SET search_path = %I, pg_temp', current_schema());
END $$;
-- +goose StatementEnd

-- Nothing of ours makes temporary tables. Whoever migrates without owning the
-- database leaves this as it is: the paths above are what holds.
-- +goose StatementBegin
DO $$
BEGIN
  EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
EXCEPTION WHEN insufficient_privilege THEN
  RAISE NOTICE 'the database is somebody else''s: everybody goes on making temporary tables in it';
END $$;
-- +goose StatementEnd

-- ── writes inside an organization look at the membership again ────────────
-- The lookup runs as the owner, since a policy can't look at its own table.
-- +goose StatementBegin
DO $$
BEGIN
  EXECUTE format($function$
    CREATE FUNCTION app_role() RETURNS text
      LANGUAGE sql STABLE SECURITY DEFINER SET search_path = %I, pg_temp
      AS $body$
        SELECT role FROM organization_users WHERE org_id = app_org() AND user_id = app_user()
      $body$
    $function$, current_schema());
END $$;
-- +goose StatementEnd
COMMENT ON FUNCTION app_role() IS 'The role of whoever asks in the organization that they have entered; null: none.';
REVOKE ALL ON FUNCTION app_role() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app_role() TO happening_app;

-- Everybody who entered may lock the organization's row; only its orgAdmins
-- change it.
ALTER POLICY written ON organizations WITH CHECK (id = (SELECT app_org()) AND (SELECT app_role()) = 'orgAdmin');
ALTER POLICY deleted ON organizations USING (id = (SELECT app_org()) AND (SELECT app_role()) = 'orgAdmin');

-- One makes only oneself a member, by founding or by an invite, and only
-- orgAdmins change or end others' memberships.
DROP POLICY written ON organization_users;
CREATE POLICY inside ON organization_users FOR SELECT TO happening_app USING (org_id = (SELECT app_org()));
CREATE POLICY joined ON organization_users FOR INSERT TO happening_app
  WITH CHECK (org_id = (SELECT app_org()) AND user_id = (SELECT app_user()));
CREATE POLICY changed ON organization_users FOR UPDATE TO happening_app
  USING (org_id = (SELECT app_org()) AND (user_id = (SELECT app_user()) OR (SELECT app_role()) = 'orgAdmin'));
CREATE POLICY ended ON organization_users FOR DELETE TO happening_app
  USING (org_id = (SELECT app_org()) AND (user_id = (SELECT app_user()) OR (SELECT app_role()) = 'orgAdmin'));

-- ── the index of texts, from behind the wall ──────────────────────────────
-- Behind a policy @@ can't use the index, since it is not leakproof. This gives
-- the ids alone; what the wall doesn't show of them is not shown. LIMIT ends the
-- visits to the table early; the settings keep the planner, who can't estimate
-- a query that it doesn't know, from reading the table whole.
-- +goose StatementBegin
DO $$
BEGIN
  EXECUTE format($function$
    CREATE FUNCTION events_found(query tsquery, cap int) RETURNS uuid[]
      LANGUAGE sql STABLE SECURITY DEFINER
      SET search_path = %I, pg_temp SET enable_seqscan = off SET enable_indexscan = off SET jit = off
      AS $body$
        WITH found AS MATERIALIZED (
          SELECT ARRAY(SELECT id FROM events WHERE search @@ query LIMIT cap + 1) AS ids
        )
        SELECT CASE WHEN pg_catalog.cardinality(ids) <= cap THEN ids END FROM found
      $body$
    $function$, current_schema());
END $$;
-- +goose StatementEnd
COMMENT ON FUNCTION events_found(tsquery, int) IS 'The ids of all events whose words match, also of those that nobody may see; null: there are more than the cap.';
REVOKE ALL ON FUNCTION events_found(tsquery, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION events_found(tsquery, int) TO happening_app;
