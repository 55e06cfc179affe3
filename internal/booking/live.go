package booking

import (
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
	settings  event.Settings
	version   int64
	available int32
	waiting   int32
	rows      []uint32
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
	l.rows = append(l.rows[:0:0], inv.seats.rows...)
	l.figures(inv)
	l.loaded = true
}

// advance takes over what a committed batch changed.
func (l *Live) advance(inv *Inventory, changes []Change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range changes {
		for _, s := range changes[i].Before.SeatNumbers {
			row, bit := place(s)
			l.rows[row] &^= bit
		}
		for _, s := range changes[i].After.SeatNumbers {
			row, bit := place(s)
			l.rows[row] |= bit
		}
	}
	l.figures(inv)
}

func (l *Live) figures(inv *Inventory) {
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

// Event reads settings and figures at one moment.
func (l *Live) Event() LiveEvent {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return LiveEvent{
		EventID: l.eventID, OrgID: l.orgID, Settings: l.settings, Version: l.version,
		Available: l.available, WaitingParties: l.waiting,
	}
}

// Rows copies the sold seats: a mask per row of RowSeats, the row's first
// seat in the lowest bit.
func (l *Live) Rows() (total int32, rows []uint32, e LiveEvent) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.settings.TotalSlots, append([]uint32(nil), l.rows...), LiveEvent{
		EventID: l.eventID, OrgID: l.orgID, Settings: l.settings, Version: l.version,
		Available: l.available, WaitingParties: l.waiting,
	}
}

// Sold says of each of the seats whether it is sold; false for seats that
// don't exist.
func (l *Live) Sold(seats []int32) []bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	sold := make([]bool, len(seats))
	for i, s := range seats {
		if s >= 1 && s <= l.settings.TotalSlots {
			row, bit := place(s)
			sold[i] = l.rows[row]&bit != 0
		}
	}
	return sold
}

// RowSeats is how many seats a row of Live.Rows has.
const RowSeats = rowSeats
