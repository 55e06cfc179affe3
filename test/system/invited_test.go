//go:build linux

package system

import (
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"happening/test/house"
)

// guest is a browser of somebody who has no account yet.
type guest struct {
	t    *testing.T
	site string
	http *http.Client
}

func newGuest(t *testing.T, h *house.House) *guest {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &guest{t: t, site: h.PublicURL(), http: &http.Client{Jar: jar, Timeout: house.RequestLimit}}
}

// do sends what a page of the site would, and gives the page that it ends at,
// redirects followed.
func (g *guest) do(method, address string, form url.Values) (at *url.URL, status int, page string) {
	g.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = g.site + address
	}
	r, err := http.NewRequest(method, address, strings.NewReader(form.Encode()))
	if err != nil {
		g.t.Fatal(err)
	}
	if method != http.MethodGet {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", g.site)
	}
	res, err := g.http.Do(r)
	if err != nil {
		g.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	return res.Request.URL, res.StatusCode, string(text)
}

var (
	hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)"`)
	anyLink     = regexp.MustCompile(`https?://[^\s]+`)
)

// submit fills in the page's form.
func (g *guest) submit(action, page string, fields ...string) (at *url.URL, status int, next string) {
	g.t.Helper()
	form := url.Values{}
	for _, hidden := range hiddenField.FindAllStringSubmatch(page, -1) {
		form.Set(hidden[1], html.UnescapeString(hidden[2]))
	}
	for n := 0; n < len(fields); n += 2 {
		form.Set(fields[n], fields[n+1])
	}
	return g.do(http.MethodPost, action, form)
}

// api calls the API as a page of the site does.
func (g *guest) api(method, path string, into any) {
	g.t.Helper()
	_, status, body := g.do(method, "/api"+path, nil)
	if status/100 != 2 {
		g.t.Fatalf("%s %s: %d %s", method, path, status, body)
	}
	if into != nil {
		if err := json.Unmarshal([]byte(body), into); err != nil {
			g.t.Fatalf("%s %s: %v: %s", method, path, err, body)
		}
	}
}

// linkTo waits for a mail and gives the link to a page in it.
func linkTo(t *testing.T, ops *house.Client, address, page string) (link string) {
	t.Helper()
	house.Await(t, "a mail with a link to "+page, house.SettleLimit, func() bool {
		var list struct {
			Items []struct{ Text string }
		}
		ops.Want(t, nil, http.StatusOK, http.MethodGet, "/mailbox?format=json&to="+url.QueryEscape(address), nil, &list)
		for _, m := range list.Items {
			for _, found := range anyLink.FindAllString(m.Text, -1) {
				if u, err := url.Parse(found); err == nil && u.Path == page {
					link = found
					return true
				}
			}
		}
		return false
	})
	return link
}

