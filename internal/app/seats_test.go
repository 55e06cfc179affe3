package app

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"happening/internal/access"
	"happening/internal/booking"
	"happening/internal/httpapi"
)

// visitors is an authenticator to whom nobody is known.
type visitors struct{}

func (visitors) Authenticate(*http.Request) (access.Principal, error) {
	return access.Principal{}, nil
}
func (visitors) Credential(*http.Request) string       { return "" }
func (visitors) DropSessionCookie(http.ResponseWriter) {}

// api serves the hall's event to visitors, as the process does.
func (h *hall) api(t testing.TB) http.Handler {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	server, err := httpapi.New(httpapi.Deps{
		Bookings: booking.NewService(h.alloc, h.holds, nil, nil, time.Now, log), Seats: h.seats, Auth: visitors{},
		PublicURL: "https://happening.test", Version: "1", Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	return server.API()
}

// sellHalf sells about half of the seats, in no order that a compressor knows.
func (h *hall) sellHalf(t testing.TB, slots int32) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	for seat := int32(1); seat+1000 <= slots+1; seat += 1000 {
		var sold []int32
		for i := range int32(1000) {
			if random.IntN(2) == 0 {
				sold = append(sold, seat+i)
			}
		}
		h.sell(t, sold...)
	}
}

// TestAMapOnTheWire reads the map of a large event in each of the ways in which
// it is answered: the short way and the documented one say the same, as it is
// and compressed, and a house of 20,000 seats, half of them sold at random,
// takes at most 8 kB with all headers.
func TestAMapOnTheWire(t *testing.T) {
	t.Parallel()
	const slots = 20_000
	h := newHall(t, slots)
	h.sellHalf(t, slots)
	handler := h.api(t)
	path := "/events/" + h.id.String() + "/seats"
	ask := func(path string, headers ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", path, nil)
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Header().Get("No-Gzip-Compression") != "" {
			t.Errorf("%s %v: what is between us and the compressor went out", path, headers)
		}
		return w
	}
	quick, documented := ask(path), ask(path+"?format=packed")
	if quick.Code != 200 || quick.Body.String() != documented.Body.String() {
		t.Fatalf("%d %.200s instead of %d %.200s", quick.Code, quick.Body, documented.Code, documented.Body)
	}
	for name := range documented.Header() {
		if name != "X-Request-Id" && quick.Header().Get(name) != documented.Header().Get(name) {
			t.Errorf("%s: %q instead of %q", name, quick.Header().Get(name), documented.Header().Get(name))
		}
	}
	for turn := range 3 { // whoever is first gets it as it is
		w := ask(path, "Accept-Encoding", "gzip")
		body := w.Body.Bytes()
		if zipped := w.Header().Get("Content-Encoding") == "gzip"; zipped != (turn > 0) {
			t.Errorf("turn %d: %v", turn, w.Header())
		} else if zipped {
			z, err := gzip.NewReader(bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			if body, err = io.ReadAll(z); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(body, quick.Body.Bytes()) {
			t.Errorf("turn %d: %d bytes that differ", turn, len(body))
		}
	}
	tag := quick.Header().Get("Etag")
	for _, p := range []string{path, path + "?format=packed"} {
		if w := ask(p, "If-None-Match", `"other", `+tag); w.Code != 304 || w.Body.Len() > 0 {
			t.Errorf("%s: %d, %d bytes", p, w.Code, w.Body.Len())
		}
		if w := ask(p, "If-None-Match", `"other"`); w.Code != 200 {
			t.Errorf("%s: %d", p, w.Code)
		}
	}
	if w := ask("/events/not-an-id/seats"); w.Code != 422 && w.Code != 404 {
		t.Errorf("an id that is none: %d", w.Code)
	}
	for _, encoding := range []string{"identity", "gzip"} {
		if n := bytesOnTheWire(t, handler, path, encoding); n > 8_000 {
			t.Errorf("%s: %d bytes", encoding, n)
		}
	}
}

// bytesOnTheWire asks over a connection of its own and counts the answer.
func bytesOnTheWire(t *testing.T, handler http.Handler, path, encoding string) int {
	t.Helper()
	server := httptest.NewServer(handler)
	defer server.Close()
	conn, err := net.Dial("tcp", strings.TrimPrefix(server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nAccept-Encoding: %s\r\nConnection: close\r\n\r\n", path, encoding); err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(conn)
	if err != nil || !bytes.HasPrefix(all, []byte("HTTP/1.1 200")) {
		t.Fatalf("%.100s, %v", all, err)
	}
	t.Logf("%s: %d bytes", encoding, len(all))
	return len(all)
}

// nobody is an answer that nobody reads.
type nobody struct{ header http.Header }

func (n *nobody) Header() http.Header         { return n.header }
func (n *nobody) WriteHeader(int)             {}
func (n *nobody) Write(b []byte) (int, error) { return len(b), nil }

// BenchmarkReadingSeats measures what the front door takes to answer with the
// map of 20,000 seats: all but the connection.
func BenchmarkReadingSeats(b *testing.B) {
	const slots = 20_000
	h := newHall(b, slots)
	h.sellHalf(b, slots)
	handler := h.api(b)
	path := "/events/" + h.id.String() + "/seats"
	for _, c := range []struct{ name, path, header, value string }{
		{"plain", path, "Accept-Encoding", "identity"},
		{"gzip", path, "Accept-Encoding", "gzip"},
		{"still the same", path, "If-None-Match", `W/"` + h.snapshot(b).ETag + `"`},
		{"documented", path + "?format=packed", "Accept-Encoding", "identity"},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r, err := http.NewRequest(http.MethodGet, c.path, nil)
				if err != nil {
					b.Fatal(err)
				}
				r.Header.Set(c.header, c.value)
				handler.ServeHTTP(&nobody{http.Header{}}, r)
			}
		})
	}
}
