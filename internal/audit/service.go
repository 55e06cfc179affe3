package audit

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/fault"
)

// The limits of reading.
const (
	// MaxPage bounds the lines of one page that a list shows.
	MaxPage = 100
	// MaxExport bounds the lines of one export; more are exported in parts, by
	// time.
	MaxExport = 1_000_000
	// exportPage is how many lines of an export are in memory at once.
	exportPage = 500
	// exportRetry is when to come back while an export of one's own runs.
	exportRetry = 5 * time.Second
)

// The faults of exports.
var (
	ErrExportTooLarge = fault.New(fault.Conflict, "export_too_large", "This is more than 1,000,000 entries. Export it in parts, by time.")
	ErrExporting      = fault.New(fault.TooMany, "export_running", "An export of yours is still running. Wait until it is done.").After(exportRetry)
)

// Filter narrows the record. Its zero value lets everything through.
type Filter struct {
	Action    Action
	ActorID   uuid.UUID
	SubjectID uuid.UUID
	From      time.Time // then or later
	To        time.Time // before
}

// Query is what one page of an organization's record is read by: the newest
// lines first, those before the line Before (uuid.Nil: from the newest on).
type Query struct {
	Filter
	OrgID  uuid.UUID
	Before uuid.UUID
	Limit  int
}

// Line is an entry as its readers see it, with the names that the people and
// things in it have now.
type Line struct {
	Entry
	ID uuid.UUID
	// ActorName is DeletedAccount for who is no more, and empty where the
	// system did it.
	ActorName string
	// SubjectLabel is the name of the event, the organization or the person,
	// or an invite's address; empty for a thing that is gone.
	SubjectLabel string
}

// Store reads the record. It shows nothing to a viewer who has no role in the
// organization that may do the action.
type Store interface {
	// RoleIn tells the viewer's role in an organization; fault.ErrNotFound where
	// there is no such organization.
	RoleIn(ctx context.Context, viewer, orgID uuid.UUID) (access.Role, error)
	ListAudit(ctx context.Context, viewer uuid.UUID, a access.Action, q Query) ([]Line, error)
	// CountAudit counts at most q.Limit lines.
	CountAudit(ctx context.Context, viewer uuid.UUID, a access.Action, q Query) (int, error)
}

// Service is the use cases around the record. It is written by those who make
// the changes.
type Service struct {
	store Store

	mu        sync.Mutex
	exporting map[uuid.UUID]struct{} // by person
}

// NewService gives the use cases over a store.
func NewService(store Store) *Service {
	return &Service{store: store, exporting: map[uuid.UUID]struct{}{}}
}

// OfOrg reads an organization's record for who may read all of it.
func (s *Service) OfOrg(ctx context.Context, p access.Principal, q Query) ([]Line, error) {
	return s.list(ctx, access.AuditRead, p, q)
}

// OfEvent reads what was done to one event, for who runs it. That the caller
// may know of the event, and that it is the organization's, is for the caller
// to have asked.
func (s *Service) OfEvent(ctx context.Context, p access.Principal, eventID uuid.UUID, q Query) ([]Line, error) {
	q.Filter = Filter{SubjectID: eventID}
	return s.list(ctx, access.EventAudit, p, q)
}

func (s *Service) list(ctx context.Context, a access.Action, p access.Principal, q Query) ([]Line, error) {
	if err := s.permit(ctx, a, p, q.OrgID); err != nil {
		return nil, err
	}
	q.Limit = min(q.Limit, MaxPage+1) // one more tells whether a next page exists
	lines, err := s.store.ListAudit(ctx, p.UserID, a, q)
	if err != nil {
		return nil, fmt.Errorf("audit: list: %w", err)
	}
	return lines, nil
}

func (s *Service) permit(ctx context.Context, a access.Action, p access.Principal, orgID uuid.UUID) error {
	role, err := s.store.RoleIn(ctx, p.UserID, orgID)
	if err != nil {
		return fmt.Errorf("audit: role: %w", err)
	}
	return access.Decide(a, p, role, access.Thing{OrgID: orgID})
}

// Export reads the whole record, or what a filter leaves of it, a page at a
// time.
type Export struct {
	service *Service
	who     access.Principal
	next    Query
	done    bool
	close   func()
}

// Export begins an export, of which a person has one at a time in a process:
// ErrExporting, and ErrExportTooLarge. It must be closed.
func (s *Service) Export(ctx context.Context, p access.Principal, orgID uuid.UUID, f Filter) (*Export, error) {
	if err := s.permit(ctx, access.AuditRead, p, orgID); err != nil {
		return nil, err
	}
	leave, err := s.enter(p.UserID)
	if err != nil {
		return nil, err
	}
	n, err := s.store.CountAudit(ctx, p.UserID, access.AuditRead, Query{Filter: f, OrgID: orgID, Limit: MaxExport + 1})
	if err == nil && n > MaxExport {
		err = ErrExportTooLarge
	}
	if err != nil {
		leave()
		return nil, fmt.Errorf("audit: export: %w", err)
	}
	return &Export{service: s, who: p, next: Query{Filter: f, OrgID: orgID, Limit: exportPage}, close: leave}, nil
}

// enter takes the person's only place among the exports.
func (s *Service) enter(userID uuid.UUID) (leave func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, busy := s.exporting[userID]; busy {
		return nil, ErrExporting
	}
	s.exporting[userID] = struct{}{}
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.exporting, userID)
	}), nil
}

// Next reads the next page; an empty one is the end. Each line comes once, and
// what is recorded meanwhile stays out, since pages go back in time.
func (e *Export) Next(ctx context.Context) ([]Line, error) {
	if e.done {
		return nil, nil
	}
	lines, err := e.service.store.ListAudit(ctx, e.who.UserID, access.AuditRead, e.next)
	if err != nil {
		return nil, fmt.Errorf("audit: export: %w", err)
	}
	// Who lost the role meanwhile finds nothing more, and that must not look as
	// if it were the end.
	if err := e.service.permit(ctx, access.AuditRead, e.who, e.next.OrgID); err != nil {
		return nil, err
	}
	if e.done = len(lines) < e.next.Limit; !e.done {
		e.next.Before = lines[len(lines)-1].ID
	}
	return lines, nil
}

// Close ends the export; it may be called any number of times.
func (e *Export) Close() { e.close() }
