package httpapi

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"

	"happening/internal/testkit"
)

func TestMembers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	orgID, _ := w.db.Org(t)
	admin, organizer, ann := w.member(orgID, "orgAdmin"), w.member(orgID, "organizer"), w.member(orgID, "user")
	at := "/organizations/" + orgID.String() + "/members"
	byID := func(who caller, path string) map[uuid.UUID]Member {
		found := map[uuid.UUID]Member{}
		for _, m := range read[List[Member]](w.call(who, "GET", path, nil).want(200)).Items {
			found[m.UserID] = m
		}
		return found
	}
	for _, path := range []string{at, "/users?org_id=" + orgID.String()} {
		seen, asUser := byID(organizer, path), byID(ann, path)
		if m := seen[ann.id]; m.Email == nil || *m.Email != ann.email || m.Name == "" || m.Role != "user" {
			t.Errorf("%s: an organizer sees %+v", path, m)
		}
		if m, ok := asUser[admin.id]; !ok || m.Email != nil || m.Name == "" || m.Role != "orgAdmin" || len(asUser) != len(seen) {
			t.Errorf("%s: a user sees %+v", path, m)
		}
		more := path + map[bool]string{true: "&", false: "?"}[strings.Contains(path, "?")]
		if found := byID(admin, more+"role=organizer"); len(found) != 1 || found[organizer.id].Role != "organizer" {
			t.Errorf("%s: organizers: %+v", path, found)
		}
		if found := byID(admin, more+"q="+url.QueryEscape(ann.email)); len(found) != 1 || found[ann.id].Role != "user" {
			t.Errorf("%s: by address: %+v", path, found)
		}
		if found := byID(ann, more+"q="+url.QueryEscape(ann.email)); len(found) != 0 {
			t.Errorf("%s: by address for a user: %+v", path, found)
		}
	}
	if m := read[Member](w.call(admin, "PUT", at+"/"+ann.id.String(), `{"role":"organizer"}`).want(200)); m.Role != "organizer" || m.UserID != ann.id || m.Email == nil {
		t.Errorf("%+v", m)
	}
	before := w.fingerprint()
	w.call(admin, "PUT", at+"/"+ann.id.String(), `{"role":"organizer"}`).want(200)
	if w.fingerprint() != before {
		t.Error("the same role again changed something")
	}
	if m := read[Me](w.call(ann, "GET", "/users/me", nil).want(200)); len(m.Organizations) != 1 || m.Organizations[0].Role != "organizer" {
		t.Errorf("%+v", m)
	}
	w.call(admin, "DELETE", at+"/"+organizer.id.String(), nil).want(204)
	w.call(organizer, "GET", at, nil).refused(403, "forbidden")
	w.call(ann, "DELETE", at+"/"+ann.id.String(), nil).want(204)
	w.call(ann, "DELETE", at+"/"+ann.id.String(), nil).refused(404, "not_found")
}

// A role counts from the answer to its change on, at every route that asks for
// one, whatever was read before.
func TestARoleCountsFromTheNextRequestOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	orgID, _ := w.db.Org(t)
	admin, ann := w.member(orgID, "orgAdmin"), w.member(orgID, "user")
	hidden := w.db.Event(t, orgID, 10, testkit.EventOptions{Visibility: "members"})
	at := "/organizations/" + orgID.String() + "/members/" + ann.id.String()
	event := "/events/" + hidden.String()
	for range 3 {
		w.call(admin, "PUT", at, `{"role":"organizer"}`).want(200)
		w.call(ann, "PUT", event, `{"name":"By Ann"}`).want(200)
		w.call(ann, "GET", event+"/bookings", nil).want(200)
		w.call(ann, "GET", event+"/audit", nil).want(200)
		w.call(admin, "PUT", at, `{"role":"user"}`).want(200)
		w.call(ann, "PUT", event, `{"name":"By Ann again"}`).refused(403, "forbidden")
		w.call(ann, "GET", event+"/bookings", nil).refused(403, "forbidden")
		w.call(ann, "GET", event+"/audit", nil).refused(403, "forbidden")
		w.call(ann, "PUT", event+"/holds", `{"seat_numbers":[3]}`).want(200)
	}
	w.call(admin, "DELETE", at, nil).want(204)
	for _, c := range []struct {
		method, path string
		body         any
	}{
		{"GET", event, nil}, {"GET", event + "/seats", nil}, {"GET", event + "/holds", nil}, {"GET", event + "/bookings", nil}, {"GET", event + "/audit", nil},
		{"PUT", event, `{"name":"x"}`}, {"PUT", event + "/holds", `{"seat_numbers":[4]}`}, {"POST", event + "/cancel", nil},
		{"POST", "/bookings", map[string]any{"event_id": hidden, "seats": 1}},
	} {
		was := w.call(ann, c.method, c.path, c.body)
		was.refused(404, "not_found")
		body, isBooking := c.body.(map[string]any)
		if isBooking {
			body["event_id"] = uuid.New()
		}
		absent := w.call(ann, c.method, strings.ReplaceAll(c.path, hidden.String(), uuid.NewString()), c.body)
		if was.body != absent.body {
			t.Errorf("%s %s: of a hidden event %s, of none %s", c.method, c.path, was.body, absent.body)
		}
	}
	w.db.CheckClean(t)
}

