package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"happening/internal/event"
	"happening/internal/fault"
)

// Limits of the delivery of mails.
const (
	// MaxAttempts is how often a mail is tried before it is given up. An
	// attempt counts when it begins, so that a mail which kills its worker is
	// given up, too.
	MaxAttempts = 8
	// SendTimeout bounds one attempt.
	SendTimeout = 15 * time.Second
	// MailLease is how long a claimed mail is left alone; a killed worker's
	// mails are taken up again after it.
	MailLease = 45 * time.Second
	// MailBatch is how many mails are claimed at a time.
	MailBatch = 64
	// MailWorkers is how many mails are sent at the same time.
	MailWorkers = 8
	// MaxOnBehalfMails is how many mails about bookings that others made for
	// somebody are sent to them within OnBehalfWindow. Whoever books for an
	// address can also move the booking any number of times. The bell tells all.
	MaxOnBehalfMails = 30
	OnBehalfWindow   = 24 * time.Hour
	// UpdateSettle is how long the mail about a change of an event waits for
	// the next change: an organizer who corrects place and time one after the
	// other should fill nobody's mailbox. The bell tells each at once.
	UpdateSettle = 2 * time.Minute
	// The pause before the next attempt grows from the first to the last by
	// the factor, a fifth of it up or down by chance.
	firstRetryPause  = 20 * time.Second
	retryPauseFactor = 3
	lastRetryPause   = 4 * time.Hour
	retryJitter      = 0.2
	// stopGrace is how long mails in flight may go on when the process stops,
	// markTimeout how long marking them may take.
	stopGrace   = 5 * time.Second
	markTimeout = 5 * time.Second
	// maxErrorLength bounds, in bytes, what is kept of an error.
	maxErrorLength = 500
)

// Sender hands a mail over to be delivered. After an error, retry says whether
// another attempt makes sense. The same mail may be sent more than once, then
// with the same ID.
type Sender interface {
	Send(ctx context.Context, m Mail) (retry bool, err error)
}

// Links mints the links that carry a secret, at the moment when their mail is
// sent. A fault (other than an unavailable engine) says that there is nothing
// to send any more: the invitation was revoked, the account is gone.
type Links interface {
	AccountLink(ctx context.Context, kind string, accountID uuid.UUID) (email, name, url string, err error)
	InviteLink(ctx context.Context, inviteID uuid.UUID) (email, orgName, role, url string, err error)
}

// Outcome is what became of an attempt.
type Outcome string

// The outcomes. Only MailUntried gives the attempt back.
const (
	MailSent    Outcome = "sent"
	MailRetry   Outcome = "retry"
	MailFailed  Outcome = "failed"
	MailUntried Outcome = "untried"
)

// Result is the outcome of one attempt at a mail.
type Result struct {
	ID      uuid.UUID
	Attempt int
	Outcome Outcome
	Error   string    // without addresses and secrets
	NextTry time.Time // of MailRetry and MailUntried
}

// MailStore keeps mails.
type MailStore interface {
	// ClaimMails takes due mails, at most limit, going around the
	// organizations from after, an equal part to each. They count one attempt
	// more and are nobody else's until the lease ends. next is where the next
	// claim starts its round.
	ClaimMails(ctx context.Context, now time.Time, lease time.Duration, after uuid.UUID, limit int) (due []Delivery, next uuid.UUID, err error)
	// FinishMails records outcomes. An attempt whose lease ran out and that
	// somebody else took up changes nothing any more, unless it did send.
	FinishMails(ctx context.Context, now time.Time, results []Result) error
}

// DelivererConfig is what a deliverer works with.
type DelivererConfig struct {
	Store     MailStore
	Sender    Sender
	Links     Links
	PublicURL string // the client's address, without a slash at its end
	Now       func() time.Time
	// Busy says that a sale is on and the deliverer should give way; may be
	// nil.
	Busy func() bool
	Log  *slog.Logger
}

// Deliverer sends due mails. Any number of deliverers, in any number of
// processes, may run at once.
type Deliverer struct {
	cfg   DelivererConfig
	wake  alarm
	after uuid.UUID // where the next claim starts its round; Run's goroutine only
}

// NewDeliverer makes a deliverer.
func NewDeliverer(cfg DelivererConfig) *Deliverer {
	if cfg.Busy == nil {
		cfg.Busy = func() bool { return false }
	}
	cfg.PublicURL = strings.TrimSuffix(cfg.PublicURL, "/")
	return &Deliverer{cfg: cfg, wake: newAlarm()}
}

// Wake says that mails were queued. It never blocks.
func (d *Deliverer) Wake() { d.wake.ring() }

