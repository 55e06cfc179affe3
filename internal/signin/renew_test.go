package signin_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/fault"
	"happening/internal/idp"
	"happening/internal/postgres"
	"happening/internal/signin"
)

// Beyond these the provider is asked beside a request, and before it.
const (
	due   = signin.RenewEvery + time.Second
	stale = 20 * time.Minute
)

func TestASessionIsRenewedWhenItIsUsed(t *testing.T) {
	h, o := openOutside(t)
	b, _ := h.came(o, "ada", "ada@example.org", true)
	if n := o.refreshRequests(); n != 0 {
		t.Fatalf("%d renewals of a new session", n)
	}
	for want := 1; want <= 3; want++ {
		h.clock.advance(stale)
		for range 3 {
			if got := b.get("/"); got.status != http.StatusOK {
				t.Fatalf("renewal %d: %d %s", want, got.status, got.body)
			}
			h.clock.advance(3 * time.Second) // beyond what is remembered
		}
		if n := o.refreshRequests(); n != want {
			t.Fatalf("%d renewals, not %d", n, want)
		}
	}
}

func TestRefreshTokensAreSealed(t *testing.T) {
	h, o := openOutside(t)
	b, _ := h.came(o, "ada", "ada@example.org", true)
	h.came(o, "bob", "bob@example.org", true)
	var clear []string
	o.set(func() {
		for token := range o.refreshes {
			clear = append(clear, token)
		}
	})
	var all string
	ctx := context.Background()
	if err := h.db.System.QueryRow(ctx, `SELECT string_agg(s::text || ' ' || encode(refresh_token, 'escape'), ' ') FROM sessions s`).Scan(&all); err != nil {
		t.Fatal(err)
	}
	for _, token := range clear {
		if strings.Contains(all, token) {
			t.Error("a refresh token stands in the table in clear")
		}
	}
	// A token belongs to its row: carried to another, it doesn't open.
	if _, err := h.db.System.Exec(ctx, `
		UPDATE sessions SET refresh_token = (SELECT refresh_token FROM sessions WHERE subject = 'bob') WHERE subject = 'ada'`); err != nil {
		t.Fatal(err)
	}
	h.clock.advance(stale)
	if got := b.get("/"); got.status != http.StatusUnauthorized || o.refreshRequests() != 0 {
		t.Errorf("another row's token: %d, %d renewals", got.status, o.refreshRequests())
	}
}

func TestAnEndedStandingEndsTheSession(t *testing.T) {
	for name, c := range map[string]struct {
		after time.Duration
		first int // the answer to the request that asks
	}{
		"after a pause, before the answer": {stale, http.StatusUnauthorized},
		"in use, beside the answer":        {due, http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			h, o := openOutside(t)
			b, _ := h.came(o, "ada", "ada@example.org", true)
			ended := make(chan string, 1)
			h.auth.OnSignOut(func(id string, _ uuid.UUID) { ended <- id })
			p, err := h.auth.Session(context.Background(), h.session(b))
			if err != nil {
				t.Fatal(err)
			}
			o.endGrants()
			h.clock.advance(c.after)
			if got := b.get("/"); got.status != c.first {
				t.Errorf("the request that asks: %d", got.status)
			}
			if id := <-ended; id != p.SessionID {
				t.Errorf("the end of %s was told", id)
			}
			// At once, and not when what is remembered is over.
			if got := b.get("/"); got.status != http.StatusUnauthorized {
				t.Errorf("after the end: %d", got.status)
			}
		})
	}
}

// A request doesn't wait for a provider that takes its time.
func TestRenewalIsBesideTheRequest(t *testing.T) {
	h, o := openOutside(t)
	b, _ := h.came(o, "ada", "ada@example.org", true)
	asked, release := make(chan struct{}), make(chan struct{})
	o.set(func() {
		o.onToken = func(http.ResponseWriter, *http.Request) bool { close(asked); <-release; return false }
	})
	h.clock.advance(due)
	for range 5 {
		if got := b.get("/"); got.status != http.StatusOK {
			t.Fatalf("%d", got.status)
		}
		h.clock.advance(3 * time.Second)
	}
	<-asked // once: a second would close it again
	close(release)
	h.settle(o)
	if n := h.count(`SELECT count(*) FROM sessions WHERE confirmed_at > created_at AND renew_at > confirmed_at`); n != 1 || o.refreshRequests() != 1 {
		t.Errorf("%d renewed by %d requests", n, o.refreshRequests())
	}
}

