package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// The times of a lease. A dead holder is followed within LeaseTTL plus
// leaseEvery plus leaseTimeout, which stays below ten seconds.
const (
	// LeaseTTL is how long a lease lives unrenewed, by the database's clock.
	LeaseTTL = 6 * time.Second
	// leaseEvery is the time between two renewals, and between two attempts of
	// those who wait.
	leaseEvery = 2 * time.Second
	// leaseTimeout bounds one attempt.
	leaseTimeout = 1500 * time.Millisecond
	// leaseMargin is the share of a lease's life by which its holder stops
	// earlier than the database lets it go, for clocks that don't run equally
	// fast.
	leaseMargin = 6
	// fencedIdle ends the transaction of a job whose process was frozen in its
	// midst, since a taking waits for it.
	fencedIdle = 2 * time.Second
	// handOver bounds giving a lease up.
	handOver = 2 * time.Second
)

// ErrFenced says that a job came too late: somebody else leads since, and
// nothing was written.
var ErrFenced = errors.New("postgres: another process has taken the lease over")

// Fence is the number of a taking of a lease. Numbers only rise.
type Fence struct {
	Lease  string
	Number int64
}

type fenceKey struct{}

// WithFence makes every transaction of this package that runs under the
// context write only while the fence's number is the lease's newest, and fail
// with ErrFenced otherwise. The system role alone can see leases: a fenced
// transaction of the request role fails, too.
func WithFence(ctx context.Context, f Fence) context.Context {
	return context.WithValue(ctx, fenceKey{}, f)
}

func fenceOf(ctx context.Context) (Fence, bool) {
	f, ok := ctx.Value(fenceKey{}).(Fence)
	return f, ok
}

// checkFence holds the lease as it is until the transaction ends. The lock
// stands in the way of the next taking, which changes a key, and not of
// renewals; so that a frozen process can't hold a taking up for ever, its
// transaction is ended by the server.
func checkFence(ctx context.Context, tx pgx.Tx, f Fence) error {
	var timeout string
	err := tx.QueryRow(ctx, `
		SELECT set_config('idle_in_transaction_session_timeout', $3, true)
		FROM leases
		WHERE name = $1 AND fence = $2
		FOR KEY SHARE`, f.Lease, f.Number, fmt.Sprint(fencedIdle.Milliseconds())).Scan(&timeout)
	if errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("%w: %s, taking %d", ErrFenced, f.Lease, f.Number)
	}
	if err != nil {
		return fmt.Errorf("postgres: fence: %w", err)
	}
	return nil
}

// boundIdle lets the server end a transaction whose process is frozen, before
// the locks that it holds stand in everybody's way.
func boundIdle(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `SELECT set_config('idle_in_transaction_session_timeout', $1, true)`, fmt.Sprint(fencedIdle.Milliseconds()))
	return err
}

// Lease is a lease as one process wants it. It is a row, not a session's lock:
// it works behind a pooler, and ends by itself. Who holds it knows by a clock
// that nobody sets when it may have ended; whoever doesn't, because it was
// frozen, is stopped by the fence.
type Lease struct {
	db         *DB
	name       string
	holder     uuid.UUID
	log        *slog.Logger
	ttl, every time.Duration
	leading    atomic.Pointer[Fence]
}

// NewLease makes a lease that nobody has taken yet. holder is the process's
// own id, fresh at every start.
func NewLease(db *DB, name string, holder uuid.UUID, log *slog.Logger) *Lease {
	return &Lease{db: db, name: name, holder: holder, log: log, ttl: LeaseTTL, every: leaseEvery}
}

// Leading gives the fence while this process leads.
func (l *Lease) Leading() (Fence, bool) {
	if f := l.leading.Load(); f != nil {
		return *f, true
	}
	return Fence{}, false
}

// Led says whether any process has the lease now.
func (db *DB) Led(ctx context.Context, name string) (led bool, err error) {
	err = db.System.QueryRow(ctx, `
		SELECT EXISTS (SELECT 1 FROM leases WHERE name = $1 AND holder IS NOT NULL AND expires_at > clock_timestamp())`, name).Scan(&led)
	if err != nil {
		err = fmt.Errorf("postgres: lease: %w", err)
	}
	return led, err
}

