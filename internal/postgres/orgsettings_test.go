package postgres_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"happening/internal/access"
	"happening/internal/event"
	"happening/internal/fault"
	"happening/internal/org"
)

func said(s string) *string { return &s }

func TestWhoChangesSettings(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	admin, organizer, user, other := k.person("admin"), k.person("organizer"), k.person("user"), k.person("other")
	mill, barn := k.org(admin, "Mill"), k.org(other, "Barn")
	k.join(mill, organizer, access.Organizer)
	k.join(mill, user, access.User)
	for name, c := range map[string]struct {
		who  access.Principal
		org  uuid.UUID
		want error
	}{
		"visitor": {visitor, mill, fault.ErrUnauthenticated}, "user": {user, mill, fault.ErrForbidden},
		"organizer": {organizer, mill, fault.ErrForbidden}, "orgAdmin of another": {admin, barn, fault.ErrForbidden},
		"absent": {admin, uuid.Must(uuid.NewV7()), fault.ErrNotFound},
	} {
		if _, err := k.orgs.Update(t.Context(), c.who, c.org, org.Patch{Name: said("Mine")}, 0); !errors.Is(err, c.want) {
			t.Errorf("%s changes: %v, want %v", name, err, c.want)
		}
		if _, err := k.orgs.SetLogo(t.Context(), c.who, c.org, picture(4, 4)); !errors.Is(err, c.want) {
			t.Errorf("%s sets the logo: %v, want %v", name, err, c.want)
		}
		if err := k.orgs.RemoveLogo(t.Context(), c.who, c.org); !errors.Is(err, c.want) {
			t.Errorf("%s removes the logo: %v, want %v", name, err, c.want)
		}
		if err := k.orgs.Delete(t.Context(), c.who, c.org); !errors.Is(err, c.want) {
			t.Errorf("%s deletes: %v, want %v", name, err, c.want)
		}
	}
	if got := k.records(mill) + " " + k.records(barn); got != "org.created org.created" {
		t.Errorf("records: %s", got)
	}
}

func TestSettingsAreKeptWithTheirRecord(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	admin := k.person("admin")
	mill := k.org(admin, "Mill")
	all := org.Patch{
		Name: said(" Old Mill "), About: said("**Flour** by Ann\n"), ContactEmail: said("Ann@Example.org"),
		Website: said("https://mill.example.org/?a=b"), Color: said("#1A7F5A"), TimeZone: said("Europe/Berlin"),
	}
	got, err := k.orgs.Update(t.Context(), admin, mill, all, 1)
	if err != nil {
		t.Fatal(err)
	}
	want := org.Organization{
		ID: mill, Name: "Old Mill", CreatedBy: admin.UserID, CreatedAt: tenancyStart, About: "**Flour** by Ann\n", ContactEmail: "ann@example.org",
		Website: "https://mill.example.org/?a=b", Color: "#1a7f5a", TimeZone: "Europe/Berlin", Revision: 2,
	}
	if got.Organization != want || got.Role != access.OrgAdmin {
		t.Errorf("got %+v", got)
	}
	read, err := k.orgs.Get(t.Context(), visitor, mill)
	if err != nil || read.Organization != want {
		t.Errorf("a visitor reads %+v, %v", read, err)
	}
	// Said again, nothing changes and nothing is recorded.
	if again, err := k.orgs.Update(t.Context(), admin, mill, all, 0); err != nil || again.Revision != 2 {
		t.Errorf("said again: %+v, %v", again, err)
	}
	if _, err := k.orgs.Update(t.Context(), admin, mill, org.Patch{Name: said("Late")}, 1); !errors.Is(err, org.ErrStaleRevision) {
		t.Errorf("a stale revision: %v", err)
	}
	empty := ""
	got, err = k.orgs.Update(t.Context(), admin, mill, org.Patch{ContactEmail: &empty, Website: &empty, Color: &empty, TimeZone: &empty}, 2)
	if err != nil || got.ContactEmail+got.Website+got.Color+got.TimeZone != "" || got.About == "" || got.Revision != 3 {
		t.Errorf("emptied: %+v, %v", got, err)
	}
	if got := k.records(mill); got != "org.created org.updated org.updated" {
		t.Errorf("records: %s", got)
	}
	record := k.one(`SELECT before || ' ' || after FROM (SELECT before::text, after::text FROM audit_log WHERE action = 'org.updated' ORDER BY id LIMIT 1) r`)
	for _, part := range []string{`"color": "#1a7f5a"`, `"time_zone": "Europe/Berlin"`, `"changed": ["name", "about", "contact_email", "website"]`} {
		if !strings.Contains(record, part) {
			t.Errorf("the record lacks %s: %s", part, record)
		}
	}
	for _, text := range []string{"ann", "mill"} {
		if strings.Contains(strings.ToLower(record), text) {
			t.Errorf("the record holds %q: %s", text, record)
		}
	}
}

