package user

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"happening/internal/fault"
)

// The limits that keep whoever books for others from filling strangers'
// mailboxes. They hold over all organizations, because anybody may found one,
// and whether an address has an account or not.
const (
	// MaxForOthersBy and MaxForOthersTo bound the bookings that one person makes
	// for others, and that others make for one person, within ForOthersWindow.
	MaxForOthersBy  = 500
	MaxForOthersTo  = 10
	ForOthersWindow = 24 * time.Hour
)

// ErrForOthersToday is the same whether it is the caller or the address that
// had too many. It carries when one more will be allowed.
var ErrForOthersToday = fault.New(fault.TooMany, "too_many_for_others",
	"Too many bookings for others were made today. Try again later.")

// Expectation is that somebody books for whoever has an address. Who that is
// may be known, or there is a guest of the address: a person without a name and
// without an identity, whom whoever signs in with that address, verified by the
// provider, becomes.
type Expectation struct {
	ID      uuid.UUID
	By      uuid.UUID
	Address string // as org.NormalAddress gives it
	At      time.Time
}

// NewExpectation makes one.
func NewExpectation(by uuid.UUID, address string, at time.Time) (Expectation, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Expectation{}, fmt.Errorf("user: expect somebody: %w", err)
	}
	return Expectation{ID: id, By: by, Address: address, At: at}, nil
}

// GuestStore keeps guests. It runs as the system role: whether there is an
// account lies beyond any organization, and nothing of it is told.
type GuestStore interface {
	// Expect gives the person who holds the address verified, else the guest of
	// the address, who is made where there is none, and counts. Of many who
	// expect one address at once, and of somebody who signs in with it at that
	// moment, all come to the same person. ErrForOthersToday: nothing was made.
	Expect(ctx context.Context, e Expectation) (uuid.UUID, error)
	// Dismiss takes an expectation back of which nothing came, with the guest
	// if nothing else is known of them.
	Dismiss(ctx context.Context, id uuid.UUID) error
	// Arrive is told after somebody was booked for: where they signed in
	// meanwhile as somebody who was here before, the booking follows them.
	Arrive(ctx context.Context, userID uuid.UUID) error
}

// CountForOthers tells when there is room for one more booking for others, given
// the newest ones of who books and of who is booked for, newest first.
func CountForOthers(by, to []time.Time, now time.Time) error {
	var free time.Time // when both have room
	for _, count := range []struct {
		made []time.Time
		most int
	}{{by, MaxForOthersBy}, {to, MaxForOthersTo}} {
		if len(count.made) < count.most {
			continue
		}
		if next := count.made[count.most-1].Add(ForOthersWindow); next.After(free) {
			free = next
		}
	}
	if free.IsZero() {
		return nil
	}
	return ErrForOthersToday.After(free.Sub(now))
}
