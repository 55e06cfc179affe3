package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// The times of a replica's row, by the database's clock.
const (
	// replicaEvery is the time between two signs of life.
	replicaEvery = 2 * time.Second
	// ReplicaFresh is how long a sign of life counts.
	ReplicaFresh = 6 * time.Second
	// replicaPatience is how long a start waits for the row of a killed process
	// to lapse.
	replicaPatience = ReplicaFresh + time.Second
	// replicaRetry is the time between two looks while waiting.
	replicaRetry = 250 * time.Millisecond
	// replicaKept is how long the row of a dead process stays for people to see.
	replicaKept = time.Minute
	// enterTimeout bounds one attempt to take a place.
	enterTimeout = 5 * time.Second
	// replicaTimeout bounds one statement.
	replicaTimeout = 2 * time.Second
)

// ErrOtherCopy says that another process on the database and this one don't
// tolerate each other. Its text is for the operator.
var ErrOtherCopy = errors.New("another copy is running on this database")

// errOtherRedis is an ErrOtherCopy that may pass: a Redis that was flushed has
// a new name, which the processes learn one after another.
var errOtherRedis = fmt.Errorf("%w", ErrOtherCopy)

// Replica is a process on this database. StartedAt and SeenAt are told by the
// database's clock.
type Replica struct {
	ID          uuid.UUID
	Coordinated bool // holds and limits are shared through Redis
	// Coordinator names that Redis, by something that is kept in it. Empty: not
	// told, which goes together with any.
	Coordinator string
	Host        string
	PID         int
	Version     string
	StartedAt   time.Time
	SeenAt      time.Time
}

// Presence is a process's place among the replicas.
type Presence struct {
	db       *DB
	log      *slog.Logger
	every    time.Duration
	patience time.Duration
	cancel   context.CancelFunc
	done     chan struct{}
	lost     chan struct{}
	leave    sync.Once

	mu sync.Mutex
	me Replica // its Coordinator changes
}

// Register takes a place among the replicas. Without coordination a process
// tolerates no other, and with it none that is without or that lives with
// another Redis: then Register waits until the other's signs of life have
// lapsed, which is how a killed process ends, and is ErrOtherCopy if they
// don't. alone says that the caller holds a lock which proves that no other
// process can be there, so that the rows of killed ones need not be waited for.
func (db *DB) Register(ctx context.Context, me Replica, alone bool, log *slog.Logger) (*Presence, error) {
	return db.register(ctx, me, alone, log, replicaEvery, replicaPatience)
}

func (db *DB) register(ctx context.Context, me Replica, alone bool, log *slog.Logger, every, patience time.Duration) (*Presence, error) {
	giveUp := time.NewTimer(patience)
	defer giveUp.Stop()
	look := time.NewTicker(replicaRetry)
	defer look.Stop()
	for waiting := false; ; {
		other, err := db.enter(ctx, me, alone)
		if err == nil {
			break
		}
		if !errors.Is(err, ErrOtherCopy) {
			return nil, err
		}
		if !waiting {
			waiting = true
			log.Info("postgres: another copy was seen on this database a moment ago; waiting whether it lives",
				"host", other.Host, "pid", other.PID, "another Redis", errors.Is(err, errOtherRedis), "at most", patience)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-giveUp.C:
			return nil, err
		case <-look.C:
		}
	}
	beat, cancel := context.WithCancel(context.WithoutCancel(ctx))
	p := &Presence{db: db, me: me, log: log, every: every, patience: patience, cancel: cancel, done: make(chan struct{}), lost: make(chan struct{})}
	go p.beat(beat)
	return p, nil
}

// enter writes the row unless somebody is there who doesn't go together with
// it, who is then given with ErrOtherCopy. The table's lock lets one after
// another look and write; signs of life wait for it, too, so that nobody comes
// back to life in between. Rows that have lapsed and would not be tolerated go
// with the same step: their processes, should they be only frozen, notice.
func (db *DB) enter(ctx context.Context, me Replica, alone bool) (other Replica, err error) {
	ctx, cancel := context.WithTimeout(ctx, enterTimeout)
	defer cancel()
	err = inTx(ctx, db.System, func(tx pgx.Tx) error {
		if err := boundIdle(ctx, tx); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `LOCK TABLE replicas IN SHARE ROW EXCLUSIVE MODE`); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `
			DELETE FROM replicas
			WHERE id <> $3
			  AND ($4
			    OR (seen_at <= clock_timestamp() - $5::interval AND NOT `+tolerated+`)
			    OR seen_at <= clock_timestamp() - $6::interval
			    OR seen_at > clock_timestamp() + $6::interval)`,
			me.Coordinated, me.Coordinator, me.ID, alone, ReplicaFresh, replicaKept); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `
			SELECT `+replicaColumns+` FROM replicas
			WHERE id <> $3 AND NOT `+tolerated+`
			ORDER BY coordinated, seen_at DESC LIMIT 1`, me.Coordinated, me.Coordinator, me.ID)
		if err != nil {
			return err
		}
		switch other, err = pgx.CollectExactlyOneRow(rows, scanReplica); {
		case err == nil:
			return otherCopy(me, other)
		case !errors.Is(err, pgx.ErrNoRows):
			return err
		}
		_, err = tx.Exec(ctx, `
			INSERT INTO replicas (id, coordinated, coordinator, host, pid, version, started_at, seen_at)
			VALUES ($1, $2, $3, $4, $5, $6, coalesce($7, clock_timestamp()), clock_timestamp())
			ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at, coordinator = excluded.coordinator`,
			me.ID, me.Coordinated, me.Coordinator, me.Host, me.PID, me.Version, nilIfZeroTime(me.StartedAt))
		return err
	})
	if err != nil && !errors.Is(err, ErrOtherCopy) {
		err = fmt.Errorf("postgres: register: %w", err)
	}
	return other, err
}

