package httpapi

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/booking"
	"happening/internal/fault"
)

// bookingRoutes are those of bookings.
func (s *Server) bookingRoutes() []route {
	return []route{
		on(get, "/events/{id}/bookings", access.EventSales, about{id: "list-event-bookings", tag: tagBookings, summary: "List an event's bookings",
			more: "The newest first, for those who run the event."}, s.listEventBookings),
		on(get, "/events/{id}/waitlist", access.EventSales, about{id: "list-waitlist", tag: tagBookings, summary: "List an event's waitlist",
			more: "In order, for those who run the event."}, s.listWaitlist),
		on(post, "/events/{id}/bookings", access.EventBookFor, about{id: "book-for-somebody", tag: tagBookings, summary: "Book for somebody, by their address", status: created,
			more: bookForDoc, errors: []int{conflict}}, s.bookFor),
		on(post, "/bookings", access.EventBook, about{id: "create-booking", tag: tagBookings, summary: "Book seats, or join the waitlist", status: created,
			more: bookDoc, errors: []int{conflict}}, s.createBooking),
		on(get, "/bookings/user/{userId}", access.BookingRead, about{id: "list-user-bookings", tag: tagBookings, summary: "List a person's bookings",
			more: "The newest first. You see all of your own; of others, those at events that you run."}, s.listUserBookings),
		on(get, "/bookings/{id}", access.BookingRead, about{id: "get-booking", tag: tagBookings, summary: "Read a booking"}, s.getBooking),
		on(get, "/bookings/{id}/history", access.BookingRead, about{id: "get-booking-history", tag: tagBookings, summary: "Read what happened to a booking",
			more: "The oldest first, all of it."}, s.getHistory),
		on(post, "/bookings/{id}/cancel", access.BookingChange, about{id: "cancel-booking", tag: tagBookings, summary: "Cancel a booking",
			more: "Its seats go to the waitlist at once.", errors: []int{conflict}}, s.cancelBooking),
		on(post, "/bookings/{id}/cancel-seats", access.BookingChange, about{id: "cancel-seats", tag: tagBookings, summary: "Give some seats back",
			more: "Of a confirmed booking the seats named, of a waiting party so many; it keeps its number. All of them cancel the booking.", errors: []int{conflict}}, s.cancelSeats),
		on(post, "/bookings/{id}/promote", access.BookingRun, about{id: "promote-booking", tag: tagBookings, summary: "Serve a waiting party by hand",
			more:   "For those who run the event, also out of its turn: at once, where enough seats are neither sold nor held by others. The history tells who did.",
			errors: []int{conflict}}, s.promoteBooking),
		on(post, "/bookings/{id}/move", access.BookingRun, about{id: "move-booking", tag: tagBookings, summary: "Move a party to other seats",
			more: "For those who run the event: all of the party or nobody, to as many seats as it has. Each must be unsold and not held by others, " +
				"or 409 `seats_unavailable` with the list. Where it sits there already nothing happens.", errors: []int{conflict}}, s.moveBooking),
	}
}

const bookDoc = "All or nothing. With `seat_numbers` exactly these seats, or 409 `seats_unavailable` with the list. " +
	"Without, the best that are free, or a place on the waitlist where too few are left or others wait already; " +
	"with `on_full` = `refuse`, 409 `sold_out` instead. " +
	"Send an `Idempotency-Key`, and the same key with a retry: it answers what the first answered and books once."

const bookForDoc = "For those who run the event. A booking of the person who has the address, by the same rules as their own; " +
	"seats that you hold are free to it. They are told by mail, and have it as their own once they sign in with the address. " +
	"Nothing that is answered depends on whether the address has an account. " +
	"An `Idempotency-Key` is yours. 429 `too_many_for_others` after 500 such bookings of yours within a day, or 10 for one address."

