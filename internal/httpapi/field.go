package httpapi

import (
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"happening/internal/fault"
)

// Page is what every list takes.
type Page struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"20" doc:"How many items at most."`
	Cursor string `query:"cursor" maxLength:"200" doc:"next_cursor of the page before; leave it out for the first."`
}

// List is a page of a list.
type List[T any] struct {
	Items      []T     `json:"items"`
	NextCursor *string `json:"next_cursor" doc:"Where the next page begins; null at the end."`
}

// answer is what a handler gives back where only the body matters.
type answer[T any] struct{ Body T }

// done is the answer without a body.
type done struct{}

func answered[T any](body T) *answer[T] { return &answer[T]{Body: body} }

// listed makes the answer of a list.
func listed[F, T any](found []F, next string, show func(F) T) *answer[List[T]] {
	items := make([]T, len(found))
	for i, f := range found {
		items[i] = show(f)
	}
	return answered(List[T]{Items: items, NextCursor: orNull(next)})
}

// orNull shows the zero value as null.
func orNull[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// orNullTime shows the zero time as null, and every other in UTC.
func orNullTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// orEmpty shows no numbers as an empty list.
func orEmpty(numbers []int32) []int32 {
	if numbers == nil {
		return []int32{}
	}
	return numbers
}

var errCursor = fault.InvalidFields(fault.Field{Name: "cursor", Message: "is not a cursor of this list"})

// idCursor spells the last thing of a page.
func idCursor(id uuid.UUID) string { return base64.RawURLEncoding.EncodeToString(id[:]) }

func parseIDCursor(cursor string) (uuid.UUID, error) {
	if cursor == "" {
		return uuid.Nil, nil
	}
	raw, ok := decodeCursor(cursor, len(uuid.UUID{}))
	if !ok || uuid.UUID(raw) == uuid.Nil {
		return uuid.Nil, errCursor
	}
	return uuid.UUID(raw), nil
}

// numberCursor spells the last number of a page.
func numberCursor(n int64) string {
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, uint64(n)))
}

func parseNumberCursor(cursor string) (int64, error) {
	if cursor == "" {
		return 0, nil
	}
	const size = 8
	raw, ok := decodeCursor(cursor, size)
	if !ok {
		return 0, errCursor
	}
	n := int64(binary.BigEndian.Uint64(raw))
	if n < 1 {
		return 0, errCursor
	}
	return n, nil
}

// decodeCursor reads exactly so many bytes; the decoder by itself skips line
// breaks, and two cursors would be one.
func decodeCursor(cursor string, size int) ([]byte, bool) {
	if len(cursor) != base64.RawURLEncoding.EncodedLen(size) {
		return nil, false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	return raw, err == nil && len(raw) == size
}

// cut takes the one thing too many off a page that was asked for with one more
// than its limit, and tells where the next page begins.
func cut[T any](found []T, limit int, cursor func(T) string) ([]T, string) {
	if len(found) <= limit {
		return found, ""
	}
	found = found[:limit]
	return found, cursor(found[limit-1])
}

// revisionTag is the ETag of an event's settings.
func revisionTag(revision int64) string { return strconv.Quote(strconv.FormatInt(revision, 10)) }

// ifMatch is an If-Match header that was read.
type ifMatch struct {
	given     bool
	any       bool    // *
	revisions []int64 // those among the tags that can be one of ours
}

// parseIfMatch reads an If-Match header. Weak tags and those that are none of
// ours match nothing, as RFC 9110 has it.
func parseIfMatch(header string) ifMatch {
	header = strings.TrimSpace(header)
	if header == "" {
		return ifMatch{}
	}
	m := ifMatch{given: true, any: header == "*"}
	for tag := range strings.SplitSeq(header, ",") {
		tag = strings.TrimSpace(tag)
		if len(tag) < 3 || tag[0] != '"' || tag[len(tag)-1] != '"' {
			continue
		}
		if n, err := strconv.ParseInt(tag[1:len(tag)-1], 10, 64); err == nil && n >= 0 && revisionTag(n) == tag {
			m.revisions = append(m.revisions, n)
		}
	}
	return m
}

// matchesTag says whether an If-None-Match header names the tag; a weak
// comparison, as RFC 9110 has it for this header.
func matchesTag(header, tag string) bool {
	for part := range strings.SplitSeq(header, ",") {
		part = strings.TrimPrefix(strings.TrimSpace(part), "W/")
		if part == "*" || part == strings.TrimPrefix(tag, "W/") {
			return true
		}
	}
	return false
}
