package notify_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"happening/internal/fault"
	"happening/internal/notify"
)

// post is a sender that remembers what it sent and fails as told.
type post struct {
	mu    sync.Mutex
	mails []notify.Mail
	fails func(notify.Mail) (retry bool, err error) // nil error: sent
}

func (p *post) Send(_ context.Context, m notify.Mail) (bool, error) {
	if p.fails != nil {
		if retry, err := p.fails(m); err != nil {
			return retry, err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mails = append(p.mails, m)
	return false, nil
}

func (p *post) sent() []notify.Mail {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.mails)
}

// links mints links, or fails as told.
type links struct{ err error }

func (l links) AccountLink(_ context.Context, kind string, id uuid.UUID) (email, name, url string, err error) {
	return addressOf(id), "Ada", "https://tickets.example.org/idp/" + kind, l.err
}

func (l links) InviteLink(_ context.Context, id uuid.UUID) (email, orgName, role, url string, err error) {
	return addressOf(id), "Jazz", "organizer", "https://tickets.example.org/invites", l.err
}

func (h *house) deliverer(sender notify.Sender, change ...func(*notify.DelivererConfig)) *notify.Deliverer {
	cfg := notify.DelivererConfig{
		Store: h.store, Sender: sender, Links: links{}, PublicURL: "https://tickets.example.org",
		Now: h.now, Log: slog.New(slog.DiscardHandler),
	}
	for _, c := range change {
		c(&cfg)
	}
	return notify.NewDeliverer(cfg)
}

// deliver claims what is due and tries it once, as the workers of Run do.
func (h *house) deliver(d *notify.Deliverer) int {
	h.Helper()
	ctx := context.Background()
	due, _, err := h.store.ClaimMails(ctx, h.now(), notify.MailLease, uuid.Nil, notify.MailBatch)
	if err != nil {
		h.Fatal(err)
	}
	var results []notify.Result
	for _, m := range due {
		results = append(results, d.Attempt(ctx, m))
	}
	if err := h.store.FinishMails(ctx, h.now(), results); err != nil {
		h.Fatal(err)
	}
	return len(due)
}

func (h *house) statusOf(fact uuid.UUID) (status, lastError string, attempts int) {
	h.Helper()
	err := h.db.System.QueryRow(context.Background(),
		"SELECT status, last_error, attempts FROM notifications WHERE fact_id = $1 AND channel = 'email'", fact).
		Scan(&status, &lastError, &attempts)
	if err != nil {
		h.Fatal(err)
	}
	return status, lastError, attempts
}

func TestRunDeliversWithAStableID(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	org, event := h.organization("Jazz")
	ada := h.person(true)
	fact, booking := h.booked(org, event, ada)
	h.drain(h.relay())

	arrived := make(chan struct{})
	p := &post{fails: func(notify.Mail) (bool, error) { close(arrived); return false, nil }}
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() { h.deliverer(p).Run(ctx) })
	<-arrived
	cancel()
	done.Wait()

	mails := p.sent()
	if len(mails) != 1 {
		t.Fatalf("%d mails", len(mails))
	}
	m := notify.Message{FactID: fact, UserID: ada}
	if mails[0].ID != m.ID(notify.Email).String() || mails[0].To != addressOf(ada) {
		t.Errorf("mail %s to %s", mails[0].ID, mails[0].To)
	}
	for _, want := range []string{"Row A · Seat 3", "https://tickets.example.org/bookings/" + booking.String(), "Hello Ada,", "Night of Jazz"} {
		if !strings.Contains(mails[0].Text, want) {
			t.Errorf("the mail doesn't say %q:\n%s", want, mails[0].Text)
		}
	}
	if status, _, attempts := h.statusOf(fact); status != "sent" || attempts != 1 {
		t.Errorf("status %s after %d attempts", status, attempts)
	}
}

