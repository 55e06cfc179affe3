//go:build linux && engines

package chaos

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"happening/test/house"
)

const (
	replicas = 3
	// calm is by when every map is right after the last change.
	calm = 2 * time.Second
	// watchers look on, spread over the replicas.
	watchers = 6
	// clients book at the same time.
	clients = 64
)

// reconciled brings Redis's figures to PostgreSQL's and wants that nothing
// differs afterwards (C6), nor is a hold on a sold seat.
func reconciled(t *testing.T, h *house.House) {
	t.Helper()
	h.Must("reconcile")
	wantNoDifference(t, h)
}

func wantNoDifference(t *testing.T, h *house.House) {
	t.Helper()
	if said := h.Must("reconcile"); !strings.Contains(said, "0 events differed") {
		t.Errorf("Redis differs from PostgreSQL: %s", said)
	}
}

// 2,000 people ask three replicas for 500 seats in one moment; then 64 clients
// book and give back at random over all of them, while the checker reads over
// their shoulders.
func TestSaleOverReplicas(t *testing.T) {
	r := house.NewReplicas(t, nil)
	r.StartMany(replicas)
	c := house.NewClient(r.House.API)
	t.Cleanup(c.Close)
	admin := r.House.People("admin", 1)[0]
	org := c.Organization(t, admin)
	l := house.NewLedger()
	t.Run("2000 for 500 at once", func(t *testing.T) {
		house.Rush(t, r.House, c, l, c.Event(t, admin, org, house.SaleSeats, nil))
	})
	t.Run("random booking and cancelling", func(t *testing.T) {
		var events []string
		for i := range house.StormEvents {
			policy := []string{"strict", "fit"}[i%2]
			events = append(events, c.Event(t, admin, org, house.StormSeats, map[string]any{"waitlist_policy": policy}))
		}
		house.Storm(t, r.House, c, l, events, stormLasts)
	})
	wantServed(t, r)
	r.House.Judge(l)
	reconciled(t, r.House)
}

// wantServed wants that no request failed on its way.
func wantServed(t *testing.T, r *house.Replicas) {
	t.Helper()
	if failed, none := r.Balancer.Failed.Load(), r.Balancer.None.Load(); failed+none > 0 {
		t.Errorf("%d requests failed at their server and %d found none", failed, none)
	}
}

