package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/notify"
	"happening/internal/postgres"
	"happening/internal/testkit"
)

// queueBench is a store with facts of two organizations, an hour old.
type queueBench struct {
	*testing.T
	db    *testkit.DB
	store *postgres.NotifyStore
	now   time.Time
}

func newQueueBench(t *testing.T) *queueBench {
	t.Helper()
	t.Parallel()
	db := testkit.NewDB(t)
	return &queueBench{t, db, postgres.NewNotifyStore(db.DB), time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC)}
}

func (b *queueBench) facts(org *uuid.UUID, n int) {
	b.Helper()
	ids := make([]uuid.UUID, n)
	for i := range ids {
		ids[i] = uuid.Must(uuid.NewV7())
	}
	b.exec(`INSERT INTO outbox (id, org_id, kind, payload, created_at) SELECT id, $2, 'event.cancelled', '{}', $3 FROM unnest($1::uuid[]) id`,
		ids, org, b.now.Add(-time.Hour))
}

func (b *queueBench) exec(sql string, args ...any) {
	b.Helper()
	if _, err := b.db.System.Exec(context.Background(), sql, args...); err != nil {
		b.Fatal(err)
	}
}

func (b *queueBench) count(sql string, args ...any) (n int) {
	b.Helper()
	if err := b.db.System.QueryRow(context.Background(), sql, args...).Scan(&n); err != nil {
		b.Fatal(err)
	}
	return n
}

func (b *queueBench) lease(limit, window int) notify.Leased {
	b.Helper()
	leased, err := b.store.LeaseFacts(context.Background(), b.now, b.now.Add(time.Minute), uuid.Nil, limit, window)
	if err != nil {
		b.Fatal(err)
	}
	return leased
}

func TestAnOrganizationHasItsPartOnTheWayAndNoMore(t *testing.T) {
	b := newQueueBench(t)
	loud, quiet := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	b.facts(&loud, 500)
	b.facts(&quiet, 5)
	b.facts(nil, 50)
	onTheWay := func(org uuid.UUID) int {
		return b.count("SELECT count(*) FROM outbox WHERE org_id = $1 AND queued_at IS NOT NULL", org)
	}
	for range 10 {
		b.lease(50, 100)
	}
	// Of a window of 100, a tenth belongs to no organization, the rest in
	// equal parts to two.
	if got := onTheWay(loud); got != 45 {
		t.Errorf("%d of the loud organization are on the way", got)
	}
	if got := onTheWay(quiet); got != 5 {
		t.Errorf("%d of the quiet organization are on the way", got)
	}
	if got := b.count("SELECT count(*) FROM outbox WHERE org_id IS NULL AND queued_at IS NOT NULL"); got != 10 {
		t.Errorf("%d of no organization are on the way", got)
	}
	// What is told makes room for as many.
	b.exec(`UPDATE outbox SET relayed_at = $2 WHERE id IN (SELECT id FROM outbox WHERE org_id = $1 AND queued_at IS NOT NULL ORDER BY id LIMIT 20)`, loud, b.now)
	b.lease(100, 100)
	if got := b.count("SELECT count(*) FROM outbox WHERE org_id = $1 AND queued_at IS NOT NULL AND relayed_at IS NULL", loud); got != 45 {
		t.Errorf("%d are on the way after there was room", got)
	}
}

func TestALeaseIsTakenOverOnlyWhenItEnds(t *testing.T) {
	b := newQueueBench(t)
	org := uuid.Must(uuid.NewV7())
	b.facts(&org, 10)
	if got := b.lease(100, 1000); len(got.Facts) != 10 || got.Again != 0 {
		t.Fatalf("%+v", got)
	}
	if got := b.lease(100, 1000); len(got.Facts) != 0 {
		t.Fatalf("leased twice: %+v", got)
	}
	b.now = b.now.Add(time.Minute)
	got := b.lease(100, 1000)
	if len(got.Facts) != 10 || got.Again != 10 {
		t.Fatalf("%+v", got)
	}
	if n := b.count("SELECT max(tries) FROM outbox"); n != 1 {
		t.Errorf("taking a lease over counts as a try: %d", n)
	}
	if err := b.store.ReleaseFacts(context.Background(), got.Facts[:4]); err != nil {
		t.Fatal(err)
	}
	if n := b.count("SELECT count(*) FROM outbox WHERE queued_at IS NULL AND next_try_at IS NULL AND tries = 0"); n != 4 {
		t.Errorf("%d are given back", n)
	}
	if got := b.lease(100, 1000); len(got.Facts) != 4 || got.Again != 0 {
		t.Errorf("%+v", got)
	}
	// The relay leaves what is on the way alone.
	relayed, err := b.store.RelayFacts(context.Background(), b.now, uuid.Nil, func(notify.Claimed) notify.Composed { return notify.Composed{} })
	if err != nil || relayed.Facts != 0 {
		t.Errorf("relayed %+v, %v", relayed, err)
	}
}