func TestAFailingMailIsRetriedAndGivenUp(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	org, event := h.organization("Jazz")
	ada := h.person(true)
	fact, _ := h.booked(org, event, ada)
	h.drain(h.relay())
	p := &post{fails: func(m notify.Mail) (bool, error) { return true, fmt.Errorf("451 not now, <%s>", m.To) }}
	d := h.deliverer(p)
	for attempt := 1; attempt <= notify.MaxAttempts; attempt++ {
		if n := h.deliver(d); n != 1 {
			t.Fatalf("attempt %d: %d mails are due", attempt, n)
		}
		status, lastError, attempts := h.statusOf(fact)
		want := "pending"
		if attempt == notify.MaxAttempts {
			want = "failed"
		}
		if status != want || attempts != attempt || !strings.Contains(lastError, "451") {
			t.Fatalf("attempt %d: %s after %d, %q", attempt, status, attempts, lastError)
		}
		if strings.Contains(lastError, addressOf(ada)) {
			t.Fatalf("the address is kept in the error: %q", lastError)
		}
		if n := h.deliver(d); n != 0 {
			t.Fatalf("attempt %d was followed by another without a pause", attempt)
		}
		h.pass(5 * time.Hour)
	}
	if n := h.deliver(d); n != 0 {
		t.Error("a mail that was given up is tried again")
	}
}

func TestWhatCannotBeDeliveredIsNotRetried(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		verified bool
		kind     string
		fails    error // of the sender
		links    error
		wants    string
	}{
		{"no verified address", false, "booking.confirmed", nil, nil, "no verified address"},
		{"refused for good", true, "booking.confirmed", errors.New("550 no such user"), nil, "550"},
		{"invitation revoked", true, "org.invited", nil, fmt.Errorf("org: %w", fault.ErrNotFound), "not_found"},
		{"account gone", true, "account.confirm_address", nil, fault.ErrNotFound, "not_found"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			org, event := h.organization("Jazz")
			fact := h.factOf(c.kind, org, event, h.person(c.verified))
			h.drain(h.relay())
			p := &post{fails: func(notify.Mail) (bool, error) { return false, c.fails }}
			d := h.deliverer(p, func(cfg *notify.DelivererConfig) { cfg.Links = links{c.links} })
			if n := h.deliver(d); n != 1 {
				t.Fatalf("%d mails due", n)
			}
			if status, lastError, _ := h.statusOf(fact); status != "failed" || !strings.Contains(lastError, c.wants) {
				t.Errorf("%s, %q", status, lastError)
			}
			if len(p.sent()) != 0 {
				t.Error("it was sent all the same")
			}
		})
	}
}

// factOf writes a fact of the kind.
func (h *house) factOf(kind string, org, event, person uuid.UUID) uuid.UUID {
	h.Helper()
	id := newID()
	switch kind {
	case "org.invited":
		invite := newID()
		h.exec(`INSERT INTO organization_invites (id, org_id, email, role, invited_by, expires_at) VALUES ($1, $2, 'x@example.org', 'user', $3, $4)`,
			invite, org, newID(), start)
		h.exec(`INSERT INTO outbox (id, org_id, kind, payload, created_at) VALUES ($1, $2, $3, $4, $5)`,
			id, org, kind, fmt.Sprintf(`{"invite_id":%q}`, invite), start)
	case "booking.confirmed":
		id, _ = h.booked(org, event, person)
	default:
		h.exec(`INSERT INTO outbox (id, kind, payload, created_at) VALUES ($1, $2, $3, $4)`,
			id, kind, fmt.Sprintf(`{"account_id":%q}`, person), start)
	}
	return id
}

func TestAnEngineThatIsAwayForALinkIsWaitedFor(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	fact := h.factOf("account.reset_password", uuid.Nil, uuid.Nil, newID())
	h.drain(h.relay())
	h.deliver(h.deliverer(&post{}, func(cfg *notify.DelivererConfig) { cfg.Links = links{errors.New("connection refused")} }))
	if status, _, _ := h.statusOf(fact); status != "pending" {
		t.Fatalf("given up at once: %s", status)
	}
	h.pass(time.Minute)
	p := &post{}
	h.deliver(h.deliverer(p))
	if mails := p.sent(); len(mails) != 1 || !strings.Contains(mails[0].Text, "/idp/reset_password") {
		t.Errorf("sent %+v", mails)
	}
}

