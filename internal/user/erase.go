package user

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/fault"
)

// The limits of an erasure.
const (
	// finishPatience is how long a request waits for the bookings to be
	// cancelled; the sweep goes on with what is left.
	finishPatience = 10 * time.Second
	// erasureLinger is for how long the sweep looks after somebody who is
	// erased: longer than any request or transaction lasts that was begun
	// before.
	erasureLinger = 15 * time.Minute
	// erasurePage bounds the people, and the events of one person, that one
	// query gives.
	erasurePage = 100
)

// ErrLastOrgAdmin says that an organization would be left without anybody who
// runs it; `organizations` tells which.
var ErrLastOrgAdmin = fault.New(fault.Conflict, "last_org_admin",
	"You are the last administrator of an organization. Make somebody else administrator first; an organization without events can also be deleted.")

// ErrAddressDiffers says that an erasure was not confirmed.
var ErrAddressDiffers = fault.InvalidFields(fault.Field{Name: "email", Message: "Enter the address of your account to confirm."})

// ErrErased says that an account was deleted while somebody signed in with it.
var ErrErased = fault.New(fault.Unauthenticated, "account_erased", "This account was deleted.")

// LedOrg is an organization that nobody else runs.
type LedOrg struct {
	ID   uuid.UUID `json:"id"`
	Name string    `json:"name"`
}

// Erasure asks that everything about a person be erased.
type Erasure struct {
	UserID uuid.UUID
	// Confirm is the person's own address, as they typed it.
	Confirm string
	At      time.Time
}

// Unfinished is an erased person whom the sweep still looks after.
type Unfinished struct {
	UserID   uuid.UUID
	ErasedAt time.Time
}

// ErasureStore erases people. It runs as the system role: what there is about
// a person lies across all organizations and in tables of which no request
// knows.
type ErasureStore interface {
	// Erase leaves of the person an id that is marked as erased, to which
	// bookings, history and audit refer, in one transaction.
	// fault.ErrNotFound: there is no such person, or they are erased already.
	// ErrAddressDiffers and ErrLastOrgAdmin: nothing was changed. Two who are
	// the last administrators of an organization together can't both go.
	Erase(ctx context.Context, e Erasure) error
	// LiveAt lists upcoming events at which the person has bookings that are
	// not cancelled, by rising id from after on.
	LiveAt(ctx context.Context, userID uuid.UUID, now time.Time, after uuid.UUID, limit int) ([]uuid.UUID, error)
	// Clear removes what was written about somebody who is erased after all,
	// by what was on its way at that moment.
	Clear(ctx context.Context, userID uuid.UUID) error
	// Unfinished lists erased people by rising id from after on.
	Unfinished(ctx context.Context, after uuid.UUID, limit int) ([]Unfinished, error)
	// Finish ends the looking after of a person who has no live booking at an
	// event that is upcoming at now.
	Finish(ctx context.Context, userID uuid.UUID, now time.Time) error
}

// Seats is what erasure asks of the booking room. Both may run again.
type Seats interface {
	// GiveUp cancels everything that the person has at the event, if it is
	// still to come, and lets who waits have it.
	GiveUp(ctx context.Context, eventID, userID uuid.UUID) error
	// ReleaseHolds gives back the seats that the person holds anywhere.
	ReleaseHolds(ctx context.Context, userID uuid.UUID) error
}

// Erasures erases people.
//
// One transaction marks the person and removes everything that tells who they
// were; from then on nobody can sign in as them, they belong to nothing and
// are told nothing. Their upcoming bookings are cancelled after it, each event
// in a transaction of its own, which promotes who waits: by the request, as
// far as that gets, and by the sweep, which also finds what was on its way at
// the moment of the erasure, such as a booking in the queue.
type Erasures struct {
	store ErasureStore
	seats Seats
	gone  func(ctx context.Context, userID uuid.UUID)
	now   func() time.Time
	log   *slog.Logger
}

