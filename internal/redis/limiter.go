package redis

import (
	"context"
	"errors"
	"strconv"
	"time"
)

// limitPatience bounds what a limit may add to a request.
const limitPatience = 50 * time.Millisecond

// Allower is a limiter within the process, such as memory's.
type Allower interface {
	Allow(key string) (ok bool, retryAfter time.Duration)
}

// Limiter is a token bucket for each key that all processes share. While
// Redis does not answer in time a limiter of this process takes over, so that
// it is never open.
type Limiter struct {
	store    *Store
	name     string
	interval time.Duration // between two tokens; zero: no limit
	burst    time.Duration // how far a key may run ahead
	patience time.Duration
	fallback Allower
}

// Limiter makes a limiter of so many calls a second, of which burst may come
// at once (at least one). A rate of zero sets no limit. The name tells its keys
// from others': limit:NAME:KEY.
func (s *Store) Limiter(name string, rate, burst int, fallback Allower) *Limiter {
	l := &Limiter{store: s, name: name, patience: limitPatience, fallback: fallback}
	if rate > 0 {
		l.interval = time.Second / time.Duration(rate)
		l.burst = l.interval * time.Duration(max(burst, 1)-1)
	}
	return l
}

// Allow takes one token from the key's bucket, or says when there will be one.
func (l *Limiter) Allow(key string) (ok bool, retryAfter time.Duration) {
	if l.interval == 0 {
		return true, 0
	}
	wait, err := l.ask(key)
	if err != nil {
		return l.fallback.Allow(key)
	}
	return wait <= 0, wait
}

func (l *Limiter) ask(key string) (wait time.Duration, err error) {
	s := l.store
	client := s.client.Load()
	if client == nil || s.away.Load() {
		return 0, errAway
	}
	ctx, cancel := context.WithTimeout(context.Background(), l.patience)
	defer cancel()
	clock := "0"
	if s.o.RedisTime != nil {
		clock = strconv.FormatInt(s.o.RedisTime().UnixMicro(), 10)
	}
	call := call{script: limitScript, keys: []string{"limit:" + l.name + ":" + key}, args: []string{
		clock, strconv.FormatInt(l.interval.Microseconds(), 10), strconv.FormatInt(l.burst.Microseconds(), 10),
	}}
	c := *client
	m, err := c.Do(ctx, s.command(c, call, false)).ToMessage()
	if kindOf(err) == unknownScript {
		m, err = c.Do(ctx, s.command(c, call, true)).ToMessage()
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		s.suspect() // slow for a limit is not yet away
		return 0, err
	case err != nil:
		s.fail(err)
		return 0, err
	}
	micros, err := m.AsInt64()
	return time.Duration(micros) * time.Microsecond, err
}
