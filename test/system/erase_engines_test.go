//go:build linux && engines

package system

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"happening/internal/testkit"
	"happening/test/house"
)

// inEngines lists the keys of the house's Redis and the queues of its RabbitMQ
// in which the marker stands, in a name or in what is kept there.
func inEngines(t *testing.T, h *house.House, marker string) (found []string) {
	t.Helper()
	options, err := rueidis.ParseURL(h.Env["REDIS_URL"])
	if err != nil {
		t.Fatal(err)
	}
	options.DisableCache, options.ForceSingleClient = true, true
	c, err := rueidis.NewClient(options)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	do := func(command ...string) rueidis.RedisResult {
		return c.Do(t.Context(), c.B().Arbitrary(command...).Build())
	}
	keys, err := do("KEYS", "*").AsStrSlice()
	if err != nil {
		t.Fatal(err)
	}
	if len(keys) == 0 {
		t.Error("there are no keys in Redis, so that looking at them shows nothing")
	}
	for _, key := range keys {
		kind, err := do("TYPE", key).ToString()
		if err != nil {
			t.Fatal(err)
		}
		read := map[string][]string{
			"string": {"GET", key}, "hash": {"HGETALL", key}, "list": {"LRANGE", key, "0", "-1"},
			"set": {"SMEMBERS", key}, "zset": {"ZRANGE", key, "0", "-1"}, "stream": {"XRANGE", key, "-", "+"},
		}[kind]
		if read == nil {
			continue // it ended by itself just now
		}
		kept := do(read...)
		text := fmt.Sprint(kept.ToAny())
		if testkit.Mentions([]byte(key+" "+text), marker) {
			found = append(found, "Redis: "+key)
		}
	}
	return append(found, inQueues(t, h, marker)...)
}

// inQueues puts back what it reads.
func inQueues(t *testing.T, h *house.House, marker string) (found []string) {
	t.Helper()
	amqp, err := url.Parse(h.Env["AMQP_URL"])
	if err != nil {
		t.Fatal(err)
	}
	host := path.Base(amqp.Path)
	var queues []struct{ Name string }
	if err := json.Unmarshal(h.Manage(http.MethodGet, "/api/queues/"+host, nil), &queues); err != nil {
		t.Fatal(err)
	}
	if len(queues) == 0 {
		t.Error("there are no queues in RabbitMQ, so that looking at them shows nothing")
	}
	for _, q := range queues {
		bodies := h.Manage(http.MethodPost, "/api/queues/"+host+"/"+q.Name+"/get",
			map[string]any{"count": 1_000, "ackmode": "ack_requeue_true", "encoding": "auto"})
		if testkit.Mentions(bodies, marker) {
			found = append(found, "RabbitMQ: "+q.Name)
		}
	}
	return found
}

// erasedElsewhere is when an erasure has to hold in every process. Each
// remembers a verified token for 30 s: one that is not told of the erasure goes
// on letting the person in for longer than this.
const erasedElsewhere = 15 * time.Second

// Somebody erases themselves at one process; another one, which has let them in
// a moment ago, lets them in no more and ends what they have open.
func TestErasureReachesReplicas(t *testing.T) {
	t.Parallel()
	r := house.NewReplicas(t, nil)
	first, second := r.Start(), r.Start()
	ann := r.House.People("ann", 1)[0]
	one, other := house.NewClient(first.House.API), house.NewClient(second.House.API)
	t.Cleanup(one.Close)
	t.Cleanup(other.Close)
	ended := house.OpenSocket(t, second.House.API, "", "Authorization: Bearer "+ann.Token)
	other.Want(t, ann, http.StatusOK, http.MethodGet, "/users/me", nil, nil)
	one.Want(t, ann, http.StatusNoContent, http.MethodDelete, "/users/me", map[string]string{"email": ann.Email}, nil)
	if a := one.Get(t, ann, "/users/me"); a.Status != http.StatusUnauthorized {
		t.Errorf("at the process that erased her: %s", a)
	}
	house.Await(t, "the other process lets her in no more", erasedElsewhere, func() bool {
		return other.Get(t, ann, "/users/me").Status == http.StatusUnauthorized
	})
	<-ended
}
