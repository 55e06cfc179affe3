package socket

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestWhatIsSpreadIsSpreadEvenly tells so many connections something over a
// second, each once, and gives up with its context.
func TestWhatIsSpreadIsSpreadEvenly(t *testing.T) {
	t.Parallel()
	const people, over = 20, time.Second
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var at, want []time.Duration
		told := map[*conn]bool{}
		conns := make([]*conn, people)
		for i := range conns {
			conns[i] = &conn{}
			want = append(want, over*time.Duration(i)/people)
		}
		spread(t.Context(), conns, over, func(c *conn) { at, told[c] = append(at, time.Since(began)), true })
		if !slices.Equal(at, want) || len(told) != people {
			t.Errorf("%d were told, at %v", len(told), at)
		}
		ctx, cancel := context.WithTimeout(t.Context(), over/2+1)
		defer cancel()
		n := 0
		spread(ctx, conns, over, func(*conn) { n++ })
		if n != people/2+1 {
			t.Errorf("%d of %d were told in half of the time", n, people)
		}
	})
}
