-- +goose Up

-- ── the relay's own marks on a fact ───────────────────────────────────────
ALTER TABLE outbox
  ADD COLUMN told_up_to uuid,
  ADD COLUMN failure    text;
COMMENT ON COLUMN outbox.told_up_to IS 'A fact that concerns every live booking of an event is told page by page; the last booking of the pages done.';
COMMENT ON COLUMN outbox.failure IS 'Why the fact could not be told and was put aside so that it holds nothing up; null: told.';

-- ── due mails, by organization first: one organization's flood must not
--    stand before another's message ────────────────────────────────────────
DROP INDEX notifications_due;
CREATE INDEX notifications_due ON notifications (org_id, next_try_at, id) WHERE status = 'pending';
ALTER TABLE notifications
  ADD CONSTRAINT notifications_pending_is_due CHECK (status <> 'pending' OR next_try_at IS NOT NULL);
COMMENT ON COLUMN notifications.next_try_at IS 'When a pending message is due; while a worker has it, the end of its lease.';
COMMENT ON COLUMN notifications.id IS 'Made from fact, person and channel, so that the same message has the same id however often it is made.';

-- ── the development mailbox ───────────────────────────────────────────────
CREATE TABLE mailbox_mails (
  id         text PRIMARY KEY,
  recipient  text        NOT NULL,
  subject    text        NOT NULL,
  text_body  text        NOT NULL,
  html_body  text        NOT NULL,
  created_at timestamptz NOT NULL
);
CREATE INDEX mailbox_mails_newest ON mailbox_mails (created_at, id);
COMMENT ON TABLE mailbox_mails IS 'Mails of an installation without SMTP, for the operator to read; only the newest are kept.';
GRANT SELECT, INSERT, UPDATE, DELETE ON mailbox_mails TO happening_system;