func TestBadSettingsAreToldByField(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	admin := k.person("admin")
	mill := k.org(admin, "Mill")
	_, err := k.orgs.Update(t.Context(), admin, mill, org.Patch{
		Name: said(" "), About: said("a\x00"), ContactEmail: said("Ann <ann@example.org>"), Website: said("javascript:alert(1)"),
		Color: said("red"), TimeZone: said("Local"),
	}, 0)
	var f *fault.Error
	if !errors.As(err, &f) || len(f.Fields) != 6 {
		t.Fatalf("got %v", err)
	}
	if o, err := k.orgs.Get(t.Context(), visitor, mill); err != nil || o.Name != "Mill" || o.Revision != 1 {
		t.Errorf("changed all the same: %+v, %v", o, err)
	}
}

func TestLogosComeAndGo(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	admin := k.person("admin")
	mill := k.org(admin, "Mill")
	if _, _, err := k.orgs.Logo(t.Context(), visitor, mill); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("no logo: %v", err)
	}
	first, err := k.orgs.SetLogo(t.Context(), admin, mill, picture(8, 4))
	if err != nil || len(first.LogoVersion) != 12 || first.Revision != 2 {
		t.Fatalf("got %+v, %v", first, err)
	}
	if again, err := k.orgs.SetLogo(t.Context(), admin, mill, picture(8, 4)); err != nil || again.Organization != first.Organization {
		t.Errorf("the same picture again: %+v, %v", again, err)
	}
	second, err := k.orgs.SetLogo(t.Context(), admin, mill, picture(4, 8))
	if err != nil || second.LogoVersion == first.LogoVersion {
		t.Errorf("another picture: %+v, %v", second, err)
	}
	o, image, err := k.orgs.Logo(t.Context(), visitor, mill)
	if err != nil || o.LogoVersion != second.LogoVersion || len(image) == 0 {
		t.Errorf("read: %+v, %d bytes, %v", o, len(image), err)
	}
	if _, err := k.orgs.SetLogo(t.Context(), admin, mill, []byte("nothing to see")); err == nil {
		t.Error("no picture at all was taken")
	}
	for range 2 {
		if err := k.orgs.RemoveLogo(t.Context(), admin, mill); err != nil {
			t.Error(err)
		}
	}
	if n := k.one(`SELECT count(*)::text FROM organization_logos`); n != "0" {
		t.Errorf("%s logos are left", n)
	}
	if got := k.records(mill); got != "org.created org.updated org.updated org.updated" {
		t.Errorf("records: %s", got)
	}
}

func TestOnlyAnEmptyOrganizationIsDeleted(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	admin, user := k.person("admin"), k.person("user")
	mill := k.org(admin, "Mill")
	k.join(mill, user, access.User)
	k.invite(admin, mill, "late@people.test", access.User)
	if _, err := k.orgs.SetLogo(t.Context(), admin, mill, picture(4, 4)); err != nil {
		t.Fatal(err)
	}
	k.exec(`INSERT INTO notifications (id, fact_id, org_id, user_id, channel, type, title, message, status)
		VALUES ($1, $1, $2, $3, 'app', 'organizer_message', 'Hello', 'Hello', 'sent')`, uuid.Must(uuid.NewV7()), mill, user.UserID)
	v := k.event(admin, mill, "Over", 1, nil)
	k.now = k.now.AddDate(1, 0, 0)
	if err := k.orgs.Delete(t.Context(), admin, mill); !errors.Is(err, org.ErrNotEmpty) {
		t.Fatalf("with an event that is over: %v", err)
	}
	if err := k.events.Delete(t.Context(), admin, v.ID); err != nil {
		t.Fatal(err)
	}
	if err := k.orgs.Delete(t.Context(), admin, mill); err != nil {
		t.Fatal(err)
	}
	if _, err := k.orgs.Get(t.Context(), admin, mill); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("deleted: %v", err)
	}
	if err := k.orgs.Delete(t.Context(), admin, mill); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("deleted twice: %v", err)
	}
	for _, table := range []string{"organization_users", "organization_invites", "organization_logos"} {
		if n := k.one(`SELECT count(*)::text FROM ` + table); n != "0" {
			t.Errorf("%s has %s rows left", table, n)
		}
	}
	if n := k.one(`SELECT count(*)::text FROM notifications WHERE user_id = $1`, user.UserID); n != "1" {
		t.Errorf("a person has %s messages left", n)
	}
	if got := k.records(mill); !strings.HasSuffix(got, "event.deleted org.deleted") {
		t.Errorf("records: %s", got)
	}
}

