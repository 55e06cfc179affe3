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
	"time"

	"github.com/google/uuid"

	"happening/internal/booking/simtest"
	"happening/internal/event"
	"happening/internal/fault"
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
}

// simRun is one going over of an event by a process: the orders of a batch
// decided one after the other on one version.
type simRun struct {
	event     uuid.UUID
	holds     []simtest.Hold
	begun     bool
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
	changed event.Event // what the edit came to, when it was tried last

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

// simConditions are how a run differs: all but plain take a guard away, to see
// the simulation fail.
type simConditions struct {
	plain       bool            // people book and cancel only; nothing is judged but what clients are told of seats
	unversioned bool            // optimistic writes are not checked
	blind       bool            // what was written is not found
	unfenced    bool            // nothing moves on after an unknown outcome
	guessing    bool            // an unknown outcome is taken for none
	keyless     bool            // keys are not known again
	trusting    bool            // refusals are not held against the database
	forgetful   bool            // catching up loses the last change
	sticky      bool            // what was not written is not undone
	mutant      func(*decision) // before each decision
	maimed      func(*decision) // after each decision
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
		StartsAt: w.now().Add(time.Duration(60+w.rnd.IntN(900)) * time.Second), TimeZone: "UTC",
		TotalSlots: w.total(), Visibility: event.Public, WaitlistPolicy: event.Strict,
	}
	e.EndsAt = e.StartsAt.Add(10 * time.Minute)
	if !w.given.plain {
		w.vary(&e)
	}
	e.AvailableSlots = e.TotalSlots
	w.books[e.ID] = &simBook{row: e, live: map[uuid.UUID]Party{}, sold: map[int32]uuid.UUID{}, model: simModelOf(e)}
	w.slots[slot] = e.ID
	w.tell("event %s: %d seats, at most %d each, %s, waitlist %+v", short(e.ID), e.TotalSlots, e.MaxSeatsPerUser, e.WaitlistPolicy, e.WaitlistLimit)
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

// runsOf gives the going over that each event of a batch comes from.
func (r *simReplica) runsOf(b *Batch) map[uuid.UUID]*simRun {
	runs := make(map[uuid.UUID]*simRun, len(b.Events))
	for i := range b.Events {
		e := &b.Events[i]
		run := r.runs[e.EventID]
		if run == nil || !run.begun {
			continue
		}
		if run.base != e.Version {
			r.w.failf("decided on version %d, written on %d", run.base, e.Version)
		}
		runs[e.EventID] = run
		for _, a := range run.attempts {
			if a.edit {
				r.w.judgeEdit(a, b)
			}
		}
	}
	return runs
}

// simOrder is an order that is judged whenever it is decided.
type simOrder struct {
	Order
	q *simRequest
}

func (o simOrder) decide(d *decision) error {
	w, q := o.q.w, o.q
	run := q.r.begin(q.eventID, d.inv)
	if w.given.mutant != nil {
		settings, now, holds := d.inv.Settings, d.now, d.holds
		w.given.mutant(d)
		defer func() { d.inv.Settings = settings }()
		err := o.Order.decide(d)
		d.inv.Settings, d.now, d.holds = settings, now, holds
		return w.decided(run, q, d, err)
	}
	err := o.Order.decide(d)
	if err == nil && w.given.maimed != nil {
		w.given.maimed(d)
	}
	return w.decided(run, q, d, err)
}

// begin gives the going over of an event that is under way.
func (r *simReplica) begin(id uuid.UUID, inv *Inventory) *simRun {
	w, run := r.w, r.runs[id]
	if run.begun {
		return run
	}
	book := w.books[id]
	run.begun, run.base, run.stale = true, inv.Version, inv.Version < book.row.Version
	switch {
	case w.given.plain:
		run.stale = true // as if: it is not judged
	case inv.Version > book.row.Version:
		w.failf("the inventory has version %d, written are %d", inv.Version, book.row.Version)
	case run.stale:
		w.meet("decided on an old version")
	default:
		run.model = book.model.Clone()
		run.model.Forget(w.now().Add(-time.Second)) // clocks differ a little
		run.holds = slices.DeleteFunc(run.holds, func(h simtest.Hold) bool { return run.model.Owner(h.Seat) != uuid.Nil })
		w.compare(inv, run.model)
	}
	return run
}

// decided judges a decision by the model of the version that it was made on.
// One on an old version must come to nothing, which is judged by the answer.
func (w *simWorld) decided(run *simRun, q *simRequest, d *decision, err error) error {
	a := &simAttempt{request: q, run: run, refusal: simCode(err), result: d.result}
	if err == nil {
		a.changes = d.changes
	}
	q.attempt, run.attempts = a, append(run.attempts, a)
	run.changed = run.changed || len(a.changes) > 0
	if run.stale {
		return err
	}
	told := simTold(d.changes, err, d.more)
	if err != nil {
		told.Steps = nil // reverted in a moment
	}
	if wrong := w.judge(run, q.order, q.actor, d.now, q.key.Value != "", told); wrong != nil {
		w.failf("%s on version %d: %v", q, run.base, wrong)
	}
	if err == nil {
		w.compare(d.inv, run.model)
	}
	run.sold(a.changes)
	return err
}

// sold ends the holds on seats that were sold.
func (run *simRun) sold(changes []Change) {
	for i := range changes {
		for _, s := range changes[i].After.SeatNumbers {
			run.holds = slices.DeleteFunc(run.holds, func(h simtest.Hold) bool { return h.Seat == s })
		}
	}
}

// judge asks the model about an order; a new kind of order gets its line here,
// and its draw in order.
func (w *simWorld) judge(run *simRun, order Order, actor uuid.UUID, now time.Time, keyed bool, told simtest.Told) error {
	at := simtest.Moment{Now: now, Holds: run.holds}
	switch o := order.(type) {
	case Book:
		return run.model.Book(at, simtest.Wish{
			Person: o.UserID, Size: o.Seats, Named: o.SeatNumbers, Refuse: o.Refuse, What: o.Asked, Keyed: keyed, Public: o.Open,
		}, told)
	case Cancel:
		return run.model.Cancel(at, o.BookingID, told)
	case CancelSeats:
		return run.model.CancelSeats(at, o.BookingID, o.SeatNumbers, told)
	case Shrink:
		return run.model.Shrink(at, o.BookingID, o.Seats, told)
	case PromoteByHand:
		return run.model.PromoteByHand(at, o.BookingID, told)
	case Move:
		return run.model.Move(at, actor, o.BookingID, o.SeatNumbers, told)
	case Promote:
		return run.model.Promote(at, told)
	case Close:
		return run.model.Close(at, told)
	case GiveUp:
		return run.model.GiveUp(at, o.UserID, told)
	default:
		return fmt.Errorf("the model does not know %T", order)
	}
}

// judgeEdit judges changed settings, which are decided alone and under a lock.
func (w *simWorld) judgeEdit(a *simAttempt, b *Batch) {
	if a.run.model == nil || len(a.run.attempts) != 1 {
		w.failf("an edit was not alone, or not decided under a lock")
	}
	if a.changes != nil {
		return // the same batch, once more
	}
	told := simTold(b.Changes, nil, false)
	if b.Edit == nil {
		told.Refusal = ErrCapacity.Code
	}
	wrong := a.run.model.Reconfigure(simtest.Moment{Now: w.now().Add(a.request.r.skew), Holds: a.run.holds}, *simModelOf(a.request.changed), told)
	if wrong != nil {
		w.failf("%s: %v", a.request, wrong)
	}
	if a.refusal = told.Refusal; a.refusal == "" {
		a.changes, a.run.changed = append([]Change{}, b.Changes...), true
		a.run.sold(a.changes)
	} else {
		a.changes = []Change{}
		a.edit = false
	}
}

func simTold(changes []Change, err error, more bool) simtest.Told {
	told := simtest.Told{Refusal: simCode(err), More: more}
	var f *fault.Error
	if errors.As(err, &f) {
		told.Gone, _ = f.Extra["seat_numbers"].([]int32)
	}
	for i := range changes {
		c := &changes[i]
		told.Steps = append(told.Steps, simtest.Step{
			What: string(c.Action), Reason: c.After.Reason, ByHand: c.ByHand, Place: c.Position,
			Party: simtest.Party{ID: c.BookingID, Person: c.UserID, Size: c.After.Seats, Seats: c.After.SeatNumbers, Number: c.After.WaitingNumber},
		})
	}
	return told
}

// simCode gives what a client branches on.
func simCode(err error) string {
	var f *fault.Error
	switch {
	case err == nil:
		return ""
	case errors.Is(err, errAccess):
		return "access"
	case errors.As(err, &f):
		return f.Code
	default:
		return err.Error()
	}
}

// compare holds an inventory against the model, whole.
func (w *simWorld) compare(inv *Inventory, m *simtest.Model) {
	if inv.seats.total != m.Total || inv.Available() != m.Free() || inv.LastWaiting != m.WaitingNumbers() || len(inv.live) != len(m.Live()) {
		w.failf("the inventory has %d of %d seats, %d numbers, %d bookings; the model %d of %d, %d and %d", inv.Available(), inv.seats.total,
			inv.LastWaiting, len(inv.live), m.Free(), m.Total, m.WaitingNumbers(), len(m.Live()))
	}
	for seat := int32(1); seat <= m.Total; seat++ {
		if inv.seats.has(seat) != (m.Owner(seat) != uuid.Nil) {
			w.failf("seat %d is taken: %v, in the model %v", seat, inv.seats.has(seat), m.Owner(seat) != uuid.Nil)
		}
	}
	for i := range m.Live() {
		p := &m.Live()[i]
		is := inv.live[p.ID]
		if is == nil || is.UserID != p.Person || is.Seats != p.Size || is.WaitingNumber != p.Number ||
			(is.Status == Waiting) != p.Waits() || !slices.Equal(is.SeatNumbers, p.Seats) {
			w.failf("the inventory has %+v, the model %+v", is, p)
		}
		if inv.persons[p.Person] != m.Of(p.Person) {
			w.failf("%s has %d seats, in the model %d", short(p.Person), inv.persons[p.Person], m.Of(p.Person))
		}
	}
	waiting := m.Waiting()
	if len(waiting) != len(inv.waitlist) {
		w.failf("%d wait, in the model %d", len(inv.waitlist), len(waiting))
	}
	for i := range waiting {
		if inv.waitlist[i].ID != waiting[i].ID {
			w.failf("at place %d waits %s, in the model %s", i+1, short(inv.waitlist[i].ID), short(waiting[i].ID))
		}
	}
}

// compareAll holds everything that is in memory at the newest version against
// the models, and what readers are shown.
func (w *simWorld) compareAll() {
	if w.given.plain {
		return
	}
	for _, r := range w.replicas {
		for _, id := range w.slots {
			e, book := r.alloc.entries[id], w.books[id]
			if e == nil || e.inv == nil {
				continue
			}
			live := e.live.Event()
			if live.Version != e.inv.Version || live.Available != e.inv.Available() {
				w.failf("%s shows version %d with %d seats, and decides on %d with %d", r.name, live.Version, live.Available, e.inv.Version, e.inv.Available())
			}
			if e.inv.Version != book.row.Version {
				continue
			}
			w.compare(e.inv, book.model)
			if !slices.Equal(e.live.rows, e.inv.seats.rows) {
				w.failf("%s shows other seats as sold than it decides on", r.name)
			}
		}
	}
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
		what = fmt.Sprintf("edit to %d seats, at most %d, %s", q.changed.TotalSlots, q.changed.MaxSeatsPerUser, q.changed.WaitlistPolicy)
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
			w.meet("given up while queued")
			q.gaveUp = true
			cancel()
			<-q.done
		}
	case <-q.done:
	}
}

