package httpapi

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/fault"
)

// registry knows the credentials that begin with "good", until these are over,
// and counts how often it was asked.
type registry struct {
	asked atomic.Int64
	over  atomic.Bool
	err   error // what others get; nil: fault.ErrUnauthenticated
}

func (a *registry) Authenticate(r *http.Request) (access.Principal, error) {
	credential := a.Credential(r)
	if credential == "" {
		return access.Principal{}, nil
	}
	a.asked.Add(1)
	switch {
	case strings.HasPrefix(credential, "good") && !a.over.Load():
		return access.Principal{UserID: uuid.NewSHA1(uuid.Nil, []byte(credential))}, nil
	case a.err != nil:
		return access.Principal{}, a.err
	default:
		return access.Principal{}, fault.ErrUnauthenticated
	}
}

func (*registry) Credential(r *http.Request) string {
	if cookie, err := r.Cookie("session"); err == nil {
		return cookie.Value
	}
	return ""
}

func (*registry) DropSessionCookie(http.ResponseWriter) {}

// gatehouse is a server before a registry, with a clock of its own.
func gatehouse(t *testing.T, auth *registry) (ask func(address, credential string) int, pass func(time.Duration)) {
	t.Helper()
	var passed atomic.Int64
	begin := time.Now()
	s := bare(t, Deps{
		Auth: auth, Log: slog.New(slog.DiscardHandler), Ready: func() (bool, string) { return true, "" },
		Now: func() time.Time { return begin.Add(time.Duration(passed.Load())) },
	})
	ask = func(address, credential string) int {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = address + ":1"
		if credential != "" {
			r.AddCookie(&http.Cookie{Name: "session", Value: credential})
		}
		w := httptest.NewRecorder()
		s.API().ServeHTTP(w, r)
		if (w.Header().Get("Retry-After") != "") != (w.Code == http.StatusTooManyRequests) {
			t.Errorf("%d with Retry-After %q", w.Code, w.Header().Get("Retry-After"))
		}
		return w.Code
	}
	return ask, func(d time.Duration) { passed.Add(int64(d)) }
}

const (
	campus    = "203.0.113.1"
	elsewhere = "203.0.113.2"
)

func TestInventedCredentialsAreSoonNotLookedUp(t *testing.T) {
	t.Parallel()
	auth := &registry{}
	ask, pass := gatehouse(t, auth)
	ask(campus, "good-before")
	auth.asked.Store(0)
	for i := range 2_000 {
		want := http.StatusUnauthorized
		if i >= failedAtOnce {
			want = http.StatusTooManyRequests
		}
		if got := ask(campus, fmt.Sprint(i)); got != want {
			t.Fatalf("credential %d: %d", i, got)
		}
	}
	if n := auth.asked.Load(); n != failedAtOnce {
		t.Errorf("%d were looked up", n)
	}
	// Neighbours with a session, visitors and other addresses feel nothing.
	for i, c := range [][2]string{{campus, "good-before"}, {campus, ""}, {elsewhere, "good-elsewhere"}} {
		if got := ask(c[0], c[1]); got != http.StatusOK {
			t.Errorf("neighbour %d: %d", i, got)
		}
	}
	if got := ask(campus, "good-new"); got != http.StatusTooManyRequests {
		t.Errorf("a new one: %d", got)
	}
	pass(time.Second)
	if got := ask(campus, "good-new"); got != http.StatusOK {
		t.Errorf("a new one, later: %d", got)
	}
	auth.asked.Store(0)
	for i := range 2_000 {
		ask(campus, fmt.Sprint("later", i))
	}
	if n := auth.asked.Load(); n != failedPerSecond {
		t.Errorf("%d were looked up in a second", n)
	}
}

func TestOnlyFailuresCount(t *testing.T) {
	t.Parallel()
	auth := &registry{}
	ask, _ := gatehouse(t, auth)
	for i := range 10 * failedAtOnce {
		if got := ask(campus, fmt.Sprint("good", i)); got != http.StatusOK {
			t.Fatalf("person %d: %d", i, got)
		}
	}
	// Nor does an engine that is away.
	auth.err = errors.New("the database is away")
	for i := range 2 * failedAtOnce {
		if got := ask(campus, fmt.Sprint(i)); got != http.StatusInternalServerError {
			t.Fatalf("request %d: %d", i, got)
		}
	}
	// A person who may not come in is a failure, and costs the most.
	auth.err = fault.New(fault.Forbidden, "not_you", "No.")
	for i := range failedAtOnce {
		if got := ask(campus, fmt.Sprint(i)); got != http.StatusForbidden {
			t.Fatalf("request %d: %d", i, got)
		}
	}
	if got := ask(campus, "x"); got != http.StatusTooManyRequests {
		t.Errorf("one more: %d", got)
	}
}

// What fails together is paid for afterwards, but not for ever.
func TestFailuresUnderWayTogetherArePaidFor(t *testing.T) {
	t.Parallel()
	var passed atomic.Int64
	begin := time.Now()
	c, err := newCredentials(func() time.Time { return begin.Add(time.Duration(passed.Load())) })
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			for range 1_000 {
				c.failed(campus)
			}
		})
	}
	group.Wait()
	if wait := c.refused(campus); wait < failedRemembered/2 || wait > failedRemembered {
		t.Errorf("refused for %v", wait)
	}
	passed.Add(int64(failedRemembered))
	if wait := c.refused(campus); wait != 0 {
		t.Errorf("refused for %v more", wait)
	}
	c.failed(campus)
	passed.Add(-int64(time.Hour))
	if wait := c.refused(campus); wait != 0 {
		t.Errorf("refused for %v by a clock that was set back", wait)
	}
	for i := range maxFailing + 10 {
		c.failed(fmt.Sprint(i))
	}
	if n := c.failing.Len(); n != maxFailing {
		t.Errorf("%d addresses are remembered", n)
	}
}

// A session that is over is looked up once, and a stranger's from then on.
func TestASessionThatIsOverIsNotProvenAnyMore(t *testing.T) {
	t.Parallel()
	auth := &registry{}
	ask, _ := gatehouse(t, auth)
	if got := ask(campus, "good"); got != http.StatusOK {
		t.Fatal(got)
	}
	for i := range failedAtOnce {
		ask(campus, fmt.Sprint(i))
	}
	auth.over.Store(true)
	for i, want := range []int{http.StatusUnauthorized, http.StatusTooManyRequests} {
		if got := ask(campus, "good"); got != want {
			t.Errorf("request %d: %d, want %d", i, got, want)
		}
	}
}
