//go:build linux

package system

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// All faults of a configuration are told at once, a line each that names the
// setting, by `config check` as by the server, which starts nothing.
func TestConfigurationFaults(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	wrong := map[string]string{
		"HAPPENING_CLIENT_ADDR":     "somewhere",
		"HAPPENING_API_ADDR":        "5000",
		"HAPPENING_OPS_ADDR":        "",
		"HAPPENING_PUBLIC_URL":      "ftp://events.example.org",
		"HAPPENING_TRUSTED_PROXIES": "10.0.0.0/99",
		"HAPPENING_HOLD_TTL":        "48h",
		"HAPPENING_LIMIT_PERSON":    "-1",
		"HAPPENING_LIMIT_ADDRESS":   "-1",
		"SMTP_URL":                  "http://mail.example.org",
		"DATABASE_URL":              "postgres://elsewhere",
		"REDIS_URL":                 "redis://elsewhere",
		"AMQP_URL":                  "amqp://elsewhere",
		"OIDC_ISSUER_URL":           "https://elsewhere",
		"OIDC_CLIENT_ID":            "happening",
		"OIDC_CLIENT_SECRET":        "geheim",
	}
	for name, value := range wrong {
		h.env[name] = value
	}
	for _, args := range [][]string{{"config", "check"}, {"serve"}, {"check"}} {
		r := h.run(args...)
		lines := r.lines()
		if r.status != 1 || len(lines) != len(wrong) {
			t.Errorf("%v: status %d and %d lines for %d faults:\n%s", args, r.status, len(lines), len(wrong), r.stderr)
		}
		for name := range wrong {
			found := 0
			for _, line := range lines {
				if strings.Contains(line, name+": ") {
					found++
				}
			}
			if found != 1 {
				t.Errorf("%v: %s is named in %d lines", args, name, found)
			}
		}
		if strings.Contains(r.stdout+r.stderr, "geheim") {
			t.Errorf("%v tells a secret", args)
		}
	}
	if left := h.processes(); len(left) > 0 {
		t.Errorf("started all the same: %v", left)
	}
}

// What can't even be read is told with the rest.
func TestUnreadableSettings(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	wrong := map[string]string{
		"HAPPENING_HOLD_TTL": "long", "HAPPENING_LIMIT_PERSON": "many", "HAPPENING_LIMIT_ADDRESS": "1.5", "HAPPENING_PUBLIC_URL": "here",
	}
	for name, value := range wrong {
		h.env[name] = value
	}
	r := h.run("serve")
	if r.status != 1 || len(r.lines()) != len(wrong) {
		t.Errorf("status %d and %d lines for %d faults:\n%s", r.status, len(r.lines()), len(wrong), r.stderr)
	}
	for name := range wrong {
		if !strings.Contains(r.stderr, name) {
			t.Errorf("%s is not told:\n%s", name, r.stderr)
		}
	}
}

// What asks nobody who they are is never open to other machines, plain http
// only on request, and the demo's accounts not even then.
func TestExposedAddresses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		setting, addr string
		args          []string
		refused       bool
	}{
		{"HAPPENING_OPS_ADDR", "0.0.0.0:0", nil, true},
		{"HAPPENING_OPS_ADDR", ":0", []string{"--insecure-lan"}, true},
		{"HAPPENING_OPS_ADDR", "[::]:0", nil, true},
		{"HAPPENING_CLIENT_ADDR", "0.0.0.0:0", nil, true},
		{"HAPPENING_API_ADDR", ":0", nil, true},
		{"HAPPENING_CLIENT_ADDR", "0.0.0.0:0", []string{"--insecure-lan"}, false},
		{"HAPPENING_CLIENT_ADDR", "[::1]:0", nil, false},
	} {
		h := newHouse(t)
		h.env[c.setting] = c.addr
		r := h.run(append([]string{"config", "check"}, c.args...)...)
		if c.refused && (r.status != 1 || len(r.lines()) != 1 || !strings.Contains(r.stderr, c.setting)) || !c.refused && r.status != 0 {
			t.Errorf("%s=%s %v: status %d, said %q", c.setting, c.addr, c.args, r.status, r.stderr)
		}
	}
	h := newHouse(t)
	h.env["HAPPENING_CLIENT_ADDR"] = "0.0.0.0:0"
	if r := h.run("serve", "--demo", "--insecure-lan"); r.status != 1 || !strings.Contains(r.stderr, "--demo") {
		t.Errorf("the demo is open to other machines: status %d, said %q", r.status, r.stderr)
	}
}

// What is set outside reaches the server.
func TestSettings(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	if out := h.must("config", "check"); !strings.Contains(out, "valid") {
		t.Errorf("config check printed %q", out)
	}
	h.env["HAPPENING_LIMIT_ADDRESS"] = "1"
	h.env["HAPPENING_LIMIT_PERSON"] = "2"
	h.serve()
	c := newClient(h.api)
	t.Cleanup(c.close)
	who := h.people("hasty", 1)[0]
	for name, caller := range map[string]*person{"visitor": nil, "person": who} {
		limited := looked(settleLimit, func() bool {
			a := c.get(t, caller, "/")
			if a.status == http.StatusTooManyRequests && a.header.Get("Retry-After") == "" {
				t.Errorf("%s: 429 without Retry-After", name)
			}
			return a.status == http.StatusTooManyRequests
		})
		if !limited {
			t.Errorf("%s is not limited", name)
		}
	}
}

