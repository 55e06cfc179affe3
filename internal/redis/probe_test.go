//go:build engines

package redis_test

import (
	"net"
	"strings"
	"testing"

	"happening/internal/redis"
	"happening/internal/testkit"
)

// TestProbe shows each fault that an operator may make as one line that says
// how to mend it.
func TestProbe(t *testing.T) {
	t.Parallel()
	plain := testkit.Redis(t)
	guarded := testkit.Redis(t, "--requirepass", "geheim")
	restricted := testkit.Redis(t)
	for _, user := range []string{
		"few ~event:* ~booking:* ~holding:* ~listening:* ~limit:* ~holds:* ~happening* &happening* +@all -rpush -zcount",
		"blind ~* &* +@all -info", "keyless ~event:* &* +@all", "mute ~* resetchannels +@all", "dumb ~* &* +@all -@scripting",
	} {
		name, rules, _ := strings.Cut(user, " ")
		restricted.Do(restricted.Client(), append([]string{"ACL", "SETUSER", name, "on", ">geheim"}, strings.Fields(rules)...)...)
	}
	evicting := testkit.Redis(t, "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
	_, port, _ := net.SplitHostPort(plain.Address)
	replica := testkit.Redis(t, "--replicaof", "127.0.0.1 "+port)
	control := replica.Client()
	testkit.Eventually(t, "replica", func() error {
		if info := replica.Do(control, "INFO", "replication"); !strings.Contains(info, "master_link_status:up") {
			return errNotYet
		}
		return nil
	})
	cluster, sentinel := testkit.RedisCluster(t), testkit.RedisSentinel(t)
	nobody := testkit.FreeAddress(t)
	at := func(who string, s *testkit.RedisServer) string { return "redis://" + who + "@" + s.Address }
	before := map[*testkit.RedisServer]string{}
	for _, s := range []*testkit.RedisServer{plain, restricted} {
		before[s] = s.Do(s.Client(), "DBSIZE")
	}
	t.Cleanup(func() {
		for s, keys := range before {
			if after := s.Do(s.Client(), "DBSIZE"); after != keys {
				t.Errorf("the probe has left %s keys, there were %s", after, keys)
			}
		}
	})
	for name, c := range map[string]struct {
		url     string
		want    []string // one for each line
		warning string
	}{
		"works":            {url: plain.URL},
		"password":         {url: at(":geheim", guarded)},
		"cluster":          {url: cluster.URL},
		"one of a cluster": {url: cluster.Nodes[1].URL + "?cluster=true"},
		"sentinel":         {url: sentinel.URL},
		"nobody there":     {url: "redis://" + nobody, want: []string{"nobody listens at " + nobody}},
		"no such name":     {url: "redis://redis.invalid", want: []string{"can't be found"}},
		"no password":      {url: guarded.URL, want: []string{"wants a password"}},
		"wrong password":   {url: at(":falsch", guarded), want: []string{"no such user and password"}},
		"needless":         {url: at(":geheim", plain)},
		"no TLS there":     {url: "rediss://" + plain.Address, want: []string{"speaks no TLS"}},
		"no such database": {url: plain.URL + "/99", want: []string{"has no database 99"}},
		"replica":          {url: replica.URL, want: []string{"name its master (127.0.0.1:" + port + ")"}},
		"commands":         {url: at("few:geheim", restricted), want: []string{"grant +zcount +rpush"}},
		"info":             {url: at("blind:geheim", restricted), want: []string{"grant +info"}},
		"keys":             {url: at("keyless:geheim", restricted), want: []string{"grant ~booking* ~happening* ~holding* ~holds* ~limit* ~listening*"}},
		"channels":         {url: at("mute:geheim", restricted), want: []string{"grant +@pubsub &happening*"}},
		"scripts":          {url: at("dumb:geheim", restricted), want: []string{"grant +eval +evalsha"}},
		"in a cluster":     {url: cluster.Nodes[0].URL, want: []string{"belongs to a cluster"}},
		"in no cluster":    {url: plain.URL + "," + evicting.Address, want: []string{plain.Address + " belongs to no cluster", evicting.Address + " belongs to no cluster"}, warning: "noeviction"},
		"no sentinel":      {url: plain.URL + "?master_set=m", want: []string{"is no sentinel"}},
		"no such master":   {url: sentinel.URL + "s", want: []string{"watches no", "watches no", "watches no"}},
		"evicting":         {url: evicting.URL, warning: "noeviction"},
		"a dead address":   {url: cluster.URL + "," + nobody, warning: "nobody listens at " + nobody},
		"all dead":         {url: "redis://" + nobody + ",redis.invalid", want: []string{"nobody listens", "can't be found"}},
	} {
		t.Run(name, func(t *testing.T) {
			warning, err := redis.Probe(t.Context(), c.url)
			var lines []string
			if err != nil {
				lines = strings.Split(err.Error(), "\n")
			}
			if len(lines) != len(c.want) {
				t.Fatalf("faults %q, want %q", lines, c.want)
			}
			for i, want := range c.want {
				if !strings.Contains(lines[i], want) || !strings.HasPrefix(lines[i], "REDIS_URL: ") {
					t.Errorf("fault %q, want %q", lines[i], want)
				}
				if strings.Contains(lines[i], "geheim") || strings.Contains(lines[i], "falsch") {
					t.Errorf("the password is in %q", lines[i])
				}
			}
			if (warning == nil) != (c.warning == "") || warning != nil && !strings.Contains(warning.Error(), c.warning) {
				t.Errorf("warning %v, want %q", warning, c.warning)
			}
		})
	}
}
