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
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"happening/internal/pgserver"
)

// The parts of a run, in their order.
const (
	partFloor     = "floor"
	partAllocator = "allocator" // in a world of its own, without a server
	partHandler   = "handler"
	partLone      = "lone"
	partHot       = "hot"
	partHalf      = "half"
	partEvents    = "events"
	partCancel    = "cancel"
	partSize      = "size"
	partSoldOut   = "soldout"
	partSeats     = "seats"
	partWatch     = "watch"
	partMemory    = "memory"
	partLists     = "lists" // in a world of its own, with a million events
	// With -engines only, unless they are named.
	partSockets = "sockets"
	partHolds   = "holds"
)

var (
	// servedParts are measured at one server after another in one world.
	servedParts = []string{partHandler, partLone, partHot, partHalf, partEvents, partCancel, partSize, partSoldOut, partSeats, partWatch, partMemory}
	usualParts  = slices.Concat([]string{partFloor, partAllocator}, servedParts, []string{partLists})
	parts       = append(slices.Clone(usualParts), partSockets, partHolds)
	// comparedParts are those that -engines measures on several engines.
	comparedParts = []string{partFloor, partHandler, partLone, partHot, partEvents, partSockets, partHolds}
)

// What is measured.
const (
	defaultSeconds     = 10
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
	chart       string
	docs        string
}

func (o *options) duration() time.Duration { return time.Duration(o.seconds) * time.Second }

// side is how long what is less disturbed, or measured more than once, takes
// each time.
func (o *options) side() time.Duration { return max(o.duration()/3, 2*time.Second) }

// floorTime is how long each floor takes: long enough for its clients to
// connect on a busy machine.
func (o *options) floorTime() time.Duration { return max(o.side(), 4*time.Second) }

func (o *options) does(part string) bool {
	switch {
	case len(o.only) > 0:
	case o.engines:
		return slices.Contains(comparedParts, part)
	default:
		return slices.Contains(usualParts, part)
	}
	return slices.Contains(o.only, part)
}

// doesAny says whether one of the parts is measured.
func (o *options) doesAny(parts ...string) bool { return slices.ContainsFunc(parts, o.does) }

func parseOptions(args []string) (o options, err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "Usage: go run ./bench [flags]\n\nMeasures what sells, shows and tells seats beside floors of the same machine. Flags:")
		flags.PrintDefaults()
	}
	flags.IntVar(&o.seconds, "seconds", defaultSeconds, "how long each sale is measured; floors, and what is measured more than once, take a third of it")
	only := flags.String("only", "", "only these parts, separated by commas: "+strings.Join(parts, ", "))
	flags.StringVar(&o.binary, "bin", "bin/happening", "the program to measure; built if there is none")
	flags.StringVar(&o.data, "data", "", "where the fresh data directory is made (default: /var/tmp, which is on a disk)")
	flags.StringVar(&o.out, "out", "bench/out", "where results are kept")
	flags.IntVar(&o.people, "people", defaultPeople, "how many different people book")
	flags.IntVar(&o.connections, "connections", defaultConnections, "how many connections book at once")
	flags.BoolVar(&o.engines, "engines", false, "measure also on PostgreSQL, Redis and RabbitMQ, which are started for it, by one process and by several")
	flags.StringVar(&o.chart, "chart", "", "where a picture of the figures is drawn, as SVG, such as docs/bench.svg; default: nowhere")
	flags.StringVar(&o.docs, "docs", "", "the page whose figures are replaced by this run's, such as docs/performance.md; default: none")
	flags.BoolVar(&o.profile, "profile", false, "keep CPU profiles of the server, and what PostgreSQL's backends do, beside the results; costs a few per cent")
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
	pgserver.MaybeSupervise() // the allocator in process has a PostgreSQL that this program starts
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
// and its data directories are gone; what was measured before a failure is kept
// and told.
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
	measured := measure(ctx, o, rep)
	if measured != nil && len(rep.Rows) == 0 {
		return measured
	}
	rep.Took, rep.LoadAfter = time.Since(began).Seconds(), loadAverage()
	rep.Figures = rep.figures()
	if measured != nil {
		rep.note("The run ended early: " + measured.Error())
	}
	rep.print(os.Stdout)
	name, err := rep.save(o.out)
	if err = errors.Join(measured, err); err != nil {
		return err
	}
	for _, w := range rep.Worlds {
		if !w.Check.Clean {
			return fmt.Errorf("%s: happening check did not pass; the figures count for nothing:\n%s", w.Name, w.Check.Output)
		}
		fmt.Printf("\n%s: happening check found nothing (%.1f s)", w.Name, w.Check.Seconds)
	}
	fmt.Printf("\nkept in %s after %.0f s\n", name, rep.Took)
	return rep.publish(o)
}

// publish draws the chart and fills the page, where they are wanted.
func (r *report) publish(o options) error {
	var faults []error
	if o.chart != "" {
		faults = append(faults, r.saveChart(o.chart))
	}
	if o.docs != "" {
		faults = append(faults, r.savePage(o.docs, o.chart))
	}
	return errors.Join(faults...)
}

// alone measures one process with everything embedded, in up to three worlds:
// the allocator without a server, the server, and the server among a million
// events.
func alone(ctx context.Context, o options, rep *report) error {
	for _, w := range []struct {
		parts   []string
		measure func(context.Context, options, *report) error
	}{
		{[]string{partAllocator}, inProcess}, {append(slices.Clone(servedParts), partFloor, partSockets), served}, {[]string{partLists}, among},
	} {
		if !slices.ContainsFunc(w.parts, o.does) {
			continue
		}
		if err := w.measure(ctx, o, rep); err != nil {
			return err
		}
	}
	return nil
}

// served measures a server.
func served(ctx context.Context, o options, rep *report) (err error) {
	w := &world{name: embedded}
	defer func() { err = errors.Join(err, w.stop()) }()
	if err := w.add(ctx, o, surroundings{}); err != nil {
		return err
	}
	r := &runner{options: o, report: rep}
	if err := r.enter(ctx, w, "server"); err != nil {
		return err
	}
	if err := r.measure(ctx); err != nil {
		return err
	}
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
