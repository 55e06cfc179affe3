package postgres_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"

	"happening/internal/access"
	"happening/internal/audit"
	"happening/internal/booking"
	"happening/internal/event"
	"happening/internal/fault"
	"happening/internal/notify"
	"happening/internal/org"
	"happening/internal/postgres"
	"happening/internal/signin"
	"happening/internal/user"
)

// wrongly is who asks in a test of a store's method: a person, and the
// organization that they name as the one in which they act.
type wrongly struct{ user, org uuid.UUID }

// methodCase calls a method of a store about things of tenant B.
type methodCase struct {
	call func(ctx context.Context, w *walled, who wrongly) (any, error)
	// also are people of B who may not do it either.
	also []string
	// right is who may, and by that finds hidden rows or changes some; empty:
	// the method only ever tells of the caller.
	right string
}

var (
	now    = time.Now
	inB    = func(name string) uuid.UUID { return idOf("B." + name) }
	recent = func() time.Time { return time.Now().Add(time.Minute).UTC().Truncate(time.Microsecond) }
)

func entry(who wrongly, action audit.Action, subject uuid.UUID) audit.Entry {
	return audit.Entry{OrgID: who.org, ActorID: who.user, Action: action, SubjectID: subject, At: recent()}
}

// methodCases has one for each method that asks as the request role. Those
// whose rightful use takes away what others need stand in lastCases.
var methodCases = map[string]methodCase{
	"EventStore.OrgOf": {call: func(ctx context.Context, w *walled, who wrongly) (any, error) {
		suspended, role, err := postgres.NewEventStore(w.DB.DB).OrgOf(ctx, inB("org"), who.user)
		if suspended || role != access.NoRole {
			err = fmt.Errorf("role %s", role)
		}
		return nil, err
	}},
	"EventStore.FindEvent": {right: "B.user", call: func(ctx context.Context, w *walled, who wrongly) (any, error) {
		return postgres.NewEventStore(w.DB.DB).FindEvent(ctx, inB("members"), who.user)
	}},
	"EventStore.ListEvents": {right: "B.user", call: func(ctx context.Context, w *walled, who wrongly) (any, error) {
		return postgres.NewEventStore(w.DB.DB).ListEvents(ctx, who.user, event.Filter{OrgID: inB("org")}, now(), event.Cursor{}, 100)
	}},
	"EventStore.InsertEvent": {right: "B.organizer", also: []string{"B.user", "B.booker"}, call: func(ctx context.Context, w *walled, who wrongly) (any, error) {
		e, err := event.New(event.Draft{OrgID: inB("org"), Name: "Smuggled", Category: "meetup", TimeZone: "UTC", TotalSlots: 1, Visibility: event.Members,
			StartsAt: now().Add(time.Hour), EndsAt: now().Add(2 * time.Hour)}, uuid.New(), who.user, now())
		if err != nil {
			return nil, err
		}
		return postgres.NewEventStore(w.DB.DB).InsertEvent(ctx, e, entry(who, audit.EventCreated, e.ID))
	}},
	"BookingStore.Whose": {right: "B.organizer", also: []string{"B.user", "B.waiter"}, call: func(ctx context.Context, w *walled, who wrongly) (any, error) {
		return postgres.NewBookingStore(w.DB.DB).Whose(ctx, inB("booked"), who.user)
	}},
	"BookingStore.Find": {right: "B.organizer", also: []string{"B.user", "B.waiter"}, call: func(ctx context.Context, w *walled, who wrongly) (any, error) {
		return postgres.NewBookingStore(w.DB.DB).Find(ctx, inB("booked"), who.user, now())
	}},
	"BookingStore.History": {right: "B.booker", also: []string{"B.user", "B.waiter"}, call: func(ctx context.Context, w *walled, who wrongly) (any, error) {
		return postgres.NewBookingStore(w.DB.DB).History(ctx, inB("booked"), who.user)
	}},
	"BookingStore.ListByUser": {right: "B.organizer", also: []string{"B.user", "B.waiter"}, call: func(ctx context.Context, w *walled, who wrongly) (any, error) {
		return postgres.NewBookingStore(w.DB.DB).ListByUser(ctx, booking.UserQuery{UserID: inB("booker"), Viewer: who.user, Limit: 9}, now())
	}},
	"BookingStore.ListByEvent": {right: "B.organizer", also: []string{"B.user"}, call: func(ctx context.Context, w *walled, who wrongly) (any, error) {
		store := postgres.NewBookingStore(w.DB.DB)
		all, err := store.ListByEvent(ctx, booking.EventQuery{EventID: inB("public"), OrgID: who.org, Viewer: who.user, Limit: 9}, now())
		waiting, failed := store.ListByEvent(ctx, booking.EventQuery{EventID: inB("public"), OrgID: who.org, Viewer: who.user, Waitlist: true, Limit: 9}, now())
		return append(all, waiting...), errors.Join(err, failed)
	}},
	"BookingStore.Runs": {call: func(ctx context.Context, w *walled, who wrongly) (any, error) {
		return postgres.NewBookingStore(w.DB.DB).Runs(ctx, who.user)
	}},
	"OrgStore.RoleOf": {call: func(ctx context.Context, w *walled, who wrongly) (any, error) {
		role, err := postgres.NewOrgStore(w.DB.DB).RoleOf(ctx, who.user, inB("org"))
		if role != access.NoRole {
			err = fmt.Errorf("role %s", role)
		}
		return nil, err
	}},
	"OrgStore.InsertOrg": {call: func(ctx context.Context, w *walled, who wrongly) (any, error) {
		o, err := org.New("Again", inB("org"), who.user, now())
		if err != nil {
			return nil, err
		}
		return nil, postgres.NewOrgStore(w.DB.DB).InsertOrg(ctx, o, entry(wrongly{who.user, o.ID}, audit.OrgCreated, o.ID))
	}},
	"OrgStore.FindOrg": {call: func(ctx context.Context, w *walled, who wrongly) (any, error) {
		o, err := postgres.NewOrgStore(w.DB.DB).FindOrg(ctx, inB("org"), who.user)
		if o.Role != access.NoRole {
			err = fmt.Errorf("role %s", o.Role)
		}
		return o, err
	}},
	"OrgStore.FindLogo": {call: func(ctx context.Context, w *walled, who wrongly) (any, error) {
		o, _, err := postgres.NewOrgStore(w.DB.DB).FindLogo(ctx, inB("org"), who.user)
		return o, err
	}},
	"OrgStore.ListOrgsOf": {call: func(ctx context.Context, w *walled, who wrongly) (any, error) {
		return postgres.NewOrgStore(w.DB.DB).ListOrgsOf(ctx, who.user, uuid.Nil, 9)
	}},
	"OrgStore.ListMembers": {right: "B.user", also: []string{"B.booker"}, call: func(ctx context.Context, w *walled, who wrongly) (any, error) {
		return postgres.NewOrgStore(w.DB.DB).ListMembers(ctx, who.user, who.org, org.MemberFilter{Addresses: true}, uuid.Nil, 9)
	}},
	"OrgStore.EditOrg": {right: "B.admin", also: []string{"B.organizer", "B.user"}, call: func(ctx context.Context, w *walled, who wrongly) (any, error) {
		return postgres.NewOrgStore(w.DB.DB).EditOrg(ctx, who.user, inB("org"), func(o org.Organization) (org.Edit, error) {
			o.About, o.Revision = "taken over", o.Revision+1
			return org.Edit{After: o, Record: entry(wrongly{who.user, o.ID}, audit.OrgUpdated, o.ID)}, nil
		})
	}},
	"OrgStore.InsertInvites": {right: "B.admin", also: []string{"B.organizer", "B.user"}, call: func(ctx context.Context, w *walled, who wrongly) (any, error) {
		i, err := org.NewInvite(uuid.New(), inB("org"), "smuggled@people.test", access.OrgAdmin, who.user, recent())
		if err != nil {
			return nil, err
		}
		return postgres.NewOrgStore(w.DB.DB).InsertInvites(ctx, []org.Invite{i})
	}},
	"OrgStore.ResendInvite": {right: "B.admin", also: []string{"B.organizer", "B.user"}, call: func(ctx context.Context, w *walled, who wrongly) (any, error) {
		return postgres.NewOrgStore(w.DB.DB).ResendInvite(ctx, who.user, who.org, inB("unanswered"), recent().Add(time.Hour))
	}},
	"OrgStore.FindInvite": {right: "guest", also: []string{"unverified", "B.organizer", "B.user"}, call: func(ctx context.Context, w *walled, who wrongly) (any, error) {
		return postgres.NewOrgStore(w.DB.DB).FindInvite(ctx, inB("invite"), who.user)
	}},
	"OrgStore.FindInviteByToken": {call: func(ctx context.Context, w *walled, who wrongly) (any, error) {
		return postgres.NewOrgStore(w.DB.DB).FindInviteByToken(ctx, []byte("guessed"), who.user)
	}},
	"OrgStore.ListInvitesOfOrg": {right: "B.admin", also: []string{"B.organizer", "B.user"}, call: func(ctx context.Context, w *walled, who wrongly) (any, error) {
		return postgres.NewOrgStore(w.DB.DB).ListInvitesOfOrg(ctx, who.user, who.org, uuid.Nil, 9)
	}},
	"OrgStore.ListInvitesTo": {right: "guest", also: []string{"unverified", "B.admin"}, call: func(ctx context.Context, w *walled, who wrongly) (any, error) {
		return postgres.NewOrgStore(w.DB.DB).ListInvitesTo(ctx, who.user, now(), uuid.Nil, 9)
	}},
	"AuditStore.RoleIn": {call: func(ctx context.Context, w *walled, who wrongly) (any, error) {
		role, err := postgres.NewAuditStore(w.DB.DB).RoleIn(ctx, who.user, inB("org"))
		if role != access.NoRole {
			err = fmt.Errorf("role %s", role)
		}
		return nil, err
	}},
	"AuditStore.ListAudit": {right: "B.admin", also: []string{"B.organizer", "B.user"}, call: func(ctx context.Context, w *walled, who wrongly) (any, error) {
		return postgres.NewAuditStore(w.DB.DB).ListAudit(ctx, who.user, access.AuditRead, audit.Query{OrgID: inB("org"), Limit: 9})
	}},
	"AuditStore.CountAudit": {also: []string{"B.organizer", "B.user"}, call: func(ctx context.Context, w *walled, who wrongly) (any, error) {
		n, err := postgres.NewAuditStore(w.DB.DB).CountAudit(ctx, who.user, access.AuditRead, audit.Query{OrgID: inB("org"), Limit: 9})
		if n != 0 {
			err = fmt.Errorf("%d lines", n)
		}
		return nil, err
	}},
	"Users.Person": {right: "B.user", call: func(ctx context.Context, w *walled, who wrongly) (any, error) {
		return postgres.NewUsers(w.DB.DB).Person(ctx, who.user)
	}},
	"Users.Profile": {right: "B.user", call: func(ctx context.Context, w *walled, who wrongly) (any, error) {
		return postgres.NewUsers(w.DB.DB).Profile(ctx, who.user)
	}},
	"Users.Rename": {right: "B.user", call: func(ctx context.Context, w *walled, who wrongly) (any, error) {
		return postgres.NewUsers(w.DB.DB).Rename(ctx, who.user, "Somebody", now())
	}},
	"Users.Memberships": {call: func(ctx context.Context, w *walled, who wrongly) (any, error) {
		return postgres.NewUsers(w.DB.DB).Memberships(ctx, who.user)
	}},
	"Users.ExportRows": {right: "B.booker", call: func(ctx context.Context, w *walled, who wrongly) (any, error) {
		var all []json.RawMessage
		for _, part := range []user.ExportPart{
			user.ExportAccount, user.ExportIdentities, user.ExportAccountLog, user.ExportOrganizations, user.ExportBookings, user.ExportWaitlist,
			user.ExportNotifications, user.ExportPreferences, user.ExportSessions, user.ExportInvitesReceived, user.ExportInvitesSent, user.ExportAudit,
		} {
			rows, err := postgres.NewUsers(w.DB.DB).ExportRows(ctx, who.user, part, uuid.Nil, 100)
			if err != nil {
				return nil, err
			}
			for _, row := range rows {
				all = append(all, row.JSON)
			}
		}
		return all, nil
	}},
	"Sessions.SessionByToken": {call: func(ctx context.Context, w *walled, _ wrongly) (any, error) {
		return postgres.NewSessions(w.DB.DB).SessionByToken(ctx, []byte("guessed"))
	}},
	"Sessions.SessionsOf": {right: "B.user", call: func(ctx context.Context, w *walled, who wrongly) (any, error) {
		return postgres.NewSessions(w.DB.DB).SessionsOf(ctx, who.user, signin.OwnQuery{Issuer: "test", Limit: 9})
	}},
	"Sessions.DeleteOtherSessions": {call: func(ctx context.Context, w *walled, who wrongly) (any, error) {
		return postgres.NewSessions(w.DB.DB).DeleteOtherSessions(ctx, who.user, uuid.Nil)
	}},
	"NotifyStore.Bell": {right: "B.booker", also: []string{"B.user"}, call: func(ctx context.Context, w *walled, who wrongly) (any, error) {
		items, _, err := postgres.NewNotifyStore(w.DB.DB).Bell(ctx, who.user, false, uuid.Nil, 9)
		return items, err
	}},
	"NotifyStore.MarkRead": {right: "B.booker", also: []string{"B.user"}, call: func(ctx context.Context, w *walled, who wrongly) (any, error) {
		return nil, postgres.NewNotifyStore(w.DB.DB).MarkRead(ctx, who.user, inB("notice"), now())
	}},
	"NotifyStore.MarkAllRead": {also: []string{"B.user"}, call: func(ctx context.Context, w *walled, who wrongly) (any, error) {
		return nil, postgres.NewNotifyStore(w.DB.DB).MarkAllRead(ctx, who.user, now())
	}},
	"NotifyStore.Unwanted": {call: func(ctx context.Context, w *walled, who wrongly) (any, error) {
		return postgres.NewNotifyStore(w.DB.DB).Unwanted(ctx, who.user)
	}},
	"NotifyStore.Choose": {right: "B.booker", call: func(ctx context.Context, w *walled, who wrongly) (any, error) {
		return nil, postgres.NewNotifyStore(w.DB.DB).Choose(ctx, who.user, []notify.Choice{{Type: "event_updated", Channel: notify.Email, Wanted: false}})
	}},
}

