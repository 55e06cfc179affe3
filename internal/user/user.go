// Package user knows people: who somebody is, by which identities at which
// provider they sign in, and to which organizations they belong. A person is
// known by issuer and subject, never by an address: an address moves between
// people, and whoever could claim one would own the account behind it. The
// issuer of the embedded provider is a constant here and not the address at
// which the installation happens to stand.
//
// The one exception is asked for by the operator: while an installation moves
// to another provider, a newcomer whose address that provider verified may be
// the person who holds the address verified here; see LinkVerifiedEmail.
package user

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"

	"happening/internal/access"
	"happening/internal/fault"
)

// Person is somebody who signed in at least once. An Email that is not
// verified counts for nothing; it is only shown to the person.
type Person struct {
	ID            uuid.UUID
	Name          string
	Email         string
	EmailVerified bool
}

// Claims is what the provider says of a person.
type Claims struct {
	Name          string
	Email         string
	EmailVerified bool
}

// Membership is a person's place in one organization.
type Membership struct {
	OrgID   uuid.UUID
	OrgName string
	Role    access.Role
}

// Linking says what becomes of an identity that was never seen, where its
// verified address is the verified one of a person whom another provider
// brought.
type Linking int

// The ways of linking.
const (
	// NoLinking refuses with ErrNotLinked: a second person of the same address
	// would be a member of nothing, and could not be made one with the first.
	NoLinking Linking = iota
	// LinkVerifiedEmail makes it an identity of that person, once per person
	// and issuer, and records so. An unknown identity without a verified
	// address is refused with ErrAddressUnverified: made a person of its own,
	// it could not be linked any more once its address is verified.
	LinkVerifiedEmail
	// OnlyKnown makes nobody: an unknown identity answers fault.ErrNotFound.
	// Whoever is erased while their session is being confirmed must not come
	// back by it.
	OnlyKnown
)

// ErrNotLinked says that the address belongs to a person who signed in with
// another provider so far. Nothing was changed.
var ErrNotLinked = fault.New(fault.Forbidden, "identity_not_linked",
	"There is an account with your address from the sign-in service that was used here before. It is not connected with the new one yet.")

// ErrAddressUnverified says that a newcomer must have an address verified by
// the provider first. It is the answer to every newcomer without, so that it
// tells nobody whether the address is known here. Nothing was changed.
var ErrAddressUnverified = fault.New(fault.Forbidden, "address_unverified",
	"Confirm your e-mail address at the sign-in service first.")

// Sighting is somebody seen at a provider.
type Sighting struct {
	Issuer  string
	Subject string
	NewID   uuid.UUID // for the person, if there is none yet
	Claims  Claims
	Linking Linking
	At      time.Time
}

// Store keeps people. Absent ones answer fault.ErrNotFound.
type Store interface {
	ProfileStore
	ExportStore
	// PersonByIdentity gives the person behind an identity.
	PersonByIdentity(ctx context.Context, issuer, subject string) (uuid.UUID, error)
	// LinkPerson gives the person behind an identity, with name and address
	// brought up to the claims; a new one gets NewID, unless they are the guest
	// of their verified address. Somebody known inherits what such a guest has. It may be called by
	// many at once with one identity and makes one person. For an unknown
	// identity whose verified address a person holds verified who has no
	// identity of the issuer yet, and for one without a verified address,
	// Linking decides. An address that somebody else holds verified stays
	// unverified here.
	LinkPerson(ctx context.Context, s Sighting) (Person, error)
	Person(ctx context.Context, id uuid.UUID) (Person, error)
	Memberships(ctx context.Context, id uuid.UUID) ([]Membership, error)
}

// Limits of what a provider may make us keep and of the memory of identities.
const (
	MaxNameLength  = 200 // characters
	MaxEmailLength = 254 // characters; RFC 5321

	cachedIdentities   = 65_536
	identityCacheLived = time.Minute
)

// Service answers who somebody is.
type Service struct {
	store Store
	now   func() time.Time
	// identities spares a query per request: an identity never moves to
	// another person, so the entries age only for the sake of erasure.
	identities *lru.Cache[identity, known]
	// forgotten counts the people whom it was made to forget, and moves while
	// forgetting is held alone; see remember.
	forgotten  atomic.Uint64
	forgetting sync.RWMutex
	// exporting holds the people who are being given an export.
	exporting sync.Map
}

type identity struct{ issuer, subject string }

type known struct {
	id    uuid.UUID
	until time.Time
}

// NewService makes the service; now is the application's clock.
func NewService(store Store, now func() time.Time) *Service {
	cache, err := lru.New[identity, known](cachedIdentities)
	if err != nil {
		panic(err) // only for a size below one
	}
	return &Service{store: store, now: now, identities: cache}
}

// Lookup gives the person behind an identity and fault.ErrNotFound for one
// that was never seen.
func (s *Service) Lookup(ctx context.Context, issuer, subject string) (uuid.UUID, error) {
	key, now := identity{issuer, subject}, s.now()
	if k, ok := s.identities.Get(key); ok && now.Before(k.until) {
		return k.id, nil
	}
	begun := s.forgotten.Load()
	id, err := s.store.PersonByIdentity(ctx, issuer, subject)
	if err != nil {
		return uuid.Nil, fmt.Errorf("user: look up identity: %w", err)
	}
	s.remember(begun, key, known{id: id, until: now.Add(identityCacheLived)})
	return id, nil
}

// Resolve gives the person behind an identity, made at first sight or found by
// linking, with name and address brought up to what the provider says now.
func (s *Service) Resolve(ctx context.Context, issuer, subject string, claims Claims, linking Linking) (Person, error) {
	if issuer == "" || subject == "" {
		return Person{}, errors.New("user: an identity needs issuer and subject")
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Person{}, fmt.Errorf("user: new id: %w", err)
	}
	begun, now := s.forgotten.Load(), s.now()
	person, err := s.store.LinkPerson(ctx, Sighting{
		Issuer: issuer, Subject: subject, NewID: id, Claims: claims.clean(), Linking: linking, At: now,
	})
	if err != nil {
		return Person{}, fmt.Errorf("user: resolve: %w", err)
	}
	s.remember(begun, identity{issuer, subject}, known{id: person.ID, until: now.Add(identityCacheLived)})
	return person, nil
}

// Get gives a person.
func (s *Service) Get(ctx context.Context, id uuid.UUID) (Person, error) {
	return s.store.Person(ctx, id)
}

// clean bounds what a provider says and gives everybody a name to be shown.
// An address that could be taken for another one, or that can't be kept
// whole, is dropped: a part of it may be somebody else's.
func (c Claims) clean() Claims {
	c.Email = strings.TrimSpace(c.Email)
	if utf8.RuneCountInString(c.Email) > MaxEmailLength || !ClearAddress(c.Email) {
		c.Email = ""
	}
	if c.Name = shownName(c.Name); c.Name == "" {
		local, _, _ := strings.Cut(c.Email, "@")
		c.Name = shownName(local)
	}
	if c.Name == "" {
		c.Name = "Somebody"
	}
	c.EmailVerified = c.EmailVerified && c.Email != ""
	return c
}

func truncate(s string, characters int) string {
	if r := []rune(s); len(r) > characters {
		return string(r[:characters])
	}
	return s
}
