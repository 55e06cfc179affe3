package postgres_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/notify"
	"happening/internal/postgres"
	"happening/internal/testkit"
)

// The times of the leases under test; the real ones are ten times as long.
const (
	quickTTL   = 600 * time.Millisecond
	quickEvery = 150 * time.Millisecond
	// slowTTL is for leases that are given up, and must not end before that on
	// a machine that stands still for a moment.
	slowTTL = 10 * time.Minute
	// takeover is how long a lease may be without a holder that lives.
	takeover = 20 * time.Second
)

// leader is a process that wants the lease; it says when it leads and stays so
// until its time ends.
type leader struct {
	lease *postgres.Lease
	leads chan context.Context
	stop  context.CancelFunc
	done  chan struct{}
}

func newLeader(t *testing.T, db *postgres.DB, name string, ttl time.Duration) *leader {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	l := &leader{
		lease: postgres.QuickLease(db, name, uuid.New(), slog.New(slog.DiscardHandler), ttl, quickEvery),
		leads: make(chan context.Context, 10), stop: cancel, done: make(chan struct{}),
	}
	go func() {
		defer close(l.done)
		l.lease.Run(ctx, func(ctx context.Context) { l.leads <- ctx; <-ctx.Done() })
	}()
	t.Cleanup(func() { cancel(); <-l.done })
	return l
}

func (l *leader) await(t *testing.T) context.Context {
	t.Helper()
	select {
	case ctx := <-l.leads:
		return ctx
	case <-time.After(takeover):
		t.Fatal("nobody took the lease")
		return nil
	}
}

// leadsInTurn lets one process after another lead.
func leadsInTurn(t *testing.T, db *postgres.DB) {
	t.Helper()
	first := newLeader(t, db, "turn", slowTTL)
	one := first.await(t)
	second := newLeader(t, db, "turn", slowTTL)
	before, ok := first.lease.Leading()
	if !ok {
		t.Error("the first doesn't know that it leads")
	}
	first.stop()
	<-first.done
	if one.Err() == nil {
		t.Error("the first's work goes on after it gave the lease up")
	}
	second.await(t)
	after, ok := second.lease.Leading()
	if !ok || after.Number <= before.Number {
		t.Errorf("fence %d after %d", after.Number, before.Number)
	}
}

func TestALeaseIsHandedOverOnAStop(t *testing.T) { leadsInTurn(t, testkit.NewDB(t).DB) }

// TestOneLeadsAtATime lets many want one lease, which goes round among them, and
// never sees two lead. No term is so long that the lease could end under it.
func TestOneLeadsAtATime(t *testing.T) {
	db := testkit.NewDB(t)
	var mu sync.Mutex
	var leading, most, turns int
	var all sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	enough := make(chan struct{})
	for range 5 {
		lease := postgres.QuickLease(db.DB, "one", uuid.New(), slog.New(slog.DiscardHandler), slowTTL, 5*time.Millisecond)
		all.Go(func() {
			lease.Run(ctx, func(context.Context) {
				mu.Lock()
				leading++
				most = max(most, leading)
				if turns++; turns == 50 {
					close(enough)
				}
				mu.Unlock()
				mu.Lock()
				leading--
				mu.Unlock()
			})
		})
	}
	select {
	case <-enough:
	case <-time.After(time.Minute):
		t.Error("the lease does not go round")
	}
	cancel()
	all.Wait()
	if most != 1 {
		t.Errorf("%d led at the same time", most)
	}
}

// TestALostLeaseEndsTheWork takes the lease away behind its holder's back.
func TestALostLeaseEndsTheWork(t *testing.T) {
	for name, sql := range map[string]string{
		"taken by another": `UPDATE leases SET holder = gen_random_uuid(), fence = fence + 1, expires_at = clock_timestamp() + interval '1 second'`,
		"can't be renewed": `REVOKE UPDATE ON leases FROM happening_system`,
	} {
		t.Run(name, func(t *testing.T) {
			db := testkit.NewDB(t)
			l := newLeader(t, db.DB, "lost", quickTTL)
			work := l.await(t)
			db.AsOwner(t, sql)
			select {
			case <-work.Done():
			case <-time.After(takeover):
				t.Fatal("the work goes on")
			}
			if context.Cause(work) == nil {
				t.Error("the work is not told why")
			}
		})
	}
}

