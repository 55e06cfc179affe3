package socket

import (
	"context"
	"hash/fnv"
	"time"

	"github.com/google/uuid"
)

const (
	// renewEvery is how often the other processes are told again who is
	// connected to this one.
	renewEvery = 10 * time.Second
	// presenceWithin bounds one question to the others, or one word to them.
	presenceWithin = 250 * time.Millisecond
	// renewWithin bounds telling all of it.
	renewWithin = 5 * time.Second
	// presenceLanes is how many comings and goings are told at a time; those
	// of one viewer stay in order.
	presenceLanes = 4
	// maxPresenceQueue bounds those of a lane that wait. What finds no room is
	// told when all is renewed.
	maxPresenceQueue = 4_096
)

// coming is one viewer's coming or going, or a person who begins to listen.
type coming struct {
	eventID uuid.UUID // nil: a person who listens
	viewer  string
	userID  uuid.UUID
	joined  bool
}

// Here counts the people who look at the event over this process, each once,
// and the visitors' connections.
func (n *Node) Here(eventID uuid.UUID) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.events[eventID])
}

// Viewers counts them over all processes. A person who watches over two
// processes and leaves one is missed until the other renews. While the others
// can't be asked, those of this process are counted.
func (n *Node) Viewers(ctx context.Context, eventID uuid.UUID) int {
	here := n.Here(eventID)
	if n.Presence == nil {
		return here
	}
	ctx, cancel := context.WithTimeout(ctx, presenceWithin)
	defer cancel()
	all, err := n.Presence.Viewers(ctx, eventID)
	if err != nil {
		return here
	}
	return max(here, all)
}

// Listening says whether the person is connected, to any process, or may come
// back and recover.
func (n *Node) Listening(ctx context.Context, userID uuid.UUID) bool {
	n.mu.Lock()
	here := n.persons[userID] != nil
	n.mu.Unlock()
	if here || n.Presence == nil {
		return here
	}
	ctx, cancel := context.WithTimeout(ctx, presenceWithin)
	defer cancel()
	listening, err := n.Presence.Listening(ctx, userID)
	return err != nil || listening
}

// tellPresence queues a coming or going for the other processes. The feed is
// told of a newcomer afterwards: by then whoever changes the event elsewhere
// knows that somebody looks.
func (n *Node) tellPresence(c coming) {
	if n.Presence != nil {
		h := fnv.New32a()
		h.Write([]byte(c.viewer))
		select {
		case n.comings[h.Sum32()%presenceLanes] <- c:
			return
		default: // the next renewal tells it
		}
	}
	n.watchChanged(c)
}

func (n *Node) watchChanged(c coming) {
	if c.eventID != uuid.Nil {
		n.Watch(c.eventID, c.joined)
	}
}

func (n *Node) runPresence(ctx context.Context, comings <-chan coming) {
	for {
		select {
		case <-ctx.Done():
			return
		case c := <-comings:
			n.sayPresence(ctx, c)
			n.watchChanged(c)
		}
	}
}

// sayPresence tells what holds now: the viewer may have come back meanwhile.
func (n *Node) sayPresence(ctx context.Context, c coming) {
	ctx, cancel := context.WithTimeout(ctx, presenceWithin)
	defer cancel()
	var err error
	if c.eventID == uuid.Nil {
		err = n.Presence.Listen(ctx, c.userID)
	} else {
		n.mu.Lock()
		looks := n.events[c.eventID][c.viewer] > 0
		n.mu.Unlock()
		if looks {
			err = n.Presence.Join(ctx, c.eventID, c.viewer)
		} else {
			err = n.Presence.Leave(ctx, c.eventID, c.viewer)
		}
	}
	if err != nil {
		n.Log.Debug("socket: presence not told", "error", err)
	}
}

// renewPresence tells all of it every renewEvery, and at once when asked to.
func (n *Node) renewPresence(ctx context.Context) {
	ticker := time.NewTicker(renewEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-n.renew:
		}
		viewers, listeners := n.present()
		within, cancel := context.WithTimeout(ctx, renewWithin)
		if err := n.Presence.Renew(within, viewers, listeners); err != nil {
			n.Log.Debug("socket: presence not renewed", "error", err)
		}
		cancel()
	}
}

// renewNow lets all of it be told soon.
func (n *Node) renewNow() {
	select {
	case n.renew <- struct{}{}:
	default:
	}
}

func (n *Node) present() (map[uuid.UUID][]string, []uuid.UUID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	viewers := make(map[uuid.UUID][]string, len(n.events))
	for eventID, who := range n.events {
		all := make([]string, 0, len(who))
		for viewer := range who {
			all = append(all, viewer)
		}
		viewers[eventID] = all
	}
	listeners := make([]uuid.UUID, 0, len(n.persons))
	for userID, p := range n.persons {
		if len(p.conns) > 0 {
			listeners = append(listeners, userID)
		}
	}
	return viewers, listeners
}
