package org_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/access"
	"happening/internal/fault"
	"happening/internal/org"
	"happening/internal/user"
)

var (
	now = time.Date(2031, 5, 1, 12, 0, 0, 0, time.UTC)
	id  = uuid.MustParse("0190a000-0000-7000-8000-000000000001")
	me  = uuid.MustParse("0190a000-0000-7000-8000-000000000002")
)

func fieldsOf(t *testing.T, err error) []string {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != fault.Invalid {
		t.Fatalf("got %v, want bad fields", err)
	}
	var names []string
	for _, field := range f.Fields {
		names = append(names, field.Name)
	}
	return names
}

func TestNames(t *testing.T) {
	for in, want := range map[string]string{
		"Mill": "Mill", "  Mill \n": "Mill", strings.Repeat("ü", 200): strings.Repeat("ü", 200),
		"": "", " ": "", strings.Repeat("u", 201): "", "a\nb": "", "a\x00": "", "a\xff": "",
		"https://evil.example.com": "", "Free at www.evil.example": "", "Node.js": "Node.js",
	} {
		o, err := org.New(in, id, me, now)
		if want == "" {
			if got := fieldsOf(t, err); !slices.Equal(got, []string{"name"}) {
				t.Errorf("%q: got %v", in, got)
			}
		} else if err != nil || o.Name != want || o.CreatedBy != me {
			t.Errorf("%q: got %+v, %v", in, o, err)
		}
	}
}

// Names that look like others, or like nothing, are refused; scripts and emoji
// that need joiners are not.
func TestHiddenText(t *testing.T) {
	for text, hidden := range map[string]bool{
		"Mill": false, "Äö 12 — «x» 東京": false, "קול": false, "❤\ufe0f\u200d🔥": false, "👩🏽\u200d💻": false,
		"می\u200cخواهم": false, "क्\u200dष": false, "\u0600\u0661": false, "e\u0301": false,
		"a\u200bb": true, "a\u202eb": true, "\u2066a\u2069": true, "\ufeffMill": true, "Mi\u00adll": true, "a\u2028b": true, "a\u2029b": true,
		"\u200dMill": true, "Mill\u200c": true, "a \u200d b": true, "a\u200d\u200db": true, "a\U000e0041b": true,
	} {
		if user.HidesText(text) != hidden {
			t.Errorf("%q: hidden text is %v", text, !hidden)
		}
		if _, err := org.New(text, id, me, now); (err != nil) != hidden {
			t.Errorf("%q as a name: %v", text, err)
		}
	}
	for text, shown := range map[string]bool{
		"a": true, "7": true, "東": true, "…": true, "😀": true, "e\u0301": true,
		"": false, " \u00a0\u3000": false, "\u200b": false, "\u3164": false, "\uffa0\u115f": false, "\u2800": false, "\ufe0f": false, "\u034f": false,
	} {
		if user.ShowsText(text) != shown {
			t.Errorf("%q: shown is %v", text, !shown)
		}
		if _, err := org.New(text, id, me, now); (err == nil) != shown {
			t.Errorf("%q as a name: %v", text, err)
		}
	}
}

func TestAddresses(t *testing.T) {
	for in, want := range map[string]string{
		"ann@example.org":           "ann@example.org",
		"  Ann.Lee+x@Example.ORG\n": "ann.lee+x@example.org",
		"admin@demo.test":           "admin@demo.test",
		"jürgen@exämple.org":        "jürgen@exämple.org",
		"":                          "", "ann": "", "ann@": "", "@example.org": "", "a b@example.org": "",
		"Ann <ann@example.org>": "", "<ann@example.org>": "", "ann@example.org, bob@example.org": "",
		`"ann"@example.org`: "", "ann@[127.0.0.1]": "", "ann@example.org (Ann)": "", "ann\x00@example.org": "",
		"ann@example.org\r\nBcc: bob@example.org":    "",
		strings.Repeat("a", 250) + "@example.org":    "",
		"ann@example..org":                           "",
		".ann@example.org":                           "",
		"ann@example.org\u0000":                      "",
		"ann\xff@example.org":                        "",
		"group:ann@example.org;":                     "",
		"ann@example.org\u200b@example.org":          "",
		"=?utf-8?q?ann?= <ann@example.org>":          "",
		"ann@" + strings.Repeat("e", 260) + ".org":   "",
		"ann@example.org;bob@example.org":            "",
		"\"ann\r\n\"@example.org":                    "",
		"ann@example.org\tbob@example.org":           "",
		"mailto:ann@example.org":                     "",
		"ann@example.org?subject=hello@example.test": "",
		"mar\u212a@example.org":                      "", // Kelvin's sign becomes a k
		"ann@\u0130nfo.example":                      "", // and this one an i
		"ann\u00a0lee@example.org":                   "",
	} {
		if got, ok := org.NormalAddress(in); got != want || ok != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", in, got, ok, want)
		}
	}
}

func FuzzNormalAddress(f *testing.F) {
	f.Add("ann@example.org")
	f.Add("  Ann.Lee+x@Example.ORG\n")
	f.Add("K@example.org")
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := org.NormalAddress(s)
		if !ok {
			return
		}
		if again, ok := org.NormalAddress(got); !ok || again != got {
			t.Errorf("%q is spelled %q, which is spelled %q, %v", s, got, again, ok)
		}
		if strings.ContainsAny(got, "\r\n\x00 ,") {
			t.Errorf("%q can break out of a mail's head", got)
		}
	})
}

func TestNewInviteTellsEveryBadField(t *testing.T) {
	_, err := org.NewInvite(id, id, "nobody", "owner", me, now)
	if got := fieldsOf(t, err); !slices.Equal(got, []string{"email", "role"}) {
		t.Errorf("got %v", got)
	}
	_, err = org.NewInvite(id, id, "ann@example.org", access.NoRole, me, now)
	if got := fieldsOf(t, err); !slices.Equal(got, []string{"role"}) {
		t.Errorf("got %v", got)
	}
}

func TestAnInviteExpiresByTheClock(t *testing.T) {
	i, err := org.NewInvite(id, id, "Ann@Example.org", access.Organizer, me, now)
	if err != nil || i.Email != "ann@example.org" || i.Status != org.Pending {
		t.Fatalf("got %+v, %v", i, err)
	}
	end := now.Add(7 * 24 * time.Hour)
	if got := i.StatusAt(end.Add(-1)); got != org.Pending {
		t.Errorf("just before: %s", got)
	}
	if got := i.StatusAt(end); got != org.Expired {
		t.Errorf("at the end: %s", got)
	}
	i.Status = org.Accepted
	if got := i.StatusAt(end); got != org.Accepted {
		t.Errorf("accepted in time: %s", got)
	}
}
