package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"happening/internal/booking"
	"happening/internal/fault"
	"happening/internal/idp"
	"happening/internal/notify"
	"happening/internal/postgres"
	"happening/internal/signin"
	"happening/internal/testkit"
	"happening/internal/user"
)

const eraseMarker = "qzxmarkerqzx"

// eraser is a process in which people erase themselves.
type eraser struct {
	*user.Erasures
	*seller
	db    *testkit.DB
	store *postgres.Erasures
	owner *pgx.Conn
	clock time.Duration // ahead of the real one
	gone  []uuid.UUID
}

func newEraser(t *testing.T) *eraser {
	t.Helper()
	e := &eraser{db: testkit.NewDB(t)}
	e.seller, e.store = newSeller(t, e.db), postgres.NewErasures(e.db.DB)
	now := func() time.Time { return time.Now().Add(e.clock) }
	e.Erasures = user.NewErasures(e.store, e.Service, func(_ context.Context, id uuid.UUID) { e.gone = append(e.gone, id) }, now, slog.New(slog.DiscardHandler))
	var err error
	if e.owner, err = pgx.Connect(t.Context(), e.db.ConnString(postgres.OwnerRole)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.owner.Close(context.Background()) })
	return e
}

func (e *eraser) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := e.owner.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func (e *eraser) count(t *testing.T, sql string, args ...any) (n int) {
	t.Helper()
	if err := e.owner.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// marked is a person whose name and address hold the marker, with an account
// at the embedded provider.
func (e *eraser) marked(t *testing.T) (id uuid.UUID, email string) {
	t.Helper()
	id, email = uuid.Must(uuid.NewV7()), eraseMarker+"@people.test"
	account := uuid.Must(uuid.NewV7())
	e.exec(t, `INSERT INTO users (id, name, email, email_verified, name_chosen) VALUES ($1, $2, $3, true, true)`, id, "Ann "+eraseMarker, email)
	e.exec(t, `INSERT INTO idp_accounts (id, name, email, email_verified, created_at, updated_at) VALUES ($1, $2, $3, true, now(), now())`, account, "Ann "+eraseMarker, email)
	e.exec(t, `INSERT INTO user_identities (issuer, subject, user_id) VALUES ($1, $2, $3)`, idp.IdentityKey, account.String(), id)
	return id, email
}

func (e *eraser) traces(t *testing.T) []string {
	t.Helper()
	return testkit.Traces(t, e.owner, eraseMarker)
}

// book books and fails the test where it is refused.
func (e *eraser) book(t *testing.T, who, event uuid.UUID, seats int32, key string) booking.Booking {
	t.Helper()
	q := booking.Request{EventID: event, Seats: seats}
	if key != "" {
		q.Key = booking.Key{Value: key, Hash: [16]byte{1}}
	}
	b, err := e.Book(t.Context(), as(who), q)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// fill puts the marker wherever the product could have put it.
func (e *eraser) fill(t *testing.T, who uuid.UUID, email string, org uuid.UUID) {
	t.Helper()
	fact := func(kind, payload string) uuid.UUID {
		id := uuid.Must(uuid.NewV7())
		e.exec(t, `INSERT INTO outbox (id, org_id, kind, payload, created_at, relayed_at) VALUES ($1, $2, $3, $4, now(), now())`, id, org, kind, payload)
		return id
	}
	e.exec(t, `INSERT INTO sessions (id, token_hash, user_id, issuer, subject, id_token, user_agent, created_at, last_seen_at, expires_at)
		VALUES (gen_random_uuid(), '\x01', $1, 'embedded', 's', translate(encode(convert_to($2, 'UTF8'), 'base64'), E'\n', ''), 'Firefox', now(), now(), now() + interval '1 day')`, who, `{"email":"`+email+`"}`)
	e.exec(t, `INSERT INTO user_identities (issuer, subject, user_id) VALUES ('https://outside.test', $2, $1)`, who, email)
	e.exec(t, `INSERT INTO signin_logouts (issuer, token_hash, subject, provider_session, issued_at, kept_until)
		VALUES ('https://outside.test', '\x01', $1, '', now(), now() + interval '1 minute')`, email)
	e.exec(t, `INSERT INTO notification_preferences (user_id, type, channel, wanted) VALUES ($1, 'event_updated', 'email', false)`, who)
	e.exec(t, `UPDATE organizations SET contact_email = $2 WHERE id = $1`, org, strings.ToUpper(email))
	for i, status := range []string{"pending", "rejected", "expired"} {
		invite := uuid.Must(uuid.NewV7())
		e.exec(t, `INSERT INTO organization_invites (id, org_id, email, role, status, invited_by, expires_at) VALUES ($1, $2, $3, 'user', $4, $2, now() + interval '1 day')`, invite, org, email, status)
		f := fact("org.invited", fmt.Sprintf(`{"invite_id": %q}`, invite))
		e.exec(t, `INSERT INTO notifications (id, fact_id, org_id, channel, type, title, message, status, last_error) VALUES (gen_random_uuid(), $1, $2, 'email', 'org_invited', $3, '', 'failed', '')`, f, org, strings.Repeat(eraseMarker, i+1))
	}
	e.exec(t, `INSERT INTO organization_invites (id, org_id, email, role, status, invited_by, expires_at, answered_by)
		VALUES (gen_random_uuid(), $1, $2, 'user', 'accepted', $1, now(), $3)`, org, "old-"+email, who)
	e.exec(t, `INSERT INTO notifications (id, fact_id, channel, type, title, message, status, last_error)
		VALUES (gen_random_uuid(), gen_random_uuid(), 'email', 'confirm_address', '', '', 'failed', $1)`, "550 no such user: <"+email+">")
	f, mail := fact("event.updated", `{}`), uuid.New()
	e.exec(t, `INSERT INTO notifications (id, fact_id, user_id, channel, type, title, message, status) VALUES (gen_random_uuid(), $1, $2, 'app', 'event_updated', 't', $3, 'sent')`, f, who, eraseMarker)
	e.exec(t, `INSERT INTO notifications (id, fact_id, user_id, channel, type, title, message, status, next_try_at) VALUES ($1, $2, $3, 'email', 'event_updated', 't', $4, 'pending', now())`, mail, f, who, eraseMarker)
	e.exec(t, `INSERT INTO mailbox_mails (id, recipient, subject, text_body, html_body, created_at) VALUES ($1, 'an-earlier@address.test', 's', $2, $2, now())`, mail.String(), "Hello "+eraseMarker)
	e.exec(t, `INSERT INTO mailbox_mails (id, recipient, subject, text_body, html_body, created_at) VALUES ('m2', $1, 's', '', '', now())`, email)
	e.exec(t, `INSERT INTO idp_accounts (id, name, email, email_verified, created_at, updated_at) VALUES (gen_random_uuid(), 'x', $1, false, now(), now())`, email)
	e.exec(t, `INSERT INTO idp_auth_requests (id, browser_hash, client_id, redirect_uri, scopes, state, nonce, code_challenge, login_hint, created_at, expires_at)
		VALUES ('r', '\x01', 'c', 'u', '{}', 's', 'n', 'c', $1, now(), now())`, email)
}

func TestErasureLeavesAnIdAndTheCounts(t *testing.T) {
	t.Parallel()
	e := newEraser(t)
	org, admin := e.db.Org(t)
	ann, email := e.marked(t)
	e.db.Member(t, org, ann, "orgAdmin")
	one, many := e.db.Event(t, org, 2, testkit.EventOptions{}), e.db.Event(t, org, 50, testkit.EventOptions{})
	past := e.db.Event(t, org, 10, testkit.EventOptions{})
	people := e.db.People(t, 2)
	e.book(t, ann, one, 2, eraseMarker+" once")
	e.book(t, people[0], one, 1, "")
	e.book(t, ann, one, 1, "")
	e.book(t, ann, many, 3, "")
	kept := e.book(t, ann, past, 2, "")
	e.exec(t, `UPDATE events SET starts_at = now() - interval '1 hour', ends_at = now() + interval '1 day', status = 'ongoing', version = version + 1 WHERE id = $1`, past)
	if _, err := e.Hold(t.Context(), as(ann), many, []int32{40}); err != nil {
		t.Fatal(err)
	}
	e.fill(t, ann, email, org)

	// The control: before, the marker is wherever it may be.
	seen := strings.Join(e.traces(t), " ")
	for _, table := range []string{
		"users.name", "users.email", "idp_accounts.email", "sessions.id_token", "user_identities.subject", "signin_logouts.subject",
		"organizations.contact_email", "organization_invites.email", "notifications.message", "notifications.title", "notifications.last_error",
		"mailbox_mails.recipient", "mailbox_mails.text_body", "idp_auth_requests.login_hint", "booking_history.idempotency_key",
	} {
		if !strings.Contains(seen, table+" ") {
			t.Errorf("before the erasure the marker is not in %s, so that its absence shows nothing", table)
		}
	}

	if err := e.Erase(t.Context(), as(ann), " "+strings.ToUpper(email)); err != nil {
		t.Fatal(err)
	}
	if found := e.traces(t); len(found) > 0 {
		t.Errorf("the marker is still in %v", found)
	}
	if len(e.gone) != 1 || e.gone[0] != ann {
		t.Errorf("the processes forget %v", e.gone)
	}
	for what, want := range map[string]int{
		`SELECT count(*) FROM bookings WHERE user_id = $1 AND status = 'cancelled' AND reason = 'person_erased'`:                                           3,
		`SELECT count(*) FROM booking_history WHERE user_id = $1 AND action = 'cancelled' AND actor_id IS NULL AND details ->> 'reason' = 'person_erased'`: 3,
		`SELECT count(*) FROM audit_log WHERE action = 'member.erased' AND actor_id = $1 AND subject_id = $1 AND before ->> 'role' = 'orgAdmin'`:           1,
		`SELECT count(*) FROM user_audit WHERE user_id = $1 AND action = 'person.erased'`:                                                                  1,
		`SELECT count(*) FROM organization_users WHERE user_id = $1`:                                                                                       0,
		`SELECT count(*) FROM notification_preferences WHERE user_id = $1`:                                                                                 0,
		`SELECT count(*) FROM users WHERE id = $1 AND erased_at IS NOT NULL AND erasing`:                                                                   1,
	} {
		if n := e.count(t, what, ann); n != want {
			t.Errorf("%s: %d, want %d", what, n, want)
		}
	}
	if n := e.count(t, `SELECT count(*) FROM audit_log WHERE action = 'invite.revoked' AND actor_id IS NULL AND org_id = $1`, org); n != 1 {
		t.Errorf("%d invites withdrawn in the record, want 1", n)
	}
	if n := e.count(t, `SELECT count(*) FROM bookings WHERE user_id = $1 AND event_id = $2 AND status = 'confirmed'`, people[0], one); n != 1 {
		t.Error("who waited was not promoted")
	}
	if n := e.count(t, `SELECT count(*) FROM bookings WHERE id = $1 AND status = 'confirmed'`, kept.ID); n != 1 {
		t.Error("a booking of an event that has begun was cancelled")
	}
	if at, err := e.holds.HeldAt(t.Context(), ann); err != nil || len(at) > 0 {
		t.Errorf("holds are left at %v, %v", at, err)
	}
	e.db.CheckClean(t)

	// The second time there is nobody.
	if err := e.Erase(t.Context(), as(ann), email); !errors.Is(err, fault.ErrUnauthenticated) {
		t.Errorf("erased twice: %v", err)
	}
	// The other admin can't go any more.
	if err := e.Erase(t.Context(), as(admin), admin.String()+"@people.test"); !errors.Is(err, user.ErrLastOrgAdmin) {
		t.Errorf("the last orgAdmin: %v", err)
	}
	// The address is free for a person who is another one.
	again, err := postgres.NewUsers(e.db.DB).LinkPerson(t.Context(), user.Sighting{
		Issuer: "https://outside.test", Subject: email, NewID: uuid.Must(uuid.NewV7()), At: time.Now(),
		Claims: user.Claims{Name: "Ann", Email: email, EmailVerified: true},
	})
	if err != nil || again.ID == ann || !again.EmailVerified {
		t.Errorf("signed up again: %+v, %v", again, err)
	}
}

func TestErasureIsConfirmedAndRefusedToWhoAloneRunsAnOrganization(t *testing.T) {
	t.Parallel()
	e := newEraser(t)
	org, admin := e.db.Org(t)
	event := e.db.Event(t, org, 5, testkit.EventOptions{})
	e.book(t, admin, event, 1, "")
	email := admin.String() + "@people.test"
	for _, wrong := range []string{"", "somebody@else.test", admin.String()} {
		if err := e.Erase(t.Context(), as(admin), wrong); !errors.Is(err, user.ErrAddressDiffers) {
			t.Errorf("confirmed by %q: %v", wrong, err)
		}
	}
	err := e.Erase(t.Context(), as(admin), email)
	var refused *fault.Error
	if !errors.As(err, &refused) || refused.Code != "last_org_admin" {
		t.Fatalf("%v", err)
	}
	if led, ok := refused.Extra["organizations"].([]user.LedOrg); !ok || len(led) != 1 || led[0].ID != org || led[0].Name != "Organization" {
		t.Errorf("organizations: %+v", refused.Extra)
	}
	if err := e.Erase(t.Context(), as(uuid.Nil), ""); !errors.Is(err, fault.ErrUnauthenticated) {
		t.Errorf("a visitor: %v", err)
	}
	if n := e.count(t, `SELECT count(*) FROM bookings b JOIN users u ON u.id = b.user_id WHERE u.id = $1 AND b.status = 'confirmed' AND u.email <> ''`, admin); n != 1 {
		t.Error("something was changed all the same")
	}
	if len(e.gone) > 0 {
		t.Error("somebody was signed out all the same")
	}
}

// Two who run an organization together erase themselves at once: one stays.
func TestOfTwoLastAdminsOneStays(t *testing.T) {
	t.Parallel()
	e := newEraser(t)
	const rounds = 60
	for range rounds {
		org, first := e.db.Org(t)
		second := e.db.Person(t)
		e.db.Member(t, org, second, "orgAdmin")
		errs := make([]error, 2)
		var both sync.WaitGroup
		for i, who := range []uuid.UUID{first, second} {
			both.Go(func() {
				errs[i] = e.store.Erase(context.Background(), user.Erasure{UserID: who, Confirm: who.String() + "@people.test", At: time.Now()})
			})
		}
		both.Wait()
		if (errs[0] == nil) == (errs[1] == nil) {
			t.Fatalf("%v, %v", errs[0], errs[1])
		}
		if lost := errors.Join(errs...); !errors.Is(lost, user.ErrLastOrgAdmin) {
			t.Fatal(lost)
		}
		if n := e.count(t, `SELECT count(*) FROM organization_users WHERE org_id = $1 AND role = 'orgAdmin'`, org); n != 1 {
			t.Fatalf("%d admins are left", n)
		}
	}
}

// The same with the first held where it has looked and not yet gone: without
// the lock the second would look, too.
func TestTheSecondAdminWaitsForTheFirst(t *testing.T) {
	t.Parallel()
	e := newEraser(t)
	org, first := e.db.Org(t)
	second := e.db.Person(t)
	e.db.Member(t, org, second, "orgAdmin")
	// Whoever changes a role has locked the organization.
	tx, err := e.owner.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `SELECT FROM organizations WHERE id = $1 FOR UPDATE`, org); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		done <- e.store.Erase(context.Background(), user.Erasure{UserID: second, Confirm: second.String() + "@people.test", At: time.Now()})
	}()
	for deadline := time.Now().Add(time.Minute); ; runtime.Gosched() {
		waits := 0
		if err := e.db.System.QueryRow(t.Context(), `
			SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&waits); err != nil {
			t.Fatal(err)
		}
		if waits > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the erasure does not wait for the lock")
		}
	}
	if _, err := tx.Exec(t.Context(), `UPDATE organization_users SET role = 'user' WHERE org_id = $1 AND user_id = $2`, org, first); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, user.ErrLastOrgAdmin) {
		t.Errorf("both are gone: %v", err)
	}
}

// What was on its way when somebody was erased is found by the sweep, or
// refused.
func TestWhatComesAfterAnErasureIsUndone(t *testing.T) {
	t.Parallel()
	e := newEraser(t)
	org, _ := e.db.Org(t)
	ann, email := e.marked(t)
	event := e.db.Event(t, org, 1, testkit.EventOptions{})
	waits := e.db.Person(t)
	if err := e.Erase(t.Context(), as(ann), email); err != nil {
		t.Fatal(err)
	}
	// In the queue of the allocator at that moment, with a key.
	e.book(t, ann, event, 1, eraseMarker)
	e.book(t, waits, event, 1, "")
	// In the hand of the relay and of the deliverer.
	mail := uuid.New()
	e.exec(t, `INSERT INTO notifications (id, fact_id, user_id, channel, type, title, message, status) VALUES (gen_random_uuid(), gen_random_uuid(), $1, 'app', 'x', 't', $2, 'sent')`, ann, eraseMarker)
	e.exec(t, `INSERT INTO mailbox_mails (id, recipient, subject, text_body, html_body, created_at) VALUES ($1, $2, 's', '', '', now())`, mail.String(), email)
	for what, sql := range map[string]string{
		"a session":     `INSERT INTO sessions (id, token_hash, user_id, issuer, subject, id_token, created_at, last_seen_at, expires_at) VALUES (gen_random_uuid(), '\x09', $1, 'i', 's', '', now(), now(), now())`,
		"an identity":   `INSERT INTO user_identities (issuer, subject, user_id) VALUES ('i', 's', $1)`,
		"a membership":  `INSERT INTO organization_users (org_id, user_id, role) SELECT id, $1, 'user' FROM organizations LIMIT 1`,
		"a preference":  `INSERT INTO notification_preferences (user_id, type, channel, wanted) VALUES ($1, 't', 'email', false)`,
		"another name":  `UPDATE users SET name = 'Ann' WHERE id = $1`,
		"a way back in": `UPDATE users SET email = 'a@b.test', email_verified = true WHERE id = $1`,
	} {
		if _, err := e.db.System.Exec(t.Context(), sql, ann); err == nil {
			t.Errorf("an erased person gets %s", what)
		}
	}
	if len(e.traces(t)) != 3 {
		t.Errorf("before the sweep the marker is in %v", e.traces(t))
	}
	if err := e.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if found := e.traces(t); len(found) > 0 {
		t.Errorf("the marker is still in %v", found)
	}
	if n := e.count(t, `SELECT count(*) FROM bookings WHERE user_id = $1 AND status = 'confirmed'`, waits); n != 1 {
		t.Error("the seat of the late booking was not given to who waits")
	}
	looksAfter := func() int { return e.count(t, `SELECT count(*) FROM users WHERE erasing`) }
	if looksAfter() != 1 {
		t.Error("the sweep looks after the person no longer, although something may still be on its way")
	}
	e.clock = time.Hour
	if err := e.Sweep(t.Context()); err != nil || looksAfter() != 0 {
		t.Errorf("an hour later: %v, %d people are looked after", err, looksAfter())
	}
	e.db.CheckClean(t)
}

// A process that dies right after the transaction leaves the rest to the
// sweep of another one.
func TestAnErasureThatACrashInterruptedIsFinished(t *testing.T) {
	t.Parallel()
	e := newEraser(t)
	org, _ := e.db.Org(t)
	ann, email := e.marked(t)
	var events []uuid.UUID
	for range 5 {
		id := e.db.Event(t, org, 1, testkit.EventOptions{})
		e.book(t, ann, id, 1, "")
		events = append(events, id)
	}
	if err := e.store.Erase(t.Context(), user.Erasure{UserID: ann, Confirm: email, At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if n := e.count(t, `SELECT count(*) FROM bookings WHERE user_id = $1 AND status = 'confirmed'`, ann); n != len(events) {
		t.Fatalf("%d bookings are live", n)
	}
	if err := e.store.Finish(t.Context(), ann, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := e.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := e.count(t, `SELECT count(*) FROM bookings WHERE user_id = $1 AND status = 'cancelled'`, ann); n != len(events) {
		t.Errorf("%d of %d bookings are cancelled", n, len(events))
	}
	e.db.CheckClean(t)
}

// The address of somebody who could not show that it is theirs says nothing
// about whose the traces of it are.
func TestAnUnverifiedAddressTakesNothingAlong(t *testing.T) {
	t.Parallel()
	e := newEraser(t)
	org, _ := e.db.Org(t)
	ann := e.db.Person(t)
	email := ann.String() + "@people.test"
	imposter := uuid.Must(uuid.NewV7())
	e.exec(t, `INSERT INTO users (id, name, email) VALUES ($1, 'Imposter', $2)`, imposter, email)
	e.exec(t, `INSERT INTO organization_invites (id, org_id, email, role, invited_by, expires_at) VALUES (gen_random_uuid(), $1, $2, 'user', $1, now() + interval '1 day')`, org, email)
	e.exec(t, `INSERT INTO mailbox_mails (id, recipient, subject, text_body, html_body, created_at) VALUES ('m', $1, 's', '', '', now())`, email)
	if err := e.Erase(t.Context(), as(imposter), email); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{
		`SELECT count(*) FROM organization_invites WHERE email = $1`, `SELECT count(*) FROM mailbox_mails WHERE recipient = $1`,
		`SELECT count(*) FROM users WHERE email = $1`,
	} {
		if n := e.count(t, sql, email); n != 1 {
			t.Errorf("%s: %d", sql, n)
		}
	}
}

// A sign-in that was under way makes nobody of an account that is gone, and an
// erased person gets no session.
func TestNobodyComesBackByASignInThatWasUnderWay(t *testing.T) {
	t.Parallel()
	e := newEraser(t)
	ann, email := e.marked(t)
	var account string
	if err := e.owner.QueryRow(t.Context(), `SELECT subject FROM user_identities WHERE user_id = $1`, ann).Scan(&account); err != nil {
		t.Fatal(err)
	}
	users := postgres.NewUsers(e.db.DB)
	sighting := user.Sighting{
		Issuer: idp.IdentityKey, Subject: account, NewID: uuid.Must(uuid.NewV7()), At: time.Now(),
		Claims: user.Claims{Name: "Ann " + eraseMarker, Email: email, EmailVerified: true},
	}
	if p, err := users.LinkPerson(t.Context(), sighting); err != nil || p.ID != ann {
		t.Fatalf("before the erasure: %+v, %v", p, err)
	}
	if err := e.Erase(t.Context(), as(ann), email); err != nil {
		t.Fatal(err)
	}
	if _, err := users.LinkPerson(t.Context(), sighting); !errors.Is(err, user.ErrErased) {
		t.Errorf("the last step of a sign-in: %v", err)
	}
	sighting.Issuer, sighting.Linking = "https://outside.test", user.OnlyKnown
	if _, err := users.LinkPerson(t.Context(), sighting); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("a session that is confirmed at that moment: %v", err)
	}
	now := time.Now()
	if err := postgres.NewSessions(e.db.DB).CreateSession(t.Context(), []byte("hash"), signin.Session{
		ID: uuid.Must(uuid.NewV7()), UserID: ann, Issuer: "i", Subject: "s", CreatedAt: now, LastSeenAt: now, ExpiresAt: now.Add(time.Hour), ConfirmedAt: now, IssuedAt: now,
	}); !errors.Is(err, user.ErrErased) {
		t.Errorf("a session: %v", err)
	}
	if found := e.traces(t); len(found) > 0 {
		t.Errorf("the marker is in %v", found)
	}
}

// The relay tells what an erased person did and was done to nobody, and the
// checker misses no message of theirs.
func TestTheErasedAreToldNothing(t *testing.T) {
	t.Parallel()
	e := newEraser(t)
	org, _ := e.db.Org(t)
	ann, email := e.marked(t)
	bob := e.db.Person(t)
	event := e.db.Event(t, org, 5, testkit.EventOptions{})
	e.book(t, ann, event, 1, "")
	e.book(t, bob, event, 1, "")
	if err := e.Erase(t.Context(), as(ann), email); err != nil {
		t.Fatal(err)
	}
	relay := notify.NewRelay(notify.RelayConfig{Store: postgres.NewNotifyStore(e.db.DB), Now: time.Now})
	for {
		n, err := relay.Once(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
	}
	told := func(who uuid.UUID) int {
		return e.count(t, `SELECT count(*) FROM notifications WHERE user_id = $1`, who)
	}
	if told(ann) != 0 || told(bob) != 2 {
		t.Errorf("ann is told %d times and bob %d times", told(ann), told(bob))
	}
	e.db.CheckClean(t)
}

// The checker tells of bookings that an erasure left.
func TestTheCheckerFindsAnErasureThatIsNotFinished(t *testing.T) {
	t.Parallel()
	e := newEraser(t)
	org, _ := e.db.Org(t)
	ann, email := e.marked(t)
	e.book(t, ann, e.db.Event(t, org, 5, testkit.EventOptions{}), 1, "")
	if err := e.store.Erase(t.Context(), user.Erasure{UserID: ann, Confirm: email, At: time.Now().Add(-time.Hour)}); err != nil {
		t.Fatal(err)
	}
	breaches, err := e.db.Check(t.Context(), time.Now(), nil)
	if err != nil || len(breaches) != 1 || breaches[0].Rule != "C7" || breaches[0].Count != 1 {
		t.Errorf("%+v, %v", breaches, err)
	}
	if err := e.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	e.db.CheckClean(t)
}
