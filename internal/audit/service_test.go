package audit_test

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"testing"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/audit"
	"happening/internal/fault"
)

// memory is a record of so many lines in one organization.
type memory struct {
	org   uuid.UUID
	role  access.Role
	lines []audit.Line // the newest first
	count int          // what CountAudit says, where it is not the lines
	fails error
}

func (m *memory) RoleIn(_ context.Context, _, orgID uuid.UUID) (access.Role, error) {
	if orgID != m.org {
		return access.NoRole, fault.ErrNotFound
	}
	return m.role, nil
}

func (m *memory) ListAudit(_ context.Context, _ uuid.UUID, a access.Action, q audit.Query) ([]audit.Line, error) {
	if m.fails != nil || !slices.Contains(access.RolesFor(a), m.role) {
		return nil, m.fails // as the wall does: nothing is there
	}
	begin := 0
	if q.Before != uuid.Nil {
		begin = 1 + slices.IndexFunc(m.lines, func(l audit.Line) bool { return l.ID == q.Before })
	}
	return m.lines[begin:min(begin+q.Limit, len(m.lines))], nil
}

func (m *memory) CountAudit(context.Context, uuid.UUID, access.Action, audit.Query) (int, error) {
	return max(m.count, len(m.lines)), m.fails
}

func newMemory(lines int) *memory {
	m := &memory{org: uuid.New(), role: access.OrgAdmin}
	for range lines {
		m.lines = append(m.lines, audit.Line{ID: uuid.New()})
	}
	return m
}

// drain reads an export to its end.
func drain(t *testing.T, e *audit.Export) (n int, err error) {
	t.Helper()
	for {
		page, err := e.Next(t.Context())
		if err != nil || len(page) == 0 {
			return n, err
		}
		n += len(page)
	}
}

func TestAnExportHasEveryLineOnce(t *testing.T) {
	for _, lines := range []int{0, 1, 499, 500, 501, 1000, 1234} {
		m := newMemory(lines)
		e, err := audit.NewService(m).Export(t.Context(), access.Principal{UserID: uuid.New()}, m.org, audit.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		if n, err := drain(t, e); n != lines || err != nil {
			t.Errorf("%d lines of %d, %v", n, lines, err)
		}
		if page, err := e.Next(t.Context()); len(page) > 0 || err != nil {
			t.Errorf("after the end: %d lines, %v", len(page), err)
		}
		e.Close()
	}
}

// Each person has one place among the exports, which every end of one gives
// back.
func TestOneExportAtATime(t *testing.T) {
	m := newMemory(3)
	s := audit.NewService(m)
	ann, bob := access.Principal{UserID: uuid.New()}, access.Principal{UserID: uuid.New()}
	begin := func(p access.Principal) (*audit.Export, error) {
		return s.Export(t.Context(), p, m.org, audit.Filter{})
	}
	first, err := begin(ann)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := begin(ann); !errors.Is(err, audit.ErrExporting) {
		t.Errorf("a second one: %v", err)
	}
	if other, err := begin(bob); err != nil {
		t.Errorf("another's: %v", err)
	} else {
		other.Close()
	}
	first.Close()
	first.Close()
	second, err := begin(ann)
	if err != nil {
		t.Fatalf("after the first: %v", err)
	}
	first.Close() // must not give back what is the second's
	if _, err := begin(ann); !errors.Is(err, audit.ErrExporting) {
		t.Errorf("beside the second: %v", err)
	}
	second.Close()

	m.count = audit.MaxExport + 1
	if _, err := begin(ann); !errors.Is(err, audit.ErrExportTooLarge) {
		t.Errorf("one line too many: %v", err)
	}
	m.count = audit.MaxExport
	m.fails = errors.New("away")
	if _, err := begin(ann); !errors.Is(err, m.fails) {
		t.Errorf("without a database: %v", err)
	}
	m.fails = nil
	e, err := begin(ann)
	if err != nil {
		t.Fatalf("what failed kept its place: %v", err)
	}
	e.Close()
}

// Who may not read the record any more is told so, and not that it ends here.
func TestAnExportDoesNotEndWithTheRole(t *testing.T) {
	m := newMemory(900)
	e, err := audit.NewService(m).Export(t.Context(), access.Principal{UserID: uuid.New()}, m.org, audit.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if page, err := e.Next(t.Context()); len(page) == 0 || err != nil {
		t.Fatalf("%d lines, %v", len(page), err)
	}
	m.role = access.Organizer
	if page, err := e.Next(t.Context()); len(page) > 0 || !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("%d lines, %v", len(page), err)
	}
}

// What is declared as an action is offered as one.
func TestActionsAreAll(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "audit.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var declared []audit.Action
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if name, ok := spec.Type.(*ast.Ident); ok && name.Name == "Action" {
			word, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			declared = append(declared, audit.Action(word))
		}
		return true
	})
	offered := audit.Actions()
	for _, a := range declared {
		if !slices.Contains(offered, a) {
			t.Errorf("%s is declared and not among the actions", a)
		}
	}
	if len(declared) != len(offered) || len(declared) < 18 {
		t.Errorf("%d actions are declared, %d are offered", len(declared), len(offered))
	}
	for a, kind := range map[audit.Action]audit.Kind{
		audit.OrgSuspended: audit.Organization, audit.InviteResent: audit.Invite, audit.MemberErased: audit.Member, audit.EventDeleted: audit.Event,
	} {
		if a.Kind() != kind {
			t.Errorf("%s is about a %s", a, a.Kind())
		}
	}
}
