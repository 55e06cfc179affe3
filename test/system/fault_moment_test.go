//go:build linux && !engines

package system

import (
	"context"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"happening/internal/testkit"
	"happening/test/house"
)

// Parts of the statements by which facts and mails are marked as done with.
const (
	marksFacts = "UPDATE outbox SET relayed_at = $2 WHERE id = ANY"
	marksMails = "r.outcome"
)

// momentPeople is how many book here, one after the other.
const momentPeople = 12

// moments is a house of which the server is killed where a wire or the post lets
// it stand still.
type moments struct {
	*house.House
	t       *testing.T
	wire    *testkit.Wire
	post    *house.Post
	db      *pgx.Conn
	server  *house.Server
	c       *house.Client
	l       *house.Ledger
	eventID string
	people  []*house.Person // who have not booked yet
}

// booked is somebody with the one booking that they have.
type booked struct {
	*house.Person
	id string
}

func newMoments(t *testing.T) *moments {
	t.Helper()
	h, wire, cluster := newWired(t, nil)
	m := &moments{House: h, t: t, wire: wire, post: house.NewPost(t), l: house.NewLedger()}
	h.Env["SMTP_URL"] = m.post.URL()
	m.server = h.Serve()
	m.db = cluster.Connect()
	m.c = house.NewClient(h.API)
	t.Cleanup(m.c.Close)
	m.people = h.People("moment", momentPeople)
	m.eventID = m.c.Event(t, m.people[0], m.c.Organization(t, m.people[0]), momentPeople, nil)
	return m
}

// book lets the next one book.
func (m *moments) book() booked {
	m.t.Helper()
	who := m.people[0]
	m.people = m.people[1:]
	o := m.l.Book(who, m.eventID, 1)
	if m.l.Place(m.c, o); o.Told == nil {
		m.t.Fatalf("a booking is answered %d %s", o.Status, o.Refused)
	}
	return booked{who, o.Told.ID}
}

// reached waits until the server stands at a moment.
func (m *moments) reached(what string, moment <-chan struct{}) {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), house.SettleLimit)
	defer cancel()
	select {
	case <-moment:
	case <-ctx.Done():
		m.t.Fatalf("after %v still not: %s", house.SettleLimit, what)
	}
}

// kill ends the server where it stands. After it nothing of the server's goes on
// in PostgreSQL either.
func (m *moments) kill(stops ...*testkit.Stop) {
	m.t.Helper()
	m.server.Kill()
	for _, s := range stops {
		s.Over()
	}
	m.c.Close()
	house.Await(m.t, "the connections of the dead are gone", house.SettleLimit, func() bool {
		return house.Count(m.t, m.db, `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND application_name LIKE 'happening%'`) == 0
	})
}

// next starts the next server and waits until it has told somebody who books
// there, and with them all who were to be told before. For how long mails that a
// dead process had in hand are left alone is shown by
// notify.TestAKilledWorkersMailsAreTakenUpAfterTheLease, here nobody waits for that.
func (m *moments) next() {
	m.t.Helper()
	house.Exec(m.t, m.db, `DELETE FROM replicas`)
	house.Exec(m.t, m.db, `UPDATE leases SET expires_at = clock_timestamp()`)
	house.Exec(m.t, m.db, `UPDATE notifications SET next_try_at = clock_timestamp() WHERE status = 'pending'`)
	m.server = m.Serve()
	last := m.book()
	house.Await(m.t, "who books last is told", house.SettleLimit, func() bool { return len(m.post.Accepted(last.Person)) > 0 })
	house.Await(m.t, "everything is told", house.SettleLimit, func() bool {
		return m.count(`SELECT count(*) FROM outbox WHERE relayed_at IS NULL`) == 0 &&
			m.count(`SELECT count(*) FROM notifications WHERE status = 'pending'`) == 0
	})
}

func (m *moments) count(sql string, args ...any) int {
	m.t.Helper()
	return house.Count(m.t, m.db, sql, args...)
}

// told counts somebody's messages in a channel, as the database has them.
func (m *moments) told(who booked, channel string) int {
	m.t.Helper()
	return m.count(`SELECT count(*) FROM notifications WHERE booking_id = $1 AND channel = $2`, who.id, channel)
}

// mailIs says whether somebody's mail has that status after as many attempts.
func (m *moments) mailIs(who booked, status string, attempts int) bool {
	m.t.Helper()
	return m.count(`SELECT count(*) FROM notifications WHERE booking_id = $1 AND channel = 'email' AND status = $2 AND attempts = $3`,
		who.id, status, attempts) == 1
}

// wantMails wants that the post has accepted a mail to somebody so many times,
// all of them the same one.
func (m *moments) wantMails(who booked, least, most int) {
	m.t.Helper()
	ids := m.post.Accepted(who.Person)
	if len(ids) < least || len(ids) > most {
		m.t.Errorf("%s was sent %d mails, not %d to %d", who.Email, len(ids), least, most)
	}
	if distinct := slices.Compact(slices.Sorted(slices.Values(ids))); len(distinct) > 1 || slices.Contains(ids, "") {
		m.t.Errorf("the mails to %s have the ids %q", who.Email, distinct)
	}
}

