package booking

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"happening/internal/booking/simtest"
	"happening/internal/event"
	"happening/internal/fault"
)

// simWorldStream and simStepStream part the numbers that make a world from
// those of its steps: step i of a seed is the same whatever was left out
// before it.
const (
	simWorldStream = 1 << 62
	simStepStream  = 1 << 61
)

// simKeptPast bounds what the world remembers to ask for again.
const simKeptPast = 24

// step does the step of a number.
func (w *simWorld) step(i int) {
	w.pcg.Seed(w.seed, simStepStream+uint64(i))
	w.pause()
	for slot, id := range w.slots {
		if b := w.books[id]; b.row.CancelledAt.IsZero() && w.now().Before(b.row.StartsAt) || w.chance(900) {
			continue
		}
		w.newEvent(slot)
	}
	switch n := w.rnd.IntN(1000); {
	case n < 780:
		w.rush(pick(w, w.replicas))
	case n < 880:
		w.hold()
	case n < 890:
		w.follow(pick(w, w.replicas))
	case n < 900:
		pick(w, w.replicas).alloc.tidy()
	case n < 910:
		w.forgetDeltas()
	case n < 930:
		w.suspend()
	case n < 940:
		w.weather()
	case n < 950:
		w.crash()
	case n < 970:
		w.arrive(min(len(w.late), 1))
	default:
		w.resolve()
	}
	if len(w.late) > 0 && w.chance(300) {
		w.arrive(1)
	}
	w.compareAll()
}

// pause lets time go by: mostly little, so that requests are sent twice within
// seconds, at times so much that holds end and events begin.
func (w *simWorld) pause() {
	switch n := w.rnd.IntN(100); {
	case n < 50:
		time.Sleep(time.Duration(w.rnd.IntN(500)) * time.Millisecond)
	case n < 95:
		time.Sleep(w.pace(time.Duration(w.rnd.IntN(3000)) * time.Millisecond))
	case n < 99:
		time.Sleep(w.pace(time.Duration(w.rnd.IntN(30)) * time.Second))
	default:
		time.Sleep(w.pace(time.Duration(w.rnd.IntN(8)) * time.Minute))
	}
}

// request draws an order to a process.
func (w *simWorld) request(r *simReplica) *simRequest {
	if len(w.recent) > 0 && !w.given.plain && w.chance(120) {
		return w.again(r)
	}
	id := pick(w, w.slots)
	q := &simRequest{r: r, eventID: id, actor: pick(w, w.people)}
	if w.chance(4) {
		q.eventID = w.id() // there is no such event
	}
	w.order(q, w.books[id])
	if q.keyable() && w.chance(400) {
		q.key = Key{Value: fmt.Sprint("k", w.ids), Hash: w.id()}
	}
	w.recent = append(w.recent, q)
	if len(w.recent) > simKeptPast {
		w.recent = w.recent[1:]
	}
	return q
}

// keyable says whether the order is one that takes a key.
func (q *simRequest) keyable() bool {
	switch q.order.(type) {
	case Book, Cancel, CancelSeats, Shrink, PromoteByHand:
		return true
	}
	return false
}

