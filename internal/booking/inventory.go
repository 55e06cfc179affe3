package booking

import (
	"cmp"
	"slices"
	"sort"
	"time"

	"github.com/google/uuid"

	"happening/internal/event"
)

// Party is a live booking as the inventory keeps it.
type Party struct {
	ID        uuid.UUID
	UserID    uuid.UUID
	CreatedAt time.Time
	State

	at int // its place in Inventory.parties
}

// Inventory is everything of one event that the booking rules read, in
// memory: the seats, the live bookings, each person's count, the waitlist in
// order, the settings. It changes by applying Changes only, each of which can
// be reverted, so that a batch whose write failed leaves no trace.
//
// An Inventory is not safe for concurrent use.
type Inventory struct {
	EventID     uuid.UUID
	OrgID       uuid.UUID
	Version     int64
	LastWaiting int64
	event.Settings

	// row is the whole event as it was last locked, for edits.
	row *event.Event

	// name and venue are what answers say of the event.
	name, venue string

	layout   *event.Layout
	seats    seatMap
	live     map[uuid.UUID]*Party
	parties  []*Party            // the live ones in an order that follows from what happened
	persons  map[uuid.UUID]int32 // confirmed and waiting seats
	waitlist []*Party            // by rising WaitingNumber
	// overtaken wait, too, by rising WaitingNumber, and are larger than the
	// event by now: they are to be cancelled and in nobody's way meanwhile.
	overtaken []*Party
	asked     map[uuid.UUID][]asked // each person's bookings of the last seconds
	newest    IDTick                // the highest id drawn for the event
	// perTx is PromotionsPerTx, or less in simulations.
	perTx int
}

// asked remembers what a person asked for, to notice a double submit.
type asked struct {
	hash    uint64
	booking uuid.UUID
	at      time.Time
}

// NewInventory makes the inventory of an event from what is stored: the
// event's row, the highest waiting number given and the live bookings in any
// order.
func NewInventory(e event.Event, lastWaiting int64, parties []Party) *Inventory {
	inv := &Inventory{
		EventID: e.ID, OrgID: e.OrgID, Version: e.Version, LastWaiting: lastWaiting,
		Settings: e.Settings,
		name:     e.Name, venue: e.Venue,
		layout:  e.Layout,
		seats:   newSeatMap(e.TotalSlots, e.Layout),
		live:    make(map[uuid.UUID]*Party, len(parties)),
		persons: make(map[uuid.UUID]int32, len(parties)),
		asked:   make(map[uuid.UUID][]asked),
		perTx:   PromotionsPerTx,
	}
	sort.Slice(parties, func(i, j int) bool { return parties[i].WaitingNumber < parties[j].WaitingNumber })
	for i := range parties {
		inv.add(&parties[i])
	}
	return inv
}

// inventory makes the inventory of an event that was read whole, with what
// people have asked for just now, so that a request that is sent again is
// noticed also by a process that begins.
func (f *FreshEvent) inventory() *Inventory {
	inv := NewInventory(f.Event, f.LastWaiting, f.Parties)
	inv.block(f.Blocks)
	for i := range f.Recent {
		inv.recall(&f.Recent[i])
	}
	inv.newest = f.Newest
	return inv
}

// catchUp applies what the event has been through since the inventory's
// version.
func (inv *Inventory) catchUp(f *FreshEvent) {
	for i := range f.Changes {
		inv.apply(&f.Changes[i])
	}
	// What is sold and what is blocked are kept apart, so that it is the same
	// as if they had been applied in turn.
	inv.block(f.Blocks)
	inv.describe(&f.Event)
	inv.Version, inv.LastWaiting = f.Event.Version, f.LastWaiting
	inv.newest = max(inv.newest, f.Newest)
}

// describe takes over what is written of the event itself; its seats are others
// only where it is read whole.
func (inv *Inventory) describe(e *event.Event) {
	inv.Settings, inv.name, inv.venue = e.Settings, e.Name, e.Venue
}

