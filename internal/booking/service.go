package booking

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/event"
	"happening/internal/fault"
	"happening/internal/user"
)

// Store reads what was booked. What it answers is true at now: bookings of a
// cancelled event, and who still waits at a started one, read as cancelled
// whether or not the rows were rewritten yet.
type Store interface {
	// Find reads a booking with its event for its booker, or for who runs the
	// event; fault.ErrNotFound where there is none, or for anybody else.
	Find(ctx context.Context, id, viewer uuid.UUID, now time.Time) (Entry, error)
	// Whose reads what never changes of a booking, for whom Find finds it: its
	// event, its organization, whose it is and who booked it for them. It leaves
	// the event's row alone, which every sale moves.
	Whose(ctx context.Context, id, viewer uuid.UUID) (Booking, error)
	// ListByUser pages through a person's bookings, newest first; where
	// viewer is another, only those at events of organizations that the
	// viewer runs.
	ListByUser(ctx context.Context, q UserQuery, now time.Time) ([]Entry, error)
	// ListByEvent pages through an event's bookings, newest first, or its
	// waitlist in order, with who booked, for a viewer who runs it.
	ListByEvent(ctx context.Context, q EventQuery, now time.Time) ([]Entry, error)
	// History reads everything that happened to a booking, oldest first, for
	// whom Find finds it.
	History(ctx context.Context, id, viewer uuid.UUID) ([]HistoryEntry, error)
	// Runs says whether the person runs any organization.
	Runs(ctx context.Context, userID uuid.UUID) (bool, error)
	// DueClosings lists events whose bookings the clock or a cancellation has
	// overtaken, by rising id from after on.
	DueClosings(ctx context.Context, now time.Time, after uuid.UUID, limit int) ([]uuid.UUID, error)
	// DueTooLarge lists events at which parties wait that are larger than the
	// event, and should have been closed when its capacity was lowered.
	DueTooLarge(ctx context.Context, now time.Time, after uuid.UUID, limit int) ([]uuid.UUID, error)
	// DuePromotions lists events at which a promotion might be possible.
	DuePromotions(ctx context.Context, now time.Time, after uuid.UUID, limit int) ([]uuid.UUID, error)
	// Figures pages through counter and waitlist of the events that end after
	// since, by rising id from after on; a page is read at one moment.
	Figures(ctx context.Context, since time.Time, after uuid.UUID, limit int) ([]Figures, error)
	// FiguresOf reads those of some events; one that is no more is missing.
	FiguresOf(ctx context.Context, eventIDs []uuid.UUID) ([]Figures, error)
	// SoldOf tells which of an event's seats are sold.
	SoldOf(ctx context.Context, eventID uuid.UUID, seats []int32) ([]int32, error)
}

// Entry is a booking with what a reader wants to see beside it.
type Entry struct {
	Booking
	Event EventBrief
	User  *PersonBrief // only in lists for those who run the event
}

// EventBrief is the event of a booking in short.
type EventBrief struct {
	ID, OrgID  uuid.UUID
	Name       string
	Venue      string
	Visibility event.Visibility
	event.Settings
}

// PersonBrief is who booked.
type PersonBrief struct {
	ID    uuid.UUID
	Name  string
	Email string
}

// HistoryEntry is one row of a booking's history.
type HistoryEntry struct {
	ID        uuid.UUID
	Actor     uuid.UUID // Nil: the system
	Action    Action
	Details   Details
	CreatedAt time.Time
}

// UserQuery asks for a person's bookings.
type UserQuery struct {
	UserID  uuid.UUID
	Viewer  uuid.UUID
	Status  Status    // empty: all
	EventID uuid.UUID // Nil: all
	Before  uuid.UUID // cursor: only older ones; Nil: from the newest
	Limit   int
}

// EventQuery asks for an event's bookings. Organization and viewer are filled
// in by the service.
type EventQuery struct {
	EventID  uuid.UUID
	OrgID    uuid.UUID
	Viewer   uuid.UUID
	Status   Status
	Waitlist bool      // waiting ones by number instead of all by age
	Before   uuid.UUID // cursor of the list by age
	After    int64     // cursor of the waitlist: a waiting number
	Limit    int
}

