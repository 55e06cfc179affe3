package httpapi

import (
	"encoding/hex"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"happening/internal/booking"
)

// A request to book, or to cancel, is read and answered by hand here, where it is written as
// programs write it: the library reads a body twice, by reflection, and that
// costs about as much as all that it takes to sell the seats. What is written
// in any other way, what may be wrong with it, and what is sent by visitors
// goes on to the documented route, which alone says what is wrong. A fuzz test
// holds that the two never differ.

// quickBooking stands before the documented route of POST /bookings.
func (s *Server) quickBooking(documented http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		c := callFrom(ctx)
		key, ok := quickHeaders(r.Header)
		if !ok || !sendsJSON(r.Header) || !c.who.SignedIn() {
			documented(w, r)
			return
		}
		in, ok := readBooking(c.body)
		if !ok {
			documented(w, r)
			return
		}
		b, err := s.bookAs(ctx, c.who, &in, key)
		if err != nil {
			writeProblem(w, r, err)
			return
		}
		h := w.Header()
		h["Location"] = []string{bookingLocation(b.ID)}
		h["Content-Type"] = typeJSON
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write(appendBooking(make([]byte, 0, roomForBooking), &b)) // who is gone misses it
	}
}

// quickCancel stands before the documented route of POST /bookings/{id}/cancel,
// which has no body and is what a sale's end consists of. What it answers is
// made and written as there; only the library's way to it is spared.
func (s *Server) quickCancel(documented http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		c := callFrom(ctx)
		key, ok := quickHeaders(r.Header)
		of := scanner{rest: strconv.AppendQuote(nil, r.PathValue("id"))}
		var in struct {
			BookingPath
			Idempotent
		}
		of.id(&in.ID)
		if !ok || of.failed || len(c.body) > 0 || len(r.Header["Content-Type"]) > 0 || r.URL.RawQuery != "" || !c.who.SignedIn() {
			documented(w, r)
			return
		}
		in.Key = key
		cancelled, err := s.cancelBooking(ctx, &in)
		if err != nil {
			writeProblem(w, r, err)
			return
		}
		w.Header()["Content-Type"] = typeJSON
		w.WriteHeader(http.StatusOK)
		_ = jsonFormat.Marshal(w, cancelled.Body) // who is gone misses it
	}
}

var typeJSON = []string{"application/json"}

// roomForBooking is about what a booking takes on the wire.
const roomForBooking = 512 // bytes

// sendsJSON says whether a body is said to be JSON, in the usual words.
func sendsJSON(h http.Header) bool {
	kind := h["Content-Type"]
	return len(kind) == 1 && kind[0] == "application/json"
}

// quickHeaders gives the idempotency key, where the headers ask for nothing
// but JSON.
func quickHeaders(h http.Header) (key string, ok bool) {
	if accept := h["Accept"]; len(accept) > 0 && (len(accept) > 1 || accept[0] != "*/*" && accept[0] != "application/json") {
		return "", false
	}
	keys := h["Idempotency-Key"]
	if len(keys) == 0 {
		return "", true
	}
	if len(keys) > 1 || keys[0] == "" || len(keys[0]) > maxKey {
		return "", false
	}
	for i := range len(keys[0]) {
		if c := keys[0][i]; c < '!' || c > '~' {
			return "", false
		}
	}
	return keys[0], true
}

// maxKey is the length of an idempotency key that the document states.
const maxKey = 200 // characters

// The bounds of a request to book that the document states.
const (
	maxSeatsAsked = 1_000
	maxSeatNumber = 1_000_000
)

// readBooking reads the body of a request to book: one object with the fields
// of BookingCreate, each at most once, whole numbers written as such within
// their bounds, texts without escapes. ok false says nothing but that the body
// is to be read by somebody else.
func readBooking(body []byte) (in BookingCreate, ok bool) {
	s := scanner{rest: body}
	var seen struct{ event, seats, numbers, full bool }
	s.expect('{')
	for !s.failed {
		name := s.text()
		s.expect(':')
		switch {
		case string(name) == "event_id" && !seen.event:
			seen.event = true
			s.id(&in.EventID)
		case string(name) == "seats" && !seen.seats:
			seen.seats = true
			in.Seats = s.number(maxSeatsAsked)
		case string(name) == "seat_numbers" && !seen.numbers:
			seen.numbers = true
			in.SeatNumbers = s.numbers(maxSeatNumber, maxSeatsAsked)
		case string(name) == "on_full" && !seen.full:
			seen.full = true
			switch string(s.text()) {
			case wait:
				in.OnFull = wait
			case refuse:
				in.OnFull = refuse
			default:
				return in, false
			}
		default:
			return in, false
		}
		if s.next() != ',' {
			break
		}
		s.rest = s.rest[1:]
	}
	s.expect('}')
	s.skip()
	return in, !s.failed && len(s.rest) == 0 && seen.event && seen.seats
}

