package httpapi

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/testkit"
)

func TestErasingOneself(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	org, _ := w.db.Org(t)
	admin, ann, cem := w.member(org, "orgAdmin"), w.member(org, "organizer"), w.someone()
	event := w.db.Event(t, org, 2, testkit.EventOptions{}).String()
	first, waiting := w.book(ann, uuid.MustParse(event), 2), w.book(cem, uuid.MustParse(event), 2)

	w.call(caller{}, "DELETE", "/users/me", `{"email":"`+ann.email+`"}`).refused(401, "unauthenticated")
	w.call(ann, "DELETE", "/users/me", nil).want(400)
	for _, body := range []string{`{}`, `{"email":""}`, `{"email":"` + admin.email + `"}`, `{"email":"` + ann.email + `","user_id":"x"}`} {
		w.call(ann, "DELETE", "/users/me", body).refused(422, "invalid")
	}
	if b := read[Booking](w.call(ann, "GET", "/bookings/"+first.ID.String(), nil).want(200)); b.Status != "confirmed" {
		t.Errorf("a refused erasure has changed %+v", b)
	}

	w.call(ann, "DELETE", "/users/me", `{"email":"`+strings.ToUpper(ann.email)+`"}`).want(204)
	for _, path := range []string{"/users/me", "/bookings/" + first.ID.String(), "/events"} {
		w.call(ann, "GET", path, nil).refused(401, "unauthenticated")
	}
	if b := read[Booking](w.call(cem, "GET", "/bookings/"+waiting.ID.String(), nil).want(200)); b.Status != "confirmed" {
		t.Errorf("who waited: %+v", b)
	}
	// Whoever runs the event sees that somebody was there, and not who.
	list := w.call(admin, "GET", "/events/"+event+"/bookings", nil).want(200)
	for _, b := range read[List[Booking]](list).Items {
		if b.ID == first.ID && (b.Status != "cancelled" || b.Reason == nil || *b.Reason != "person_erased" || b.User == nil || b.User.Name != "" || b.User.Email != "") {
			t.Errorf("to the organizer: %+v, %+v", b, b.User)
		}
	}
	for _, path := range []string{
		"/events/" + event + "/bookings", "/events/" + event + "/audit", "/organizations/" + org.String() + "/members",
		"/organizations/" + org.String() + "/audit", "/bookings/" + first.ID.String() + "/history", "/bookings/user/" + ann.id.String(),
	} {
		if r := w.call(admin, "GET", path, nil).want(200); strings.Contains(r.body, ann.email) {
			t.Errorf("%s still names the person: %s", path, r.body)
		}
	}
	// The address is free for somebody who is another one.
	issued, err := w.provider.IssueTokens(context.Background(), []string{ann.email}, time.Hour)
	must(t, err)
	if issued[0].UserID == ann.id {
		t.Error("the erased person is back")
	}
	again := caller{id: issued[0].UserID, email: ann.email, token: issued[0].AccessToken}
	if me := read[Me](w.call(again, "GET", "/users/me", nil).want(200)); len(me.Organizations) != 0 || !me.EmailVerified {
		t.Errorf("%+v", me)
	}
	w.db.CheckClean(t)
}

func TestTheLastOrgAdminIsToldWhichOrganizationsAreInTheWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.someone()
	one := read[Organization](w.call(ann, "POST", "/organizations", `{"name":"Chess club"}`).want(201))
	r := w.call(ann, "DELETE", "/users/me", `{"email":"`+ann.email+`"}`)
	r.refused(409, "last_org_admin")
	var problem struct {
		Organizations []struct{ ID, Name string }
	}
	must(t, json.Unmarshal([]byte(r.body), &problem))
	if len(problem.Organizations) != 1 || problem.Organizations[0].ID != one.ID.String() || problem.Organizations[0].Name != "Chess club" {
		t.Errorf("%s", r.body)
	}
	w.call(ann, "DELETE", "/organizations/"+one.ID.String(), nil).want(204)
	w.call(ann, "DELETE", "/users/me", `{"email":"`+ann.email+`"}`).want(204)
}
