package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/fault"
	"happening/internal/notify"
	"happening/internal/org"
	"happening/internal/postgres"
	"happening/internal/testkit"
	"happening/internal/user"
)

// Whoever stops being orgAdmin, in whichever way, leaves no invite behind by
// which they come back under another address.
func TestTheInvitesOfWhoIsNoAdminAnyMoreAreWithdrawn(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	for n, c := range []struct {
		name  string
		actor func(admin, left access.Principal) access.Principal
		end   func(admin, left access.Principal, o uuid.UUID) error
	}{
		{"removed", theFirst, func(admin, left access.Principal, o uuid.UUID) error {
			return k.orgs.RemoveMember(t.Context(), admin, o, left.UserID)
		}},
		{"demoted", theFirst, func(admin, left access.Principal, o uuid.UUID) error {
			return ignore(k.orgs.SetRole(t.Context(), admin, o, left.UserID, access.Organizer))
		}},
		{"leaves", theSecond, func(_, left access.Principal, o uuid.UUID) error {
			return k.orgs.RemoveMember(t.Context(), left, o, left.UserID)
		}},
		{"steps down", theSecond, func(_, left access.Principal, o uuid.UUID) error {
			return ignore(k.orgs.SetRole(t.Context(), left, o, left.UserID, access.User))
		}},
		{"erased", theSecond, func(_, left access.Principal, _ uuid.UUID) error {
			email := k.one(`SELECT email FROM users WHERE id = $1`, left.UserID)
			return postgres.NewErasures(k.db.DB).Erase(t.Context(), user.Erasure{UserID: left.UserID, Confirm: email, At: k.now})
		}},
	} {
		admin, left, other := k.person(fmt.Sprint("admin", n)), k.person(fmt.Sprint("left", n)), k.person(fmt.Sprint("other", n))
		o, elsewhere := k.org(admin, "Mill"), k.org(admin, "Barn")
		k.join(o, left, access.OrgAdmin)
		email := fmt.Sprintf("other%d@people.test", n)
		back := k.invite(left, o, email, access.OrgAdmin)
		fine, away := k.invite(admin, o, fmt.Sprintf("fine%d@people.test", n), access.User), k.invite(admin, elsewhere, email, access.User)
		if err := c.end(admin, left, o); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if _, err := k.orgs.AcceptInvite(t.Context(), other, back.ID); !errors.Is(err, org.ErrInviteNotPending) && !errors.Is(err, fault.ErrNotFound) {
			t.Errorf("%s: came back in: %v", c.name, err)
		}
		if got := k.one(`SELECT string_agg(status, ' ' ORDER BY id) FROM organization_invites WHERE id = ANY ($1)`, []uuid.UUID{back.ID, fine.ID, away.ID}); got != "revoked pending pending" {
			t.Errorf("%s: the invites are %s", c.name, got)
		}
		want := fmt.Sprintf(`%s %s {"role": "orgAdmin"}`, c.actor(admin, left).UserID, back.ID)
		if got := k.one(`SELECT string_agg(concat_ws(' ', actor_id, subject_id, before), ', ') FROM audit_log WHERE org_id = $1 AND action = 'invite.revoked'`, o); got != want {
			t.Errorf("%s: record: got  %s\nwant %s", c.name, got, want)
		}
		// Those who stay can invite the same address again.
		if i := k.invite(admin, o, email, access.User); i.Status != org.Pending {
			t.Errorf("%s: invited again: %+v", c.name, i)
		}
	}
}

func theFirst(a, _ access.Principal) access.Principal  { return a }
func theSecond(_, b access.Principal) access.Principal { return b }

// locked holds an organization as a transaction does that takes a role away in
// it, and gives what ends that with a statement.
func (k *tenancy) locked(orgID uuid.UUID, lock string) (end func(sql string, args ...any)) {
	k.t.Helper()
	tx, err := k.db.System.Begin(k.t.Context())
	if err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(func() { _ = tx.Rollback(context.Background()) })
	if _, err := tx.Exec(k.t.Context(), `SELECT FROM organizations WHERE id = $1 FOR `+lock, orgID); err != nil {
		k.t.Fatal(err)
	}
	return func(sql string, args ...any) {
		k.t.Helper()
		if _, err := tx.Exec(k.t.Context(), sql, args...); err != nil {
			k.t.Fatal(err)
		}
		if err := tx.Commit(k.t.Context()); err != nil {
			k.t.Fatal(err)
		}
	}
}

