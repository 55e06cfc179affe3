package postgres_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/fault"
	"happening/internal/idp"
	"happening/internal/postgres"
	"happening/internal/signin"
	"happening/internal/testkit"
	"happening/internal/user"
)

// A name that was chosen outlives what the provider says, whichever comes
// first, and is nobody's but its person's.
func TestAChosenNameStays(t *testing.T) {
	t.Parallel()
	db := testkit.NewDB(t)
	ctx := context.Background()
	store := postgres.NewUsers(db.DB)
	people := user.NewService(store, time.Now)
	claims := user.Claims{Name: "Ada L.", Email: "ada@example.org", EmailVerified: true}
	ada, err := people.Resolve(ctx, "https://a", "1", claims, user.NoLinking)
	if err != nil {
		t.Fatal(err)
	}
	bob := db.Person(t)
	claims.Name = "Ada Lovelace"
	if p, err := people.Resolve(ctx, "https://a", "1", claims, user.NoLinking); err != nil || p.Name != "Ada Lovelace" {
		t.Errorf("before a choice: %+v, %v", p, err)
	}
	renamed, err := store.Rename(ctx, ada.ID, "Countess", time.Now())
	if err != nil || renamed.Name != "Countess" || renamed.Email != claims.Email || renamed.CreatedAt.IsZero() {
		t.Errorf("%+v, %v", renamed, err)
	}
	claims.Name, claims.Email = "Ada King", "ada@new.example.org"
	if p, err := people.Resolve(ctx, "https://a", "1", claims, user.NoLinking); err != nil || p.Name != "Countess" || p.Email != claims.Email {
		t.Errorf("after a choice: %+v, %v", p, err)
	}
	if p, err := store.Profile(ctx, ada.ID); err != nil || p.Name != "Countess" {
		t.Errorf("%+v, %v", p, err)
	}
	if p, err := store.Profile(ctx, bob); err != nil || p.Name == "Countess" {
		t.Errorf("somebody else: %+v, %v", p, err)
	}
	if _, err := store.Rename(ctx, uuid.New(), "Nobody", time.Now()); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("nobody is renamed: %v", err)
	}
	if _, err := store.Profile(ctx, uuid.New()); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("nobody: %v", err)
	}
}

func TestSessionsArePagedAndEndedByTheirPerson(t *testing.T) {
	t.Parallel()
	db := testkit.NewDB(t)
	ctx := context.Background()
	store := postgres.NewSessions(db.DB)
	now := time.Now()
	begin := func(person uuid.UUID, issuer string, seen time.Time) uuid.UUID {
		t.Helper()
		id := uuid.Must(uuid.NewV7())
		if err := store.CreateSession(ctx, id[:], signin.Session{
			ID: id, UserID: person, Issuer: issuer, Subject: "s", UserAgent: "Firefox", CreatedAt: seen, LastSeenAt: seen, ExpiresAt: now.Add(time.Hour), ConfirmedAt: seen,
		}); err != nil {
			t.Fatal(err)
		}
		return id
	}
	ada, bob := db.Person(t), db.Person(t)
	first := begin(ada, "a", now)
	begin(ada, "another provider", now)
	begin(ada, "a", now.Add(-48*time.Hour))
	second, third, bobs := begin(ada, "a", now), begin(ada, "a", now), begin(bob, "a", now)
	q := signin.OwnQuery{Issuer: "a", ExpireAfter: now, SeenAfter: now.Add(-24 * time.Hour), Limit: 2}
	page, err := store.SessionsOf(ctx, ada, q)
	if err != nil || len(page) != 2 || page[0].ID != third || page[1].ID != second {
		t.Fatalf("%+v, %v", page, err)
	}
	q.Before = second
	if page, err = store.SessionsOf(ctx, ada, q); err != nil || len(page) != 1 || page[0].ID != first || page[0].Label != "Firefox" {
		t.Errorf("%+v, %v", page, err)
	}
	if _, err := store.DeleteOwnSession(ctx, bob, first); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("somebody else ends it: %v", err)
	}
	if ended, err := store.DeleteOwnSession(ctx, ada, third); err != nil || ended.ID != third || ended.UserID != ada {
		t.Errorf("%+v, %v", ended, err)
	}
	if ended, err := store.DeleteOtherSessions(ctx, ada, first); err != nil || len(ended) != 3 {
		t.Errorf("%+v, %v", ended, err)
	}
	q.Before = uuid.Nil
	if left, err := store.SessionsOf(ctx, ada, q); err != nil || len(left) != 1 || left[0].ID != first {
		t.Errorf("%+v, %v", left, err)
	}
	if left, err := store.SessionsOf(ctx, bob, q); err != nil || len(left) != 1 || left[0].ID != bobs {
		t.Errorf("%+v, %v", left, err)
	}
}

