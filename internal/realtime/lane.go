package realtime

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
)

// lane works for its share of the events and persons, one thing after the
// other.
type lane struct {
	*Feed
	wake chan struct{}
	news chan news

	mu     sync.Mutex
	events map[uuid.UUID]*watch
	due    schedule
	// missed are channels on which a message was lost; everybody stands for
	// more than can be remembered.
	missed   map[string]struct{}
	everyone bool
	makeGood time.Time // when the missed are told next
}

// news is a message on its way to an event's watchers or to a person, with no
// state to be read.
type news struct {
	eventID, userID uuid.UUID
	message         message
}

func (n *news) channel() string {
	if n.userID != uuid.Nil {
		return UserChannel(n.userID)
	}
	return EventChannel(n.eventID)
}

// watch is what the feed knows of one event.
type watch struct {
	eventID uuid.UUID
	dirty   []int32
	lost    bool  // more has changed than dirty tells
	sale    int64 // the newest sale version among the changes
	planned [tasks]bool

	watchedUntil time.Time
	joined       bool // somebody came since viewers were told
	viewers      int  // as told
	viewersAt    time.Time
	sales        Sales
	salesVersion int64
	salesTold    Sales
	salesAt      time.Time
	repeated     Version // waits to be repeated
	repeatAgain  bool
}

func newLane(f *Feed) *lane {
	return &lane{
		Feed: f, wake: make(chan struct{}, 1), news: make(chan news, maxQueuedNews),
		events: map[uuid.UUID]*watch{}, missed: map[string]struct{}{},
	}
}

func (l *lane) changed(eventID uuid.UUID, saleVersion int64, seats []int32, lost bool) {
	if len(seats) == 0 && !lost {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.watch(eventID)
	w.sale = max(w.sale, saleVersion)
	w.lost = w.lost || lost
	if !w.lost {
		w.dirty = append(w.dirty, seats...)
		if len(w.dirty) > maxDirtySeats {
			if w.dirty = distinct(w.dirty); len(w.dirty) > maxDirtySeats {
				w.lost = true
			}
		}
	}
	if w.lost {
		w.dirty = nil
	}
	l.plan(w, tellSeats, time.Now().Add(coalesce))
}

func (l *lane) watching(eventID uuid.UUID, joined bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.events[eventID]
	if w == nil && !joined {
		return
	}
	w = l.watch(eventID)
	now := time.Now()
	if joined {
		w.joined = true
		w.watchedUntil = now.Add(RecoveryWindow)
		l.plan(w, repeatVersion, now.Add(beatEvery))
	}
	l.plan(w, tellViewers, latest(now.Add(coalesce), w.viewersAt.Add(tellEvery)))
}

func (l *lane) sold(eventID uuid.UUID, saleVersion int64, s Sales) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w, now := l.events[eventID], time.Now()
	if !l.Shared && (w == nil || !w.watched(now)) {
		return
	}
	w = l.watch(eventID)
	if saleVersion >= w.salesVersion {
		w.sales, w.salesVersion = s, saleVersion
	}
	l.plan(w, tellSales, latest(now.Add(coalesce), w.salesAt.Add(tellEvery)))
}

func (l *lane) planLive() {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for _, w := range l.events {
		l.plan(w, tellLive, now)
	}
}

var errQueueFull = errors.New("too many live messages are waiting")

// send queues a message. It never waits: what finds no room is lost.
func (l *lane) send(n news) {
	select {
	case l.news <- n:
	default:
		l.publishes.note(errQueueFull)
		l.miss(n.channel())
	}
}

// miss remembers that a message on the channel was lost.
func (l *lane) miss(channel string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.missed) == 0 && !l.everyone {
		l.makeGood = time.Now().Add(retryAfter)
	}
	if len(l.missed) < maxMissed {
		l.missed[channel] = struct{}{}
	} else {
		l.everyone = true
	}
}

func (l *lane) run(ctx context.Context) {
	timer := time.NewTimer(beatEvery)
	defer timer.Stop()
	for ctx.Err() == nil {
		busy := false
		if w, task, ok := l.nextDue(); ok {
			l.do(ctx, w, task)
			busy = true
		}
		select {
		case n := <-l.news:
			l.tell(ctx, &n)
			busy = true
		default:
		}
		if l.missedDue() {
			l.refreshMissed()
		}
		if busy {
			continue
		}
		timer.Reset(l.untilDue())
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-l.wake:
		case n := <-l.news:
			l.tell(ctx, &n)
		}
	}
}

