package booking

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/audit"
	"happening/internal/event"
	"happening/internal/fault"
)

// Arrange lays an event's seats out anew; the layout says how many there are, and
// nil is the default rows of as many as there were. Seats keep their numbers,
// whoever has them. seen is the layout's revision that the caller saw, nil where
// it doesn't matter; a stale one is ErrStaleRevision.
func (s *Service) Arrange(ctx context.Context, who access.Principal, eventID uuid.UUID, layout *event.Layout, seen *int64) (event.Event, error) {
	if _, err := s.Event(ctx, who, eventID, access.EventWrite); err != nil {
		return event.Event{}, err
	}
	return s.edit(ctx, eventID, who, func(current event.Event, _ SeatBits, now time.Time) (event.Event, *Edit, error) {
		if seen != nil && *seen != current.LayoutRevision {
			return event.Event{}, nil, ErrStaleRevision
		}
		changed, err := event.Arrange(current, layout, now)
		if err != nil {
			return event.Event{}, nil, err
		}
		if changed.Revision == current.Revision {
			return current, nil, nil
		}
		payload, err := json.Marshal(event.UpdatedFrom(&current, &changed, who.UserID))
		return changed, &Edit{Action: audit.LayoutChanged, Arranged: true, FactKind: event.KindUpdated, FactPayload: payload}, err
	})
}

// MaxBlocksChanged bounds the seats that one request takes off sale or puts on
// sale again: all events' orders wait while they are decided on and written, and
// the record spells them.
const MaxBlocksChanged = 10_000

// Block takes exactly these seats off sale and puts all others on sale again,
// which serves the waitlist. A seat that is sold can't be taken off; a hold on
// one that is ends. It gives the seats that are off sale now, rising.
func (s *Service) Block(ctx context.Context, who access.Principal, eventID uuid.UUID, numbers []int32) ([]int32, error) {
	live, err := s.Event(ctx, who, eventID, access.EventWrite)
	if err != nil {
		return nil, err
	}
	wanted, wrong := checkNumbers(numbers, live.Event().TotalSlots)
	if wrong != "" {
		return nil, fault.InvalidFields(fault.Field{Name: "seat_numbers", Message: wrong})
	}
	_, err = s.edit(ctx, eventID, who, func(current event.Event, blocked SeatBits, now time.Time) (event.Event, *Edit, error) {
		if current.StatusAt(now) != event.Upcoming {
			return event.Event{}, nil, ErrNotBookable
		}
		blocks := Blocks{Blocked: Without(wanted, blocked.list()), Unblocked: Without(blocked.list(), wanted)}
		if blocks.None() {
			return current, nil, nil
		}
		if n := len(blocks.Blocked) + len(blocks.Unblocked); n > MaxBlocksChanged {
			return event.Event{}, nil, fault.InvalidFields(fault.Field{
				Name: "seat_numbers", Message: fmt.Sprintf("changes %d seats; change at most %d at a time", n, MaxBlocksChanged),
			})
		}
		fact := event.Blocked{
			EventID: current.ID, OrgID: current.OrgID, ActorID: who.UserID,
			Blocked: spans(blocks.Blocked), Unblocked: spans(blocks.Unblocked),
		}
		payload, err := json.Marshal(fact)
		return current, &Edit{Action: audit.BlocksChanged, Blocks: blocks, FactKind: event.KindBlocked, FactPayload: payload}, err
	})
	return wanted, err
}

// Blocked lists the seats that are off sale, for those who run the event.
func (s *Service) Blocked(ctx context.Context, who access.Principal, eventID uuid.UUID) ([]int32, error) {
	live, err := s.Event(ctx, who, eventID, access.EventSales)
	if err != nil {
		return nil, err
	}
	return live.Blocked(), nil
}

// Without gives the seats of rising a that are not in rising b; a itself where b
// is empty.
func Without(a, b []int32) []int32 {
	if len(b) == 0 {
		return a
	}
	var left []int32
	for _, s := range a {
		for len(b) > 0 && b[0] < s {
			b = b[1:]
		}
		if len(b) == 0 || b[0] != s {
			left = append(left, s)
		}
	}
	return left
}

// spans spells rising numbers, those that follow each other as first-last.
func spans(seats []int32) string {
	var b strings.Builder
	for i := 0; i < len(seats); i++ {
		first := i
		for i+1 < len(seats) && seats[i+1] == seats[i]+1 {
			i++
		}
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		if b.WriteString(strconv.Itoa(int(seats[first]))); i > first {
			fmt.Fprintf(&b, "-%d", seats[i])
		}
	}
	return b.String()
}
