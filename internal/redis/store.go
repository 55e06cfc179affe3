package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/redis/rueidis"

	"happening/internal/booking"
	"happening/internal/realtime"
)

const (
	// patience bounds a call on a person's or the worker's way: sales go on
	// without an answer.
	patience = 250 * time.Millisecond
	// bulkPatience bounds a call that nobody waits for.
	bulkPatience = 2 * time.Second
	// maxPipelined bounds the scripts that are sent in one go.
	maxPipelined = 256
	// DefaultHoldTTL is how long a hold lives unrenewed where the operator
	// has set nothing else.
	DefaultHoldTTL = 2 * time.Minute
	// maxKnownEvents bounds the events of which a process remembers the last
	// view; idleAfter is for how long it does without being asked.
	maxKnownEvents = 8_192
	idleAfter      = 10 * time.Minute
	// maxChores bounds what waits to be done without anybody waiting for it.
	maxChores = 1_024
	// maxUnsettled bounds the remembered seats that were sold during an outage.
	maxUnsettled = 100_000
)

// Options configures a Store.
type Options struct {
	// TTL is how long a hold lives unrenewed; zero means DefaultHoldTTL.
	TTL time.Duration
	// Now is the clock in which people are told when holds end. Required.
	Now func() time.Time
	// Changed is told of every seat whose hold began or ended, by the process
	// that was answered so. May be nil; must not block.
	Changed func(eventID uuid.UUID, seats []int32)
	// Expired is told whose holds ended by the clock, in exactly one process.
	// May be nil; must not block.
	Expired func(eventID, userID uuid.UUID, seats []int32)
	Log     *slog.Logger // nil: slog.Default
	// RedisTime replaces Redis's clock in tests; to the millisecond.
	RedisTime func() time.Time
}

// Store keeps holds, versions, mirror and locks in Redis. It implements
// booking.HoldStore, booking.Mirror, booking.SubmitLock and realtime.Versions,
// and is safe for concurrent use.
type Store struct {
	*line
	closeOnce sync.Once
	o         Options
	process   string // names this process in Redis
	patience  time.Duration

	mu     sync.RWMutex
	events map[uuid.UUID]*known

	chores chan func(context.Context)
	busy   sync.WaitGroup // what works through chores
	unsettled
	rebuilding
	foreign rarely // told of, by the first key that is made anew
	// skew is Redis's clock less this process's, in milliseconds.
	skew atomic.Int64
}

var (
	_ booking.HoldStore  = (*Store)(nil)
	_ booking.Mirror     = (*Store)(nil)
	_ booking.SubmitLock = (*Store)(nil)
	_ realtime.Versions  = (*Store)(nil)
)

// known is what this process remembers of an event.
type known struct {
	picture atomic.Pointer[picture]
	used    atomic.Int64 // in Unix nanoseconds
	// enlisted is until when, in Redis's milliseconds, somebody is sure to
	// look whether holds have ended here.
	enlisted atomic.Int64

	mu      sync.Mutex
	version realtime.Version
}

