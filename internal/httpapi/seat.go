package httpapi

import (
	"context"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"happening/internal/access"
	"happening/internal/booking"
	"happening/internal/event"
	"happening/internal/realtime"
)

// seatRoutes are those of seats and holds.
func (s *Server) seatRoutes() []route {
	return []route{
		on(get, "/events/{id}/seats", access.EventRead, about{id: "get-seats", tag: tagSeats, summary: "Read the seats",
			more: seatsDoc, describe: describeSeats}, s.getSeats),
		on(get, "/events/{id}/holds", access.EventBook, about{id: "get-holds", tag: tagSeats, summary: "Read your holds"}, s.getHolds),
		on(put, "/events/{id}/holds", access.EventBook, about{id: "put-holds", tag: tagSeats, summary: "Hold seats",
			more:   "Replaces your holds at this event. The same list again renews them, an empty one releases all. Over a limit (`seat_limit`) or with a queue in front (`waitlist_first`) nothing changes.",
			errors: []int{conflict}}, s.putHolds),
		on(del, "/events/{id}/holds", access.EventBook, about{id: "delete-holds", tag: tagSeats, summary: "Release your holds", status: none}, s.deleteHolds),
	}
}

const seatsDoc = "The same for everybody. `states` is base64 of two bits a seat, seat 1 in the lowest bits of the first byte: " +
	"0 free, 1 held, 2 booked, 3 blocked. `version` joins it to the deltas of the channel `event:{id}`. " +
	"Who holds or booked a seat is never told. `?format=list` spells the seats out with their labels, paged by at most 1,000."

// SeatStates is the state of all seats.
type SeatStates struct {
	Version        string `json:"version" example:"k3f9:1042"`
	TotalSlots     int32  `json:"total_slots"`
	AvailableSlots int32  `json:"available_slots"`
	States         string `json:"states" doc:"Base64 of two bits a seat."`
	Live           bool   `json:"live" doc:"False while holds and live updates are interrupted: sold seats are true, nobody's choosing is seen; ask again every few seconds."`
}

// Seat is one seat of the list.
type Seat struct {
	SeatNumber int32  `json:"seat_number"`
	Section    string `json:"section" doc:"Empty where the house has no sections."`
	Row        string `json:"row"`
	Label      string `json:"label" doc:"The row and the number that stands on the seat."`
	State      string `json:"state" enum:"free,held,booked,blocked"`
}

var stateWords = [...]string{realtime.Free: "free", realtime.Held: "held", realtime.Booked: "booked", realtime.Blocked: "blocked"}

