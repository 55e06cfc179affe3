package idp

import (
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2/simplelru"

	"happening/internal/fault"
)

// How failed attempts are slowed down. One account bears few, one network
// address more: a campus shares one. The delay doubles with each failure and
// never exceeds maxDelay, so that nobody can lock an owner out for good;
// attempts that were refused unheard don't count.
const (
	freeTriesAccount  = 5
	freeTriesAddress  = 50
	freeMailsAddress  = 100 // sign-ups and forgotten passwords
	drainTriesAddress = 30 * time.Second
	drainMailsAddress = 10 * time.Second
	firstDelay        = 2 * time.Second
	maxDelay          = 15 * time.Minute
	forgottenAfter    = time.Hour // without a failure
	maxThrottleKeys   = 100_000
)

// throttle counts in the memory of this process: a restart forgets, which
// costs an attacker's victim little, and no attempt writes to the database.
type throttle struct {
	now  func() time.Time
	mu   sync.Mutex
	keys *lru.LRU[string, tries]
}

type tries struct {
	failed  int
	last    time.Time
	wait    time.Duration // after last
	drained time.Time     // up to when failures were forgiven by time
}

func newThrottle(now func() time.Time) *throttle {
	keys, err := lru.NewLRU[string, tries](maxThrottleKeys, nil)
	if err != nil {
		panic(err) // only for a size below one
	}
	return &throttle{now: now, keys: keys}
}

// limit is a key with the tries that it has free and the time after which one
// failure is forgiven; zero: only all at once, after forgottenAfter.
type limit struct {
	key   string
	free  int
	drain time.Duration
}

func perAccount(email string) limit { return limit{"account " + email, freeTriesAccount, 0} }
func perAddress(addr string) limit {
	return limit{"address " + addr, freeTriesAddress, drainTriesAddress}
}
func mailsPerAddress(addr string) limit {
	return limit{"mails " + addr, freeMailsAddress, drainMailsAddress}
}

// begin counts an attempt as failed before it is made, so that many at once
// can't slip through together; a success takes it back. Where an attempt is
// not due yet it answers fault.TooMany with the time to wait and counts
// nothing.
func (t *throttle) begin(limits ...limit) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	for _, l := range limits {
		k, ok := t.keys.Get(l.key)
		if !ok {
			continue
		}
		if wait := k.last.Add(k.wait).Sub(now); wait > 0 {
			return fault.New(fault.TooMany, "too_many_attempts", "Too many attempts. Wait a little and try again.").
				After(min(wait, maxDelay)) // also where the clock jumped back
		}
	}
	for _, l := range limits {
		k, _ := t.keys.Get(l.key)
		k = k.forgiven(l, now)
		k.failed++
		k.last = now
		k.wait = delayAfter(k.failed, l.free)
		t.keys.Add(l.key, k)
	}
	return nil
}

// forgiven takes back what time has healed.
func (k tries) forgiven(l limit, now time.Time) tries {
	if now.Sub(k.last) > forgottenAfter {
		return tries{drained: now}
	}
	if l.drain > 0 {
		n := int(now.Sub(k.drained) / l.drain)
		k.failed = max(0, k.failed-n)
		k.drained = k.drained.Add(time.Duration(n) * l.drain)
	}
	return k
}

// delayAfter gives the wait after so many failures.
func delayAfter(failed, free int) time.Duration {
	const doublings = 9 // beyond it, maxDelay
	over := failed - free
	switch {
	case over < 0:
		return 0
	case over >= doublings:
		return maxDelay
	}
	return min(firstDelay<<over, maxDelay)
}

// succeeded forgets an account's failures and takes the attempt itself back
// from the address; the address' other failures stay, else an attacker's own
// account would wipe them out.
func (t *throttle) succeeded(account, address limit) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.keys.Remove(account.key)
	if k, ok := t.keys.Get(address.key); ok && k.failed > 0 {
		k.failed--
		k.wait = delayAfter(k.failed, address.free)
		t.keys.Add(address.key, k)
	}
}

// forget drops a key's failures, for an owner who proved themselves otherwise.
func (t *throttle) forget(l limit) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.keys.Remove(l.key)
}
