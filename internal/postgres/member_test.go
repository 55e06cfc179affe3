package postgres_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
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
	"happening/internal/user"
)

func (k *tenancy) setRole(admin access.Principal, orgID uuid.UUID, p access.Principal, role access.Role) {
	k.t.Helper()
	if _, err := k.orgs.SetRole(k.t.Context(), admin, orgID, p.UserID, role); err != nil {
		k.t.Fatalf("set role: %v", err)
	}
}

// lastRecord gives the newest line of an organization's record, whole.
func (k *tenancy) lastRecord(orgID uuid.UUID) string {
	k.t.Helper()
	return k.one(`
		SELECT concat_ws(' ', action, actor_id, subject_id, coalesce(before::text, '-'), coalesce(after::text, '-'))
		FROM audit_log WHERE org_id = $1 ORDER BY id DESC LIMIT 1`, orgID)
}

func TestARoleIsChangedByAdminsAndRecorded(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	admin, ann, organizer, stranger := k.person("admin"), k.person("ann"), k.person("organizer"), k.person("stranger")
	o, other := k.org(admin, "Mill"), k.org(stranger, "Barn")
	k.join(o, ann, access.User)
	k.join(o, organizer, access.Organizer)
	for name, c := range map[string]struct {
		who  access.Principal
		org  uuid.UUID
		whom access.Principal
		want error
	}{
		"an organizer": {organizer, o, ann, fault.ErrForbidden}, "the member": {ann, o, ann, fault.ErrForbidden},
		"an admin elsewhere": {stranger, o, ann, fault.ErrForbidden}, "a visitor": {visitor, o, ann, fault.ErrUnauthenticated},
		"in no organization": {admin, uuid.Must(uuid.NewV7()), ann, fault.ErrNotFound}, "of a stranger": {admin, o, stranger, fault.ErrNotFound},
		"of nobody": {admin, o, access.Principal{UserID: uuid.Must(uuid.NewV7())}, fault.ErrNotFound}, "elsewhere": {admin, other, stranger, fault.ErrForbidden},
	} {
		if _, err := k.orgs.SetRole(t.Context(), c.who, c.org, c.whom.UserID, access.Organizer); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	var bad *fault.Error
	if _, err := k.orgs.SetRole(t.Context(), admin, o, ann.UserID, "king"); !errors.As(err, &bad) || bad.Kind != fault.Invalid {
		t.Errorf("no role: %v", err)
	}
	if got := k.records(o); got != "org.created" {
		t.Errorf("record of refusals: %s", got)
	}
	m, err := k.orgs.SetRole(t.Context(), admin, o, ann.UserID, access.Organizer)
	if err != nil || m.UserID != ann.UserID || m.Role != access.Organizer || m.Email != "ann@people.test" || m.Name == "" || k.role(ann, o) != access.Organizer {
		t.Errorf("changed: %+v, %v", m, err)
	}
	want := fmt.Sprintf(`member.role_changed %s %s {"role": "user"} {"role": "organizer"}`, admin.UserID, ann.UserID)
	if got := k.lastRecord(o); got != want {
		t.Errorf("record: got  %s\nwant %s", got, want)
	}
	if m, err := k.orgs.SetRole(t.Context(), admin, o, ann.UserID, access.Organizer); err != nil || m.Role != access.Organizer {
		t.Errorf("the same role again: %+v, %v", m, err)
	}
	if got := k.records(o); got != "org.created member.role_changed" {
		t.Errorf("record of the same role again: %s", got)
	}
	if got := k.role(stranger, other); got != access.OrgAdmin {
		t.Errorf("elsewhere: %s", got)
	}
}

func TestMembersAreRemovedAndLeave(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	admin, ann, bob, organizer, stranger := k.person("admin"), k.person("ann"), k.person("bob"), k.person("organizer"), k.person("stranger")
	o := k.org(admin, "Mill")
	k.org(stranger, "Barn")
	k.join(o, ann, access.User)
	k.join(o, bob, access.User)
	k.join(o, organizer, access.Organizer)
	hidden := k.event(organizer, o, "Inner circle", 24, func(d *event.Draft) { d.Visibility = event.Members })
	for name, c := range map[string]struct {
		who, whom access.Principal
		org       uuid.UUID
		want      error
	}{
		"an organizer": {organizer, ann, o, fault.ErrForbidden}, "another member": {bob, ann, o, fault.ErrForbidden},
		"an admin elsewhere": {stranger, ann, o, fault.ErrForbidden}, "a visitor": {visitor, ann, o, fault.ErrUnauthenticated},
		"who is no member leaves": {stranger, stranger, o, fault.ErrNotFound}, "of a stranger": {admin, stranger, o, fault.ErrNotFound},
		"in no organization": {admin, ann, uuid.Must(uuid.NewV7()), fault.ErrNotFound},
	} {
		if err := k.orgs.RemoveMember(t.Context(), c.who, c.org, c.whom.UserID); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	if _, err := k.events.Get(t.Context(), ann, hidden.ID); err != nil {
		t.Fatal(err)
	}
	if err := k.orgs.RemoveMember(t.Context(), admin, o, ann.UserID); err != nil || k.role(ann, o) != access.NoRole {
		t.Fatalf("remove: %v", err)
	}
	if got, want := k.lastRecord(o), fmt.Sprintf(`member.removed %s %s {"role": "user"} -`, admin.UserID, ann.UserID); got != want {
		t.Errorf("record: got  %s\nwant %s", got, want)
	}
	if _, err := k.events.Get(t.Context(), ann, hidden.ID); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("who was removed sees members-only events: %v", err)
	}
	if err := k.orgs.RemoveMember(t.Context(), admin, o, ann.UserID); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("again: %v", err)
	}
	if err := k.orgs.RemoveMember(t.Context(), bob, o, bob.UserID); err != nil || k.role(bob, o) != access.NoRole {
		t.Fatalf("leave: %v", err)
	}
	if got, want := k.lastRecord(o), fmt.Sprintf(`member.left %s %s {"role": "user"} -`, bob.UserID, bob.UserID); got != want {
		t.Errorf("record: got  %s\nwant %s", got, want)
	}
	i := k.invite(admin, o, "ann@people.test", access.User)
	if _, err := k.orgs.AcceptInvite(t.Context(), ann, i.ID); err != nil || k.role(ann, o) != access.User {
		t.Errorf("who was removed is invited anew: %v", err)
	}
}