// NewErasures makes the use case. gone is called after the transaction and
// lets every process forget the person: sessions, verified tokens, open
// connections.
func NewErasures(store ErasureStore, seats Seats, gone func(ctx context.Context, userID uuid.UUID), now func() time.Time, log *slog.Logger) *Erasures {
	return &Erasures{store: store, seats: seats, gone: gone, now: now, log: log}
}

// Erase erases the caller, who confirms with their own address. When it
// returns nil the person is erased, whatever becomes of the process.
func (e *Erasures) Erase(ctx context.Context, who access.Principal, confirm string) error {
	if !who.SignedIn() {
		return fault.ErrUnauthenticated
	}
	err := e.store.Erase(ctx, Erasure{UserID: who.UserID, Confirm: confirm, At: e.now()})
	switch {
	case errors.Is(err, fault.ErrNotFound):
		return fault.ErrUnauthenticated // erased by another request just now
	case err != nil:
		return fmt.Errorf("user: erase: %w", err)
	}
	// Whether the caller waits for the rest makes no difference to it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishPatience)
	defer cancel()
	e.gone(ctx, who.UserID)
	if err := e.leave(ctx, who.UserID); err != nil {
		e.log.Warn("user: an erasure is not finished; the sweep takes it up", "user", who.UserID, "error", err)
	}
	return nil
}

// leave cancels the person's upcoming bookings, releases their holds and
// removes what was written about them meanwhile. What fails does not keep the
// rest from being done.
func (e *Erasures) leave(ctx context.Context, userID uuid.UUID) error {
	failed := e.seats.ReleaseHolds(ctx, userID)
	for after := uuid.Nil; ; {
		events, err := e.store.LiveAt(ctx, userID, e.now(), after, erasurePage)
		if err != nil {
			return errors.Join(failed, fmt.Errorf("user: live bookings: %w", err))
		}
		for _, id := range events {
			failed = errors.Join(failed, e.seats.GiveUp(ctx, id, userID))
			after = id
		}
		if len(events) < erasurePage {
			break
		}
	}
	if err := e.store.Clear(ctx, userID); err != nil {
		failed = errors.Join(failed, fmt.Errorf("user: clear: %w", err))
	}
	return failed
}

// Sweep goes on with erasures that were interrupted, and finds what was on its
// way when somebody was erased. It may run at any time and twice.
func (e *Erasures) Sweep(ctx context.Context) error {
	var failed error
	for after := uuid.Nil; ; {
		people, err := e.store.Unfinished(ctx, after, erasurePage)
		if err != nil {
			return errors.Join(failed, fmt.Errorf("user: unfinished erasures: %w", err))
		}
		for _, p := range people {
			after = p.UserID
			now := e.now()
			if err := e.leave(ctx, p.UserID); err != nil {
				failed = errors.Join(failed, err)
				continue
			}
			if now.Sub(p.ErasedAt) < erasureLinger {
				continue
			}
			if err := e.store.Finish(ctx, p.UserID, now); err != nil {
				failed = errors.Join(failed, fmt.Errorf("user: finish erasure: %w", err))
			}
		}
		if len(people) < erasurePage {
			return failed
		}
	}
}

// remember keeps who is behind an identity, unless somebody was forgotten
// since begun was read: a look-up that an erasure overtakes must not put back
// what the erasure took out.
func (s *Service) remember(begun uint64, key identity, k known) {
	s.forgetting.RLock()
	defer s.forgetting.RUnlock()
	if s.forgotten.Load() == begun {
		s.identities.Add(key, k)
	}
}

// Forget drops what is remembered of a person's identities. It is called in
// every process after the person was erased.
func (s *Service) Forget(id uuid.UUID) {
	s.forgetting.Lock()
	defer s.forgetting.Unlock()
	s.forgotten.Add(1)
	for _, key := range s.identities.Keys() {
		if k, ok := s.identities.Peek(key); ok && k.id == id {
			s.identities.Remove(key)
		}
	}
}
