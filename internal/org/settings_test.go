package org_test

import (
	"strings"
	"testing"

	"happening/internal/org"
)

func TestSettings(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 300)
	for _, c := range []struct {
		field, said, want string
		bad               bool
	}{
		{field: "about", said: "# Mill\n\n*flour*\t", want: "# Mill\n\n*flour*\t"},
		{field: "about", said: strings.Repeat("ü", 5000), want: strings.Repeat("ü", 5000)},
		{field: "about", said: strings.Repeat("u", 5001), bad: true},
		{field: "about", said: "a\x00", bad: true},
		{field: "about", said: "a\u202eb", bad: true},
		{field: "contact_email", said: " Hello@Example.org ", want: "hello@example.org"},
		{field: "contact_email", said: " ", want: ""},
		{field: "contact_email", said: "Ann <ann@example.org>", bad: true},
		{field: "contact_email", said: "nobody", bad: true},
		{field: "website", said: " https://example.org/a?b=c#d ", want: "https://example.org/a?b=c#d"},
		{field: "website", said: "http://localhost:3000", want: "http://localhost:3000"},
		{field: "website", said: "", want: ""},
		{field: "website", said: "example.org", bad: true},
		{field: "website", said: "//example.org", bad: true},
		{field: "website", said: "https://", bad: true},
		{field: "website", said: "https://:443/", bad: true},
		{field: "website", said: "https:/example.org", bad: true},
		{field: "website", said: "javascript:alert(1)", bad: true},
		{field: "website", said: "data:text/html,hello", bad: true},
		{field: "website", said: "ftp://example.org", bad: true},
		{field: "website", said: "https://ann:secret@example.org", bad: true},
		{field: "website", said: "https://bank.example@example.org", bad: true},
		{field: "website", said: `https://example.org\@example.test`, bad: true},
		{field: "website", said: "https://example.org/a b", bad: true},
		{field: "website", said: "https://example.org/\u202e", bad: true},
		{field: "website", said: "https://example.org/" + long, bad: true},
		{field: "color", said: "#1A7f5a", want: "#1a7f5a"},
		{field: "color", said: "", want: ""},
		{field: "color", said: "#1a7f5", bad: true},
		{field: "color", said: "1a7f5a", bad: true},
		{field: "color", said: "#1a7f5g", bad: true},
		{field: "color", said: "red; background: url(https://example.org)", bad: true},
		{field: "time_zone", said: "Europe/Berlin", want: "Europe/Berlin"},
		{field: "time_zone", said: "UTC", want: "UTC"},
		{field: "time_zone", said: "", want: ""},
		{field: "time_zone", said: "Local", bad: true},
		{field: "time_zone", said: "Berlin", bad: true},
		{field: "time_zone", said: "../etc/passwd", bad: true},
		{field: "name", said: " Mill ", want: "Mill"},
		{field: "name", said: " ", bad: true},
	} {
		before, err := org.New("Before", id, me, now)
		if err != nil {
			t.Fatal(err)
		}
		var p org.Patch
		field := map[string]**string{
			"name": &p.Name, "about": &p.About, "contact_email": &p.ContactEmail, "website": &p.Website, "color": &p.Color, "time_zone": &p.TimeZone,
		}[c.field]
		*field = &c.said
		after, err := before.Apply(p)
		if c.bad {
			if got := fieldsOf(t, err); len(got) != 1 || got[0] != c.field {
				t.Errorf("%s %q: bad fields %v", c.field, c.said, got)
			}
			continue
		}
		got := map[string]string{
			"name": after.Name, "about": after.About, "contact_email": after.ContactEmail, "website": after.Website, "color": after.Color, "time_zone": after.TimeZone,
		}[c.field]
		if err != nil || got != c.want {
			t.Errorf("%s %q: got %q, %v", c.field, c.said, got, err)
		}
		if moved := after.Revision == 2; moved != (c.want != "") {
			t.Errorf("%s %q: revision %d", c.field, c.said, after.Revision)
		}
	}
}
