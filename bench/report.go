package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

const megabyte = 1e6 // bytes

// suspicious is the ratio to the floor below which something is wrong.
const suspicious = 0.3

// report is everything that a run has to say.
type report struct {
	Started     time.Time     `json:"started"`
	Took        float64       `json:"took_seconds"`
	Load        string        `json:"load_average_at_start"`
	LoadAfter   string        `json:"load_average_at_end"`
	Seconds     int           `json:"seconds"`
	Connections int           `json:"connections"`
	Conditions  conditions    `json:"conditions"`
	Floors      []floor       `json:"floors"`
	Commit      *commit       `json:"one_durable_commit,omitempty"`
	Rows        []row         `json:"sales"`
	Figures     []figure      `json:"figures"`
	Worlds      []worldReport `json:"worlds"`
	Snapshot    *snapshot     `json:"snapshot,omitempty"`
	Seen        *seen         `json:"seen,omitempty"`
	Cached      []cachedEvent `json:"cached_events,omitempty"`
	Holds       *holdsMemory  `json:"redis_memory,omitempty"`
	Notes       []string      `json:"notes,omitempty"`
}

// worldReport is what there is to say of one world as a whole.
type worldReport struct {
	Name    string   `json:"name"`
	Sockets *sockets `json:"sockets,omitempty"`
	// Of the first server when everything was sold, in bytes.
	Heap  float64 `json:"heap_bytes"`
	RSS   float64 `json:"rss_bytes"`
	Check checked `json:"check"`
}

// row is one sale.
type row struct {
	Part        string         `json:"part"`
	Name        string         `json:"name"`
	World       string         `json:"world"`
	Processes   int            `json:"processes"`
	Routing     route          `json:"routing,omitempty"`
	Connections int            `json:"connections"`
	Seconds     float64        `json:"seconds"`
	Booked      int            `json:"booked"`
	Waiting     int            `json:"waiting"`
	Rate        float64        `json:"per_second"`
	P50         time.Duration  `json:"p50_ns"`
	P95         time.Duration  `json:"p95_ns"`
	P99         time.Duration  `json:"p99_ns"`
	Refused     map[string]int `json:"refused,omitempty"`
	Broken      map[string]int `json:"broken,omitempty"`
	// Offered is the rate of an open loop, and LateP99 how late the generator
	// itself was with what a connection was free for; both are in P50 to P99.
	Offered   float64       `json:"offered_per_second,omitempty"`
	LateP99   time.Duration `json:"generator_late_p99_ns,omitempty"`
	BodyEach  float64       `json:"body_bytes_each"`
	WireEach  float64       `json:"wire_bytes_each"`     // of a whole answer, headers too
	Unchanged int           `json:"unchanged,omitempty"` // 304
	Promoted  int           `json:"promoted,omitempty"`
	Kind      string        `json:"kind,omitempty"`  // of a list
	Among     int           `json:"among,omitempty"` // events
	Beside    *beside       `json:"beside,omitempty"`
	// Slowest is the page of a list that takes longest when it is asked for
	// alone, and SlowestTook how long.
	Slowest     string        `json:"slowest,omitempty"`
	SlowestTook time.Duration `json:"slowest_ns,omitempty"`
	Problems    string        `json:"-"`
	Usage       usage         `json:"usage"`
	Settled     *settled      `json:"settled,omitempty"`
}

// settled is what a sale cost from its beginning until everybody was told of
// it, warm-up and mails included, for each booking.
type settled struct {
	usage
	Drain time.Duration `json:"drain_ns"` // from its end until then
	// Bytes of PostgreSQL's files and of its log.
	KeptEach float64 `json:"kept_bytes_each"`
	LogEach  float64 `json:"log_bytes_each"`
}

