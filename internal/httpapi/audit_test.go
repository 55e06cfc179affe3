package httpapi

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/testkit"
)

// fillRecord adds n lines to an organization's record.
func (w *world) fillRecord(orgID uuid.UUID, n int) {
	w.t.Helper()
	ids := make([]uuid.UUID, n)
	for i := range ids {
		ids[i] = uuid.Must(uuid.NewV7())
	}
	_, err := w.db.System.Exec(w.t.Context(), `
		INSERT INTO audit_log (id, org_id, action, subject_id, after, created_at)
		SELECT id, $2, 'event.created', id, '{"total_slots": 5}', now() FROM unnest($1::uuid[]) id`, ids, orgID)
	must(w.t, err)
}

// What happened in an organization can be read page by page, narrowed, and by
// event.
func TestAudit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin := w.someone()
	orgID := read[Organization](w.call(admin, "POST", "/organizations", `{"name":"Mill"}`).want(201)).ID
	organizer := w.member(orgID, "organizer")
	eventID := w.db.Event(t, orgID, 10, testkit.EventOptions{Visibility: "members"})
	path := "/events/" + eventID.String()
	w.call(organizer, "PUT", path, `{"name":"Harvest","total_slots":12}`).want(200)
	w.call(admin, "POST", path+"/cancel", nil).want(200)
	invite := read[Invite](w.call(admin, "POST", "/org-invites", map[string]any{"org_id": orgID, "email": "new@people.test", "role": "user"}).want(201))

	base := "/organizations/" + orgID.String() + "/audit"
	list := func(query string) (items []AuditEntry) {
		t.Helper()
		for cursor := ""; ; {
			page := read[List[AuditEntry]](w.call(admin, "GET", base+"?limit=2"+query+cursor, nil).want(200))
			items = append(items, page.Items...)
			if page.NextCursor == nil {
				return items
			}
			cursor = "&cursor=" + *page.NextCursor
		}
	}
	all := list("")
	var told []string
	for _, e := range all {
		told = append(told, fmt.Sprintf("%s %s %s", e.Action, e.Subject.Kind, e.Subject.Label))
	}
	want := []string{"invite.created invite new@people.test", "event.cancelled event Harvest", "event.updated event Harvest", "org.created organization Mill"}
	if !slices.Equal(told, want) {
		t.Fatalf("the record is %q, want %q", told, want)
	}
	updated := all[2]
	if updated.Actor == nil || updated.Actor.ID != organizer.id || updated.SubjectID != eventID ||
		updated.Before["total_slots"] != 10.0 || updated.After["total_slots"] != 12.0 ||
		fmt.Sprint(updated.After["changed"]) != "[name]" || all[3].Before != nil {
		t.Errorf("%+v", updated)
	}
	for query, want := range map[string]int{
		"&action=event.updated":                              1,
		"&actor_id=" + admin.id.String():                     3,
		"&subject_id=" + eventID.String():                    2,
		"&subject_id=" + invite.ID.String():                  1,
		"&from=2999-01-01T00:00:00Z":                         0,
		"&to=2999-01-01T00:00:00Z":                           4,
		"&action=event.updated&actor_id=" + uuid.NewString(): 0,
	} {
		if got := list(query); len(got) != want {
			t.Errorf("%s: %d lines, want %d", query, len(got), want)
		}
	}
	for query, field := range map[string]string{
		"?action=org.sold": "action", "?actor_id=1": "actor_id", "?subject_id=x": "subject_id", "?from=today": "from", "?to=now": "to",
		"?limit=101": "limit", "?cursor=abc": "cursor", "/export?format=xlsx": "format", "/export?action=x": "action",
	} {
		if p := w.call(admin, "GET", base+query, nil).refused(422, "invalid"); p.fields() != field {
			t.Errorf("%s: bad fields %q", query, p.fields())
		}
	}

	ofEvent := read[List[AuditEntry]](w.call(organizer, "GET", path+"/audit", nil).want(200))
	if len(ofEvent.Items) != 2 || ofEvent.Items[0].ID != all[1].ID {
		t.Errorf("of the event: %+v", ofEvent)
	}
	first := read[List[AuditEntry]](w.call(organizer, "GET", path+"/audit?limit=1", nil).want(200))
	if first.NextCursor == nil || len(first.Items) != 1 {
		t.Errorf("the event's first page: %+v", first)
	}
}

