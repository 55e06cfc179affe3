package notify_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"happening/internal/notify"
)

func (h *house) connect(role string) *pgx.Conn {
	h.Helper()
	conn, err := pgx.Connect(context.Background(), h.db.ConnString(role))
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

// breaches counts people who see the same fact twice in the application, and
// facts that nobody was told of.
func (h *house) breaches() (twice, untold int) {
	h.Helper()
	twice = h.count(`SELECT count(*) FROM (
		SELECT FROM notifications WHERE channel = 'app' GROUP BY fact_id, user_id HAVING count(*) > 1) AS d`)
	untold = h.count(`SELECT count(*) FROM outbox f WHERE NOT EXISTS (SELECT FROM notifications n WHERE n.fact_id = f.id)`)
	return twice, untold
}

func TestAFactIsToldInBothChannelsAndPushed(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	org, event := h.organization("Jazz")
	ada := h.person(true)
	fact, booking := h.booked(org, event, ada)
	var pushed []notify.AppMessage
	woken := 0
	r := h.relay(func(c *notify.RelayConfig) {
		c.Pushed = func(_ context.Context, m []notify.AppMessage) { pushed = append(pushed, m...) }
		c.MailQueued = func() { woken++ }
	})
	h.drain(r)
	if len(pushed) != 1 || pushed[0].UserID != ada || pushed[0].Type != notify.TypeBookingConfirmed || woken != 1 {
		t.Errorf("pushed %+v, deliverer woken %d times", pushed, woken)
	}
	rows, err := h.db.System.Query(t.Context(), `
		SELECT channel, status, org_id = $2, event_id = $3, booking_id = $4, sent_at IS NOT NULL, next_try_at IS NOT NULL
		FROM notifications WHERE fact_id = $1 AND user_id = $5 ORDER BY channel`, fact, org, event, booking, ada)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(values))
	}
	want := []string{"[app sent true true true true false]", "[email pending true true true false true]"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if n := h.count("SELECT count(*) FROM outbox WHERE relayed_at IS NULL"); n != 0 {
		t.Errorf("%d facts are still pending", n)
	}
}

// crash is a store whose transaction dies between the claim and the commit.
type crash struct {
	notify.RelayStore
	kill func()
}

func (c crash) RelayFacts(ctx context.Context, now time.Time, after uuid.UUID, compose func(notify.Claimed) notify.Composed) (notify.Relayed, error) {
	return c.RelayStore.RelayFacts(ctx, now, after, func(claimed notify.Claimed) notify.Composed {
		c.kill()
		return compose(claimed)
	})
}

func TestACrashBetweenClaimAndCommitTellsNobodyAndLosesNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	org, event := h.organization("Jazz")
	h.flood(org, event, 1200)
	killer := h.connect("happening")
	kills := 0
	r := h.relay(func(c *notify.RelayConfig) {
		c.Store = crash{h.store, func() {
			if kills++; kills%2 == 0 {
				return
			}
			// The backend dies with its transaction open, as under kill -9;
			// its locks are gone when this returns.
			_, err := killer.Exec(context.Background(), `
				SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
				WHERE datname = current_database() AND state = 'idle in transaction'`)
			if err != nil {
				t.Error(err)
			}
		}}
	})
	failures := 0
	for {
		n, err := r.Once(t.Context())
		if err != nil {
			failures++
			continue
		}
		if n == 0 {
			break
		}
	}
	if failures < 2 {
		t.Errorf("only %d transactions were killed", failures)
	}
	if twice, untold := h.breaches(); twice != 0 || untold != 0 {
		t.Errorf("%d told twice, %d not told", twice, untold)
	}
	if n := h.count("SELECT count(*) FROM notifications"); n != 2400 {
		t.Errorf("%d messages of 1200 facts", n)
	}
}

func TestTwoRelaysAtOnceTellEverythingOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	org, event := h.organization("Jazz")
	h.flood(org, event, 2000)
	var mu sync.Mutex
	pushed := make(map[uuid.UUID]int)
	inside, other := make(chan struct{}), make(chan struct{})
	var once sync.Once
	count := func(c *notify.RelayConfig) {
		c.Pushed = func(_ context.Context, messages []notify.AppMessage) {
			mu.Lock()
			defer mu.Unlock()
			for _, m := range messages {
				pushed[m.NotificationID]++
			}
		}
	}
	// The slow relay holds its claim until the other one has relayed: they
	// work at the same time for certain.
	slow := h.relay(count, func(c *notify.RelayConfig) {
		c.Store = crash{h.store, func() {
			once.Do(func() {
				close(inside)
				<-other
			})
		}}
	})
	var wg sync.WaitGroup
	wg.Go(func() { h.drain(slow) })
	<-inside
	h.drain(h.relay(count))
	if n := h.count("SELECT count(*) FROM outbox WHERE relayed_at IS NULL"); n == 0 || n > notify.RelayBatch {
		t.Errorf("%d facts are left to the relay that holds them", n)
	}
	close(other)
	wg.Wait()
	if twice, untold := h.breaches(); twice != 0 || untold != 0 {
		t.Errorf("%d told twice, %d not told", twice, untold)
	}
	if len(pushed) != 2000 {
		t.Errorf("%d of 2000 messages pushed", len(pushed))
	}
	for id, n := range pushed {
		if n != 1 {
			t.Errorf("%s was pushed %d times", id, n)
		}
	}
}

// TestAFactToldAgainShowsOnce is about what happens if the mark on a fact is
// lost. Its control takes the guards out and must see the breach.
func TestAFactToldAgainShowsOnce(t *testing.T) {
	t.Parallel()
	for _, guarded := range []bool{true, false} {
		t.Run(fmt.Sprintf("guarded=%v", guarded), func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			if !guarded {
				h.owner("DROP INDEX notifications_once; ALTER TABLE notifications DROP CONSTRAINT notifications_pkey")
			}
			org, event := h.organization("Jazz")
			h.flood(org, event, 20)
			pushes := 0
			r := h.relay(func(c *notify.RelayConfig) {
				c.Pushed = func(_ context.Context, m []notify.AppMessage) { pushes += len(m) }
			})
			h.drain(r)
			h.exec("UPDATE outbox SET relayed_at = NULL")
			h.drain(r)
			twice, _ := h.breaches()
			if guarded && (twice != 0 || pushes != 20) {
				t.Errorf("%d told twice, %d pushes", twice, pushes)
			}
			if !guarded && twice != 20 {
				t.Errorf("the control saw %d of 20 breaches", twice)
			}
		})
	}
}

