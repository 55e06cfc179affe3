package holdtest

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Limiter is what httpapi asks before it answers.
type Limiter interface {
	Allow(key string) (ok bool, retryAfter time.Duration)
}

// LimitBench opens limiters on one clock, which only Advance moves. All
// limiters opened with one name share their buckets.
type LimitBench struct {
	Open    func(name string, rate, burst int) Limiter
	Advance func(time.Duration)
}

// RunLimiter checks a rate limiter against the contract.
func RunLimiter(t *testing.T, open func(t *testing.T) LimitBench) {
	for name, test := range map[string]func(*testing.T, LimitBench){
		"allows the burst, then the rate": allowsRate,
		"sets no limit at a rate of zero": noLimit,
		"is exact under contention":       exactLimit,
		"forgives a clock set back":       clockBack,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func allowsRate(t *testing.T, b LimitBench) {
	l := b.Open("rate", 10, 5)
	for i := range 5 {
		if ok, _ := l.Allow("ann"); !ok {
			t.Fatalf("call %d of the burst was refused", i+1)
		}
	}
	ok, retry := l.Allow("ann")
	if ok || retry != 100*time.Millisecond {
		t.Fatalf("after the burst: %v, retry after %v", ok, retry)
	}
	if ok, _ := l.Allow("bob"); !ok {
		t.Fatal("another's calls were counted")
	}
	b.Advance(retry)
	if ok, _ := l.Allow("ann"); !ok {
		t.Fatal("refused after the time told")
	}
	if ok, _ := l.Allow("ann"); ok {
		t.Fatal("a refusal has filled the bucket")
	}
	allowed := 0
	for range 200 {
		b.Advance(10 * time.Millisecond)
		if ok, _ := l.Allow("ann"); ok {
			allowed++
		}
	}
	if allowed != 20 {
		t.Fatalf("%d calls in two seconds at ten a second", allowed)
	}
}

func noLimit(t *testing.T, b LimitBench) {
	l := b.Open("none", 0, 0)
	for range 1000 {
		if ok, _ := l.Allow("ann"); !ok {
			t.Fatal("refused without a limit")
		}
	}
}

func exactLimit(t *testing.T, b LimitBench) {
	const burst, callers, calls = 50, 8, 25
	l := b.Open("exact", 1, burst)
	var allowed atomic.Int32
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range calls {
				if ok, _ := l.Allow("ann"); ok {
					allowed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if allowed.Load() != burst {
		t.Fatalf("%d of %d calls passed a burst of %d", allowed.Load(), callers*calls, burst)
	}
}

func clockBack(t *testing.T, b LimitBench) {
	l := b.Open("back", 10, 1)
	l.Allow("ann")
	b.Advance(-24 * time.Hour)
	if ok, _ := l.Allow("ann"); !ok {
		t.Fatal("a clock that was set back locks people out")
	}
}
