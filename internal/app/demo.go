package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/booking"
	"happening/internal/event"
	"happening/internal/org"
	"happening/internal/user"
)

// The demo's people; all sign in with one password, which is kept in the data
// directory.
var demoAccounts = []struct {
	Email, Name string
	Role        access.Role
	// Subject is the id of the same person in the realm of deploy/keycloak.
	Subject string
}{
	{"admin@demo.test", "Ada Admin", access.OrgAdmin, "0199aa00-0000-7000-8000-000000000001"},
	{"organizer@demo.test", "Otto Organizer", access.Organizer, "0199aa00-0000-7000-8000-000000000002"},
	{"user1@demo.test", "Uma One", access.User, "0199aa00-0000-7000-8000-000000000003"},
	{"user2@demo.test", "Ugo Two", access.User, "0199aa00-0000-7000-8000-000000000004"},
	{"user3@demo.test", "Una Three", access.User, "0199aa00-0000-7000-8000-000000000005"},
}

const (
	demoOrg          = "Demo Events"
	demoPasswordFile = "demo-password"
	demoBegunFile    = "demo-begun"  // the database was empty
	demoFilledFile   = "demo-filled" // the demo is complete
)

// Demo guests only fill seats; each has one of the first names with one of the
// last.
var (
	demoFirstNames = []string{"Aylin", "Bruno", "Carla", "Deniz", "Elif", "Felix", "Greta", "Hugo", "Ines", "Jonas"}
	demoLastNames  = []string{"Acker", "Berg", "Castro", "Dorn", "Engel", "Falk"}
)

// demoEvents are what a visitor of the demo finds.
var demoEvents = []demoEvent{
	{
		name: "Chamber Music at the Library", category: "concert", venue: "Reading Room, City Library", inDays: 6, hours: 2, slots: 20, limit: 4,
		about: "A string quartet between the shelves: Haydn, Shostakovich and a surprise.\n\nDoors open **30 minutes** before; please be seated in time.",
		sold:  []int32{2, 3, 1, 2},
	},
	{
		name: "The Winter Play", category: "theatre", venue: "Old Mill Theatre, Great Hall", inDays: 13, hours: 3, slots: 400, limit: 8,
		about: "A company of twelve, one stage, four hundred seats.\n\n- Two acts with an interval\n- Wheelchair places in row A\n- Ages 12 and up",
		sold:  []int32{4, 2, 6, 2, 3, 8, 2, 5, 4, 2, 6, 1, 7, 2, 4, 3, 8, 2, 2, 5, 6, 4, 2, 3, 8, 6, 2, 4, 1, 2, 6, 3, 4, 5, 2, 8, 7, 4, 2, 6},
	},
	{
		name: "Open Source in the Arena", category: "conference", venue: "Riverside Arena", inDays: 34, at: 9, hours: 9, slots: 20_000, limit: 0,
		about: "A day of talks in one arena with **20,000 seats**. Find yours on the map: people choose while you look.",
		sold:  arenaSales(),
	},
	{
		name: "Bread Baking for Beginners", category: "workshop", venue: "Community Kitchen", inDays: 4, hours: 4, slots: 12, limit: 4,
		about: "Flour, water, salt, time. Twelve places, and a waitlist that moves by itself when somebody can't come.",
		sold:  []int32{4, 4, 4}, waiting: []int32{2, 1, 3, 1},
	},
	{
		name: "Members' Evening", category: "community", venue: "Club Room", inDays: 9, hours: 3, slots: 40, limit: 2, membersOnly: true,
		about: "For members only: what we did this year, and what comes next.",
		sold:  []int32{1, 2, 1},
	},
}

type demoEvent struct {
	name, category, venue, about string
	inDays, hours                int
	at                           int // hour of its start; 0: in the evening
	slots, limit                 int64
	membersOnly                  bool
	sold, waiting                []int32 // party sizes
}

// arenaSales fills about a third of the arena.
func arenaSales() []int32 {
	parties := make([]int32, 160)
	for i := range parties {
		parties[i] = 20 + int32(i*37%47)
	}
	return parties
}

