//go:build engines

package redis_test

import (
	"sync"
	"testing"

	"happening/internal/redis"
	"happening/internal/testkit"
)

// TestIdentity lets many processes ask at once for the name of a database that
// has none yet.
func TestIdentity(t *testing.T) {
	t.Parallel()
	server, elsewhere := testkit.Redis(t), testkit.Redis(t)
	control := server.Client()
	ask := func(s *redis.Store) string {
		t.Helper()
		id, err := s.Identity(t.Context())
		if err != nil || id == "" {
			t.Fatalf("identity %q, %v", id, err)
		}
		return id
	}
	const processes = 8
	names := make([]string, processes)
	var asking sync.WaitGroup
	for i := range processes {
		s := open(t, server.URL, redis.Options{})
		asking.Go(func() {
			var err error
			if names[i], err = s.Identity(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	asking.Wait()
	for _, name := range names {
		if name != names[0] || name == "" {
			t.Fatalf("one database has the names %q", names)
		}
	}
	s := open(t, server.URL, redis.Options{})
	if ttl := server.Do(control, "PTTL", "happening:store"); ttl != "-1" {
		t.Errorf("the name ends in %s ms", ttl)
	}
	for what, other := range map[string]string{"another server": elsewhere.URL, "another database": server.URL + "/1"} {
		if ask(open(t, other, redis.Options{})) == names[0] {
			t.Errorf("%s has the same name", what)
		}
	}
	server.Do(control, "FLUSHALL")
	flushed := ask(s)
	if flushed == names[0] {
		t.Error("a database that was flushed has its old name")
	}
	server.Do(control, "DEL", "happening:store")
	server.Do(control, "LPUSH", "happening:store", "x")
	mended := ask(s)
	server.Do(control, "SET", "happening:store", "x")
	if again := ask(s); again == mended || again == "x" || again != ask(s) {
		t.Errorf("somebody else's value gives the name %q after %q", again, mended)
	}
	cluster := testkit.RedisCluster(t)
	if ask(open(t, cluster.URL, redis.Options{})) != ask(open(t, cluster.Nodes[1].URL+"?cluster=true", redis.Options{})) {
		t.Error("a cluster has two names")
	}
}
