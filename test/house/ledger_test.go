//go:build linux

package house

import "testing"

// A judge that finds nothing proves nothing: every way in which a sale can go
// wrong, forged, is told, and the truth is not.
func TestLedgerFindsForgeries(t *testing.T) {
	t.Parallel()
	seven := int64(7)
	truth := func() (*Ledger, map[string][]entry) {
		l, who := NewLedger(), &Person{ID: "ada"}
		sold := l.Book(who, "event", 2)
		sold.Told = &Booking{ID: "b1", UserID: "ada", Status: "confirmed", Seats: 2, SeatNumbers: []int{3, 4}}
		waits := l.Book(who, "event", 1)
		waits.Told = &Booking{ID: "b2", UserID: "ada", Status: "waiting", Seats: 1, WaitingNumber: &seven}
		l.Book(who, "event", 1).Refused = "sold_out"
		l.Book(who, "event", 1).Unknown = true
		return l, map[string][]entry{
			sold.Key:  {{actor: "ada", bookingID: "b1", userID: "ada", to: *sold.Told}},
			waits.Key: {{actor: "ada", bookingID: "b2", userID: "ada", to: *waits.Told}},
		}
	}
	const sold, waits, refused, unknown = "order-1", "order-2", "order-3", "order-4"
	for name, c := range map[string]struct {
		forge func(rows map[string][]entry)
		found int
	}{
		"the truth":              {func(map[string][]entry) {}, 0},
		"an unknown one is done": {func(rows map[string][]entry) { rows[unknown] = []entry{{actor: "ada"}} }, 0},
		"lost":                   {func(rows map[string][]entry) { delete(rows, sold) }, 1},
		"done twice":             {func(rows map[string][]entry) { rows[sold] = append(rows[sold], rows[sold][0]) }, 1},
		"done though refused":    {func(rows map[string][]entry) { rows[refused] = []entry{{actor: "ada"}} }, 1},
		"a ghost":                {func(rows map[string][]entry) { rows["order-9"] = rows[sold] }, 1},
		"other seats":            {func(rows map[string][]entry) { rows[sold][0].to.SeatNumbers = []int{3, 5} }, 1},
		"another booking":        {func(rows map[string][]entry) { rows[sold][0].bookingID = "b9" }, 1},
		"another's doing":        {func(rows map[string][]entry) { rows[sold][0].actor = "bob" }, 1},
		"another number":         {func(rows map[string][]entry) { rows[waits][0].to.WaitingNumber = new(int64) }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			l, rows := truth()
			c.forge(rows)
			found := 0
			l.hold(rows, func(string, ...any) { found++ })
			if found != c.found {
				t.Errorf("%d findings, want %d", found, c.found)
			}
		})
	}
}
