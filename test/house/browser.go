//go:build linux

package house

import (
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// Browser is what a person signs in with: it keeps cookies, follows redirects
// and fills in forms.
type Browser struct {
	house *House
	http  *http.Client
	// Session is the cookie as it was set.
	Session *http.Cookie
}

// sessionCookie is the name of the session's cookie, with or without a prefix.
const sessionCookie = "happening_session"

// RoundTrip sends a request and keeps the session's cookie with its attributes,
// which a jar forgets.
func (b *Browser) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	for _, c := range res.Cookies() {
		if strings.HasSuffix(c.Name, sessionCookie) {
			b.Session = c
		}
	}
	return res, nil
}

var (
	hiddenPattern = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`)
	actionPattern = regexp.MustCompile(`<form method="post" action="([^"]+)"`)
)

// Browser opens one that nobody has signed in with.
func (h *House) Browser() *Browser {
	h.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	b := &Browser{house: h}
	b.http = &http.Client{Jar: jar, Timeout: RequestLimit, Transport: b}
	return b
}

// SignIn signs one of the demo's people in, on a server that was started with
// the demo.
func (h *House) SignIn(email string) *Browser {
	h.t.Helper()
	b := h.Browser()
	said := h.Must("demo")
	_, password, found := strings.Cut(said, "password: ")
	if !found {
		h.t.Fatalf("the demo tells no password: %q", said)
	}
	page := b.Get(h.t, "/auth/login?return_to=/bookings")
	answered := b.Submit(h.t, page, url.Values{"email": {email}, "password": {strings.TrimSpace(password)}})
	if b.Session == nil {
		h.t.Fatalf("signing in gave no session: %s", answered)
	}
	return b
}

// Submit fills in the form of a page and sends it.
func (b *Browser) Submit(t *testing.T, page string, form url.Values) string {
	t.Helper()
	for _, field := range hiddenPattern.FindAllStringSubmatch(page, -1) {
		form.Set(field[1], html.UnescapeString(field[2]))
	}
	action := actionPattern.FindStringSubmatch(page)
	if action == nil {
		t.Fatalf("there is no form: %s", page)
	}
	return b.Post(t, action[1], form)
}

// Get opens a page, redirects followed.
func (b *Browser) Get(t *testing.T, path string) string {
	t.Helper()
	res, err := b.http.Get(b.house.PublicURL() + path)
	return b.read(t, res, err)
}

// Post sends a form as a page of the site does.
func (b *Browser) Post(t *testing.T, path string, form url.Values) string {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, b.house.PublicURL()+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", b.house.PublicURL())
	res, err := b.http.Do(r)
	return b.read(t, res, err)
}

func (b *Browser) read(t *testing.T, res *http.Response, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Cookie is the header by which the browser shows its session.
func (b *Browser) Cookie() string { return "Cookie: " + b.Session.Name + "=" + b.Session.Value }
