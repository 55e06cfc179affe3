package app

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"happening/internal/email"
	"happening/internal/mailbox"
	"happening/internal/notify"
	"happening/internal/postgres"
	"happening/internal/rabbitmq"
)

// messages makes what tells people: the way of facts from the outbox to
// messages, and the mails.
func (a *App) messages() error {
	store := postgres.NewNotifyStore(a.db)
	var sender notify.Sender = mailbox.New(store, a.clock.Now)
	if a.SMTPURL != "" {
		smtp, err := email.New(email.Config{URL: a.SMTPURL, PublicURL: a.PublicURL})
		if err != nil {
			return err
		}
		sender = smtp
	}
	a.mails = notify.NewDeliverer(notify.DelivererConfig{
		Store: store, Sender: sender, Links: &links{provider: a.provider, orgs: a.Orgs},
		PublicURL: a.PublicURL, Now: a.clock.Now, Busy: a.alloc.Busy, Log: a.Log,
	})
	telling := notify.RelayConfig{
		Store: store, Now: a.clock.Now, Busy: a.alloc.Busy, Pushed: a.pushed, MailQueued: a.mails.Wake, Log: a.Log,
	}
	relay := notify.NewRelay(telling)
	a.wakeFacts, a.tellFacts = relay.Wake, relay.Run
	if a.Engines.AMQPURL == "" {
		return nil
	}
	queue, err := rabbitmq.Open(rabbitmq.Config{URL: a.Engines.AMQPURL, Installation: a.installation.String(), Log: a.Log})
	if err != nil {
		return err
	}
	a.queue = queue
	forwarder := notify.NewForwarder(notify.ForwarderConfig{
		Store: store, Queue: queue, Relay: relay, Now: a.clock.Now, Busy: a.alloc.Busy, Log: a.Log,
	})
	telling.Told = forwarder.Wake
	teller := notify.NewTeller(telling)
	a.wakeFacts = forwarder.Wake
	a.tellFacts = func(ctx context.Context) {
		var ends sync.WaitGroup
		ends.Go(func() { queue.Run(ctx, teller) })
		ends.Go(func() { forwarder.Run(ctx) })
		ends.Wait()
	}
	return nil
}

// Resend puts back what was given up, as an operator asks for: of one
// organization, or of all where orgID is empty; of the time since then, or all
// that is kept where that is zero.
func (a *App) Resend(ctx context.Context, orgID string, within time.Duration) (facts, mails int, err error) {
	var which notify.ResendWhich
	if orgID != "" {
		if which.OrgID, err = uuid.Parse(orgID); err != nil {
			return 0, 0, fmt.Errorf("--org: %q is not an id", orgID)
		}
	}
	if within > 0 {
		which.Since = a.clock.Now().Add(-within)
	}
	resent, err := notify.Resend(ctx, postgres.NewNotifyStore(a.db), a.clock.Now(), which)
	return resent.Facts, resent.Mails, err
}
