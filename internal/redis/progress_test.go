//go:build engines

package redis_test

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"happening/internal/booking"
	"happening/internal/redis"
	"happening/internal/testkit"
)

const mirroredKey = "happening:mirrored"

// begun wants that nothing was compared with what is there.
func begun(t *testing.T, what string, s *redis.Store) booking.Progress {
	t.Helper()
	p, err := s.Progress(t.Context())
	if err != nil || p.Contents == "" || p != (booking.Progress{Contents: p.Contents}) {
		t.Errorf("%s: %+v, %v; none was compared", what, p, err)
	}
	return p
}

// noted notes that and wants every process to be told it.
func noted(t *testing.T, p booking.Progress, stores ...*redis.Store) {
	t.Helper()
	if err := stores[0].Note(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	for _, s := range stores {
		if got, err := s.Progress(t.Context()); err != nil || got != p {
			t.Errorf("told is %+v, %v; noted was %+v", got, err, p)
		}
	}
}

// TestProgressEndsWithTheContents: what was compared counts in all processes,
// until Redis has lost it, went back in time, or something else stands there.
func TestProgressEndsWithTheContents(t *testing.T) {
	t.Parallel()
	server := testkit.Redis(t)
	control := server.Client()
	one, two := open(t, server.URL, redis.Options{}), open(t, server.URL, redis.Options{})
	p := begun(t, "an empty Redis", one)
	p.After, p.Events, p.Differed = uuid.New(), 64, 3
	noted(t, p, one, two)
	whole := booking.Progress{Contents: p.Contents, Whole: true, Events: 70, Differed: 4}
	noted(t, whole, two, one)
	left, err := strconv.ParseInt(server.Do(control, "PTTL", mirroredKey), 10, 64)
	if err != nil || left <= 0 || left > (6*time.Hour).Milliseconds() {
		t.Errorf("it counts for %d ms more, %v", left, err)
	}
	for what, spoil := range map[string][]string{
		"not ours":        {"SET", mirroredKey, "x"},
		"no event's id":   {"SET", mirroredKey, whole.Contents + " x 1 1"},
		"of another type": {"LPUSH", mirroredKey, "x"},
		"ended":           {"DEL", mirroredKey},
	} {
		server.Do(control, "DEL", mirroredKey)
		server.Do(control, spoil...)
		begun(t, what, one)
		noted(t, whole, one, two)
	}
	server.Do(control, "FLUSHALL")
	flushed := begun(t, "flushed", one)
	if flushed.Contents == whole.Contents {
		t.Error("a database that was flushed has the contents that it had")
	}
	// Who has compared before the flush and notes it after it has noted nothing.
	if err := one.Note(t.Context(), whole); err != nil {
		t.Fatal(err)
	}
	begun(t, "noted of what was lost", two)

	// The control for going back: all is there as it was noted.
	whole.Contents = flushed.Contents
	noted(t, whole, one, two)
	server.Do(control, "SAVE")
	server.Kill()
	server.Start()
	three, control := open(t, server.URL, redis.Options{}), server.Client()
	if text := server.Do(control, "GET", mirroredKey); !strings.HasPrefix(text, whole.Contents+" whole ") {
		t.Fatalf("the restarted server has %q", text)
	}
	begun(t, "started again from its disk", three)
}

// TestProgressEndsWithANodeOfACluster starts a node again that has neither the
// identity nor the note.
func TestProgressEndsWithANodeOfACluster(t *testing.T) {
	t.Parallel()
	c := testkit.RedisCluster(t)
	at := func(key string) int {
		slot, err := strconv.Atoi(c.Nodes[0].Do(c.Control[0], "CLUSTER", "KEYSLOT", key))
		if err != nil {
			t.Fatal(err)
		}
		return slot * len(c.Nodes) / 16384
	}
	busy := []int{at("happening:store"), at(mirroredKey)}
	other := slices.IndexFunc([]int{0, 1, 2}, func(n int) bool { return !slices.Contains(busy, n) })
	first := open(t, c.URL, redis.Options{})
	p := begun(t, "a new cluster", first)
	p.Whole = true
	noted(t, p, first, open(t, c.URL, redis.Options{}))
	c.Nodes[other].Kill()
	c.Nodes[other].Start()
	control := c.Nodes[other].Client()
	testkit.Eventually(t, "node that is back", func() error {
		if info := c.Nodes[other].Do(control, "CLUSTER", "INFO"); !strings.Contains(info, "cluster_state:ok") {
			return errors.New(info)
		}
		return nil
	})
	second := open(t, c.URL, redis.Options{})
	testkit.Eventually(t, "answer from all nodes", func() error {
		_, err := second.Progress(t.Context())
		return err
	})
	if got := begun(t, "a node is empty", second); strings.Split(got.Contents, "/")[0] != strings.Split(p.Contents, "/")[0] {
		t.Error("the cluster has another name: nothing is shown")
	}
}

// TestAComparisonKeepsWhatNobodyUses: an event's version ends before its counter
// and waitlist do, and comparing them puts off the end of all three.
func TestAComparisonKeepsWhatNobodyUses(t *testing.T) {
	t.Parallel()
	server := testkit.Redis(t)
	control := server.Client()
	s := open(t, server.URL, redis.Options{})
	f := booking.Figures{EventID: uuid.New(), Version: 4, Available: 0, Waitlist: []uuid.UUID{uuid.New()}}
	key := "event:{" + f.EventID.String() + "}:"
	for range 2 {
		if _, err := s.Compare(t.Context(), []booking.Figures{f}); err != nil {
			t.Fatal(err)
		}
		for _, kept := range []string{"slots", "waitlist"} {
			left, err := strconv.ParseInt(server.Do(control, "PTTL", key+kept), 10, 64)
			if err != nil || left < (22*time.Hour).Milliseconds() {
				t.Errorf("%s ends in %v, %v", kept, time.Duration(left)*time.Millisecond, err)
			}
			server.Do(control, "PEXPIRE", key+kept, "3600000")
		}
		server.Do(control, "DEL", key+"live")
	}
}
