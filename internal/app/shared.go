package app

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"happening/internal/booking"
	"happening/internal/httpapi"
	"happening/internal/memory"
	"happening/internal/realtime"
	"happening/internal/redis"
	"happening/internal/socket"
)

// coordinator keeps what the processes on one database share: in Redis, or,
// where one process is all, in its memory.
type coordinator interface {
	booking.HoldStore
	realtime.Versions
	// Run ends holds on time until the context ends.
	Run(ctx context.Context)
}

// coordinate makes the coordinator.
func (a *App) coordinate(ctx context.Context) error {
	changed := func(eventID uuid.UUID, seats []int32) { a.feed.Dirty(eventID, seats) }
	expired := func(eventID, userID uuid.UUID, _ []int32) {
		a.feed.HoldsChanged(userID, eventID)
		a.Bookings.HoldEnded(eventID)
	}
	if !a.shared() {
		a.holds = memory.NewHolds(memory.HoldsOptions{Now: a.clock.Now, TTL: a.HoldTTL, Changed: changed, Expired: expired})
		return nil
	}
	settings, err := redis.ParseURL(a.Engines.RedisURL)
	if err != nil {
		return err
	}
	store, err := redis.Open(ctx, settings, redis.Options{
		TTL: a.HoldTTL, Now: a.clock.Now, Changed: changed, Expired: expired, Log: a.Log,
	})
	if err != nil {
		return err
	}
	a.onStop(func(context.Context) error { store.Close(); return nil })
	a.redis, a.holds = store, store
	return nil
}

// sharedBookings is what makes the booking room one of several.
func (a *App) sharedBookings() []booking.ServiceOption {
	if !a.shared() {
		return nil
	}
	return []booking.ServiceOption{
		booking.WithSubmitLock(a.redis), booking.WithMirror(a.redis), booking.WithNewest(a.redis.Newest),
	}
}

// seen is what makes a sale that somebody is shown known to all processes.
func (a *App) seen() func(ctx context.Context, eventID uuid.UUID, saleVersion int64) error {
	if !a.shared() {
		return nil
	}
	return a.redis.Seen
}

// sharedSocket puts realtime on Redis where several processes share it.
func (a *App) sharedSocket(o *socket.Options) error {
	if !a.shared() {
		return nil
	}
	s, err := redis.ParseURL(a.Engines.RedisURL)
	if err != nil {
		return err
	}
	o.Engine = socket.RedisEngine(socket.RedisSettings{
		Addresses: s.Addresses, Cluster: s.Mode == redis.Cluster, MasterSet: s.MasterSet,
		User: s.User, Password: s.Password, SentinelUser: s.SentinelUser, SentinelPassword: s.SentinelPassword,
		DB: s.DB, TLS: s.TLS,
	})
	o.Presence = a.redis.Presence()
	o.Interrupted = func(away bool) { a.feed.Interrupted("messages", away) }
	return nil
}

// watchRedis tells the maps when Redis is away and brings the mirror up to
// date as soon as it is back.
func (a *App) watchRedis() {
	if !a.shared() {
		return
	}
	a.redis.OnAway(func() { a.feed.Interrupted("holds", true) })
	a.redis.OnReturn(func() {
		a.feed.Interrupted("holds", false)
		select {
		case a.repairNow <- struct{}{}:
		default:
		}
	})
}

// repair keeps the mirror right: now and then, and when Redis is back.
func (a *App) repair(ctx context.Context) {
	tick := time.NewTicker(booking.RepairEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-a.repairNow:
		}
		if a.redis.Away() {
			continue
		}
		turn, cancel := context.WithTimeout(ctx, jobTimeout)
		if err := errors.Join(a.tellCoordinator(turn), a.Bookings.Repair(turn)); err != nil && ctx.Err() == nil && !a.redis.Away() {
			a.Log.Warn("app: Redis could not be brought to PostgreSQL's figures and will be tried again", "error", err)
		}
		cancel()
	}
}

// fillMirror brings Redis to the figures of all events where it is another one,
// or lost what it had; repair knows only events in memory. It is a job of the
// process that leads.
func (a *App) fillMirror(ctx context.Context) error {
	if a.redis.Away() {
		return nil
	}
	err := a.Bookings.Fill(ctx)
	if err != nil && a.redis.Away() {
		return nil // told as an outage; it goes on when Redis is back
	}
	return err
}

// limiter counts requests, over all processes where they share Redis.
func (a *App) limiter(name string, rate int) httpapi.Limiter {
	own := memory.NewLimiter[string](rate, rate*burst, a.clock.Now)
	if !a.shared() || rate == 0 {
		return own
	}
	return a.redis.Limiter(name, rate, rate*burst, own)
}

// eventMoved is told to the other processes with an event's id and version.
const eventMoved = "event-moved"

// tellMoved lets the other processes read on before they next answer about an
// event whose settings have changed.
func (a *App) tellMoved(eventID uuid.UUID, version int64) {
	a.node.Tell(eventMoved, binary.BigEndian.AppendUint64(eventID[:], uint64(version)))
}

// told hears what other processes tell.
func (a *App) told(op string, data []byte) {
	switch op {
	case sessionsEnded:
		// Forgotten first: who comes back is not let in from memory.
		a.auth.Ended(string(data))
		a.node.DisconnectSession(string(data))
	case personErased:
		a.personForgotten(data)
	case eventMoved:
		if id, err := uuid.FromBytes(data[:min(len(data), len(uuid.UUID{}))]); err == nil && len(data) == len(id)+8 {
			a.alloc.Heard(id, int64(binary.BigEndian.Uint64(data[len(id):])))
		}
	}
}

// Reconcile repairs Redis from PostgreSQL and reports what differed.
func (a *App) Reconcile(ctx context.Context, report func(event, had, has string)) error {
	if !a.shared() {
		return errNoRedis
	}
	return a.Bookings.Reconcile(ctx, func(d booking.Difference) {
		report(d.EventID.String(), d.Had, fmt.Sprintf("available %d, waiting %d", d.Figures.Available, len(d.Figures.Waitlist)))
	})
}
