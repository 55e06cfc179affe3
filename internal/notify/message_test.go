package notify

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/google/uuid"

	"happening/internal/booking"
	"happening/internal/event"
	"happening/internal/org"
)

var update = flag.Bool("update", false, "write the goldens anew")

var (
	person   = uuid.MustParse("0198c0de-0000-7000-8000-00000000000a")
	boss     = uuid.MustParse("0198c0de-0000-7000-8000-00000000000b")
	theOrg   = uuid.MustParse("0198c0de-0000-7000-8000-00000000000c")
	theEvent = uuid.MustParse("0198c0de-0000-7000-8000-00000000000e")
	invite   = uuid.MustParse("0198c0de-0000-7000-8000-00000000000f")
	theirs   = uuid.MustParse("0198c0de-0000-7000-8000-000000000010")
)

var jazz = EventCard{
	ID: theEvent, Name: "Jazz & <Blues> Night", Venue: "Blue Hall, Wien",
	StartsAt: time.Date(2026, 12, 4, 18, 30, 0, 0, time.UTC), EndsAt: time.Date(2026, 12, 4, 21, 0, 0, 0, time.UTC),
	TimeZone: "Europe/Vienna", OrgName: "Blue Hall",
}

func known(fact uuid.UUID) Known {
	return Known{
		Events:  map[uuid.UUID]EventCard{theEvent: jazz},
		Invites: map[uuid.UUID]InviteCard{invite: {OrgName: "Blue Hall", Role: "organizer"}},
		Audience: map[uuid.UUID][]Attendee{fact: {
			{BookingID: theirs, UserID: person}, {BookingID: invite, UserID: person}, {BookingID: theEvent, UserID: boss},
		}},
	}
}

// example is a fact of every sort that somebody is told about.
type example struct {
	name    string
	kind    string
	payload string
}

const moved = `{"changed":["name","starts_at","venue"],
 "before":{"name":"Jazz","starts_at":"2026-12-03T18:30:00Z","ends_at":"2026-12-04T00:30:00Z","time_zone":"Europe/Vienna","venue":"Old Hall"},
 "after":{"name":"Jazz & <Blues> Night","starts_at":"2026-12-04T18:30:00Z","ends_at":"2026-12-04T21:00:00Z","time_zone":"Europe/Vienna","venue":"Blue Hall, Wien"}}`

