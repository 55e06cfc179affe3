package app

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/booking"
	"happening/internal/notify"
	"happening/internal/realtime"
	"happening/internal/signin"
)

// seats reads the states of seats as they are now: what is committed, and the
// holds. It serves the feed's deltas and the snapshots.
type seats struct {
	alloc     *booking.Allocator
	holds     booking.HoldStore
	versions  realtime.Versions
	snapshots *snapshots
	// seen makes a sale that is about to be shown here known to every other
	// process; nil where there is none.
	seen func(ctx context.Context, eventID uuid.UUID, saleVersion int64) error
}

// States implements realtime.Seats.
func (s *seats) States(ctx context.Context, eventID uuid.UUID, saleVersion int64, numbers []int32) ([]uint8, bool) {
	live := s.alloc.Peek(eventID)
	if live == nil {
		return nil, false
	}
	if live.Version() < saleVersion {
		var err error
		if live, err = s.alloc.CatchUp(ctx, eventID, saleVersion); err != nil {
			return nil, false
		}
	}
	view, err := s.view(ctx, eventID)
	if err != nil {
		return nil, false
	}
	sold, blocked := live.Taken(numbers)
	states := make([]uint8, len(numbers))
	for i, n := range numbers {
		switch _, held := view.Holders[n]; {
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

// view reads an event's holds.
func (s *seats) view(ctx context.Context, eventID uuid.UUID) (booking.HoldView, error) {
	views, err := s.holds.View(ctx, []uuid.UUID{eventID})
	if err != nil {
		return booking.HoldView{}, err
	}
	return views[0], nil
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
