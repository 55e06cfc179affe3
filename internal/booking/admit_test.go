package booking

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"happening/internal/event"
	"happening/internal/fault"
)

// tape is a ledger that writes whatever it is given, as slowly as it is told
// to, and remembers it.
type tape struct {
	Ledger
	takes  time.Duration // of each write
	seats  int32         // of every event
	gate   chan struct{} // writes wait until it is closed; nil: they don't
	proofs chan struct{} // and so do proofs

	mu      sync.Mutex
	written map[uuid.UUID]int // changes by whose booking they are of
	batches []int             // how large each was
}

func (l *tape) Load(_ context.Context, id uuid.UUID) (FreshEvent, error) {
	e := event.Event{ID: id, OrgID: id, Version: 1, Settings: event.Settings{
		StartsAt: time.Now().Add(time.Hour), EndsAt: time.Now().Add(2 * time.Hour), TotalSlots: l.seats,
		Visibility: event.Public, WaitlistPolicy: event.Strict,
	}}
	return FreshEvent{Event: e, Reload: true}, nil
}

func (l *tape) Commit(_ context.Context, b *Batch) error {
	if l.gate != nil {
		<-l.gate
	}
	time.Sleep(l.takes)
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range b.Changes {
		l.written[b.Changes[i].UserID]++
	}
	l.batches = append(l.batches, len(b.Changes))
	return nil
}

func (l *tape) Prove(context.Context, []Known, []KeyOf) (Proof, error) {
	if l.proofs != nil {
		<-l.proofs
	}
	return Proof{}, nil
}

// noHolds are the holds of nobody.
type noHolds struct{ HoldStore }

func (noHolds) View(_ context.Context, ids []uuid.UUID) ([]HoldView, error) {
	return make([]HoldView, len(ids)), nil
}

func (noHolds) Settle(context.Context, Sale) error { return nil }

// crowded is an allocator with many callers, in virtual time.
type crowded struct {
	t       *testing.T
	tape    *tape
	alloc   *Allocator
	eventID uuid.UUID
	callers sync.WaitGroup

	mu      sync.Mutex
	served  map[uuid.UUID]bool
	refused map[string]int // by code
	hasty   int            // turned away without being told when to come again
	longest time.Duration  // that one of the served has waited
}

// inACrowd runs a test with an event in memory, and stops the allocator after
// it. prepare fills the tape in where virtual time rules, since who waits for a
// channel from elsewhere keeps it from going on.
func inACrowd(t *testing.T, prepare func(l *tape), run func(c *crowded)) {
	synctest.Test(t, func(t *testing.T) {
		l := &tape{written: map[uuid.UUID]int{}}
		prepare(l)
		c := &crowded{t: t, tape: l, eventID: uuid.New(), served: map[uuid.UUID]bool{}, refused: map[string]int{}}
		c.alloc = NewAllocator(l, noHolds{}, time.Now, slog.New(slog.DiscardHandler), func(Committed) {})
		go c.alloc.Run()
		if _, err := c.alloc.Live(t.Context(), c.eventID); err != nil {
			t.Fatal(err)
		}
		run(c)
		c.callers.Wait()
		if err := c.alloc.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		for who, times := range l.written {
			if times != 1 || !c.served[who] {
				t.Errorf("the booking of somebody was written %d times, told of it: %v", times, c.served[who])
			}
		}
		if len(l.written) != len(c.served) {
			t.Errorf("%d were told that they are served, written are %d", len(c.served), len(l.written))
		}
	})
}

// ask lets somebody ask for one seat.
func (c *crowded) ask(ctx context.Context, order Book) {
	who := uuid.New()
	order.UserID, order.Seats = who, 1
	key := Key{Value: who.String()}
	c.callers.Go(func() {
		began := time.Now()
		answer := c.alloc.Do(ctx, c.eventID, who, key, order)
		c.mu.Lock()
		defer c.mu.Unlock()
		var f *fault.Error
		switch {
		case answer.Err == nil:
			c.served[who] = true
			c.longest = max(c.longest, time.Since(began))
		case errors.As(answer.Err, &f):
			if c.refused[f.Code]++; f.Kind == fault.Unavailable && f.RetryAfter < time.Second {
				c.hasty++
			}
		default:
			c.refused[answer.Err.Error()]++
		}
	})
}

