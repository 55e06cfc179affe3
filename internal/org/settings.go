package org

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/audit"
	"happening/internal/fault"
	"happening/internal/user"
)

// The limits of settings.
const (
	MaxAbout   = 5_000 // characters
	MaxWebsite = 300   // bytes
)

// The faults of settings.
var (
	ErrStaleRevision = fault.New(fault.Stale, "stale_revision", "Somebody changed this organization meanwhile; look at it again.")
	ErrNotEmpty      = fault.New(fault.Conflict, "organization_not_empty", "The organization has events. It can only be deleted when it has none, not even past ones.")
)

// SettingsStore keeps what an organization says of itself, and its standing.
// Each method is one transaction. What is not there, or not for the actor, is
// fault.ErrNotFound.
type SettingsStore interface {
	// EditOrg locks the organization, lets edit say what it shall be, and
	// writes that with its record, and its logo where that is another one.
	// edit may be called again and must have no effect of its own; a revision
	// that stays says that nothing differs.
	EditOrg(ctx context.Context, actor, id uuid.UUID, edit func(current Organization) (Edit, error)) (Mine, error)
	// DeleteOrg removes an organization that has no event, with its members,
	// invites and logo; else ErrNotEmpty, also where an event is being created
	// at the same time.
	DeleteOrg(ctx context.Context, actor, id uuid.UUID, record audit.Entry) error
	// FindLogo reads a logo together with whether the viewer may see the
	// organization's page.
	FindLogo(ctx context.Context, id, viewer uuid.UUID) (Mine, []byte, error)
	SuspensionStore
}

// Edit is what an organization shall be.
type Edit struct {
	After  Organization
	Record audit.Entry
	// Logo is the image that After.LogoVersion names, where that is new.
	Logo []byte
}

// Patch is what is to be changed of the settings; nil keeps, and the empty
// text empties.
type Patch struct {
	Name, About, ContactEmail, Website, Color, TimeZone *string
}