func TestAFloodDelaysNobodyElse(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	loud, loudEvent := h.organization("Loud")
	h.flood(loud, loudEvent, 5000)
	var quiet []uuid.UUID
	for i := range 3 {
		org, event := h.organization(fmt.Sprint("Quiet ", i))
		fact, _ := h.booked(org, event, h.person(true))
		quiet = append(quiet, fact)
	}
	account := newID()
	h.exec(`INSERT INTO outbox (id, kind, payload, created_at) VALUES ($1, 'account.reset_password', $2, $3)`,
		account, fmt.Sprintf(`{"account_id":%q}`, newID()), start)
	n, err := h.relay().Once(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n > notify.RelayBatch {
		t.Errorf("a batch of %d", n)
	}
	if told := h.count("SELECT count(DISTINCT fact_id) FROM notifications WHERE fact_id = ANY ($1)", append(quiet, account)); told != 4 {
		t.Errorf("the first batch told %d of 4 facts of others", told)
	}
	if told := h.count("SELECT count(*) FROM outbox WHERE org_id = $1 AND relayed_at IS NOT NULL", loud); told == 0 {
		t.Error("the loud organization got nothing at all")
	}
}

func TestMoreOrganizationsThanABatchServesTakeTurns(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	const organizations = 2*notify.TenantsPerBatch + notify.TenantsPerBatch/2
	for i := range organizations {
		org, event := h.organization(fmt.Sprint("Org ", i))
		h.flood(org, event, 10)
	}
	r := h.relay()
	// Three batches go once around, though every organization has more.
	for range 3 {
		if _, err := r.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if served := h.count("SELECT count(DISTINCT org_id) FROM notifications"); served != organizations {
		t.Errorf("%d of %d organizations were served in one round", served, organizations)
	}
	h.drain(r)
	if _, untold := h.breaches(); untold != 0 {
		t.Errorf("%d facts were never told", untold)
	}
}

func TestEverybodyIsToldOfAMovedEventInStepsThatResume(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	org, event := h.organization("Jazz")
	const bookings = 2*notify.FanOutPage + 100
	h.bookings(org, event, bookings)
	// Of these, none is told: cancelled, another event's, made after the change.
	_, other := h.organization("Other")
	h.bookings(org, other, 3)
	h.exec("UPDATE bookings SET status = 'cancelled' WHERE id IN (SELECT id FROM bookings WHERE event_id = $1 ORDER BY id LIMIT 7)", event)
	h.exec(`INSERT INTO bookings (id, org_id, event_id, user_id, seats, status, created_at, updated_at)
	        VALUES ($1, $2, $3, $4, 1, 'confirmed', $5, $5)`, newID(), org, event, newID(), start.Add(time.Second))
	fact := newID()
	h.exec(`INSERT INTO outbox (id, org_id, kind, event_id, payload, created_at) VALUES ($1, $2, 'event.updated', $3, $4, $5)`,
		fact, org, event, `{"changed":["venue"],"before":{"venue":"Old Hall"},"after":{"venue":"Blue Hall"}}`, start)
	booked, _ := h.booked(org, event, h.person(true))

	if _, err := h.relay().Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	if told := h.count("SELECT count(*) FROM notifications WHERE fact_id = $1 AND channel = 'app'", fact); told != notify.FanOutPage {
		t.Errorf("the first step told %d people", told)
	}
	if told := h.count("SELECT count(*) FROM notifications WHERE fact_id = $1", booked); told != 2 {
		t.Error("a booking had to wait for the event's fact")
	}
	// Another process goes on where this one stopped; one step is done twice.
	dying := h.relay(func(c *notify.RelayConfig) { c.Store = dies{h.store} })
	if _, err := dying.Once(t.Context()); err == nil {
		t.Fatal("the dying relay lived")
	}
	// PostgreSQL notices a moment later that it is dead; until then nobody else
	// gets the fact, and the drain would find nothing to do.
	h.exec("SELECT 1 FROM outbox WHERE id = $1 FOR UPDATE", fact)
	h.drain(h.relay())
	if told := h.count("SELECT count(DISTINCT user_id) FROM notifications WHERE fact_id = $1 AND channel = 'app'", fact); told != bookings-7 {
		t.Errorf("%d people were told, not %d", told, bookings-7)
	}
	if twice, _ := h.breaches(); twice != 0 {
		t.Errorf("%d people were told twice", twice)
	}
	if n := h.count("SELECT count(*) FROM outbox WHERE relayed_at IS NULL"); n != 0 {
		t.Errorf("%d facts are still pending", n)
	}
}

// bookings makes live bookings, every tenth of them by the person of the one
// before.
func (h *house) bookings(org, event uuid.UUID, n int) {
	h.Helper()
	ids, people := make([]uuid.UUID, n), make([]uuid.UUID, n)
	for i := range n {
		ids[i], people[i] = newID(), newID()
	}
	h.exec(`INSERT INTO bookings (id, org_id, event_id, user_id, seats, status, created_at, updated_at)
	        SELECT b, $3, $4, p, 1, 'confirmed', $5, $5 FROM unnest($1::uuid[], $2::uuid[]) AS x (b, p)`,
		ids, people, org, event, start)
}

// dies is a store whose transactions never commit.
type dies struct{ notify.RelayStore }

var errKilled = errors.New("killed")

func (d dies) RelayFacts(ctx context.Context, now time.Time, after uuid.UUID, compose func(notify.Claimed) notify.Composed) (notify.Relayed, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	return d.RelayStore.RelayFacts(ctx, now, after, func(c notify.Claimed) notify.Composed {
		defer cancel(errKilled)
		return compose(c)
	})
}

func TestSeveralFanOutsShareAStep(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	org, event := h.organization("Jazz")
	h.bookings(org, event, 130)
	const changes = notify.FanOutFacts + 5
	for i := range changes {
		h.exec(`INSERT INTO outbox (id, org_id, kind, event_id, payload, created_at) VALUES ($1, $2, 'event.updated', $3, $4, $5)`,
			newID(), org, event, fmt.Sprintf(`{"changed":["venue"],"before":{"venue":"Hall %d"},"after":{"venue":"Hall %d"}}`, i, i+1), start)
	}
	h.drain(h.relay())
	if told := h.count("SELECT count(*) FROM notifications WHERE channel = 'app'"); told != changes*130 {
		t.Errorf("%d messages of %d", told, changes*130)
	}
}

func TestAFactWithoutSenseIsPutAside(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	org, event := h.organization("Jazz")
	poison := newID()
	h.exec(`INSERT INTO outbox (id, org_id, kind, event_id, payload, created_at) VALUES ($1, $2, 'booking.exploded', $3, '{}', $4)`,
		poison, org, event, start)
	fact, _ := h.booked(org, event, h.person(true))
	h.drain(h.relay())
	if n := h.count("SELECT count(*) FROM outbox WHERE id = $1 AND relayed_at IS NOT NULL AND failure LIKE '%unknown kind%'", poison); n != 1 {
		t.Error("the poison is not put aside with its reason")
	}
	if n := h.count("SELECT count(*) FROM notifications WHERE fact_id = $1", fact); n != 2 {
		t.Error("the poison held up the fact behind it")
	}
}

func TestInvitationsReachPeopleAndBareAddresses(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	org, _ := h.organization("Jazz")
	ada := h.person(true)
	invite := func(email string, user *uuid.UUID) uuid.UUID {
		id := newID()
		h.exec(`INSERT INTO organization_invites (id, org_id, email, role, invited_by, expires_at) VALUES ($1, $2, $3, 'organizer', $4, $5)`,
			id, org, email, newID(), start.Add(time.Hour))
		fact := newID()
		h.exec(`INSERT INTO outbox (id, org_id, kind, user_id, payload, created_at) VALUES ($1, $2, 'org.invited', $3, $4, $5)`,
			fact, org, user, fmt.Sprintf(`{"invite_id":%q}`, id), start)
		return fact
	}
	known, stranger := invite(addressOf(ada), &ada), invite("new@example.org", nil)
	h.drain(h.relay())
	if n := h.count("SELECT count(*) FROM notifications WHERE fact_id = $1 AND user_id = $2 AND title = 'Invitation to Jazz'", known, ada); n != 2 {
		t.Errorf("a person with an account gets %d messages, not bell and mail", n)
	}
	if n := h.count("SELECT count(*) FROM notifications WHERE fact_id = $1 AND channel = 'email' AND recipient = ''", stranger); n != 1 {
		t.Error("a bare address gets no mail, or stands in the queue")
	}
	if n := h.count("SELECT count(*) FROM notifications WHERE fact_id = $1 AND channel = 'app'", stranger); n != 0 {
		t.Error("a bare address has a bell")
	}
}

// script is a store that follows a script, without a database.
type script struct {
	notify.TellStore
	mu      sync.Mutex
	pending int
	batch   int           // facts of a transaction
	takes   time.Duration // of a transaction
	fail    int           // so many transactions fail first
	calls   []time.Time
}

func (s *script) RelayFacts(context.Context, time.Time, uuid.UUID, func(notify.Claimed) notify.Composed) (notify.Relayed, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, time.Now())
	if s.fail > 0 {
		s.fail--
		return notify.Relayed{}, errKilled
	}
	if s.pending == 0 {
		return notify.Relayed{}, nil
	}
	time.Sleep(s.takes)
	n := min(s.pending, s.batch)
	s.pending -= n
	return notify.Relayed{Facts: n}, nil
}

func (s *script) add(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending += n
}

func TestTheRelayGivesWayToASale(t *testing.T) {
	for _, c := range []struct {
		name string
		busy bool
		want time.Duration // until everything is told
	}{
		{"calm", false, 10 * 40 * time.Millisecond},
		{"busy", true, 10*40*time.Millisecond + 9*notify.BusyRest*40*time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{pending: 5000, batch: 500, takes: 40 * time.Millisecond}
				r := notify.NewRelay(notify.RelayConfig{Store: s, Now: time.Now, Busy: func() bool { return c.busy }, Log: slog.New(slog.DiscardHandler)})
				ctx, cancel := context.WithCancel(t.Context())
				began := time.Now()
				var done sync.WaitGroup
				done.Go(func() { r.Run(ctx) })
				time.Sleep(time.Minute)
				cancel()
				done.Wait()
				if s.pending != 0 {
					t.Fatalf("%d facts left", s.pending)
				}
				if got := s.calls[9].Add(s.takes).Sub(began); got != c.want {
					t.Errorf("told after %v, want %v", got, c.want)
				}
			})
		})
	}
}

