package httpapi

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A name that somebody made to lead here reads nothing, whichever browser on
// this machine it comes from.
func TestOperatorsPagesKnowTheirNames(t *testing.T) {
	for _, c := range []struct {
		listen, host string
		ours         bool
	}{
		{"127.0.0.1:5001", "127.0.0.1:5001", true},
		{"127.0.0.1:5001", "127.9.9.9", true},
		{"127.0.0.1:5001", "[::1]:5001", true},
		{"127.0.0.1:5001", "[::1]", true},
		{"127.0.0.1:5001", "[::ffff:127.0.0.1]:5001", true},
		{"127.0.0.1:5001", "localhost:9", true},
		{"127.0.0.1:5001", "LOCALHOST.", true},
		{"127.0.0.1:5001", "ops.localhost:5001", true},
		{"127.0.0.1:5001", "evil.test:5001", false},
		{"127.0.0.1:5001", "localhost.evil.test", false},
		{"127.0.0.1:5001", "notlocalhost", false},
		{"127.0.0.1:5001", "127.0.0.1.evil.test", false},
		{"127.0.0.1:5001", "192.0.2.7:5001", false},
		{"127.0.0.1:5001", "", false},
		{"192.0.2.7:5001", "192.0.2.7:5001", true},
		{"192.0.2.7:5001", "192.0.2.8:5001", false},
		{"192.0.2.7:5001", "localhost", true},
		{"ops.example.org:5001", "OPS.example.org:5001", true},
		{"ops.example.org:5001", "example.org:5001", false},
		{":5001", "192.0.2.7:5001", true},
		{"0.0.0.0:5001", "192.0.2.7:5001", true},
		{"[::]:5001", "[2001:db8::1]:5001", true},
		{"0.0.0.0:5001", "evil.test:5001", false},
		{":5001", "evil.test", false},
		{":5001", "", false},
		{"", "", false},
		{"", "127.0.0.1", true},
	} {
		r := httptest.NewRequest("GET", "http://localhost/mailbox", nil)
		r.Host = c.host
		w := httptest.NewRecorder()
		bare(t, Deps{OpsAddr: c.listen, Mailbox: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			plain(w, http.StatusOK, "a secret link")
		})}).Ops().ServeHTTP(w, r)
		want := http.StatusForbidden
		if c.ours {
			want = http.StatusOK
		}
		if w.Code != want {
			t.Errorf("%q where operators' pages listen on %q: %d, want %d", c.host, c.listen, w.Code, want)
		}
	}
}

// Operators are told which engine ails, as a page and as a metric.
func TestOperatorsSeeTheEngines(t *testing.T) {
	ops := bare(t, Deps{Engines: func(context.Context) []Engine {
		return []Engine{{Name: "PostgreSQL", OK: true, Detail: "15.18"}, {Name: "Redis", Outside: true, Detail: "away for 3s"},
			{Name: "Process", OK: true, Detail: "one"}, {Name: "Process", OK: true, Detail: "another"}}
	}}).Ops()
	for path, want := range map[string][]string{
		"/engines": {"PostgreSQL  embedded  ok    15.18", "Redis       outside   ails  away for 3s"},
		"/metrics": {`happening_engine_up{engine="postgresql"} 1`, `happening_engine_up{engine="redis"} 0`, `happening_engine_up{engine="process"} 1`},
	} {
		r := httptest.NewRequest("GET", "http://localhost"+path, nil)
		w := httptest.NewRecorder()
		ops.ServeHTTP(w, r)
		for _, line := range want {
			if !strings.Contains(w.Body.String(), line) {
				t.Errorf("%s does not say %q:\n%s", path, line, w.Body)
			}
		}
	}
}
