package postgres_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/audit"
	"happening/internal/postgres"
)

// recordOf is what stands in a line beside its ids, in one word each.
func recordOf(lines []audit.Line) []string {
	var words []string
	for _, l := range lines {
		words = append(words, string(l.Action)+" "+l.SubjectLabel+" by "+l.ActorName)
	}
	return words
}

// The names in a record are those of today; what is gone and who is no more is
// told as such.
func TestARecordTellsTodaysNames(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	admin, organizer := k.person("ann"), k.person("bob")
	k.exec(`UPDATE users SET name = 'Ann' WHERE id = $1`, admin.UserID)
	k.exec(`UPDATE users SET name = 'Bob' WHERE id = $1`, organizer.UserID)
	orgID := k.org(admin, "Mill")
	invite, err := k.orgs.Invite(t.Context(), admin, orgID, "bob@people.test", access.Organizer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.orgs.AcceptInvite(t.Context(), organizer, invite.ID); err != nil {
		t.Fatal(err)
	}
	kept := k.event(organizer, orgID, "Harvest", 24, nil)
	gone := k.event(organizer, orgID, "Mistake", 24, nil)
	if err := k.events.Delete(t.Context(), organizer, gone.ID); err != nil {
		t.Fatal(err)
	}
	k.exec(`UPDATE events SET name = 'Late harvest' WHERE id = $1`, kept.ID)

	store := postgres.NewAuditStore(k.db.DB)
	list := func() []string {
		t.Helper()
		lines, err := store.ListAudit(t.Context(), admin.UserID, access.AuditRead, audit.Query{OrgID: orgID, Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		return recordOf(lines)
	}
	want := []string{
		"event.deleted  by Bob", "event.created  by Bob", "event.created Late harvest by Bob",
		"member.joined Bob by Bob", "invite.created bob@people.test by Ann", "org.created Mill by Ann",
	}
	if got := list(); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}

	// Who left still stands in the record, and so does, without a name, who is
	// no more.
	k.exec(`DELETE FROM organization_users WHERE org_id = $1 AND user_id = $2`, orgID, organizer.UserID)
	if got := list(); !slices.Equal(got, want) {
		t.Errorf("after Bob left: got  %q\nwant %q", got, want)
	}
	k.exec(`UPDATE users SET name = '', email = '', email_verified = false, erased_at = now() WHERE id = $1`, organizer.UserID)
	k.exec(`DELETE FROM organization_invites WHERE id = $1`, invite.ID)
	want = []string{
		"event.deleted  by Deleted account", "event.created  by Deleted account", "event.created Late harvest by Deleted account",
		"member.joined Deleted account by Deleted account", "invite.created  by Ann", "org.created Mill by Ann",
	}
	if got := list(); !slices.Equal(got, want) {
		t.Errorf("after Bob was erased: got  %q\nwant %q", got, want)
	}
	k.exec(`INSERT INTO audit_log (id, org_id, action, subject_id) VALUES ($1, $2, 'org.suspended', $2)`, uuid.Must(uuid.NewV7()), orgID)
	if got := list(); got[0] != "org.suspended Mill by " {
		t.Errorf("of the operator: %q", got[0])
	}
}

// A record is read in pages that follow each other without a gap, and by
// filters that combine.
func TestARecordIsFiltered(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	admin, organizer := k.person("ann"), k.person("bob")
	orgID := k.org(admin, "Mill")
	k.join(orgID, organizer, access.Organizer)
	var last uuid.UUID
	for i := range 7 {
		k.now = tenancyStart.Add(time.Duration(i+1) * time.Hour)
		last = k.event([]access.Principal{admin, organizer}[i%2], orgID, "Harvest", 24, nil).ID
	}
	store := postgres.NewAuditStore(k.db.DB)
	count := func(f audit.Filter) (seen int) {
		t.Helper()
		q := audit.Query{Filter: f, OrgID: orgID, Limit: 2}
		known := map[uuid.UUID]bool{}
		for {
			lines, err := store.ListAudit(t.Context(), admin.UserID, access.AuditRead, q)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range lines {
				if known[l.ID] {
					t.Errorf("a line twice: %+v", l)
				}
				known[l.ID] = true
			}
			if len(lines) < q.Limit {
				break
			}
			q.Before = lines[len(lines)-1].ID
		}
		total, err := store.CountAudit(t.Context(), admin.UserID, access.AuditRead, audit.Query{Filter: f, OrgID: orgID, Limit: 100})
		if err != nil || total != len(known) {
			t.Errorf("%+v: counted %d, %v, listed %d", f, total, err, len(known))
		}
		return len(known)
	}
	at := func(hour int) time.Time { return tenancyStart.Add(time.Duration(hour) * time.Hour) }
	for _, c := range []struct {
		name string
		f    audit.Filter
		want int
	}{
		{"everything", audit.Filter{}, 8},
		{"events", audit.Filter{Action: audit.EventCreated}, 7},
		{"nothing of the kind", audit.Filter{Action: audit.MemberLeft}, 0},
		{"by one", audit.Filter{ActorID: organizer.UserID}, 3},
		{"to one", audit.Filter{SubjectID: last}, 1},
		{"from then on", audit.Filter{From: at(6)}, 2},
		{"before then", audit.Filter{To: at(6)}, 6},
		{"between", audit.Filter{From: at(2), To: at(4)}, 2},
		{"all at once", audit.Filter{Action: audit.EventCreated, ActorID: organizer.UserID, From: at(2), To: at(5)}, 2},
		{"by nobody who is there", audit.Filter{ActorID: uuid.New()}, 0},
	} {
		if got := count(c.f); got != c.want {
			t.Errorf("%s: %d lines, want %d", c.name, got, c.want)
		}
	}
	if n, err := store.CountAudit(t.Context(), admin.UserID, access.AuditRead, audit.Query{OrgID: orgID, Limit: 3}); err != nil || n != 3 {
		t.Errorf("counted %d, %v, beyond the limit of 3", n, err)
	}
}

// The store alone, without any check before it, shows a record to nobody whose
// role is not named.
func TestARecordIsWalled(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	admin, other, stranger := k.person("ann"), k.person("bob"), k.person("cem")
	orgID, otherOrg := k.org(admin, "Mill"), k.org(other, "Dam")
	organizer, member := k.person("dan"), k.person("eve")
	k.join(orgID, organizer, access.Organizer)
	k.join(orgID, member, access.User)
	k.event(organizer, orgID, "Harvest", 24, nil)
	store := postgres.NewAuditStore(k.db.DB)
	for _, c := range []struct {
		name   string
		viewer access.Principal
		org    uuid.UUID
		action access.Action
		want   int
	}{
		{"an admin", admin, orgID, access.AuditRead, 2},
		{"an organizer, of an event", organizer, orgID, access.EventAudit, 2},
		{"an organizer, of everything", organizer, orgID, access.AuditRead, 0},
		{"a member", member, orgID, access.EventAudit, 0},
		{"a stranger", stranger, orgID, access.AuditRead, 0},
		{"nobody", access.Principal{}, orgID, access.AuditRead, 0},
		{"another's admin", other, orgID, access.AuditRead, 0},
		{"an admin, of another", admin, otherOrg, access.AuditRead, 0},
		{"of nothing", admin, uuid.New(), access.AuditRead, 0},
	} {
		q := audit.Query{OrgID: c.org, Limit: 100}
		lines, err := store.ListAudit(t.Context(), c.viewer.UserID, c.action, q)
		if err != nil || len(lines) != c.want {
			t.Errorf("%s: %d lines, %v, want %d", c.name, len(lines), err, c.want)
		}
		if n, err := store.CountAudit(t.Context(), c.viewer.UserID, c.action, q); err != nil || n != c.want {
			t.Errorf("%s: counted %d, %v, want %d", c.name, n, err, c.want)
		}
	}
}
