//go:build linux && !engines

package system

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"happening/internal/testkit"
	"happening/test/house"
)

const (
	// wireClients keep several orders in each batch and leave a core to the rest.
	wireClients = 16
	// cutEvery commits one is cut off: seldom enough for others to pass, which
	// a late one waits for.
	cutEvery = 3
	// cutsLimit is for all cuts.
	cutsLimit = 10 * time.Minute
)

// newWired is a house whose PostgreSQL stands outside, behind a wire. More
// settings of the server may be changed, and parameters of its address added.
func newWired(t *testing.T, settings map[string]string, parameters ...string) (*house.House, *testkit.Wire, *testkit.Cluster) {
	t.Helper()
	cluster := testkit.NewCluster(t, settings)
	wire := cluster.Wire()
	h := house.New(t)
	h.Env["DATABASE_URL"] = cluster.URL(wire, parameters...)
	return h, wire, cluster
}

// In the middle of a sale commits are cut off between Happening and its
// PostgreSQL, in each way in which that can happen: nobody's order has two
// effects, none that was acknowledged is lost, and what nobody was told of did
// not happen. Happening finds out by itself what became of a commit: hardly a
// client is ever told that it does not know.
func TestCommitsAreCutOff(t *testing.T) {
	t.Parallel()
	h, wire, _ := newWired(t, nil)
	h.Serve()
	s := house.OpenShop(t, h, wireClients)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var unsure atomic.Int64
	closed := s.Open(ctx, func(o *house.Order) bool {
		unsure.Add(1)
		return s.Ledger.Insist(s.Client, o)
	})
	n := 0
	wire.CutBy(func() testkit.Cut {
		if n++; n%cutEvery != 0 {
			return testkit.Passes
		}
		return testkit.Cuts[n/cutEvery%len(testkit.Cuts)]
	})
	wire.AwaitCuts(wireCuts, cutsLimit)
	// Under locks a late commit is an unanswered one, so that their number alone
	// says nothing of the forms.
	house.Await(t, "each form of a cut", house.SettleLimit, func() bool {
		_, cuts := wire.Counts()
		return !slices.ContainsFunc(testkit.Cuts, func(form testkit.Cut) bool { return cuts[form] == 0 })
	})
	wire.CutBy(nil)
	s.Ledger.AwaitAcks(t, wireClients)
	cancel()
	closed()
	commits, cuts := wire.Counts()
	t.Logf("of %d commits were cut: %v; %d orders were acknowledged, %d answered 503 first", commits, cuts, s.Ledger.Acks.Load(), unsure.Load())
	h.Judge(s.Ledger)
}
