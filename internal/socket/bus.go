package socket

import (
	"context"
	"encoding/json"

	"github.com/centrifugal/centrifuge"
	"github.com/google/uuid"
)

const (
	// maxTells bounds what waits to be told to the other processes; more is
	// lost.
	maxTells = 4_096
	// tellers is how many words to the others are on their way at a time.
	tellers = 4
)

// The words that nodes tell each other; the application's begin otherwise.
const (
	ownOp         = "socket."
	endSessionOp  = ownOp + "end-session"
	endUserOp     = ownOp + "end-user"
	unsubscribeOp = ownOp + "unsubscribe"
	refreshAllOp  = ownOp + "refresh-all"
)

type word struct {
	op   string
	data []byte
}

// watcher names a person's listening to an event.
type watcher struct {
	UserID, EventID uuid.UUID
}

// Tell tells all other processes, and not this one; in one process it reaches
// nobody. It does not wait. Each gets it at most once, in no order, and not at
// all while the engine between them is away: what is told may only hasten what
// becomes true by itself within seconds, as when a cached answer grows old.
func (n *Node) Tell(op string, data []byte) {
	select {
	case n.words <- word{op, data}:
		n.wordsLost.Store(false)
	default:
		if !n.wordsLost.Swap(true) {
			n.Log.Warn("socket: too much to tell the other processes; some is lost")
		}
	}
}

// OnTold sets who hears what other processes tell. It is called from several
// goroutines at once and must not block.
func (n *Node) OnTold(told func(op string, data []byte)) { n.told.Store(&told) }

func (n *Node) runTells(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case w := <-n.words:
			if err := n.node.Notify(w.op, w.data, ""); err != nil {
				n.Log.Debug("socket: not told to the other processes", "op", w.op, "error", err)
			}
		}
	}
}

// hear takes what another process told. The library calls it with what this
// one tells, too.
func (n *Node) hear(e centrifuge.NotificationEvent) {
	if e.FromNodeID == n.node.ID() {
		return
	}
	switch e.Op {
	case endSessionOp:
		n.endSession(string(e.Data))
	case endUserOp:
		if userID, err := uuid.FromBytes(e.Data); err == nil {
			n.endUser(userID)
		}
	case unsubscribeOp:
		var w watcher
		if err := json.Unmarshal(e.Data, &w); err == nil {
			n.unsubscribe(w.UserID, w.EventID)
		}
	case refreshAllOp:
		n.refreshHere()
	default:
		if told := n.told.Load(); told != nil {
			(*told)(e.Op, e.Data)
		}
	}
}

// DisconnectUser closes the person's connections to all processes, after their
// access ended. Where another process can't be told, it finds out by itself
// within the contract's five seconds.
func (n *Node) DisconnectUser(userID uuid.UUID) {
	n.endUser(userID)
	n.Tell(endUserOp, userID[:])
}

// DisconnectSession closes the connections of one browser session to all
// processes, after it was signed out.
func (n *Node) DisconnectSession(sessionID string) {
	if sessionID != "" {
		n.endSession(sessionID)
		n.Tell(endSessionOp, []byte(sessionID))
	}
}

// Unsubscribe ends the person's listening to the event on all their
// connections, at once.
func (n *Node) Unsubscribe(userID, eventID uuid.UUID) {
	n.unsubscribe(userID, eventID)
	data, err := json.Marshal(watcher{UserID: userID, EventID: eventID})
	if err != nil {
		panic(err) // two ids always marshal
	}
	n.Tell(unsubscribeOp, data)
}

// RefreshAll tells everybody who is signed in and connected to any process to
// fetch again what they show.
func (n *Node) RefreshAll() {
	n.refreshHere()
	n.Tell(refreshAllOp, nil)
}
