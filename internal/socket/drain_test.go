package socket_test

import (
	"net/http"
	"testing"
	"time"

	"happening/internal/realtime"
)

// TestDrainSendsEverybodyElsewhereBitByBit asks for the middle of the goodbyes
// at about the middle of the time. A machine that stands still for a moment may
// spoil that, but not each time.
func TestDrainSendsEverybodyElsewhereBitByBit(t *testing.T) {
	t.Parallel()
	const people, attempts = 20, 5
	var late []int
	for range attempts {
		n := drain(t, people)
		if late = append(late, n); n >= people/4 && n <= people*3/4 {
			return
		}
	}
	t.Errorf("of %d %v were told in the second half of the time", people, late)
}

// drain says how many of so many people are told to go in the second half of
// the time that it takes.
func drain(t *testing.T, people int) (late int) {
	s := open(t)
	var all []*browser
	for range people {
		b := s.browser(t, "")
		await(t, "connection", b.connected)
		all = append(all, b)
	}
	const over = 600 * time.Millisecond
	began := time.Now()
	left := make(chan time.Duration, people)
	for _, b := range all {
		go func() {
			// The code is one at which clients come back: they are connecting
			// again, not disconnected.
			e := <-b.connecting // the first is from the start
			if e = <-b.connecting; e.Code != 3001 {
				t.Errorf("told to go with %d %s", e.Code, e.Reason)
			}
			left <- time.Since(began)
		}()
	}
	s.Drain(t.Context(), over)
	for range people {
		if await(t, "a goodbye", left) > over/2 {
			late++
		}
	}
	if status, _, _ := s.upgrade(t, http.Header{}); status != http.StatusServiceUnavailable {
		t.Errorf("a newcomer was answered %d while draining", status)
	}
	return late
}

func TestRefreshAllReachesWhoeverIsSignedIn(t *testing.T) {
	t.Parallel()
	s := open(t)
	ann := s.browser(t, "ann")
	mine := ann.listen(realtime.UserChannel(s.ann.UserID))
	await(t, "subscription", mine.subscribed)
	s.RefreshAll()
	mine.hears(`{"refresh":true}`)
}
