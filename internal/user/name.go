package user

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Two joiners can't be seen, yet several scripts and emoji are written wrong
// without them.
const (
	zeroWidthNonJoiner = '\u200c'
	zeroWidthJoiner    = '\u200d'
)

// blanks are letters and symbols by class that show nothing: fillers of the
// Korean script, and the Braille cell without a dot.
const blanks = "\u115f\u1160\u3164\uffa0\u2800"

// ShowableName says whether a name can stand among others on a screen and in
// a mail: it has something to see, and nothing that breaks the line, turns the
// direction of what follows or hides.
func ShowableName(name string) bool {
	return utf8.ValidString(name) && strings.ContainsFunc(name, visible) &&
		!strings.ContainsFunc(name, func(r rune) bool { return !showable(r) })
}

func showable(r rune) bool {
	return unicode.IsGraphic(r) || r == zeroWidthNonJoiner || r == zeroWidthJoiner
}

func visible(r rune) bool {
	return unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S) && !strings.ContainsRune(blanks, r)
}

// shownName makes of a provider's name one that can be shown; empty: nothing
// is left to see.
func shownName(name string) string {
	kept := strings.Map(func(r rune) rune {
		if !showable(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(name, ""))
	kept = strings.TrimSpace(kept)
	if !ShowableName(kept) {
		return ""
	}
	return truncate(kept, MaxNameLength)
}
