package httpapi

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/audit"
	"happening/internal/idp"
	"happening/internal/postgres"
	"happening/internal/signin"
	"happening/internal/testkit"
)

// The columns of the matrix: who asks. A user, organizer and orgAdmin are
// members of the organization that the rows call ours, an other is the orgAdmin
// of another one, a former was an organizer of ours and was removed, and a
// booker is no member and has booked.
const (
	visitor   = "visitor"
	stranger  = "stranger"
	member    = "user"
	organizer = "organizer"
	orgAdmin  = "orgAdmin"
	other     = "other"
	former    = "former"
	booker    = "booker"
)

var columns = []string{visitor, stranger, member, organizer, orgAdmin, other, former, booker}

// The things that a row asks about.
const (
	ours      = "ours"      // open to everybody
	hidden    = "hidden"    // ours, for members only
	closed    = "closed"    // of a suspended organization with the same members
	foreign   = "foreign"   // the other organization's, for its members only
	own       = "own"       // the caller's, whoever that is
	absent    = "absent"    // there is none
	unrelated = "unrelated" // ours, below which something absent is asked about
)

// matrixRow is what a route answers to everybody. The statuses of a thing have
// the order of the columns.
type matrixRow struct {
	route string
	what  string // tells several rows of a route apart
	want  map[string]string
	// records is what a success leaves in the organization's record; a row of a
	// route that changes something has to say it.
	records string
	unlike  map[string]string // of whose success something else is recorded
	// spare is for what the caller would not survive: another person in the
	// same place asks instead.
	spare bool
	ask   func(c *cell) question
}

// nothing is what is recorded of a change that is no organization's.
const nothing = "nothing"

// question is a request in which all but the caller's place is right, so that
// nothing else decides.
type question struct {
	path    string
	body    any
	headers []string
}

// cell is one place in the matrix.
type cell struct {
	*matrix
	thing, who string
	caller     caller
	// fresh says that the question will be answered by a change, so that it
	// must be about a thing of its own.
	fresh bool
}

// matrix is two organizations full of things, and people in every place.
type matrix struct {
	*world
	callers            map[string]caller
	ourOrg, otherOrg   uuid.UUID
	closedOrg          uuid.UUID
	otherUser, member2 caller
	events             map[string]uuid.UUID
	bookings, waiting  map[string]uuid.UUID
	invites            map[string]uuid.UUID
	token              string
	logo               string
	addresses, seat    int
}

// markers stand in everybody's name and address.
const (
	nameMarker    = "Quillfeather"
	addressMarker = "@people.test"
)

func newMatrix(t *testing.T) *matrix {
	t.Helper()
	m := &matrix{world: newWorld(t), callers: map[string]caller{}, events: map[string]uuid.UUID{}, bookings: map[string]uuid.UUID{}, waiting: map[string]uuid.UUID{}, invites: map[string]uuid.UUID{}}
	for _, name := range columns {
		if name != visitor {
			m.callers[name] = m.someone()
		}
	}
	m.otherUser, m.member2 = m.someone(), m.someone()
	m.ourOrg, m.otherOrg, m.closedOrg = m.ourNewOrg(), m.otherNewOrg(), m.ourNewOrg()

	var logo bytes.Buffer
	must(t, png.Encode(&logo, image.NewGray(image.Rect(0, 0, 2, 2))))
	m.logo = logo.String()
	for _, org := range []uuid.UUID{m.ourOrg, m.closedOrg, m.otherOrg} {
		m.setLogo(org)
	}
	for _, thing := range []string{ours, hidden, foreign, closed} {
		m.events[thing] = m.newEvent(thing)
	}
	for _, thing := range []string{ours, hidden, foreign} {
		m.bookings[thing], m.waiting[thing] = m.newBooking(thing), m.newWaiting(thing)
	}
	_, changed, err := m.server.deps.Orgs.Suspend(t.Context(), m.closedOrg)
	if must(t, err); !changed {
		t.Fatal("the organization was suspended before")
	}
	must(t, m.alloc.Suspended(t.Context(), map[uuid.UUID]bool{m.closedOrg: true})) // as every process does by itself
	m.bookings[closed], m.waiting[closed] = m.newBooking(closed), m.newWaiting(closed)
	for thing, org := range map[string]uuid.UUID{ours: m.ourOrg, foreign: m.otherOrg} {
		m.invites[thing] = m.newInvite(org, m.address())
	}
	link, err := m.server.deps.Orgs.MintInviteLink(t.Context(), m.invites[ours])
	must(t, err)
	_, m.token, _ = strings.Cut(link.URL, "token=")
	m.name()
	return m
}

