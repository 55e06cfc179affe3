package socket

import (
	"context"
	"sync"
	"time"

	"github.com/centrifugal/centrifuge"
	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/realtime"
)

// Access that has ended must end on open connections within five seconds. An
// answer is used for recheckAfter; looking every recheckTick for answers that
// old, asking for at most askWithin and closing stay below that together.
const (
	recheckTick  = 500 * time.Millisecond
	recheckAfter = 2 * time.Second
	// endsUnverified is when access ends although nobody has said no: since
	// this long, nobody has said yes.
	endsUnverified = 4 * time.Second
	// recheckers bounds how many questions are asked at once.
	recheckers = 8
)

// watchKey groups the connections of one person that look at one event.
type watchKey struct {
	principal access.Principal
	eventID   uuid.UUID
}

// recheck asks again who everybody is and what they may see, until ctx ends.
func (n *Node) recheck(ctx context.Context) {
	ticker := time.NewTicker(recheckTick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			now := time.Now()
			n.recheckOnce(ctx, now)
			n.forgetPersons(now)
		}
	}
}

// recheckOnce asks what is due. All questions share one deadline: with a gate
// that hangs, the later ones fail at once instead of one after the other.
func (n *Node) recheckOnce(ctx context.Context, now time.Time) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	identities, watches := n.dueForRecheck(now)
	inParallel(identities, func(key credential, conns []*conn) {
		first := conns[0]
		p, expiresAt, err := n.identify(ctx, first.upgrade.request, first.token)
		switch {
		case err == nil && p == first.principal:
			n.mu.Lock()
			for _, c := range conns {
				c.verifiedAt, c.expiresAt = now, expiresAt
			}
			n.mu.Unlock()
		case err == nil || refused(err):
			disconnect(conns, centrifuge.DisconnectExpired)
		default:
			n.Log.Warn("socket: cannot identify who is connected", "error", err)
			disconnect(n.unverified(conns, func(c *conn) time.Time { return c.verifiedAt }), centrifuge.DisconnectServerError)
		}
	})
	inParallel(watches, func(key watchKey, conns []*conn) {
		channel := realtime.EventChannel(key.eventID)
		err := n.mayWatch(ctx, key.principal, key.eventID)
		switch {
		case err == nil:
			n.mu.Lock()
			for _, c := range conns {
				if _, still := c.watching[key.eventID]; still {
					c.watching[key.eventID] = now
				}
			}
			n.mu.Unlock()
		case refused(err):
			for _, c := range conns {
				c.client.Unsubscribe(channel)
			}
		default:
			n.Log.Warn("socket: cannot tell who may watch", "event", key.eventID, "error", err)
			disconnect(n.unverified(conns, func(c *conn) time.Time { return c.watching[key.eventID] }), centrifuge.DisconnectServerError)
		}
	})
}

// dueForRecheck gathers the questions whose answers have grown old, each once.
func (n *Node) dueForRecheck(now time.Time) (map[credential][]*conn, map[watchKey][]*conn) {
	identities, watches := map[credential][]*conn{}, map[watchKey][]*conn{}
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.conns {
		ended := !c.expiresAt.IsZero() && !now.Before(c.expiresAt)
		if ended || now.Sub(c.verifiedAt) >= recheckAfter {
			key := c.credential()
			identities[key] = append(identities[key], c)
		}
		for eventID, allowedAt := range c.watching {
			if now.Sub(allowedAt) >= recheckAfter {
				key := watchKey{principal: c.principal, eventID: eventID}
				watches[key] = append(watches[key], c)
			}
		}
	}
	return identities, watches
}

func (n *Node) unverified(conns []*conn, last func(*conn) time.Time) (late []*conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range conns {
		if time.Since(last(c)) >= endsUnverified-recheckTick {
			late = append(late, c)
		}
	}
	return late
}

// forgetPersons lets go of those who left too long ago to recover.
func (n *Node) forgetPersons(now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for id, p := range n.persons {
		if len(p.conns) == 0 && now.Sub(p.leftAt) > realtime.RecoveryWindow {
			delete(n.persons, id)
		}
	}
}

// disconnect closes the connections. The client tries again, and is then told
// what it is refused for.
func disconnect(conns []*conn, why centrifuge.Disconnect) {
	for _, c := range conns {
		c.client.Disconnect(why)
	}
}

// inParallel calls do for each group, a few at a time, and waits for all.
func inParallel[K comparable](groups map[K][]*conn, do func(K, []*conn)) {
	var wg sync.WaitGroup
	room := make(chan struct{}, recheckers)
	for key, conns := range groups {
		room <- struct{}{}
		wg.Go(func() {
			defer func() { <-room }()
			do(key, conns)
		})
	}
	wg.Wait()
}
