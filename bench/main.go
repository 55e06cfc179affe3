// Command bench measures how fast Happening sells seats, beside what the same
// machine can do at best: a plain one-row insert into the same PostgreSQL, and
// a trivial Go handler with the same requests. Everything is on, limits are as
// shipped, PostgreSQL is fully durable; the server, PostgreSQL and this program
// share the machine. Figures in one run can be compared with one another;
// figures of different runs or machines can not, so results are told as ratios.
//
// A run brings its own server on free ports with fresh data, removes both
// afterwards, keeps what it measured in bench/out and ends with `happening
// check`: a sale that broke a rule is not a result.
//
// With -engines the same sales are measured a second time on a PostgreSQL, a
// Redis and a RabbitMQ of the run's own, by one process and by several, and
// what each of them spends on a booking. Engines that the environment names
// are never touched.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// The parts of a run, in their order.
const (
	partFloor   = "floor"
	partHandler = "handler"
	partLone    = "lone"
	partHot     = "hot"
	partEvents  = "events"
	// With -engines only, unless they are named.
	partSockets = "sockets"
	partHolds   = "holds"
)

var (
	usualParts = []string{partFloor, partHandler, partLone, partHot, partEvents}
	parts      = append(slices.Clone(usualParts), partSockets, partHolds)
)

// What is measured.
const (
	defaultSeconds     = 20
	defaultPeople      = 30_000
	defaultConnections = 256
	hotSeats           = 1_000_000
	manyEvents         = 200
	manySeats          = 50_000
	// seatsPerPerson is high enough never to refuse, since a run sells more
	// seats than its people may have as shipped; it is checked all the same.
	seatsPerPerson = 10_000
	// warmUp is not counted: connections are opened and the event is loaded.
	// It is too short for everybody to have come once, so that checking a
	// token that was never seen is part of a sale, as it is in life.
	warmUp = 3 * time.Second
)

type options struct {
	seconds     int
	only        []string
	binary      string
	data        string
	out         string
	people      int
	connections int
	profile     bool
	engines     bool
}

func (o *options) duration() time.Duration { return time.Duration(o.seconds) * time.Second }

// side is how long the floors and the lone caller are measured, each.
func (o *options) side() time.Duration { return max(o.duration()/4, 2*time.Second) }

func (o *options) does(part string) bool {
	if len(o.only) == 0 {
		return o.engines || slices.Contains(usualParts, part)
	}
	return slices.Contains(o.only, part)
}

// doesAny says whether one of the parts is measured.
func (o *options) doesAny(parts ...string) bool { return slices.ContainsFunc(parts, o.does) }

func parseOptions(args []string) (o options, err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "Usage: go run ./bench [flags]\n\nMeasures bookings over HTTP beside floors of the same machine. Flags:")
		flags.PrintDefaults()
	}
	flags.IntVar(&o.seconds, "seconds", defaultSeconds, "how long each sale is measured; the floors take a quarter of it each")
	only := flags.String("only", "", "only these parts, separated by commas: "+strings.Join(parts, ", "))
	flags.StringVar(&o.binary, "bin", "bin/happening", "the program to measure; built if there is none")
	flags.StringVar(&o.data, "data", "", "where the fresh data directory is made (default: /var/tmp, which is on a disk)")
	flags.StringVar(&o.out, "out", "bench/out", "where results are kept")
	flags.IntVar(&o.people, "people", defaultPeople, "how many different people book")
	flags.IntVar(&o.connections, "connections", defaultConnections, "how many connections book at once")
	flags.BoolVar(&o.engines, "engines", false, "measure also on PostgreSQL, Redis and RabbitMQ, which are started for it, by one process and by several")
	flags.BoolVar(&o.profile, "profile", false, "keep CPU profiles of the server beside the results; costs a few per cent")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	var faults []error
	if flags.NArg() > 0 {
		faults = append(faults, fmt.Errorf("what is %q?", flags.Arg(0)))
	}
	if o.seconds < 1 || o.people < 1 || o.connections < 1 {
		faults = append(faults, errors.New("-seconds, -people and -connections are at least 1"))
	}
	if *only != "" {
		o.only = strings.Split(*only, ",")
	}
	for _, p := range o.only {
		if !slices.Contains(parts, p) {
			faults = append(faults, fmt.Errorf("-only: %q is none of %s", p, strings.Join(parts, ", ")))
		}
		if p == partHolds && !o.engines {
			faults = append(faults, errors.New("-only: holds are measured in Redis, with -engines"))
		}
	}
	return o, errors.Join(faults...)
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == handlerArgument {
		if err := serveHandler(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	o, err := parseOptions(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		err = run(ctx, o)
		if ctx.Err() != nil {
			err = errors.New("interrupted; everything is cleaned up")
		}
		stop()
	}
	if err != nil {
		for line := range strings.Lines(err.Error()) {
			fmt.Fprintln(os.Stderr, "bench:", strings.TrimRight(line, "\n"))
		}
		os.Exit(1)
	}
}

// say tells progress; results go to standard output.
func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05 ")+format+"\n", args...)
}

