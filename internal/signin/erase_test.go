package signin_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"happening/internal/fault"
)

// Somebody is erased by another process, which removes the session and tells:
// from then on this one remembers neither session nor token.
func TestAProcessForgetsWhomAnotherHasErased(t *testing.T) {
	h := open(t)
	ctx := context.Background()
	ann, bob := h.session(h.signedUp("ann@example.org")), h.session(h.signedUp("bob@example.org"))
	issued, err := h.provider.IssueTokens(ctx, []string{"ann@example.org"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	token := issued[0].AccessToken
	p, err := h.auth.Session(ctx, ann)
	if err != nil {
		t.Fatal(err)
	}
	if q, err := h.auth.Token(ctx, token); err != nil || q.UserID != p.UserID {
		t.Fatal(q, err)
	}
	if _, err := h.auth.Session(ctx, bob); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{
		`DELETE FROM sessions WHERE user_id = $1`,
		`DELETE FROM idp_accounts WHERE id::text = (SELECT subject FROM user_identities WHERE user_id = $1)`,
		`DELETE FROM user_identities WHERE user_id = $1`,
	} {
		if _, err := h.db.System.Exec(ctx, sql, p.UserID); err != nil {
			t.Fatal(err)
		}
	}
	h.people.Forget(p.UserID)
	// However long the above took, what is remembered has not grown old.
	h.clock.advance(-time.Minute)
	if _, err := h.auth.Session(ctx, ann); err != nil {
		t.Fatalf("nothing is remembered, so that forgetting shows nothing: %v", err)
	}
	if _, err := h.auth.Token(ctx, token); err != nil {
		t.Fatalf("no token is remembered, so that forgetting shows nothing: %v", err)
	}
	h.clock.advance(time.Minute)
	h.auth.ForgetUser(p.UserID)
	if _, err := h.auth.Session(ctx, ann); !errors.Is(err, fault.ErrUnauthenticated) {
		t.Errorf("the session: %v", err)
	}
	if _, err := h.auth.Token(ctx, token); !errors.Is(err, fault.ErrUnauthenticated) {
		t.Errorf("the token: %v", err)
	}
	if _, err := h.auth.Session(ctx, bob); err != nil {
		t.Errorf("others are forgotten, too: %v", err)
	}
}
