package socket_test

import (
	"net/http"
	"testing"
	"time"

	"happening/internal/realtime"
)

func TestDrainSendsEverybodyElsewhereBitByBit(t *testing.T) {
	t.Parallel()
	s := open(t)
	const people = 20
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
	var late int
	for range people {
		if await(t, "a goodbye", left) > over/2 {
			late++
		}
	}
	if late < people/4 || late > people*3/4 {
		t.Errorf("%d of %d were told in the second half of the time", late, people)
	}
	if status, _, _ := s.upgrade(t, http.Header{}); status != http.StatusServiceUnavailable {
		t.Errorf("a newcomer was answered %d while draining", status)
	}
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
