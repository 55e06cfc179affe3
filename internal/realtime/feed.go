package realtime

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
)

const (
	// coalesce is how long an event's dirty seats are gathered.
	coalesce = 50 * time.Millisecond
	// beatEvery is how often the version of a watched event is repeated.
	beatEvery = 5 * time.Second
	// tellEvery bounds how often viewers and sales are told.
	tellEvery = time.Second
	// RecoveryWindow is how long an event counts as watched after the last
	// watcher left: one whose connection was cut finds what it missed.
	RecoveryWindow = time.Minute
	// retryAfter is when the next version is asked for again after the
	// store of versions failed.
	retryAfter = time.Second
	// maxDeltaSeats bounds one delta; more are published in slices, each a
	// version of its own.
	maxDeltaSeats = 2_000
	// maxDirtySeats bounds what is gathered for one event. Beyond it the
	// snapshot is smaller than the deltas would be, so that a gap is left
	// and clients fetch it.
	maxDirtySeats = 20_000
	// maxQueuedNews bounds the messages to persons that wait to be
	// published; whoever brings more waits for room.
	maxQueuedNews = 8_192
)

// Seats reads the states of an event's seats as they are now, holds included.
// It answers false where they are not at hand; clients fetch the snapshot then.
type Seats interface {
	// What is committed is read at saleVersion or later.
	States(ctx context.Context, eventID uuid.UUID, saleVersion int64, seats []int32) (states []uint8, ok bool)
}

// Publisher sends to whoever listens on a channel.
type Publisher interface {
	// Publish also keeps the message for RecoveryWindow for those whose
	// connection was cut.
	Publish(channel string, data []byte) error
	// Broadcast reaches only those who are connected now.
	Broadcast(channel string, data []byte) error
}

// Audience knows who is connected.
type Audience interface {
	// Viewers counts the people who look at the event.
	Viewers(eventID uuid.UUID) int
	// Listening says whether the person is connected, or was within
	// RecoveryWindow.
	Listening(userID uuid.UUID) bool
}

// Options configures a Feed; all fields but Log are required.
type Options struct {
	Versions  Versions
	Seats     Seats
	Publisher Publisher
	Audience  Audience
	Log       *slog.Logger // nil: slog.Default
}

// Feed tells watchers what changes. Its methods may be called from anywhere,
// also from under the caller's locks: none of them reads states or publishes.
// Delays are measured by the process's monotonic clock; nothing that is
// promised to anyone depends on them.
type Feed struct {
	Options
	wake    chan struct{}
	news    chan news
	stopped chan struct{}

	mu     sync.Mutex
	events map[uuid.UUID]*watch
	due    schedule
}

// news is a message on its way, with no state to be read.
type news struct {
	channel string
	data    []byte
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
	salesTold    Sales
	salesAt      time.Time
}

// NewFeed makes a feed; it works while Run runs.
func NewFeed(o Options) *Feed {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return &Feed{
		Options: o,
		wake:    make(chan struct{}, 1),
		news:    make(chan news, maxQueuedNews),
		stopped: make(chan struct{}),
		events:  map[uuid.UUID]*watch{},
	}
}

// Dirty reports seats whose state may have changed, after the change.
func (f *Feed) Dirty(eventID uuid.UUID, seats []int32) { f.changed(eventID, 0, seats, false) }

// Committed is Dirty after a commit that brought the event to a sale version.
func (f *Feed) Committed(eventID uuid.UUID, saleVersion int64, seats []int32) {
	f.changed(eventID, saleVersion, seats, false)
}

// Lost reports that seats have changed and nobody knows which: another
// process has sold, or the number of seats is a different one. Clients fetch
// the snapshot.
func (f *Feed) Lost(eventID uuid.UUID) { f.changed(eventID, 0, nil, true) }

