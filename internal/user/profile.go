package user

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/fault"
)

// Profile is a person as they see themselves.
type Profile struct {
	Person
	CreatedAt time.Time
}

// Session is a browser that the person is signed in with, as they see it.
type Session struct {
	ID         uuid.UUID
	Label      string // such as "Firefox on Linux"
	CreatedAt  time.Time
	LastSeenAt time.Time // to the minute
}

// ProfileStore keeps what people see and change of themselves. Every method
// touches this person's rows only.
type ProfileStore interface {
	Profile(ctx context.Context, id uuid.UUID) (Profile, error)
	// Rename keeps a name that the person chose: from then on it stays,
	// whatever the provider calls them.
	Rename(ctx context.Context, id uuid.UUID, name string, at time.Time) (Profile, error)
}

// Me gives the caller and the organizations that they belong to, by name.
func (s *Service) Me(ctx context.Context, p access.Principal) (Profile, []Membership, error) {
	if !p.SignedIn() {
		return Profile{}, nil, fault.ErrUnauthenticated
	}
	me, err := s.store.Profile(ctx, p.UserID)
	if err != nil {
		return Profile{}, nil, oneself(err)
	}
	memberships, err := s.store.Memberships(ctx, p.UserID)
	if err != nil {
		return Profile{}, nil, err
	}
	return me, memberships, nil
}

// Rename gives the caller another name. It is cleaned as a provider's is; one
// of which too much or nothing would be left is refused.
func (s *Service) Rename(ctx context.Context, p access.Principal, name string) (Profile, []Membership, error) {
	if !p.SignedIn() {
		return Profile{}, nil, fault.ErrUnauthenticated
	}
	name, err := chosenName(name)
	if err != nil {
		return Profile{}, nil, err
	}
	me, err := s.store.Rename(ctx, p.UserID, name, s.now())
	if err != nil {
		return Profile{}, nil, fmt.Errorf("user: rename: %w", oneself(err))
	}
	memberships, err := s.store.Memberships(ctx, p.UserID)
	if err != nil {
		return Profile{}, nil, err
	}
	return me, memberships, nil
}

// oneself gives the error of looking for the caller: who is not there was erased
// since the caller was recognized, so that the caller is nobody now.
func oneself(err error) error {
	if errors.Is(err, fault.ErrNotFound) {
		return fault.ErrUnauthenticated
	}
	return err
}

// chosenName cleans a name that a person typed. Unlike a provider's, one that
// is too long is not cut: its person is here and can say it shorter.
func chosenName(name string) (string, error) {
	wrong := func(message string) error {
		return fault.InvalidFields(fault.Field{Name: "name", Message: message})
	}
	if utf8.RuneCountInString(strings.TrimSpace(name)) > MaxNameLength {
		return "", wrong(fmt.Sprintf("must have at most %d characters", MaxNameLength))
	}
	if name = shownName(name); name == "" {
		return "", wrong("must have something to be seen by")
	}
	if NamesLink(name) {
		return "", wrong(MessageLink)
	}
	return name, nil
}
