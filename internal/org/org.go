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
	"happening/internal/user"
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

	// What it says of itself on its public page; empty: nothing.
	About        string // Markdown without HTML
	ContactEmail string
	Website      string // http or https
	Color        string // "#rrggbb"
	TimeZone     string // IANA; what its new events begin with
	LogoVersion  string // names its logo; empty: it has none
	Revision     int64  // moves with the settings; the ETag
}

// Mine is an organization as one caller sees it.
type Mine struct {
	Organization
	Role access.Role // access.NoRole for who is not a member
}

// New makes an organization with a tidy name, or tells what is wrong with it.
func New(name string, id, createdBy uuid.UUID, now time.Time) (Organization, error) {
	name, message := tidyName(name)
	if message != "" {
		return Organization{}, fault.InvalidFields(fault.Field{Name: "name", Message: message})
	}
	return Organization{ID: id, Name: name, CreatedBy: createdBy, CreatedAt: instant(now), Revision: 1}, nil
}

// tidyName gives a name as it is stored, or what is wrong with it.
func tidyName(name string) (tidy, message string) {
	name = strings.TrimSpace(name)
	switch n := utf8.RuneCountInString(name); {
	case n == 0:
		message = "This must not be empty."
	case n > MaxName:
		message = "Use at most 200 characters."
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		message = "Use plain text on one line."
	case user.HidesText(name):
		message = user.MessageHidden
	case !user.ShowsText(name):
		message = "This must not be empty."
	case user.NamesLink(name):
		message = user.MessageLink
	}
	return name, message
}

// instant is a moment as the database keeps it: UTC, in microseconds.
func instant(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