// Somebody without an account is invited, signs up through the mailed link, and
// is back at the invite when the address is confirmed, in the same browser. Who
// confirms in another one finds the invite after signing in.
func TestAnInvitedPersonSignsUpAndLandsInTheOrganization(t *testing.T) {
	t.Parallel()
	h := house.New(t)
	h.Serve()
	c, ops := house.NewClient(h.API), house.NewClient(h.Ops)
	t.Cleanup(c.Close)
	t.Cleanup(ops.Close)
	admin := h.People("admin", 1)[0]
	org := c.Organization(t, admin)
	const password = "a few unrelated words"
	emails := []string{"same@people.test", "other@people.test"}
	var batch struct {
		Results []struct{ Outcome string }
	}
	c.Want(t, admin, http.StatusOK, http.MethodPost, "/org-invites/batch", map[string]any{"org_id": org, "role": "organizer", "emails": emails}, &batch)
	if len(batch.Results) != 2 || batch.Results[0].Outcome != "invited" || batch.Results[1].Outcome != "invited" {
		t.Fatalf("%+v", batch)
	}

	// signUp follows the mailed link as the client's page of invites does.
	signUp := func(g *guest, email string) (invite *url.URL) {
		invite, err := url.Parse(linkTo(g.t, ops, email, "/invites"))
		if err != nil {
			g.t.Fatal(err)
		}
		back := url.Values{"return_to": {invite.RequestURI()}, "intent": {"signup"}}
		at, status, page := g.do(http.MethodGet, "/auth/login?"+back.Encode(), nil)
		if status != http.StatusOK || at.Path != "/idp/sign-up" {
			g.t.Fatalf("signing up begins at %s with %d", at, status)
		}
		if _, status, page := g.submit("/idp/sign-up", page, "name", "Newcomer", "email", email, "password", password); status != http.StatusOK || !strings.Contains(page, "Check your mail") {
			g.t.Fatalf("sign-up: %d %s", status, page)
		}
		return invite
	}
	accept := func(g *guest, id string) {
		g.api(http.MethodPost, "/org-invites/"+id+"/accept", nil)
		var me struct {
			Organizations []struct{ ID, Role string }
		}
		if g.api(http.MethodGet, "/users/me", &me); len(me.Organizations) != 1 || me.Organizations[0].ID != org || me.Organizations[0].Role != "organizer" {
			g.t.Errorf("afterwards: %+v", me)
		}
	}

	t.Run("in the same browser", func(t *testing.T) {
		g := newGuest(t, h)
		invite := signUp(g, emails[0])
		_, _, page := g.do(http.MethodGet, linkTo(t, ops, emails[0], "/idp/confirm"), nil)
		at, status, _ := g.submit("/idp/confirm", page)
		if status != http.StatusOK || at.RequestURI() != invite.RequestURI() {
			t.Fatalf("after confirming one is at %s with %d, want %s", at, status, invite)
		}
		var linked struct {
			ID       string
			ToCaller bool `json:"to_caller"`
		}
		if g.api(http.MethodGet, "/org-invites/by-token?"+invite.RawQuery, &linked); !linked.ToCaller {
			t.Fatalf("%+v", linked)
		}
		accept(g, linked.ID)
	})
	t.Run("in another browser", func(t *testing.T) {
		signUp(newGuest(t, h), emails[1])
		g := newGuest(t, h)
		_, _, page := g.do(http.MethodGet, linkTo(t, ops, emails[1], "/idp/confirm"), nil)
		if _, status, page := g.submit("/idp/confirm", page, "password", password); status != http.StatusOK {
			t.Fatalf("confirming elsewhere: %d %s", status, page)
		}
		_, _, page = g.do(http.MethodGet, "/auth/login?return_to=/invites", nil)
		if at, status, page := g.submit("/idp/sign-in", page, "email", emails[1], "password", password); status != http.StatusOK || at.Path != "/invites" {
			t.Fatalf("signing in: %s %d %s", at, status, page)
		}
		var mine struct {
			Items []struct {
				ID    string
				OrgID string `json:"org_id"`
			}
		}
		if g.api(http.MethodGet, "/org-invites", &mine); len(mine.Items) != 1 || mine.Items[0].OrgID != org {
			t.Fatalf("%+v", mine)
		}
		accept(g, mine.Items[0].ID)
	})
}

// Who is removed sees nothing more of a members-only event: at once by asking,
// and within seconds on a connection that is open. Another member goes on.
func TestAccessEndsWithMembership(t *testing.T) {
	t.Parallel()
	h := house.New(t)
	h.Serve()
	c := house.NewClient(h.API)
	t.Cleanup(c.Close)
	people := h.People("people", 3)
	admin, removed, stays := people[0], people[1], people[2]
	org := c.Organization(t, admin)
	eventID := c.Event(t, admin, org, 5, map[string]any{"visibility": "members"})
	event := "/events/" + eventID
	for _, p := range []*house.Person{removed, stays} {
		var invite struct{ ID string }
		c.Want(t, admin, http.StatusCreated, http.MethodPost, "/org-invites", map[string]any{"org_id": org, "email": p.Email, "role": "user"}, &invite)
		c.Want(t, p, http.StatusOK, http.MethodPost, "/org-invites/"+invite.ID+"/accept", nil, nil)
	}
	out, in := look(t, h, removed, eventID), look(t, h, stays, eventID)
	l := house.NewLedger()
	l.Place(c, l.Book(admin, eventID, 1))
	house.Await(t, "both see what is sold", house.SettleLimit, func() bool { return out.got.Load() > 0 && in.got.Load() > 0 })

	c.Want(t, admin, http.StatusNoContent, http.MethodDelete, "/organizations/"+org+"/members/"+removed.ID, nil, nil)
	since := time.Now()
	hidden := c.Get(t, removed, event)
	absent := c.Get(t, removed, "/events/0190a000-0000-7000-8000-000000000001")
	if hidden.Status != http.StatusNotFound || string(hidden.Body) != string(absent.Body) {
		t.Errorf("the event is answered %s, an absent one %s", hidden, absent)
	}
	select {
	case <-out.ended:
		t.Logf("the open connection was told %s after the removal", time.Since(since).Round(time.Millisecond))
	case <-time.After(house.SettleLimit):
		t.Fatal("who was removed goes on watching")
	}
	unseen, seen := out.got.Load(), in.got.Load()
	l.Place(c, l.Book(stays, eventID, 1))
	house.Await(t, "who stays sees the next sale", house.SettleLimit, func() bool { return in.got.Load() > seen })
	if got := out.got.Load(); got != unseen {
		t.Errorf("who was removed got %d frames more", got-unseen)
	}
	h.Judge(l)
}
