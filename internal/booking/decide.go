package booking

import (
	"errors"
	"time"

	"github.com/google/uuid"

	"happening/internal/event"
)

// Order is what somebody wants of one event. The kinds of orders are the
// types that implement it; Inventory.Decide is the one place that answers
// them.
type Order interface {
	decide(*decision) error
}

// decision is one order being answered against an inventory at a time.
type decision struct {
	inv     *Inventory
	now     time.Time
	holds   *Choices
	actor   uuid.UUID
	key     Key
	newID   func() uuid.UUID
	changes []Change
	// result is the index of the change that answers the caller, -1 where
	// none does.
	result int
	// more: promotions or closings stopped at PromotionsPerTx.
	more bool
	// blocks is what the order took off sale, and put on sale again; arranged,
	// that the seats are others, or lie elsewhere.
	blocks   Blocks
	arranged bool
}

// Decision is the answer to an order: what it changed, or why it was refused.
type Decision struct {
	Changes []Change
	Result  int   // index of the change that answers the caller, or -1
	More    bool  // promotions or closings are left for another order
	Refusal error // a fault; then nothing changed
	// Blocks is what was taken off sale, and put on sale again.
	Blocks Blocks
	// Arranged says that the seats are others than before, or lie elsewhere.
	Arranged bool
}

// Decide answers one order at a time and applies what it changes to the
// inventory, promotions included, and takes what it sold out of the choices. It looks at nothing but
// its arguments and draws ids only from newID: the same calls give the same
// answers.
func (inv *Inventory) Decide(now time.Time, holds *Choices, actor uuid.UUID, key Key, newID func() uuid.UUID, order Order) Decision {
	d := &decision{inv: inv, now: now, holds: holds, actor: actor, key: key, newID: newID, result: -1}
	if err := order.decide(d); err != nil {
		inv.Revert(d.changes)
		return Decision{Result: -1, Refusal: err}
	}
	return Decision{Changes: d.changes, Result: d.result, More: d.more, Blocks: d.blocks, Arranged: d.arranged}
}

// Revert undoes changes, last first, after their write failed.
func (inv *Inventory) Revert(changes []Change) {
	for i := len(changes) - 1; i >= 0; i-- {
		inv.revert(&changes[i])
	}
}

// change applies a change and keeps it.
func (d *decision) change(c Change) {
	c.ID = d.newID()
	c.At = d.now
	d.inv.apply(&c)
	d.holds.sold(c.After.SeatNumbers, c.UserID, c.Actor)
	if c.After.Status == Waiting {
		c.Position = int32(d.inv.rank(c.After.WaitingNumber)) + 1
	}
	d.changes = append(d.changes, c)
}

// answer applies the change that the caller asked for.
func (d *decision) answer(c Change) {
	c.Actor, c.Key = d.actor, d.key
	d.result = len(d.changes)
	d.change(c)
}

// Book asks for seats: those named, or the best of what there is. Where
// somebody else than the person asks, what they hold is free to this booking,
// too; all other rules of seats are those of the person.
type Book struct {
	UserID      uuid.UUID
	Seats       int32
	SeatNumbers []int32 // rising, distinct, len == Seats; none: choose
	Refuse      bool    // rather than wait
	Asked       uint64  // hash of what was asked for
	// Open says that the person was let in because the event was one for
	// everybody. Where it is not any more, access is to be checked anew.
	Open bool
	// For is the address by which somebody else books for the person.
	For string
}

// errAccess says that an order's access was checked on settings that have
// changed.
var errAccess = errors.New("booking: who may see the event has changed")