// TestNobodyIsLetInToWaitForLong offers five times what the ledger takes: who
// is let in is served in little more than queuePatience, all others are told at
// once, and the ledger is as busy as it can be. Without the bound on time the
// queue grows to the bound on its length, and people wait for as long.
func TestNobodyIsLetInToWaitForLong(t *testing.T) {
	const (
		takes = 100 * time.Millisecond
		tick  = 10 * time.Millisecond
		ticks = 150
		each  = 5 * BatchMax / int(takes/tick) // five times as much as is written meanwhile
		most  = queuePatience + 3*takes        // the batch under way, the own one, and what the estimate lags
	)
	offer := func(patience time.Duration) (c *crowded, queue int) {
		inACrowd(t, func(l *tape) { l.takes, l.seats = takes, ticks*int32(each) }, func(it *crowded) {
			c = it
			if patience != 0 {
				c.alloc.mostWait = patience
			}
			for range ticks {
				for range each {
					c.ask(c.t.Context(), Book{})
				}
				time.Sleep(tick)
				queue = max(queue, c.alloc.QueueLength())
			}
		})
		return c, queue
	}
	c, queue := offer(0)
	t.Logf("%d served after at most %v, %v refused, at most %d queued", len(c.served), c.longest, c.refused, queue)
	if c.longest > most || queue > int(most/takes)*BatchMax {
		t.Errorf("somebody waited for %v, and %d were queued", c.longest, queue)
	}
	if c.refused[ErrBusy.Code] != ticks*each-len(c.served) || c.refused[ErrBusy.Code] == 0 || c.hasty > 0 {
		t.Errorf("refused: %v, %d without being told when to come again", c.refused, c.hasty)
	}
	full := 0
	for _, n := range c.tape.batches {
		if n == BatchMax {
			full++
		}
	}
	if full*10 < len(c.tape.batches)*9 {
		t.Errorf("%d of %d batches were full: the ledger had time to spare", full, len(c.tape.batches))
	}

	c, queue = offer(time.Hour)
	if c.longest <= most || queue <= int(most/takes)*BatchMax {
		t.Errorf("without the bound %d are queued and wait for %v: it is for nothing", queue, c.longest)
	}
}

// TestAStandstillTurnsNewcomersAway stops the ledger: who comes first waits, who
// would queue behind a crowd is told so, and when it goes on everybody who waits
// is served.
func TestAStandstillTurnsNewcomersAway(t *testing.T) {
	inACrowd(t, func(l *tape) { l.gate, l.seats = make(chan struct{}), 2*queueFloor }, func(c *crowded) {
		c.ask(c.t.Context(), Book{})
		synctest.Wait() // its batch is being written
		for range queueFloor {
			c.ask(c.t.Context(), Book{})
		}
		synctest.Wait()
		c.ask(c.t.Context(), Book{}) // the standstill has just begun
		time.Sleep(queuePatience + time.Millisecond)
		c.ask(c.t.Context(), Book{})
		synctest.Wait()
		if c.refused[ErrBusy.Code] != 1 || c.hasty > 0 || len(c.served) > 0 {
			c.t.Errorf("%d served, refused: %v", len(c.served), c.refused)
		}
		close(c.tape.gate)
		c.callers.Wait()
		if len(c.served) != queueFloor+2 {
			c.t.Errorf("%d of %d who waited are served, refused: %v", len(c.served), queueFloor+2, c.refused)
		}
		c.ask(c.t.Context(), Book{})
		c.callers.Wait()
		if len(c.served) != queueFloor+3 {
			c.t.Error("afterwards it is not calm")
		}
	})
}

// TestACrowdIsTurnedAwayWithoutTheQueuesLock keeps the queue's lock, for which
// thousands would stand in line with the worker behind them: who is turned away
// is told so all the same.
func TestACrowdIsTurnedAwayWithoutTheQueuesLock(t *testing.T) {
	const patience = 30 * time.Second // of the test, for who waits for the lock
	a := NewAllocator(&tape{}, noHolds{}, time.Now, slog.New(slog.DiscardHandler), func(Committed) {})
	a.length.Store(queueFloor)
	a.pace.last.Store(int64(queuePatience))
	told := make(chan error, 1)
	a.mu.Lock()
	defer a.mu.Unlock()
	if after := a.Crowded(); after < queuePatience || after > LongestBusy {
		t.Errorf("who asks before they come is told to come again after %v", after)
	}
	go func() {
		who := uuid.New()
		told <- a.Do(t.Context(), uuid.New(), who, Key{}, Book{UserID: who, Seats: 1}).Err
	}()
	select {
	case err := <-told:
		if !errors.Is(err, ErrBusy) {
			t.Errorf("who comes into a crowd is told %v", err)
		}
	case <-time.After(patience):
		t.Error("who is turned away waits for the queue's lock")
	}
}

// TestACrowdComesBackOneByOne: who is turned away together does not come again
// together, and nobody before the time they would have had to wait.
func TestACrowdComesBackOneByOne(t *testing.T) {
	const people = 1_000
	for _, wait := range []time.Duration{queuePatience + 1, longestWait, time.Hour} {
		first, last := LongestBusy, time.Duration(0)
		for range people {
			after := comeBack(wait)
			first, last = min(first, after), max(last, after)
		}
		least := min(wait, longestWait)
		if first < least || last > 2*least || last-first < least/2 {
			t.Errorf("who would have waited for %v is told to come again after %v to %v", wait, first, last)
		}
	}
}

