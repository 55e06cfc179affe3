-- +goose Up

-- ── suspended and resumed organizations: what processes read to notice ─────
ALTER TABLE organizations
  ADD COLUMN standing_moved_at timestamptz;
COMMENT ON COLUMN organizations.standing_changed_at IS 'When the operator last suspended or resumed it. Rises from change to change over all organizations, whatever the clock does, so that who has read up to one time misses nothing after it.';
COMMENT ON COLUMN organizations.standing_moved_at IS 'The standing_changed_at since which all its events have moved to a new version; older or null: some may not have.';
CREATE INDEX organizations_standing ON organizations (standing_changed_at) WHERE standing_changed_at IS NOT NULL;
CREATE INDEX organizations_unmoved ON organizations (id) WHERE standing_changed_at IS DISTINCT FROM standing_moved_at;
