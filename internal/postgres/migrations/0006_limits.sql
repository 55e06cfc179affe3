-- +goose Up

-- What the limits on founding and inviting count, in the transaction that adds
-- one more: a person's organizations, and the invites of the last day by one
-- person and to one address.
CREATE INDEX organizations_founder ON organizations (created_by);
CREATE INDEX organization_invites_by ON organization_invites (invited_by, created_at);
CREATE INDEX organization_invites_to ON organization_invites (lower(email), created_at);