// TestAClockThatIsSetHoldsNothingUp sets the database's clock, which is to say
// that the lease ends at quite another time.
func TestAClockThatIsSetHoldsNothingUp(t *testing.T) {
	for _, ends := range []string{"1 day", "-1 day"} {
		t.Run(ends, func(t *testing.T) {
			db := testkit.NewDB(t)
			db.AsOwner(t, fmt.Sprintf(`INSERT INTO leases VALUES ('clock', gen_random_uuid(), 7, clock_timestamp() + interval '%s')`, ends))
			l := newLeader(t, db.DB, "clock", slowTTL)
			l.await(t)
			if f, ok := l.lease.Leading(); !ok || f.Number != 8 {
				t.Errorf("%+v, %t", f, ok)
			}
		})
	}
}

// lateJobs are the jobs of a leader, each with something to do.
func lateJobs(db *testkit.DB) map[string]func(ctx context.Context) (int, error) {
	now := time.Now()
	store := postgres.NewNotifyStore(db.DB)
	return map[string]func(ctx context.Context) (int, error){
		"status": func(ctx context.Context) (int, error) {
			return postgres.NewEventStore(db.DB).SweepStatus(ctx, now, 100)
		},
		"invites": func(ctx context.Context) (int, error) {
			return postgres.NewOrgStore(db.DB).ExpireInvites(ctx, now, 100)
		},
		"sessions": func(ctx context.Context) (int, error) {
			return postgres.NewSessions(db.DB).SweepSessions(ctx, now, now.Add(-time.Hour), 100)
		},
		"sign-ins": func(ctx context.Context) (int, error) { return postgres.NewProvider(db.DB).Sweep(ctx, now, 100) },
		"facts":    func(ctx context.Context) (int, error) { return store.PurgeFacts(ctx, now.Add(-time.Hour), 100) },
		"changes": func(ctx context.Context) (int, error) {
			removed, _, err := store.PurgeChanges(ctx, now.Add(-time.Hour), uuid.Nil, 100)
			return removed, err
		},
	}
}

var _ notify.PurgeStore = (*postgres.NotifyStore)(nil)

// somethingToDo gives each job a row that is due.
func somethingToDo(t *testing.T, db *testkit.DB) {
	t.Helper()
	org, admin := db.Org(t)
	db.Event(t, org, 10, testkit.EventOptions{})
	db.AsOwner(t, fmt.Sprintf(`
		UPDATE events SET starts_at = now() - interval '3 hours', ends_at = now() + interval '1 hour', status = 'upcoming';
		INSERT INTO organization_invites (id, org_id, email, role, invited_by, expires_at)
		VALUES (gen_random_uuid(), '%[1]s', 'a@b.test', 'user', '%[2]s', now() - interval '1 hour');
		INSERT INTO sessions (id, token_hash, user_id, issuer, subject, id_token, created_at, last_seen_at, expires_at)
		VALUES (gen_random_uuid(), 'x', '%[2]s', 'i', 's', '', now() - interval '9 days', now() - interval '9 days', now() - interval '1 day');
		INSERT INTO idp_accounts (id, name, email, created_at, updated_at)
		VALUES (gen_random_uuid(), 'n', 'n@b.test', now() - interval '1 year', now());
		INSERT INTO outbox (id, kind, payload, created_at, relayed_at)
		VALUES ('01000000-0000-7000-8000-000000000000', 'k', '{}', now() - interval '1 year', now() - interval '1 year');
		INSERT INTO event_changes (event_id, version, changes, created_at)
		VALUES (gen_random_uuid(), 1, '', now() - interval '1 year')`, org, admin))
}

// TestALateJobWritesNothing runs every job of a leader with the number of a
// taking that is over; the control, without the fence, shows what the late job
// would have written.
func TestALateJobWritesNothing(t *testing.T) {
	db := testkit.NewDB(t)
	somethingToDo(t, db)
	first := newLeader(t, db.DB, "jobs", slowTTL)
	late := context.WithoutCancel(first.await(t)) // it doesn't notice that it ended
	first.stop()
	<-first.done
	second := newLeader(t, db.DB, "jobs", slowTTL)
	current := second.await(t)
	for name, job := range lateJobs(db) {
		if n, err := job(late); !errors.Is(err, postgres.ErrFenced) || n != 0 {
			t.Errorf("%s: the late job changed %d rows, %v", name, n, err)
		}
	}
	// A late job without the fence writes, so that the above proves something;
	// and so does the one whose turn it is.
	for name, job := range lateJobs(db) {
		ctx := current
		if name == "status" || name == "facts" {
			ctx = context.Background()
		}
		if n, err := job(ctx); err != nil || n != 1 {
			t.Errorf("%s: the job in time changed %d rows, %v", name, n, err)
		}
	}
}