func newRow(part, name string, connections int, r result, u usage) row {
	each := func(bytes int) float64 { return float64(bytes) / float64(max(r.OK, 1)) }
	return row{
		LateP99: r.late.percentile(99), BodyEach: each(r.Bytes), WireEach: each(r.Wire), Unchanged: r.Unchanged,
		Part: part, Name: name, Connections: connections, Seconds: r.Elapsed.Seconds(),
		Booked: r.OK, Waiting: r.Waiting, Rate: r.rate(),
		P50: r.latencies.percentile(50), P95: r.latencies.percentile(95), P99: r.latencies.percentile(99),
		Refused: r.Refused, Broken: r.Broken, Problems: r.problems(), Usage: u,
	}
}

// note remembers a remark once.
func (r *report) note(text string) {
	if !slices.Contains(r.Notes, text) {
		r.Notes = append(r.Notes, text)
	}
}

// best is the highest floor of the run; the fairest to doubt a result with.
func (r *report) best() (f floor, ok bool) {
	if len(r.Floors) == 0 {
		return f, false
	}
	return slices.MaxFunc(r.Floors, func(a, b floor) int { return cmp.Compare(a.Rate, b.Rate) }), true
}

// like finds the row of the same part in the embedded world.
func (r *report) like(part string) (row, bool) {
	i := slices.IndexFunc(r.Rows, func(w row) bool { return w.Part == part && w.World == embedded })
	if i < 0 {
		return row{}, false
	}
	return r.Rows[i], true
}

// bookingParts are those whose rate is compared with the floors.
var bookingParts = []string{partAllocator, partHot, partEvents}

// ratios compares every sale with the floors that were measured beside it, and
// one on engines outside with the same sale embedded.
func (r *report) ratios(w row) []string {
	var list []string
	if w.World != embedded {
		e, ok := r.like(w.Part)
		switch {
		case ok && w.Part == partLone && e.P50 > 0:
			list = append(list, fmt.Sprintf("%.2f × embedded (p50)", float64(w.P50)/float64(e.P50)))
		case ok && w.Part != partLone && e.Rate > 0:
			list = append(list, fmt.Sprintf("%.2f × embedded", w.Rate/e.Rate))
		}
		return list
	}
	if w.Part == partLone {
		if r.Commit != nil && r.Commit.P50 > 0 {
			list = append(list, fmt.Sprintf("%.2f × one durable commit (p50)", float64(w.P50)/float64(r.Commit.P50)))
		}
		return list
	}
	if !slices.Contains(bookingParts, w.Part) {
		return list
	}
	if f, ok := r.best(); ok {
		ratio := w.Rate / f.Rate
		text := fmt.Sprintf("%.2f × %s", ratio, f.Tool)
		if ratio < suspicious {
			text += " (something is wrong)"
		}
		list = append(list, text)
	}
	if h, ok := r.like(partHandler); ok && h.Rate > 0 {
		list = append(list, fmt.Sprintf("%.2f × trivial handler", w.Rate/h.Rate))
	}
	return list
}

// save keeps the report as JSON and gives the file's name.
func (r *report) save(dir string) (string, error) {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, r.Started.Format("20060102T150405Z")+".json")
	return name, os.WriteFile(name, append(text, '\n'), 0o644)
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond))
}

// print writes the table that people read.
func (r *report) print(out io.Writer) {
	c := &r.Conditions
	fmt.Fprintf(out, "\n%s, %d cores, %s, %s, data on %s\n", c.CPU, c.Cores, c.System, c.Go, c.FileSystem)
	fmt.Fprintf(out, "happening %s, PostgreSQL %s:", c.Version, c.PostgreSQL)
	for _, name := range slices.Sorted(maps.Keys(c.Settings)) {
		fmt.Fprintf(out, " %s=%s", name, c.Settings[name])
	}
	for _, name := range slices.Sorted(maps.Keys(c.Engines)) {
		fmt.Fprintf(out, "\n%s %s", name, c.Engines[name])
	}
	fmt.Fprintf(out, "\nload average at the start %s, at the end %s; servers, engines and generator share the machine; %d connections, %d s a sale, %v of warm-up not counted, revision %s\n\n",
		r.Load, r.LoadAfter, r.Connections, r.Seconds, warmUp, c.Revision)
	r.printFloors(out)
	r.printFigures(out)
	r.printRows(out)
	r.printCosts(out)
	r.printWatching(out)
	if len(r.Notes) > 0 {
		fmt.Fprintf(out, "\n%s\n", strings.Join(r.Notes, "\n"))
	}
}