var (
	color = regexp.MustCompile(`^#[0-9a-f]{6}$`)
	zone  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$`)
	// notZones are files that lie among a machine's zone data without being
	// IANA zones; no browser knows them.
	notZones = regexp.MustCompile(`^(?i:local|localtime|posixrules|factory|(posix|right)/.*)$`)
)

// KnownZone says whether the name is an IANA zone. The empty name and "Local",
// which the time package would take, are not.
func KnownZone(name string) bool {
	if !zone.MatchString(name) || notZones.MatchString(name) {
		return false
	}
	_, err := time.LoadLocation(name)
	return err == nil
}

// Apply gives the organization with the patch, with the next revision where
// anything differs, or tells every field that is not valid.
func (o Organization) Apply(p Patch) (Organization, error) {
	after := o
	var bad []fault.Field
	take := func(name string, into, given *string, tidy func(string) (tidy, wrong string)) {
		if given == nil {
			return
		}
		value, wrong := tidy(*given)
		if wrong != "" {
			bad = append(bad, fault.Field{Name: name, Message: wrong})
			return
		}
		*into = value
	}
	take("name", &after.Name, p.Name, tidyName)
	take("about", &after.About, p.About, tidyAbout)
	take("contact_email", &after.ContactEmail, p.ContactEmail, tidyContact)
	take("website", &after.Website, p.Website, tidyWebsite)
	take("color", &after.Color, p.Color, tidyColor)
	take("time_zone", &after.TimeZone, p.TimeZone, tidyZone)
	if len(bad) > 0 {
		return Organization{}, fault.InvalidFields(bad...)
	}
	if after != o {
		after.Revision++
	}
	return after, nil
}

// tidyAbout takes several lines. Markdown is judged where it is rendered,
// without HTML; here only what no database stores is refused.
func tidyAbout(s string) (tidy, wrong string) {
	unprintable := func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune("\n\r\t", r) }
	switch {
	case utf8.RuneCountInString(s) > MaxAbout:
		wrong = "Use at most 5000 characters."
	case !utf8.ValidString(s) || strings.ContainsFunc(s, unprintable):
		wrong = "Use plain text without control characters."
	case user.HidesText(s):
		wrong = user.MessageHidden
	}
	return s, wrong
}

func tidyContact(s string) (tidy, wrong string) {
	if strings.TrimSpace(s) == "" {
		return "", ""
	}
	address, ok := NormalAddress(s)
	if !ok {
		return "", "Use one mail address such as hello@example.org."
	}
	return address, ""
}

// tidyWebsite takes an address that a browser goes to. One with a password in
// it would publish that, and one with a user's name looks like another site.
func tidyWebsite(s string) (tidy, wrong string) {
	s = strings.TrimSpace(s)
	if s == "" {
		return "", ""
	}
	if len(s) > MaxWebsite {
		return "", "Use at most 300 characters."
	}
	blank := func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }
	u, err := url.Parse(s)
	switch {
	case err != nil || !utf8.ValidString(s) || strings.ContainsFunc(s, blank) || user.HidesText(s),
		u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "", strings.Contains(s, `\`):
		return "", "Use an address such as https://example.org."
	case u.User != nil:
		return "", "Leave name and password out of the address."
	}
	return s, ""
}

func tidyColor(s string) (tidy, wrong string) {
	s = strings.ToLower(strings.TrimSpace(s))
	if s != "" && !color.MatchString(s) {
		return "", "Use a colour such as #1a7f5a."
	}
	return s, ""
}

func tidyZone(s string) (tidy, wrong string) {
	if s != "" && !KnownZone(s) {
		return "", "Use an IANA time zone such as Europe/Berlin."
	}
	return s, ""
}

// editRecord is what the record says of an edit: the settings that differ, as
// they were and as they are. Of texts in which people are named, be it the
// name of what they founded, and of addresses it says only that they changed,
// since the record is never erased.
func editRecord(before, after *Organization, actor uuid.UUID, now time.Time) audit.Entry {
	was, is := audit.Details{}, audit.Details{}
	for _, setting := range []struct{ name, was, is string }{
		{"color", before.Color, after.Color}, {"time_zone", before.TimeZone, after.TimeZone}, {"logo", before.LogoVersion, after.LogoVersion},
	} {
		if setting.was != setting.is {
			was[setting.name], is[setting.name] = setting.was, setting.is
		}
	}
	var changed []string
	for _, text := range []struct{ name, was, is string }{
		{"name", before.Name, after.Name}, {"about", before.About, after.About},
		{"contact_email", before.ContactEmail, after.ContactEmail}, {"website", before.Website, after.Website},
	} {
		if text.was != text.is {
			changed = append(changed, text.name)
		}
	}
	if changed != nil {
		is["changed"] = changed
	}
	return audit.Entry{
		OrgID: before.ID, ActorID: actor, Action: audit.OrgUpdated, SubjectID: before.ID, At: now, Before: was, After: is,
	}
}

// For gives an organization in which the caller may do the action.
func (s *Service) For(ctx context.Context, a access.Action, p access.Principal, id uuid.UUID) (Mine, error) {
	return s.permit(ctx, a, p, id)
}

// Update changes the settings that the patch gives and keeps the others.
// revision is the one that the caller saw, 0 where it doesn't matter; a stale
// one is ErrStaleRevision.
func (s *Service) Update(ctx context.Context, p access.Principal, id uuid.UUID, patch Patch, revision int64) (Mine, error) {
	return s.edit(ctx, p, id, func(current Organization) (Edit, error) {
		if revision != 0 && revision != current.Revision {
			return Edit{}, ErrStaleRevision
		}
		after, err := current.Apply(patch)
		return Edit{After: after}, err
	})
}

// SetLogo makes an image the organization's logo; see NewLogo.
func (s *Service) SetLogo(ctx context.Context, p access.Principal, id uuid.UUID, upload []byte) (Mine, error) {
	// Asked first, so that nobody has pictures decoded that are not theirs to
	// set.
	if _, err := s.permit(ctx, access.OrgWrite, p, id); err != nil {
		return Mine{}, err
	}
	logo, err := NewLogo(ctx, upload)
	if err != nil {
		return Mine{}, err
	}
	return s.setLogo(ctx, p, id, logo)
}

// RemoveLogo takes the logo away; there need not be one.
func (s *Service) RemoveLogo(ctx context.Context, p access.Principal, id uuid.UUID) error {
	_, err := s.setLogo(ctx, p, id, Logo{})
	return err
}

func (s *Service) setLogo(ctx context.Context, p access.Principal, id uuid.UUID, logo Logo) (Mine, error) {
	return s.edit(ctx, p, id, func(current Organization) (Edit, error) {
		after := current
		if after.LogoVersion = logo.Version; after != current {
			after.Revision++
		}
		return Edit{After: after, Logo: logo.PNG}, nil
	})
}

func (s *Service) edit(ctx context.Context, p access.Principal, id uuid.UUID, edit func(Organization) (Edit, error)) (Mine, error) {
	if _, err := s.permit(ctx, access.OrgWrite, p, id); err != nil {
		return Mine{}, err
	}
	now := s.now()
	o, err := s.store.EditOrg(ctx, p.UserID, id, func(current Organization) (Edit, error) {
		e, err := edit(current)
		if err == nil {
			e.Record = editRecord(&current, &e.After, p.UserID, now)
		}
		return e, err
	})
	if err != nil {
		return Mine{}, fmt.Errorf("org: edit: %w", s.explained(ctx, access.OrgWrite, p, id, err))
	}
	return o, nil
}

// explained words a refusal of the store to who was let in a moment ago and is
// not any more.
func (s *Service) explained(ctx context.Context, a access.Action, p access.Principal, id uuid.UUID, err error) error {
	if !errors.Is(err, fault.ErrNotFound) && !errors.Is(err, fault.ErrForbidden) {
		return err
	}
	if _, now := s.permit(ctx, a, p, id); now != nil {
		return now
	}
	return err
}

// Delete removes an organization for good, while it has no event.
func (s *Service) Delete(ctx context.Context, p access.Principal, id uuid.UUID) error {
	if _, err := s.permit(ctx, access.OrgWrite, p, id); err != nil {
		return err
	}
	record := audit.Entry{OrgID: id, ActorID: p.UserID, Action: audit.OrgDeleted, SubjectID: id, At: s.now()}
	if err := s.store.DeleteOrg(ctx, p.UserID, id, record); err != nil {
		return fmt.Errorf("org: delete: %w", s.explained(ctx, access.OrgWrite, p, id, err))
	}
	return nil
}

// Logo gives the organization's logo as PNG, and the organization; to whom its
// page is closed, and where there is none, fault.ErrNotFound.
func (s *Service) Logo(ctx context.Context, p access.Principal, id uuid.UUID) (Mine, []byte, error) {
	o, image, err := s.store.FindLogo(ctx, id, p.UserID)
	if err != nil {
		return Mine{}, nil, fmt.Errorf("org: logo: %w", err)
	}
	if err := access.Decide(access.OrgRead, p, o.Role, access.Thing{OrgID: id}); err != nil {
		return Mine{}, nil, err
	}
	if o.Closed() {
		return Mine{}, nil, fault.ErrNotFound
	}
	return o, image, nil
}

// Closed says that the caller sees no more of the organization than its name
// and that it is not available: it is suspended, and they are no member.
func (m *Mine) Closed() bool { return !m.SuspendedAt.IsZero() && m.Role == access.NoRole }