// Booking is a party of one or more seats of one person at one event.
type Booking struct {
	ID            uuid.UUID     `json:"id" format:"uuid"`
	EventID       uuid.UUID     `json:"event_id" format:"uuid"`
	UserID        uuid.UUID     `json:"user_id" format:"uuid"`
	Status        string        `json:"status" enum:"confirmed,waiting,cancelled"`
	Seats         int32         `json:"seats" doc:"The party's size."`
	SeatNumbers   []int32       `json:"seat_numbers" doc:"Rising; empty unless confirmed."`
	WaitingNumber *int64        `json:"waiting_number" doc:"Given once on joining the waitlist, and kept."`
	Position      *int32        `json:"position" doc:"Place in the waitlist from 1; null unless waiting."`
	Reason        *string       `json:"reason" doc:"Why it was cancelled, where nobody asked for it: event_cancelled, event_started, capacity, person_erased."`
	OnBehalf      bool          `json:"on_behalf" doc:"Whether somebody who runs the event booked for the person."`
	BookedBy      *uuid.UUID    `json:"booked_by" format:"uuid" nullable:"true" doc:"Who did, for those who run the event."`
	CreatedAt     time.Time     `json:"created_at"`
	UpdatedAt     time.Time     `json:"updated_at"`
	Event         *BookingEvent `json:"event,omitempty"`
	User          *BookingUser  `json:"user,omitempty" doc:"Whose booking it is; only in the lists of those who run the event."`
}

// BookingEvent is the event of a booking in short.
type BookingEvent struct {
	ID       uuid.UUID `json:"id" format:"uuid"`
	Name     string    `json:"name"`
	StartsAt time.Time `json:"starts_at"`
	EndsAt   time.Time `json:"ends_at"`
	TimeZone string    `json:"time_zone"`
	Venue    string    `json:"venue"`
	Status   string    `json:"status" enum:"upcoming,ongoing,completed,cancelled"`
	OrgID    uuid.UUID `json:"org_id" format:"uuid"`
	// LayoutRevision tells clients by which layout the seats are named.
	LayoutRevision int64 `json:"layout_revision" doc:"The revision at which the seats were laid out; 0: they lie in rows of 20."`
}

// BookingUser is whose booking it is.
type BookingUser struct {
	ID    uuid.UUID `json:"id" format:"uuid"`
	Name  string    `json:"name" doc:"Empty where the organization booked for them, unless they are a member or booked there themselves."`
	Email string    `json:"email" doc:"Of a booking that the organization made for somebody, the address as it was entered."`
}

func showBooking(b *booking.Booking) Booking {
	return Booking{
		ID: b.ID, EventID: b.EventID, UserID: b.UserID, Status: string(b.Status), Seats: b.Seats,
		SeatNumbers: orEmpty(b.SeatNumbers), WaitingNumber: orNull(b.WaitingNumber), Position: orNull(b.Position),
		Reason: orNull(b.Reason), OnBehalf: b.BookedBy != uuid.Nil, CreatedAt: b.CreatedAt.UTC(), UpdatedAt: b.UpdatedAt.UTC(),
	}
}

// showTo is a booking for a reader: to its person, those who run the event have
// no names.
func showTo(reader uuid.UUID, b *booking.Booking) Booking {
	shown := showBooking(b)
	if reader != b.UserID {
		shown.BookedBy = orNull(b.BookedBy)
	}
	return shown
}

func (s *Server) showEntry(ctx context.Context, e booking.Entry) Booking {
	b := showTo(principal(ctx).UserID, &e.Booking)
	b.Event = &BookingEvent{
		ID: e.Event.ID, Name: e.Event.Name, StartsAt: e.Event.StartsAt.UTC(), EndsAt: e.Event.EndsAt.UTC(),
		TimeZone: e.Event.TimeZone, Venue: e.Event.Venue, Status: string(e.Event.StatusAt(s.deps.Now())), OrgID: e.Event.OrgID,
		LayoutRevision: e.Event.LayoutRevision,
	}
	if e.User != nil {
		b.User = &BookingUser{ID: e.User.ID, Name: e.User.Name, Email: e.User.Email}
	}
	return b
}

// HistoryEntry is one thing that happened to a booking.
type HistoryEntry struct {
	ID            uuid.UUID      `json:"id" format:"uuid"`
	Action        string         `json:"action" enum:"confirmed,waitlisted,promoted,seats_cancelled,resized,moved,cancelled"`
	Actor         string         `json:"actor" enum:"you,organizer,system,booker" doc:"Who did it; you are never named otherwise."`
	Seats         int32          `json:"seats" doc:"The party's size after it."`
	SeatNumbers   []int32        `json:"seat_numbers" doc:"The seats after it."`
	WaitingNumber *int64         `json:"waiting_number"`
	Status        string         `json:"status" enum:"confirmed,waiting,cancelled" doc:"After it."`
	Details       HistoryDetails `json:"details"`
	CreatedAt     time.Time      `json:"created_at"`
}

