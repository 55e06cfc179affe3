//go:build linux

package system

import (
	"testing"
	"time"

	"happening/test/house"
)

const (
	stormLasts = 20 * time.Second
	stormShort = 5 * time.Second
)

// 2,000 people ask for 500 seats at the same moment: 500 get one each, nobody
// gets another's, the others wait in a row without gap. Then 64 clients book and
// cancel at random at events of both policies, while the checker reads over their
// shoulders.
func TestSale(t *testing.T) {
	h := house.New(t)
	h.Serve()
	c := house.NewClient(h.API)
	t.Cleanup(c.Close)
	admin := h.People("admin", 1)[0]
	org := c.Organization(t, admin)
	l := house.NewLedger()
	t.Run("2000 for 500 at once", func(t *testing.T) { house.Rush(t, h, c, l, c.Event(t, admin, org, house.SaleSeats, nil)) })
	t.Run("random booking and cancelling", func(t *testing.T) {
		lasts := stormLasts
		if testing.Short() {
			lasts = stormShort
		}
		var events []string
		for i := range house.StormEvents {
			policy := []string{"strict", "fit"}[i%2]
			events = append(events, c.Event(t, admin, org, house.StormSeats, map[string]any{"waitlist_policy": policy}))
		}
		house.Storm(t, h, c, l, events, lasts)
	})
	h.Judge(l)
	l.WantForgeryNoticed(t, h.Database())
}
