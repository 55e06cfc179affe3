package redis

import (
	"context"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/redis/rueidis"

	"happening/internal/realtime"
)

const (
	// RenewEvery is how often whoever looks on and whoever is connected has to
	// be renewed.
	RenewEvery = 10 * time.Second
	// viewerTTL is how long a viewer counts unrenewed: two renewals may fail.
	viewerTTL = 3 * RenewEvery
	// watchedKept is how long an event counts as watched after the last
	// renewal, and a person as connected.
	watchedKept = realtime.RecoveryWindow + RenewEvery
	// maxViewersAtOnce bounds the viewers of one script.
	maxViewersAtOnce = 1_000
)

// Presence knows who looks on and who is connected, in all processes.
type Presence struct{ s *Store }

// Presence gives the store's presence.
func (s *Store) Presence() *Presence { return &Presence{s} }

func viewersKey(eventID uuid.UUID) []string { return []string{eventKey(eventID, "viewers")} }

func watching(eventID uuid.UUID, ttl time.Duration, viewers []string) call {
	keys := viewersKey(eventID)
	return call{script: watchScript, keys: keys, owned: keys, args: append([]string{
		strconv.FormatInt(ttl.Milliseconds(), 10), strconv.FormatInt(watchedKept.Milliseconds(), 10),
	}, viewers...)}
}

// Join says that the viewer, a person or a visitor's connection, looks at the
// event. It counts until Leave, or until it is not renewed any more.
func (p *Presence) Join(ctx context.Context, eventID uuid.UUID, viewer string) error {
	_, err := p.s.run(ctx, p.s.patience, watching(eventID, viewerTTL, []string{viewer}))
	return err
}

// Leave says that the viewer looks no more in this process. One who looks in
// another as well counts again at its next renewal. The event stays watched
// for RecoveryWindow.
func (p *Presence) Leave(ctx context.Context, eventID uuid.UUID, viewer string) error {
	_, err := p.s.run(ctx, p.s.patience, watching(eventID, 0, []string{viewer}))
	return err
}

// Renew says every RenewEvery who still looks on and who is still connected.
func (p *Presence) Renew(ctx context.Context, events map[uuid.UUID][]string, listeners []uuid.UUID) error {
	var calls []call
	for id, viewers := range events {
		for from := 0; from < len(viewers); from += maxViewersAtOnce {
			calls = append(calls, watching(id, viewerTTL, viewers[from:min(from+maxViewersAtOnce, len(viewers))]))
		}
	}
	if _, err := p.s.run(ctx, bulkPatience, calls...); err != nil {
		return err
	}
	return p.s.plainly(ctx, bulkPatience, len(listeners), func(c rueidis.Client, i int) rueidis.Completed {
		return listen(c, listeners[i])
	}, nil)
}

// Viewers counts who looks at the event, each once.
func (p *Presence) Viewers(ctx context.Context, eventID uuid.UUID) (int, error) {
	keys := viewersKey(eventID)
	answers, err := p.s.run(ctx, p.s.patience, call{script: viewersScript, keys: keys, owned: keys})
	if err != nil {
		return 0, err
	}
	n, err := answers[0].AsInt64()
	return int(n), err
}

func listeningKey(userID uuid.UUID) string { return "listening:" + userID.String() }

func listen(c rueidis.Client, userID uuid.UUID) rueidis.Completed {
	return c.B().Set().Key(listeningKey(userID)).Value("1").Px(watchedKept).Build()
}

// Listen says that the person is connected; it holds for RecoveryWindow after
// the last renewal.
func (p *Presence) Listen(ctx context.Context, userID uuid.UUID) error {
	return p.s.plainly(ctx, p.s.patience, 1, func(c rueidis.Client, _ int) rueidis.Completed { return listen(c, userID) }, nil)
}

// Listening says whether the person is connected to any process, or was within
// RecoveryWindow.
func (p *Presence) Listening(ctx context.Context, userID uuid.UUID) (bool, error) {
	all, err := p.ListeningAll(ctx, []uuid.UUID{userID})
	if err != nil {
		return false, err
	}
	return all[0], nil
}

// ListeningAll is Listening for many people in one round trip, in their order.
func (p *Presence) ListeningAll(ctx context.Context, userIDs []uuid.UUID) ([]bool, error) {
	all := make([]bool, len(userIDs))
	err := p.s.plainly(ctx, p.s.patience, len(userIDs), func(c rueidis.Client, i int) rueidis.Completed {
		return c.B().Exists().Key(listeningKey(userIDs[i])).Build()
	}, func(i int, m rueidis.RedisMessage) {
		n, err := m.AsInt64()
		all[i] = err == nil && n > 0
	})
	return all, err
}

// plainly sends n plain commands in few round trips.
func (s *Store) plainly(ctx context.Context, within time.Duration, n int, command func(rueidis.Client, int) rueidis.Completed, got func(int, rueidis.RedisMessage)) error {
	client := s.client.Load()
	if client == nil || s.away.Load() {
		return errAway
	}
	bounded, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	c := *client
	for from := 0; from < n; from += maxPipelined {
		commands := make([]rueidis.Completed, 0, maxPipelined)
		for i := from; i < min(from+maxPipelined, n); i++ {
			commands = append(commands, command(c, i))
		}
		for i, r := range c.DoMulti(bounded, commands...) {
			m, err := r.ToMessage()
			switch {
			case rueidis.IsRedisNil(err), kindOf(err) == foreignValue:
				continue
			case err != nil:
				return s.judge(ctx, err)
			}
			if got != nil {
				got(from+i, m)
			}
		}
	}
	return nil
}