func TestAKilledWorkersMailsAreTakenUpAfterTheLease(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	org, event := h.organization("Jazz")
	fact, _ := h.booked(org, event, h.person(true))
	h.drain(h.relay())
	ctx := t.Context()
	claim := func() []notify.Delivery {
		due, _, err := h.store.ClaimMails(ctx, h.now(), notify.MailLease, uuid.Nil, notify.MailBatch)
		if err != nil {
			t.Fatal(err)
		}
		return due
	}
	// The first worker sends the mail and is killed before it says so.
	dead := claim()
	if len(dead) != 1 {
		t.Fatalf("%d mails due", len(dead))
	}
	p := &post{}
	d := h.deliverer(p)
	late := d.Attempt(ctx, dead[0])
	h.pass(notify.MailLease - time.Second)
	if n := h.deliver(d); n != 0 {
		t.Fatal("a leased mail was taken")
	}
	h.pass(2 * time.Second)
	if n := h.deliver(d); n != 1 {
		t.Fatal("the lease ended and nobody took the mail up")
	}
	mails := p.sent()
	if len(mails) != 2 || mails[0].ID != mails[1].ID {
		t.Errorf("sent %d times, with other ids", len(mails))
	}
	// A worker that was only slow says something after all; it counts no more.
	late.Outcome, late.Error = notify.MailFailed, "too late"
	if err := h.store.FinishMails(ctx, h.now(), []notify.Result{late}); err != nil {
		t.Fatal(err)
	}
	if status, lastError, attempts := h.statusOf(fact); status != "sent" || lastError != "" || attempts != 2 {
		t.Errorf("%s, %q after %d attempts", status, lastError, attempts)
	}
}

func TestAStaleAttemptCannotOverruleTheCurrentOne(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	org, event := h.organization("Jazz")
	fact, _ := h.booked(org, event, h.person(true))
	h.drain(h.relay())
	claim := func() notify.Delivery {
		due, _, err := h.store.ClaimMails(t.Context(), h.now(), notify.MailLease, uuid.Nil, notify.MailBatch)
		if err != nil || len(due) != 1 {
			t.Fatalf("%d due, %v", len(due), err)
		}
		return due[0]
	}
	finish := func(r notify.Result) {
		if err := h.store.FinishMails(t.Context(), h.now(), []notify.Result{r}); err != nil {
			t.Fatal(err)
		}
	}
	stale := claim()
	h.pass(notify.MailLease + time.Second)
	claim()
	finish(notify.Result{ID: stale.ID, Attempt: stale.Attempt, Outcome: notify.MailFailed, Error: "stale"})
	if status, _, _ := h.statusOf(fact); status != "pending" {
		t.Errorf("a stale failure counts: %s", status)
	}
	finish(notify.Result{ID: stale.ID, Attempt: stale.Attempt, Outcome: notify.MailSent})
	if status, _, _ := h.statusOf(fact); status != "sent" {
		t.Errorf("a stale success doesn't count: %s", status)
	}
}

// moved changes the event's place and writes the fact of it.
func (h *house) moved(org, event uuid.UUID, from, to string) uuid.UUID {
	h.Helper()
	h.exec("UPDATE events SET venue = $2 WHERE id = $1", event, to)
	fact := newID()
	h.exec(`INSERT INTO outbox (id, org_id, kind, event_id, payload, created_at)
	        SELECT $1, $2, 'event.updated', id,
	               jsonb_build_object('changed', jsonb_build_array('venue'), 'before', of || jsonb_build_object('venue', $4::text), 'after', of), $5
	        FROM (SELECT id, jsonb_build_object('name', name, 'venue', venue, 'time_zone', time_zone,
	                                            'starts_at', starts_at, 'ends_at', ends_at) AS of FROM events WHERE id = $3) e`,
		fact, org, event, from, h.now())
	return fact
}