// freeSeats is a seat behind which the matrix's bookings of the best seats don't
// come.
const freeSeats = 500

// name gives everybody a name that must be found nowhere else.
func (m *matrix) name() {
	m.t.Helper()
	m.sql(`UPDATE users SET name = $1 || ' ' || id WHERE name NOT LIKE $1 || '%' AND erased_at IS NULL AND NOT guest`, nameMarker)
}

func (m *matrix) sql(statement string, args ...any) {
	m.t.Helper()
	_, err := m.db.System.Exec(context.Background(), statement, args...)
	must(m.t, err)
}

// address is one that nobody was invited to.
func (m *matrix) address() string {
	m.addresses++
	return "invited" + strconv.Itoa(m.addresses) + addressMarker
}

// ourNewOrg has the same people in the same places as ours.
func (m *matrix) ourNewOrg() uuid.UUID {
	m.t.Helper()
	org, _ := m.db.Org(m.t)
	for _, role := range []string{member, organizer, orgAdmin} {
		m.db.Member(m.t, org, m.callers[role].id, role)
	}
	m.db.Member(m.t, org, m.member2.id, "user")
	return org
}

func (m *matrix) otherNewOrg() uuid.UUID {
	m.t.Helper()
	org, _ := m.db.Org(m.t)
	m.db.Member(m.t, org, m.callers[other].id, "orgAdmin")
	m.db.Member(m.t, org, m.otherUser.id, "user")
	return org
}

func (m *matrix) setLogo(org uuid.UUID) {
	m.t.Helper()
	m.sql(`INSERT INTO organization_logos (org_id, image, updated_at) VALUES ($1, $2, now())`, org, []byte(m.logo))
	m.sql(`UPDATE organizations SET logo_version = 'a1b2c3d4e5f6' WHERE id = $1`, org)
}

func (m *matrix) orgOf(thing string) uuid.UUID {
	switch thing {
	case foreign:
		return m.otherOrg
	case closed:
		return m.closedOrg
	}
	return m.ourOrg
}

func (m *matrix) newEvent(thing string) uuid.UUID {
	m.t.Helper()
	return m.eventOf(thing, 1000)
}

func (m *matrix) eventOf(thing string, seats int) uuid.UUID {
	m.t.Helper()
	visibility := "public"
	if thing == hidden || thing == foreign {
		visibility = "members"
	}
	return m.db.Event(m.t, m.orgOf(thing), seats, testkit.EventOptions{Visibility: visibility})
}

// newBooking is one of the booker, who for the moment of it may be a member,
// at an event that is ours, or of the other organization's user.
func (m *matrix) newBooking(thing string) uuid.UUID {
	m.t.Helper()
	return m.bookAt(thing, m.events[thing], 1)
}

// newParty is such a booking of two seats.
func (m *matrix) newParty(thing string) uuid.UUID {
	m.t.Helper()
	return m.bookAt(thing, m.events[thing], 2)
}

