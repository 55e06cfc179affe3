package memory

import (
	"context"
	"sync"

	"github.com/google/uuid"

	"happening/internal/booking"
)

// SubmitLock notices a request that is sent again while its first is in
// flight in this process. A lock lives as long as its request.
type SubmitLock struct {
	mu    sync.Mutex
	taken map[submitter]*submission
}

type submitter struct{ eventID, userID uuid.UUID }

// submission is one request; its address tells it from another's.
type submission struct{ ask uint64 }

var _ booking.SubmitLock = (*SubmitLock)(nil)

// NewSubmitLock makes a lock of which nothing is taken.
func NewSubmitLock() *SubmitLock { return &SubmitLock{taken: map[submitter]*submission{}} }

// Lock implements booking.SubmitLock.
func (l *SubmitLock) Lock(_ context.Context, eventID, userID uuid.UUID, ask uint64) (unlock func(), ok bool) {
	who, mine := submitter{eventID, userID}, &submission{ask}
	l.mu.Lock()
	defer l.mu.Unlock()
	if other := l.taken[who]; other != nil {
		return func() {}, other.ask != ask
	}
	l.taken[who] = mine
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.taken[who] == mine {
			delete(l.taken, who)
		}
	}, true
}
