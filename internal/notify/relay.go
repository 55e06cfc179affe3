package notify

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"
)

// Limits of one relay transaction.
const (
	// RelayBatch is how many facts are claimed at most.
	RelayBatch = 500
	// FanOutPage is how many bookings are told at most of facts that concern
	// all of an event's, over all such facts of the transaction.
	FanOutPage = 500
	// FanOutFacts is how many such facts are gone on with at most.
	FanOutFacts = 10
	// TenantsPerBatch is how many organizations a batch serves at most; the
	// next batch goes on with those after them.
	TenantsPerBatch = 100
)

// Claimed is what a relay transaction holds.
type Claimed struct {
	Facts []Fact
	Known
}

// Composed is what became of the claimed facts.
type Composed struct {
	Messages []Message
	// Refused are facts that make no sense, with the reason; they are put
	// aside.
	Refused map[uuid.UUID]string
}

// Relayed is what a relay transaction did.
type Relayed struct {
	Facts int
	// New are the ids of the messages in the application that were not there
	// before.
	New map[uuid.UUID]bool
	// Mails is how many mails were queued.
	Mails int
	// Next is where the next batch starts its round of the organizations;
	// uuid.Nil starts over.
	Next uuid.UUID
}

// RelayStore keeps facts and messages.
type RelayStore interface {
	TellStore
	// RelayFacts claims pending facts, at most RelayBatch, going around the
	// organizations from after, an equal part to each; gives them to compose
	// with what they refer to; keeps the messages; and marks the facts. All of
	// that is one transaction, which may run again: compose must have no other
	// effect than what it returns. A claimed fact is nobody else's meanwhile.
	RelayFacts(ctx context.Context, now time.Time, after uuid.UUID, compose func(Claimed) Composed) (Relayed, error)
}

// AppMessage is a new message in the application, as an open browser is told
// of it.
type AppMessage struct {
	UserID         uuid.UUID
	NotificationID uuid.UUID
	Type           string
	Title          string
}

// RelayConfig is what a relay works with.
type RelayConfig struct {
	Store RelayStore
	Now   func() time.Time
	// Busy says that a sale is on and the relay should give way.
	Busy func() bool
	// Pushed hears of new messages in the application after their commit. It
	// must not block for long; a call that is lost in a crash is not repeated.
	Pushed func(context.Context, []AppMessage)
	// MailQueued is called after mails were queued, to wake their deliverer.
	MailQueued func()
	// Told is called after facts were told, wholly or in part: there is room
	// for more of them on their way.
	Told func()
	Log  *slog.Logger
}

// Relay turns facts into messages. Any number of relays, in any number of
// processes, may run at once.
type Relay struct {
	cfg    RelayConfig
	teller *Teller // of what the database refuses of a batch
	wake   alarm
	after  uuid.UUID // where the next batch starts its round; Run's goroutine only
}

// NewRelay makes a relay. Of the configuration, Busy, Pushed, MailQueued and
// Told may be nil.
func NewRelay(cfg RelayConfig) *Relay {
	return &Relay{cfg: cfg.withDefaults(), teller: NewTeller(cfg), wake: newAlarm()}
}

// Wake says that facts were committed. It never blocks, and many calls cost
// as much as one.
func (r *Relay) Wake() { r.wake.ring() }

// Run relays until ctx ends.
func (r *Relay) Run(ctx context.Context) {
	pace(ctx, r.wake, r.cfg.Busy, func(ctx context.Context) (int, error) {
		n, err := r.Once(ctx)
		if err != nil && ctx.Err() == nil {
			r.cfg.Log.Error("relaying facts failed; trying again", "error", err)
		}
		return n, err
	})
}

// Once relays one batch and says how many facts it went on with. It is not to
// be called beside Run.
func (r *Relay) Once(ctx context.Context) (int, error) {
	var claimed []uuid.UUID
	var composed Composed
	relayed, err := r.cfg.Store.RelayFacts(ctx, r.cfg.Now(), r.after, func(c Claimed) Composed {
		claimed = claimed[:0]
		for _, f := range c.Facts {
			claimed = append(claimed, f.ID)
		}
		composed = composeAll(c)
		return composed
	})
	if errors.Is(err, ErrRefused) && len(claimed) > 0 {
		// One of them is poison: the others must not wait for it.
		return len(claimed), r.teller.tellParts(ctx, claimed, true, make(map[uuid.UUID]string))
	}
	if err != nil {
		return 0, err
	}
	r.after = relayed.Next
	r.cfg.committed(ctx, composed, relayed)
	return relayed.Facts, nil
}

func newInApp(messages []Message, fresh map[uuid.UUID]bool) []AppMessage {
	out := make([]AppMessage, 0, len(fresh))
	for i := range messages {
		m := &messages[i]
		if !m.ToApp {
			continue
		}
		if id := m.ID(App); fresh[id] {
			out = append(out, AppMessage{UserID: m.UserID, NotificationID: id, Type: m.Type, Title: m.Title})
		}
	}
	return out
}
