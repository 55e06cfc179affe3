package httpapi

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"happening/internal/fault"
)

// Limits of bodies. Whoever sends a body slowly has it kept in memory
// meanwhile, so what is kept is counted, save what is no larger than what any
// connection takes: to book must work while somebody fills the room.
const (
	maxBody = 64 << 10 // bytes
	// bodyPatience is how long a body may take to arrive; a server has it as a
	// field for tests.
	bodyPatience = 10 * time.Second
	// smallBody is up to which size a body isn't counted.
	smallBody = 4 << 10 // bytes
	// roomForBodies bounds all counted bodies together.
	roomForBodies = 64 << 20 // bytes
	// bodiesAtOnce bounds the counted bodies of one person, or of one address
	// without sign-in, that are on their way or being answered.
	bodiesAtOnce = 16
)

var (
	errBodies   = fault.New(fault.TooMany, "rate_limited", "You are sending too much at once; wait until it is through.").After(2 * time.Second)
	errBodyRoom = fault.New(fault.Unavailable, "busy", "Too much is being sent here right now; try again in a moment.").After(retryAway)
)

// bodyBounds are those of one request's body.
type bodyBounds struct {
	most     int64 // bytes
	patience time.Duration
	tooLarge error
	// sender is who may send atOnce of its kind at a time; empty: it is too
	// small to be counted.
	sender string
	atOnce int
}

// bounds are those of a body of JSON, unless it is a picture where one belongs.
func (c *call) bounds(r *http.Request) (bodyBounds, error) {
	if id, ok := logoPath(r); ok {
		return c.logoBounds(r.Context(), id)
	}
	if id, ok := houseOf(r); ok {
		return c.houseBounds(r.Context(), id)
	}
	b := bodyBounds{most: maxBody, patience: c.server.bodyPatience, tooLarge: errTooLarge, atOnce: bodiesAtOnce}
	if bodySize(r, b.most) > smallBody {
		if b.sender = c.server.address(r); c.who.SignedIn() {
			b.sender = c.who.UserID.String()
		}
	}
	return b, nil
}

// bodySize is what a body takes: its length, or what it may become where it
// doesn't tell.
func bodySize(r *http.Request, most int64) int64 {
	if r.ContentLength < 0 {
		return most
	}
	return r.ContentLength
}

// readBody reads the whole body, within bounds: routes need its bytes for the
// idempotency key's hash. The connection's read deadline ends with a body that
// is here; otherwise it stays, for the rest of the body is read on closing.
func (c *call) readBody(r *http.Request) error {
	b, err := c.bounds(r)
	if err == nil && r.ContentLength > b.most {
		err = b.tooLarge
	}
	connection := http.NewResponseController(c.ResponseWriter)
	size := bodySize(r, b.most)
	if err == nil && b.sender != "" {
		if err = c.server.bodies.take(b.sender, b.atOnce, size); err == nil {
			c.sender, c.kept = b.sender, size
		}
	}
	if err != nil {
		// Unread, the rest of it would be taken for the next request.
		c.Header().Set("Connection", "close")
		_ = connection.SetReadDeadline(time.Now().Add(c.server.bodyPatience))
		return err
	}
	// Not every connection knows deadlines; those of a server do.
	_ = connection.SetReadDeadline(time.Now().Add(b.patience))
	from := r.Body
	if r.ContentLength < 0 {
		from = http.MaxBytesReader(c.ResponseWriter, from, b.most)
	}
	body, err := readUpTo(size, from)
	var beyond *http.MaxBytesError
	switch {
	case errors.As(err, &beyond):
		return b.tooLarge
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.Header().Set("Connection", "close")
		return &Problem{
			Status: http.StatusRequestTimeout, Title: http.StatusText(http.StatusRequestTimeout),
			Code: "body_timeout", Detail: "The body took too long to arrive.",
		}
	case err != nil:
		return errMalformed.Because(err)
	}
	_ = connection.SetReadDeadline(time.Time{})
	c.body = body
	c.again.Reset(body)
	r.Body = &c.again
	return nil
}

// readAgain is a body that was read already.
type readAgain struct{ bytes.Reader }

// Close implements io.Closer.
func (*readAgain) Close() error { return nil }

// readUpTo reads all there is into memory that is taken once: growing by
// doubling would take up to three times as much.
func readUpTo(size int64, from io.Reader) ([]byte, error) {
	body := make([]byte, 0, size+1) // the last one finds the end
	for len(body) < cap(body) {
		n, err := from.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case errors.Is(err, io.EOF):
			return body, nil
		case err != nil:
			return nil, err
		}
	}
	return nil, &http.MaxBytesError{Limit: size}
}

// bodyRoom is the memory for the bodies of all requests that are under way.
type bodyRoom struct {
	mu   sync.Mutex
	left int64 // bytes
	of   map[string]int
}

func newBodyRoom(size int64) *bodyRoom { return &bodyRoom{left: size, of: map[string]int{}} }

// take keeps room for a body of one sender until give gives it back.
func (b *bodyRoom) take(sender string, atOnce int, size int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.of[sender] >= atOnce:
		return errBodies
	case size > b.left:
		return errBodyRoom
	}
	b.of[sender]++
	b.left -= size
	return nil
}

func (b *bodyRoom) give(sender string, size int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left += size
	if b.of[sender]--; b.of[sender] == 0 {
		delete(b.of, sender)
	}
}

// giveBody gives back what the request's body took. It counts until the
// request is answered, since the body is kept until then.
func (c *call) giveBody() {
	if c.kept > 0 {
		c.server.bodies.give(c.sender, c.kept)
		c.kept = 0
	}
}