// An event that is created and an organization that is deleted at the same time:
// whoever comes second waits for the first and is refused. The lock is enough,
// without the foreign key behind it.
func TestAnEventAndTheEndOfItsOrganization(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	k.db.AsOwner(t, `ALTER TABLE events DROP CONSTRAINT events_org_id_fkey`)
	admin := k.person("admin")
	ctx := context.Background()

	mill := k.org(admin, "Mill")
	creating := k.begin(ctx, `SELECT FROM organizations WHERE id = $1 FOR SHARE`, mill)
	deleted := make(chan error, 1)
	go func() { deleted <- k.orgs.Delete(ctx, admin, mill) }()
	k.untilBlocked()
	if _, err := creating.Exec(ctx, `
		INSERT INTO events (id, org_id, name, category, starts_at, ends_at, time_zone, total_slots, available_slots, visibility, waitlist_policy, created_by)
		VALUES ($1, $2, 'Event', 'meetup', now(), now() + interval '1 hour', 'UTC', 1, 1, 'public', 'strict', $1)`,
		uuid.Must(uuid.NewV7()), mill); err != nil {
		t.Fatal(err)
	}
	if err := creating.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-deleted; !errors.Is(err, org.ErrNotEmpty) {
		t.Errorf("deleted under an event that was being created: %v", err)
	}

	barn := k.org(admin, "Barn")
	deleting := k.begin(ctx, `DELETE FROM organizations WHERE id = $1`, barn)
	made := make(chan error, 1)
	go func() {
		start := k.now.AddDate(0, 0, 1)
		_, err := k.events.Create(ctx, admin, event.Draft{
			OrgID: barn, Name: "Late", Category: "meetup", StartsAt: start, EndsAt: start.AddDate(0, 0, 1), TimeZone: "UTC", TotalSlots: 1,
		})
		made <- err
	}()
	k.untilBlocked()
	if err := deleting.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-made; !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("created in an organization that was being deleted: %v", err)
	}
}

// begin begins a transaction of the system with a statement.
func (k *tenancy) begin(ctx context.Context, sql string, args ...any) pgx.Tx {
	k.t.Helper()
	tx, err := k.db.System.Begin(ctx)
	if err == nil {
		_, err = tx.Exec(ctx, sql, args...)
	}
	if err != nil {
		k.t.Fatalf("%s: %v", sql, err)
	}
	return tx
}

// Many at once with the foreign key in place: no event is without its
// organization, and one of the two is always refused.
func TestDeletingAndCreatingRace(t *testing.T) {
	t.Parallel()
	k := newTenancy(t)
	const rounds = 40
	for range rounds {
		admin := k.person("admin" + uuid.NewString())
		mill := k.org(admin, "Mill")
		var deleted, made error
		var both sync.WaitGroup
		both.Go(func() { deleted = k.orgs.Delete(t.Context(), admin, mill) })
		both.Go(func() {
			start := k.now.AddDate(0, 0, 1)
			_, made = k.events.Create(t.Context(), admin, event.Draft{
				OrgID: mill, Name: "Late", Category: "meetup", StartsAt: start, EndsAt: start.AddDate(0, 0, 1), TimeZone: "UTC", TotalSlots: 1,
			})
		})
		both.Wait()
		if (deleted == nil) == (made == nil) || deleted != nil && !errors.Is(deleted, org.ErrNotEmpty) || made != nil && !errors.Is(made, fault.ErrNotFound) && !errors.Is(made, fault.ErrForbidden) {
			t.Fatalf("deleted: %v, created: %v", deleted, made)
		}
	}
}