func (r *report) printFloors(out io.Writer) {
	t := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	if len(r.Floors) > 0 {
		fmt.Fprintln(t, "floor: one-row insert\tclients\tper second")
		best, _ := r.best()
		for _, f := range r.Floors {
			mark := ""
			if f == best {
				mark = "best"
			}
			fmt.Fprintf(t, "%s, %s\t%d\t%.0f\t%s\n", f.Tool, f.When, f.Clients, f.Rate, mark)
		}
	}
	if r.Commit != nil {
		fmt.Fprintf(t, "one durable commit\t1\tp50 %s\tp99 %s\n", milliseconds(r.Commit.P50), milliseconds(r.Commit.P99))
	}
	_ = t.Flush() // the terminal's failure has nowhere else to be told
	fmt.Fprintln(out)
}

func (r *report) printRows(out io.Writer) {
	t := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, "\nmeasured\tconnections\tper second\tp50\tp95\tp99\tratio\tnot as it should be")
	for _, w := range r.Rows {
		problems := cmp.Or(w.Problems, "none")
		if w.Waiting > 0 {
			problems += fmt.Sprintf("; %d of the bookings wait", w.Waiting)
		}
		problems += w.remarks()
		fmt.Fprintf(t, "%s\t%d\t%.0f\t%s\t%s\t%s\t%s\t%s\n", w.title(), w.Connections, w.Rate,
			milliseconds(w.P50), milliseconds(w.P95), milliseconds(w.P99), strings.Join(r.ratios(w), ", "), problems)
	}
	_ = t.Flush()
}

// remarks tell what there is to say of a row beside its figures.
func (w row) remarks() (text string) {
	if w.Offered > 0 {
		text += fmt.Sprintf("; %.0f a second by schedule, generator late by %s (p99)", w.Offered, milliseconds(w.LateP99))
	}
	if w.Promoted > 0 {
		text += fmt.Sprintf("; %d parties were let in", w.Promoted)
	}
	if w.Unchanged > 0 {
		text += fmt.Sprintf("; %d unchanged", w.Unchanged)
	}
	if w.Part == partSeats {
		text += fmt.Sprintf("; %.0f bytes on the wire", w.WireEach)
	}
	if w.Slowest != "" {
		text += fmt.Sprintf("; slowest alone %.60s: %s", w.Slowest, milliseconds(w.SlowestTook))
	}
	if b := w.Beside; b != nil {
		text += fmt.Sprintf("; %.0f bookings a second beside it, p99 %s", b.Rate, milliseconds(b.P99))
		if b.Refused != "" {
			text += ", not booked " + b.Refused
		}
	}
	return text
}

// title names a row and, where it isn't the usual one, its world.
func (w row) title() string {
	title := w.Name
	if w.World != embedded {
		title += ", " + w.World
	}
	if w.Processes > 1 {
		title += fmt.Sprintf(", %d processes %s", w.Processes, w.Routing)
	}
	return title
}