// lastCases come after the others, in this order.
var lastCases = []string{
	"OrgStore.AnswerInvite", "OrgStore.RevokeInvite", "EventStore.DeleteEvent", "Sessions.DeleteOwnSession",
	"OrgStore.SetRole", "OrgStore.RemoveMember", "OrgStore.DeleteOrg",
}

func init() {
	maps.Copy(methodCases, map[string]methodCase{
		"OrgStore.AnswerInvite": {right: "guest", also: []string{"unverified", "B.admin", "B.user"}, call: func(ctx context.Context, w *walled, who wrongly) (any, error) {
			return postgres.NewOrgStore(w.DB.DB).AnswerInvite(ctx, inB("invite"), who.user, org.Accept, now())
		}},
		"OrgStore.RevokeInvite": {right: "B.admin", also: []string{"B.organizer", "B.user"}, call: func(ctx context.Context, w *walled, who wrongly) (any, error) {
			return nil, postgres.NewOrgStore(w.DB.DB).RevokeInvite(ctx, inB("unanswered"), now(), entry(who, audit.InviteRevoked, inB("unanswered")))
		}},
		"EventStore.DeleteEvent": {right: "B.organizer", also: []string{"B.user", "B.booker"}, call: func(ctx context.Context, w *walled, who wrongly) (any, error) {
			return nil, postgres.NewEventStore(w.DB.DB).DeleteEvent(ctx, inB("empty"), entry(who, audit.EventDeleted, inB("empty")))
		}},
		"Sessions.DeleteOwnSession": {right: "B.user", call: func(ctx context.Context, w *walled, who wrongly) (any, error) {
			return postgres.NewSessions(w.DB.DB).DeleteOwnSession(ctx, who.user, inB("session"))
		}},
		"OrgStore.SetRole": {right: "B.admin", also: []string{"B.organizer", "B.user"}, call: func(ctx context.Context, w *walled, who wrongly) (any, error) {
			return postgres.NewOrgStore(w.DB.DB).SetRole(ctx, who.user, who.org, inB("user"), access.Organizer, recent())
		}},
		"OrgStore.RemoveMember": {right: "B.admin", also: []string{"B.organizer", "B.booker"}, call: func(ctx context.Context, w *walled, who wrongly) (any, error) {
			return nil, postgres.NewOrgStore(w.DB.DB).RemoveMember(ctx, who.user, who.org, inB("user"), recent())
		}},
		"OrgStore.DeleteOrg": {right: "B.admin", also: []string{"B.organizer", "B.booker"}, call: func(ctx context.Context, w *walled, who wrongly) (any, error) {
			if who.user == inB("admin") { // the rightful one's is empty by then
				w.exec(`DELETE FROM events WHERE org_id = $1`, inB("org"))
			}
			return nil, postgres.NewOrgStore(w.DB.DB).DeleteOrg(ctx, who.user, inB("org"), entry(wrongly{who.user, inB("org")}, audit.OrgDeleted, inB("org")))
		}},
	})
}