// Open makes a store. Where Redis is away it comes back to it by itself; an
// error says that the settings make no sense. Close ends it.
func Open(ctx context.Context, settings Settings, o Options) (*Store, error) {
	if len(settings.Addresses) == 0 || o.Now == nil {
		return nil, errors.New("redis: an address and a clock are needed")
	}
	if o.TTL <= 0 {
		o.TTL = DefaultHoldTTL
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	s := &Store{
		line: newLine(settings, o.Log), o: o, process: randomWord(), patience: patience,
		events: map[uuid.UUID]*known{}, chores: make(chan func(context.Context), maxChores),
	}
	s.start(ctx)
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.busy.Go(func() { s.work(working) })
	end := s.stop
	s.stop = func() { stop(); end() }
	return s, nil
}

// Close ends all connections. Calls after it fail.
func (s *Store) Close() {
	s.closeOnce.Do(func() {
		s.away.Store(true)
		s.close()
		s.busy.Wait()
	})
}

// Away says whether Redis can't be reached or does not work.
func (s *Store) Away() bool { return s.away.Load() }

// State tells operators how the engine does, in a line without secrets.
func (s *Store) State() (ok bool, detail string) {
	s.line.mu.Lock()
	defer s.line.mu.Unlock()
	if s.away.Load() {
		detail = "away"
		if !s.since.IsZero() {
			detail += " for " + time.Since(s.since).Round(time.Second).String()
		}
		return false, detail + ": " + s.reason
	}
	return true, fmt.Sprintf("%s at %s", s.settings.Mode, s.settings)
}

// OnAway has f called when an outage has begun, OnReturn when Redis is back,
// also after a failure so short that it was not told as an outage. Neither f
// may block: whatever calls Redis goes into a goroutine of its own.
func (s *Store) OnAway(f func()) {
	s.line.mu.Lock()
	defer s.line.mu.Unlock()
	s.left = append(s.left, f)
}

// OnReturn: see OnAway.
func (s *Store) OnReturn(f func()) {
	s.line.mu.Lock()
	defer s.line.mu.Unlock()
	s.returned = append(s.returned, f)
}

// countingDial connects as the library would and counts.
func countingDial(generation *atomic.Uint64) func(context.Context, string, *net.Dialer, *tls.Config) (net.Conn, error) {
	return func(ctx context.Context, address string, d *net.Dialer, secure *tls.Config) (net.Conn, error) {
		defer generation.Add(1)
		if secure != nil {
			return (&tls.Dialer{NetDialer: d, Config: secure}).DialContext(ctx, "tcp", address)
		}
		return d.DialContext(ctx, "tcp", address)
	}
}

// call is one run of a script on keys of one slot.
type call struct {
	script *script
	keys   []string
	args   []string
	// owned are the keys of the event, all to be deleted where one of them
	// turns out to be somebody else's; nil: never.
	owned []string
}

func (s *Store) command(c rueidis.Client, k call, whole bool) rueidis.Completed {
	args := k.args
	if !k.script.bare {
		args = append([]string{s.clock(), s.process, randomWord()}, args...)
	}
	if whole {
		return c.B().Eval().Script(k.script.text).Numkeys(int64(len(k.keys))).Key(k.keys...).Arg(args...).Build()
	}
	return c.B().Evalsha().Sha1(k.script.sha).Numkeys(int64(len(k.keys))).Key(k.keys...).Arg(args...).Build()
}

// clock is the scripts' clock: 0 for Redis's own.
func (s *Store) clock() string {
	if s.o.RedisTime == nil {
		return "0"
	}
	return strconv.FormatInt(s.o.RedisTime().UnixMilli(), 10)
}

// run sends scripts in one go and gives their answers in order; where one of
// them fails for good, the first such error. Once sent, an answer is waited for
// though the caller has given up: with it goes what a script has changed, of
// which watchers would hear from nobody else.
func (s *Store) run(ctx context.Context, within time.Duration, calls ...call) ([]rueidis.RedisMessage, error) {
	answers := make([]rueidis.RedisMessage, len(calls))
	if s.away.Load() {
		return nil, errAway
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	unshaken := context.WithoutCancel(ctx)
	bounded, cancel := context.WithTimeout(unshaken, within)
	defer cancel()
	client := s.client.Load()
	if client == nil {
		return nil, errAway
	}
	for from := 0; from < len(calls); from += maxPipelined {
		till := min(from+maxPipelined, len(calls))
		if err := s.pipeline(bounded, *client, calls[from:till], answers[from:till]); err != nil {
			return nil, s.judge(unshaken, err)
		}
	}
	return answers, nil
}

// pipeline runs scripts and mends what can be mended: scripts that Redis does
// not know yet, and events at which somebody else's values stand.
func (s *Store) pipeline(ctx context.Context, c rueidis.Client, calls []call, answers []rueidis.RedisMessage) error {
	commands := make([]rueidis.Completed, len(calls))
	for i := range calls {
		commands[i] = s.command(c, calls[i], false)
	}
	var unknown, foreign []int
	for i, r := range c.DoMulti(ctx, commands...) {
		m, err := r.ToMessage()
		answers[i] = m
		switch kindOf(err) {
		case fine:
		case unknownScript:
			unknown = append(unknown, i)
		case foreignValue:
			foreign = append(foreign, i)
		default:
			return err
		}
	}
	if len(unknown) > 0 {
		more, err := s.again(ctx, c, calls, answers, unknown)
		if err != nil {
			return err
		}
		foreign = append(foreign, more...)
	}
	if len(foreign) == 0 {
		return nil
	}
	for _, i := range foreign {
		if calls[i].owned == nil {
			return errForeign
		}
		if s.foreign.now(calls[i].owned[0], time.Now()) {
			s.log.Warn("a value in Redis is not ours: the event's keys are made anew", "key", calls[i].owned[0])
		}
		if err := s.wipe(ctx, c, calls[i].owned); err != nil {
			return err
		}
	}
	if still, err := s.again(ctx, c, calls, answers, foreign); err != nil || len(still) > 0 {
		return errors.Join(err, errForeign)
	}
	return nil
}

// errForeign says that a key of ours has somebody else's value.
var errForeign = errors.New("redis: a key of ours has somebody else's value")

// again sends the named calls with the scripts' whole text, which Redis keeps,
// and gives those that met foreign values.
func (s *Store) again(ctx context.Context, c rueidis.Client, calls []call, answers []rueidis.RedisMessage, which []int) (foreign []int, err error) {
	commands := make([]rueidis.Completed, len(which))
	for n, i := range which {
		commands[n] = s.command(c, calls[i], true)
	}
	for n, r := range c.DoMulti(ctx, commands...) {
		m, err := r.ToMessage()
		answers[which[n]] = m
		switch kindOf(err) {
		case fine:
		case foreignValue:
			foreign = append(foreign, which[n])
		default:
			return nil, err
		}
	}
	return foreign, nil
}

func (s *Store) wipe(ctx context.Context, c rueidis.Client, keys []string) error {
	return c.Do(ctx, s.command(c, call{script: wipeScript, keys: keys}, true)).Error()
}

// judge decides what a failed call means for those that follow.
func (s *Store) judge(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil: // the caller gave up
		return ctx.Err()
	case errors.Is(err, errForeign):
		return err
	}
	s.fail(err)
	return err
}

type errorKind int

const (
	fine errorKind = iota
	unknownScript
	foreignValue
	otherError
)

func kindOf(err error) errorKind {
	if err == nil || rueidis.IsRedisNil(err) {
		return fine
	}
	answer, ok := rueidis.IsRedisErr(err)
	if !ok {
		return otherError
	}
	text := answer.Error()
	switch {
	case answer.IsNoScript():
		return unknownScript
	case strings.HasPrefix(text, "WRONGTYPE"):
		return foreignValue
	case strings.Contains(text, "user_script") && !coded(text):
		return foreignValue // such as a word where a number should be
	}
	return otherError
}

// coded says whether an error begins with a code, as those do that tell of the
// server's state: READONLY, OOM, NOPERM. The library cuts off a plain ERR.
func coded(text string) bool {
	word, _, _ := strings.Cut(text, " ")
	return word != "" && word == strings.ToUpper(word) && word != "ERR"
}

// event gives what is remembered of an event.
func (s *Store) event(id uuid.UUID) *known {
	s.mu.RLock()
	k := s.events[id]
	s.mu.RUnlock()
	if k == nil {
		s.mu.Lock()
		if k = s.events[id]; k == nil {
			k = &known{}
			s.events[id] = k
		}
		s.mu.Unlock()
	}
	k.used.Store(time.Now().UnixNano())
	return k
}

// tidy forgets events that nobody asked for in a while, which costs their next
// caller a whole view.
func (s *Store) tidy(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	type use struct {
		id uuid.UUID
		at int64
	}
	uses := make([]use, 0, len(s.events))
	for id, k := range s.events {
		if at := k.used.Load(); now.UnixNano()-at > int64(idleAfter) {
			delete(s.events, id)
		} else {
			uses = append(uses, use{id, at})
		}
	}
	if len(uses) <= maxKnownEvents {
		return
	}
	slices.SortFunc(uses, func(a, b use) int { return int(min(max(a.at-b.at, -1), 1)) })
	for _, u := range uses[:len(uses)-maxKnownEvents] {
		delete(s.events, u.id)
	}
}

// later has something done that nobody waits for; where too much waits already
// it is left undone, and its key ends by itself.
func (s *Store) later(f func(context.Context)) {
	select {
	case s.chores <- f:
	default:
	}
}

func (s *Store) work(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case f := <-s.chores:
			f(ctx)
		}
	}
}

// redisNow estimates Redis's clock in milliseconds.
func (s *Store) redisNow() int64 {
	if s.o.RedisTime != nil {
		return s.o.RedisTime().UnixMilli()
	}
	return time.Now().UnixMilli() + s.skew.Load()
}

func randomWord() string {
	const base = 36
	return strconv.FormatUint(rand.Uint64(), base)
}

// The keys. The braces are written, so that all of an event lie in one slot.
func eventKey(id uuid.UUID, part string) string { return "event:{" + id.String() + "}:" + part }

func holdKeys(id uuid.UUID) []string {
	return []string{
		eventKey(id, "holds"), eventKey(id, "people"), eventKey(id, "due"), eventKey(id, "touched"), eventKey(id, "live"),
	}
}

// ownedKeys are all keys of an event but those of its viewers and locks.
func ownedKeys(id uuid.UUID) []string {
	return append(holdKeys(id), eventKey(id, "slots"), eventKey(id, "waitlist"))
}

func personKey(id uuid.UUID) string { return "holding:" + id.String() }

// dueKey lists the events at which holds end.
const dueKey = "holds:due"
