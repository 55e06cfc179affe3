package realtime

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
)

const (
	// coalesce is how long an event's dirty seats are gathered.
	coalesce = 50 * time.Millisecond
	// beatEvery is how often the version of a watched event is repeated.
	beatEvery = 5 * time.Second
	// settleFor is how long a version that was read is kept before it is
	// repeated, where other processes publish: a delta that is on its way
	// arrives meanwhile, and nobody takes it for lost.
	settleFor = 250 * time.Millisecond
	// tellEvery bounds how often viewers and sales are told.
	tellEvery = time.Second
	// RecoveryWindow is how long an event counts as watched after the last
	// watcher left: one whose connection was cut finds what it missed.
	RecoveryWindow = time.Minute
	// retryAfter is when the next version is asked for again after the
	// store of versions failed, and when lost messages are made good.
	retryAfter = time.Second
	// maxDeltaSeats bounds one delta; more are published in slices, each a
	// version of its own.
	maxDeltaSeats = 2_000
	// maxDirtySeats bounds what is gathered for one event. Beyond it the
	// snapshot is smaller than the deltas would be, so that a gap is left
	// and clients fetch it.
	maxDirtySeats = 20_000
	// laneCount is how many events or persons are told of at the same time;
	// with an engine outside each message is a round trip or two.
	laneCount = 16
	// maxQueuedNews bounds the messages of one lane that wait to be
	// published; what comes beyond it is lost, and made good by a refresh.
	maxQueuedNews = 4_096
	// maxMissed bounds the channels of one lane that are remembered for
	// lost messages; beyond it everybody is told to refresh.
	maxMissed = 512
)

// Options configures a Feed; all fields but Shared and Log are required.
type Options struct {
	Versions  Versions
	Seats     Seats
	Publisher Publisher
	Audience  Audience
	// Shared says that other processes publish for the same events, over
	// engines that all of them share.
	Shared bool
	Log    *slog.Logger // nil: slog.Default
}

// Feed tells watchers what changes. Its methods may be called from anywhere,
// also from under the caller's locks: none of them reads states, publishes or
// waits. Delays are measured by the process's monotonic clock; nothing that is
// promised to anyone depends on them.
//
// The work is done in lanes. An event and a person have each their lane, which
// keeps the order of the messages on their channel.
type Feed struct {
	Options
	lanes     [laneCount]*lane
	publishes outage
	versions  outage

	mu     sync.Mutex
	away   map[string]bool // what is away of that which keeps the maps right
	backAt time.Time       // when all of it was last back
}

// NewFeed makes a feed; it works while Run runs.
func NewFeed(o Options) *Feed {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	f := &Feed{
		Options: o, away: map[string]bool{},
		publishes: outage{log: o.Log, what: "live messages"},
		versions:  outage{log: o.Log, what: "live versions"},
	}
	for i := range f.lanes {
		f.lanes[i] = newLane(f)
	}
	return f
}

// lane gives the lane of an event or a person. The last byte of an id is
// random.
func (f *Feed) lane(id uuid.UUID) *lane { return f.lanes[id[len(id)-1]%laneCount] }

// Dirty reports seats whose state may have changed, after the change.
func (f *Feed) Dirty(eventID uuid.UUID, seats []int32) {
	f.lane(eventID).changed(eventID, 0, seats, false)
}

// Committed is Dirty after a commit that brought the event to a sale version.
func (f *Feed) Committed(eventID uuid.UUID, saleVersion int64, seats []int32) {
	f.lane(eventID).changed(eventID, saleVersion, seats, false)
}

// Lost reports that seats have changed and nobody knows which: another
// process has sold, or the number of seats is a different one. Clients fetch
// the snapshot.
func (f *Feed) Lost(eventID uuid.UUID) { f.lane(eventID).changed(eventID, 0, nil, true) }

// Watch reports that somebody has begun or ceased to look at the event over
// this process.
func (f *Feed) Watch(eventID uuid.UUID, joined bool) { f.lane(eventID).watching(eventID, joined) }

// Sales reports how many seats are left and how many parties wait, at a sale
// version.
func (f *Feed) Sales(eventID uuid.UUID, saleVersion int64, s Sales) {
	f.lane(eventID).sold(eventID, saleVersion, s)
}

// EventChanged reports that the event's settings or its status have changed.
func (f *Feed) EventChanged(eventID uuid.UUID, revision int64, status string) {
	l := f.lane(eventID)
	if f.Shared || l.watchedHere(eventID) {
		l.send(news{eventID: eventID, message: message{Event: &eventNews{Revision: revision, Status: status}}})
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

// RoleChanged tells a person that what they may see and do is not what it was.
func (f *Feed) RoleChanged(userID uuid.UUID) { f.tellUser(userID, message{Refresh: true}) }

// tellUser asks at once whether the person listens where this process alone
// knows it, so that those who don't cost nothing; else the lane asks.
func (f *Feed) tellUser(userID uuid.UUID, m message) {
	if f.Shared || f.Audience.Listening(context.Background(), userID) {
		f.lane(userID).send(news{userID: userID, message: m})
	}
}

// Interrupted reports that something which keeps the maps right has gone away
// or is back. The watchers of this process are told, and again with every beat
// as long as it lasts; when all is back they are told that and the version,
// and again for RecoveryWindow, since many subscribe again just then.
func (f *Feed) Interrupted(what string, away bool) {
	f.mu.Lock()
	before := len(f.away) > 0
	if away {
		f.away[what] = true
	} else {
		delete(f.away, what)
	}
	changed := before != (len(f.away) > 0)
	if changed && before {
		f.backAt = time.Now()
	}
	f.mu.Unlock()
	if changed {
		for _, l := range f.lanes {
			l.planLive()
		}
	}
}

func (f *Feed) interrupted() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.away) > 0
}

// sayLive says whether watchers are told with a version whether it is live.
func (f *Feed) sayLive() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.away) > 0 || !f.backAt.IsZero() && time.Since(f.backAt) < RecoveryWindow
}

// Run publishes until ctx ends. It may be called once.
func (f *Feed) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, l := range f.lanes {
		wg.Go(func() { l.run(ctx) })
	}
	wg.Wait()
}
