package postgres_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/fault"
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
				p, err := people.Resolve(ctx, "https://issuer", subject, user.Claims{Name: "N", Email: subject + "@example.org", EmailVerified: true})
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
	if err := db.App.QueryRow(ctx, `SELECT count(*) FROM users`).Scan(&people); err != nil || people != rounds {
		t.Errorf("%d people of %d identities, %v", people, rounds, err)
	}
}

func TestAnAddressTakesNobodyOver(t *testing.T) {
	db := testkit.NewDB(t)
	ctx := context.Background()
	people := user.NewService(postgres.NewUsers(db.DB), time.Now)
	claims := user.Claims{Name: "Owner", Email: "Same@example.org", EmailVerified: true}
	owner, err := people.Resolve(ctx, "https://a", "1", claims)
	if err != nil {
		t.Fatal(err)
	}
	claims.Name, claims.Email = "Newcomer", "same@EXAMPLE.org"
	other, err := people.Resolve(ctx, "https://b", "1", claims)
	if err != nil {
		t.Fatal(err)
	}
	if other.ID == owner.ID || other.EmailVerified {
		t.Errorf("the newcomer is %+v, the owner %+v", other, owner)
	}
	if again, err := people.Get(ctx, owner.ID); err != nil || again != owner {
		t.Errorf("the owner became %+v, %v", again, err)
	}
	// Many newcomers at once, each with an identity of their own.
	var group sync.WaitGroup
	verified := make([]bool, 12)
	for i := range verified {
		group.Go(func() {
			p, err := people.Resolve(ctx, "https://c", uuid.NewString(), user.Claims{Email: "race@example.org", EmailVerified: true})
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

func TestPersonFollowsTheProvider(t *testing.T) {
	db := testkit.NewDB(t)
	ctx := context.Background()
	people := user.NewService(postgres.NewUsers(db.DB), time.Now)
	p, err := people.Resolve(ctx, "https://a", "1", user.Claims{Email: "first@example.org"})
	if err != nil || p.Name != "first" || p.EmailVerified {
		t.Fatalf("%+v %v", p, err)
	}
	want := user.Person{ID: p.ID, Name: "Ada", Email: "second@example.org", EmailVerified: true}
	if p, err = people.Resolve(ctx, "https://a", "1", user.Claims{Name: " Ada ", Email: "second@example.org", EmailVerified: true}); err != nil || p != want {
		t.Errorf("%+v %v", p, err)
	}
	if id, err := people.Lookup(ctx, "https://a", "1"); err != nil || id != p.ID {
		t.Errorf("%s %v", id, err)
	}
	if _, err := people.Lookup(ctx, "https://a", "2"); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("a stranger: %v", err)
	}
	org := uuid.New()
	if _, err := db.App.Exec(ctx, `INSERT INTO organizations (id, name, created_by) VALUES ($1, 'Club', $2)`, org, p.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := db.App.Exec(ctx, `INSERT INTO organization_users (org_id, user_id, role) VALUES ($1, $2, 'organizer')`, org, p.ID); err != nil {
		t.Fatal(err)
	}
	me, orgs, err := people.Me(ctx, access.Principal{UserID: p.ID})
	if err != nil || me != want || len(orgs) != 1 || orgs[0] != (user.Membership{OrgID: org, OrgName: "Club", Role: access.Organizer}) {
		t.Errorf("me %+v %+v %v", me, orgs, err)
	}
	if _, _, err := people.Me(ctx, access.Principal{}); !errors.Is(err, fault.ErrUnauthenticated) {
		t.Errorf("a visitor: %v", err)
	}
	found, err := people.People(ctx, []uuid.UUID{p.ID, uuid.New()})
	if err != nil || len(found) != 1 || found[p.ID] != want {
		t.Errorf("people %+v %v", found, err)
	}
}
