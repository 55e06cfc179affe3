package app

import (
	"context"
	"sync"
	"time"

	"happening/internal/booking"
	"happening/internal/notify"
	"happening/internal/postgres"
)

// How often the jobs run. None of them is needed for a right answer: they
// bring up what readers and rules see by the clock already.
const (
	promoteEvery = 5 * time.Second
	statusEvery  = 15 * time.Second
	tidyEvery    = time.Minute
	jobTimeout   = 30 * time.Second
)

// background starts what works without being asked, and stops it before the
// database goes.
func (a *App) background(ctx context.Context) error {
	if err := a.node.Start(); err != nil {
		return err
	}
	go a.alloc.Run()
	a.onStop(a.alloc.Stop)

	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	run := func(fn func(context.Context)) { running.Go(func() { fn(work) }) }
	run(a.holds.Run)
	run(a.feed.Run)
	run(a.watchEngines)
	run(func(ctx context.Context) {
		a.repeat(ctx, "clock", clockEvery, func(ctx context.Context) error { return a.clock.measure(ctx, a.db) })
	})
	follow := &standings{read: a.Orgs.Suspensions, apply: a.alloc.Suspended}
	run(func(ctx context.Context) { a.repeat(ctx, "suspended organizations", standingEvery, follow.turn) })
	if a.shared() {
		run(a.alloc.Follow)
		run(a.repair)
	}
	if a.runs(PartWorker) {
		run(a.tellFacts)
		run(a.mails.Run)
		lease := postgres.NewLease(a.db, jobsLease, a.id, a.Log)
		run(func(ctx context.Context) { lease.Run(ctx, a.lead) })
	}
	a.onStop(func(ctx context.Context) error {
		cancel()
		done := make(chan struct{})
		go func() { running.Wait(); close(done) }()
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	a.onStop(a.node.Stop)
	return nil
}

// jobsLease is held by the process that runs the jobs.
const jobsLease = "jobs"

// lead runs the jobs that one process runs for all, until ctx ends. What they
// write through ctx is refused once another process leads; promotions and
// closings go through the allocator, whose decisions hold whoever asks.
func (a *App) lead(ctx context.Context) {
	store := postgres.NewNotifyStore(a.db)
	var running sync.WaitGroup
	type job struct {
		name  string
		every time.Duration
		do    func(context.Context) error
	}
	jobs := []job{
		{"promotions and closings", promoteEvery, a.whenSteady(a.Bookings.Sweep)},
		{"status of events", statusEvery, a.whenSteady(func(ctx context.Context) error { _, err := a.Events.Sweep(ctx); return err })},
		{"overdue invites", tidyEvery, a.whenSteady(func(ctx context.Context) error { _, err := a.Orgs.Sweep(ctx); return err })},
		{"events of suspended organizations", moveOnEvery, a.whenSteady(a.Orgs.MoveOn)},
		{"erasures", promoteEvery, a.whenSteady(a.erasures.Sweep)},
		{"sessions", tidyEvery, a.auth.Sweep},
		{"old facts", tidyEvery, func(ctx context.Context) error { return notify.Purge(ctx, store, a.clock.Now()) }},
	}
	if a.provider != nil {
		jobs = append(jobs, job{"sign-ins under way", tidyEvery, a.provider.Sweep})
	}
	if a.shared() {
		jobs = append(jobs, job{"figures of all events in Redis", booking.RepairEvery, a.whenSteady(a.fillMirror)})
	}
	for _, job := range jobs {
		running.Go(func() { a.repeat(ctx, job.name, job.every, job.do) })
	}
	running.Wait()
}

// whenSteady keeps a job that closes things by the clock from running while
// the clock is not believed.
func (a *App) whenSteady(do func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		if !a.clock.steady() {
			return nil
		}
		return do(ctx)
	}
}

// repeat runs a job now and then until ctx ends; a failure is logged and the
// next turn tries again.
func (a *App) repeat(ctx context.Context, name string, every time.Duration, do func(context.Context) error) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		turn, cancel := context.WithTimeout(ctx, jobTimeout)
		if err := do(turn); err != nil && ctx.Err() == nil {
			a.Log.Warn("app: a job failed and will be tried again", "job", name, "error", err)
		}
		cancel()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// watchEngines ends the application when going on is pointless: an embedded
// PostgreSQL that can't be brought back, or another process in our place.
func (a *App) watchEngines(ctx context.Context) {
	var gone <-chan struct{}
	if a.pg != nil {
		gone = a.pg.Done()
	}
	select {
	case <-gone:
		a.fail(a.pg.Err())
	case <-a.place.Lost():
		a.fail(postgres.ErrOtherCopy)
	case <-ctx.Done():
	}
}
