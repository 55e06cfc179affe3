package booking

import (
	"slices"
	"sync"

	"github.com/google/uuid"

	"happening/internal/event"
)

// Live is what is committed of one event: what readers are shown and what
// cheap checks ask. Seats that a batch has decided on but not yet written are
// not in it.
type Live struct {
	mu        sync.RWMutex
	eventID   uuid.UUID
	orgID     uuid.UUID
	name      string
	venue     string
	settings  event.Settings
	version   int64
	available int32
	waiting   int32
	layout    *event.Layout
	sold      SeatBits
	blocked   SeatBits
	loaded    bool
}

// LiveEvent is a consistent reading of a Live without its seats.
type LiveEvent struct {
	EventID, OrgID uuid.UUID
	event.Settings
	Version        int64
	Available      int32
	WaitingParties int32
}

// reset takes everything over from an inventory without undecided changes.
func (l *Live) reset(inv *Inventory) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.orgID = inv.OrgID
	l.layout = inv.layout
	l.sold, l.blocked = slices.Clone(inv.seats.sold), slices.Clone(inv.seats.blocked)
	l.figures(inv)
	l.loaded = true
}

// advance takes over what a committed batch changed, of seats that are still
// the same.
func (l *Live) advance(inv *Inventory, changes []Change, blocks ...Blocks) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range changes {
		l.sold.remove(changes[i].Before.SeatNumbers)
		l.sold.add(changes[i].After.SeatNumbers)
	}
	for i := range blocks {
		l.blocked.add(blocks[i].Blocked)
		l.blocked.remove(blocks[i].Unblocked)
	}
	l.figures(inv)
}

func (l *Live) figures(inv *Inventory) {
	l.name, l.venue = inv.name, inv.venue
	l.settings, l.version = inv.Settings, inv.Version
	l.available, l.waiting = inv.Available(), inv.WaitingParties()
}

// forget makes readers look elsewhere.
func (l *Live) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.loaded = false
}

// stands gives the version that readers are shown; false where they are shown
// none.
func (l *Live) stands() (version int64, loaded bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.version, l.loaded
}

// EventID is the event's id, which never changes.
func (l *Live) EventID() uuid.UUID { return l.eventID }

// Version is that of the event as readers are shown it.
func (l *Live) Version() int64 {
	version, _ := l.stands()
	return version
}

// Event reads settings and figures at one moment.
func (l *Live) Event() LiveEvent {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.event()
}

func (l *Live) event() LiveEvent {
	return LiveEvent{
		EventID: l.eventID, OrgID: l.orgID, Settings: l.settings, Version: l.version,
		Available: l.available, WaitingParties: l.waiting,
	}
}

// Brief is what is said of the event beside a booking.
func (l *Live) Brief() EventBrief {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return EventBrief{
		ID: l.eventID, OrgID: l.orgID, Name: l.name, Venue: l.venue,
		Visibility: l.settings.Visibility, Settings: l.settings,
	}
}

// Seats copies which seats are sold and which are off sale.
func (l *Live) Seats() (total int32, sold, blocked SeatBits, e LiveEvent) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.settings.TotalSlots, slices.Clone(l.sold), slices.Clone(l.blocked), l.event()
}

// Layout tells how the seats lie, nil for the default rows, with settings and
// figures of the same moment.
func (l *Live) Layout() (*event.Layout, LiveEvent) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.layout, l.event()
}

// Blocked lists the seats that are off sale, rising.
func (l *Live) Blocked() []int32 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.blocked.list()
}

// Taken says of each of the seats whether it is sold, and whether it is off
// sale; neither for seats that don't exist.
func (l *Live) Taken(seats []int32) (sold, blocked []bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	sold, blocked = make([]bool, len(seats)), make([]bool, len(seats))
	for i, s := range seats {
		if s >= 1 && s <= l.settings.TotalSlots {
			sold[i], blocked[i] = l.sold.has(s), l.blocked.has(s)
		}
	}
	return sold, blocked
}
