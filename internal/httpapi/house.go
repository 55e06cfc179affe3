package httpapi

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/booking"
	"happening/internal/event"
	"happening/internal/fault"
)

const (
	// maxHouse bounds the body of a layout, or of blocks: some 100,000 seats
	// one by one, of which booking.MaxBlocksChanged may be others than before, or
	// twenty thousand rows.
	maxHouse = 1 << 20 // bytes
	// housePatience is how long one may take to arrive.
	housePatience = 30 * time.Second
)

var errHouseTooLarge = fault.New(fault.TooLarge, "too_large", "That is more than 1 MiB.")

// houseRoutes are those of how seats lie and which are off sale.
func (s *Server) houseRoutes() []route {
	return []route{
		on(get, "/events/{id}/layout", access.EventRead, about{id: "get-layout", tag: tagSeats, summary: "Read how the seats lie",
			more: "`sections` is null where they lie in rows A, B, … of 20, their numbers running on."}, s.getLayout),
		on(put, "/events/{id}/layout", access.EventWrite, about{id: "put-layout", tag: tagSeats, summary: "Lay the seats out",
			more: "Seat 1 is the first of the first row, and the numbers run on from row to row and from section to section. " +
				"The layout says how many seats there are (`capacity_below_sold` where a sold one would be gone); who has a seat keeps its number. " +
				"null goes back to rows of 20.",
			errors: []int{conflict, stale}}, s.putLayout),
		on(get, "/events/{id}/blocks", access.EventSales, about{id: "get-blocks", tag: tagSeats, summary: "Read which seats are off sale"}, s.getBlocks),
		on(put, "/events/{id}/blocks", access.EventWrite, about{id: "put-blocks", tag: tagSeats, summary: "Take seats off sale",
			more: "Exactly these are off sale from then on; all others are on sale, which serves the waitlist. " +
				"A sold seat can't be taken off (`seats_unavailable`, with the list, and nothing changes); holds on the seats end. " +
				"At most 10,000 seats change at a time.",
			errors: []int{conflict}}, s.putBlocks),
	}
}

// houseOf says whether a request brings a layout or blocks, and of which event.
func houseOf(r *http.Request) (uuid.UUID, bool) {
	rest, ok := strings.CutPrefix(r.URL.Path, "/events/")
	id, what, _ := strings.Cut(rest, "/")
	if !ok || r.Method != http.MethodPut || what != "layout" && what != "blocks" {
		return uuid.Nil, false
	}
	event, err := uuid.Parse(id)
	return event, err == nil
}

// houseBounds are those of a layout or of blocks. Who may not set them is told
// before they are read, and each person sends one at a time.
func (c *call) houseBounds(ctx context.Context, id uuid.UUID) (bodyBounds, error) {
	if _, err := c.server.deps.Bookings.Event(ctx, c.who, id, access.EventWrite); err != nil {
		return bodyBounds{}, err
	}
	return bodyBounds{
		most: maxHouse, patience: max(housePatience, c.server.bodyPatience), tooLarge: errHouseTooLarge,
		sender: "house of " + c.who.UserID.String(), atOnce: 1,
	}, nil
}

// LayoutRow is seats side by side.
type LayoutRow struct {
	Label string `json:"label" doc:"At most 12 characters, one of its kind in the section."`
	Seats whole  `json:"seats" minimum:"1" maximum:"64" doc:"Part a longer row at an aisle."`
	First whole  `json:"first,omitempty" minimum:"1" maximum:"9999" default:"1" doc:"The number on its first seat."`
}

// LayoutSection is a part of the house.
type LayoutSection struct {
	Name string      `json:"name" doc:"At most 60 characters; empty only where there is one section."`
	Rows []LayoutRow `json:"rows" nullable:"false"`
}

// LayoutPut is how the seats shall lie.
type LayoutPut struct {
	Sections []LayoutSection `json:"sections" nullable:"true" doc:"null: rows A, B, … of 20, the numbers running on."`
}