// An export has every line once and opens in a spreadsheet without running
// anything.
func TestAuditExport(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin := w.someone()
	orgID := read[Organization](w.call(admin, "POST", "/organizations", `{"name":"Mill"}`).want(201)).ID
	_, err := w.db.System.Exec(t.Context(), `UPDATE users SET name = '=HYPERLINK("http://example.org";"Ann")' WHERE id = $1`, admin.id)
	must(t, err)
	const more = 1_234 // not a multiple of any page
	w.fillRecord(orgID, more)
	base := "/organizations/" + orgID.String() + "/audit/export"

	file := w.call(admin, "GET", base, nil).want(200)
	disposition := file.header.Get("Content-Disposition")
	if !strings.HasPrefix(disposition, "attachment; filename=audit-"+orgID.String()) || !strings.HasSuffix(disposition, ".csv") ||
		!strings.HasPrefix(file.header.Get("Content-Type"), "text/csv; charset=utf-8") || file.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%q, %v", disposition, file.header)
	}
	text, marked := strings.CutPrefix(file.body, "\ufeff")
	if !marked || strings.Count(text, "\r\n") != more+2 || strings.Contains(strings.ReplaceAll(text, "\r\n", ""), "\n") {
		t.Errorf("not RFC 4180 with a mark: %q…", text[:min(len(text), 200)])
	}
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	must(t, err)
	seen := map[string]bool{}
	for _, row := range rows[1:] {
		seen[row[0]] = true
	}
	if len(rows) != more+2 || len(seen) != more+1 {
		t.Errorf("%d rows, %d lines", len(rows), len(seen))
	}
	last := rows[len(rows)-1]
	if last[2] != "org.created" || last[3] != admin.id.String() || last[4] != `'=HYPERLINK("http://example.org";"Ann")` || last[7] != "Mill" ||
		last[8] != "" || !strings.HasPrefix(last[9], "{") || rows[1][3] != "" {
		t.Errorf("the oldest line is %q", last)
	}

	file = w.call(admin, "GET", base+"?format=json", nil).want(200)
	whole := read[AuditExport](file)
	if whole.OrgID != orgID || len(whole.Items) != more+1 || whole.Items[0].ID.String() != rows[1][0] || whole.ExportedAt.IsZero() ||
		!strings.HasSuffix(file.header.Get("Content-Disposition"), ".json") {
		t.Errorf("%d items, %v", len(whole.Items), file.header)
	}
	if whole := read[AuditExport](w.call(admin, "GET", base+"?format=json&action=org.created", nil).want(200)); len(whole.Items) != 1 {
		t.Errorf("narrowed: %d items", len(whole.Items))
	}
	if whole := read[AuditExport](w.call(admin, "GET", base+"?format=json&action=org.deleted", nil).want(200)); whole.Items == nil || len(whole.Items) != 0 {
		t.Errorf("of nothing: %+v", whole)
	}
	if head := w.call(admin, http.MethodHead, base, nil).want(200); head.body != "" || head.header.Get("Content-Disposition") == "" {
		t.Errorf("to HEAD: %q %v", head.body, head.header)
	}
}

// Who loses the role in the middle of an export gets a file that is cut off,
// not one that looks complete; while one export runs no second one begins.
func TestAnExportIsCutOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin := w.someone()
	orgID := read[Organization](w.call(admin, "POST", "/organizations", `{"name":"Mill"}`).want(201)).ID
	w.fillRecord(orgID, 60_000) // more than what lies between a server and a reader who does not read
	url := w.api.URL + "/organizations/" + orgID.String() + "/audit/export?format=json"
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	must(t, err)
	request.Header.Set("Authorization", "Bearer "+admin.token)
	request.Header.Set("Accept-Encoding", "identity")
	answer, err := http.DefaultTransport.RoundTrip(request)
	must(t, err)
	defer answer.Body.Close()

	// The server stands still, since nobody reads.
	p := w.call(admin, "GET", "/organizations/"+orgID.String()+"/audit/export", nil).refused(429, "export_running")
	if p.RetryAfter < 1 {
		t.Errorf("%+v", p)
	}
	_, err = w.db.System.Exec(t.Context(), `UPDATE organization_users SET role = 'organizer' WHERE org_id = $1 AND user_id = $2`, orgID, admin.id)
	must(t, err)
	body, err := io.ReadAll(answer.Body)
	if err == nil || json.Valid(body) {
		t.Errorf("%d bytes were read, %v", len(body), err)
	}
	w.call(admin, "GET", "/organizations/"+orgID.String()+"/audit/export", nil).refused(403, "forbidden")
	_, err = w.db.System.Exec(t.Context(), `UPDATE organization_users SET role = 'orgAdmin' WHERE org_id = $1 AND user_id = $2`, orgID, admin.id)
	must(t, err)
	// The place among the exports is given back just after the connection is
	// cut.
	for deadline := time.Now().Add(time.Minute); ; {
		r := w.call(admin, http.MethodHead, "/organizations/"+orgID.String()+"/audit/export", nil)
		if r.status == 200 {
			break
		}
		if r.status != 429 || time.Now().After(deadline) {
			t.Fatalf("after the export that was cut off: %d", r.status)
		}
	}
}
