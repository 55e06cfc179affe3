package postgres_test

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/fault"
	"happening/internal/org"
)

var visitor access.Principal

func (k *tenancy) invite(admin access.Principal, orgID uuid.UUID, email string, role access.Role) org.Invite {
	k.t.Helper()
	i, err := k.orgs.Invite(k.t.Context(), admin, orgID, email, role)
	if err != nil {
		k.t.Fatalf("invite: %v", err)
	}
	return i
}

func (k *tenancy) role(p access.Principal, orgID uuid.UUID) access.Role {
	k.t.Helper()
	r, err := k.orgs.RoleOf(k.t.Context(), p.UserID, orgID)
	if err != nil {
		k.t.Fatalf("role: %v", err)
	}
	return r
}

func TestWhoFoundsAnOrganizationRunsIt(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	admin, stranger := k.person("admin"), k.person("stranger")
	if _, err := k.orgs.Create(t.Context(), visitor, "Mill"); !errors.Is(err, fault.ErrUnauthenticated) {
		t.Errorf("visitor: %v", err)
	}
	if _, err := k.orgs.Create(t.Context(), admin, " "); err == nil {
		t.Error("an organization without a name")
	}
	made, err := k.orgs.Create(t.Context(), admin, " Mill ")
	if err != nil || made.Name != "Mill" || made.Role != access.OrgAdmin || made.ID.Version() != 7 {
		t.Fatalf("got %+v, %v", made, err)
	}
	for name, c := range map[string]struct {
		who  access.Principal
		role access.Role
	}{"admin": {admin, access.OrgAdmin}, "stranger": {stranger, access.NoRole}, "visitor": {visitor, access.NoRole}} {
		got, err := k.orgs.Get(t.Context(), c.who, made.ID)
		want := made
		want.Role = c.role
		if err != nil || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, want)
		}
	}
	if _, err := k.orgs.Get(t.Context(), admin, uuid.Must(uuid.NewV7())); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("absent: %v", err)
	}
	if got := k.role(stranger, made.ID); got != access.NoRole {
		t.Errorf("a stranger's role: %q", got)
	}
	if got := k.records(made.ID); got != "org.created" {
		t.Errorf("record: %s", got)
	}
}

