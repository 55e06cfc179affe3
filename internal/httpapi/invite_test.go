package httpapi

import (
	"strings"
	"testing"
	"time"
)

func TestInvitesByTheList(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	orgID, _ := w.db.Org(t)
	admin, member, known := w.member(orgID, "orgAdmin"), w.member(orgID, "user"), w.someone()
	emails := []string{"new@people.test", known.email, "NEW@people.test", "Ann <ann@people.test>", member.email, strings.Repeat("x", 300), "a\u0000@b.test", "last@people.test"}
	body := map[string]any{"org_id": orgID, "role": "organizer", "emails": emails}
	results := read[InviteResults](w.call(admin, "POST", "/org-invites/batch", body).want(200)).Results
	var outcomes []string
	for n, r := range results {
		outcomes = append(outcomes, r.Outcome)
		if r.Email != emails[n] {
			t.Errorf("line %d is about %q", n, r.Email)
		}
		if r.Invite != nil && (r.Outcome != "invited" || r.Invite.Email != r.Email || r.Invite.Role != "organizer" || r.Invite.Status != "pending" || r.Invite.Sends != 1) {
			t.Errorf("line %d: %+v", n, r.Invite)
		}
	}
	if got := strings.Join(outcomes, " "); got != "invited invited repeated invalid already_member invalid invalid invited" {
		t.Errorf("got %s", got)
	}
	if mine := read[List[Invite]](w.call(known, "GET", "/org-invites", nil).want(200)); len(mine.Items) != 1 || mine.Items[0].ID != results[1].Invite.ID {
		t.Errorf("to the invited: %+v", mine)
	}
	if again := read[InviteResults](w.call(admin, "POST", "/org-invites/batch", body).want(200)).Results; again[0].Outcome != "already_invited" || again[0].Invite != nil {
		t.Errorf("once more: %+v", again[0])
	}
}

func TestAnInviteSentAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	orgID, _ := w.db.Org(t)
	admin, invited := w.member(orgID, "orgAdmin"), w.someone()
	i := read[Invite](w.call(admin, "POST", "/org-invites", map[string]any{"org_id": orgID, "email": invited.email, "role": "user"}).want(201))
	path := "/org-invites/" + i.ID.String()
	p := w.call(admin, "POST", path+"/resend", nil).refused(429, "sent_recently")
	if p.RetryAfter < 1 || p.RetryAfter > 60 {
		t.Errorf("again after %d s", p.RetryAfter)
	}
	for sends := 2; sends <= 5; sends++ {
		w.skew.Add(int64(2 * time.Minute))
		again := read[Invite](w.call(admin, "POST", path+"/resend", nil).want(200))
		if again.ID != i.ID || again.Sends != sends || !again.SentAt.After(i.SentAt) || again.ExpiresAt.Sub(again.SentAt) != 7*24*time.Hour || !again.CreatedAt.Equal(i.CreatedAt) {
			t.Errorf("%+v", again)
		}
	}
	w.skew.Add(int64(2 * time.Minute))
	w.call(admin, "POST", path+"/resend", nil).refused(409, "too_many_sends")
	w.call(invited, "POST", path+"/accept", nil).want(200)
	if me := read[Me](w.call(invited, "GET", "/users/me", nil).want(200)); len(me.Organizations) != 1 {
		t.Errorf("%+v", me)
	}
}
