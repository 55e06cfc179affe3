package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"happening/internal/booking"
)

// Who would be turned away at the queue is turned away at the door. A crowd
// comes faster than it can be recognized and read, and what is spent on those
// who are told to come again is taken from those who are served. The door
// therefore knows nothing of who asks and for what: whoever comes while too many
// wait is told the same, also who isn't signed in or sends a key that was used.
// It tells them after a moment, which costs nothing: the crowd can ask only as
// often as it is answered, and who finds room after it is let in.
// Only booking and cancelling are looked at, which are what a crowd comes for;
// all else has no line to wait in.

// Limits of the door.
const (
	// holdFor is how long somebody is held before they are turned away: as long
	// as those who were let in may have to wait.
	holdFor = 2 * time.Second
	// mostHeld bounds who is held at a time; more are turned away at once. Each
	// has a connection, and those who look at maps, hold seats or sign in need
	// the others: it is an eighth of what a port has.
	mostHeld = 1024
)

// door is where a crowd is held and turned away.
type door struct {
	holdFor time.Duration // the constant; a field for tests
	held    atomic.Int64
	closing chan struct{} // closed when nobody is held any more
	close   func()
	answers []turnedAway // by seconds
}

func newDoor() *door {
	d := &door{holdFor: holdFor, closing: make(chan struct{}), answers: answersOfTheDoor()}
	d.close = sync.OnceFunc(func() { close(d.closing) })
	return d
}

// hold keeps somebody for a moment.
func (d *door) hold(ctx context.Context) {
	if d.held.Add(1) <= mostHeld {
		end := time.NewTimer(d.holdFor)
		defer end.Stop()
		select {
		case <-end.C:
		case <-d.closing:
		case <-ctx.Done():
		}
	}
	d.held.Add(-1)
}

// HoldNobody tells all who are held what they would be told in a moment, which a
// server that stops would otherwise wait for.
func (s *Server) HoldNobody() { s.door.close() }

// turnedAway is an answer of the door, made before anybody comes.
type turnedAway struct {
	after []string // Retry-After
	size  []string // Content-Length
	body  []byte
}

// answersOfTheDoor makes the answers for 1 s, 2 s and so on.
func answersOfTheDoor() []turnedAway {
	answers := make([]turnedAway, int(booking.LongestBusy/time.Second))
	for i := range answers {
		p := problemOf(context.Background(), booking.ErrBusy.After(time.Duration(i+1)*time.Second))
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(p); err != nil {
			panic(err) // it consists of texts and numbers
		}
		answers[i] = turnedAway{after: p.header["Retry-After"], size: []string{strconv.Itoa(b.Len())}, body: b.Bytes()}
	}
	return answers
}

// Patterns of the routes that have a door, as the router names them.
const (
	bookPath   = "/bookings"
	cancelPath = "/bookings/{id}/cancel"
)

// doorOf is the pattern of the route that a request is for, empty where it has
// no door.
func doorOf(r *http.Request) string {
	if r.Method != http.MethodPost {
		return ""
	}
	rest, ok := strings.CutPrefix(r.URL.Path, bookPath)
	switch {
	case !ok:
		return ""
	case rest == "":
		return bookPath
	}
	id, ok := strings.CutSuffix(rest, "/cancel")
	if !ok || len(id) < 2 || id[0] != '/' || strings.Contains(id[1:], "/") {
		return ""
	}
	return cancelPath
}

// turnsAway answers a request to book or to cancel that comes while too many
// wait, and says whether it did. Nothing of the body is read: the server reads
// what is left of a small one, and a large one ends the connection, as a refused
// one does.
func (s *Server) turnsAway(w http.ResponseWriter, r *http.Request, start time.Time) bool {
	if s.deps.Crowded == nil {
		return false
	}
	pattern := doorOf(r)
	if pattern == "" {
		return false
	}
	if s.deps.Crowded() <= 0 {
		return false
	}
	s.door.hold(r.Context())
	after := s.deps.Crowded()
	if after <= 0 {
		return false
	}
	seconds := int((after + time.Second - 1) / time.Second)
	answer := &s.door.answers[min(seconds, len(s.door.answers))-1]
	h := w.Header()
	s.secure(h, apiPolicy)
	c := call{id: rand.Uint64()}
	h["X-Request-Id"] = []string{c.requestID()}
	h["Content-Type"] = typeProblem
	h["Retry-After"] = answer.after
	h["Content-Length"] = answer.size
	if r.ContentLength != 0 {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.bodyPatience))
	}
	if bodySize(r, maxBody) > smallBody {
		h["Connection"] = closes
	}
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = w.Write(answer.body) // who is gone misses it
	r.Pattern = r.Method + " " + pattern
	s.metrics.turnedAway(pattern)
	s.metrics.answered(r, http.StatusServiceUnavailable, time.Since(start))
	return true
}

// Shared values of headers, never appended to.
var (
	typeProblem = []string{problemType}
	closes      = []string{"close"}
)
