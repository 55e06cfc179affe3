package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/uuid"

	"happening/internal/audit"
	"happening/internal/booking"
	"happening/internal/event"
	"happening/internal/idp"
	"happening/internal/notify"
	"happening/internal/org"
	"happening/internal/postgres"
	"happening/internal/realtime"
	"happening/internal/signin"
	"happening/internal/testkit"
	"happening/internal/user"
)

const publicURL = "http://localhost:3000"

// world is a whole house behind the front door: a real PostgreSQL, the real
// rooms, real tokens, and real connections.
type world struct {
	t        *testing.T
	db       *testkit.DB
	server   *Server
	api      *httptest.Server
	client   *httptest.Server
	provider *idp.Provider
	bookings *booking.Service
	alloc    *booking.Allocator
	skew     atomic.Int64 // what the application's clock is ahead, in nanoseconds
	people   int
}

// caller is a person with a token; the zero value is a visitor.
type caller struct {
	id    uuid.UUID
	email string
	token string
}

const testPage = `<!doctype html><html lang="en"><head><meta name="description" content="plain"><title>Happening</title></head><body></body></html>`

func newWorld(t *testing.T, change ...func(*Deps)) *world {
	t.Helper()
	w := &world{t: t, db: testkit.NewDB(t)}
	now := func() time.Time { return time.Now().Add(time.Duration(w.skew.Load())) }
	ctx, log := context.Background(), slog.New(slog.NewTextHandler(t.Output(), nil))
	ledger, err := postgres.NewLedger(ctx, w.db.ConnString)
	must(t, err)
	t.Cleanup(ledger.Close)
	shared := coordinate(t, now, log)
	alloc := booking.NewAllocator(ledger, shared.holds, now, log, func(booking.Committed) {}, shared.allocator...)
	w.alloc = alloc
	go alloc.Run()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		must(t, alloc.Stop(ctx))
	})
	orgs := org.NewService(postgres.NewOrgStore(w.db.DB), publicURL, now)
	people := user.NewService(postgres.NewUsers(w.db.DB), now)
	w.bookings = booking.NewService(alloc, shared.holds, postgres.NewBookingStore(w.db.DB), orgs, now, log,
		append(shared.service, booking.WithGuests(postgres.NewGuests(w.db.DB)))...)
	w.provider, err = idp.New(ctx, idp.Config{PublicURL: publicURL, Now: now, Logger: log}, postgres.NewProvider(w.db.DB))
	must(t, err)
	auth, err := signin.New(signin.Config{
		Issuer: w.provider.Issuer(), IdentityKey: idp.IdentityKey,
		ClientID: idp.ClientID, ClientSecret: w.provider.ClientSecret(), PublicURL: publicURL,
		HTTPClient: &http.Client{Transport: w.provider.Transport(nil)}, Now: now, Logger: log,
	}, postgres.NewSessions(w.db.DB), people)
	must(t, err)
	erasures := user.NewErasures(postgres.NewErasures(w.db.DB), w.bookings, func(ctx context.Context, id uuid.UUID) {
		people.Forget(id)
		must(t, auth.EndUser(ctx, id))
	}, now, log)
	deps := Deps{
		Bookings: w.bookings, Events: event.NewService(postgres.NewEventStore(w.db.DB), now), Orgs: orgs, People: people, Erasures: erasures,
		Audit:         audit.NewService(postgres.NewAuditStore(w.db.DB)),
		Notifications: notify.NewService(postgres.NewNotifyStore(w.db.DB), now), Seats: testSeats{shared.holds, &sync.Map{}},
		Auth: auth, SignIn: auth.Handler(), IDP: w.provider.Handler(),
		Ping: w.db.App.Ping, Ready: func() (bool, string) { return true, "" }, Away: postgres.Away, QueueLength: alloc.QueueLength,
		Client: fstest.MapFS{
			"index.html": {Data: []byte(testPage)}, "robots.txt": {Data: []byte("User-agent: *\n")},
			"assets/app-1a2b.js": {Data: bytes.Repeat([]byte("let x = 1;\n"), 500)},
		},
		PublicURL: publicURL, Version: "1", Log: log, Now: now,
	}
	for _, c := range change {
		c(&deps)
	}
	w.server, err = New(deps)
	must(t, err)
	w.api, w.client = httptest.NewServer(w.server.API()), httptest.NewServer(w.server.Client())
	t.Cleanup(w.api.Close)
	t.Cleanup(w.client.Close)
	return w
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// coordination is what the processes share, and what being one of several
// changes.
type coordination struct {
	holds     holdsAndVersions
	allocator []booking.Option
	service   []booking.ServiceOption
}

type holdsAndVersions interface {
	booking.HoldStore
	realtime.Versions
}

// testSeats reads the live map as the wiring does, and gives the same snapshot
// while nothing changes.
type testSeats struct {
	holds holdsAndVersions
	kept  *sync.Map // by tag
}