// TestWhoGivesUpInTheQueueIsNotServed lets every second caller go home while a
// batch is being written: nothing of theirs is ever written. The control are the
// others, who stood between them.
func TestWhoGivesUpInTheQueueIsNotServed(t *testing.T) {
	const callers = 3 * BatchMax
	inACrowd(t, func(l *tape) { l.gate, l.seats = make(chan struct{}), 2*callers }, func(c *crowded) {
		c.ask(c.t.Context(), Book{})
		synctest.Wait()
		impatient, goHome := context.WithCancel(c.t.Context())
		for i := range callers {
			c.ask([]context.Context{c.t.Context(), impatient}[i%2], Book{})
		}
		synctest.Wait()
		goHome()
		synctest.Wait()
		if gone := c.refused[context.Canceled.Error()]; gone != callers/2 {
			c.t.Errorf("%d of %d are told at once", gone, callers/2)
		}
		close(c.tape.gate)
		c.callers.Wait()
		if len(c.served) != 1+callers/2 { // what was written is held against it
			c.t.Errorf("served are %d", len(c.served))
		}
	})
}

// TestWhoGivesUpBeforeTheQueueIsAnswered lets callers go home while the keys of
// their refusals are looked up.
func TestWhoGivesUpBeforeTheQueueIsAnswered(t *testing.T) {
	inACrowd(t, func(l *tape) { l.proofs, l.seats = make(chan struct{}), 1 }, func(c *crowded) {
		c.ask(c.t.Context(), Book{})
		c.callers.Wait()
		impatient, goHome := context.WithCancel(c.t.Context())
		for i := range 20 {
			c.ask([]context.Context{c.t.Context(), impatient}[i%2], Book{Refuse: true})
		}
		synctest.Wait()
		goHome()
		synctest.Wait()
		if want := map[string]int{context.Canceled.Error(): 10}; fmt.Sprint(c.refused) != fmt.Sprint(want) {
			c.t.Errorf("while the keys are looked up: %v", c.refused)
		}
		close(c.tape.proofs)
		c.callers.Wait()
		if c.refused[ErrSoldOut.Code] != 10 || len(c.served) != 1 {
			c.t.Errorf("%d served, refused: %v", len(c.served), c.refused)
		}
	})
}

// TestStopWithAFullQueue stops an allocator in the midst of a write, with as
// many orders in its queue as there may be and refusals before it. Everybody is
// answered: who was let in is served, who comes later is told that it is over.
func TestStopWithAFullQueue(t *testing.T) {
	inACrowd(t, func(l *tape) { l.gate, l.seats = make(chan struct{}), 2*QueueMax }, func(c *crowded) {
		c.alloc.mostWait = time.Hour
		c.ask(c.t.Context(), Book{})
		synctest.Wait()
		for range QueueMax {
			c.ask(c.t.Context(), Book{})
		}
		synctest.Wait()
		c.ask(c.t.Context(), Book{}) // one too many
		synctest.Wait()
		if c.alloc.QueueLength() != QueueMax || c.refused[ErrBusy.Code] != 1 {
			c.t.Errorf("%d are queued, refused: %v", c.alloc.QueueLength(), c.refused)
		}
		stopped := make(chan error, 1)
		go func() { stopped <- c.alloc.Stop(c.t.Context()) }()
		synctest.Wait()
		c.ask(c.t.Context(), Book{})
		synctest.Wait()
		if c.refused[ErrAway.Code] != 1 {
			c.t.Errorf("who comes when it is over: %v", c.refused)
		}
		close(c.tape.gate)
		c.callers.Wait()
		if err := <-stopped; err != nil {
			c.t.Error(err)
		}
		if len(c.served) != QueueMax+1 {
			c.t.Errorf("%d served, refused: %v", len(c.served), c.refused)
		}
	})
}

// TestStopWhileRefusalsAreProved stops an allocator whose refusals wait for the
// database: they are answered before it has stopped, and who waits for them is
// counted, so that a process that ends cuts none of them off.
func TestStopWhileRefusalsAreProved(t *testing.T) {
	inACrowd(t, func(l *tape) { l.proofs, l.seats = make(chan struct{}), 1 }, func(c *crowded) {
		c.ask(c.t.Context(), Book{})
		c.callers.Wait()
		const callers = 3 * BatchMax
		for range callers {
			c.ask(c.t.Context(), Book{Refuse: true})
		}
		synctest.Wait()
		stopped := make(chan error, 1)
		go func() { stopped <- c.alloc.Stop(c.t.Context()) }()
		synctest.Wait()
		select {
		case <-stopped:
			c.t.Error("it has stopped, and people wait for their answers")
		default:
		}
		if n := c.alloc.Waiting(); n != callers {
			c.t.Errorf("%d of %d are known to wait", n, callers)
		}
		close(c.tape.proofs)
		c.callers.Wait()
		if err := <-stopped; err != nil || c.refused[ErrSoldOut.Code] != callers {
			c.t.Errorf("stopped with %v, refused: %v", err, c.refused)
		}
	})
}
