// Package org knows organizations, which are the tenants, their members with
// one role each, and the invites by which people become members.
package org

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/fault"
)

// MaxName bounds an organization's name, in characters.
const MaxName = 200

// ErrSuspended says that nothing new happens in the organization for now.
var ErrSuspended = fault.New(fault.Conflict, "org_suspended", "The organization is suspended.")

// Organization is a tenant. Times are UTC.
type Organization struct {
	ID          uuid.UUID
	Name        string
	CreatedBy   uuid.UUID
	CreatedAt   time.Time
	SuspendedAt time.Time // zero: not suspended
}

// Mine is an organization as one caller sees it.
type Mine struct {
	Organization
	Role access.Role // access.NoRole for who is not a member
}

// Member is a person's place in one organization.
type Member struct {
	UserID    uuid.UUID
	Name      string
	Email     string
	Role      access.Role
	CreatedAt time.Time
}

// New makes an organization with a tidy name, or tells what is wrong with it.
func New(name string, id, createdBy uuid.UUID, now time.Time) (Organization, error) {
	name = strings.TrimSpace(name)
	message := ""
	switch n := utf8.RuneCountInString(name); {
	case n == 0:
		message = "This must not be empty."
	case n > MaxName:
		message = "Use at most 200 characters."
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		message = "Use plain text on one line."
	case HidesText(name):
		message = MessageHidden
	case !ShowsText(name):
		message = "This must not be empty."
	}
	if message != "" {
		return Organization{}, fault.InvalidFields(fault.Field{Name: "name", Message: message})
	}
	return Organization{ID: id, Name: name, CreatedBy: createdBy, CreatedAt: instant(now)}, nil
}

// MessageHidden is what is told where HidesText refuses.
const MessageHidden = "Remove the characters that can't be seen, such as zero-width spaces and marks of direction."

// The joiners that some scripts, and emoji of several parts, are written with.
const (
	zeroWidthNonJoiner = '\u200c'
	zeroWidthJoiner    = '\u200d'
)

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

// ShowsText says whether anything of a text can be seen. Fillers count as
// letters in Unicode and the empty Braille pattern as a symbol; both are blank.
func ShowsText(text string) bool {
	const emptyBraille = '\u2800'
	return strings.ContainsFunc(text, func(r rune) bool {
		return unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S) &&
			!unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) && r != emptyBraille
	})
}

// instant is a moment as the database keeps it: UTC, in microseconds.
func instant(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
