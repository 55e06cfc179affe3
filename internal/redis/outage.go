package redis

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

const (
	// lookPatience bounds a look whether Redis is back.
	lookPatience = 250 * time.Millisecond
	// lookPause is how long to wait between two looks; half of it is jitter.
	lookPause = 500 * time.Millisecond
	// calmAfter is for how long calls have to go well until a failure is
	// looked into at once again. One that comes earlier waits, so that a
	// Redis that answers looks and nothing else does not cost every batch
	// its patience.
	calmAfter = 3 * time.Second
	// firstPatience bounds the connect when a store is opened.
	firstPatience = 2 * time.Second
)

// errAway says that calls fail at once because one has failed a moment ago.
var errAway = errors.New("redis: away")

// line is the connection and what is known of its health. After a call that
// failed, calls fail at once until a look succeeds; one goroutine looks.
type line struct {
	settings Settings
	log      *slog.Logger
	client   atomic.Pointer[rueidis.Client]
	// generation counts the connections made: behind a new one there may be
	// another server, or the same with an older state.
	generation atomic.Uint64

	away atomic.Bool
	kick chan struct{} // something failed
	stop context.CancelFunc
	done chan struct{}

	mu       sync.Mutex
	reason   string    // of the outage
	since    time.Time // of the outage; zero: none, or not yet confirmed
	returned []func()
	left     []func()
}

func newLine(settings Settings, log *slog.Logger) *line {
	return &line{settings: settings, log: log, kick: make(chan struct{}, 1), done: make(chan struct{})}
}

// start connects, or begins an outage; it never fails.
func (l *line) start(ctx context.Context) {
	first, cancel := context.WithTimeout(ctx, firstPatience)
	err := l.look(first)
	cancel()
	if err != nil {
		l.away.Store(true)
		l.confirm(err)
	}
	tending, stop := context.WithCancel(context.WithoutCancel(ctx))
	l.stop = stop
	go l.tend(tending)
	if err != nil {
		l.suspect()
	}
}

func (l *line) close() {
	l.stop()
	<-l.done
	if c := l.client.Load(); c != nil {
		(*c).Close()
	}
}

// fail makes calls fail at once until a look succeeds.
func (l *line) fail(err error) {
	l.mu.Lock()
	l.reason = plain(err)
	l.mu.Unlock()
	l.away.Store(true)
	l.suspect()
}

// suspect has somebody look, without failing calls before the look did.
func (l *line) suspect() {
	select {
	case l.kick <- struct{}{}:
	default:
	}
}

// tend looks into failures until ctx ends.
func (l *line) tend(ctx context.Context) {
	defer close(l.done)
	var calmSince time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.kick:
		}
		pause := time.Duration(0)
		if time.Since(calmSince) < calmAfter {
			pause = jittered(lookPause)
		}
		for {
			if !sleep(ctx, pause) {
				return
			}
			looking, cancel := context.WithTimeout(ctx, lookPatience)
			err := l.look(looking)
			cancel()
			if ctx.Err() != nil {
				return
			}
			if err == nil {
				break
			}
			l.away.Store(true)
			l.confirm(err)
			pause = jittered(lookPause)
		}
		select {
		case <-l.kick: // what failed meanwhile is answered by the look
		default:
		}
		calmSince = time.Now()
		l.away.Store(false)
		l.back()
	}
}

// confirm tells once that an outage has begun.
func (l *line) confirm(err error) {
	l.mu.Lock()
	l.reason = plain(err)
	began := l.since.IsZero()
	if began {
		l.since = time.Now()
	}
	left := slices.Clone(l.left)
	l.mu.Unlock()
	if !began {
		return
	}
	l.log.Error("Redis is away: holds and live maps are interrupted, booking goes on", "at", l.settings.String(), "error", plain(err))
	for _, f := range left {
		f()
	}
}

// back tells that an outage is over. What calls have missed while it was only
// suspected is repaired as well.
func (l *line) back() {
	l.mu.Lock()
	since := l.since
	l.since, l.reason = time.Time{}, ""
	returned := slices.Clone(l.returned)
	l.mu.Unlock()
	if !since.IsZero() {
		l.log.Info("Redis is back", "at", l.settings.String(), "away_for", time.Since(since).Round(time.Millisecond).String())
	}
	for _, f := range returned {
		f()
	}
}

// look says whether Redis works, connecting first where that never succeeded.
// It writes: a replica, a full disk and a full memory only show then.
func (l *line) look(ctx context.Context) error {
	client := l.client.Load()
	if client == nil {
		made, err := l.connect()
		if err != nil {
			return err
		}
		l.client.Store(&made)
		client = &made
	}
	c := *client
	if l.settings.Mode == Cluster {
		info, err := c.Do(ctx, c.B().ClusterInfo().Build()).ToString()
		if err != nil {
			return err
		}
		if !strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, allSlots) {
			return errors.New("the cluster serves only part of its slots")
		}
	}
	return c.Do(ctx, c.B().Set().Key(pulseKey).Value("1").Px(pulseKept).Build()).Error()
}

const (
	// pulseKey is written to see whether Redis takes writes.
	pulseKey  = "happening:pulse"
	pulseKept = time.Minute
	allSlots  = "cluster_slots_ok:16384"
)

// connect makes a client, which connects again by itself from then on.
func (l *line) connect() (rueidis.Client, error) {
	o := l.settings.options()
	o.DialCtxFn = countingDial(&l.generation)
	return rueidis.NewClient(o)
}

// plain makes an error one line.
func plain(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

func jittered(d time.Duration) time.Duration { return d/2 + rand.N(d) }

func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