// Who has lost the role by the time that it is their turn invites nobody; and
// an organization that is gone by then is not there.
func TestAnInviteWaitsForWhoTakesTheRoleAway(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	admin, left := k.person("admin"), k.person("left")
	for name, c := range map[string]struct {
		lock, sql string
		want      error
	}{
		"removed": {"NO KEY UPDATE", `DELETE FROM organization_users WHERE org_id = $1 AND user_id = $2`, fault.ErrForbidden},
		"demoted": {"NO KEY UPDATE", `UPDATE organization_users SET role = 'organizer' WHERE org_id = $1 AND user_id = $2`, fault.ErrForbidden},
		"deleted": {"UPDATE", `DELETE FROM organizations WHERE id = $1 AND $2::uuid IS NOT NULL`, fault.ErrNotFound},
	} {
		for _, many := range []bool{false, true} {
			o := k.org(admin, "Mill")
			k.join(o, left, access.OrgAdmin)
			end := k.locked(o, c.lock)
			invited := make(chan error, 1)
			go func() {
				if many {
					invited <- ignore(k.orgs.InviteMany(context.Background(), left, o, access.OrgAdmin, []string{"back@people.test"}))
					return
				}
				invited <- ignore(k.orgs.Invite(context.Background(), left, o, "back@people.test", access.OrgAdmin))
			}()
			k.untilBlocked()
			end(c.sql, o, left.UserID)
			if err := <-invited; !errors.Is(err, c.want) {
				t.Errorf("%s, many %v: got %v, want %v", name, many, err, c.want)
			}
			if n := k.one(`SELECT count(*)::text FROM organization_invites WHERE org_id = $1`, o); n != "0" {
				t.Errorf("%s, many %v: %s invites", name, many, n)
			}
		}
	}
}

// Whoever takes a role away waits for an invite that is being made, and
// withdraws it.
func TestWhoTakesTheRoleAwayWaitsForAnInvite(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	admin, left := k.person("admin"), k.person("left")
	o := k.org(admin, "Mill")
	k.join(o, left, access.OrgAdmin)
	id := uuid.Must(uuid.NewV7())
	end := k.locked(o, "SHARE")
	removed := make(chan error, 1)
	go func() { removed <- k.orgs.RemoveMember(context.Background(), admin, o, left.UserID) }()
	k.untilBlocked()
	end(`INSERT INTO organization_invites (id, org_id, email, role, invited_by, expires_at) VALUES ($1, $2, 'back@people.test', 'orgAdmin', $3, $4)`,
		id, o, left.UserID, k.now.Add(org.InviteLife))
	if err := <-removed; err != nil {
		t.Fatal(err)
	}
	if got := k.one(`SELECT status FROM organization_invites WHERE id = $1`, id); got != "revoked" {
		t.Errorf("the invite is %s", got)
	}
}

func TestNobodyJoinsASuspendedOrganization(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	admin, ann, bob, stranger := k.person("admin"), k.person("ann"), k.person("bob"), k.person("stranger")
	o := k.org(admin, "Mill")
	i, declined := k.invite(admin, o, "ann@people.test", access.User), k.invite(admin, o, "bob@people.test", access.User)
	k.suspend(o)
	if _, err := k.orgs.AcceptInvite(t.Context(), ann, i.ID); !errors.Is(err, org.ErrSuspended) || k.role(ann, o) != access.NoRole {
		t.Errorf("accepted while it is suspended: %v", err)
	}
	if _, err := k.orgs.AcceptInvite(t.Context(), stranger, i.ID); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("to a stranger: %v", err)
	}
	if got, err := k.orgs.RejectInvite(t.Context(), bob, declined.ID); err != nil || got.Status != org.Rejected {
		t.Errorf("rejected while it is suspended: %+v, %v", got, err)
	}
	if _, err := k.orgs.AcceptInvite(t.Context(), bob, declined.ID); !errors.Is(err, org.ErrInviteNotPending) {
		t.Errorf("what was rejected: %v", err)
	}
	k.exec(`UPDATE organizations SET suspended_at = NULL WHERE id = $1`, o)
	if _, err := k.orgs.AcceptInvite(t.Context(), ann, i.ID); err != nil || k.role(ann, o) != access.User {
		t.Errorf("accepted after it was resumed: %v", err)
	}
	// Of a suspension at the same moment, one waits for the other.
	late := k.invite(admin, o, "stranger@people.test", access.User)
	end := k.locked(o, "NO KEY UPDATE")
	accepted := make(chan error, 1)
	go func() { accepted <- ignore(k.orgs.AcceptInvite(context.Background(), stranger, late.ID)) }()
	k.untilBlocked()
	end(`UPDATE organizations SET suspended_at = now() WHERE id = $1`, o)
	if err := <-accepted; !errors.Is(err, org.ErrSuspended) || k.role(stranger, o) != access.NoRole {
		t.Errorf("accepted at that moment: %v", err)
	}
}