// TestEveryMethodAsksWithinTheWall calls each method of a store about another
// tenant's things, as people who have no business there and without any check
// of the application before it: nothing hidden comes back and nothing changes.
// Then who may does the same.
func TestEveryMethodAsksWithinTheWall(t *testing.T) {
	t.Parallel()
	w := newWalled(t)
	order := slices.DeleteFunc(slices.Sorted(maps.Keys(methodCases)), func(m string) bool { return slices.Contains(lastCases, m) })
	order = append(order, lastCases...)
	for _, method := range order {
		c := methodCases[method]
		before := w.rowsOf("B")
		for _, who := range outsidersOf(c) {
			answer, err := c.call(t.Context(), w, who)
			var f *fault.Error
			var pg *pgconn.PgError
			refused := errors.As(err, &f) || errors.As(err, &pg) && (pg.Code == "42501" || pg.Code == "23503")
			if err != nil && !refused {
				t.Errorf("%s as %s: %v", method, w.names().Replace(who.user.String()), err)
			}
			if leak := hiddenIn(t, answer, err); leak != "" {
				t.Errorf("%s as %s shows %s", method, w.names().Replace(who.user.String()), leak)
			}
		}
		if w.rowsOf("B") != before {
			t.Fatalf("%s: somebody changed rows of B", method)
		}
		if c.right == "" {
			continue
		}
		answer, err := c.call(t.Context(), w, wrongly{idOf(c.right), inB("org")})
		if err != nil || hiddenIn(t, answer, nil) == "" && w.rowsOf("B") == before {
			t.Errorf("%s finds and does nothing for %s either: %v", method, c.right, err)
		}
	}
}

