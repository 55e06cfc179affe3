package memory_test

import (
	"testing"
	"time"

	"happening/internal/memory"
)

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
