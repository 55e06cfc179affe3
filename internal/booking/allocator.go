package booking

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"happening/internal/event"
)

// Limits of the allocator.
const (
	// BatchMax bounds the orders decided and written at once.
	BatchMax = 512
	// linger is how long a batch waits for company once its first order is
	// there: a durable commit costs several times as much.
	linger = 200 * time.Microsecond
	// patienceEnds is how long a patient order waits for a moment in which
	// nobody else asks, before it is taken beside others.
	patienceEnds = 20 * time.Millisecond
	// awayPatience is how long a batch is tried again while the database is
	// away before its callers are told so.
	awayPatience = 8 * time.Second
	// awayPause is the pause between two such tries.
	awayPause = 50 * time.Millisecond
	// reworkTries is how often a batch is decided anew under locks on events
	// that are read anew.
	reworkTries = 2
	// busyBatch is how many orders of one batch make a rush, and rushLasts how
	// long one is taken to go on after it.
	busyBatch = 8
	rushLasts = 500 * time.Millisecond
	// loadTimeout bounds reading one event into memory.
	loadTimeout = time.Minute
	// recentKeys bounds the idempotency keys whose answers are kept in memory.
	recentKeys = 65_536
	// entriesMax bounds the events whose inventory is kept in memory.
	entriesMax = 4_096
	// partiesMax bounds the live bookings of all of them: some 250 bytes each.
	partiesMax = 2_000_000
	// sweepEvery is how often the allocator tidies its memory.
	sweepEvery = 10 * time.Second
	// idleAfter is how long an event's inventory is kept unused.
	idleAfter = 15 * time.Minute
	// contendedRounds is for how many batches an event is locked before it is
	// decided on, once another process was found to sell at it, too.
	contendedRounds = 3
	// holdsPatience bounds a look at the holds' store, or a word to it, where
	// that is another machine: sales go on without it.
	holdsPatience = 300 * time.Millisecond
	// settlesAtOnce bounds the events of one batch of which the holds' store
	// is told at the same time.
	settlesAtOnce = 64
)

// Committed tells what one transaction changed at one event, after it is
// durable.
type Committed struct {
	Live    LiveEvent
	Changes []Change
	// Edited is the event with its changed settings; nil: they did not change.
	Edited *event.Event
	// Arranged says that the seats are others, or lie elsewhere.
	Arranged bool
	Blocks   Blocks
	// Moved are people whose place in the waitlist changed, of those at its
	// front.
	Moved []uuid.UUID
}

// movedMax bounds the people who are told at once that the waitlist moved;
// those further back see it when they look.
const movedMax = 500

// Allocator sells the seats. Orders queue in the process; one worker takes a
// batch of them, of any events, decides all in memory with the pure
// Inventory.Decide and writes once through the Ledger. See doc.go.
type Allocator struct {
	ledger    Ledger
	holds     HoldStore
	now       func() time.Time
	log       *slog.Logger
	committed func(Committed)
	shared    bool // other processes sell at the same events
	complaint sparse

	mu       sync.Mutex
	queue    []*request
	length   atomic.Int64 // of queue, for those who only look
	patient  []*request   // taken when nobody else asks, or when they have waited for long
	insides  []*request   // before all orders: reading goes on while they wait
	stopped  bool
	pace     pace
	mostWait time.Duration // queuePatience; a field for the test that takes it away
	wake     chan struct{}
	done     chan struct{}
	rushed   atomic.Int64 // when the last large batch was taken, in nanoseconds since 1970

	waiting    atomic.Int64 // callers in submit and serve
	entriesMu  sync.RWMutex
	entries    map[uuid.UUID]*entry
	partiesMax int // partiesMax, or less in tests

	loading singleflight.Group

	keysMu   sync.Mutex
	inFlight map[KeyOf]struct{}
	recent   *lru.Cache[KeyOf, Stored]

	refusing refusing
}

