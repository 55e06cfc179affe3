//go:build linux

package system

import (
	"context"
	"sync"
	"testing"
	"time"

	"happening/test/house"
)

const (
	// toldPeople book in each round. In all but the first round half of them are
	// told before the others book, so that some telling is over at the kill and
	// some is not.
	toldPeople = 200
	toldRounds = 3
	// leaseLimit is for what the killed server had in hand, which is left alone
	// until its lease is over: 60 seconds for a fact on its way to the broker,
	// 45 for a mail.
	leaseLimit = 2 * time.Minute
)

// The server is killed when bookings were acknowledged and it is about to tell
// of them: a lock that the test has keeps it from writing any message, so that
// each kill is for certain one before, or in the middle of, the telling. After
// the next start everybody finds the news once in the bell and at least once in
// the mailbox.
func TestNotificationsSurviveAKill(t *testing.T) {
	t.Parallel()
	h := house.New(t)
	server := h.Serve()
	c := house.NewClient(h.API)
	t.Cleanup(c.Close)
	admin := h.People("admin", 1)[0]
	eventID := c.Event(t, admin, c.Organization(t, admin), toldPeople*toldRounds, nil)
	people := h.People("told", toldPeople)
	l := house.NewLedger()
	var kills []time.Time
	for round := range toldRounds {
		early := people[:toldPeople/2]
		if round == 0 {
			early = nil
		}
		booked := bookOneEach(l, c, early, eventID)
		db := h.Database()
		house.Await(t, "the first are told", leaseLimit, func() bool {
			return house.Count(t, db, `SELECT count(*) FROM notifications WHERE channel = 'app' AND booking_id = ANY($1)`, booked) == len(booked)
		})
		house.Exec(t, db, "BEGIN; LOCK TABLE notifications IN SHARE ROW EXCLUSIVE MODE")
		bookOneEach(l, c, people[len(early):], eventID)
		house.Await(t, "the server tells", house.SettleLimit, func() bool {
			return house.Count(t, db, `SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`) > 0
		})
		server.Kill()
		kills = append(kills, time.Now())
		_ = db.Close(context.Background()) // with its lock, and where PostgreSQL is embedded it is gone
		c.Close()
		server = h.Serve()
		l.Resolve(t, c)
	}
	db := h.Database()
	house.Await(t, "every fact is relayed", leaseLimit, func() bool {
		return house.Count(t, db, `SELECT count(*) FROM outbox WHERE relayed_at IS NULL`) == 0
	})
	house.Await(t, "every mail is sent", leaseLimit, func() bool {
		return house.Count(t, db, `SELECT count(*) FROM notifications WHERE status = 'pending'`) == 0
	})
	for i, at := range kills {
		untold := house.Count(t, db, `SELECT count(*) FROM outbox WHERE created_at < $1 AND relayed_at > $1`, at)
		t.Logf("kill %d: %d bookings were still to be told of", i+1, untold)
		if untold == 0 {
			t.Errorf("everything had been told at kill %d", i+1)
		}
	}
	ops := house.NewClient(h.Ops)
	t.Cleanup(ops.Close)
	for _, p := range people {
		bell, mails := house.BellOf(t, c, p), house.MailsTo(t, ops, p)
		booked := l.BookingsOf(p)
		if len(booked) != toldRounds {
			t.Errorf("%s has %d bookings, not %d", p.Email, len(booked), toldRounds)
		}
		for _, id := range booked {
			if bell[id] != 1 {
				t.Errorf("%s finds %d notifications of the booking %s in the bell, not 1", p.Email, bell[id], id)
			}
			delete(bell, id)
		}
		if len(bell) > 0 {
			t.Errorf("%s finds notifications in the bell that belong to nothing: %v", p.Email, bell)
		}
		if mails < toldRounds {
			t.Errorf("%s got %d mails, not %d or more", p.Email, mails, toldRounds)
		}
	}
	h.Judge(l)
}

// bookOneEach lets people book a seat each, all at once, and gives the bookings that
// they were told of.
func bookOneEach(l *house.Ledger, c *house.Client, people []*house.Person, eventID string) (ids []string) {
	orders := make([]*house.Order, len(people))
	var clients sync.WaitGroup
	for i, p := range people {
		orders[i] = l.Book(p, eventID, 1)
		clients.Go(func() { l.Place(c, orders[i]) })
	}
	clients.Wait()
	ids = []string{}
	for _, o := range orders {
		if o.Told != nil {
			ids = append(ids, o.Told.ID)
		}
	}
	return ids
}