// Run delivers until ctx ends, and returns when the mails in flight are sent
// or given back.
func (d *Deliverer) Run(ctx context.Context) {
	// A slow mail must hold up its own worker alone: the line hands mails to
	// whichever worker is free, and what became of them is written down
	// together with whatever else is done by then.
	line := make(chan leased)
	done := make(chan Result, MailWorkers)
	var workers, clerk sync.WaitGroup
	for range MailWorkers {
		workers.Go(func() {
			for m := range line {
				done <- d.attemptWithin(ctx, m)
			}
		})
	}
	clerk.Go(func() { d.record(ctx, done) })
	pace(ctx, d.wake, d.cfg.Busy, func(ctx context.Context) (int, error) {
		n, err := d.feed(ctx, line, done)
		if err != nil && ctx.Err() == nil {
			d.cfg.Log.Error("claiming mails failed; trying again", "error", err)
		}
		return n, err
	})
	close(line)
	workers.Wait()
	close(done)
	clerk.Wait()
}

// leased is a claimed mail.
type leased struct {
	Delivery
	until time.Time // the end of its lease
}

// feed claims one batch and hands it to the workers, mail by mail.
func (d *Deliverer) feed(ctx context.Context, line chan<- leased, done chan<- Result) (int, error) {
	now := d.cfg.Now()
	due, next, err := d.cfg.Store.ClaimMails(ctx, now, MailLease, d.after, MailBatch)
	if err != nil {
		return 0, err
	}
	d.after = next
	for i := range due {
		select {
		case line <- leased{Delivery: due[i], until: now.Add(MailLease)}:
		case <-ctx.Done():
			for _, m := range due[i:] {
				done <- d.untried(m)
			}
			return i, nil
		}
	}
	return len(due), nil
}

// untried lets a mail that was claimed and not tried be claimed at once.
func (d *Deliverer) untried(m Delivery) Result {
	return Result{ID: m.ID, Attempt: m.Attempt, Outcome: MailUntried, NextTry: d.cfg.Now()}
}

func (d *Deliverer) attemptWithin(ctx context.Context, m leased) Result {
	if m.until.Sub(d.cfg.Now()) < SendTimeout {
		// The lease could end before the attempt does, and somebody else
		// would send the mail at the same time.
		return d.untried(m.Delivery)
	}
	return d.Attempt(ctx, m.Delivery)
}

// record writes results down until there will be no more. The first waits a
// moment for others: each writing waits for the disk, which sales wait for, too.
func (d *Deliverer) record(ctx context.Context, done <-chan Result) {
	for first := range done {
		batch := append(make([]Result, 0, MailBatch), first)
		moment := time.NewTimer(gather)
	gathering:
		for len(batch) < MailBatch {
			select {
			case r, ok := <-done:
				if !ok {
					break gathering
				}
				batch = append(batch, r)
			case <-moment.C:
				break gathering
			}
		}
		moment.Stop()
		d.finish(ctx, batch)
	}
}

func (d *Deliverer) finish(ctx context.Context, results []Result) {
	// What was sent is recorded even though the process is about to stop.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), markTimeout)
	defer cancel()
	if err := d.cfg.Store.FinishMails(ctx, d.cfg.Now(), results); err != nil {
		d.cfg.Log.Error("recording deliveries failed; the mails will be sent again", "mails", len(results), "error", err)
	}
}

// Attempt tries once to send a mail and says what is to become of it.
func (d *Deliverer) Attempt(ctx context.Context, m Delivery) Result {
	r := Result{ID: m.ID, Attempt: m.Attempt, Outcome: MailSent}
	if m.Attempt > MaxAttempts {
		r.Outcome, r.Error = MailFailed, "every attempt was interrupted"
		return r
	}
	if rest := unsettledFor(m, d.cfg.Now()); rest > 0 {
		r.Outcome, r.NextTry = MailUntried, d.cfg.Now().Add(rest)
		return r
	}
	ctx, cancel := withGrace(ctx, SendTimeout, stopGrace)
	defer cancel()
	retry, err := d.send(ctx, m)
	switch {
	case err == nil:
		return r
	case retry && m.Attempt < MaxAttempts:
		r.Outcome, r.NextTry = MailRetry, d.cfg.Now().Add(retryPause(m.Attempt, rand.Float64()))
	default:
		r.Outcome = MailFailed
		level := slog.LevelWarn
		if errors.Is(err, errNothingToSay) || errors.Is(err, errNoAddress) { // as it should be
			level = slog.LevelDebug
		}
		d.cfg.Log.Log(ctx, level, "a mail was given up", "notification", m.ID, "attempts", m.Attempt, "error", shortened(err.Error()))
	}
	r.Error = shortened(err.Error())
	return r
}

