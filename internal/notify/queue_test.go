package notify_test

import (
	"context"
	"sync"
	"testing"

	"happening/internal/notify"
	"happening/internal/notify/queuetest"
)

// TestClaimingFromTheOutbox holds the relay to the contract of both ways.
func TestClaimingFromTheOutbox(t *testing.T) {
	t.Parallel()
	queuetest.Run(t, func(*testing.T) queuetest.Way { return outboxWay{} })
}

type outboxWay struct{}

func (outboxWay) Start(_ testing.TB, w queuetest.Worker) queuetest.Running {
	ctx, cancel := context.WithCancel(context.Background())
	r := &relayAtWork{Relay: notify.NewRelay(w.Relay()), cancel: cancel}
	r.done.Go(func() { r.Run(ctx) })
	return r
}

// relayAtWork is a relay that runs. It has nothing in hand between a commit
// and the next claim, so that being killed and being stopped are the same.
type relayAtWork struct {
	*notify.Relay
	cancel context.CancelFunc
	done   sync.WaitGroup
}

func (r *relayAtWork) Stop() { r.cancel() }
func (r *relayAtWork) Kill() { r.cancel() }
func (r *relayAtWork) Wait() { r.done.Wait() }
