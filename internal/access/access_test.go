package access_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/fault"
)

var (
	org      = uuid.MustParse("0190a000-0000-7000-8000-000000000001")
	me       = uuid.MustParse("0190a000-0000-7000-8000-000000000002")
	somebody = uuid.MustParse("0190a000-0000-7000-8000-000000000003")
)

// caller is one of the six kinds of people that the table tells apart.
type caller struct {
	name      string
	principal access.Principal
	role      access.Role
}

var callers = []caller{
	{"visitor", access.Principal{}, access.NoRole},
	{"stranger", access.Principal{UserID: me}, access.NoRole},
	{"user", access.Principal{UserID: me}, access.User},
	{"organizer", access.Principal{UserID: me}, access.Organizer},
	{"orgAdmin", access.Principal{UserID: me}, access.OrgAdmin},
}

// answers, one letter for each of the callers above.
//
//	y: may   u: 401   f: 403   n: 404
var expected = []struct {
	action access.Action
	thing  string
	want   string
}{
	{access.Anyone, "public", "yyyyy"},
	{access.SignedIn, "public", "uyyyy"},
	{access.EventCreate, "public", "uffyy"},
	{access.EventRead, "public", "yyyyy"},
	{access.EventRead, "members", "nnyyy"},
	{access.EventWrite, "public", "uffyy"},
	{access.EventWrite, "members", "nnfyy"},
	{access.EventBook, "public", "uyyyy"},
	{access.EventBook, "members", "nnyyy"},
	{access.EventBookFor, "public", "uffyy"},
	{access.EventBookFor, "members", "nnfyy"},
	{access.EventSales, "public", "uffyy"},
	{access.EventSales, "members", "nnfyy"},
	{access.BookingRead, "public", "nnnyy"},
	{access.BookingRead, "mine", "nyyyy"},
	{access.BookingRead, "mine, members", "nyyyy"},
	{access.BookingChange, "public", "nnnyy"},
	{access.BookingChange, "mine", "nyyyy"},
	{access.BookingRun, "public", "uffyy"},
	{access.BookingRun, "mine", "uffyy"},
	{access.BookingRun, "members", "nnfyy"},
	{access.OrgRead, "public", "yyyyy"},
	{access.MembersRead, "public", "ufyyy"},
	{access.InvitesManage, "public", "ufffy"},
	{access.OrgWrite, "public", "ufffy"},
	{access.MembersManage, "public", "ufffy"},
	{access.MemberRemove, "public", "ufffy"},
	{access.MemberRemove, "mine", "uyyyy"},
	{access.AuditRead, "public", "ufffy"},
	{access.EventAudit, "public", "uffyy"},
	{access.EventAudit, "members", "nnfyy"},
	{access.OperatorAction, "public", "uffff"},
	{access.Action("no.such"), "public", "uffff"},
}

func things() map[string]access.Thing {
	return map[string]access.Thing{
		"public":        {OrgID: org, OwnerID: somebody},
		"members":       {OrgID: org, OwnerID: somebody, MembersOnly: true},
		"mine":          {OrgID: org, OwnerID: me},
		"mine, members": {OrgID: org, OwnerID: me, MembersOnly: true},
	}
}

// roles answers with one role and counts how often it was asked.
type roles struct {
	role  access.Role
	err   error
	asked int
}

func (r *roles) RoleOf(context.Context, uuid.UUID, uuid.UUID) (access.Role, error) {
	r.asked++
	return r.role, r.err
}

func TestTheTable(t *testing.T) {
	letters := map[byte]error{'y': nil, 'u': fault.ErrUnauthenticated, 'f': fault.ErrForbidden, 'n': fault.ErrNotFound}
	for _, row := range expected {
		for i, c := range callers {
			t.Run(fmt.Sprintf("%s of %s by %s", row.action, row.thing, c.name), func(t *testing.T) {
				thing, want := things()[row.thing], letters[row.want[i]]
				if got := access.Decide(row.action, c.principal, c.role, thing); !errors.Is(got, want) {
					t.Errorf("Decide: got %v, want %v", got, want)
				}
				if got := access.Check(t.Context(), &roles{role: c.role}, row.action, c.principal, thing); !errors.Is(got, want) {
					t.Errorf("Check: got %v, want %v", got, want)
				}
			})
		}
	}
}

func TestEveryActionIsInTheTableOfThisTest(t *testing.T) {
	seen := map[access.Action]bool{}
	for _, row := range expected {
		seen[row.action] = true
	}
	for _, a := range access.Actions() {
		if !seen[a] {
			t.Errorf("%s has no row here", a)
		}
		if !access.Known(a) {
			t.Errorf("%s is not known", a)
		}
	}
	if access.Known("no.such") {
		t.Error("an action that nobody declared is known")
	}
}

func TestBookingAtAPublicEventAsksForNoRole(t *testing.T) {
	r := &roles{}
	err := access.Check(t.Context(), r, access.EventBook, access.Principal{UserID: me}, access.Thing{OrgID: org})
	if err != nil || r.asked != 0 {
		t.Errorf("got %v after %d lookups, want none of either", err, r.asked)
	}
}

func TestAFailedLookupNeverOpens(t *testing.T) {
	broken := errors.New("no database")
	err := access.Check(t.Context(), &roles{role: access.OrgAdmin, err: broken}, access.EventWrite, access.Principal{UserID: me}, access.Thing{OrgID: org})
	if !errors.Is(err, broken) {
		t.Errorf("got %v, want the lookup's error", err)
	}
}

func TestRolesRise(t *testing.T) {
	order := []access.Role{access.NoRole, access.User, access.Organizer, access.OrgAdmin}
	for i, lower := range order {
		for j, higher := range order {
			if got := higher.Above(lower); got != (j > i) {
				t.Errorf("%q above %q: got %v", higher, lower, got)
			}
		}
	}
	if access.Role("owner").Valid() || access.NoRole.Valid() || !access.User.Valid() {
		t.Error("a member has exactly one of the three roles")
	}
}