// Service is the use cases of booking.
type Service struct {
	alloc  *Allocator
	holds  HoldStore
	store  Store
	roles  access.Roles
	now    func() time.Time
	log    *slog.Logger
	lock   SubmitLock // nil: there is one process, which notices by itself
	mirror Mirror     // nil: nobody else reads counter and waitlist
	guests user.GuestStore
	newest func(ctx context.Context, eventID uuid.UUID) (int64, error)
	chores chores
	// lookedWide is when a sweep looked everywhere last, in nanoseconds since 1970.
	lookedWide atomic.Int64
}

// ServiceOption makes the use cases differ from those of one process.
type ServiceOption func(*Service)

// WithSubmitLock notices requests that are sent again to another process.
func WithSubmitLock(lock SubmitLock) ServiceOption { return func(s *Service) { s.lock = lock } }

// WithMirror keeps counter and waitlist right where others read them.
func WithMirror(mirror Mirror) ServiceOption { return func(s *Service) { s.mirror = mirror } }

// WithNewest tells the newest version of an event that any process has
// settled, zero where that is not known. Every reading of an event asks it, so
// that what was answered by another process holds in this one; where it fails,
// PostgreSQL is asked.
func WithNewest(newest func(ctx context.Context, eventID uuid.UUID) (int64, error)) ServiceOption {
	return func(s *Service) { s.newest = newest }
}

// NewService puts the use cases on an allocator.
func NewService(alloc *Allocator, holds HoldStore, store Store, roles access.Roles, now func() time.Time, log *slog.Logger, options ...ServiceOption) *Service {
	s := &Service{alloc: alloc, holds: holds, store: store, roles: roles, now: now, log: log}
	for _, option := range options {
		option(s)
	}
	return s
}

// Request asks for a booking.
type Request struct {
	EventID     uuid.UUID
	Seats       int32
	SeatNumbers []int32 // any order; none: choose
	Refuse      bool    // answer ErrSoldOut rather than wait
	Key         Key
}

// Event gives what is committed of an event that the caller may see.
func (s *Service) Event(ctx context.Context, who access.Principal, eventID uuid.UUID, action access.Action) (*Live, error) {
	live, err := s.current(ctx, eventID)
	if err != nil {
		return nil, err
	}
	_, err = s.check(ctx, who, live.Event(), action)
	return live, err
}

// current gives what is committed of an event in whichever process.
func (s *Service) current(ctx context.Context, eventID uuid.UUID) (*Live, error) {
	if s.newest == nil {
		return s.alloc.Live(ctx, eventID)
	}
	asking, cancel := s.briefly(ctx)
	version, err := s.newest(asking, eventID)
	cancel()
	if err != nil {
		return s.alloc.Refresh(ctx, eventID)
	}
	return s.alloc.CatchUp(ctx, eventID, version)
}

// check says whether the caller may see the event and do something about it;
// open, that anybody may see it.
func (s *Service) check(ctx context.Context, who access.Principal, e LiveEvent, action access.Action) (open bool, err error) {
	thing := access.Thing{OrgID: e.OrgID, MembersOnly: membersOnly(&e.Settings)}
	if err := access.Check(ctx, s.roles, access.EventRead, who, thing); err != nil {
		return false, err
	}
	if action == access.EventRead {
		return !thing.MembersOnly, nil
	}
	return !thing.MembersOnly, access.Check(ctx, s.roles, action, who, thing)
}

// membersOnly says that the event exists for its organization's members alone.
func membersOnly(e *event.Settings) bool { return e.Visibility == event.Members || e.OrgSuspended }

// accessTries is how often a booking's access is checked again because the
// event's visibility changed before the booking was decided.
const accessTries = 3

