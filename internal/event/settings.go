package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
	_ "time/tzdata" // The zone rule must answer alike on machines without zone files.

	"github.com/google/uuid"

	"happening/internal/fault"
)

// The faults of the settings' rules.
var (
	ErrCancelled = fault.New(fault.Conflict, "event_cancelled", "The event is cancelled and can't be changed any more.")
	ErrStarted   = fault.New(fault.Conflict, "event_started", "The event has started: its times are fixed, only a later end is possible.")
	ErrCompleted = fault.New(fault.Conflict, "event_completed", "The event is over and can't be cancelled any more.")
)

// What holds where the organizer says nothing.
const (
	DefaultMaxSeatsPerUser = 10
	// DefaultWaitlistFactor is how many parties may wait for each seat that the
	// event had when it was created.
	DefaultWaitlistFactor = 10
)

// Draft is what an organizer says of a new event. Numbers are wider than what
// is stored so that one that is far out of range is still told by its field.
// Empty Visibility and WaitlistPolicy mean public and strict.
type Draft struct {
	OrgID           uuid.UUID
	Name            string
	Description     string
	Category        string
	Venue           string
	StartsAt        time.Time
	EndsAt          time.Time
	TimeZone        string
	TotalSlots      int64
	MaxSeatsPerUser Limit
	Visibility      Visibility
	WaitlistPolicy  WaitlistPolicy
	WaitlistLimit   Limit
}

// Patch is what an organizer wants changed; a nil field stays as it is.
type Patch struct {
	Name            *string
	Description     *string
	Category        *string
	Venue           *string
	StartsAt        *time.Time
	EndsAt          *time.Time
	TimeZone        *string
	TotalSlots      *int64
	MaxSeatsPerUser Limit
	Visibility      *Visibility
	WaitlistPolicy  *WaitlistPolicy
	WaitlistLimit   Limit
}

// Limit is max_seats_per_user or waitlist_limit as it was said: not at all (the
// zero value), null (no limit), or a number.
type Limit struct {
	Given bool
	Most  *int64 // nil where given: no limit
}

// LimitOf is the limit of so many.
func LimitOf(most int64) Limit { return Limit{Given: true, Most: &most} }

// NoLimit allows any number.
func NoLimit() Limit { return Limit{Given: true} }

// UnmarshalJSON tells null, which lifts the limit, from a field left out,
// for which it is never called.
func (l *Limit) UnmarshalJSON(data []byte) error {
	if bytes.Equal(bytes.TrimSpace(data), []byte("null")) {
		*l = NoLimit()
		return nil
	}
	var most int64
	if err := json.Unmarshal(data, &most); err != nil {
		return fmt.Errorf("event: limit: %w", err)
	}
	*l = LimitOf(most)
	return nil
}

// New makes an event of a draft, or tells every field that is not valid.
func New(d Draft, id, createdBy uuid.UUID, now time.Time) (Event, error) {
	if d.Visibility == "" {
		d.Visibility = Public
	}
	if d.WaitlistPolicy == "" {
		d.WaitlistPolicy = Strict
	}
	if !d.MaxSeatsPerUser.Given {
		d.MaxSeatsPerUser = LimitOf(DefaultMaxSeatsPerUser)
	}
	if !d.WaitlistLimit.Given && d.TotalSlots >= 1 && d.TotalSlots <= MaxTotalSlots {
		d.WaitlistLimit = LimitOf(DefaultWaitlistFactor * d.TotalSlots)
	}
	e := Event{
		ID: id, OrgID: d.OrgID, Version: 1, Revision: 1,
		CreatedBy: createdBy, CreatedAt: instant(now), UpdatedAt: instant(now),
	}
	var bad faults
	bad.take(&e, Patch{
		Name: &d.Name, Description: &d.Description, Category: &d.Category, Venue: &d.Venue,
		StartsAt: &d.StartsAt, EndsAt: &d.EndsAt, TimeZone: &d.TimeZone,
		TotalSlots: &d.TotalSlots, MaxSeatsPerUser: d.MaxSeatsPerUser,
		Visibility: &d.Visibility, WaitlistPolicy: &d.WaitlistPolicy, WaitlistLimit: d.WaitlistLimit,
	}, now)
	if err := bad.err(); err != nil {
		return Event{}, err
	}
	e.AvailableSlots = e.TotalSlots
	return e, nil
}

// Apply gives the event as it stands after the patch, one revision further,
// or the reason why it can't be: ErrCancelled, ErrStarted, or every field
// that is not valid. A patch that changes nothing gives the event back as it
// was, with the same revision, so that nobody is told of a change that isn't
// one. AvailableSlots, Version and the capacity that is already sold are the
// booking room's, which calls this inside its own decision.
func Apply(e Event, p Patch, now time.Time) (Event, error) {
	if !e.CancelledAt.IsZero() {
		return Event{}, ErrCancelled
	}
	if e.StatusAt(now) != Upcoming && movesTimes(&e, p) {
		return Event{}, ErrStarted
	}
	after := e
	var bad faults
	bad.take(&after, p, now)
	if err := bad.err(); err != nil {
		return Event{}, err
	}
	if after == e {
		return e, nil
	}
	after.Revision++
	after.UpdatedAt = instant(now)
	return after, nil
}

// movesTimes says whether the patch changes what is fixed once the event has
// started: all of its times, and the zone in which they are read, save that
// the end may come later.
func movesTimes(e *Event, p Patch) bool {
	return p.StartsAt != nil && !instant(*p.StartsAt).Equal(e.StartsAt) ||
		p.EndsAt != nil && instant(*p.EndsAt).Before(e.EndsAt) ||
		p.TimeZone != nil && *p.TimeZone != e.TimeZone
}

// Cancel gives the event as it stands after being cancelled by hand, which is
// final. An event that is under way can still be broken off, one that is over
// can't.
func Cancel(e Event, now time.Time) (Event, error) {
	switch e.StatusAt(now) {
	case Cancelled:
		return Event{}, ErrCancelled
	case Completed:
		return Event{}, ErrCompleted
	}
	e.CancelledAt = instant(now)
	e.UpdatedAt = e.CancelledAt
	e.Revision++
	return e, nil
}

// instant is a moment as the database keeps it: UTC, in microseconds. What is
// decided in memory and what is read back are then the same value.
func instant(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