// TestWithoutTheWallTheyWouldLeak is the control: with the policies taken away,
// the methods whose checks stand in the application show a stranger what the
// wall hides.
func TestWithoutTheWallTheyWouldLeak(t *testing.T) {
	t.Parallel()
	w := newWalled(t)
	for table := range walledTables {
		w.AsOwner(t, "ALTER TABLE "+table+" DISABLE ROW LEVEL SECURITY")
	}
	for _, method := range []string{
		"EventStore.FindEvent", "BookingStore.Find", "BookingStore.History", "BookingStore.ListByEvent",
		"OrgStore.ListMembers", "OrgStore.FindInvite", "OrgStore.ListInvitesOfOrg", "AuditStore.ListAudit",
	} {
		answer, err := methodCases[method].call(t.Context(), w, wrongly{idOf("stranger"), inB("org")})
		if hiddenIn(t, answer, err) == "" {
			t.Errorf("%s shows nothing to a stranger without a wall either: %v", method, err)
		}
	}
}

// outsidersOf are visitors, A's people naming B or their own organization,
// somebody without any, and who else may not.
func outsidersOf(c methodCase) []wrongly {
	who := []wrongly{{uuid.Nil, inB("org")}, {idOf("stranger"), inB("org")}, {idOf("A.admin"), idOf("A.org")}}
	for _, name := range append([]string{"A.admin", "A.organizer", "A.user"}, c.also...) {
		who = append(who, wrongly{idOf(name), inB("org")})
	}
	return who
}