// newWaiting is a party of two that waits although two seats are free, because
// a larger one waits before it.
func (m *matrix) newWaiting(thing string) uuid.UUID {
	m.t.Helper()
	event, first := m.eventOf(thing, 4), m.callers[orgAdmin]
	if thing == foreign {
		first = m.callers[other]
	}
	if thing == closed {
		m.open(true)
		defer m.open(false)
	}
	m.book(first, event, 2)
	m.book(first, event, 4)
	return m.bookAt(thing, event, 2)
}

func (m *matrix) bookAt(thing string, event uuid.UUID, seats int) uuid.UUID {
	m.t.Helper()
	who := m.callers[booker]
	if thing == foreign {
		who = m.otherUser
	}
	if thing == closed {
		m.open(true)
		defer m.open(false)
	}
	if thing == hidden {
		m.db.Member(m.t, m.ourOrg, who.id, "user")
		defer m.sql(`DELETE FROM organization_users WHERE org_id = $1 AND user_id = $2`, m.ourOrg, who.id)
	}
	return m.book(who, event, seats).ID
}

// open lets the suspended organization do something new for a moment, or ends
// that, of which nobody makes a record here.
func (m *matrix) open(open bool) {
	m.t.Helper()
	m.sql(`UPDATE organizations SET suspended_at = CASE WHEN $2 THEN NULL ELSE now() END WHERE id = $1`, m.closedOrg, open)
	must(m.t, m.alloc.Suspended(m.t.Context(), map[uuid.UUID]bool{m.closedOrg: !open}))
}

// newInvite is one that could be sent again.
func (m *matrix) newInvite(org uuid.UUID, address string) uuid.UUID {
	m.t.Helper()
	id := uuid.Must(uuid.NewV7())
	m.sql(`INSERT INTO organization_invites (id, org_id, email, role, invited_by, created_at, expires_at)
		VALUES ($1, $2, $3, 'user', $4, now() - interval '1 hour', now() + interval '1 day')`, id, org, address, m.callers[orgAdmin].id)
	return id
}

// callerOf gives who asks in a column, or a spare person in the same place.
func (m *matrix) callerOf(row *matrixRow, who string) caller {
	m.t.Helper()
	if !row.spare || who == visitor {
		return m.callers[who]
	}
	c := m.someone()
	switch who {
	case member, organizer, orgAdmin:
		m.db.Member(m.t, m.ourOrg, c.id, who)
	case other:
		m.db.Member(m.t, m.otherOrg, c.id, orgAdmin)
	}
	m.name()
	return c
}

// ask asks one question.
func (m *matrix) ask(row *matrixRow, thing, who string, fresh bool) reply {
	m.t.Helper()
	method, _, _ := strings.Cut(row.route, " ")
	c := &cell{matrix: m, thing: thing, who: who, caller: m.callerOf(row, who), fresh: fresh && method != http.MethodGet}
	q := row.ask(c)
	return m.call(c.caller, method, q.path, q.body, q.headers...)
}

// judge asks a row's questions and tells everything that is not as it says.
func (m *matrix) judge(row *matrixRow) (faults []string) {
	m.t.Helper()
	fault := func(format string, args ...any) {
		faults = append(faults, row.name()+": "+fmt.Sprintf(format, args...))
	}
	changes := !strings.HasPrefix(row.route, "GET ")
	if changes != (row.records != "") {
		fault("says that it records %q", row.records)
	}
	for _, thing := range slices.Sorted(maps.Keys(row.want)) {
		want := strings.Fields(row.want[thing])
		if len(want) != len(columns) {
			fault("%s has %d columns", thing, len(want))
			continue
		}
		for i, who := range columns {
			success := strings.HasPrefix(want[i], "2")
			before := m.recorded(nil)
			got := m.ask(row, thing, who, success)
			if strconv.Itoa(got.status) != want[i] {
				fault("%s asks about %s: %d, want %s: %s", who, thing, got.status, want[i], got.body)
				continue
			}
			if told, due := m.told(before), row.due(who, success); told != due {
				fault("%s asks about %s: recorded %s, want %s", who, thing, told, due)
			}
			if got.status == http.StatusNotFound && thing != absent {
				if _, ok := row.want[absent]; !ok {
					fault("hides %s and says nothing of what is absent", thing)
					continue
				}
				if none := m.ask(row, absent, who, false); plainAnswer(none) != plainAnswer(got) {
					fault("to %s %s is\n%s\nand what is absent\n%s", who, thing, plainAnswer(got), plainAnswer(none))
				}
			}
		}
	}
	return faults
}