func examples() []example {
	by := func(who uuid.UUID) string { return `"actor":"` + who.String() + `"` }
	const (
		seats = `{"status":"confirmed","seats":5,"seat_numbers":[3,4,5,8,21]}`
		fewer = `{"status":"confirmed","seats":2,"seat_numbers":[3,21]}`
		other = `{"status":"confirmed","seats":5,"seat_numbers":[41,42,43,44,45]}`
		party = `{"status":"waiting","seats":2,"seat_numbers":[],"waiting_number":7}`
		large = `{"status":"waiting","seats":4,"seat_numbers":[],"waiting_number":7}`
		gone  = `{"status":"cancelled","seats":5,"seat_numbers":[]}`
		one   = `{"status":"confirmed","seats":1,"seat_numbers":[3]}`
	)
	return []example{
		{"confirmed", BookingConfirmed, `{"action":"confirmed","from":null,"to":` + seats + `,` + by(person) + `}`},
		{"confirmed one", BookingConfirmed, `{"action":"confirmed","from":null,"to":` + one + `,` + by(person) + `}`},
		{"waitlisted", BookingWaitlisted, `{"action":"waitlisted","from":null,"to":` + party + `,` + by(person) + `,"position":4}`},
		{"booked for", BookingConfirmed, `{"action":"confirmed","from":null,"to":` + seats + `,` + by(boss) + `}`},
		{"waitlisted for", BookingWaitlisted, `{"action":"waitlisted","from":null,"to":` + party + `,` + by(boss) + `,"position":4}`},
		{"promoted", BookingPromoted, `{"action":"promoted","from":` + party + `,"to":` + fewer + `,"actor":null}`},
		{"seats given back", BookingChanged, `{"action":"seats_cancelled","from":` + seats + `,"to":` + fewer + `,` + by(person) + `}`},
		{"seats taken", BookingChanged, `{"action":"seats_cancelled","from":` + seats + `,"to":` + fewer + `,` + by(boss) + `}`},
		{"moved seats", BookingChanged, `{"action":"moved","from":` + seats + `,"to":` + other + `,` + by(boss) + `}`},
		{"party shrunk", BookingChanged, `{"action":"resized","from":` + large + `,"to":` + party + `,` + by(person) + `}`},
		{"cancelled", BookingCancelled, `{"action":"cancelled","from":` + seats + `,"to":` + gone + `,` + by(person) + `}`},
		{"cancelled by organizer", BookingCancelled, `{"action":"cancelled","from":` + seats + `,"to":` + gone + `,` + by(boss) + `}`},
		{"left waitlist", BookingCancelled, `{"action":"cancelled","from":` + party + `,"to":` + gone + `,` + by(person) + `}`},
		{"taken off waitlist", BookingCancelled, `{"action":"cancelled","from":` + party + `,"to":` + gone + `,` + by(boss) + `}`},
		{"waitlist closed", BookingCancelled, `{"action":"cancelled","from":` + party + `,"to":` + gone + `,"actor":null,"reason":"event_started"}`},
		{"party too large", BookingCancelled, `{"action":"cancelled","from":` + large + `,"to":` + gone + `,"actor":null,"reason":"capacity"}`},
		{"event cancelled", BookingCancelled, `{"action":"cancelled","from":` + seats + `,"to":` + gone + `,"actor":null,"reason":"event_cancelled"}`},
		{"event updated", event.KindUpdated, moved},
		{"event cancelled fact", event.KindCancelled, `{}`},
		{"invited", org.KindInvited, `{"invite_id":"` + invite.String() + `"}`},
		{"confirm address", ConfirmAddress, `{"account_id":"` + person.String() + `"}`},
		{"reset password", ResetPassword, `{"account_id":"` + person.String() + `"}`},
		{"already registered", AlreadyRegistered, `{"account_id":"` + person.String() + `"}`},
	}
}

func (e example) fact() Fact {
	f := Fact{
		ID: uuid.MustParse("0198c0de-1111-7000-8000-000000000001"), Kind: e.kind, OrgID: theOrg, EventID: theEvent,
		BookingID: theirs, UserID: person, Payload: json.RawMessage(e.payload),
		CreatedAt: time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC),
	}
	if strings.HasPrefix(e.kind, "account.") {
		f.OrgID, f.EventID, f.BookingID, f.UserID = uuid.Nil, uuid.Nil, uuid.Nil, uuid.Nil
	}
	return f
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", strings.ReplaceAll(name, " ", "_"))
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (write it with -update)", err)
	}
	if got != string(want) {
		t.Errorf("%s differs (see with -update and git diff):\n%s", path, got)
	}
}

func TestEveryFactTellsTheRightPeople(t *testing.T) {
	var b strings.Builder
	for _, e := range examples() {
		f := e.fact()
		messages, err := Messages(f, known(f.ID))
		if err != nil {
			t.Fatalf("%s: %v", e.name, err)
		}
		fmt.Fprintf(&b, "== %s (%s)\n", e.name, e.kind)
		for _, m := range messages {
			fmt.Fprintf(&b, "to %s app=%v mail=%v %s %s\n  %s\n  %s\n", who(m.UserID), m.ToApp, m.ToMail, m.Type, m.Link, m.Title, m.Text)
		}
	}
	golden(t, "messages.txt", b.String())
}

func who(id uuid.UUID) string {
	switch id {
	case person:
		return "the person"
	case boss:
		return "the organizer"
	case uuid.Nil:
		return "an address"
	}
	return id.String()
}

// fakeLinks mints links that are the same every time.
type fakeLinks struct{}

func (fakeLinks) AccountLink(_ context.Context, kind string, _ uuid.UUID) (email, name, url string, err error) {
	return "ada@example.org", "Ada", "https://tickets.example.org/idp/" + kind + "?token=secret", nil
}

