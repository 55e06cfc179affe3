package signin

import (
	"context"
	"sync"
)

// errands are the questions to the provider that outlive the request that
// gave rise to them. Each bounds its own time; stop waits for all.
type errands struct {
	ctx    context.Context
	cancel context.CancelFunc

	mu      sync.Mutex
	stopped bool
	running sync.WaitGroup
}

func newErrands() *errands {
	ctx, cancel := context.WithCancel(context.Background())
	return &errands{ctx: ctx, cancel: cancel}
}

// run starts do, unless everything is being stopped: then it says so.
func (e *errands) run(do func(context.Context)) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopped {
		return false
	}
	e.running.Go(func() { do(e.ctx) })
	return true
}

// stop lets nothing begin any more and waits for what runs, which is cut off
// when ctx ends.
func (e *errands) stop(ctx context.Context) error {
	e.mu.Lock()
	e.stopped = true
	e.mu.Unlock()
	done := make(chan struct{})
	go func() {
		e.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		e.cancel()
		return nil
	case <-ctx.Done():
		e.cancel()
		<-done
		return ctx.Err()
	}
}
