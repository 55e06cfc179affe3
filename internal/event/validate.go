package event

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"happening/internal/fault"
	"happening/internal/org"
	"happening/internal/user"
)

// The limits of an event's settings. Texts are counted in characters.
const (
	MaxName        = 200
	MaxDescription = 20_000
	MaxVenue       = 300
	MaxTotalSlots  = 1_000_000
	// MaxWaitlistLimit is the largest default, and more than ever waited.
	MaxWaitlistLimit = DefaultWaitlistFactor * MaxTotalSlots
	// MaxYearsAhead bounds how far in the future an event may end. It keeps
	// mistyped years out, and times within what every format can spell.
	MaxYearsAhead = 50
)

var category = regexp.MustCompile(`^[a-z][a-z0-9-]{1,30}$`)

// faults collects what is wrong with an input, so that all of it is told at
// once.
type faults []fault.Field

func (f *faults) add(name, format string, args ...any) {
	*f = append(*f, fault.Field{Name: name, Message: fmt.Sprintf(format, args...)})
}

func (f faults) err() error {
	if len(f) == 0 {
		return nil
	}
	return fault.InvalidFields(f...)
}

// take puts the given fields into the event and collects those that are not
// valid. A field that is not given is not judged again: what was valid when it
// was said stays so.
func (f *faults) take(e *Event, p Patch, now time.Time) {
	if p.Name != nil {
		e.Name = f.line("name", *p.Name, 1, MaxName)
	}
	if p.Description != nil {
		e.Description = f.text("description", *p.Description, MaxDescription)
	}
	if p.Category != nil {
		e.Category = *p.Category
		if !category.MatchString(e.Category) {
			f.add("category", "Use a short lower-case word of 2 to 31 letters, digits and hyphens, beginning with a letter.")
		}
	}
	if p.Venue != nil {
		e.Venue = f.line("venue", *p.Venue, 0, MaxVenue)
	}
	f.times(e, p, now)
	f.booking(e, p)
}

// times takes the start, the end and the zone. A time that is said again as it
// was is no change, so that the start of a running event may come along with
// the rest.
func (f *faults) times(e *Event, p Patch, now time.Time) {
	if p.TimeZone != nil {
		e.TimeZone = *p.TimeZone
		if !org.KnownZone(e.TimeZone) {
			f.add("time_zone", "Use an IANA time zone such as Europe/Berlin.")
		}
	}
	startOK, endOK := true, true
	if p.StartsAt != nil && (e.StartsAt.IsZero() || !e.StartsAt.Equal(instant(*p.StartsAt))) {
		e.StartsAt = instant(*p.StartsAt)
		startOK = f.ahead("starts_at", e.StartsAt, now)
	}
	if p.EndsAt != nil && (e.EndsAt.IsZero() || !e.EndsAt.Equal(instant(*p.EndsAt))) {
		e.EndsAt = instant(*p.EndsAt)
		endOK = f.withinReach("ends_at", e.EndsAt, now)
	}
	if (p.StartsAt != nil || p.EndsAt != nil) && startOK && endOK && !e.EndsAt.After(e.StartsAt) {
		f.add("ends_at", "The end must be after the start.")
	}
}

// ahead demands a time in the future, not too far.
func (f *faults) ahead(name string, t, now time.Time) bool {
	if !t.IsZero() && !t.After(now) {
		f.add(name, "This must be in the future.")
		return false
	}
	return f.withinReach(name, t, now)
}

func (f *faults) withinReach(name string, t, now time.Time) bool {
	switch {
	case t.IsZero():
		f.add(name, "Say when.")
	case t.After(now.AddDate(MaxYearsAhead, 0, 0)):
		f.add(name, "This is more than %d years ahead.", MaxYearsAhead)
	default:
		return true
	}
	return false
}

// booking takes what the booking rules read, save the times.
func (f *faults) booking(e *Event, p Patch) {
	if p.TotalSlots != nil {
		switch {
		case *p.TotalSlots < 1 || *p.TotalSlots > MaxTotalSlots:
			f.add("total_slots", "Use a number from 1 to %d.", MaxTotalSlots)
		case e.LayoutRevision > 0 && int32(*p.TotalSlots) != e.TotalSlots:
			f.add("total_slots", "The seats of this event are laid out; change the layout, which gives their number.")
		default:
			e.TotalSlots = int32(*p.TotalSlots)
		}
	}
	if limit := p.MaxSeatsPerUser; limit.Given {
		switch {
		case limit.Most == nil:
			e.MaxSeatsPerUser = 0
		case *limit.Most < 1 || *limit.Most > MaxTotalSlots:
			f.add("max_seats_per_user", "Use a number from 1 to %d, or null for no limit.", MaxTotalSlots)
		default:
			e.MaxSeatsPerUser = int32(*limit.Most)
		}
	}
	if p.Visibility != nil {
		e.Visibility = *p.Visibility
		if e.Visibility != Public && e.Visibility != Members {
			f.add("visibility", "Use public or members.")
		}
	}
	if p.WaitlistPolicy != nil {
		e.WaitlistPolicy = *p.WaitlistPolicy
		if e.WaitlistPolicy != Strict && e.WaitlistPolicy != Fit {
			f.add("waitlist_policy", "Use strict or fit.")
		}
	}
	if limit := p.WaitlistLimit; limit.Given {
		switch {
		case limit.Most == nil:
			e.WaitlistLimit = WaitlistLimit{}
		case *limit.Most < 0 || *limit.Most > MaxWaitlistLimit:
			f.add("waitlist_limit", "Use a number from 0 (no waitlist) to %d, or null for no limit.", MaxWaitlistLimit)
		default:
			e.WaitlistLimit = AtMost(int32(*limit.Most))
		}
	}
}

// line takes one line of text without the white space around it.
func (f *faults) line(name, s string, least, most int) string {
	s = strings.TrimSpace(s)
	switch n := utf8.RuneCountInString(s); {
	case n < least:
		f.add(name, "This must not be empty.")
	case n > most:
		f.add(name, "Use at most %d characters.", most)
	case !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl):
		f.add(name, "Use plain text on one line.")
	case user.HidesText(s):
		f.add(name, user.MessageHidden)
	case s != "" && !user.ShowsText(s):
		f.add(name, "This must not be empty.")
	}
	return s
}

// text takes several lines of text. Markdown is judged where it is rendered,
// without HTML; here only what no database stores is refused.
func (f *faults) text(name, s string, most int) string {
	unprintable := func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune("\n\r\t", r) }
	switch {
	case utf8.RuneCountInString(s) > most:
		f.add(name, "Use at most %d characters.", most)
	case !utf8.ValidString(s) || strings.ContainsFunc(s, unprintable):
		f.add(name, "Use plain text without control characters.")
	case user.HidesText(s):
		f.add(name, user.MessageHidden)
	}
	return s
}
