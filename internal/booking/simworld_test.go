package booking

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"happening/internal/booking/simtest"
	"happening/internal/event"
)

// simWorld is one seed's run: events in a simulated database, one process or
// two that sell at them, and the model of each event. Everything that happens
// follows from the seed; time is that of a synctest bubble.
//
// The real Allocator is driven without its goroutine: the world takes what was
// queued and processes it, so that one thing happens at a time. Two processes
// overlap where it matters, which is at the database: while one waits for an
// answer of it, the other may do something (interleave).
type simWorld struct {
	seed   uint64
	pcg    *rand.PCG
	rnd    *rand.Rand
	given  simConditions
	trace  func(string)
	digest uint64

	people   []uuid.UUID
	poison   map[uuid.UUID]bool // the database refuses every booking of theirs
	ids      uint64
	slots    []uuid.UUID // the events that are sold
	books    map[uuid.UUID]*simBook
	keys     map[KeyOf]simKey
	written  map[uuid.UUID]bool // changes and records
	late     []simLate
	replicas []*simReplica
	mu       sync.Mutex // guards holds: several events of one batch are settled at once
	holds    simHolds
	log      *slog.Logger

	perTx   int // parties promoted or closed by one order
	faults  int // of a thousand calls of the database that go wrong
	away    int // calls of the database before it is back
	busy    []*simReplica
	open    []*request    // taken by a process, to be let go where it ends
	recent  []*simRequest // to be sent again
	unknown []*simRequest // with a key, whose outcome their client does not know
	past    []uuid.UUID   // bookings that were live once
	clock   int64         // counts questions and answers
	history simtest.History
	seatsOf map[uuid.UUID][]int32 // of every booking in the history
	met     map[string]int        // how often what was met, so that nothing is tested by chance
}

// simReplica is one process.
type simReplica struct {
	w     *simWorld
	name  string
	alloc *Allocator
	skew  time.Duration
	runs  map[uuid.UUID]*simRun // what its last look at each event decided
	// working and refusing say what it is at, and meanwhile are orders that came
	// while it was.
	working, refusing, following bool
	meanwhile                    []*simRequest
}

// simRun is one going over of an event by a process: the orders of a batch
// decided one after the other on one version.
type simRun struct {
	event     uuid.UUID
	holds     []simtest.Hold
	begun     bool
	early     bool  // before the queue: what would be served is taken back
	base      int64 // the version decided on
	stale     bool  // it was not the newest
	model     *simtest.Model
	attempts  []*simAttempt
	changed   bool
	committed bool
}

// simAttempt is one deciding of an order; the last one counts.
type simAttempt struct {
	request *simRequest
	run     *simRun
	refusal string
	changes []Change
	result  int
	edit    bool
}

// simRequest is one order as its client sees it.
type simRequest struct {
	w       *simWorld
	r       *simReplica
	eventID uuid.UUID
	actor   uuid.UUID
	key     Key
	order   Order
	edit    func(event.Event) event.Event
	toggle  []int32     // with edit: seats to be taken off sale, or put on sale again
	changed event.Event // what the edit came to, when it was tried last
	off     []int32     // and which seats it wanted off sale

	cancel  func()
	done    chan struct{}
	answer  Answer
	attempt *simAttempt
	effects int  // how often it was written
	known   bool // its key stood in the database when it was asked
	beside  bool // the same key was in flight
	gaveUp  bool
	refused bool // for good
	asked   int64
	since   int64 // when the same was asked first, 0: now
}

func (q *simRequest) began() int64 {
	if q.since > 0 {
		return q.since
	}
	return q.asked
}

// simFailure ends a run.
type simFailure struct {
	what  string
	after int // steps that went well
}

// simConditions are how a run differs: all but plain and slow take a guard
// away, to see the simulation fail.
type simConditions struct {
	plain         bool            // people book and cancel only; nothing is judged but what clients are told of seats
	slow          bool            // everything takes a hundred times as long
	unversioned   bool            // optimistic writes are not checked
	blind         bool            // what was written is not found
	unfenced      bool            // nothing moves on after an unknown outcome
	guessing      bool            // an unknown outcome is taken for none
	keyless       bool            // keys are not known again
	trusting      bool            // refusals are not held against the database
	trustingEarly bool            // nor are those that come before the queue
	keysForgotten bool            // refused orders' keys are not looked up
	hasty         bool            // refusals come from what is decided and not yet written
	forgetful     bool            // catching up loses the last change
	sticky        bool            // what was not written is not undone
	mutant        func(*decision) // before each decision
	maimed        func(*decision) // after each decision
}

