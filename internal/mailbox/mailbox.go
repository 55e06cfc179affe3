// Package mailbox is where mails go in an installation without SMTP: it keeps
// the newest of them and shows them to whoever runs the installation, on the
// operators' address only. Scripts read the same as JSON.
//
//	GET /mailbox?to=ADDRESS       the newest first, all or those to one address
//	GET /mailbox/{id}             one mail
//	GET /mailbox/{id}/html        its HTML form alone, as the page frames it
//	…?format=json                 the same for scripts
package mailbox

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"happening/internal/notify"
)

const (
	// Kept is how many mails are kept.
	Kept = 2000
	// trimEvery is after how many mails those above Kept are removed, which
	// spares each single one the work.
	trimEvery = 200
)

// Store keeps the mails.
type Store interface {
	// KeepMail keeps a mail; one with the same ID is replaced.
	KeepMail(ctx context.Context, m notify.KeptMail) error
	// TrimMails removes all but the newest.
	TrimMails(ctx context.Context, keep int) error
	// Mails gives the newest mails, those to one address where to isn't empty.
	Mails(ctx context.Context, to string, limit int) ([]notify.KeptMail, error)
	// Mail answers fault.ErrNotFound where there is no such mail.
	Mail(ctx context.Context, id string) (notify.KeptMail, error)
}

// Mailbox receives mails as a notify.Sender and shows them as a handler.
type Mailbox struct {
	store Store
	now   func() time.Time
	kept  atomic.Int64 // since the start
}

// New makes the mailbox.
func New(store Store, now func() time.Time) *Mailbox {
	return &Mailbox{store: store, now: now}
}

// Send implements notify.Sender by keeping the mail.
func (b *Mailbox) Send(ctx context.Context, m notify.Mail) (retry bool, err error) {
	if err := b.store.KeepMail(ctx, notify.KeptMail{Mail: m, At: b.now()}); err != nil {
		return true, fmt.Errorf("mailbox: %w", err)
	}
	if b.kept.Add(1)%trimEvery == 0 {
		// The mail is kept, whatever becomes of older ones; the next time
		// removes what this time could not.
		_ = b.store.TrimMails(ctx, Kept)
	}
	return false, nil
}
