//go:build linux

package system

import (
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"
)

const (
	// toldPeople book in one instant; the server dies with the last answer.
	toldPeople = 200
	toldRounds = 3
	// leaseLimit is for the mails that the killed server had in hand: they are
	// left alone until its lease of 45 seconds is over.
	leaseLimit = 90 * time.Second
)

// The server is killed the moment that bookings were acknowledged, before or
// while anybody is told of them. After the next start everybody finds the news
// once in the bell and at least once in the mailbox.
func TestNotificationsSurviveAKill(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	server := h.serve()
	c := newClient(h.api)
	t.Cleanup(c.close)
	admin := h.people("admin", 1)[0]
	eventID := c.event(t, admin, c.organization(t, admin), toldPeople*toldRounds, nil)
	people := h.people("told", toldPeople)
	l := newLedger()
	var kills []time.Time
	for range toldRounds {
		var clients sync.WaitGroup
		for _, p := range people {
			clients.Go(func() { l.place(c, l.book(p, eventID, 1)) })
		}
		clients.Wait()
		server.kill()
		kills = append(kills, time.Now())
		c.close()
		server = h.serve()
		l.resolve(t, c)
	}
	db := h.database()
	await(t, "every fact is relayed", settleLimit, func() bool {
		return count(t, db, `SELECT count(*) FROM outbox WHERE relayed_at IS NULL`) == 0
	})
	await(t, "every mail is sent", leaseLimit, func() bool {
		return count(t, db, `SELECT count(*) FROM notifications WHERE status = 'pending'`) == 0
	})
	untold := 0
	for _, at := range kills {
		untold += count(t, db, `SELECT count(*) FROM notifications n JOIN outbox o ON o.id = n.fact_id
			WHERE o.created_at < $1 AND (o.relayed_at > $1 OR n.sent_at > $1)`, at)
	}
	t.Logf("%d messages were still to be told when the server was killed", untold)
	if untold == 0 {
		t.Error("the kills came too late to show anything")
	}
	ops := newClient(h.ops)
	t.Cleanup(ops.close)
	for _, p := range people {
		bell, mails := bellOf(t, c, p), mailsTo(t, ops, p)
		booked := l.bookingsOf(p)
		if len(booked) != toldRounds {
			t.Errorf("%s has %d bookings, not %d", p.email, len(booked), toldRounds)
		}
		for _, id := range booked {
			if bell[id] != 1 {
				t.Errorf("%s finds %d notifications of the booking %s in the bell, not 1", p.email, bell[id], id)
			}
			delete(bell, id)
		}
		if len(bell) > 0 {
			t.Errorf("%s finds notifications in the bell that belong to nothing: %v", p.email, bell)
		}
		if mails < toldRounds {
			t.Errorf("%s got %d mails, not %d or more", p.email, mails, toldRounds)
		}
	}
	h.judge(l)
}

// bellOf counts a person's confirmations by booking.
func bellOf(t *testing.T, c *client, p *person) map[string]int {
	t.Helper()
	var page struct {
		Items []struct {
			Type      string `json:"type"`
			BookingID string `json:"booking_id"`
		} `json:"items"`
	}
	c.want(t, p, http.StatusOK, http.MethodGet, "/notifications?limit=100", nil, &page)
	found := map[string]int{}
	for _, n := range page.Items {
		if n.Type == "booking_confirmed" {
			found[n.BookingID]++
		} else {
			found["of type "+n.Type]++
		}
	}
	return found
}

// mailsTo counts the mails that the mailbox holds for a person.
func mailsTo(t *testing.T, ops *client, p *person) int {
	t.Helper()
	var page struct {
		Items []struct {
			To string `json:"to"`
		} `json:"items"`
	}
	ops.want(t, nil, http.StatusOK, http.MethodGet, "/mailbox?format=json&limit=100&to="+url.QueryEscape(p.email), nil, &page)
	for _, m := range page.Items {
		if m.To != p.email {
			t.Errorf("the mailbox shows a mail to %s among those to %s", m.To, p.email)
		}
	}
	return len(page.Items)
}

// bookingsOf lists what a person was told to have booked.
func (l *ledger) bookingsOf(who *person) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var ids []string
	for _, o := range l.orders {
		if o.who == who && o.told != nil {
			ids = append(ids, o.told.ID)
		}
	}
	return ids
}
