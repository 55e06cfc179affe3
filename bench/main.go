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
)

var parts = []string{partFloor, partHandler, partLone, partHot, partEvents}

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
}

func (o *options) duration() time.Duration { return time.Duration(o.seconds) * time.Second }

// side is how long the floors and the lone caller are measured, each.
func (o *options) side() time.Duration { return max(o.duration()/4, 2*time.Second) }

func (o *options) does(part string) bool { return len(o.only) == 0 || slices.Contains(o.only, part) }

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
// and its data directory is gone.
func run(ctx context.Context, o options) (err error) {
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	began := time.Now()
	rep := &report{Started: began.UTC(), Seconds: o.seconds, Connections: o.connections, Load: loadAverage()}
	srv, err := startServer(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, srv.stop()) }()
	if rep.Conditions, err = conditionsOf(ctx, srv); err != nil {
		return err
	}
	r := &runner{options: o, server: srv, report: rep}
	if err := r.measure(ctx); err != nil {
		return err
	}
	// The figures are told before the checker begins, which reads everything
	// that was sold and takes its time.
	rep.print(os.Stdout)
	say("checking the books")
	if rep.Check = srv.check(ctx); ctx.Err() != nil {
		return ctx.Err()
	}
	rep.Took = time.Since(began).Seconds()
	name, err := rep.save(o.out)
	if err != nil {
		return err
	}
	if !rep.Check.Clean {
		return fmt.Errorf("happening check did not pass; the figures count for nothing:\n%s", rep.Check.Output)
	}
	fmt.Printf("\nhappening check: nothing found (%.1f s)\nkept in %s\n", rep.Check.Seconds, name)
	return nil
}

// runner measures the parts.
type runner struct {
	options
	server *server
	report *report
	people []person
}

func (r *runner) measure(ctx context.Context) error {
	if r.does(partFloor) {
		if err := r.floors(ctx, "before"); err != nil {
			return err
		}
	}
	if r.does(partHandler) || r.does(partLone) || r.does(partHot) || r.does(partEvents) {
		say("making %d people", r.options.people)
		var err error
		if r.people, err = r.server.tokens(ctx, "bench%d@load.test", r.options.people); err != nil {
			return err
		}
	}
	for _, p := range []struct {
		name string
		do   func(context.Context) error
	}{
		{partHandler, r.handler}, {partLone, r.lone}, {partHot, r.hot}, {partEvents, r.events},
	} {
		if !r.does(p.name) {
			continue
		}
		if err := p.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	if r.does(partFloor) {
		return r.floors(ctx, "after")
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
	mix := newMix(h.addr, r.people, []string{"00000000-0000-7000-8000-000000000000"})
	return r.sale(ctx, partHandler, "trivial Go handler", h.addr, mix, r.connections, r.side(), []int{h.pid()})
}

// lone measures one caller beside one durable commit.
func (r *runner) lone(ctx context.Context) error {
	say("one durable commit, then a lone caller, %v each", r.side())
	commit, err := commitFloor(ctx, r.server.ownerURL, r.side())
	if err != nil {
		return err
	}
	r.report.Commit = &commit
	events, err := r.server.makeEvents(ctx, "Lone caller", 1, hotSeats)
	if err != nil {
		return err
	}
	mix := newMix(r.server.apiAddr, r.people, events)
	return r.sale(ctx, partLone, "lone caller", r.server.apiAddr, mix, 1, r.side(), nil)
}

func (r *runner) hot(ctx context.Context) error {
	say("hot event, %d connections, %v", r.connections, r.duration())
	events, err := r.server.makeEvents(ctx, "Hot event", 1, hotSeats)
	if err != nil {
		return err
	}
	mix := newMix(r.server.apiAddr, r.people, events)
	return r.sale(ctx, partHot, "hot event", r.server.apiAddr, mix, r.connections, r.duration(), nil)
}

func (r *runner) events(ctx context.Context) error {
	say("%d events, %d connections, %v", manyEvents, r.connections, r.duration())
	events, err := r.server.makeEvents(ctx, "One of many", manyEvents, manySeats)
	if err != nil {
		return err
	}
	mix := newMix(r.server.apiAddr, r.people, events)
	return r.sale(ctx, partEvents, fmt.Sprintf("%d events", manyEvents), r.server.apiAddr, mix, r.connections, r.duration(), nil)
}

// sale runs a closed loop and takes its result down. pids are the processes
// that answer; nil is the server with its PostgreSQL.
func (r *runner) sale(ctx context.Context, part, name, addr string, mix *mix, connections int, d time.Duration, pids []int) error {
	profile := r.profileDuring(ctx, part, d, pids == nil)
	if pids == nil {
		pids = []int{r.server.pid()}
	}
	meter := newMeter(pids[0])
	result, err := closedLoop(ctx, loop{
		addr: addr, connections: connections, warmUp: warmUp, duration: d, append: mix.append,
		onWindow: meter.start,
	})
	usage := meter.stop(result.Total())
	if profileErr := <-profile; profileErr != nil {
		say("no profile: %v", profileErr)
	}
	if err != nil {
		return err
	}
	r.report.Rows = append(r.report.Rows, newRow(part, name, connections, result, usage))
	if result.OK == 0 {
		return fmt.Errorf("nothing was booked: %s", result.problems())
	}
	return nil
}

// profileDuring has the server profile itself while a sale is counted.
func (r *runner) profileDuring(ctx context.Context, part string, d time.Duration, server bool) <-chan error {
	done := make(chan error, 1)
	if !r.profile || !server {
		done <- nil
		return done
	}
	go func() { done <- r.server.saveProfile(ctx, part, d+warmUp) }()
	return done
}
