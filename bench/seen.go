package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"
)

// What is booked while people look on.
const (
	seenRate    = 500 // bookings a second, of one seat each
	seenCallers = 64
	// seenLongest keeps the event from selling out.
	seenLongest = 30 * time.Second
	// seenPatience is how long after the last answer a watcher may still see a
	// booking; later it counts as unseen.
	seenPatience = 3 * time.Second
	bookedState  = 2
)

// seen is how long bookings took to be seen by everybody who looked on.
type seen struct {
	Watchers int           `json:"watchers"`
	Booked   int           `json:"booked"`
	Rate     float64       `json:"per_second"`
	Seen     int           `json:"seen"`   // once by each watcher
	Unseen   int           `json:"unseen"` // never by one of them
	P50      time.Duration `json:"p50_ns"`
	P95      time.Duration `json:"p95_ns"`
	P99      time.Duration `json:"p99_ns"`
	// What the bookings' callers waited meanwhile.
	AnswerP50 time.Duration `json:"answer_p50_ns"`
	AnswerP99 time.Duration `json:"answer_p99_ns"`
	LateP99   time.Duration `json:"generator_late_p99_ns"`
	Lost      int64         `json:"connections_lost"`
	HeapEach  float64       `json:"heap_bytes_each"`
	Usage     usage         `json:"usage"`
}

// sighting is one change of a map, as one watcher was told of it.
type sighting struct {
	version int64
	at      time.Time
}

// sightings are what the watchers of one event saw.
type sightings struct {
	mu    sync.Mutex
	seats map[int64][]int32 // booked by each version
	sent  map[int32]time.Time
	each  [][]sighting // of each watcher, its own
}

func newSightings(watchers int) *sightings {
	return &sightings{seats: map[int64][]int32{}, sent: map[int32]time.Time{}, each: make([][]sighting, watchers)}
}

var (
	saysVersion = []byte(`"data":{"version":"`)
	saysSeats   = []byte(`"seats":[`)
	saysNumbers = []byte(`"seat_numbers":[`)
)

// saw takes one message to one watcher down.
func (s *sightings) saw(watcher int, line []byte, at time.Time) {
	_, rest, ok := bytes.Cut(line, saysVersion)
	if !ok {
		return // counts, not seats
	}
	text, rest, ok := bytes.Cut(rest, []byte{'"'})
	_, number, found := bytes.Cut(text, []byte{':'})
	version, err := strconv.ParseInt(string(number), 10, 64)
	if !ok || !found || err != nil {
		return
	}
	s.each[watcher] = append(s.each[watcher], sighting{version, at})
	s.mu.Lock()
	defer s.mu.Unlock()
	// A repeated version has no seats, and may be met before or after the delta.
	if seats := bookedIn(rest); len(s.seats[version]) == 0 && len(seats) > 0 {
		s.seats[version] = seats
	}
}

// bookedIn reads the seats that a delta tells as booked.
func bookedIn(text []byte) (seats []int32) {
	_, rest, ok := bytes.Cut(text, saysSeats)
	for ok && len(rest) > 0 && rest[0] == '[' {
		pair, after, closed := bytes.Cut(rest[1:], []byte{']'})
		number, state, comma := bytes.Cut(pair, []byte{','})
		n, err := strconv.ParseInt(string(number), 10, 32)
		if !closed || !comma || err != nil {
			return seats
		}
		if string(state) == strconv.Itoa(bookedState) {
			seats = append(seats, int32(n))
		}
		if rest = after; len(rest) > 0 && rest[0] == ',' {
			rest = rest[1:]
		}
	}
	return seats
}

// booked takes a booking of one seat down.
func (s *sightings) booked(a *answer, sent time.Time) {
	_, rest, _ := bytes.Cut(a.body, saysNumbers)
	number, _, _ := bytes.Cut(rest, []byte{']'})
	if n, err := strconv.ParseInt(string(number), 10, 32); err == nil {
		s.mu.Lock()
		s.sent[int32(n)] = sent
		s.mu.Unlock()
	}
}

// joined gives the times from each booking's sending to each watcher's message,
// once each. Nobody may add anything meanwhile.
func (s *sightings) joined() latencies {
	all := make(latencies, 0, len(s.sent)*len(s.each))
	for _, of := range s.each {
		told := make(map[int32]struct{}, len(s.sent))
		for _, one := range of {
			for _, seat := range s.seats[one.version] {
				sent, ours := s.sent[seat]
				if _, again := told[seat]; !ours || again {
					continue
				}
				told[seat] = struct{}{}
				all = append(all, one.at.Sub(sent))
			}
		}
	}
	return all.sorted()
}

// watch measures how soon everybody who looks on sees a booking, and what a
// connection takes.
func (r *runner) watch(ctx context.Context) error {
	server := r.world.first()
	events, err := server.makeEvents(ctx, "Seen", 1, mapSeats)
	if err != nil {
		return err
	}
	heap, _, err := server.memory(ctx)
	if err != nil {
		return err
	}
	n := min(watchers, len(r.people))
	see := newSightings(n)
	crowd, err := gather(ctx, server, r.people[:n], events[0], see.saw)
	if err != nil {
		return err
	}
	defer crowd.leave()
	wait(ctx, settleFor)
	heapAfter, _, err := server.memory(ctx)
	if err != nil {
		return err
	}
	d := min(r.duration(), seenLongest)
	say("%d people look on at %d bookings a second, %v", n, seenRate, d)
	m := newMix(r.world.addrs()[:1], r.people, events, byEvent)
	m.party = 1
	meter := newMeter(r.world.watched())
	profile := r.profileDuring(ctx, partWatch, d, true)
	got, err := drive(ctx, loop{addrs: r.world.addrs()[:1], connections: seenCallers, duration: d, rate: seenRate, append: m.append, heard: see.booked, onWindow: meter.start})
	usage := meter.stop(got.OK)
	if err := errors.Join(err, <-profile); err != nil {
		return err
	}
	wait(ctx, seenPatience) // for the last one to be seen by all
	lost := crowd.lost.Load()
	crowd.leave()
	all := see.joined()
	s := &seen{
		Watchers: n, Booked: got.OK, Rate: got.rate(), Seen: len(all), Unseen: got.All*n - len(all), P50: all.percentile(50), P95: all.percentile(95), P99: all.percentile(99),
		AnswerP50: got.latencies.percentile(50), AnswerP99: got.latencies.percentile(99), LateP99: got.late.percentile(99), Lost: lost,
		HeapEach: (heapAfter - heap) / float64(n), Usage: usage,
	}
	r.report.Seen = s
	if len(all) == 0 {
		return fmt.Errorf("nobody saw any of %d bookings: %s", got.All, got.problems())
	}
	return nil
}
