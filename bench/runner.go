package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// runner measures the parts in one world.
type runner struct {
	options
	world  *world
	report *report
	people []person
}

// enter says where the next parts are measured.
func (r *runner) enter(ctx context.Context, w *world, name string) (err error) {
	r.world = w
	r.report.Worlds = append(r.report.Worlds, worldReport{Name: name})
	if r.report.Conditions.CPU == "" {
		r.report.Conditions, err = conditionsOf(ctx, w.first())
	}
	return err
}

// here is what there is to say of the world that was entered last.
func (r *runner) here() *worldReport { return &r.report.Worlds[len(r.report.Worlds)-1] }

// check ends a world.
func (r *runner) check(ctx context.Context) error {
	say("checking the books")
	here, err := r.here(), error(nil)
	if r.world.first().cmd != nil {
		if here.Heap, here.RSS, err = r.world.first().memory(ctx); err != nil {
			return err
		}
	}
	here.Check = r.world.first().check(ctx)
	return ctx.Err()
}

// invite makes the people who book.
func (r *runner) invite(ctx context.Context) (err error) {
	say("making %d people", r.options.people)
	r.people, err = r.world.first().tokens(ctx, "bench%d@load.test", r.options.people)
	return err
}

func (r *runner) measure(ctx context.Context) error {
	if r.does(partFloor) {
		if err := r.floors(ctx, "before the sales"); err != nil {
			return err
		}
	}
	if r.doesAny(append(slices.Clone(servedParts), partSockets, partHolds)...) {
		if err := r.invite(ctx); err != nil {
			return err
		}
	}
	if err := r.parts(ctx, append([]string{partHolds, partSockets}, servedParts...)...); err != nil {
		return err
	}
	if r.does(partFloor) {
		return r.floors(ctx, "after the sales")
	}
	return nil
}

// parts measures those of the parts that are wanted.
func (r *runner) parts(ctx context.Context, parts ...string) error {
	does := map[string]func(context.Context) error{
		partHandler: r.handler, partHolds: r.holds, partSockets: r.sockets, partLone: r.lone,
		partHot:    func(ctx context.Context) error { return r.hot(ctx, byEvent) },
		partEvents: func(ctx context.Context) error { return r.events(ctx, byEvent) },
		partHalf:   r.half, partCancel: r.cancels, partSize: r.sizes, partSoldOut: r.soldOut,
		partSeats: r.seats, partWatch: r.watch, partMemory: r.cached,
	}
	for _, p := range parts {
		if !r.does(p) {
			continue
		}
		if err := r.calm(ctx); err != nil {
			return err
		}
		if err := does[p](ctx); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
	}
	return nil
}

// calmPatience is how long a part waits until everybody was told of what was
// sold before it.
const calmPatience = time.Minute

// calm lets the house come to rest between two parts, so that none pays for
// the one before.
func (r *runner) calm(ctx context.Context) error {
	if r.engines { // every sale settles by itself
		return nil
	}
	waiting, cancel := context.WithTimeout(ctx, calmPatience)
	defer cancel()
	took, err := r.world.drained(waiting)
	if err != nil && ctx.Err() == nil && waiting.Err() != nil {
		r.report.note("Some parts began before everybody was told of the sale before: relay and mails took part of their cores.")
		return nil
	}
	if took > time.Second {
		say("everybody was told after %.0f s", took.Seconds())
	}
	return err
}

// handler measures the trivial handler in a process of its own, as the server
// is in one.
func (r *runner) handler(ctx context.Context) (err error) {
	return r.trivially(ctx, sale{part: partHandler, name: "trivial handler, bookings"})
}

// trivially sends a load to the trivial handler.
func (r *runner) trivially(ctx context.Context, s sale) (err error) {
	say("%s, %d connections, %v", s.name, r.connections, r.side())
	h, err := startHandler(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.stop()) }()
	s.connections, s.duration = r.connections, r.side()
	s.addrs, s.watched, s.events = []string{h.addr}, &watched{servers: []int{h.pid()}}, []string{nobodysEvent}
	_, err = r.sale(ctx, s)
	return err
}

// nobodysEvent is asked for where any event will do.
const nobodysEvent = "00000000-0000-7000-8000-000000000000"

// lonePeople share the lone caller's connection: as many as the limit of
// requests of one person takes at a durable commit's pace.
const lonePeople = 100

// lone measures one caller beside one durable commit.
func (r *runner) lone(ctx context.Context) error {
	say("one durable commit, then a lone caller, %v each", r.side())
	commit, err := commitFloor(ctx, r.world.first().ownerURL, r.side())
	if err != nil {
		return err
	}
	if r.report.Commit == nil {
		r.report.Commit = &commit
	}
	events, err := r.world.first().makeEvents(ctx, "Lone caller", 1, hotSeats)
	if err != nil {
		return err
	}
	_, err = r.sale(ctx, sale{part: partLone, name: "lone caller", connections: 1, duration: r.side(), asks: func(addrs []string) func([]byte, *rand.Rand) ([]byte, int) {
		return newMix(addrs, r.people[:min(lonePeople, len(r.people))], events, byEvent).append
	}})
	return err
}