func (f *Feed) changed(eventID uuid.UUID, saleVersion int64, seats []int32, lost bool) {
	if len(seats) == 0 && !lost {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	w := f.watch(eventID)
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
	f.plan(w, tellSeats, time.Now().Add(coalesce))
}

// Watch reports that somebody has begun or ceased to look at the event.
func (f *Feed) Watch(eventID uuid.UUID, joined bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w := f.events[eventID]
	if w == nil && !joined {
		return
	}
	w = f.watch(eventID)
	now := time.Now()
	if joined {
		w.joined = true
		w.watchedUntil = now.Add(RecoveryWindow)
		f.plan(w, repeatVersion, now.Add(beatEvery))
	}
	f.plan(w, tellViewers, latest(now.Add(coalesce), w.viewersAt.Add(tellEvery)))
}

// Sales reports how many seats are left and how many parties wait.
func (f *Feed) Sales(eventID uuid.UUID, s Sales) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w, now := f.events[eventID], time.Now()
	if w == nil || !w.watched(now) {
		return
	}
	w.sales = s
	f.plan(w, tellSales, latest(now.Add(coalesce), w.salesAt.Add(tellEvery)))
}

// EventChanged reports that the event's settings or its status have changed.
func (f *Feed) EventChanged(eventID uuid.UUID, revision int64, status string) {
	f.mu.Lock()
	w := f.events[eventID]
	watched := w != nil && w.watched(time.Now())
	f.mu.Unlock()
	if watched {
		f.send(EventChannel(eventID), message{Event: &eventNews{Revision: revision, Status: status}})
	}
}

// Booking tells a person of a change of a booking of theirs.
func (f *Feed) Booking(userID uuid.UUID, b BookingNews) { f.tellUser(userID, message{Booking: &b}) }

// Notification tells a person of a new message.
func (f *Feed) Notification(userID uuid.UUID, n NotificationNews) {
	f.tellUser(userID, message{Notification: &n})
}

// HoldsChanged tells a person that holds of theirs have ended.
func (f *Feed) HoldsChanged(userID, eventID uuid.UUID) {
	f.tellUser(userID, message{Holds: &eventRef{EventID: eventID}})
}

// Positions tells a person who waits that the waitlist has moved.
func (f *Feed) Positions(userID, eventID uuid.UUID) {
	f.tellUser(userID, message{Positions: &eventRef{EventID: eventID}})
}

func (f *Feed) tellUser(userID uuid.UUID, m message) {
	if f.Audience.Listening(userID) {
		f.send(UserChannel(userID), m)
	}
}

func (f *Feed) send(channel string, m message) {
	select {
	case f.news <- news{channel: channel, data: m.encode()}:
	case <-f.stopped:
	}
}

// Run publishes until ctx ends. It may be called once.
func (f *Feed) Run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case n := <-f.news:
				f.deliver(f.Publisher.Publish, n.channel, n.data)
			}
		}
	})
	f.runSchedule(ctx)
	close(f.stopped)
	wg.Wait()
}

func (f *Feed) runSchedule(ctx context.Context) {
	timer := time.NewTimer(beatEvery)
	defer timer.Stop()
	for {
		for ctx.Err() == nil {
			w, task, ok := f.nextDue()
			if !ok {
				break
			}
			f.do(ctx, w, task)
		}
		timer.Reset(f.untilDue())
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-f.wake:
		}
	}
}

func (f *Feed) do(ctx context.Context, w *watch, t task) {
	switch t {
	case tellSeats:
		f.flush(ctx, w)
	case repeatVersion:
		f.keepBeating(ctx, w)
	case tellViewers:
		f.countViewers(ctx, w)
	case tellSales:
		f.mu.Lock()
		sales, changed := w.sales, w.sales != w.salesTold
		w.salesTold, w.salesAt = sales, time.Now()
		f.mu.Unlock()
		if changed {
			f.deliver(f.Publisher.Publish, EventChannel(w.eventID), message{Sales: &sales}.encode())
		}
	}
	f.letGo(w)
}

