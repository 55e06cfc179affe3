package socket

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/centrifugal/centrifuge"

	"happening/internal/realtime"
)

const (
	// orderPatience is how long a delta waits for the one before it, which
	// another process has numbered and not yet published.
	orderPatience = 100 * time.Millisecond
	// maxHeldBack bounds the messages of one channel that wait.
	maxHeldBack = 64
)

// order puts the deltas of an event that several processes publish into the
// order of their versions. A process takes the number, reads states, and
// publishes; another may be quicker, and every watcher would take the delta
// that is late for lost and fetch the snapshot.
//
// The places in the channel's stream stay as they are, since clients recover
// by them: only what stands in them changes place.
type order struct {
	patience time.Duration // for the delta before one
	deliver  func(ch string, p place)

	mu       sync.Mutex
	channels map[string]*channelOrder
}

// place is one publication with its position in the channel's stream.
type place struct {
	pub     *centrifuge.Publication
	sp      centrifuge.StreamPosition
	version realtime.Version // zero epoch: no delta
}

type channelOrder struct {
	mu    sync.Mutex
	last  realtime.Version // delivered
	held  []place          // in the stream's order
	timer *time.Timer      // runs while anything is held
}

func newOrder(patience time.Duration, deliver func(string, place)) *order {
	return &order{patience: patience, deliver: deliver, channels: map[string]*channelOrder{}}
}

// take delivers a publication, now or when those before it have come.
func (o *order) take(ch string, pub *centrifuge.Publication, sp centrifuge.StreamPosition) {
	p := place{pub: pub, sp: sp}
	if !strings.HasPrefix(ch, realtime.EventPrefix) {
		o.deliver(ch, p)
		return
	}
	p.version, _ = realtime.DeltaVersion(pub.Data)
	c := o.channel(ch)
	c.mu.Lock()
	defer c.mu.Unlock()
	if pub.Offset == 0 { // kept for nobody: it has no place to be kept in
		c.passed(p.version)
		o.deliver(ch, p)
		o.release(ch, c)
		return
	}
	c.held = append(c.held, p)
	o.release(ch, c)
	switch {
	case len(c.held) == 0:
	case len(c.held) >= maxHeldBack:
		o.giveUp(ch, c)
	case c.timer == nil:
		c.timer = time.AfterFunc(o.patience, func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.timer = nil
			o.giveUp(ch, c)
		})
	}
}

// release delivers what need not wait any longer.
func (o *order) release(ch string, c *channelOrder) {
	for len(c.held) > 0 {
		if c.held[0].version.Epoch != "" {
			next := c.lowest()
			if !c.follows(c.held[next].version) {
				return
			}
			c.swap(0, next)
		}
		o.deliverFirst(ch, c)
	}
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
}

// giveUp delivers all that is held, the deltas in the order of their versions.
func (o *order) giveUp(ch string, c *channelOrder) {
	for len(c.held) > 0 {
		if c.held[0].version.Epoch != "" {
			c.swap(0, c.lowest())
		}
		o.deliverFirst(ch, c)
	}
}

func (o *order) deliverFirst(ch string, c *channelOrder) {
	p := c.held[0]
	c.held = slices.Delete(c.held, 0, 1)
	c.passed(p.version)
	o.deliver(ch, p)
}

// lowest finds the delta with the lowest version of those held that are of one
// epoch with the first; a new epoch stays behind the old one.
func (c *channelOrder) lowest() int {
	lowest := 0
	for i, p := range c.held {
		if p.version.Epoch == c.held[0].version.Epoch && p.version.N < c.held[lowest].version.N {
			lowest = i
		}
	}
	return lowest
}

// follows says whether nothing is missing before the version.
func (c *channelOrder) follows(v realtime.Version) bool {
	return v.Epoch != c.last.Epoch || v.N <= c.last.N+1
}

func (c *channelOrder) passed(v realtime.Version) {
	if v.Epoch != "" && (v.Epoch != c.last.Epoch || v.N > c.last.N) {
		c.last = v
	}
}

// swap exchanges what stands in two places.
func (c *channelOrder) swap(i, j int) {
	if i == j {
		return
	}
	a, b := *c.held[i].pub, *c.held[j].pub
	a.Data, b.Data = b.Data, a.Data
	c.held[i].pub, c.held[j].pub = &a, &b
	c.held[i].version, c.held[j].version = c.held[j].version, c.held[i].version
}

func (o *order) channel(ch string) *channelOrder {
	o.mu.Lock()
	defer o.mu.Unlock()
	c := o.channels[ch]
	if c == nil {
		c = &channelOrder{}
		o.channels[ch] = c
	}
	return c
}

// forget lets go of a channel that nobody listens to over this process.
func (o *order) forget(ch string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.channels, ch)
}