func TestTheRelayWakesPollsAndComesBackFromFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{batch: 500, fail: 5}
		r := notify.NewRelay(notify.RelayConfig{Store: s, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
		ctx, cancel := context.WithCancel(t.Context())
		var done sync.WaitGroup
		done.Go(func() { r.Run(ctx) })
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if s.fail != 0 {
			t.Fatalf("%d failures were not got over", s.fail)
		}
		s.add(1)
		before := len(s.calls)
		r.Wake()
		r.Wake()
		synctest.Wait()
		if s.pending != 0 || len(s.calls) == before {
			t.Error("a wake-up was not heard at once")
		}
		s.add(1)
		time.Sleep(notify.PollInterval)
		synctest.Wait()
		if s.pending != 0 {
			t.Error("a fact that nobody announced was not noticed")
		}
		cancel()
		done.Wait()
	})
}

// A caller who books alone, one booking after the other, shares the disk with
// what tells of the bookings: what comes one by one is told a few at a time.
func TestTheRelayLetsAFewGather(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{batch: 500}
		r := notify.NewRelay(notify.RelayConfig{Store: s, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
		ctx, cancel := context.WithCancel(t.Context())
		var done sync.WaitGroup
		done.Go(func() { r.Run(ctx) })
		synctest.Wait()
		const facts, every = 1000, 2 * time.Millisecond
		for range facts {
			s.add(1)
			r.Wake()
			time.Sleep(every)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		cancel()
		done.Wait()
		if s.pending != 0 {
			t.Fatalf("%d facts left", s.pending)
		}
		// At once it would have been one transaction for each.
		if got := len(s.calls); got > facts/10 {
			t.Errorf("%d transactions for %d facts, one every %v", got, facts, every)
		}
	})
}

func BenchmarkRelay(b *testing.B) {
	h := newHouse(b)
	org, event := h.organization("Jazz")
	r := h.relay()
	const facts = 5000
	for b.Loop() {
		b.StopTimer()
		h.flood(org, event, facts)
		b.StartTimer()
		h.drain(r)
	}
	b.ReportMetric(float64(facts*b.N)/b.Elapsed().Seconds(), "facts/s")
}