// Available is how many seats are neither sold nor blocked.
func (inv *Inventory) Available() int32 { return inv.seats.total - inv.seats.taken }

// WaitingParties is how many bookings wait, those included that are too large
// for the event by now.
func (inv *Inventory) WaitingParties() int32 { return int32(len(inv.waitlist) + len(inv.overtaken)) }

// inLine is how many of them will be served in their turn.
func (inv *Inventory) inLine() int32 { return int32(len(inv.waitlist)) }

// tooLarge says whether a party waits in vain.
func (inv *Inventory) tooLarge(p *Party) bool {
	return p.Status == Waiting && p.Seats > inv.seats.total
}

// Live is how many bookings are confirmed or waiting.
func (inv *Inventory) Live() int { return len(inv.live) }

// SeatsOf is how many confirmed and waiting seats a person has.
func (inv *Inventory) SeatsOf(user uuid.UUID) int32 { return inv.persons[user] }

// block takes seats off sale and puts others on sale again, in order.
func (inv *Inventory) block(changes []Blocks) {
	for i := range changes {
		inv.seats.block(changes[i].Blocked)
		inv.seats.unblock(changes[i].Unblocked)
	}
}

// arrange lays the seats out anew, which may leave parties too large for them.
func (inv *Inventory) arrange(total int32, layout *event.Layout) {
	inv.layout = layout
	inv.seats.arrange(total, layout)
	waiting := inv.everyoneWaiting()
	inv.waitlist, inv.overtaken = nil, nil
	for _, p := range waiting {
		queue := inv.queueOf(p)
		*queue = append(*queue, p)
	}
}

// everyoneWaiting lists who waits, as they joined.
func (inv *Inventory) everyoneWaiting() []*Party {
	waiting := slices.Concat(inv.waitlist, inv.overtaken)
	if len(inv.overtaken) > 0 {
		slices.SortFunc(waiting, func(a, b *Party) int { return cmp.Compare(a.WaitingNumber, b.WaitingNumber) })
	}
	return waiting
}

// queueOf gives the list in which a party waits.
func (inv *Inventory) queueOf(p *Party) *[]*Party {
	if inv.tooLarge(p) {
		return &inv.overtaken
	}
	return &inv.waitlist
}

// apply makes a change true.
func (inv *Inventory) apply(c *Change) {
	inv.move(c, c.Before, c.After)
	inv.recall(c)
}

// revert undoes a change; changes are reverted last first.
func (inv *Inventory) revert(c *Change) {
	inv.move(c, c.After, c.Before)
	if c.Before.Status == "" {
		inv.forget(c.UserID, func(a asked) bool { return a.booking == c.BookingID })
	}
	if c.Before.Status == "" && c.After.Status == Waiting {
		inv.LastWaiting = c.After.WaitingNumber - 1
	}
}

func (inv *Inventory) move(c *Change, from, to State) {
	if from.Status == Confirmed || from.Status == Waiting {
		inv.remove(inv.live[c.BookingID])
	}
	if to.Status == Confirmed || to.Status == Waiting {
		inv.add(&Party{ID: c.BookingID, UserID: c.UserID, CreatedAt: c.CreatedAt, State: to})
	}
	if from.Status == "" && to.Status == Waiting && to.WaitingNumber > inv.LastWaiting {
		inv.LastWaiting = to.WaitingNumber
	}
}

// recall remembers what a person asked for.
func (inv *Inventory) recall(c *Change) {
	if c.Before.Status == "" && c.After.Status != "" && c.Asked != 0 {
		// Twice the window, since the clocks of two processes may differ a little.
		inv.forget(c.UserID, func(a asked) bool { return c.At.Sub(a.at).Abs() > 2*DuplicateWindow })
		inv.asked[c.UserID] = append(inv.asked[c.UserID], asked{hash: c.Asked, booking: c.BookingID, at: c.At})
	}
}

