//go:build linux

package system

import (
	"context"
	"testing"
	"time"

	"happening/test/house"
)

// Again and again the server is killed in the middle of a sale and started again
// on the same data: nothing that was acknowledged is lost, nothing is there twice,
// and a retry with the same key resolves every unknown outcome.
func TestKilledServer(t *testing.T) {
	s, server := house.NewShop(t)
	unknown, happened := 0, 0
	for range killRounds {
		closed := s.Open(context.Background(), house.GoHome)
		s.Busy(t)
		server.Kill()
		closed()
		s.Client.Close()
		server = s.House.Serve()
		open := len(s.Ledger.Open())
		unknown += open
		happened += s.Ledger.Verify(t, s.House.Database())
		s.Ledger.Resolve(t, s.Client)
		t.Logf("ready %v after the kill's restart; %d outcomes were unknown", server.Took.Round(time.Millisecond), open)
	}
	t.Logf("of %d orders of unknown outcome %d had happened; %d were acknowledged in all", unknown, happened, s.Ledger.Acks.Load())
	if unknown == 0 {
		t.Error("no outcome was ever unknown: the kills came at the wrong moments and show nothing")
	}
	s.House.Judge(s.Ledger)
}

// Ctrl-C in the middle of a sale: whatever happened was also answered. A client
// that got no answer was not served, and can go elsewhere.
func TestInterruptedSale(t *testing.T) {
	s, server := house.NewShop(t)
	closed := s.Open(context.Background(), house.GoHome)
	s.Busy(t)
	status, took := server.Interrupt()
	closed()
	t.Logf("stopped in %v with status %d; %d orders got no answer", took.Round(time.Millisecond), status, len(s.Ledger.Open()))
	if status != 0 || took > stopLimit {
		t.Errorf("Ctrl-C: status %d after %v\n%s", status, took, server.Said())
	}
	s.Client.Close()
	s.House.Serve()
	if happened := s.Ledger.Verify(t, s.House.Database()); happened > 0 {
		t.Errorf("%d orders happened and were not answered", happened)
	}
	s.Ledger.Resolve(t, s.Client)
	s.House.Judge(s.Ledger)
}