// wantBell wants that somebody finds so many messages in the application.
func (m *moments) wantBell(who booked, n int) {
	m.t.Helper()
	if bell := house.BellOf(m.t, m.c, who.Person); bell[who.id] != n || len(bell) != 1 {
		m.t.Errorf("%s finds %v in the bell, not %d of the booking %s", who.Email, bell, n, who.id)
	}
}

// The server is killed at the moments between a message and its mark, each for
// certain: what goes over the wire tells when it stands there. A fact's messages
// stand in the transaction of its mark, so that it is told once whether the kill
// comes before the commit or after it. A mail is marked when the post has accepted
// it: nothing is lost, and a kill in between sends it once more, as the same mail.
func TestKilledBetweenMessageAndMark(t *testing.T) {
	t.Parallel()
	m := newMoments(t)

	// One mail is accepted and not marked; of another booking the messages are
	// written and not committed.
	unmarked := m.wire.StopAt(testkit.Moment{Statement: marksMails})
	mailed := m.book()
	m.reached("a mail is accepted, and its mark on the way", unmarked.Reached)
	uncommitted := m.wire.StopAt(testkit.Moment{Statement: marksFacts, Commit: true})
	untold := m.book()
	m.reached("messages are written, and their commit on the way", uncommitted.Reached)
	m.kill(unmarked, uncommitted)
	if !m.mailIs(mailed, "pending", 1) || len(m.post.Accepted(mailed.Person)) != 1 {
		t.Error("the kill did not come between the post's acceptance and the mark")
	}
	if m.told(untold, "app") != 0 {
		t.Error("the kill did not come before the commit")
	}
	m.next()
	m.wantMails(mailed, 2, 2)
	m.wantBell(mailed, 1)
	if !m.mailIs(mailed, "sent", 2) {
		t.Error("the mail that was sent twice is not marked, or not with two attempts")
	}
	m.wantMails(untold, 1, 1)
	m.wantBell(untold, 1)

	// One mail is marked, and messages are committed, and the server has heard of
	// neither.
	marked := m.wire.StopAt(testkit.Moment{Statement: marksMails, Written: true})
	mailed = m.book()
	m.reached("a mail is marked, and the server not told", marked.Reached)
	committed := m.wire.StopAt(testkit.Moment{Statement: marksFacts, Commit: true, Written: true})
	written := m.book()
	m.reached("messages are committed, and the server not told", committed.Reached)
	m.kill(marked, committed)
	if !m.mailIs(mailed, "sent", 1) {
		t.Error("the kill did not come after the mark")
	}
	if m.told(written, "app") != 1 || m.count(`SELECT count(*) FROM outbox WHERE booking_id = $1 AND relayed_at IS NULL`, written.id) != 0 {
		t.Error("the kill did not come after the commit")
	}
	m.next()
	m.wantMails(mailed, 1, 1)
	m.wantBell(mailed, 1)
	m.wantMails(written, 1, 2) // it may have been sent by the time of the kill, and not marked
	m.wantBell(written, 1)

	// One mail is handed over, and the post has said nothing.
	handedOver := m.post.Hold()
	mailed = m.book()
	m.reached("a mail is handed over", handedOver)
	m.kill()
	if !m.mailIs(mailed, "pending", 1) || len(m.post.Accepted(mailed.Person)) != 0 {
		t.Error("the kill did not come before the post's acceptance")
	}
	m.next()
	m.wantMails(mailed, 1, 1)
	m.wantBell(mailed, 1)
	m.Judge(m.l)

	m.withoutGuards()
}

// withoutGuards is the control: the same two kills where a mail is marked before
// it is sent, and where the mark on a fact is not in the transaction of its
// messages and no index stands behind. The mail is lost, the message shown twice.
func (m *moments) withoutGuards() {
	m.t.Helper()
	house.Exec(m.t, m.db, `
		CREATE FUNCTION mark_too_early() RETURNS trigger LANGUAGE plpgsql AS
			'BEGIN NEW.status := ''sent''; NEW.next_try_at := NULL; RETURN NEW; END';
		CREATE TRIGGER mark_too_early BEFORE UPDATE ON notifications
			FOR EACH ROW WHEN (NEW.attempts > OLD.attempts) EXECUTE FUNCTION mark_too_early();
		DROP INDEX notifications_once;
		ALTER TABLE notifications DROP CONSTRAINT notifications_pkey`)
	handedOver := m.post.Hold()
	lost := m.book()
	m.reached("a mail is handed over", handedOver)
	committed := m.wire.StopAt(testkit.Moment{Statement: marksFacts, Commit: true, Written: true})
	twice := m.book()
	m.reached("messages are committed, and the server not told", committed.Reached)
	m.kill(committed)
	house.Exec(m.t, m.db, `
		DROP TRIGGER mark_too_early ON notifications;
		UPDATE outbox SET relayed_at = NULL WHERE booking_id = '`+twice.id+`'`)
	m.next()
	if n := len(m.post.Accepted(lost.Person)); n != 0 {
		m.t.Errorf("%d mails that were marked too early arrived: the test proves nothing", n)
	}
	m.wantBell(twice, 2)
}
