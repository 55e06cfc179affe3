//go:build engines

package postgres_test

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/postgres"
	"happening/internal/testkit"
)

// poolerConns is how few connections of the server everything shares.
const poolerConns = 4

// randomFor is how long bookings and cancellations go through the pooler.
const randomFor = 2 * time.Second

// pooled gives the settings of a process whose plain roles come through a
// pooler, which forgets statements between transactions.
func pooled(t *testing.T, db *testkit.DB) postgres.Settings {
	t.Helper()
	via := testkit.PgBouncer(t, db, poolerConns)
	const mode = "&default_query_exec_mode=cache_describe"
	return postgres.Settings{
		URL: db.ConnString("happening"), AppURL: via(postgres.AppRole) + mode, SystemURL: via(postgres.SystemRole) + mode, Volatile: true,
	}
}

func TestTheRushPassesThroughAPooler(t *testing.T) {
	db := testkit.NewDB(t)
	settings := pooled(t, db)
	if err := postgres.Probe(t.Context(), settings); err != nil {
		t.Fatal(err)
	}
	connString := outside(t, settings)
	if err := postgres.EnsureSchema(t.Context(), connString, newTold().log()); err != nil {
		t.Fatal(err)
	}
	pools, err := postgres.Open(t.Context(), connString)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pools.Close)
	org, _ := db.Org(t)
	event := db.Event(t, org, 500, testkit.EventOptions{})
	through := *db
	through.DB = pools // the stores go through the pooler, too
	sellers := []*seller{newSellerAt(t, &through, connString), newSellerAt(t, &through, connString)}
	told, refused := rush(sellers, event, db.People(t, 2000))
	if err := soldOut(told, refused); err != nil {
		t.Error(err)
	}
	long := db.Event(t, org, 120, testkit.EventOptions{MaxSeatsPerUser: 12})
	ctx, cancel := context.WithTimeout(context.Background(), randomFor)
	defer cancel()
	var wg sync.WaitGroup
	for i, who := range db.People(t, 32) {
		wg.Go(func() {
			if err := randomSale(ctx, sellers[i%2], long, who, rand.New(rand.NewPCG(uint64(i), 11))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	db.CheckClean(t)
	if breaches, err := pools.Check(t.Context(), time.Now(), nil); err != nil || len(breaches) > 0 {
		t.Errorf("the checker through the pooler: %v, %v", breaches, err)
	}
}

// TestALeaseAndAPlaceAreKeptThroughAPooler shows that neither needs a session.
func TestALeaseAndAPlaceAreKeptThroughAPooler(t *testing.T) {
	db := testkit.NewDB(t)
	pools, err := postgres.Open(t.Context(), outside(t, pooled(t, db)))
	if err != nil {
		t.Fatal(err)
	}
	defer pools.Close()
	leadsInTurn(t, pools)
	here, err := pools.Register(t.Context(), postgres.Replica{ID: uuid.New(), Host: "a"}, false, newTold().log())
	if err != nil {
		t.Fatal(err)
	}
	if err := here.Leave(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAPoolerThatForgetsOrSwallowsIsFoundOut(t *testing.T) {
	db := testkit.NewDB(t)
	direct := db.ConnString("happening")
	via := testkit.PgBouncer(t, db, poolerConns)
	swallowing := testkit.PgBouncer(t, db, poolerConns, "ignore_startup_parameters = options")
	single := testkit.PgBouncer(t, db, 1)
	session := testkit.PgBouncer(t, db, poolerConns, "pool_mode = session")
	turns := testkit.PgBouncer(t, db, poolerConns, "server_round_robin = 1")
	app, system := postgres.AppRole, postgres.SystemRole
	for _, tt := range []struct {
		name string
		s    postgres.Settings
		want []string
	}{
		{"prepared statements", postgres.Settings{URL: direct, AppURL: via(app), SystemURL: via(system)},
			[]string{"DATABASE_APP_URL goes through a pooler", "DATABASE_SYSTEM_URL goes through a pooler"}},
		{"on one connection", postgres.Settings{URL: direct, AppURL: single(app), SystemURL: single(system)},
			[]string{"DATABASE_APP_URL goes through a pooler", "add default_query_exec_mode=cache_describe"}},
		{"on connections in turn", postgres.Settings{URL: direct, AppURL: turns(app), SystemURL: turns(system)},
			[]string{"DATABASE_APP_URL goes through a pooler", "DATABASE_SYSTEM_URL goes through a pooler"}},
		{"a pooler of sessions keeps them", postgres.Settings{URL: direct, AppURL: session(app), SystemURL: session(system)}, nil},
		{"the owner comes through it", postgres.Settings{URL: via("happening"), AppURL: via(app) + "&default_query_exec_mode=cache_describe", SystemURL: via(system) + "&default_query_exec_mode=cache_describe"},
			[]string{"DATABASE_URL goes through a pooler that gives every transaction another connection"}},
		{"options are refused", postgres.Settings{URL: via("happening")},
			[]string{"DATABASE_URL goes through a pooler", "is a pooler that takes no startup options"}},
		{"options are swallowed", postgres.Settings{URL: swallowing("happening")},
			[]string{"DATABASE_URL goes through a pooler", "asked to act as happening_app act as happening: something between", "asked to act as happening_system"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.s.Volatile = true
			lines := tell(postgres.Probe(context.Background(), tt.s))
			if (len(lines) == 0) != (len(tt.want) == 0) {
				t.Errorf("told: %v", lines)
			}
			for _, w := range tt.want {
				if !strings.Contains(strings.Join(lines, "\n"), w) {
					t.Errorf("%q is not told:\n%s", w, strings.Join(lines, "\n"))
				}
			}
		})
	}
}

// pooledRequests is how many requests of several tenants go through the pooler.
const pooledRequests = 2_000

// TestTenantsTakeTurnsBehindAPooler shares the server's connections among
// clients that don't know of each other. A context that outlived its
// transaction would be the next one's.
func TestTenantsTakeTurnsBehindAPooler(t *testing.T) {
	w := newWalled(t)
	pools, err := postgres.Open(t.Context(), outside(t, pooled(t, w.DB)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pools.Close)
	w.takeTurns(pools, pooledRequests)
}
