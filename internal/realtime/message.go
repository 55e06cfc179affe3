package realtime

import (
	"bytes"
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
	// Live says whether the seats are kept up to date; false while the engine
	// that holds and versions live in is away.
	Live *bool `json:"live,omitempty"`
	// Refresh says that messages were lost, or that the person's role was
	// changed: fetch again what is shown.
	Refresh bool `json:"refresh,omitempty"`
}

// RefreshMessage tells a person that messages to them were lost.
func RefreshMessage() []byte { return message{Refresh: true}.encode() }

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
	b = append(b, versionField...)
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

// versionField begins each message that carries a version.
const versionField = `{"version":`

// DeltaVersion reads the version of an encoded delta or repeated version;
// false for every other message.
func DeltaVersion(data []byte) (Version, bool) {
	rest, ok := bytes.CutPrefix(data, []byte(versionField+`"`))
	if !ok {
		return Version{}, false
	}
	end := bytes.IndexByte(rest, '"')
	colon := bytes.LastIndexByte(rest[:max(end, 0)], ':')
	if colon < 0 {
		return Version{}, false
	}
	n, err := strconv.ParseInt(string(rest[colon+1:end]), 10, 64)
	return Version{Epoch: string(rest[:colon]), N: n}, err == nil
}