func TestChangesInQuickSuccessionAreOneMail(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	org, event := h.organization("Jazz")
	h.exec(`INSERT INTO bookings (id, org_id, event_id, user_id, seats, status, created_at, updated_at)
	        VALUES ($1, $2, $3, $4, 1, 'confirmed', $5, $5)`, newID(), org, event, h.person(true), start)
	p := &post{}
	d, r := h.deliverer(p), h.relay()

	typo := h.moved(org, event, "Blue Hall", "Bleu Hall")
	h.drain(r)
	h.deliver(d)
	if status, _, attempts := h.statusOf(typo); status != "pending" || attempts != 0 {
		t.Errorf("before it has settled: %s after %d attempts", status, attempts)
	}
	h.pass(notify.UpdateSettle / 2)
	fixed := h.moved(org, event, "Bleu Hall", "Red Hall")
	h.drain(r)
	h.deliver(d)
	h.pass(notify.UpdateSettle / 2)
	if n := h.deliver(d); n != 1 {
		t.Errorf("%d mails are due when the first change has settled", n)
	}
	if status, lastError, _ := h.statusOf(typo); status != "failed" || !strings.Contains(lastError, "changed again") || len(p.sent()) != 0 {
		t.Errorf("the first change: %s, %q, %d mails sent", status, lastError, len(p.sent()))
	}
	h.pass(notify.UpdateSettle / 2)
	h.deliver(d)
	if status, lastError, attempts := h.statusOf(fixed); status != "sent" || attempts != 1 {
		t.Errorf("the newest change: %s after %d attempts, %q", status, attempts, lastError)
	}
	if mails := p.sent(); len(mails) != 1 || !strings.Contains(mails[0].Text, "Red Hall") {
		t.Errorf("got %+v", mails)
	}
	if n := h.count("SELECT count(*) FROM notifications WHERE channel = 'app'"); n != 2 {
		t.Errorf("%d messages in the bell of 2 changes", n)
	}

	// One that comes after the mail is told again.
	h.pass(time.Hour)
	h.moved(org, event, "Red Hall", "Green Hall")
	h.drain(r)
	h.deliver(d)
	h.pass(notify.UpdateSettle)
	h.deliver(d)
	if mails := p.sent(); len(mails) != 2 || !strings.Contains(mails[1].Text, "Green Hall") {
		t.Errorf("a later change: %d mails", len(mails))
	}
}

func TestAMailThatKillsItsWorkerIsGivenUp(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	org, event := h.organization("Jazz")
	fact, _ := h.booked(org, event, h.person(true))
	h.drain(h.relay())
	for range notify.MaxAttempts {
		if due, _, err := h.store.ClaimMails(t.Context(), h.now(), notify.MailLease, uuid.Nil, 1); err != nil || len(due) != 1 {
			t.Fatalf("%d due, %v", len(due), err)
		}
		h.pass(notify.MailLease + time.Second)
	}
	h.deliver(h.deliverer(&post{}))
	if status, lastError, _ := h.statusOf(fact); status != "failed" || lastError == "" {
		t.Errorf("%s, %q", status, lastError)
	}
}

func TestAPoisonHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	org, event := h.organization("Jazz")
	poisoned := h.person(true)
	poison, _ := h.booked(org, event, poisoned)
	const others = 200
	for range others {
		h.booked(org, event, h.person(true))
	}
	h.drain(h.relay())
	var rest sync.WaitGroup
	rest.Add(others)
	sent := make(chan struct{})
	go func() {
		rest.Wait()
		close(sent)
	}()
	p := &post{fails: func(m notify.Mail) (bool, error) {
		if m.To == addressOf(poisoned) {
			// It hangs until everybody else has got their mail, then blows up.
			<-sent
			panic("poison")
		}
		rest.Done()
		return false, nil
	}}
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() { h.deliverer(p).Run(ctx) })
	<-sent
	cancel()
	done.Wait()
	if n := h.count("SELECT count(*) FROM notifications WHERE channel = 'email' AND status = 'sent'"); n != others {
		t.Errorf("%d of %d mails are marked as sent", n, others)
	}
	if status, lastError, _ := h.statusOf(poison); status != "failed" || !strings.Contains(lastError, "panicked") {
		t.Errorf("the poison: %s, %q", status, lastError)
	}
}

func TestAFloodOfMailsDelaysNobodyElse(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	loud, loudEvent := h.organization("Loud")
	h.flood(loud, loudEvent, 3000)
	h.drain(h.relay())
	h.pass(time.Second)
	org, event := h.organization("Quiet")
	quiet, _ := h.booked(org, event, h.person(true))
	account := h.factOf("account.confirm_address", uuid.Nil, uuid.Nil, newID())
	h.drain(h.relay())
	due, _, err := h.store.ClaimMails(t.Context(), h.now(), notify.MailLease, uuid.Nil, notify.MailBatch)
	if err != nil {
		t.Fatal(err)
	}
	if len(due) > notify.MailBatch || len(due) < notify.MailBatch/3 {
		t.Errorf("a batch of %d", len(due))
	}
	for _, want := range []uuid.UUID{quiet, account} {
		if !slices.ContainsFunc(due, func(d notify.Delivery) bool { return d.Fact.ID == want }) {
			t.Error("a mail of somebody else waits behind the flood")
		}
	}
}