// Each part of an export pages through all of its rows, in the order of their
// keys, and has none of somebody else's.
func TestExportRowsPage(t *testing.T) {
	t.Parallel()
	db := testkit.NewDB(t)
	ctx := context.Background()
	store := postgres.NewUsers(db.DB)
	ada, bob := db.Person(t), db.Person(t)
	const n = 7
	for _, person := range []uuid.UUID{ada, bob} {
		for range n {
			fill(t, db, person)
		}
	}
	for part, want := range map[user.ExportPart]int{
		user.ExportAccount: 1, user.ExportIdentities: 2 * n, user.ExportSignInAccount: n, user.ExportAccountLog: n, user.ExportOrganizations: n, user.ExportBookings: n,
		user.ExportWaitlist: n, user.ExportNotifications: n, user.ExportPreferences: n, user.ExportSessions: n,
		user.ExportInvitesReceived: 2 * n, user.ExportInvitesSent: n, user.ExportAudit: 2 * n,
	} {
		seen := map[uuid.UUID]bool{}
		after := uuid.Nil
		for {
			rows, err := store.ExportRows(ctx, ada, part, after, 3)
			if err != nil {
				t.Fatalf("%s: %v", part, err)
			}
			for _, r := range rows {
				if r.Key.String() <= after.String() || !json.Valid(r.JSON) {
					t.Errorf("%s: %s after %s: %s", part, r.Key, after, r.JSON)
				}
				after = r.Key
				seen[r.Key] = true
			}
			if len(rows) < 3 {
				break
			}
		}
		if len(seen) != want {
			t.Errorf("%s: %d rows, want %d", part, len(seen), want)
		}
	}
	if _, err := store.ExportRows(ctx, ada, "secrets", uuid.Nil, 1); err == nil {
		t.Error("a part that is none is read")
	}
}

// fill writes one row more of everything that an export tells of a person.
func fill(t *testing.T, db *testkit.DB, person uuid.UUID) {
	t.Helper()
	ctx := context.Background()
	id := func() uuid.UUID { return uuid.Must(uuid.NewV7()) }
	org, _ := db.Org(t)
	db.Member(t, org, person, "user")
	event, booking, fact, account := db.Event(t, org, 10, testkit.EventOptions{}), id(), id(), id()
	for _, s := range []struct {
		sql  string
		args []any
	}{
		{`INSERT INTO user_identities (issuer, subject, user_id) VALUES ('https://a', $1, $2)`, []any{id().String(), person}},
		{`INSERT INTO user_identities (issuer, subject, user_id) VALUES ($1, $2, $3)`, []any{idp.IdentityKey, account.String(), person}},
		{`INSERT INTO idp_accounts (id, name, email, created_at, updated_at) VALUES ($1, 'A', 'a@people.test', now(), now())`, []any{account}},
		{`INSERT INTO user_audit (id, user_id, action, issuer, rule, created_at) VALUES ($1, $2, 'identity.linked', 'https://a', 'verified_email', now())`, []any{id(), person}},
		{`INSERT INTO bookings (id, org_id, event_id, user_id, seats, status, waiting_number, created_at, updated_at)
			VALUES ($1, $2, $3, $4, 1, 'confirmed', 1, now(), now())`, []any{booking, org, event, person}},
		{`INSERT INTO booking_seats (org_id, event_id, booking_id, user_id, seat_no, status) VALUES ($1, $2, $3, $4, 1, 'booked')`, []any{org, event, booking, person}},
		{`INSERT INTO booking_history (id, org_id, event_id, booking_id, user_id, actor_id, action, details, created_at)
			VALUES ($1, $2, $3, $4, $5, $5, 'waitlisted', '{}', now())`, []any{fact, org, event, booking, person}},
		{`INSERT INTO notifications (id, fact_id, org_id, user_id, channel, type, title, message, status) VALUES ($1, $2, $3, $4, 'app', 'booking_confirmed', '', '', 'sent')`,
			[]any{id(), fact, org, person}},
		{`INSERT INTO notification_preferences (user_id, type, channel, wanted) VALUES ($1, $2, 'email', false)`, []any{person, id().String()}},
		{`INSERT INTO sessions (id, token_hash, user_id, issuer, subject, id_token, created_at, last_seen_at, expires_at)
			VALUES ($1, $2, $3, 'https://a', 's', '', now(), now(), now())`, []any{id(), []byte(id().String()), person}},
		{`INSERT INTO organization_invites (id, org_id, email, role, status, invited_by, expires_at)
			SELECT $1, $2, upper(email), 'user', 'revoked', $3, now() FROM users WHERE id = $4`, []any{id(), org, id(), person}},
		{`INSERT INTO organization_invites (id, org_id, email, role, status, invited_by, expires_at, answered_at, answered_by)
			VALUES ($1, $2, 'old@people.test', 'user', 'accepted', $3, now(), now(), $4)`, []any{id(), org, id(), person}},
		{`INSERT INTO organization_invites (id, org_id, email, role, status, invited_by, expires_at)
			VALUES ($1, $2, 'somebody@people.test', 'user', 'revoked', $3, now())`, []any{id(), org, person}},
		{`INSERT INTO audit_log (id, org_id, actor_id, action, subject_id) VALUES ($1, $2, $3, 'event.created', $4)`, []any{id(), org, person, event}},
		{`INSERT INTO audit_log (id, org_id, actor_id, action, subject_id) VALUES ($1, $2, $3, 'member.role_changed', $4)`, []any{id(), org, id(), person}},
	} {
		if _, err := db.System.Exec(ctx, s.sql, s.args...); err != nil {
			t.Fatalf("%v: %s", err, s.sql)
		}
	}
}
