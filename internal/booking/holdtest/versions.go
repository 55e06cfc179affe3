package holdtest

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/google/uuid"

	"happening/internal/booking"
	"happening/internal/realtime"
)

// RunVersions checks the live versions that live beside the holds; the bench's
// Store has to implement realtime.Versions, too.
func RunVersions(t *testing.T, open func(t *testing.T) Bench) {
	for name, test := range map[string]func(*testing.T, *bench, realtime.Versions){
		"counts each delta":                    countsDeltas,
		"keeps one epoch while all is settled": keepsEpoch,
		"gives each delta a number of its own": distinctNumbers,
		"refuses a hold on an old sale":        refusesBehind,
	} {
		t.Run(name, func(t *testing.T) {
			b := &bench{Bench: open(t), t: t}
			versions, ok := b.Store.(realtime.Versions)
			if !ok {
				t.Fatalf("%T keeps no versions", b.Store)
			}
			test(t, b, versions)
		})
	}
}

func countsDeltas(t *testing.T, _ *bench, versions realtime.Versions) {
	event := uuid.New()
	first, err := versions.Version(t.Context(), event)
	if err != nil || first.N != 0 || first.Epoch == "" {
		t.Fatalf("first version %v: %v", first, err)
	}
	for want := int64(1); want <= 3; want++ {
		v, err := versions.Next(t.Context(), event, 0)
		if err != nil || v.N != want || v.Epoch != first.Epoch {
			t.Fatalf("next version %v: %v", v, err)
		}
		if now, err := versions.Version(t.Context(), event); err != nil || now.Version != v.Version {
			t.Fatalf("version %v after %v: %v", now, v, err)
		}
	}
	if other, _ := versions.Version(t.Context(), uuid.New()); other.Epoch == first.Epoch || other.N != 0 {
		t.Fatalf("another event is at %v", other)
	}
}

func keepsEpoch(t *testing.T, b *bench, versions realtime.Versions) {
	event, ann := uuid.New(), uuid.New()
	first, err := versions.Version(t.Context(), event)
	b.do(err)
	for sale := int64(5); sale < 15; sale++ {
		b.granted(event, ann, int32(sale))
		b.do(b.Store.Settle(t.Context(), booking.Sale{EventID: event, Version: sale, Sold: []int32{int32(sale)}}))
		v, err := versions.Next(t.Context(), event, sale)
		b.do(err)
		if v.Epoch != first.Epoch {
			t.Fatalf("epoch %q became %q although nothing was missed", first.Epoch, v.Epoch)
		}
	}
}

func distinctNumbers(t *testing.T, _ *bench, versions realtime.Versions) {
	const callers, calls = 8, 20
	event := uuid.New()
	var mu sync.Mutex
	var numbers []int64
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range calls {
				v, err := versions.Next(t.Context(), event, 0)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				numbers = append(numbers, v.N)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	slices.Sort(numbers)
	for i, n := range numbers {
		if n != int64(i+1) {
			t.Fatalf("the %dth delta has number %d", i+1, n)
		}
	}
}

// refusesBehind shows that a seat which another process has sold is not held
// by somebody who looked before, and that nothing has changed then.
func refusesBehind(t *testing.T, b *bench, _ realtime.Versions) {
	event, ann := uuid.New(), uuid.New()
	ask := func(seats []int32, sale int64) error {
		_, err := b.Store.Place(t.Context(), booking.Placement{EventID: event, UserID: ann, Seats: seats, Now: b.Now(), SaleVersion: sale})
		return err
	}
	b.do(ask([]int32{1}, 6))
	b.do(b.Store.Settle(t.Context(), booking.Sale{EventID: event, Version: 7, Sold: []int32{2}}))
	if err := ask([]int32{2, 3}, 6); !errors.Is(err, booking.ErrBehind) {
		t.Fatalf("a hold on an old sale: %v", err)
	}
	b.mine(event, ann, 1)
	b.do(ask([]int32{3}, 7))
	b.mine(event, ann, 3)
	b.do(ask([]int32{4}, 8)) // who knows more than the store is not behind
	b.do(b.Store.Settle(t.Context(), booking.Sale{EventID: event, Version: 5}))
	views, err := b.Store.View(t.Context(), []uuid.UUID{uuid.New(), event})
	b.do(err)
	if views[0].SaleVersion != 0 || views[1].SaleVersion != 7 {
		t.Fatalf("views tell of sales %d and %d, want 0 and 7", views[0].SaleVersion, views[1].SaleVersion)
	}
	b.do(ask(nil, 0)) // releasing is never behind
	b.mine(event, ann)
	// What was refused is no event at which the person holds seats.
	for range booking.HoldMaxEvents - 1 {
		b.granted(uuid.New(), ann, 1)
	}
	if err := ask([]int32{5}, 6); !errors.Is(err, booking.ErrBehind) {
		t.Fatalf("a hold on an old sale: %v", err)
	}
	b.granted(uuid.New(), ann, 1)
}
