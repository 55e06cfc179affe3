//go:build linux

package system

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
	// requestLimit bounds a request; the slowest wait for 2,000 others.
	requestLimit = 30 * time.Second
	// maxConnections is more than any test opens.
	maxConnections = 4096
)

// person is somebody with an access token.
type person struct{ id, email, token string }

// people makes n people with one command.
func (h *house) people(name string, n int) []*person {
	h.t.Helper()
	pattern := name + "%d@people.test"
	out := h.must("token", "--user", pattern, "--count", fmt.Sprint(n))
	all := make([]*person, 0, n)
	for line := range strings.Lines(out) {
		id, token, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok {
			h.t.Fatalf("token printed %q", line)
		}
		all = append(all, &person{id: id, token: token, email: strings.ReplaceAll(pattern, "%d", fmt.Sprint(len(all)+1))})
	}
	if len(all) != n {
		h.t.Fatalf("%d people asked for, %d made", n, len(all))
	}
	return all
}

// client speaks to one address of a server.
type client struct {
	base string
	http *http.Client
}

func newClient(addr string) *client {
	return &client{base: "http://" + addr, http: &http.Client{
		Timeout: requestLimit,
		Transport: &http.Transport{
			MaxIdleConns: maxConnections, MaxIdleConnsPerHost: maxConnections, DisableCompression: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (c *client) close() { c.http.CloseIdleConnections() }

// answer is a response, read whole.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// code is the problem's code, empty where the answer is none.
func (a *answer) code() string {
	var problem struct{ Code string }
	if json.Unmarshal(a.body, &problem) != nil {
		return ""
	}
	return problem.Code
}

func (a *answer) String() string { return fmt.Sprintf("%d %s", a.status, bytes.TrimSpace(a.body)) }

// do sends one request and never repeats it. An error means that the outcome
// is unknown. Headers are given as "Name: value".
func (c *client) do(ctx context.Context, who *person, method, path string, body any, headers ...string) (*answer, error) {
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
		r.Header.Set("Authorization", "Bearer "+who.token)
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
		return &answer{status: res.StatusCode, header: res.Header}, nil
	}
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	return &answer{status: res.StatusCode, header: res.Header, body: text}, nil
}

// get sends a request that has to be answered.
func (c *client) get(t testing.TB, who *person, path string, headers ...string) *answer {
	t.Helper()
	return c.send(t, who, http.MethodGet, path, nil, headers...)
}

// send sends a request that has to be answered.
func (c *client) send(t testing.TB, who *person, method, path string, body any, headers ...string) *answer {
	t.Helper()
	a, err := c.do(context.Background(), who, method, path, body, headers...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

// want sends a request, insists on a status and reads the answer into a value.
func (c *client) want(t testing.TB, who *person, status int, method, path string, body, into any) {
	t.Helper()
	a := c.send(t, who, method, path, body)
	if a.status != status {
		t.Fatalf("%s %s: %s, want %d", method, path, a, status)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(a.body, into); err != nil {
		t.Fatalf("%s %s: %v in %s", method, path, err, a)
	}
}

// status is the status of a GET, 0 where there is no answer.
func (c *client) status(path string) int {
	a, err := c.do(context.Background(), nil, http.MethodGet, path, nil)
	if err != nil {
		return 0
	}
	return a.status
}

// booking is what the API says of one.
type booking struct {
	ID            string `json:"id"`
	EventID       string `json:"event_id"`
	UserID        string `json:"user_id"`
	Status        string `json:"status"`
	Seats         int    `json:"seats"`
	SeatNumbers   []int  `json:"seat_numbers"`
	WaitingNumber *int64 `json:"waiting_number"`
}

// organization founds one.
func (c *client) organization(t testing.TB, admin *person) string {
	t.Helper()
	var made struct{ ID string }
	c.want(t, admin, http.StatusCreated, http.MethodPost, "/organizations", map[string]any{"name": "Load Testers"}, &made)
	return made.ID
}

// event makes one that anybody may book without a limit of seats; changes are
// what differs.
func (c *client) event(t testing.TB, admin *person, org string, slots int, changes map[string]any) string {
	t.Helper()
	begins := time.Now().Add(24 * time.Hour)
	draft := map[string]any{
		"org_id": org, "name": "Sale", "category": "meetup", "starts_at": begins, "ends_at": begins.Add(2 * time.Hour),
		"time_zone": "Europe/Berlin", "total_slots": slots, "max_seats_per_user": nil, "visibility": "public",
	}
	for name, value := range changes {
		draft[name] = value
	}
	var made struct{ ID string }
	c.want(t, admin, http.StatusCreated, http.MethodPost, "/events", draft, &made)
	return made.ID
}

// available reads an event's available_slots and waiting_parties.
func (c *client) available(t testing.TB, eventID string) (slots, waiting int) {
	t.Helper()
	var seen struct {
		AvailableSlots int `json:"available_slots"`
		WaitingParties int `json:"waiting_parties"`
	}
	c.want(t, nil, http.StatusOK, http.MethodGet, "/events/"+eventID, nil, &seen)
	return seen.AvailableSlots, seen.WaitingParties
}