// DemoPassword is what the demo's people sign in with; empty where there is
// no demo.
func (a *App) DemoPassword() string {
	if a.provider == nil {
		return ""
	}
	text, err := os.ReadFile(a.demoFile(demoPasswordFile))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// demoFile is where the data directory keeps something about the demo. An
// embedded database is in the same directory; of databases outside there may
// be several, one after the other.
func (a *App) demoFile(name string) string {
	if a.Engines.DatabaseURL != "" {
		name += "-" + a.installation.String()
	}
	return filepath.Join(a.dataDir, name)
}

// DemoSignIn tells how to sign in to the demo; empty where there is none.
func (a *App) DemoSignIn() string {
	password := a.DemoPassword()
	switch {
	case a.provider == nil:
		return fmt.Sprintf("at %s with its password for them (happening-demo in deploy/keycloak)", a.Engines.OIDCIssuerURL)
	case password == "":
		return ""
	default:
		return "with the password " + password
	}
}

// DemoPeople are the addresses of the demo's people with their roles.
func DemoPeople() (lines []string) {
	for _, p := range demoAccounts {
		lines = append(lines, fmt.Sprintf("%s (%s)", p.Email, p.Role))
	}
	return lines
}

// FillDemo fills an empty database with the demo, on loopback only. Where
// there is anything already, it changes nothing but, if asked, the password.
func (a *App) FillDemo(ctx context.Context, resetPassword bool) error {
	if u, err := url.Parse(a.PublicURL); err != nil || !loopback(u.Hostname()) {
		return errors.New("the demo's accounts are for a machine of one's own: the public address is not on loopback")
	}
	if resetPassword && a.provider == nil {
		return errOutsideProvider
	}
	if resetPassword {
		if err := os.Remove(a.demoFile(demoPasswordFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		_, err := a.demoPeople(ctx)
		return err
	}
	return a.fillDemo(ctx)
}

// fillDemo fills an empty database, or goes on where a start that filled one
// was cut off: each of its steps may run again.
func (a *App) fillDemo(ctx context.Context) error {
	filled := a.demoFile(demoFilledFile)
	if _, err := os.Stat(filled); err == nil {
		return nil
	}
	empty, err := a.db.Empty(ctx)
	if err != nil {
		return err
	}
	begun := a.demoFile(demoBegunFile)
	if _, err := os.Stat(begun); err != nil && !empty && a.DemoPassword() == "" {
		a.Log.Warn("app: the database is not empty, so the demo is left out")
		return nil
	}
	// Where the database is outside nothing has made the directory yet.
	if err := os.MkdirAll(a.dataDir, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(begun, nil, 0o600); err != nil {
		return err
	}
	ids, err := a.demoPeople(ctx)
	if err != nil {
		return err
	}
	if err := a.demoContent(ctx, ids); err != nil {
		return err
	}
	return os.WriteFile(filled, nil, 0o600)
}

// demoPeople makes the demo's people with the password that is kept, or with a
// new one. Those of a provider outside are in its realm with a password of its
// own, and are met here by their ids there.
func (a *App) demoPeople(ctx context.Context) ([]uuid.UUID, error) {
	if a.provider == nil {
		return a.demoPeopleOutside(ctx)
	}
	password := a.DemoPassword()
	if password == "" {
		password = strings.ToLower(rand.Text()[:16])
		if err := os.WriteFile(a.demoFile(demoPasswordFile), []byte(password+"\n"), 0o600); err != nil {
			return nil, err
		}
	}
	ids := make([]uuid.UUID, len(demoAccounts))
	for i, p := range demoAccounts {
		id, err := a.provider.EnsureAccount(ctx, p.Email, p.Name, password)
		if err != nil {
			return nil, err
		}
		ids[i] = id
	}
	return ids, nil
}

func (a *App) demoPeopleOutside(ctx context.Context) ([]uuid.UUID, error) {
	ids := make([]uuid.UUID, len(demoAccounts))
	for i, p := range demoAccounts {
		person, err := a.people.Resolve(ctx, a.Engines.OIDCIssuerURL, p.Subject,
			user.Claims{Email: p.Email, EmailVerified: true, Name: p.Name}, user.NoLinking)
		if err != nil {
			return nil, err
		}
		ids[i] = person.ID
	}
	return ids, nil
}

// demoGuestIssuer stands for the provider of people who never sign in.
const demoGuestIssuer = "demo"

// demoGuestIDs makes the people who only fill seats.
func (a *App) demoGuestIDs(ctx context.Context) ([]uuid.UUID, error) {
	var ids []uuid.UUID
	for _, last := range demoLastNames {
		for _, first := range demoFirstNames {
			address := strings.ToLower(first + "." + last + "@demo.test")
			person, err := a.people.Resolve(ctx, demoGuestIssuer, address,
				user.Claims{Name: first + " " + last, Email: address, EmailVerified: true}, user.NoLinking)
			if err != nil {
				return nil, err
			}
			ids = append(ids, person.ID)
		}
	}
	return ids, nil
}

func (a *App) demoContent(ctx context.Context, ids []uuid.UUID) error {
	organizer := access.Principal{UserID: ids[1]}
	orgID, err := a.demoOrg(ctx, ids)
	if err != nil {
		return err
	}
	guests, err := a.demoGuestIDs(ctx)
	if err != nil {
		return err
	}
	there, _, err := a.Events.List(ctx, organizer, event.Filter{OrgID: orgID}, "", event.MaxPage)
	if err != nil {
		return err
	}
	for _, d := range demoEvents {
		var id uuid.UUID
		for _, e := range there {
			if e.Name == d.name {
				id = e.ID
			}
		}
		if err := a.demoEvent(ctx, organizer, orgID, id, d, func(i int) access.Principal {
			return access.Principal{UserID: guests[i%len(guests)]}
		}, ids[2:]); err != nil {
			return fmt.Errorf("%s: %w", d.name, err)
		}
	}
	return nil
}

// demoOrg makes the organization with its members.
func (a *App) demoOrg(ctx context.Context, ids []uuid.UUID) (uuid.UUID, error) {
	admin := access.Principal{UserID: ids[0]}
	mine, _, err := a.Orgs.Mine(ctx, admin, "", org.MaxPage)
	if err != nil {
		return uuid.Nil, err
	}
	if len(mine) == 0 {
		made, err := a.Orgs.Create(ctx, admin, demoOrg)
		if err != nil {
			return uuid.Nil, err
		}
		mine = append(mine, made)
	}
	orgID := mine[0].ID
	for i, p := range demoAccounts[1:] {
		who := access.Principal{UserID: ids[i+1]}
		if _, err := a.Orgs.Invite(ctx, admin, orgID, p.Email, p.Role); err != nil &&
			!errors.Is(err, org.ErrAlreadyMember) && !errors.Is(err, org.ErrAlreadyInvited) {
			return uuid.Nil, err
		}
		invites, _, err := a.Orgs.InvitesToMe(ctx, who, "", org.MaxPage)
		if err != nil {
			return uuid.Nil, err
		}
		for _, invite := range invites {
			if _, err := a.Orgs.AcceptInvite(ctx, who, invite.ID); err != nil {
				return uuid.Nil, err
			}
		}
	}
	return orgID, nil
}

func (a *App) demoEvent(ctx context.Context, organizer access.Principal, orgID, id uuid.UUID, d demoEvent, guest func(int) access.Principal, members []uuid.UUID) error {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		return err
	}
	day := a.clock.Now().In(zone).AddDate(0, 0, d.inDays)
	hour := d.at
	if hour == 0 {
		hour = 19
	}
	starts := time.Date(day.Year(), day.Month(), day.Day(), hour, 0, 0, 0, zone)
	draft := event.Draft{
		OrgID: orgID, Name: d.name, Description: d.about, Category: d.category, Venue: d.venue,
		StartsAt: starts, EndsAt: starts.Add(time.Duration(d.hours) * time.Hour), TimeZone: zone.String(),
		TotalSlots: d.slots, MaxSeatsPerUser: event.NoLimit(),
	}
	if d.limit > 0 {
		draft.MaxSeatsPerUser = event.LimitOf(d.limit)
	}
	who := guest
	if d.membersOnly {
		draft.Visibility = event.Members
		who = func(i int) access.Principal { return access.Principal{UserID: members[i%len(members)]} }
	}
	if id == uuid.Nil {
		e, err := a.Events.Create(ctx, organizer, draft)
		if err != nil {
			return err
		}
		id = e.ID
	}
	for i, seats := range append(append([]int32(nil), d.sold...), d.waiting...) {
		q := booking.Request{EventID: id, Seats: seats, Key: booking.Key{Value: fmt.Sprintf("demo-%s-%d", id, i)}}
		if _, err := a.Bookings.Book(ctx, who(i), q); err != nil {
			return err
		}
	}
	return nil
}
