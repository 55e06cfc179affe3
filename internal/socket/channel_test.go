package socket

import (
	"testing"

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
