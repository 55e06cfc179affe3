//go:build linux

package system

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"happening/test/house"
)

// All faults of a configuration are told at once, a line each that names the
// setting, by `config check` as by the server, which starts nothing.
func TestConfigurationFaults(t *testing.T) {
	t.Parallel()
	h := house.New(t)
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
		"DATABASE_URL":              "mysql://happening:geheim@elsewhere/happening",
		"REDIS_URL":                 "memcached://happening:geheim@elsewhere",
		"AMQP_URL":                  "http://happening:geheim@elsewhere",
		"OIDC_ISSUER_URL":           "ftp://elsewhere",
		"OIDC_CLIENT_ID":            "",
		"OIDC_CLIENT_SECRET":        "",
		"OIDC_LINK_VERIFIED_EMAIL":  "always",
	}
	for name, value := range wrong {
		h.Env[name] = value
	}
	for _, args := range [][]string{{"config", "check"}, {"serve"}, {"check"}} {
		r := h.Run(args...)
		lines := r.Lines()
		if r.Status != 1 || len(lines) != len(wrong) {
			t.Errorf("%v: status %d and %d lines for %d faults:\n%s", args, r.Status, len(lines), len(wrong), r.Stderr)
		}
		for name := range wrong {
			found := 0
			for _, line := range lines {
				if strings.HasPrefix(line, "happening: "+name+":") || strings.HasPrefix(line, "happening: "+name+" ") {
					found++
				}
			}
			if found != 1 {
				t.Errorf("%v: %s is named in %d lines", args, name, found)
			}
		}
		if strings.Contains(r.Stdout+r.Stderr, "geheim") {
			t.Errorf("%v tells a secret", args)
		}
	}
	if left := h.Processes(); len(left) > 0 {
		t.Errorf("started all the same: %v", left)
	}
}

