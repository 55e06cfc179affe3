package postgres

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Limits of asking for many together.
const (
	// togetherMost is how many are asked for by one question at most.
	togetherMost = 256
	// togetherTimeout bounds such a question.
	togetherTimeout = 5 * time.Second
)

// together asks the database what many want to know at the same time: everybody
// who comes while a question is under way is asked for together by the next. Who
// comes alone is asked for at once.
type together[Q, A any] struct {
	ask func(context.Context, []*wanted[Q, A]) error // fills the answers in

	mu      sync.Mutex
	waiting []*wanted[Q, A]
	asking  bool
}

// wanted is what one of them wants to know.
type wanted[Q, A any] struct {
	of     Q
	answer A
	err    error
	done   chan struct{}
}

// of waits for the answer no longer than the caller likes.
func (t *together[Q, A]) of(ctx context.Context, q Q) (A, error) {
	w := &wanted[Q, A]{of: q, done: make(chan struct{})}
	t.mu.Lock()
	t.waiting = append(t.waiting, w)
	if !t.asking {
		t.asking = true
		go t.answer(context.WithoutCancel(ctx)) // ends when nobody waits; each question is bounded
	}
	t.mu.Unlock()
	select {
	case <-w.done:
		return w.answer, w.err
	case <-ctx.Done():
		var none A
		return none, ctx.Err()
	}
}

// answer asks until nobody waits.
func (t *together[Q, A]) answer(ctx context.Context) {
	for {
		t.mu.Lock()
		n := min(len(t.waiting), togetherMost)
		if n == 0 {
			t.waiting, t.asking = nil, false
			t.mu.Unlock()
			return
		}
		some := t.waiting[:n:n]
		t.waiting = t.waiting[n:]
		t.mu.Unlock()
		var refused *pgconn.PgError
		if err := t.askFor(ctx, some); n > 1 && errors.As(err, &refused) {
			// One of them may be what the database doesn't take; the others
			// must not suffer from it.
			for k := range some {
				_ = t.askFor(ctx, some[k:k+1]) // kept with the one
			}
		}
		for _, w := range some {
			close(w.done)
		}
	}
}

func (t *together[Q, A]) askFor(ctx context.Context, some []*wanted[Q, A]) error {
	ctx, cancel := context.WithTimeout(ctx, togetherTimeout)
	defer cancel()
	err := t.ask(ctx, some)
	for _, w := range some {
		w.err = err
	}
	return err
}