// TestATakingWaitsForAJobInMidWrite shows the lock that makes check and write
// one step: while a job writes, renewals pass and takings wait.
func TestATakingWaitsForAJobInMidWrite(t *testing.T) {
	db := testkit.NewDB(t)
	db.AsOwner(t, `INSERT INTO leases VALUES ('mid', gen_random_uuid(), 3, clock_timestamp() - interval '1 second')`)
	tx, err := db.System.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := postgres.CheckFence(t.Context(), tx, postgres.Fence{Lease: "mid", Number: 3}); err != nil {
		t.Fatal(err)
	}
	if _, err := db.System.Exec(t.Context(), `UPDATE leases SET expires_at = expires_at - interval '1 second' WHERE name = 'mid'`); err != nil {
		t.Errorf("a renewal beside a job: %v", err)
	}
	l := newLeader(t, db.DB, "mid", slowTTL)
	(&tenancy{t: t, db: db}).untilBlocked()
	if _, leads := l.lease.Leading(); leads {
		t.Error("the lease was taken in the midst of a job")
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Error(err)
	}
	l.await(t)
}

// TestAJobFrozenInMidWriteHoldsNoLease leaves a job's transaction open, as a
// process does that is stopped in its midst: the server ends it.
func TestAJobFrozenInMidWriteHoldsNoLease(t *testing.T) {
	db := testkit.NewDB(t)
	db.AsOwner(t, `INSERT INTO leases VALUES ('frozen', gen_random_uuid(), 3, clock_timestamp() - interval '1 second')`)
	tx, err := db.System.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := postgres.CheckFence(t.Context(), tx, postgres.Fence{Lease: "frozen", Number: 3}); err != nil {
		t.Fatal(err)
	}
	newLeader(t, db.DB, "frozen", quickTTL).await(t)
	if err := tx.Commit(t.Context()); err == nil {
		t.Error("the frozen job committed after another leads")
	}
}

// frozenEnv tells a copy of the test's program to lead, and where.
const frozenEnv = "HAPPENING_TEST_LEADER"

// frozenLeader is a process of its own: it leads, says so, and for every line
// that it reads runs a job and says how that went.
func frozenLeader(connStrings string) int {
	var as map[string]string
	if err := json.Unmarshal([]byte(connStrings), &as); err != nil {
		fmt.Println(err)
		return 1
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	db, err := postgres.Open(ctx, func(role string) string { return as[role] })
	if err != nil {
		fmt.Println(err)
		return 1
	}
	lease := postgres.QuickLease(db, "frozen", uuid.New(), slog.New(slog.NewTextHandler(os.Stderr, nil)), quickTTL, quickEvery)
	leads := make(chan context.Context, 1)
	go lease.Run(ctx, func(ctx context.Context) {
		select {
		case leads <- ctx:
		default: // it led before, and the test is of that time's job
		}
		<-ctx.Done()
		fmt.Println("ended")
	})
	work := <-leads
	fmt.Println("leads")
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		_, err := postgres.NewEventStore(db).SweepStatus(context.WithoutCancel(work), time.Now(), 100)
		fmt.Println("job:", errors.Is(err, postgres.ErrFenced), err)
	}
	return 0
}

// TestAFrozenLeaderIsFollowedAndWritesNothing stops a leading process, lets
// another take over, and wakes it: its job is fenced off and its work ends.
func TestAFrozenLeaderIsFollowedAndWritesNothing(t *testing.T) {
	db := testkit.NewDB(t)
	somethingToDo(t, db)
	as, err := json.Marshal(map[string]string{postgres.AppRole: db.ConnString(postgres.AppRole), postgres.SystemRole: db.ConnString(postgres.SystemRole)})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), frozenEnv+"="+string(as))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	said := bufio.NewScanner(out)
	expect := func(want string) {
		t.Helper()
		if !said.Scan() || said.Text()[:min(len(want), len(said.Text()))] != want {
			t.Fatalf("said %q instead of %q", said.Text(), want)
		}
	}
	expect("leads")
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	second := newLeader(t, db.DB, "frozen", quickTTL)
	second.await(t)
	if _, err := io.WriteString(in, "now\n"); err != nil { // it reads this as soon as it wakes
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	var fenced, ended bool
	for !fenced || !ended {
		if !said.Scan() {
			t.Fatalf("it says no more; fenced off: %t, work ended: %t", fenced, ended)
		}
		fenced = fenced || said.Text()[:min(9, len(said.Text()))] == "job: true"
		ended = ended || said.Text() == "ended"
	}
}