// entry is one event in memory.
type entry struct {
	id uuid.UUID
	// mu guards inv and what a batch has changed of it. The worker holds it
	// while it decides, not while it writes, so inv runs ahead of what is
	// committed by one batch.
	mu   sync.Mutex
	inv  *Inventory   // nil: not loaded
	used atomic.Int64 // when it was asked for last, in nanoseconds since 1970
	live Live
	// changed collects the batch's changes of this event, blocks what is taken
	// off sale by it; edited and arranged say that its settings are changed, and
	// where its seats lie. They stand until the batch is written or undone.
	changed  []Change
	blocks   Blocks
	edited   bool
	arranged bool
	// contended is for how many batches more the event is locked first; the
	// worker's own.
	contended int

	// heard is the newest version that was told of in passing, and lied a
	// version that the holds' store claims and PostgreSQL does not have.
	heard, lied atomic.Int64
	flights     flights
	// held are the holds as somebody saw them last; nil: nobody did.
	held atomic.Pointer[HoldView]
}

// request is an order in the queue.
type request struct {
	eventID uuid.UUID
	actor   uuid.UUID
	key     Key
	keyOf   KeyOf
	order   Order
	edit    EditFunc
	inside  func() // no order: run by the worker while nothing is undecided
	early   bool   // looks as if it can only be refused, and is not queued yet
	patient bool   // nobody waits for the answer
	state   atomic.Int32
	at      time.Time // when it began to wait
	done    chan struct{}
	answer  Answer
}

const (
	queued int32 = iota
	taken
	givenUp
)

// Answer is what an order came to.
type Answer struct {
	Booking Booking      // where the order made or changed one
	Event   *event.Event // as an edit left it
	More    bool         // promotions or closings are left
	Changed int          // how many bookings changed
	Err     error
}

// EditFunc turns an event as it is under the lock, and what is off sale there,
// into what it shall be; a nil Edit says that nothing differs. It may be called
// again and must have no effect of its own.
type EditFunc func(current event.Event, blocked SeatBits, now time.Time) (event.Event, *Edit, error)

// Option makes an allocator differ from one that sells alone.
type Option func(*Allocator)

// Shared says that other processes sell at the same events: what is in memory
// may be old, so that nothing is refused on it unseen. See doc.go.
func Shared() Option { return func(a *Allocator) { a.shared = true } }

// NewAllocator makes an allocator; committed is called in the worker after
// each commit of its own and must not block.
func NewAllocator(ledger Ledger, holds HoldStore, now func() time.Time, log *slog.Logger, committed func(Committed), options ...Option) *Allocator {
	recent, err := lru.New[KeyOf, Stored](recentKeys)
	if err != nil {
		panic(err) // the size is a constant above zero
	}
	a := &Allocator{
		ledger: ledger, holds: holds, now: now, log: log, committed: committed,
		wake: make(chan struct{}, 1), done: make(chan struct{}),
		entries: make(map[uuid.UUID]*entry), partiesMax: partiesMax, inFlight: make(map[KeyOf]struct{}), recent: recent,
		refusing: newRefusing(), mostWait: queuePatience,
	}
	for _, option := range options {
		option(a)
	}
	return a
}

// Busy says whether a rush is on: background work yields meanwhile.
func (a *Allocator) Busy() bool {
	return time.Since(time.Unix(0, a.rushed.Load())) < rushLasts
}

// QueueLength is how many orders wait.
func (a *Allocator) QueueLength() int { return int(a.length.Load()) }

// Do answers one order about an event. A caller that gives up while its order
// is queued is not served; once the order is taken, Do waits for the outcome.
// key is the caller's idempotency key, if any, in the scope of actor.
func (a *Allocator) Do(ctx context.Context, eventID, actor uuid.UUID, key Key, order Order) Answer {
	r := &request{eventID: eventID, actor: actor, key: key, order: order}
	if key.Value == "" {
		return a.serve(ctx, r)
	}
	r.keyOf = KeyOf{UserID: actor, Value: key.Value}
	if stored, ok := a.recent.Get(r.keyOf); ok {
		return replay(stored, key)
	}
	if !a.claim(r.keyOf) {
		return Answer{Err: ErrDuplicate}
	}
	answer := a.serve(ctx, r)
	if answer.Err == nil && answer.Booking.ID != uuid.Nil { // nothing changed: the key stands for nothing
		a.recent.Add(r.keyOf, Stored{Hash: key.Hash, Booking: answer.Booking})
	}
	a.unclaim(r.keyOf)
	return answer
}

