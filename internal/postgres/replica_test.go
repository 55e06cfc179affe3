package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"happening/internal/postgres"
	"happening/internal/testkit"
)

// The times of the signs of life under test.
const (
	quickBeat     = 50 * time.Millisecond
	quickPatience = 600 * time.Millisecond
)

func process(coordinated bool) postgres.Replica {
	return postgres.Replica{ID: uuid.New(), Coordinated: coordinated, Host: "host-a", PID: 4711, Version: "test"}
}

func register(t *testing.T, db *testkit.DB, me postgres.Replica) (*postgres.Presence, error) {
	t.Helper()
	p, err := db.RegisterQuickly(t.Context(), me, slog.New(slog.DiscardHandler), quickBeat, quickPatience)
	if err == nil {
		t.Cleanup(func() { _ = p.Leave(context.Background()) })
	}
	return p, err
}

func TestWhoToleratesWhom(t *testing.T) {
	for _, tt := range []struct {
		first, second bool
		want          string
	}{
		{true, true, ""},
		{false, false, "another copy is running on this database (host host-a, process 4711): set REDIS_URL"},
		{true, false, "set REDIS_URL"},
		{false, true, "without REDIS_URL: stop it"},
	} {
		db := testkit.NewDB(t)
		first, err := register(t, db, process(tt.first))
		if err != nil {
			t.Fatal(err)
		}
		_, err = register(t, db, process(tt.second))
		if tt.want == "" != (err == nil) || err != nil && (!errors.Is(err, postgres.ErrOtherCopy) || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("coordinated %t beside %t: %v", tt.second, tt.first, err)
		}
		there, err := db.Replicas(t.Context())
		if err != nil || len(there) != map[bool]int{true: 2, false: 1}[tt.want == ""] || there[0].Host != "host-a" || there[0].SeenAt.Before(there[0].StartedAt) {
			t.Errorf("%+v, %v", there, err)
		}
		if err := first.Leave(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := register(t, db, process(tt.second)); err != nil {
			t.Errorf("after a clean stop: %v", err)
		}
	}
}

func TestOfManyThatStartAtOnceOneRuns(t *testing.T) {
	db := testkit.NewDB(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var in, out int
	for range 10 {
		wg.Go(func() {
			_, err := register(t, db, process(false))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				in++
			case errors.Is(err, postgres.ErrOtherCopy):
				out++
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if in != 1 || out != 9 {
		t.Errorf("%d run, %d were refused", in, out)
	}
}

// TestAKilledProcessIsWaitedFor leaves a row behind that has nearly lapsed,
// and one that a lock proves dead. Where the machine stands still until the
// first has lapsed, nobody waits for it: then one is left that has longer.
func TestAKilledProcessIsWaitedFor(t *testing.T) {
	db := testkit.NewDB(t)
	killed := func(left time.Duration) {
		db.AsOwner(t, fmt.Sprintf(`INSERT INTO replicas VALUES (gen_random_uuid(), false, 'host-a', 1, 'v', now(), clock_timestamp() - interval '%d milliseconds')`,
			(postgres.ReplicaFresh-left).Milliseconds()))
	}
	for left, waited := 200*time.Millisecond, false; !waited; left *= 2 {
		if left > postgres.ReplicaFresh {
			t.Fatal("nobody waits for a process that lived a moment ago")
		}
		killed(left)
		log := newTold()
		p, err := db.RegisterQuickly(t.Context(), process(false), log.log(), quickBeat, takeover)
		if err != nil {
			t.Fatalf("%v, %s", err, log)
		}
		waited = strings.Contains(log.String(), "waiting whether it lives")
		if err := p.Leave(t.Context()); err != nil {
			t.Error(err)
		}
	}
	killed(postgres.ReplicaFresh)
	p, err := db.Register(t.Context(), process(false), true, newTold().log())
	if err != nil {
		t.Fatalf("alone for certain: %v", err)
	}
	if err := p.Leave(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestAReplacedProcessHearsOfIt takes rows away as a sweep does while their
// processes are frozen.
func TestAReplacedProcessHearsOfIt(t *testing.T) {
	db := testkit.NewDB(t)
	alone, err := register(t, db, process(false))
	if err != nil {
		t.Fatal(err)
	}
	db.AsOwner(t, "DELETE FROM replicas")
	select {
	case <-alone.Lost():
	case <-time.After(takeover):
		t.Fatal("it was replaced and goes on")
	}

	// Beside others that are coordinated, it comes back.
	me := process(true)
	shared, err := register(t, db, me)
	if err != nil {
		t.Fatal(err)
	}
	db.AsOwner(t, "DELETE FROM replicas")
	ctx, cancel := context.WithTimeout(t.Context(), takeover)
	defer cancel()
	for back := false; !back; {
		there, err := db.Replicas(ctx)
		if err != nil {
			t.Fatalf("it did not come back: %v", err)
		}
		back = len(there) == 1 && there[0].ID == me.ID
	}
	// Unless one is there that tolerates nobody.
	db.AsOwner(t, "UPDATE replicas SET id = gen_random_uuid(), coordinated = false, seen_at = clock_timestamp() + interval '30 seconds'")
	select {
	case <-shared.Lost():
	case <-time.After(takeover):
		t.Fatal("it goes on beside one that is alone")
	}
}

// at is a coordinated process with the Redis of that name.
func at(coordinator string) postgres.Replica {
	me := process(true)
	me.Coordinator = coordinator
	return me
}

// otherRedis is what a process is told that has another Redis than the rest.
const otherRedis = "(host host-a, process 4711) and uses another Redis: give all the same REDIS_URL, database number included"

func TestCoordinatedProcessesShareOneRedis(t *testing.T) {
	for _, tt := range []struct {
		first, second string
		together      bool
	}{
		{"a", "a", true},
		{"a", "b", false},
		{"", "b", true}, // the previous binary
		{"a", "", true},
	} {
		db := testkit.NewDB(t)
		if _, err := register(t, db, at(tt.first)); err != nil {
			t.Fatal(err)
		}
		_, err := register(t, db, at(tt.second))
		if tt.together != (err == nil) || err != nil && (!errors.Is(err, postgres.ErrOtherCopy) || !strings.Contains(err.Error(), otherRedis)) {
			t.Errorf("%q beside %q: %v", tt.second, tt.first, err)
		}
	}
}

// TestARedisThatWasFlushedHasANewName starts a process that knows the new name
// while another doesn't yet.
func TestARedisThatWasFlushedHasANewName(t *testing.T) {
	db := testkit.NewDB(t)
	first, err := register(t, db, at("old"))
	if err != nil {
		t.Fatal(err)
	}
	log, entered := newTold(), make(chan error, 1)
	go func() {
		p, err := db.RegisterQuickly(context.Background(), at("new"), log.log(), quickBeat, takeover)
		if err == nil {
			err = p.Leave(context.Background())
		}
		entered <- err
	}()
	log.await(t, "waiting whether it lives")
	if err := first.Coordinate(t.Context(), "new"); err != nil {
		t.Fatal(err)
	}
	if err := <-entered; err != nil {
		t.Error(err)
	}
	there, err := db.Replicas(t.Context())
	if err != nil || len(there) != 1 || there[0].Coordinator != "new" {
		t.Errorf("%+v, %v", there, err)
	}
}

// TestAFrozenProcessComesBackToItsRedisOnly sweeps the row of a process away,
// and lets another one with another Redis stand there when it wakes up.
func TestAFrozenProcessComesBackToItsRedisOnly(t *testing.T) {
	for _, learns := range []bool{true, false} {
		db := testkit.NewDB(t)
		me, log := at("old"), newTold()
		p, err := db.RegisterQuickly(t.Context(), me, log.log(), quickBeat, quickPatience)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = p.Leave(context.Background()) })
		db.AsOwner(t, "UPDATE replicas SET id = gen_random_uuid(), coordinator = 'new', seen_at = clock_timestamp() + interval '30 seconds'")
		log.await(t, "can't come back yet")
		if !learns {
			select {
			case <-p.Lost():
			case <-time.After(takeover):
				t.Fatal("it goes on beside one with another Redis")
			}
			continue
		}
		if err := p.Coordinate(t.Context(), "new"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), takeover)
		defer cancel()
		for there := []postgres.Replica(nil); len(there) != 2; {
			if there, err = db.Replicas(ctx); err != nil {
				t.Fatalf("it did not come back: %v", err)
			}
		}
	}
}

func TestAnInstallationHasOneName(t *testing.T) {
	db := testkit.NewDB(t)
	id, err := db.Installation(t.Context())
	if err != nil || id == uuid.Nil {
		t.Fatalf("%s, %v", id, err)
	}
	var seen uuid.UUID
	if err := db.App.QueryRow(t.Context(), "SELECT id FROM installation").Scan(&seen); err != nil || seen != id {
		t.Errorf("requests see %s instead of %s, %v", seen, id, err)
	}
	if _, err := db.System.Exec(t.Context(), "UPDATE installation SET id = gen_random_uuid()"); err == nil {
		t.Error("a plain role may rename it")
	}
	owner, err := pgx.Connect(t.Context(), db.ConnString(postgres.OwnerRole))
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close(t.Context())
	for _, second := range []string{"true", "false", "NULL"} {
		if _, err := owner.Exec(t.Context(), "INSERT INTO installation VALUES (gen_random_uuid(), "+second+")"); err == nil {
			t.Errorf("a second one stands, only_one is %s", second)
		}
	}
}