func (fakeLinks) InviteLink(context.Context, uuid.UUID) (email, orgName, role, url string, err error) {
	return "ada@example.org", "Blue Hall", "organizer", "https://tickets.example.org/invites?token=secret", nil
}

func TestEveryMailReadsWell(t *testing.T) {
	d := NewDeliverer(DelivererConfig{Links: fakeLinks{}, PublicURL: "https://tickets.example.org/"})
	for _, e := range examples() {
		f := e.fact()
		messages, err := Messages(f, known(f.ID))
		if err != nil {
			t.Fatalf("%s: %v", e.name, err)
		}
		if len(messages) == 0 {
			continue
		}
		m := messages[0]
		delivery := Delivery{
			ID: m.ID(Email), OrgName: "Blue Hall", BookingID: m.BookingID, UserID: m.UserID, Type: m.Type,
			Title: m.Title, Text: m.Text, Link: m.Link, Fact: f, Event: jazz, Name: "Ada Lovelace", Address: "ada@example.org",
		}
		if strings.HasSuffix(e.name, " for") {
			delivery.OnBehalf, delivery.Guest, delivery.Name = true, e.name == "booked for", ""
		}
		mail, _, err := d.compose(t.Context(), delivery)
		if err != nil {
			t.Fatalf("%s: %v", e.name, err)
		}
		golden(t, "mails/"+e.name+".txt", "Subject: "+mail.Subject+"\nTo: "+mail.To+"\n\n"+mail.Text)
		if e.name == "confirmed" || e.name == "confirm address" {
			golden(t, "mails/"+e.name+".html", mail.HTML)
		}
		if strings.Contains(mail.HTML, "<Blues>") {
			t.Errorf("%s: the event's name is not escaped", e.name)
		}
		// The outbox forgets facts after a while; the mail is then plainer but
		// still says what happened.
		if !strings.HasPrefix(e.kind, "account.") && e.kind != org.KindInvited {
			delivery.Fact = Fact{}
			plain, _, err := d.compose(t.Context(), delivery)
			if err != nil || !strings.Contains(plain.Text, m.Text) {
				t.Errorf("%s without its fact: %v\n%s", e.name, err, plain.Text)
			}
		}
	}
}

// Whatever an organization is called and writes, a mail about what it booked
// for somebody leads nowhere but to us, and there are only so many of them.
func TestAMailThatNobodyAskedForLeadsNowhere(t *testing.T) {
	d := NewDeliverer(DelivererConfig{PublicURL: "https://tickets.example.org"})
	spoof := jazz
	spoof.Name, spoof.Venue, spoof.OrgName = "Win at https://evil.example.net", "www.evil.example.com", "evil.example.com"
	for _, e := range examples() {
		if e.kind != event.KindUpdated && !strings.HasPrefix(e.kind, "booking.") {
			continue
		}
		f := e.fact()
		f.Payload = json.RawMessage(strings.ReplaceAll(e.payload, "Blue Hall, Wien", "evil.example.com"))
		all := known(f.ID)
		all.Events[theEvent] = spoof
		messages, err := Messages(f, all)
		if err != nil {
			t.Fatal(err)
		}
		m := messages[0]
		delivery := Delivery{
			ID: m.ID(Email), OrgName: spoof.OrgName, UserID: m.UserID, Type: m.Type, Title: m.Title, Text: m.Text, Link: m.Link,
			Event: spoof, Address: "ada@example.org", OnBehalf: true,
		}
		for _, fact := range []Fact{f, {}} {
			delivery.Fact, delivery.OnBehalfBefore = fact, MaxOnBehalfMails-1
			if fact.Kind == event.KindUpdated { // what it says is how the event stands
				delivery.Event = cardOf(&event.Notable{Name: "Jazz & <Blues> Night", Venue: "evil.example.com",
					StartsAt: jazz.StartsAt, EndsAt: jazz.EndsAt, TimeZone: jazz.TimeZone})
				delivery.Event.ID = theEvent
			}
			mail, _, err := d.compose(t.Context(), delivery)
			if err != nil || strings.Contains(mail.Subject+mail.Text+mail.HTML, "evil.example") || !strings.Contains(mail.Text, "evil. example") {
				t.Errorf("%s: %v\n%s\n%s", e.name, err, mail.Subject, mail.Text)
			}
			delivery.OnBehalfBefore++
			if _, retry, err := d.compose(t.Context(), delivery); retry || !errors.Is(err, errNothingToSay) {
				t.Errorf("%s: one mail more than there may be: %v", e.name, err)
			}
		}
	}
}

