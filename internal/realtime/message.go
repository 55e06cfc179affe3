package realtime

import (
	"encoding/json"
	"strconv"

	"github.com/google/uuid"
)

// Channel names, as clients subscribe to them.
const (
	EventPrefix = "event:"
	UserPrefix  = "user:"
)

// EventChannel is where those who look at the event listen.
func EventChannel(eventID uuid.UUID) string { return EventPrefix + eventID.String() }

// UserChannel is where one person alone listens.
func UserChannel(userID uuid.UUID) string { return UserPrefix + userID.String() }

// Sales is what an event's page shows beside the map.
type Sales struct {
	AvailableSlots int32 `json:"available_slots"`
	WaitingParties int32 `json:"waiting_parties"`
}

// BookingNews tells a person that a booking of theirs has changed.
type BookingNews struct {
	ID            uuid.UUID `json:"id"`
	EventID       uuid.UUID `json:"event_id"`
	Status        string    `json:"status"`
	WaitingNumber *int64    `json:"waiting_number"`
	Position      *int64    `json:"position"`
}

// NotificationNews tells a person that a message has come.
type NotificationNews struct {
	ID    uuid.UUID `json:"id"`
	Type  string    `json:"type"`
	Title string    `json:"title"`
}

// message is one publication; exactly one field is set. Deltas of seats are
// the exception, for their two fields belong together and are written by hand.
type message struct {
	Viewers      *int              `json:"viewers,omitempty"`
	Sales        *Sales            `json:"sales,omitempty"`
	Event        *eventNews        `json:"event,omitempty"`
	Booking      *BookingNews      `json:"booking,omitempty"`
	Notification *NotificationNews `json:"notification,omitempty"`
	Holds        *eventRef         `json:"holds,omitempty"`
	Positions    *eventRef         `json:"positions,omitempty"`
}

type eventNews struct {
	Revision int64  `json:"revision"`
	Status   string `json:"status"`
}

type eventRef struct {
	EventID uuid.UUID `json:"event_id"`
}

func (m message) encode() []byte {
	data, err := json.Marshal(m)
	if err != nil {
		panic(err) // the types above always marshal
	}
	return data
}

// bytesPerSeat is about what one seat takes in a delta: "[123456,2],".
const bytesPerSeat = 11

// encodeDelta writes a delta; without seats it is the repeated version.
func encodeDelta(v Version, seats []int32, states []uint8) []byte {
	b := make([]byte, 0, 64+bytesPerSeat*len(seats))
	b = append(b, `{"version":`...)
	b = strconv.AppendQuote(b, v.String())
	b = append(b, `,"seats":[`...)
	for i, seat := range seats {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '[')
		b = strconv.AppendInt(b, int64(seat), 10)
		b = append(b, ',', '0'+states[i]&stateMask, ']')
	}
	return append(b, `]}`...)
}
