//go:build linux && engines

package chaos

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/rueidis"

	"happening/internal/testkit"
	"happening/test/house"
)

const (
	// saleRate is how many orders a second are sent while Redis is broken.
	saleRate = 150
	// leastRate is how many a second have to be acknowledged over the whole sale.
	// The figure to reach is 100, which is told.
	leastRate = 50
	// mended is by when the keys are right again.
	mended = 10 * time.Second
	// breakAfter is how many are acknowledged before it is broken.
	breakAfter = 2 * saleRate
	// sellOn is for how long the sale goes on after Redis is whole again.
	sellOn = 3 * time.Second
	// answered is the longest that a sale may stand still. The figure to reach is
	// a second, which is told; on a busy machine more passes, but nobody waits
	// for as long as the engine is away.
	answered = 3 * time.Second
	// breaks are how often a sale is broken where the machine stands still for
	// longer than that: what waits for the engine does so each time.
	breaks = 3
	// cancelEach is which of a client's bookings it cancels again.
	cancelEach = 7
)

// damage is one way to break Redis in the middle of a sale.
type damage struct {
	name string
	// lasts is for how long Redis is away; 0: not at all.
	lasts time.Duration
	begin func(s *redisSale)
	end   func(s *redisSale)
}

var damages = []damage{
	{"flushed", 0, func(s *redisSale) { s.server.Do(s.redis, "FLUSHALL") }, nil},
	{"frozen", redisFrozen, func(s *redisSale) { s.server.Freeze() }, func(s *redisSale) { s.server.Thaw() }},
	{"killed, restarted empty", 2 * time.Second, func(s *redisSale) { s.server.Kill() }, func(s *redisSale) { s.server.Start() }},
	{"counter too high", 0, func(s *redisSale) { s.server.Do(s.redis, "INCRBY", s.counter(), "1000") }, nil},
	{"counter too low", 0, func(s *redisSale) { s.server.Do(s.redis, "SET", s.counter(), "0") }, nil},
	{"counter gone", 0, func(s *redisSale) { s.server.Do(s.redis, "DEL", s.counter()) }, nil},
}

// redisSale is a sale over two replicas on a Redis of its own.
type redisSale struct {
	t       *testing.T
	r       *house.Replicas
	server  *testkit.RedisServer
	redis   rueidis.Client
	c       *house.Client
	db      *pgx.Conn
	admin   *house.Person
	org     string
	people  []*house.Person
	l       *house.Ledger
	eventID string
}

func newRedisSale(t *testing.T) *redisSale {
	t.Helper()
	server := testkit.Redis(t)
	r := house.NewReplicas(t, func(env map[string]string) { env["REDIS_URL"] = server.URL })
	r.StartMany(2)
	c := house.NewClient(r.House.API)
	t.Cleanup(c.Close)
	admin := r.House.People("admin", 1)[0]
	return &redisSale{
		t: t, r: r, server: server, redis: server.Client(), c: c, db: r.House.Database(),
		admin: admin, org: c.Organization(t, admin), people: r.House.People("buyer", clients), l: house.NewLedger(),
	}
}

// counter is the key of the event's remaining capacity.
func (s *redisSale) counter() string { return "event:{" + s.eventID + "}:slots" }

// Redis is broken in each way in the middle of a sale: every seat is sold, none
// twice; the sale doesn't stand still for a second; the map says that it isn't
// live, and is again; the keys are right again by themselves.
func TestBrokenRedis(t *testing.T) {
	s := newRedisSale(t)
	for range redisRounds {
		for _, d := range damages {
			t.Run(d.name, func(t *testing.T) { goesOn(t, func() time.Duration { return s.breaks(t, d) }) })
		}
	}
	t.Run("quiet events", s.quiet)
	t.Run("events that nobody asks for", s.unasked)
	s.r.House.Judge(s.l)
	wantServed(t, s.r)
}

