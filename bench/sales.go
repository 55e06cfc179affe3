package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// What is sold where size, fullness or pace are measured.
const (
	// halfConnections is enough for requests never to wait for one at half of
	// the peak, unless the answers are late.
	halfConnections = 256
	// smallSeats and bigSeats are compared. Each small event is left for the
	// next after so many bookings, with a quarter of it unsold; big ones take
	// turns just as often, so that both do all that comes with a change of event.
	smallSeats   = 1_000
	bigSeats     = 1_000_000
	smallEvents  = 150 // of each round
	bigEvents    = 6
	sizeInTurn   = 400 // bookings, of 1.8 seats on average
	sizeRounds   = 2   // of small and big, so that a change of the machine's mood meets both
	soldOutSeats = 1_000
	soldOutParty = 4
	halfOfPeak   = 0.5
	shortWarmUp  = 500 * time.Millisecond
)

// half measures what a booking at the hot event takes at half of the rate that
// the closed loop came to, when requests come by themselves.
func (r *runner) half(ctx context.Context) error {
	peak, ok := r.report.like(partHot)
	if !ok {
		say("finding the peak first")
		event, err := r.world.first().makeEvents(ctx, "Peak", 1, hotSeats)
		if err != nil {
			return err
		}
		if peak, err = r.sale(ctx, sale{part: partHot, name: "peak", connections: r.connections, duration: r.side(), events: event, unkept: true}); err != nil {
			return err
		}
		if err := r.calm(ctx); err != nil {
			return err
		}
	}
	rate := peak.Rate * halfOfPeak
	say("hot event, %.0f bookings a second by schedule, %v", rate, r.duration())
	return r.sellAt(ctx, sale{part: partHalf, name: "hot event at half of its peak, open loop", connections: halfConnections, duration: r.duration(), rate: rate},
		"Half", 1, hotSeats)
}

// soldOut measures refusals beside the trivial handler with the same body.
func (r *runner) soldOut(ctx context.Context) error {
	events, err := r.world.first().makeEvents(ctx, "Sold out", 1, soldOutSeats)
	if err != nil {
		return err
	}
	fill, err := drive(ctx, loop{addrs: r.world.addrs(), connections: pacedCallers, duration: setupPatience, append: func() func([]byte, *rand.Rand) ([]byte, int) {
		m := newMix(r.world.addrs(), r.people, events, byEvent)
		m.party, m.most = soldOutParty, soldOutSeats/soldOutParty
		return m.append
	}()})
	if err != nil {
		return err
	}
	if fill.OK != soldOutSeats/soldOutParty {
		return fmt.Errorf("not sold out: %d bookings, %s", fill.OK, fill.problems())
	}
	refusing := func(of []string) func(addrs []string) func([]byte, *rand.Rand) ([]byte, int) {
		return func(addrs []string) func([]byte, *rand.Rand) ([]byte, int) {
			m := newMix(addrs, r.people, of, byEvent)
			m.extra = `,"on_full":"refuse"`
			return m.append
		}
	}
	if err := r.trivially(ctx, sale{part: partHandler, name: "trivial handler, on_full refuse", asks: refusing([]string{nobodysEvent})}); err != nil {
		return err
	}
	say("sold out, %d connections, %v", r.connections, r.side())
	_, err = r.sale(ctx, sale{part: partSoldOut, name: "sold out, on_full refuse", connections: r.connections, duration: r.side(),
		asks: refusing(events), want: refusedWith("sold_out")})
	return err
}

// sizes sells at small events and at big ones, in turn.
func (r *runner) sizes(ctx context.Context) error {
	s := r.world.first()
	big, err := s.makeEvents(ctx, "Big", bigEvents, bigSeats)
	if err != nil {
		return err
	}
	small, err := s.makeEvents(ctx, "Small", sizeRounds*smallEvents, smallSeats)
	if err != nil {
		return err
	}
	// What an event costs when it is asked for first isn't a booking's.
	for _, events := range [][]string{big, small} {
		if err := r.load(ctx, events); err != nil {
			return err
		}
	}
	var rows [2]row
	for round := range sizeRounds {
		for i, c := range []struct {
			name   string
			events []string
		}{
			{fmt.Sprintf("events of %d seats", smallSeats), small[round*smallEvents:][:smallEvents]},
			{fmt.Sprintf("events of %d seats", bigSeats), big},
		} {
			say("%s, %d connections, at most %v", c.name, r.connections, r.side())
			w, err := r.sale(ctx, sale{part: partSize, name: c.name, connections: r.connections, duration: r.side(), warmUp: shortWarmUp, unkept: true,
				asks: func(addrs []string) func([]byte, *rand.Rand) ([]byte, int) {
					m := newMix(addrs, r.people, c.events, byEvent)
					m.inTurn, m.most = sizeInTurn, smallEvents*sizeInTurn
					return m.append
				}})
			if err != nil {
				return err
			}
			rows[i] = rows[i].and(w)
		}
	}
	r.report.Rows = append(r.report.Rows, rows[:]...)
	return nil
}

// and joins two measurements of the same thing; of percentiles the higher one
// is told.
func (w row) and(other row) row {
	if w.Seconds == 0 {
		return other
	}
	share := other.Seconds / (w.Seconds + other.Seconds)
	w.Usage = w.Usage.mixed(other.Usage, share)
	w.Seconds += other.Seconds
	w.Booked += other.Booked
	w.Waiting += other.Waiting
	w.Rate = float64(w.Booked) / w.Seconds
	w.P50, w.P95, w.P99 = max(w.P50, other.P50), max(w.P95, other.P95), max(w.P99, other.P99)
	if other.Problems != "" {
		w.Problems = other.Problems
	}
	return w
}

// mixed is the use over two stretches of time, of which the other took that
// share.
func (u usage) mixed(other usage, share float64) usage {
	mix := func(a *float64, b float64) { *a = *a*(1-share) + b*share }
	mix(&u.Server, other.Server)
	mix(&u.PostgreSQL, other.PostgreSQL)
	mix(&u.Generator, other.Generator)
	mix(&u.Others, other.Others)
	mix(&u.ServerEach, other.ServerEach)
	mix(&u.PostgreSQLEach, other.PostgreSQLEach)
	mix(&u.GeneratorEach, other.GeneratorEach)
	return u
}

// load has the server read events into its memory, by asking for holds, of
// which there are none.
func (r *runner) load(ctx context.Context, events []string) error {
	asks := reads{people: r.people, host: r.world.first().apiAddr, most: uint64(len(events)), path: func(buf []byte, turn uint64, _ *person) []byte {
		return append(append(append(buf, "/events/"...), events[turn]...), "/holds"...)
	}}
	got, err := drive(ctx, loop{addrs: r.world.addrs()[:1], connections: pacedCallers, duration: setupPatience, append: asks.append, want: given})
	if err == nil && got.OK != len(events) {
		err = fmt.Errorf("%d of %d events were read: %s", got.OK, len(events), got.problems())
	}
	return err
}
