package user_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/fault"
	"happening/internal/user"
)

// renamed is a store that keeps nothing but a name.
type renamed struct {
	user.Store
	name string
}

func (r *renamed) Rename(_ context.Context, id uuid.UUID, name string, at time.Time) (user.Profile, error) {
	r.name = name
	return user.Profile{Person: user.Person{ID: id, Name: name}, CreatedAt: at}, nil
}

func (r *renamed) Memberships(context.Context, uuid.UUID) ([]user.Membership, error) { return nil, nil }

func TestAChosenNameIsCleanedAndBounded(t *testing.T) {
	const bidi, zeroWidth = "\u202e", "\u200b"
	for name, want := range map[string]string{
		"Ada":                              "Ada",
		"  Ada Lovelace ":                  "Ada Lovelace",
		"A" + bidi + "d" + zeroWidth + "a": "Ada",
		"Ada\r\nBcc: all":                  "AdaBcc: all",
		strings.Repeat("ü", 200):           strings.Repeat("ü", 200),
		strings.Repeat("ü", 201):           "",
		"":                                 "",
		" \t":                              "",
		"\u3164\u2800":                     "",
		"\u200d":                           "",
	} {
		store := &renamed{}
		me, _, err := user.NewService(store, time.Now).Rename(t.Context(), access.Principal{UserID: uuid.New()}, name)
		var f *fault.Error
		switch {
		case want == "" && (!errors.As(err, &f) || f.Kind != fault.Invalid || len(f.Fields) != 1 || f.Fields[0].Name != "name" || store.name != ""):
			t.Errorf("%q: %v, kept %q", name, err, store.name)
		case want != "" && (err != nil || store.name != want || me.Name != want):
			t.Errorf("%q: kept %q, want %q, %v", name, store.name, want, err)
		}
	}
	if _, _, err := user.NewService(&renamed{}, time.Now).Rename(t.Context(), access.Principal{}, "Ada"); !errors.Is(err, fault.ErrUnauthenticated) {
		t.Errorf("a visitor: %v", err)
	}
}
