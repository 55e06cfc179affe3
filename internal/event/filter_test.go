package event_test

import (
	"testing"
	"time"

	"happening/internal/event"
)

func TestACursorComesBackAsItWent(t *testing.T) {
	c := event.Cursor{StartsAt: now.Add(123_456 * time.Microsecond), ID: id}
	if got, ok := event.ParseCursor(c.String()); !ok || got != c {
		t.Errorf("got %v, %v", got, ok)
	}
	if got, ok := event.ParseCursor(""); !ok || got != (event.Cursor{}) {
		t.Errorf("empty: got %v, %v", got, ok)
	}
}

func FuzzParseCursor(f *testing.F) {
	f.Add("")
	f.Add("x")
	f.Add(event.Cursor{StartsAt: now, ID: id}.String())
	f.Add(event.Cursor{ID: id}.String())
	f.Add("AX__________AZCgAAAAcACAAAAAAAAAAQ")
	f.Fuzz(func(t *testing.T, s string) {
		c, ok := event.ParseCursor(s)
		if ok && s != "" && c.String() != s {
			t.Errorf("%q reads as %v, which is spelled %q", s, c, c)
		}
	})
}
