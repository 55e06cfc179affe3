package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"happening/internal/access"
	"happening/internal/audit"
	"happening/internal/event"
	"happening/internal/fault"
	"happening/internal/org"
	"happening/internal/postgres"
)

// TestARemovalWaitsForWhatTheMemberWrites removes and demotes a member in the
// middle of a write of theirs. Without the lock, the statements after it find
// nothing any more of what the ones before it found.
func TestARemovalWaitsForWhatTheMemberWrites(t *testing.T) {
	t.Parallel()
	for name, take := range map[string]func(ctx context.Context, s *postgres.OrgStore) error{
		"removed": func(ctx context.Context, s *postgres.OrgStore) error {
			return s.RemoveMember(ctx, idOf("A.admin"), idOf("A.org"), idOf("A.organizer"), now())
		},
		"demoted": func(ctx context.Context, s *postgres.OrgStore) error {
			_, err := s.SetRole(ctx, idOf("A.admin"), idOf("A.org"), idOf("A.organizer"), access.User, now())
			return err
		},
		"leaving": func(ctx context.Context, s *postgres.OrgStore) error {
			return s.RemoveMember(ctx, idOf("A.organizer"), idOf("A.org"), idOf("A.organizer"), now())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWalled(t)
			store := postgres.NewOrgStore(w.DB.DB)
			sees := func(tx pgx.Tx) (n int) {
				if err := tx.QueryRow(t.Context(), `SELECT count(*) FROM audit_log`).Scan(&n); err != nil {
					t.Error(err)
				}
				return n
			}
			taken := make(chan error, 1)
			err := postgres.WriteAs(t.Context(), w.DB.DB, inside("A", "A.organizer", access.EventWrite), func(tx pgx.Tx) error {
				before := sees(tx)
				go func() { taken <- take(t.Context(), store) }()
				w.untilOneWaits()
				if after := sees(tx); before == 0 || after != before {
					t.Errorf("%d lines of the record, then %d", before, after)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
			if err := <-taken; err != nil {
				t.Error(err)
			}
			err = postgres.WriteAs(t.Context(), w.DB.DB, inside("A", "A.organizer", access.EventWrite), func(pgx.Tx) error { return nil })
			if !errors.Is(err, fault.ErrForbidden) {
				t.Errorf("afterwards: %v", err)
			}
		})
	}

	// The control: without the lock nobody waits, and it sees nothing any more.
	w := newWalled(t)
	if err := w.DB.WriteUnlocked(t.Context(), idOf("A.organizer"), idOf("A.org"), access.EventWrite, func(tx pgx.Tx) error {
		if err := postgres.NewOrgStore(w.DB.DB).RemoveMember(t.Context(), idOf("A.admin"), idOf("A.org"), idOf("A.organizer"), now()); err != nil {
			return err
		}
		var n int
		if err := tx.QueryRow(t.Context(), `SELECT count(*) FROM audit_log`).Scan(&n); err != nil || n != 0 {
			t.Errorf("without the lock %d lines of the record are still seen, %v; the test shows nothing", n, err)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

// raceRounds is how often everything is done at once to one organization.
const raceRounds = 8

// TestWritesAndRemovalsOfOneOrganizationGetAlong lets people write, invite,
// change the settings, take each other's roles and leave, all at once: each is
// done or refused for a reason of its own, and none ends in a circle of locks.
func TestWritesAndRemovalsOfOneOrganizationGetAlong(t *testing.T) {
	t.Parallel()
	w := newWalled(t)
	store, events := postgres.NewOrgStore(w.DB.DB), postgres.NewEventStore(w.DB.DB)
	o := idOf("A.org")
	members := []uuid.UUID{idOf("A.admin"), idOf("A.organizer"), idOf("A.user"), idOf("twice")}
	for round := range raceRounds {
		for _, m := range members {
			w.exec(`INSERT INTO organization_users (org_id, user_id, role) VALUES ($1, $2, 'orgAdmin')
				ON CONFLICT (org_id, user_id) DO UPDATE SET role = 'orgAdmin'`, o, m)
		}
		var all sync.WaitGroup
		do := func(what string, run func() error) {
			all.Go(func() {
				err := run()
				var known *fault.Error
				if err != nil && !errors.As(err, &known) {
					t.Errorf("round %d: %s: %v", round, what, err)
				}
			})
		}
		for n, m := range members {
			other := members[(n+1)%len(members)]
			do("invite", func() error {
				i, err := org.NewInvite(uuid.New(), o, fmt.Sprintf("race-%d-%d@people.test", round, n), access.User, m, now())
				if err == nil {
					_, err = store.InsertInvites(t.Context(), []org.Invite{i})
				}
				return err
			})
			do("create an event", func() error {
				e, err := event.New(event.Draft{OrgID: o, Name: "Race", Category: "meetup", TimeZone: "UTC", TotalSlots: 1, Visibility: event.Members,
					StartsAt: recent(), EndsAt: recent().AddDate(0, 0, 1)}, uuid.New(), m, now())
				if err == nil {
					_, err = events.InsertEvent(t.Context(), e, audit.Entry{OrgID: o, ActorID: m, Action: audit.EventCreated, SubjectID: e.ID, At: now()})
				}
				return err
			})
			do("change the settings", func() error {
				_, err := store.EditOrg(t.Context(), m, o, func(before org.Organization) (org.Edit, error) {
					after := before
					after.Revision++
					return org.Edit{After: after, Record: audit.Entry{OrgID: o, ActorID: m, Action: audit.OrgUpdated, SubjectID: o, At: now()}}, nil
				})
				return err
			})
			switch n % 3 {
			case 0:
				do("demote", func() error { _, err := store.SetRole(t.Context(), m, o, other, access.User, now()); return err })
			case 1:
				do("remove", func() error { return store.RemoveMember(t.Context(), m, o, other, now()) })
			case 2:
				do("leave", func() error { return store.RemoveMember(t.Context(), m, o, m, now()) })
			}
		}
		all.Wait()
	}
	if got := w.text(`SELECT count(*)::text FROM pg_stat_database WHERE datname = current_database() AND deadlocks > 0`); got != "0" {
		t.Error("there were deadlocks, which were retried")
	}
	if got := w.text(`SELECT (count(*) > 0)::text FROM organization_users WHERE org_id = $1 AND role = 'orgAdmin'`, o); got != "true" {
		t.Error("nobody is orgAdmin any more")
	}
}

// text reads one text as the system.
func (w *walled) text(sql string, args ...any) (value string) {
	w.t.Helper()
	if err := w.System.QueryRow(context.Background(), sql, args...).Scan(&value); err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
	return value
}

// untilOneWaits returns once somebody waits for a lock in the database.
func (w *walled) untilOneWaits() {
	w.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; runtime.Gosched() {
		if w.text(`
			SELECT count(*)::text FROM pg_locks l JOIN pg_stat_activity a USING (pid)
			WHERE NOT l.granted AND a.datname = current_database()`) != "0" {
			return
		}
		if time.Now().After(deadline) {
			w.t.Error("nobody waits for a lock")
			return
		}
	}
}