func TestOneReplicaRenewsAtATime(t *testing.T) {
	h, o := openOutside(t)
	b, _ := h.came(o, "ada", "ada@example.org", true)
	token := h.session(b)
	const replicas = 6
	var auths []*signin.Authenticator
	for range replicas {
		auths = append(auths, h.relyingOn(o))
	}
	for round := 1; round <= 5; round++ {
		h.clock.advance(stale)
		var group sync.WaitGroup
		for _, auth := range auths {
			for range 3 {
				group.Go(func() {
					if _, err := auth.Session(context.Background(), token); err != nil {
						t.Errorf("round %d: %v", round, err)
					}
				})
			}
		}
		group.Wait()
		// Whoever waited has the answer; whoever did not left it to another.
		h.clock.advance(3 * time.Second)
		if _, err := auths[0].Session(context.Background(), token); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if n := o.refreshRequests(); n != round {
			t.Fatalf("%d requests in %d rounds", n, round)
		}
	}
}

// Two replicas can come to use one token after all, when one of them stood
// still for longer than its claim. Who comes late must not end what the other
// renewed.
func TestALateRefusalEndsNoRenewedSession(t *testing.T) {
	h, o := openOutside(t)
	b, _ := h.came(o, "ada", "ada@example.org", true)
	asked, release := make(chan struct{}), make(chan struct{})
	var first atomic.Bool
	first.Store(true)
	o.set(func() {
		o.onToken = func(w http.ResponseWriter, _ *http.Request) bool {
			if !first.CompareAndSwap(true, false) {
				return false
			}
			close(asked)
			<-release
			answer(w, http.StatusBadRequest, map[string]string{"error": "invalid_grant"})
			return true
		}
	})
	h.clock.advance(due)
	if got := b.get("/"); got.status != http.StatusOK {
		t.Fatal(got.status)
	}
	<-asked
	h.clock.advance(stale) // the claim is over
	if _, err := h.relyingOn(o).Session(context.Background(), h.session(b)); err != nil {
		t.Fatal(err)
	}
	close(release)
	h.settle(o)
	if got := b.get("/"); got.status != http.StatusOK {
		t.Errorf("the session that the other replica renewed: %d", got.status)
	}
}

func TestAProviderThatIsAwayEndsNoSessionWithinTheGrace(t *testing.T) {
	for name, away := range map[string]func(w http.ResponseWriter, r *http.Request) bool{
		"failing": func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(http.StatusBadGateway); return true },
		"refusing us": func(w http.ResponseWriter, _ *http.Request) bool {
			answer(w, 401, map[string]string{"error": "invalid_client"})
			return true
		},
		"talking nonsense": func(w http.ResponseWriter, _ *http.Request) bool { _, _ = w.Write([]byte("<html>")); return true },
		"hanging up on us": func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) },
		"asking to wait": func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(http.StatusTooManyRequests)
			return true
		},
		"saying 503 in JSON": func(w http.ResponseWriter, _ *http.Request) bool {
			answer(w, 503, map[string]string{"error": "temporarily_unavailable"})
			return true
		},
	} {
		t.Run(name, func(t *testing.T) {
			h, o := openOutside(t)
			b, _ := h.came(o, "ada", "ada@example.org", true)
			o.set(func() { o.onToken = away })
			h.clock.advance(stale)
			const steps = 23
			for hour := range steps {
				if got := b.get("/"); got.status != http.StatusOK {
					t.Fatalf("after %d hours: %d", hour, got.status)
				}
				h.clock.advance(time.Hour)
			}
			// Back again, everything is as before, and the grace begins anew.
			o.set(func() { o.onToken = nil })
			if got := b.get("/"); got.status != http.StatusOK {
				t.Fatalf("back again: %d", got.status)
			}
			if n := h.count(`SELECT count(*) FROM sessions WHERE failing_since IS NULL AND renew_failures = 0`); n != 1 {
				t.Errorf("the failures are not forgotten")
			}
		})
	}
}

