package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/redis/rueidis"
)

// What is held for the measurement of Redis's memory.
const (
	heldSeats   = 1000
	heldEach    = 2
	heldAtEvent = 20_000 // seats of the event
	scanCount   = 1000
)

// holdsMemory is what an event with holds takes in Redis, in bytes.
type holdsMemory struct {
	Seats   int                `json:"seats"`
	Held    int                `json:"held"`
	People  int                `json:"people"`
	Event   float64            `json:"event_bytes"`  // all keys of the event
	Person  float64            `json:"person_bytes"` // of each, beside the event's
	Bare    float64            `json:"event_without_holds_bytes"`
	ByKey   map[string]float64 `json:"by_key"`
	Growth  float64            `json:"used_memory_growth_bytes"`
	PerHold float64            `json:"bytes_per_held_seat"`
}

// holds measures what holds take in Redis.
func (r *runner) holds(ctx context.Context) error {
	say("%d holds at an event with %d seats", heldSeats, heldAtEvent)
	s := r.world.first()
	events, err := s.makeEvents(ctx, "Held", 1, heldAtEvent)
	if err != nil {
		return err
	}
	c, err := r.world.redis()
	if err != nil {
		return err
	}
	defer c.Close()
	m := &holdsMemory{Seats: heldAtEvent, Held: heldSeats, People: heldSeats / heldEach}
	if m.People > len(r.people)-1 {
		return fmt.Errorf("%d people are too few to hold %d seats", len(r.people), heldSeats)
	}
	// One hold that is given back makes the keys that every event has.
	last := r.people[len(r.people)-1]
	for _, seats := range [][]int{{heldAtEvent}, {}} {
		if err := s.hold(ctx, last, events[0], seats); err != nil {
			return err
		}
	}
	if m.Bare, _, err = memoryOf(ctx, c, "event:{"+events[0]+"}:*"); err != nil {
		return err
	}
	before := r.world.redisMemory(ctx)
	for i := range m.People {
		seats := make([]int, heldEach)
		for j := range seats {
			seats[j] = i*heldEach*2 + j + 1
		}
		if err := s.hold(ctx, r.people[i], events[0], seats); err != nil {
			return err
		}
	}
	m.Growth = r.world.redisMemory(ctx) - before
	if m.Event, m.ByKey, err = memoryOf(ctx, c, "event:{"+events[0]+"}:*"); err != nil {
		return err
	}
	all, _, err := memoryOf(ctx, c, "holding:*")
	m.Person = all / float64(m.People)
	m.PerHold = (m.Event - m.Bare + all) / heldSeats
	r.report.Holds = m
	return err
}

// hold chooses seats for a person.
func (s *server) hold(ctx context.Context, who person, event string, seats []int) error {
	body, err := json.Marshal(map[string]any{"seat_numbers": seats})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, "http://"+s.apiAddr+"/events/"+event+"/holds", bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+who.token)
	status, _, text, err := fetch(request)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("PUT holds: %d %s", status, text)
	}
	return err
}

// memoryOf sums what the keys of a pattern take, by what stands behind their
// last colon, too.
func memoryOf(ctx context.Context, c rueidis.Client, pattern string) (sum float64, byKey map[string]float64, err error) {
	byKey = map[string]float64{}
	for cursor := uint64(0); ; {
		page, err := c.Do(ctx, c.B().Scan().Cursor(cursor).Match(pattern).Count(scanCount).Build()).AsScanEntry()
		if err != nil {
			return 0, nil, err
		}
		for _, key := range page.Elements {
			n, err := c.Do(ctx, c.B().MemoryUsage().Key(key).Samples(0).Build()).AsInt64()
			if rueidis.IsRedisNil(err) {
				continue // it ended meanwhile
			}
			if err != nil {
				return 0, nil, err
			}
			sum += float64(n)
			byKey[key[bytes.LastIndexByte([]byte(key), ':')+1:]] += float64(n)
		}
		if cursor = page.Cursor; cursor == 0 {
			return sum, byKey, nil
		}
	}
}

// redis connects to the world's Redis.
func (w *world) redis() (rueidis.Client, error) {
	return rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{w.redisAddr}, ForceSingleClient: true, DisableCache: true})
}

// redisMemory is what the world's Redis uses, in bytes; 0 where it has none.
func (w *world) redisMemory(ctx context.Context) float64 {
	if w.redisAddr == "" {
		return 0
	}
	c, err := w.redis()
	if err != nil {
		return 0
	}
	defer c.Close()
	text, err := c.Do(ctx, c.B().Info().Section("memory").Build()).ToString()
	if err != nil {
		return 0
	}
	used, _ := strconv.ParseFloat(infoOf(text)["used_memory"], 64)
	return used
}