// HistoryDetails is what was before, and why.
type HistoryDetails struct {
	Reason            *string `json:"reason" doc:"Why it was cancelled, where nobody asked for it."`
	Position          *int32  `json:"position" doc:"Place in the waitlist just after."`
	SeatsBefore       *int32  `json:"seats_before"`
	SeatNumbersBefore []int32 `json:"seat_numbers_before"`
	ByHand            bool    `json:"by_hand" doc:"Whether an organizer promoted the party, whoever waited before it."`
}

// Idempotent is the header of a call that must not happen twice.
type Idempotent struct {
	Key string `header:"Idempotency-Key" minLength:"1" maxLength:"200" pattern:"^[!-~]*$" patternDescription:"visible ASCII characters" doc:"Yours to choose, at most 200 visible ASCII characters. The same key with the same call is answered as the first time, for at least 24 hours."`
}

// keyFor binds a key to what was asked: the same key with another call is
// another request and refused.
func keyFor(ctx context.Context, value, method, path string) booking.Key {
	if value == "" {
		return booking.Key{}
	}
	body := callFrom(ctx).body
	asked := make([]byte, 0, len(method)+len(" ")+len(path)+len("\n")+len(body))
	asked = append(append(append(append(append(asked, method...), ' '), path...), '\n'), body...)
	sum := sha256.Sum256(asked)
	key := booking.Key{Value: value}
	copy(key.Hash[:], sum[:])
	return key
}

// BookingCreate asks for seats.
type BookingCreate struct {
	EventID     uuid.UUID `json:"event_id" format:"uuid"`
	Seats       whole     `json:"seats" minimum:"1" maximum:"1000"`
	SeatNumbers []whole   `json:"seat_numbers,omitempty" nullable:"true" minimum:"1" maximum:"1000000" maxItems:"1000" doc:"Exactly as many as seats says, each once; leave it out to be given the best."`
	OnFull      string    `json:"on_full,omitempty" enum:"wait,refuse" doc:"What to do where the request would have to wait: join the waitlist (which is the default), or be refused (sold_out)."`
}

// What on_full says: whether whoever would have to wait wants to.
const (
	wait   = "wait"
	refuse = "refuse"
)

type createBookingInput struct {
	Idempotent
	Body BookingCreate
}

type createBookingAnswer struct {
	Location string `header:"Location"`
	Body     Booking
}

func (s *Server) createBooking(ctx context.Context, in *createBookingInput) (*createBookingAnswer, error) {
	who := principal(ctx)
	if !who.SignedIn() {
		// Whether a visitor is asked to sign in or told that there is no such
		// event depends on the event.
		_, err := s.deps.Bookings.Event(ctx, who, in.Body.EventID, access.EventBook)
		if err == nil {
			err = fault.ErrUnauthenticated
		}
		return nil, err
	}
	b, err := s.bookAs(ctx, who, &in.Body, in.Key)
	if err != nil {
		return nil, err
	}
	return &createBookingAnswer{Location: bookingLocation(b.ID), Body: showBooking(&b)}, nil
}

// bookAs books for somebody who is signed in.
func (s *Server) bookAs(ctx context.Context, who access.Principal, in *BookingCreate, key string) (booking.Booking, error) {
	b, err := s.book(ctx, who, booking.Request{
		EventID: in.EventID, Seats: int32(in.Seats), SeatNumbers: numbers(in.SeatNumbers),
		Refuse: in.OnFull == refuse, Key: keyFor(ctx, key, "POST", "/bookings"),
	})
	s.metrics.booked(b.Status, err)
	return b, err
}

func bookingLocation(id uuid.UUID) string { return "bookings/" + id.String() }

// BookingForCreate asks for seats for somebody else.
type BookingForCreate struct {
	Email       string  `json:"email" minLength:"1" maxLength:"254" doc:"The person's address."`
	Seats       whole   `json:"seats" minimum:"1" maximum:"1000"`
	SeatNumbers []whole `json:"seat_numbers,omitempty" nullable:"true" minimum:"1" maximum:"1000000" maxItems:"1000" doc:"Exactly as many as seats says, each once; leave it out to be given the best."`
	OnFull      string  `json:"on_full,omitempty" enum:"wait,refuse" doc:"What to do where the request would have to wait: join the waitlist (which is the default), or be refused (sold_out)."`
}

