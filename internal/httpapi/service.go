package httpapi

import (
	"context"
	"sync"
	"time"

	"happening/internal/access"
	"happening/internal/fault"
)

// serviceRoutes are those that tell of the service itself.
func (s *Server) serviceRoutes() []route {
	return []route{
		on(get, "/", access.Anyone, about{id: "get-service", tag: tagService, summary: "Read name, version and status"}, s.getService),
		on(get, "/db-test", access.Anyone, about{id: "test-database", tag: tagService, summary: "Make a round trip to the database",
			more: "Within a second the last answer is repeated."}, s.testDatabase),
		on(get, "/healthz", access.Anyone, about{id: "get-health", tag: tagService, summary: "Tell whether the process lives"}, s.getHealth),
		on(get, "/readyz", access.Anyone, about{id: "get-readiness", tag: tagService, summary: "Tell whether booking works"}, s.getReadiness),
	}
}

// Limits of the look at the database.
const (
	pingRepeat   = time.Second     // how long an answer is repeated
	pingPatience = 2 * time.Second // after that the database counts as away
)

// Service is what answers here.
type Service struct {
	Name    string `json:"name" example:"Happening"`
	Version string `json:"version"`
	Status  string `json:"status" enum:"ok,unready"`
}

// Health is one word.
type Health struct {
	Status string `json:"status"`
}

// DatabaseTest is a round trip to the database.
type DatabaseTest struct {
	Status    string  `json:"status" enum:"ok"`
	LatencyMS float64 `json:"latency_ms"`
}

var (
	errDatabaseAway = fault.New(fault.Unavailable, "database_unavailable", "The database can't be reached right now.").After(retryAway)
	errUnready      = fault.New(fault.Unavailable, "unready", "Booking is not possible right now.").After(retryAway)
)

func (s *Server) getService(context.Context, *struct{}) (*answer[Service], error) {
	status := "ok"
	if ok, _ := s.deps.Ready(); !ok {
		status = "unready"
	}
	return answered(Service{Name: "Happening", Version: s.deps.Version, Status: status}), nil
}

func (s *Server) getHealth(context.Context, *struct{}) (*answer[Health], error) {
	return answered(Health{Status: "ok"}), nil
}

// getReadiness tells the world no more than yes or no; why not is told on the
// operators' address.
func (s *Server) getReadiness(context.Context, *struct{}) (*answer[Health], error) {
	if ok, _ := s.deps.Ready(); !ok {
		return nil, errUnready
	}
	return answered(Health{Status: "ready"}), nil
}

func (s *Server) testDatabase(ctx context.Context, _ *struct{}) (*answer[DatabaseTest], error) {
	latency, err := s.ping.look(ctx)
	if err != nil {
		return nil, errDatabaseAway.Because(err)
	}
	const microsInMilli = 1000
	return answered(DatabaseTest{Status: "ok", LatencyMS: float64(latency.Microseconds()) / microsInMilli}), nil
}

// pinger looks at the database at most once in pingRepeat, however many ask:
// the route is open to everybody.
type pinger struct {
	ping func(context.Context) error
	now  func() time.Time

	mu      sync.Mutex
	at      time.Time
	latency time.Duration
	err     error
}

func (p *pinger) look(ctx context.Context) (time.Duration, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := p.now(); p.at.IsZero() || now.Sub(p.at) >= pingRepeat {
		// The answer is for all who wait, so it must not end with the first.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pingPatience)
		defer cancel()
		p.err = p.ping(ctx)
		p.latency, p.at = p.now().Sub(now), p.now()
	}
	return p.latency, p.err
}