// hiddenIn gives what of an answer, or of an error's text, is B's and not for
// everybody; empty: nothing.
func hiddenIn(t *testing.T, answer any, err error) string {
	t.Helper()
	text, failed := json.Marshal(answer)
	if failed != nil {
		t.Fatal(failed)
	}
	told := string(text) + fmt.Sprint(err)
	if strings.Contains(told, hiddenText+" B") {
		return told
	}
	for _, name := range append(slices.Clone(walledPeople), walledThings...) {
		if name != "org" && name != "public" && strings.Contains(told, inB(name).String()) {
			return name + " in " + told
		}
	}
	return ""
}

// TestEveryMethodHasItsCase finds the methods that ask as the request role in
// the source, so that a new one is not forgotten.
func TestEveryMethodHasItsCase(t *testing.T) {
	t.Parallel()
	found := requestMethods(t)
	for _, method := range found {
		if _, ok := methodCases[method]; !ok {
			t.Errorf("%s asks as the request role and has no case in methodCases: call it as a stranger, about another tenant's things", method)
		}
	}
	for method := range methodCases {
		if !slices.Contains(found, method) {
			t.Errorf("%s does not ask as the request role, or is no more", method)
		}
	}
	if len(found) == 0 {
		t.Error("no method was found at all")
	}
}

