package httpapi

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/google/uuid"
)

func TestIfMatch(t *testing.T) {
	for header, want := range map[string]ifMatch{
		"":                       {},
		"*":                      {given: true, any: true},
		`"3"`:                    {given: true, revisions: []int64{3}},
		`"3", "4"`:               {given: true, revisions: []int64{3, 4}},
		`W/"3"`:                  {given: true},
		`3`:                      {given: true},
		`"03"`:                   {given: true},
		`"-3"`:                   {given: true},
		`"99999999999999999999"`: {given: true},
		`"`:                      {given: true},
	} {
		if got := parseIfMatch(header); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", header, got, want)
		}
	}
}

func TestWholeNumbers(t *testing.T) {
	for text, want := range map[string]whole{"5": 5, "5.0": 5, "5e0": 5, "1e3": 1000, "-2": -2} {
		var got whole
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != want {
			t.Errorf("%s: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"5.5", `"5"`, "1e300", "true"} {
		var got whole
		if err := json.Unmarshal([]byte(text), &got); err == nil {
			t.Errorf("%s: %d", text, got)
		}
	}
}

func TestMatchesTag(t *testing.T) {
	for header, want := range map[string]bool{`"a"`: true, `W/"a"`: true, `"b", W/"a"`: true, "*": true, `"b"`: false, "a": false} {
		if matchesTag(header, `W/"a"`) != want {
			t.Errorf("%s", header)
		}
	}
}

// A cursor is what we gave, or refused.
func FuzzCursors(f *testing.F) {
	id := uuid.MustParse("018f2b6e-0c5e-7c3a-9d0a-3f1b2c4d5e6f")
	f.Add(idCursor(id))
	f.Add(numberCursor(7))
	f.Add("")
	f.Fuzz(func(t *testing.T, cursor string) {
		if id, err := parseIDCursor(cursor); err == nil && id != uuid.Nil && idCursor(id) != cursor {
			t.Errorf("%q is read as %s", cursor, id)
		}
		if n, err := parseNumberCursor(cursor); err == nil && n != 0 && numberCursor(n) != cursor {
			t.Errorf("%q is read as %d", cursor, n)
		}
	})
}

// Any body gets an answer that is no failure of ours.
func FuzzBookingBody(f *testing.F) {
	for _, seed := range []string{`{}`, `{"event_id":"x","seats":1}`, `[`, `{"seats":1e999}`, `{"seats":[1,[2]]}`, "null", `"x"`} {
		f.Add(seed)
	}
	s := bare(f, Deps{Auth: person{}})
	f.Fuzz(func(t *testing.T, body string) {
		if strings.Contains(body, "event_id") && json.Valid([]byte(body)) {
			return // a valid request asks rooms that are not there
		}
		if w := serve(s, "POST", "/bookings", body); w.Code >= 500 || w.Code < 400 {
			t.Errorf("%q: %d %s", body, w.Code, w.Body)
		}
	})
}
