package app

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/booking"
	"happening/internal/httpapi"
	"happening/internal/notify"
	"happening/internal/realtime"
	"happening/internal/signin"
)

// seats reads the states of seats as they are now: what is committed, and the
// holds. It serves the feed's deltas and the snapshots.
type seats struct {
	alloc    *booking.Allocator
	holds    booking.HoldStore
	versions realtime.Versions
}

// States implements realtime.Seats.
func (s *seats) States(ctx context.Context, eventID uuid.UUID, saleVersion int64, numbers []int32) ([]uint8, bool) {
	live := s.alloc.Peek(eventID)
	if live == nil {
		return nil, false
	}
	if live.Event().Version < saleVersion {
		var err error
		if live, err = s.alloc.CatchUp(ctx, eventID, saleVersion); err != nil {
			return nil, false
		}
	}
	holders, err := s.holders(ctx, eventID)
	if err != nil {
		return nil, false
	}
	sold, blocked := live.Taken(numbers)
	states := make([]uint8, len(numbers))
	for i, n := range numbers {
		switch _, held := holders[n]; {
		case sold[i]:
			states[i] = realtime.Booked
		case blocked[i]:
			states[i] = realtime.Blocked
		case held:
			states[i] = realtime.Held
		}
	}
	return states, true
}

// holders reads an event's holds.
func (s *seats) holders(ctx context.Context, eventID uuid.UUID) (map[int32]uuid.UUID, error) {
	views, err := s.holds.View(ctx, []uuid.UUID{eventID})
	if err != nil {
		return nil, err
	}
	return views[0].Holders, nil
}

// awayEpoch stands for the epoch of a map that is not live. No delta has it,
// so that whoever has such a map fetches it again.
const awayEpoch = "away"

// Snapshot implements httpapi.Seats: the version is read before the states,
// so that a client that applies later deltas misses nothing. While holds and
// versions are away it tells what is sold, and that it is not live.
func (s *seats) Snapshot(ctx context.Context, live *booking.Live) (httpapi.SeatSnapshot, error) {
	eventID := live.Event().EventID
	stand, err := s.versions.Version(ctx, eventID)
	if err == nil && live.Event().Version < stand.Sale {
		if live, err = s.alloc.CatchUp(ctx, eventID, stand.Sale); err != nil {
			return httpapi.SeatSnapshot{}, err
		}
	}
	total, sold, blocked, e := live.Seats()
	var holders map[int32]uuid.UUID
	if err == nil {
		holders, err = s.holders(ctx, eventID)
	}
	version := stand.Version
	if err != nil {
		version = realtime.Version{Epoch: awayEpoch, N: e.Version}
	}
	held := make([]int32, 0, len(holders))
	for n := range holders {
		held = append(held, n)
	}
	packed := realtime.PackSets(int(total), sold, blocked, held)
	return httpapi.SeatSnapshot{
		Version: version.String(), Live: err == nil, Total: total, Available: e.Available, Packed: packed,
		ETag: version.String() + "." + strconv.FormatUint(xxhash.Sum64(packed), 36),
	}, nil
}

// gate says who connects to realtime and what they may watch.
type gate struct {
	auth     *signin.Authenticator
	bookings *booking.Service
}

// Identify implements socket.Gate.
func (g *gate) Identify(ctx context.Context, r *http.Request, token string) (access.Principal, time.Time, error) {
	if token != "" {
		p, err := g.auth.Token(ctx, token)
		return p, time.Time{}, err
	}
	p, err := g.auth.Authenticate(r)
	return p, time.Time{}, err
}

// MayWatch implements socket.Gate.
func (g *gate) MayWatch(ctx context.Context, p access.Principal, eventID uuid.UUID) error {
	_, err := g.bookings.Event(ctx, p, eventID, access.EventRead)
	return err
}

// committed tells the feed what a transaction changed. It runs in the
// allocator's worker and does not block.
func (a *App) committed(c booking.Committed) {
	changed := append(slices.Clone(c.Blocks.Blocked), c.Blocks.Unblocked...)
	for i := range c.Changes {
		ch := &c.Changes[i]
		changed = append(changed, ch.Before.SeatNumbers...)
		changed = append(changed, ch.After.SeatNumbers...)
		news := realtime.BookingNews{ID: ch.BookingID, EventID: c.Live.EventID, Status: string(ch.After.Status)}
		if ch.After.Status == booking.Waiting {
			number, position := ch.After.WaitingNumber, int64(ch.Position)
			news.WaitingNumber, news.Position = &number, &position
		}
		a.feed.Booking(ch.UserID, news)
	}
	slices.Sort(changed)
	a.feed.Committed(c.Live.EventID, c.Live.Version, slices.Compact(changed))
	a.feed.Sales(c.Live.EventID, c.Live.Version, realtime.Sales{AvailableSlots: c.Live.Available, WaitingParties: c.Live.WaitingParties})
	if e := c.Edited; e != nil {
		a.feed.EventChanged(e.ID, e.Revision, string(e.StatusAt(a.clock.Now())))
	}
	if c.Arranged {
		a.feed.Lost(c.Live.EventID) // the number of seats may be another
	}
	if c.Edited != nil || !c.Blocks.None() {
		a.tellMoved(c.Live.EventID, c.Live.Version)
	}
	for _, who := range c.Moved {
		a.feed.Positions(who, c.Live.EventID)
	}
	a.wakeFacts()
}

// pushed tells open browsers of new messages.
func (a *App) pushed(_ context.Context, messages []notify.AppMessage) {
	for _, m := range messages {
		a.feed.Notification(m.UserID, realtime.NotificationNews{ID: m.NotificationID, Type: m.Type, Title: m.Title})
	}
}