// Book books seats or joins the waitlist. Errors: fault.ErrNotFound, the
// refusals of this room, fault.Invalid by field, ErrBusy, ErrAway.
func (s *Service) Book(ctx context.Context, who access.Principal, q Request) (Booking, error) {
	numbers, open, err := s.checkBook(ctx, who, q)
	if err != nil {
		// A key's first use is answered again before any rule may refuse; the
		// allocator sees to the rules that it knows.
		if answer, known := s.replay(ctx, who, q.Key); known {
			return answer.Booking, answer.Err
		}
		return Booking{}, err
	}
	asked := asksFor(q.Seats, numbers, q.Refuse)
	if s.lock != nil {
		unlock, first := s.lock.Lock(ctx, q.EventID, who.UserID, submission(who.UserID, q, asked))
		defer unlock()
		if !first {
			if answer, known := s.replay(ctx, who, q.Key); known {
				return answer.Booking, answer.Err
			}
			return Booking{}, ErrDuplicate
		}
	}
	// Holds that can't be pinned may end before the booking of them is
	// decided, which harms nobody else.
	if unpin, err := s.pin(ctx, q.EventID, who.UserID); err == nil {
		defer unpin()
	}
	for range accessTries {
		answer := s.alloc.Do(ctx, q.EventID, who.UserID, q.Key, Book{
			UserID: who.UserID, Seats: q.Seats, SeatNumbers: numbers, Refuse: q.Refuse, Asked: asked, Open: open,
		})
		if !errors.Is(answer.Err, errAccess) {
			return answer.Booking, answer.Err
		}
		if numbers, open, err = s.checkBook(ctx, who, q); err != nil {
			return Booking{}, err
		}
	}
	return Booking{}, ErrBusy.After(time.Second)
}

// pin keeps the person's holds at the event until unpin.
func (s *Service) pin(ctx context.Context, eventID, userID uuid.UUID) (unpin func(), err error) {
	pinning, cancel := s.briefly(ctx)
	defer cancel()
	if err := s.holds.Pin(pinning, eventID, userID); err != nil {
		return nil, err
	}
	return func() {
		ctx, cancel := s.briefly(context.WithoutCancel(ctx))
		defer cancel()
		_ = s.holds.Unpin(ctx, eventID, userID) // a pin ends by itself, too
	}, nil
}

// briefly bounds a word with another machine that the use case can do without.
func (s *Service) briefly(ctx context.Context) (context.Context, context.CancelFunc) {
	if !s.alloc.shared {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, holdsPatience)
}

// checkBook checks what can be checked before the queue, and gives the seats
// named, rising, and whether the event is open to anybody. It looks at what is
// in memory: a booking is decided on what is true, and a refusal is looked at
// again on what PostgreSQL has, where others sell, too.
func (s *Service) checkBook(ctx context.Context, who access.Principal, q Request) (numbers []int32, open bool, err error) {
	live, err := s.alloc.Live(ctx, q.EventID)
	if err != nil {
		return nil, false, err
	}
	numbers, open, err = s.checkBookOn(ctx, who, q, live.Event())
	if err == nil || !s.alloc.shared {
		return numbers, open, err
	}
	if live, err = s.alloc.Refresh(ctx, q.EventID); err != nil {
		return nil, false, err
	}
	return s.checkBookOn(ctx, who, q, live.Event())
}

func (s *Service) checkBookOn(ctx context.Context, who access.Principal, q Request, e LiveEvent) (numbers []int32, open bool, err error) {
	if open, err = s.check(ctx, who, e, access.EventBook); err != nil {
		return nil, open, err
	}
	numbers, err = checkSeats(q, e.Settings)
	return numbers, open, err
}

// submission hashes a request, so that the same one is known when it is sent
// again.
func submission(user uuid.UUID, q Request, asked uint64) uint64 {
	h := fnv.New64a()
	h.Write(user[:])
	h.Write(q.EventID[:])
	h.Write(binary.BigEndian.AppendUint64(nil, asked))
	h.Write([]byte(q.Key.Value))
	h.Write(q.Key.Hash[:])
	return h.Sum64()
}

// replay answers from an idempotency key alone, if it was used before.
func (s *Service) replay(ctx context.Context, who access.Principal, key Key) (Answer, bool) {
	if !who.SignedIn() || key.Value == "" {
		return Answer{}, false
	}
	answer, known, err := s.alloc.Replay(ctx, who.UserID, key)
	if err != nil {
		s.log.Warn("booking: an idempotency key could not be looked up", "error", err)
	}
	return answer, known && err == nil
}

