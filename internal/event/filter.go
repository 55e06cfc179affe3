package event

import (
	"encoding/base64"
	"encoding/binary"
	"time"

	"github.com/google/uuid"
)

// The limits of a list.
const (
	DefaultPage = 20
	MaxPage     = 100
	MaxQuery    = 200 // characters
)

// Filter says which events a list is about. Zero fields don't filter.
type Filter struct {
	OrgID    uuid.UUID
	Category string
	Status   Status // by the clock
	// Query is words, each of which must begin a word of the event's name,
	// venue or category; the first eight count.
	Query string
	From  time.Time // events that start at From or later
	To    time.Time // events that start before To
}

// judge tells every field of a request for a page that is not valid, and
// gives the place after which the page begins.
func (f *Filter) judge(cursor string, limit int) (Cursor, error) {
	var bad faults
	switch f.Status {
	case "", Upcoming, Ongoing, Completed, Cancelled:
	default:
		bad.add("status", "Use upcoming, ongoing, completed or cancelled.")
	}
	if f.Category != "" && !category.MatchString(f.Category) {
		bad.add("category", "Use a short lower-case word.")
	}
	f.Query = bad.text("q", f.Query, MaxQuery)
	if !f.From.IsZero() && !f.To.IsZero() && f.To.Before(f.From) {
		bad.add("to", "This must not be before from.")
	}
	if limit < 1 || limit > MaxPage {
		bad.add("limit", "Use a number from 1 to %d.", MaxPage)
	}
	after, ok := ParseCursor(cursor)
	if !ok {
		bad.add("cursor", "Use next_cursor of the page before, or leave it out.")
	}
	return after, bad.err()
}

// Cursor is the last place of a page: lists are ordered by start, then by id.
// The zero value is the place before the first event.
type Cursor struct {
	StartsAt time.Time // in microseconds, as events are stored
	ID       uuid.UUID
}

// cursorLength is a format byte, the microseconds since 1970, and the id.
const (
	cursorLength = 1 + 8 + 16
	cursorFormat = 1
)

// String spells a cursor for clients, to whom it means nothing.
func (c Cursor) String() string {
	raw := make([]byte, 0, cursorLength)
	raw = append(raw, cursorFormat)
	raw = binary.BigEndian.AppendUint64(raw, uint64(c.StartsAt.UnixMicro()))
	raw = append(raw, c.ID[:]...)
	return base64.RawURLEncoding.EncodeToString(raw)
}

// ParseCursor reads what String wrote; the empty string is the zero cursor.
func ParseCursor(s string) (Cursor, bool) {
	if s == "" {
		return Cursor{}, true
	}
	if len(s) != base64.RawURLEncoding.EncodedLen(cursorLength) {
		return Cursor{}, false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(raw) != cursorLength || raw[0] != cursorFormat {
		return Cursor{}, false
	}
	micros := int64(binary.BigEndian.Uint64(raw[1:9]))
	c := Cursor{StartsAt: time.UnixMicro(micros).UTC(), ID: uuid.UUID(raw[9:])}
	// No event lies outside these years, and the database can't compare with
	// times that it can't hold.
	if y := c.StartsAt.Year(); y < 1 || y > 9999 || c.ID == uuid.Nil {
		return Cursor{}, false
	}
	return c, true
}