func (o Book) decide(d *decision) error {
	inv := d.inv
	if o.Open && membersOnly(&inv.Settings) {
		return errAccess
	}
	if inv.StatusAt(d.now) != event.Upcoming {
		return ErrNotBookable
	}
	if inv.OrgSuspended {
		return event.ErrOrgSuspended
	}
	if d.key.Value == "" {
		if booking, found := inv.sentTwice(o.UserID, o.Asked, d.now); found {
			return ErrDuplicate.With("booking_id", booking)
		}
	}
	if o.Seats > inv.seats.total { // fewer than when the request was checked
		return tooManySeats(inv.seats.total)
	}
	held := d.holds.seenByBoth(o.UserID, d.actor)
	strictQueue := inv.WaitlistPolicy == event.Strict && len(inv.waitlist) > 0
	// Who holds enough seats already is served with them, as if they were
	// named: the queue formed behind them.
	waits := len(o.SeatNumbers) == 0 && (inv.Available() < o.Seats || strictQueue && len(held.own) < int(o.Seats))
	if inv.MaxSeatsPerUser > 0 {
		mine := d.holds.byUser[o.UserID]
		counted := inv.persons[o.UserID] + o.Seats + int32(len(mine))
		if !waits {
			counted -= o.ownUsed(mine, &held)
		}
		if counted > inv.MaxSeatsPerUser {
			return ErrSeatLimit
		}
	}
	var seats []int32
	switch {
	case len(o.SeatNumbers) > 0:
		if err := o.explicit(inv, &held, strictQueue); err != nil {
			return err
		}
		seats = o.SeatNumbers
	case waits:
		if err := o.joins(inv); err != nil {
			return err
		}
		d.answer(Change{
			BookingID: d.newID(), UserID: o.UserID, Action: ActWaitlisted, CreatedAt: d.now, Asked: o.Asked, BookedFor: o.For,
			After: State{Status: Waiting, Seats: o.Seats, WaitingNumber: inv.LastWaiting + 1},
		})
		return nil
	default:
		if seats = inv.seats.best(o.Seats, &held); seats == nil {
			return ErrSeatsHeld.After(heldRetry)
		}
	}
	d.answer(Change{
		BookingID: d.newID(), UserID: o.UserID, Action: ActConfirmed, CreatedAt: d.now, Asked: o.Asked, BookedFor: o.For,
		After: State{Status: Confirmed, Seats: o.Seats, SeatNumbers: seats},
	})
	return nil
}

// joins says why a request can't wait, nil where it can. Where there is no
// waitlist, none is full.
func (o Book) joins(inv *Inventory) error {
	switch {
	case o.Refuse, inv.WaitlistLimit.NoWaitlist():
		return ErrSoldOut
	case inv.WaitlistLimit.Reached(inv.inLine()):
		return ErrWaitlistFull
	}
	return nil
}

// heldRetry is when it makes sense to ask again for seats that others hold.
const heldRetry = 10 * time.Second

// ownUsed is how many of the person's holds the booking will use: those count
// once against the limit.
func (o Book) ownUsed(mine []int32, held *heldSeats) int32 {
	chosen := o.SeatNumbers
	if len(chosen) == 0 {
		chosen = held.own[:min(len(held.own), int(o.Seats))]
	}
	used := int32(0)
	for _, s := range chosen {
		if contains(mine, s) {
			used++
		}
	}
	return used
}

// explicit checks the seats that a request names. While anyone waits under
// strict, only seats that the caller held before can be named.
func (o Book) explicit(inv *Inventory, held *heldSeats, strictQueue bool) error {
	var gone []int32
	for _, s := range o.SeatNumbers {
		if s > inv.seats.total || inv.seats.has(s) || held.has(s) {
			gone = append(gone, s)
		}
	}
	if len(gone) > 0 {
		return ErrSeatsUnavailable.With("seat_numbers", gone)
	}
	if strictQueue {
		for _, s := range o.SeatNumbers {
			if !contains(held.own, s) {
				return ErrWaitlist
			}
		}
	}
	return nil
}

// Cancel gives a booking up.
type Cancel struct{ BookingID uuid.UUID }

func (o Cancel) decide(d *decision) error {
	p, err := d.changeable(o.BookingID)
	if err != nil {
		return err
	}
	d.answer(d.cancelled(p, ""))
	d.promote()
	return nil
}

