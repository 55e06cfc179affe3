package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"happening/internal/fault"
	"happening/internal/notify"
)

// KeepMail implements mailbox.Store. The same mail again replaces the first:
// a link that was minted anew is the one that works. Mails that are sent at the
// same time are kept together.
func (s *NotifyStore) KeepMail(ctx context.Context, m notify.KeptMail) error {
	if _, err := s.kept.of(ctx, m); err != nil {
		return fmt.Errorf("postgres: keep mail: %w", err)
	}
	return nil
}

// keptMail is what is answered of a mail that is kept: nothing.
type keptMail struct{}

// keeperOfMails writes mails. It does not wait for the disk: the later mark that
// the mail was sent does, and takes this with it; a mail that a crash takes back
// is sent again under its id.
func keeperOfMails(db *DB) *together[notify.KeptMail, keptMail] {
	return &together[notify.KeptMail, keptMail]{ask: func(ctx context.Context, mails []*wanted[notify.KeptMail, keptMail]) error {
		var ids, recipients, subjects, texts, htmls []string
		var at []time.Time
		for _, w := range mails {
			m := &w.of
			ids, recipients, subjects = append(ids, m.ID), append(recipients, m.To), append(subjects, m.Subject)
			texts, htmls, at = append(texts, m.Text), append(htmls, m.HTML), append(at, m.At)
		}
		_, err := db.System.Exec(ctx, `
INSERT INTO mailbox_mails (id, recipient, subject, text_body, html_body, created_at)
SELECT m.*
FROM (SELECT set_config('synchronous_commit', 'off', true)) AS setting,
     unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[]) m
ON CONFLICT (id) DO UPDATE
SET recipient = excluded.recipient, subject = excluded.subject,
    text_body = excluded.text_body, html_body = excluded.html_body`,
			ids, recipients, subjects, texts, htmls, at)
		return err
	}}
}

// TrimMails implements mailbox.Store.
func (s *NotifyStore) TrimMails(ctx context.Context, keep int) error {
	_, err := s.db.System.Exec(ctx, `
DELETE FROM mailbox_mails
WHERE (created_at, id) <= (
  SELECT created_at, id FROM mailbox_mails
  ORDER BY created_at DESC, id DESC
  OFFSET $1 LIMIT 1
)`, keep)
	if err != nil {
		return fmt.Errorf("postgres: trim mails: %w", err)
	}
	return nil
}

// Mails implements mailbox.Store. The mailbox is small, so that a search by
// address may read all of it.
func (s *NotifyStore) Mails(ctx context.Context, to string, limit int) ([]notify.KeptMail, error) {
	rows, err := s.db.System.Query(ctx, `
SELECT id, recipient, subject, text_body, html_body, created_at
FROM mailbox_mails
WHERE $1 = '' OR lower(recipient) = lower($1)
ORDER BY created_at DESC, id DESC
LIMIT $2`, to, limit)
	if err != nil {
		return nil, fmt.Errorf("postgres: mails: %w", err)
	}
	mails, err := pgx.CollectRows(rows, scanMail)
	if err != nil {
		return nil, fmt.Errorf("postgres: mails: %w", err)
	}
	return mails, nil
}

// Mail implements mailbox.Store.
func (s *NotifyStore) Mail(ctx context.Context, id string) (notify.KeptMail, error) {
	rows, err := s.db.System.Query(ctx, `
SELECT id, recipient, subject, text_body, html_body, created_at
FROM mailbox_mails
WHERE id = $1`, id)
	if err != nil {
		return notify.KeptMail{}, fmt.Errorf("postgres: mail: %w", err)
	}
	mail, err := pgx.CollectExactlyOneRow(rows, scanMail)
	if errors.Is(err, pgx.ErrNoRows) {
		return notify.KeptMail{}, fault.ErrNotFound
	}
	if err != nil {
		return notify.KeptMail{}, fmt.Errorf("postgres: mail: %w", err)
	}
	return mail, nil
}

func scanMail(row pgx.CollectableRow) (notify.KeptMail, error) {
	var m notify.KeptMail
	err := row.Scan(&m.ID, &m.To, &m.Subject, &m.Text, &m.HTML, &m.At)
	return m, err
}
