package user

import (
	"unicode"
	"unicode/utf8"
)

// ClearAddress says whether a mail address, well formed otherwise, can be told
// from every other one by eye and when case is ignored, as addresses are
// compared. Refused are what can't be seen, white space, and letters that
// share their lower case with an ordinary one: a Kelvin sign becomes the k of
// somebody else's address.
func ClearAddress(address string) bool {
	for _, r := range address {
		if r == ' ' || !unicode.IsPrint(r) || mistakable(r) {
			return false
		}
	}
	return utf8.ValidString(address)
}

// mistakable says whether ignoring case makes r equal to a letter that is not
// its other case.
func mistakable(r rune) bool {
	if r <= unicode.MaxASCII {
		return false
	}
	lower, upper := unicode.ToLower(r), unicode.ToUpper(r)
	return lower <= unicode.MaxASCII || upper <= unicode.MaxASCII || (lower != r && unicode.ToUpper(lower) != r)
}