type seatsInput struct {
	EventPath
	Format      string `query:"format" enum:"packed,list" default:"packed"`
	Limit       int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"Of the list."`
	Cursor      string `query:"cursor" maxLength:"200" doc:"Of the list: next_cursor of the page before."`
	IfNoneMatch string `header:"If-None-Match" doc:"The ETag that you have; still the same is 304."`
}

// seatsAnswer writes itself: the bytes are there already.
type seatsAnswer struct {
	Body func(huma.Context)
}

// describeSeats tells of both forms; the handler writes them itself.
func describeSeats(schemas huma.Registry) map[string]*huma.Response {
	packed := schemas.Schema(reflect.TypeFor[SeatStates](), true, "")
	list := schemas.Schema(reflect.TypeFor[List[Seat]](), true, "")
	tag := &huma.Param{Description: "The same as long as nothing changed.", Schema: &huma.Schema{Type: huma.TypeString}}
	return map[string]*huma.Response{
		"200": {
			Description: "The seats, packed, or as a list with format=list.",
			Headers:     map[string]*huma.Param{"ETag": tag},
			Content:     map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{AnyOf: []*huma.Schema{packed, list}}}},
		},
		"304": {Description: "You have them already.", Headers: map[string]*huma.Param{"ETag": tag}},
	}
}

func (s *Server) getSeats(ctx context.Context, in *seatsInput) (*seatsAnswer, error) {
	live, err := s.deps.Bookings.Event(ctx, principal(ctx), in.ID, access.EventRead)
	if err != nil {
		return nil, err
	}
	snap, err := s.deps.Seats.Snapshot(ctx, live)
	if err != nil {
		return nil, err
	}
	if in.Format == "list" {
		layout, _ := live.Layout()
		return listSeats(snap, layout, in)
	}
	return &seatsAnswer{Body: func(c huma.Context) {
		r, w := humago.Unwrap(c)
		snap.answer(w, r)
	}}, nil
}

// accepts says whether the caller takes the encoding; who refuses it with q=0
// is rare enough to be looked for plainly.
func accepts(r *http.Request, encoding string) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, weight, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.TrimSpace(name) == encoding {
			q, given := strings.CutPrefix(strings.ReplaceAll(weight, " ", ""), "q=")
			return !given || strings.Trim(q, "0.") != ""
		}
	}
	return false
}

func listSeats(snap *SeatSnapshot, layout *event.Layout, in *seatsInput) (*seatsAnswer, error) {
	after, err := parseNumberCursor(in.Cursor)
	if err != nil {
		return nil, err
	}
	out := List[Seat]{Items: []Seat{}}
	// A cursor is anybody's number: bounded before it is reckoned with.
	after = min(after, int64(snap.Total))
	last := min(after+int64(in.Limit), int64(snap.Total))
	for n := after + 1; n <= last; n++ {
		at := layout.Place(int32(n))
		state := realtime.StateAt(snap.Packed, int32(n))
		out.Items = append(out.Items, Seat{SeatNumber: int32(n), Section: at.Section, Row: at.Row, Label: at.Label, State: stateWords[state]})
	}
	if last < int64(snap.Total) && len(out.Items) > 0 {
		out.NextCursor = orNull(numberCursor(last))
	}
	return &seatsAnswer{Body: func(c huma.Context) {
		_, w := humago.Unwrap(c)
		w.Header().Set("Content-Type", "application/json")
		encodeJSON(w, out)
	}}, nil
}

// Holds is what you hold at an event.
type Holds struct {
	SeatNumbers []int32    `json:"seat_numbers"`
	ExpiresAt   *time.Time `json:"expires_at" doc:"When the first of them ends, unless renewed."`
	HoldLimit   int32      `json:"hold_limit" doc:"How many seats you may hold here at once."`
}

// HoldsPut names all seats that you want to hold.
type HoldsPut struct {
	SeatNumbers []whole `json:"seat_numbers" minimum:"1" maximum:"1000000" maxItems:"1000"`
}

// HoldsResult says which seats you hold now, and which others have.
type HoldsResult struct {
	Granted   []int32    `json:"granted"`
	Conflicts []int32    `json:"conflicts" doc:"Sold, held by others, or held by you for too long a moment ago."`
	ExpiresAt *time.Time `json:"expires_at"`
}

func (s *Server) getHolds(ctx context.Context, in *EventPath) (*answer[Holds], error) {
	who := principal(ctx)
	live, err := s.deps.Bookings.Event(ctx, who, in.ID, access.EventBook)
	if err != nil {
		return nil, err
	}
	held, err := s.deps.Bookings.Holds(ctx, who, in.ID)
	if err != nil {
		return nil, err
	}
	limit := int32(booking.HoldMaxSeats)
	if most := live.Event().MaxSeatsPerUser; most > 0 {
		limit = min(limit, most)
	}
	return answered(Holds{SeatNumbers: orEmpty(held.Seats), ExpiresAt: orNullTime(held.ExpiresAt), HoldLimit: limit}), nil
}

func (s *Server) putHolds(ctx context.Context, in *struct {
	EventPath
	Body HoldsPut
}) (*answer[HoldsResult], error) {
	placed, err := s.deps.Bookings.Hold(ctx, principal(ctx), in.ID, numbers(in.Body.SeatNumbers))
	if err != nil {
		return nil, err
	}
	return answered(HoldsResult{
		Granted: orEmpty(placed.Granted), Conflicts: orEmpty(placed.Conflicts), ExpiresAt: orNullTime(placed.ExpiresAt),
	}), nil
}

func (s *Server) deleteHolds(ctx context.Context, in *EventPath) (*done, error) {
	_, err := s.deps.Bookings.Hold(ctx, principal(ctx), in.ID, nil)
	return nil, err
}
