package postgres_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"happening/internal/access"
	"happening/internal/fault"
	"happening/internal/idp"
	"happening/internal/postgres"
	"happening/internal/testkit"
	"happening/internal/user"
)

func TestOneIdentityIsOnePerson(t *testing.T) {
	db := testkit.NewDB(t)
	ctx := context.Background()
	const callers, rounds = 16, 20
	for range rounds {
		subject := uuid.NewString()
		var group sync.WaitGroup
		ids := make([]uuid.UUID, callers)
		for i := range callers {
			// A service of its own each, as replicas have.
			people := user.NewService(postgres.NewUsers(db.DB), time.Now)
			group.Go(func() {
				p, err := people.Resolve(ctx, "https://issuer", subject, user.Claims{Name: "N", Email: subject + "@example.org", EmailVerified: true}, user.NoLinking)
				if err != nil {
					t.Errorf("resolve: %v", err)
				}
				if !p.EmailVerified {
					t.Error("the address is not verified")
				}
				ids[i] = p.ID
			})
		}
		group.Wait()
		for _, id := range ids {
			if id != ids[0] {
				t.Fatalf("one identity became %s and %s", ids[0], id)
			}
		}
	}
	var people int
	if err := db.System.QueryRow(ctx, `SELECT count(*) FROM users`).Scan(&people); err != nil || people != rounds {
		t.Errorf("%d people of %d identities, %v", people, rounds, err)
	}
}

func TestAnAddressTakesNobodyOver(t *testing.T) {
	db := testkit.NewDB(t)
	ctx := context.Background()
	people := user.NewService(postgres.NewUsers(db.DB), time.Now)
	claims := user.Claims{Name: "Owner", Email: "Same@example.org", EmailVerified: true}
	owner, err := people.Resolve(ctx, "https://a", "1", claims, user.NoLinking)
	if err != nil {
		t.Fatal(err)
	}
	claims.Name, claims.Email = "Newcomer", "same@EXAMPLE.org"
	// Another account at the same provider is somebody else, whatever is asked.
	for subject, linking := range map[string]user.Linking{"2": user.NoLinking, "3": user.LinkVerifiedEmail} {
		other, err := people.Resolve(ctx, "https://a", subject, claims, linking)
		if err != nil || other.ID == owner.ID || other.EmailVerified {
			t.Errorf("the newcomer is %+v, the owner %+v, %v", other, owner, err)
		}
	}
	// Another provider's may be the same person: nobody guesses, and nothing is
	// made of it.
	if got, err := people.Resolve(ctx, "https://b", "1", claims, user.NoLinking); !errors.Is(err, user.ErrNotLinked) {
		t.Errorf("the newcomer is %+v, %v", got, err)
	}
	if _, err := people.Lookup(ctx, "https://b", "1"); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("a refused newcomer is known: %v", err)
	}
	// Nor does an address count that the other provider didn't verify.
	claims.EmailVerified = false
	got, err := people.Resolve(ctx, "https://b", "2", claims, user.NoLinking)
	if err != nil || got.ID == owner.ID || got.EmailVerified {
		t.Errorf("an unverified newcomer is %+v, %v", got, err)
	}
	// While people move such a one waits for the proof, whether the address is
	// known here or not; who is known already stays who it is.
	for _, address := range []string{claims.Email, "unknown@example.org", ""} {
		if _, err := people.Resolve(ctx, "https://b", "3", user.Claims{Email: address}, user.LinkVerifiedEmail); !errors.Is(err, user.ErrAddressUnverified) {
			t.Errorf("an unverified newcomer as %q: %v", address, err)
		}
	}
	if _, err := people.Lookup(ctx, "https://b", "3"); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("a refused newcomer is known: %v", err)
	}
	if again, err := people.Resolve(ctx, "https://b", "2", claims, user.LinkVerifiedEmail); err != nil || again != got {
		t.Errorf("the known one became %+v, %v", again, err)
	}
	if again, err := people.Get(ctx, owner.ID); err != nil || again != owner {
		t.Errorf("the owner became %+v, %v", again, err)
	}
	// Many newcomers at once, each with an identity of their own.
	var group sync.WaitGroup
	verified := make([]bool, 12)
	for i := range verified {
		group.Go(func() {
			p, err := people.Resolve(ctx, "https://c", uuid.NewString(), user.Claims{Email: "race@example.org", EmailVerified: true}, user.NoLinking)
			if err != nil {
				t.Errorf("resolve: %v", err)
			}
			verified[i] = p.EmailVerified
		})
	}
	group.Wait()
	n := 0
	for _, v := range verified {
		if v {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d people hold one address verified", n)
	}
}