// order draws what is asked for.
func (w *simWorld) order(q *simRequest, b *simBook) {
	size := 1 + w.rnd.Int32N(4)
	if w.chance(40) {
		size = 1 + w.rnd.Int32N(25)
	}
	if w.given.plain {
		size = 1 + w.rnd.Int32N(min(2, b.row.TotalSlots))
	}
	open := !membersOnly(&b.row.Settings) && w.chance(800)
	n := w.rnd.IntN(1000)
	if w.given.plain {
		n = []int{0, 500, 600, 700}[w.rnd.IntN(4)]
	}
	switch {
	case n < 430:
		q.order = Book{UserID: q.actor, Seats: size, Refuse: w.given.plain || w.chance(150), Open: open, Asked: simAsked(size, nil)}
		w.forSomebody(q)
	case n < 590:
		named := w.seats(b, size)
		q.order = Book{UserID: q.actor, Seats: int32(len(named)), SeatNumbers: named, Open: open, Asked: simAsked(size, named)}
		w.forSomebody(q)
	case n < 720:
		q.order = Cancel{BookingID: w.booking(b)}
	case n < 790:
		q.order = w.someSeats(b)
	case n < 820:
		q.order = Shrink{BookingID: w.booking(b), Seats: 1 + w.rnd.Int32N(3)}
	case n < 840:
		q.order = PromoteByHand{BookingID: w.booking(b)}
	case n < 870:
		q.order = w.move(b)
	case n < 930:
		q.actor, q.order = uuid.Nil, Promote{}
	case n < 950:
		q.actor, q.order = uuid.Nil, Close{}
	case n < 960:
		q.order = GiveUp{UserID: q.actor}
	case n < 987:
		q.edit = w.change()
	case n < 994:
		q.edit = func(e event.Event) event.Event { e.Revision--; return e }
		q.toggle = w.seats(b, 1+w.rnd.Int32N(6))
	default:
		q.edit = func(e event.Event) event.Event {
			e.CancelledAt = w.now()
			return e
		}
	}
}

// forSomebody makes a booking at times one that somebody else makes for the
// person, asking with what they themselves hold.
func (w *simWorld) forSomebody(q *simRequest) {
	if w.given.plain || !w.chance(200) {
		return
	}
	book := q.order.(Book)
	if book.UserID = pick(w, w.people); book.UserID == q.actor {
		return
	}
	book.For, book.Open = "somebody@people.test", false
	book.Asked = asksForOther(book.Asked, q.actor)
	q.order = book
	w.meet("booked for somebody")
}

// change draws changed settings.
func (w *simWorld) change() func(event.Event) event.Event {
	var drawn event.Event
	w.vary(&drawn)
	what, by := w.rnd.IntN(4), w.rnd.Int32N(12)-5
	lengths := w.lengths()
	return func(e event.Event) event.Event {
		switch what {
		case 0:
			e.TotalSlots = max(1, e.TotalSlots+by)
			if e.Layout != nil {
				e.Layout = simLayout(e.TotalSlots, lengths)
			}
		case 3:
			if e.Layout, e.LayoutRevision = nil, 0; lengths[0]%4 > 0 {
				e.TotalSlots, e.LayoutRevision = max(1, e.TotalSlots+by), e.Revision+1
				e.Layout = simLayout(e.TotalSlots, lengths)
			}
		case 1:
			e.MaxSeatsPerUser, e.WaitlistLimit, e.Visibility = drawn.MaxSeatsPerUser, drawn.WaitlistLimit, drawn.Visibility
		default:
			e.WaitlistPolicy = drawn.WaitlistPolicy
		}
		return e
	}
}

// lengths draws how long some rows are.
func (w *simWorld) lengths() []int32 {
	lengths := make([]int32, 1+w.rnd.IntN(5))
	for i := range lengths {
		lengths[i] = 1 + w.rnd.Int32N(8)
		if w.chance(100) {
			lengths[i] = 1 + w.rnd.Int32N(event.MaxRowSeats)
		}
	}
	return lengths
}

// simLayout lays seats out in rows of such lengths, over and over.
func simLayout(total int32, lengths []int32) *event.Layout {
	section := event.Section{}
	for i := 0; total > 0; i++ {
		row := min(total, lengths[i%len(lengths)])
		section.Rows = append(section.Rows, event.Row{Label: fmt.Sprint(i + 1), Seats: row})
		total -= row
	}
	layout, err := event.NewLayout([]event.Section{section})
	if err != nil {
		panic(err) // the lengths are drawn within its bounds
	}
	return layout
}

// seats draws seats of an event, rising: side by side, or anywhere.
func (w *simWorld) seats(b *simBook, size int32) []int32 {
	size = min(size, b.row.TotalSlots)
	first := 1 + w.rnd.Int32N(b.row.TotalSlots-size+1)
	seats := make([]int32, size)
	for i := range seats {
		seats[i] = first + int32(i)
	}
	if w.chance(300) {
		for i := range seats {
			seats[i] = 1 + w.rnd.Int32N(b.row.TotalSlots)
		}
		slices.Sort(seats)
		seats = slices.Compact(seats)
	}
	return seats
}

