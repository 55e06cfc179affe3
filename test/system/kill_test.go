//go:build linux

package system

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	killRounds      = 5
	postmasterKills = 3
	killClients     = 32
	killSeats       = 20_000
	// killAcks is how many orders are acknowledged before each kill.
	killAcks = 400
	// killRate is the least rate, in acknowledged orders a second, at which a
	// kill counts as one in the middle of a sale.
	killRate = 100
)

// shop is a sale under way: clients that book, and now and then cancel.
type shop struct {
	h       *house
	c       *client
	l       *ledger
	eventID string
	people  []*person
}

func newShop(t *testing.T) (*shop, *server) {
	t.Helper()
	h := newHouse(t)
	server := h.serve()
	c := newClient(h.api)
	t.Cleanup(c.close)
	admin := h.people("admin", 1)[0]
	eventID := c.event(t, admin, c.organization(t, admin), killSeats, nil)
	return &shop{h: h, c: c, l: newLedger(), eventID: eventID, people: h.people("kill", killClients)}, server
}

// open lets the clients in until ctx ends. What a client does about an order of
// unknown outcome is said by unsure; false sends it home.
func (s *shop) open(ctx context.Context, unsure func(*order) bool) (closed func()) {
	var clients sync.WaitGroup
	for i, p := range s.people {
		rnd := rand.New(rand.NewPCG(rand.Uint64(), uint64(i)))
		clients.Go(func() {
			for ctx.Err() == nil {
				o := s.l.book(p, s.eventID, 1+rnd.IntN(2))
				if s.l.place(s.c, o); o.unknown && !unsure(o) {
					return
				}
				if o.told == nil || rnd.IntN(4) > 0 {
					continue
				}
				o = s.l.cancel(p, o.told.ID)
				if s.l.place(s.c, o); o.unknown && !unsure(o) {
					return
				}
			}
		})
	}
	return clients.Wait
}

// busy waits until the sale is in full swing and insists that it is.
func (s *shop) busy(t *testing.T) {
	t.Helper()
	began := time.Now()
	s.l.awaitAcks(t, killAcks)
	if rate := killAcks / time.Since(began).Seconds(); rate < killRate {
		t.Errorf("the sale goes on at %.0f orders a second; it takes %d to show anything", rate, killRate)
	}
}

// goHome is for clients whose server is gone.
func goHome(*order) bool { return false }

// Five times the server is killed in the middle of a sale and started again on
// the same data: nothing that was acknowledged is lost, nothing is there twice,
// and a retry with the same key resolves every unknown outcome.
func TestKilledServer(t *testing.T) {
	s, server := newShop(t)
	unknown, happened := 0, 0
	for range killRounds {
		closed := s.open(context.Background(), goHome)
		s.busy(t)
		server.kill()
		closed()
		s.c.close()
		server = s.h.serve()
		open := len(s.l.open())
		unknown += open
		happened += s.l.verify(t, s.h.database())
		s.l.resolve(t, s.c)
		t.Logf("ready %v after the kill's restart; %d outcomes were unknown", server.took.Round(time.Millisecond), open)
	}
	t.Logf("of %d orders of unknown outcome %d had happened; %d were acknowledged in all", unknown, happened, s.l.acks.Load())
	if unknown == 0 {
		t.Error("no outcome was ever unknown: the kills came at the wrong moments and show nothing")
	}
	s.h.judge(s.l)
}

// PostgreSQL's postmaster is killed in the middle of a sale, and the server
// lives on: it says that it is not ready, brings PostgreSQL back by itself, and
// the sale goes on with nothing lost.
func TestKilledPostgres(t *testing.T) {
	s, server := newShop(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	closed := s.open(ctx, func(o *order) bool {
		// As a good client does: the same order with the same key, until it is
		// answered.
		return looked(settleLimit, func() bool { s.l.place(s.c, o); return !o.unknown })
	})
	watcher := newClient(s.h.api)
	t.Cleanup(watcher.close)
	for range postmasterKills {
		s.busy(t)
		pid := s.h.postmaster()
		if pid == 0 {
			t.Fatal("PostgreSQL has no postmaster.pid")
		}
		began := time.Now()
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		await(t, "/readyz is 503", settleLimit, func() bool { return watcher.status("/readyz") == http.StatusServiceUnavailable })
		if a := watcher.get(t, nil, "/healthz"); a.status != http.StatusOK {
			t.Errorf("/healthz while PostgreSQL is away: %s", a)
		}
		await(t, "/readyz is 200", settleLimit, func() bool { return watcher.status("/readyz") == http.StatusOK })
		t.Logf("ready again %v after the postmaster's kill", time.Since(began).Round(time.Millisecond))
	}
	s.busy(t)
	cancel()
	closed()
	if server.ended() {
		t.Fatalf("the server ended:\n%s", server.said())
	}
	s.h.judge(s.l)
}

// Ctrl-C in the middle of a sale: whatever happened was also answered. A client
// that got no answer was not served, and can go elsewhere.
func TestInterruptedSale(t *testing.T) {
	s, server := newShop(t)
	closed := s.open(context.Background(), goHome)
	s.busy(t)
	status, took := server.interrupt()
	closed()
	t.Logf("stopped in %v with status %d; %d orders got no answer", took.Round(time.Millisecond), status, len(s.l.open()))
	if status != 0 || took > stopLimit {
		t.Errorf("Ctrl-C: status %d after %v\n%s", status, took, server.said())
	}
	s.c.close()
	s.h.serve()
	if happened := s.l.verify(t, s.h.database()); happened > 0 {
		t.Errorf("%d orders happened and were not answered", happened)
	}
	s.l.resolve(t, s.c)
	s.h.judge(s.l)
}
