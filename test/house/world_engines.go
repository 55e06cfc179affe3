//go:build linux && engines

package house

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/redis/rueidis"
)

// Outside says whether the houses stand on engines outside.
const Outside = true

const (
	// redisDatabases are what a Redis has when nobody has told it otherwise;
	// number 0 keeps who has which of the others.
	redisDatabases = 16
	// redisLease is for how long a number is kept for a test that was killed; no
	// test takes longer.
	redisLease = 30 * time.Minute
	// redisWait is for how long a house waits for others to move out.
	redisWait = 10 * time.Minute
	// engineLimit bounds each call that makes or removes something in an engine.
	engineLimit = 30 * time.Second
	// numbersKey keeps, per number, who has it.
	numbersKey = "happening-tests:database:"
)

// furnish gives the house what is its own on the servers that the environment
// names, and takes it away at the end.
func (h *House) furnish() {
	h.t.Helper()
	name := "house_" + strings.ReplaceAll(uuid.NewString(), "-", "")[:20]
	h.furnishPostgres(name)
	h.furnishRedis(name)
	h.furnishRabbitMQ(name)
	// Nobody balances the load of a house with one server; Replicas set it.
	h.Env["HAPPENING_DRAIN"] = "0s"
}

// EngineAddress reads where an engine is, which the tests can't do without.
func (h *House) EngineAddress(variable string) string {
	h.t.Helper()
	value := os.Getenv(variable)
	if value == "" {
		h.t.Fatalf("with the tag engines the tests need %s; run: make engines-up, then: . build/engines/env (install postgresql, redis-server and rabbitmq-server)", variable)
	}
	return value
}

func (h *House) furnishPostgres(name string) {
	h.t.Helper()
	owner := inURL(h.t.Fatalf, h.EngineAddress("DATABASE_URL"), func(u *url.URL) { u.Path = "/" + name })
	u, err := url.Parse(owner)
	if err != nil {
		h.t.Fatal(err)
	}
	h.Administer("CREATE DATABASE " + name + " OWNER " + pgx.Identifier{u.User.Username()}.Sanitize() + " ENCODING 'UTF8' TEMPLATE template0")
	h.t.Cleanup(func() { h.Administer("DROP DATABASE " + name + " WITH (FORCE)") })
	h.Env["DATABASE_URL"] = owner
}

// Administer runs a statement as the superuser of the PostgreSQL outside.
func (h *House) Administer(sql string) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), engineLimit)
	defer cancel()
	conn, err := pgx.Connect(ctx, h.EngineAddress("POSTGRES_ADMIN_URL"))
	if err != nil {
		h.t.Fatalf("POSTGRES_ADMIN_URL: %v; run: make engines-up", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, sql); err != nil {
		h.t.Errorf("%s: %v", sql, err)
	}
}

// furnishRedis takes a database that no other house has, and empties it. Other
// test processes take theirs from the same list.
func (h *House) furnishRedis(name string) {
	h.t.Helper()
	address := h.EngineAddress("REDIS_URL")
	options, err := rueidis.ParseURL(address)
	if err != nil {
		h.t.Fatalf("REDIS_URL: %v", err)
	}
	options.DisableCache, options.ForceSingleClient = true, true
	list, err := rueidis.NewClient(options)
	if err != nil {
		h.t.Fatalf("REDIS_URL: %v; run: make engines-up", err)
	}
	ctx := context.Background()
	number := 0
	Await(h.t, "a database of Redis's is free", redisWait, func() bool {
		for n := 1; n < redisDatabases; n++ {
			err := list.Do(ctx, list.B().Set().Key(fmt.Sprint(numbersKey, n)).Value(name).Nx().Ex(redisLease).Build()).Error()
			if err == nil {
				number = n
				return true
			}
			if !rueidis.IsRedisNil(err) {
				h.t.Fatalf("REDIS_URL: %v", err)
			}
		}
		return false
	})
	options.SelectDB = number
	mine, err := rueidis.NewClient(options)
	if err != nil {
		h.t.Fatal(err)
	}
	empty := func() {
		if err := mine.Do(ctx, mine.B().Flushdb().Build()).Error(); err != nil {
			h.t.Errorf("REDIS_URL: %v", err)
		}
	}
	empty()
	h.t.Cleanup(func() {
		empty()
		mine.Close()
		if err := list.Do(ctx, list.B().Del().Key(fmt.Sprint(numbersKey, number)).Build()).Error(); err != nil {
			h.t.Errorf("REDIS_URL: %v", err)
		}
		list.Close()
	})
	h.Env["REDIS_URL"] = inURL(h.t.Fatalf, address, func(u *url.URL) { u.Path = fmt.Sprint("/", number) })
}

// furnishRabbitMQ makes a virtual host, since the queue's name is fixed.
func (h *House) furnishRabbitMQ(name string) {
	h.t.Helper()
	address := h.EngineAddress("AMQP_URL")
	u, err := url.Parse(address)
	if err != nil {
		h.t.Fatal("AMQP_URL is not an address")
	}
	h.Manage(http.MethodPut, "/api/vhosts/"+name, nil)
	h.t.Cleanup(func() { h.Manage(http.MethodDelete, "/api/vhosts/"+name, nil) })
	h.Manage(http.MethodPut, path.Join("/api/permissions", name, u.User.Username()),
		map[string]string{"configure": ".*", "write": ".*", "read": ".*"})
	h.Env["AMQP_URL"] = inURL(h.t.Fatalf, address, func(u *url.URL) { u.Path = "/" + name })
}

// Manage asks RabbitMQ's management interface and answers what it said.
func (h *House) Manage(method, where string, body any) []byte {
	h.t.Helper()
	u, err := url.Parse(h.EngineAddress("RABBITMQ_MANAGEMENT_URL"))
	if err != nil {
		h.t.Fatal("RABBITMQ_MANAGEMENT_URL is not an address")
	}
	login := u.User
	u.User, u.Path = nil, where
	text, err := json.Marshal(body)
	if err != nil {
		h.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), engineLimit)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(text))
	if err != nil {
		h.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	password, _ := login.Password()
	r.SetBasicAuth(login.Username(), password)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		h.t.Fatalf("RABBITMQ_MANAGEMENT_URL: %v; run: make engines-up", err)
	}
	defer res.Body.Close()
	said, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode >= http.StatusMultipleChoices {
		h.t.Fatalf("%s %s: %s %s %v", method, where, res.Status, said, err)
	}
	return said
}

// inURL changes an address.
func inURL(fail func(string, ...any), address string, change func(*url.URL)) string {
	u, err := url.Parse(address)
	if err != nil {
		fail("an engine's address is none")
		return ""
	}
	change(u)
	return u.String()
}
