//go:build linux

package system

import (
	"sync"
	"testing"
	"time"

	"happening/test/house"
)

const (
	// toldPeople book in one instant; the server dies with the last answer.
	toldPeople = 200
	toldRounds = 3
	// leaseLimit is for what the killed server had in hand, which is left alone
	// until its lease is over: 60 seconds for a fact on its way to the broker,
	// 45 for a mail.
	leaseLimit = 2 * time.Minute
)

// The server is killed the moment that bookings were acknowledged, before or
// while anybody is told of them. After the next start everybody finds the news
// once in the bell and at least once in the mailbox.
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
	for range toldRounds {
		var clients sync.WaitGroup
		for _, p := range people {
			clients.Go(func() { l.Place(c, l.Book(p, eventID, 1)) })
		}
		clients.Wait()
		server.Kill()
		kills = append(kills, time.Now())
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
	untold := 0
	for _, at := range kills {
		untold += house.Count(t, db, `SELECT count(*) FROM notifications n JOIN outbox o ON o.id = n.fact_id
			WHERE o.created_at < $1 AND (o.relayed_at > $1 OR n.sent_at > $1)`, at)
	}
	t.Logf("%d messages were still to be told when the server was killed", untold)
	if untold == 0 {
		t.Error("the kills came too late to show anything")
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
