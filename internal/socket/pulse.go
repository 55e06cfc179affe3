package socket

import (
	"context"
	"strconv"
	"time"

	"github.com/centrifugal/centrifuge"
)

// pulse tells by hearing oneself whether the engine works, to and fro.
type pulse struct {
	b         *redisBroker
	link      *redisLink
	said      uint64 // the last probe's number
	saidAt    time.Time
	saying    chan struct{} // holds a token while a probe is on its way
	heardAt   time.Time
	awaySince uint64 // the last probe that says nothing of the engine's return
	lostAt    time.Time
	told      bool // of the outage
}

// run connects, and from then on listens whether the node hears itself.
func (b *redisBroker) run() {
	p := &pulse{b: b, saying: make(chan struct{}, 1), lostAt: time.Now()}
	if p.link = p.connect(); p.link == nil {
		return
	}
	defer p.link.close()
	b.inner.Store(p.link)
	defer b.inner.Store(nil)
	p.heardAt = time.Now()
	p.say()
	ticker := time.NewTicker(engineTick)
	defer ticker.Stop()
	for {
		select {
		case <-b.closing:
			return
		case why := <-b.cuts:
			p.lose(why)
		case number := <-b.hearing:
			p.heardAt = time.Now()
			if b.away.Load() && number > p.awaySince {
				p.back()
			}
		case <-ticker.C:
			if time.Since(p.heardAt) > deafAfter {
				p.lose("the process does not hear itself through it")
			}
			if b.away.Load() || time.Since(p.saidAt) >= probeEvery {
				p.say()
			}
			if !b.away.Load() && b.hasDeferred() {
				b.wakeMend()
			}
		}
	}
}

// connect tries until it succeeds; nil when the node stops first.
func (p *pulse) connect() *redisLink {
	for {
		link, err := p.b.dial()
		if err == nil {
			return link
		}
		p.lose(err.Error())
		select {
		case <-p.b.closing:
			return nil
		case <-time.After(restAfterFailure):
		}
	}
}

// dial makes the library's broker, which needs Redis for that.
func (b *redisBroker) dial() (*redisLink, error) {
	shard, err := centrifuge.NewRedisShard(b.node.node, b.settings.shard())
	if err != nil {
		return nil, err
	}
	broker, err := centrifuge.NewRedisBroker(b.node.node, centrifuge.RedisBrokerConfig{
		Prefix: b.settings.prefix(), Shards: []*centrifuge.RedisShard{shard},
	})
	if err != nil {
		shard.Close()
		return nil, err
	}
	link := &redisLink{broker: broker, shard: shard}
	started := make(chan error, 1)
	go func() {
		if err := broker.RegisterControlEventHandler(b.control); err != nil {
			started <- err
			return
		}
		started <- broker.RegisterBrokerEventHandler(b)
	}()
	select {
	case err = <-started:
	case <-b.closing:
		err = errEngineAway
	}
	if err != nil {
		link.close()
		return nil, err
	}
	return link, nil
}

// say sends a probe, one at a time. The channel is subscribed to each time,
// since the library forgets it when its connection breaks.
func (p *pulse) say() {
	select {
	case p.saying <- struct{}{}:
	default:
		return
	}
	p.said++
	p.saidAt = time.Now()
	number := strconv.FormatUint(p.said, 10)
	go func() {
		defer func() { <-p.saying }()
		if p.link.broker.Subscribe(p.b.probe) == nil {
			// A fault shows in that nothing is heard.
			_, _, _ = p.link.broker.Publish(p.b.probe, []byte(number), centrifuge.PublishOptions{})
		}
	}()
}

func (b *redisBroker) heard(data []byte) {
	number, err := strconv.ParseUint(string(data), 10, 64)
	if err != nil {
		return
	}
	select {
	case b.hearing <- number:
	default: // the next one is soon to come
	}
}

// wasCut is told that the connection broke over which messages come.
func (b *redisBroker) wasCut(why string) {
	select {
	case b.cuts <- why:
	default:
	}
}

func (p *pulse) lose(why string) {
	p.awaySince = p.said
	if !p.b.away.Swap(true) {
		p.lostAt = time.Now()
	}
	if p.told {
		return
	}
	p.told = true
	p.b.node.Log.Warn("socket: Redis is away; live messages stay within this process until it is back", "why", why)
	p.b.node.Interrupted(true)
}

func (p *pulse) back() {
	p.b.restUntil.Store(0)
	p.b.away.Store(false)
	if !p.told { // the start
		close(p.b.connected)
		return
	}
	p.told = false
	p.b.node.Log.Info("socket: Redis is back", "away", time.Since(p.lostAt).Round(time.Millisecond))
	p.b.mendAll.Store(true)
	p.b.wakeMend()
	p.b.node.Interrupted(false)
}

func (b *redisBroker) hasDeferred() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.deferred) > 0
}

func (b *redisBroker) wakeMend() {
	select {
	case b.mending <- struct{}{}:
	default:
	}
}

// mend brings channels and clients up to date after an outage.
func (b *redisBroker) mend() {
	ctx, cancel := context.WithCancel(b.node.running)
	defer cancel()
	for {
		select {
		case <-b.closing:
			return
		case <-b.mending:
		}
		all := b.mendAll.Swap(false)
		mended := b.subscribeDeferred()
		if all {
			b.node.renewNow()
		}
		b.node.resubscribe(ctx, func(ch string) bool { return all || mended[ch] })
	}
}

// subscribeDeferred subscribes to what clients wait for.
func (b *redisBroker) subscribeDeferred() map[string]bool {
	b.mu.Lock()
	waiting := b.deferred
	b.deferred = map[string]struct{}{}
	b.mu.Unlock()
	mended := map[string]bool{}
	for ch := range waiting {
		if b.node.node.Hub().NumSubscribers(ch) == 0 {
			continue
		}
		if b.subscribe(ch) {
			mended[ch] = true
		}
	}
	return mended
}
