package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/google/uuid"
)

// How facts are tried that can't be told at once.
const (
	// MaxTries is how often a fact is tried before it is put aside. A try
	// counts when it begins, so that a fact which kills its worker is put
	// aside, too.
	MaxTries = 5
	// The pause after a failed try grows from the first to the last by the
	// factor, a fifth of it up or down by chance. All pauses together stay
	// far below what the checker allows a fact to wait.
	firstTryPause  = 2 * time.Second
	tryPauseFactor = 2
	lastTryPause   = 30 * time.Second
)

// ErrRefused says that the database refuses what is to be written of a fact:
// a defect of the fact, which trying it again alone may or may not mend. Any
// other error of a store says nothing about the facts, and uses up no try.
var ErrRefused = errors.New("notify: the database refuses a fact")

// Interrupted is why a fact is put aside of which no try came to an end.
const Interrupted = "every try was interrupted"

var errInterrupted = errors.New(Interrupted)

// Told is what became of facts that were to be told by their ids.
type Told struct {
	Relayed
	// Dead are those that will never be told, with the reason: no such fact
	// exists, or it was put aside.
	Dead map[uuid.UUID]string
}

// TellStore tells facts by their ids.
type TellStore interface {
	// TellFacts is RelayFacts for the given facts. It leaves out those that
	// are told already or that somebody else holds at this moment. What a
	// batch has no room for is free to be taken again at once.
	TellFacts(ctx context.Context, now time.Time, ids []uuid.UUID, compose func(Claimed) Composed) (Told, error)
	// BeginTry counts one try more of a fact, durably, after waiting for
	// whoever holds it, and says how many it is. Of a fact that is not pending
	// it says 0.
	BeginTry(ctx context.Context, id uuid.UUID) (tries int, err error)
	// FailTry ends a try: retry is told how many there were and says when the
	// next one is due; the zero time puts the fact aside with the reason.
	FailTry(ctx context.Context, now time.Time, id uuid.UUID, reason string, retry func(tries int) time.Time) (putAside bool, err error)
}

// Teller tells facts that a queue names. Any number of tellers, in any number
// of processes, may be handed the same fact.
type Teller struct {
	cfg RelayConfig

	mu       sync.Mutex
	restedAt time.Time // until then a sale has the machine
}

// NewTeller makes a teller; its configuration is a relay's.
func NewTeller(cfg RelayConfig) *Teller { return &Teller{cfg: cfg.withDefaults()} }

// Tell tells facts that were handed over for the first time, together. It
// answers with those that will never be told, and why; all others are told,
// or stand in the outbox to be handed over again. After an error nothing is
// lost and no try is used up: call it again, it knows what it told.
func (t *Teller) Tell(ctx context.Context, ids []uuid.UUID) (dead map[uuid.UUID]string, err error) {
	t.giveWay(ctx)
	began := time.Now()
	dead = make(map[uuid.UUID]string)
	err = t.tellParts(ctx, ids, false, dead)
	t.worked(time.Since(began))
	return dead, err
}

// TellAgain tells a fact that was handed over before, by itself, because it
// may be the one that killed the worker which had it. It answers as Tell.
func (t *Teller) TellAgain(ctx context.Context, id uuid.UUID) (dead map[uuid.UUID]string, err error) {
	dead = make(map[uuid.UUID]string)
	return dead, t.tellAlone(ctx, id, true, dead)
}

// tellParts tells facts in one transaction; if the database refuses it, in
// two halves, down to the fact that it refuses. count says that these tries
// don't count yet.
func (t *Teller) tellParts(ctx context.Context, ids []uuid.UUID, count bool, dead map[uuid.UUID]string) error {
	if len(ids) == 1 && count {
		return t.tellAlone(ctx, ids[0], count, dead)
	}
	err := t.tell(ctx, ids, dead)
	if !errors.Is(err, ErrRefused) {
		return err
	}
	if len(ids) == 1 {
		return t.fail(ctx, ids[0], err, dead)
	}
	half := len(ids) / 2
	return errors.Join(
		t.tellParts(ctx, ids[:half], count, dead),
		t.tellParts(ctx, ids[half:], count, dead))
}

