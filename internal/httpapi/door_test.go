package httpapi

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/booking"
)

// counting is an authenticator that counts whom it is asked about.
type counting struct {
	person
	asked *int
}

func (c counting) Authenticate(r *http.Request) (access.Principal, error) {
	*c.asked++
	return c.person.Authenticate(r)
}

// unread is a body that nobody may read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body is read")
	return 0, io.EOF
}

// In a crowd who wants to book or to cancel is told what the queue would have
// told them, to the byte, before anybody looks who they are or what they send.
// All others come in, and when it is calm so do these.
func TestACrowdIsTurnedAwayAtTheDoor(t *testing.T) {
	var crowd time.Duration
	asked := 0
	who := access.Principal{UserID: uuid.New()}
	s := bare(t, Deps{Auth: counting{person{who}, &asked}, Crowded: func() time.Duration { return crowd }})
	s.book = func(context.Context, access.Principal, booking.Request) (booking.Booking, error) {
		return booking.Booking{}, booking.ErrBusy.After(2500 * time.Millisecond)
	}
	s.cancel = func(context.Context, access.Principal, uuid.UUID, booking.Key) (booking.Entry, error) {
		return booking.Entry{}, booking.ErrBusy.After(2500 * time.Millisecond)
	}
	s.door.holdFor = 0
	send := func(method, path string, body io.Reader, length int) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, body)
		r.ContentLength = int64(length)
		r.Header["Content-Type"] = []string{"application/json"}
		w := httptest.NewRecorder()
		s.API().ServeHTTP(w, r)
		return w
	}
	id := uuid.NewString()
	for path, body := range map[string]string{
		"/bookings": `{"event_id":"` + id + `","seats":1}`, "/bookings/" + id + "/cancel": "",
	} {
		crowd, asked = 0, 0
		queue := send(post, path, strings.NewReader(body), len(body))
		if asked != 1 || queue.Code != http.StatusServiceUnavailable {
			t.Fatalf("%s while it is calm: %d, asked who it is %d times", path, queue.Code, asked)
		}
		crowd, asked = 2500*time.Millisecond, 0
		door := send(post, path, unread{t}, len(body))
		if asked != 0 {
			t.Errorf("%s: somebody was asked who it is", path)
		}
		for _, w := range []*httptest.ResponseRecorder{queue, door} {
			if w.Header().Get("X-Request-Id") == "" {
				t.Errorf("%s: without an id", path)
			}
			w.Header().Del("X-Request-Id")
			w.Header().Del("Content-Length") // which the server adds where it isn't there
		}
		if door.Code != queue.Code || door.Body.String() != queue.Body.String() || !reflect.DeepEqual(door.Header(), queue.Header()) {
			t.Errorf("%s:\nat the door  %d %v %s\nat the queue %d %v %s", path, door.Code, door.Header(), door.Body, queue.Code, queue.Header(), queue.Body)
		}
	}
	for _, c := range [][2]string{
		{put, "/bookings"}, {post, "/bookings/" + id + "/cancel-seats"}, {post, "/bookings/" + id + "/x/cancel"}, {post, "/bookings//cancel"},
		{get, "/bookings"}, {get, "/healthz"}, {post, "/bookingsx"}, {post, "/events/" + id + "/bookings"},
	} {
		asked = 0
		if send(c[0], c[1], nil, 0); asked != 1 {
			t.Errorf("%s %s has a door", c[0], c[1])
		}
	}
	for after, want := range map[time.Duration]string{1: "1", time.Second: "1", time.Second + 1: "2", booking.LongestBusy: "20", time.Hour: "20"} {
		crowd = after
		if got := send(post, "/bookings", unread{t}, 1).Header().Get("Retry-After"); got != want {
			t.Errorf("after %v: Retry-After %q, want %q", after, got, want)
		}
	}
	metrics := httptest.NewRecorder()
	s.Ops().ServeHTTP(metrics, httptest.NewRequest(get, "http://localhost/metrics", nil))
	for _, want := range []string{
		`happening_turned_away_total{route="/bookings"} 6`, `happening_turned_away_total{route="/bookings/{id}/cancel"} 1`,
		`happening_bookings_total{outcome="busy"} 7`, // and once at the queue
		`happening_http_request_duration_seconds_count{route="POST /bookings/{id}/cancel",status="503"} 2`,
	} {
		if !strings.Contains(metrics.Body.String(), want) {
			t.Errorf("%s is missing", want)
		}
	}
}

