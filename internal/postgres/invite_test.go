package postgres_test

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/fault"
	"happening/internal/org"
	"happening/internal/postgres"
)

// inviteMany invites a list and gives the outcomes in their order.
func (k *tenancy) inviteMany(admin access.Principal, orgID uuid.UUID, emails ...string) ([]org.Line, string) {
	k.t.Helper()
	lines, err := k.orgs.InviteMany(k.t.Context(), admin, orgID, access.User, emails)
	if err != nil {
		k.t.Fatalf("invite many: %v", err)
	}
	var outcomes []string
	for n, line := range lines {
		if line.Email != emails[n] {
			k.t.Errorf("line %d is about %q, want %q", n, line.Email, emails[n])
		}
		if (line.Outcome == org.OutcomeInvited) != (line.Invite.ID != uuid.Nil) {
			k.t.Errorf("line %d: %s with the invite %s", n, line.Outcome, line.Invite.ID)
		}
		outcomes = append(outcomes, string(line.Outcome))
	}
	return lines, strings.Join(outcomes, " ")
}

func TestManyAreInvitedAndOneThatFailsStopsNobody(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	admin, known := k.person("admin"), k.person("known")
	o, other := k.org(admin, "Mill"), k.org(known, "Barn")
	k.invite(admin, o, "waiting@people.test", access.User)
	k.invite(known, other, "elsewhere@people.test", access.User)
	for range org.MaxInvitesTo {
		k.exec(`INSERT INTO organization_invites (id, org_id, email, role, status, invited_by, created_at, expires_at)
			VALUES (gen_random_uuid(), $1, 'popular@people.test', 'user', 'rejected', $2, $3, $4)`,
			other, known.UserID, tenancyStart.Add(-time.Hour), tenancyStart.Add(time.Hour))
	}
	lines, outcomes := k.inviteMany(admin, o,
		"ann@people.test", " Known@People.test ", "ANN@people.test", "nobody", "", "Bob <bob@people.test>",
		"ADMIN@people.test", "waiting@people.test", "elsewhere@people.test", "popular@people.test", "nobody", "a,b@people.test", "bob@people.test")
	want := "invited invited repeated invalid invalid invalid already_member already_invited invited limit invalid invalid invited"
	if outcomes != want {
		t.Fatalf("got  %s\nwant %s", outcomes, want)
	}
	first := lines[0].Invite
	same := org.Invite{
		ID: first.ID, OrgID: o, OrgName: "Mill", Email: "ann@people.test", Role: access.User, Status: org.Pending, InvitedBy: admin.UserID,
		CreatedAt: tenancyStart, ExpiresAt: tenancyStart.Add(org.InviteLife), SentAt: tenancyStart, Sends: 1,
	}
	if first != same {
		t.Errorf("got  %+v\nwant %+v", first, same)
	}
	list, _, err := k.orgs.InvitesOf(t.Context(), admin, o, "", 10)
	if err != nil || len(list) != 5 || !slices.Contains(list, first) {
		t.Errorf("listed: %+v, %v", list, err)
	}
	if got := k.records(o); got != "org.created"+strings.Repeat(" invite.created", 5) {
		t.Errorf("record: %s", got)
	}
	facts := k.one(`SELECT string_agg(coalesce(user_id::text, '-'), ' ' ORDER BY id) FROM outbox WHERE org_id = $1`, o)
	if want := fmt.Sprintf("- - %s - -", known.UserID); facts != want {
		t.Errorf("told: got  %s\nwant %s", facts, want)
	}
	if _, outcomes := k.inviteMany(admin, o, "ann@people.test", "x"); outcomes != "already_invited invalid" {
		t.Errorf("once more: %s", outcomes)
	}
}

