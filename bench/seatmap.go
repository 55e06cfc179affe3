package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"time"
)

// What is read and sold while the map is read.
const (
	mapSeats   = 20_000
	bitsASeat  = 2
	mapRate    = 1_000 // bookings a second, of one seat each, so that none runs out
	mapCallers = 64
	// mapLongest keeps the event from selling out.
	mapLongest = 8 * time.Second
	// mapScattered seats are sold before, scattered over the map, so that it
	// can't be compressed as well as one that is sold from its best end on.
	mapScattered = 8_000
	mapParty     = 40
	zipped       = "Accept-Encoding: gzip\r\n"
)

// seats measures how fast a map is given out that changes all the time: once to
// readers who have nothing, once to readers who tell what they have.
func (r *runner) seats(ctx context.Context) error {
	asks := func(event string) func(addrs []string) func([]byte, *rand.Rand) ([]byte, int) {
		return func(addrs []string) func([]byte, *rand.Rand) ([]byte, int) {
			p := &reads{people: r.people, host: addrs[0], header: zipped, path: func(buf []byte, _ uint64, _ *person) []byte {
				return append(append(append(buf, "/events/"...), event...), "/seats"...)
			}}
			return p.append
		}
	}
	if err := r.trivially(ctx, sale{part: partHandler, name: "trivial handler, map", asks: asks(nobodysEvent), want: given}); err != nil {
		return err
	}
	for _, c := range []struct {
		name       string
		revalidate bool
	}{{fmt.Sprintf("map of %d seats", mapSeats), false}, {fmt.Sprintf("map of %d seats, If-None-Match", mapSeats), true}} {
		events, err := r.world.first().makeEvents(ctx, "Map", 1, mapSeats)
		if err != nil {
			return err
		}
		if err := r.scatter(ctx, events[0]); err != nil {
			return err
		}
		d := min(r.side(), mapLongest)
		say("%s, %d connections, while %d bookings a second change it, %v", c.name, r.connections, mapRate, d)
		sold, err := r.selling(ctx, events, mapRate, mapCallers, warmUp+d)
		if err != nil {
			return err
		}
		w, readErr := r.sale(ctx, sale{part: partSeats, name: c.name, connections: r.connections, duration: d, asks: asks(events[0]), want: given,
			revalidate: c.revalidate, unkept: true})
		w.Beside, err = sold()
		if err == nil {
			err = readErr
		}
		if err != nil {
			return err
		}
		r.report.Rows = append(r.report.Rows, w)
	}
	return nil
}

// scatter sells seats all over an event.
func (r *runner) scatter(ctx context.Context, event string) error {
	numbers := rand.Perm(mapSeats)[:mapScattered]
	var turn atomic.Int64
	addr := r.world.first().apiAddr
	got, err := drive(ctx, loop{addrs: []string{addr}, connections: pacedCallers, duration: setupPatience, append: func(buf []byte, random *rand.Rand) ([]byte, int) {
		i := int(turn.Add(1)) - 1
		if i >= mapScattered/mapParty {
			return buf, noMore
		}
		body := fmt.Appendf(nil, `{"event_id":%q,"seats":%d,"seat_numbers":[`, event, mapParty)
		for j, n := range numbers[i*mapParty:][:mapParty] {
			if j > 0 {
				body = append(body, ',')
			}
			body = strconv.AppendInt(body, int64(n)+1, 10)
		}
		body = append(body, "]}"...)
		buf = fmt.Appendf(buf, "POST /bookings HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nAuthorization: Bearer %s", addr, r.people[i%len(r.people)].token)
		buf = fmt.Appendf(appendKey(buf, random), "\r\nContent-Length: %d\r\n\r\n", len(body))
		return append(buf, body...), 0
	}})
	if err == nil && got.OK != mapScattered/mapParty {
		err = fmt.Errorf("%d of %d parties were seated: %s", got.OK, mapScattered/mapParty, got.problems())
	}
	return err
}

// beside is a sale by schedule while something else is measured.
type beside struct {
	Offered float64       `json:"offered_per_second"`
	Rate    float64       `json:"per_second"`
	P50     time.Duration `json:"p50_ns"`
	P99     time.Duration `json:"p99_ns"`
	Refused string        `json:"not_booked,omitempty"`
}

// selling books one seat at a time by schedule until the time is over or the
// result is asked for, whichever is later.
func (r *runner) selling(ctx context.Context, events []string, rate float64, callers int, d time.Duration) (sold func() (*beside, error), err error) {
	m := newMix(r.world.addrs()[:1], r.people, events, byEvent)
	m.party = 1
	type outcome struct {
		result
		error
	}
	done := make(chan outcome, 1)
	go func() {
		got, err := drive(ctx, loop{addrs: r.world.addrs()[:1], connections: callers, warmUp: shortWarmUp, duration: d - shortWarmUp, rate: rate, append: m.append})
		done <- outcome{got, err}
	}()
	return func() (*beside, error) {
		got := <-done
		return &beside{Offered: rate, Rate: got.rate(), P50: got.latencies.percentile(50), P99: got.latencies.percentile(99), Refused: got.problems()}, got.error
	}, nil
}
