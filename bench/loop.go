package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Limits of a closed loop.
const (
	// answerPatience is how long the last requests may take after the end.
	answerPatience = 15 * time.Second
	// brokenMax is how many failures in a row end a connection's part in it.
	brokenMax = 5
)

// loop is a closed one: every connection sends its next request when it has
// read the answer to the last.
type loop struct {
	addrs       []string // of the servers; each connection is one to each that it has to do with
	connections int
	warmUp      time.Duration // not counted
	duration    time.Duration // counted
	append      func(buf []byte, random *rand.Rand) (request []byte, server int)
	want        int           // the status that is counted as done; 0: 201
	pause       time.Duration // of every connection after each answer; 0: none
	onWindow    func()        // told when counting begins; may be nil
}

// result is what was answered while it was counted.
type result struct {
	Elapsed   time.Duration
	OK        int            // 201, or what else is wanted
	All       int            // as OK, warm-up and what came after the end included
	Bytes     int            // of the bodies of OK
	Waiting   int            // of OK: on the waitlist
	Refused   map[string]int // other answers by status and code
	Broken    map[string]int // no answer, by reason
	latencies latencies      // of OK, rising
}

// Total is how many requests were answered.
func (r *result) Total() int {
	n := r.OK
	for _, count := range r.Refused {
		n += count
	}
	return n
}

// rate is bookings a second.
func (r *result) rate() float64 {
	if r.Elapsed <= 0 {
		return 0
	}
	return float64(r.OK) / r.Elapsed.Seconds()
}

// problems lists everything but bookings, the most frequent first.
func (r *result) problems() string {
	var list []string
	for _, group := range []map[string]int{r.Refused, r.Broken} {
		names := make([]string, 0, len(group))
		for name := range group {
			names = append(names, name)
		}
		slices.SortFunc(names, func(a, b string) int { return group[b] - group[a] })
		for _, name := range names {
			list = append(list, fmt.Sprintf("%d × %s", group[name], name))
		}
	}
	return strings.Join(list, ", ")
}

// closedLoop runs until warm-up and duration are over or ctx ends.
func closedLoop(ctx context.Context, l loop) (result, error) {
	begin := time.Now().Add(l.warmUp)
	end := begin.Add(l.duration)
	workers := make([]worker, l.connections)
	var running sync.WaitGroup
	for i := range workers {
		w := &workers[i]
		*w = worker{
			loop: &l, begin: begin, end: end,
			random: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())),
		}
		for _, addr := range l.addrs {
			w.conns = append(w.conns, conn{addr: addr, expires: end.Add(answerPatience)})
		}
		running.Go(func() { w.run(ctx) })
	}
	if l.onWindow != nil {
		timer := time.NewTimer(time.Until(begin))
		select {
		case <-timer.C:
			l.onWindow()
		case <-ctx.Done():
			timer.Stop()
		}
	}
	running.Wait()
	total := result{Elapsed: l.duration, Refused: map[string]int{}, Broken: map[string]int{}}
	for i := range workers {
		total.add(&workers[i].result)
	}
	total.latencies = total.latencies.sorted()
	return total, ctx.Err()
}

func (r *result) add(w *result) {
	r.OK += w.OK
	r.All += w.All
	r.Bytes += w.Bytes
	r.Waiting += w.Waiting
	r.latencies = append(r.latencies, w.latencies...)
	for name, n := range w.Refused {
		r.Refused[name] += n
	}
	for name, n := range w.Broken {
		r.Broken[name] += n
	}
}

// worker is one connection's part.
type worker struct {
	loop       *loop
	begin, end time.Time
	conns      []conn
	random     *rand.Rand
	result     result
}

func (w *worker) run(ctx context.Context) {
	defer func() {
		for i := range w.conns {
			w.conns[i].close()
		}
	}()
	w.result = result{Refused: map[string]int{}, Broken: map[string]int{}}
	buf := make([]byte, 0, 4<<10)
	broken := 0
	for sent := time.Now(); sent.Before(w.end) && ctx.Err() == nil; {
		var server int
		buf, server = w.loop.append(buf[:0], w.random)
		got, err := w.conns[server].do(ctx, buf)
		now := time.Now()
		counted := now.After(w.begin) && !now.After(w.end)
		switch {
		case err != nil:
			if broken++; ctx.Err() == nil && counted || broken == brokenMax {
				w.result.Broken[reasonOf(err)]++
			}
			if broken == brokenMax {
				return
			}
		default:
			broken = 0
			w.count(got, now.Sub(sent), counted)
		}
		if sent = now; w.loop.pause > 0 {
			time.Sleep(w.loop.pause)
			sent = time.Now()
		}
	}
}

// The members of an answer that are looked for; the whole of it is not parsed,
// for that would cost the server its cores.
var (
	saysWaiting = []byte(`"status":"waiting"`)
	saysCode    = []byte(`"code":"`)
)

func (w *worker) count(a *answer, took time.Duration, counted bool) {
	if a.status == cmp.Or(w.loop.want, http.StatusCreated) {
		if w.result.All++; !counted {
			return
		}
		w.result.OK++
		w.result.Bytes += len(a.body)
		w.result.latencies = append(w.result.latencies, took)
		if bytes.Contains(a.body, saysWaiting) {
			w.result.Waiting++
		}
		return
	}
	if !counted {
		return
	}
	name := fmt.Sprint(a.status)
	if _, after, ok := bytes.Cut(a.body, saysCode); ok {
		if code, _, ok := bytes.Cut(after, []byte{'"'}); ok {
			name += " " + string(code)
		}
	}
	w.result.Refused[name]++
}

// reasonOf names a failure without addresses, so that equal ones are counted
// as one.
func reasonOf(err error) string {
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return err.Error()
}