// Commands attach to a running server's database, and start it themselves where
// none runs; tokens outlive that.
func TestCommands(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	// Nobody has started anything here yet.
	people := h.people("early", 3)
	h.check()
	if url := h.must("db-url"); !strings.HasPrefix(url, "postgres://") {
		t.Errorf("db-url printed %q", url)
	}
	if left := h.processes(); len(left) > 0 {
		t.Errorf("commands left these running: %v", left)
	}
	server := h.serve()
	postmaster := h.postmaster()
	c := newClient(h.api)
	t.Cleanup(c.close)
	for _, p := range people {
		var me struct {
			ID    string
			Email string
		}
		c.want(t, p, http.StatusOK, http.MethodGet, "/users/me", nil, &me)
		if me.ID != p.id || me.Email != p.email {
			t.Errorf("the token of %s %s is that of %+v", p.id, p.email, me)
		}
	}
	again := h.people("early", 3)
	for i := range people {
		if again[i].id != people[i].id {
			t.Errorf("%s was made twice", people[i].email)
		}
	}
	eventID := c.event(t, people[0], c.organization(t, people[0]), 10, nil)
	l := newLedger()
	l.place(c, l.book(people[1], eventID, 2))
	h.must("migrate")
	h.judge(l)
	if server.ended() || h.postmaster() != postmaster {
		t.Errorf("the commands disturbed the server: ended %v, postmaster %d then %d", server.ended(), postmaster, h.postmaster())
	}
	if status, _ := server.interrupt(); status != 0 {
		t.Errorf("Ctrl-C: status %d", status)
	}
	h.check()
	if left := h.processes(); len(left) > 0 {
		t.Errorf("check left these running: %v", left)
	}
}

// The checker that the other tests rely on finds what is forged into the tables
// behind its back, and says so by its exit status.
func TestCheckFindsForgeries(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.serve()
	c := newClient(h.api)
	t.Cleanup(c.close)
	admin := h.people("admin", 1)[0]
	org := c.organization(t, admin)
	eventID := c.event(t, admin, org, 2, nil)
	l := newLedger()
	first := l.book(admin, eventID, 2)
	l.place(c, first)
	for range 3 {
		l.place(c, l.book(admin, eventID, 1))
	}
	if first.told == nil {
		t.Fatalf("not booked: %q", first.refused)
	}
	l.place(c, l.cancel(admin, first.told.ID)) // promotes two of the three
	h.judge(l)
	db := h.database()
	keep, restore := []string{"events", "bookings", "outbox"}, []string{
		`UPDATE events e SET available_slots = k.available_slots, last_waiting = k.last_waiting, starts_at = k.starts_at, ends_at = k.ends_at,
			status = k.status FROM kept_events k WHERE k.id = e.id`,
		`UPDATE bookings b SET org_id = k.org_id, waiting_number = k.waiting_number FROM kept_bookings k WHERE k.id = b.id`,
		`INSERT INTO outbox SELECT * FROM kept_outbox ON CONFLICT DO NOTHING`,
	}
	for breach, forgery := range map[string]string{
		"available_slots":     `UPDATE events SET available_slots = 1`,
		"without its fact":    `DELETE FROM outbox`,
		"numbers have a gap":  `UPDATE events SET last_waiting = 7`,
		"overtook somebody":   `UPDATE bookings SET waiting_number = 0 WHERE status = 'waiting'`,
		"behind the clock":    `UPDATE events SET starts_at = starts_at - interval '3 days', ends_at = ends_at - interval '3 days'`,
		"of another organiza": `UPDATE bookings SET org_id = event_id`,
	} {
		for _, table := range keep {
			run(t, db, "CREATE TABLE kept_"+table+" AS SELECT * FROM "+table)
		}
		run(t, db, forgery)
		if r := h.run("check", "-q"); r.status != 1 || !strings.Contains(r.stdout, breach) {
			t.Errorf("%s: status %d, said %q", forgery, r.status, r.stdout)
		}
		for _, sql := range restore {
			run(t, db, sql)
		}
		for _, table := range keep {
			run(t, db, "DROP TABLE kept_"+table)
		}
	}
	h.check()
}

// Every command explains itself with an example, and a wrong call is told in
// one line.
func TestHelp(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for _, command := range []string{"serve", "migrate", "demo", "check", "token", "db-url", "config check", "version"} {
		out := h.must(append(strings.Fields(command), "--help")...)
		if _, example, found := strings.Cut(out, "Example"); !found || !strings.Contains(example, "happening") {
			t.Errorf("%s --help has no example:\n%s", command, out)
		}
	}
	if out := h.must("version"); strings.TrimSpace(out) == "" {
		t.Error("version prints nothing")
	}
	for _, wrong := range [][]string{{"fly"}, {"serve", "--fly"}, {"token"}, {"token", "--user", "a@b.test", "--count", "2"}, {"token", "--user", "nobody"}} {
		if r := h.run(wrong...); r.status == 0 || len(r.lines()) != 1 {
			t.Errorf("%v: status %d, said %q", wrong, r.status, r.stderr)
		}
	}
	if left := fmt.Sprint(h.processes()); left != "[]" {
		t.Errorf("these still run: %v", left)
	}
}
