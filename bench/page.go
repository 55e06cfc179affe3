package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Between these two lines a page has the figures of a run.
const (
	figuresBegin = "<!-- figures of the last run, written by bench -docs -->"
	figuresEnd   = "<!-- end of figures -->"
)

var errNoPlace = errors.New("the page has no place for figures")

// savePage fills the figures into a page of the docs, with the chart where one
// was drawn.
func (r *report) savePage(path, chart string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if chart != "" {
		if chart, err = filepath.Rel(filepath.Dir(path), chart); err != nil {
			return err
		}
	}
	page, err := r.filled(string(text), filepath.ToSlash(chart))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, []byte(page), 0o644)
}

// filled is a page with the figures of this run.
func (r *report) filled(page, chart string) (string, error) {
	before, rest, ok := strings.Cut(page, figuresBegin)
	_, after, closed := strings.Cut(rest, figuresEnd)
	if !ok || !closed {
		return "", errNoPlace
	}
	return before + figuresBegin + "\n" + r.markdown(chart) + figuresEnd + after, nil
}

// thousands writes a whole number with commas.
func thousands(v float64) string {
	digits := strconv.FormatFloat(v, 'f', 0, 64)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// markdown tells the run as the docs do.
func (r *report) markdown(chart string) string {
	var b strings.Builder
	c := &r.Conditions
	fmt.Fprintf(&b, "%s, %d cores, %s, %s, PostgreSQL %s on %s, revision %s, %s; %d connections, %d s a sale. Load average %s at the start, %s at the end.\n",
		c.CPU, c.Cores, c.System, c.Go, c.PostgreSQL, c.FileSystem, c.Revision, r.Started.Format("2006-01-02 15:04"), r.Connections, r.Seconds, r.Load, r.LoadAfter)
	if !slices.ContainsFunc(r.Worlds, func(w worldReport) bool { return !w.Check.Clean }) {
		fmt.Fprintln(&b, "`happening check` found nothing afterwards.")
	}
	if best, ok := r.best(); ok {
		fmt.Fprintf(&b, "Floor: %s, %d clients, %s inserts a second (%s).", best.Tool, best.Clients, thousands(best.Rate), best.When)
	}
	if r.Commit != nil {
		fmt.Fprintf(&b, " One durable commit: p50 %s, p99 %s.", milliseconds(r.Commit.P50), milliseconds(r.Commit.P99))
	}
	fmt.Fprintln(&b)
	if chart != "" {
		fmt.Fprintf(&b, "\n![Each figure against what is to be reached](%s)\n", chart)
	}
	fmt.Fprint(&b, "\n| work | figure | reach | aim | outcome | of |\n|---|---|---|---|---|---|\n")
	for _, f := range r.Figures {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", f.Work, f.value(), f.goal(f.Reach), f.goal(f.Aim), f.Outcome, f.Parts)
	}
	fmt.Fprint(&b, "\n| measured | a second | p50 | p95 | p99 | server µs each | PostgreSQL µs each | others' cores | remarks |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, w := range r.Rows {
		u := w.Usage
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %.0f | %.0f | %.2f | %s |\n", w.title(), thousands(w.Rate), milliseconds(w.P50), milliseconds(w.P95), milliseconds(w.P99),
			u.ServerEach, u.PostgreSQLEach, u.Others, strings.TrimPrefix(w.remarks(), "; "))
	}
	fmt.Fprintln(&b)
	if s := r.Seen; s != nil {
		fmt.Fprintf(&b, "Seen by %d watchers at %.0f bookings a second: p50 %s, p95 %s, p99 %s, %d times, %d missing. A connection takes %.1f kB of heap and stacks.\n",
			s.Watchers, s.Rate, milliseconds(s.P50), milliseconds(s.P95), milliseconds(s.P99), s.Seen, s.Unseen, s.HeapEach/kilobyte)
	}
	for _, e := range r.Cached {
		fmt.Fprintf(&b, "An event of %s seats in memory, nothing sold, takes %.1f kB.\n", thousands(float64(e.Seats)), e.Heap/kilobyte)
	}
	for _, w := range r.Worlds {
		if w.RSS > 0 {
			fmt.Fprintf(&b, "The process (%s) had %.0f MB of heap and stacks in use at its end, %.0f MB resident.\n", w.Name, w.Heap/megabyte, w.RSS/megabyte)
		}
	}
	for _, note := range r.Notes {
		fmt.Fprintln(&b, note)
	}
	return b.String()
}