// goesOn breaks a sale, and again where it stood still for too long.
func goesOn(t *testing.T, breakIt func() (silence time.Duration)) {
	t.Helper()
	var silences []time.Duration
	for range breaks {
		silences = append(silences, breakIt())
		if slices.Min(silences) <= answered || t.Failed() {
			return
		}
	}
	t.Errorf("nobody was answered for %v", silences)
}

// quiet breaks the figures of events at which nobody books, which no sale brings
// right again: that is left to the repair.
func (s *redisSale) quiet(t *testing.T) {
	const seats, sold = 10, 4
	spoiled := map[string][]string{}
	for what, command := range map[string][]string{
		"too high": {"INCRBY", ":slots", "1000"}, "too low": {"DECRBY", ":slots", "3"}, "gone": {"DEL", ":slots"},
		"no number": {"SET", ":slots", "many"}, "a stranger waits": {"RPUSH", ":waitlist", s.admin.ID},
	} {
		eventID := s.c.Event(t, s.admin, s.org, seats, nil)
		for _, p := range s.people[:sold] {
			s.l.Place(s.c, s.l.Book(p, eventID, 1))
		}
		command[1] = "event:{" + eventID + "}" + command[1]
		s.server.Do(s.redis, command...)
		spoiled[what] = []string{"event:{" + eventID + "}:slots", "event:{" + eventID + "}:waitlist"}
	}
	began := time.Now()
	for what, keys := range spoiled {
		house.Await(t, what+": right again", house.SettleLimit, func() bool {
			return s.server.Do(s.redis, "GET", keys[0]) == strconv.Itoa(seats-sold) && s.server.Do(s.redis, "LLEN", keys[1]) == "0"
		})
	}
	took := time.Since(began)
	t.Logf("%d quiet events were right again after %v", len(spoiled), took.Round(time.Millisecond))
	if insist && took > mended {
		t.Errorf("it took %v to bring quiet events right", took)
	}
	wantNoDifference(t, s.r.House)
}

// breaks sells one event out, over the damage, and tells for how long nobody was
// answered.
func (s *redisSale) breaks(t *testing.T, d damage) (silence time.Duration) {
	seats := int((d.lasts+sellOn).Seconds()*saleRate) + breakAfter
	s.eventID = s.c.Event(t, s.admin, s.org, seats, nil)
	watcher := house.Watch(t, s.r.House.API, nil, s.eventID)
	s.l.Silence()
	s.l.Longest()
	began := time.Now()
	before := s.l.Acks.Load()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	soldOut := s.sell(ctx)
	s.l.AwaitAcks(t, breakAfter)
	d.begin(s)
	if d.lasts > 0 {
		s.away(t, d.lasts)
		d.end(s)
	}
	whole := time.Now()
	s.rightSoon(t)
	right := time.Since(whole)
	house.Await(t, "the map is live", house.SettleLimit, func() bool { return mapOf(t, s.c, s.eventID).Live })
	soldOut()
	took := time.Since(began)
	rate := float64(s.l.Acks.Load()-before) / took.Seconds()
	longest := s.l.Longest()
	silence = s.l.Silence()
	t.Logf("%d seats sold out in %v at %.0f orders a second; the longest silence %v, the longest answer %v; the counter was right %v after Redis was whole",
		seats, took.Round(time.Millisecond), rate, silence.Round(time.Millisecond), longest.Round(time.Millisecond), right.Round(time.Millisecond))
	if insist && (rate < leastRate || right > mended) {
		t.Errorf("the sale went on at %.0f orders a second, %d are wanted; the counter was right after %v, %v is wanted", rate, leastRate, right, mended)
	}
	sold := house.Numbers(t, s.db, `SELECT seat_no FROM booking_seats WHERE event_id = $1 AND status = 'booked'`, s.eventID)
	house.WantRow(t, "seats sold", sold, seats)
	house.Await(t, "the watcher sees the event sold out", house.SettleLimit, func() bool { return watcher.Sees(house.Sold(t, s.db, s.eventID)) })
	s.rightAtLast(t)
	// Nobody asks for the events of earlier rounds any more; after a quarter of an
	// hour none of them is in a process's memory.
	s.allRight(t)
	wantNoDifference(t, s.r.House)
	return silence
}