// Each bad request about members and invites has a clear answer and changes
// nothing.
func TestBadInputOfMembersAndInvites(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	orgID, _ := w.db.Org(t)
	// The factory's own admin goes, so that one is left.
	admin := w.member(orgID, "orgAdmin")
	_, err := w.db.System.Exec(t.Context(), `DELETE FROM organization_users WHERE org_id = $1 AND user_id <> $2`, orgID, admin.id)
	must(t, err)
	organizer, user, stranger, invited := w.member(orgID, "organizer"), w.member(orgID, "user"), w.someone(), w.someone()
	visitor := caller{}
	otherOrg, _ := w.db.Org(t)
	otherAdmin := w.member(otherOrg, "orgAdmin")
	invite := func(email string) string {
		return read[Invite](w.call(admin, "POST", "/org-invites", map[string]any{"org_id": orgID, "email": email, "role": "user"}).want(201)).ID.String()
	}
	pending, revoked, accepted := invite("pending@people.test"), invite("revoked@people.test"), invite(invited.email)
	w.call(admin, "DELETE", "/org-invites/"+revoked, nil).want(204)
	w.call(invited, "POST", "/org-invites/"+accepted+"/accept", nil).want(200)

	const get, post, put, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete
	members := "/organizations/" + orgID.String() + "/members"
	of := func(c caller) string { return members + "/" + c.id.String() }
	users := "/users?org_id=" + orgID.String()
	batch := func(rest string) string { return `{"org_id":"` + orgID.String() + `",` + rest + `}` }
	tooMany := `"role":"user","emails":["a@b.test"` + strings.Repeat(`,"a@b.test"`, 200) + `]`
	at := func(id, what string) string { return "/org-invites/" + id + what }
	for _, c := range []struct {
		name         string
		who          caller
		method, path string
		body         any
		status       int
		code, fields string
	}{
		{"members for a stranger", stranger, get, members, nil, 403, "forbidden", ""},
		{"members for a visitor", visitor, get, members, nil, 401, "unauthenticated", ""},
		{"members of no organization", admin, get, "/organizations/" + uuid.NewString() + "/members", nil, 404, "not_found", ""},
		{"members of what is no id", admin, get, "/organizations/1/members", nil, 404, "not_found", ""},
		{"members with no role", admin, get, members + "?role=king", nil, 422, "invalid", "role"},
		{"members by a long text", admin, get, members + "?q=" + strings.Repeat("x", 101), nil, 422, "invalid", "q"},
		{"members by what is no text", admin, get, members + "?q=%00", nil, 422, "invalid", "q"},
		{"members by broken text", admin, get, members + "?q=%ff", nil, 422, "invalid", "q"},
		{"members after nothing", admin, get, members + "?cursor=x", nil, 422, "invalid", "cursor"},
		{"a page of no members", admin, get, members + "?limit=0", nil, 422, "invalid", "limit"},
		{"people of no organization", admin, get, "/users?org_id=" + uuid.NewString(), nil, 404, "not_found", ""},
		{"people of what is no id", admin, get, "/users?org_id=1", nil, 422, "invalid", "org_id"},
		{"people of nothing named", admin, get, "/users", nil, 422, "invalid", "org_id"},
		{"people for a stranger", stranger, get, users, nil, 403, "forbidden", ""},
		{"people for a visitor", visitor, get, users, nil, 401, "unauthenticated", ""},
		{"people for an admin elsewhere", otherAdmin, get, users + "&q=a", nil, 403, "forbidden", ""},

		{"a role by a user", user, put, of(organizer), `{"role":"user"}`, 403, "forbidden", ""},
		{"a role by an organizer", organizer, put, of(user), `{"role":"orgAdmin"}`, 403, "forbidden", ""},
		{"one's own role", organizer, put, of(organizer), `{"role":"orgAdmin"}`, 403, "forbidden", ""},
		{"a role by a visitor", visitor, put, of(user), `{"role":"user"}`, 401, "unauthenticated", ""},
		{"a role by a stranger", stranger, put, of(user), `{"role":"user"}`, 403, "forbidden", ""},
		{"a role by an admin elsewhere", otherAdmin, put, of(user), `{"role":"organizer"}`, 403, "forbidden", ""},
		{"a role of a stranger", admin, put, of(stranger), `{"role":"user"}`, 404, "not_found", ""},
		{"a role of nobody", admin, put, members + "/" + uuid.NewString(), `{"role":"user"}`, 404, "not_found", ""},
		{"a role of what is no id", admin, put, members + "/1", `{"role":"user"}`, 404, "not_found", ""},
		{"a role in no organization", admin, put, "/organizations/" + uuid.NewString() + "/members/" + user.id.String(), `{"role":"user"}`, 404, "not_found", ""},
		{"a role that is none", admin, put, of(user), `{"role":"king"}`, 422, "invalid", "role"},
		{"no role", admin, put, of(user), `{}`, 422, "invalid", "role"},
		{"a role that is null", admin, put, of(user), `{"role":null}`, 422, "invalid", "role"},
		{"more than a role", admin, put, of(user), `{"role":"user","email":"a@b.test","user_id":"x"}`, 422, "invalid", "email user_id"},
		{"a role without a body", admin, put, of(user), nil, 400, "malformed", ""},
		{"the last admin steps down", admin, put, of(admin), `{"role":"user"}`, 409, "last_org_admin", ""},

		{"the last admin leaves", admin, del, of(admin), nil, 409, "last_org_admin", ""},
		{"a member is removed by a user", user, del, of(organizer), nil, 403, "forbidden", ""},
		{"a member is removed by an organizer", organizer, del, of(user), nil, 403, "forbidden", ""},
		{"a member is removed by an admin elsewhere", otherAdmin, del, of(user), nil, 403, "forbidden", ""},
		{"a member is removed by a visitor", visitor, del, of(user), nil, 401, "unauthenticated", ""},
		{"a stranger is removed", admin, del, of(stranger), nil, 404, "not_found", ""},
		{"a stranger leaves", stranger, del, of(stranger), nil, 404, "not_found", ""},

		{"an invite for a member", admin, post, "/org-invites", batch(`"role":"user","email":"` + user.email + `"`), 409, "already_member", ""},
		{"an invite twice", admin, post, "/org-invites", batch(`"role":"user","email":"PENDING@people.test"`), 409, "already_invited", ""},
		{"an invite to no address", admin, post, "/org-invites", batch(`"role":"user","email":"Ann <ann@people.test>"`), 422, "invalid", "email"},
		{"an invite to two addresses", admin, post, "/org-invites", batch(`"role":"user","email":"a@b.test,c@d.test"`), 422, "invalid", "email"},
		{"an invite to the organization of another", otherAdmin, post, "/org-invites", batch(`"role":"user","email":"a@b.test"`), 403, "forbidden", ""},

		{"a batch by an organizer", organizer, post, "/org-invites/batch", batch(`"role":"user","emails":["a@b.test"]`), 403, "forbidden", ""},
		{"a batch by a visitor", visitor, post, "/org-invites/batch", batch(`"role":"user","emails":["a@b.test"]`), 401, "unauthenticated", ""},
		{"a batch by a stranger", stranger, post, "/org-invites/batch", batch(`"role":"user","emails":["a@b.test"]`), 403, "forbidden", ""},
		{"a batch for no organization", admin, post, "/org-invites/batch", `{"org_id":"` + uuid.NewString() + `","role":"user","emails":["a@b.test"]}`, 404, "not_found", ""},
		{"a batch of nobody", admin, post, "/org-invites/batch", batch(`"role":"user","emails":[]`), 422, "invalid", "emails"},
		{"a batch of null", admin, post, "/org-invites/batch", batch(`"role":"user","emails":null`), 422, "invalid", "emails"},
		{"a batch of one text", admin, post, "/org-invites/batch", batch(`"role":"user","emails":"a@b.test"`), 422, "invalid", "emails"},
		{"a batch with a number", admin, post, "/org-invites/batch", batch(`"role":"user","emails":["a@b.test",7]`), 422, "invalid", "emails[1]"},
		{"a batch of too many", admin, post, "/org-invites/batch", batch(tooMany), 422, "invalid", "emails"},
		{"a batch with a role that is none", admin, post, "/org-invites/batch", batch(`"role":"king","emails":["a@b.test"]`), 422, "invalid", "role"},
		{"a batch with more", admin, post, "/org-invites/batch", batch(`"role":"user","emails":["a@b.test"],"email":"c@d.test"`), 422, "invalid", "email"},
		{"a batch of 100 kB", admin, post, "/org-invites/batch", batch(`"role":"user","emails":["` + strings.Repeat("x", 100<<10) + `"]`), 413, "too_large", ""},

		{"sent again at once", admin, post, at(pending, "/resend"), nil, 429, "sent_recently", ""},
		{"sent again by an organizer", organizer, post, at(pending, "/resend"), nil, 404, "not_found", ""},
		{"sent again by a visitor", visitor, post, at(pending, "/resend"), nil, 404, "not_found", ""},
		{"sent again by an admin elsewhere", otherAdmin, post, at(pending, "/resend"), nil, 404, "not_found", ""},
		{"sent again, none", admin, post, at(uuid.NewString(), "/resend"), nil, 404, "not_found", ""},
		{"sent again, no id", admin, post, at("1", "/resend"), nil, 404, "not_found", ""},
		{"sent again, withdrawn", admin, post, at(revoked, "/resend"), nil, 409, "invite_not_pending", ""},
		{"sent again, accepted", admin, post, at(accepted, "/resend"), nil, 409, "invite_not_pending", ""},
		{"withdrawn twice", admin, del, at(revoked, ""), nil, 409, "invite_not_pending", ""},
		{"withdrawn by the invited", invited, del, at(accepted, ""), nil, 403, "forbidden", ""},
		{"withdrawn by a user", user, del, at(pending, ""), nil, 404, "not_found", ""},
		{"accepted twice", invited, post, at(accepted, "/accept"), nil, 409, "invite_not_pending", ""},
		{"accepted by another", user, post, at(pending, "/accept"), nil, 404, "not_found", ""},
		{"rejected by another", user, post, at(pending, "/reject"), nil, 404, "not_found", ""},
		{"accepted by a visitor", visitor, post, at(pending, "/accept"), nil, 404, "not_found", ""},
		{"invites for an organizer", organizer, get, "/org-invites?org_id=" + orgID.String(), nil, 403, "forbidden", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := w.fingerprint()
			r := w.call(c.who, c.method, c.path, c.body)
			p := r.refused(c.status, c.code)
			if p.fields() != c.fields {
				t.Errorf("bad fields %q, want %q: %+v", p.fields(), c.fields, p)
			}
			if (r.header.Get("Retry-After") != "") != (c.status == http.StatusTooManyRequests) {
				t.Errorf("Retry-After: %q", r.header.Get("Retry-After"))
			}
			if after := w.fingerprint(); after != before {
				t.Errorf("something changed:\n%s\nnow\n%s", before, after)
			}
		})
	}
}
