//go:build linux && !engines && !race

package system

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"happening/test/house"
)

const (
	// queuedOrders are more than one batch of the worker's.
	queuedOrders = 700
	// dawdleLimit is longer than a process that ends waits for who only dawdles.
	dawdleLimit = 4 * time.Second
)

// The process is told to end while its worker can't write and hundreds of orders
// are queued behind it. It takes no new ones, and everybody who waits is
// answered, though that takes longer than a client may dawdle.
func TestStopWithAFullQueue(t *testing.T) {
	t.Parallel()
	h := house.New(t)
	server := h.Serve()
	s := house.OpenShop(t, h, wireClients)
	first := s.Ledger.Book(s.People[0], s.EventID, 1)
	s.Ledger.Place(s.Client, first)
	// Whoever writes at the event waits for this lock.
	owner := h.Database()
	house.Exec(t, owner, "BEGIN; SELECT 1 FROM events WHERE id = '"+s.EventID+"' FOR UPDATE")
	var waiting sync.WaitGroup
	var unanswered atomic.Int64
	orders := make([]*house.Order, queuedOrders)
	for i := range orders {
		o := s.Ledger.Book(s.People[i%len(s.People)], s.EventID, 1)
		orders[i] = o
		waiting.Go(func() {
			if _, err := s.Client.Do(context.Background(), o.Who, http.MethodPost, o.Path, o.Body, "Idempotency-Key: "+o.Key); err != nil {
				o.Unknown = true
				unanswered.Add(1)
			}
		})
	}
	ops := house.NewClient(h.Ops)
	defer ops.Close()
	house.Await(t, "the orders are queued", house.SettleLimit, func() bool { return queued(t, ops) > queuedOrders/4 })
	server.Signal(syscall.SIGTERM)
	house.Await(t, "nobody new is let in", house.SettleLimit, func() bool {
		c := house.NewClient(h.API)
		defer c.Close()
		return c.Status("/healthz") == 0
	})
	if house.Looked(dawdleLimit, server.Ended) {
		t.Error("the process ended while people waited for their answers")
	}
	house.Exec(t, owner, "ROLLBACK")
	waiting.Wait()
	house.Await(t, "the process ends", house.SettleLimit, server.Ended)
	s.Client.Close()
	h.Serve()
	// Who came too late to be let in was not served.
	happened := s.Ledger.Verify(t, h.Database())
	t.Logf("of %d orders %d were not let in", queuedOrders, unanswered.Load())
	if happened > 0 || unanswered.Load() > queuedOrders*3/4 {
		t.Errorf("%d orders happened and were not answered; %d were not let in", happened, unanswered.Load())
	}
	for _, o := range orders {
		waiting.Go(func() { s.Ledger.Insist(s.Client, o) })
	}
	waiting.Wait()
	h.Judge(s.Ledger)
}