// booking draws a booking of an event, mostly a live one.
func (w *simWorld) booking(b *simBook) uuid.UUID {
	var live []uuid.UUID
	for id := range b.live {
		live = append(live, id)
	}
	slices.SortFunc(live, func(x, y uuid.UUID) int { return bytes.Compare(x[:], y[:]) })
	switch {
	case len(live) > 0 && w.chance(850):
		id := pick(w, live)
		if w.past = append(w.past, id); len(w.past) > simKeptPast {
			w.past = w.past[1:]
		}
		return id
	case len(w.past) > 0:
		return pick(w, w.past)
	default:
		return w.id()
	}
}

func (w *simWorld) someSeats(b *simBook) Order {
	o := CancelSeats{BookingID: w.booking(b)}
	for _, s := range b.live[o.BookingID].SeatNumbers {
		if w.chance(500) {
			o.SeatNumbers = append(o.SeatNumbers, s)
		}
	}
	if len(o.SeatNumbers) == 0 || w.chance(80) {
		o.SeatNumbers = w.seats(b, 1)
	}
	return o
}

// move draws other seats for a booking, some of them its own, at times one too
// many.
func (w *simWorld) move(b *simBook) Order {
	o := Move{BookingID: w.booking(b)}
	size := max(1, int32(len(b.live[o.BookingID].SeatNumbers)))
	if w.chance(50) {
		size++
	}
	o.SeatNumbers = w.seats(b, size)
	return o
}

// again sends what was sent before, as it was or slightly different.
func (w *simWorld) again(r *simReplica) *simRequest {
	old := pick(w, w.recent)
	q := &simRequest{r: r, eventID: old.eventID, actor: old.actor, key: old.key, order: old.order, edit: old.edit, toggle: old.toggle}
	switch book, isBook := q.order.(Book); {
	case q.key.Value == "":
	case w.chance(100) && isBook && book.SeatNumbers == nil:
		book.Seats++
		book.Asked = simAsked(book.Seats, nil)
		q.order, q.key.Hash = book, [16]byte{byte(book.Seats), 1}
	case w.chance(100):
		q.key = Key{}
	case w.chance(50):
		q.actor = pick(w, w.people) // somebody else's key
		if isBook && book.For == "" {
			book.UserID = q.actor
			q.order = book
		}
	}
	w.meet("sent again")
	return q
}

// resolve sends orders again whose outcome is not known to their clients.
func (w *simWorld) resolve() {
	if len(w.unknown) == 0 {
		return
	}
	at := w.rnd.IntN(len(w.unknown))
	old := w.unknown[at]
	w.unknown = slices.Delete(w.unknown, at, at+1)
	q := &simRequest{r: pick(w, w.replicas), eventID: old.eventID, actor: old.actor, key: old.key, order: old.order, since: old.began()}
	w.meet("resolved by its key")
	w.ask(q)
	w.pump(q.r)
	<-q.done
	w.answered(q)
}

// simAsked stands for the hash of what is asked for.
func simAsked(seats int32, named []int32) uint64 {
	h := uint64(seats)
	for _, n := range named {
		h = h*1099511628211 + uint64(n)
	}
	return h<<1 | 1
}

// hold lets people begin to choose seats, or stop.
func (w *simWorld) hold() {
	if w.given.plain {
		return
	}
	id := pick(w, w.slots)
	b := w.books[id]
	switch who := pick(w, w.people); {
	case w.chance(600):
		for _, s := range w.seats(b, 1+w.rnd.Int32N(4)) {
			taken := slices.ContainsFunc(w.holds.held[id], func(h simHold) bool { return h.Seat == s })
			if b.sold[s] == uuid.Nil && !taken {
				w.holds.held[id] = append(w.holds.held[id], simHold{simtest.Hold{Seat: s, Person: who}, w.now().Add(time.Duration(w.rnd.IntN(120)) * time.Second)})
				w.tell("hold %d at %s for %s", s, short(id), short(who))
			}
		}
	default:
		w.holds.held[id] = slices.DeleteFunc(w.holds.held[id], func(h simHold) bool { return h.Person == who || h.until.Before(w.now()) })
		r := pick(w, w.replicas)
		q := &simRequest{r: r, eventID: id, order: Promote{}}
		w.ask(q)
		w.pump(r)
		<-q.done
		w.answered(q)
	}
}

