package httpapi

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/booking"
)

// person is an authenticator for whom everybody is one person.
type person struct{ access.Principal }

func (p person) Authenticate(*http.Request) (access.Principal, error) { return p.Principal, nil }
func (person) Credential(*http.Request) string                        { return "" }
func (person) DropSessionCookie(http.ResponseWriter)                  {}

// sink is an answer that nobody reads.
type sink struct {
	header http.Header
	status int
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(status int)      { s.status = status }
func (s *sink) Write(b []byte) (int, error) { return len(b), nil }

// BenchmarkBookOverhead measures what the front door adds to a booking: all of
// the way but the booking itself, authentication and the connection.
func BenchmarkBookOverhead(b *testing.B) {
	s := bare(b, Deps{Auth: person{access.Principal{UserID: uuid.New()}}})
	answer := booking.Booking{
		ID: uuid.New(), EventID: uuid.New(), UserID: uuid.New(), CreatedAt: time.Now(), UpdatedAt: time.Now(),
		State: booking.State{Status: booking.Confirmed, Seats: 2, SeatNumbers: []int32{11, 12}},
	}
	s.book = func(context.Context, access.Principal, booking.Request) (booking.Booking, error) { return answer, nil }
	handler := s.API()
	body := `{"event_id":"` + answer.EventID.String() + `","seats":2,"seat_numbers":[11,12]}`
	b.ReportAllocs()
	for b.Loop() {
		r, err := http.NewRequest(http.MethodPost, "/bookings", io.NopCloser(strings.NewReader(body)))
		if err != nil {
			b.Fatal(err)
		}
		r.ContentLength = int64(len(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Idempotency-Key", "018f2b6e-0c5e-7c3a-9d0a-3f1b2c4d5e6f")
		w := &sink{header: http.Header{}}
		if handler.ServeHTTP(w, r); w.status != http.StatusCreated {
			b.Fatalf("status %d", w.status)
		}
	}
}