func (w *simWorld) failf(format string, args ...any) {
	if w.given.plain {
		return // the history will tell
	}
	panic(simFailure{what: fmt.Sprintf(format, args...)})
}

// meet counts what the seed has led to.
func (w *simWorld) meet(what string) { w.met[what]++ }

func (w *simWorld) tell(format string, args ...any) {
	if w.trace != nil {
		w.trace(fmt.Sprintf("%6d %s  ", w.clock, w.now().Format("15:04:05.000")) + fmt.Sprintf(format, args...))
	}
}

func (w *simWorld) now() time.Time { return time.Now().UTC() }

// id makes an id that is the same in every run of the seed.
func (w *simWorld) id() (id uuid.UUID) {
	w.ids++
	binary.BigEndian.PutUint64(id[8:], w.ids)
	return id
}

// chance is true in so many of a thousand cases.
func (w *simWorld) chance(ofThousand int) bool { return w.rnd.IntN(1000) < ofThousand }

func pick[T any](w *simWorld, list []T) T { return list[w.rnd.IntN(len(list))] }

// newSimWorld makes the world of a seed.
func newSimWorld(seed uint64, given simConditions) *simWorld {
	w := &simWorld{
		seed: seed, pcg: rand.NewPCG(seed, simWorldStream), given: given,
		poison: map[uuid.UUID]bool{}, books: map[uuid.UUID]*simBook{}, keys: map[KeyOf]simKey{},
		written: map[uuid.UUID]bool{}, met: map[string]int{}, seatsOf: map[uuid.UUID][]int32{},
		holds: simHolds{held: map[uuid.UUID][]simHold{}, settled: map[uuid.UUID]int64{}},
		log:   slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	w.rnd = rand.New(w.pcg)
	for range 3 + w.rnd.IntN(6) {
		w.people = append(w.people, w.id())
	}
	if w.chance(300) {
		w.poison[w.people[0]] = true
	}
	if w.chance(700) {
		w.faults = 1 + w.rnd.IntN(200)
	}
	if w.perTx = PromotionsPerTx; w.chance(500) {
		w.perTx = 1 + w.rnd.IntN(3)
	}
	for range 1 + w.rnd.IntN(2) {
		w.slots = append(w.slots, uuid.Nil)
	}
	for i := range w.slots {
		w.newEvent(i)
	}
	for i := range 1 + w.rnd.IntN(2) {
		r := &simReplica{w: w, name: string(rune('A' + i)), skew: time.Duration(w.rnd.IntN(200)) * time.Millisecond * time.Duration(i)}
		w.replicas = append(w.replicas, r)
	}
	for _, r := range w.replicas {
		w.start(r)
	}
	return w
}

// start begins a process that knows nothing.
func (w *simWorld) start(r *simReplica) {
	var options []Option
	if len(w.replicas) > 1 {
		options = append(options, Shared())
	} else {
		// A process that is alone begins when the last one's connections have
		// ended.
		w.arrive(len(w.late))
	}
	r.runs = map[uuid.UUID]*simRun{}
	r.alloc = NewAllocator(&simLedger{w, r}, &simHoldsOf{w: w, r: r}, func() time.Time { return w.now().Add(r.skew) }, w.log, func(Committed) {}, options...)
}

// newEvent puts an event that nobody knows in a place.
func (w *simWorld) newEvent(slot int) {
	e := event.Event{ID: w.id(), OrgID: w.id(), Version: 1, Revision: 1}
	e.Settings = event.Settings{
		StartsAt: w.now().Add(w.pace(time.Duration(60+w.rnd.IntN(900)) * time.Second)), TimeZone: "UTC",
		TotalSlots: w.total(), Visibility: event.Public, WaitlistPolicy: event.Strict,
	}
	e.EndsAt = e.StartsAt.Add(w.pace(10 * time.Minute))
	if !w.given.plain {
		w.vary(&e)
	}
	if !w.given.plain && w.chance(300) {
		e.Layout, e.LayoutRevision = simLayout(e.TotalSlots, w.lengths()), e.Revision
	}
	e.AvailableSlots = e.TotalSlots
	w.books[e.ID] = &simBook{row: e, live: map[uuid.UUID]Party{}, sold: map[int32]uuid.UUID{}, off: map[int32]bool{}, model: simModelOf(e)}
	w.books[e.ID].model.AtOnce = w.perTx
	w.slots[slot] = e.ID
	w.tell("event %s: %d seats, at most %d each, %s, waitlist %+v", short(e.ID), e.TotalSlots, e.MaxSeatsPerUser, e.WaitlistPolicy, e.WaitlistLimit)
}

// slowness is how much longer everything takes in a slow run.
const slowness = 100

func (w *simWorld) pace(d time.Duration) time.Duration {
	if w.given.slow {
		return d * slowness
	}
	return d
}

// total is a size at which something happens: most are sold out soon.
func (w *simWorld) total() int32 {
	switch n := w.rnd.IntN(10); {
	case w.given.plain:
		return 1 + w.rnd.Int32N(4)
	case n < 6:
		return 1 + w.rnd.Int32N(12)
	case n < 9:
		return 10 + w.rnd.Int32N(40)
	default:
		return 30 + w.rnd.Int32N(90)
	}
}

// vary chooses the settings that an organizer may change.
func (w *simWorld) vary(e *event.Event) {
	if e.MaxSeatsPerUser = 0; w.chance(600) {
		e.MaxSeatsPerUser = 1 + w.rnd.Int32N(10)
	}
	if e.WaitlistPolicy = event.Strict; w.chance(450) {
		e.WaitlistPolicy = event.Fit
	}
	if e.WaitlistLimit = (event.WaitlistLimit{}); w.chance(300) {
		e.WaitlistLimit = event.AtMost(w.rnd.Int32N(5))
	}
	if e.Visibility = event.Public; w.chance(100) {
		e.Visibility = event.Members
	}
}

// simModelOf gives the model of an event's settings.
func simModelOf(e event.Event) *simtest.Model {
	m := &simtest.Model{
		Total: e.TotalSlots, PerPerson: e.MaxSeatsPerUser, Strict: e.WaitlistPolicy == event.Strict, WaitAtMost: -1,
		Starts: e.StartsAt, Cancelled: !e.CancelledAt.IsZero(), Suspended: e.OrgSuspended, Hidden: e.Visibility == event.Members,
	}
	if e.WaitlistLimit.Limited {
		m.WaitAtMost = e.WaitlistLimit.Parties
	}
	for _, section := range e.Layout.Sections() {
		for _, row := range section.Rows {
			m.Rows = append(m.Rows, row.Seats)
		}
	}
	return m
}

func short(id uuid.UUID) string {
	if n := binary.BigEndian.Uint64(id[8:]); n < 1<<32 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%x", id[4:8])
}

// What may go wrong with a call of the database.
const (
	simFine = iota
	simUnreached
	simRefused
	simLostBefore
	simLostAfter
	simLostLate
	simCrashBefore
	simCrashAfter
	simCrashLate
	simFaults
)

var simFaultNames = [...]string{"fine", "not reached", "refused", "answer lost, not written", "answer lost, written",
	"answer lost, written later or never", "crash before the write", "crash after the write", "crash, written later or never"}

// fault draws what goes wrong with the next call.
func (w *simWorld) fault() int {
	if w.away > 0 {
		w.away--
		return simUnreached
	}
	if w.faults == 0 || !w.chance(w.faults) {
		return simFine
	}
	f := 1 + w.rnd.IntN(simFaults-1)
	if f >= simCrashBefore && w.chance(700) {
		f = simLostBefore + w.rnd.IntN(3)
	}
	w.meet(simFaultNames[f])
	w.tell("  the database: %s", simFaultNames[f])
	return f
}

// unreached says whether a look at the database comes to nothing.
func (w *simWorld) unreached() bool {
	if w.away > 0 {
		w.away--
		return true
	}
	return w.faults > 0 && w.chance(w.faults/4)
}

// lost gives the error of a lost answer.
func (w *simWorld) lost(err error) error {
	if w.given.guessing {
		return ErrUnreached
	}
	return err
}

// arrive lets transactions be written, or not, of which nothing was heard.
func (w *simWorld) arrive(n int) {
	for range n {
		l := w.late[0]
		w.late = w.late[1:]
		if w.chance(300) {
			continue // its connection ended before
		}
		if err := w.apply(l.batch, l.runs, true); err == nil {
			w.meet("written late")
			w.tell("  a lost transaction is written")
		} else {
			w.meet("too late to be written")
		}
	}
}

// interleave lets another process do something while one waits for the
// database.
func (w *simWorld) interleave(waiting *simReplica) {
	if len(w.replicas) < 2 || !w.chance(250) {
		return
	}
	w.busy = append(w.busy, waiting)
	defer func() { w.busy = w.busy[:len(w.busy)-1] }()
	if r := w.idle(); r != nil {
		w.meet("interleaved")
		w.rush(r)
	}
}

// idle gives a process that does not wait for the database.
func (w *simWorld) idle() *simReplica {
	var idle []*simReplica
	for _, r := range w.replicas {
		if !slices.Contains(w.busy, r) {
			idle = append(idle, r)
		}
	}
	if idle == nil {
		return nil
	}
	return pick(w, idle)
}

func (q *simRequest) String() string {
	what := strings.TrimPrefix(fmt.Sprintf("%T", q.order), "booking.")
	switch o := q.order.(type) {
	case Book:
		what = fmt.Sprintf("book %d %v", o.Seats, o.SeatNumbers)
		if o.Refuse {
			what += " or refuse"
		}
	case Cancel:
		what = "cancel " + short(o.BookingID)
	case CancelSeats:
		what = fmt.Sprintf("cancel seats %v of %s", o.SeatNumbers, short(o.BookingID))
	case Shrink:
		what = fmt.Sprintf("shrink %s by %d", short(o.BookingID), o.Seats)
	case PromoteByHand:
		what = "promote " + short(o.BookingID)
	case Move:
		what = fmt.Sprintf("move %s to %v", short(o.BookingID), o.SeatNumbers)
	case nil:
		what = fmt.Sprintf("edit to %d seats in %v, at most %d, %s, off or on sale %v", q.changed.TotalSlots, simModelOf(q.changed).Rows, q.changed.MaxSeatsPerUser, q.changed.WaitlistPolicy, q.toggle)
	}
	if q.key.Value != "" {
		what += " with key " + q.key.Value
	}
	return fmt.Sprintf("%s at %s for %s: %s", q.r.name, short(q.eventID), short(q.actor), what)
}

// ask sends an order and returns once it is queued or answered.
func (w *simWorld) ask(q *simRequest) {
	w.clock++
	q.w, q.asked, q.done = w, w.clock, make(chan struct{})
	drain(q.r.alloc.wake) // what nobody waited for
	drain(q.r.alloc.refusing.wake)
	of := KeyOf{q.actor, q.key.Value}
	if q.key.Value != "" {
		_, q.known = w.keys[of]
		_, q.beside = q.r.alloc.inFlight[of]
	}
	if w.trace != nil {
		w.tell("%s", q)
	}
	ctx, cancel := context.WithCancel(context.Background())
	q.cancel = cancel
	fact := w.id()
	go func() {
		defer close(q.done)
		if q.edit != nil {
			q.answer = q.r.alloc.Edit(ctx, q.eventID, q.actor, q.editFunc(fact))
			return
		}
		q.answer = q.r.alloc.Do(ctx, q.eventID, q.actor, q.key, simOrder{q.order, q})
	}()
	select {
	case <-q.r.alloc.wake:
		if q.edit == nil && w.chance(10) {
			w.giveUp(q, "given up while queued")
		}
	case <-q.r.alloc.refusing.wake:
		if w.chance(20) {
			w.giveUp(q, "given up before it was refused")
		}
	case <-q.done:
	}
}

func (w *simWorld) giveUp(q *simRequest, how string) {
	w.meet(how)
	q.gaveUp = true
	q.cancel()
	<-q.done
}

// editFunc makes the change of settings as the use case does.
func (q *simRequest) editFunc(id uuid.UUID) EditFunc {
	return func(current event.Event, blocked SeatBits, now time.Time) (event.Event, *Edit, error) {
		if !current.CancelledAt.IsZero() {
			return event.Event{}, nil, event.ErrCancelled
		}
		q.changed, q.off = q.edit(current), blocked.list()
		var blocks Blocks
		for _, s := range q.toggle {
			switch at, off := slices.BinarySearch(q.off, s); {
			case s > current.TotalSlots:
			case off:
				q.off = slices.Delete(q.off, at, at+1)
				blocks.Unblocked = append(blocks.Unblocked, s)
			default:
				q.off = slices.Insert(q.off, at, s)
				blocks.Blocked = append(blocks.Blocked, s)
			}
		}
		q.changed.Revision++
		run := q.r.begin(q.eventID, q.r.alloc.entries[q.eventID].inv)
		q.attempt = &simAttempt{request: q, run: run, edit: true}
		run.attempts = append(run.attempts, q.attempt)
		return q.changed, &Edit{FactID: id, ActorID: q.actor, At: now, Arranged: q.changed.Layout != current.Layout, Blocks: blocks}, nil
	}
}

// pump lets a process work off what it was asked, and what it is asked
// meanwhile, and ends it where it crashes.
func (w *simWorld) pump(r *simReplica) {
	for w.work(r) {
	}
	asked := r.meanwhile
	r.meanwhile = nil
	for _, q := range asked {
		<-q.done
		w.answered(q)
	}
}

// work does a batch of a process's, if there is one: refusals, or orders.
func (w *simWorld) work(r *simReplica) bool {
	if len(r.alloc.refusing.orders) > 0 {
		w.refuse(r)
		return true
	}
	batch, left, _ := r.alloc.take()
	if len(batch) > 0 && !w.process(r, batch) {
		return false
	}
	return left > 0 || len(batch) > 0
}

// refuse lets a process answer a batch of refusals.
func (w *simWorld) refuse(r *simReplica) {
	batch, _ := r.alloc.refusing.take()
	from := len(w.open)
	w.open = append(w.open, batch...)
	r.refusing = true
	defer func() {
		p := recover()
		if _, crashed := p.(simCrash); p != nil && !crashed {
			panic(p)
		}
		if p != nil { // it has been started again
			w.abandon(w.open[from:])
		}
		w.open, r.refusing = w.open[:from], false
	}()
	r.alloc.refuse(slices.Clone(batch))
}

func drain(wake chan struct{}) {
	select {
	case <-wake:
	default:
	}
}

// simMeanwhile is in how many of a thousand cases a process that waits for the
// database is asked something.
const simMeanwhile = 50

// askEarly asks for something while a process waits for the database to write a
// batch. What is refused then must not come from that batch.
func (w *simWorld) askEarly(r *simReplica, b *Batch) {
	if r.following || !w.chance(simMeanwhile) {
		return
	}
	w.meanwhile(r)
	if !w.given.hasty {
		w.refuseAll(r)
		return
	}
	hidden := map[*entry][]Change{}
	for i := range b.Events {
		e := r.alloc.entries[b.Events[i].EventID]
		hidden[e], e.changed = e.changed, nil
	}
	w.refuseAll(r)
	for e, changed := range hidden {
		e.changed = changed
	}
}

// beside lets something happen while a process waits for what proves its
// refusals: in its own worker, or in another process.
func (w *simWorld) beside(r *simReplica) {
	w.interleave(r)
	if r.working || r.following || !w.chance(simMeanwhile) {
		return
	}
	w.meanwhile(r)
	batch, _, _ := r.alloc.take()
	if len(batch) == 0 {
		return
	}
	w.meet("decided beside a refusal")
	r.refusing = false
	if !w.process(r, batch) {
		panic(simCrash{})
	}
	r.refusing = true
}

// meanwhile sends a few orders to a process that is at something. Who was
// answered just now has taken the answer before: a seed means one thing.
func (w *simWorld) meanwhile(r *simReplica) {
	synctest.Wait()
	for range 1 + w.rnd.IntN(2) {
		q := w.request(r)
		r.meanwhile = append(r.meanwhile, q)
		w.ask(q)
	}
}

// refuseAll lets a process answer all refusals that wait.
func (w *simWorld) refuseAll(r *simReplica) {
	for len(r.alloc.refusing.orders) > 0 {
		w.refuse(r)
	}
}

func (w *simWorld) process(r *simReplica, batch []*request) (lives bool) {
	from := len(w.open)
	r.working = true
	w.open = append(w.open, batch...)
	defer func() {
		p := recover()
		if _, crashed := p.(simCrash); p != nil && !crashed {
			panic(p)
		}
		if p != nil {
			w.tell("  %s crashes", r.name)
			w.abandon(w.open[from:])
			w.end(r)
			w.start(r)
		}
		w.open, lives, r.working = w.open[:from], p == nil, false
	}()
	r.alloc.process(slices.Clone(batch))
	return true
}

// errSimCrashed is what a client has of a process that ended.
var errSimCrashed = errors.New("simulated: the process ended")

// abandon ends the waiting of those whose process has ended.
func (w *simWorld) abandon(batch []*request) {
	for _, r := range batch {
		select {
		case <-r.done:
		default:
			r.answer = Answer{Err: errSimCrashed}
			close(r.done)
		}
	}
}

// end ends the waiting for a process that is no more.
func (w *simWorld) end(r *simReplica) {
	w.abandon(r.alloc.queue)
	w.abandon(r.alloc.refusing.orders)
}

// release lets go whoever waits for an answer, at the end of a run.
func (w *simWorld) release() {
	w.abandon(w.open)
	for _, r := range w.replicas {
		w.end(r)
	}
}

// rush sends some orders to a process at the same time.
func (w *simWorld) rush(r *simReplica) {
	w.busy = append(w.busy, r)
	defer func() { w.busy = w.busy[:len(w.busy)-1] }()
	var asked []*simRequest
	for range 1 + w.rnd.IntN(1+w.rnd.IntN(4)) {
		q := w.request(r)
		asked = append(asked, q)
		w.ask(q)
	}
	w.pump(r)
	for _, q := range asked {
		<-q.done
		w.answered(q)
	}
}