// due is what the record gets.
func (r *matrixRow) due(who string, success bool) string {
	switch special, ok := r.unlike[who]; {
	case !success || r.records == "":
		return nothing
	case ok:
		return special
	}
	return r.records
}

func (r *matrixRow) name() string { return strings.TrimSpace(r.route + " " + r.what) }

// recorded lists the lines of all records that are not among the known ones.
func (m *matrix) recorded(known []uuid.UUID) []uuid.UUID {
	m.t.Helper()
	var ids []uuid.UUID
	must(m.t, m.db.System.QueryRow(context.Background(),
		`SELECT coalesce(array_agg(id ORDER BY id), '{}') FROM audit_log WHERE id <> ALL(coalesce($1::uuid[], '{}'))`, known).Scan(&ids))
	return ids
}

// told says what was recorded since.
func (m *matrix) told(before []uuid.UUID) string {
	m.t.Helper()
	told := nothing
	must(m.t, m.db.System.QueryRow(context.Background(),
		`SELECT coalesce(string_agg(action, ' ' ORDER BY id), $2) FROM audit_log WHERE id <> ALL($1)`, before, nothing).Scan(&told))
	return told
}

// plainAnswer is everything of an answer that a caller can tell apart but for
// the time and the request's own name.
func plainAnswer(r reply) string {
	header := r.header.Clone()
	header.Del("Date")
	header.Del("X-Request-Id")
	var b strings.Builder
	fmt.Fprintln(&b, r.status)
	must(r.t, header.Write(&b))
	b.WriteString(r.body)
	return b.String()
}

// Every route answers everybody as its row says, about what is theirs, what is
// another's and what is not there; what one may not know of is the same as what
// is not there, to the byte. Whatever changes something of an organization
// stands in its record, and nothing else does.
func TestAuthorizationMatrix(t *testing.T) {
	t.Parallel()
	m := newMatrix(t)
	rows := matrixRows()
	told := map[string]bool{}
	routes := map[string]bool{}
	for _, rt := range m.server.routes {
		routes[rt.method+" "+rt.path] = false
	}
	for i := range rows {
		row := &rows[i]
		if _, known := routes[row.route]; !known {
			t.Errorf("there is no route %s", row.route)
			continue
		}
		routes[row.route] = true
		for action := range strings.FieldsSeq(row.records) {
			told[action] = true
		}
		for _, fault := range m.judge(row) {
			t.Error(fault)
		}
	}
	for route, judged := range routes {
		if !judged {
			t.Errorf("%s has no row in the matrix: say who may do it", route)
		}
	}

	// The operator's commands come by no route.
	before := m.recorded(nil)
	_, _, err := m.server.deps.Orgs.Resume(t.Context(), m.closedOrg)
	must(t, err)
	if got := m.told(before); got != string(audit.OrgResumed) {
		t.Errorf("resuming an organization recorded %s", got)
	}
	told[string(audit.OrgSuspended)], told[string(audit.OrgResumed)] = true, true
	for _, action := range audit.Actions() {
		if !told[string(action)] {
			t.Errorf("no row of the matrix records %s", action)
		}
	}
	if found := m.namesRecorded(); found != "" {
		t.Errorf("the record names people: %s", found)
	}
	m.db.CheckClean(t)
	m.sql(`INSERT INTO audit_log (id, org_id, action, subject_id, after) VALUES ($1, $1, 'org.updated', $1, jsonb_build_object('name', $2::text))`,
		uuid.Must(uuid.NewV7()), nameMarker+" of Mill Lane")
	if m.namesRecorded() == "" {
		t.Error("a name in the record is not found")
	}
}

