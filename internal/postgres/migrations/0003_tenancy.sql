-- +goose Up

-- An invite that nobody answered in time is closed, so that the address can
-- be invited anew although only one invite may be pending.
ALTER TABLE organization_invites
  DROP CONSTRAINT organization_invites_status_check,
  ADD CONSTRAINT organization_invites_status_check
    CHECK (status IN ('pending', 'accepted', 'rejected', 'revoked', 'expired'));
CREATE INDEX organization_invites_org ON organization_invites (org_id, id);
CREATE INDEX organization_invites_due ON organization_invites (expires_at) WHERE status = 'pending';

-- What the sweep of the lifecycle looks at: what has begun or ended since, and
-- what was over until its end was put off.
CREATE INDEX events_unfinished ON events (starts_at) WHERE status IN ('upcoming', 'ongoing');
CREATE INDEX events_completed ON events (ends_at) WHERE status = 'completed';
