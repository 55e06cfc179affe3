package mailbox_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"happening/internal/mailbox"
	"happening/internal/notify"
	"happening/internal/postgres"
	"happening/internal/testkit"
)

var start = time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC)

// setup gives a mailbox whose clock moves on a second with every mail.
func setup(t *testing.T) (*mailbox.Mailbox, *httptest.Server) {
	t.Helper()
	at := start
	box := mailbox.New(postgres.NewNotifyStore(testkit.NewDB(t).DB), func() time.Time {
		at = at.Add(time.Second)
		return at
	})
	server := httptest.NewServer(box.Handler())
	t.Cleanup(server.Close)
	return box, server
}

func send(t *testing.T, box *mailbox.Mailbox, mails ...notify.Mail) {
	t.Helper()
	for _, m := range mails {
		if _, err := box.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
}

func get(t *testing.T, url string) (*http.Response, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

type listed struct {
	Items []struct {
		ID, To, Subject, Text, HTML string
		CreatedAt                   time.Time `json:"created_at"`
	}
	NextCursor *string `json:"next_cursor"`
}

func list(t *testing.T, url string) listed {
	t.Helper()
	resp, body := get(t, url)
	if resp.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("%s: %s", resp.Status, body)
	}
	var l listed
	if err := json.Unmarshal([]byte(body), &l); err != nil {
		t.Fatal(err)
	}
	return l
}

func TestScriptsReadTheMailbox(t *testing.T) {
	t.Parallel()
	box, server := setup(t)
	send(t, box,
		notify.Mail{ID: "1", To: "ada@example.org", Subject: "First", Text: "t1", HTML: "<p>h1</p>"},
		notify.Mail{ID: "2", To: "bob@example.org", Subject: "Second", Text: "t2", HTML: "<p>h2</p>"},
		notify.Mail{ID: "3", To: "Ada@Example.org", Subject: "Third", Text: "t3", HTML: "<p>h3</p>"},
	)
	all := list(t, server.URL+"/mailbox?format=json")
	if len(all.Items) != 3 || all.Items[0].Subject != "Third" || all.Items[2].Text != "t1" || all.NextCursor != nil {
		t.Errorf("%+v", all)
	}
	hers := list(t, server.URL+"/mailbox?to=ada@EXAMPLE.org&format=json")
	if len(hers.Items) != 2 || hers.Items[0].ID != "3" || hers.Items[1].HTML != "<p>h1</p>" {
		t.Errorf("%+v", hers)
	}
	if one := list(t, server.URL+"/mailbox?limit=1&format=json"); len(one.Items) != 1 {
		t.Errorf("%+v", one)
	}
	// The same mail again is one mail, with the content that counts now.
	send(t, box, notify.Mail{ID: "2", To: "bob@example.org", Subject: "Second", Text: "a newer link", HTML: "<p>h2</p>"})
	if his := list(t, server.URL+"/mailbox?to=bob@example.org&format=json"); len(his.Items) != 1 || his.Items[0].Text != "a newer link" {
		t.Errorf("%+v", his)
	}
}

func TestPeopleReadTheMailbox(t *testing.T) {
	t.Parallel()
	box, server := setup(t)
	if _, body := get(t, server.URL+"/mailbox"); !strings.Contains(body, "No mail yet") {
		t.Error("an empty mailbox says nothing")
	}
	const evil = `<script>alert(1)</script>`
	send(t, box, notify.Mail{
		ID: "0198c0de-0000-7000-8000-000000000001", To: "ada@example.org", Subject: "Booked: " + evil,
		Text: evil + "\nhttps://tickets.example.org/bookings/1?a=1&b=\"x\nbye", HTML: "<p>hello</p>" + evil,
	})
	page := server.URL + "/mailbox/0198c0de-0000-7000-8000-000000000001"
	for _, url := range []string{server.URL + "/mailbox", server.URL + "/mailbox?to=" + "%3Cscript%3Ealert(1)%3C/script%3E", page} {
		resp, body := get(t, url)
		if resp.StatusCode != http.StatusOK || strings.Contains(body, evil) {
			t.Errorf("%s: %s, or a script gets in", url, resp.Status)
		}
		if csp := resp.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: policy %q", url, csp)
		}
	}
	_, body := get(t, page)
	for _, want := range []string{
		`href="https://tickets.example.org/bookings/1?a=1&amp;b="`, `sandbox="allow-popups allow-popups-to-escape-sandbox"`,
		`src="/mailbox/0198c0de-0000-7000-8000-000000000001/html"`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page has no %s", want)
		}
	}
	resp, framed := get(t, page+"/html")
	if csp := resp.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "sandbox ") || strings.Contains(csp, "allow-scripts") || strings.Contains(csp, "allow-same-origin") {
		t.Errorf("the framed mail's policy: %q", csp)
	}
	if !strings.Contains(framed, "<p>hello</p>") || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Error("the framed mail is not as it was sent")
	}
}

func TestBadRequestsToTheMailbox(t *testing.T) {
	t.Parallel()
	_, server := setup(t)
	for path, want := range map[string]int{
		"/mailbox/absent":            http.StatusNotFound,
		"/mailbox/absent/html":       http.StatusNotFound,
		"/mailbox?limit=0":           http.StatusUnprocessableEntity,
		"/mailbox?limit=ten":         http.StatusUnprocessableEntity,
		"/mailbox/style.css":         http.StatusOK,
		"/mailbox/%00":               http.StatusNotFound,
		"/mailbox/%ff/html":          http.StatusNotFound,
		"/mailbox/x/y":               http.StatusNotFound,
		"/mailbox?to=%00&format=xml": http.StatusOK,
	} {
		if resp, body := get(t, server.URL+path); resp.StatusCode != want {
			t.Errorf("%s: %s %s", path, resp.Status, body)
		}
	}
	resp, err := http.Post(server.URL+"/mailbox", "text/plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %s", resp.Status)
	}
}

func TestTheMailboxKeepsTheNewest(t *testing.T) {
	t.Parallel()
	box, server := setup(t)
	const more = 400
	for i := range mailbox.Kept + more {
		send(t, box, notify.Mail{ID: fmt.Sprintf("%05d", i), To: "ada@example.org", Subject: "s", Text: "t", HTML: "h"})
	}
	if resp, _ := get(t, server.URL+fmt.Sprintf("/mailbox/%05d", more)); resp.StatusCode != http.StatusOK {
		t.Errorf("one of the newest %d is gone", mailbox.Kept)
	}
	if resp, _ := get(t, server.URL+fmt.Sprintf("/mailbox/%05d", more-1)); resp.StatusCode != http.StatusNotFound {
		t.Errorf("more than the newest %d are kept", mailbox.Kept)
	}
}
