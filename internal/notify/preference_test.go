package notify_test

import (
	"errors"
	"testing"

	"github.com/google/uuid"

	"happening/internal/fault"
	"happening/internal/notify"
)

func wish(kind string, app, email *bool) notify.PreferenceChange {
	return notify.PreferenceChange{Type: kind, App: app, Email: email}
}

func yes() *bool { b := true; return &b }
func no() *bool  { b := false; return &b }

func TestPreferences(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ada, bob := h.person(true), h.person(true)
	s := notify.NewService(h.store, h.now)
	ctx := t.Context()
	all, err := s.Preferences(ctx, ada)
	if err != nil || len(all) < 8 {
		t.Fatalf("%+v, %v", all, err)
	}
	for _, p := range all {
		if !p.App || !p.Email {
			t.Errorf("by default not told: %+v", p)
		}
	}
	mails := func(person uuid.UUID) (off string) {
		all, err := s.Preferences(ctx, person)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range all {
			if !p.App {
				t.Errorf("%s is not in the bell", p.Type)
			}
			if !p.Email {
				off += p.Type + " "
			}
		}
		return off
	}
	choose := func(changes ...notify.PreferenceChange) {
		t.Helper()
		if _, err := s.Choose(ctx, ada, changes); err != nil {
			t.Fatal(err)
		}
	}
	choose(wish(notify.TypeEventUpdated, yes(), no()), wish(notify.TypeBookingConfirmed, nil, no()), wish(notify.TypeOrgInvited, nil, yes()))
	choose(wish(notify.TypeEventUpdated, nil, no()))
	if got := mails(ada); got != "booking_confirmed event_updated " {
		t.Errorf("ada wants no mails of %q", got)
	}
	choose(wish(notify.TypeEventUpdated, nil, yes()), wish(notify.TypeBookingConfirmed, nil, nil))
	choose()
	if got := mails(ada); got != "booking_confirmed " {
		t.Errorf("ada wants no mails of %q", got)
	}
	if got := mails(bob); got != "" {
		t.Errorf("bob wants no mails of %q", got)
	}
	if n := h.count("SELECT count(*) FROM notification_preferences"); n != 1 {
		t.Errorf("%d rows are kept", n)
	}
}

func TestBadPreferencesChangeNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ada := h.person(true)
	s := notify.NewService(h.store, h.now)
	good := wish(notify.TypeBookingCancelled, nil, no())
	for _, c := range []struct {
		name, field string
		change      notify.PreferenceChange
	}{
		{"an unknown type", "types[1].type", wish("advertisement", nil, no())},
		{"no type", "types[1].type", wish("", nil, no())},
		{"the provider's own mail", "types[1].type", wish(notify.TypeResetPassword, nil, no())},
		{"the same type again", "types[1].type", wish(notify.TypeBookingCancelled, nil, yes())},
		{"the bell", "types[1].app", wish(notify.TypeEventUpdated, no(), no())},
		{"the invitation's link", "types[1].email", wish(notify.TypeOrgInvited, nil, no())},
	} {
		_, err := s.Choose(t.Context(), ada, []notify.PreferenceChange{good, c.change})
		var f *fault.Error
		if !errors.As(err, &f) || f.Kind != fault.Invalid || len(f.Fields) != 1 || f.Fields[0].Name != c.field {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if n := h.count("SELECT count(*) FROM notification_preferences"); n != 0 {
		t.Errorf("%d rows are kept", n)
	}
}

// A mail that its person doesn't want is not even written; the bell tells them
// all the same, and the others get theirs.
func TestOnlyWantedMailsAreWritten(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	org, event := h.organization("Jazz")
	ada, bob := h.person(true), h.person(true)
	s := notify.NewService(h.store, h.now)
	ctx := t.Context()
	if _, err := s.Choose(ctx, ada, []notify.PreferenceChange{wish(notify.TypeBookingConfirmed, nil, no())}); err != nil {
		t.Fatal(err)
	}
	// Even by a row that no one can have chosen, an invitation's link goes out.
	h.exec(`INSERT INTO notification_preferences (user_id, type, channel, wanted) VALUES ($1, 'org_invited', 'email', false)`, ada)
	first, _ := h.booked(org, event, ada)
	second, _ := h.booked(org, event, bob)
	invite := newID()
	h.exec(`INSERT INTO organization_invites (id, org_id, email, role, invited_by, created_at, expires_at)
	        VALUES ($1, $2, $3, 'user', $4, $5, $5::timestamptz + interval '7 days')`, invite, org, addressOf(ada), newID(), h.now())
	third := newID()
	h.exec(`INSERT INTO outbox (id, org_id, kind, user_id, payload, created_at)
	        VALUES ($1, $2, 'org.invited', $3, jsonb_build_object('invite_id', $4::uuid), $5)`, third, org, ada, invite, h.now())
	queued := 0
	h.drain(h.relay(func(c *notify.RelayConfig) { c.MailQueued = func() { queued++ } }))
	if queued != 1 {
		t.Errorf("the deliverer was woken %d times", queued)
	}
	rows := func(fact, person uuid.UUID, channel string) int {
		return h.count("SELECT count(*) FROM notifications WHERE fact_id = $1 AND user_id = $2 AND channel = $3", fact, person, channel)
	}
	for _, c := range []struct {
		name         string
		fact, person uuid.UUID
		app, mail    int
	}{
		{"who wants no mail", first, ada, 1, 0},
		{"who wants all", second, bob, 1, 1},
		{"an invitation", third, ada, 1, 1},
	} {
		if app, mail := rows(c.fact, c.person, "app"), rows(c.fact, c.person, "email"); app != c.app || mail != c.mail {
			t.Errorf("%s: %d in the bell, %d mails", c.name, app, mail)
		}
	}
	if n := h.count("SELECT count(*) FROM outbox WHERE relayed_at IS NULL OR failure IS NOT NULL"); n != 0 {
		t.Errorf("%d facts are not told", n)
	}
	// What was due before a choice still goes: it was decided when it was told.
	if _, err := s.Choose(ctx, bob, []notify.PreferenceChange{wish(notify.TypeBookingConfirmed, nil, no())}); err != nil {
		t.Fatal(err)
	}
	if got := rows(second, bob, "email"); got != 1 {
		t.Errorf("%d mails", got)
	}
	// Who changed their mind is told again.
	if _, err := s.Choose(ctx, ada, []notify.PreferenceChange{wish(notify.TypeBookingConfirmed, nil, yes())}); err != nil {
		t.Fatal(err)
	}
	fourth, _ := h.booked(org, event, ada)
	h.drain(h.relay())
	if got := rows(fourth, ada, "email"); got != 1 {
		t.Errorf("%d mails after a change of mind", got)
	}
}