// changeable finds a live booking that may still be changed.
func (d *decision) changeable(id uuid.UUID) (*Party, error) {
	switch d.inv.StatusAt(d.now) {
	case event.Upcoming:
	case event.Cancelled:
		return nil, ErrAlreadyCancelled
	default:
		return nil, ErrNotBookable
	}
	p, ok := d.inv.live[id]
	if !ok || d.inv.tooLarge(p) {
		return nil, ErrAlreadyCancelled
	}
	return p, nil
}

// cancelled is the change that ends a live booking.
func (d *decision) cancelled(p *Party, reason string) Change {
	after := p.State
	after.Status, after.SeatNumbers, after.Reason = Cancelled, nil, reason
	return Change{
		BookingID: p.ID, UserID: p.UserID, Action: ActCancelled, CreatedAt: p.CreatedAt,
		Before: p.State, After: after,
	}
}

// CancelSeats gives some seats of a confirmed booking back; all of them
// cancel it.
type CancelSeats struct {
	BookingID   uuid.UUID
	SeatNumbers []int32 // rising, distinct
}

func (o CancelSeats) decide(d *decision) error {
	p, err := d.changeable(o.BookingID)
	if err != nil {
		return err
	}
	if p.Status != Confirmed {
		return ErrNotSeats
	}
	kept := make([]int32, 0, len(p.SeatNumbers))
	for _, s := range p.SeatNumbers {
		if !contains(o.SeatNumbers, s) {
			kept = append(kept, s)
		}
	}
	if len(kept)+len(o.SeatNumbers) != len(p.SeatNumbers) {
		return ErrNotSeats
	}
	if len(kept) == 0 {
		d.answer(d.cancelled(p, ""))
	} else {
		after := p.State
		after.Seats, after.SeatNumbers = int32(len(kept)), kept
		d.answer(Change{
			BookingID: p.ID, UserID: p.UserID, Action: ActSeatsCancelled, CreatedAt: p.CreatedAt,
			Before: p.State, After: after,
		})
	}
	d.promote()
	return nil
}

// Shrink gives some seats of a waiting party up, which keeps its number; all of
// them cancel it. A smaller party at the head may fit at once.
type Shrink struct {
	BookingID uuid.UUID
	Seats     int32 // by how many; at least one
}

func (o Shrink) decide(d *decision) error {
	p, err := d.changeable(o.BookingID)
	if err != nil {
		return err
	}
	switch {
	case p.Status != Waiting:
		return ErrNotWaiting
	case o.Seats > p.Seats:
		return ErrNotSeats
	case o.Seats == p.Seats:
		d.answer(d.cancelled(p, ""))
	default:
		after := p.State
		after.Seats -= o.Seats
		d.answer(Change{
			BookingID: p.ID, UserID: p.UserID, Action: ActResized, CreatedAt: p.CreatedAt,
			Before: p.State, After: after,
		})
	}
	d.promote()
	return nil
}

// Promote serves the waitlist as far as the policy lets: after a hold ended,
// and as a sweep.
type Promote struct{}

func (Promote) decide(d *decision) error {
	d.promote()
	return nil
}

// promote gives free seats to those who wait, in the same transaction as the
// change that freed them. Held seats are skipped; a party is never split. While
// the organization is suspended all wait: one may still cancel, and what that
// freed is given by the sweep once the organization has been resumed.
func (d *decision) promote() {
	inv := d.inv
	if inv.StatusAt(d.now) != event.Upcoming || inv.OrgSuspended {
		return
	}
	served := 0
	for i := 0; i < len(inv.waitlist) && inv.Available() > 0; {
		if served == inv.perTx {
			d.more = true
			return
		}
		p := inv.waitlist[i]
		var seats []int32
		if p.Seats <= inv.Available() {
			held := d.holds.seenBy(p.UserID)
			seats = inv.seats.best(p.Seats, &held)
		}
		if seats == nil {
			if inv.WaitlistPolicy == event.Strict {
				return
			}
			i++
			continue
		}
		d.change(d.promoted(p, seats))
		served++
	}
}