// namesRecorded looks through everything that was recorded for what belongs
// into rows that can be erased.
func (m *matrix) namesRecorded() (found string) {
	m.t.Helper()
	var people, lines int
	must(m.t, m.db.System.QueryRow(context.Background(), `
		SELECT (SELECT count(*) FROM users WHERE name LIKE $1 || '%' AND email LIKE '%' || $2), count(*),
		       coalesce(string_agg(a::text, '; ') FILTER (WHERE a::text ~ $3), '')
		FROM audit_log a`,
		nameMarker, addressMarker, nameMarker+`|people\.test|127\.0\.0\.1|@`).Scan(&people, &lines, &found))
	if people < len(columns) || lines < 20 {
		m.t.Errorf("%d people and %d lines are too few to prove anything", people, lines)
	}
	return found
}

// Where nothing reaches the record, every row that should be in it says so.
func TestTheMatrixNoticesWhatIsNotRecorded(t *testing.T) {
	t.Parallel()
	m := newMatrix(t)
	m.db.AsOwner(t, `
		CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
		CREATE TRIGGER lose BEFORE INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION lose()`)
	rows := matrixRows()
	for i := range rows {
		row := &rows[i]
		if row.records == "" || row.records == nothing {
			continue
		}
		faults := m.judge(row)
		if !slices.ContainsFunc(faults, func(f string) bool { return strings.Contains(f, "recorded nothing, want "+row.records) }) {
			t.Errorf("%s: nobody notices that nothing is recorded: %v", row.name(), faults)
		}
	}
}

// A list shows each caller what they may see, and nothing more.
func TestListsShowWhatOneMaySee(t *testing.T) {
	t.Parallel()
	m := newMatrix(t)
	for who, want := range map[string][]string{
		visitor: {ours}, stranger: {ours}, former: {ours}, booker: {ours}, other: {ours, foreign},
		member: {ours, hidden, closed}, organizer: {ours, hidden, closed}, orgAdmin: {ours, hidden, closed},
	} {
		for _, query := range []string{"", "?q=event", "?status=upcoming", "?category=meetup"} {
			var got []string
			for _, e := range read[List[Event]](m.call(m.callers[who], "GET", "/events"+query, nil).want(200)).Items {
				for thing, id := range m.events {
					if id == e.ID {
						got = append(got, thing)
					}
				}
			}
			slices.Sort(got)
			if slices.Sort(want); !slices.Equal(got, want) {
				t.Errorf("GET /events%s shows %s %v, want %v", query, who, got, want)
			}
		}
	}
	for who, want := range map[string]int{stranger: 0, member: 2, organizer: 2, orgAdmin: 2, other: 1, former: 0, booker: 0} {
		if got := read[List[Organization]](m.call(m.callers[who], "GET", "/organizations", nil).want(200)); len(got.Items) != want {
			t.Errorf("GET /organizations shows %s %d, want %d", who, len(got.Items), want)
		}
	}
}

