package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"happening/internal/booking"
	"happening/internal/postgres"
	"happening/internal/testkit"
)

// front stands before a server that listens on a socket only, and can freeze
// with it.
type front struct {
	port    int
	freeze  func()
	mu      sync.Mutex
	conns   []net.Conn
	running sync.WaitGroup
}

// noKey is one to look up that nobody has used.
var noKey = []booking.KeyOf{{Value: "none"}}

func newFront(t *testing.T, socket string) *front {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	frozen := make(chan struct{})
	f := &front{port: ln.Addr().(*net.TCPAddr).Port, freeze: sync.OnceFunc(func() { close(frozen) })}
	pass := func(to, from net.Conn) {
		buffer := make([]byte, 32<<10)
		for {
			n, err := from.Read(buffer)
			select {
			case <-frozen:
				return // and what was read is never passed on
			default:
			}
			if _, failed := to.Write(buffer[:n]); err != nil || failed != nil {
				to.Close()
				return
			}
		}
	}
	f.running.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			back, err := net.Dial("unix", socket)
			if err != nil {
				conn.Close()
				continue
			}
			f.mu.Lock()
			f.conns = append(f.conns, conn, back)
			f.mu.Unlock()
			f.running.Go(func() { pass(back, conn) })
			f.running.Go(func() { pass(conn, back) })
		}
	})
	t.Cleanup(func() { ln.Close(); f.cut(); f.running.Wait() })
	return f
}

// cut ends what passes through.
func (f *front) cut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.conns {
		c.Close()
	}
}

// stopPatience is how long the stop under test waits, stopBound how long it may
// take: less than one question that is given up.
const (
	stopPatience = 100 * time.Millisecond
	stopBound    = 10 * time.Second
)

// TestAStopLeavesAFrozenServerBehind closes the same connections once while the
// server answers and once when it doesn't, and questions were given up.
func TestAStopLeavesAFrozenServerBehind(t *testing.T) {
	db := testkit.NewDB(t)
	cfg, err := pgconn.ParseConfig(db.ConnString(postgres.OwnerRole))
	if err != nil {
		t.Fatal(err)
	}
	_, socket := pgconn.NetworkAddress(cfg.Host, cfg.Port)
	for _, frozen := range []bool{false, true} {
		t.Run(fmt.Sprintf("frozen %t", frozen), func(t *testing.T) {
			f := newFront(t, socket)
			connString := func(role string) string {
				return fmt.Sprintf("postgres://%s@127.0.0.1:%d/%s?sslmode=disable", role, f.port, db.Name)
			}
			pools, err := postgres.Open(t.Context(), connString)
			if err != nil {
				t.Fatal(err)
			}
			ledger, err := postgres.NewLedger(t.Context(), connString)
			if err != nil {
				t.Fatal(err)
			}
			if err := pools.Ping(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := pools.Empty(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := ledger.Prove(t.Context(), nil, noKey); err != nil {
				t.Fatal(err)
			}
			patience := stopBound
			if frozen {
				f.freeze()
				patience = stopPatience
				for _, ask := range []func(context.Context) error{
					pools.Ping,
					func(ctx context.Context) error { _, err := ledger.Prove(ctx, nil, noKey); return err },
				} {
					ctx, cancel := context.WithTimeout(t.Context(), stopPatience)
					if ask(ctx) == nil {
						t.Error("a frozen server answered")
					}
					cancel()
				}
			}
			for name, closeWithin := range map[string]func(context.Context) error{"pools": pools.CloseWithin, "ledger": ledger.CloseWithin} {
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				began := time.Now()
				err := closeWithin(ctx)
				cancel()
				if took := time.Since(began); frozen != errors.Is(err, context.DeadlineExceeded) || !frozen && err != nil || took > stopBound {
					t.Errorf("%s closed after %s: %v", name, took, err)
				}
			}
		})
	}
}
