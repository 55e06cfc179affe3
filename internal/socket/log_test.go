package socket

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/centrifugal/centrifuge"
)

func TestTheLibraryDoesNotRepeatItself(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	n := &Node{cut: func(string) {}}
	n.Log = slog.New(slog.NewTextHandler(&text, nil))
	say := func(message, err string) string {
		text.Reset()
		n.log(centrifuge.LogEntry{Level: centrifuge.LogLevelError, Message: message, Fields: map[string]any{"error": err}})
		return text.String()
	}
	for _, c := range []struct{ message, err, want string }{
		{pubSubCut, "EOF", ""}, // tells the engine, which tells the operator
		{"pub/sub subscribe error", "i/o timeout", ""},
		{"control pub/sub subscribe error", "LOADING Redis is loading", ""},
		{"control pub/sub subscribe error", "NOPERM no permissions", "level=ERROR"},
		{"control pub/sub subscribe error", "NOPERM no permissions", ""},
		{"error decoding control command", "unexpected EOF", "level=ERROR"},
		{"error decoding control command", "unexpected EOF", ""},
		{"error handling control message", "unexpected EOF", "level=ERROR"},
	} {
		if got := say(c.message, c.err); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %s is told as %q", c.message, c.err, got)
		}
	}
	var s saidOften
	now := time.Date(2026, 3, 29, 0, 59, 0, 0, time.UTC)
	if s.lately("x", now) || !s.lately("x", now.Add(repeatAfter-1)) || s.lately("x", now.Add(repeatAfter)) {
		t.Error("a message may be repeated after a minute, and not before")
	}
}