// DoPatiently answers an order that nobody waits for: it lets others go first,
// and is decided alone where they leave a moment for it.
func (a *Allocator) DoPatiently(ctx context.Context, eventID uuid.UUID, order Order) Answer {
	return a.submit(ctx, &request{eventID: eventID, order: order, patient: true})
}

// Replay answers from an idempotency key alone: what its first use was
// answered, ok false where it was never used. It is asked before any rule may
// refuse.
func (a *Allocator) Replay(ctx context.Context, actor uuid.UUID, key Key) (answer Answer, ok bool, err error) {
	of := KeyOf{UserID: actor, Value: key.Value}
	stored, ok := a.recent.Get(of)
	if !ok {
		proof, err := a.ledger.Prove(ctx, nil, []KeyOf{of})
		if err != nil {
			return Answer{}, false, err
		}
		if stored, ok = proof.Keys[of]; !ok {
			return Answer{}, false, nil
		}
	}
	return replay(stored, key), true, nil
}

func replay(s Stored, key Key) Answer {
	if s.Hash != key.Hash {
		return Answer{Err: ErrKeyReused}
	}
	return Answer{Booking: s.Booking}
}

func (a *Allocator) claim(k KeyOf) bool {
	a.keysMu.Lock()
	defer a.keysMu.Unlock()
	if _, taken := a.inFlight[k]; taken {
		return false
	}
	a.inFlight[k] = struct{}{}
	return true
}

func (a *Allocator) unclaim(k KeyOf) {
	a.keysMu.Lock()
	defer a.keysMu.Unlock()
	delete(a.inFlight, k)
}

// Edit changes an event's settings by the same queue as its sales.
func (a *Allocator) Edit(ctx context.Context, eventID, actor uuid.UUID, edit EditFunc) Answer {
	return a.submit(ctx, &request{eventID: eventID, actor: actor, edit: edit})
}

// serve answers an order that looks as if it can only be refused without the
// worker, if it can be, and every other by the queue.
func (a *Allocator) serve(ctx context.Context, r *request) Answer {
	if !a.hopeless(r) {
		return a.submit(ctx, r)
	}
	r.done, r.at, r.early = make(chan struct{}), time.Now(), true
	a.waiting.Add(1)
	defer a.waiting.Add(-1)
	if err := a.refusing.ask(r); err != nil {
		return Answer{Err: err}
	}
	return r.await(ctx)
}

// submit queues a request for the worker and waits for its answer.
func (a *Allocator) submit(ctx context.Context, r *request) Answer {
	r.done, r.at = make(chan struct{}), time.Now()
	a.waiting.Add(1)
	defer a.waiting.Add(-1)
	if err := a.enqueue(r); err != nil {
		return Answer{Err: err}
	}
	return r.await(ctx)
}

// Waiting is how many callers wait for what is queued or being written, or for
// a refusal that may turn out to be none.
func (a *Allocator) Waiting() int64 { return a.waiting.Load() }

func (a *Allocator) enqueue(r *request) error {
	if err := a.turnsAway(r, a.QueueLength()); err != nil {
		return err
	}
	a.mu.Lock()
	if err := a.admit(r); err != nil {
		a.mu.Unlock()
		return err
	}
	switch {
	case r.inside != nil:
		a.insides = append(a.insides, r)
	case r.patient:
		a.patient = append(a.patient, r)
	default:
		a.queue = append(a.queue, r)
		a.length.Store(int64(len(a.queue)))
	}
	a.mu.Unlock()
	select {
	case a.wake <- struct{}{}:
	default:
	}
	return nil
}