func (s *Server) bookFor(ctx context.Context, in *struct {
	EventPath
	Idempotent
	Body BookingForCreate
}) (*createBookingAnswer, error) {
	who := principal(ctx)
	b, err := s.deps.Bookings.BookFor(ctx, who, booking.RequestFor{Address: in.Body.Email, Request: booking.Request{
		EventID: in.ID, Seats: int32(in.Body.Seats), SeatNumbers: numbers(in.Body.SeatNumbers),
		Refuse: in.Body.OnFull == refuse, Key: keyFor(ctx, in.Key, "POST", "/events/"+in.ID.String()+"/bookings"),
	}})
	s.metrics.booked(b.Status, err)
	if err != nil {
		return nil, err
	}
	return &createBookingAnswer{Location: "../../" + bookingLocation(b.ID), Body: showTo(who.UserID, &b)}, nil
}

func numbers(seats []whole) []int32 {
	if len(seats) == 0 {
		return nil
	}
	out := make([]int32, len(seats))
	for i, n := range seats {
		out[i] = int32(n)
	}
	return out
}

func (s *Server) listEventBookings(ctx context.Context, in *struct {
	EventPath
	Page
	Status string `query:"status" enum:"confirmed,waiting,cancelled"`
}) (*answer[List[Booking]], error) {
	before, err := parseIDCursor(in.Cursor)
	if err != nil {
		return nil, err
	}
	found, err := s.deps.Bookings.ListByEvent(ctx, principal(ctx), booking.EventQuery{
		EventID: in.ID, Status: booking.Status(in.Status), Before: before, Limit: in.Limit + 1,
	})
	if err != nil {
		return nil, err
	}
	found, next := cut(found, in.Limit, entryCursor)
	return listed(found, next, func(e booking.Entry) Booking { return s.showEntry(ctx, e) }), nil
}

func entryCursor(e booking.Entry) string { return idCursor(e.ID) }

func (s *Server) listWaitlist(ctx context.Context, in *struct {
	EventPath
	Page
}) (*answer[List[Booking]], error) {
	after, err := parseNumberCursor(in.Cursor)
	if err != nil {
		return nil, err
	}
	found, err := s.deps.Bookings.ListByEvent(ctx, principal(ctx), booking.EventQuery{
		EventID: in.ID, Waitlist: true, After: after, Limit: in.Limit + 1,
	})
	if err != nil {
		return nil, err
	}
	found, next := cut(found, in.Limit, func(e booking.Entry) string { return numberCursor(e.WaitingNumber) })
	return listed(found, next, func(e booking.Entry) Booking { return s.showEntry(ctx, e) }), nil
}

func (s *Server) listUserBookings(ctx context.Context, in *struct {
	Page
	UserID  uuid.UUID `path:"userId" format:"uuid"`
	Status  string    `query:"status" enum:"confirmed,waiting,cancelled"`
	EventID uuid.UUID `query:"event_id" format:"uuid"`
}) (*answer[List[Booking]], error) {
	before, err := parseIDCursor(in.Cursor)
	if err != nil {
		return nil, err
	}
	found, err := s.deps.Bookings.ListByUser(ctx, principal(ctx), booking.UserQuery{
		UserID: in.UserID, Status: booking.Status(in.Status), EventID: in.EventID, Before: before, Limit: in.Limit + 1,
	})
	if err != nil {
		return nil, err
	}
	found, next := cut(found, in.Limit, entryCursor)
	return listed(found, next, func(e booking.Entry) Booking { return s.showEntry(ctx, e) }), nil
}

// BookingPath names a booking.
type BookingPath struct {
	ID uuid.UUID `path:"id" format:"uuid"`
}

