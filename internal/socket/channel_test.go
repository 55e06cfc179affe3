package socket

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/realtime"
)

// FuzzChannelID holds that one id has one channel: a second spelling would be
// a second channel, with a history and viewers of its own.
func FuzzChannelID(f *testing.F) {
	id := uuid.NewString()
	for _, seed := range []string{"", "event:", realtime.EventPrefix + id, "user:" + id, "event:{" + id + "}", "event:urn:uuid:" + id, "event:" + id + "\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, channel string) {
		if id, ok := channelID(channel, realtime.EventPrefix); ok && realtime.EventChannel(id) != channel {
			t.Fatalf("%q was read as %v", channel, id)
		}
	})
}

func TestRefusalsAreForgottenAndBounded(t *testing.T) {
	var r refusals
	now := time.Now()
	for range maxRefusals {
		if r.tooMany("a", now) {
			t.Fatal("too early")
		}
		r.add("a", now)
	}
	if !r.tooMany("a", now) || r.tooMany("b", now) {
		t.Error("the wrong one waits")
	}
	if later := now.Add(refusalsWithin); r.tooMany("a", later) {
		t.Error("it waits for ever")
	}
	for range 2 * maxRefused {
		r.add(uuid.NewString(), now)
	}
	if len(r.count) > maxRefused {
		t.Errorf("%d are remembered", len(r.count))
	}
}