// follow lets a process read on what others have sold.
func (w *simWorld) follow(r *simReplica) {
	r.following = true
	defer func() { r.following = false }()
	done := make(chan error, 1)
	go func() { done <- r.alloc.CatchUpAll(context.Background()) }()
	for {
		select {
		case <-r.alloc.wake:
			w.pump(r)
		case err := <-done:
			if err != nil && !errors.Is(err, ErrUnreached) && !errors.Is(err, ErrAway) {
				w.failf("catching up: %v", err)
			}
			w.meet("caught up")
			return
		}
	}
}

// forgetDeltas purges half of what is kept of an event's versions, and nothing
// of the last seconds, as the real purge does.
func (w *simWorld) forgetDeltas() {
	b := w.books[pick(w, w.slots)]
	for i := range len(b.deltas) / 2 {
		if w.now().Sub(b.deltaAt[i]) > 2*DuplicateWindow {
			b.deltas[i] = nil
		}
	}
}

// suspend suspends an event's organization or resumes it, and tells the
// processes, or leaves it to them to find out. It does not last long.
func (w *simWorld) suspend() {
	b := w.books[pick(w, w.slots)]
	if !b.row.OrgSuspended && (w.given.plain || w.chance(700)) {
		return
	}
	b.row.OrgSuspended = !b.row.OrgSuspended
	b.model.Suspended = b.row.OrgSuspended
	b.row.Version++
	b.deltas = append(b.deltas, EncodeDelta(Delta{Newest: b.newest, Reload: true}))
	b.deltaAt = append(b.deltaAt, w.now())
	w.tell("organization of %s suspended: %v", short(b.row.ID), b.row.OrgSuspended)
	for _, r := range w.replicas {
		if e := r.alloc.entries[b.row.ID]; e != nil && (len(w.replicas) == 1 || w.chance(500)) {
			e.stand(map[uuid.UUID]bool{b.row.OrgID: b.row.OrgSuspended})
		}
	}
	if len(w.replicas) == 1 { // which has no reason to look after others
		faults, away := w.faults, w.away
		w.faults, w.away = 0, 0
		w.follow(w.replicas[0])
		w.faults, w.away = faults, away
	}
}

// weather changes what is away, and what the holds' store claims.
func (w *simWorld) weather() {
	w.holds.away = w.chance(300)
	if w.holds.lie = 0; w.chance(200) {
		w.holds.lie = w.rnd.Int64N(20)
	}
	if w.faults > 0 && w.chance(300) {
		w.away = w.rnd.IntN(300)
		w.meet("database away")
	}
}

// crash ends a process between two batches.
func (w *simWorld) crash() {
	r := pick(w, w.replicas)
	w.tell("%s ends", r.name)
	w.start(r)
}

// answered judges what a client is told.
func (w *simWorld) answered(q *simRequest) {
	q.cancel()
	w.clock++
	code := simCode(q.answer.Err)
	if w.trace != nil {
		w.tell("  %s: %s", q, simAnswer(q))
	}
	w.digestOf(q, code)
	w.meet("answered " + code)
	w.record(q, code)
	switch {
	case q.gaveUp:
		if !errors.Is(q.answer.Err, context.Canceled) || q.effects > 0 {
			w.failf("%s was given up, answered %v, written %d times", q, q.answer.Err, q.effects)
		}
		q.refused = true
	case errors.Is(q.answer.Err, errSimCrashed), code == ErrAway.Code:
		if q.key.Value != "" && q.order != nil {
			w.unknown = append(w.unknown, q)
		}
	case errors.Is(q.answer.Err, errSimRefused):
		if q.effects > 0 {
			w.failf("%s is refused by the database and written", q)
		}
		q.refused = true
	case w.given.plain:
	case q.key.Value != "" && w.replayed(q, code):
	case q.beside && code == ErrDuplicate.Code:
	default:
		w.decidedWell(q, code)
	}
}

