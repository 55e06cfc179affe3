package socket_test

import (
	"net/http"
	"testing"
	"time"

	"happening/internal/realtime"
)

// TestDrainSendsEverybodyElsewhere; that it does so bit by bit is
// TestWhatIsSpreadIsSpreadEvenly's, in a time that no busy machine spoils.
func TestDrainSendsEverybodyElsewhere(t *testing.T) {
	t.Parallel()
	s := open(t)
	var all []*browser
	for range 20 {
		b := s.browser(t, "")
		await(t, "connection", b.connected)
		await(t, "that it connects", b.connecting)
		// Counted just after it was answered, and before anything else that it asks.
		await(t, "subscription", b.listen(realtime.EventChannel(s.event)).subscribed)
		all = append(all, b)
	}
	s.Drain(t.Context(), 100*time.Millisecond)
	for _, b := range all {
		// The code is one at which clients come back: they are connecting
		// again, not disconnected.
		if e := await(t, "a goodbye", b.connecting); e.Code != 3001 {
			t.Errorf("told to go with %d %s", e.Code, e.Reason)
		}
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
