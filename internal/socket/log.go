package socket

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/centrifugal/centrifuge"
)

const (
	// repeatAfter is after how long the library may say the same again: what
	// other processes or clients send must not fill a log.
	repeatAfter = time.Minute
	// maxSaid bounds the different things that the library says; there are
	// some fifty.
	maxSaid = 256
	// aboutMessages is in all that the library says about the connections over
	// which messages come. It says it at every attempt, and the engine tells
	// of an outage by itself: when it begins and when it ends.
	aboutMessages = "pub/sub"
	// notAllowed begins what Redis says to a user that lacks a permission,
	// which is no outage and does not pass.
	notAllowed = "NOPERM"
)

// saidOften keeps the library from repeating itself.
type saidOften struct {
	mu   sync.Mutex
	last map[string]time.Time
}

// lately says whether the same was said a short while ago, and notes it.
func (s *saidOften) lately(message string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, ok := s.last[message]; ok && now.Sub(at) < repeatAfter {
		return true
	}
	if s.last == nil || len(s.last) >= maxSaid {
		s.last = map[string]time.Time{}
	}
	s.last[message] = now
	return false
}

// log hears what the library has to say, warnings and errors.
func (n *Node) log(e centrifuge.LogEntry) {
	why := fmt.Sprint(e.Fields["error"])
	if e.Message == pubSubCut {
		n.cut(why)
		return
	}
	level := slog.LevelWarn
	switch {
	case strings.Contains(e.Message, aboutMessages) && !strings.HasPrefix(why, notAllowed),
		n.said.lately(e.Message, time.Now()):
		level = slog.LevelDebug
	case e.Level == centrifuge.LogLevelError:
		level = slog.LevelError
	}
	attrs := make([]any, 0, 2*len(e.Fields))
	for k, v := range e.Fields {
		attrs = append(attrs, k, v)
	}
	n.Log.Log(context.Background(), level, "socket: "+e.Message, attrs...)
}
