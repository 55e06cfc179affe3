package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// The worlds of a run.
const (
	embedded   = "embedded"
	onRedis    = "PostgreSQL, Redis"
	onAll      = "PostgreSQL, Redis, RabbitMQ"
	processes  = 3 // in the last part of a comparison
	drainLimit = 5 * time.Minute
	drainPoll  = 250 * time.Millisecond
)

// world is one or several servers on the same engines.
type world struct {
	name    string
	servers []*server
	outside watched // the engines' processes, where they are not embedded
	// redisAddr is where Redis is, where there is one.
	redisAddr string
}

func (w *world) first() *server { return w.servers[0] }

// add starts one more server.
func (w *world) add(ctx context.Context, o options, in surroundings) error {
	s, err := startServer(ctx, o, in)
	if err == nil {
		w.servers = append(w.servers, s)
	}
	return err
}

// stop ends the servers, the last one first.
func (w *world) stop() error {
	var faults []error
	for i := len(w.servers) - 1; i >= 0; i-- {
		faults = append(faults, w.servers[i].stop())
	}
	w.servers = nil
	return errors.Join(faults...)
}

func (w *world) addrs() (all []string) {
	for _, s := range w.servers {
		all = append(all, s.apiAddr)
	}
	return all
}

func (w *world) watched() watched {
	all := w.outside
	for _, s := range w.servers {
		all.servers = append(all.servers, s.pid())
	}
	return all
}

// written is what PostgreSQL keeps and what it has written to its log, in bytes.
type written struct{ kept, log float64 }

// written asks PostgreSQL.
func (w *world) written(ctx context.Context) (n written, err error) {
	conn, err := pgx.Connect(ctx, w.first().ownerURL)
	if err != nil {
		return n, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	err = conn.QueryRow(ctx, `SELECT pg_database_size(current_database()), pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8`).Scan(&n.kept, &n.log)
	return n, err
}

// drained waits until everybody was told of everything, so that the next sale
// begins on a quiet house, and says how long that took.
func (w *world) drained(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, drainLimit)
	defer cancel()
	conn, err := pgx.Connect(ctx, w.first().ownerURL)
	if err != nil {
		return 0, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	poll := time.NewTicker(drainPoll)
	defer poll.Stop()
	for {
		var open bool
		if err := conn.QueryRow(ctx, `
			SELECT EXISTS (SELECT 1 FROM outbox WHERE relayed_at IS NULL)
			    OR EXISTS (SELECT 1 FROM notifications WHERE status = 'pending')`).Scan(&open); err != nil {
			return 0, err
		}
		if !open {
			return time.Since(began), nil
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return 0, fmt.Errorf("messages wait still: %w", ctx.Err())
		}
	}
}

// compare measures one process with everything embedded, then the same on
// engines outside, by one process and by several.
func compare(ctx context.Context, o options, rep *report) (err error) {
	first := &world{name: embedded}
	defer func() { err = errors.Join(err, first.stop()) }()
	if err := first.add(ctx, o, surroundings{name: "embedded"}); err != nil {
		return err
	}
	r := &runner{options: o, report: rep}
	if err := r.enter(ctx, first, first.name); err != nil {
		return err
	}
	if r.does(partFloor) {
		if err := r.floors(ctx, "before the sales"); err != nil {
			return err
		}
	}
	if err := r.invite(ctx); err != nil {
		return err
	}
	if err := r.parts(ctx, partHandler, partSockets, partLone, partHot, partEvents); err != nil {
		return err
	}
	if err := r.check(ctx); err != nil {
		return err
	}
	plan, err := planOf(ctx, first.first())
	if err != nil {
		return err
	}
	// The cores are for the next world now.
	if err := first.stop(); err != nil {
		return err
	}
	e, err := startEngines(ctx, o, plan)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.stop()) }()
	rep.Conditions.Engines = e.versions(ctx)
	last := onAll
	if e.rabbitmq == nil {
		last = onRedis
		rep.note("RabbitMQ is not installed: several processes were measured without it.")
	} else if err := r.outside(ctx, e, onRedis, false); err != nil {
		return err
	}
	if err := r.outside(ctx, e, last, true); err != nil {
		return err
	}
	return nil
}

// outside measures one process on engines outside, and, where that is wanted,
// several on the same database.
func (r *runner) outside(ctx context.Context, e *engines, name string, several bool) (err error) {
	in, err := e.surroundings(ctx, several)
	if err != nil {
		return err
	}
	w := &world{name: name, outside: e.watched(), redisAddr: e.redisAddr}
	defer func() { err = errors.Join(err, w.stop()) }()
	in.name = fmt.Sprintf("outside-%d", len(r.report.Worlds))
	if err := w.add(ctx, r.options, in); err != nil {
		return err
	}
	if err := r.enter(ctx, w, w.name); err != nil {
		return err
	}
	if err := r.invite(ctx); err != nil {
		return err
	}
	first := []string{partLone, partHot, partEvents}
	if several {
		first = append([]string{partHolds, partSockets}, first...)
	}
	if err := r.parts(ctx, first...); err != nil {
		return err
	}
	if several {
		in.publicURL = w.first().publicURL
		for i := 1; i < processes; i++ {
			in.name = fmt.Sprintf("outside-%d-%d", len(r.report.Worlds), i+1)
			if err := w.add(ctx, r.options, in); err != nil {
				return err
			}
		}
		for _, by := range []route{byEvent, spread} {
			if r.does(partHot) {
				if err := r.hot(ctx, by); err != nil {
					return err
				}
			}
			if r.does(partEvents) {
				if err := r.events(ctx, by); err != nil {
					return err
				}
			}
		}
	}
	return r.check(ctx)
}
