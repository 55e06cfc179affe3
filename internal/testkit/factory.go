package testkit

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
)

// Person makes a person with a verified address of their own.
func (db *DB) Person(t testing.TB) uuid.UUID {
	t.Helper()
	id := uuid.Must(uuid.NewV7())
	db.exec(t, `INSERT INTO users (id, name, email, email_verified) VALUES ($1, $2, $3, true)`,
		id, "Person "+id.String()[24:], fmt.Sprintf("%s@people.test", id))
	return id
}

// People makes n people at once.
func (db *DB) People(t testing.TB, n int) []uuid.UUID {
	t.Helper()
	ids := make([]uuid.UUID, n)
	for i := range ids {
		ids[i] = uuid.Must(uuid.NewV7())
	}
	db.exec(t, `INSERT INTO users (id, name, email, email_verified)
		SELECT id, 'Person', id || '@people.test', true FROM unnest($1::uuid[]) id`, ids)
	return ids
}

// Org makes an organization with one orgAdmin.
func (db *DB) Org(t testing.TB) (org, admin uuid.UUID) {
	t.Helper()
	org, admin = uuid.Must(uuid.NewV7()), db.Person(t)
	db.exec(t, `INSERT INTO organizations (id, name, created_by) VALUES ($1, 'Organization', $2)`, org, admin)
	db.Member(t, org, admin, "orgAdmin")
	return org, admin
}

// Member gives a person a role.
func (db *DB) Member(t testing.TB, org, user uuid.UUID, role string) {
	t.Helper()
	db.exec(t, `INSERT INTO organization_users (org_id, user_id, role) VALUES ($1, $2, $3)`, org, user, role)
}

// EventOptions are what a test's event differs in from a public one without
// seat limit that begins in a day.
type EventOptions struct {
	MaxSeatsPerUser int    // 0: no limit
	WaitlistPolicy  string // "": strict
	Visibility      string // "": public
	StartsIn        time.Duration
}

// Event makes an event of an organization.
func (db *DB) Event(t testing.TB, org uuid.UUID, totalSlots int, o EventOptions) uuid.UUID {
	t.Helper()
	if o.WaitlistPolicy == "" {
		o.WaitlistPolicy = "strict"
	}
	if o.Visibility == "" {
		o.Visibility = "public"
	}
	if o.StartsIn == 0 {
		o.StartsIn = 24 * time.Hour
	}
	id := uuid.Must(uuid.NewV7())
	starts := time.Now().Add(o.StartsIn)
	db.exec(t, `
		INSERT INTO events (id, org_id, name, category, starts_at, ends_at, time_zone, total_slots, available_slots,
		                    max_seats_per_user, visibility, waitlist_policy, created_by)
		VALUES ($1, $2, 'Event', 'meetup', $3, $4, 'UTC', $5, $5, nullif($6, 0), $7, $8, $1)`,
		id, org, starts, starts.Add(2*time.Hour), totalSlots, o.MaxSeatsPerUser, o.Visibility, o.WaitlistPolicy)
	return id
}

// CheckClean runs the checker and fails the test on every breach.
func (db *DB) CheckClean(t testing.TB) {
	t.Helper()
	breaches, err := db.Check(context.Background(), time.Now(), nil)
	if err != nil {
		t.Fatalf("testkit: check: %v", err)
	}
	for _, b := range breaches {
		t.Errorf("checker: %s", b)
	}
}

func (db *DB) exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	if _, err := db.System.Exec(context.Background(), sql, args...); err != nil {
		t.Fatalf("testkit: %v", err)
	}
}