func (r *runner) hot(ctx context.Context, by route) error {
	say("hot event, %d connections, %v", r.connections, r.duration())
	return r.sellAt(ctx, sale{part: partHot, name: "hot event", connections: r.connections, duration: r.duration(), route: by}, "Hot event", 1, hotSeats)
}

func (r *runner) events(ctx context.Context, by route) error {
	say("%d events, %d connections, %v", manyEvents, r.connections, r.duration())
	return r.sellAt(ctx, sale{part: partEvents, name: fmt.Sprintf("%d events", manyEvents), connections: r.connections, duration: r.duration(), route: by},
		"One of many", manyEvents, manySeats)
}

// sellAt sells at events made for it.
func (r *runner) sellAt(ctx context.Context, s sale, name string, count, seats int) (err error) {
	if s.events, err = r.world.first().makeEvents(ctx, name, count, seats); err != nil {
		return err
	}
	_, err = r.sale(ctx, s)
	return err
}

// sale is one measurement.
type sale struct {
	part, name  string
	connections int
	duration    time.Duration
	rate        float64 // arrivals a second of an open loop; 0: a closed one
	events      []string
	route       route
	addrs       []string // nil: the servers of the world
	watched     *watched // nil: the world's
	// asks makes the requests; nil: bookings at the events.
	asks       func(addrs []string) func([]byte, *rand.Rand) ([]byte, int)
	want       func(*answer) bool              // nil: 201
	heard      func(a *answer, sent time.Time) // nil: nobody listens
	revalidate bool
	warmUp     time.Duration // 0: the usual one
	unkept     bool          // the caller keeps the row
}

// noWarmUp is for what is counted from the first request.
const noWarmUp = time.Nanosecond

// sale runs a load and takes its result down.
func (r *runner) sale(ctx context.Context, s sale) (row, error) {
	ours := s.watched == nil
	if ours {
		w := r.world.watched()
		s.watched, s.addrs = &w, r.world.addrs()
	}
	if s.asks == nil {
		s.asks = func(addrs []string) func([]byte, *rand.Rand) ([]byte, int) {
			return newMix(addrs, r.people, s.events, s.route).append
		}
	}
	s.warmUp = cmp.Or(s.warmUp, warmUp)
	// A load that ends when there is no more says too much of how long it takes.
	profile := r.profileDuring(ctx, s.part, min(s.duration+s.warmUp, r.duration()+warmUp), ours)
	settles := ours && r.engines
	var before written
	var err error
	if settles {
		if before, err = r.world.written(ctx); err != nil {
			return row{}, err
		}
	}
	meter, whole := newMeter(*s.watched), newMeter(*s.watched)
	whole.start()
	result, err := drive(ctx, loop{
		addrs: s.addrs, connections: s.connections, warmUp: s.warmUp, duration: s.duration, rate: s.rate,
		append: s.asks(s.addrs), want: s.want, heard: s.heard, revalidate: s.revalidate, onWindow: meter.start,
	})
	usage := meter.stop(result.Total())
	if profileErr := <-profile; profileErr != nil {
		say("no profile: %v", profileErr)
	}
	if err != nil {
		return row{}, err
	}
	w := newRow(s.part, s.name, s.connections, result, usage)
	w.World, w.Processes, w.Offered = r.world.name, len(s.addrs), s.rate
	if len(s.addrs) > 1 {
		w.Routing = s.route
	}
	if settles {
		if w.Settled, err = r.settle(ctx, whole, result.All, before); err != nil {
			return w, err
		}
	}
	if !s.unkept {
		r.report.Rows = append(r.report.Rows, w)
	}
	if result.OK == 0 {
		return w, fmt.Errorf("%s: nothing was answered as it should be: %s", s.name, result.problems())
	}
	return w, nil
}

// settle waits until everybody was told of a sale and says what all of it cost.
func (r *runner) settle(ctx context.Context, whole *meter, bookings int, before written) (*settled, error) {
	drain, err := r.world.drained(ctx)
	if err != nil {
		return nil, err
	}
	s := &settled{usage: whole.stop(bookings), Drain: drain}
	after, err := r.world.written(ctx)
	if bookings > 0 {
		s.KeptEach, s.LogEach = (after.kept-before.kept)/float64(bookings), (after.log-before.log)/float64(bookings)
	}
	return s, err
}

// profileDuring has the first server profile itself while a sale is counted.
func (r *runner) profileDuring(ctx context.Context, part string, d time.Duration, server bool) <-chan error {
	done := make(chan error, 1)
	if !r.profile || !server {
		done <- nil
		return done
	}
	go func() {
		backends := make(chan error, 1)
		go func() { backends <- r.world.first().sampleBackends(ctx, part, d) }()
		done <- errors.Join(r.world.first().saveProfile(ctx, part, d), <-backends)
	}()
	return done
}