// scanner reads the plain part of JSON. Once it has failed, what it gives
// means nothing.
type scanner struct {
	rest   []byte
	failed bool
}

func (s *scanner) skip() {
	for len(s.rest) > 0 && (s.rest[0] == ' ' || s.rest[0] == '\n' || s.rest[0] == '\t' || s.rest[0] == '\r') {
		s.rest = s.rest[1:]
	}
}

// next is what comes after white space, 0 at the end.
func (s *scanner) next() byte {
	if s.skip(); len(s.rest) == 0 {
		return 0
	}
	return s.rest[0]
}

func (s *scanner) expect(c byte) {
	if s.next() != c {
		s.failed = true
		return
	}
	s.rest = s.rest[1:]
}

// text reads a text of ASCII without escapes.
func (s *scanner) text() []byte {
	s.expect('"')
	for i, c := range s.rest {
		switch {
		case c == '"':
			text := s.rest[:i]
			s.rest = s.rest[i+1:]
			return text
		case c < ' ' || c > '~' || c == '\\':
			s.failed = true
			return nil
		}
	}
	s.failed = true
	return nil
}

// id reads an id in its usual form; there are others.
func (s *scanner) id(into *uuid.UUID) {
	const usual = 36 // characters
	text := s.text()
	id, err := uuid.ParseBytes(text)
	if s.failed = s.failed || err != nil || len(text) != usual; !s.failed {
		*into = id
	}
}

// number reads a whole number from 1 to most.
func (s *scanner) number(most whole) whole {
	if first := s.next(); first < '1' || first > '9' {
		s.failed = true
		return 0
	}
	n := whole(0)
	for len(s.rest) > 0 && s.rest[0] >= '0' && s.rest[0] <= '9' && n <= most {
		n = 10*n + whole(s.rest[0]-'0')
		s.rest = s.rest[1:]
	}
	s.failed = s.failed || n > most
	return n
}

// numbers reads a list of at least one and at most atMost numbers.
func (s *scanner) numbers(most whole, atMost int) []whole {
	var list []whole
	s.expect('[')
	for !s.failed && len(list) < atMost {
		list = append(list, s.number(most))
		if s.next() != ',' {
			break
		}
		s.rest = s.rest[1:]
	}
	s.expect(']')
	return list
}

// appendBooking writes a booking as the documented route does.
func appendBooking(to []byte, b *booking.Booking) []byte {
	to = appendID(append(to, `{"id":"`...), b.ID)
	to = appendID(append(to, `","event_id":"`...), b.EventID)
	to = appendID(append(to, `","user_id":"`...), b.UserID)
	to = append(append(to, `","status":"`...), b.Status...)
	to = strconv.AppendInt(append(to, `","seats":`...), int64(b.Seats), 10)
	to = append(to, `,"seat_numbers":[`...)
	for i, n := range b.SeatNumbers {
		if i > 0 {
			to = append(to, ',')
		}
		to = strconv.AppendInt(to, int64(n), 10)
	}
	to = appendOrNull(append(to, `],"waiting_number":`...), b.WaitingNumber)
	to = appendOrNull(append(to, `,"position":`...), int64(b.Position))
	to = append(to, `,"reason":`...)
	if b.Reason == "" {
		to = append(to, "null"...)
	} else {
		to = strconv.AppendQuote(to, b.Reason) // a word of ours
	}
	// Who books for somebody else does it elsewhere.
	to = append(to, `,"on_behalf":false,"booked_by":null`...)
	to = b.CreatedAt.UTC().AppendFormat(append(to, `,"created_at":"`...), time.RFC3339Nano)
	to = b.UpdatedAt.UTC().AppendFormat(append(to, `","updated_at":"`...), time.RFC3339Nano)
	return append(to, "\"}\n"...)
}

// appendOrNull shows zero as null.
func appendOrNull(to []byte, n int64) []byte {
	if n == 0 {
		return append(to, "null"...)
	}
	return strconv.AppendInt(to, n, 10)
}

// appendID writes an id as its String does.
func appendID(to []byte, id uuid.UUID) []byte {
	for i, part := range [...][]byte{id[:4], id[4:6], id[6:8], id[8:10], id[10:]} {
		if i > 0 {
			to = append(to, '-')
		}
		to = hex.AppendEncode(to, part)
	}
	return to
}