// tolerated is the condition on a row that a process, coordinated as $1 and $2
// say, goes together with.
const tolerated = `($1 AND coordinated AND (coordinator = $2 OR coordinator = '' OR $2 = ''))`

func otherCopy(me, other Replica) error {
	if me.Coordinated && other.Coordinated {
		return fmt.Errorf("%w (host %s, process %d) and uses another Redis: give all the same REDIS_URL, database number included", errOtherRedis, other.Host, other.PID)
	}
	if me.Coordinated {
		return fmt.Errorf("%w (host %s, process %d) without REDIS_URL: stop it, or give it the same REDIS_URL", ErrOtherCopy, other.Host, other.PID)
	}
	return fmt.Errorf("%w (host %s, process %d): set REDIS_URL for all of them to run several", ErrOtherCopy, other.Host, other.PID)
}

func nilIfZeroTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

const replicaColumns = `id, coordinated, coordinator, host, pid, version, started_at, seen_at`

func scanReplica(row pgx.CollectableRow) (Replica, error) {
	var r Replica
	err := row.Scan(&r.ID, &r.Coordinated, &r.Coordinator, &r.Host, &r.PID, &r.Version, &r.StartedAt, &r.SeenAt)
	r.StartedAt, r.SeenAt = r.StartedAt.UTC(), r.SeenAt.UTC()
	return r, err
}

// Replicas lists the processes that live, the oldest first.
func (db *DB) Replicas(ctx context.Context) ([]Replica, error) {
	rows, err := db.System.Query(ctx, `
		SELECT `+replicaColumns+` FROM replicas
		WHERE seen_at > clock_timestamp() - $1::interval
		ORDER BY started_at, id`, ReplicaFresh)
	if err != nil {
		return nil, fmt.Errorf("postgres: replicas: %w", err)
	}
	found, err := pgx.CollectRows(rows, scanReplica)
	if err != nil {
		return nil, fmt.Errorf("postgres: replicas: %w", err)
	}
	return found, nil
}

// Lost is closed when the process has lost its place to one that doesn't
// tolerate it, after it was frozen or cut off: it has to stop.
func (p *Presence) Lost() <-chan struct{} { return p.lost }

// beat gives signs of life until the place is left or lost.
func (p *Presence) beat(ctx context.Context) {
	defer close(p.done)
	tick := time.NewTicker(p.every)
	defer tick.Stop()
	failing := false
	var apart time.Time // since when the others have another Redis
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := p.sign(ctx)
		switch {
		case err == nil:
			failing, apart = false, time.Time{}
		case errors.Is(err, errOtherRedis) && (apart.IsZero() || time.Since(apart) < p.patience):
			if apart.IsZero() {
				apart = time.Now()
				p.log.Warn("postgres: this process was taken for dead and can't come back yet; trying on", "why", err, "at most", p.patience)
			}
		case errors.Is(err, ErrOtherCopy):
			p.log.Error("postgres: this process was taken for dead and replaced", "why", err)
			close(p.lost)
			return
		case ctx.Err() == nil && !failing:
			failing = true
			p.log.Warn("postgres: a sign of life could not be given; trying on", "error", err)
		}
	}
}

// sign gives a sign of life. A row that is gone was swept while the process
// was away. Beside other coordinated processes it comes back; one that is
// alone was replaced, even if its successor has left since.
func (p *Presence) sign(ctx context.Context) error {
	me := p.self()
	found, err := p.write(ctx, me)
	switch {
	case err != nil || found:
		return err
	case !me.Coordinated:
		return fmt.Errorf("%w, or was while this one was away", ErrOtherCopy)
	}
	_, err = p.db.enter(ctx, me, false)
	return err
}

func (p *Presence) self() Replica {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.me
}

// write renews the process's row; found says that there is one.
func (p *Presence) write(ctx context.Context, me Replica) (found bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, replicaTimeout)
	defer cancel()
	tag, err := p.db.System.Exec(ctx, `
		UPDATE replicas SET seen_at = clock_timestamp(), coordinator = $2 WHERE id = $1`, me.ID, me.Coordinator)
	return tag.RowsAffected() == 1, err
}

// Coordinate tells the others which Redis this process uses from now on: one
// that was flushed has a new name. After an error, and over a sign of life that
// was under way, the next one tells it.
func (p *Presence) Coordinate(ctx context.Context, id string) error {
	p.mu.Lock()
	p.me.Coordinator = id
	me := p.me
	p.mu.Unlock()
	if _, err := p.write(ctx, me); err != nil {
		return fmt.Errorf("postgres: coordinate: %w", err)
	}
	return nil
}

// Leave ends the signs of life and takes the row away, so that the next start
// waits for nothing. It may be called again.
func (p *Presence) Leave(ctx context.Context) (err error) {
	p.leave.Do(func() {
		p.cancel()
		<-p.done
		ctx, cancel := context.WithTimeout(ctx, replicaTimeout)
		defer cancel()
		if _, err = p.db.System.Exec(ctx, `DELETE FROM replicas WHERE id = $1`, p.self().ID); err != nil {
			err = fmt.Errorf("postgres: leave: %w", err)
		}
	})
	return err
}