// await waits for the answer, or until the caller gives up what nobody has
// taken yet.
func (r *request) await(ctx context.Context) Answer {
	select {
	case <-r.done:
	case <-ctx.Done():
		if r.state.CompareAndSwap(queued, givenUp) {
			return Answer{Err: ctx.Err()}
		}
		<-r.done
	}
	return r.answer
}

// Live gives what is committed of an event, loading it where it isn't in
// memory; fault.ErrNotFound where there is none. It is as new as this process
// knows of: CatchUp reads on.
func (a *Allocator) Live(ctx context.Context, eventID uuid.UUID) (*Live, error) {
	return a.CatchUp(ctx, eventID, 0)
}

// loaded gives an event that is in memory. An event that is not is read by
// the caller, once for all who ask at the same time, and only handed to the
// worker, so that reading a large one keeps nobody else waiting.
func (a *Allocator) loaded(ctx context.Context, eventID uuid.UUID) (*entry, error) {
	for {
		if e := a.peek(eventID); e != nil {
			return e, nil
		}
		if err := a.load(ctx, eventID); err != nil {
			return nil, err
		}
	}
}

// load reads an event and lets the worker take it over.
func (a *Allocator) load(ctx context.Context, eventID uuid.UUID) error {
	result := a.loading.DoChan(eventID.String(), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.Background(), loadTimeout)
		defer cancel()
		fresh, err := a.ledger.Load(ctx, eventID)
		if err != nil {
			return nil, err
		}
		inv := fresh.inventory()
		return nil, a.inside(ctx, func() { a.install(eventID, inv) })
	})
	select {
	case r := <-result:
		return r.Err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ready has an event in memory to be decided on. An order about one that is not
// makes the worker read it, and a large one would keep everybody waiting.
func (a *Allocator) ready(ctx context.Context, eventID uuid.UUID) error {
	return a.With(ctx, eventID, func(*Inventory) error { return nil })
}

// Peek gives what is committed of an event that is in memory, nil for others;
// it never waits.
func (a *Allocator) Peek(eventID uuid.UUID) *Live {
	if e := a.peek(eventID); e != nil {
		return &e.live
	}
	return nil
}

func (a *Allocator) peek(eventID uuid.UUID) *entry {
	a.entriesMu.RLock()
	e := a.entries[eventID]
	a.entriesMu.RUnlock()
	if e == nil {
		return nil
	}
	e.live.mu.RLock()
	defer e.live.mu.RUnlock()
	if !e.live.loaded {
		return nil
	}
	e.used.Store(a.now().UnixNano())
	return e
}

// Forget lets an event that is no more disappear for readers, too.
func (a *Allocator) Forget(eventID uuid.UUID) {
	a.entriesMu.Lock()
	e := a.entries[eventID]
	delete(a.entries, eventID)
	a.entriesMu.Unlock()
	if e != nil {
		e.live.forget()
	}
}

// With runs fn while no decision is made about the event. fn sees seats that
// are decided but not yet written as taken. It must be quick and must not ask
// another machine: the worker waits for it.
func (a *Allocator) With(ctx context.Context, eventID uuid.UUID, fn func(*Inventory) error) error {
	for {
		e, err := a.loaded(ctx, eventID)
		if err != nil {
			return err
		}
		e.mu.Lock()
		if e.inv == nil {
			e.mu.Unlock()
			if err := a.load(ctx, eventID); err != nil {
				return err
			}
			continue
		}
		err = fn(e.inv)
		e.mu.Unlock()
		return err
	}
}

// Stop lets the worker finish what is queued, and what is refused be answered,
// and waits for it until ctx ends.
func (a *Allocator) Stop(ctx context.Context) error {
	a.mu.Lock()
	a.stopped = true
	a.mu.Unlock()
	select {
	case a.wake <- struct{}{}:
	default:
	}
	select {
	case <-a.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