// tell publishes a message to whom it concerns, if anybody listens.
func (l *lane) tell(ctx context.Context, n *news) {
	switch {
	case n.userID != uuid.Nil && l.Shared && !l.Audience.Listening(ctx, n.userID):
	case n.userID == uuid.Nil && l.Shared && !l.watchedAnywhere(ctx, n.eventID):
	default:
		channel := n.channel()
		if !l.publish(channel, n.message.encode()) {
			l.miss(channel)
		}
	}
}

// publish sends to all processes. When that fails, those who are connected
// here are told nevertheless.
func (l *lane) publish(channel string, data []byte) bool {
	err := l.Publisher.Publish(channel, data)
	l.publishes.note(err)
	if err != nil {
		l.local(channel, data)
	}
	return err == nil
}

func (l *lane) local(channel string, data []byte) {
	if err := l.Publisher.Local(channel, data); err != nil {
		l.Log.Warn("live message not delivered", "channel", channel, "error", err)
	}
}

func (l *lane) missedDue() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return (len(l.missed) > 0 || l.everyone) && !time.Now().Before(l.makeGood)
}

// refreshMissed tells those on whose channels messages were lost to fetch
// again what they show, once publishing works.
func (l *lane) refreshMissed() {
	l.mu.Lock()
	missed, everyone := l.missed, l.everyone
	l.missed, l.everyone = map[string]struct{}{}, false
	l.mu.Unlock()
	for channel := range missed {
		err := l.Publisher.Publish(channel, RefreshMessage())
		l.publishes.note(err)
		if err != nil {
			l.mu.Lock()
			for c := range l.missed {
				missed[c] = struct{}{}
			}
			l.missed, l.everyone, l.makeGood = missed, l.everyone || everyone, time.Now().Add(retryAfter)
			l.mu.Unlock()
			return
		}
		delete(missed, channel)
	}
	if everyone {
		l.Publisher.RefreshAll()
	}
}

func (l *lane) do(ctx context.Context, w *watch, t task) {
	switch t {
	case tellSeats:
		l.flush(ctx, w)
	case repeatVersion:
		l.keepBeating(ctx, w)
	case tellViewers:
		l.countViewers(ctx, w)
	case tellSales:
		l.tellSales(ctx, w)
	case tellVersion:
		l.repeat(ctx, w)
	case tellLive:
		l.tellLive(ctx, w)
	}
	l.letGo(w)
}

// flush publishes the event's dirty seats. They are taken out before any state
// is read: what changes after that is dirty again. The version moves also
// where nobody looks, for snapshots are recognized by it.
func (l *lane) flush(ctx context.Context, w *watch) {
	l.mu.Lock()
	dirty, lost, sale := distinct(w.dirty), w.lost, w.sale
	w.dirty, w.lost = nil, false
	l.mu.Unlock()
	channel := EventChannel(w.eventID)
	for first := true; first || len(dirty) > 0; first = false {
		v, err := l.Versions.Next(ctx, w.eventID, sale)
		l.versions.note(err)
		if err != nil {
			l.retryAsLost(w)
			return
		}
		// Who begins to look after this is told the version, and sees the gap.
		if !v.Watched && !l.watchedHere(w.eventID) {
			return
		}
		if lost {
			l.broadcast(channel, encodeDelta(v.Version, nil, nil))
			return
		}
		slice := dirty[:min(len(dirty), maxDeltaSeats)]
		dirty = dirty[len(slice):]
		states, ok := l.Seats.States(ctx, w.eventID, max(v.Sale, sale), slice)
		if !ok || len(states) != len(slice) {
			l.broadcast(channel, encodeDelta(v.Version, nil, nil))
			continue
		}
		l.publish(channel, encodeDelta(v.Version, slice, states))
	}
}

// broadcast tells a version without seats. If it is lost, the next beat tells
// the same.
func (l *lane) broadcast(channel string, data []byte) {
	err := l.Publisher.Broadcast(channel, data)
	l.publishes.note(err)
	if err != nil {
		l.local(channel, data)
	}
}

func (l *lane) retryAsLost(w *watch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w.lost, w.dirty = true, nil
	l.plan(w, tellSeats, time.Now().Add(retryAfter))
}

