package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"runtime/pprof"
	"sync"
	"time"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/app"
	"happening/internal/booking"
	"happening/internal/event"
)

// serverGC is how the server sets its garbage collector; this process does the
// same while it sells.
const serverGC = 300 // per cent

// inProcess measures the allocator without a server: the use case that stands
// behind POST /bookings, called by this process, on a PostgreSQL of its own
// beside the floor. History, outbox and keys are written as ever; nothing
// relays meanwhile what the outbox holds.
func inProcess(ctx context.Context, o options, rep *report) (err error) {
	s, err := newServer(ctx, o, surroundings{name: "in-process"})
	if err != nil {
		return err
	}
	w := &world{name: embedded, servers: []*server{s}}
	defer func() { err = errors.Join(err, w.stop()) }()
	say("starting PostgreSQL for the allocator in process, data in %s", s.dir)
	a, err := s.attach(ctx)
	if err != nil {
		return err
	}
	r := &runner{options: o, report: rep}
	if err = r.enter(ctx, w, "allocator in process"); err == nil && r.does(partFloor) {
		err = r.floors(ctx, "beside the allocator")
	}
	if err == nil {
		err = r.allocator(ctx, a)
	}
	// The checker starts PostgreSQL again; two can't have it.
	if err = errors.Join(err, a.Stop(context.WithoutCancel(ctx))); err != nil {
		return err
	}
	return r.check(ctx)
}

// attach puts an application without ports and background work on the server's
// data: beside the server, or alone where that isn't started.
func (s *server) attach(ctx context.Context) (*app.App, error) {
	a, err := app.Attach(ctx, app.Options{
		ClientAddr: s.clientAddr, APIAddr: s.apiAddr, OpsAddr: s.opsAddr, PublicURL: s.publicURL,
		DataDir: s.data(), DataDirSet: true, HoldTTL: app.DefaultHoldTTL,
		LimitPerson: app.DefaultLimitPerson, LimitAddress: app.DefaultLimitAddress,
		Log: slog.New(slog.NewTextHandler(s.log, nil)),
	})
	if err != nil {
		return nil, fmt.Errorf("attach: %w", err)
	}
	s.ownerURL = a.OwnerURL()
	return a, nil
}

// allocator sells one hot event to callers in this process.
func (r *runner) allocator(ctx context.Context, a *app.App) error {
	say("making %d people", r.options.people)
	addresses := make([]string, r.options.people)
	for i := range addresses {
		addresses[i] = fmt.Sprintf("bench%d@load.test", i+1)
	}
	lifetime, err := time.ParseDuration(tokenLifetime)
	if err != nil {
		return err
	}
	issued, err := a.Tokens(ctx, addresses, lifetime)
	if err != nil {
		return err
	}
	people := make([]access.Principal, len(issued))
	for i, p := range issued {
		people[i] = access.Principal{UserID: p.UserID}
	}
	id, err := hotEvent(ctx, a, people[0])
	if err != nil {
		return err
	}
	say("allocator in process, %d callers, %v", r.connections, r.duration())
	defer debug.SetGCPercent(debug.SetGCPercent(serverGC))
	meter := newMeter(watched{servers: []int{os.Getpid()}, inside: true})
	result, err := r.callers(ctx, meter, func(ctx context.Context, turn int, random *rand.Rand) (booking.Booking, error) {
		key := booking.Key{Value: uuid.NewString()}
		return a.Bookings.Book(ctx, people[turn%len(people)], booking.Request{EventID: id, Seats: int32(partySize(random.IntN(100))), Key: key})
	})
	usage := meter.stop(result.Total())
	if err != nil {
		return err
	}
	w := newRow(partAllocator, "allocator in process, one hot event", r.connections, result, usage)
	w.World, w.Processes = embedded, 1
	r.report.Rows = append(r.report.Rows, w)
	if result.OK == 0 {
		return fmt.Errorf("nothing was booked: %s", result.problems())
	}
	return nil
}

// hotEvent makes an event with seats enough.
func hotEvent(ctx context.Context, a *app.App, organizer access.Principal) (uuid.UUID, error) {
	o, err := a.Orgs.Create(ctx, organizer, "Load")
	if err != nil {
		return uuid.Nil, err
	}
	starts := time.Now().Add(eventAhead).UTC().Truncate(time.Second)
	e, err := a.Events.Create(ctx, organizer, event.Draft{
		OrgID: o.ID, Name: "Hot event", Description: "Sold by the benchmark.", Category: "music", Venue: "Here",
		StartsAt: starts, EndsAt: starts.Add(eventLength), TimeZone: "Europe/Berlin",
		TotalSlots: hotSeats, MaxSeatsPerUser: event.LimitOf(seatsPerPerson),
	})
	return e.ID, err
}

// callers runs a closed loop of calls; meter starts when the warm-up is over.
func (r *runner) callers(ctx context.Context, meter *meter, call func(context.Context, int, *rand.Rand) (booking.Booking, error)) (result, error) {
	begin := time.Now().Add(warmUp)
	end := begin.Add(r.duration())
	each := make([]result, r.connections)
	var running sync.WaitGroup
	for i := range each {
		running.Go(func() {
			mine := &each[i]
			mine.Refused = map[string]int{}
			random := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
			sent := time.Now()
			for turn := i; sent.Before(end) && ctx.Err() == nil; turn += r.connections {
				b, err := call(ctx, turn, random)
				now := time.Now()
				if counted := now.After(begin) && !now.After(end); counted && err == nil {
					mine.OK++
					mine.latencies = append(mine.latencies, now.Sub(sent))
					if b.Status == booking.Waiting {
						mine.Waiting++
					}
				} else if counted {
					mine.Refused[err.Error()]++
				}
				sent = now
			}
		})
	}
	wait(ctx, time.Until(begin))
	meter.start()
	stop, err := r.profileSelf(ctx, partAllocator)
	running.Wait()
	err = errors.Join(err, stop())
	total := result{Elapsed: r.duration(), Refused: map[string]int{}}
	for i := range each {
		total.add(&each[i])
	}
	total.latencies = total.latencies.sorted()
	return total, errors.Join(err, ctx.Err())
}

// profileSelf profiles this process and its PostgreSQL until stop, where
// profiles are wanted.
func (r *runner) profileSelf(ctx context.Context, part string) (stop func() error, err error) {
	stop = func() error { return nil }
	if !r.profile {
		return stop, nil
	}
	file, err := os.Create(filepath.Join(r.out, part+".pprof"))
	if err != nil {
		return stop, err
	}
	backends := make(chan error, 1)
	go func() { backends <- r.world.first().sampleBackends(ctx, part, r.duration()) }()
	return func() error {
		pprof.StopCPUProfile()
		return errors.Join(file.Close(), <-backends)
	}, pprof.StartCPUProfile(file)
}
