package memory

import (
	"hash/maphash"
	"sync"
	"time"
)

const (
	limiterShards = 64
	// maxLimitedKeys bounds the keys that a limiter remembers. Beyond it one
	// is forgotten for each that comes, which costs its owner nothing and
	// gives it at most one fresh burst.
	maxLimitedKeys = 1_000_000
	maxShardKeys   = maxLimitedKeys / limiterShards
	// limiterSweepEvery is how often a shard forgets the keys whose bucket
	// is full again; a full bucket and an unknown key are the same.
	limiterSweepEvery = 10 * time.Second
)

// Limiter is a token bucket for each key, a person or an address: a rate a
// second, and a burst on top of it. It answers in constant time, keeps one
// moment for each key (the generic cell rate algorithm of ITU-T I.371), and
// forgets idle keys.
type Limiter[K comparable] struct {
	now      func() time.Time
	interval time.Duration // between two tokens; zero: no limit
	burst    time.Duration // how far a key may run ahead
	seed     maphash.Seed
	shards   [limiterShards]limiterShard[K]
}

type limiterShard[K comparable] struct {
	mu sync.Mutex
	// full is when each key's bucket will be full again, in nanoseconds of
	// the clock.
	full      map[K]int64
	nextSweep int64
}

// NewLimiter makes a limiter of so many calls a second, of which burst may
// come at once (at least one). A rate of zero sets no limit.
func NewLimiter[K comparable](rate, burst int, now func() time.Time) *Limiter[K] {
	l := &Limiter[K]{now: now, seed: maphash.MakeSeed()}
	if rate > 0 {
		l.interval = time.Second / time.Duration(rate)
		l.burst = l.interval * time.Duration(max(burst, 1)-1)
	}
	for i := range l.shards {
		l.shards[i].full = map[K]int64{}
	}
	return l
}

// Allow takes one token from the key's bucket, or says when there will be one.
func (l *Limiter[K]) Allow(key K) (ok bool, retryAfter time.Duration) {
	if l.interval == 0 {
		return true, 0
	}
	now := l.now().UnixNano()
	s := &l.shards[maphash.Comparable(l.seed, key)%limiterShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	if now >= s.nextSweep || s.nextSweep-now > int64(limiterSweepEvery) {
		s.sweep(now)
	}
	full, known := s.full[key]
	full = max(full, now)
	if time.Duration(full-now) > l.burst+l.interval {
		full = now // the clock was set back; nobody pays for that
	}
	if wait := time.Duration(full-now) - l.burst; wait > 0 {
		return false, wait
	}
	if !known && len(s.full) >= maxShardKeys {
		s.evictOne()
	}
	s.full[key] = full + int64(l.interval)
	return true, 0
}

// Len tells how many keys are remembered.
func (l *Limiter[K]) Len() int {
	n := 0
	for i := range l.shards {
		s := &l.shards[i]
		s.mu.Lock()
		n += len(s.full)
		s.mu.Unlock()
	}
	return n
}

func (s *limiterShard[K]) sweep(now int64) {
	s.nextSweep = now + int64(limiterSweepEvery)
	for key, full := range s.full {
		if full <= now {
			delete(s.full, key)
		}
	}
}

func (s *limiterShard[K]) evictOne() {
	for key := range s.full {
		delete(s.full, key)
		return
	}
}
