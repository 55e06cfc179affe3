//go:build linux && !engines && !race

package system

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"happening/internal/testkit"
	"happening/test/house"
)

const (
	// fewConnections is the least that a process accepts; see docs/operations.md.
	fewConnections = 8
	// serverConnections is all that the server has.
	serverConnections = 24
	crowdClients      = 32
	crowdRequests     = 25 // of each client
)

// Of every 25 requests of one who looks around, this many are of each kind.
const crowdKinds = 8

// Happening has as few connections as it accepts, and then hangs on all of
// them, and then has none at all: nothing waits for itself, who can't be served
// is told when to come back, readiness tells the truth, and the sale goes on by
// itself, with nothing lost.
func TestConnectionsRunOut(t *testing.T) {
	t.Parallel()
	h, wire, cluster := newWired(t, map[string]string{"max_connections": fmt.Sprint(serverConnections)}, fmt.Sprint("pool_max_conns=", fewConnections))
	server := h.Serve()
	s := house.OpenShop(t, h, wireClients)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	closed := s.Open(ctx, func(o *house.Order) bool { return s.Ledger.Insist(s.Client, o) })

	t.Run("everybody at once", func(t *testing.T) { crowd(t, h, s, false) })
	t.Run("all hang", func(t *testing.T) {
		// Whoever asks for an organization or a notification hangs on the lock.
		owner := cluster.Connect()
		house.Exec(t, owner, "BEGIN; LOCK TABLE organization_users, notifications IN ACCESS EXCLUSIVE MODE")
		var crowded sync.WaitGroup
		crowded.Go(func() { crowd(t, h, s, true) })
		house.Await(t, "all connections of requests hang", house.SettleLimit, func() bool {
			return house.Count(t, owner, `SELECT count(*) FROM pg_stat_activity WHERE application_name = 'happening' AND wait_event_type = 'Lock'`) >= fewConnections*12/30
		})
		wantUnready(t, h)
		house.Exec(t, owner, "ROLLBACK")
		crowded.Wait()
		wantReady(t, h, server)
		s.Ledger.AwaitAcks(t, wireClients)
	})
	t.Run("none is left", func(t *testing.T) {
		// The commit that was under way when they went is of unknown outcome,
		// also to Happening, for longer than it asks.
		var lost atomic.Bool
		wire.CutBy(func() testkit.Cut { lost.Store(true); return testkit.Unanswered })
		house.Await(t, "a commit's answer is lost", house.SettleLimit, lost.Load)
		taken := takeAll(t, cluster)
		wire.CutBy(nil)
		wantUnready(t, h)
		c := house.NewClient(h.API)
		defer c.Close()
		a := c.Send(t, s.People[0], http.MethodPost, "/bookings", map[string]any{"event_id": s.EventID, "seats": 3})
		if a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
			t.Errorf("a booking while no connection is left: %s, Retry-After %q", a, a.Header.Get("Retry-After"))
		}
		if a := c.Get(t, nil, "/events"); a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
			t.Errorf("a list while no connection is left: %s, Retry-After %q", a, a.Header.Get("Retry-After"))
		}
		for _, conn := range taken {
			_ = conn.Close(context.Background())
		}
		began := time.Now()
		wantReady(t, h, server)
		s.Ledger.AwaitAcks(t, wireClients)
		t.Logf("the sale went on %v after there were connections again", time.Since(began).Round(time.Millisecond))
	})
	cancel()
	closed()
	h.Judge(s.Ledger)
}

// wantUnready wants that a process says that it is not ready, and that it
// lives.
func wantUnready(t *testing.T, h *house.House) {
	t.Helper()
	c := house.NewClient(h.API)
	defer c.Close()
	house.Await(t, "/readyz is 503", house.SettleLimit, func() bool { return c.Status("/readyz") == http.StatusServiceUnavailable })
	if a := c.Get(t, nil, "/healthz"); a.Status != http.StatusOK {
		t.Errorf("/healthz: %s", a)
	}
}

// wantReady wants that a process becomes ready by itself.
func wantReady(t *testing.T, h *house.House, server *house.Server) {
	t.Helper()
	c := house.NewClient(h.API)
	defer c.Close()
	house.Await(t, "/readyz is 200", house.SettleLimit, func() bool { return c.Status("/readyz") == http.StatusOK })
	if server.Ended() {
		t.Fatalf("the server ended:\n%s", server.Said())
	}
}

// takeAll takes every connection that the server has, those of Happening among
// them.
func takeAll(t *testing.T, cluster *testkit.Cluster) (taken []*pgx.Conn) {
	t.Helper()
	const tooMany = "53300"
	house.Await(t, "all connections are taken", house.SettleLimit, func() bool {
		for {
			conn, err := cluster.TryConnect()
			var refused *pgconn.PgError
			if errors.As(err, &refused) && refused.Code == tooMany {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			taken = append(taken, conn)
		}
		return house.Count(t, taken[0], `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name LIKE 'happening%'`) == 0
	})
	return taken
}

// crowd lets people look around, choose seats and run the event beside the
// sale. Every request has to be answered, and none by a failure; where refused
// is set, some may be told to come back.
func crowd(t *testing.T, h *house.House, s *house.Shop, refused bool) {
	c := house.NewClient(h.API)
	defer c.Close()
	s.Ledger.Holds = true
	var told atomic.Int64
	var clients sync.WaitGroup
	for i := range crowdClients {
		rnd := rand.New(rand.NewPCG(1, uint64(i)))
		who := s.People[i%len(s.People)]
		clients.Go(func() {
			for range crowdRequests {
				method, path, body := lookAround(rnd.IntN(crowdKinds), s.EventID, who.ID, 1+rnd.IntN(100))
				a, err := c.Do(context.Background(), who, method, path, body)
				switch {
				case err != nil:
					t.Errorf("%s %s: %v", method, path, err)
				case a.Status < http.StatusInternalServerError:
				case refused && a.Status == http.StatusServiceUnavailable && a.Header.Get("Retry-After") != "":
					told.Add(1)
				default:
					t.Errorf("%s %s: %s", method, path, a)
				}
			}
		})
	}
	clients.Wait()
	t.Logf("%d requests beside the sale, %d were told to come back", crowdClients*crowdRequests, told.Load())
}

// lookAround is one request of each kind.
func lookAround(kind int, eventID, userID string, seat int) (method, path string, body any) {
	switch kind {
	case 0:
		return http.MethodGet, "/events?limit=20", nil
	case 1:
		return http.MethodGet, "/events/" + eventID, nil
	case 2:
		return http.MethodGet, "/events/" + eventID + "/seats", nil
	case 3:
		return http.MethodGet, "/bookings/user/" + userID, nil
	case 4:
		return http.MethodGet, "/notifications", nil
	case 5:
		return http.MethodPut, "/events/" + eventID + "/holds", map[string]any{"seat_numbers": []int{seat}}
	case 6:
		return http.MethodDelete, "/events/" + eventID + "/holds", nil
	default:
		return http.MethodGet, "/users/me", nil
	}
}