func TestWhoMayInviteMany(t *testing.T) {
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
		"organizer": {organizer, o, fault.ErrForbidden}, "stranger": {stranger, o, fault.ErrForbidden}, "visitor": {visitor, o, fault.ErrUnauthenticated},
		"absent": {admin, uuid.Must(uuid.NewV7()), fault.ErrNotFound}, "suspended": {admin, closed, org.ErrSuspended},
	} {
		if _, err := k.orgs.InviteMany(t.Context(), c.who, c.org, access.User, []string{"ann@people.test"}); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	for name, c := range map[string]struct {
		role   access.Role
		emails []string
		fields int
	}{
		"no role": {"king", []string{"ann@people.test"}, 1}, "nobody": {access.User, nil, 1}, "both": {"", nil, 2},
		"too many": {access.User, slices.Repeat([]string{"ann@people.test"}, org.MaxInviteLines+1), 1},
	} {
		var bad *fault.Error
		if _, err := k.orgs.InviteMany(t.Context(), admin, o, c.role, c.emails); !errors.As(err, &bad) || bad.Kind != fault.Invalid || len(bad.Fields) != c.fields {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := k.one(`SELECT count(*)::text FROM organization_invites`); got != "0" {
		t.Errorf("%s invites", got)
	}
}

// A whole list at once, and what is left of the day after it.
func TestAListOfInvitesFillsTheDay(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	admin := k.person("admin")
	list := func(from, n int) (emails []string) {
		for i := range n {
			emails = append(emails, fmt.Sprintf("p%d@people.test", from+i))
		}
		return emails
	}
	left := org.MaxInvitesBy
	for n := 0; left > 0; n++ {
		o := k.org(admin, fmt.Sprint(n))
		_, outcomes := k.inviteMany(admin, o, list(n*org.MaxInviteLines, org.MaxInviteLines)...)
		want := slices.Concat(slices.Repeat([]string{"invited"}, min(left, org.MaxInviteLines)), slices.Repeat([]string{"limit"}, org.MaxInviteLines-min(left, org.MaxInviteLines)))
		if outcomes != strings.Join(want, " ") {
			t.Fatalf("list %d: %s", n, outcomes)
		}
		left -= min(left, org.MaxInviteLines)
	}
	k.now = k.now.Add(org.InviteWindow)
	if _, outcomes := k.inviteMany(admin, k.org(admin, "Tomorrow"), list(0, 2)...); outcomes != "invited invited" {
		t.Errorf("a day later: %s", outcomes)
	}
}

// Lists that overlap and come at once, in different orders, invite everybody
// once and never wait for each other in a circle.
func TestListsAtOnceInviteEverybodyOnce(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	var emails []string
	for n := range 20 {
		emails = append(emails, fmt.Sprintf("p%d@people.test", n))
	}
	first := k.person("first")
	o := k.org(first, "Mill")
	admins := []access.Principal{first}
	for n := range 5 {
		p := k.person(fmt.Sprint("admin", n))
		k.join(o, p, access.OrgAdmin)
		admins = append(admins, p)
	}
	made := make([]int, len(admins))
	won, rest := atOnce(len(admins), func(n int) error {
		mine := slices.Clone(emails)
		if n%2 == 1 {
			slices.Reverse(mine)
		}
		lines, err := k.orgs.InviteMany(t.Context(), admins[n], o, access.User, mine)
		for _, line := range lines {
			if line.Outcome == org.OutcomeInvited {
				made[n]++
			} else if line.Outcome != org.OutcomeAlreadyInvited {
				t.Errorf("%s: %s", line.Email, line.Outcome)
			}
		}
		return err
	})
	total := 0
	for _, n := range made {
		total += n
	}
	if won != len(admins) || total != len(emails) {
		t.Errorf("%d lists went through, %d were invited: %v", won, total, rest)
	}
}

func TestAnInviteIsSentAgain(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	admin, organizer, stranger, ann := k.person("admin"), k.person("organizer"), k.person("stranger"), k.person("ann")
	o := k.org(admin, "Mill")
	k.join(o, organizer, access.Organizer)
	i := k.invite(admin, o, "ann@people.test", access.User)
	token := func() string {
		link, err := k.orgs.MintInviteLink(t.Context(), i.ID)
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(link.URL)
		if err != nil {
			t.Fatal(err)
		}
		return u.Query().Get("token")
	}
	first := token()
	for name, c := range map[string]struct {
		who  access.Principal
		id   uuid.UUID
		want error
	}{
		"a stranger": {stranger, i.ID, fault.ErrNotFound}, "a visitor": {visitor, i.ID, fault.ErrNotFound}, "an organizer": {organizer, i.ID, fault.ErrNotFound},
		"the invited": {ann, i.ID, fault.ErrForbidden}, "of none": {admin, uuid.Must(uuid.NewV7()), fault.ErrNotFound}, "at once": {admin, i.ID, org.ErrSentRecently},
	} {
		if _, err := k.orgs.ResendInvite(t.Context(), c.who, c.id); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	k.now = k.now.Add(org.ResendAfter)
	again, err := k.orgs.ResendInvite(t.Context(), admin, i.ID)
	want := i
	want.SentAt, want.Sends, want.ExpiresAt = k.now, 2, k.now.Add(org.InviteLife)
	if err != nil || again != want {
		t.Fatalf("got  %+v, %v\nwant %+v", again, err, want)
	}
	if got, want := k.lastRecord(o), fmt.Sprintf(`invite.resent %s %s {"sends": 1} {"sends": 2}`, admin.UserID, i.ID); got != want {
		t.Errorf("record: got  %s\nwant %s", got, want)
	}
	if got := k.one(`SELECT string_agg(user_id || ' ' || (payload ->> 'invite_id'), ', ' ORDER BY id) FROM outbox`); got != fmt.Sprintf("%[1]s %[2]s, %[1]s %[2]s", ann.UserID, i.ID) {
		t.Errorf("facts: %s", got)
	}
	// The first link is good until there is another.
	if _, err := k.orgs.InviteByToken(t.Context(), ann, first); err != nil {
		t.Errorf("before the next mail: %v", err)
	}
	second := token()
	if _, err := k.orgs.InviteByToken(t.Context(), ann, first); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("the old link after the next mail: %v", err)
	}
	if got, err := k.orgs.InviteByToken(t.Context(), ann, second); err != nil || !got.ToCaller || got.Sends != 2 {
		t.Errorf("the new link: %+v, %v", got, err)
	}
	// It lives a whole life from then on.
	k.now = i.ExpiresAt
	if accepted, err := k.orgs.AcceptInvite(t.Context(), ann, i.ID); err != nil || accepted.Status != org.Accepted {
		t.Errorf("accepted: %+v, %v", accepted, err)
	}
	if _, err := k.orgs.ResendInvite(t.Context(), admin, i.ID); !errors.Is(err, org.ErrInviteNotPending) {
		t.Errorf("an answered one: %v", err)
	}
}

func TestSendingAgainIsBounded(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	admin, ann := k.person("admin"), k.person("ann")
	o := k.org(admin, "Mill")
	i := k.invite(admin, o, "ann@people.test", access.User)
	k.now = k.now.Add(org.ResendAfter)
	won, rest := atOnce(10, func(int) error {
		_, err := k.orgs.ResendInvite(t.Context(), admin, i.ID)
		return err
	})
	if won != 1 || !onlyErrors(rest, org.ErrSentRecently) {
		t.Errorf("%d of ten at once were sent; the rest: %v", won, rest)
	}
	for range org.MaxSends - 2 {
		k.now = k.now.Add(org.ResendAfter)
		if _, err := k.orgs.ResendInvite(t.Context(), admin, i.ID); err != nil {
			t.Fatal(err)
		}
	}
	k.now = k.now.Add(org.ResendAfter)
	if _, err := k.orgs.ResendInvite(t.Context(), admin, i.ID); !errors.Is(err, org.ErrTooManySends) {
		t.Errorf("once too often: %v", err)
	}
	// Each mail counts for the address's day, wherever it came from.
	other := k.org(ann, "Barn")
	second := k.invite(ann, other, "ann2@people.test", access.User)
	k.exec(`UPDATE organization_invites SET email = 'ann2@people.test' WHERE id = $1`, i.ID)
	for n := range org.MaxInvitesTo - org.MaxSends - 1 {
		k.invite(ann, k.org(ann, fmt.Sprint(n)), "ann2@people.test", access.User)
	}
	k.now = k.now.Add(org.ResendAfter)
	if _, err := k.orgs.ResendInvite(t.Context(), ann, second.ID); !errors.Is(err, org.ErrInvitesToday) {
		t.Errorf("sent again although the address had its share: %v", err)
	}
	k.now = k.now.Add(org.InviteWindow)
	if _, err := k.orgs.ResendInvite(t.Context(), ann, second.ID); err != nil {
		t.Errorf("a day later: %v", err)
	}
	k.suspend(other)
	k.now = k.now.Add(org.ResendAfter)
	if _, err := k.orgs.ResendInvite(t.Context(), ann, second.ID); !errors.Is(err, org.ErrSuspended) {
		t.Errorf("suspended: %v", err)
	}
	third := k.invite(ann, k.org(ann, "Shed"), "late@people.test", access.User)
	k.join(third.OrgID, k.person("late"), access.User)
	k.now = k.now.Add(org.ResendAfter)
	if _, err := k.orgs.ResendInvite(t.Context(), ann, third.ID); !errors.Is(err, org.ErrAlreadyMember) {
		t.Errorf("who is a member by now: %v", err)
	}
}

// The control of accepting against withdrawing: without the look at the status
// in the statement itself, an invite that was withdrawn meanwhile is accepted.
func TestWithoutTheLookAtTheStatusAWithdrawnInviteIsAccepted(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	admin, ann := k.person("admin"), k.person("ann")
	store := postgres.NewOrgStore(k.db.DB)
	for guarded, want := range map[bool]int64{true: 0, false: 1} {
		i := k.invite(admin, k.org(admin, "Mill"), "ann@people.test", access.User)
		withdraw := func() {
			if err := k.orgs.RevokeInvite(t.Context(), admin, i.ID); err != nil {
				t.Error(err)
			}
		}
		changed, err := store.AnswerLate(t.Context(), i.ID, ann.UserID, guarded, withdraw, k.now)
		if err != nil || changed != want {
			t.Errorf("guarded %v: %d were accepted after they were withdrawn, want %d: %v", guarded, changed, want, err)
		}
	}
}
