package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// figure is one row of the speed table: what was measured, as a ratio to a
// floor of the same run or as it is, with what is to be reached.
type figure struct {
	Work  string  `json:"work"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	Reach float64 `json:"reach,omitempty"` // 0: it is only told
	Aim   float64 `json:"aim,omitempty"`
	// AtMost says that less is better.
	AtMost  bool    `json:"at_most,omitempty"`
	Outcome outcome `json:"outcome,omitempty"`
	Parts   string  `json:"of,omitempty"` // the figures that it is made of
}

// outcome is what a figure comes to.
type outcome string

const (
	asAimed outcome = "aim reached"
	reached outcome = "reached"
	missed  outcome = "not reached"
	told    outcome = "" // nothing was to be reached
)

// judged says what the figure comes to.
func (f figure) judged() figure {
	beats := func(goal float64) bool {
		if f.AtMost {
			return f.Value <= goal
		}
		return f.Value >= goal
	}
	switch {
	case f.Reach == 0:
		f.Outcome = told
	case f.Aim != 0 && beats(f.Aim):
		f.Outcome = asAimed
	case beats(f.Reach):
		f.Outcome = reached
	default:
		f.Outcome = missed
	}
	return f
}

const (
	kilobyte  = 1000 // bytes
	wireLimit = 8    // kB
	unitFloor = "× pgbench"
	unitTime  = "ms"
)

// figures gives the rows of the speed table that were measured.
func (r *report) figures() (list []figure) {
	add := func(f figure) { list = append(list, f.judged()) }
	floor, floored := r.best()
	for _, f := range []struct {
		part, work string
		reach, aim float64
	}{
		{partAllocator, "allocator in process, one hot event", 1.4, 2.0},
		{partHot, "over HTTP, one hot event", 0.7, 1.0},
		{partEvents, fmt.Sprintf("over HTTP, %d events", manyEvents), 0.6, 0.8},
	} {
		if w, ok := r.like(f.part); ok && floored {
			add(figure{Work: f.work, Value: w.Rate / floor.Rate, Unit: unitFloor, Reach: f.reach, Aim: f.aim, Parts: fmt.Sprintf("%.0f of %.0f a second", w.Rate, floor.Rate)})
		}
	}
	if w, ok := r.like(partLone); ok && r.Commit != nil && r.Commit.P50 > 0 {
		add(figure{Work: "a lone caller, p50", Value: float64(w.P50) / float64(r.Commit.P50), Unit: "× one durable commit", Reach: 2, Aim: 1.3, AtMost: true,
			Parts: milliseconds(w.P50) + " of " + milliseconds(r.Commit.P50)})
	}
	if w, ok := r.like(partHalf); ok {
		add(figure{Work: "p99 at half of the peak", Value: inMilliseconds(w.P99), Unit: unitTime, Reach: 25, Aim: 10, AtMost: true,
			Parts: fmt.Sprintf("%.0f a second by schedule, the generator itself late by %s (p99)", w.Offered, milliseconds(w.LateP99))})
	}
	if w, ok := r.like(partCancel); ok && floored {
		add(figure{Work: "cancel with promotion, 10,000 wait", Value: w.Rate / floor.Rate, Unit: unitFloor, Reach: 0.3, Aim: 0.6,
			Parts: fmt.Sprintf("%.0f of %.0f a second", w.Rate, floor.Rate)})
	}
	small, big := r.named(partSize, fmt.Sprintf("events of %d seats", smallSeats)), r.named(partSize, fmt.Sprintf("events of %d seats", bigSeats))
	if small != nil && big != nil && small.Rate > 0 {
		add(figure{Work: "1,000,000 seats against 1,000", Value: big.Rate / small.Rate, Unit: "× the small one's", Reach: 0.8, Aim: 0.95,
			Parts: fmt.Sprintf("%.0f against %.0f a second", big.Rate, small.Rate)})
	}
	r.besideHandler(add)
	r.listed(add)
	if s := r.Seen; s != nil {
		add(figure{Work: fmt.Sprintf("seen by %d watchers, p99", s.Watchers), Value: inMilliseconds(s.P99), Unit: unitTime, Reach: 150, Aim: 80, AtMost: true,
			Parts: fmt.Sprintf("p50 %s, %.0f bookings a second", milliseconds(s.P50), s.Rate)})
	}
	return list
}

// besideHandler adds what is compared with the trivial handler.
func (r *report) besideHandler(add func(figure)) {
	if w, ok := r.like(partSoldOut); ok {
		if h := r.named(partHandler, "trivial handler, on_full refuse"); h != nil && h.Rate > 0 {
			add(figure{Work: "sold out, on_full refuse", Value: w.Rate / h.Rate, Unit: "× handler", Reach: 0.3, Aim: 0.6, Parts: fmt.Sprintf("%.0f of %.0f a second", w.Rate, h.Rate)})
		}
	}
	h := r.named(partHandler, "trivial handler, map")
	for _, w := range r.Rows {
		if w.Part != partSeats {
			continue
		}
		if h != nil && h.Rate > 0 {
			add(figure{Work: w.Name, Value: w.Rate / h.Rate, Unit: "× handler", Reach: 0.4, Aim: 0.7, Parts: fmt.Sprintf("%.0f of %.0f a second, %.0f bookings a second beside", w.Rate, h.Rate, w.besides())})
		}
		if w.Unchanged == 0 {
			add(figure{Work: w.Name + ", on the wire", Value: w.WireEach / kilobyte, Unit: "kB", Reach: wireLimit, AtMost: true})
		}
	}
}

// besides is the rate of what was sold meanwhile.
func (w row) besides() float64 {
	if w.Beside == nil {
		return 0
	}
	return w.Beside.Rate
}

// listed adds the lists and searches among all events, and how they compare
// with those among few.
func (r *report) listed(add func(figure)) {
	for _, w := range r.Rows {
		if w.Part != partLists || w.Among != allEvents {
			continue
		}
		add(figure{Work: w.Kind + ", p99 among 1,000,000", Value: inMilliseconds(w.P99), Unit: unitTime, Reach: 50, Aim: 20, AtMost: true,
			Parts: fmt.Sprintf("p50 %s, %.0f a second by schedule", milliseconds(w.P50), w.Offered)})
		for _, few := range r.Rows {
			if few.Part == partLists && few.Kind == w.Kind && few.Among == fewEvents && few.P99 > 0 {
				add(figure{Work: w.Kind + ", against among 10,000", Value: float64(w.P99) / float64(few.P99), Unit: "× p99", AtMost: true,
					Parts: fmt.Sprintf("p50 %s against %s, p99 %s against %s", milliseconds(w.P50), milliseconds(few.P50), milliseconds(w.P99), milliseconds(few.P99))})
			}
		}
	}
}

// named finds the embedded row of a part with that name; nil: it wasn't measured.
func (r *report) named(part, name string) *row {
	for i := range r.Rows {
		if w := &r.Rows[i]; w.Part == part && w.Name == name && w.World == embedded {
			return w
		}
	}
	return nil
}

func inMilliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// value is the figure as people read it.
func (f figure) value() string { return amount(f.Value) + " " + f.Unit }

// goal is what is to be reached as people read it.
func (f figure) goal(value float64) string {
	switch {
	case value == 0:
		return ""
	case f.AtMost:
		return "≤ " + amount(value)
	default:
		return "≥ " + amount(value)
	}
}

// amount writes a number with as many digits as it is worth.
func amount(v float64) string {
	if v >= 10 {
		return fmt.Sprintf("%.0f", v)
	}
	return strings.TrimSuffix(fmt.Sprintf("%.2f", v), ".00")
}

// printFigures writes the speed table.
func (r *report) printFigures(out io.Writer) {
	if len(r.Figures) == 0 {
		return
	}
	t := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, "\nwhat is to be reached\tfigure\treach\taim\toutcome\tof")
	for _, f := range r.Figures {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", f.Work, f.value(), f.goal(f.Reach), f.goal(f.Aim), f.Outcome, f.Parts)
	}
	_ = t.Flush() // the terminal's failure has nowhere else to be told
}
