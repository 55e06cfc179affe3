package postgres_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/event"
	"happening/internal/org"
	"happening/internal/postgres"
	"happening/internal/testkit"
)

// tenancy is a database with the use cases of organizations and events over
// it, at a time that the test sets.
type tenancy struct {
	t      testing.TB
	db     *testkit.DB
	now    time.Time
	orgs   *org.Service
	events *event.Service
	people int
}

// tenancyStart lies at a full microsecond, as everything that is stored.
var tenancyStart = time.Date(2031, 5, 1, 12, 0, 0, 0, time.UTC)

func newTenancy(t testing.TB) *tenancy {
	t.Helper()
	k := &tenancy{t: t, db: testkit.NewDB(t), now: tenancyStart}
	clock := func() time.Time { return k.now }
	k.orgs = org.NewService(postgres.NewOrgStore(k.db.DB), "http://localhost:3000", clock)
	k.events = event.NewService(postgres.NewEventStore(k.db.DB), clock)
	return k
}

// person makes a user with a verified address that begins with the name.
func (k *tenancy) person(name string) access.Principal {
	k.t.Helper()
	return k.personWith(name+"@people.test", true)
}

func (k *tenancy) personWith(email string, verified bool) access.Principal {
	k.t.Helper()
	k.people++
	id := uuid.Must(uuid.NewV7())
	k.exec(`INSERT INTO users (id, name, email, email_verified) VALUES ($1, $2, $3, $4)`,
		id, fmt.Sprintf("Person %d", k.people), email, verified)
	return access.Principal{UserID: id}
}

func (k *tenancy) org(admin access.Principal, name string) uuid.UUID {
	k.t.Helper()
	o, err := k.orgs.Create(k.t.Context(), admin, name)
	if err != nil {
		k.t.Fatalf("create organization: %v", err)
	}
	return o.ID
}

// join makes a person a member without an invite.
func (k *tenancy) join(orgID uuid.UUID, p access.Principal, role access.Role) {
	k.t.Helper()
	k.exec(`INSERT INTO organization_users (org_id, user_id, role) VALUES ($1, $2, $3)`, orgID, p.UserID, string(role))
}

// event makes an event that starts in so many hours and lasts for two; change
// alters the draft.
func (k *tenancy) event(p access.Principal, orgID uuid.UUID, name string, hours int, change func(*event.Draft)) event.View {
	k.t.Helper()
	start := k.now.Add(time.Duration(hours) * time.Hour)
	d := event.Draft{
		OrgID: orgID, Name: name, Category: "meetup", Venue: "Old mill",
		StartsAt: start, EndsAt: start.Add(2 * time.Hour), TimeZone: "Europe/Berlin", TotalSlots: 40,
	}
	if change != nil {
		change(&d)
	}
	v, err := k.events.Create(k.t.Context(), p, d)
	if err != nil {
		k.t.Fatalf("create event: %v", err)
	}
	return v
}

// book writes a booking as the allocator would, without its rules.
func (k *tenancy) book(orgID, eventID uuid.UUID, p access.Principal, status string) {
	k.t.Helper()
	k.exec(`INSERT INTO bookings (id, org_id, event_id, user_id, seats, status, waiting_number, created_at, updated_at)
		VALUES ($1, $2, $3, $4, 1, $5, 1, now(), now())`, uuid.Must(uuid.NewV7()), orgID, eventID, p.UserID, status)
}

func (k *tenancy) suspend(orgID uuid.UUID) {
	k.t.Helper()
	k.exec(`UPDATE organizations SET suspended_at = now() WHERE id = $1`, orgID)
}

// exec runs a statement as the system.
func (k *tenancy) exec(sql string, args ...any) {
	k.t.Helper()
	if _, err := k.db.System.Exec(context.Background(), sql, args...); err != nil {
		k.t.Fatalf("%s: %v", sql, err)
	}
}

// one reads a single text.
func (k *tenancy) one(sql string, args ...any) string {
	k.t.Helper()
	var s string
	if err := k.db.System.QueryRow(context.Background(), sql, args...).Scan(&s); err != nil {
		k.t.Fatalf("%s: %v", sql, err)
	}
	return s
}

// records gives the organization's record in order, one action after another.
func (k *tenancy) records(orgID uuid.UUID) string {
	k.t.Helper()
	return k.one(`SELECT coalesce(string_agg(action, ' ' ORDER BY id), '') FROM audit_log WHERE org_id = $1`, orgID)
}

// untilBlocked returns once a session of the database waits for a lock. Every
// round is a round trip; the deadline only ends a test that hangs.
func (k *tenancy) untilBlocked() {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(k.t.Context(), 20*time.Second)
	defer cancel()
	for {
		var waiting bool
		err := k.db.System.QueryRow(ctx, `
			SELECT EXISTS (
				SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid)
				WHERE NOT l.granted AND a.datname = current_database()
			)`).Scan(&waiting)
		if err != nil {
			k.t.Fatalf("nobody waits for a lock: %v", err)
		}
		if waiting {
			return
		}
	}
}