// replayed says whether the answer is that of the key's first use; where the
// key was known when it was asked with, it has to be.
func (w *simWorld) replayed(q *simRequest, code string) bool {
	first, used := w.keys[KeyOf{q.actor, q.key.Value}]
	if !used || first.by == q {
		return false
	}
	right := code == ErrKeyReused.Code
	if first.stored.Hash == q.key.Hash {
		right = code == "" && sameBooking(q.answer.Booking, first.stored.Booking)
	}
	if !right && q.known && !q.beside {
		w.failf("%s is answered %s; the key's first use was answered %+v", q, simAnswer(q), first.stored)
	}
	if right {
		w.meet("answered from a key")
	}
	return right
}

func sameBooking(a, b Booking) bool {
	return a.ID == b.ID && a.OrgID == b.OrgID && a.EventID == b.EventID && a.UserID == b.UserID && sameState(a.State, b.State) && a.Position == b.Position
}

// decidedWell judges an answer by the decision that it comes from.
func (w *simWorld) decidedWell(q *simRequest, code string) {
	a := q.attempt
	switch {
	case w.books[q.eventID] == nil && code == fault.ErrNotFound.Code:
		return
	case q.edit != nil && errors.Is(q.answer.Err, event.ErrCancelled):
		if w.books[q.eventID].row.CancelledAt.IsZero() {
			w.failf("%s: %v, and it is not", q, q.answer.Err)
		}
		return
	case a == nil:
		w.failf("%s is answered %s, and nobody has decided that", q, simAnswer(q))
	case a.refusal != code:
		w.failf("%s is answered %s, decided was %q", q, simAnswer(q), a.refusal)
	case a.run.stale:
		w.failf("%s is answered %s from an old version", q, simAnswer(q))
	case a.run.changed && !a.run.committed:
		w.failf("%s is answered %s, which was not written", q, simAnswer(q))
	}
	want := 0
	if code == "" && (len(a.changes) > 0 || a.edit) {
		want = 1
	}
	if q.effects != want {
		w.failf("%s is answered %s and was written %d times", q, simAnswer(q), q.effects)
	}
	q.refused = code != ""
	if code == "" && a.result >= 0 && q.edit == nil {
		c := &a.changes[a.result]
		if b := q.answer.Booking; b.ID != c.BookingID || b.UserID != c.UserID || b.EventID != q.eventID || !sameState(b.State, c.After) || b.Position != c.Position {
			w.failf("%s is answered %+v, decided was %+v", q, b, c)
		}
	}
}

func simAnswer(q *simRequest) string {
	if q.answer.Err != nil {
		return simCode(q.answer.Err)
	}
	b := &q.answer.Booking
	return fmt.Sprintf("%s is %s, %d seats %v, number %d", short(b.ID), b.Status, b.Seats, b.SeatNumbers, b.WaitingNumber)
}

// digestOf adds an answer to what tells two runs of a seed apart; ids have
// random bits and are left out.
func (w *simWorld) digestOf(q *simRequest, code string) {
	b := &q.answer.Booking
	for _, c := range []byte(code) {
		w.mix(uint64(c))
	}
	for _, s := range b.SeatNumbers {
		w.mix(uint64(s))
	}
	w.mix(uint64(w.now().UnixNano()), uint64(b.Seats), uint64(b.WaitingNumber), uint64(b.Position), uint64(q.answer.Changed), uint64(q.effects))
}

// mix is a step of FNV-1a for whole words.
func (w *simWorld) mix(words ...uint64) {
	for _, word := range words {
		w.digest = (w.digest ^ word) * 1099511628211
	}
}