func TestMyOrganizationsInPages(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	me, other := k.person("me"), k.person("other")
	var want, got []string
	for i := range 5 {
		want = append(want, fmt.Sprint(i))
		k.org(me, fmt.Sprint(i))
		k.org(other, "Not mine")
	}
	for cursor, pages := "", 0; pages == 0 || cursor != ""; pages++ {
		orgs, next, err := k.orgs.Mine(t.Context(), me, cursor, 2)
		if err != nil || pages > 3 {
			t.Fatalf("page %d: %v", pages, err)
		}
		for _, o := range orgs {
			got = append(got, o.Name)
		}
		cursor = next
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for name, c := range map[string]struct {
		cursor string
		limit  int
	}{"cursor": {"x", 1}, "long cursor": {strings.Repeat("A", 23), 1}, "no limit": {"", 0}, "limit": {"", 101}} {
		var f *fault.Error
		if _, _, err := k.orgs.Mine(t.Context(), me, c.cursor, c.limit); !errors.As(err, &f) || f.Kind != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := k.orgs.Mine(t.Context(), visitor, "", 1); !errors.Is(err, fault.ErrUnauthenticated) {
		t.Errorf("visitor: %v", err)
	}
}

func TestMembersAreSeenByMembers(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	admin, user, stranger := k.person("admin"), k.person("user"), k.person("stranger")
	o := k.org(admin, "Mill")
	k.org(stranger, "Barn")
	k.join(o, user, access.User)
	members, next, err := k.orgs.Members(t.Context(), user, o, org.MemberFilter{}, "", 10)
	if err != nil || next != "" || len(members) != 2 {
		t.Fatalf("got %+v, %q, %v", members, next, err)
	}
	if m := members[0]; m.UserID != admin.UserID || m.Email != "" || m.Role != access.OrgAdmin || !m.CreatedAt.Equal(tenancyStart) {
		t.Errorf("first: %+v", m)
	}
	if first, next, err := k.orgs.Members(t.Context(), user, o, org.MemberFilter{}, "", 1); err != nil || len(first) != 1 || next == "" {
		t.Errorf("first page: %v, %q, %v", first, next, err)
	} else if rest, next, err := k.orgs.Members(t.Context(), user, o, org.MemberFilter{}, next, 1); err != nil || next != "" || len(rest) != 1 || rest[0].UserID != user.UserID {
		t.Errorf("second page: %v, %q, %v", rest, next, err)
	}
	for name, c := range map[string]struct {
		who  access.Principal
		org  uuid.UUID
		want error
	}{
		"stranger": {stranger, o, fault.ErrForbidden}, "visitor": {visitor, o, fault.ErrUnauthenticated},
		"absent": {admin, uuid.Must(uuid.NewV7()), fault.ErrNotFound},
	} {
		if _, _, err := k.orgs.Members(t.Context(), c.who, c.org, org.MemberFilter{}, "", 10); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func TestWhoMayInvite(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	admin, organizer, stranger := k.person("admin"), k.person("organizer"), k.person("stranger")
	o, closed := k.org(admin, "Mill"), k.org(admin, "Closed")
	k.join(o, organizer, access.Organizer)
	k.suspend(closed)
	for name, c := range map[string]struct {
		who  access.Principal
		org  uuid.UUID
		want error
	}{
		"orgAdmin": {admin, o, nil}, "organizer": {organizer, o, fault.ErrForbidden}, "stranger": {stranger, o, fault.ErrForbidden},
		"visitor": {visitor, o, fault.ErrUnauthenticated}, "absent": {admin, uuid.Must(uuid.NewV7()), fault.ErrNotFound},
		"suspended": {admin, closed, org.ErrSuspended},
	} {
		if _, err := k.orgs.Invite(t.Context(), c.who, c.org, "ann@example.org", access.User); !errors.Is(err, c.want) {
			t.Errorf("invite by %s: got %v, want %v", name, err, c.want)
		}
		want := c.want
		if errors.Is(want, org.ErrSuspended) {
			want = nil
		}
		if _, _, err := k.orgs.InvitesOf(t.Context(), c.who, c.org, "", 10); !errors.Is(err, want) {
			t.Errorf("list by %s: got %v, want %v", name, err, want)
		}
	}
}

func TestAnInviteAnswersTheSameWhetherAnAccountExists(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	admin, known := k.person("admin"), k.person("known")
	claimant := k.personWith("Unverified@people.test", false)
	o := k.org(admin, "Mill")
	for _, c := range []struct{ email, user string }{
		{" Known@People.test", known.UserID.String()}, {"unverified@people.test", "null"}, {"nobody@people.test", "null"},
	} {
		i := k.invite(admin, o, c.email, access.Organizer)
		same := org.Invite{
			ID: i.ID, OrgID: o, OrgName: "Mill", Email: strings.ToLower(strings.TrimSpace(c.email)), Role: access.Organizer, Status: org.Pending,
			InvitedBy: admin.UserID, CreatedAt: tenancyStart, ExpiresAt: tenancyStart.Add(7 * 24 * time.Hour), SentAt: tenancyStart, Sends: 1,
		}
		if i != same {
			t.Errorf("%s: got %+v, want %+v", c.email, i, same)
		}
		fact := k.one(`SELECT kind || ' ' || coalesce(user_id::text, 'null') || ' ' || org_id || ' ' || payload::text FROM outbox WHERE payload ->> 'invite_id' = $1`, i.ID)
		if want := fmt.Sprintf(`org.invited %s %s {"invite_id": "%s"}`, c.user, o, i.ID); fact != want {
			t.Errorf("fact: got  %s\nwant %s", fact, want)
		}
		if record := k.one(`SELECT action || ' ' || after::text FROM audit_log WHERE subject_id = $1`, i.ID); record != `invite.created {"role": "organizer"}` {
			t.Errorf("record: %s", record)
		}
	}
	if got := k.one(`SELECT count(*)::text FROM outbox`); got != "3" {
		t.Errorf("%s facts, want 3", got)
	}
	if mine, _, err := k.orgs.InvitesToMe(t.Context(), claimant, "", 10); err != nil || len(mine) != 0 {
		t.Errorf("an unverified address counts: %v, %v", mine, err)
	}
}

func TestAnInviteIsRefusedWithoutATrace(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	admin := k.person("admin")
	o := k.org(admin, "Mill")
	k.invite(admin, o, "ann@example.org", access.User)
	before := k.one(`SELECT count(*) || ' ' || (SELECT count(*) FROM outbox) || ' ' || (SELECT count(*) FROM organization_invites) FROM audit_log`)
	var bad *fault.Error
	if _, err := k.orgs.Invite(t.Context(), admin, o, "ann", "owner"); !errors.As(err, &bad) || len(bad.Fields) != 2 {
		t.Errorf("bad fields: %v", err)
	}
	if _, err := k.orgs.Invite(t.Context(), admin, o, "ADMIN@people.test", access.User); !errors.Is(err, org.ErrAlreadyMember) {
		t.Errorf("a member: %v", err)
	}
	if _, err := k.orgs.Invite(t.Context(), admin, o, "Ann@example.org", access.Organizer); !errors.Is(err, org.ErrAlreadyInvited) {
		t.Errorf("a second invite: %v", err)
	}
	if after := k.one(`SELECT count(*) || ' ' || (SELECT count(*) FROM outbox) || ' ' || (SELECT count(*) FROM organization_invites) FROM audit_log`); after != before {
		t.Errorf("records, facts, invites: %s, before %s", after, before)
	}
	k.now = k.now.Add(org.InviteLife)
	k.invite(admin, o, "ann@example.org", access.Organizer)
	if got := k.one(`SELECT string_agg(status, ' ' ORDER BY id) FROM organization_invites`); got != "expired pending" {
		t.Errorf("invited anew after the first has expired: %s", got)
	}
}

func TestPendingInvitesAreBounded(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	admin := k.person("admin")
	o := k.org(admin, "Mill")
	k.exec(`
		INSERT INTO organization_invites (id, org_id, email, role, invited_by, expires_at)
		SELECT gen_random_uuid(), $1, 'p' || n || '@example.org', 'user', $2, $3 FROM generate_series(1, $4::int) n`,
		o, admin.UserID, tenancyStart.Add(time.Hour), org.MaxPendingInvites)
	if _, err := k.orgs.Invite(t.Context(), admin, o, "ann@example.org", access.User); !errors.Is(err, org.ErrTooManyInvites) {
		t.Errorf("got %v", err)
	}
	k.now = k.now.Add(time.Hour)
	k.invite(admin, o, "ann@example.org", access.User)
}

func TestOnePersonFoundsSoManyOrganizations(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	busy, other := k.person("busy"), k.person("other")
	won, rest := atOnce(2*org.MaxFounded, func(n int) error {
		_, err := k.orgs.Create(t.Context(), busy, fmt.Sprint(n))
		return err
	})
	if won != org.MaxFounded || !onlyErrors(rest, org.ErrTooManyOrgs) {
		t.Errorf("%d were founded; the rest: %v", won, rest)
	}
	if got := k.one(`SELECT count(*)::text FROM organizations`); got != fmt.Sprint(org.MaxFounded) {
		t.Errorf("%s organizations", got)
	}
	k.org(other, "Mill")
}

func TestAnInviterIsBoundedByTheDay(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	admin, other := k.person("admin"), k.person("other")
	mill, barn := k.org(admin, "Mill"), k.org(admin, "Barn")
	k.join(barn, other, access.OrgAdmin)
	// All but three of the day's, over both organizations, an hour ago.
	k.exec(`
		INSERT INTO organization_invites (id, org_id, email, role, status, invited_by, created_at, expires_at)
		SELECT gen_random_uuid(), CASE n % 2 WHEN 0 THEN $1::uuid ELSE $2 END, 'p' || n || '@example.org', 'user', 'revoked', $3, $4, $5
		FROM generate_series(1, $6::int) n`,
		mill, barn, admin.UserID, tenancyStart.Add(-time.Hour), tenancyStart.Add(time.Hour), org.MaxInvitesBy-3)
	won, rest := atOnce(10, func(n int) error {
		_, err := k.orgs.Invite(t.Context(), admin, mill, fmt.Sprintf("at-once-%d@example.org", n), access.User)
		return err
	})
	if won != 3 || !onlyErrors(rest, org.ErrInvitesToday) {
		t.Errorf("%d were made; the rest: %v", won, rest)
	}
	var f *fault.Error
	if _, err := k.orgs.Invite(t.Context(), admin, barn, "ann@example.org", access.User); !errors.As(err, &f) || f.Kind != fault.TooMany || f.RetryAfter != org.InviteWindow-time.Hour {
		t.Errorf("one more: %v, again after %v", err, f.RetryAfter)
	}
	k.invite(other, barn, "ann@example.org", access.User)
	k.now = k.now.Add(f.RetryAfter)
	k.invite(admin, mill, "ann@example.org", access.User)
}

func TestAnAddressIsInvitedSoOftenADayWhoeverItBelongsTo(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	ann := k.person("ann")
	var answers []string
	for _, email := range []string{"ann@people.test", "nobody@people.test"} {
		admins := make([]access.Principal, org.MaxInvitesTo+5)
		orgs := make([]uuid.UUID, len(admins))
		for n := range admins {
			admins[n] = k.person(fmt.Sprintf("%d-%s", n, email[:3]))
			orgs[n] = k.org(admins[n], fmt.Sprint(n))
		}
		won, rest := atOnce(len(admins), func(n int) error {
			_, err := k.orgs.Invite(t.Context(), admins[n], orgs[n], email, access.User)
			return err
		})
		if won != org.MaxInvitesTo || !onlyErrors(rest, org.ErrInvitesToday) {
			t.Errorf("%s: %d were made; the rest: %v", email, won, rest)
		}
		answers = append(answers, fmt.Sprintf("%+v", rest))
	}
	if a, b := k.one(`SELECT count(*)::text FROM organization_invites WHERE email = 'ann@people.test'`), k.one(`SELECT count(*)::text FROM outbox WHERE user_id = $1`, ann.UserID); a != b {
		t.Errorf("%s invites, %s facts", a, b)
	}
	if answers[0] != answers[1] {
		t.Errorf("the answers differ:\n%s\n%s", answers[0], answers[1])
	}
	k.now = k.now.Add(org.InviteWindow)
	admin := k.person("late")
	k.invite(admin, k.org(admin, "Late"), "ann@people.test", access.User)
}

func TestOfManyInvitesToOneAddressAtOnceOneIsMade(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	admin := k.person("admin")
	o := k.org(admin, "Mill")
	won, rest := atOnce(20, func(int) error {
		_, err := k.orgs.Invite(t.Context(), admin, o, "ann@example.org", access.User)
		return err
	})
	if won != 1 || !onlyErrors(rest, org.ErrAlreadyInvited) {
		t.Errorf("%d were made; the rest: %v", won, rest)
	}
	if got := k.one(`SELECT count(*)::text FROM outbox`); got != "1" {
		t.Errorf("%s facts", got)
	}
}

func TestAcceptAndReject(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	admin, ann, bob := k.person("admin"), k.person("Ann"), k.person("bob")
	claimant := k.personWith("ann@people.test", false)
	mill, barn := k.org(admin, "Mill"), k.org(admin, "Barn")
	yes, no := k.invite(admin, mill, "ann@people.test", access.Organizer), k.invite(admin, barn, "ann@people.test", access.User)

	mine, next, err := k.orgs.InvitesToMe(t.Context(), ann, "", 10)
	if err != nil || next != "" || !slices.Equal(mine, []org.Invite{no, yes}) {
		t.Errorf("to Ann: %+v, %q, %v", mine, next, err)
	}
	for name, c := range map[string]struct {
		who  access.Principal
		want error
	}{"another": {bob, fault.ErrNotFound}, "who only claims the address": {claimant, fault.ErrNotFound}, "the admin": {admin, fault.ErrNotFound}, "a visitor": {visitor, fault.ErrUnauthenticated}} {
		if _, err := k.orgs.AcceptInvite(t.Context(), c.who, yes.ID); !errors.Is(err, c.want) {
			t.Errorf("accepted by %s: got %v, want %v", name, err, c.want)
		}
		if _, err := k.orgs.RejectInvite(t.Context(), c.who, yes.ID); !errors.Is(err, c.want) {
			t.Errorf("rejected by %s: got %v, want %v", name, err, c.want)
		}
	}
	accepted, err := k.orgs.AcceptInvite(t.Context(), ann, yes.ID)
	if err != nil || accepted.Status != org.Accepted || accepted.OrgName != "Mill" || k.role(ann, mill) != access.Organizer {
		t.Errorf("accept: %+v, %v, role %s", accepted, err, k.role(ann, mill))
	}
	rejected, err := k.orgs.RejectInvite(t.Context(), ann, no.ID)
	if err != nil || rejected.Status != org.Rejected || k.role(ann, barn) != access.NoRole {
		t.Errorf("reject: %+v, %v", rejected, err)
	}
	for _, i := range []org.Invite{yes, no} {
		if _, err := k.orgs.AcceptInvite(t.Context(), ann, i.ID); !errors.Is(err, org.ErrInviteNotPending) {
			t.Errorf("again: %v", err)
		}
		if _, err := k.orgs.RejectInvite(t.Context(), ann, i.ID); !errors.Is(err, org.ErrInviteNotPending) {
			t.Errorf("rejected afterwards: %v", err)
		}
		if err := k.orgs.RevokeInvite(t.Context(), admin, i.ID); !errors.Is(err, org.ErrInviteNotPending) {
			t.Errorf("revoked afterwards: %v", err)
		}
	}
	if _, err := k.orgs.AcceptInvite(t.Context(), ann, uuid.Must(uuid.NewV7())); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("absent: %v", err)
	}
	if mine, _, err := k.orgs.InvitesToMe(t.Context(), ann, "", 10); err != nil || len(mine) != 0 {
		t.Errorf("left to answer: %v, %v", mine, err)
	}
	if got := k.records(mill); got != "org.created invite.created member.joined" {
		t.Errorf("Mill's record: %s", got)
	}
	if got := k.records(barn); got != "org.created invite.created invite.rejected" {
		t.Errorf("Barn's record: %s", got)
	}
	if got := k.one(`SELECT (before IS NULL) || ' ' || actor_id || ' ' || after::text FROM audit_log WHERE action = 'member.joined'`); got != fmt.Sprintf(`true %s {"role": "organizer", "invite_id": "%s"}`, ann.UserID, yes.ID) {
		t.Errorf("entry: %s", got)
	}
}

func TestAnInviteNeverLowersARole(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	admin := k.person("admin")
	o := k.org(admin, "Mill")
	roles := []access.Role{access.User, access.Organizer, access.OrgAdmin}
	for _, has := range roles {
		for _, gets := range roles {
			name := strings.ToLower(string(has + "-" + gets))
			p := k.person(name)
			i := k.invite(admin, o, name+"@people.test", gets)
			// They became a member in another way since they were invited.
			k.join(o, p, has)
			if _, err := k.orgs.AcceptInvite(t.Context(), p, i.ID); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			want := has
			if gets.Above(has) {
				want = gets
			}
			if got := k.role(p, o); got != want {
				t.Errorf("%s invited as %s: is %s, want %s", has, gets, got, want)
			}
			if got := k.one(`SELECT (before->>'role') || ' ' || (after->>'role') FROM audit_log WHERE subject_id = $1`, p.UserID); got != string(has+" "+want) {
				t.Errorf("entry: %s", got)
			}
		}
	}
}

func TestAnExpiredInviteCannotBeAnswered(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	admin, ann := k.person("admin"), k.person("ann")
	o := k.org(admin, "Mill")
	i := k.invite(admin, o, "ann@people.test", access.User)
	k.now = i.ExpiresAt
	if _, err := k.orgs.AcceptInvite(t.Context(), ann, i.ID); !errors.Is(err, org.ErrInviteNotPending) {
		t.Errorf("accept: %v", err)
	}
	if err := k.orgs.RevokeInvite(t.Context(), admin, i.ID); !errors.Is(err, org.ErrInviteNotPending) {
		t.Errorf("revoke: %v", err)
	}
	if _, err := k.orgs.MintInviteLink(t.Context(), i.ID); !errors.Is(err, org.ErrInviteNotPending) {
		t.Errorf("link: %v", err)
	}
	if mine, _, err := k.orgs.InvitesToMe(t.Context(), ann, "", 10); err != nil || len(mine) != 0 {
		t.Errorf("to answer: %v, %v", mine, err)
	}
	list, _, err := k.orgs.InvitesOf(t.Context(), admin, o, "", 10)
	if err != nil || len(list) != 1 || list[0].Status != org.Expired {
		t.Errorf("list before any sweep: %+v, %v", list, err)
	}
	if n, err := k.orgs.Sweep(t.Context()); n != 1 || err != nil {
		t.Errorf("sweep: %d, %v", n, err)
	}
	if n, err := k.orgs.Sweep(t.Context()); n != 0 || err != nil {
		t.Errorf("second sweep: %d, %v", n, err)
	}
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	admin, ann, stranger, organizer := k.person("admin"), k.person("ann"), k.person("stranger"), k.person("organizer")
	o := k.org(admin, "Mill")
	k.join(o, organizer, access.Organizer)
	i := k.invite(admin, o, "ann@people.test", access.User)
	for name, c := range map[string]struct {
		who  access.Principal
		want error
	}{
		"stranger": {stranger, fault.ErrNotFound}, "visitor": {visitor, fault.ErrNotFound},
		"organizer": {organizer, fault.ErrNotFound}, "the invited": {ann, fault.ErrForbidden},
	} {
		if err := k.orgs.RevokeInvite(t.Context(), c.who, i.ID); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	if err := k.orgs.RevokeInvite(t.Context(), admin, i.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := k.orgs.AcceptInvite(t.Context(), ann, i.ID); !errors.Is(err, org.ErrInviteNotPending) || k.role(ann, o) != access.NoRole {
		t.Errorf("accepted after the revocation: %v", err)
	}
	if err := k.orgs.RevokeInvite(t.Context(), admin, uuid.Must(uuid.NewV7())); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("absent: %v", err)
	}
	k.invite(admin, o, "ann@people.test", access.User)
	if got := k.records(o); got != "org.created invite.created invite.revoked invite.created" {
		t.Errorf("record: %s", got)
	}
}

func TestOfManyAnswersAtOnceOneCounts(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	admin, ann := k.person("admin"), k.person("ann")
	o := k.org(admin, "Mill")
	i := k.invite(admin, o, "ann@people.test", access.User)
	won, rest := atOnce(100, func(int) error {
		_, err := k.orgs.AcceptInvite(t.Context(), ann, i.ID)
		return err
	})
	if won != 1 || !onlyErrors(rest, org.ErrInviteNotPending) {
		t.Errorf("%d of 100 won; the rest: %v", won, rest)
	}
	if got := k.records(o); got != "org.created invite.created member.joined" {
		t.Errorf("record: %s", got)
	}
}

func TestAcceptAgainstRevoke(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	admin, ann := k.person("admin"), k.person("ann")
	o := k.org(admin, "Mill")
	for round := range answerRounds {
		// A new day, so that no limit of invites is in the way, and Ann starts
		// anew.
		k.now = k.now.Add(org.InviteWindow)
		k.exec(`DELETE FROM organization_users WHERE org_id = $1 AND user_id = $2`, o, ann.UserID)
		i := k.invite(admin, o, "ann@people.test", access.User)
		var accepted, revoked error
		won, rest := atOnce(2, func(n int) error {
			if n == 0 {
				_, accepted = k.orgs.AcceptInvite(t.Context(), ann, i.ID)
				return accepted
			}
			revoked = k.orgs.RevokeInvite(t.Context(), admin, i.ID)
			return revoked
		})
		if won != 1 || !onlyErrors(rest, org.ErrInviteNotPending) {
			t.Fatalf("round %d: accept: %v, revoke: %v", round, accepted, revoked)
		}
		if member := k.role(ann, o) != access.NoRole; member != (accepted == nil) {
			t.Fatalf("accept: %v, but a member: %v", accepted, member)
		}
	}
}

func TestTheMailedLink(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	admin, ann, bob := k.person("admin"), k.person("ann"), k.person("bob")
	o := k.org(admin, "Mill")
	i := k.invite(admin, o, "ann@people.test", access.Organizer)
	token := func() string {
		link, err := k.orgs.MintInviteLink(t.Context(), i.ID)
		if err != nil || link.Email != "ann@people.test" || link.OrgName != "Mill" || link.Role != access.Organizer {
			t.Fatalf("link: %+v, %v", link, err)
		}
		u, err := url.Parse(link.URL)
		if err != nil || u.Host != "localhost:3000" || u.Path != "/invites" || len(u.Query().Get("token")) != 43 {
			t.Fatalf("link: %s, %v", link.URL, err)
		}
		return u.Query().Get("token")
	}
	old, fresh := token(), token()
	if got := k.one(`SELECT count(*)::text FROM organization_invites i WHERE i::text LIKE '%' || $1 || '%'`, fresh); got != "0" {
		t.Error("the secret is stored")
	}
	for name, c := range map[string]struct {
		who  access.Principal
		mine bool
		role access.Role
	}{"ann": {ann, true, ""}, "bob": {bob, false, ""}, "visitor": {visitor, false, ""}, "admin": {admin, false, access.OrgAdmin}} {
		got, err := k.orgs.InviteByToken(t.Context(), c.who, fresh)
		if err != nil || got.Invite != i || got.ToCaller != c.mine || got.CallerRole != c.role {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
	for _, bad := range []string{old, "", "x", strings.Repeat("A", 43), fresh + "A", "é" + fresh[2:]} {
		if _, err := k.orgs.InviteByToken(t.Context(), ann, bad); !errors.Is(err, fault.ErrNotFound) {
			t.Errorf("token %q: %v", bad, err)
		}
	}
	if _, err := k.orgs.AcceptInvite(t.Context(), ann, i.ID); err != nil {
		t.Fatal(err)
	}
	if got, err := k.orgs.InviteByToken(t.Context(), ann, fresh); err != nil || got.Status != org.Accepted {
		t.Errorf("afterwards: %+v, %v", got, err)
	}
	if _, err := k.orgs.MintInviteLink(t.Context(), i.ID); !errors.Is(err, org.ErrInviteNotPending) {
		t.Errorf("a link for an answered invite: %v", err)
	}
	if _, err := k.orgs.MintInviteLink(t.Context(), uuid.Must(uuid.NewV7())); !errors.Is(err, org.ErrInviteNotPending) {
		t.Errorf("a link for no invite: %v", err)
	}
}

// atOnce runs f n times at once and gives how many succeeded and the errors of
// the others.
func atOnce(n int, f func(i int) error) (won int, rest []error) {
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	errs := make([]error, n)
	for i := range n {
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			<-start
			errs[i] = f(i)
		})
	}
	ready.Wait()
	close(start)
	done.Wait()
	for _, err := range errs {
		if err == nil {
			won++
		} else {
			rest = append(rest, err)
		}
	}
	return won, rest
}

func onlyErrors(errs []error, want error) bool {
	return !slices.ContainsFunc(errs, func(err error) bool { return !errors.Is(err, want) })
}
