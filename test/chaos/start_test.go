//go:build linux && engines

package chaos

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"happening/internal/testkit"
	"happening/test/house"
)

// secret is a password that nobody has and no line may show.
const secret = "geheim-und-falsch"

// fault is one thing that is wrong with an engine.
type fault struct {
	name string
	// spoil changes the house's settings, or an engine of its own.
	spoil func(t *testing.T, h *house.House)
	// lines are told, one for each, by words that are found in it.
	lines [][]string
}

// elsewhere changes a setting's address.
func elsewhere(setting string, change func(*url.URL)) func(*testing.T, *house.House) {
	return func(t *testing.T, h *house.House) {
		u, err := url.Parse(h.Env[setting])
		if err != nil {
			t.Fatal(err)
		}
		change(u)
		h.Env[setting] = u.String()
	}
}

// nobodyThere is an address at which nothing listens.
func nobodyThere(setting string) func(*testing.T, *house.House) {
	return func(t *testing.T, h *house.House) {
		elsewhere(setting, func(u *url.URL) { u.Host = testkit.FreeAddress(t) })(t, h)
	}
}

func wrongPassword(setting string) func(*testing.T, *house.House) {
	return elsewhere(setting, func(u *url.URL) { u.User = url.UserPassword(u.User.Username(), secret) })
}

func both(faults ...func(*testing.T, *house.House)) func(*testing.T, *house.House) {
	return func(t *testing.T, h *house.House) {
		for _, f := range faults {
			f(t, h)
		}
	}
}

// databaseOf is the name of the house's database.
func databaseOf(t *testing.T, h *house.House) string {
	t.Helper()
	u, err := url.Parse(h.Env["DATABASE_URL"])
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(u.Path, "/")
}

// strange makes a login that may connect and nothing else.
func strange(t *testing.T, h *house.House) {
	login := "stranger_" + databaseOf(t, h)
	h.Administer(fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s'", login, secret))
	t.Cleanup(func() { h.Administer("DROP ROLE " + login) })
	elsewhere("DATABASE_URL", func(u *url.URL) { u.User = url.UserPassword(login, secret) })(t, h)
}

// volatileCommits makes the database acknowledge what it has not written.
func volatileCommits(t *testing.T, h *house.House) {
	h.Administer("ALTER DATABASE " + databaseOf(t, h) + " SET synchronous_commit = off")
}

// noSync takes a PostgreSQL that does not wait for the disk.
func noSync(t *testing.T, h *house.House) {
	h.Env["DATABASE_URL"] = testkit.NewDB(t).ConnString("happening")
}

// weakRedis takes a Redis whose user may run no scripts.
func weakRedis(t *testing.T, h *house.House) {
	r := testkit.Redis(t)
	r.Do(r.Client(), "ACL", "SETUSER", "weak", "on", ">"+secret, "~*", "&*", "+@all", "-eval", "-evalsha")
	h.Env["REDIS_URL"] = strings.Replace(r.URL, "redis://", "redis://weak:"+secret+"@", 1)
}

// weakBroker takes a user of RabbitMQ's who may do nothing in the virtual host.
func weakBroker(t *testing.T, h *house.House) {
	login := "stranger-" + databaseOf(t, h)
	h.Manage(http.MethodPut, "/api/users/"+login, map[string]string{"password": secret, "tags": ""})
	t.Cleanup(func() { h.Manage(http.MethodDelete, "/api/users/"+login, nil) })
	elsewhere("AMQP_URL", func(u *url.URL) { u.User = url.UserPassword(login, secret) })(t, h)
}

// noProvider names a server that knows nothing of OpenID. One that doesn't
// answer is only warned of, since sessions go on without it.
func noProvider(t *testing.T, h *house.House) {
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	h.Env["OIDC_ISSUER_URL"] = server.URL + "/realms/none"
	h.Env["OIDC_CLIENT_ID"], h.Env["OIDC_CLIENT_SECRET"] = "happening", secret
}

// What is wrong with an engine outside is told at the start, by the server as by
// `config check`, all of it at once, a line each, without a password, and
// nothing is started.
func TestEnginesFaults(t *testing.T) {
	t.Parallel()
	for _, f := range []fault{
		{"PostgreSQL: nobody there", nobodyThere("DATABASE_URL"), [][]string{{"DATABASE_URL", "no PostgreSQL answers"}}},
		{"PostgreSQL: wrong password", wrongPassword("DATABASE_URL"), [][]string{{"DATABASE_URL", "password"}}},
		{"PostgreSQL: no such database", elsewhere("DATABASE_URL", func(u *url.URL) { u.Path = "/nowhere" }), [][]string{{"DATABASE_URL", "nowhere", "CREATE DATABASE"}}},
		{"PostgreSQL: may do nothing", strange, [][]string{
			{"DATABASE_URL", "GRANT happening_app"}, {"DATABASE_URL", "GRANT happening_system"},
		}},
		{"PostgreSQL: fsync off", noSync, [][]string{{"fsync=off"}, {"full_page_writes=off"}}},
		{"PostgreSQL: synchronous_commit off", volatileCommits, [][]string{
			{"happening_app", "synchronous_commit=off"}, {"happening_system", "synchronous_commit=off"},
		}},
		{"Redis: nobody there", nobodyThere("REDIS_URL"), [][]string{{"REDIS_URL", "nobody listens"}}},
		{"Redis: wrong password", wrongPassword("REDIS_URL"), [][]string{{"REDIS_URL", "password"}}},
		{"Redis: may not run scripts", weakRedis, [][]string{{"REDIS_URL", "+eval"}}},
		{"RabbitMQ: nobody there", nobodyThere("AMQP_URL"), [][]string{{"AMQP_URL"}}},
		{"RabbitMQ: wrong password", wrongPassword("AMQP_URL"), [][]string{{"AMQP_URL", "password"}}},
		{"RabbitMQ: may not enter", weakBroker, [][]string{{"AMQP_URL"}}},
		{"OpenID provider: wrong address", noProvider, [][]string{{"OIDC_ISSUER_URL"}}},
		{"everything", both(wrongPassword("DATABASE_URL"), weakRedis, nobodyThere("AMQP_URL"), noProvider), [][]string{
			{"DATABASE_URL", "password"}, {"REDIS_URL", "+eval"}, {"AMQP_URL"}, {"OIDC_ISSUER_URL"},
		}},
	} {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			h := house.New(t)
			h.Must("migrate")
			f.spoil(t, h)
			for _, args := range [][]string{{"config", "check"}, {"serve"}} {
				wantFaults(t, h.Run(args...), args, f.lines)
			}
			if left := h.Processes(); len(left) > 0 {
				t.Errorf("started all the same: %v", left)
			}
		})
	}
}

func wantFaults(t *testing.T, r house.Result, args []string, want [][]string) {
	t.Helper()
	told := r.Faults()
	if r.Status != 1 || len(told) != len(want) {
		t.Errorf("%v: status %d and %d lines for %d faults:\n%s", args, r.Status, len(told), len(want), r.Stderr)
	}
	if strings.Contains(r.Stdout+r.Stderr, secret) {
		t.Errorf("%v tells a password:\n%s", args, r.Stderr)
	}
	for _, words := range want {
		found := 0
		for _, line := range told {
			all := true
			for _, word := range words {
				all = all && strings.Contains(line, word)
			}
			if all {
				found++
			}
		}
		if found != 1 {
			t.Errorf("%v: %q is told in %d lines:\n%s", args, words, found, r.Stderr)
		}
	}
}