var (
	errNoAddress    = errors.New("no verified address")
	errFactGone     = errors.New("the fact that the mail tells of is gone")
	errNothingToSay = errors.New("there is nothing to send any more")
	errTooManyMails = fmt.Errorf("%w: too many mails today about bookings that others made", errNothingToSay)
	errSuperseded   = fmt.Errorf("%w: the event changed again, and the newer change's mail tells it", errNothingToSay)
)

// send composes the mail as things are now and hands it to the sender. A
// panic counts as a mail that cannot be sent, so that one poisonous mail does
// not take the process with it.
func (d *Deliverer) send(ctx context.Context, m Delivery) (retry bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			retry, err = false, fmt.Errorf("notify: sending panicked: %v", p)
		}
	}()
	mail, retry, err := d.compose(ctx, m)
	if err != nil {
		return retry, err
	}
	retry, err = d.cfg.Sender.Send(ctx, mail)
	if err != nil {
		// A server's answer may quote the address, and errors are kept.
		err = errors.New(strings.ReplaceAll(err.Error(), mail.To, "the recipient"))
	}
	return retry, err
}

func (d *Deliverer) compose(ctx context.Context, m Delivery) (mail Mail, retry bool, err error) {
	switch m.Type {
	case TypeConfirmAddress, TypeResetPassword, TypeAlreadyRegistered:
		if m.Fact.Kind == "" {
			return Mail{}, false, errFactGone
		}
		account, err := accountOf(m.Fact)
		if err != nil {
			return Mail{}, false, err
		}
		address, name, url, err := d.cfg.Links.AccountLink(ctx, accountKind(m.Fact.Kind), account)
		if err != nil {
			return Mail{}, worthRetrying(err), linkError(err)
		}
		mail, err = composeAccount(m, address, name, url)
		return mail, false, err
	case TypeOrgInvited:
		if m.Fact.Kind == "" {
			return Mail{}, false, errFactGone
		}
		address, org, role, url, err := d.cfg.Links.InviteLink(ctx, InviteOf(m.Fact))
		if err != nil {
			return Mail{}, worthRetrying(err), linkError(err)
		}
		mail, err = composeInvite(m, org, role, address, url)
		return mail, false, err
	}
	if m.Address == "" {
		return Mail{}, false, errNoAddress
	}
	if superseded(m) {
		return Mail{}, false, errSuperseded
	}
	if m.OnBehalf && m.OnBehalfBefore >= MaxOnBehalfMails {
		return Mail{}, false, errTooManyMails
	}
	mail, err = compose(m, d.cfg.PublicURL)
	return mail, false, err
}

// unsettledFor is how much longer the mail about a change of an event waits
// for the next change. A fact whose clock ran ahead of ours waits for nothing.
func unsettledFor(m Delivery, now time.Time) time.Duration {
	age := now.Sub(m.Fact.CreatedAt)
	if m.Fact.Kind != event.KindUpdated || age < 0 {
		return 0
	}
	return UpdateSettle - age
}

// superseded says whether a mail tells of a change after which the event
// changed again. Every such change has a fact and mails of its own, which say
// how things stand by then, so the older mail has nothing to add.
func superseded(m Delivery) bool {
	if m.Fact.Kind != event.KindUpdated || m.Event.ID == uuid.Nil {
		return false
	}
	change, err := decodeEventChange(m.Fact)
	return err == nil && !sameCard(cardOf(&change.After), m.Event)
}

// worthRetrying tells "there is no such thing any more" from "not right now".
func worthRetrying(err error) bool {
	var f *fault.Error
	if !errors.As(err, &f) {
		return true
	}
	return f.Kind == fault.Unavailable || f.Kind == fault.Internal || f.Kind == fault.TooMany
}

// linkError keeps of a link's error what is safe to keep.
func linkError(err error) error {
	var f *fault.Error
	if errors.As(err, &f) && !worthRetrying(err) {
		return fmt.Errorf("%w: %s", errNothingToSay, f.Code)
	}
	return fmt.Errorf("notify: mint a link: %w", err)
}

// retryPause is how long to wait after an attempt, counted from 1; chance is
// in [0, 1).
func retryPause(attempt int, chance float64) time.Duration {
	pause := float64(firstRetryPause) * math.Pow(retryPauseFactor, float64(attempt-1))
	pause = min(pause, float64(lastRetryPause))
	return time.Duration(pause * (1 - retryJitter + 2*retryJitter*chance))
}

// withGrace gives a context that ends after timeout, or grace after its parent
// was cancelled.
func withGrace(parent context.Context, timeout, grace time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(parent), timeout)
	stop := context.AfterFunc(parent, func() {
		pause(ctx, grace)
		cancel()
	})
	return ctx, func() {
		stop()
		cancel()
	}
}

func shortened(s string) string {
	if len(s) <= maxErrorLength {
		return s
	}
	s = s[:maxErrorLength]
	for len(s) > 0 && !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s + "…"
}
