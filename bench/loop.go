package main

import (
	"bytes"
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

// Limits of a load.
const (
	// answerPatience is how long the last requests may take after the end.
	answerPatience = 15 * time.Second
	// brokenMax is how many failures in a row end a connection's part in it.
	brokenMax = 5
)

// loop is a load. It is closed where every connection sends its next request
// when it has read the answer to the last, and open where rate is set: then
// requests come when they come, whatever the answers do, and wait for a
// connection where none is free.
type loop struct {
	addrs       []string // of the servers; each connection is one to each that it has to do with
	connections int
	warmUp      time.Duration // not counted
	duration    time.Duration // counted
	rate        float64       // arrivals a second of an open loop; 0: a closed one
	// append writes the next request behind buf and says which server it is
	// for; noMore: there is none.
	append     func(buf []byte, random *rand.Rand) (request []byte, server int)
	want       func(*answer) bool              // which answers are counted as done; nil: those with 201
	heard      func(a *answer, sent time.Time) // told of those, warm-up included, by many at once; may be nil
	revalidate bool                            // a connection sends the tag of its last answer with its next request, which has no body
	pause      time.Duration                   // of every connection of a closed loop after each answer; 0: none
	onWindow   func()                          // told when counting begins; may be nil
}

// noMore is the server of no request.
const noMore = -1

// created takes a booking for done.
func created(a *answer) bool { return a.status == http.StatusCreated }

// given takes a page for done.
func given(a *answer) bool { return a.status == http.StatusOK || a.status == http.StatusNotModified }

// refusedWith takes a refusal with that code for done.
func refusedWith(code string) func(*answer) bool {
	says := []byte(`"code":"` + code + `"`)
	return func(a *answer) bool { return a.status == http.StatusConflict && bytes.Contains(a.body, says) }
}

// result is what was answered while it was counted.
type result struct {
	Elapsed   time.Duration
	OK        int            // 201, or what else is wanted
	All       int            // as OK, warm-up and what came after the end included
	Bytes     int            // of the bodies of OK, as they came
	Wire      int            // of OK as they came, headers too
	Waiting   int            // of OK: on the waitlist
	Unchanged int            // of OK: 304
	Refused   map[string]int // other answers by status and code
	Broken    map[string]int // no answer, by reason
	latencies latencies      // of OK, rising; in an open loop from the moment at which the request was due
	late      latencies      // of an open loop: by how much the generator overslept a request that a connection was free for
	last      time.Time      // when the last of OK was answered
	ranOut    bool           // there were no more requests
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

// schedule draws when requests are due: as people come who don't know of one
// another, at a steady rate.
type schedule struct {
	mu     sync.Mutex
	random *rand.Rand
	every  time.Duration // on average
	at     time.Time
}

func newSchedule(rate float64, begin time.Time) *schedule {
	return &schedule{every: time.Duration(float64(time.Second) / rate), at: begin, random: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))}
}

// next gives the moment of the next request; it may be asked by many at once.
func (s *schedule) next() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = s.at.Add(time.Duration(s.random.ExpFloat64() * float64(s.every)))
	return s.at
}

// drive runs a load until warm-up and duration are over, there are no more
// requests or ctx ends.
func drive(ctx context.Context, l loop) (result, error) {
	if l.want == nil {
		l.want = created
	}
	now := time.Now()
	begin := now.Add(l.warmUp)
	end := begin.Add(l.duration)
	var due *schedule
	if l.rate > 0 {
		due = newSchedule(l.rate, now)
	}
	workers := make([]worker, l.connections)
	var running sync.WaitGroup
	for i := range workers {
		w := &workers[i]
		*w = worker{
			loop: &l, due: due, begin: begin, end: end,
			random: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())),
		}
		for _, addr := range l.addrs {
			w.conns = append(w.conns, conn{addr: addr, expires: end.Add(answerPatience)})
		}
		running.Go(func() { w.run(ctx) })
	}
	if l.onWindow != nil {
		wait(ctx, time.Until(begin))
		if ctx.Err() == nil {
			l.onWindow()
		}
	}
	running.Wait()
	total := result{Elapsed: l.duration, Refused: map[string]int{}, Broken: map[string]int{}}
	for i := range workers {
		total.add(&workers[i].result)
	}
	total.latencies, total.late = total.latencies.sorted(), total.late.sorted()
	if total.ranOut {
		total.Elapsed = total.last.Sub(begin)
	}
	return total, ctx.Err()
}

func (r *result) add(w *result) {
	r.OK += w.OK
	r.All += w.All
	r.Bytes += w.Bytes
	r.Wire += w.Wire
	r.Waiting += w.Waiting
	r.Unchanged += w.Unchanged
	r.latencies = append(r.latencies, w.latencies...)
	r.late = append(r.late, w.late...)
	r.ranOut = r.ranOut || w.ranOut
	if w.last.After(r.last) {
		r.last = w.last
	}
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
	due        *schedule // nil: a closed loop
	begin, end time.Time
	conns      []conn
	random     *rand.Rand
	etag       []byte // of the last answer
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
	for sent := w.await(ctx, time.Now()); sent.Before(w.end) && ctx.Err() == nil; {
		var server int
		if buf, server = w.loop.append(buf[:0], w.random); server == noMore {
			w.result.ranOut = true
			return
		}
		if w.loop.revalidate && len(w.etag) > 0 {
			buf = append(append(append(buf[:len(buf)-len("\r\n")], "If-None-Match: "...), w.etag...), "\r\n\r\n"...)
		}
		got, err := w.conns[server].do(ctx, buf)
		now := time.Now()
		counted := now.After(w.begin) && !now.After(w.end)
		if w.due != nil {
			counted = !sent.Before(w.begin)
		}
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
			w.count(got, sent, now, counted)
		}
		sent = w.await(ctx, now)
	}
}

// await gives the moment from which the next request's time is counted, and
// sleeps until then: in a closed loop that is now, in an open one when it is
// due, which may be long past.
func (w *worker) await(ctx context.Context, now time.Time) time.Time {
	if w.due == nil {
		if w.loop.pause > 0 {
			time.Sleep(w.loop.pause)
			return time.Now()
		}
		return now
	}
	due := w.due.next()
	if ahead := time.Until(due); ahead > 0 && due.Before(w.end) {
		wait(ctx, ahead)
		if !due.Before(w.begin) {
			w.result.late = append(w.result.late, time.Since(due))
		}
	}
	return due
}

// The members of an answer that are looked for; the whole of it is not parsed,
// for that would cost the server its cores.
var (
	saysWaiting = []byte(`"status":"waiting"`)
	saysCode    = []byte(`"code":"`)
)

func (w *worker) count(a *answer, sent, now time.Time, counted bool) {
	if w.loop.revalidate {
		w.etag = append(w.etag[:0], a.etag...)
	}
	if w.loop.want(a) {
		if w.loop.heard != nil {
			w.loop.heard(a, sent)
		}
		if w.result.All++; !counted {
			return
		}
		w.result.OK++
		w.result.Bytes += len(a.body)
		w.result.Wire += a.wire
		w.result.latencies = append(w.result.latencies, now.Sub(sent))
		w.result.last = now
		if a.status == http.StatusNotModified {
			w.result.Unchanged++
		}
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
