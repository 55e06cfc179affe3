package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// What is cancelled. All parties are equal, so that each one that goes lets the
// next one in: a burst of cancellations ends with as many promotions.
const (
	cancelBurst  = 10_000 // parties
	cancelParty  = 2      // seats
	waitlistLeft = 10_000 // parties that still wait when a burst ends
	// cancelPatience bounds a burst, and the joining before it.
	cancelPatience = 2 * time.Minute
	// cancelRounds bounds the bursts; two thirds of a sale's time end them, too.
	cancelRounds = 20
)

// joined are bookings in the order of their answers, with who made them.
type joined struct {
	mu     sync.Mutex
	tokens map[string]string // of people, by id
	ids    []string
	owners []string // tokens
}

var (
	saysID   = []byte(`"id":"`)
	saysUser = []byte(`"user_id":"`)
)

// textAfter reads what stands between a mark and the next quote.
func textAfter(text, mark []byte) string {
	_, rest, _ := bytes.Cut(text, mark)
	value, _, _ := bytes.Cut(rest, []byte{'"'})
	return string(value)
}

func (j *joined) heard(a *answer, _ time.Time) {
	id, user := textAfter(a.body, saysID), textAfter(a.body, saysUser)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ids, j.owners = append(j.ids, id), append(j.owners, j.tokens[user])
}

// cancels measures cancellations of which each lets a party in from a waitlist
// of 10,000 to 20,000, in bursts of 10,000. Before each burst as many join as
// it will promote; that isn't counted.
func (r *runner) cancels(ctx context.Context) (err error) {
	events, err := r.world.first().makeEvents(ctx, "Cancelled", 1, cancelBurst*cancelParty)
	if err != nil {
		return err
	}
	j := &joined{tokens: make(map[string]string, len(r.people))}
	for _, p := range r.people {
		j.tokens[p.id] = p.token
	}
	say("selling out, and %d parties join the waitlist", cancelBurst+waitlistLeft)
	for _, n := range []int{cancelBurst, waitlistLeft} {
		if err := r.join(ctx, j, events, n); err != nil {
			return err
		}
	}
	var all row
	for round := 0; all.Seconds < 2*r.side().Seconds() && round < cancelRounds; round++ {
		if err := r.join(ctx, j, events, cancelBurst); err != nil {
			return err
		}
		say("a burst of %d cancellations, %d connections", cancelBurst, r.connections)
		// Those who joined first were let in first, burst by burst.
		w, err := r.burst(ctx, j.ids[round*cancelBurst:][:cancelBurst], j.owners[round*cancelBurst:][:cancelBurst])
		if err != nil {
			return err
		}
		if w.Booked != cancelBurst {
			return fmt.Errorf("%d of %d were cancelled: %s", w.Booked, cancelBurst, w.Problems)
		}
		all = all.and(w)
	}
	if all.Promoted, err = r.world.first().promotions(ctx, events[0]); err != nil {
		return err
	}
	if all.Promoted != all.Booked {
		return fmt.Errorf("%d cancellations let %d parties in", all.Booked, all.Promoted)
	}
	r.report.Rows = append(r.report.Rows, all)
	return nil
}

// join has n parties book.
func (r *runner) join(ctx context.Context, j *joined, events []string, n int) error {
	m := newMix(r.world.addrs(), r.people, events, byEvent)
	m.party, m.most = cancelParty, uint64(n)
	j.ids, j.owners = slices.Grow(j.ids, n), slices.Grow(j.owners, n)
	got, err := drive(ctx, loop{addrs: r.world.addrs(), connections: r.connections, duration: cancelPatience, append: m.append, heard: j.heard})
	if err == nil && got.All != n {
		err = fmt.Errorf("%d of %d parties joined: %s", got.All, n, got.problems())
	}
	return err
}

// burst cancels bookings.
func (r *runner) burst(ctx context.Context, ids, owners []string) (row, error) {
	var turn atomic.Int64
	return r.sale(ctx, sale{
		part: partCancel, name: "cancel with promotion, 10,000 wait", connections: r.connections, duration: cancelPatience, warmUp: noWarmUp, unkept: true,
		want: func(a *answer) bool { return a.status == 200 },
		asks: func(addrs []string) func([]byte, *rand.Rand) ([]byte, int) {
			return func(buf []byte, random *rand.Rand) ([]byte, int) {
				i := int(turn.Add(1)) - 1
				if i >= len(ids) {
					return buf, noMore
				}
				buf = append(append(append(buf, "POST /bookings/"...), ids[i]...), "/cancel HTTP/1.1\r\nHost: "...)
				buf = append(append(buf, addrs[0]...), "\r\nAuthorization: Bearer "...)
				buf = appendKey(append(buf, owners[i]...), random)
				return append(buf, "\r\nContent-Length: 0\r\n\r\n"...), 0
			}
		},
	})
}

// promotions counts the parties that an event's waitlist let in.
func (s *server) promotions(ctx context.Context, event string) (n int, err error) {
	conn, err := pgx.Connect(ctx, s.ownerURL)
	if err != nil {
		return 0, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	err = conn.QueryRow(ctx, "SELECT count(*) FROM booking_history WHERE event_id = $1 AND action = 'promoted'", event).Scan(&n)
	return n, err
}