// What can't even be read is told with the rest.
func TestUnreadableSettings(t *testing.T) {
	t.Parallel()
	h := house.New(t)
	wrong := map[string]string{
		"HAPPENING_HOLD_TTL": "long", "HAPPENING_LIMIT_PERSON": "many", "HAPPENING_LIMIT_ADDRESS": "1.5", "HAPPENING_PUBLIC_URL": "here",
	}
	for name, value := range wrong {
		h.Env[name] = value
	}
	r := h.Run("serve")
	if r.Status != 1 || len(r.Lines()) != len(wrong) {
		t.Errorf("status %d and %d lines for %d faults:\n%s", r.Status, len(r.Lines()), len(wrong), r.Stderr)
	}
	for name := range wrong {
		if !strings.Contains(r.Stderr, name) {
			t.Errorf("%s is not told:\n%s", name, r.Stderr)
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
		h := house.New(t)
		h.Env[c.setting] = c.addr
		r := h.Run(append([]string{"config", "check"}, c.args...)...)
		if c.refused && (r.Status != 1 || len(r.Lines()) != 1 || !strings.Contains(r.Stderr, c.setting)) || !c.refused && r.Status != 0 {
			t.Errorf("%s=%s %v: status %d, said %q", c.setting, c.addr, c.args, r.Status, r.Stderr)
		}
	}
	h := house.New(t)
	h.Env["HAPPENING_CLIENT_ADDR"] = "0.0.0.0:0"
	if r := h.Run("serve", "--demo", "--insecure-lan"); r.Status != 1 || !strings.Contains(r.Stderr, "--demo") {
		t.Errorf("the demo is open to other machines: status %d, said %q", r.Status, r.Stderr)
	}
}

// What is set outside reaches the server.
func TestSettings(t *testing.T) {
	t.Parallel()
	h := house.New(t)
	if out := h.Must("config", "check"); !strings.Contains(out, "valid") {
		t.Errorf("config check printed %q", out)
	}
	h.Env["HAPPENING_LIMIT_ADDRESS"] = "1"
	h.Env["HAPPENING_LIMIT_PERSON"] = "2"
	h.Serve()
	c := house.NewClient(h.API)
	t.Cleanup(c.Close)
	who := h.People("hasty", 1)[0]
	for name, caller := range map[string]*house.Person{"visitor": nil, "person": who} {
		limited := house.Looked(house.SettleLimit, func() bool {
			a := c.Get(t, caller, "/")
			if a.Status == http.StatusTooManyRequests && a.Header.Get("Retry-After") == "" {
				t.Errorf("%s: 429 without Retry-After", name)
			}
			return a.Status == http.StatusTooManyRequests
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
	h := house.New(t)
	if house.Outside {
		h.Must("migrate") // commands leave the schema of a database that others may serve alone
	}
	// Nobody has started anything here yet.
	people := h.People("early", 3)
	h.Check()
	if url := h.Must("db-url"); !strings.HasPrefix(url, "postgres://") {
		t.Errorf("db-url printed %q", url)
	}
	if left := h.Processes(); len(left) > 0 {
		t.Errorf("commands left these running: %v", left)
	}
	server := h.Serve()
	postmaster := h.Postmaster()
	c := house.NewClient(h.API)
	t.Cleanup(c.Close)
	for _, p := range people {
		var me struct {
			ID    string
			Email string
		}
		c.Want(t, p, http.StatusOK, http.MethodGet, "/users/me", nil, &me)
		if me.ID != p.ID || me.Email != p.Email {
			t.Errorf("the token of %s %s is that of %+v", p.ID, p.Email, me)
		}
	}
	again := h.People("early", 3)
	for i := range people {
		if again[i].ID != people[i].ID {
			t.Errorf("%s was made twice", people[i].Email)
		}
	}
	eventID := c.Event(t, people[0], c.Organization(t, people[0]), 10, nil)
	l := house.NewLedger()
	l.Place(c, l.Book(people[1], eventID, 2))
	h.Must("migrate")
	h.Judge(l)
	if server.Ended() || h.Postmaster() != postmaster {
		t.Errorf("the commands disturbed the server: ended %v, postmaster %d then %d", server.Ended(), postmaster, h.Postmaster())
	}
	if status, _ := server.Interrupt(); status != 0 {
		t.Errorf("Ctrl-C: status %d", status)
	}
	h.Check()
	if left := h.Processes(); len(left) > 0 {
		t.Errorf("check left these running: %v", left)
	}
}

// The checker that the other tests rely on finds what is forged into the tables
// behind its back, and says so by its exit status.
func TestCheckFindsForgeries(t *testing.T) {
	t.Parallel()
	h := house.New(t)
	h.Serve()
	c := house.NewClient(h.API)
	t.Cleanup(c.Close)
	admin := h.People("admin", 1)[0]
	org := c.Organization(t, admin)
	eventID := c.Event(t, admin, org, 2, nil)
	l := house.NewLedger()
	first := l.Book(admin, eventID, 2)
	l.Place(c, first)
	for range 3 {
		l.Place(c, l.Book(admin, eventID, 1))
	}
	if first.Told == nil {
		t.Fatalf("not booked: %q", first.Refused)
	}
	l.Place(c, l.Cancel(admin, first.Told.ID)) // promotes two of the three
	h.Judge(l)
	db := h.Database()
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
			house.Exec(t, db, "CREATE TEMP TABLE kept_"+table+" AS SELECT * FROM "+table)
		}
		house.Exec(t, db, forgery)
		if r := h.Run("check", "-q"); r.Status != 1 || !strings.Contains(r.Stdout, breach) {
			t.Errorf("%s: status %d, said %q", forgery, r.Status, r.Stdout)
		}
		for _, sql := range restore {
			house.Exec(t, db, sql)
		}
		for _, table := range keep {
			house.Exec(t, db, "DROP TABLE kept_"+table)
		}
	}
	h.Check()
}

// Every command explains itself with an example, and a wrong call is told in
// one line.
func TestHelp(t *testing.T) {
	t.Parallel()
	h := house.New(t)
	for _, command := range []string{"serve", "migrate", "demo", "check", "token", "db-url", "config check", "version"} {
		out := h.Must(append(strings.Fields(command), "--help")...)
		if _, example, found := strings.Cut(out, "Example"); !found || !strings.Contains(example, "happening") {
			t.Errorf("%s --help has no example:\n%s", command, out)
		}
	}
	if out := h.Must("version"); strings.TrimSpace(out) == "" {
		t.Error("version prints nothing")
	}
	for _, wrong := range [][]string{{"fly"}, {"serve", "--fly"}, {"token"}, {"token", "--user", "a@b.test", "--count", "2"}, {"token", "--user", "nobody"}} {
		if r := h.Run(wrong...); r.Status == 0 || len(r.Lines()) != 1 {
			t.Errorf("%v: status %d, said %q", wrong, r.Status, r.Stderr)
		}
	}
	if left := fmt.Sprint(h.Processes()); left != "[]" {
		t.Errorf("these still run: %v", left)
	}
}