// Run waits for the lease, calls lead whenever it has it, and returns once ctx
// has ended and the lease is given up. The context of lead carries the fence
// and ends with the lease; lead has to return then, since the next taking
// waits for it.
func (l *Lease) Run(ctx context.Context, lead func(context.Context)) {
	tick := time.NewTicker(l.every)
	defer tick.Stop()
	failing := false
	for {
		sent := time.Now()
		number, err := l.take(ctx)
		switch {
		case err == nil:
			failing = false
			l.term(ctx, Fence{Lease: l.name, Number: number}, sent, lead)
		case errors.Is(err, errTaken), ctx.Err() != nil:
			failing = false
		case !failing:
			failing = true
			l.log.Warn("postgres: a lease can't be asked for; trying on", "lease", l.name, "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// term is one time of leading.
func (l *Lease) term(ctx context.Context, fence Fence, sent time.Time, lead func(context.Context)) {
	l.log.Info("postgres: this process leads", "lease", l.name, "fence", fence.Number)
	l.leading.Store(&fence)
	work, end := context.WithCancelCause(WithFence(ctx, fence))
	done := make(chan struct{})
	go func() { defer close(done); lead(work) }()
	err := l.keep(ctx, fence, sent, done)
	l.leading.Store(nil)
	end(err)
	<-done
	if err != nil {
		l.log.Warn("postgres: this process leads no longer", "lease", l.name, "fence", fence.Number, "why", err)
		return
	}
	l.giveUp(ctx, fence)
}

var (
	errTaken  = errors.New("another process has the lease")
	errLapsed = errors.New("the lease could not be renewed in time")
)

// keep renews until ctx ends or the work is done; an error says that the lease
// is lost. What the holder believes counts from before a renewal was sent, so
// that it never outlasts what the database wrote.
func (l *Lease) keep(ctx context.Context, fence Fence, sent time.Time, done <-chan struct{}) error {
	life := l.ttl - l.ttl/leaseMargin
	until := sent.Add(life)
	lapse := time.NewTimer(time.Until(until))
	defer lapse.Stop()
	tick := time.NewTicker(l.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-done:
			return nil
		case <-lapse.C:
			return errLapsed
		case <-tick.C:
		}
		if !time.Now().Before(until) {
			return errLapsed // frozen, and both timers have run out
		}
		sent := time.Now()
		switch err := l.renew(ctx, fence, until); {
		case err == nil:
			until = sent.Add(life)
			lapse.Reset(time.Until(until))
		case errors.Is(err, errTaken):
			return err
		case ctx.Err() == nil:
			l.log.Warn("postgres: a lease was not renewed; trying on", "lease", l.name, "error", err)
		}
	}
}

// take takes the lease if it is free, and is errTaken if not. An end that lies
// further ahead than any renewal puts it was written before the database's
// clock was set back, and counts as past.
func (l *Lease) take(ctx context.Context) (number int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, leaseTimeout+handOver)
	defer cancel()
	err = inTx(ctx, l.db.System, func(tx pgx.Tx) error {
		if err := boundIdle(ctx, tx); err != nil {
			return err
		}
		// A job in mid-write holds the row: better try again than wait in line.
		if _, err := tx.Exec(ctx, `SELECT set_config('lock_timeout', $1, true)`, fmt.Sprint(leaseTimeout.Milliseconds())); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `
			INSERT INTO leases (name, holder, fence, expires_at)
			VALUES ($1, $2, 1, clock_timestamp() + $3::interval)
			ON CONFLICT (name) DO UPDATE
			SET holder = excluded.holder, fence = leases.fence + 1, expires_at = clock_timestamp() + $3::interval
			WHERE leases.holder IS NULL OR leases.holder = excluded.holder
			   OR leases.expires_at <= clock_timestamp()
			   OR leases.expires_at > clock_timestamp() + 2 * $3::interval
			RETURNING fence`, l.name, l.holder, l.ttl).Scan(&number)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, errTaken
	}
	return number, err
}

// renew puts the end of the lease off. One that has passed its end and was not
// taken by anybody is still the holder's.
func (l *Lease) renew(ctx context.Context, fence Fence, until time.Time) error {
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	tag, err := l.db.System.Exec(ctx, `
		UPDATE leases SET expires_at = clock_timestamp() + $4::interval
		WHERE name = $1 AND holder = $2 AND fence = $3`, l.name, l.holder, fence.Number, l.ttl)
	if err == nil && tag.RowsAffected() == 0 {
		return errTaken
	}
	return err
}

// giveUp lets the next process lead at once. If it fails, the lease ends by
// itself.
func (l *Lease) giveUp(ctx context.Context, fence Fence) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), handOver)
	defer cancel()
	if _, err := l.db.System.Exec(ctx, `
		UPDATE leases SET holder = NULL, expires_at = clock_timestamp()
		WHERE name = $1 AND holder = $2 AND fence = $3`, l.name, l.holder, fence.Number); err != nil {
		l.log.Warn("postgres: a lease was not given up and ends by itself", "lease", l.name, "error", err)
	}
}
