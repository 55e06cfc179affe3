package booking

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/google/uuid"
)

// Details is a change as history and outbox tell it. Ids only: names and
// addresses stand in rows that can be erased.
type Details struct {
	Action   Action        `json:"action"`
	From     *DetailsState `json:"from"`
	To       *DetailsState `json:"to"`
	Actor    *uuid.UUID    `json:"actor"`
	Position int32         `json:"position,omitempty"`
	Reason   string        `json:"reason,omitempty"`
	// ByHand says that an organizer promoted the party, whoever waited before
	// it; the checker lets nothing else overtake.
	ByHand bool `json:"by_hand,omitempty"`
}

// DetailsState is one side of a change.
type DetailsState struct {
	Status        Status  `json:"status"`
	Seats         int32   `json:"seats"`
	SeatNumbers   []int32 `json:"seat_numbers"`
	WaitingNumber int64   `json:"waiting_number,omitempty"`
}

// ParseDetails reads what AppendDetails wrote.
func ParseDetails(b []byte) (Details, error) {
	var d Details
	if err := json.Unmarshal(b, &d); err != nil {
		return Details{}, fmt.Errorf("booking: details: %w", err)
	}
	return d, nil
}

// State gives the state that a side of a change tells of.
func (s *DetailsState) State(reason string) State {
	if s == nil {
		return State{}
	}
	return State{Status: s.Status, Seats: s.Seats, SeatNumbers: s.SeatNumbers, WaitingNumber: s.WaitingNumber, Reason: reason}
}

// AppendDetails writes a change as JSON. It is written by hand because it
// runs for every booking; the shape is Details.
func AppendDetails(b []byte, c *Change) []byte {
	b = append(b, `{"action":"`...)
	b = append(b, c.Action...)
	b = append(b, `","from":`...)
	b = appendDetailsState(b, &c.Before)
	b = append(b, `,"to":`...)
	b = appendDetailsState(b, &c.After)
	b = append(b, `,"actor":`...)
	if c.Actor == uuid.Nil {
		b = append(b, "null"...)
	} else {
		b = append(b, '"')
		b = append(b, c.Actor.String()...)
		b = append(b, '"')
	}
	if c.Position > 0 {
		b = append(b, `,"position":`...)
		b = strconv.AppendInt(b, int64(c.Position), 10)
	}
	if c.ByHand {
		b = append(b, `,"by_hand":true`...)
	}
	if c.After.Reason != "" {
		b = append(b, `,"reason":"`...)
		b = append(b, c.After.Reason...)
		b = append(b, '"')
	}
	return append(b, '}')
}

func appendDetailsState(b []byte, s *State) []byte {
	if s.Status == "" {
		return append(b, "null"...)
	}
	b = append(b, `{"status":"`...)
	b = append(b, s.Status...)
	b = append(b, `","seats":`...)
	b = strconv.AppendInt(b, int64(s.Seats), 10)
	b = append(b, `,"seat_numbers":[`...)
	for i, n := range s.SeatNumbers {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(n), 10)
	}
	b = append(b, ']')
	if s.WaitingNumber > 0 {
		b = append(b, `,"waiting_number":`...)
		b = strconv.AppendInt(b, s.WaitingNumber, 10)
	}
	return append(b, '}')
}
