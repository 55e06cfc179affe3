package redis

import (
	"sync"
	"time"
)

const (
	// repeatAfter is after how long the same trouble is told again.
	repeatAfter = time.Minute
	// maxRarely bounds the troubles that are told apart.
	maxRarely = 1_024
)

// rarely keeps what every request would meet from being told at every request.
type rarely struct {
	mu   sync.Mutex
	told map[string]time.Time
}

// now says whether to tell of it now. Where very many troubles are told
// apart already, others wait for one of them to be old.
func (r *rarely) now(what string, at time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if last, known := r.told[what]; known && at.Sub(last) < repeatAfter {
		return false
	}
	if len(r.told) >= maxRarely {
		for other, last := range r.told {
			if at.Sub(last) >= repeatAfter {
				delete(r.told, other)
			}
		}
		if len(r.told) >= maxRarely {
			return false
		}
	}
	if r.told == nil {
		r.told = map[string]time.Time{}
	}
	r.told[what] = at
	return true
}