func TestMovingToAnotherProviderLinksOnce(t *testing.T) {
	db := testkit.NewDB(t)
	ctx := context.Background()
	const before, after = "https://before", "https://after"
	const rounds, callers = 10, 8
	for round := range rounds {
		people := user.NewService(postgres.NewUsers(db.DB), time.Now)
		claims := user.Claims{Name: "Ada", Email: uuid.NewString() + "@example.org", EmailVerified: true}
		owner, err := people.Resolve(ctx, before, uuid.NewString(), claims, user.NoLinking)
		if err != nil {
			t.Fatal(err)
		}
		// Several accounts of the new provider come with the address at once,
		// each more than once: one of them is linked, the others are others.
		var group sync.WaitGroup
		subjects := [2]string{uuid.NewString(), uuid.NewString()}
		var ids [callers]uuid.UUID
		for i := range callers {
			people := user.NewService(postgres.NewUsers(db.DB), time.Now)
			group.Go(func() {
				p, err := people.Resolve(ctx, after, subjects[i%2], claims, user.LinkVerifiedEmail)
				if err != nil {
					t.Errorf("resolve: %v", err)
				}
				ids[i] = p.ID
			})
		}
		group.Wait()
		if (ids[0] == owner.ID) == (ids[1] == owner.ID) {
			t.Fatalf("round %d: the owner is %s, the subjects %s and %s", round, owner.ID, ids[0], ids[1])
		}
		for i := range callers {
			if ids[i] != ids[i%2] {
				t.Fatalf("round %d: one identity became %s and %s", round, ids[i%2], ids[i])
			}
		}
		var audited int
		if err := db.System.QueryRow(ctx, `
			SELECT count(*) FROM user_audit WHERE user_id = $1 AND action = 'identity.linked' AND issuer = $2 AND rule = 'verified_email'`,
			owner.ID, after).Scan(&audited); err != nil || audited != 1 {
			t.Errorf("%d records of the link, %v", audited, err)
		}
	}
	for _, sql := range []string{`UPDATE user_audit SET rule = ''`, `DELETE FROM user_audit`} {
		if _, err := db.System.Exec(ctx, sql); err == nil {
			t.Errorf("%s is allowed", sql)
		}
	}
	var written string
	if err := db.System.QueryRow(ctx, `SELECT string_agg(user_audit::text, ' ') FROM user_audit`).Scan(&written); err != nil || strings.Contains(written, "@") {
		t.Errorf("the record holds an address, %v", err)
	}
}

func TestPersonFollowsTheProvider(t *testing.T) {
	db := testkit.NewDB(t)
	ctx := context.Background()
	people := user.NewService(postgres.NewUsers(db.DB), time.Now)
	p, err := people.Resolve(ctx, "https://a", "1", user.Claims{Email: "first@example.org"}, user.NoLinking)
	if err != nil || p.Name != "first" || p.EmailVerified {
		t.Fatalf("%+v %v", p, err)
	}
	want := user.Person{ID: p.ID, Name: "Ada", Email: "second@example.org", EmailVerified: true}
	if p, err = people.Resolve(ctx, "https://a", "1", user.Claims{Name: " Ada ", Email: "second@example.org", EmailVerified: true}, user.NoLinking); err != nil || p != want {
		t.Errorf("%+v %v", p, err)
	}
	if id, err := people.Lookup(ctx, "https://a", "1"); err != nil || id != p.ID {
		t.Errorf("%s %v", id, err)
	}
	if _, err := people.Lookup(ctx, "https://a", "2"); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("a stranger: %v", err)
	}
	org := uuid.New()
	if _, err := db.System.Exec(ctx, `INSERT INTO organizations (id, name, created_by) VALUES ($1, 'Club', $2)`, org, p.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := db.System.Exec(ctx, `INSERT INTO organization_users (org_id, user_id, role) VALUES ($1, $2, 'organizer')`, org, p.ID); err != nil {
		t.Fatal(err)
	}
	me, orgs, err := people.Me(ctx, access.Principal{UserID: p.ID})
	if err != nil || me.Person != want || len(orgs) != 1 || orgs[0] != (user.Membership{OrgID: org, OrgName: "Club", Role: access.Organizer}) {
		t.Errorf("me %+v %+v %v", me, orgs, err)
	}
	if _, _, err := people.Me(ctx, access.Principal{}); !errors.Is(err, fault.ErrUnauthenticated) {
		t.Errorf("a visitor: %v", err)
	}
}

