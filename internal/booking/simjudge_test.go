package booking

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"happening/internal/booking/simtest"
	"happening/internal/fault"
)

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

func (o simOrder) hopeless(live *Live, held *HoldView) bool {
	f, ok := o.Order.(foreseeable)
	return ok && f.hopeless(live, held)
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
	inv.perTx = w.perTx
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
	if run.early {
		w.meet("decided early")
		if err == nil {
			w.meet("not to be refused early")
		}
	} else {
		run.changed = run.changed || len(a.changes) > 0
	}
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
			Person: o.UserID, By: actor, Size: o.Seats, Named: o.SeatNumbers, Refuse: o.Refuse, What: o.Asked, Keyed: keyed, Public: o.Open,
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
	told.Silent = true
	if b.Edit == nil {
		told = simTold(nil, w.refusedEdit(), false)
	}
	next := simModelOf(a.request.changed)
	next.Off = slices.Clone(a.request.off)
	wrong := a.run.model.Reconfigure(simtest.Moment{Now: w.now().Add(a.request.r.skew), Holds: a.run.holds}, *next, told)
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

// refusedEdit gives why the edit that is being answered is refused.
func (w *simWorld) refusedEdit() error {
	for _, r := range w.open {
		select {
		case <-r.done: // another one, which has its answer
		default:
			if r.edit != nil && r.answer.Err != nil {
				return r.answer.Err
			}
		}
	}
	return nil
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

// simTooLargeLeft stands for errTooLargeLeft.
const simTooLargeLeft = "too_large_left"

// simCode gives what a client branches on.
func simCode(err error) string {
	var f *fault.Error
	switch {
	case err == nil:
		return ""
	case errors.Is(err, errAccess):
		return "access"
	case errors.Is(err, errTooLargeLeft):
		return simTooLargeLeft
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
		if sold, off := inv.seats.sold.has(seat), inv.seats.blocked.has(seat); sold != (m.Owner(seat) != uuid.Nil) || off != slices.Contains(m.Off, seat) {
			w.failf("seat %d is sold: %v, off sale: %v, in the model %v, %v", seat, sold, off, m.Owner(seat) != uuid.Nil, m.Off)
		}
		row, _ := inv.seats.place(seat)
		before, length := inv.seats.bounds(row)
		if first, last := m.RowOf(seat); before != first-1 || length != last-before {
			w.failf("the row of seat %d has %d seats after %d, in the model %d to %d", seat, length, before, first, last)
		}
	}
	for i, p := range inv.parties {
		if p.at != i || inv.live[p.ID] != p || len(inv.parties) != len(inv.live) {
			w.failf("%s stands at %d of %d, says %d", short(p.ID), i, len(inv.parties), p.at)
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
	for _, queue := range []struct {
		is   []*Party
		want []simtest.Party
	}{{inv.waitlist, m.Waiting()}, {inv.overtaken, m.Overtaken()}} {
		if len(queue.want) != len(queue.is) {
			w.failf("%d wait, in the model %d", len(queue.is), len(queue.want))
		}
		for i := range queue.want {
			if queue.is[i].ID != queue.want[i].ID {
				w.failf("at place %d waits %s, in the model %s", i+1, short(queue.is[i].ID), short(queue.want[i].ID))
			}
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
			if !slices.Equal(e.live.sold, e.inv.seats.sold) || !slices.Equal(e.live.blocked, e.inv.seats.blocked) {
				w.failf("%s shows other seats as sold or off sale than it decides on", r.name)
			}
		}
	}
}