// Who is turned away unread keeps the connection after a small body, and loses
// it by a large one or by one that doesn't come.
func TestConnectionsOfThoseWhoAreTurnedAway(t *testing.T) {
	for _, c := range []struct {
		name, body string
		length     int
		open       bool
		patience   time.Duration
	}{
		{"a small body", "{}", 2, true, time.Minute}, {"no body", "", 0, true, time.Minute},
		{"a large body", "{}", maxBody, false, time.Millisecond}, {"a body that doesn't come", "{", 2, false, time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := bare(t, Deps{Auth: person{}, Crowded: func() time.Duration { return time.Second }})
			s.bodyPatience, s.door.holdFor = c.patience, 0
			server := httptest.NewServer(s.API())
			defer server.Close()
			conn, err := net.Dial("tcp", server.Listener.Addr().String())
			must(t, err)
			defer conn.Close()
			must(t, conn.SetDeadline(time.Now().Add(time.Minute)))
			in := bufio.NewReader(conn)
			send := func() (*http.Response, error) {
				if _, err := fmt.Fprintf(conn, "POST /bookings HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", c.length, c.body); err != nil {
					return nil, err
				}
				answer, err := http.ReadResponse(in, nil)
				if err != nil {
					return nil, err
				}
				_, err = io.Copy(io.Discard, answer.Body)
				return answer, err
			}
			answer, err := send()
			must(t, err)
			if answer.StatusCode != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") != "1" || answer.Close == c.open {
				t.Errorf("%d %v, said to close: %v", answer.StatusCode, answer.Header, answer.Close)
			}
			if _, err := send(); (err == nil) != c.open {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

// Who is held is told after a moment, or let in where it is calm by then. Nobody
// is held where the server stops or too many are, and nobody who has gone.
func TestACrowdIsHeldForAMoment(t *testing.T) {
	const calm, crowded, booked = 0, 7 * time.Second, http.StatusCreated
	for name, c := range map[string]struct {
		before, meanwhile func(s *Server, crowd *atomic.Int64, leave func())
		status            int
		held              time.Duration
	}{
		"in a crowd":        {status: http.StatusServiceUnavailable, held: holdFor},
		"calm at last":      {meanwhile: func(_ *Server, crowd *atomic.Int64, _ func()) { crowd.Store(calm) }, status: booked, held: holdFor},
		"calm":              {before: func(_ *Server, crowd *atomic.Int64, _ func()) { crowd.Store(calm) }, status: booked},
		"too many are held": {before: func(s *Server, _ *atomic.Int64, _ func()) { s.door.held.Store(mostHeld) }, status: http.StatusServiceUnavailable},
		"one less is":       {before: func(s *Server, _ *atomic.Int64, _ func()) { s.door.held.Store(mostHeld - 1) }, status: http.StatusServiceUnavailable, held: holdFor},
		"the server stops":  {meanwhile: func(s *Server, _ *atomic.Int64, _ func()) { s.HoldNobody(); s.HoldNobody() }, status: http.StatusServiceUnavailable, held: holdFor / 2},
		"they go":           {meanwhile: func(_ *Server, _ *atomic.Int64, leave func()) { leave() }, status: http.StatusServiceUnavailable, held: holdFor / 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var crowd atomic.Int64
				crowd.Store(int64(crowded))
				s := bare(t, Deps{Auth: person{access.Principal{UserID: uuid.New()}}, Crowded: func() time.Duration { return time.Duration(crowd.Load()) }})
				s.book = func(context.Context, access.Principal, booking.Request) (booking.Booking, error) {
					return booking.Booking{}, nil
				}
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				if c.before != nil {
					c.before(s, &crowd, leave)
				}
				others := s.door.held.Load()
				began, w := time.Now(), httptest.NewRecorder()
				answered := make(chan time.Duration, 1)
				go func() {
					r := httptest.NewRequestWithContext(ctx, post, "/bookings", strings.NewReader(`{"event_id":"018f2b6e-0c5e-7c3a-9d0a-3f1b2c4d5e6f","seats":1}`))
					r.Header["Content-Type"] = []string{"application/json"}
					s.API().ServeHTTP(w, r)
					answered <- time.Since(began)
				}()
				time.Sleep(holdFor / 2) // virtual
				synctest.Wait()
				if c.meanwhile != nil {
					c.meanwhile(s, &crowd, leave)
				}
				if held := <-answered; held != c.held || w.Code != c.status {
					t.Errorf("after %v: %d, want %d after %v", held, w.Code, c.status, c.held)
				}
				if left := s.door.held.Load(); left != others {
					t.Errorf("%d are still held", left-others)
				}
			})
		})
	}
}