func TestFactKindsAreThoseThatTheirRoomsDeclare(t *testing.T) {
	for action, kind := range map[booking.Action]string{
		booking.ActConfirmed: BookingConfirmed, booking.ActWaitlisted: BookingWaitlisted, booking.ActPromoted: BookingPromoted,
		booking.ActSeatsCancelled: BookingChanged, booking.ActResized: BookingChanged, booking.ActMoved: BookingChanged, booking.ActCancelled: BookingCancelled,
	} {
		if action.FactKind() != kind {
			t.Errorf("%s: booking says %q, notify %q", action, action.FactKind(), kind)
		}
	}
}

func TestWhatMakesNoSenseIsRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		fact Fact
	}{
		{"unknown kind", Fact{Kind: "weather.changed", Payload: json.RawMessage(`{}`)}},
		{"broken payload", Fact{Kind: BookingConfirmed, EventID: theEvent, UserID: person, Payload: json.RawMessage(`{"to":7}`)}},
		{"unknown event", Fact{Kind: BookingConfirmed, EventID: boss, UserID: person, Payload: json.RawMessage(`{}`)}},
		{"nobody's booking", Fact{Kind: BookingCancelled, EventID: theEvent, Payload: json.RawMessage(`{}`)}},
		{"no invitation", Fact{Kind: org.KindInvited, Payload: json.RawMessage(`{}`)}},
		{"no account", Fact{Kind: ResetPassword, Payload: json.RawMessage(`{}`)}},
		{"broken event change", Fact{Kind: event.KindUpdated, EventID: theEvent, Payload: json.RawMessage(`[]`)}},
	} {
		if messages, err := Messages(c.fact, known(c.fact.ID)); err == nil {
			t.Errorf("%s: no error, messages %v", c.name, messages)
		}
	}
}

func TestAMessageHasOneIDForGood(t *testing.T) {
	f := examples()[0].fact()
	m := Message{FactID: f.ID, UserID: person}
	again := Message{FactID: f.ID, UserID: person}
	if m.ID(App) != again.ID(App) || m.ID(App) == m.ID(Email) {
		t.Error("the id must depend on the channel and nothing that changes")
	}
	other := Message{FactID: f.ID, UserID: boss}
	if m.ID(App) == other.ID(App) {
		t.Error("two people's messages have one id")
	}
	id := m.ID(App)
	if id.Version() != 7 || id.Variant() != uuid.RFC4122 {
		t.Errorf("%s is no UUIDv7", id)
	}
	later := Message{FactID: uuid.MustParse("0198c0de-1112-7000-8000-000000000001"), UserID: person}
	if later.ID(App).String() <= id.String() {
		t.Error("ids don't rise with the time of the fact")
	}
}

