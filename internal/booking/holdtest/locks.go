package holdtest

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"happening/internal/booking"
)

// RunSubmitLock checks a double-submit lock against the contract; open makes
// one of which nothing is taken.
func RunSubmitLock(t *testing.T, open func(t *testing.T) booking.SubmitLock) {
	for name, test := range map[string]func(*testing.T, booking.SubmitLock){
		"refuses the same request while it is in flight": refusesSame,
		"lets another request pass without the lock":     letsOthersPass,
		"keeps people and events apart":                  keepsApart,
		"is taken by one of many":                        takenByOne,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func refusesSame(t *testing.T, lock booking.SubmitLock) {
	event, ann := uuid.New(), uuid.New()
	unlock, ok := lock.Lock(t.Context(), event, ann, 1)
	if !ok {
		t.Fatal("a free lock was refused")
	}
	refused, ok := lock.Lock(t.Context(), event, ann, 1)
	if ok {
		t.Fatal("the same request passed while it was in flight")
	}
	refused() // releases nothing, for it has taken nothing
	if _, ok := lock.Lock(t.Context(), event, ann, 1); ok {
		t.Fatal("whoever was refused has released another's lock")
	}
	unlock()
	again, ok := lock.Lock(t.Context(), event, ann, 1)
	if !ok {
		t.Fatal("refused after the first was answered")
	}
	unlock() // a second time: not its own any more
	if _, ok := lock.Lock(t.Context(), event, ann, 1); ok {
		t.Fatal("a lock was released by an earlier owner")
	}
	again()
}

func letsOthersPass(t *testing.T, lock booking.SubmitLock) {
	event, ann := uuid.New(), uuid.New()
	unlock, _ := lock.Lock(t.Context(), event, ann, 1)
	other, ok := lock.Lock(t.Context(), event, ann, 2)
	if !ok {
		t.Fatal("another request of the person was refused")
	}
	other()
	if _, ok := lock.Lock(t.Context(), event, ann, 1); ok {
		t.Fatal("whoever passed without the lock has released it")
	}
	unlock()
}

func keepsApart(t *testing.T, lock booking.SubmitLock) {
	event, ann := uuid.New(), uuid.New()
	lock.Lock(t.Context(), event, ann, 1)
	if _, ok := lock.Lock(t.Context(), uuid.New(), ann, 1); !ok {
		t.Fatal("locked at another event")
	}
	if _, ok := lock.Lock(t.Context(), event, uuid.New(), 1); !ok {
		t.Fatal("locked for another person")
	}
}

func takenByOne(t *testing.T, lock booking.SubmitLock) {
	const callers = 32
	event, ann := uuid.New(), uuid.New()
	var taken atomic.Int32
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			if _, ok := lock.Lock(t.Context(), event, ann, 1); ok {
				taken.Add(1)
			}
		})
	}
	wg.Wait()
	if taken.Load() != 1 {
		t.Fatalf("%d of %d equal requests passed", taken.Load(), callers)
	}
}
