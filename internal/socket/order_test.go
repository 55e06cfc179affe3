package socket

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/centrifugal/centrifuge"
)

func TestDeltasAreDeliveredInTheOrderOfTheirVersions(t *testing.T) {
	t.Parallel()
	const ch = "event:x"
	v := func(n int) string { return fmt.Sprintf(`{"version":"e:%d","seats":[[1,1]]}`, n) }
	const sales = `{"sales":{}}`
	for _, c := range []struct {
		name string
		came []string
		at   []string // what was delivered at once
		late []string // what was delivered after orderPatience
	}{
		{name: "in order", came: []string{v(1), v(2), v(3)}, at: []string{"1 " + v(1), "2 " + v(2), "3 " + v(3)}},
		{name: "two exchanged", came: []string{v(1), v(3), v(2)}, at: []string{"1 " + v(1), "2 " + v(2), "3 " + v(3)}},
		{
			name: "others keep their place", came: []string{v(1), v(3), sales, v(2)},
			at: []string{"1 " + v(1), "2 " + v(2), "3 " + sales, "4 " + v(3)},
		},
		{name: "one lost", came: []string{v(1), v(3), v(4)}, at: []string{"1 " + v(1)}, late: []string{"2 " + v(3), "3 " + v(4)}},
		{name: "lost and exchanged", came: []string{v(1), v(4), v(3)}, at: []string{"1 " + v(1)}, late: []string{"2 " + v(3), "3 " + v(4)}},
		{
			name: "a new epoch does not wait", came: []string{v(1), `{"version":"f:7","seats":[[1,1]]}`},
			at: []string{"1 " + v(1), `2 {"version":"f:7","seats":[[1,1]]}`},
		},
		{name: "an old one does no harm", came: []string{v(5), v(6), v(2)}, at: []string{"1 " + v(5), "2 " + v(6), "3 " + v(2)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				delivered := make(chan string, len(c.came))
				o := newOrder(orderPatience, func(_ string, p place) { delivered <- fmt.Sprint(p.sp.Offset, " ", string(p.pub.Data)) })
				take := func() (got []string) {
					for len(delivered) > 0 {
						got = append(got, <-delivered)
					}
					return got
				}
				for i, data := range c.came {
					offset := uint64(i + 1)
					o.take(ch, &centrifuge.Publication{Offset: offset, Data: []byte(data)}, centrifuge.StreamPosition{Offset: offset})
				}
				if got := take(); !slices.Equal(got, c.at) {
					t.Fatalf("delivered at once\n%q\nwant\n%q", got, c.at)
				}
				time.Sleep(orderPatience)
				synctest.Wait()
				if got := take(); !slices.Equal(got, c.late) {
					t.Fatalf("delivered later\n%q\nwant\n%q", got, c.late)
				}
			})
		})
	}
}

// TestAGapThatIsToldIsNotWaitedFor has a version without seats, which has no
// place in the stream, pass those that wait for it.
func TestAGapThatIsToldIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	var got []string
	o := newOrder(orderPatience, func(_ string, p place) { got = append(got, string(p.pub.Data)) })
	for i, data := range []string{`{"version":"e:1","seats":[[1,1]]}`, `{"version":"e:3","seats":[[1,1]]}`} {
		o.take("event:x", &centrifuge.Publication{Offset: uint64(i + 1), Data: []byte(data)}, centrifuge.StreamPosition{})
	}
	o.take("event:x", &centrifuge.Publication{Data: []byte(`{"version":"e:2","seats":[]}`)}, centrifuge.StreamPosition{})
	if len(got) != 3 {
		t.Fatalf("delivered %q", got)
	}
}
