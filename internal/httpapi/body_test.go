package httpapi

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/org"
)

// sending is a connection on which a body is announced and doesn't come.
type sending struct {
	t    *testing.T
	conn net.Conn
	read *bufio.Reader
}

// announce sends a request's head alone. Its sender waits to be told to go on,
// which a server does when it begins to read, and so shows whether it does.
func (w *world) announce(who caller, method, path string, size int) *sending {
	w.t.Helper()
	conn, err := net.Dial("tcp", w.api.Listener.Addr().String())
	must(w.t, err)
	w.t.Cleanup(func() { conn.Close() })
	must(w.t, conn.SetDeadline(time.Now().Add(time.Minute)))
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n", method, path, size)
	if who.token != "" {
		head += "Authorization: Bearer " + who.token + "\r\n"
	}
	_, err = io.WriteString(conn, head+"\r\n")
	must(w.t, err)
	return &sending{w.t, conn, bufio.NewReader(conn)}
}

// answered is the next status that the server tells, and the code of a problem.
func (s *sending) answered(status int, code string) *http.Response {
	s.t.Helper()
	answer, err := http.ReadResponse(s.read, nil)
	must(s.t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	must(s.t, err)
	if answer.StatusCode != status || !strings.Contains(string(body), code) {
		s.t.Fatalf("%d %s, want %d %s", answer.StatusCode, body, status, code)
	}
	return answer
}

func (s *sending) goesOn() *sending {
	s.t.Helper()
	s.answered(http.StatusContinue, "")
	return s
}

// A logo of somebody who may not set it isn't read, and each person sends one
// at a time.
func TestLogosAreReadOfWhoMaySetThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin, second := w.someone(), w.someone()
	found := func(who caller) uuid.UUID {
		return read[Organization](w.call(who, "POST", "/organizations", `{"name":"Mill"}`).want(201)).ID
	}
	mill, theirs := found(admin), found(second)
	organizer := w.member(mill, "organizer")
	path := func(id uuid.UUID) string { return "/organizations/" + id.String() + "/logo" }

	w.announce(caller{}, "PUT", path(mill), org.MaxLogoBytes).answered(401, "unauthenticated")
	w.announce(organizer, "PUT", path(mill), org.MaxLogoBytes).answered(403, "forbidden")
	w.announce(second, "PUT", path(mill), org.MaxLogoBytes).answered(403, "forbidden")
	w.announce(admin, "PUT", path(uuid.New()), org.MaxLogoBytes).answered(404, "not_found")
	w.announce(admin, "PUT", path(mill), org.MaxLogoBytes+1).answered(413, "too_large")

	first := w.announce(admin, "PUT", path(mill), 5).goesOn()
	refused := w.announce(admin, "PUT", path(mill), org.MaxLogoBytes).answered(429, "rate_limited")
	if refused.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	w.announce(second, "PUT", path(theirs), 5_000).goesOn()
	w.call(admin, "PUT", "/organizations/"+mill.String(), `{"about":"`+strings.Repeat("x", 4_500)+`"}`).want(200)
	_, err := io.WriteString(first.conn, "hello")
	must(t, err)
	first.answered(415, "unsupported_media_type")
	w.call(admin, "PUT", path(mill), logo(t, 5, 5), asPNG).want(200)
}

// Bodies that don't come take so much memory and no more, together and of each
// person; what is small is heard all the same.
func TestRoomForBodies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann, bob, admin := w.someone(), w.someone(), w.someone()
	mill := read[Organization](w.call(admin, "POST", "/organizations", `{"name":"Mill"}`).want(201))
	const each = 10_000
	room := w.server.bodies
	room.mu.Lock()
	room.left = (bodiesAtOnce + 1) * each
	room.mu.Unlock()
	create := func(who caller) *sending { return w.announce(who, "POST", "/organizations", each) }

	var anns []*sending
	for range bodiesAtOnce {
		anns = append(anns, create(ann).goesOn())
	}
	create(ann).answered(429, "rate_limited")
	create(bob).goesOn()
	for _, full := range []*sending{create(bob), create(caller{}), w.announce(admin, "PUT", "/organizations/"+mill.ID.String()+"/logo", each)} {
		if full.answered(503, "busy").Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	}
	for _, who := range []caller{ann, bob} {
		w.call(who, "POST", "/organizations", `{"name":"Small"}`).want(201)
	}
	// What was told its answer has given its room back.
	_, err := io.WriteString(anns[0].conn, strings.Repeat(" ", each))
	must(t, err)
	anns[0].answered(400, "")
	create(ann).goesOn()
	create(ann).answered(429, "rate_limited")
}

// A body that tells no length counts as what it may become, and one of exactly
// the bound is read whole.
func TestBodiesOfTheBound(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		size, said int64
		whole      bool
	}{
		{0, -1, true}, {5, -1, true}, {5, 5, true}, {maxBody, maxBody, true}, {maxBody, -1, true}, {maxBody + 1, -1, false}, {6, 5, false},
	} {
		r := &http.Request{ContentLength: c.said}
		body, err := readUpTo(bodySize(r, maxBody), strings.NewReader(strings.Repeat("x", int(c.size))))
		if c.whole != (err == nil) || c.whole && int64(len(body)) != c.size {
			t.Errorf("%d bytes said to be %d: %d, %v", c.size, c.said, len(body), err)
		}
	}
}