// PostgreSQL compares addresses by its own tables: what it makes of a letter
// that is let into an address must not be an ASCII one.
func TestNoClearAddressBecomesAnotherInPostgreSQL(t *testing.T) {
	db := testkit.NewDB(t)
	var letters []string
	for r := rune(unicode.MaxASCII + 1); r <= unicode.MaxRune; r++ {
		if text := string(r); user.ClearAddress(text) {
			letters = append(letters, text)
		}
	}
	const mistaken = `SELECT count(*) FROM unnest($1::text[]) AS letter WHERE ascii(lower(letter)) < 128`
	var n int
	if err := db.System.QueryRow(context.Background(), mistaken, letters).Scan(&n); err != nil || n != 0 {
		t.Errorf("%d of %d letters become ASCII ones, %v", n, len(letters), err)
	}
	// The control: letters that are refused do.
	if err := db.System.QueryRow(context.Background(), mistaken, []string{"\u212a", "\u0130"}).Scan(&n); err != nil || n == 0 {
		t.Errorf("%d of the refused letters become ASCII ones, %v", n, err)
	}
}

func TestEmbeddedIdentitiesLoseTheirAddress(t *testing.T) {
	ctx := context.Background()
	before := testkit.NewDB(t)
	// A database of its own beside it, as it was before the migration.
	name := before.Name + "_old"
	before.AsOwner(t, "CREATE DATABASE "+name)
	t.Cleanup(func() { before.AsOwner(t, "DROP DATABASE "+name+" WITH (FORCE)") })
	connString := func(role string) string {
		return strings.Replace(before.ConnString(role), "dbname="+before.Name, "dbname="+name, 1)
	}
	if err := postgres.MigrateTo(ctx, connString("happening"), 4); err != nil {
		t.Fatal(err)
	}
	owner, err := pgx.Connect(ctx, connString("happening"))
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close(ctx)
	if _, err := owner.Exec(ctx, `
		INSERT INTO idp_accounts (id, name, email, email_verified, created_at, updated_at) VALUES
			('00000000-0000-0000-0000-00000000000a', 'Ada', 'ada@example.org', true, now(), now());
		INSERT INTO users (id, name, email, email_verified) VALUES
			('00000000-0000-0000-0000-000000000001', 'Ada', 'ada@example.org', true),
			('00000000-0000-0000-0000-000000000002', 'Ada', 'ada@example.org', false),
			('00000000-0000-0000-0000-000000000003', 'Bob', 'bob@example.org', true);
		INSERT INTO user_identities (issuer, subject, user_id, created_at) VALUES
			('https://new.example/idp', '00000000-0000-0000-0000-00000000000a', '00000000-0000-0000-0000-000000000002', '2031-01-02Z'),
			('http://localhost:3000/idp', '00000000-0000-0000-0000-00000000000a', '00000000-0000-0000-0000-000000000001', '2031-01-01Z'),
			('https://company.example/idp', 'bob', '00000000-0000-0000-0000-000000000003', '2031-01-01Z');
		INSERT INTO sessions (id, token_hash, user_id, issuer, subject, id_token, created_at, last_seen_at, expires_at) VALUES
			(gen_random_uuid(), 'x', '00000000-0000-0000-0000-000000000001', 'http://localhost:3000/idp',
			 '00000000-0000-0000-0000-00000000000a', '', now(), now(), now())`); err != nil {
		t.Fatal(err)
	}
	if err := postgres.Migrate(ctx, connString("happening")); err != nil {
		t.Fatal(err)
	}
	db, err := postgres.Open(ctx, connString)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	users := postgres.NewUsers(db)
	const ada = "00000000-0000-0000-0000-00000000000a"
	for _, issuer := range []string{idp.IdentityKey, "http://localhost:3000/idp"} { // the latter for the previous binary
		if id, err := users.PersonByIdentity(ctx, issuer, ada); err != nil || id != uuid.MustParse("00000000-0000-0000-0000-000000000001") {
			t.Errorf("by %s: %s, %v", issuer, id, err)
		}
	}
	if _, err := users.PersonByIdentity(ctx, idp.IdentityKey, "bob"); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("another provider's person: %v", err)
	}
	if ended, err := postgres.NewSessions(db).DeleteSessionsOfSubject(ctx, idp.IdentityKey, ada); err != nil || len(ended) != 1 {
		t.Errorf("%d sessions ended, %v", len(ended), err)
	}
}
