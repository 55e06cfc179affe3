//go:build linux && !engines

package system

import (
	"context"
	"net/http"
	"syscall"
	"testing"
	"time"

	"happening/test/house"
)

// PostgreSQL's postmaster is killed in the middle of a sale, and the server
// lives on: it says that it is not ready, brings PostgreSQL back by itself, and
// the sale goes on with nothing lost.
func TestKilledPostgres(t *testing.T) {
	s, server := house.NewShop(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	closed := s.Open(ctx, func(o *house.Order) bool {
		return s.Ledger.Insist(s.Client, o)
	})
	watcher := house.NewClient(s.House.API)
	t.Cleanup(watcher.Close)
	for range postmasterKills {
		s.Busy(t)
		pid := s.House.Postmaster()
		if pid == 0 {
			t.Fatal("PostgreSQL has no postmaster.pid")
		}
		began := time.Now()
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		house.Await(t, "/readyz is 503", house.SettleLimit, func() bool { return watcher.Status("/readyz") == http.StatusServiceUnavailable })
		if a := watcher.Get(t, nil, "/healthz"); a.Status != http.StatusOK {
			t.Errorf("/healthz while PostgreSQL is away: %s", a)
		}
		house.Await(t, "/readyz is 200", house.SettleLimit, func() bool { return watcher.Status("/readyz") == http.StatusOK })
		t.Logf("ready again %v after the postmaster's kill", time.Since(began).Round(time.Millisecond))
	}
	s.Busy(t)
	cancel()
	closed()
	if server.Ended() {
		t.Fatalf("the server ended:\n%s", server.Said())
	}
	s.House.Judge(s.Ledger)
}