// keepBeating repeats the version while anybody looks over this process, and
// goes on for as long as one who was cut off may come back.
func (l *lane) keepBeating(ctx context.Context, w *watch) {
	here := l.Audience.Here(w.eventID)
	switch {
	case here == 0:
	case l.sayLive():
		l.tellLive(ctx, w)
	default:
		l.beat(ctx, w)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if here > 0 {
		w.watchedUntil = now.Add(RecoveryWindow)
		if l.Shared { // others come and go elsewhere
			l.plan(w, tellViewers, latest(now, w.viewersAt.Add(tellEvery)))
		}
	}
	if w.watched(now) {
		l.plan(w, repeatVersion, now.Add(beatEvery))
	}
}

// beat reads the version and repeats it to those who look over this process;
// every process does that for its own.
func (l *lane) beat(ctx context.Context, w *watch) {
	l.mu.Lock()
	waits := w.planned[tellVersion]
	w.repeatAgain = w.repeatAgain || waits
	l.mu.Unlock()
	if waits {
		return // who came after it was read is told the next one
	}
	v, err := l.Versions.Version(ctx, w.eventID)
	l.versions.note(err)
	if err != nil {
		return
	}
	if !l.Shared {
		l.local(EventChannel(w.eventID), encodeDelta(v.Version, nil, nil))
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	w.repeated = v.Version
	l.plan(w, tellVersion, time.Now().Add(settleFor))
}

func (l *lane) repeat(ctx context.Context, w *watch) {
	l.mu.Lock()
	again := w.repeatAgain
	w.repeatAgain = false
	l.mu.Unlock()
	l.local(EventChannel(w.eventID), encodeDelta(w.repeated, nil, nil))
	if again {
		l.beat(ctx, w)
	}
}

// tellLive says whether the map is kept up to date.
func (l *lane) tellLive(ctx context.Context, w *watch) {
	if l.Audience.Here(w.eventID) == 0 {
		return
	}
	live := !l.interrupted()
	l.local(EventChannel(w.eventID), message{Live: &live}.encode())
	if live {
		l.beat(ctx, w)
	}
}

// countViewers tells how many look on, to those who look over this process. A
// newcomer learns it although the count may be the same, as with a second
// window of one person, and learns the version, so that what changed between
// its snapshot and now is noticed.
func (l *lane) countViewers(ctx context.Context, w *watch) {
	viewers, here := 0, l.Audience.Here(w.eventID)
	if here > 0 && !l.interrupted() {
		viewers = l.Audience.Viewers(ctx, w.eventID)
	}
	l.mu.Lock()
	joined, tell := w.joined, viewers > 0 && (w.joined || viewers != w.viewers)
	w.joined, w.viewers, w.viewersAt = false, viewers, time.Now()
	l.mu.Unlock()
	if tell {
		l.local(EventChannel(w.eventID), message{Viewers: &viewers}.encode())
	}
	switch {
	case !joined:
	case l.sayLive():
		l.tellLive(ctx, w)
	default:
		l.beat(ctx, w)
	}
}

// tellSales tells what is left. With several processes, the one that knows
// the newest sale tells it; an older figure that comes later would stay.
func (l *lane) tellSales(ctx context.Context, w *watch) {
	l.mu.Lock()
	sales, version, changed := w.sales, w.salesVersion, w.sales != w.salesTold
	l.mu.Unlock()
	if l.Shared {
		v, err := l.Versions.Version(ctx, w.eventID)
		l.versions.note(err)
		if err == nil && (v.Sale > version || !v.Watched && !l.watchedHere(w.eventID)) {
			return
		}
		changed = true // another process may have told something else since
	}
	l.mu.Lock()
	w.salesTold, w.salesAt = sales, time.Now()
	l.mu.Unlock()
	if changed && !l.publish(EventChannel(w.eventID), message{Sales: &sales}.encode()) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.plan(w, tellSales, time.Now().Add(retryAfter))
	}
}

func (l *lane) watchedHere(eventID uuid.UUID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.events[eventID]
	return w != nil && w.watched(time.Now())
}

// watchedAnywhere asks the other processes, too. Where that can't be told, it
// is true.
func (l *lane) watchedAnywhere(ctx context.Context, eventID uuid.UUID) bool {
	if l.watchedHere(eventID) {
		return true
	}
	v, err := l.Versions.Version(ctx, eventID)
	l.versions.note(err)
	return err != nil || v.Watched
}

func (w *watch) watched(now time.Time) bool { return now.Before(w.watchedUntil) }

// watch gives the event's state, new where there was none.
func (l *lane) watch(eventID uuid.UUID) *watch {
	w := l.events[eventID]
	if w == nil {
		w = &watch{eventID: eventID}
		l.events[eventID] = w
	}
	return w
}

// letGo forgets an event for which nothing is planned; whoever watches it has
// its version repeated, which is planned.
func (l *lane) letGo(w *watch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w.planned == [tasks]bool{} {
		delete(l.events, w.eventID)
	}
}

func distinct(seats []int32) []int32 {
	slices.Sort(seats)
	return slices.Compact(seats)
}

func latest(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
