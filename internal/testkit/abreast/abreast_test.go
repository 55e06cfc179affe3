package abreast

import (
	"flag"
	"sync/atomic"
	"testing"
)

const most = 2

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set(parallel, "16"); err != nil { // as on a large machine
		panic(err)
	}
	AtMost(most)
	AtMost(most + 1)
	m.Run()
}

// More tests than may run side by side begin, and those that may wait for each
// other.
func TestNoMoreRunSideBySide(t *testing.T) {
	var running atomic.Int64
	both := make(chan struct{})
	for range 4 * most {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			if n := running.Add(1); n > most {
				t.Errorf("%d run side by side", n)
			} else if n == most {
				select {
				case <-both:
				default:
					close(both)
				}
			}
			<-both
			running.Add(-1)
		})
	}
}
