package main

import (
	"context"
	"fmt"
)

// What is read into memory for the measurement of it.
const (
	cachedSmall      = 1_000 // events
	cachedSmallSeats = 1_000
	cachedBig        = 20 // events
	cachedBigSeats   = 100_000
)

// cachedEvent is what an event takes in the server's memory when somebody has
// looked at it, in bytes: nothing of it is sold.
type cachedEvent struct {
	Seats  int     `json:"seats"`
	Events int     `json:"events"`
	Heap   float64 `json:"heap_bytes_each"`
}

// cached measures what events take in memory.
func (r *runner) cached(ctx context.Context) error {
	for _, c := range []cachedEvent{{Seats: cachedSmallSeats, Events: cachedSmall}, {Seats: cachedBigSeats, Events: cachedBig}} {
		say("reading %d events of %d seats into memory", c.Events, c.Seats)
		events, err := r.world.first().insertEvents(ctx, fmt.Sprintf("Cached %d", c.Seats), c.Events, c.Seats)
		if err != nil {
			return err
		}
		before, err := r.world.first().live(ctx)
		if err != nil {
			return err
		}
		if err := r.load(ctx, events); err != nil {
			return err
		}
		after, err := r.world.first().live(ctx)
		if err != nil {
			return err
		}
		c.Heap = (after - before) / float64(c.Events)
		r.report.Cached = append(r.report.Cached, c)
	}
	return nil
}

// live is what the server's heap holds after a collection, in bytes, without
// the room around it.
func (s *server) live(ctx context.Context) (float64, error) {
	// What one collection finds dead in pools only the next one frees.
	for range 2 {
		if _, err := s.get(ctx, s.heapURL()); err != nil {
			return 0, err
		}
	}
	text, err := s.get(ctx, s.heapURL())
	if err != nil {
		return 0, err
	}
	heap := memoryStat(string(text), "HeapAlloc")
	if heap == 0 {
		return 0, errNoHeap
	}
	return heap, nil
}