// mailScript is a mail store without a database that hands out its mails once.
type mailScript struct {
	mu      sync.Mutex
	due     []notify.Delivery
	results []notify.Result
}

func (s *mailScript) ClaimMails(_ context.Context, _ time.Time, _ time.Duration, _ uuid.UUID, limit int) ([]notify.Delivery, uuid.UUID, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := min(limit, len(s.due))
	due := s.due[:n]
	s.due = s.due[n:]
	return due, uuid.Nil, nil
}

func (s *mailScript) FinishMails(_ context.Context, _ time.Time, results []notify.Result) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.results = append(s.results, results...)
	return nil
}

// slow is a sender that takes its time, or as long as the context lets it.
type slow time.Duration

func (s slow) Send(ctx context.Context, _ notify.Mail) (bool, error) {
	select {
	case <-time.After(time.Duration(s)):
		return false, nil
	case <-ctx.Done():
		return true, ctx.Err()
	}
}

func TestAStopIsBoundedAndGivesBackWhatWasNotTried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &mailScript{}
		for range notify.MailBatch {
			s.due = append(s.due, notify.Delivery{ID: newID(), Attempt: 1, Type: notify.TypeBookingConfirmed, Address: "ada@example.org"})
		}
		d := notify.NewDeliverer(notify.DelivererConfig{
			Store: s, Sender: slow(time.Hour), Links: links{}, PublicURL: "http://localhost:3000", Now: time.Now, Log: slog.New(slog.DiscardHandler),
		})
		ctx, cancel := context.WithCancel(t.Context())
		var done sync.WaitGroup
		done.Go(func() { d.Run(ctx) })
		time.Sleep(time.Second)
		cancel()
		began := time.Now()
		done.Wait()
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("stopping took %v", took)
		}
		outcomes := make(map[notify.Outcome]int)
		for _, r := range s.results {
			outcomes[r.Outcome]++
		}
		if outcomes[notify.MailRetry] != notify.MailWorkers || outcomes[notify.MailUntried] != notify.MailBatch-notify.MailWorkers {
			t.Errorf("outcomes %v", outcomes)
		}
	})
}

func TestAMailIsNotStartedWhenItsLeaseIsNearlyOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &mailScript{}
		for range notify.MailBatch {
			s.due = append(s.due, notify.Delivery{ID: newID(), Attempt: 1, Type: notify.TypeBookingConfirmed, Address: "ada@example.org"})
		}
		d := notify.NewDeliverer(notify.DelivererConfig{
			// Every mail takes as long as it may: the batch takes longer than the lease.
			Store: s, Sender: slow(notify.SendTimeout - time.Second), Links: links{}, PublicURL: "http://localhost:3000",
			Now: time.Now, Log: slog.New(slog.DiscardHandler),
		})
		ctx, cancel := context.WithCancel(t.Context())
		var done sync.WaitGroup
		done.Go(func() { d.Run(ctx) })
		time.Sleep(5 * time.Minute)
		cancel()
		done.Wait()
		outcomes := make(map[notify.Outcome]int)
		for _, r := range s.results {
			outcomes[r.Outcome]++
		}
		if outcomes[notify.MailUntried] == 0 || outcomes[notify.MailSent]+outcomes[notify.MailUntried] != notify.MailBatch {
			t.Errorf("outcomes %v", outcomes)
		}
	})
}

func BenchmarkDeliver(b *testing.B) {
	h := newHouse(b)
	org, event := h.organization("Jazz")
	const mails = 1000
	for b.Loop() {
		b.StopTimer()
		h.flood(org, event, mails)
		h.exec(`INSERT INTO users (id, name, email, email_verified)
		        SELECT user_id, 'Ada', user_id || '@example.org', true FROM outbox WHERE relayed_at IS NULL`)
		h.drain(h.relay())
		var rest sync.WaitGroup
		rest.Add(mails)
		p := &post{fails: func(notify.Mail) (bool, error) { rest.Done(); return false, nil }}
		ctx, cancel := context.WithCancel(context.Background())
		var done sync.WaitGroup
		b.StartTimer()
		done.Go(func() { h.deliverer(p).Run(ctx) })
		rest.Wait()
		cancel()
		done.Wait()
	}
	b.ReportMetric(float64(mails*b.N)/b.Elapsed().Seconds(), "mails/s")
}