// A credential that is over, or never was one, is 401 before anything else, on
// every route, whatever else is wrong with the request.
func TestEveryRouteRefusesBadCredentialsFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	long := 2 * time.Hour
	then, err := idp.New(t.Context(), idp.Config{
		PublicURL: publicURL, Now: func() time.Time { return time.Now().Add(-long) }, Logger: w.server.deps.Log,
	}, postgres.NewProvider(w.db.DB))
	must(t, err)
	issued, err := then.IssueTokens(t.Context(), []string{"expired@people.test"}, time.Hour)
	must(t, err)
	good, err := w.provider.IssueTokens(t.Context(), []string{"expired@people.test"}, time.Hour)
	must(t, err)
	if good[0].UserID != issued[0].UserID {
		t.Fatal("not the same person")
	}
	w.call(caller{token: good[0].AccessToken}, "GET", "/users/me", nil).want(200)
	first := map[bool]string{} // by whether the answer may be kept where nobody says that it may not, which only a GET's may
	for _, rt := range w.server.routes {
		reads := rt.method == http.MethodGet
		path := strings.NewReplacer("{id}", uuid.NewString(), "{userId}", uuid.NewString()).Replace(rt.path)
		for name, token := range map[string]string{"an expired": issued[0].AccessToken, "no": "garbage", "an altered": good[0].AccessToken + "x"} {
			r := w.call(caller{token: token}, rt.method, path, "{broken", "Content-Type: text/plain")
			if first[reads] == "" {
				first[reads] = plainAnswer(r)
			}
			if r.status != 401 || plainAnswer(r) != first[reads] {
				t.Errorf("%s %s with %s token: %s, elsewhere %s", rt.method, rt.path, name, plainAnswer(r), first[reads])
			}
			// Whoever invents credentials is soon not looked up any more; time
			// makes up for that.
			w.skew.Add(int64(2 * failureInterval))
		}
	}
}

// asAdmin takes everybody for one and the same orgAdmin.
type asAdmin struct {
	*signin.Authenticator
	admin *uuid.UUID
}

func (a asAdmin) Authenticate(*http.Request) (access.Principal, error) {
	return access.Principal{UserID: *a.admin}, nil
}

// The matrix is no decoration: where everybody is taken for an orgAdmin each
// row in which that makes a difference says so, and so does the row of a route
// whose action is loosened in the table.
func TestTheMatrixNoticesWhatIsOpen(t *testing.T) {
	t.Parallel()
	m := newMatrix(t)
	honest := m.server.deps.Auth.(*signin.Authenticator)
	admin := m.callers[orgAdmin].id
	m.server.deps.Auth = asAdmin{honest, &admin}
	rows := matrixRows()
	noticed := 0
	for i := range rows {
		row := &rows[i]
		if row.spare || !strings.HasPrefix(row.route, "GET ") {
			continue // what changes something would change it under the next row's feet
		}
		differs := false
		for _, statuses := range row.want {
			s := strings.Fields(statuses)
			differs = differs || slices.ContainsFunc(s, func(status string) bool { return status != s[slices.Index(columns, orgAdmin)] })
		}
		if faults := m.judge(row); differs && len(faults) == 0 {
			t.Errorf("%s: nobody notices that everybody may do it", row.name())
		} else if differs {
			noticed++
		}
	}
	if noticed < 15 {
		t.Errorf("only %d rows could notice anything", noticed)
	}
	m.server.deps.Auth = honest

	const loosened = "GET /notifications"
	row := rows[slices.IndexFunc(rows, func(r matrixRow) bool { return r.route == loosened })]
	if faults := m.judge(&row); len(faults) > 0 {
		t.Errorf("before it is loosened: %v", faults)
	}
	m.api = m.withTable(func(rt *route) {
		if rt.method+" "+rt.path == loosened {
			rt.action = access.Anyone
		}
	})
	if faults := m.judge(&row); len(faults) != 1 || !strings.Contains(faults[0], "visitor asks about own: 200, want 401") {
		t.Errorf("the loosened route: %v", faults)
	}
}

// withTable serves the API by a copy of the table.
func (m *matrix) withTable(change func(*route)) *httptest.Server {
	m.t.Helper()
	s, err := New(m.server.deps)
	must(m.t, err)
	s.mux = &router{}
	s.huma = humago.New(s.mux, document("1", publicURL))
	for _, rt := range s.table() {
		change(&rt)
		rt.register(s, rt)
	}
	served := httptest.NewServer(s.handleAPI(compressed(s.mux)))
	m.t.Cleanup(served.Close)
	return served
}