// printCosts tells who used the processors, and what a booking cost whom.
func (r *report) printCosts(out io.Writer) {
	if len(r.Rows) == 0 || r.Rows[0].Usage == (usage{}) {
		return
	}
	fmt.Fprintln(out)
	t := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, "processors\tserver\tPostgreSQL\tRedis\tRabbitMQ\tgenerator\tothers\tserver µs each\tPostgreSQL\tRedis\tRabbitMQ\tgenerator")
	for _, w := range r.Rows {
		u := w.Usage
		fmt.Fprintf(t, "%s\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\n", w.title(),
			u.Server, u.PostgreSQL, u.Redis, u.RabbitMQ, u.Generator, u.Others,
			u.ServerEach, u.PostgreSQLEach, u.RedisEach, u.RabbitMQEach, u.GeneratorEach)
	}
	_ = t.Flush()
	if !slices.ContainsFunc(r.Rows, func(w row) bool { return w.Settled != nil }) {
		return
	}
	fmt.Fprintln(out)
	fmt.Fprintln(t, "until everybody was told\tserver µs each\tPostgreSQL\tRedis\tRabbitMQ\ttold after\tbytes kept each\tof log")
	for _, w := range r.Rows {
		if u := w.Settled; u != nil {
			fmt.Fprintf(t, "%s\t%.0f\t%.0f\t%.0f\t%.0f\t%.1f s\t%.0f\t%.0f\n", w.title(),
				u.ServerEach, u.PostgreSQLEach, u.RedisEach, u.RabbitMQEach, u.Drain.Seconds(), u.KeptEach, u.LogEach)
		}
	}
	_ = t.Flush()
}

// printWatching tells what looking on and holding cost.
func (r *report) printWatching(out io.Writer) {
	if s := r.Snapshot; s != nil {
		fmt.Fprintf(out, "\na map of %d seats over HTTP: %.0f a second, p99 %s, %.0f bytes, %.0f µs of the server each\n",
			s.Seats, s.Rate, milliseconds(s.P99), s.Bytes, s.ServerEach)
	}
	if s := r.Seen; s != nil {
		fmt.Fprintf(out, "\n%d watchers, %.0f bookings a second by schedule: answered p50 %s, p99 %s; seen by all p50 %s, p95 %s, p99 %s (%d times, %d missing); %d connections lost; a connection takes %.0f bytes of heap and stacks\n",
			s.Watchers, s.Rate, milliseconds(s.AnswerP50), milliseconds(s.AnswerP99), milliseconds(s.P50), milliseconds(s.P95), milliseconds(s.P99), s.Seen, s.Unseen, s.Lost, s.HeapEach)
	}
	for _, e := range r.Cached {
		fmt.Fprintf(out, "\nan event of %d seats in memory, nothing sold: %.0f bytes (of %d)\n", e.Seats, e.Heap, e.Events)
	}
	for _, w := range r.Worlds {
		if w.RSS > 0 {
			fmt.Fprintf(out, "\n%s, at its end: %.0f MB of heap and stacks in use, %.0f MB resident\n", w.Name, w.Heap/megabyte, w.RSS/megabyte)
		}
		if s := w.Sockets; s != nil {
			r.printSockets(out, w.Name, s)
		}
	}
	if h := r.Holds; h != nil {
		fmt.Fprintf(out, "\n%d held seats of %d people at an event with %d: %.0f bytes in Redis for the event (%.0f without holds), %.0f a person, %.0f for each held seat\n",
			h.Held, h.People, h.Seats, h.Event, h.Bare, h.Person, h.PerHold)
	}
}

func (r *report) printSockets(out io.Writer, world string, s *sockets) {
	fmt.Fprintf(out, "\n%d connections that look on, %s: each %.0f bytes of heap and stacks, %.0f of resident memory, %.0f of Redis; idle %.1f µs a second of the server, %.1f of Redis\n",
		s.Connections, world, s.HeapEach, s.RSSEach, s.RedisEach, s.IdleEach, s.IdleRedisEach)
	fmt.Fprintf(out, "  with %.0f bookings a second: %.1f messages a second to each, %.0f bytes, %.1f µs of the server for one message to one; %d connections lost\n",
		s.Bookings, s.Deltas, s.DeltaBytes, s.DeliveryEach, s.Lost)
}
