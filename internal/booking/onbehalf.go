package booking

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/fnv"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/fault"
	"happening/internal/org"
	"happening/internal/user"
)

// RequestFor asks for a booking for whoever has an address.
type RequestFor struct {
	Request
	Address string
}

// WithGuests lets those who run events book for others.
func WithGuests(guests user.GuestStore) ServiceOption { return func(s *Service) { s.guests = guests } }

// BookFor books for somebody else, by their address, for who runs the event. It
// is a booking of that person, by the rules of seats for them, save that the
// caller's holds are free to it. Nothing of what it answers depends on whether
// somebody has an account with the address. Errors: as Book, and
// user.ErrForOthersToday.
func (s *Service) BookFor(ctx context.Context, who access.Principal, q RequestFor) (Booking, error) {
	live, err := s.Event(ctx, who, q.EventID, access.EventBookFor)
	if err != nil {
		return Booking{}, err
	}
	numbers, address, err := checkFor(q, live.Event())
	if answer, known := s.replay(ctx, who, q.Key); known { // before it counts
		return answer.Booking, answer.Err
	}
	if err != nil {
		return Booking{}, err
	}
	expected, err := user.NewExpectation(who.UserID, address, s.now())
	if err != nil {
		return Booking{}, err
	}
	person, err := s.guests.Expect(ctx, expected)
	if err != nil {
		return Booking{}, err
	}
	// What was decided stands, so what follows it does not end with the caller.
	after := context.WithoutCancel(ctx)
	answer := s.orderFor(ctx, who, q, Book{
		UserID: person, Seats: q.Seats, SeatNumbers: numbers, Refuse: q.Refuse, For: address,
		Asked: asksForOther(asksFor(q.Seats, numbers, q.Refuse), who.UserID),
	})
	switch {
	case answer.Err == nil:
		if err := s.guests.Arrive(after, person); err != nil {
			s.log.Warn("booking: whether a guest has signed in meanwhile was not looked up; their next sign-in does", "error", err)
		}
	case !errors.Is(answer.Err, ErrAway): // what is unknown counts
		if err := s.guests.Dismiss(after, expected.ID); err != nil {
			s.log.Warn("booking: an expectation was not taken back; it counts for a day", "error", err)
		}
	}
	return answer.Booking, answer.Err
}

// orderFor asks the allocator, with the caller's holds pinned.
func (s *Service) orderFor(ctx context.Context, who access.Principal, q RequestFor, order Book) Answer {
	if s.lock != nil {
		unlock, first := s.lock.Lock(ctx, q.EventID, order.UserID, submission(who.UserID, q.Request, order.Asked))
		defer unlock()
		if !first {
			return Answer{Err: ErrDuplicate}
		}
	}
	if unpin, err := s.pin(ctx, q.EventID, who.UserID); err == nil {
		defer unpin()
	}
	return s.alloc.Do(ctx, q.EventID, who.UserID, q.Key, order)
}

// checkFor tells all bad fields at once.
func checkFor(q RequestFor, e LiveEvent) (numbers []int32, address string, err error) {
	numbers, err = checkSeats(q.Request, e.Settings)
	address, ok := org.NormalAddress(q.Address)
	if ok {
		return numbers, address, err
	}
	bad := []fault.Field{{Name: "email", Message: "Use one mail address such as name@example.org."}}
	var f *fault.Error
	if errors.As(err, &f) {
		bad = append(bad, f.Fields...)
	}
	return nil, "", fault.InvalidFields(bad...)
}

// asksForOther makes of what is asked for what somebody asks for another
// person, so that it is not taken for what the person asks for themselves.
func asksForOther(asked uint64, actor uuid.UUID) uint64 {
	h := fnv.New64a()
	h.Write(binary.BigEndian.AppendUint64(nil, asked))
	h.Write(actor[:])
	return h.Sum64() | 1
}
