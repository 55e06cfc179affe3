package socket

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/centrifugal/centrifuge"

	"happening/internal/realtime"
)

const (
	// spreadOver bounds how long all connections of a process are told
	// something that makes each of them ask, and spreadEach is the pause
	// between two where there are few.
	spreadOver = 4 * time.Second
	spreadEach = time.Millisecond
)

// spread calls do for each connection, in random order, evenly over the time.
func spread(ctx context.Context, conns []*conn, over time.Duration, do func(*conn)) {
	rand.Shuffle(len(conns), func(i, j int) { conns[i], conns[j] = conns[j], conns[i] })
	began := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for i, c := range conns {
		if wait := time.Until(began.Add(over * time.Duration(i) / time.Duration(len(conns)))); wait > 0 {
			timer.Reset(wait)
			select {
			case <-ctx.Done():
				return
			case <-timer.C:
			}
		}
		if ctx.Err() != nil {
			return
		}
		do(c)
	}
}

func briefly(conns []*conn) time.Duration {
	return min(spreadOver, spreadEach*time.Duration(len(conns)))
}

// refreshHere tells everybody who is signed in and connected to this process
// to refresh; who asks while that is under way is served by another round.
func (n *Node) refreshHere() {
	select {
	case n.refresh <- struct{}{}:
	default:
	}
}

func (n *Node) runRefresh(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.refresh:
			conns := n.connections()
			spread(ctx, conns, briefly(conns), func(c *conn) {
				channel := realtime.UserChannel(c.principal.UserID)
				if c.principal.SignedIn() && c.client.IsSubscribed(channel) {
					if err := n.Local(channel, realtime.RefreshMessage()); err != nil {
						n.Log.Debug("socket: not refreshed", "channel", channel, "error", err)
					}
				}
			})
		}
	}
}

// insufficient is the library's own word for a client that may have missed
// something: it subscribes again and recovers, or is told that it can't.
var insufficient = centrifuge.Unsubscribe{Code: centrifuge.UnsubscribeCodeInsufficient, Reason: "insufficient state"}

// resubscribe lets the clients of this process subscribe again, after messages
// may have been lost between the processes.
func (n *Node) resubscribe(ctx context.Context, channels func(string) bool) {
	conns := n.connections()
	spread(ctx, conns, briefly(conns), func(c *conn) {
		for _, channel := range c.client.Channels() {
			if channels(channel) {
				c.client.Unsubscribe(channel, insufficient)
			}
		}
	})
}

// Drain tells the connections of this process to come back, to another one,
// spread evenly over the time, and lets no new ones in. It is for a rolling
// restart: the load balancer no longer sends anybody here, and Stop, which
// ends the rest at once, comes next. It returns early when ctx ends.
func (n *Node) Drain(ctx context.Context, over time.Duration) {
	n.draining.Store(true)
	spread(ctx, n.connections(), over, func(c *conn) { c.client.Disconnect(centrifuge.DisconnectShutdown) })
}