func TestTheLastAdminStays(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	admin, second := k.person("admin"), k.person("second")
	o := k.org(admin, "Mill")
	k.join(o, second, access.Organizer)
	for name, err := range map[string]error{
		"leave":        k.orgs.RemoveMember(t.Context(), admin, o, admin.UserID),
		"to user":      ignore(k.orgs.SetRole(t.Context(), admin, o, admin.UserID, access.User)),
		"to organizer": ignore(k.orgs.SetRole(t.Context(), admin, o, admin.UserID, access.Organizer)),
	} {
		if !errors.Is(err, org.ErrLastOrgAdmin) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := k.orgs.SetRole(t.Context(), admin, o, admin.UserID, access.OrgAdmin); err != nil {
		t.Errorf("to what they are: %v", err)
	}
	k.setRole(admin, o, second, access.OrgAdmin)
	k.setRole(admin, o, admin, access.User)
	if err := k.orgs.RemoveMember(t.Context(), second, o, second.UserID); !errors.Is(err, org.ErrLastOrgAdmin) {
		t.Errorf("the other is the last one now: %v", err)
	}
	if got := k.records(o); got != "org.created member.role_changed member.role_changed" {
		t.Errorf("record: %s", got)
	}
}

// ignore keeps the error of two results.
func ignore[T any](_ T, err error) error { return err }

// adminPairs are the ways in which two admins can end each other at once.
var adminPairs = []struct {
	name string
	a, b func(k *tenancy, o uuid.UUID, a, b access.Principal) error
}{
	{"demote each other", demotes(false), demotes(true)},
	{"remove each other", removes(false), removes(true)},
	{"both leave", leaves(false), leaves(true)},
	{"one leaves, the other is demoted", leaves(false), demotes(false)},
	{"one leaves, the other steps down", leaves(false), stepsDown(true)},
	{"both step down", stepsDown(false), stepsDown(true)},
	{"demotion against removal", demotes(false), removes(true)},
}

type adminAct = func(k *tenancy, o uuid.UUID, a, b access.Principal) error

// demotes is one admin making the other a user; turned, the other one does.
func demotes(turned bool) adminAct {
	return func(k *tenancy, o uuid.UUID, a, b access.Principal) error {
		if turned {
			a, b = b, a
		}
		_, err := k.orgs.SetRole(k.t.Context(), a, o, b.UserID, access.User)
		return err
	}
}

func removes(turned bool) adminAct {
	return func(k *tenancy, o uuid.UUID, a, b access.Principal) error {
		if turned {
			a, b = b, a
		}
		return k.orgs.RemoveMember(k.t.Context(), a, o, b.UserID)
	}
}

func leaves(turned bool) adminAct {
	return func(k *tenancy, o uuid.UUID, a, b access.Principal) error {
		if turned {
			a = b
		}
		return k.orgs.RemoveMember(k.t.Context(), a, o, a.UserID)
	}
}

func stepsDown(turned bool) adminAct {
	return func(k *tenancy, o uuid.UUID, a, b access.Principal) error {
		if turned {
			a = b
		}
		_, err := k.orgs.SetRole(k.t.Context(), a, o, a.UserID, access.Organizer)
		return err
	}
}

// Two admins who end each other at once, whichever way, leave exactly one.
func TestAdminsWhoEndEachOtherLeaveOne(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	a, b := k.person("a"), k.person("b")
	o := k.org(a, "Mill")
	for round := range memberRounds {
		k.exec(`INSERT INTO organization_users (org_id, user_id, role) VALUES ($1, $2, 'orgAdmin'), ($1, $3, 'orgAdmin')
			ON CONFLICT (org_id, user_id) DO UPDATE SET role = 'orgAdmin'`, o, a.UserID, b.UserID)
		pair := adminPairs[round%len(adminPairs)]
		won, rest := atOnce(2, func(n int) error { return []adminAct{pair.a, pair.b}[n](k, o, a, b) })
		admins := k.one(`SELECT count(*)::text FROM organization_users WHERE org_id = $1 AND role = 'orgAdmin'`, o)
		if won != 1 || admins != "1" {
			t.Fatalf("round %d, %s: %d succeeded, %s admins are left; refused: %v", round, pair.name, won, admins, rest)
		}
		// Who was demoted or removed first has no say any more; else it is the
		// last one.
		if !errors.Is(rest[0], org.ErrLastOrgAdmin) && !errors.Is(rest[0], fault.ErrForbidden) {
			t.Fatalf("round %d, %s: refused with %v", round, pair.name, rest[0])
		}
	}
	if got := k.one(`SELECT count(*)::text FROM audit_log WHERE action LIKE 'member.%'`); got != fmt.Sprint(memberRounds) {
		t.Errorf("%s lines in the record of %d changes", got, memberRounds)
	}
}

// The same where one of them has everything about themselves erased, which
// takes another way to the same lock.
func TestAnAdminWhoIsErasedMeanwhileLeavesOne(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	erasures := postgres.NewErasures(k.db.DB)
	ends := []adminAct{demotes(false), removes(false), leaves(false), stepsDown(false)}
	for round := range erasedRounds {
		a, b := k.person(fmt.Sprint("a", round)), k.person(fmt.Sprint("b", round))
		o := k.org(a, "Mill")
		k.join(o, b, access.OrgAdmin)
		// In half of the rounds, whom the other one is about to end.
		erased, email := b, fmt.Sprintf("b%d@people.test", round)
		if round%2 == 1 {
			erased, email = a, fmt.Sprintf("a%d@people.test", round)
		}
		won, rest := atOnce(2, func(n int) error {
			if n == 0 {
				return ends[round/2%len(ends)](k, o, a, b)
			}
			return erasures.Erase(t.Context(), user.Erasure{UserID: erased.UserID, Confirm: email, At: k.now})
		})
		admins := k.one(`SELECT count(*)::text FROM organization_users WHERE org_id = $1 AND role = 'orgAdmin'`, o)
		if admins != "1" {
			t.Fatalf("round %d: %d succeeded, %s admins are left; refused: %v", round, won, admins, rest)
		}
		for _, err := range rest {
			if !errors.Is(err, org.ErrLastOrgAdmin) && !errors.Is(err, fault.ErrForbidden) && !errors.Is(err, fault.ErrNotFound) {
				t.Fatalf("round %d: refused with %v", round, err)
			}
		}
	}
}

// The control: what two transactions decide by without the lock leaves nobody
// in charge, every time; with it the second one waits and sees the first.
func TestWithoutTheLockNobodyIsLeftInCharge(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	store := postgres.NewOrgStore(k.db.DB)
	both := func() (o uuid.UUID, a, b *postgres.Leaving) {
		first, second := k.person(uuid.NewString()), k.person(uuid.NewString())
		o = k.org(first, "Mill")
		k.join(o, second, access.OrgAdmin)
		a, err := store.BeginLeaving(t.Context(), o, first.UserID)
		if err != nil {
			t.Fatal(err)
		}
		if b, err = store.BeginLeaving(t.Context(), o, second.UserID); err != nil {
			t.Fatal(err)
		}
		return o, a, b
	}
	admins := func(o uuid.UUID) string {
		return k.one(`SELECT count(*)::text FROM organization_users WHERE org_id = $1`, o)
	}

	o, a, b := both()
	err := errors.Join(a.Decide(t.Context(), false), b.Decide(t.Context(), false), a.Finish(t.Context()), b.Finish(t.Context()))
	if err != nil || admins(o) != "0" {
		t.Errorf("without the lock %s admins are left, so the test shows nothing: %v", admins(o), err)
	}

	o, a, b = both()
	if err := a.Decide(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	decided := make(chan error)
	go func() { decided <- b.Decide(t.Context(), true) }()
	k.untilBlocked()
	if err := a.Finish(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-decided; !errors.Is(err, org.ErrLastOrgAdmin) {
		t.Errorf("with the lock the other one may leave, too: %v", err)
	}
	if err := b.GiveUp(t.Context()); err != nil || admins(o) != "1" {
		t.Errorf("with the lock %s admins are left: %v", admins(o), err)
	}
}

func TestMembersAreFound(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	admin := k.person("zed")
	o, other := k.org(admin, "Mill"), k.org(admin, "Barn")
	k.exec(`UPDATE users SET name = 'Zed' WHERE id = $1`, admin.UserID)
	add := func(orgID uuid.UUID, name, email string, role access.Role) access.Principal {
		p := k.personWith(email, true)
		k.exec(`UPDATE users SET name = $2 WHERE id = $1`, p.UserID, name)
		k.join(orgID, p, role)
		return p
	}
	organizer := add(o, "Ann-Marie O'Brien", "amb@mill.test", access.Organizer)
	user := add(o, "Özil Ann", "o_zil.ann@people.test", access.User)
	add(o, "100% Joe", "joe+news@people.test", access.User)
	add(o, `Back\slash (Kim)`, "kim@people.test", access.User)
	add(other, "Ann Elsewhere", "ann@elsewhere.test", access.User)
	for _, c := range []struct {
		who  access.Principal
		q    string
		role access.Role
		want string
	}{
		{user, "", "", `100% Joe, Ann-Marie O'Brien, Back\slash (Kim), Zed, Özil Ann`},
		{user, "ann", "", "Ann-Marie O'Brien, Özil Ann"},
		{user, " ANN ", "", "Ann-Marie O'Brien, Özil Ann"},
		{user, "mar", "", "Ann-Marie O'Brien"},
		{user, "bri", "", "Ann-Marie O'Brien"},
		{user, "o'b", "", "Ann-Marie O'Brien"},
		{user, "Ann-Marie O", "", "Ann-Marie O'Brien"},
		{user, "rie", "", ""},
		{user, "öz", "", "Özil Ann"},
		{user, "ÖZ", "", "Özil Ann"},
		{user, "%", "", ""},
		{user, "_", "", ""},
		{user, "100%", "", "100% Joe"},
		{user, "10_", "", ""},
		{user, `back\`, "", `Back\slash (Kim)`},
		{user, "kim", "", `Back\slash (Kim)`},
		{user, "amb", "", ""},         // an address
		{user, "people.test", "", ""}, // an address
		{organizer, "amb", "", "Ann-Marie O'Brien"},
		{organizer, "people", "", `100% Joe, Back\slash (Kim), Zed, Özil Ann`},
		{organizer, "news", "", "100% Joe"},
		{organizer, "o_zil", "", "Özil Ann"},
		{organizer, "ox", "", ""},
		{organizer, "zil.ann@people.test", "", "Özil Ann"},
		{organizer, "test", access.User, `100% Joe, Back\slash (Kim), Özil Ann`},
		{organizer, "", access.OrgAdmin, "Zed"},
		{admin, "ann", access.Organizer, "Ann-Marie O'Brien"},
		{admin, "elsewhere", "", ""},
	} {
		found, next, err := k.orgs.Members(t.Context(), c.who, o, org.MemberFilter{Query: c.q, Role: c.role}, "", 10)
		if err != nil || next != "" {
			t.Errorf("%q: %q, %v", c.q, next, err)
			continue
		}
		var names []string
		for _, m := range found {
			names = append(names, m.Name)
			if (m.Email == "") != (c.who == user) {
				t.Errorf("%q: %s is shown to have the address %q", c.q, m.Name, m.Email)
			}
		}
		slices.Sort(names)
		if got := strings.Join(names, ", "); got != c.want {
			t.Errorf("%q %s: got %s, want %s", c.q, c.role, got, c.want)
		}
	}
	for name, f := range map[string]org.MemberFilter{
		"role": {Role: "king"}, "long": {Query: strings.Repeat("ü", org.MaxMemberQuery+1)}, "zero": {Query: "a\x00b"}, "no text": {Query: "a\xff"}, "lines": {Query: "a\nb"},
	} {
		var bad *fault.Error
		if _, _, err := k.orgs.Members(t.Context(), admin, o, f, "", 10); !errors.As(err, &bad) || bad.Kind != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A write that is begun after a role change was answered is refused, however
// many are under way; one that began before may go either way.
func TestAWriteBegunAfterARoleChangeIsRefused(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	admin, organizer := k.person("admin"), k.person("organizer")
	o := k.org(admin, "Mill")
	k.join(o, organizer, access.User)
	start := k.now.Add(24 * time.Hour)
	draft := event.Draft{
		OrgID: o, Name: "Fair", Category: "meetup", StartsAt: start, EndsAt: start.Add(time.Hour), TimeZone: "Europe/Berlin", TotalSlots: 1,
	}
	early := 0
	for round := range writeRounds {
		k.setRole(admin, o, organizer, access.Organizer)
		var answered atomic.Bool
		var writers sync.WaitGroup
		counts, writing := make([]int, 2), make(chan struct{}, 2)
		for n := range counts {
			writers.Go(func() {
				for late := false; !late; {
					late = answered.Load()
					_, err := k.events.Create(t.Context(), organizer, draft)
					switch {
					case late && !errors.Is(err, fault.ErrForbidden):
						t.Errorf("round %d: a write begun after the answer: %v", round, err)
					case err == nil:
						counts[n]++
					case !errors.Is(err, fault.ErrForbidden):
						t.Errorf("round %d: %v", round, err)
					}
					if !late {
						select {
						case writing <- struct{}{}:
						default:
						}
					}
				}
			})
		}
		<-writing
		k.setRole(admin, o, organizer, access.User)
		answered.Store(true)
		writers.Wait()
		if t.Failed() {
			return
		}
		early += counts[0] + counts[1]
	}
	if got := k.one(`SELECT count(*)::text FROM events`); got != fmt.Sprint(early) {
		t.Errorf("%s events, %d were answered", got, early)
	}
}

// With the application's check left out, the database refuses such a write. The
// control: a context that was entered before the change lets it through, which
// is what a role that is remembered would be.
func TestARoleIsLookedAtByEachWrite(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	admin, organizer := k.person("admin"), k.person("organizer")
	o := k.org(admin, "Mill")
	k.join(o, organizer, access.Organizer)
	late := k.event(organizer, o, "Fair", 24, nil)
	rename := func(name string) func(tx pgx.Tx) error {
		return func(tx pgx.Tx) error {
			tag, err := tx.Exec(t.Context(), `UPDATE events SET name = $2 WHERE id = $1`, late.ID, name)
			if err == nil && tag.RowsAffected() != 1 {
				err = fault.ErrNotFound
			}
			return err
		}
	}
	err := k.db.WriteUnlocked(t.Context(), organizer.UserID, o, access.EventWrite, func(tx pgx.Tx) error {
		k.setRole(admin, o, organizer, access.User)
		return rename("Entered early")(tx)
	})
	if got := k.one(`SELECT name FROM events`); err != nil || got != "Entered early" {
		t.Errorf("a context from before the change: %v, the event is called %s; the test shows nothing", err, got)
	}
	err = k.db.WriteAs(t.Context(), organizer.UserID, o, access.EventWrite, rename("Entered late"))
	if got := k.one(`SELECT name FROM events`); !errors.Is(err, fault.ErrForbidden) || got != "Entered early" {
		t.Errorf("a context from after the change: %v, the event is called %s", err, got)
	}
	store := postgres.NewEventStore(k.db.DB)
	again := late.Event
	again.ID = uuid.Must(uuid.NewV7())
	_, err = store.InsertEvent(t.Context(), again, audit.Entry{OrgID: o, ActorID: organizer.UserID, Action: audit.EventCreated, SubjectID: again.ID, At: k.now})
	if !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("a new event without the application's check: %v", err)
	}
}