// flush publishes the event's dirty seats. They are taken out before any state
// is read: what changes after that is dirty again. The version moves also
// where nobody looks, for snapshots are recognized by it.
func (f *Feed) flush(ctx context.Context, w *watch) {
	f.mu.Lock()
	dirty, lost, sale := distinct(w.dirty), w.lost, w.sale
	w.dirty, w.lost = nil, false
	f.mu.Unlock()
	for first := true; first || len(dirty) > 0; first = false {
		v, err := f.Versions.Next(ctx, w.eventID, sale)
		if err != nil {
			f.Log.Warn("live version not available", "event", w.eventID, "error", err)
			f.retryAsLost(w)
			return
		}
		// Who begins to look after this is told the version, and sees the gap.
		if !v.Watched && !f.isWatched(w) {
			return
		}
		if lost {
			f.deliver(f.Publisher.Broadcast, EventChannel(w.eventID), encodeDelta(v.Version, nil, nil))
			return
		}
		slice := dirty[:min(len(dirty), maxDeltaSeats)]
		dirty = dirty[len(slice):]
		states, ok := f.Seats.States(ctx, w.eventID, v.Sale, slice)
		if !ok || len(states) != len(slice) {
			f.deliver(f.Publisher.Broadcast, EventChannel(w.eventID), encodeDelta(v.Version, nil, nil))
			continue
		}
		f.deliver(f.Publisher.Publish, EventChannel(w.eventID), encodeDelta(v.Version, slice, states))
	}
}

func (f *Feed) retryAsLost(w *watch) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w.lost, w.dirty = true, nil
	f.plan(w, tellSeats, time.Now().Add(retryAfter))
}

// keepBeating repeats the version while anybody looks, and goes on for as long
// as one who was cut off may come back.
func (f *Feed) keepBeating(ctx context.Context, w *watch) {
	viewers := f.Audience.Viewers(w.eventID)
	if viewers > 0 {
		f.beat(ctx, w.eventID)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	if viewers > 0 {
		w.watchedUntil = now.Add(RecoveryWindow)
	}
	if w.watched(now) {
		f.plan(w, repeatVersion, now.Add(beatEvery))
	}
}

func (f *Feed) beat(ctx context.Context, eventID uuid.UUID) {
	v, err := f.Versions.Version(ctx, eventID)
	if err != nil {
		f.Log.Warn("live version not available", "event", eventID, "error", err)
		return
	}
	f.deliver(f.Publisher.Broadcast, EventChannel(eventID), encodeDelta(v.Version, nil, nil))
}

// countViewers tells how many look on. A newcomer learns it although the count
// may be the same, as with a second window of one person, and learns the
// version, so that what changed between its snapshot and now is noticed.
func (f *Feed) countViewers(ctx context.Context, w *watch) {
	viewers := f.Audience.Viewers(w.eventID)
	f.mu.Lock()
	joined, tell := w.joined, viewers > 0 && (w.joined || viewers != w.viewers)
	w.joined, w.viewers, w.viewersAt = false, viewers, time.Now()
	f.mu.Unlock()
	if tell {
		f.deliver(f.Publisher.Broadcast, EventChannel(w.eventID), message{Viewers: &viewers}.encode())
	}
	if joined {
		f.beat(ctx, w.eventID)
	}
}

func (f *Feed) deliver(send func(string, []byte) error, channel string, data []byte) {
	if err := send(channel, data); err != nil {
		f.Log.Warn("live message not published", "channel", channel, "error", err)
	}
}

func (f *Feed) isWatched(w *watch) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return w.watched(time.Now())
}

func (w *watch) watched(now time.Time) bool { return now.Before(w.watchedUntil) }

// watch gives the event's state, new where there was none.
func (f *Feed) watch(eventID uuid.UUID) *watch {
	w := f.events[eventID]
	if w == nil {
		w = &watch{eventID: eventID}
		f.events[eventID] = w
	}
	return w
}

// letGo forgets an event for which nothing is planned; whoever watches it has
// its version repeated, which is planned.
func (f *Feed) letGo(w *watch) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if w.planned == [tasks]bool{} {
		delete(f.events, w.eventID)
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