// Layout is how an event's seats lie.
type Layout struct {
	Sections       []LayoutSection `json:"sections" nullable:"true" doc:"null: rows A, B, … of 20, the numbers running on."`
	TotalSlots     int32           `json:"total_slots"`
	LayoutRevision int64           `json:"layout_revision" doc:"Also the ETag; 0: the default rows."`
}

type layoutAnswer struct {
	ETag string `header:"ETag" doc:"The revision of the layout."`
	Body Layout
}

func showLayout(l *event.Layout, total int32, revision int64) *layoutAnswer {
	out := &layoutAnswer{ETag: revisionTag(revision), Body: Layout{TotalSlots: total, LayoutRevision: revision}}
	for _, s := range l.Sections() {
		section := LayoutSection{Name: s.Name, Rows: make([]LayoutRow, len(s.Rows))}
		for i, r := range s.Rows {
			section.Rows[i] = LayoutRow{Label: r.Label, Seats: whole(r.Seats), First: whole(r.First)}
		}
		out.Body.Sections = append(out.Body.Sections, section)
	}
	return out
}

func (s *Server) getLayout(ctx context.Context, in *EventPath) (*layoutAnswer, error) {
	live, err := s.deps.Bookings.Event(ctx, principal(ctx), in.ID, access.EventRead)
	if err != nil {
		return nil, err
	}
	layout, e := live.Layout()
	return showLayout(layout, e.TotalSlots, e.LayoutRevision), nil
}

func (s *Server) putLayout(ctx context.Context, in *struct {
	EventPath
	IfMatch string `header:"If-Match" doc:"The ETag of the layout that you saw; a stale one is 412."`
	Body    LayoutPut
}) (*layoutAnswer, error) {
	seen, err := seenLayout(in.IfMatch)
	if err != nil {
		return nil, err
	}
	var layout *event.Layout
	if in.Body.Sections != nil {
		sections := make([]event.Section, len(in.Body.Sections))
		for i, given := range in.Body.Sections {
			sections[i] = event.Section{Name: given.Name, Rows: make([]event.Row, len(given.Rows))}
			for j, r := range given.Rows {
				sections[i].Rows[j] = event.Row{Label: r.Label, Seats: int32(r.Seats), First: int32(r.First)}
			}
		}
		if layout, err = event.NewLayout(sections); err != nil {
			return nil, err
		}
	}
	e, err := s.deps.Bookings.Arrange(ctx, principal(ctx), in.ID, layout, seen)
	if err != nil {
		return nil, err
	}
	return showLayout(layout, e.TotalSlots, e.LayoutRevision), nil
}

// seenLayout is the layout's revision that the caller saw, nil where it doesn't
// say.
func seenLayout(ifMatch string) (*int64, error) {
	match := parseIfMatch(ifMatch)
	switch {
	case !match.given || match.any:
		return nil, nil
	case len(match.revisions) != 1:
		return nil, booking.ErrStaleRevision
	}
	return &match.revisions[0], nil
}

// Blocks are the seats that are off sale.
type Blocks struct {
	SeatNumbers []int32 `json:"seat_numbers"`
}

// BlocksPut names all seats that shall be off sale.
type BlocksPut struct {
	SeatNumbers []whole `json:"seat_numbers" nullable:"false" minimum:"1" maximum:"1000000"`
}

func (s *Server) getBlocks(ctx context.Context, in *EventPath) (*answer[Blocks], error) {
	blocked, err := s.deps.Bookings.Blocked(ctx, principal(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	return answered(Blocks{SeatNumbers: orEmpty(blocked)}), nil
}

func (s *Server) putBlocks(ctx context.Context, in *struct {
	EventPath
	Body BlocksPut
}) (*answer[Blocks], error) {
	blocked, err := s.deps.Bookings.Block(ctx, principal(ctx), in.ID, numbers(in.Body.SeatNumbers))
	if err != nil {
		return nil, err
	}
	return answered(Blocks{SeatNumbers: orEmpty(blocked)}), nil
}