// editFunc makes the change of settings as the use case does.
func (q *simRequest) editFunc(id uuid.UUID) EditFunc {
	return func(current event.Event, now time.Time) (event.Event, *Edit, error) {
		if !current.CancelledAt.IsZero() {
			return event.Event{}, nil, event.ErrCancelled
		}
		q.changed = q.edit(current)
		q.changed.Revision++
		run := q.r.begin(q.eventID, q.r.alloc.entries[q.eventID].inv)
		q.attempt = &simAttempt{request: q, run: run, edit: true}
		run.attempts = append(run.attempts, q.attempt)
		return q.changed, &Edit{FactID: id, ActorID: q.actor, At: now}, nil
	}
}

// pump lets a process work off its queue, and ends it where it crashes.
func (w *simWorld) pump(r *simReplica) {
	for {
		batch, left, _ := r.alloc.take()
		if len(batch) > 0 && !w.process(r, batch) {
			return
		}
		if left == 0 {
			return
		}
	}
}

func (w *simWorld) process(r *simReplica, batch []*request) (lives bool) {
	from := len(w.open)
	w.open = append(w.open, batch...)
	defer func() {
		p := recover()
		if _, crashed := p.(simCrash); p != nil && !crashed {
			panic(p)
		}
		if p != nil {
			w.tell("  %s crashes", r.name)
			w.abandon(w.open[from:])
			w.abandon(r.alloc.queue)
			w.start(r)
		}
		w.open, lives = w.open[:from], p == nil
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
