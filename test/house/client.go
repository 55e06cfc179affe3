//go:build linux

package house

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

const (
	// RequestLimit bounds a request; the slowest wait for 2,000 others.
	RequestLimit = 30 * time.Second
	// maxConnections leaves a few of a port's 8,192 to others: who opens more is
	// turned away.
	maxConnections = 8000
)

// Person is somebody with an access token.
type Person struct{ ID, Email, Token string }

// People makes n people with one command.
func (h *House) People(name string, n int) []*Person {
	h.t.Helper()
	pattern := name + "%d@people.test"
	out := h.Must("token", "--user", pattern, "--count", fmt.Sprint(n))
	all := make([]*Person, 0, n)
	for line := range strings.Lines(out) {
		id, token, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok {
			h.t.Fatalf("token printed %q", line)
		}
		all = append(all, &Person{ID: id, Token: token, Email: strings.ReplaceAll(pattern, "%d", fmt.Sprint(len(all)+1))})
	}
	if len(all) != n {
		h.t.Fatalf("%d people asked for, %d made", n, len(all))
	}
	return all
}

// Client speaks to one address of a server.
type Client struct {
	base string
	http *http.Client
}

// NewClient makes a client of one address, host:port.
func NewClient(addr string) *Client {
	return &Client{base: "http://" + addr, http: &http.Client{
		Timeout: RequestLimit,
		Transport: &http.Transport{
			MaxIdleConns: maxConnections, MaxIdleConnsPerHost: maxConnections, MaxConnsPerHost: maxConnections, DisableCompression: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Close ends the connections that nobody uses.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Answer is a response, read whole.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Code is the problem's code, empty where the answer is none.
func (a *Answer) Code() string {
	var problem struct{ Code string }
	if json.Unmarshal(a.Body, &problem) != nil {
		return ""
	}
	return problem.Code
}

// gone lists the seats that a refusal names.
func (a *Answer) gone() []int {
	var problem struct {
		SeatNumbers []int `json:"seat_numbers"`
	}
	if json.Unmarshal(a.Body, &problem) != nil {
		return nil
	}
	return problem.SeatNumbers
}

func (a *Answer) String() string { return fmt.Sprintf("%d %s", a.Status, bytes.TrimSpace(a.Body)) }

// Do sends one request and never repeats it. An error means that the outcome
// is unknown. Headers are given as "Name: value".
func (c *Client) Do(ctx context.Context, who *Person, method, path string, body any, headers ...string) (*Answer, error) {
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	default:
		text, err := json.Marshal(b)
		if err != nil {
			return nil, err
		}
		reader = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, reader)
	if err != nil {
		return nil, err
	}
	// Without this the transport would itself repeat a request whose
	// Idempotency-Key it sees, and hide the unknown outcomes.
	r.GetBody = nil
	if reader != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if who != nil {
		r.Header.Set("Authorization", "Bearer "+who.Token)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if strings.EqualFold(name, "Host") {
			r.Host = value
		}
		r.Header.Set(name, value)
	}
	res, err := c.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusSwitchingProtocols {
		return &Answer{Status: res.StatusCode, Header: res.Header}, nil
	}
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	return &Answer{Status: res.StatusCode, Header: res.Header, Body: text}, nil
}

// Get sends a request that has to be answered.
func (c *Client) Get(t testing.TB, who *Person, path string, headers ...string) *Answer {
	t.Helper()
	return c.Send(t, who, http.MethodGet, path, nil, headers...)
}

// Send sends a request that has to be answered.
func (c *Client) Send(t testing.TB, who *Person, method, path string, body any, headers ...string) *Answer {
	t.Helper()
	a, err := c.Do(context.Background(), who, method, path, body, headers...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

// Want sends a request, insists on a status and reads the answer into a value.
func (c *Client) Want(t testing.TB, who *Person, status int, method, path string, body, into any) {
	t.Helper()
	a := c.Send(t, who, method, path, body)
	if a.Status != status {
		t.Fatalf("%s %s: %s, want %d", method, path, a, status)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(a.Body, into); err != nil {
		t.Fatalf("%s %s: %v in %s", method, path, err, a)
	}
}

// Status is the status of a GET, 0 where there is no answer.
func (c *Client) Status(path string) int {
	a, err := c.Do(context.Background(), nil, http.MethodGet, path, nil)
	if err != nil {
		return 0
	}
	return a.Status
}

// Booking is what the API says of one.
type Booking struct {
	ID            string `json:"id"`
	EventID       string `json:"event_id"`
	UserID        string `json:"user_id"`
	Status        string `json:"status"`
	Seats         int    `json:"seats"`
	SeatNumbers   []int  `json:"seat_numbers"`
	WaitingNumber *int64 `json:"waiting_number"`
}

// Organization founds one.
func (c *Client) Organization(t testing.TB, admin *Person) string {
	t.Helper()
	var made struct{ ID string }
	c.Want(t, admin, http.StatusCreated, http.MethodPost, "/organizations", map[string]any{"name": "Load Testers"}, &made)
	return made.ID
}

// Event makes one that anybody may book without a limit of seats; changes are
// what differs.
func (c *Client) Event(t testing.TB, admin *Person, org string, slots int, changes map[string]any) string {
	t.Helper()
	begins := time.Now().Add(24 * time.Hour)
	draft := map[string]any{
		"org_id": org, "name": "Sale", "category": "meetup", "starts_at": begins, "ends_at": begins.Add(2 * time.Hour),
		"time_zone": "Europe/Berlin", "total_slots": slots, "max_seats_per_user": nil, "waitlist_limit": nil, "visibility": "public",
	}
	for name, value := range changes {
		draft[name] = value
	}
	var made struct{ ID string }
	c.Want(t, admin, http.StatusCreated, http.MethodPost, "/events", draft, &made)
	return made.ID
}

// Available reads an event's available_slots and waiting_parties.
func (c *Client) Available(t testing.TB, eventID string) (slots, waiting int) {
	t.Helper()
	var seen struct {
		AvailableSlots int `json:"available_slots"`
		WaitingParties int `json:"waiting_parties"`
	}
	c.Want(t, nil, http.StatusOK, http.MethodGet, "/events/"+eventID, nil, &seen)
	return seen.AvailableSlots, seen.WaitingParties
}
