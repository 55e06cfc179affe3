package user_test

import (
	"testing"
	"unicode"

	"happening/internal/user"
)

func TestClearAddress(t *testing.T) {
	for address, want := range map[string]bool{
		"ann@example.org":       true,
		"Jürgen@exämple.org":    true,
		"Øyvind@example.org":    true,
		"ελλάδας@example.org":   true,
		"михаил@example.org":    true,
		"李@example.org":         true,
		"mar\u212a@example.org": false, // Kelvin sign
		"V\u0130P@example.org":  false, // I with a dot
		"v\u0131p@example.org":  false, // i without one
		"jame\u017f@a.org":      false, // long s
		"\u212bsa@example.org":  false, // Ångström sign
		"a b@example.org":       false,
		"a\u00a0b@example.org":  false,
		"a\u200bb@example.org":  false,
		"a\u202eb@example.org":  false,
		"a\x00@example.org":     false,
		"a\xff@example.org":     false,
	} {
		if got := user.ClearAddress(address); got != want {
			t.Errorf("%q: %v", address, got)
		}
	}
}

// No letter that is let through becomes, without case, another one's, save for
// the two cases of one letter.
func TestClearAddressesStayApartWithoutCase(t *testing.T) {
	byLower := map[rune]rune{}
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if !user.ClearAddress(string(r)) || unicode.ToLower(r) == r {
			continue
		}
		lower := unicode.ToLower(r)
		if other, taken := byLower[lower]; taken {
			t.Errorf("%U and %U both become %U", r, other, lower)
		}
		if r > unicode.MaxASCII && lower <= unicode.MaxASCII {
			t.Errorf("%U becomes %q", r, lower)
		}
		byLower[lower] = r
	}
}