// All replicas are stopped and started one after the other in the middle of a
// sale: no request is lost or answered 5xx, and everybody who watches ends with
// the map that PostgreSQL has.
func TestRollingRestart(t *testing.T) {
	r := house.NewReplicas(t, func(env map[string]string) { env["HAPPENING_DRAIN"] = "2s" })
	r.StartMany(replicas)
	s := house.OpenShop(t, r.House, clients)
	var all []*house.Watcher
	for range watchers {
		all = append(all, house.Watch(t, r.House.API, nil, s.EventID))
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	closed := s.Open(ctx, house.GoHome)
	readers := readMap(ctx, t, s)
	began := time.Now()
	before := s.Ledger.Acks.Load()
	for _, p := range r.All {
		s.Busy(t)
		p.Terminate()
		p.Restart()
	}
	s.Busy(t)
	took, changes := time.Since(began), s.Ledger.Acks.Load()-before
	cancel()
	closed()
	wantMaps(t, s.House, all, s.EventID)
	t.Logf("%d orders (%.0f a second) and %d maps were answered during the restart of all %d, which took %v; the longest answer took %v",
		changes, float64(changes)/took.Seconds(), readers(), replicas, took.Round(time.Millisecond), s.Ledger.Longest().Round(time.Millisecond))
	if open := s.Ledger.Open(); len(open) > 0 {
		t.Errorf("%d orders were not answered, or with 5xx", len(open))
	}
	wantServed(t, r)
	for i, w := range all {
		t.Logf("watcher %d: %d connections, %d snapshots, %d deltas", i, w.Opened(), w.Fetched(), w.Deltas())
		if w.Opened() < 2 {
			t.Errorf("watcher %d never moved to another replica: nothing is shown by it", i)
		}
	}
	s.House.Judge(s.Ledger)
	reconciled(t, s.House)
}

// readMap reads the event's map again and again until ctx ends; every answer has to be
// 200. It answers how many there were, once they have ended.
func readMap(ctx context.Context, t *testing.T, s *house.Shop) (read func() int64) {
	var readers sync.WaitGroup
	var answered atomic.Int64
	for range 2 {
		readers.Go(func() {
			c := house.NewClient(s.House.API)
			defer c.Close()
			for ctx.Err() == nil {
				if status := c.Status("/events/" + s.EventID + "/seats"); status != http.StatusOK {
					t.Errorf("the map was answered with status %d", status)
					return
				}
				answered.Add(1)
			}
		})
	}
	return func() int64 { readers.Wait(); return answered.Load() }
}

// wantMaps wants that every watcher's map is PostgreSQL's soon after the last
// change.
func wantMaps(t *testing.T, h *house.House, all []*house.Watcher, eventID string) {
	t.Helper()
	began := time.Now()
	truth := house.Sold(t, h.Database(), eventID)
	right := func() (n int) {
		for _, w := range all {
			if w.Sees(truth) {
				n++
			}
		}
		return n
	}
	if !house.Looked(house.SettleLimit, func() bool { return right() == len(all) }) {
		t.Errorf("%d of %d watchers never see what PostgreSQL has", len(all)-right(), len(all))
		return
	}
	took := time.Since(began)
	t.Logf("all %d maps were right %v after calm", len(all), took.Round(time.Millisecond))
	if insist && took > calm {
		t.Errorf("the maps were right only after %v", took)
	}
}

// Replicas are killed in turn in the middle of a sale. Nothing that was
// acknowledged is lost, and the same order with the same key, sent to whichever
// replica is there, finds out what became of each.
func TestKilledReplicas(t *testing.T) {
	r := house.NewReplicas(t, nil)
	r.StartMany(replicas)
	s := house.OpenShop(t, r.House, clients)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var unsure, unresolved atomic.Int64
	closed := s.Open(ctx, func(o *house.Order) bool {
		unsure.Add(1)
		if !s.Ledger.Insist(s.Client, o) {
			unresolved.Add(1)
		}
		return true
	})
	for i := range killRounds {
		s.Busy(t)
		p := r.All[i%len(r.All)]
		p.Kill()
		p.Restart()
	}
	s.Busy(t)
	cancel()
	closed()
	t.Logf("%d kills; %d outcomes were unknown, %d of them stayed so; %d orders were acknowledged", killRounds, unsure.Load(), unresolved.Load(), s.Ledger.Acks.Load())
	if unsure.Load() == 0 {
		t.Error("no outcome was ever unknown: the kills came at the wrong moments and show nothing")
	}
	s.House.Judge(s.Ledger)
	reconciled(t, s.House)
}

// What one replica was told holds at the others at once.
func TestReplicasShare(t *testing.T) {
	t.Parallel()
	r := house.NewReplicas(t, nil)
	r.StartMany(2)
	a, b := house.NewClient(r.All[0].API), house.NewClient(r.All[1].API)
	t.Cleanup(a.Close)
	t.Cleanup(b.Close)
	admin := r.House.People("admin", 1)[0]
	org := a.Organization(t, admin)
	people := r.House.People("sharer", 2)
	ada, bob := people[0], people[1]
	l := house.NewLedger()

	t.Run("holds", func(t *testing.T) {
		eventID := a.Event(t, admin, org, 10, nil)
		a.Want(t, ada, http.StatusOK, http.MethodPut, "/events/"+eventID+"/holds", map[string]any{"seat_numbers": []int{3, 4}}, nil)
		var held struct{ Granted, Conflicts []int }
		b.Want(t, bob, http.StatusOK, http.MethodPut, "/events/"+eventID+"/holds", map[string]any{"seat_numbers": []int{4, 5}}, &held)
		if len(held.Granted) != 1 || held.Granted[0] != 5 || len(held.Conflicts) != 1 || held.Conflicts[0] != 4 {
			t.Errorf("at the other replica a held seat is told %+v", held)
		}
		o := l.Order(bob, "/bookings", map[string]any{"event_id": eventID, "seats": 1, "seat_numbers": []int{3}})
		if l.Place(b, o); o.Refused != "seats_unavailable" {
			t.Errorf("booking a seat that is held at the other replica: %+v, refused %q", o.Told, o.Refused)
		}
		if m := mapOf(t, b, eventID); m.Seats[2] != house.SeatHeld || m.Seats[3] != house.SeatHeld || m.Seats[4] != house.SeatHeld {
			t.Errorf("the other replica's map shows %v", m.Seats)
		}
		o = l.Order(ada, "/bookings", map[string]any{"event_id": eventID, "seats": 2, "seat_numbers": []int{3, 4}})
		if l.Place(b, o); o.Told == nil {
			t.Errorf("whoever holds the seats can't book them at the other replica: %q", o.Refused)
		}
	})
	t.Run("limits of a sale", func(t *testing.T) {
		eventID := a.Event(t, admin, org, 10, map[string]any{"max_seats_per_user": 3})
		for i, c := range []*house.Client{a, b, a, b} {
			o := l.Book(ada, eventID, 1)
			l.Place(c, o)
			if i < 3 && o.Told == nil || i == 3 && o.Refused != "seat_limit" {
				t.Errorf("booking %d: %+v, refused %q", i+1, o.Told, o.Refused)
			}
		}
	})
	t.Run("a key", func(t *testing.T) {
		eventID := a.Event(t, admin, org, 10, nil)
		o := l.Book(ada, eventID, 2)
		l.Place(a, o)
		first := o.Told
		l.Place(b, o)
		if first == nil || o.Told == nil || o.Told.ID != first.ID {
			t.Errorf("the key was answered %+v and, by the other replica, %+v", first, o.Told)
		}
	})
	r.House.Judge(l)
}

func mapOf(t *testing.T, c *house.Client, eventID string) house.Map {
	t.Helper()
	m, err := house.ReadMap(c.Get(t, nil, "/events/"+eventID+"/seats"))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// A person's requests are counted over all replicas.
func TestReplicasShareRates(t *testing.T) {
	t.Parallel()
	const rate = 5 // a second; twice as many at once
	r := house.NewReplicas(t, func(env map[string]string) { env["HAPPENING_LIMIT_PERSON"] = "5" })
	r.StartMany(2)
	doors := []*house.Client{house.NewClient(r.All[0].API), house.NewClient(r.All[1].API)}
	who := r.House.People("hasty", 1)[0]
	let, began := 0, time.Now()
	const asked = 40
	for i := range asked {
		if a := doors[i%2].Get(t, who, "/users/me"); a.Status == http.StatusOK {
			let++
		} else if a.Status != http.StatusTooManyRequests || a.Header.Get("Retry-After") == "" {
			t.Errorf("over the limit: %s", a)
		}
	}
	took := time.Since(began)
	most := 2*rate + int(rate*took.Seconds()) + 1
	t.Logf("%d of %d requests were let through in %v", let, asked, took.Round(time.Millisecond))
	if let > most {
		t.Errorf("%d requests were let through in %v, at most %d may be", let, took, most)
	}
	for _, c := range doors {
		c.Close()
	}
}

const (
	// signedOut is by when a sign-out has reached every replica.
	signedOut = time.Second
	// signOuts are how often it is timed where the machine may stand still for
	// longer: what is slow by itself is slow each time.
	signOuts = 5
)

// A sign-out at one replica ends the session and its websocket at the other.
func TestSignOutReachesReplicas(t *testing.T) {
	t.Parallel()
	r := house.NewReplicas(t, nil)
	first := r.Start("--demo")
	second := r.Start()
	var took []time.Duration
	for range signOuts {
		took = append(took, signOut(t, first, second))
		if slices.Min(took) <= signedOut {
			return
		}
	}
	t.Errorf("sign-outs took %v to reach the other replica, each more than %v", took, signedOut)
}

// signOut signs somebody out at one replica and tells how long it takes until
// the other one knows.
func signOut(t *testing.T, at, other *house.Replica) time.Duration {
	t.Helper()
	// The password is kept where the demo was made.
	b := at.SignIn("user1@demo.test")
	c := house.NewClient(other.Client)
	defer c.Close()
	if a := c.Get(t, nil, "/api/users/me", b.Cookie()); a.Status != http.StatusOK {
		t.Fatalf("the session at the other replica: %s", a)
	}
	ended := house.OpenSocket(t, other.Client, at.PublicURL(), b.Cookie())
	began := time.Now()
	a := house.NewClient(at.Client)
	defer a.Close()
	if out := a.Send(t, nil, http.MethodPost, "/auth/logout", nil, b.Cookie(), "Origin: "+at.PublicURL(), "Sec-Fetch-Site: same-origin"); out.Status >= http.StatusBadRequest {
		t.Fatalf("signing out: %s", out)
	}
	house.Await(t, "the session is over at the other replica", house.SettleLimit, func() bool {
		return c.Get(t, nil, "/api/users/me", b.Cookie()).Status == http.StatusUnauthorized
	})
	session := time.Since(began)
	select {
	case <-ended:
	case <-time.After(house.SettleLimit):
		t.Fatalf("the websocket at the other replica is still open after %v", house.SettleLimit)
	}
	took := time.Since(began)
	t.Logf("at the other replica the session was over after %v and the websocket after %v", session.Round(time.Millisecond), took.Round(time.Millisecond))
	return took
}

// A second process is refused where the processes could not work together, in
// one line.
func TestAloneWithoutRedis(t *testing.T) {
	t.Parallel()
	r := house.NewReplicas(t, func(env map[string]string) { delete(env, "REDIS_URL") })
	first := r.Start()
	other := r.Prepare()
	for name, args := range map[string][]string{"a second process": {"serve"}, "a part": {"serve", "--only", "api"}} {
		got := other.Run(args...)
		if lines := got.Faults(); got.Status != 1 || len(lines) != 1 || !strings.Contains(lines[0], "REDIS_URL") {
			t.Errorf("%s without REDIS_URL: status %d, said %q", name, got.Status, got.Stderr)
		}
	}
	if first.Ended() {
		t.Errorf("the first process was disturbed:\n%s", first.Said())
	}
	// Killed, it stands in nobody's way for long.
	first.Server.Signal(syscall.SIGKILL)
	house.Await(t, "the first is gone", house.SettleLimit, first.Ended)
	other.Relaunch()
	house.Await(t, "another one takes its place", house.SettleLimit, func() bool { return other.Ended() || other.IsReady() })
	if other.Ended() {
		t.Errorf("another one can't take its place:\n%s", other.Said())
	}
}