func TestSeatLabels(t *testing.T) {
	var hall []int32
	for n := int32(1); n <= 600; n += 3 {
		hall = append(hall, n)
	}
	for _, c := range []struct {
		seats []int32
		want  string
	}{
		{nil, "no seats"},
		{[]int32{3}, "Row A · Seat 3"},
		{[]int32{4, 3}, "Row A · Seats 3, 4"},
		{[]int32{1, 2, 3, 5, 7, 8}, "Row A · Seats 1–3, 5, 7, 8"},
		{[]int32{20, 21, 22, 23}, "Row A · Seat 20; Row B · Seats 21–23"},
		{[]int32{520, 521, 541}, "Row Z · Seat 520; Row AA · Seat 521; Row AB · Seat 541"},
	} {
		if got := SeatLabels(nil, c.seats); got != c.want {
			t.Errorf("%v: got %q, want %q", c.seats, got, c.want)
		}
	}
	house, err := event.NewLayout([]event.Section{
		{Name: "Stalls", Rows: []event.Row{{Label: "A", Seats: 3}, {Label: "B", Seats: 3, First: 11}}},
		{Name: "Box", Rows: []event.Row{{Label: "A", Seats: 4}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := SeatLabels(house, []int32{7, 4, 5, 6, 3}); got != "Stalls · Row A · Seat 3; Stalls · Row B · Seats 11–13; Box · Row A · Seat 1" {
		t.Errorf("in a house that is laid out: %q", got)
	}
	if got := SeatLabels(nil, hall); !strings.HasSuffix(got, " and 120 more") {
		t.Errorf("a large party is spelled out: %q", got)
	}
}

func TestTimesAreTheEvents(t *testing.T) {
	card := func(zone, from, to string) EventCard {
		start, _ := time.Parse(time.RFC3339, from)
		end, _ := time.Parse(time.RFC3339, to)
		return EventCard{TimeZone: zone, StartsAt: start, EndsAt: end}
	}
	for _, c := range []struct {
		card EventCard
		want string
	}{
		{card("Europe/Vienna", "2026-12-04T18:30:00Z", "2026-12-04T21:00:00Z"), "Friday, 4 December 2026, 19:30–22:00 CET"},
		{card("Europe/Vienna", "2026-07-04T22:30:00Z", "2026-07-05T21:00:00Z"), "Sunday, 5 July 2026, 00:30–23:00 CEST"},
		{card("America/Sao_Paulo", "2026-12-04T18:30:00Z", "2026-12-05T21:00:00Z"), "Friday, 4 December 2026, 15:30 – Saturday, 5 December 2026, 18:00 (America/Sao_Paulo)"},
		// The night in which half past two is there twice, and the one in which it
		// is not there.
		{card("Europe/Vienna", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"), "Sunday, 25 October 2026, 02:30 CEST–02:30 CET"},
		{card("Europe/Vienna", "2026-10-24T20:00:00Z", "2026-10-25T02:00:00Z"), "Saturday, 24 October 2026, 22:00 CEST – Sunday, 25 October 2026, 03:00 CET"},
		{card("Europe/Vienna", "2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z"), "Sunday, 29 March 2026, 01:30 CET–03:30 CEST"},
		{card("Nowhere/Atall", "2026-12-04T18:30:00Z", "2026-12-04T21:00:00Z"), "Friday, 4 December 2026, 18:30–21:00 UTC"},
	} {
		if got := longTime(c.card); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestPausesBetweenAttemptsGrow(t *testing.T) {
	last := time.Duration(0)
	var total time.Duration
	for attempt := 1; attempt < MaxAttempts; attempt++ {
		low, high := retryPause(attempt, 0), retryPause(attempt, 1)
		if low <= last || high > lastRetryPause+lastRetryPause/5 {
			t.Errorf("attempt %d: %v to %v after %v", attempt, low, high, last)
		}
		last = low
		total += high
	}
	if total < 3*time.Hour || total > 24*time.Hour {
		t.Errorf("a mail is given up after %v", total)
	}
}

func FuzzMessages(f *testing.F) {
	for _, e := range examples() {
		f.Add(e.kind, []byte(e.payload))
	}
	f.Fuzz(func(t *testing.T, kind string, payload []byte) {
		fact := Fact{ID: theirs, Kind: kind, EventID: theEvent, UserID: person, Payload: payload}
		messages, err := Messages(fact, known(fact.ID))
		if err != nil && messages != nil {
			t.Error("messages beside an error")
		}
	})
}

func FuzzCursor(f *testing.F) {
	f.Add("")
	f.Add(encodeCursor(person))
	f.Fuzz(func(t *testing.T, cursor string) {
		id, err := decodeCursor(cursor)
		if err == nil && id != uuid.Nil {
			if again, err := decodeCursor(encodeCursor(id)); err != nil || again != id {
				t.Errorf("%q: %v %v", cursor, again, err)
			}
		}
	})
}
