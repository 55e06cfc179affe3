package httpapi

import (
	"errors"
	"hash/maphash"
	"net/http"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/hashicorp/golang-lru/v2/simplelru"

	"happening/internal/access"
	"happening/internal/fault"
)

// Looking a credential up costs a question to the database or to the provider,
// and whoever invents credentials must not make us ask without end. They hold
// for each process, since what they guard is its connections.
const (
	// failedPerSecond and failedAtOnce bound the failed look-ups of one
	// address; a campus whose sessions all ended needs some.
	failedPerSecond = 50
	failedAtOnce    = 100
	// failedRemembered bounds how far ahead an address can fail with requests
	// that were under way together, and so how long it is refused after the
	// last one.
	failedRemembered = 10 * time.Second
	// maxFailing bounds the addresses that are remembered.
	maxFailing = 65_536
	// maxProven bounds the credentials that are known to have been good.
	maxProven = 65_536
)

// credentials keeps those who invent credentials from the look-up. An address
// from which too many failed of late is refused what was never good here; what
// was good before is looked up as ever, so that nobody on a campus is locked
// out of a session by a neighbour. It decides about the look-up alone: who
// somebody is, the look-up says.
type credentials struct {
	now    func() time.Time
	seed   maphash.Seed
	proven *lru.Cache[uint64, struct{}]

	mu sync.Mutex
	// failing is when each address's bucket of failures is empty again (the
	// generic cell rate algorithm).
	failing *simplelru.LRU[string, time.Time]
}

func newCredentials(now func() time.Time) (*credentials, error) {
	proven, err := lru.New[uint64, struct{}](maxProven)
	if err != nil {
		return nil, err
	}
	failing, err := simplelru.NewLRU[string, time.Time](maxFailing, nil)
	if err != nil {
		return nil, err
	}
	return &credentials{now: now, seed: maphash.MakeSeed(), proven: proven, failing: failing}, nil
}

const failureInterval = time.Second / failedPerSecond

// refused says for how long an address may bring no new credential; zero: it
// may.
func (c *credentials) refused(address string) time.Duration {
	const burst = failureInterval * failedAtOnce
	c.mu.Lock()
	defer c.mu.Unlock()
	empty, ok := c.failing.Peek(address)
	if !ok {
		return 0
	}
	ahead := empty.Sub(c.now())
	if setBack(ahead) {
		return 0
	}
	return max(0, ahead-burst+failureInterval)
}

// setBack says that the clock was set back, for which nobody pays. A clock that
// is only corrected a little is none.
func setBack(ahead time.Duration) bool { return ahead > 2*failedRemembered }

// failed counts a credential that was looked up in vain.
func (c *credentials) failed(address string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	empty, ok := c.failing.Peek(address)
	if ahead := empty.Sub(now); !ok || ahead < 0 || setBack(ahead) {
		empty = now
	}
	empty = empty.Add(failureInterval)
	if last := now.Add(failedRemembered); empty.After(last) {
		empty = last
	}
	c.failing.Add(address, empty)
}

// authenticate finds out who sends a request. errTooMany: that was not even
// looked up.
func (s *Server) authenticate(r *http.Request) (access.Principal, error) {
	credential := s.deps.Auth.Credential(r)
	if credential == "" {
		return s.deps.Auth.Authenticate(r)
	}
	c := s.credentials
	key := maphash.String(c.seed, credential)
	known := c.proven.Contains(key)
	if !known {
		if wait := c.refused(s.address(r)); wait > 0 {
			return access.Principal{}, errTooMany.After(max(wait, time.Second))
		}
	}
	who, err := s.deps.Auth.Authenticate(r)
	var f *fault.Error
	switch {
	case err == nil:
		if !known {
			c.proven.Add(key, struct{}{})
		}
	case errors.As(err, &f) && (f.Kind == fault.Unauthenticated || f.Kind == fault.Forbidden):
		c.proven.Remove(key)
		c.failed(s.address(r))
	}
	return who, err
}