// sentTwice finds the live booking that the same person got for the same wish
// a moment ago. One that is far ahead is from before the clock was set back.
func (inv *Inventory) sentTwice(user uuid.UUID, hash uint64, now time.Time) (booking uuid.UUID, found bool) {
	for _, a := range inv.asked[user] {
		if a.hash == hash && now.Sub(a.at).Abs() < DuplicateWindow && inv.live[a.booking] != nil {
			return a.booking, true
		}
	}
	return uuid.Nil, false
}

// forget drops what a person has asked for.
func (inv *Inventory) forget(user uuid.UUID, which func(asked) bool) {
	if left := slices.DeleteFunc(inv.asked[user], which); len(left) > 0 {
		inv.asked[user] = left
	} else {
		delete(inv.asked, user)
	}
}

func (inv *Inventory) add(p *Party) {
	p.at = len(inv.parties)
	inv.parties = append(inv.parties, p)
	inv.live[p.ID] = p
	inv.persons[p.UserID] += p.Seats
	if p.Status == Confirmed {
		inv.seats.take(p.SeatNumbers)
		return
	}
	queue := inv.queueOf(p)
	*queue = slices.Insert(*queue, rankIn(*queue, p.WaitingNumber), p)
}

func (inv *Inventory) remove(p *Party) {
	last := len(inv.parties) - 1
	inv.parties[p.at], inv.parties[last].at = inv.parties[last], p.at
	inv.parties[last] = nil
	inv.parties = inv.parties[:last]
	delete(inv.live, p.ID)
	if left := inv.persons[p.UserID] - p.Seats; left > 0 {
		inv.persons[p.UserID] = left
	} else {
		delete(inv.persons, p.UserID)
	}
	if p.Status == Confirmed {
		inv.seats.free(p.SeatNumbers)
		return
	}
	queue := inv.queueOf(p)
	if at := rankIn(*queue, p.WaitingNumber); at == 0 {
		(*queue)[0] = nil
		*queue = (*queue)[1:]
	} else {
		*queue = append((*queue)[:at], (*queue)[at+1:]...)
	}
}

// rank is how many parties wait in line before the number.
func (inv *Inventory) rank(number int64) int { return rankIn(inv.waitlist, number) }

func rankIn(queue []*Party, number int64) int {
	return sort.Search(len(queue), func(i int) bool { return queue[i].WaitingNumber >= number })
}

// first gives n live bookings to be closed, fewer where there are no more:
// those that wait, in order, and then others. The same calls give the same
// answers, which a map would not, and it costs as much as what it gives, however
// many are left.
func (inv *Inventory) first(n int) []*Party {
	first := slices.Clone(inv.waitlist[:min(n, len(inv.waitlist))])
	for i := len(inv.parties) - 1; i >= 0 && len(first) < n; i-- {
		if p := inv.parties[i]; p.Status != Waiting { // who waits is there already
			first = append(first, p)
		}
	}
	return first
}

// moved lists who waits after the changes and had another place before: those
// behind the first that left the waitlist. Where the whole waitlist is closed
// nobody is told of a place that is none any more, and who is too large for an
// event left the line when its capacity was edited.
func (inv *Inventory) moved(changes []Change, edited bool) []uuid.UUID {
	first := len(inv.waitlist)
	for i := range changes {
		if reason := changes[i].After.Reason; reason == ReasonEventCancelled || reason == ReasonEventStarted || reason == ReasonCapacity && !edited {
			continue
		}
		if changes[i].Before.Status == Waiting && changes[i].After.Status != Waiting {
			first = min(first, inv.rank(changes[i].Before.WaitingNumber))
		}
	}
	var people []uuid.UUID
	for _, p := range inv.waitlist[first:min(len(inv.waitlist), first+movedMax)] {
		people = append(people, p.UserID)
	}
	return people
}

// forgetAsked drops what is too old to be a double submit.
func (inv *Inventory) forgetAsked(now time.Time) {
	for user := range inv.asked {
		inv.forget(user, func(a asked) bool { return now.Sub(a.at).Abs() > DuplicateWindow })
	}
}