// requestMethods lists the exported methods from which the pool of the request
// role is reached, directly or through functions that are not exported.
func requestMethods(t *testing.T) []string {
	t.Helper()
	type function struct {
		exported string // receiver and name; empty: not exported
		uses     map[string]bool
		asks     bool
	}
	byName := map[string][]*function{}
	var all []*function
	files := token.NewFileSet()
	names, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range names {
		if !strings.HasSuffix(file.Name(), ".go") || strings.HasSuffix(file.Name(), "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(files, file.Name(), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			decl, ok := d.(*ast.FuncDecl)
			if !ok || decl.Body == nil {
				continue
			}
			f := &function{uses: map[string]bool{}}
			receiver := receiverOf(decl)
			if receiver == "DB" {
				continue // of the pools themselves, which know no rows
			}
			if receiver != "" && decl.Name.IsExported() {
				f.exported = receiver + "." + decl.Name.Name
			}
			ast.Inspect(decl.Body, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.SelectorExpr:
					f.uses[n.Sel.Name] = true
					of, ok := n.X.(*ast.SelectorExpr)
					ofDB := ok && of.Sel.Name == "db" || isNamed(n.X, "db")
					f.asks = f.asks || ofDB && (n.Sel.Name == "App" || n.Sel.Name == "write")
				case *ast.Ident:
					f.uses[n.Name] = true
				}
				return true
			})
			byName[decl.Name.Name] = append(byName[decl.Name.Name], f)
			all = append(all, f)
		}
	}
	for changed := true; changed; {
		changed = false
		for _, f := range all {
			for name := range f.uses {
				for _, used := range byName[name] {
					if !f.asks && used.asks && used.exported == "" {
						f.asks, changed = true, true
					}
				}
			}
		}
	}
	var methods []string
	for _, f := range all {
		if f.asks && f.exported != "" {
			methods = append(methods, f.exported)
		}
	}
	slices.Sort(methods)
	return slices.Compact(methods)
}

func isNamed(x ast.Expr, name string) bool {
	id, ok := x.(*ast.Ident)
	return ok && id.Name == name
}

// receiverOf names the type that a method belongs to; empty: a function.
func receiverOf(decl *ast.FuncDecl) string {
	if decl.Recv == nil {
		return ""
	}
	of := decl.Recv.List[0].Type
	if pointer, ok := of.(*ast.StarExpr); ok {
		of = pointer.X
	}
	if id, ok := of.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}
