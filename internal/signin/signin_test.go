package signin

import (
	"encoding/base64"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

func TestUserAgentLabel(t *testing.T) {
	for agent, want := range map[string]string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0":                                                                  "Firefox on Linux",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0 Safari/537.36 Edg/129.0":                   "Edge on Windows",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Mobile/15E148 Safari/604.1": "Safari on iPhone",
		"Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0 Mobile Safari/537.36":                                "Chrome on Android",
		"": "Unknown device",
	} {
		if got := userAgentLabel(agent); got != want {
			t.Errorf("%q: %q, want %q", agent, got, want)
		}
	}
}

func TestCookiesAreBoundToTheHostWithTLS(t *testing.T) {
	for public, want := range map[string]string{
		"https://tickets.example":  "__Host-happening_session=v; Path=/; Max-Age=60; HttpOnly; Secure; SameSite=Lax",
		"http://localhost:3000/":   "happening_session=v; Path=/; Max-Age=60; HttpOnly; SameSite=Lax",
		"https://tickets.example/": "__Host-happening_session=v; Path=/; Max-Age=60; HttpOnly; Secure; SameSite=Lax",
	} {
		a, err := New(Config{Issuer: "https://issuer.example", ClientID: "c", PublicURL: public}, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		a.setCookie(w, sessionCookie, "v", time.Minute)
		if got := w.Header().Get("Set-Cookie"); got != want {
			t.Errorf("%s: %s", public, got)
		}
	}
	for _, bad := range []string{"", "localhost:3000", "ftp://x", "/path"} {
		if _, err := New(Config{Issuer: "i", ClientID: "c", PublicURL: bad}, nil, nil); err == nil {
			t.Errorf("public URL %q is taken", bad)
		}
	}
}

func TestSealedCookies(t *testing.T) {
	s, err := newSealer(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	text, err := s.seal("a", "value", now.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	var got string
	if err := s.open("a", text, now, &got); err != nil || got != "value" {
		t.Errorf("open: %q %v", got, err)
	}
	if s.open("b", text, now, &got) == nil {
		t.Error("opens for another purpose")
	}
	if s.open("a", text, now.Add(time.Minute), &got) == nil {
		t.Error("opens after its end")
	}
	other, _ := newSealer([]byte(strings.Repeat("x", 32)))
	if other.open("a", text, now, &got) == nil {
		t.Error("opens with another key")
	}
}

func FuzzSealedCookie(f *testing.F) {
	s, err := newSealer(make([]byte, 32))
	if err != nil {
		f.Fatal(err)
	}
	f.Add("")
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, text string) {
		var v attempt
		if s.open(attemptPurpose, text, time.Unix(0, 0), &v) == nil {
			t.Errorf("%q opens", text)
		}
	})
}

func FuzzLocalPath(f *testing.F) {
	for _, seed := range []string{"/", "//x", "/\\x", "/a?b=//c#d", "http://x", "/%2f/x", "/a/../..//x", "/\tx"} {
		f.Add(seed)
	}
	base, _ := url.Parse("https://here.example/auth/login")
	f.Fuzz(func(t *testing.T, text string) {
		to, err := base.Parse(localPath(text))
		if err != nil || to.Scheme != "https" || to.Host != "here.example" {
			t.Errorf("%q leads to %v, %v", text, to, err)
		}
	})
}

func TestLocalPathsLeadToScreens(t *testing.T) {
	for text, want := range map[string]string{
		"/events/1?seat=2#map":        "/events/1?seat=2#map",
		"/authors":                    "/authors",
		"/events/../bookings":         "/events/../bookings",
		"/auth":                       "/",
		"/auth/":                      "/",
		"/auth/logout/continue":       "/",
		"/x/../auth/login":            "/",
		"/./auth/login":               "/",
		"/../idp/sign-in":             "/",
		"/x/%2e%2e/auth/login":        "/",
		"/x/%2E./idp/sign-in?a=b":     "/",
		"/%61uth/login":               "/",
		"/idp":                        "/",
		"/events//../idp/password":    "/",
		"/events//..//../idp/sign-in": "/",
	} {
		if got := localPath(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// A cursor is one spelling of one session's id, or none.
func FuzzSessionsCursor(f *testing.F) {
	for _, seed := range []string{"", "x", "AAAAAAAAAAAAAAAAAAAAAA", "AZhzwN4AcACAAAAAAAAACg", "AZhzwN4AcACAAAAAAAAACh", "AZhzwN4A\ncACAAAAAAAAACg"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, cursor string) {
		id, err := parseCursor(cursor)
		if err == nil && id != uuid.Nil && base64.RawURLEncoding.EncodeToString(id[:]) != cursor {
			t.Errorf("%q is another spelling of %s", cursor, id)
		}
		if err != nil && id != uuid.Nil {
			t.Errorf("%q: %s, %v", cursor, id, err)
		}
	})
}
