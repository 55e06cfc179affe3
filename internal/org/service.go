package org

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/audit"
	"happening/internal/fault"
)

// The limits of lists.
const (
	DefaultPage = 20
	MaxPage     = 100
)

// MaxFounded bounds the organizations that one person founds.
const MaxFounded = 20

// ErrTooManyOrgs says that this is reached.
var ErrTooManyOrgs = fault.New(fault.Conflict, "too_many_organizations", "You have founded as many organizations as one person may.")

// Store keeps organizations, members and invites. Each method is one
// transaction. What is not there is fault.ErrNotFound. Pages begin after the
// given id, with the first one after uuid.Nil; organizations and members are
// listed oldest first, invites newest first.
//
// Who looks or acts is told to every method, and what they may not see is not
// there: the second wall behind the checks of the use cases.
type Store interface {
	access.Roles
	MemberStore
	SettingsStore
	InviteStore
	// InsertOrg adds the organization with its creator as orgAdmin;
	// ErrTooManyOrgs where the creator has founded MaxFounded before, also when
	// many requests come at once.
	InsertOrg(ctx context.Context, o Organization, record audit.Entry) error
	// FindOrg reads an organization and the viewer's role in it.
	FindOrg(ctx context.Context, id, viewer uuid.UUID) (Mine, error)
	ListOrgsOf(ctx context.Context, userID, after uuid.UUID, limit int) ([]Mine, error)
}

// Service is the use cases around organizations.
type Service struct {
	store     Store
	publicURL string
	now       func() time.Time
	changed   func(ctx context.Context, userID uuid.UUID)
}

// NewService gives the use cases over a store. publicURL is the address that
// people type, of which links are made; now is the application's clock.
func NewService(store Store, publicURL string, now func() time.Time) *Service {
	return &Service{
		store: store, publicURL: strings.TrimSuffix(publicURL, "/"), now: now, changed: func(context.Context, uuid.UUID) {},
	}
}

// OnRoleChange says what is done after somebody was given another role, or lost
// theirs. It comes after the commit and before the answer, and is told nowhere
// again: what must not fail has no place in it. Set it before the first use.
func (s *Service) OnRoleChange(do func(ctx context.Context, userID uuid.UUID)) { s.changed = do }

// RoleOf tells a person's role as the database has it now; it makes the
// service an access.Roles.
func (s *Service) RoleOf(ctx context.Context, userID, orgID uuid.UUID) (access.Role, error) {
	return s.store.RoleOf(ctx, userID, orgID)
}

// Create founds an organization, in which the caller becomes orgAdmin.
func (s *Service) Create(ctx context.Context, p access.Principal, name string) (Mine, error) {
	if !p.SignedIn() {
		return Mine{}, fault.ErrUnauthenticated
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Mine{}, fmt.Errorf("org: create: %w", err)
	}
	now := s.now()
	o, err := New(name, id, p.UserID, now)
	if err != nil {
		return Mine{}, err
	}
	record := audit.Entry{OrgID: id, ActorID: p.UserID, Action: audit.OrgCreated, SubjectID: id, At: now, After: audit.Details{"admin_id": p.UserID}}
	if err := s.store.InsertOrg(ctx, o, record); err != nil {
		return Mine{}, fmt.Errorf("org: create: %w", err)
	}
	return Mine{Organization: o, Role: access.OrgAdmin}, nil
}

// Get gives an organization, whose name is public, and the caller's role.
func (s *Service) Get(ctx context.Context, p access.Principal, id uuid.UUID) (Mine, error) {
	return s.permit(ctx, access.OrgRead, p, id)
}

// permit gives an organization in which the caller may do the action.
func (s *Service) permit(ctx context.Context, a access.Action, p access.Principal, id uuid.UUID) (Mine, error) {
	o, err := s.store.FindOrg(ctx, id, p.UserID)
	if err != nil {
		return Mine{}, fmt.Errorf("org: find: %w", err)
	}
	if err := access.Decide(a, p, o.Role, access.Thing{OrgID: id}); err != nil {
		return Mine{}, err
	}
	return o, nil
}

// Mine lists the caller's organizations, the oldest first, and the cursor of
// the next page, empty at the end.
func (s *Service) Mine(ctx context.Context, p access.Principal, cursor string, limit int) ([]Mine, string, error) {
	if !p.SignedIn() {
		return nil, "", fault.ErrUnauthenticated
	}
	return page(cursor, limit, func(after uuid.UUID, limit int) ([]Mine, error) {
		return s.store.ListOrgsOf(ctx, p.UserID, after, limit)
	}, func(o Mine) uuid.UUID { return o.ID })
}

// page reads one page after a cursor, which is the id of the last thing of the
// page before, and gives the next page's cursor, empty at the end.
func page[T any](cursor string, limit int, list func(after uuid.UUID, limit int) ([]T, error), id func(T) uuid.UUID) (items []T, next string, err error) {
	var bad []fault.Field
	if limit < 1 || limit > MaxPage {
		bad = append(bad, fault.Field{Name: "limit", Message: fmt.Sprintf("Use a number from 1 to %d.", MaxPage)})
	}
	after, ok := parseCursor(cursor)
	if !ok {
		bad = append(bad, fault.Field{Name: "cursor", Message: "Use next_cursor of the page before, or leave it out."})
	}
	if len(bad) > 0 {
		return nil, "", fault.InvalidFields(bad...)
	}
	// One more than asked for tells whether a next page exists.
	if items, err = list(after, limit+1); err != nil {
		return nil, "", fmt.Errorf("org: list: %w", err)
	}
	if len(items) > limit {
		items = items[:limit]
		last := id(items[limit-1])
		next = base64.RawURLEncoding.EncodeToString(last[:])
	}
	return items, next, nil
}

func parseCursor(s string) (uuid.UUID, bool) {
	if s == "" {
		return uuid.Nil, true
	}
	var id uuid.UUID
	if len(s) != base64.RawURLEncoding.EncodedLen(len(id)) {
		return uuid.Nil, false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(raw) != len(id) {
		return uuid.Nil, false
	}
	return uuid.UUID(raw), true
}