func TestWhatHadItsTriesIsPutAsideAndSentAgainByHand(t *testing.T) {
	b := newQueueBench(t)
	org, other := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	b.facts(&org, 3)
	b.facts(&other, 1)
	b.lease(100, 1000)
	b.exec("UPDATE outbox SET tries = $1", notify.MaxTries)
	b.now = b.now.Add(time.Minute)
	if got := b.lease(100, 1000); len(got.PutAside) != 4 || len(got.Facts) != 0 {
		t.Fatalf("%+v", got)
	}
	if n := b.count("SELECT count(*) FROM outbox WHERE relayed_at IS NOT NULL AND failure <> ''"); n != 4 {
		t.Fatalf("%d are failed", n)
	}
	b.exec(`INSERT INTO notifications (id, fact_id, org_id, user_id, channel, type, title, message, status, attempts, last_error, created_at)
		SELECT gen_random_uuid(), gen_random_uuid(), $1, gen_random_uuid(), 'email', 'booking_confirmed', '', '', status, 8, 'refused', $2
		FROM unnest(ARRAY['failed', 'failed', 'sent']) status`, org, b.now)

	resend := func(which notify.ResendWhich) notify.Resent {
		t.Helper()
		resent, err := notify.Resend(context.Background(), b.store, b.now, which)
		if err != nil {
			t.Fatal(err)
		}
		return resent
	}
	if got := resend(notify.ResendWhich{OrgID: org, Since: b.now.Add(time.Second)}); got != (notify.Resent{}) {
		t.Errorf("of later: %+v", got)
	}
	if got := resend(notify.ResendWhich{OrgID: org}); got != (notify.Resent{Facts: 3, Mails: 2}) {
		t.Errorf("of one organization: %+v", got)
	}
	if got := resend(notify.ResendWhich{}); got != (notify.Resent{Facts: 1}) {
		t.Errorf("of all: %+v", got)
	}
	if n := b.count("SELECT count(*) FROM outbox WHERE relayed_at IS NULL AND failure IS NULL AND tries = 0 AND queued_at IS NULL AND next_try_at IS NULL"); n != 4 {
		t.Errorf("%d facts are as new", n)
	}
	if n := b.count("SELECT count(*) FROM notifications WHERE status = 'pending' AND attempts = 0 AND next_try_at = $1 AND last_error = ''", b.now); n != 2 {
		t.Errorf("%d mails are as new", n)
	}
}

func TestManyFailuresAreSentAgainInSteps(t *testing.T) {
	b := newQueueBench(t)
	const failed = 2*notify.ResendStep + 7
	b.facts(nil, failed)
	b.exec("UPDATE outbox SET relayed_at = $1, failure = 'broken'", b.now)
	resent, err := notify.Resend(context.Background(), b.store, b.now, notify.ResendWhich{})
	if err != nil || resent.Facts != failed {
		t.Errorf("%+v, %v", resent, err)
	}
}

// A fact that somebody holds for a moment, as a forwarder does that looked for
// facts while another leased it, is told and not passed over until its lease
// ends.
func TestAFactThatIsHeldForAMomentIsTold(t *testing.T) {
	b := newQueueBench(t)
	org := uuid.Must(uuid.NewV7())
	b.facts(&org, 2)
	leased := b.lease(100, 1000).Facts
	ctx := context.Background()
	holder, err := b.db.System.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := holder.Exec(ctx, "SELECT 1 FROM outbox WHERE id = $1 FOR UPDATE", leased[0]); err != nil {
		t.Fatal(err)
	}
	told := make(chan error, 1)
	go func() {
		_, err := b.store.TellFacts(ctx, b.now, leased, func(notify.Claimed) notify.Composed { return notify.Composed{} })
		told <- err
	}()
	b.await("that the teller waits", `SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`, 1)
	if err := holder.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-told; err != nil {
		t.Fatal(err)
	}
	if n := b.count("SELECT count(*) FROM outbox WHERE relayed_at IS NULL"); n != 0 {
		t.Errorf("%d facts were passed over", n)
	}
}

// await asks until the answer is the one that is wanted.
func (b *queueBench) await(what, sql string, want int) {
	b.Helper()
	deadline := time.After(time.Minute)
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for b.count(sql) != want {
		select {
		case <-deadline:
			b.Fatalf("not seen: %s", what)
		case <-look.C:
		}
	}
}
