package user_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"happening/internal/user"
)

func TestShowableName(t *testing.T) {
	for name, want := range map[string]bool{
		"Ada": true, "Ada Lovelace": true, "Jürgen-Großmann O’Neill": true, "李小龍": true, "Zoë\u0301": true,
		"علی\u200cرضا": true, "🏳️\u200d🌈": true, "李\u3000小龍": true, "7": true,
		"": false, " ": false, "\u00a0": false, "\u200d": false, "\u3164": false, "\u2800\u2800": false, "\u034f": false,
		"a\nb": false, "a\x00": false, "a\x7f": false, "a\u0085b": false, "a\u2028b": false, "a\u2029b": false,
		"a\u202eb": false, "a\u2066b": false, "a\u200bb": false, "a\ufeff": false, "a\u00adb": false, "a\xff": false,
		"a\ue000": false,
	} {
		if got := user.ShowableName(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}

func TestNamesThatLookLikeAddresses(t *testing.T) {
	for name, link := range map[string]bool{
		"Mill": false, "St. Gallen": false, "Node.js": false, "wwwow": false, "a:b//c": false,
		"https://evil.example.com": true, "Join HTTP://x": true, "www.evil.example": true, "see WWW.evil.example": true,
	} {
		if user.NamesLink(name) != link {
			t.Errorf("%q: a web address is %v", name, !link)
		}
	}
	for name, want := range map[string]string{
		"Mill": "Mill", "St. Gallen": "St. Gallen", "Festival 2.0": "Festival 2.0", "U.S. Chess": "U. S. Chess", "etc…": "etc…", ".": ".", "a.": "a.", "": "",
		"https://evil.example.com/x": "https: evil. example. com/x", "evil.example": "evil. example", "me@evil.example": "me@evil. example",
		"evil。example．com": "evil。 example． com", "x.1y": "x.1y", "1.test": "1. test",
	} {
		if got := user.WithoutLinks(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

// keeper is a store that keeps nothing but the claims.
type keeper struct {
	user.Store
	claims user.Claims
}

func (k *keeper) LinkPerson(_ context.Context, s user.Sighting) (user.Person, error) {
	k.claims = s.Claims
	return user.Person{ID: s.NewID}, nil
}

func TestClaimsOfAProviderAreBounded(t *testing.T) {
	const bidi, kelvin = "\u202e", "\u212a"
	for claims, want := range map[user.Claims]user.Claims{
		{Name: " Ada ", Email: " ada@example.org ", EmailVerified: true}: {Name: "Ada", Email: "ada@example.org", EmailVerified: true},
		{Name: "A" + bidi + "da\x00\xff"}:                                {Name: "Ada"},
		{Name: "\u200d\u3164", Email: "ada@example.org"}:                 {Name: "ada", Email: "ada@example.org"},
		{Name: strings.Repeat("ü", 201)}:                                 {Name: strings.Repeat("ü", 200)},
		{}:                                                               {Name: "Somebody"},
		{Email: "mar" + kelvin + "@example.org", EmailVerified: true}: {Name: "Somebody"},
		{Email: "a\x00@example.org", EmailVerified: true}:             {Name: "Somebody"},
		// The part that could be kept is another address.
		{Email: strings.Repeat("a", 242) + "@example.org.evil.example", EmailVerified: true}: {Name: "Somebody"},
	} {
		k := &keeper{}
		if _, err := user.NewService(k, time.Now).Resolve(context.Background(), "i", "s", claims, user.NoLinking); err != nil || k.claims != want {
			t.Errorf("%#v: got %#v, want %#v, %v", claims, k.claims, want, err)
		}
	}
}