func TestTheGraceEnds(t *testing.T) {
	h, o := openOutside(t)
	b, _ := h.came(o, "ada", "ada@example.org", true)
	o.set(func() {
		o.onToken = func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(http.StatusBadGateway); return true }
	})
	h.clock.advance(stale)
	// Two hiccups with days between them are no outage.
	for range 2 {
		if got := b.get("/"); got.status != http.StatusOK {
			t.Fatalf("a hiccup: %d", got.status)
		}
		h.clock.advance(3 * 24 * time.Hour)
	}
	for range 2 {
		if got := b.get("/"); got.status != http.StatusOK {
			t.Fatalf("within the grace: %d", got.status)
		}
		h.clock.advance(2 * time.Minute)
	}
	if got := b.get("/"); got.status != http.StatusUnauthorized {
		t.Errorf("beyond the grace: %d", got.status)
	}
}

// The provider rotates, and its answer is lost: the same token is sent again.
func TestALostAnswerEndsNoSession(t *testing.T) {
	h, o := openOutside(t)
	b, _ := h.came(o, "ada", "ada@example.org", true)
	var lose atomic.Bool
	lose.Store(true)
	o.set(func() {
		o.reuse = true
		o.onToken = func(_ http.ResponseWriter, r *http.Request) bool {
			if !lose.Load() {
				return false
			}
			o.token(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
	})
	h.clock.advance(stale)
	if got := b.get("/"); got.status != http.StatusOK {
		t.Fatalf("the lost answer: %d", got.status)
	}
	lose.Store(false)
	h.clock.advance(stale)
	if got := b.get("/"); got.status != http.StatusOK || o.refreshRequests() < 2 {
		t.Errorf("after the lost answer: %d", got.status)
	}
}

// losing is a transport that does what it is asked and loses the answer.
type losing struct {
	base http.RoundTripper
	path string // how the path ends whose answers are lost
	lose *atomic.Bool
}

func (l losing) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.base.RoundTrip(r)
	if err == nil && strings.HasSuffix(r.URL.Path, l.path) && l.lose.Load() {
		resp.Body.Close()
		return nil, errors.New("the answer is lost")
	}
	return resp, err
}

// The embedded provider goes the same way, with a rule of its own for an
// answer that was lost.
func TestTheEmbeddedProviderRenewsToo(t *testing.T) {
	h := open(t)
	const email = "embedded@example.org"
	b := h.signedUp(email)
	other := h.browser()
	if got := h.signIn(other, email, password); got.status != http.StatusOK {
		t.Fatal(got.status)
	}
	var lose atomic.Bool
	h.client.Transport = losing{h.client.Transport, idp.Path + "/oauth/token", &lose}
	for i := range 6 {
		lose.Store(i%2 == 0)
		h.clock.advance(stale)
		if got := b.get("/"); got.status != http.StatusOK {
			t.Fatalf("%d: %d", i, got.status)
		}
	}
	// Signing out of one browser leaves the other alone, at the provider, too.
	lose.Store(false)
	b.read(b.PostForm(h.url+"/auth/logout", nil))
	h.clock.advance(stale)
	if got := other.get("/"); got.status != http.StatusOK {
		t.Errorf("the other browser after a sign-out: %d", got.status)
	}
	if n := h.count(`SELECT count(DISTINCT family) FROM idp_refresh_tokens`); n != 1 {
		t.Errorf("%d sign-ins are left at the provider", n)
	}
}

func TestARenewalForSomebodyElseEndsTheSession(t *testing.T) {
	h, o := openOutside(t)
	b, _ := h.came(o, "ada", "ada@example.org", true)
	o.set(func() {
		for token, g := range o.refreshes {
			g.claims = map[string]any{"sub": "eve", "sid": "x"}
			o.refreshes[token] = g
		}
	})
	h.clock.advance(stale)
	if got := b.get("/"); got.status != http.StatusUnauthorized {
		t.Errorf("%d", got.status)
	}
}

// An address that is no longer verified at the provider no longer counts here.
func TestARenewalBringsThePersonUp(t *testing.T) {
	h, o := openOutside(t)
	b, _ := h.came(o, "ada", "ada@example.org", true)
	o.set(func() {
		for token, g := range o.refreshes {
			g.claims = map[string]any{"sub": "ada", "name": "Ada Lovelace", "email": "ada@new.example", "email_verified": false}
			o.refreshes[token] = g
		}
	})
	h.clock.advance(stale)
	if got := b.get("/"); got.status != http.StatusOK || !strings.Contains(got.body, `"Name":"Ada Lovelace","Email":"ada@new.example","EmailVerified":false`) {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// Sessions of the provider that was trusted before end with it, and go on if
// one goes back: nothing of them is touched.
func TestSessionsOfAnotherProviderDoNotCount(t *testing.T) {
	h, o := openOutside(t)
	b, _ := h.came(o, "ada", "ada@example.org", true)
	token := h.session(b)
	moved := h.relyingOn(newOutside(t, h.clock))
	if _, err := moved.Session(context.Background(), token); !errors.Is(err, fault.ErrUnauthenticated) {
		t.Errorf("at another provider: %v", err)
	}
	if _, err := h.auth.Session(context.Background(), token); err != nil {
		t.Errorf("back again: %v", err)
	}
}

func TestTheStoreKeepsOnlyWhatBelongsToTheTokenBefore(t *testing.T) {
	h, o := openOutside(t)
	h.came(o, "ada", "ada@example.org", true)
	ctx, store := context.Background(), postgres.NewSessions(h.db.DB)
	var id uuid.UUID
	if err := h.db.System.QueryRow(ctx, `SELECT id FROM sessions`).Scan(&id); err != nil {
		t.Fatal(err)
	}
	now := h.clock.now().Add(due)
	s, err := store.ClaimRenewal(ctx, id, now, now.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.ClaimRenewal(ctx, id, now.Add(time.Second), now.Add(time.Hour)); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("claimed twice: %v", err)
	}
	before := s.RefreshToken
	next := signin.Renewal{RefreshToken: bytes.Repeat([]byte{1}, 40), At: now, Next: now.Add(time.Minute)}
	if err := store.Renewed(ctx, id, before, next); err != nil {
		t.Fatal(err)
	}
	if err := store.Renewed(ctx, id, before, next); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("renewed from a token that is gone: %v", err)
	}
	if _, _, err := store.RenewalFailed(ctx, id, before, now, now); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("failed with a token that is gone: %v", err)
	}
	if _, err := store.DeleteUnrenewed(ctx, id, before); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("ended by a token that is gone: %v", err)
	}
}

// The embedded provider's share in a request: none while a session is fresh,
// and the whole way to it and back for who comes after a pause.
func BenchmarkSession(b *testing.B) {
	for name, pause := range map[string]time.Duration{"fresh": 3 * time.Second, "renewed first": stale} {
		b.Run(name, func(b *testing.B) {
			h := open(b)
			token := h.session(h.signedUp("bench@example.org"))
			for b.Loop() {
				// Steps that add up to less than the session's life.
				h.clock.advance(pause)
				if h.clock.ahead > signin.SessionLifetime/2 {
					b.StopTimer()
					h.clock.ahead = 0
					if _, err := h.db.System.Exec(context.Background(), `UPDATE sessions SET renew_at = now(), confirmed_at = now(), last_seen_at = now()`); err != nil {
						b.Fatal(err)
					}
					b.StartTimer()
				}
				if _, err := h.auth.Session(context.Background(), token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
