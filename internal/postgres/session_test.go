package postgres_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/postgres"
	"happening/internal/signin"
	"happening/internal/testkit"
)

// A sign-in and the sign-out of it meet in the database: whichever comes
// first, no session is left.
func TestASignOutAndItsSignInDoNotCross(t *testing.T) {
	db := testkit.NewDB(t)
	ctx := context.Background()
	const rounds = 200
	for round := range rounds {
		sid, subject, person, now := uuid.NewString(), uuid.NewString(), db.Person(t), time.Now()
		logout := signin.Logout{Issuer: "https://a", TokenHash: []byte(sid), Subject: subject, ProviderSession: sid, IssuedAt: now, KeptUntil: now.Add(time.Minute)}
		if round%2 == 0 {
			logout.ProviderSession = ""
		}
		var group sync.WaitGroup
		var began error
		var ended []signin.Session
		group.Go(func() {
			began = postgres.NewSessions(db.DB).CreateSession(ctx, []byte(sid), signin.Session{
				ID: uuid.New(), UserID: person, Issuer: "https://a", Subject: subject, ProviderSession: sid,
				CreatedAt: now, LastSeenAt: now, ExpiresAt: now.Add(time.Hour), ConfirmedAt: now, IssuedAt: now,
			})
		})
		group.Go(func() {
			var err error
			if ended, err = postgres.NewSessions(db.DB).EndByProvider(ctx, logout); err != nil {
				t.Errorf("end: %v", err)
			}
		})
		group.Wait()
		if began != nil && !errors.Is(began, signin.ErrSignedOutMeanwhile) {
			t.Fatal(began)
		}
		if (began == nil) != (len(ended) == 1) {
			t.Fatalf("round %d: begun: %v, and %d ended", round, began, len(ended))
		}
	}
	var left int
	if err := db.System.QueryRow(ctx, `SELECT count(*) FROM sessions`).Scan(&left); err != nil || left != 0 {
		t.Errorf("%d sessions left, %v", left, err)
	}
}

// The previous binary goes on: what it writes knows nothing of the provider.
func TestSessionsFromBeforeGoOn(t *testing.T) {
	db := testkit.NewDB(t)
	ctx := context.Background()
	if _, err := db.System.Exec(ctx, `
		INSERT INTO sessions (id, token_hash, user_id, issuer, subject, id_token, user_agent, created_at, last_seen_at, expires_at)
		VALUES (gen_random_uuid(), 'h', $1, 'embedded', 's', '', '', now(), now(), now() + interval '1 hour')`, db.Person(t)); err != nil {
		t.Fatal(err)
	}
	s, err := postgres.NewSessions(db.DB).SessionByToken(ctx, []byte("h"))
	if err != nil || s.RefreshToken != nil || s.ProviderSession != "" || s.ConfirmedAt != s.CreatedAt || s.RenewAt != s.ExpiresAt {
		t.Errorf("%+v, %v", s, err)
	}
}
