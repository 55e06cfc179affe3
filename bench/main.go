// Command bench measures how fast Happening sells, shows and tells seats, beside
// what the same machine can do at best: a plain one-row insert into the same
// PostgreSQL, one durable commit, and a trivial Go handler with the same
// requests. Everything is on, limits are as
// shipped, PostgreSQL is fully durable; the server, PostgreSQL and this program
// share the machine. Figures in one run can be compared with one another;
// figures of different runs or machines can not, so results are told as ratios.
//
// A run brings its own servers on free ports with fresh data, removes both
// afterwards, keeps what it measured in bench/out and ends each of its worlds
// with `happening check`: a sale that broke a rule is not a result. It tells
// which rows of the speed table were reached (figures.go), can draw them
// (-chart) and fill them into the docs (-docs). docs/performance.md says how
// each is measured.
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