// checkSeats tells bad numbers by field and gives the seats named, rising.
func checkSeats(q Request, e event.Settings) ([]int32, error) {
	var bad []fault.Field
	limit := min(e.TotalSlots, MaxSeats)
	if e.MaxSeatsPerUser > 0 {
		limit = min(limit, e.MaxSeatsPerUser)
	}
	if q.Seats < 1 || q.Seats > limit {
		bad = append(bad, tooManySeats(limit).Fields...)
	}
	numbers, err := checkNumbers(q.SeatNumbers, e.TotalSlots)
	if err != "" {
		bad = append(bad, fault.Field{Name: "seat_numbers", Message: err})
	} else if len(numbers) > 0 && len(numbers) != int(q.Seats) {
		bad = append(bad, fault.Field{Name: "seat_numbers", Message: "must name exactly as many seats as `seats` says"})
	}
	if len(bad) > 0 {
		return nil, fault.InvalidFields(bad...)
	}
	return numbers, nil
}

// tooManySeats says how many seats a request may ask for.
func tooManySeats(limit int32) *fault.Error {
	return fault.InvalidFields(fault.Field{Name: "seats", Message: fmt.Sprintf("must be between 1 and %d", limit)})
}

// checkNumbers gives seat numbers rising, or what is wrong with them.
func checkNumbers(numbers []int32, total int32) (rising []int32, wrong string) {
	rising = slices.Clone(numbers)
	slices.Sort(rising)
	for i, n := range rising {
		if n < 1 || n > total {
			return nil, fmt.Sprintf("seat %d does not exist; the seats are 1 to %d", n, total)
		}
		if i > 0 && rising[i-1] == n {
			return nil, fmt.Sprintf("seat %d is named twice", n)
		}
	}
	return rising, ""
}

// asksFor hashes what was asked for, never to zero. What the binary before this
// one could be asked for has the hash that it gives, since the two may be asked
// the same within seconds.
func asksFor(seats int32, numbers []int32, refuse bool) uint64 {
	h := fnv.New64a()
	fmt.Fprint(h, seats, numbers)
	if refuse {
		fmt.Fprint(h, "refuse")
	}
	return h.Sum64() | 1
}

// find reads a booking that the caller may do something about. To who may not
// even read it, visitors among them, there is no such thing.
func (s *Service) find(ctx context.Context, who access.Principal, id uuid.UUID, action access.Action) (Entry, error) {
	b, err := s.store.Find(ctx, id, who.UserID, s.now())
	if err != nil {
		return Entry{}, err
	}
	return b, s.may(ctx, who, &b.Booking, action)
}

// findToChange is find for who is about to change the booking: it tells whose it
// is, and the event as it stands in memory.
func (s *Service) findToChange(ctx context.Context, who access.Principal, id uuid.UUID, action access.Action) (Entry, error) {
	b, err := s.store.Whose(ctx, id, who.UserID)
	if err != nil {
		return Entry{}, err
	}
	if err := s.may(ctx, who, &b, action); err != nil {
		return Entry{}, err
	}
	live, err := s.current(ctx, b.EventID)
	if err != nil {
		return Entry{}, err
	}
	return Entry{Booking: b, Event: live.Brief()}, nil
}

// may says whether the caller may do something about a booking.
func (s *Service) may(ctx context.Context, who access.Principal, b *Booking, action access.Action) error {
	thing := access.Thing{OrgID: b.OrgID, OwnerID: b.UserID, MembersOnly: true}
	if err := access.Check(ctx, s.roles, access.BookingRead, who, thing); err != nil {
		return err
	}
	thing.MembersOnly = false
	return access.Check(ctx, s.roles, action, who, thing)
}

// Get reads a booking: its booker, and who runs the event.
func (s *Service) Get(ctx context.Context, who access.Principal, id uuid.UUID) (Entry, error) {
	return s.find(ctx, who, id, access.BookingRead)
}