// promoted is the change that gives a waiting party its seats.
func (d *decision) promoted(p *Party, seats []int32) Change {
	after := p.State
	after.Status, after.SeatNumbers = Confirmed, seats
	return Change{
		BookingID: p.ID, UserID: p.UserID, Action: ActPromoted, CreatedAt: p.CreatedAt,
		Before: p.State, After: after,
	}
}

// Close cancels live bookings that the event's state has overtaken, at most
// PromotionsPerTx at a time: parties that are too large for it by now; all of a
// cancelled event; who still waits at a started one.
type Close struct{}

func (Close) decide(d *decision) error {
	inv := d.inv
	room := inv.perTx - d.closeTooLarge()
	switch inv.StatusAt(d.now) {
	case event.Upcoming:
		d.more = len(inv.overtaken) > 0
	case event.Cancelled:
		if len(inv.overtaken) == 0 {
			for _, p := range inv.first(room) {
				d.change(d.cancelled(p, ReasonEventCancelled))
			}
		}
		d.more = len(inv.live) > 0
	default:
		for ; room > 0 && len(inv.waitlist) > 0; room-- {
			d.change(d.cancelled(inv.waitlist[0], ReasonEventStarted))
		}
		d.more = inv.WaitingParties() > 0
	}
	return nil
}

// closeTooLarge cancels parties that the event's capacity has overtaken, as many
// as one transaction may, and says how many.
func (d *decision) closeTooLarge() (closed int) {
	for ; closed < d.inv.perTx && len(d.inv.overtaken) > 0; closed++ {
		d.change(d.cancelled(d.inv.overtaken[0], ReasonCapacity))
	}
	return closed
}

// Reconfigure takes over what those who run the event changed: its settings, how
// its seats lie, which are off sale. A higher capacity serves the waitlist, a
// lower one cancels the parties that can never fit. Those
// that one transaction has no room for are none of the waitlist's any more; they
// have to be closed before the capacity is raised, since they were cancelled.
type Reconfigure struct {
	Settings event.Settings
	Layout   *event.Layout
	Blocks   Blocks
}

// errTooLargeLeft says that parties are still to be cancelled that an earlier
// capacity has overtaken.
var errTooLargeLeft = errors.New("booking: parties are left that an earlier capacity has overtaken")

func (o Reconfigure) decide(d *decision) error {
	inv := d.inv
	switch {
	case o.Settings.TotalSlots < inv.seats.sold.highest():
		return ErrCapacity
	case o.Settings.TotalSlots > inv.seats.total && len(inv.overtaken) > 0:
		return errTooLargeLeft
	}
	var gone []int32
	for _, s := range o.Blocks.Blocked {
		if s > inv.seats.total || inv.seats.sold.has(s) {
			gone = append(gone, s)
		}
	}
	if len(gone) > 0 {
		return ErrSeatsUnavailable.With("seat_numbers", gone)
	}
	d.blocks = o.Blocks
	inv.block([]Blocks{o.Blocks})
	inv.Settings = o.Settings
	if o.Settings.TotalSlots != inv.seats.total || o.Layout != inv.layout {
		d.arrange(o.Settings.TotalSlots, o.Layout)
	}
	d.holds.again(inv)
	d.closeTooLarge()
	d.promote()
	d.more = d.more || len(inv.overtaken) > 0
	return nil
}

// arrange lays the seats out anew. Blocks on seats that are no more end.
func (d *decision) arrange(total int32, layout *event.Layout) {
	inv := d.inv
	var beyond []int32
	for _, s := range inv.seats.blocked.list() {
		if s > total {
			beyond = append(beyond, s)
		}
	}
	inv.seats.unblock(beyond)
	d.blocks.Unblocked = append(d.blocks.Unblocked[:len(d.blocks.Unblocked):len(d.blocks.Unblocked)], beyond...)
	inv.arrange(total, layout)
	d.arranged = true
}