// allRight waits until Redis has the counters of all events.
func (s *redisSale) allRight(t *testing.T) {
	t.Helper()
	began, events, wrong := time.Now(), 0, 0
	house.Await(t, "the counters of all events are right", house.SettleLimit, func() bool {
		events, wrong = s.counters(t)
		return wrong == 0
	})
	t.Logf("the counters of all %d events were right after %v", events, time.Since(began).Round(time.Millisecond))
}

// counters says how many events there are, and of how many the counter in Redis
// is not PostgreSQL's.
func (s *redisSale) counters(t *testing.T) (events, wrong int) {
	t.Helper()
	rows, err := s.db.Query(context.Background(), `SELECT id::text, available_slots::text FROM events`)
	if err != nil {
		t.Fatal(err)
	}
	var id, available string
	_, err = pgx.ForEachRow(rows, []any{&id, &available}, func() error {
		events++
		if s.server.Do(s.redis, "GET", "event:{"+id+"}:slots") != available {
			wrong++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return events, wrong
}

// unasked empties Redis while the events are in no process's memory, and then
// once more while the processes run, and asks for none of them.
func (s *redisSale) unasked(t *testing.T) {
	for _, p := range s.r.All {
		p.Terminate()
	}
	s.server.Do(s.redis, "FLUSHALL")
	// The control: nobody is there who could have brought any.
	if events, wrong := s.counters(t); wrong != events || events == 0 {
		t.Fatalf("of %d events %d are wrong in an empty Redis", events, wrong)
	}
	for _, p := range s.r.All {
		p.Restart()
	}
	s.allRight(t)
	s.server.Do(s.redis, "FLUSHALL")
	s.allRight(t)
	wantNoDifference(t, s.r.House)
}

// sell lets clients book seat by seat, and now and then cancel again, at the
// sale's rate, until each waits because all are sold; whatever is cancelled
// after that goes to those who wait. It answers a function that waits for that.
// Nobody notes maps for the histories: without Redis a process shows what others
// sold up to two seconds late.
func (s *redisSale) sell(ctx context.Context) (soldOut func()) {
	pace := time.NewTicker(time.Second / saleRate)
	var clients sync.WaitGroup
	for _, p := range s.people {
		clients.Go(func() {
			for n := 1; ctx.Err() == nil; n++ {
				<-pace.C
				o := s.l.Book(p, s.eventID, 1)
				s.l.Place(s.c, o)
				if o.Told == nil {
					s.t.Errorf("a booking was refused: %q, unknown %v", o.Refused, o.Unknown)
					return
				}
				if o.Told.Status == "waiting" {
					return
				}
				if n%cancelEach == 0 {
					s.l.Place(s.c, s.l.Cancel(p, o.Told.ID))
				}
			}
		})
	}
	return func() { clients.Wait(); pace.Stop() }
}

// away looks at what people see while Redis is away, for as long as that
// lasts.
func (s *redisSale) away(t *testing.T, lasts time.Duration) {
	t.Helper()
	over := time.After(lasts)
	house.Await(t, "the map says that it is not live", house.SettleLimit, func() bool { return !mapOf(t, s.c, s.eventID).Live })
	longest, puts := time.Duration(0), 0
	for {
		select {
		case <-over:
			t.Logf("while Redis was away holds were refused %d times, after %v at most", puts, longest.Round(time.Millisecond))
			return
		default:
		}
		began := time.Now()
		a := s.c.Send(t, s.admin, http.MethodPut, "/events/"+s.eventID+"/holds", map[string]any{"seat_numbers": []int{1}})
		puts++
		longest = max(longest, time.Since(began))
		if a.Status != http.StatusServiceUnavailable || a.Code() != "holds_unavailable" || a.Header.Get("Retry-After") == "" {
			t.Errorf("a hold while Redis is away: %s", a)
		}
		if m := mapOf(t, s.c, s.eventID); m.Live {
			t.Error("the map says that it is live while Redis is away")
		}
	}
}

// rightSoon waits until the counter is PostgreSQL's, in the middle of a sale:
// not outside of what PostgreSQL had before and after it was read.
func (s *redisSale) rightSoon(t *testing.T) {
	t.Helper()
	available := func() int {
		return house.Count(t, s.db, `SELECT available_slots FROM events WHERE id = $1`, s.eventID)
	}
	house.Await(t, "the counter in Redis is right", house.SettleLimit, func() bool {
		before := available()
		// The last figure told may be one that PostgreSQL had while it was told.
		text := s.server.Do(s.redis, "GET", s.counter())
		after := available()
		n, err := strconv.Atoi(text)
		return err == nil && n >= min(before, after)-tolerance && n <= max(before, after)+tolerance
	})
}

// rightAtLast waits, when nobody orders any more, until Redis has been told of
// the last orders and has exactly what PostgreSQL has.
func (s *redisSale) rightAtLast(t *testing.T) {
	t.Helper()
	slots := house.Count(t, s.db, `SELECT available_slots FROM events WHERE id = $1`, s.eventID)
	waiting := house.Count(t, s.db, `SELECT waiting_parties FROM events WHERE id = $1`, s.eventID)
	house.Await(t, "Redis has the last orders", house.SettleLimit, func() bool {
		return s.server.Do(s.redis, "GET", s.counter()) == strconv.Itoa(slots) &&
			s.server.Do(s.redis, "LLEN", strings.Replace(s.counter(), ":slots", ":waitlist", 1)) == strconv.Itoa(waiting)
	})
}

// tolerance is how many seats may be sold or freed between a commit and the
// moment at which Redis is told of it, at the sale's rate.
const tolerance = saleRate / 2

// The control of the row above: `reconcile` tells a wrong counter right after
// it was written, and a waitlist that is not PostgreSQL's, and mends both.
func TestReconcileTellsWhatDiffers(t *testing.T) {
	s := newRedisSale(t)
	s.eventID = s.c.Event(t, s.admin, s.org, 3, nil)
	for _, p := range s.people[:5] {
		s.l.Place(s.c, s.l.Book(p, s.eventID, 1))
	}
	// The repair of the two replicas would be at it within seconds, and is
	// where it shows that they are gone.
	for _, p := range s.r.All {
		p.Terminate()
	}
	wantNoDifference(t, s.r.House)
	for what, command := range map[string][]string{
		"a counter too high": {"SET", s.counter(), "7"},
		"a counter too low":  {"DECRBY", s.counter(), "2"},
		"one who waits lost": {"LPOP", strings.Replace(s.counter(), ":slots", ":waitlist", 1)},
		"nothing left":       {"FLUSHALL"},
	} {
		s.server.Do(s.redis, command...)
		said := s.r.House.Must("reconcile")
		if !strings.Contains(said, s.eventID) || !strings.Contains(said, "1 events differed") {
			t.Errorf("%s is not told: %s", what, said)
		}
		wantNoDifference(t, s.r.House)
		if got := s.server.Do(s.redis, "GET", s.counter()); got != "0" {
			t.Errorf("%s: the counter is mended to %q", what, got)
		}
		if got := s.server.Do(s.redis, "LLEN", strings.Replace(s.counter(), ":slots", ":waitlist", 1)); got != fmt.Sprint(2) {
			t.Errorf("%s: the waitlist is mended to %q", what, got)
		}
	}
	s.r.House.Judge(s.l)
}
