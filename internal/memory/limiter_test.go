package memory_test

import (
	"testing"
	"time"

	"happening/internal/memory"
)

func TestLimiterAllowsRateAndBurst(t *testing.T) {
	t.Parallel()
	now := newClock()
	l := memory.NewLimiter[string](10, 5, now.Now)
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
	now.Advance(retry)
	if ok, _ := l.Allow("ann"); !ok {
		t.Fatal("refused after the time told")
	}
	if ok, _ := l.Allow("ann"); ok {
		t.Fatal("a refusal has filled the bucket")
	}
	allowed := 0
	for range 1000 {
		now.Advance(10 * time.Millisecond)
		if ok, _ := l.Allow("ann"); ok {
			allowed++
		}
	}
	if allowed != 100 {
		t.Fatalf("%d calls in ten seconds at ten a second", allowed)
	}
	now.Advance(-24 * time.Hour)
	if ok, _ := l.Allow("ann"); !ok {
		t.Fatal("a clock that was set back locks people out")
	}
}

func TestLimiterWithoutLimit(t *testing.T) {
	t.Parallel()
	l := memory.NewLimiter[string](0, 0, newClock().Now)
	for range 10_000 {
		if ok, _ := l.Allow("ann"); !ok {
			t.Fatal("refused without a limit")
		}
	}
	if l.Len() != 0 {
		t.Fatal("keys are kept without a limit")
	}
}

func TestLimiterForgetsIdleKeys(t *testing.T) {
	t.Parallel()
	now := newClock()
	l := memory.NewLimiter[int](1, 1, now.Now)
	for key := range 200_000 {
		l.Allow(key)
	}
	if l.Len() != 200_000 {
		t.Fatalf("%d keys", l.Len())
	}
	now.Advance(time.Minute)
	for key := range 20_000 { // touches every shard
		l.Allow(key)
	}
	if l.Len() != 20_000 {
		t.Fatalf("%d keys after a minute", l.Len())
	}
	for key := range 1_200_000 {
		l.Allow(key)
	}
	if l.Len() > 1_000_000 {
		t.Fatalf("%d keys are more than the bound", l.Len())
	}
}

func BenchmarkLimiter(b *testing.B) {
	l := memory.NewLimiter[int](50, 100, time.Now)
	b.RunParallel(func(pb *testing.PB) {
		for key := 0; pb.Next(); key++ {
			l.Allow(key % 300_000)
		}
	})
}