func (t *Teller) tellAlone(ctx context.Context, id uuid.UUID, count bool, dead map[uuid.UUID]string) error {
	if count {
		tries, err := t.cfg.Store.BeginTry(ctx, id)
		if err != nil {
			return err
		}
		if tries > MaxTries {
			return t.fail(ctx, id, errInterrupted, dead)
		}
	}
	err := t.tell(ctx, []uuid.UUID{id}, dead)
	if errors.Is(err, ErrRefused) {
		return t.fail(ctx, id, err, dead)
	}
	return err
}

func (t *Teller) fail(ctx context.Context, id uuid.UUID, cause error, dead map[uuid.UUID]string) error {
	now := t.cfg.Now()
	reason := shortened(cause.Error())
	putAside, err := t.cfg.Store.FailTry(ctx, now, id, reason, func(tries int) time.Time {
		if tries >= MaxTries {
			return time.Time{}
		}
		return now.Add(tryPause(tries, rand.Float64()))
	})
	if err != nil {
		return err
	}
	if putAside {
		dead[id] = reason
		t.cfg.Log.Error("a fact could not be told and was put aside", "fact", id, "reason", reason)
	} else {
		t.cfg.Log.Warn("a fact could not be told; trying again later", "fact", id, "error", reason)
	}
	return nil
}

// tell is one transaction and what follows its commit.
func (t *Teller) tell(ctx context.Context, ids []uuid.UUID, dead map[uuid.UUID]string) error {
	var composed Composed
	told, err := t.cfg.Store.TellFacts(ctx, t.cfg.Now(), ids, func(c Claimed) Composed {
		composed = composeAll(c)
		return composed
	})
	if err != nil {
		return err
	}
	for id, reason := range told.Dead {
		dead[id] = reason
	}
	t.cfg.committed(ctx, composed, told.Relayed)
	return nil
}

// giveWay waits for as long as a sale was to have the machine to itself.
func (t *Teller) giveWay(ctx context.Context) {
	t.mu.Lock()
	rest := time.Until(t.restedAt)
	t.mu.Unlock()
	if rest > 0 {
		pause(ctx, rest)
	}
}

func (t *Teller) worked(took time.Duration) {
	if !t.cfg.Busy() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.restedAt = time.Now().Add(busyRest(took))
}

// tryPause is how long to wait after a failed try, counted from 1; chance is
// in [0, 1).
func tryPause(tries int, chance float64) time.Duration {
	p := float64(firstTryPause) * math.Pow(tryPauseFactor, float64(max(tries, 1)-1))
	p = min(p, float64(lastTryPause))
	return time.Duration(p * (1 - retryJitter + 2*retryJitter*chance))
}

// composeAll says what to tell of each fact. One that cannot be understood,
// or over which the code falls, takes no other with it.
func composeAll(c Claimed) Composed {
	composed := Composed{Messages: make([]Message, 0, len(c.Facts))}
	for _, f := range c.Facts {
		messages, err := messagesOf(f, c.Known)
		if err != nil {
			if composed.Refused == nil {
				composed.Refused = make(map[uuid.UUID]string)
			}
			composed.Refused[f.ID] = err.Error()
			continue
		}
		composed.Messages = append(composed.Messages, messages...)
	}
	return composed
}

func messagesOf(f Fact, known Known) (messages []Message, err error) {
	defer func() {
		if p := recover(); p != nil {
			messages, err = nil, fmt.Errorf("notify: composing panicked: %v", p)
		}
	}()
	return Messages(f, known)
}

// committed does what follows a commit: open browsers hear of their messages,
// the deliverer of its mails.
func (cfg *RelayConfig) committed(ctx context.Context, composed Composed, relayed Relayed) {
	for id, reason := range composed.Refused {
		cfg.Log.Error("a fact could not be told and was put aside", "fact", id, "reason", reason)
	}
	if fresh := newInApp(composed.Messages, relayed.New); len(fresh) > 0 {
		cfg.Pushed(ctx, fresh)
	}
	if relayed.Mails > 0 {
		cfg.MailQueued()
	}
	if relayed.Facts > 0 {
		cfg.Told()
	}
}

func (cfg RelayConfig) withDefaults() RelayConfig {
	if cfg.Busy == nil {
		cfg.Busy = func() bool { return false }
	}
	if cfg.Pushed == nil {
		cfg.Pushed = func(context.Context, []AppMessage) {}
	}
	if cfg.MailQueued == nil {
		cfg.MailQueued = func() {}
	}
	if cfg.Told == nil {
		cfg.Told = func() {}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return cfg
}