func (s *Server) getBooking(ctx context.Context, in *BookingPath) (*answer[Booking], error) {
	e, err := s.deps.Bookings.Get(ctx, principal(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	return answered(s.showEntry(ctx, e)), nil
}

func (s *Server) getHistory(ctx context.Context, in *BookingPath) (*answer[List[HistoryEntry]], error) {
	who := principal(ctx)
	b, err := s.deps.Bookings.Get(ctx, who, in.ID)
	if err != nil {
		return nil, err
	}
	found, err := s.deps.Bookings.History(ctx, who, in.ID)
	if err != nil {
		return nil, err
	}
	return listed(found, "", func(h booking.HistoryEntry) HistoryEntry { return showHistory(h, who.UserID, b.UserID) }), nil
}

func showHistory(h booking.HistoryEntry, reader, booker uuid.UUID) HistoryEntry {
	out := HistoryEntry{
		ID: h.ID, Action: string(h.Action), Actor: "organizer", SeatNumbers: []int32{}, CreatedAt: h.CreatedAt.UTC(),
		Details: HistoryDetails{Reason: orNull(h.Details.Reason), Position: orNull(h.Details.Position), SeatNumbersBefore: []int32{}, ByHand: h.Details.ByHand},
	}
	switch h.Actor {
	case uuid.Nil:
		out.Actor = "system"
	case reader:
		out.Actor = "you"
	case booker:
		out.Actor = "booker"
	}
	if to := h.Details.To; to != nil {
		out.Seats, out.SeatNumbers, out.WaitingNumber, out.Status = to.Seats, orEmpty(to.SeatNumbers), orNull(to.WaitingNumber), string(to.Status)
	}
	if from := h.Details.From; from != nil {
		out.Details.SeatsBefore, out.Details.SeatNumbersBefore = orNull(from.Seats), orEmpty(from.SeatNumbers)
	}
	return out
}

func (s *Server) cancelBooking(ctx context.Context, in *struct {
	BookingPath
	Idempotent
}) (*answer[Booking], error) {
	e, err := s.cancel(ctx, principal(ctx), in.ID, keyFor(ctx, in.Key, "POST", "/bookings/"+in.ID.String()+"/cancel"))
	return s.changed(ctx)(e, err)
}

func (s *Server) promoteBooking(ctx context.Context, in *struct {
	BookingPath
	Idempotent
}) (*answer[Booking], error) {
	key := keyFor(ctx, in.Key, "POST", "/bookings/"+in.ID.String()+"/promote")
	return s.changed(ctx)(s.deps.Bookings.PromoteByHand(ctx, principal(ctx), in.ID, key))
}

// MoveBooking names the seats that a party shall have instead of its own.
type MoveBooking struct {
	SeatNumbers []whole `json:"seat_numbers" minimum:"1" maximum:"1000000" minItems:"1" maxItems:"1000" doc:"Exactly as many as the booking has; some may be its own."`
}

func (s *Server) moveBooking(ctx context.Context, in *struct {
	BookingPath
	Idempotent
	Body MoveBooking
}) (*answer[Booking], error) {
	key := keyFor(ctx, in.Key, "POST", "/bookings/"+in.ID.String()+"/move")
	return s.changed(ctx)(s.deps.Bookings.Move(ctx, principal(ctx), in.ID, numbers(in.Body.SeatNumbers), key))
}

// CancelSeats names the seats of a confirmed booking to give back, or says how
// many a waiting party does without.
type CancelSeats struct {
	SeatNumbers []whole `json:"seat_numbers,omitempty" minimum:"1" maximum:"1000000" minItems:"1" maxItems:"1000" doc:"Of a confirmed booking: the seats to give back."`
	Seats       *whole  `json:"seats,omitempty" minimum:"1" maximum:"1000" doc:"Of a waiting party: how many seats it does without. It keeps its waiting number."`
}

// Resolve implements huma.Resolver.
func (c *CancelSeats) Resolve(huma.Context) []error {
	switch {
	case c.Seats == nil && c.SeatNumbers == nil:
		return []error{&huma.ErrorDetail{Location: "body.seat_numbers", Message: "must name the seats, or `seats` say how many"}}
	case c.Seats != nil && c.SeatNumbers != nil:
		return []error{&huma.ErrorDetail{Location: "body.seats", Message: "must not stand beside `seat_numbers`"}}
	}
	return nil
}

func (s *Server) cancelSeats(ctx context.Context, in *struct {
	BookingPath
	Idempotent
	Body CancelSeats
}) (*answer[Booking], error) {
	who, key := principal(ctx), keyFor(ctx, in.Key, "POST", "/bookings/"+in.ID.String()+"/cancel-seats")
	if in.Body.Seats != nil {
		return s.changed(ctx)(s.deps.Bookings.Shrink(ctx, who, in.ID, int32(*in.Body.Seats), key))
	}
	return s.changed(ctx)(s.deps.Bookings.CancelSeats(ctx, who, in.ID, numbers(in.Body.SeatNumbers), key))
}

// changed shows what became of a booking to whoever changed it.
func (s *Server) changed(ctx context.Context) func(booking.Entry, error) (*answer[Booking], error) {
	return func(e booking.Entry, err error) (*answer[Booking], error) {
		if err != nil {
			return nil, err
		}
		return answered(s.showEntry(ctx, e)), nil
	}
}

// outcome words what became of a request to book, for the metrics: few words,
// known beforehand.
func outcome(status booking.Status, err error) string {
	if err == nil {
		return string(status)
	}
	var f *fault.Error
	if errors.As(err, &f) {
		return f.Code
	}
	return "failed"
}
