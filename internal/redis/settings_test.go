package redis_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"happening/internal/redis"
)

func TestParseURL(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]redis.Settings{
		"redis://localhost":               {Addresses: []string{"localhost:6379"}},
		" redis://10.1.2.3:6380/4 ":       {Addresses: []string{"10.1.2.3:6380"}, DB: 4},
		"redis://[::1]:7000":              {Addresses: []string{"[::1]:7000"}},
		"redis://[::1]":                   {Addresses: []string{"[::1]:6379"}},
		"redis://:secret@h":               {Addresses: []string{"h:6379"}, Password: "secret"},
		"redis://ann:a%40b%3A%2F%3F%2C@h": {Addresses: []string{"h:6379"}, User: "ann", Password: "a@b:/?,"},
		"redis://ann:a+b@h":               {Addresses: []string{"h:6379"}, User: "ann", Password: "a+b"},
		"redis://a:1,b,c:3":               {Mode: redis.Cluster, Addresses: []string{"a:1", "b:6379", "c:3"}},
		"redis://u:p@a:1,b:2":             {Mode: redis.Cluster, Addresses: []string{"a:1", "b:2"}, User: "u", Password: "p"},
		"redis://a?cluster=true":          {Mode: redis.Cluster, Addresses: []string{"a:6379"}},
		"redis://h?master_set=m&sentinel_password=a@secret": {
			Mode: redis.Sentinel, Addresses: []string{"h:26379"}, MasterSet: "m", SentinelPassword: "a@secret",
		},
		"redis://u:p@w@h?master_set=m&sentinel_password=?@": {
			Mode: redis.Sentinel, Addresses: []string{"h:26379"}, User: "u", Password: "p@w", MasterSet: "m", SentinelPassword: "?@",
		},
		"redis://a,b:5/2?master_set=m&sentinel_password=x%26": {
			Mode: redis.Sentinel, Addresses: []string{"a:26379", "b:5"}, DB: 2, MasterSet: "m", SentinelPassword: "x&",
		},
	} {
		got, err := redis.ParseURL(text)
		if err != nil || fmt.Sprintf("%+v", flat(got)) != fmt.Sprintf("%+v", flat(want)) {
			t.Errorf("%s: got %+v, %v", text, flat(got), err)
		}
	}
	if s, err := redis.ParseURL("rediss://h"); err != nil || s.TLS == nil {
		t.Errorf("rediss: %v, %v", s, err)
	}
}

// flat shows all fields, which Settings itself does not.
func flat(s redis.Settings) []any {
	return []any{s.Mode, s.Addresses, s.MasterSet, s.User, s.Password, s.DB, s.SentinelUser, s.SentinelPassword}
}

func TestParseURLTellsAllFaultsWithoutThePassword(t *testing.T) {
	t.Parallel()
	for text, faults := range map[string]int{
		"localhost:6379":                           1,
		"http://localhost":                         1,
		"redis://":                                 1,
		"redis://:geheim@":                         1,
		"redis://geheim@h":                         1,
		"redis://u:geheim%zz@h":                    1,
		"redis://u:geheim@a:0,b:99999/x":           3,
		"redis://h/-1":                             1,
		"redis://a,b/2":                            1,
		"redis://h?nonsense=geheim":                1,
		"redis://h?geheim2":                        1,
		"redis://u:1?geheim@h":                     1,
		"redis://u:1?geheim=x@h":                   1,
		"redis://u:geheim?x@h":                     2,
		"redis://u:geheim/geheim?x@h":              3,
		"redis://u:geheim":                         1,
		"redis://h/geheim":                         1,
		"redis://h?cluster=geheim":                 1,
		"redis://a:1:2":                            1,
		"redis://h?master_set=m&cluster=true":      1,
		"redis://u:geheim@a,redis://u:geheim@b":    1,
		"redis://u:geheim@h/x?nonsense=1&cluster=": 3,
	} {
		_, err := redis.ParseURL(text)
		if err == nil {
			t.Errorf("%s: no fault", text)
			continue
		}
		lines := strings.Split(err.Error(), "\n")
		if len(lines) != faults || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%s: %q, want %d lines without the password", text, lines, faults)
		}
		if slices.ContainsFunc(lines, func(l string) bool { return !strings.HasPrefix(l, "REDIS_URL: ") }) {
			t.Errorf("%s: a line does not name the setting: %q", text, lines)
		}
	}
}

func TestSettingsHideThePassword(t *testing.T) {
	t.Parallel()
	s, err := redis.ParseURL("redis://u:geheim@h:1?master_set=m&sentinel_password=geheim")
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%s", "%#v"} {
		if text := fmt.Sprintf(verb, s); strings.Contains(text, "geheim") {
			t.Errorf("%s shows %s", verb, text)
		}
	}
}

func FuzzParseURL(f *testing.F) {
	f.Add("redis://u:p@a:1,b/2?master_set=m")
	f.Add("rediss://[::1]")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := redis.ParseURL(text)
		if err == nil && len(s.Addresses) == 0 {
			t.Fatal("settings without an address")
		}
	})
}