func (s testSeats) Snapshot(ctx context.Context, live *booking.Live) (*SeatSnapshot, error) {
	id := live.Event().EventID
	version, err := s.holds.Version(ctx, id)
	if err != nil {
		return nil, err
	}
	views, err := s.holds.View(ctx, []uuid.UUID{id})
	if err != nil {
		return nil, err
	}
	total, sold, blocked, e := live.Seats()
	var held []int32
	for seat := range views[0].Holders {
		held = append(held, seat)
	}
	packed := realtime.PackSets(int(total), sold, blocked, held)
	made := &SeatSnapshot{
		Version: version.String(), Live: true, Total: total, Available: e.Available, Packed: packed,
		ETag: fmt.Sprintf("%s.%d.%x", version, e.Version, packed),
	}
	shown, _ := s.kept.LoadOrStore(id.String()+made.ETag, made)
	return shown.(*SeatSnapshot), nil
}

// someone is a new person with a token of the real provider.
func (w *world) someone() caller {
	w.t.Helper()
	w.people++
	email := fmt.Sprintf("person%d@people.test", w.people)
	issued, err := w.provider.IssueTokens(context.Background(), []string{email}, time.Hour)
	must(w.t, err)
	return caller{id: issued[0].UserID, email: email, token: issued[0].AccessToken}
}

// member is a new person with a role.
func (w *world) member(org uuid.UUID, role string) caller {
	w.t.Helper()
	c := w.someone()
	w.db.Member(w.t, org, c.id, role)
	return c
}

// reply is an answer that was read.
type reply struct {
	t      *testing.T
	what   string
	status int
	header http.Header
	body   string
}

// call sends a request to the API. A body that is a string goes out as it is,
// everything else as JSON. Headers are given as "Name: value".
func (w *world) call(who caller, method, path string, body any, headers ...string) reply {
	w.t.Helper()
	return w.send(w.api.URL, who, method, path, body, headers...)
}

func (w *world) send(base string, who caller, method, path string, body any, headers ...string) reply {
	w.t.Helper()
	var content io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		content = strings.NewReader(b)
	default:
		raw, err := json.Marshal(b)
		must(w.t, err)
		content = bytes.NewReader(raw)
	}
	r, err := http.NewRequestWithContext(w.t.Context(), method, base+path, content)
	must(w.t, err)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if who.token != "" {
		r.Header.Set("Authorization", "Bearer "+who.token)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if r.Header.Set(name, value); value == "" {
			r.Header.Del(name)
		}
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	must(w.t, err)
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	must(w.t, err)
	return reply{t: w.t, what: method + " " + path, status: answer.StatusCode, header: answer.Header, body: string(raw)}
}

// want fails the test unless the answer has the status.
func (r reply) want(status int) reply {
	r.t.Helper()
	if r.status != status {
		r.t.Fatalf("%s: status %d, want %d: %s", r.what, r.status, status, r.body)
	}
	return r
}

// refused checks that the answer is a problem with this status and code, and
// gives it.
func (r reply) refused(status int, code string) problemBody {
	r.t.Helper()
	r.want(status)
	var p problemBody
	if err := json.Unmarshal([]byte(r.body), &p); err != nil {
		r.t.Fatalf("%s: %v: %s", r.what, err, r.body)
	}
	if got := r.header.Get("Content-Type"); got != "application/problem+json" {
		r.t.Errorf("%s: content type %q", r.what, got)
	}
	if p.Code != code || p.Status != status || p.Title == "" || p.Detail == "" {
		r.t.Errorf("%s: problem %s, want code %s", r.what, r.body, code)
	}
	return p
}

type problemBody struct {
	Title, Detail, Code string
	Status              int
	RetryAfter          int             `json:"retry_after"`
	SeatNumbers         []int32         `json:"seat_numbers"`
	BookingID           uuid.UUID       `json:"booking_id"`
	Errors              []problemFields `json:"errors"`
}

type problemFields struct{ Field, Message string }

// fields lists the names of the bad fields.
func (p problemBody) fields() string {
	names := make([]string, len(p.Errors))
	for i, f := range p.Errors {
		names[i] = f.Field
	}
	return strings.Join(names, " ")
}

// read decodes an answer.
func read[T any](r reply) T {
	r.t.Helper()
	var v T
	if err := json.Unmarshal([]byte(r.body), &v); err != nil {
		r.t.Fatalf("%s: %v: %s", r.what, err, r.body)
	}
	return v
}

// fingerprint is what stands in the tables that a request could change. Two
// equal ones mean that nothing did.
func (w *world) fingerprint() string {
	w.t.Helper()
	var all []string
	for _, table := range []string{
		"events", "bookings", "booking_seats", "booking_history", "outbox", "organizations", "organization_users", "organization_invites", "audit_log",
	} {
		var sum string
		must(w.t, w.db.System.QueryRow(context.Background(),
			"SELECT count(*) || ' ' || coalesce(md5(string_agg(t::text, ';' ORDER BY t::text)), '') FROM "+table+" t").Scan(&sum))
		all = append(all, table+" "+sum)
	}
	return strings.Join(all, "\n")
}

// book books and gives the booking.
func (w *world) book(who caller, eventID uuid.UUID, seats int, numbers ...int32) Booking {
	w.t.Helper()
	body := map[string]any{"event_id": eventID, "seats": seats}
	if len(numbers) > 0 {
		body["seat_numbers"] = numbers
	}
	return read[Booking](w.call(who, "POST", "/bookings", body, "Idempotency-Key: "+uuid.NewString()).want(201))
}
