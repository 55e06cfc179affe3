package postgres_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"happening/internal/access"
	"happening/internal/postgres"
	"happening/internal/testkit"
)

// walled is a database of three tenants, A, B and C, of which C is suspended,
// each with people of every role and rows in every table. Each thing has a
// name, such as "B.members", from which its id is made. All texts of B that not
// everybody may read hold hiddenText.
type walled struct {
	*testkit.DB
	t testing.TB
}

// hiddenText marks what the people of other tenants must never see.
const hiddenText = "not-for-others"

// idOf is the id of the thing of that name.
func idOf(name string) uuid.UUID { return uuid.NewSHA1(uuid.NameSpaceURL, []byte(name)) }

// walledPeople are those of each tenant: a member of each role, who booked,
// who left after booking something that only members see, who waits, and a
// guest for whom the organizer booked.
var walledPeople = []string{"admin", "organizer", "user", "booker", "left", "waiter", "expected"}

// walledThings are the other things of each tenant.
var walledThings = []string{
	"org", "public", "members", "empty", "booked", "once", "waits", "booked.history", "once.history", "waits.history",
	"told", "record", "invite", "session", "account-record", "notice", "made", "made.history", "counted",
}

// outsiders belong to no tenant: guest is invited by A and B, unverified has
// the address that B invites unverified, twice is a user of A and orgAdmin of B.
var outsiders = []string{"guest", "unverified", "twice", "stranger"}

func newWalled(t testing.TB) *walled {
	t.Helper()
	w := &walled{testkit.NewDB(t), t}
	for _, name := range outsiders {
		w.exec(`INSERT INTO users (id, name, email, email_verified) VALUES ($1, $2, $3, $4)`,
			idOf(name), name, "guest@people.test", name == "guest")
	}
	w.exec(`UPDATE users SET email = name || '@people.test', email_verified = true WHERE name IN ('twice', 'stranger')`)
	for _, tenant := range []string{"A", "B", "C"} {
		w.tenant(tenant)
	}
	w.exec(`UPDATE organizations SET suspended_at = now() WHERE id = $1`, idOf("C.org"))
	w.exec(`INSERT INTO organization_users (org_id, user_id, role) VALUES ($1, $3, 'user'), ($2, $3, 'orgAdmin')`,
		idOf("A.org"), idOf("B.org"), idOf("twice"))
	for _, by := range []string{"A", "B"} {
		w.exec(`UPDATE organization_invites SET email = 'guest@people.test' WHERE id = $1`, idOf(by+".invite"))
	}
	w.exec(`INSERT INTO organization_invites (id, org_id, email, role, invited_by, expires_at)
		VALUES ($1, $2, 'unknown@people.test', 'user', $3, now() + interval '1 day')`, idOf("B.unanswered"), idOf("B.org"), idOf("B.admin"))
	return w
}

// tokenOf is what stands for the hash of a thing's secret.
func tokenOf(name string) []byte { return []byte("hash of " + name) }

