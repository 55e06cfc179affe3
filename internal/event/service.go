package event

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/audit"
	"happening/internal/fault"
)

// The faults of the use cases.
var (
	ErrHasBookings  = fault.New(fault.Conflict, "event_has_bookings", "Somebody has booked, so the event can't be deleted. Cancel it instead.")
	ErrOrgSuspended = fault.New(fault.Conflict, "org_suspended", "The organization is suspended.")
)

// SweepBatch bounds how many events one transaction of Sweep brings up to the
// clock.
const SweepBatch = 500

// Found is an event together with the caller's place in its organization.
type Found struct {
	Event
	Role access.Role
}

// View is an event as one caller sees it.
type View struct {
	Event
	// CanManage says whether the caller may change, cancel and delete it.
	CanManage bool
}

// Store keeps events. Each method is one transaction. An event or organization
// that is not there is fault.ErrNotFound.
type Store interface {
	// OrgOf tells whether an organization is suspended, and the viewer's role
	// in it.
	OrgOf(ctx context.Context, orgID, viewer uuid.UUID) (suspended bool, role access.Role, err error)
	// InsertEvent adds the event and its record and gives its organization's
	// name; ErrOrgSuspended where the organization is by now.
	InsertEvent(ctx context.Context, e Event, record audit.Entry) (orgName string, err error)
	// FindEvent reads an event that the viewer may know of, or has booked; the
	// caller decides.
	FindEvent(ctx context.Context, id, viewer uuid.UUID) (Found, error)
	// ListEvents reads up to limit events that the viewer may see, in the order
	// of Cursor.
	ListEvents(ctx context.Context, viewer uuid.UUID, f Filter, now time.Time, after Cursor, limit int) ([]Found, error)
	// DeleteEvent removes an event for which no booking was ever made, with its
	// record; else ErrHasBookings.
	DeleteEvent(ctx context.Context, id uuid.UUID, record audit.Entry) error
	// SweepStatus brings the stored status of at most limit events up to the
	// clock and tells of how many; cancelled ones stay.
	SweepStatus(ctx context.Context, now time.Time, limit int) (int, error)
}

// Service is the use cases around events. Changing and cancelling one moves
// seats and goes through the allocator; the rules of it are Apply and Cancel.
type Service struct {
	store   Store
	now     func() time.Time
	deleted func(id uuid.UUID)
}

// NewService gives the use cases over a store. now is the application's clock.
func NewService(store Store, now func() time.Time) *Service {
	return &Service{store: store, now: now, deleted: func(uuid.UUID) {}}
}

// OnDelete calls fn after an event was deleted, so that nobody goes on
// showing it. fn must not block.
func (s *Service) OnDelete(fn func(id uuid.UUID)) { s.deleted = fn }

// Create makes an event in the draft's organization. An organization's name is
// public, so an absent one is fault.ErrNotFound to everybody and one in which
// the caller has no say is not.
func (s *Service) Create(ctx context.Context, p access.Principal, d Draft) (View, error) {
	suspended, role, err := s.store.OrgOf(ctx, d.OrgID, p.UserID)
	if err != nil {
		return View{}, fmt.Errorf("event: create: %w", err)
	}
	if err := access.Decide(access.EventCreate, p, role, access.Thing{OrgID: d.OrgID}); err != nil {
		return View{}, err
	}
	if suspended {
		return View{}, ErrOrgSuspended
	}
	id, err := uuid.NewV7()
	if err != nil {
		return View{}, fmt.Errorf("event: create: %w", err)
	}
	now := s.now()
	e, err := New(d, id, p.UserID, now)
	if err != nil {
		return View{}, err
	}
	record := audit.Entry{OrgID: e.OrgID, ActorID: p.UserID, Action: audit.EventCreated, SubjectID: e.ID, At: now, After: e.Audit()}
	if e.OrgName, err = s.store.InsertEvent(ctx, e, record); err != nil {
		return View{}, fmt.Errorf("event: create: %w", err)
	}
	return view(Found{Event: e, Role: role}, p), nil
}

// Get gives an event that the caller may see; else fault.ErrNotFound.
func (s *Service) Get(ctx context.Context, p access.Principal, id uuid.UUID) (View, error) {
	return s.For(ctx, access.EventRead, p, id)
}

// For gives an event with which the caller may do the action. Who may not even
// see it gets fault.ErrNotFound, as if it were absent.
func (s *Service) For(ctx context.Context, a access.Action, p access.Principal, id uuid.UUID) (View, error) {
	found, err := s.store.FindEvent(ctx, id, p.UserID)
	if err != nil {
		return View{}, fmt.Errorf("event: find: %w", err)
	}
	if err := access.Decide(a, p, found.Role, found.Thing()); err != nil {
		return View{}, err
	}
	return view(found, p), nil
}

// List gives a page of the events that the caller may see, by start, and the
// cursor of the next page, empty at the end. A limit out of 1…MaxPage is a
// fault, and so is a cursor that no list gave.
func (s *Service) List(ctx context.Context, p access.Principal, f Filter, cursor string, limit int) (views []View, next string, err error) {
	after, err := f.judge(cursor, limit)
	if err != nil {
		return nil, "", err
	}
	// One more than asked for tells whether a next page exists.
	found, err := s.store.ListEvents(ctx, p.UserID, f, s.now(), after, limit+1)
	if err != nil {
		return nil, "", fmt.Errorf("event: list: %w", err)
	}
	if len(found) > limit {
		found = found[:limit]
		last := found[limit-1]
		next = Cursor{StartsAt: last.StartsAt, ID: last.ID}.String()
	}
	views = make([]View, len(found))
	for i, e := range found {
		views[i] = view(e, p)
	}
	return views, next, nil
}

// Delete removes an event for good, while nobody ever booked.
func (s *Service) Delete(ctx context.Context, p access.Principal, id uuid.UUID) error {
	e, err := s.For(ctx, access.EventWrite, p, id)
	if err != nil {
		return err
	}
	record := audit.Entry{OrgID: e.OrgID, ActorID: p.UserID, Action: audit.EventDeleted, SubjectID: id, At: s.now(), Before: e.Audit()}
	if err := s.store.DeleteEvent(ctx, id, record); err != nil {
		return fmt.Errorf("event: delete: %w", err)
	}
	s.deleted(id)
	return nil
}

// Sweep brings the stored status of all events up to the clock and tells of
// how many, for those who read the table; every rule asks the clock itself. It
// may run anywhere, any number of times, and goes on after a failure where it
// was.
func (s *Service) Sweep(ctx context.Context) (int, error) {
	for total := 0; ; {
		n, err := s.store.SweepStatus(ctx, s.now(), SweepBatch)
		if err != nil {
			return total, fmt.Errorf("event: sweep: %w", err)
		}
		total += n
		if n < SweepBatch {
			return total, nil
		}
	}
}

func view(f Found, p access.Principal) View {
	return View{Event: f.Event, CanManage: access.Allows(access.EventWrite, p, f.Role, f.Thing())}
}