// run measures everything once. However it ends, nothing of it keeps running
// and its data directories are gone.
func run(ctx context.Context, o options) error {
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	began := time.Now()
	rep := &report{Started: began.UTC(), Seconds: o.seconds, Connections: o.connections, Load: loadAverage()}
	measure := alone
	if o.engines {
		measure = compare
	}
	if err := measure(ctx, o, rep); err != nil {
		return err
	}
	rep.Took = time.Since(began).Seconds()
	name, err := rep.save(o.out)
	if err != nil {
		return err
	}
	for _, w := range rep.Worlds {
		if !w.Check.Clean {
			return fmt.Errorf("%s: happening check did not pass; the figures count for nothing:\n%s", w.Name, w.Check.Output)
		}
		fmt.Printf("\n%s: happening check found nothing (%.1f s)", w.Name, w.Check.Seconds)
	}
	fmt.Printf("\nkept in %s\n", name)
	return nil
}

// alone measures one process with everything embedded.
func alone(ctx context.Context, o options, rep *report) (err error) {
	w := &world{name: embedded}
	defer func() { err = errors.Join(err, w.stop()) }()
	if err := w.add(ctx, o, surroundings{}); err != nil {
		return err
	}
	if rep.Conditions, err = conditionsOf(ctx, w.first()); err != nil {
		return err
	}
	r := &runner{options: o, report: rep}
	r.enter(w)
	if err := r.measure(ctx); err != nil {
		return err
	}
	// The figures are told before the checker begins, which reads everything
	// that was sold and takes its time.
	rep.print(os.Stdout)
	return r.check(ctx)
}

// runner measures the parts in one world.
type runner struct {
	options
	world  *world
	report *report
	people []person
}

// enter says where the next parts are measured.
func (r *runner) enter(w *world) {
	r.world = w
	r.report.Worlds = append(r.report.Worlds, worldReport{Name: w.name})
}

// here is what there is to say of the world that was entered last.
func (r *runner) here() *worldReport { return &r.report.Worlds[len(r.report.Worlds)-1] }

// check ends a world.
func (r *runner) check(ctx context.Context) error {
	say("checking the books")
	here, err := r.here(), error(nil)
	if here.Heap, here.RSS, err = r.world.first().memory(ctx); err != nil {
		return err
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
		if err := r.floors(ctx, "before"); err != nil {
			return err
		}
	}
	if r.doesAny(partHandler, partLone, partHot, partEvents, partSockets, partHolds) {
		if err := r.invite(ctx); err != nil {
			return err
		}
	}
	if err := r.parts(ctx, partHandler, partHolds, partSockets, partLone, partHot, partEvents); err != nil {
		return err
	}
	if r.does(partFloor) {
		return r.floors(ctx, "after")
	}
	return nil
}

// parts measures those of the parts that are wanted.
func (r *runner) parts(ctx context.Context, parts ...string) error {
	does := map[string]func(context.Context) error{
		partHandler: r.handler, partHolds: r.holds, partSockets: r.sockets, partLone: r.lone,
		partHot:    func(ctx context.Context) error { return r.hot(ctx, byEvent) },
		partEvents: func(ctx context.Context) error { return r.events(ctx, byEvent) },
	}
	for _, p := range parts {
		if !r.does(p) {
			continue
		}
		if err := does[p](ctx); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
	}
	return nil
}

// handler measures the trivial handler in a process of its own, as the server
// is in one.
func (r *runner) handler(ctx context.Context) (err error) {
	say("trivial handler, %d connections, %v", r.connections, r.side())
	h, err := startHandler(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.stop()) }()
	return r.sale(ctx, sale{
		part: partHandler, name: "trivial Go handler", connections: r.connections, duration: r.side(),
		addrs: []string{h.addr}, watched: &watched{servers: []int{h.pid()}}, events: []string{"00000000-0000-7000-8000-000000000000"},
	})
}

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
	return r.sellAt(ctx, sale{part: partLone, name: "lone caller", connections: 1, duration: r.side()}, "Lone caller", 1, hotSeats)
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
	return r.sale(ctx, s)
}

// sale is one measurement.
type sale struct {
	part, name  string
	connections int
	duration    time.Duration
	events      []string
	route       route
	addrs       []string // nil: the servers of the world
	watched     *watched // nil: the world's
}

// sale runs a closed loop and takes its result down.
func (r *runner) sale(ctx context.Context, s sale) error {
	ours := s.watched == nil
	if ours {
		w := r.world.watched()
		s.watched, s.addrs = &w, r.world.addrs()
	}
	profile := r.profileDuring(ctx, s.part, s.duration, ours)
	settles := ours && r.engines
	var before written
	var err error
	if settles {
		if before, err = r.world.written(ctx); err != nil {
			return err
		}
	}
	meter, whole := newMeter(*s.watched), newMeter(*s.watched)
	whole.start()
	result, err := closedLoop(ctx, loop{
		addrs: s.addrs, connections: s.connections, warmUp: warmUp, duration: s.duration,
		append: newMix(s.addrs, r.people, s.events, s.route).append, onWindow: meter.start,
	})
	usage := meter.stop(result.Total())
	if profileErr := <-profile; profileErr != nil {
		say("no profile: %v", profileErr)
	}
	if err != nil {
		return err
	}
	row := newRow(s.part, s.name, s.connections, result, usage)
	row.World, row.Processes = r.world.name, len(s.addrs)
	if len(s.addrs) > 1 {
		row.Routing = s.route
	}
	if settles {
		if row.Settled, err = r.settle(ctx, whole, result.All, before); err != nil {
			return err
		}
	}
	r.report.Rows = append(r.report.Rows, row)
	if result.OK == 0 {
		return fmt.Errorf("nothing was booked: %s", result.problems())
	}
	return nil
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
	go func() { done <- r.world.first().saveProfile(ctx, part, d+warmUp) }()
	return done
}
