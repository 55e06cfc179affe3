package postgres

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// leaveEvery is how often connections to a server that takes no writes are
// dropped at most: enough to find the new primary soon, and little enough not
// to storm a server that merely reads for a while.
const leaveEvery = time.Second

// errOnlyReads says that the server answers and takes no writes.
var errOnlyReads = errors.New("the server only reads")

// failover drops the connections of pools when one of them turns out to lead to
// a server that takes no writes. A primary that was demoted without a restart
// keeps its connections, while the address leads elsewhere already: without
// this they would fail until somebody restarts the process.
type failover struct {
	mu    sync.Mutex
	pools []*pgxpool.Pool
	left  time.Time
}

// pool makes a pool that is dropped together with the others.
func (f *failover) pool(ctx context.Context, cfg *pgxpool.Config) (*pgxpool.Pool, error) {
	f.watch(cfg.ConnConfig)
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pools = append(f.pools, pool)
	return pool, nil
}

// watch listens for the refusal of a write on every connection made by cfg.
func (f *failover) watch(cfg *pgx.ConnConfig) {
	before := cfg.OnPgError
	cfg.OnPgError = func(c *pgconn.PgConn, e *pgconn.PgError) bool {
		if e.Code == codeReadOnly {
			f.leave()
		}
		return before(c, e)
	}
}

// leave drops all connections: the idle ones at once, the others when they
// come home, this one among them.
func (f *failover) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.left) < leaveEvery {
		return
	}
	f.left = time.Now()
	for _, pool := range f.pools {
		pool.Reset()
	}
}
