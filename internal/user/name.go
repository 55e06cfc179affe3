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

// MessageHidden is what is told where HidesText refuses.
const MessageHidden = "Remove the characters that can't be seen, such as zero-width spaces and marks of direction."

// ShowableName says whether a name can stand among others on a screen and in
// a mail: it has something to see, and nothing that breaks the line, turns the
// direction of what follows or hides.
func ShowableName(name string) bool {
	return utf8.ValidString(name) && ShowsText(name) && !HidesText(name) && !strings.ContainsFunc(name, unknown)
}

// unknown says whether a character is one that no font knows, or a control.
func unknown(r rune) bool { return !unicode.IsGraphic(r) && !unicode.Is(unicode.Cf, r) }

// HidesText says whether a text holds characters that can't be seen and change
// how the rest of it reads, such as overrides of direction, zero-width spaces
// and line separators. Joiners are none where they join, nor are the format
// characters that are signs of their own, such as the Arabic ones of numbers.
func HidesText(text string) bool {
	runes := []rune(text)
	joins := func(i int) bool {
		return i >= 0 && i < len(runes) && unicode.In(runes[i], unicode.L, unicode.M, unicode.S)
	}
	for i, r := range runes {
		switch {
		case r == zeroWidthJoiner || r == zeroWidthNonJoiner:
			if !joins(i-1) || !joins(i+1) {
				return true
			}
		case unicode.Is(unicode.Prepended_Concatenation_Mark, r):
		case unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp):
			return true
		}
	}
	return false
}

// MessageLink is what is told where NamesLink refuses.
const MessageLink = "Names can't contain web addresses."

// NamesLink says whether a name holds what anybody would take for a web
// address. Names go into mails to people who never heard of us, and nobody
// shall send them anywhere by one.
func NamesLink(name string) bool {
	name = strings.ToLower(name)
	return strings.Contains(name, "://") || strings.Contains(name, "www.")
}

// dots are what separates the parts of an address for a browser, which takes
// the later ones for the first.
const dots = ".\u3002\uff0e\uff61"

// WithoutLinks gives a name as it may stand in a mail to anybody: programs that
// show mails make a link of whatever looks like an address, so that a dot
// between two words gets the space that it has at the end of a sentence.
// Numbers such as 2.0 stay whole.
func WithoutLinks(name string) string {
	var safe strings.Builder
	var before rune
	runes := []rune(strings.ReplaceAll(name, "://", ": "))
	for i, r := range runes {
		safe.WriteRune(r)
		if strings.ContainsRune(dots, r) && i+1 < len(runes) && wordy(before) && unicode.In(runes[i+1], unicode.L, unicode.M) {
			safe.WriteByte(' ')
		}
		before = r
	}
	return safe.String()
}

func wordy(r rune) bool { return unicode.In(r, unicode.L, unicode.M, unicode.N) }

// ShowsText says whether anything of a text can be seen. Fillers count as
// letters in Unicode and the empty Braille pattern as a symbol; both are blank.
func ShowsText(text string) bool {
	const emptyBraille = '\u2800'
	return strings.ContainsFunc(text, func(r rune) bool {
		return unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S) &&
			!unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) && r != emptyBraille
	})
}

// shownName makes of a provider's name one that can be shown; empty: nothing
// is left to see.
func shownName(name string) string {
	kept := strings.Map(func(r rune) rune {
		if unknown(r) || unicode.Is(unicode.Cf, r) && r != zeroWidthNonJoiner && r != zeroWidthJoiner {
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