// History tells everything that happened to a booking, oldest first.
func (s *Service) History(ctx context.Context, who access.Principal, id uuid.UUID) ([]HistoryEntry, error) {
	if _, err := s.find(ctx, who, id, access.BookingRead); err != nil {
		return nil, err
	}
	return s.store.History(ctx, id, who.UserID)
}

// Cancel gives a booking up; its seats go to the waitlist at once.
func (s *Service) Cancel(ctx context.Context, who access.Principal, id uuid.UUID, key Key) (Entry, error) {
	b, err := s.findToChange(ctx, who, id, access.BookingChange)
	if err != nil {
		return Entry{}, err
	}
	return s.changed(b, s.alloc.Do(ctx, b.EventID, who.UserID, key, Cancel{BookingID: id}))
}

// CancelSeats gives some of a booking's seats back; all of them cancel it.
func (s *Service) CancelSeats(ctx context.Context, who access.Principal, id uuid.UUID, numbers []int32, key Key) (Entry, error) {
	b, err := s.findToChange(ctx, who, id, access.BookingChange)
	if err != nil {
		return Entry{}, err
	}
	rising, wrong := checkNumbers(numbers, b.Event.TotalSlots)
	if wrong == "" && len(rising) == 0 {
		wrong = "must name at least one seat"
	}
	if wrong != "" {
		return s.wrongNumbers(ctx, who, b, key, wrong)
	}
	return s.changed(b, s.alloc.Do(ctx, b.EventID, who.UserID, key, CancelSeats{BookingID: id, SeatNumbers: rising}))
}

// Shrink gives so many seats of a waiting party up; all of them cancel it.
func (s *Service) Shrink(ctx context.Context, who access.Principal, id uuid.UUID, seats int32, key Key) (Entry, error) {
	b, err := s.findToChange(ctx, who, id, access.BookingChange)
	if err != nil {
		return Entry{}, err
	}
	return s.changed(b, s.alloc.Do(ctx, b.EventID, who.UserID, key, Shrink{BookingID: id, Seats: seats}))
}

// wrongNumbers refuses seat numbers, unless the request was answered before: the
// event had more seats then.
func (s *Service) wrongNumbers(ctx context.Context, who access.Principal, b Entry, key Key, wrong string) (Entry, error) {
	if answer, known := s.replay(ctx, who, key); known {
		return s.changed(b, answer)
	}
	return Entry{}, fault.InvalidFields(fault.Field{Name: "seat_numbers", Message: wrong})
}

func (s *Service) changed(b Entry, answer Answer) (Entry, error) {
	if answer.Err != nil {
		return Entry{}, answer.Err
	}
	by := b.BookedBy // is no part of what changes
	b.Booking = answer.Booking
	b.BookedBy = by
	if answer.More {
		s.Promote(b.EventID)
	}
	return b, nil
}

// ListByUser pages through a person's bookings. Others than the person see
// those at events of organizations that they run; who runs none is told that
// there is no such thing.
func (s *Service) ListByUser(ctx context.Context, who access.Principal, q UserQuery) ([]Entry, error) {
	if !who.SignedIn() {
		return nil, fault.ErrNotFound
	}
	q.Viewer = who.UserID
	if who.UserID == q.UserID {
		return s.store.ListByUser(ctx, q, s.now())
	}
	runs, err := s.store.Runs(ctx, who.UserID)
	if err != nil {
		return nil, err
	}
	if !runs {
		return nil, fault.ErrNotFound
	}
	found, err := s.store.ListByUser(ctx, q, s.now())
	if err == nil && len(found) == 0 && q.Before == uuid.Nil && q.Status == "" && q.EventID == uuid.Nil {
		return nil, fault.ErrNotFound
	}
	return found, err
}

// ListByEvent pages through an event's bookings or waitlist, for those who
// run it.
func (s *Service) ListByEvent(ctx context.Context, who access.Principal, q EventQuery) ([]Entry, error) {
	live, err := s.Event(ctx, who, q.EventID, access.EventSales)
	if err != nil {
		return nil, err
	}
	q.OrgID, q.Viewer = live.Event().OrgID, who.UserID
	return s.store.ListByEvent(ctx, q, s.now())
}