// What somebody does who is erased at that moment is refused as of nobody.
func TestWhoIsErasedMeanwhileIsNobody(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	people := user.NewService(postgres.NewUsers(k.db.DB), func() time.Time { return k.now })
	for name, act := range map[string]func(p access.Principal) error{
		"founds": func(p access.Principal) error { return ignore(k.orgs.Create(context.Background(), p, "Mill")) },
		"chooses": func(p access.Principal) error {
			return postgres.NewNotifyStore(k.db.DB).Choose(context.Background(), p.UserID, []notify.Choice{{Type: "event_updated", Channel: "email"}})
		},
	} {
		p := k.person(name)
		tx, err := k.db.System.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(t.Context(), `SELECT FROM users WHERE id = $1 FOR UPDATE`, p.UserID); err != nil {
			t.Fatal(err)
		}
		acted := make(chan error, 1)
		go func() { acted <- act(p) }()
		k.untilBlocked()
		if _, err := tx.Exec(t.Context(), `UPDATE users SET name = '', email = '', email_verified = false, erased_at = now() WHERE id = $1`, p.UserID); err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := <-acted; !errors.Is(err, fault.ErrUnauthenticated) {
			t.Errorf("who %s: %v", name, err)
		}
		if _, _, err := people.Me(t.Context(), p); !errors.Is(err, fault.ErrUnauthenticated) {
			t.Errorf("reads who they are: %v", err)
		}
		if _, _, err := people.Rename(t.Context(), p, "Ann"); !errors.Is(err, fault.ErrUnauthenticated) {
			t.Errorf("changes their name: %v", err)
		}
	}
}

// Holds at events that one may not see any more are given back with the role,
// others are kept.
func TestHoldsEndWithTheMembership(t *testing.T) {
	t.Parallel()
	db := testkit.NewDB(t)
	s := newSeller(t, db)
	orgs := org.NewService(postgres.NewOrgStore(db.DB), "http://localhost:3000", time.Now)
	orgs.OnRoleChange(func(ctx context.Context, userID uuid.UUID) {
		if err := s.ReleaseHidden(ctx, userID); err != nil {
			t.Error(err)
		}
	})
	o, admin := db.Org(t)
	inner, open := db.Event(t, o, 10, testkit.EventOptions{Visibility: "members"}), db.Event(t, o, 10, testkit.EventOptions{})
	end := map[string]func(p uuid.UUID) error{
		"removed": func(p uuid.UUID) error { return orgs.RemoveMember(t.Context(), as(admin), o, p) },
		"leaves":  func(p uuid.UUID) error { return orgs.RemoveMember(t.Context(), as(p), o, p) },
		"demoted": func(p uuid.UUID) error { return ignore(orgs.SetRole(t.Context(), as(admin), o, p, access.User)) },
	}
	for name, left := range map[string]int{"removed": 1, "leaves": 1, "demoted": 2} {
		p := db.Person(t)
		db.Member(t, o, p, "organizer")
		for _, e := range []uuid.UUID{inner, open} {
			if held, err := s.Hold(t.Context(), as(p), e, []int32{3}); err != nil || len(held.Granted) != 1 {
				t.Fatalf("%s: held %+v, %v", name, held, err)
			}
		}
		if err := end[name](p); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		at, err := s.holds.HeldAt(t.Context(), p)
		if err != nil || len(at) != left {
			t.Errorf("%s: holds at %d events are left, want %d, %v", name, len(at), left, err)
		}
		if err := s.ReleaseHolds(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
}

// An erasure takes the mails that were on their way along, and no other.
func TestAnErasureLeavesOtherMailsAlone(t *testing.T) {
	t.Parallel()
	e := newEraser(t)
	ann, email := e.marked(t)
	keep := func(id, to string, at time.Time) {
		e.exec(t, `INSERT INTO mailbox_mails (id, recipient, subject, text_body, html_body, created_at) VALUES ($1, $2, 's', '', '', $3)`, id, to, at)
	}
	older, told := uuid.NewString(), uuid.NewString()
	keep(older, "bob@people.test", time.Now().Add(-24*time.Hour)) // whose message is gone by now
	keep(told, "cem@people.test", time.Now())
	e.exec(t, `INSERT INTO notifications (id, fact_id, channel, type, title, message, status) VALUES ($1, gen_random_uuid(), 'email', 'x', 't', '', 'sent')`, told)
	if err := e.Erase(t.Context(), as(ann), email); err != nil {
		t.Fatal(err)
	}
	keep(uuid.NewString(), email, time.Now())
	if err := e.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := e.count(t, `SELECT count(*) FROM mailbox_mails WHERE id = ANY ($1)`, []string{older, told}); n != 2 {
		t.Errorf("%d of two mails to others are left", n)
	}
	if found := e.traces(t); len(found) > 0 {
		t.Errorf("the marker is still in %v", found)
	}
}

// An organization whose name was a link before names could not be one leads
// nobody there by its invites.
func TestAnInvitesMailHoldsNoLinkOfTheOrganization(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	admin := k.person("admin")
	o := k.org(admin, "Mill")
	k.exec(`UPDATE organizations SET name = 'https://evil.example.com' WHERE id = $1`, o)
	i := k.invite(admin, o, "ann@people.test", access.User)
	link, err := k.orgs.MintInviteLink(t.Context(), i.ID)
	if err != nil || link.OrgName != "https: evil. example. com" {
		t.Errorf("%+v, %v", link, err)
	}
	if u, err := url.Parse(link.URL); err != nil || u.Host != "localhost:3000" {
		t.Errorf("%v, %v", u, err)
	}
}