// tenant fills every table for one tenant.
func (w *walled) tenant(x string) {
	w.t.Helper()
	id := func(name string) uuid.UUID { return idOf(x + "." + name) }
	hidden := hiddenText + " " + x
	w.exec(`INSERT INTO organizations (id, name, created_by, logo_version) VALUES ($1, $2, gen_random_uuid(), 'v')`, id("org"), "Organization "+x)
	w.exec(`INSERT INTO organization_logos (org_id, image, updated_at) VALUES ($1, 'png', now())`, id("org"))
	for _, name := range walledPeople {
		w.exec(`INSERT INTO users (id, name, email, email_verified) VALUES ($1, $2, $3, true)`,
			id(name), hidden+" "+name, fmt.Sprintf("%s-%s@%s.test", x, name, hiddenText))
	}
	w.exec(`UPDATE users SET name = '', email_verified = false, guest = true WHERE id = $1`, id("expected"))
	for role, name := range map[string]string{"orgAdmin": "admin", "organizer": "organizer", "user": "user"} {
		w.exec(`INSERT INTO organization_users (org_id, user_id, role) VALUES ($1, $2, $3)`, id("org"), id(name), role)
	}
	for event, visibility := range map[string]string{"public": "public", "members": "members", "empty": "members"} {
		text := hidden
		if visibility == "public" {
			text = "Public " + x
		}
		w.exec(`INSERT INTO events (id, org_id, name, category, starts_at, ends_at, time_zone, total_slots, available_slots, visibility,
		                            waitlist_policy, waiting_parties, last_waiting, created_by)
			VALUES ($1, $2, $3, 'meetup', now() + interval '1 day', now() + interval '2 days', 'UTC', 9, 9, $4, 'strict', 0, 1, gen_random_uuid())`,
			id(event), id("org"), text, visibility)
	}
	for _, b := range []struct{ booking, event, person, status string }{
		{"booked", "public", "booker", "confirmed"}, {"once", "members", "left", "cancelled"}, {"waits", "public", "waiter", "waiting"},
		{"made", "members", "expected", "confirmed"},
	} {
		w.exec(`INSERT INTO bookings (id, org_id, event_id, user_id, seats, status, waiting_number, reason, created_at, updated_at)
			VALUES ($1, $2, $3, $4, 1, $5, 1, $6, now(), now())`, id(b.booking), id("org"), id(b.event), id(b.person), b.status, hidden)
		w.exec(`INSERT INTO booking_seats (org_id, event_id, booking_id, user_id, seat_no, status)
			SELECT org_id, event_id, id, user_id, 1, CASE status WHEN 'confirmed' THEN 'booked' ELSE 'cancelled' END
			FROM bookings WHERE id = $1 AND status <> 'waiting'`, id(b.booking))
		w.exec(`INSERT INTO booking_history (id, org_id, event_id, booking_id, user_id, actor_id, action, details, created_at)
			SELECT $2, org_id, event_id, id, user_id, user_id, 'confirmed', '{}', now() FROM bookings WHERE id = $1`, id(b.booking), id(b.booking+".history"))
	}
	w.exec(`UPDATE bookings SET booked_by = $2, booked_for = $3 WHERE id = $1`, id("made"), id("organizer"), hidden)
	w.exec(`INSERT INTO bookings_for_others (id, actor_id, user_id, created_at) VALUES ($1, $2, $3, now())`, id("counted"), id("organizer"), id("expected"))
	w.exec(`INSERT INTO outbox (id, org_id, kind, payload, created_at) VALUES ($1, $2, 'test', '{}', now())`, id("told"), id("org"))
	w.exec(`INSERT INTO audit_log (id, org_id, action, subject_id, after) VALUES ($1, $2, 'org.updated', $2, jsonb_build_object('x', $3::text))`,
		id("record"), id("org"), hidden)
	w.exec(`INSERT INTO organization_invites (id, org_id, email, role, invited_by, expires_at, token_hash)
		VALUES ($1, $2, $3, 'user', $4, now() + interval '1 day', $5)`,
		id("invite"), id("org"), x+"-invited@"+hiddenText+".test", id("admin"), tokenOf(x+".invite"))
	w.exec(`INSERT INTO sessions (id, token_hash, user_id, issuer, subject, id_token, created_at, last_seen_at, expires_at)
		VALUES ($1, $2, $3, 'test', $4, $4, now(), now(), now() + interval '1 day')`, id("session"), tokenOf(x+".session"), id("user"), hidden)
	w.exec(`INSERT INTO user_identities (issuer, subject, user_id) VALUES ('test', $1, $2)`, x+".identity", id("user"))
	w.exec(`INSERT INTO user_audit (id, user_id, action, issuer, rule, created_at) VALUES ($1, $2, 'test', '', '', now())`, id("account-record"), id("user"))
	w.exec(`INSERT INTO notification_preferences (user_id, type, channel, wanted) VALUES ($1, 'event_updated', 'email', false)`, id("user"))
	w.exec(`INSERT INTO notifications (id, fact_id, org_id, user_id, channel, type, title, message, status)
		VALUES ($1, $1, $2, $3, 'app', 'event_updated', $4, $4, 'sent')`, id("notice"), id("org"), id("booker"), hidden)
}

func (w *walled) exec(sql string, args ...any) {
	w.t.Helper()
	if _, err := w.System.Exec(context.Background(), sql, args...); err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
}

// names gives things their names back.
func (w *walled) names() *strings.Replacer {
	all := []string{"B.unanswered"}
	all = append(all, outsiders...)
	for _, tenant := range []string{"A", "B", "C"} {
		for _, of := range [][]string{walledPeople, walledThings} {
			for _, name := range of {
				all = append(all, tenant+"."+name)
			}
		}
	}
	var pairs []string
	for _, name := range all {
		pairs = append(pairs, idOf(name).String(), name)
	}
	return strings.NewReplacer(pairs...)
}

// rowsOf digests every row that has to do with a tenant or its people.
func (w *walled) rowsOf(tenant string) string {
	w.t.Helper()
	marks := []string{"%" + idOf(tenant+".org").String() + "%"}
	for _, name := range walledPeople {
		marks = append(marks, "%"+idOf(tenant+"."+name).String()+"%")
	}
	var each []string
	for table := range walledTables {
		each = append(each, fmt.Sprintf("SELECT '%s ' || t::text AS row FROM %[1]s t WHERE t::text LIKE ANY ($1)", table))
	}
	var digest string
	if err := w.System.QueryRow(context.Background(),
		"SELECT md5(string_agg(row, ';' ORDER BY row)) FROM ("+strings.Join(each, " UNION ALL ")+") t", marks).Scan(&digest); err != nil {
		w.t.Fatal(err)
	}
	return digest
}

// as reads texts as an asker.
func (w *walled) as(who postgres.Asker, sql string, args ...any) ([]string, error) {
	return postgres.TextsAs(context.Background(), w.DB.DB, who, sql, args...)
}

// inside is a person's context in the organization of a tenant.
func inside(tenant, person string, action access.Action) postgres.Asker {
	return postgres.Asker{User: idOf(person), Org: idOf(tenant + ".org"), Action: action}
}

// oneConnection opens the pools again, with so many connections for requests.
func (w *walled) connections(n int) *postgres.DB {
	w.t.Helper()
	db, err := postgres.Open(context.Background(), func(role string) string {
		return w.ConnString(role) + fmt.Sprintf(" pool_max_conns=%d", n)
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(db.Close)
	return db
}

// setting reads a setting on a connection as it is left lying about.
func setting(ctx context.Context, q interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}, name string) (value string, err error) {
	err = q.QueryRow(ctx, `SELECT coalesce(current_setting($1, true), '')`, name).Scan(&value)
	return value, err
}
