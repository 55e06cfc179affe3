//go:build linux

package house

import (
	"testing"

	"happening/internal/booking/simtest"
)

// What clients are told of seats in each way in which a sale can go wrong is
// noticed, and the truth is not.
func TestHistoriesFindForgeries(t *testing.T) {
	t.Parallel()
	const ada, bob, cem = "order-1", "order-2", "order-3" // ada books and cancels, bob waits, cem is refused
	truth := func() (*Ledger, []change) {
		l, who := NewLedger(), &Person{}
		told := func(o *Order, asked, answered int64) {
			o.Told, o.asked, o.sent, o.answered = &Booking{}, asked, asked, answered
		}
		told(l.Book(who, "e", 1), 10, 20)
		told(l.Book(who, "e", 1), 30, 40)
		refused := l.Seats(who, "e", 1, 2)
		refused.Refused, refused.gone, refused.sent, refused.answered = seatsUnavailable, []int{1}, 42, 44
		told(l.Cancel(who, "a"), 50, 60)
		for _, at := range []int64{1, 22, 45, 70} {
			sold := uint64(1)
			if at == 1 {
				sold = 0
			}
			l.readings = append(l.readings, reading{eventID: "e", at: simtest.Span{Asked: at, Told: at + 2}, sold: []uint64{sold}})
		}
		return l, []change{
			{"e", "a", ada, nil, []int{1}},
			{"e", "a", "order-4", []int{1}, nil},
			{"e", "b", bob, nil, nil},
			{"e", "b", "", nil, []int{1}}, // promoted
		}
	}
	for name, c := range map[string]struct {
		forge   func(l *Ledger, record []change) []change
		illegal bool
	}{
		"the truth": {func(_ *Ledger, record []change) []change { return record }, false},
		"an answer that is late, but in time": {func(l *Ledger, record []change) []change {
			l.orders[0].answered = 41
			return record
		}, false},
		"an outcome that stayed unknown": {func(l *Ledger, record []change) []change {
			l.orders[3].Told, l.orders[3].Unknown = nil, true
			return record
		}, false},
		"shown free after it was sold": {func(l *Ledger, record []change) []change {
			l.readings[2].sold = []uint64{0}
			return record
		}, true},
		"shown sold before anybody asked": {func(l *Ledger, record []change) []change {
			l.readings[0].sold = []uint64{1}
			return record
		}, true},
		"shown sold and never was": {func(l *Ledger, record []change) []change {
			l.readings[1].sold = []uint64{0b101}
			return record
		}, true},
		"shown sold after it was given up to nobody": {func(l *Ledger, record []change) []change {
			return record[:3]
		}, true},
		"refused while it was free": {func(l *Ledger, record []change) []change {
			l.orders[2].gone = []int{1, 2}
			return record
		}, true},
		"not refused though it was sold": {func(l *Ledger, record []change) []change {
			l.orders[2].gone = []int{2}
			return record
		}, true},
		"given up by the promoted before it was free": {func(l *Ledger, record []change) []change {
			o := l.Cancel(&Person{}, "b")
			o.Told, o.asked, o.sent, o.answered = &Booking{}, 46, 46, 48
			return append(record, change{"e", "b", o.Key, []int{1}, nil})
		}, true},
		"sold twice": {func(l *Ledger, record []change) []change {
			return append(record, change{"e", "c", cem, nil, []int{1}})
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			l, record := truth()
			record = c.forge(l, record)
			if illegal := l.history(record).Illegal(); (len(illegal) > 0) != c.illegal {
				t.Errorf("illegal are %v", illegal)
			}
		})
	}
}
