package signin_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/fault"
	"happening/internal/signin"
	"happening/internal/user"
)

// as tells who asks by a browser.
func (h *house) as(b *browser) access.Principal {
	h.t.Helper()
	p, err := h.auth.Session(context.Background(), h.session(b))
	if err != nil {
		h.t.Fatal(err)
	}
	return p
}

// labelled is a browser that says what it is.
type labelled struct{ agent string }

func (l labelled) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("User-Agent", l.agent)
	return http.DefaultTransport.RoundTrip(r)
}

func (h *house) ownSessions(p access.Principal) []user.Session {
	h.t.Helper()
	var all []user.Session
	for cursor := ""; ; {
		found, next, err := h.auth.Sessions(context.Background(), p, cursor, 2)
		if err != nil {
			h.t.Fatal(err)
		}
		all = append(all, found...)
		if cursor = next; cursor == "" {
			return all
		}
	}
}

func TestOnesSessions(t *testing.T) {
	h := open(t)
	ctx := context.Background()
	const address = "ada@example.org"
	first := h.signedUp(address)
	laptop, phone := h.browser(), h.browser()
	laptop.Transport = labelled{"Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"}
	phone.Transport = labelled{"Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) Version/17.6 Mobile/15E148 Safari/604.1"}
	h.signIn(laptop, address, password)
	h.signIn(phone, address, password)
	stranger := h.signedUp("bob@example.org")
	ada, bob := h.as(first), h.as(stranger)

	mine := h.ownSessions(ada)
	var labels []string
	for _, n := range mine {
		labels = append(labels, n.Label)
		if n.CreatedAt.IsZero() || n.LastSeenAt.Before(n.CreatedAt) {
			t.Errorf("%+v", n)
		}
	}
	if len(mine) != 3 || labels[0] != "Safari on iPhone" || labels[1] != "Firefox on Linux" || mine[2].ID.String() != ada.SessionID {
		t.Fatalf("%+v", mine)
	}

	var told []string
	h.auth.OnSignOut(func(id string, userID uuid.UUID) {
		if userID != ada.UserID {
			t.Errorf("somebody else's session ended: %s", userID)
		}
		told = append(told, id)
	})
	// Nobody ends somebody else's, nor one that is not there.
	for _, id := range []uuid.UUID{mine[0].ID, uuid.New()} {
		if err := h.auth.EndSession(ctx, bob, id); !errors.Is(err, fault.ErrNotFound) {
			t.Errorf("somebody else's: %v", err)
		}
	}
	phones := h.session(phone)
	if _, err := h.auth.Session(ctx, phones); err != nil { // remembered from now on
		t.Fatal(err)
	}
	if err := h.auth.EndSession(ctx, ada, mine[0].ID); err != nil {
		t.Fatal(err)
	}
	if _, err := h.auth.Session(ctx, phones); !errors.Is(err, fault.ErrUnauthenticated) {
		t.Errorf("after its end: %v", err)
	}
	if err := h.auth.EndSession(ctx, ada, mine[0].ID); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("again: %v", err)
	}
	h.signIn(phone, address, password)
	if err := h.auth.EndOtherSessions(ctx, ada); err != nil {
		t.Fatal(err)
	}
	if left := h.ownSessions(ada); len(left) != 1 || left[0].ID.String() != ada.SessionID {
		t.Errorf("left: %+v", left)
	}
	if left := h.ownSessions(bob); len(left) != 1 {
		t.Errorf("somebody else's: %+v", left)
	}
	for _, b := range []*browser{laptop, phone} {
		if got := b.get("/"); got.status != http.StatusUnauthorized {
			t.Errorf("another browser: %d", got.status)
		}
	}
	if len(told) != 3 || !slices.Contains(told, mine[0].ID.String()) || !slices.Contains(told, mine[1].ID.String()) {
		t.Errorf("told of the end of %v", told)
	}
	// By a token, all are others.
	if err := h.auth.EndOtherSessions(ctx, access.Principal{UserID: ada.UserID}); err != nil {
		t.Fatal(err)
	}
	if got := first.get("/"); got.status != http.StatusUnauthorized {
		t.Errorf("the last browser: %d", got.status)
	}
}

// What is over is not shown as a place where one is signed in.
func TestSessionsThatAreOverAreNotListed(t *testing.T) {
	h := open(t)
	b := h.signedUp("ada@example.org")
	ada := h.as(b)
	h.clock.advance(signin.SessionIdle)
	if left := h.ownSessions(ada); len(left) != 0 {
		t.Errorf("%+v", left)
	}
	for _, cursor := range []string{"x", "AAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"} {
		if _, _, err := h.auth.Sessions(t.Context(), ada, cursor, 0); err == nil {
			t.Errorf("the cursor %q is taken", cursor)
		}
	}
	for _, limit := range []int{-1, signin.MaxPage + 1} {
		if _, _, err := h.auth.Sessions(t.Context(), ada, "", limit); err == nil {
			t.Errorf("the limit %d is taken", limit)
		}
	}
}

// The provider forgets the refresh tokens of sessions that are ended by hand,
// and keeps those of the others.
func TestEndedSessionsTokensAreRevoked(t *testing.T) {
	h := open(t)
	ctx := context.Background()
	const address = "ada@example.org"
	first := h.signedUp(address)
	h.signIn(h.browser(), address, password)
	tokens := func() (n int) {
		if err := h.db.System.QueryRow(ctx, `SELECT count(*) FROM idp_refresh_tokens`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := tokens()
	if before < 2 {
		t.Fatalf("%d refresh tokens: nothing to show", before)
	}
	if err := h.auth.EndOtherSessions(ctx, h.as(first)); err != nil {
		t.Fatal(err)
	}
	// Stopping waits for what is asked of the provider beside the request.
	stop, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := h.auth.Close(stop); err != nil {
		t.Error(err)
	}
	if n := tokens(); n != before-1 {
		t.Errorf("%d refresh tokens, had %d", n, before)
	}
}

// A provider that is away, or can't revoke, keeps nobody from ending their
// sessions.
func TestSessionsEndWithoutTheProvider(t *testing.T) {
	h, o := openOutside(t)
	ctx := context.Background()
	b, _ := h.came(o, "ada", "ada@example.org", true)
	token, ada := h.session(b), h.as(b)
	o.server.Close()
	if err := h.auth.EndOtherSessions(ctx, access.Principal{UserID: ada.UserID}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.auth.Session(ctx, token); !errors.Is(err, fault.ErrUnauthenticated) {
		t.Errorf("after its end: %v", err)
	}
}
